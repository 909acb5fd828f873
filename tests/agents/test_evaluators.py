"""What is right: the evaluator agrees with the exact scorer, and tests are counted one by one."""

import pytest

from agents.evaluators import counting, is_right, untestable
from workbench.experiments.model import Item
from workbench.experiments.scorers.exact import Exact, Settings

SHARED = [
    ("Paris", "Paris", True),
    ("The capital of France is Paris.", "paris", True),
    ("It is Paris", "Paris", True),
    ("Lyon", "Paris", False),
    ("1,200", "1200", True),
    ("Answer: 1200.0", "1,200", True),
    ("They cost 55.08.", "55.08", True),
    ("55.80", "55.08", False),
    ("An apple", "apple", True),
    ("So I compute.\n\n**Answer:** 42", "42", True),
    ("It is not Paris", "Paris", False),
    ("I cannot tell.", "42", False),
    ("1/2", "0.5", True),
]


@pytest.mark.parametrize(("answer", "right", "is_so"), SHARED)
async def test_it_agrees_with_the_exact_scorer(answer, right, is_so):
    assert is_right(answer, [right]) is is_so
    scored = await Exact(Settings()).score(Item(id="1", question="What is it?", answer=right), answer)
    assert scored.value == float(is_so)


def test_one_of_several_right_answers_will_do_and_an_empty_line_is_none():
    assert is_right("Answer: Holland", ["Netherlands", "", "Holland"])
    assert not is_right("", ["", "42"])


def test_setup_is_no_test_and_what_asserts_or_calls_is():
    check = "def check(f):\n    assert f(2) == 4\ndef both(f):\n    check(f)"
    check += "\nclass Test:\n    def go(self):\n        assert 1"
    setup = "import random\nvalue = double(2)\nxs = []\nxs.append(1)\nrandom.seed(1)\nprint('begin')"
    tests = "check(double)\nboth(double)\nTest().go()\nfor n in (1, 2):\n    assert double(n)\nassert value == 4"
    assert counting(f"{check}\n{setup}\n{tests}").endswith(" of 5 pass'")


def test_the_counter_has_another_name_for_each_program_and_the_same_where_it_is_tested_again():
    first, second = (counting("assert double(2) == 4", program) for program in ("x = 1", "x = 2"))
    assert first != second and first == counting("assert double(2) == 4", "x = 1")


def test_braces_and_quotes_of_a_test_stay_what_they_are():
    counted = counting("""assert double("{x}") == {'a': "it's"}""")
    compile(counted, "tests", "exec")
    assert "{x}" in counted


@pytest.mark.parametrize("nothing", ["x = 1", "def test_it():\n    assert False", "'assert'", "print('begin')"])
def test_tests_that_check_nothing_are_none(nothing):
    assert "check nothing" in untestable(nothing)
    assert untestable(f"{nothing}\nassert x") == ""
