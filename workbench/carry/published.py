"""The published logs of ReAct and Reflexion on HotpotQA, in their authors' text form, as runs that can be replayed.

ReAct (Yao et al. 2022) prints trajectories; Reflexion (Shinn et al. 2023) writes files of trials, whose questions are
grouped into correct, incorrect and halted, with the self-reflections that went into the prompt.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from pydantic import ValidationError

from workbench import __version__
from workbench.errors import BundleError
from workbench.events import (
    AnyEvent,
    Card,
    Event,
    Graph,
    GraphEdge,
    GraphNode,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    RunFinished,
    RunStarted,
    ToolAnswered,
    ToolCalled,
    Totals,
    Warned,
)
from workbench.job import now
from workbench.request import RunRequest
from workbench.store import foreign
from workbench.store.foreign import Arrival
from workbench.store.runs import RunStore

MAX_BYTES = 20 * 2**20
MOST = 5_000  # trajectories
STEP_SECONDS = 1.0  # between two events of a replay: the logs have no times

Outcome = Literal["correct", "incorrect", "halted", ""]

_TRIAL = re.compile(r"^BEGIN TRIAL (\d+)\s*$")
_GROUP = re.compile(r"^-{3,} BEGIN (CORRECT|INCORRECT|HALTED)[A-Z ]* -{3,}\s*$")
_RULE = re.compile(r"^(#{10,}|-{10,}|Trial summary: .*|\d+ \d+ [\d.]+ [\d.]+)\s*$")
_QUESTION = re.compile(r"^(?:\d+ )?Question:\s*(.*)$")
_INLINE = " Question: "  # after a context, on its last line
_FIELD = re.compile(r"^(Thought|Action|Observation)(?: \d+)?:\s*(.*)$")
_CALL = re.compile(r"^(\w+)\[(.*)\]\.?$", re.DOTALL)
_GOLD = re.compile(r"^Correct answer: (.*)$")
_INFO = re.compile(r"^\{'steps':")
_INFO_GOLD = re.compile(r"'gt_answer': (?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")")
_INFO_MATCH = re.compile(r"'em': (True|False|0|1)")
_AGAIN = re.compile(r"You have attempted to \w+ (?:the )?following \w+ before and failed\.")
_LAST_TRIAL = re.compile(r"^\(END PREVIOUS TRIAL\)")

GRAPH = Graph(
    nodes=(
        GraphNode(name="reflect", role="critic"),
        GraphNode(name="think", role="thinking"),
        GraphNode(name="act", role="tool"),
    ),
    edges=(
        GraphEdge(source="__start__", target="reflect"),
        GraphEdge(source="__start__", target="think"),
        GraphEdge(source="reflect", target="think"),
        GraphEdge(source="think", target="act"),
        GraphEdge(source="act", target="think", conditional=True),
        GraphEdge(source="act", target="__end__", conditional=True),
    ),
)


@dataclass
class Step:
    """A thought, the action after it, and what came of it."""

    thought: str = ""
    action: str = ""
    observation: str = ""

    @property
    def call(self) -> tuple[str, str]:
        """The action's name and what stands in its brackets; all of it where it has none."""
        match = _CALL.match(self.action.strip())
        return (match[1].lower(), match[2]) if match else ("", self.action.strip())


@dataclass
class Trajectory:
    """One attempt at one question. `trial` counts from 1, 0 where the log has no trials; `line` is where it begins."""

    question: str
    line: int
    trial: int = 0
    outcome: Outcome = ""
    context: str = ""
    before: str = ""
    gold: str = ""
    steps: list[Step] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """What it finished with; empty where it did not."""
        name, text = self.steps[-1].call if self.steps else ("", "")
        return text if name == "finish" else ""

    @property
    def reflections(self) -> list[str]:
        """The self-reflections of the trials before this one, as they stood in its prompt."""
        listed = self.before.partition("Reflections:")[2] or (self.before if not _AGAIN.match(self.before) else "")
        return [part.strip() for part in re.split(r"^- ", listed.strip(), flags=re.MULTILINE) if part.strip()]


def is_published(text: str) -> bool:
    """Whether a text looks like one of these logs."""
    return bool(re.search(r"\bQuestion: ", text) and re.search(r"^Action(?: \d+)?: ?\w+\[", text, re.MULTILINE))


def read(data: bytes) -> list[Trajectory]:
    """The trajectories of a log in their order. Raises BundleError when it is none."""
    if len(data) > MAX_BYTES:
        raise BundleError(f"The log is larger than {MAX_BYTES // 2**20} MB.", "Split it between two trials.")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise BundleError("The log is not text in UTF-8.", "Save it as plain text.") from None
    if "\x00" in text or not is_published(text):
        raise BundleError(
            "This is no log of ReAct or Reflexion as their authors publish it.",
            "It has lines such as 'Question: ...', 'Thought 1: ...' and 'Action 1: Search[...]'.",
        )
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), start=1):
        reader.take(number, line)
    reader.end()
    found = [one for one in reader.found if one.steps]
    if len(found) > MOST:
        raise BundleError(f"The log has more than {MOST:,} attempts.", "Split it between two trials.")
    return found


class _Reader:
    """Reads a log line by line; a line that is nothing else goes on with what stands before it."""

    def __init__(self) -> None:
        self.found: list[Trajectory] = []
        self._trial, self._outcome = 0, ""
        self._context: list[str] | None = None
        self._part = ""  # the field that the lines gathered belong to, and whose it is
        self._whose: Trajectory | Step | None = None
        self._lines: list[str] = []
        self._quoting = False  # within the last trial, which a prompt may repeat

    def take(self, number: int, line: str) -> None:
        """The next line."""
        if self._quoting:
            self._lines.append(line)
            self._quoting = not _LAST_TRIAL.match(line)
        elif match := _TRIAL.match(line):
            self._trial = int(match[1])
        elif match := _GROUP.match(line):
            self._outcome = match[1].lower()
            self.end()
        elif _RULE.match(line):
            self.end()
        elif line.startswith("Context: "):
            self._context = []
            self._within_context(number, line.removeprefix("Context: "))
        elif self._context is not None:
            self._within_context(number, line)
        elif match := _QUESTION.match(line):
            self._begin(number, match[1])
        elif self.found:
            self._go_on(line)

    def end(self) -> None:
        """What was gathered is whole."""
        if self._whose is not None and self._part:
            setattr(self._whose, self._part, "\n".join(self._lines).strip())
        self._part, self._whose, self._lines = "", None, []

    def _gather(self, whose: Trajectory | Step, part: str, line: str) -> None:
        self.end()
        self._whose, self._part, self._lines = whose, part, [line]

    def _within_context(self, number: int, line: str) -> None:
        assert self._context is not None
        before, found, question = line.rpartition(_INLINE)
        if match := _QUESTION.match(line):
            before, found, question = "", _INLINE, match[1]
        if not found:
            self._context.append(line)
            return
        context, self._context = [*self._context, before], None
        self._begin(number, question)
        self.found[-1].context = "\n".join(context).strip()

    def _begin(self, number: int, question: str) -> None:
        again = _AGAIN.search(question)
        asked = question[: again.start()] if again else question
        outcome: Any = self._outcome
        one = Trajectory(asked.strip(), number, self._trial, outcome)
        self.found.append(one)
        self._gather(one, "before" if again else "question", question[again.start() :] if again else question)

    def _go_on(self, line: str) -> None:
        one = self.found[-1]
        repeats = line.startswith("Below is the last trial")
        if self._whose is one and (repeats or _AGAIN.match(line)):
            self._quoting = repeats
            if self._part == "before":
                self._lines.append(line)
            else:
                self._gather(one, "before", line)
        elif match := _FIELD.match(line):
            self._field(one, match[1].lower(), match[2])
        elif match := _GOLD.match(line):
            self.end()
            one.gold = match[1].strip()
        elif _INFO.match(line):
            self.end()
            self._info(one, line)
        elif self._part:
            self._lines.append(line)

    def _field(self, one: Trajectory, name: str, text: str) -> None:
        if name == "thought" or not one.steps:
            one.steps.append(Step())
        self._gather(one.steps[-1], name, text)

    def _info(self, one: Trajectory, line: str) -> None:
        """What ReAct prints at the end of a trajectory."""
        if gold := _INFO_GOLD.search(line):
            one.gold = gold[1] if gold[1] is not None else gold[2]
        if match := _INFO_MATCH.search(line):
            one.outcome = "correct" if match[1] in ("True", "1") else "incorrect"


@dataclass(frozen=True)
class Kept:
    """The runs that a log became, in its order; `again` when they were here before."""

    ids: tuple[str, ...]
    again: bool


def keep(store: RunStore, data: bytes, chosen: Iterable[int] | None = None) -> Kept:
    """Enter the trajectories of a log as runs, all or the `chosen` ones by their place in `read` (from 0).

    Later trials of a question go on from the earlier one. Nothing is run. Raises BundleError, StoreError.
    """
    found = read(data)
    places = sorted(set(range(len(found)) if chosen is None else chosen))
    if not places or not 0 <= places[0] <= places[-1] < len(found):
        raise BundleError("Nothing of the log was chosen.", "Choose at least one attempt.")
    digest = hashlib.sha256(data + repr(places).encode()).hexdigest()
    belongs = f"import:{digest[:16]}"
    known = foreign.known(store.database, belongs)
    arrivals = list(_arrivals([(place, found[place]) for place in places], known))
    taken = foreign.take_in(store.database, belongs, arrivals)
    present = foreign.known(store.database, belongs)
    return Kept(tuple(present[str(place)] for place in places), not taken)


def _arrivals(chosen: Iterable[tuple[int, Trajectory]], known: Mapping[str, str]) -> Iterator[Arrival]:
    latest: dict[str, str] = {}
    for place, one in chosen:
        run_id = known.get(str(place)) or uuid4().hex[:12]
        parent = latest.get(one.question, "") if one.trial > 1 else ""
        latest[one.question] = run_id
        arrival = Arrival(run_id, str(place), parent=parent)
        for event in events(one, run_id, parent):
            arrival.take(event)
        yield arrival


def events(one: Trajectory, run_id: str, parent: str = "") -> list[AnyEvent]:
    """The trajectory as a run's log. Its times are made up, a second apart, and the log says so."""
    log = _Writer(run_id)
    reflections = one.reflections
    title = "Reflexion, published log" if one.trial or reflections else "ReAct, published log"
    try:
        request = RunRequest(machine="react", question=_asked(one), backend="published", model="not in the log")
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BundleError(f"The question in line {one.line} cannot be kept: {said}", "Leave it out.") from None
    log.add(
        RunStarted,
        request=request.model_dump(mode="json"),
        machine_title=title,
        graph=GRAPH,
        created_at=now(),
        version=__version__,
        parent_run=parent or None,
        relation="continue" if parent else "",
    )
    said = "A published log: it has no times, tokens or prompts. Its steps are a second apart here."
    log.add(Warned, code="published_log", message=said)
    if reflections:
        log.reflect(one, reflections)
    for number, step in enumerate(one.steps, start=1):
        log.step(number, step)
    log.end(one)
    return log.events


def _asked(one: Trajectory) -> str:
    return f"{one.context}\n\n{one.question}".strip() or "(no question)"


class _Writer:
    """Writes a log's events one after the other."""

    def __init__(self, run_id: str) -> None:
        self.events: list[AnyEvent] = []
        self._run_id = run_id
        self._at, self._superstep, self._tools, self._calls = 0.0, 0, 0, 0

    def add(self, kind: type[Event], **fields: Any) -> None:
        """The next event."""
        event = kind(run_id=self._run_id, seq=len(self.events), at=self._at, **fields)
        self.events.append(event)  # type: ignore[arg-type]

    def _node(self, name: str) -> dict[str, Any]:
        self._superstep += 1
        place = {"node": name, "step": self._superstep}
        self.add(NodeStarted, **place)
        self._at += STEP_SECONDS
        return place

    def reflect(self, one: Trajectory, reflections: list[str]) -> None:
        """The self-reflections that the trial began with."""
        place = self._node("reflect")
        for reflection in reflections:
            self.add(Card, title=f"Self-reflection before trial {one.trial}", content=reflection, **place)
        self.add(NodeFinished, **place)

    def step(self, number: int, step: Step) -> None:
        """A thought and its action."""
        place, (name, text) = self._node("think"), step.call
        self._calls += 1
        call_id = f"c{self._calls}"
        self.add(ModelCalled, call_id=call_id, role="actor", messages=(), parameters={}, **place)
        written = "\n".join(filter(None, [step.thought, step.action]))
        self.add(ModelAnswered, call_id=call_id, text=written)
        self.add(Card, title=f"Thought {number}", content=written, call_id=call_id, **place)
        self.add(NodeFinished, **place)
        place = self._node("act")
        if name == "finish":
            self.add(Card, title="Finish", content=f"{text}\n\n{step.observation}".strip(), **place)
        else:
            self._tools += 1
            tool_id = f"t{self._tools}"
            self.add(ToolCalled, tool_id=tool_id, name=name or "action", arguments={"input": text}, **place)
            self.add(ToolAnswered, tool_id=tool_id, result=step.observation)
        self.add(NodeFinished, **place)

    def end(self, one: Trajectory) -> None:
        """How it ended, by the gold answer."""
        gold = f" The gold answer is: {one.gold}." if one.gold else ""
        reason = f"The log counts it as {one.outcome}.{gold}" if one.outcome else gold.strip()
        totals = Totals(calls=self._calls, tool_calls=self._tools, seconds=self._at)
        feedback = "gold" if one.reflections else "tool"
        status = "answered" if one.answer else "limit"
        if reason:
            self.add(Warned, code="published_outcome", message=reason)
        why = "" if one.answer else "It was halted without an answer."
        self.add(RunFinished, status=status, answer=one.answer, reason=why, feedback=feedback, totals=totals)
