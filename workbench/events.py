"""The events of a run and the fold over them: whatever a person sees of a run is computed here from its log."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationInfo, create_model, model_validator

Channel = Literal["text", "thinking", "tool"]
Status = Literal["running", "paused", "answered", "stopped", "limit", "failed"]
Feedback = Literal["gold", "tool", "critic", "self", "none"]
FEEDBACK: tuple[Feedback, ...] = ("gold", "tool", "critic", "self")  # who knows best comes first
NOTHING_FOUND = ("Nothing in the documents", "There is no article")  # how the tools begin that found nothing
Relation = Literal["", "fork", "continue", "reproduce"]
Verb = Literal["", "approve", "edit", "answer", "reject"]


DEEPEST = 64  # levels of a model's JSON that the log keeps; pydantic cannot write 255
_STORED = object()  # the context of reading what was made storable when it was written


def _storable(value: Any, depth: int = 0) -> Any:
    """The value with whatever UTF-8 or JSON cannot hold replaced: halves of surrogate pairs and endless nesting."""
    match value:
        case str():
            return value if value.isascii() else _paired(value)
        case dict() | list() | tuple() if depth > DEEPEST:
            return "(nested too deeply)"
        case dict():
            return {_storable(key): _storable(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item, depth + 1) for item in value]
    return value


def _paired(text: str) -> str:
    """The text with pairs of surrogates joined and halves without a partner replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    @model_validator(mode="before")
    @classmethod
    def _keep_storable(cls, data: Any, info: ValidationInfo) -> Any:
        return data if info.context is _STORED else _storable(data)


class Event(_Frozen):
    """What every event has: its run, its place in the log (0, 1, 2, ... without a gap), seconds since the run began."""

    run_id: str
    seq: int
    at: float


class GraphNode(_Frozen):
    """A node of the state machine; `role` chooses its colour: generator, critic, tool, thinking or none."""

    name: str
    role: str = "none"


class GraphEdge(_Frozen):
    """An edge of the state machine; `conditional` when a router chooses it."""

    source: str
    target: str
    conditional: bool = False


class Graph(_Frozen):
    """The state machine as it was when the run began. `__start__` and `__end__` are its ends."""

    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[GraphEdge, ...] = ()


class ErrorInfo(_Frozen):
    """An error as the log keeps it: code, cause, next action."""

    code: str
    message: str
    hint: str = ""


class ToolCall(_Frozen):
    """A tool call that a model made."""

    id: str
    name: str
    arguments: dict[str, Any]


class LowToken(_Frozen):
    """One of the tokens that the model was least sure of; `position` counts tokens of the answer from 0."""

    token: str
    logprob: float
    position: int


class TokenLogprob(NamedTuple):
    """A token of an answer, its natural-log probability, and the likeliest in its place (text, logprob)."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Totals(_Frozen):
    """What a run cost: tokens, seconds, energy.

    Load, prefill and decode are seconds of the model's work, added up though calls may have run side by side; `joules`
    is what the computer used meanwhile. They are None where nobody told.
    """

    calls: int = 0
    tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    load_seconds: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    joules: float | None = None

    def __add__(self, other: "Totals") -> "Totals":
        """Both together; what only one of them knows is that one's."""
        names = Totals.model_fields
        return Totals(**{name: _added(getattr(self, name), getattr(other, name)) for name in names})


def _added(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return one if other is None else other
    return round(one + other, 6)


def _told(values: Iterable[float | None]) -> float | None:
    """The sum of what is known, the same in any order; None where nothing is."""
    known = [round(value, 4) for value in values if value is not None]
    return round(sum(known), 6) if known else None


def all_told(values: Iterable[float | None]) -> float | None:
    """The sum; None where one of them is not known: what is left out would make the whole too small."""
    found = list(values)
    return None if None in found else _told(found)


class RunStarted(Event):
    """The whole request and everything that would be needed to run it again."""

    kind: Literal["run_started"] = "run_started"
    request: dict[str, Any]
    machine_title: str
    graph: Graph
    created_at: str
    model_digest: str = ""
    context_window: int | None = None
    prompts: dict[str, str] = Field(default_factory=dict, description="role -> content hash of the template used")
    version: str = ""
    parent_run: str | None = None
    parent_seq: int | None = None
    relation: Relation = ""
    inherited: int = Field(0, description="So many events after this one come from the parent and cost nothing.")
    edited: dict[str, Any] = Field(default_factory=dict, description="What the person changed in a fork's state.")

    @property
    def last_inherited(self) -> int:
        """The sequence number of the last event that comes from the parent; its own where none does."""
        return self.seq + self.inherited

    @property
    def edited_beginning(self) -> dict[str, Any]:
        """What the person changed in the run's first state; a fork that leaves later was changed there."""
        return {} if self.inherited else self.edited


class NodeStarted(Event):
    """A node began; `step` is the superstep, counted from 1."""

    kind: Literal["node_started"] = "node_started"
    node: str
    step: int
    attempt: int = 1


class NodeFinished(Event):
    """A node ended: what it changed in the state, in brief, and the checkpoint that holds it."""

    kind: Literal["node_finished"] = "node_finished"
    node: str
    step: int
    attempt: int = 1
    changed: dict[str, str] = Field(default_factory=dict)
    checkpoint_id: str = ""
    seconds: float = 0.0


class ModelCalled(Event):
    """A model was asked: the messages exactly as sent, and with what parameters. Or the person was, in its place.

    `prompt_estimate` is the prompt's tokens; where they were not counted by a tokenizer they are a guess.
    """

    kind: Literal["model_called"] = "model_called"
    call_id: str
    node: str
    step: int
    role: str
    messages: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]
    prompt_estimate: int | None = None
    prompt_counted: bool = True
    context_window: int | None = None
    by_person: bool = False


class Queued(Event):
    """The call waits for a free slot; `position` 1 is next, 0 means that it has its slot."""

    kind: Literal["queued"] = "queued"
    call_id: str
    position: int


class Loading(Event):
    """The backend makes itself ready: fetching (bytes done of total) or loading the model."""

    kind: Literal["loading"] = "loading"
    call_id: str
    stage: Literal["fetch", "load"]
    done: int = 0
    total: int = 0


class Reading(Event):
    """The model reads its prompt: tokens read so far, how many of them came from its cache, and in all."""

    kind: Literal["reading"] = "reading"
    call_id: str
    read: int
    cached: int
    total: int


class Delta(Event):
    """A piece of what the model writes."""

    kind: Literal["delta"] = "delta"
    call_id: str
    channel: Channel
    text: str


class ModelAnswered(Event):
    """The model's whole answer and what it cost. Seconds; None where the backend does not tell.

    `joules` is what the computer that the model ran on used during the call, shared with calls beside it,
    `context_window` the one that the model really had. `tokens` are the text's, in order, where they are told.
    """

    kind: Literal["model_answered"] = "model_answered"
    call_id: str
    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    parsed: dict[str, Any] | None = None
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    context_window: int | None = None
    load_seconds: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    first_token_seconds: float | None = None
    joules: float | None = None
    mean_logprob: float | None = None
    perplexity: float | None = None
    lowest_tokens: tuple[LowToken, ...] = ()
    tokens: tuple[TokenLogprob, ...] = ()

    @property
    def cost(self) -> Totals:
        """What the answer adds to its run's totals; the call itself was counted when it was made."""
        return Totals(
            prompt_tokens=self.prompt_tokens or 0,
            completion_tokens=self.completion_tokens or 0,
            cached_tokens=self.cached_tokens or 0,
            load_seconds=_told([self.load_seconds]),
            prefill_seconds=_told([self.prefill_seconds]),
            decode_seconds=_told([self.decode_seconds]),
            joules=_told([self.joules]),
        )


class CallFailed(Event):
    """A model call ended without an answer; what had arrived stays in its deltas.

    `context_window` is the one that its prompt was too long for, as far as the backend tells.
    """

    kind: Literal["call_failed"] = "call_failed"
    call_id: str
    error: ErrorInfo
    context_window: int | None = None


class ToolCalled(Event):
    """A tool was called, or the person said in its place what came of it."""

    kind: Literal["tool_called"] = "tool_called"
    tool_id: str
    node: str
    step: int
    name: str
    arguments: dict[str, Any]
    by_person: bool = False


class ToolAnswered(Event):
    """A tool's result, or the error that the model is told."""

    kind: Literal["tool_answered"] = "tool_answered"
    tool_id: str
    result: str
    error: bool = False
    seconds: float = 0.0


class Card(Event):
    """One step of the reasoning as the machine names it: the card of the call `call_id`, or one of its own."""

    kind: Literal["card"] = "card"
    node: str
    step: int
    title: str
    content: str
    call_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    confidence: float | None = None


class Summarised(Event):
    """From here on `text`, which the call `call_id` wrote, is sent in place of the turns `left_out`.

    These stay in the machine's state, and in what was sent before. `tokens_before` and `tokens_after` are those of the
    next prompt with the one and with the other.
    """

    kind: Literal["summarised"] = "summarised"
    node: str
    step: int
    call_id: str
    text: str
    left_out: tuple[dict[str, Any], ...] = ()
    tokens_before: int = 0
    tokens_after: int = 0


class Decision(Event):
    """A router chose the edge from `node` to `edge`, and why."""

    kind: Literal["decision"] = "decision"
    node: str
    edge: str
    reason: str


class Retried(Event):
    """A call is tried again: number of the new attempt (2, 3, ...), what the model is told, seconds waited before."""

    kind: Literal["retried"] = "retried"
    call_id: str
    error: ErrorInfo
    attempt: int
    told: str = ""
    waited: float = 0.0


class Paused(Event):
    """The run waits for the person, before a model is asked (`role`) or a tool called (`tool`).

    `messages` are what the model is about to see, `answer_schema` what its answer must fit (None: any text),
    `arguments` what the tool is about to get. `draft` is an answer of the person that did not fit; `reason` says why.
    """

    kind: Literal["paused"] = "paused"
    node: str
    reason: str
    step: int = 0
    role: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    answer_schema: dict[str, Any] | None = None
    tool: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    draft: str = ""


class Resumed(Event):
    """The run goes on at `resumed_at` (ISO 8601) from its last finished step; `limits` where they were changed.

    After a pause `verb` is what the person said: approve; edit, with the last message's new `text` or the tool's new
    `arguments`; answer in its place, with `text`; or reject, with `text` as the word to the model.
    """

    kind: Literal["resumed"] = "resumed"
    node: str = ""
    limits: dict[str, Any] = Field(default_factory=dict)
    resumed_at: str = ""
    verb: Verb = ""
    text: str = ""
    arguments: dict[str, Any] | None = None


class Warned(Event):
    """Something that the person should know, and what to do."""

    kind: Literal["warning"] = "warning"
    code: str
    message: str
    hint: str = ""


class RunFinished(Event):
    """The run's end. `answered` alone means that the machine reached its answer."""

    kind: Literal["run_finished"] = "run_finished"
    status: Literal["answered", "stopped", "limit", "failed"]
    answer: str = ""
    reason: str = ""
    feedback: Feedback = "none"
    totals: Totals = Totals()
    error: ErrorInfo | None = None


class Unknown(Event):
    """An event of a newer version: kept as it is, drawn by nobody."""

    kind: str
    payload: dict[str, Any] = Field(default_factory=dict)


Known = (
    RunStarted | NodeStarted | NodeFinished | ModelCalled | Queued | Loading | Reading | Delta | ModelAnswered
    | CallFailed | ToolCalled | ToolAnswered | Card | Summarised | Decision | Retried | Paused
    | Resumed | Warned | RunFinished
)  # fmt: skip
AnyEvent = Known | Unknown
_KNOWN: TypeAdapter[Known] = TypeAdapter(Annotated[Known, Field(discriminator="kind")])
KINDS: frozenset[str] = frozenset(cls.model_fields["kind"].default for cls in Known.__args__)


def to_dict(event: AnyEvent) -> dict[str, Any]:
    """The event as plain JSON data; an unknown one exactly as it was read."""
    data: dict[str, Any] = json.loads(to_json(event))
    return data


def to_json(event: AnyEvent) -> str:
    """The event as one line of ASCII: no text in it can break a line, a terminal or a database."""
    return json.dumps(event.payload) if isinstance(event, Unknown) else event.model_dump_json(ensure_ascii=True)


def from_dict(data: dict[str, Any]) -> AnyEvent:
    """The event that `to_dict` wrote. Raises ValueError (pydantic.ValidationError) when it lacks a field."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if isinstance(kind, str) and kind in KINDS:
        return _KNOWN.validate_python(data)
    return Unknown.model_validate({**data, "payload": data} if isinstance(data, dict) else data)


def from_json(line: str) -> AnyEvent:
    """The event that `to_json` wrote. Raises ValueError when the line is no event."""
    return from_dict(json.loads(line))


def from_log(kind: str, line: str, prompts: bool = True) -> AnyEvent:
    """The event of a kind that `to_json` wrote to the log: `from_json` in half the time. Raises ValueError.

    Without `prompts` a ModelCalled has no messages: they are most of a long log.
    """
    if kind == "model_called" and not prompts:
        return ModelCalled.model_construct(messages=(), **dict(_CALL_IN_BRIEF.model_validate_json(line)))
    return _KNOWN.validate_json(line, context=_STORED) if kind in KINDS else from_json(line)


_IN_BRIEF: dict[str, Any] = {
    name: (known.annotation, known) for name, known in ModelCalled.model_fields.items() if name != "messages"
}
_CALL_IN_BRIEF = create_model("CallInBrief", **_IN_BRIEF)


@dataclass
class CallView:
    """One model call as far as it has come."""

    called: ModelCalled
    text: str = ""
    thinking: str = ""
    tool_text: str = ""
    first_at: float | None = None
    ended_at: float | None = None
    queued: int = 0
    loading: Loading | None = None
    reading: Reading | None = None
    answer: ModelAnswered | None = None
    error: ErrorInfo | None = None
    too_small: int | None = None  # the window that the prompt did not fit
    card: Card | None = None
    summarised: Summarised | None = None
    retried: Retried | None = None

    @property
    def state(self) -> Literal["queued", "loading", "reading", "waiting", "writing", "done", "failed"]:
        """What the call is doing now."""
        if self.answer is not None:
            return "done"
        if self.error is not None:
            return "failed"
        if self.first_at is not None:
            return "writing"
        if self.queued:
            return "queued"
        if self.loading is not None:
            return "loading"
        return "reading" if self.reading is not None else "waiting"

    @property
    def confidence(self) -> float | None:
        """The mean probability of the call's tokens, from 0 to 1; None where the backend does not tell."""
        if self.called.by_person:
            return None
        if self.card is not None and self.card.confidence is not None:
            return self.card.confidence
        mean = self.answer.mean_logprob if self.answer is not None else None
        return math.exp(mean) if mean is not None else None

    def comes_to(self, answer: str) -> bool:
        """Whether the call's text, its card or what that comes to is this answer."""
        written = [self.text]
        if self.card is not None:
            written += [self.card.content, str(self.card.data.get("candidate", ""))]
        return bool(answer.strip()) and answer.strip() in (text.strip() for text in written)


@dataclass
class ToolView:
    """One tool call as far as it has come."""

    called: ToolCalled
    answered: ToolAnswered | None = None
    interrupted: bool = False


@dataclass
class NoteView:
    """A card without a call, a warning, or a pause."""

    event: Card | Warned | Paused | Resumed


Entry = CallView | ToolView | NoteView


class Candidate(NamedTuple):
    """The answer of a machine that revises after a round; the tokens read and written from the run's beginning."""

    round: int
    content: str
    tokens: int


class Sample(NamedTuple):
    """One of several answers to the same prompt: its number, what it came to, and the tokens that it read and wrote.

    `answer` is what it votes for: samples with the same one mean the same. It is empty where it came to none.
    """

    number: int
    content: str
    answer: str
    tokens: int


class Reward(NamedTuple):
    """What an attempt at the whole task was worth, from 0 to 1, and who said so; trials count from 0."""

    trial: int
    value: float
    feedback: str = "none"


class Task(NamedTuple):
    """One of a machine's tasks as it stands; `note` is what came of it."""

    title: str
    state: str
    note: str = ""


@dataclass
class RunView:
    """The fold: apply a run's events in order and read what a person should see.

    `entries` is the list of things drawn as cards, in order, append-only; `changed` collects the indexes of entries
    that the events applied since the last `take_changes()` touched. `clock` is a moment of the wall clock (ISO 8601)
    and how old the run was then: its start, or when it last went on.
    """

    started: RunStarted | None = None
    finished: RunFinished | None = None
    entries: list[Entry] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    live_nodes: list[str] = field(default_factory=list)
    node_visits: dict[str, int] = field(default_factory=dict)
    edge_counts: dict[tuple[str, str], int] = field(default_factory=dict)
    paused: Paused | None = None
    last_seq: int = -1
    last_at: float = 0.0
    clock: tuple[str, float] = ("", 0.0)
    changed: set[int] = field(default_factory=set)
    graph_changed: bool = False
    _calls: dict[str, int] = field(default_factory=dict)
    _tools: dict[str, int] = field(default_factory=dict)
    _steps: dict[int, list[str]] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[AnyEvent]) -> "RunView":
        """The fold of a whole log."""
        view = cls()
        for event in events:
            view.apply(event)
        return view

    def apply(self, event: AnyEvent) -> None:
        """Take one event in. Events already seen (by seq) are ignored, so that a re-read does no harm."""
        if event.seq <= self.last_seq:
            return
        self.last_seq, self.last_at = event.seq, event.at
        handler = getattr(self, f"_on_{event.kind}", None) if not isinstance(event, Unknown) else None
        if handler is not None:
            handler(event)

    def take_changes(self) -> set[int]:
        """Indexes of the entries to redraw, and forget them."""
        changed, self.changed = self.changed, set()
        return changed

    @property
    def status(self) -> Status:
        """Where the run stands."""
        if self.finished is not None:
            return self.finished.status
        return "running" if self.paused is None else "paused"

    def is_inherited(self, entry: "Entry") -> bool:
        """Whether a fork took the entry over from its parent."""
        event = entry.event if isinstance(entry, NoteView) else entry.called
        return self.started is not None and event.seq <= self.started.last_inherited

    def _is_paid(self, entry: CallView | ToolView) -> bool:
        """Whether a model or a tool was called in this run."""
        return not entry.called.by_person and not self.is_inherited(entry)

    @property
    def calls(self) -> list[CallView]:
        """The model calls in order."""
        return [entry for entry in self.entries if isinstance(entry, CallView)]

    @property
    def paid_calls(self) -> list[CallView]:
        """The calls that a model was asked in this run: neither taken over nor answered by the person."""
        return [call for call in self.calls if self._is_paid(call)]

    @property
    def totals(self) -> Totals:
        """Cost so far; answered calls count with the backend's numbers, nothing is guessed."""
        if self.finished is not None:
            return self.finished.totals
        calls = self.paid_calls
        tools = [entry for entry in self.entries if isinstance(entry, ToolView) and self._is_paid(entry)]
        answers = [call.answer for call in calls if call.answer is not None]
        joules = all_told(answer.joules for answer in answers)
        counted = {"calls": len(calls), "tool_calls": len(tools), "seconds": self.last_at, "joules": joules}
        return sum((answer.cost for answer in answers), Totals()).model_copy(update=counted)

    @property
    def first_token_seconds(self) -> float | None:
        """Seconds from the first call to its first token, as the log saw it."""
        for call in self.paid_calls:
            if call.first_at is not None:
                return call.first_at - call.called.at
        return None

    @property
    def tokens_per_second(self) -> float | None:
        """Decoding speed over the answered calls, from the backend's own clock; None before the first."""
        answers = [call.answer for call in self.paid_calls if call.answer is not None and call.answer.decode_seconds]
        seconds = sum(answer.decode_seconds or 0.0 for answer in answers)
        return sum(answer.completion_tokens or 0 for answer in answers) / seconds if seconds > 0 else None

    def context_use(self) -> tuple[int, int] | None:
        """Tokens of the last measured (else estimated) prompt, and the context window; None when unknown."""
        for call in reversed(self.calls):
            used = (call.answer.prompt_tokens if call.answer else None) or call.called.prompt_estimate
            if used and call.called.context_window:
                return used, call.called.context_window
        return None

    @property
    def votes(self) -> dict[str, int]:
        """How often each answer was voted for so far, the most first; under "" those samples that came to none.

        It is what the last count said, and the samples since then. Answers that mean the same are named as the first.
        """
        counted: dict[str, int] = {}
        names: dict[str, str] = {}
        for card in self._cards():
            if isinstance(said := card.data.get("votes"), dict):
                silent = counted.get("", 0)
                counted = {str(vote): number for vote, number in said.items() if isinstance(number, int)}
                counted |= {"": silent} if silent else {}
            elif (vote := card.data.get("vote")) is not None:
                names.setdefault(str(vote), str(card.data.get("candidate", vote)))
                counted[str(vote)] = counted.get(str(vote), 0) + 1
        order = sorted(counted, key=lambda vote: (not vote, -counted[vote]))
        return {names.get(vote, vote): counted[vote] for vote in order}

    @property
    def candidates(self) -> list[Candidate]:
        """What a machine that revises would have answered after each round, in order."""
        cards = [card for card in self._cards() if _is_count(card.data.get("round"))]
        return [Candidate(card.data["round"], _candidate(card), self._tokens_up_to(card.seq)) for card in cards]

    @property
    def samples(self) -> list[Sample]:
        """The answers to the same prompt by their numbers, however they came in."""
        found: dict[int, Sample] = {}
        for call in self.calls:
            if call.card is not None and _is_count(number := call.card.data.get("sample")):
                vote = str(call.card.data.get("vote", ""))
                found[number] = Sample(number, _candidate(call.card), vote, _tokens(call))
        return [found[number] for number in sorted(found)]

    @property
    def rewards(self) -> list[Reward]:
        """What each trial was worth, in order; one that is there twice counts as it was told last."""
        found: dict[int, Reward] = {}
        for card in self._cards():
            number, value = card.data.get("trial"), card.data.get("reward")
            if _is_count(number) and isinstance(value, int | float) and 0 <= value <= 1:
                found[number] = Reward(number, float(value), str(card.data.get("feedback", "none")))
        return [found[number] for number in sorted(found)]

    def tasks(self, kind: Literal["plan", "queue"]) -> list[Task]:
        """The machine's plan or queue as the last card that has one tells it."""
        told: list[Any] = []
        for card in self._cards():
            if isinstance(said := card.data.get(kind), list | tuple):
                told = [one for one in said if isinstance(one, dict)]
        return [Task(*(str(one.get(name, "")) for name in Task._fields)) for one in told]

    @property
    def feedback(self) -> Feedback:
        """Who told the machine how good its answers were; where several did, the one who knows best.

        A machine that names nobody on its cards went by what its tools said; one that failed told nothing, nor did one
        that found nothing.
        """
        said = {str(card.data.get("feedback", "")) for card in self._cards()}
        seen = (entry.answered for entry in self.entries if isinstance(entry, ToolView))
        used = any(one is not None and not one.error and not one.result.startswith(NOTHING_FOUND) for one in seen)
        return next((source for source in FEEDBACK if source in said), "tool" if used else "none")

    @property
    def answer_call(self) -> CallView | None:
        """The last call that came to the answer; None when none came to it so."""
        answer = self.finished.answer if self.finished else ""
        return next((call for call in reversed(self.calls) if call.comes_to(answer)), None)

    @property
    def confidence(self) -> float | None:
        """The mean token probability of the call behind the answer, from 0 to 1; None where there is none to tell.

        It says nothing of a vote: see `votes`.
        """
        return self.answer_call.confidence if self.answer_call else None

    def _cards(self) -> Iterator[Card]:
        """The cards in the order of their places on the page."""
        for entry in self.entries:
            card = entry.event if isinstance(entry, NoteView) else entry.card if isinstance(entry, CallView) else None
            if isinstance(card, Card):
                yield card

    def _tokens_up_to(self, seq: int) -> int:
        """Tokens read and written by the calls that were answered by then, inherited ones too."""
        return sum(_tokens(call) for call in self.calls if call.answer is not None and call.answer.seq <= seq)

    def latest_entry_of(self, node: str) -> int | None:
        """Index of the newest entry that a node made; None when it made none."""
        return self._latest.get(node)

    def _touch(self, index: int | None) -> None:
        if index is not None:
            self.changed.add(index)

    def _append(self, entry: Entry) -> int:
        self.entries.append(entry)
        index = len(self.entries) - 1
        self.changed.add(index)
        if node := entry_node(entry):
            self._latest[node] = index
        return index

    def _call(self, call_id: str) -> CallView | None:
        index = self._calls.get(call_id)
        self._touch(index)
        entry = self.entries[index] if index is not None else None
        return entry if isinstance(entry, CallView) else None

    def _on_run_started(self, event: RunStarted) -> None:
        self.started = event
        self.clock = (event.created_at, event.at)
        self.graph_changed = True

    def _on_node_started(self, event: NodeStarted) -> None:
        self.graph_changed = True
        if event.attempt > 1:
            if event.node not in self.live_nodes:
                self.live_nodes.append(event.node)
            return
        previous = self._steps.get(event.step - 1, ["__start__"] if event.step <= 1 else [])
        edges = {(e.source, e.target) for e in self.started.graph.edges} if self.started else set()
        for source in dict.fromkeys(previous):
            if (source, event.node) in edges:
                self.edge_counts[source, event.node] = self.edge_counts.get((source, event.node), 0) + 1
        self._steps.setdefault(event.step, []).append(event.node)
        self.node_visits[event.node] = self.node_visits.get(event.node, 0) + 1
        self.live_nodes.append(event.node)

    def _on_node_finished(self, event: NodeFinished) -> None:
        if event.node in self.live_nodes:
            self.live_nodes.remove(event.node)
        self.graph_changed = True

    def _on_model_called(self, event: ModelCalled) -> None:
        self._calls[event.call_id] = self._append(CallView(event))

    def _on_queued(self, event: Queued) -> None:
        if call := self._call(event.call_id):
            call.queued = event.position

    def _on_loading(self, event: Loading) -> None:
        if call := self._call(event.call_id):
            call.loading, call.reading = event, None

    def _on_reading(self, event: Reading) -> None:
        if call := self._call(event.call_id):
            call.loading, call.reading = None, event

    def _on_delta(self, event: Delta) -> None:
        if event.text and (call := self._call(event.call_id)):
            call.first_at = event.at if call.first_at is None else call.first_at
            match event.channel:
                case "text":
                    call.text += event.text
                case "thinking":
                    call.thinking += event.text
                case "tool":
                    call.tool_text += event.text

    def _on_model_answered(self, event: ModelAnswered) -> None:
        if call := self._call(event.call_id):
            call.answer, call.ended_at = event, event.at
            call.text, call.thinking = event.text, event.thinking

    def _on_call_failed(self, event: CallFailed) -> None:
        if call := self._call(event.call_id):
            call.error, call.ended_at, call.too_small = event.error, event.at, event.context_window

    def _on_tool_called(self, event: ToolCalled) -> None:
        self._tools[event.tool_id] = self._append(ToolView(event))

    def _on_tool_answered(self, event: ToolAnswered) -> None:
        index = self._tools.get(event.tool_id)
        if index is not None and isinstance(entry := self.entries[index], ToolView):
            entry.answered = event
            self._touch(index)

    def _on_card(self, event: Card) -> None:
        call = self._call(event.call_id) if event.call_id else None
        if call is not None:
            call.card = event
        else:
            self._append(NoteView(event))

    def _on_summarised(self, event: Summarised) -> None:
        if call := self._call(event.call_id):
            call.summarised = event

    def _on_decision(self, event: Decision) -> None:
        self.decisions.append(event)
        self.graph_changed = True

    def _on_retried(self, event: Retried) -> None:
        if call := self._call(event.call_id):
            call.retried = event

    def _on_paused(self, event: Paused) -> None:
        self.paused = event
        self.graph_changed = True
        self._cut_off("Cut off here: the run waits for you.", event.at)
        self._append(NoteView(event))

    def _on_resumed(self, event: Resumed) -> None:
        self.paused = self.finished = None
        self.clock = (event.resumed_at, event.at)
        self._cut_off("Interrupted here.", event.at)
        self.live_nodes = []
        self.graph_changed = True
        self._append(NoteView(event))

    def _on_warning(self, event: Warned) -> None:
        self._append(NoteView(event))

    def _on_run_finished(self, event: RunFinished) -> None:
        self.finished, self.paused = event, None
        last = max(self._steps, default=0)
        if event.status in ("answered", "limit"):
            for source in dict.fromkeys(self._steps.get(last, [])):
                if self.started and any(e.source == source and e.target == "__end__" for e in self.started.graph.edges):
                    self.edge_counts[source, "__end__"] = 1
        self.live_nodes = []
        self.graph_changed = True
        self._cut_off("Stopped here.", event.at)

    def _cut_off(self, words: str, at: float) -> None:
        """Calls that are without an answer will never get one; what a failed one's card says depends on the end."""
        for index, entry in enumerate(self.entries):
            if isinstance(entry, CallView) and entry.answer is None:
                if entry.error is None:
                    entry.error, entry.ended_at = ErrorInfo(code="stopped", message=words), at
                self._touch(index)
            if isinstance(entry, ToolView) and entry.answered is None:
                entry.interrupted = True
                self._touch(index)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _candidate(card: Card) -> str:
    """The whole answer that a card holds."""
    return str(card.data.get("candidate", card.content))


def _tokens(call: CallView) -> int:
    """What a call read and wrote; what the backend does not tell is 0."""
    return (call.answer.prompt_tokens or 0) + (call.answer.completion_tokens or 0) if call.answer else 0


def idle_seconds(events: Iterable[AnyEvent], now: float | None = None) -> float:
    """Seconds in which a run did nothing but wait for a slot: its neighbours' time, not its own; up to `now`."""
    open_calls: set[str] = set()
    waiting: set[str] = set()
    idle, before = 0.0, 0.0
    for event in events:
        if open_calls and open_calls == waiting:
            idle += event.at - before
        before = event.at
        match event:
            case ModelCalled(by_person=False):
                open_calls.add(event.call_id)
            case Queued():
                (waiting.add if event.position else waiting.discard)(event.call_id)
            case ModelAnswered() | CallFailed():
                open_calls.discard(event.call_id)
                waiting.discard(event.call_id)
            case Resumed():
                open_calls.clear()
                waiting.clear()
    if now is not None and open_calls and open_calls == waiting:
        idle += now - before
    return idle


def entry_node(entry: Entry) -> str | None:
    """The node that made an entry; None for what no node made."""
    match entry:
        case CallView(called=called) | ToolView(called=called):
            return called.node
        case NoteView(event=event):
            return event.node if isinstance(event, Card | Paused | Resumed) else None


assert set(KINDS) == {name.removeprefix("_on_") for name in vars(RunView) if name.startswith("_on_")}
