"""The clock tells the time in a zone, and which zones are meant when a name is not one."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import available_timezones

import pytest

from workbench.errors import ToolError
from workbench.tools.clock import Arguments, Clock


def at(*moment: int) -> Clock:
    """A clock that stands at a moment in UTC."""
    stands = datetime(*moment, tzinfo=UTC)
    return Clock(lambda zone: stands.astimezone(zone))


async def tell(clock: Clock, timezone: object = "") -> str:
    return await clock.run(Arguments.model_validate({"timezone": timezone}))


@pytest.mark.parametrize(
    ("moment", "zone", "said"),
    [
        ((2026, 11, 23, 13, 5, 0), "Europe/Berlin", "Monday 2026-11-23 14:05:00, Europe/Berlin (UTC+01:00)"),
        ((2026, 7, 1, 22, 30, 0), "Europe/Berlin", "Thursday 2026-07-02 00:30:00, Europe/Berlin (UTC+02:00)"),
        ((2024, 2, 29, 2, 0, 0), "America/New_York", "Wednesday 2024-02-28 21:00:00, America/New_York (UTC-05:00)"),
        ((2026, 1, 4, 0, 0, 0), "Asia/Kathmandu", "Sunday 2026-01-04 05:45:00, Asia/Kathmandu (UTC+05:45)"),
        ((2026, 1, 4, 0, 0, 0), "UTC", "Sunday 2026-01-04 00:00:00, UTC (UTC+00:00)"),
    ],
)
async def test_the_time_is_told_with_weekday_zone_and_offset(moment, zone, said):
    assert await tell(at(*moment), zone) == said


@pytest.mark.parametrize("nothing", ["", " ", "local", "null", None])
async def test_without_a_zone_it_is_the_time_of_this_machine(nothing):
    before = datetime.now().replace(microsecond=0)
    said = await tell(Clock(), nothing)
    told = datetime.fromisoformat(" ".join(said.split()[1:3]).rstrip(","))
    assert before <= told <= before + timedelta(seconds=60)
    assert ", local time (UTC" in said


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("'Asia/Tokyo'", "Asia/Tokyo"),
        ("utc", "UTC"),
    ],
)
async def test_a_zone_may_be_written_as_people_do(written, zone):
    assert f", {zone} (UTC" in await tell(at(2026, 1, 1), written)


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("Europe/Berlim", "Did you mean Europe/Berlin"),
        ("Nwe York", "America/New_York"),
        ("Louisville", "America/Kentucky/Louisville"),
        ("Mars/Phobos", "Write a name such as Europe/Berlin or UTC."),
        ("../../etc/passwd", "Write a name such as"),
        ("/etc/localtime", "Write a name such as"),
        ("\x00", "Write a name such as"),
        ("\ud800", "Write a name such as"),
        ("x" * 100_000, "Write a name such as"),
    ],
)
async def test_an_unknown_zone_is_refused_with_similar_names(written, advice):
    with pytest.raises(ToolError) as refused:
        await tell(Clock(), written)
    assert advice in str(refused.value)
    assert len(str(refused.value)) < 300


async def test_every_zone_can_be_told():
    seen: list[tzinfo | None] = []
    for zone in sorted(available_timezones() - {"localtime", "Factory"}):
        await tell(Clock(lambda wanted: (seen.append(wanted), datetime.now(wanted))[1]), zone)
    assert len(seen) > 400
