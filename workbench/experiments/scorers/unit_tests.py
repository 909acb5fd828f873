"""The scorer that runs an item's tests on the program in the answer, in the sandbox.

The sandbox runs a part of Python. A program that needs more of it than there is (inheritance, yield, numpy) has not
been tested: that is an error, counted apart, and no wrong answer. What runs too long, wants too much memory or prints
without an end is wrong. So is an answer that gives another meaning to what the tests rely on: a built-in that they use,
or == where nobody asked for a class that defines it.
"""

import ast
import asyncio
import builtins
import re
import sys
import time
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import Field

from workbench.errors import ScorerError, ToolError
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers import code
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, short
from workbench.tools import sandbox
from workbench.tools.python import MAX_CODE, parsed
from workbench.tools.sandbox import Limits, Outcome

LONGEST = 60_000  # characters of an answer that are searched for a program
# Libraries that answers like to use and no sandbox has; any other module that is not Python's own does not exist.
LIBRARIES = frozenset(
    ("numpy", "pandas", "scipy", "sympy", "networkx", "sklearn", "matplotlib", "requests", "torch", "sortedcontainers")
)
HINT = "Ask for plain functions, loops and lists, or score these items in another way."

_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_NO_IMPORT = re.compile(r"ImportError: cannot import name '(\w+)' from '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"AttributeError: (?:(module|type object) )?'(\w+)' (?:object )?has no attribute '(\w+)'")
_NO_NAME = re.compile(r"NameError: name '(\w+)' is not defined")
_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPARE = frozenset({"__eq__", "__ne__", "__contains__", "__sub__", "__rsub__"})
_NOBODY_THERE = frozenset({"input", "exit", "quit", "breakpoint", "help"})


class Settings(ScorerSettings):
    """What a program may use."""

    timeout: float = Field(5.0, ge=0.1, le=60, description="Seconds that the tests of one item may run.")
    memory: int = Field(128, ge=16, le=1024, description="MiB of memory that they may use.")


@dataclass(frozen=True)
class _Program:
    """What is run: the answer's code and the tests after it, and the text that the last line gives at their end."""

    text: str
    tests: str
    first: int  # line of the tests
    done: str


class UnitTests(Scorer):
    """Right when every test passes."""

    name: ClassVar[str] = "unit_tests"
    title: ClassVar[str] = "Unit tests"
    summary: ClassVar[str] = (
        "The item's tests pass on the program in the answer, in a sandbox without files or network."
    )
    settings: ClassVar[type[ScorerSettings]] = Settings

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take the limits."""
        self._limits = Limits(seconds=chosen.timeout, memory=chosen.memory * 2**20)

    @property
    def needs(self) -> frozenset[str]:
        """Tests alone."""
        return frozenset({"tests"})

    def lacks(self, item: Item) -> str:
        """Tests that check nothing would let everything pass."""
        return super().lacks(item) or ("" if _check_something(item) else "tests that check nothing")

    async def score(self, item: Item, answer: str) -> Score:
        """Run the tests. Raises ScorerError when the program or the tests need what the sandbox has not."""
        if lack := self.lacks(item):
            raise ScorerError(f"The item has {lack}.", "Give it assertions, or leave it out.")
        found = await asyncio.to_thread(code.program, item, answer[-LONGEST:])
        if found.why or len(found.code) > MAX_CODE:
            return Score(value=0, said=found.why or f"the program is longer than {MAX_CODE:,} characters")
        if trick := _tampered(item, found.code):
            return Score(value=0, said=trick, read=found.code)
        program = _assembled(item, found.code)
        began = time.monotonic()
        try:
            outcome = await sandbox.run(program.text, self._limits)
        except ToolError as error:
            raise ScorerError(error.message, "Score it again.") from None
        return _scored(outcome, program, found.code, time.monotonic() - began > self._limits.seconds)


def _check_something(item: Item) -> bool:
    """Whether running the tests asserts or calls anything: functions that nobody calls check nothing."""
    tree = parsed(item.tests)
    run = [node for node in (tree.body if tree else ()) if not isinstance(node, _DEFINED)]
    asserted = any(isinstance(inner, ast.Assert | ast.Call) for node in run for inner in ast.walk(node))
    return asserted or bool(_added_calls(item))


def _tampered(item: Item, own: str) -> str:
    """What the tests rely on and the answer gives another meaning, in a sentence; empty where there is nothing."""
    names = code.meanings(own)
    used = {node.id for node in ast.walk(ast.parse(item.tests)) if isinstance(node, ast.Name)} & set(dir(builtins))
    if taken := sorted((names & used) - code.tested(item)):
        return f"it gives {taken[0]} another meaning, which the tests use"
    asked = f"{item.question}\n{item.tests}"
    decides = sorted(names & _COMPARE) if "class" not in asked and "__eq__" not in asked else []
    return f"it defines {decides[0]}, which would decide the tests" if decides else ""


def _added_calls(item: Item) -> list[str]:
    """The calls of the tests' own functions that the tests leave to whoever runs them."""
    tree = parsed(item.tests)
    body = tree.body if tree else []
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    used = {
        one.id for node in body if not isinstance(node, _DEFINED) for one in ast.walk(node) if isinstance(one, ast.Name)
    }
    left = [name for name in functions if name not in used]
    checks = [f"check({item.entry_point})"] if "check" in left and item.entry_point else []
    return [*(f"{name}()" for name in left if name.startswith("test")), *checks]


def whole_tests(item: Item) -> str:
    """The item's tests as a program that runs all of them; empty where it has none."""
    return "\n".join([item.tests, *_added_calls(item)]) if item.tests.strip() else ""


def _assembled(item: Item, own: str) -> _Program:
    """The program with the tests after it."""
    done, tests = uuid4().hex, whole_tests(item)
    return _Program(f"{own}\n\n{tests}\n{done!r}", tests, own.count("\n") + 3, done)


def _scored(outcome: Outcome, program: _Program, own: str, is_late: bool) -> Score:
    """The outcome as a score. Raises ScorerError for what the sandbox lacks."""
    if not outcome.failure:
        passed = outcome.value == program.done
        return Score(value=float(passed), said="all tests pass" if passed else "it ended before the tests", read=own)
    if outcome.failure.startswith("The sandbox's process died") and not is_late:
        raise ScorerError("The sandbox died while it ran this program.", "Score it again.")
    if lacking := _lacking(outcome.failure, program.text):
        lines = [frame.line for frame in outcome.frames]
        whose = "The tests need" if lines and min(lines) >= program.first else "It needs"
        raise ScorerError(f"{whose} what the sandbox lacks: {lacking}.", HINT)
    is_broken = outcome.failure.startswith("SyntaxError") and parsed(own) is None
    said = f"it is no Python: {short(outcome.failure)}" if is_broken else _reason(outcome, program)
    return Score(value=0, said=said, read=own)


def _reason(outcome: Outcome, program: _Program) -> str:
    """Which test failed and how."""
    failure = short(outcome.failure.replace("AssertionError: ", "").replace("AssertionError", ""))
    lines = program.tests.split("\n")
    at = [frame.line - program.first for frame in outcome.frames if frame.line >= program.first]
    if not at or at[-1] >= len(lines):
        return f"it fails: {failure}"
    told = f"fails at {short(lines[at[-1]])}"
    return f"{told}: {failure}" if failure and failure not in told else told


def _lacking(failure: str, text: str) -> str:
    """What of Python the sandbox has not, if that is why the program failed; empty where the program is wrong."""
    if failure.startswith("NotImplementedError: The monty"):
        return failure.partition("support ")[2].removeprefix("the ") or "a part of Python"
    if "Internal error in monty" in failure:
        return failure.partition("monty: ")[2] or "a part of Python"
    if failure.startswith("PermissionError"):
        return "files"
    if failure.startswith("SyntaxError"):
        return "a newer syntax than it knows" if parsed(text) is not None else ""
    if missing := _NO_MODULE.match(failure):
        top = missing[1].partition(".")[0]
        return f"import {missing[1]}" if top in sys.stdlib_module_names or top in LIBRARIES else ""
    if missing := _NO_IMPORT.match(failure):
        return f"from {missing[2]} import {missing[1]}" if _has(sys.modules.get(missing[2]), missing[1]) else ""
    if missing := _NO_ATTRIBUTE.match(failure):
        owner = sys.modules.get(missing[2]) if missing[1] == "module" else getattr(builtins, missing[2], None)
        return f"{missing[2]}.{missing[3]}" if _has(owner, missing[3]) else ""
    missing = _NO_NAME.match(failure)
    return missing[1] if missing and hasattr(builtins, missing[1]) and missing[1] not in _NOBODY_THERE else ""


def _has(owner: object, name: str) -> bool:
    return owner is not None and hasattr(owner, name) and not (owner is sys and name == "exit")


KIND = UnitTests
