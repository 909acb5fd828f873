"""Servers that refuse: too many requests, no credit, no key, faults that pass, and answers that are withheld."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.misbehaviour.rude_server import Chat, plainly, refusing
from tests.runs import finish
from workbench.events import ModelCalled


def in_seconds(seconds: float) -> str:
    """An HTTP date, which has whole seconds: as far away as asked, or up to one second more."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 1), usegmt=True)


@pytest.mark.parametrize("said", ["1", "a date"])
def test_too_many_requests_is_waited_for_as_long_as_the_server_says(place, said):
    async def busy(chat: Chat) -> None:
        await chat.status(429, "slow down", {"Retry-After": in_seconds(0.6) if said == "a date" else said})

    seen = place.run(busy, plainly("A draft."))
    assert seen.status == "answered"
    (retried,) = seen.retried
    assert 0.5 <= retried.waited <= 1.7 and retried.error.code == "rate_limited"
    assert place.server.times[1] - place.server.times[0] >= retried.waited - 0.05


def test_the_wait_is_on_the_log_before_it_begins(place):
    place.server.plays(refusing(429, headers={"Retry-After": "60"}))
    run_id = place.submit()
    place.until(lambda: any(event.kind == "retried" for event in place.engine._logs[run_id].events))
    asked = time.monotonic()
    place.engine.stop(run_id)
    events, view = finish(place.engine, run_id)
    assert view.status == "stopped" and time.monotonic() - asked < 1, "Stop ends the wait at once"
    (retried,) = [event for event in events if event.kind == "retried"]
    assert retried.waited == 60 and retried.at < 5
    assert view.calls[0].retried == retried and view.calls[0].error.code == "rate_limited"
    assert sum(isinstance(event, ModelCalled) for event in events) == 1


@pytest.mark.parametrize("said", ["9999", "a date"])
def test_a_server_that_wants_more_than_two_minutes_gets_no_second_request(place, said):
    seen = place.run(refusing(429, headers={"Retry-After": in_seconds(9998) if said == "a date" else said}))
    assert seen.status == "failed" and seen.error.code == "rate_limited"
    assert "167 minutes" in seen.error.hint
    assert len(place.server.chats) == 1 and seen.retried == []


@pytest.mark.parametrize("junk", ["soon", "-5", "", "nan", "1e9", "9" * 400, "٣", "Mon, 99 Xyz"])
def test_a_senseless_retry_after_is_taken_for_none(place, junk):
    seen = place.run(refusing(429, headers={"Retry-After": junk}), plainly("A draft."))
    assert seen.status == "answered" and len(seen.retried) == 1
    assert 0 < seen.retried[0].waited <= 0.02


def test_too_many_requests_for_good_fails_after_four_attempts(place):
    seen = place.run(refusing(429, "slow down"), *[refusing(429, "slow down")] * 5)
    assert seen.status == "failed" and seen.error.code == "rate_limited" and "slow down" in seen.error.message
    assert len(place.server.chats) == 4 and [event.attempt for event in seen.retried] == [2, 3, 4]


BROKE = {"type": "insufficient_quota", "code": "insufficient_quota"}
FOR_GOOD = [(400, "request_refused"), (401, "authentication_failed"), (403, "authentication_failed")]


@pytest.mark.parametrize(("status", "code"), FOR_GOOD)
def test_what_does_not_pass_by_itself_is_asked_exactly_once(place, status, code):
    seen = place.run(refusing(status, "no"))
    assert seen.status == "failed" and seen.error.code == code and seen.error.hint
    assert len(place.server.chats) == 1 and seen.retried == []


def test_an_account_without_credit_is_asked_exactly_once(openai):
    seen = openai.run(refusing(429, "You exceeded your current quota", {"Retry-After": "1"}, **BROKE))
    assert seen.status == "failed" and seen.error.code == "quota_exceeded"
    assert "out of credit" in seen.error.message and "Add credit" in seen.error.hint
    assert len(openai.server.chats) == 1 and seen.retried == []


@pytest.mark.parametrize(
    ("more", "code"),
    [(BROKE, "quota_exceeded")] + [({"code": status}, code) for status, code in FOR_GOOD],
    ids=["insufficient_quota", "400", "401", "403"],
)
def test_what_does_not_pass_is_asked_once_when_it_is_said_in_the_stream_too(openai, more, code):
    async def refusing_late(chat: Chat) -> None:
        await chat.begin()
        await chat.end(chat.dialect.failure("no", **more))

    seen = openai.run(refusing_late)
    assert seen.status == "failed" and seen.error.code == code and seen.error.hint
    assert len(openai.server.chats) == 1 and seen.retried == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_fault_that_passes_is_recovered_from_with_the_attempts_on_the_log(place, status):
    seen = place.run(refusing(status, "a hiccup"), refusing(status, "a hiccup"), plainly("A draft."))
    assert seen.status == "answered"
    assert [(event.attempt, event.error.code) for event in seen.retried] == [(2, "server_fault"), (3, "server_fault")]
    assert "a hiccup" in seen.retried[0].error.message
    assert [call.error.code if call.error else "" for call in seen.view.calls[:3]] == [
        "server_fault",
        "server_fault",
        "",
    ]
    assert seen.view.calls[2].text == "A draft."


def test_a_fault_may_say_when_it_will_be_over(place):
    seen = place.run(refusing(503, "restarting", {"Retry-After": "0.3"}), plainly("A draft."))
    assert seen.status == "answered" and seen.retried[0].waited == 0.3


def test_a_refusal_of_the_model_is_shown_as_such(openai):
    async def declining(chat: Chat) -> None:
        await chat.begin()
        await chat.say("I cannot ", "help with that.", channel="refusal")
        await chat.end(chat.final())

    seen = openai.run(declining)
    assert seen.status == "failed" and seen.error.code == "content_refused"
    assert "I cannot help with that." in seen.error.message and len(openai.server.chats) == 1


@pytest.mark.parametrize("written", ["Half an ans", ""])
def test_a_content_filter_is_shown_as_such_and_what_had_come_stays(openai, written):
    seen = openai.run(plainly(written, reason="content_filter"))
    assert seen.status == "failed" and seen.error.code == "content_refused" and "content filter" in seen.error.message
    assert seen.view.calls[0].text == written and seen.view.calls[0].answer is None
    assert len(openai.server.chats) == 1 and seen.retried == []


def test_a_filter_before_the_answer_is_shown_as_such(openai):
    seen = openai.run(refusing(400, "The prompt was filtered", code="content_filter"))
    assert seen.error.code == "content_refused" and len(openai.server.chats) == 1
