"""Trials of the same task: what lives for one of them, what goes from one to the next, and which was the best."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, SystemMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from pydantic import BaseModel, Field, model_validator

from agents import react
from agents.contract import Bench, Options
from agents.evaluators import untestable
from agents.memory import Memory
from agents.pal import fenced


class Trials(Options):
    """Who tries and who evaluates, what the evaluator is given, and how often."""

    actor: Literal["react", "cot", "code"] = Field("react", description="Who tries: with tools, by reasoning, in code.")
    evaluator: Literal["judge", "answer", "tests", "heuristic"] = Field(
        "judge",
        description="Who says how good it was: the model as judge, the expected answer, tests, or how the trial went.",
    )
    expected: str = Field("", max_length=10_000, description="For the evaluator answer: right answers, one a line.")
    tests: str = Field("", max_length=50_000, description="For the evaluator tests: Python assertions, one a line.")
    trials: int = Field(4, ge=1, le=10, description="It tries at most this many times.")
    enough: float = Field(1.0, ge=0, le=1, description="A trial with at least this reward is the last.")
    memory: int = Field(3, ge=1, le=10, description="So many self-reflections, the last ones, go into the next trial.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.evaluator == "answer" and self.actor == "code":
            raise ValueError(
                "the actor code answers with a program, which is no expected answer; let tests evaluate it"
            )
        return self

    @property
    def lacks(self) -> str:
        """The right answer or the tests, where the evaluator needs them."""
        if self.evaluator == "answer" and not self.expected.strip():
            return "The evaluator compares with a right answer. Write one under expected, or choose another evaluator."
        if self.evaluator == "tests" and not self.tests.strip():
            return "The evaluator runs tests. Write them under tests, or choose another evaluator."
        if self.evaluator == "tests" and "python" not in getattr(self, "tools", ("python",)):
            return "The evaluator runs tests with the tool python. Add it to the tools, or choose another evaluator."
        return untestable(self.tests) if self.evaluator == "tests" else ""

    def of_item(self, answers: Sequence[str], tests: str) -> Mapping[str, Any]:
        """What the evaluator needs of an item."""
        right = "\n".join(" ".join(one.split()) for one in answers)
        return {"answer": {"expected": right}, "tests": {"tests": tests}}.get(self.evaluator, {})


class Reflection(BaseModel):
    """A self-reflection: what went wrong in the trial, and what to do in the next."""

    mistake: str = Field(min_length=1)
    plan: str = Field(min_length=1)

    @property
    def told(self) -> str:
        """Both, as the long-term memory keeps them."""
        return f"{self.mistake.strip()} Next time: {self.plan.strip()}"


class State(Memory, total=False):
    """The short-term memory is the trajectory, `messages` behind the first `head`; `reflections` are the long-term one.

    `trial` counts from 0; `reward` and `said` are what the evaluator says of it. `best` is the best trial's answer,
    worth `highest`. The rest is the actor's, as in react and in pal.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    question: str
    trial: int
    head: int
    reflections: list[str]
    reward: float
    said: str
    best: str
    highest: float
    answer: str
    limit: str
    steps: int
    action: dict[str, Any]
    done: list[str]
    barred: list[str]
    program: str
    problem: str
    repeated: bool
    programs: int


FRESH: State = {"steps": 0, "done": [], "barred": [], "limit": "", "problem": "", "summary": "", "summarised": 0}


def alone(question: str, bench: Bench) -> dict[str, Any]:
    """How an actor without tools begins: its rules, worked examples as earlier turns, the question."""
    role = bench.options.actor
    return {"messages": [SystemMessage(bench.prompt(role)), *bench.examples(role), HumanMessage(question)]}


BEGINNINGS: Mapping[str, Callable[[str, Bench], dict[str, Any]]] = {"react": react.begin, "cot": alone, "code": alone}


def opened(state: State, bench: Bench) -> State:
    """The state in which a trial begins: what the actor always begins with, at its end what was learned before."""
    *before, asked = BEGINNINGS[bench.options.actor](state["question"], bench)["messages"]
    if state["reflections"]:
        learned = "\n".join(f"- {' '.join(one.split())}" for one in state["reflections"])
        asked = HumanMessage(f"{asked.text}\n\n{bench.prompt('learned', reflections=learned)}")
    cleared = cast(list[AnyMessage], [RemoveMessage(REMOVE_ALL_MESSAGES), *before, asked])
    return {**FRESH, "messages": cleared, "head": len(before) + 1}


def came_to(state: State, actor: str) -> tuple[str, str]:
    """The answer of the trial that has just ended; without one, why."""
    if actor == "code":
        return ("", state["problem"]) if state["problem"] else (fenced(state["program"]), "")
    return ("", state["limit"]) if state["limit"] else (state["answer"] if state["answer"].strip() else "", "")


def best_of(state: State, answer: str, reward: float) -> tuple[str, float]:
    """The answer of the best trial so far, the latest among equals, and its reward."""
    is_best = answer != "" and reward >= state["highest"]
    return (answer, reward) if is_best else (state["best"], state["highest"])


def remembered(reflections: Sequence[str], told: str, most: int) -> list[str]:
    """The long-term memory with another self-reflection, without the oldest where it is full.

    One that the new one repeats gives way to it: small models say the same again, and longer each time.
    """
    return [*(one for one in reflections if not told.startswith(one)), told][-most:]


def trajectory(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The conversation without a last tool call that was not made, which no server would take."""
    is_open = isinstance(messages[-1], AIMessage) and messages[-1].tool_calls
    return list(messages[:-1] if is_open else messages)
