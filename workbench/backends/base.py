"""The contract of a backend: list models, stream a chat as typed parts, report what it cost."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from workbench.events import Channel, ToolCall

Capability = Literal["schema", "tools", "thinking", "logprobs", "seed", "exact"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "loop"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelInfo(_Frozen):
    """A model as its backend describes it. Sizes in bytes and tokens, None where the backend does not tell.

    `context_window` is the one that calls have unless they ask for another, `trained_window` the largest that it was
    made for. `place` is where it is served, of a server that tells no digest; `modified` the moment (ISO 8601) when it
    was last changed there; `abilities` what the server itself says that it can, in its own words, such as "vision" or
    "embedding", none where it does not say. `why_no_logprobs` is a sentence for the person where a model that is no
    script gives none, `why_not_the_same` one where the same seed may give other tokens;
    `wrong` says why one that is listed cannot be used; "exact" ones give the same when the prompt's cache is not used.
    """

    name: str
    size: int | None = None
    context_window: int | None = None
    trained_window: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    digest: str = ""
    place: str = ""
    family: str = ""
    parameters: str = ""
    quantisation: str = ""
    modified: str = ""
    abilities: tuple[str, ...] = ()
    loaded: bool | None = None
    installed: bool = True
    wrong: str = ""
    why_no_logprobs: str = ""
    why_not_the_same: str = ""

    @property
    def can_chat(self) -> bool:
        """Whether it can answer at all. A server that does not tell what its models can is taken to have no others."""
        return not self.abilities or "completion" in self.abilities


class BackendStatus(_Frozen):
    """Whether a backend can be used now; if not, why, and what to do. An `empty` one answers, but has no model yet."""

    ready: bool
    detail: str
    hint: str = ""
    empty: bool = False


class Message(_Frozen):
    """A chat message. `tool_calls` on assistant messages, `tool_call_id` and `name` on tool messages."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


class ToolSpec(_Frozen):
    """A tool as a model is told of it; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ChatRequest(_Frozen):
    """One call. None leaves the backend's default; `json_schema` constrains the answer; `top_logprobs` 0 wants none.

    An answer that is not `constrained` is still to fit the schema: then the prompt tells it, and the backend does not.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    tools: tuple[ToolSpec, ...] = ()
    top_logprobs: int = Field(0, ge=0, le=20)
    context_window: int | None = None
    think: bool | None = None
    prompt_cache: bool = True
    constrained: bool = True

    @property
    def enforced_schema(self) -> dict[str, Any] | None:
        """The schema that the backend is to hold the answer to."""
        return self.json_schema if self.constrained else None


class TokenLogprob(_Frozen):
    """A generated token's natural-log probability and its likeliest alternatives (token, logprob)."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class TextPart(_Frozen):
    """A piece of text as it arrives."""

    text: str
    channel: Channel = "text"


class ReadingPart(_Frozen):
    """How far the prompt has been read, in tokens."""

    read: int
    cached: int
    total: int


class LoadingPart(_Frozen):
    """The backend fetches (bytes) or loads the model before it can answer."""

    stage: Literal["fetch", "load"]
    done: int = 0
    total: int = 0


class NoticePart(_Frozen):
    """Something that the person should know; with `once` the first of its code in a run is enough."""

    code: str
    message: str
    hint: str = ""
    once: bool = True


class AnswerPart(_Frozen):
    """The last part of every complete stream. Seconds and tokens; None where the backend does not tell.

    `finish_reason` is "loop" when the answer was ended because it repeated itself; `context_window` is the one that
    the model really had.
    """

    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    load_seconds: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    first_token_seconds: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    context_window: int | None = None


Part = TextPart | ReadingPart | LoadingPart | NoticePart | AnswerPart


class Backend(Protocol):
    """A place where models run. All coroutines belong to the engine's event loop.

    Errors: every method raises only errors of `workbench.errors`. `chat` ends with exactly one AnswerPart or raises;
    a stream cut short raises StreamBroken. Closing the iterator (or cancelling the task) closes the connection.
    """

    @property
    def name(self) -> str:
        """What requests call it: of a named server kind@name."""

    @property
    def title(self) -> str:
        """What a person calls it."""

    @property
    def slots(self) -> int | None:
        """How many calls may run at once; None when it need not be asked of anyone to wait."""

    @property
    def default_model(self) -> str:
        """The model that is chosen when the person has chosen none; empty when unknown."""

    async def status(self) -> BackendStatus:
        """Whether the backend can be used now. Never raises."""

    async def models(self) -> list[ModelInfo]:
        """The models there are."""

    async def model(self, name: str) -> ModelInfo:
        """One model. Raises ModelMissing."""

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Tokens of the prompt by the model's own tokenizer; None where the backend cannot tell without answering."""

    def chat(self, request: ChatRequest) -> AsyncIterator[Part]:
        """Stream one answer."""

    async def close(self) -> None:
        """Let go of connections and child processes."""


@dataclass(frozen=True)
class Embeddings:
    """One vector of length 1 for each text, in their order, and the model that made them.

    Texts whose product is below `least` have nothing in common, where that is known of the model.
    """

    model: str
    vectors: list[list[float]]
    least: float = -1.0


@runtime_checkable
class Embeds(Protocol):
    """A backend that can turn texts into vectors: what means much the same lies close together."""

    async def embedding_model(self) -> str:
        """The model that embeds where none is named. Raises ModelMissing with what to do where there is none."""

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        """Vectors of the texts, whose products are from -1 to 1; a text that is too long counts by its beginning.

        Raises ModelMissing where nothing can embed, and what a call raises.
        """


@runtime_checkable
class Scores(Protocol):
    """A backend that can tell how likely its models find a text that is given, not written by them."""

    async def score(self, request: ChatRequest, answer: str) -> tuple[TokenLogprob, ...]:
        """The tokens of `answer` as the answer to the request, with the probabilities that the model gives them.

        Raises RequestRefused where the server behind it tells none, and what a call raises.
        """

    async def next_tokens(self, request: ChatRequest, begun: str) -> tuple[tuple[str, float], ...]:
        """The `top_logprobs` likeliest tokens (text, logprob) after an answer to the request that has `begun` so.

        An empty text is the answer's end. Raises RequestRefused where the server behind it tells none, and what a call
        raises.
        """


@runtime_checkable
class TellsLicence(Protocol):
    """A backend that knows the licences of its models."""

    async def licence(self, name: str) -> str:
        """The text of a model's licence; empty where it is not known. Never raises."""


@runtime_checkable
class TellsMemory(Protocol):
    """A backend that knows beforehand how much memory its models take."""

    async def memory_for(self, name: str, context: int) -> int | None:
        """Bytes that the model takes in all when each call has a window of `context` tokens: file, cache, the rest.

        What another window costs more is the difference of two. None where it is not known. Never raises.
        """


@runtime_checkable
class FixesWindow(Protocol):
    """A backend whose server has set the window for good: what a request asks for can only be smaller."""

    @property
    def fixes_window(self) -> bool:
        """Always true."""


@runtime_checkable
class TakesPreferences(Protocol):
    """A backend of which a person may set something for all sessions; it is kept under the backend's name."""

    @property
    def slots(self) -> int | None:
        """How many calls may run at once with what was set."""

    def prefer(self, values: Mapping[str, Any]) -> None:
        """Take what was set. Calls in progress are not cut off. Raises InvalidRequest."""
