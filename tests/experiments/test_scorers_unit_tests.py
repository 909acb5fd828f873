"""Programs in answers against unit tests: whatever is around the program, and whatever it tries."""

import asyncio
import time

import pytest

from workbench.errors import ScorerError
from workbench.experiments.model import Item
from workbench.experiments.scorers import registry

# In the form of HumanEval: a prompt that ends in a signature with its docstring, and a check that somebody must call.
PROMPT = '''from typing import List


def is_even(n):
    """ Whether n is even. """
    return n % 2 == 0


def count_even(numbers: List[int]) -> int:
    """ Count the even numbers.
    >>> count_even([1, 2, 4])
    2
    """
'''
CHECK = """METADATA = {'author': 'us'}


def check(candidate):
    assert candidate([1, 2, 4]) == 2
    assert candidate([]) == 0
    assert candidate([1]) == 0, "one odd number"
"""
COUNT = Item(id="1", question=PROMPT, tests=CHECK, entry_point="count_even")
ADD = Item(
    id="2", question="Write add(a, b).", tests="assert add(1, 2) == 3\nassert add(-1, 1) == 0", entry_point="add"
)
RIGHT_ADD = "def add(a, b):\n    return a + b"
WRONG_ADD = "def add(a, b):\n    return a - b"


def fenced(*programs: str, language: str = "python") -> str:
    return "\nand\n".join(f"```{language}\n{program}\n```" for program in programs)


async def score(item: Item, answer: str, **settings: float):
    return await registry.create("unit_tests", settings).score(item, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "    return sum(1 for n in numbers if is_even(n))",
        "return sum(1 for n in numbers if is_even(n))",
        "total = 0\n    for n in numbers:\n        total += is_even(n)\n    return total",
        "total = 0\nfor n in numbers:\n    total += is_even(n)\nreturn total",
        "    return sum(1 for n in numbers if is_even(n))\n\nThis counts the even numbers.",
        fenced("    return sum(1 for n in numbers if is_even(n))"),
        fenced("def count_even(numbers: List[int]) -> int:\n    return sum(1 for n in numbers if is_even(n))"),
        fenced(PROMPT + "    return sum(1 for n in numbers if is_even(n))"),
    ],
    ids=["body", "stripped", "first line stripped", "flat", "with prose", "fenced body", "signature", "whole prompt"],
)
async def test_a_signature_may_be_completed_or_repeated(answer):
    found = await score(COUNT, answer)
    assert (found.value, found.said) == (1, "all tests pass")


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT_ADD,
        fenced(RIGHT_ADD),
        fenced(RIGHT_ADD, language=""),
        f"Here it is:\n\n{RIGHT_ADD}\n\nThis function adds.",
        f"```python\n{RIGHT_ADD}",
        fenced(WRONG_ADD, RIGHT_ADD),
        fenced("def plus(a, b):\n    return a + b", "def add(a, b):\n    return plus(a, b)"),
        fenced(RIGHT_ADD) + "\nExample:\n```\n>>> add(1, 2)\n3\n```\n```bash\npython add.py\n```",
        fenced(
            f"{RIGHT_ADD}\n\nassert add(1, 1) == 3\nprint(add('a', 1))\nx = add(1, None)\nfor y in x:\n    print(y)"
        ),
        fenced(f"{RIGHT_ADD}\n\nn = int(input())\nprint(n)\nif __name__ == '__main__':\n    1 / 0"),
        fenced("LIMIT = 10**9\nadd = lambda a, b: min(a + b, LIMIT)"),
        fenced('def add(a, b):\n    """Adds \\d and é."""\n    return a + b  # ü'),
    ],
)
async def test_the_program_is_found_whatever_is_around_it(answer):
    found = await score(ADD, answer)
    assert found.value == 1, found.said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (fenced(WRONG_ADD), "fails at assert add(1, 2) == 3: assert -1 == 3"),
        (fenced(RIGHT_ADD, WRONG_ADD), "fails at assert add(1, 2) == 3: assert -1 == 3"),
        (fenced("def plus(a, b):\n    return a + b"), "it defines plus, not add"),
        ("I am sorry, I cannot.", "there is no program in the answer"),
        (fenced("def add(a, b):\n    return (a + b"), "it is no Python: SyntaxError"),
        (fenced("def add(a, b):\n    return c"), "NameError: name 'c' is not defined"),
        (fenced("def add(a, b):\n    return int(input())"), "NameError: name 'input' is not defined"),
        (fenced("import adding\ndef add(a, b):\n    return adding.add(a, b)"), "No module named 'adding'"),
        (fenced("def add(a, b):\n    return a.plus(b)"), "'int' object has no attribute 'plus'"),
        (fenced("def add(a, b):\n    raise NotImplementedError"), "NotImplementedError"),
        (fenced("def add(a, b):\n    raise SystemExit"), "SystemExit"),
        (fenced("def add(a, b):\n    pass"), "assert None == 3"),
        (fenced("def add(a, b):\n    return add(a, b)"), "RecursionError"),
        (fenced("def add(a, b):\n    return [0] * 10**10"), "MemoryError: it wanted more than 64 MiB"),
        (fenced("def add(a, b):\n    while True:\n        pass"), "TimeoutError: it ran longer than 0.2 seconds"),
        (fenced("def add(a, b):\n    while True:\n        print('x' * 999)"), "printed more than 65,536 characters"),
        (
            fenced("def add(a, b):\n    while True:\n        try:\n            1 / 0\n        except: pass"),
            "TimeoutError",
        ),
    ],
)
async def test_a_wrong_program_is_wrong_and_the_reason_is_said(answer, said):
    found = await score(ADD, answer, timeout=0.2, memory=64)
    assert found.value == 0
    assert said in found.said


@pytest.mark.parametrize(
    ("program", "lacking"),
    [
        ("class Adder(list):\n    pass\ndef add(a, b):\n    return a + b", "class inheritance"),
        ("def add(a, b):\n    def parts():\n        yield a\n        yield b\n    return sum(parts())", "yield"),
        ("import numpy as np\ndef add(a, b):\n    return int(np.add(a, b))", "import numpy"),
        ("import heapq\ndef add(a, b):\n    return a + b", "import heapq"),
        (
            "from collections import OrderedDict\ndef add(a, b):\n    return a + b",
            "from collections import OrderedDict",
        ),
        ("def add(a, b):\n    return str.maketrans('a', 'b')", "str.maketrans"),
        ("def add(a, b):\n    return len(memoryview(b'abc'))", "memoryview"),
        ("def add(a, b):\n    return open('sum.txt')", "files"),
        ("def add(a, b):\n    raise Exception('a', 1)", "exceptions can only be called with"),
    ],
)
async def test_a_program_that_needs_more_than_the_sandbox_has_is_an_error_and_not_wrong(program, lacking):
    with pytest.raises(ScorerError, match="needs what the sandbox lacks") as refused:
        await score(ADD, fenced(program))
    assert lacking in refused.value.message
    assert refused.value.hint


async def test_tests_that_need_more_than_the_sandbox_has_say_so():
    item = ADD.model_copy(update={"tests": "import heapq\nassert add(1, 2) == 3"})
    with pytest.raises(ScorerError, match=r"The tests need what the sandbox lacks: import heapq\."):
        await score(item, fenced(RIGHT_ADD))


@pytest.mark.parametrize(
    "tests",
    [
        "def test_add():\n    assert add(1, 2) == 3",
        "def check(f):\n    assert f(1, 2) == 3",
        "check = add\nassert check(1, 2) == 3",
    ],
)
async def test_tests_in_functions_are_called(tests):
    item = ADD.model_copy(update={"tests": tests})
    assert (await score(item, RIGHT_ADD)).value == 1
    assert (await score(item, WRONG_ADD)).value == 0


async def test_tests_that_check_nothing_let_nothing_pass():
    item = Item(id="1", question="?", tests="def check(candidate):\n    assert candidate(1) == 2")
    with pytest.raises(ScorerError, match="tests that check nothing"):
        await score(item, fenced("def f(n):\n    return n + 1"))


@pytest.mark.parametrize(
    "trick",
    [
        "def check(candidate):\n    pass\ndef count_even(numbers):\n    return 9",
        "METADATA = 1\ndef count_even(numbers):\n    return 9\ndef check(candidate): return True",
    ],
)
async def test_an_answer_cannot_bring_its_own_tests(trick):
    assert (await score(COUNT, fenced(trick))).value == 0


EQUAL = "class Any:\n    def __eq__(self, other):\n        return True\n"


@pytest.mark.parametrize(
    ("trick", "said"),
    [
        ("def abs(n):\n    return 0\ndef add(a, b):\n    return 9", "it gives abs another meaning"),
        ("from math import isnan as abs\ndef add(a, b):\n    return 9", "it gives abs another meaning"),
        ("def add(a, b):\n    global abs\n    abs = bool\n    return 9", "it gives abs another meaning"),
        (f"{EQUAL}def add(a, b):\n    return Any()", "it defines __eq__"),
        ("class Any:\n    __eq__ = max\ndef add(a, b):\n    return Any()", "it defines __eq__"),
        ("class Any:\n    pass\nAny.__eq__ = max\ndef add(a, b):\n    return Any()", "it defines __eq__"),
    ],
)
async def test_an_answer_cannot_change_what_the_tests_rely_on(trick, said):
    item = ADD.model_copy(update={"tests": "assert add(1, 2) == 3\nassert abs(add(1, 2) - 3) < 1"})
    found = await score(item, fenced(trick))
    assert (found.value, found.said.startswith(said)) == (0, True), found.said


async def test_what_was_asked_for_may_have_the_name_of_a_built_in_or_define_equality():
    item = Item(id="1", question="Write abs(n).", tests="assert abs(-2) == 2", entry_point="abs")
    assert (await score(item, fenced("def abs(n):\n    return n if n > 0 else -n"))).value == 1
    item = Item(
        id="1", question="Write a class Any that equals everything.", tests="assert Any() == 3", entry_point="Any"
    )
    assert (await score(item, fenced(EQUAL))).value == 1
    unused = "def sum(*n):\n    return n[0] + n[1]\ndef add(a, b):\n    return sum(a, b)"
    assert (await score(ADD, fenced(unused))).value == 1


async def test_without_an_entry_point_the_names_that_the_tests_call_are_looked_for():
    item = Item(id="1", question="?", tests="assert sorted(double([2, 1])) == [2, 4]")
    assert (await score(item, fenced("def double(xs):\n    return [2 * x for x in xs]\n\nprint(double(3))"))).value == 1
    assert (await score(item, fenced("x = 1"))).value == 0


async def test_many_programs_are_tested_at_once_and_each_takes_milliseconds():
    scorer = registry.create("unit_tests")
    await scorer.score(ADD, RIGHT_ADD)  # the sandbox is loaded once
    began = time.monotonic()
    scores = await asyncio.gather(*(scorer.score(ADD, RIGHT_ADD if n % 2 else WRONG_ADD) for n in range(100)))
    assert [found.value for found in scores] == [0, 1] * 50
    assert time.monotonic() - began < 10  # about half a second on an idle machine
