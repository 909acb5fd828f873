"""Which failures are tried again, how often, and how long we wait."""

import pytest

from workbench.errors import (
    AuthenticationFailed,
    BackendUnreachable,
    ContentRefused,
    ContextOverflow,
    EmptyAnswer,
    EngineCrashed,
    ModelMissing,
    ModelUnusable,
    QuotaExceeded,
    RateLimited,
    ReplyTooLong,
    RequestRefused,
    ServerFault,
    StreamBroken,
    WrongServer,
)
from workbench.retry import ATTEMPTS, FIRST_WAIT, LONGEST_WAIT, attempts, wait_before_retry

PASSING = [RateLimited, ServerFault, BackendUnreachable, StreamBroken]


@pytest.mark.parametrize("kind", [RateLimited, ServerFault])
def test_the_servers_own_word_is_kept(kind):
    assert wait_before_retry(kind("busy", retry_after=7), 1) == 7
    assert wait_before_retry(kind("busy", retry_after=0), 1) == 0


@pytest.mark.parametrize("kind", [RateLimited, ServerFault])
def test_a_server_that_wants_too_long_gets_no_second_request(kind):
    assert wait_before_retry(kind("busy", retry_after=LONGEST_WAIT), 1) == LONGEST_WAIT
    assert wait_before_retry(kind("busy", retry_after=9999), 1) is None


@pytest.mark.parametrize("kind", PASSING)
def test_without_its_word_the_wait_doubles_with_jitter(kind):
    for attempt in range(1, ATTEMPTS[kind]):
        longest = FIRST_WAIT * 2 ** (attempt - 1)
        waits = {wait_before_retry(kind("oops"), attempt) for _ in range(20)}
        assert len(waits) > 1 and all(longest / 2 <= wait <= longest for wait in waits)


@pytest.mark.parametrize("kind", PASSING)
def test_it_ends_after_so_many_attempts(kind):
    assert wait_before_retry(kind("oops"), ATTEMPTS[kind] - 1) is not None
    assert wait_before_retry(kind("oops"), ATTEMPTS[kind]) is None


@pytest.mark.parametrize("kind", PASSING)
def test_an_answer_that_had_begun_is_not_paid_for_twice(kind):
    error = kind("oops")
    error.began = True
    assert wait_before_retry(error, 1) is None


def test_an_empty_answer_is_asked_for_once_more_and_at_once():
    error = EmptyAnswer("nothing")
    error.began = True
    assert wait_before_retry(error, 1) == 0
    assert wait_before_retry(error, 2) is None
    assert wait_before_retry(EmptyAnswer("all of it was thinking", again=False), 1) is None


@pytest.mark.parametrize(
    "kind",
    [
        AuthenticationFailed,
        ContentRefused,
        ContextOverflow,
        EngineCrashed,
        ModelMissing,
        ModelUnusable,
        QuotaExceeded,
        ReplyTooLong,
        RequestRefused,
        WrongServer,
    ],
)
def test_what_does_not_pass_by_itself_is_not_tried_again(kind):
    assert wait_before_retry(kind("no"), 1) is None


def test_how_often_a_call_is_made_in_all_is_known_by_the_failures_code():
    assert attempts(RateLimited.code) == attempts(ServerFault.code) == 4
    assert attempts(EmptyAnswer.code) == 2
    assert attempts(QuotaExceeded.code) is None and attempts("structured_output_invalid") is None
