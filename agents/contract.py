"""What a machine is: its options, its graph, and the Bench through which its nodes reach the world."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.graph import StateGraph
from pydantic import BaseModel, ConfigDict

Role = Literal["generator", "critic", "tool", "thinking", "none"]
Feedback = Literal["gold", "tool", "critic", "self", "none"]
Result = TypeVar("Result")


class Options(BaseModel):
    """A machine's options: every field bounded and described, since the form is made from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def of_item(self, answers: Sequence[str], tests: str) -> Mapping[str, Any]:
        """Options that an item of a data set decides, given its right `answers` and its `tests` (a Python program).

        Only a machine that is to be shown them while it works has any.
        """
        return {}

    @property
    def lacks(self) -> str:
        """What a run cannot begin without, in a sentence that says what to do; empty where nothing is missing.

        A data set's item may still give it, see `of_item`.
        """
        return ""

    @property
    def visits(self) -> int | None:
        """How often a node may ask its model at most: the option `max_steps`, where there is one; None elsewhere."""
        return getattr(self, "max_steps", None)


class Room(NamedTuple):
    """Tokens of a prompt, and the most that it may have for the context window to hold an answer as well."""

    size: int
    most: int

    @property
    def fits(self) -> bool:
        """Whether prompt and answer fit."""
        return self.size <= self.most


class Call(BaseModel):
    """A tool call that the model made."""

    id: str
    name: str
    arguments: dict[str, Any]


class Token(NamedTuple):
    """A token of an answer, its natural-log probability, and the likeliest in its place (text, logprob)."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Answer(BaseModel):
    """A model's answer to `Bench.ask`. `confidence` is the mean token probability (0 to 1) where it is known.

    `tokens` are the text's, one after the other, where the backend tells their probabilities; else there are none. What
    the person wrote `by_person`, in the model's place, has none either.
    """

    call_id: str
    text: str
    thinking: str = ""
    parsed: Any = None
    tool_calls: list[Call] = []
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    confidence: float | None = None
    tokens: tuple[Token, ...] = ()
    by_person: bool = False


class Observation(BaseModel):
    """What a tool said; with `error` the sentence says what was wrong."""

    text: str
    error: bool = False


class Memory(BaseModel):
    """What a run remembers; `sources` are the ids of the memories that it was made from, importance is from 1 to 10.

    `id` and `hours`, those since it was last retrieved (or stored), are given by the Bench.
    """

    text: str
    importance: float
    kind: Literal["observation", "reflection", "plan"] = "observation"
    sources: tuple[str, ...] = ()
    id: str = ""
    hours: float = 0.0


class Retrieved(BaseModel):
    """A memory that was chosen, its three figures from 0 to 1, and what they come to together."""

    memory: Memory
    recency: float
    importance: float
    relevance: float
    total: float


Vectors = list[list[float]]
Choose = Callable[[Sequence[Memory], Vectors | None], Sequence[Retrieved]]


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
    async def room(
        self,
        messages: Sequence[BaseMessage],
        *,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
        max_tokens: int | None = None,
    ) -> Room | None:
        """How long a prompt is and may be; None where the window is unknown. An answer needs a quarter of it at most.

        Earlier exchanges of a thread do not count: they are left out first.
        """

    @abstractmethod
    async def summarise(
        self,
        asked: str,
        *,
        left_out: Sequence[BaseMessage],
        before: int,
        shortened: Callable[[str], Sequence[BaseMessage]],
        max_tokens: int,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
    ) -> str:
        """A model's summary of the turns `left_out`; it is on the log with them.

        The next prompt has `before` tokens as it is; `shortened` makes it with the summary, `schema` and `tools` are
        its own. Empty where the model gave no summary, or one that makes the prompt no shorter: the person is told.
        """

    @abstractmethod
    async def unless_too_long(self, asking: Awaitable[Result]) -> Result | None:
        """What `asking` a model returns; None where the prompt did not fit a window that was taken to be larger.

        From then on `room` knows better: a shorter prompt can be made, and asked once more.
        """

    @abstractmethod
    async def call(self, tool: str, arguments: dict[str, Any] | str) -> Observation:
        """Run a tool; a text becomes its main argument.

        A tool's failure, an unknown tool, one that the options do not offer, and bad arguments are observations.
        """

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> list[list[float]] | None:
        """A vector of length 1 for each text, by the backend's embedding model; what means the same has a product of 1.

        None where the backend has no such model, or it fails: the person is told why, once in a run. The vectors are
        not on the log: who needs them after a wait keeps them in the state, or has them made again.
        """

    @abstractmethod
    async def memories(self) -> list[Memory]:
        """The stream of memories that the option `stream` names, as it was when the run began, the oldest first.

        With them is what the run has stored in the nodes before; a run without a stream (an empty name, or one of an
        experiment or a comparison) has nothing else. A fork, and a run that is run again, have what their parent had.
        """

    @abstractmethod
    async def remember(self, title: str, memories: Sequence[Memory], *, answer: Answer | None = None) -> list[Memory]:
        """Store memories, tell it on a card, and return them as they are kept.

        What the stream has word for word is not stored again; a node that runs again stores nothing twice.
        """

    @abstractmethod
    async def recall(self, title: str, about: str, choose: Choose) -> list[Retrieved]:
        """What `choose` takes of the memories, told on a card; they count as retrieved now.

        It gets the vectors of `about` and of the memories, in this order, or None where the backend does not embed. A
        node that runs again gets what it got.
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
        - `feedback`: the step tells the machine how good an answer is, and this is who said so: "gold" (the right
          answer is known, or tests decide), "tool", "critic" (another model or role), "self" (the one who answered).
        - `trial` and `reward`: an attempt at the whole task ends with this step, the first, second, ... (0, 1, 2, ...),
          and was worth so much, from 0 to 1.
        - `plan` and `queue`: the whole list of tasks as it stands after this step, each `{"title", "state", "note"}`;
          `state` is "todo", "doing", "done", "failed" or "dropped", `note` what came of it. A plan is done in its
          order; a queue changes its order.
        """

    @abstractmethod
    def decide(self, edge: str, reason: str) -> None:
        """Say why a router goes to `edge`."""

    @abstractmethod
    def warn(self, code: str, message: str, hint: str = "") -> None:
        """Tell the person something."""


@dataclass(frozen=True)
class Rate:
    """So many `right` `of` all that were tried; the share lies between `low` and `high` with 95% confidence."""

    right: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.of


@dataclass(frozen=True)
class Abilities:
    """What a model was measured to do; None is what is not known.

    Answers that fit a schema: `schema` where the server is held to it, `schema_retried` with the retries that a run
    has, `told` and `told_retried` where the prompt alone tells it; `schema_refused` by the server. `tools` is how the
    model calls a tool most often, `native_calls` how often it was a right call of its own. `context_tokens` is where
    its context really ends in such a run, `window` the one that the run asks for; `decode_speed` is tokens per second.
    """

    schema: Rate | None = None
    schema_retried: Rate | None = None
    schema_refused: bool = False
    told: Rate | None = None
    told_retried: Rate | None = None
    tools: Literal["native", "text", "none"] | None = None
    native_calls: Rate | None = None
    context_tokens: int | None = None
    window: int | None = None
    decode_speed: float | None = None


@dataclass(frozen=True)
class Suited:
    """A default that suits a model: the option's value, and in a sentence why."""

    option: str
    value: Any
    because: str


def nothing_suited(known: Abilities) -> Sequence[Suited]:
    """A machine whose defaults suit every model."""
    return ()


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
    "none" is that of a node which asks neither a model nor a tool. `feedback` is who can tell it how good its answers
    are; what a run has really used is told by its cards and tools. `suited` gives the options that suit a model whose
    abilities were measured; one that never asks for an answer in a schema does not want them.
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
    suited: Callable[[Abilities], Sequence[Suited]] = nothing_suited
    wants_schemas: bool = True

    @property
    def asking(self) -> list[str]:
        """The nodes that ask a model or a tool: before these a run can wait for the person."""
        return [name for name, role in self.nodes.items() if role != "none"]
