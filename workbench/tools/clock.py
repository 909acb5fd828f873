"""The clock: the current date, time and weekday in a timezone."""

import difflib
from collections.abc import Callable
from datetime import datetime, tzinfo
from functools import cache
from typing import ClassVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools.base import Tool

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HERE = ("", "local", "here", "none", "null", "default", "now", "today")


class Arguments(BaseModel):
    """Where."""

    model_config = ConfigDict(extra="forbid")

    timezone: str = Field("", description="Such as Europe/Berlin; empty for the local time")

    @field_validator("timezone", mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        return "" if value is None else value


class Clock:
    """What day and time it is; `now` gives the time in a zone, None for this machine's own."""

    name: ClassVar[str] = "clock"
    description: ClassVar[str] = (
        "tells today's date, weekday and time, computes nothing; timezone such as Europe/Berlin, empty for local time"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False

    def __init__(self, now: Callable[[tzinfo | None], datetime] = datetime.now) -> None:
        self._now = now

    async def run(self, arguments: BaseModel) -> str:
        """Such as `Monday 2026-11-23 14:05:00, Europe/Berlin (UTC+01:00)`. Raises ToolError for an unknown zone."""
        assert isinstance(arguments, Arguments)
        wanted = arguments.timezone.strip().strip("\"'`")
        if wanted.lower() in HERE:
            return _shown(self._now(None).astimezone(), "local time")
        zone = _zone(wanted)
        return _shown(self._now(ZoneInfo(zone)), zone)


def create(settings: Settings) -> Tool:
    """The clock."""
    return Clock()


def _shown(time: datetime, zone: str) -> str:
    """The time with its zone; `%:z` is younger than Python 3.11, so the offset is put together by hand."""
    offset = f"{time:%z}"
    return f"{WEEKDAYS[time.weekday()]} {time:%Y-%m-%d %H:%M:%S}, {zone} (UTC{offset[:3]}:{offset[3:5]})"


@cache
def _zones() -> dict[str, str]:
    """Each zone by its name in small letters."""
    return {name.lower(): name for name in sorted(available_timezones() - {"localtime", "Factory"})}


def _zone(wanted: str) -> str:
    """The zone of that name, or of that city where only one zone has it. Raises ToolError with similar names."""
    name = wanted.lower().replace(" ", "_")
    if name in _zones():
        return _zones()[name]
    cities = [zone for key, zone in _zones().items() if key.rpartition("/")[2] == name]
    if len(cities) == 1:
        return cities[0]
    similar = cities or _similar(name)
    hint = f"Did you mean {', '.join(similar)}?" if similar else "Write a name such as Europe/Berlin or UTC."
    raise ToolError(f"There is no timezone {wanted[:60]!r}. {hint}")


def _similar(name: str) -> list[str]:
    """Up to three zones that are spelt like it, in whole or by their city."""
    by_city = {key.rpartition("/")[2]: zone for key, zone in _zones().items()}
    found = [_zones()[key] for key in difflib.get_close_matches(name[:60], _zones(), 3, 0.75)]
    found += [by_city[key] for key in difflib.get_close_matches(name[:60].rpartition("/")[2], by_city, 3, 0.75)]
    return list(dict.fromkeys(found))[:3]
