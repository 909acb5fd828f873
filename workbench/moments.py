"""Moments in ISO 8601: one rule for those that come from elsewhere, and how they look on this machine's clock."""

from datetime import UTC, datetime


def in_utc(text: str) -> str:
    """A moment as ours are written: in UTC, to the millisecond. Raises ValueError for what is none, or has no zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it has no time zone")
    try:
        return found.astimezone(UTC).isoformat(timespec="milliseconds")
    except OverflowError:
        raise ValueError("it lies outside the calendar") from None


def local(text: str) -> str:
    """A moment on this machine's clock, to the minute; as it is where no clock can show it."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return text
