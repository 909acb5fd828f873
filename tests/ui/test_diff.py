import random
import time

import pytest

from workbench.ui import diff
from workbench.ui.diff import BY_SENTENCES, WORDS_LIMIT, changes, diff_html

BEFORE = "The Little Prince remains a treasured companion of childhood. Its small hero asks."
AFTER = "The Little Prince remains a book that children meet twice. Its small hero asks."


def rebuilt(before: str, after: str) -> tuple[str, str]:
    pieces = changes(before, after)
    kept = "".join(text for kind, text in pieces if kind != "added")
    new = "".join(text for kind, text in pieces if kind != "struck")
    return kept, new


def test_a_revision_strikes_one_phrase_and_adds_another():
    assert changes(BEFORE, AFTER) == [
        ("same", "The Little Prince remains a "),
        ("struck", "treasured companion of childhood"),
        ("added", "book that children meet twice"),
        ("same", ". Its small hero asks."),
    ]


def test_both_drafts_can_be_read_back_whatever_they_are():
    draw = random.Random(7)
    words = ["a", "fox", "tamed", "  ", "\n\n", ".", "don't", "it", "the", "星", "王子", "<b>", "—", ""]
    for _ in range(300):
        before, after = ("".join(draw.choices(words, k=draw.randrange(25))) for _ in range(2))
        assert rebuilt(before, after) == (before, after)


@pytest.mark.parametrize(("before", "after"), [("", ""), ("", "new"), ("old", ""), ("same text", "same text")])
def test_empty_and_equal_drafts(before: str, after: str):
    assert rebuilt(before, after) == (before, after)
    assert all(text for _, text in changes(before, after))


def test_equal_drafts_have_no_marks():
    assert "<ins>" not in diff_html(BEFORE, BEFORE) and "<del>" not in diff_html(BEFORE, BEFORE)


def test_drafts_beyond_the_limit_are_compared_by_sentences_and_lose_nothing():
    before = "".join(f"Sentence number {n} says something. " for n in range(WORDS_LIMIT // 8))
    after = before.replace("number 7 says", "number 7 denies")
    assert rebuilt(before, after) == (before, after)
    assert ("struck", "Sentence number 7 says something. ") in changes(before, after)


def test_a_comparison_by_sentences_says_so_and_one_by_words_does_not():
    long = "".join(f"Sentence number {n} says something. " for n in range(WORDS_LIMIT // 8))
    assert BY_SENTENCES in diff_html(long, long.replace("number 7 says", "number 7 denies"))
    assert BY_SENTENCES not in diff_html(BEFORE, AFTER) and BY_SENTENCES not in diff_html(long, long)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x\n" * 10_000, "y\n" + "x\n" * 9_995 + "z\n"),
        ("y\n" + "x\n" * 32_000, "x\n" * 32_000 + "z\n"),
        ("y\n" + "x\n" * 10_000, "q\n" + "x\n" * 9_000 + "z\n"),
        ("a\nb\nb\n" * 5_000, "b\na\na\n" * 5_000),
    ],
)
def test_thousands_of_equal_lines_are_compared_at_once_and_lose_nothing(before: str, after: str):
    began = time.perf_counter()
    assert rebuilt(before, after) == (before, after)
    assert time.perf_counter() - began < 2


def test_a_line_changed_at_either_end_of_many_equal_ones_marks_those_alone():
    assert changes("y\n" + "x\n" * 3_000, "x\n" * 3_000 + "z\n") == [
        ("struck", "y\n"),
        ("same", "x\n" * 3_000),
        ("added", "z\n"),
    ]


def test_the_shortest_way_between_two_drafts_keeps_as_much_as_can_be_kept(monkeypatch: pytest.MonkeyPatch):
    """Held against the longest common subsequence, worked out by the table."""
    monkeypatch.setattr(diff, "MOST_PAIRS", -1)
    draw = random.Random(3)
    for _ in range(200):
        before, after = ("".join(f"{letter}.\n" for letter in draw.choices("abc", k=draw.randrange(12))) for _ in "ab")
        assert rebuilt(before, after) == (before, after)
        kept = sum(size for _, _, size in diff._shortest(list(before), list(after)))
        assert kept == longest_common(before, after)


def longest_common(before: str, after: str) -> int:
    row = [0] * (len(after) + 1)
    for one in before:
        above, row = row, [0]
        for at, other in enumerate(after):
            row.append(above[at] + 1 if one == other else max(row[-1], above[at + 1]))
    return row[-1]


def test_text_without_spaces_is_compared_by_character():
    assert ("added", "五") in changes("我有三个苹果和一些梨", "我有五个苹果和一些梨")


def test_markup_in_a_draft_stays_text():
    html = diff_html("<b>old</b>", "<script>new</script>")
    assert "<script>" not in html and "<b>" not in html and "&lt;" in html


def test_a_lone_surrogate_in_a_draft_does_not_break_the_page():
    diff_html("a \ud800", "b \ud800").encode("utf-8")


def test_long_drafts_that_share_nothing_are_compared_at_once():
    """A page that is drawn holds up all the others."""
    before, after = (" ".join(f"{letter}{number}" for number in range(1_000)) for letter in "ab")
    began = time.perf_counter()
    pieces = changes(before, after)
    assert time.perf_counter() - began < 2
    assert "".join(text for kind, text in pieces if kind != "struck") == after
