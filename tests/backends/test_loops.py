"""A text that goes round in circles is found out; tables, code, zeros and poems with refrains are left alone."""

import json
import random
import time

import pytest

from workbench.backends.loops import EVERY, FILLED, FILLED_WORDLESS, WINDOW, Loop, LoopFinder

GOOD = "Let us look at the question step by step. The train leaves at nine and travels 120 km in an hour and a half. "
REFRAIN = (
    "And the wind blew over the heather,\nand the rain fell down on the sea,\n"
    "and we walked through the dark together,\n"
    "my shadow, the moon and me.\n\n"
)


def heard(text: str, asked: str = "", piece: int = 5) -> tuple[Loop | None, int]:
    """The loop in a text that arrives in pieces, and after how many characters it was noticed."""
    finder = LoopFinder(asked)
    for at in range(0, len(text), piece):
        if loop := finder.take(text[at : at + piece]):
            return loop, min(at + piece, len(text))
    return None, len(text)


@pytest.mark.parametrize(
    "unit",
    [
        "I am sorry, I cannot help with that. ",
        "- Check the result again.\n",
        "the same word and ",
        "Wait, let me think about it once more. First the left side, then the right side, and then both of them.\n" * 5,
        "Schritt für Schritt prüfen wir das Ergebnis. ",
        "我们再想一想，然后重新检查这个答案是否正确。",
    ],
    ids=["sentence", "line", "n-gram", "paragraph", "umlauts", "chinese"],
)
def test_the_same_words_again_and_again_are_a_loop(unit):
    loop, after = heard(GOOD + unit * 400)
    assert loop is not None
    assert sorted(loop.unit * 2) == sorted(unit * 2) or unit in loop.unit * 2 or loop.unit in unit * 2
    assert loop.times >= 6
    assert after <= len(GOOD) + max(FILLED, 6 * len(unit)) + len(unit) + EVERY + 5


def test_what_came_before_is_kept_with_the_unit_once():
    loop, _ = heard(GOOD + "Check it again. " * 300)
    text = GOOD + "Check it again. " * 300
    kept = text[: loop.kept]
    assert kept.startswith(GOOD) and kept.count("Check it again.") in (0, 1) and len(kept) <= len(GOOD) + 32


def test_a_loop_is_found_however_it_arrives():
    text = GOOD + "No, wait. " * 400
    assert len({heard(text, piece=piece)[0].kept for piece in (1, 3, 50, 1_000)}) == 1


def test_a_text_that_only_pauses_in_a_loop_is_let_go_on():
    assert heard(GOOD + "Again. " * 20 + GOOD[::-1] * 3)[0] is None


def numbered(row, count):
    return "".join(row.format(n=number, m=number * 7, x=number % 13) for number in range(count))


@pytest.mark.parametrize(
    "text",
    [
        "| name | x | y |\n|---|---|---|\n" + numbered("| item {n} | {m} | 0 |\n", 300),
        numbered("{n}. Check the result again.\n", 300),
        numbered("7 x {n} = {m}\n", 300),
        "[" + "0, " * 1_000 + "0]",
        json.dumps([[0] * 32] * 32),
        ("0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n") * 100,
        "-" * 2_000 + "\n" + "=" * 2_000,
        "".join(f"    if (c == {n}) {{\n        count[{n}]++;\n        continue;\n    }}\n" for n in range(120)),
        "".join(f"Verse {n}: {GOOD[n : n + 60]}\n{REFRAIN}" for n in range(40)),
        REFRAIN * 4 + GOOD,
        "\n".join("#" * 60 for _ in range(40)),
        "\n".join(" " * (20 - n) + "*" * (2 * n + 1) for n in range(20)),
        "AAAA" * 800,
        "ha " * 600,
        numbered("INSERT INTO t VALUES ({n}, 'abc', NULL, NULL, NULL);\n", 200),
        " " * 3_000,
    ],
    ids=[
        "table", "numbered list", "times table", "zeros", "matrix", "rows of zeros", "rules", "code", "poem",
        "refrain four times", "block", "pyramid", "base64", "laughter", "sql", "blanks",
    ],
)  # fmt: skip
def test_what_repeats_for_a_reason_is_no_loop(text):
    assert heard(text)[0] is None


def test_even_zeros_without_an_end_are_a_loop_at_last():
    loop, after = heard("[" + "0, " * 9_000)
    assert loop is not None and after <= FILLED_WORDLESS + 2 * EVERY


def test_what_was_asked_for_may_be_repeated_for_long():
    line = "I must not waste chalk in class.\n"
    asked = 'Write "I must not waste chalk in class" a hundred times.'
    assert heard(line * 200)[0] is not None
    assert heard(line * 200, asked)[0] is None
    assert heard(line * (2 * WINDOW // len(line)), asked)[0] is not None, "but not without an end"


def test_looking_costs_next_to_nothing():
    random.seed(3)
    words = [GOOD[at : at + 7] for at in range(90)]
    text = "".join(random.choice(words) for _ in range(15_000))
    began = time.process_time()
    assert heard(text, piece=4)[0] is None
    assert time.process_time() - began < 1.0, "100,000 characters are 15 minutes of a model at 30 tokens a second"
