"""Which answers fitted their schema, what was wrong with the others and what became of it: a fold over a run's log."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from typing import Any, Literal, NamedTuple

from workbench.events import (
    AnyEvent,
    CallFailed,
    Delta,
    ErrorInfo,
    ModelAnswered,
    ModelCalled,
    Retried,
    RunFinished,
    RunStarted,
)

NEEDED = ("run_started", "model_called", "model_answered", "call_failed", "retried", "run_finished")
INVALID = "structured_output_invalid"
NO_ANSWER = frozenset({"empty_answer", "content_refused", "reply_too_long"})  # calls that fail by the model's doing
CUT = {"length": "it was cut at the token limit", "loop": "it repeated itself without an end"}
_REFUSAL = re.compile(r"\s*(i['’]?m sorry|sorry\b|i (can(not|['’]t)|won['’]t|am unable)|as an ai\b)", re.IGNORECASE)


class Kind(NamedTuple):
    """What can be wrong with an answer: in a few words, and what helps."""

    title: str
    hint: str


KINDS: dict[str, Kind] = {
    "cut": Kind("Cut at the limit", "Raise Max tokens under Model settings, or ask for shorter answers in the prompt."),
    "loop": Kind("Repeated itself", "Raise the temperature, or choose a larger model."),
    "thought": Kind("Only thinking", "Raise Max tokens, or switch Think off under Model settings."),
    "empty": Kind("Empty", "Choose another model, or look at the prompt: it may ask for nothing."),
    "refused": Kind("Refused", "Put the question in other words, or choose another model."),
    "prose": Kind("No JSON", "Let the backend constrain answers where it can; else choose another dialect or model."),
    "around": Kind("Text around the JSON", "Say in the prompt: only the JSON object. Or let the backend constrain it."),
    "broken": Kind("Broken JSON", "Let the backend constrain answers where it can, or choose a larger model."),
    "missing": Kind("Field missing", "Name the field in the prompt with an example, or constrain the answers."),
    "type": Kind("Wrong type", "Show an example of the field in the prompt, or constrain the answers."),
    "value": Kind("Value not allowed", "List the allowed values in the prompt, or constrain the answers."),
    "extra": Kind("Field too many", "Say in the prompt that there are no other fields."),
    "other": Kind("Something else", "Read what was wrong below."),
}
_BY_CODE = {"empty_answer": "empty", "content_refused": "refused", "reply_too_long": "loop"}
UNANSWERED = frozenset(_BY_CODE.values())  # kinds of which the log may have no answer, but only its pieces
_BY_WORDS = (
    ("Field required", "missing"),
    ("Extra inputs", "extra"),
    ("Input should be a valid", "type"),
    ("Input should be an object", "type"),
    ("Input should be", "value"),
    ("should match", "value"),
    ("should have", "value"),
    ("Value error", "value"),
)


@dataclass(frozen=True)
class SchemaAnswer:
    """An answer that had to fit a schema. `seq` is the event that ended its call, `attempt` counts from 1.

    `constrained` says whether the backend was to enforce the schema, else the model was only told of it. What is not
    valid has a `kind` (of KINDS) and says what was `wrong`; it was `given_up` when the model was not asked again.
    """

    run_id: str
    call_id: str
    seq: int
    backend: str
    model: str
    machine: str
    role: str
    schema: str
    schema_digest: str
    constrained: bool
    attempt: int
    valid: bool
    given_up: bool
    kind: str
    wrong: str
    created_at: str


@dataclass
class Attempt:
    """One answer as the log has it: `told` is what the model heard of it, `before` the attempt that it mends."""

    called: ModelCalled
    ended: ModelAnswered | CallFailed
    number: int
    before: "Attempt | None" = None
    wrong: str = ""
    told: str = ""
    is_retried: bool = False

    @property
    def text(self) -> str:
        """What the model wrote, where the log has it as an answer."""
        return self.ended.text if isinstance(self.ended, ModelAnswered) else ""

    @property
    def kind(self) -> str:
        """What is wrong with it, as a key of KINDS; empty when it is valid."""
        return _kind(self.ended, self.wrong) if self.wrong else ""


@dataclass
class _Fold:
    started: RunStarted | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    calls: dict[str, ModelCalled] = field(default_factory=dict)
    again: dict[object, Attempt] = field(default_factory=dict)  # what is to be asked once more

    def take(self, event: AnyEvent) -> None:
        match event:
            case RunStarted():
                self.started = event
            case ModelCalled() if _is_own(event, self.started) and _schema(event) is not None:
                self.calls[event.call_id] = event
            case ModelAnswered() if called := self.calls.pop(event.call_id, None):
                self._end(called, event, CUT.get(event.finish_reason, ""))
            case CallFailed() if event.error.code in NO_ANSWER and (called := self.calls.pop(event.call_id, None)):
                self._end(called, event, event.error.message)
            case Retried() if attempt := self.attempts.get(event.call_id):
                self._retry(attempt, event.error, event.told)
            case RunFinished(error=ErrorInfo(code=code)) if code == INVALID and self.attempts:
                last = max(self.attempts.values(), key=lambda one: (not one.is_retried, one.number, one.ended.seq))
                last.wrong = _without_count(event.error.message) if event.error else ""

    def _end(self, called: ModelCalled, ended: ModelAnswered | CallFailed, wrong: str) -> None:
        before = self.again.pop(_question(called), None)
        number = before.number + 1 if before else 1
        self.attempts[called.call_id] = Attempt(called, ended, number, before, wrong)

    def _retry(self, attempt: Attempt, error: ErrorInfo, told: str) -> None:
        attempt.wrong, attempt.told, attempt.is_retried = error.message, told, True
        self.again[_question(attempt.called)] = attempt


def attempts(events: Iterable[AnyEvent]) -> list[Attempt]:
    """Every answer of a run's own that had to fit a schema, in order; a person's and a parent's are not among them."""
    return list(_folded(events).attempts.values())


def answers(run_id: str, events: Iterable[AnyEvent]) -> list[SchemaAnswer]:
    """The same as rows."""
    fold = _folded(events)
    return [_row(run_id, fold.started, attempt) for attempt in fold.attempts.values()] if fold.started else []


@dataclass(frozen=True)
class Story:
    """An answer that was not valid, as its log tells it: what the model wrote, was told, and wrote then.

    `then` says what became of it: mended, not mended, given up, or stopped before the model was asked again.
    """

    text: str
    told: str
    then: Literal["mended", "not mended", "given up", "stopped"]
    next_text: str = ""
    next_wrong: str = ""


def story(events: Sequence[AnyEvent], call_id: str) -> Story | None:
    """What became of a call's answer; None where the log has none. What a call that failed wrote is in its deltas."""
    found = attempts(events)
    this = next((one for one in found if one.called.call_id == call_id), None)
    if this is None:
        return None
    after = next((one for one in found if one.before is this), None)
    if after is not None:
        then: Literal["mended", "not mended"] = "not mended" if after.wrong else "mended"
        return Story(_written(this, events), this.told, then, _written(after, events), after.wrong)
    return Story(_written(this, events), this.told, "stopped" if this.is_retried else "given up")


def _written(attempt: Attempt, events: Iterable[AnyEvent]) -> str:
    pieces = (event for event in events if isinstance(event, Delta) and event.call_id == attempt.called.call_id)
    return attempt.text or "".join(piece.text for piece in pieces if piece.channel == "text")


def _folded(events: Iterable[AnyEvent]) -> _Fold:
    fold = _Fold()
    for event in events:
        fold.take(event)
    return fold


def _without_count(message: str) -> str:
    """What was wrong, out of the sentence that the run failed with."""
    return message.partition(" retries: ")[2] or message


def _is_own(event: AnyEvent, started: RunStarted | None) -> bool:
    return started is not None and event.seq > started.last_inherited


def _schema(called: ModelCalled) -> dict[str, Any] | None:
    found = None if called.by_person else called.parameters.get("json_schema")
    return found if isinstance(found, dict) else None


def _question(called: ModelCalled) -> object:
    """What a call and the attempts to mend its answer have in common."""
    return called.node, called.step, called.role, str(called.parameters.get("seed")), _digest(_schema(called) or {})


def _digest(schema: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def _row(run_id: str, started: RunStarted, attempt: Attempt) -> SchemaAnswer:
    called, schema = attempt.called, _schema(attempt.called) or {}
    asked = started.request
    return SchemaAnswer(
        run_id=run_id,
        call_id=called.call_id,
        seq=attempt.ended.seq,
        backend=str(asked.get("backend", "")),
        model=str(called.parameters.get("model") or asked.get("model", "")),
        machine=str(asked.get("machine", "")),
        role=called.role,
        schema=str(schema.get("title") or "unnamed"),
        schema_digest=_digest(schema),
        constrained=called.parameters.get("constrained") is not False,
        attempt=attempt.number,
        valid=not attempt.wrong,
        given_up=bool(attempt.wrong) and not attempt.is_retried,
        kind=attempt.kind,
        wrong=attempt.wrong,
        created_at=started.created_at,
    )


def _kind(ended: ModelAnswered | CallFailed, wrong: str) -> str:
    if isinstance(ended, CallFailed):
        return _BY_CODE.get(ended.error.code, "other")
    text = ended.text.strip()
    if not text:
        return "thought" if ended.thinking.strip() else "cut" if ended.finish_reason == "length" else "empty"
    by_end = {"length": "cut", "loop": "loop", "content_filter": "refused"}.get(ended.finish_reason)
    if by_end is not None:
        return by_end
    if "Invalid JSON" in wrong:
        return _kind_of_text(text)
    first = wrong.split("; ")[0]
    return next((kind for words, kind in _BY_WORDS if words in first), "other")


def _kind_of_text(text: str) -> str:
    """What is wrong with a text that is no JSON."""
    if "{" not in text:
        return "refused" if _REFUSAL.match(text) else "prose"
    start = text.index("{")
    try:
        _, end = JSONDecoder().raw_decode(text, start)
    except (JSONDecodeError, RecursionError):
        return "broken"
    return "around" if text[:start].strip() or text[end:].strip() else "broken"


def place(text: str, wrong: str) -> tuple[int, int] | None:
    """Where in a text the first thing is that is wrong, from and to; None where it cannot be told.

    Of an answer that was cut it is its end, of a value that does not fit the value.
    """
    if any(wrong.startswith(words) for words in ("it was cut", "it repeated itself")):
        return (len(text.rstrip()), len(text)) if text.strip() else None
    if found := re.search(r"Invalid JSON: .* at line (\d+) column (\d+)", wrong):
        return _at(text, int(found[1]), int(found[2]))
    found = re.match(r"([\w.\-]+): (?!Field required)", wrong)
    return _value(text, found[1].split(".")) if found else None


def _at(text: str, line: int, column: int) -> tuple[int, int] | None:
    """The character at a line and a column, which counts bytes from 1; a fence around the JSON counts for nothing."""
    start = text.index("\n") + 1 if text.lstrip().startswith("```") and "\n" in text else 0
    start = start or len(text) - len(text.lstrip())
    lines = text[start:].split("\n")
    if not 0 < line <= len(lines):
        return None
    before = start + sum(len(one) + 1 for one in lines[: line - 1])
    place = before + len(lines[line - 1].encode()[: max(column - 1, 0)].decode("utf-8", "ignore"))
    return min(place, len(text)), min(place + 1, len(text))


def _value(text: str, path: Sequence[str]) -> tuple[int, int] | None:
    """The value at a path of field names and places in lists."""
    try:
        start = text.index("{")
        for part in path:
            start = _step(text, start, part)
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, IndexError, RecursionError):
        return None
    return start, end


_DECODER = JSONDecoder(strict=False)
_BLANK = re.compile(r"[\s,:]*")


def _step(text: str, start: int, part: str) -> int:
    """Where the value of a field, or of a place in a list, begins. Raises ValueError where there is none."""
    is_object, number = text[start] == "{", 0
    if text[start] not in "{[":
        raise ValueError(part)
    at = _skip(text, start + 1)
    while text[at] not in "}]":
        name = str(number)
        if is_object:
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
        if name == part:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at, number = _skip(text, at), number + 1
    raise ValueError(part)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


@dataclass(frozen=True)
class Rate:
    """How the answers of one model to one schema came out.

    `asked` are questions, `first` of them were answered validly at once, `mended` after a retry, `given_up` not at all;
    the others were stopped in between. `answers` counts every attempt, `kinds` those that were not valid by KINDS.
    """

    backend: str
    model: str
    schema: str
    schema_digest: str
    constrained: bool
    answers: int
    asked: int
    first: int
    mended: int
    given_up: int
    kinds: dict[str, int]

    @property
    def ended(self) -> int:
        """The questions that came to an end."""
        return self.first + self.mended + self.given_up
