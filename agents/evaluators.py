"""Who says what a trial was worth: the known answer, tests in the sandbox, a model as judge, or how the trial went."""

import ast
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.answers import extract, normalise
from agents.contract import Bench, Feedback
from agents.programs import python_in

BEST = 5
SHOWN = 160  # characters of a test in what is said about it
PASSED = re.compile(r"'?(\d+) of (\d+) pass'?\s*$")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
CHECK = "try:\n    {counter} += 1\nexcept Exception as error:\n    print({said!r}, '->', type(error).__name__, error)"
LEAD = re.compile(
    r"(?:it|this|that|he|she|they|the (?:\w+ )?answer)(?:'s| is| was| are| were) (?!not\b)", re.IGNORECASE
)


class Attempt(NamedTuple):
    """What a trial came to: its answer, or why there is none; `done` are the actions with what came of them."""

    question: str
    answer: str
    without: str
    done: Sequence[str]


class Evaluation(NamedTuple):
    """A reward from 0 to 1, what is said of it, and by whom; the actor is told `why` too, which a card has already.

    No one who knows the right answer tells it.
    """

    reward: float
    said: str
    feedback: Feedback
    why: str = ""


class Judgement(BaseModel):
    """What a judge finds: first why, then how good the answer is, from 1 (wrong) to 5 (right and complete)."""

    remark: str = Field(min_length=1)
    points: int = Field(ge=1, le=BEST)


async def evaluated(bench: Bench, attempt: Attempt) -> Evaluation:
    """What an attempt is worth; one without an answer nothing, which everybody can see."""
    if not attempt.answer.strip():
        return Evaluation(0.0, f"There is no answer. {attempt.without}".strip(), "self")
    return await EVALUATORS[bench.options.evaluator](bench, attempt)


async def by_answer(bench: Bench, attempt: Attempt) -> Evaluation:
    """1 for one of the right answers: gold."""
    if is_right(attempt.answer, bench.options.expected.splitlines()):
        return Evaluation(1.0, "The answer is right.", "gold")
    return Evaluation(0.0, "The answer is not the right one.", "gold")


async def by_tests(bench: Bench, attempt: Attempt) -> Evaluation:
    """The share of the tests that the program passes: gold, since the tests say what is right."""
    program = python_in(attempt.answer)
    if not program:
        return Evaluation(0.0, "There is no Python program in the answer.", "gold")
    seen = await bench.call("python", {"code": f"{program}\n\n{counting(bench.options.tests, program)}"})
    counted = None if seen.error else PASSED.search(seen.text)
    if counted is None:
        return Evaluation(0.0, f"The tests did not come to their end:\n{seen.text}", "gold")
    passed, number = int(counted[1]), int(counted[2])
    failures = seen.text[: counted.start()].rstrip()
    said = f"{passed} of {number} test{'s' if number > 1 else ''} pass{'' if number > 1 else 'es'}."
    return Evaluation(passed / number, f"{said} These fail:\n{failures}" if passed < number else said, "gold")


async def by_judge(bench: Bench, attempt: Attempt) -> Evaluation:
    """What another role of the model finds, who sees the question and the answer alone: a critic."""
    asked = bench.prompt("judged", question=attempt.question, answer=attempt.answer)
    messages = [SystemMessage(bench.prompt("judge")), *bench.examples("judge"), HumanMessage(asked)]
    said = await bench.ask("judge", messages, schema=Judgement)
    found: Judgement = said.parsed
    bench.card(f"Judgement · {found.points} of {BEST}", found.remark, answer=said, feedback="critic")
    told = f"A judge gave the answer {found.points} of {BEST} points."
    return Evaluation((found.points - 1) / (BEST - 1), told, "critic", why=found.remark)


async def by_heuristic(bench: Bench, attempt: Attempt) -> Evaluation:
    """1 where no action was repeated in vain: self, since it looks at what the actor did and knows nothing else."""
    done = [one for one in attempt.done if json.loads(one)[0]]  # a step that could not be read has no name
    repeated = len(done) - len(set(done))
    if repeated:
        times = "once" if repeated == 1 else f"{repeated} times"
        return Evaluation(0.0, f"You repeated an action that had brought the same before, {times}.", "self")
    return Evaluation(1.0, "It came to an answer within its steps, without repeating itself.", "self")


EVALUATORS: Mapping[str, Callable[[Bench, Attempt], Awaitable[Evaluation]]] = {
    "answer": by_answer,
    "tests": by_tests,
    "judge": by_judge,
    "heuristic": by_heuristic,
}


def is_right(answer: str, right: Sequence[str]) -> bool:
    """Whether the answer proper in a text, or the whole text, means the same as one of the right answers."""
    read = extract(answer)
    readings = {normalise(text) for text in (answer, read, LEAD.sub("", read, count=1))}
    return any(normalise(one) in readings for one in right if one.strip())


def untestable(program: str) -> str:
    """Why there is nothing to run in a program of tests, in a sentence; empty where there is."""
    try:
        tests = _tests(_tree(program))
    except (SyntaxError, ValueError) as error:
        return f"The tests are no Python program: {error}."
    return "" if tests else "The tests check nothing: write assertions, such as assert double(2) == 4."


def counting(program: str, tested: str = "") -> str:
    """The program of tests as one that goes on after a failure, names it, and ends with how many pass.

    No program that is `tested` can count for itself: the counter's name depends on its text.
    """
    tree = _tree(program)
    tests = _tests(tree)
    text = f"{program}\0{tested}".encode(errors="surrogatepass")
    counter = f"_passed_{hashlib.sha256(text).hexdigest()[:16]}"
    tree.body = [_checked(node, counter) if node in tests else node for node in tree.body]
    return f"{counter} = 0\n{ast.unparse(ast.fix_missing_locations(tree))}\nf'{{{counter}}} of {len(tests)} pass'"


def _tree(program: str) -> ast.Module:
    """The syntax tree. Raises SyntaxError, ValueError.

    The parser of Python 3.11 can stumble over another one in another thread; nothing is wrong with the program then.
    """
    try:
        return ast.parse(program)
    except SystemError:
        return ast.parse(program)


def _tests(tree: ast.Module) -> list[ast.stmt]:
    """Each top-level statement that asserts, or that calls what does: functions that nobody calls check nothing."""
    defined = [node for node in tree.body if isinstance(node, DEFINITIONS)]
    checks: set[str] = set()
    for _ in defined:  # one may call the other
        checks = {node.name for node in defined if _asserts(node, checks)}
    return [node for node in tree.body if node not in defined and _asserts(node, checks)]


def _checked(test: ast.stmt, counter: str) -> ast.stmt:
    """The test as a statement that counts it, or tells how it failed."""
    source = ast.unparse(test)
    said = source if len(source) <= SHOWN else f"{source[: SHOWN - 4]} ..."
    check = ast.parse(CHECK.format(counter=counter, said=said)).body[0]
    assert isinstance(check, ast.Try)
    check.body.insert(0, test)
    return check


def _asserts(node: ast.stmt, checks: Collection[str]) -> bool:
    """Whether it has an assertion, or calls one of the functions and classes that have."""
    return any(
        isinstance(inner, ast.Assert)
        or (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in checks)
        for inner in ast.walk(node)
    )
