"""Two runs laid side by side: what differs in their requests, then step by step, aligned by node and kind."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Literal

from workbench.events import (
    KINDS,
    AnyEvent,
    CallFailed,
    Card,
    Decision,
    ErrorInfo,
    ModelAnswered,
    ModelCalled,
    NodeStarted,
    Paused,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    RunView,
    Summarised,
    ToolAnswered,
    ToolCalled,
    Unknown,
    Warned,
)

Kind = Literal["call", "tool", "card", "visit", "pause", "resume", "warning", "end"]
Standing = Literal["same", "different", "only_a", "only_b"]

NEEDED = KINDS - {"delta", "queued", "loading", "reading"}  # how an answer came is not compared, and most of the log
# What every call takes over from the request: compared once, there.
REQUESTED = frozenset(
    {"model", "temperature", "top_p", "seed", "max_tokens", "context_window", "think", "top_logprobs"}
)
# A card's copy of an older text, which is compared where it was written, and memories with their ids and moments.
COPIED = frozenset({"previous", "recalled", "recalled_at", "remembered"})
OF_THE_MACHINE = ("options.", "prompts.", "pause_before")
REMARKS = frozenset({"seed_not_promised"})
BESIDE_THE_NODES = frozenset({"pause", "resume", "warning", "end"})
OF_THE_RUN = frozenset(
    {"kind", "run_id", "seq", "at", "created_at", "graph", "machine_title", "parent_run", "parent_seq", "relation"}
    | {"inherited"}
)


@dataclass(frozen=True)
class Part:
    """One thing that a step holds, and the sequence number of the event that says it."""

    value: Any
    seq: int


@dataclass
class Step:
    """One step of a run, reduced to what is compared: a call with its answer, card and decisions, for example.

    `number` is the superstep, 0 where there is none; `name` the role, the tool or the warning's code; `entry` the
    index in `RunView.entries` of what can be drawn of it.
    """

    kind: Kind
    seq: int
    node: str = ""
    number: int = 0
    name: str = ""
    entry: int | None = None
    inherited: bool = False
    parts: dict[str, Part] = field(default_factory=dict)
    turn: tuple[int, int] = (0, 0)

    @property
    def is_dropped(self) -> bool:
        """Whether it is a call that led nowhere: without an answer, or asked again."""
        return not self.is_answered or "retried" in self.parts

    @property
    def is_answered(self) -> bool:
        """Whether what it asked for has come."""
        return {"call": "text", "tool": "result"}.get(self.kind, "") in ("", *self.parts)

    def add(self, seq: int, **values: Any) -> None:
        """Put parts into it; what is empty is left out."""
        self.parts |= {name: Part(value, seq) for name, value in values.items() if not _is_empty(value)}


@dataclass(frozen=True)
class Side:
    """One of the two runs: its fold, and its steps."""

    view: RunView
    steps: tuple[Step, ...]

    @property
    def started(self) -> RunStarted | None:
        """The run's request; None for an empty log."""
        return self.view.started


@dataclass(frozen=True)
class Change:
    """A part of the request that differs; None where it is not there."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Difference:
    """A part of a step that differs, and the events that say so; None where it is not there."""

    part: str
    a: Any
    b: Any
    a_seq: int | None
    b_seq: int | None


@dataclass(frozen=True)
class Row:
    """A step of `a` beside the one of `b` that it corresponds to, or alone."""

    a: Step | None
    b: Step | None
    differences: tuple[Difference, ...] = ()

    @property
    def standing(self) -> Standing:
        """How the two stand to each other."""
        if self.a is None:
            return "only_b"
        return "only_a" if self.b is None else "different" if self.differences else "same"

    @property
    def step(self) -> Step:
        """The step, of `a` where both have it."""
        step = self.a or self.b
        assert step is not None
        return step

    @property
    def is_remark(self) -> bool:
        """Whether it is a warning about comparing the runs, which is shown and is no difference between them."""
        return self.step.kind == "warning" and self.step.name in REMARKS

    @property
    def seqs(self) -> tuple[int | None, int | None]:
        """The events of `a` and of `b` with which the two part; where they are the same, the step's own."""
        if self.differences:
            return self.differences[0].a_seq, self.differences[0].b_seq
        return self.a.seq if self.a else None, self.b.seq if self.b else None

    @property
    def inherited(self) -> str:
        """Which of the runs took the step over from its parent: "", "a", "b" or "ab"."""
        return "".join(name for name, step in (("a", self.a), ("b", self.b)) if step is not None and step.inherited)


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. `first` is the index of the first row that differs; None when none does.

    A warning is the first difference only where nothing else differs.
    """

    a: Side
    b: Side
    request: tuple[Change, ...]
    rows: tuple[Row, ...]
    first: int | None

    @property
    def is_same(self) -> bool:
        """Whether nothing that is compared differs."""
        return self.first is None and not self.request

    @property
    def same(self) -> int:
        """How many steps are the same."""
        return sum(row.standing == "same" for row in self.rows)

    @property
    def machines_differ(self) -> bool:
        """Whether the runs are of different machines, whose steps do not correspond."""
        return any(change.name == "machine" for change in self.request)


def compare(a: Sequence[AnyEvent], b: Sequence[AnyEvent]) -> Comparison:
    """Lay two logs side by side.

    Compared are the requests, and then of each step: the messages sent, role and parameters, the answer (text,
    thinking, tool calls, fields, how it ended), tools with arguments and results, cards, decisions, retries, errors,
    pauses and what the person said, warnings, and the end.

    Not compared are ids, sequence numbers, times and seconds, token counts and probabilities, and how an answer was
    queued for, loaded, read and streamed; nor what a fork leaves behind of its parent (pauses and calls that came to
    nothing), the text of calls that were cut off, and events of a newer version.
    """
    left, right = fold(a), fold(b)
    request = tuple(_changes(left.started, right.started))
    of_one_machine = not any(change.name == "machine" for change in request)
    rows = tuple(_rows(_without_left_behind(left, right), _without_left_behind(right, left), of_one_machine))
    return Comparison(left, right, request, rows, _first(rows))


def _first(rows: Sequence[Row]) -> int | None:
    """The first row that differs; a warning only when nothing else does."""
    differing = [index for index, row in enumerate(rows) if row.standing != "same" and not row.is_remark]
    steps = [index for index in differing if rows[index].step.kind != "warning"]
    return next(iter(steps or differing), None)


def fold(events: Iterable[AnyEvent]) -> Side:
    """A log reduced to its steps, those of nodes that ran at the same time node by node."""
    folding = _Fold()
    for event in events:
        folding.take(event)
    told = {(step.node, step.number) for step in folding.steps if step.kind not in ("visit", *BESIDE_THE_NODES)}
    steps = [step for step in folding.steps if step.kind != "visit" or (step.node, step.number) not in told]
    return Side(folding.view, tuple(sorted(steps, key=lambda step: step.turn)))


class _Fold:
    """Takes events in and makes steps of them."""

    def __init__(self) -> None:
        self.view = RunView()
        self.steps: list[Step] = []
        self._calls: dict[str, Step] = {}
        self._tools: dict[str, Step] = {}
        self._latest: dict[str, Step] = {}
        self._entry: int | None = None
        self._epoch = 0
        self._superstep = 0
        self._ranks: dict[str, int] = {}

    def take(self, event: AnyEvent) -> None:
        """Take one event in; the same one again is ignored."""
        if event.seq <= self.view.last_seq:
            return
        count = len(self.view.entries)
        self.view.apply(event)
        self._entry = count if len(self.view.entries) > count else None
        handler = getattr(self, f"_on_{event.kind}", None) if not isinstance(event, Unknown) else None
        if handler is not None:
            handler(event)

    def _begin(self, kind: Kind, event: AnyEvent, node: str = "", number: int = 0, name: str = "") -> Step:
        started = self.view.started
        inherited = started is not None and event.seq <= started.last_inherited
        turn = self._epoch, self._ranks.get(node, self._last_rank())
        step = Step(kind, event.seq, node, number, name, self._entry, inherited, turn=turn)
        self.steps.append(step)
        if kind not in BESIDE_THE_NODES:
            self._latest[node] = step
        return step

    def _last_rank(self) -> int:
        """Where a step without a node stands: after what came last."""
        epoch, rank = self.steps[-1].turn if self.steps else (0, 0)
        return rank if epoch == self._epoch else 0

    def _next_epoch(self) -> None:
        self._epoch += 1
        self._ranks = {}

    def _on_node_started(self, event: NodeStarted) -> None:
        if event.step != self._superstep:
            self._superstep = event.step
            self._next_epoch()
        self._ranks.setdefault(event.node, len(self._ranks))
        if event.attempt == 1:
            self._begin("visit", event, event.node, event.step)

    def _on_model_called(self, event: ModelCalled) -> None:
        step = self._calls[event.call_id] = self._begin("call", event, event.node, event.step, event.role)
        parameters = {name: value for name, value in event.parameters.items() if name not in REQUESTED}
        step.add(event.seq, role=event.role, messages=tuple(map(_without_ids, event.messages)))
        step.add(event.seq, parameters=parameters, by_person=event.by_person)

    def _on_model_answered(self, event: ModelAnswered) -> None:
        if step := self._calls.get(event.call_id):
            calls = [{"name": call.name, "arguments": call.arguments} for call in event.tool_calls]
            step.add(event.seq, thinking=event.thinking)
            step.parts["text"] = Part(event.text, event.seq)
            ended = "" if event.finish_reason == "stop" else event.finish_reason
            step.add(event.seq, parsed=event.parsed, tool_calls=calls, finish_reason=ended)

    def _on_call_failed(self, event: CallFailed) -> None:
        if step := self._calls.get(event.call_id):
            step.add(event.seq, error=_said(event.error))

    def _on_retried(self, event: Retried) -> None:
        if step := self._calls.get(event.call_id):
            step.add(event.seq, retried=event.told or event.error.message)

    def _on_tool_called(self, event: ToolCalled) -> None:
        step = self._tools[event.tool_id] = self._begin("tool", event, event.node, event.step, event.name)
        step.add(event.seq, tool=event.name, arguments=event.arguments, by_person=event.by_person)

    def _on_tool_answered(self, event: ToolAnswered) -> None:
        if step := self._tools.get(event.tool_id):
            step.parts["result"] = Part(event.result, event.seq)
            step.add(event.seq, failed=event.error)

    def _on_card(self, event: Card) -> None:
        step = self._calls.get(event.call_id or "") or self._begin("card", event, event.node, event.step)
        data = {name: value for name, value in event.data.items() if name not in COPIED}
        step.add(event.seq, title=event.title, content=event.content, data=data)

    def _on_summarised(self, event: Summarised) -> None:
        if step := self._calls.get(event.call_id):
            step.add(event.seq, left_out=tuple(map(_without_ids, event.left_out)))

    def _on_decision(self, event: Decision) -> None:
        step = self._latest.get(event.node) or self._begin("visit", event, event.node)
        known = step.parts.get("decision", Part((), event.seq))
        taken = {"edge": event.edge, "reason": event.reason}
        step.parts["decision"] = Part((*known.value, taken), known.seq)

    def _on_paused(self, event: Paused) -> None:
        name = event.tool or event.role
        step = self._begin("pause", event, event.node, event.step, name)
        step.add(event.seq, waits_for=name, reason=event.reason, arguments=event.arguments, draft=event.draft)
        step.add(event.seq, messages=tuple(map(_without_ids, event.messages)))

    def _on_resumed(self, event: Resumed) -> None:
        self._next_epoch()
        step = self._begin("resume", event, event.node)
        step.add(event.seq, verb=event.verb, text=event.text, arguments=event.arguments, limits=event.limits)

    def _on_warning(self, event: Warned) -> None:
        step = self._begin("warning", event, name=event.code)
        step.add(event.seq, message=event.message, hint=event.hint)

    def _on_run_finished(self, event: RunFinished) -> None:
        self._next_epoch()
        step = self._begin("end", event)
        step.add(event.seq, status=event.status, answer=event.answer, reason=event.reason)
        step.add(event.seq, error=_said(event.error) if event.error else None)


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | dict | list | tuple) and not value)


def _said(error: ErrorInfo) -> dict[str, str]:
    return {"code": error.code, "message": error.message}


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """A message without the ids that a backend drew for tool calls."""
    if "tool_calls" not in message and "tool_call_id" not in message:
        return message
    kept = {name: value for name, value in message.items() if name != "tool_call_id"}
    if "tool_calls" in kept:
        kept["tool_calls"] = [{k: v for k, v in call.items() if k != "id"} for call in kept["tool_calls"]]
    return kept


def _without_left_behind(side: Side, other: Side) -> list[Step]:
    """A run's steps; as the parent of the other without those that a fork does not inherit."""
    mine, theirs = side.started, other.started
    if not mine or not theirs or not theirs.inherited or theirs.parent_run != mine.run_id:
        return list(side.steps)
    leaves = theirs.parent_seq or 0
    return [
        step
        for step in side.steps
        if step.seq > leaves or (step.is_answered and step.kind not in ("pause", "resume", "end"))
    ]


def _changes(a: RunStarted | None, b: RunStarted | None) -> Iterator[Change]:
    """What differs in the requests and in what they met: model digest, prompts, version.

    Options and prompts are a machine's own: those of two machines are not compared.
    """
    if a is None or b is None:
        return
    left, right = dict(_flat(_asked(a))), dict(_flat(_asked(b)))
    own = () if left.get("machine") == right.get("machine") else OF_THE_MACHINE
    for name in dict.fromkeys([*left, *right]):
        if left.get(name) != right.get(name) and not name.startswith(own):
            yield Change(name, left.get(name), right.get(name))


def _asked(started: RunStarted) -> dict[str, Any]:
    """The request as it was run. Prompts count by their hashes, which know of those that the request replaced."""
    rest = started.model_dump(exclude=set(OF_THE_RUN | {"request"}))
    asked = {name: value for name, value in started.request.items() if name != "suited"}  # why, not what
    return {**asked, **rest}


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif not _is_empty(value) or value is False:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value


def _rows(a: Sequence[Step], b: Sequence[Step], of_one_machine: bool) -> Iterator[Row]:
    """The steps as rows: as far as they are the same one by one, then the n-th of a kind and node beside the n-th."""
    if not of_one_machine:
        yield from _unrelated(a, b)
        return
    alike = 0
    while alike < min(len(a), len(b)) and _key(a[alike]) == _key(b[alike]) and not differences(a[alike], b[alike]):
        yield Row(a[alike], b[alike])
        alike += 1
    a, b = a[alike:], b[alike:]
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, _numbered(a), _numbered(b), autojunk=False).get_opcodes():
        if tag == "equal":
            pairs: Iterable[tuple[Step | None, Step | None]] = zip(a[a1:a2], b[b1:b2], strict=True)
        else:
            pairs = _likely_pairs(a[a1:a2], list(b[b1:b2]))
        yield from (_row(left, right) for left, right in pairs)


def _unrelated(a: Sequence[Step], b: Sequence[Step]) -> Iterator[Row]:
    """The steps of different machines, each on its own; their ends are beside each other."""
    ends = [steps[-1] if steps and steps[-1].kind == "end" else None for steps in (a, b)]
    for left, right in zip_longest(a, b):
        if left and left is not ends[0]:
            yield Row(left, None)
        if right and right is not ends[1]:
            yield Row(None, right)
    if any(ends):
        yield _row(*ends)


def _likely_pairs(a: Sequence[Step], b: list[Step]) -> Iterator[tuple[Step | None, Step | None]]:
    """Of steps that have no exact counterpart, those of one kind and node together, in order."""
    for step in a:
        place = next((index for index, other in enumerate(b) if _likeness(other) == _likeness(step)), None)
        if place is None:
            yield step, None
            continue
        yield from ((None, other) for other in b[:place])
        yield step, b[place]
        del b[: place + 1]
    yield from ((None, other) for other in b)


def _row(a: Step | None, b: Step | None) -> Row:
    return Row(a, b, tuple(differences(a, b)) if a and b else ())


def differences(a: Step, b: Step) -> list[Difference]:
    """What differs between two steps, in the order in which it happened."""
    found = []
    for name in dict.fromkeys([*a.parts, *b.parts]):
        left, right = a.parts.get(name), b.parts.get(name)
        if left is None or right is None or left.value != right.value:
            values = left.value if left else None, right.value if right else None
            seqs = left.seq if left else None, right.seq if right else None
            found.append(Difference(name, *values, *seqs))
    order = {name: place for step in (b, a) for place, name in enumerate(step.parts)}
    return sorted(found, key=lambda difference: order[difference.part])


def _key(step: Step) -> tuple[object, ...]:
    return step.kind, step.node, step.name, step.is_dropped


def _likeness(step: Step) -> tuple[object, ...]:
    return step.kind, step.node, step.name if step.kind in ("pause", "warning") else ""


def _numbered(steps: Sequence[Step]) -> list[tuple[object, ...]]:
    """Each step's key with how often it has come: what comes for the third time corresponds to the third time."""
    times: Counter[tuple[object, ...]] = Counter()
    numbered = []
    for step in steps:
        key = _key(step)
        numbered.append((*key, times[key]))
        times[key] += 1
    return numbered
