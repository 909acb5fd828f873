"""What a machine is: its options, its graph, and the Bench through which its nodes reach the world."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.graph import StateGraph
from pydantic import BaseModel, ConfigDict

Role = Literal["generator", "critic", "tool", "thinking", "none"]
Feedback = Literal["gold", "tool", "critic", "self", "none"]
Result = TypeVar("Result")


class Options(BaseModel):
    """A machine's options: every field bounded and described, since the form is made from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Call(BaseModel):
    """A tool call that the model made."""

    id: str
    name: str
    arguments: dict[str, Any]


class Answer(BaseModel):
    """A model's answer to `Bench.ask`. `confidence` is the mean token probability (0 to 1) where it is known."""

    call_id: str
    text: str
    thinking: str = ""
    parsed: Any = None
    tool_calls: list[Call] = []
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    confidence: float | None = None


class Observation(BaseModel):
    """What a tool said; with `error` the sentence says what was wrong."""

    text: str
    error: bool = False


@dataclass(eq=False)  # LangGraph wants a dataclass as its context
class Bench(ABC):
    """What a node may ask of the world. Everything that happens here is on the run's log."""

    @property
    @abstractmethod
    def options(self) -> Any:
        """The machine's own Options."""

    @abstractmethod
    async def ask(
        self,
        role: str,
        messages: Sequence[BaseMessage],
        *,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
        stop: Sequence[str] = (),
        max_tokens: int | None = None,
        sample: int = 0,
    ) -> Answer:
        """Stream a model's answer and return it.

        With `schema`, `parsed` is a valid instance of it, or StructuredOutputError is raised. A run has one seed: calls
        that ask the same differ by `sample` (0, 1, 2, ...), each of which has a seed of its own made from it.
        """

    @abstractmethod
    async def call(self, tool: str, arguments: dict[str, Any] | str) -> Observation:
        """Run a tool; a text becomes its main argument.

        A tool's failure, an unknown tool, one that the options do not offer, and bad arguments are observations.
        """

    @abstractmethod
    def prompt(self, role: str, **variables: object) -> str:
        """The run's own version of a role's prompt, filled."""

    @abstractmethod
    def examples(self, role: str, having: Sequence[str] = ()) -> list[AnyMessage]:
        """A role's worked examples as earlier turns; those that need a tool outside `having` are left out."""

    @abstractmethod
    def describe_tools(self, names: Sequence[str]) -> str:
        """The tools as text for a prompt: one line each with name, description and arguments."""

    @abstractmethod
    def card(self, title: str, content: str, *, answer: Answer | None = None, **data: Any) -> None:
        """Put a step card on the log; with `answer` it is that call's card.

        Of the `data`, these have a meaning that statistics and charts share; the rest is shown on the card.

        - `candidate`: the answer that the step comes to, where `content` is more than that.
        - `round`: the step is a whole answer of a machine that revises, the one that it would give if it stopped after
          so many rounds (0: before any). The answer is the `candidate`, else the `content`.
        - `sample`: the step is one of several answers to the same prompt (0, 1, 2, ...); `vote` is what it votes for:
          answers that mean the same have the same, and an empty one casts no vote.
        - `votes`: how often each was voted for, of all samples so far: on the card of one who counts them.
        """

    @abstractmethod
    def decide(self, edge: str, reason: str) -> None:
        """Say why a router goes to `edge`."""

    @abstractmethod
    def warn(self, code: str, message: str, hint: str = "") -> None:
        """Tell the person something."""


async def together(asked: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """What all of them return, in order; they run at once.

    When one fails the others come to their end first: what is paid for is on the log. Then the first failure is raised.
    """
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


@dataclass(frozen=True)
class Machine:
    """A reasoning pattern as a state machine, whose nodes and routers are coroutines.

    `build` returns the graph uncompiled; `begin(question, bench)` is its first state. The state's `answer` is the
    answer; a non-empty `limit` says that a limit ended the run instead. `nodes` gives each node's role and colour;
    "none" is that of a node which asks neither a model nor a tool.
    """

    name: str
    title: str
    summary: str
    source: str
    source_url: str
    options: type[Options]
    build: Callable[[], StateGraph[Any, Any, Any, Any]]
    begin: Callable[[str, Bench], dict[str, Any]]
    nodes: Mapping[str, Role]
    feedback: Feedback = "none"
    temperature: float = 0.7
    examples: Sequence[str] = field(default_factory=tuple)

    @property
    def asking(self) -> list[str]:
        """The nodes that ask a model or a tool: before these a run can wait for the person."""
        return [name for name, role in self.nodes.items() if role != "none"]
