"""Which failures are tried again, and how long we wait."""

import pytest

from workbench.errors import (
    AuthenticationFailed,
    BackendUnreachable,
    ModelMissing,
    QuotaExceeded,
    RateLimited,
    RequestRefused,
    ServerFault,
    StreamBroken,
)
from workbench.retry import ATTEMPTS, LONGEST_WAIT, wait_before_retry


def test_the_servers_own_word_is_kept():
    assert wait_before_retry(RateLimited("busy", retry_after=7), 1) == 7


def test_a_server_that_wants_too_long_gets_no_second_request():
    assert wait_before_retry(RateLimited("busy", retry_after=LONGEST_WAIT), 1) == LONGEST_WAIT
    assert wait_before_retry(RateLimited("busy", retry_after=9999), 1) is None


def test_without_its_word_the_wait_doubles_with_jitter():
    for attempt in range(1, ATTEMPTS):
        waits = {wait_before_retry(ServerFault("oops"), attempt) for _ in range(20)}
        assert len(waits) > 1 and all(2**attempt / 2 <= wait <= 2**attempt for wait in waits)


def test_it_ends_after_three_attempts():
    assert wait_before_retry(ServerFault("oops"), ATTEMPTS) is None


@pytest.mark.parametrize(
    "kind",
    [AuthenticationFailed, BackendUnreachable, ModelMissing, QuotaExceeded, RequestRefused, StreamBroken],
)
def test_what_does_not_pass_by_itself_is_not_tried_again(kind):
    assert wait_before_retry(kind("no"), 1) is None
