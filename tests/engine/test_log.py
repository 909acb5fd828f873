"""The log while it is written: deltas are joined, nothing is lost or out of order, the disk gets all of it."""

import asyncio
import time

import pytest

from workbench.errors import DiskFull
from workbench.events import Delta, Warned
from workbench.log import JOIN_SECONDS, RunLog


def written(log):
    return [(e.kind, getattr(e, "text", getattr(e, "code", ""))) for e in log._events]


async def test_the_first_piece_goes_through_at_once_and_the_rest_is_joined():
    log = RunLog("r", lambda events: None)
    for n in range(10):
        log.delta("c", "text", str(n))
    assert written(log) == [("delta", "0")]
    await asyncio.sleep(JOIN_SECONDS * 2)
    assert written(log) == [("delta", "0"), ("delta", "123456789")]


async def test_there_are_at_most_twenty_deltas_a_second():
    log, began, pieces = RunLog("r", lambda events: None), time.monotonic(), 0
    while time.monotonic() - began < 0.5:
        log.delta("c", "text", "x")
        pieces += 1
        await asyncio.sleep(0.001)
    log.save()
    deltas = [e for e in log._events if isinstance(e, Delta)]
    assert len(deltas) <= 0.5 / JOIN_SECONDS + 3
    assert sum(len(e.text) for e in deltas) == pieces


async def test_another_channel_or_call_or_event_closes_the_piece_before_it():
    log = RunLog("r", lambda events: None)
    log.delta("c", "text", "a")
    log.delta("c", "text", "b")
    log.delta("c", "thinking", "t")
    log.delta("d", "text", "e")
    log.emit(Warned, code="w", message="m")
    assert written(log) == [("delta", "a"), ("delta", "b"), ("delta", "t"), ("delta", "e"), ("warning", "w")]
    assert [e.seq for e in log._events] == [0, 1, 2, 3, 4]


async def test_calls_that_write_at_once_are_each_joined():
    log, began = RunLog("r", lambda events: None), time.monotonic()
    while time.monotonic() - began < 0.5:
        for call in "abcd":
            log.delta(call, "text", call)
        await asyncio.sleep(0.001)
    log.save()
    deltas = [e for e in log._events if isinstance(e, Delta)]
    assert len(deltas) <= 4 * (0.5 / JOIN_SECONDS + 3)
    assert all(set(e.text) == {e.call_id} for e in deltas)


async def test_everything_is_saved_once_and_in_order():
    saved: list = []
    log = RunLog("r", saved.extend)
    log.emit(Warned, code="a", message="m")
    log.save()
    log.delta("c", "text", "x")
    log.delta("c", "text", "y")
    await asyncio.sleep(0.4)
    log.save()
    assert [e.seq for e in saved] == [0, 1, 2]


async def test_a_disk_that_fails_between_steps_is_reported():
    def full(events):
        raise DiskFull("The disk is full.")

    log, told = RunLog("r", full), []
    log.on_failure = lambda: told.append(True)
    log.emit(Warned, code="a", message="m")
    await asyncio.sleep(0.4)
    assert told and log.failure.code == "disk_full"


def test_nothing_may_be_logged_from_another_thread():
    with pytest.raises(RuntimeError, match="no running event loop"):
        RunLog("r", lambda events: None).emit(Warned, code="a", message="m")
