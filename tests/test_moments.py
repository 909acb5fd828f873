"""Moments from elsewhere: kept in UTC, refused where they are none, and shown on any machine's clock."""

import time

import pytest

from workbench import moments
from workbench.cli import output
from workbench.ui import prompt_versions
from workbench.ui.moments import when

NEVER = "0001-01-01T00:00:00+14:00"


def test_a_moment_is_kept_in_utc_to_the_millisecond():
    assert moments.in_utc("2026-11-23T12:00:00.123456+02:00") == "2026-11-23T10:00:00.123+00:00"


@pytest.mark.parametrize("text", [NEVER, "9999-12-31T23:59:00-01:00", "2026-11-23T12:00:00", "yesterday", ""])
def test_what_is_no_moment_of_the_calendar_is_refused(text: str):
    with pytest.raises(ValueError):
        moments.in_utc(text)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Adak"])
@pytest.mark.parametrize("text", [NEVER, "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "yesterday"])
def test_what_no_clock_can_show_is_shown_as_it_is_kept(text: str, zone: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for shown in (output.local(text), prompt_versions.moment(text), when(text)):
            assert shown and (text[5:7] in shown or shown == "just now")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert prompt_versions.moment("") == ""
