"""How rows tell when something was, and what was asked."""

from datetime import UTC, datetime


def when(created_at: str) -> str:
    """How long ago, or the day."""
    try:
        age = (datetime.now(UTC) - datetime.fromisoformat(created_at)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no moment, or none of this calendar: shown as it is kept
        return created_at[:10]
    for limit, unit, word in ((90, 1, "just now"), (5400, 60, "{} min ago"), (129_600, 3600, "{} h ago")):
        if age < limit:
            return word.format(round(age / unit))
    return created_at[:10]


def short(question: str) -> str:
    """A question in one line."""
    line = " ".join(question.split())
    return line if len(line) <= 160 else f"{line[:159].rstrip()}…"
