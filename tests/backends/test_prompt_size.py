"""How long a prompt is: refused when it is surely too long, warned about when near, and checked after it was read."""

import pytest

from tests.backends.asking import ask
from workbench.backends.base import AnswerPart
from workbench.backends.prompt_size import check, check_read
from workbench.errors import ContextOverflow

ENGLISH = "The quick brown fox jumps over the lazy dog, and nobody knows why it does so every single day. "


def read(tokens, window=None, cached=None):
    return AnswerPart(text="x", prompt_tokens=tokens, context_window=window, cached_tokens=cached)


def test_a_prompt_that_is_counted_is_refused_exactly():
    with pytest.raises(ContextOverflow, match="has 2,048 tokens, and the context window holds 2,048") as caught:
        check(ask("m"), 2048, 2048)
    assert (caught.value.prompt_tokens, caught.value.context_window) == (2048, 2048)
    assert check(ask("m"), 1_500, 2048) is None


def test_a_guess_refuses_only_what_is_surely_too_long():
    with pytest.raises(ContextOverflow, match="at least"):
        check(ask("m", ENGLISH * 120), None, 2048)
    notice = check(ask("m", ENGLISH * 90), None, 2048)
    assert notice is not None and notice.code == "prompt_near_window" and "may be too long" in notice.message
    assert check(ask("m", "ab" * 10_000), None, 2048) is not None, "one word: perhaps few tokens, so only a warning"


def test_a_prompt_that_nearly_fills_the_window_is_warned_about():
    notice = check(ask("m"), 1_900, 2048)
    assert notice is not None and "148 are left for the answer" in notice.message
    assert "larger context window" in notice.hint


def test_without_a_window_there_is_nothing_to_say():
    assert check(ask("m", ENGLISH * 5_000), None, None) is None


def test_a_prompt_that_fills_the_window_exactly_was_cut():
    notice = check_read(ask("m", ENGLISH * 40, context_window=512), None, read(512))
    assert notice is not None and notice.code == "prompt_truncated" and "Only 512 tokens" in notice.message
    assert check_read(ask("m", ENGLISH * 40), None, read(4096, window=4096)) is not None


def test_a_prompt_that_was_read_far_too_short_was_cut():
    assert check_read(ask("m", ENGLISH * 200), None, read(900)) is not None
    assert check_read(ask("m", ENGLISH * 200), None, read(4_300)) is None
    assert check_read(ask("m"), 3_000, read(2_000)) is not None


def test_a_server_that_counts_the_cached_part_apart_did_not_cut():
    assert check_read(ask("m", ENGLISH * 200), None, read(300, cached=4_000)) is None


def test_a_server_that_tells_nothing_is_not_suspected():
    assert check_read(ask("m", ENGLISH * 200), None, read(None)) is None
