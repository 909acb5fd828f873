"""The data sets that ship: exactly what their script makes, fifty different items each, right by another way round."""

import re
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from scripts import make_sets
from scripts.set_programs import PROGRAMS, Program
from workbench.experiments import datasets
from workbench.experiments.model import Item
from workbench.experiments.scorers import registry
from workbench.experiments.shipped import FOLDER, NAMES, SHIPPED, ShippedSet
from workbench.tools.sandbox import Limits, Sandbox

RIGHT = {program.name: f"```python\n{program.reference}\n```" for program in PROGRAMS}
WRONG = {program.name: f"```python\n{program.wrong}\n```" for program in PROGRAMS}
LOADED = {shipped.name: datasets.read_shipped(shipped).items for shipped in SHIPPED}


def items(name: str, matching: str = "") -> list[Item]:
    found = [item for item in LOADED[name] if re.search(matching, item.question)]
    assert found
    return found


@pytest.mark.parametrize("shipped", SHIPPED, ids=NAMES)
def test_a_file_is_what_the_script_makes_byte_for_byte(shipped: ShippedSet):
    assert make_sets.made(shipped.name) == make_sets.made(shipped.name) == shipped.file.read_bytes(), (
        "Write it anew: python -m scripts.make_sets"
    )


def test_no_file_is_left_from_a_set_that_does_not_ship_any_more():
    assert sorted(FOLDER.iterdir()) == sorted(shipped.file for shipped in SHIPPED)


@pytest.mark.parametrize("shipped", SHIPPED, ids=NAMES)
def test_a_set_has_fifty_different_items_of_three_difficulties(shipped: ShippedSet):
    reading = datasets.load(shipped.name)
    assert (len(reading.items), reading.problems) == (50, ())
    assert len({item.question for item in reading.items}) == 50
    assert Counter(item.tags for item in reading.items) == {("easy",): 15, ("medium",): 20, ("hard",): 15}
    assert Counter(item.tags for item in reading.items[:10]) == {("easy",): 3, ("medium",): 4, ("hard",): 3}


@pytest.mark.parametrize("shipped", SHIPPED, ids=NAMES)
async def test_the_fitting_scorer_takes_what_is_right_and_nothing_else(shipped: ShippedSet):
    scorer = registry.create(shipped.scorer)
    for item in LOADED[shipped.name][:10]:
        for right in (RIGHT.get(item.entry_point) or item.answer, *item.aliases):
            assert (await scorer.score(item, right)).value == 1
        wrong = WRONG.get(item.entry_point) or f"{item.answer}1"
        assert (await scorer.score(item, wrong)).value == 0


@pytest.mark.parametrize("name", [name for name in NAMES if name != "programs"])
def test_no_answer_is_so_frequent_that_guessing_it_pays(name: str):
    (_, most), *_ = Counter(item.answer for item in items(name)).most_common()
    assert most <= 20


def test_letters_are_counted_right():
    for item in items("letters", "times does"):
        letter, text = re.findall(r'"([^"]*)"', item.question)
        assert int(item.answer) == len(re.findall(letter, text, re.IGNORECASE))
    for item in items("letters", "letters of a word"):
        assert int(item.answer) == item.question.partition(":")[2].partition(".")[0].split().count(
            item.question.split('"')[1]
        )


def test_decimals_are_compared_right():
    for item in items("decimals", "^Which"):
        numbers = sorted(map(Decimal, re.findall(r"-?\d+\.\d+", item.question)))
        place = {"larg": -1, "small": 0, "second": -2, "middle": len(numbers) // 2}
        word = next(word for word in ("second", "middle", "larg", "small") if word in item.question)
        assert Decimal(item.answer) == numbers[place[word]]
        assert len(set(numbers)) == len(numbers)


def test_some_longer_decimals_are_the_smaller_ones():
    pairs = [re.findall(r"\d+\.\d+", item.question) for item in items("decimals", "^Which number is")]
    longer_first = [sorted(pair, key=len) for pair in pairs if len(pair[0]) != len(pair[1])]
    longer_is_smaller = [Decimal(longer) < Decimal(shorter) for shorter, longer in longer_first]
    assert True in longer_is_smaller and False in longer_is_smaller


def test_days_are_reckoned_right():
    for item in items("dates", "^How many days after"):
        first, last = (_date(found) for found in re.findall(r"\d+ \w+ \d{4}", item.question))
        assert (last - first).days == int(item.answer)
    for item in items("dates", r"days (after|before)"):
        if found := re.match(r"Which date is (\d+) days (after|before) (.*?)\?", item.question):
            days = (date.fromisoformat(item.answer) - _date(found[3])).days
            assert days == int(found[1]) * (1 if found[2] == "after" else -1)


def test_a_date_counts_in_its_other_forms_too():
    for item in items("dates", "YYYY-MM-DD"):
        assert [_date(alias.replace(",", "")) for alias in item.aliases] == [date.fromisoformat(item.answer)] * 2


def _date(text: str) -> date:
    words = text.split()
    day, month = (words[0], words[1]) if words[0].isdigit() else (words[1], words[0])
    return date(int(words[2]), make_sets.MONTHS.index(month) + 1, int(day))


def test_answers_of_word_problems_are_whole_and_not_negative():
    assert all(item.answer.isdecimal() for item in items("arithmetic"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_reference_passes_its_tests_in_the_sandbox_and_a_mistake_does_not(program: Program):
    (item,) = (item for item in items("programs") if item.entry_point == program.name)
    assert not Sandbox(f"{program.reference}\n{item.tests}", Limits()).run().failure
    assert "AssertionError" in Sandbox(f"{program.wrong}\n{item.tests}", Limits()).run().failure
