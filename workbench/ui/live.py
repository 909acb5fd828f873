"""A run on the page: follows its log, live or replayed, and redraws only what its events changed."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from streamlit.delta_generator import DeltaGenerator

from workbench.events import (
    KINDS,
    AnyEvent,
    CallFailed,
    CallView,
    Entry,
    ErrorInfo,
    ModelAnswered,
    ModelCalled,
    Paused,
    RunFinished,
    RunStarted,
    RunView,
    ToolView,
)
from workbench.store.runs import RunRow, RunStore
from workbench.ui import cards, context, diagram, episodes, metrics, money, origins, session, tasks, votes
from workbench.ui.window import CardPlaces, Slot, Window

CARD_SECONDS = 1 / 12  # cards are redrawn at most this often
NUMBER_SECONDS = 0.5
PATIENCE = 0.05
LATEST_OPEN = 2  # so many cards at the end stay unfolded
LONGEST_GAP = 2.0  # seconds of silence that a replay keeps
PASSING = frozenset({"queued", "loading", "reading", "delta"})  # what an answer makes superfluous
LASTING = KINDS - PASSING


class Clock(Protocol):
    """How old the run is now, in seconds."""

    def __call__(self, view: RunView) -> float:
        """The age to show."""


class Aid(Protocol):
    """What helps with an entry of a run that goes on, drawn into a place under its card."""

    def __call__(self, view: RunView, index: int, place: DeltaGenerator) -> bool:
        """Draw it; False where there is nothing to be done about that entry."""


def wall_clock(view: RunView) -> float:
    """The age of a run in progress; one that waits for the person does not age."""
    if view.started is None or view.status != "running":
        return view.last_at
    moment, at = view.clock
    age = datetime.now(UTC) - datetime.fromisoformat(moment)
    return max(view.last_at, at + age.total_seconds())


def log_clock(view: RunView) -> float:
    """The age at the last event: for replays and for ended runs."""
    return view.last_at


@dataclass(frozen=True)
class Replay:
    """A recorded run played again at `speed` times its pace; `began` is on this process's monotonic clock."""

    run_id: str
    speed: float
    began: float

    @classmethod
    def begin(cls, run_id: str, speed: float) -> "Replay":
        """A replay that starts now."""
        return cls(run_id, speed, time.monotonic())

    def batches(self, events: Iterable[AnyEvent]) -> Iterator[list[AnyEvent]]:
        """The events as they fall due. What a page that was redrawn in the middle has missed comes first, at once."""
        waiting = self._schedule(events)
        batch: list[AnyEvent] = []
        for due, event in waiting:
            while (left := due - time.monotonic()) > 0:
                yield batch
                batch = []
                time.sleep(min(left, PATIENCE))
            batch.append(event)
        yield batch

    def _schedule(self, events: Iterable[AnyEvent]) -> Iterator[tuple[float, AnyEvent]]:
        due, last = self.began, 0.0
        for event in events:
            due += min(event.at - last, LONGEST_GAP) / self.speed
            last = event.at
            yield due, event


@dataclass(frozen=True)
class Places:
    """Where a run stands on the page. What is not shown leaves its place empty, or an older drawing shines through."""

    diagram: DeltaGenerator
    numbers: DeltaGenerator
    context: DeltaGenerator
    switch: DeltaGenerator
    tasks: DeltaGenerator
    cards: DeltaGenerator


@dataclass
class Screen:
    """A run on the page: its fold, and what stands in its places."""

    run_id: str
    places: Places
    clock: Clock = log_clock
    aid: Aid | None = None
    view: RunView = field(default_factory=RunView)
    _pending: set[int] = field(default_factory=set)
    _counting: set[int] = field(default_factory=set)
    _seen: int = 0
    _cards_at: float = 0.0
    _counted_at: float = 0.0
    _numbers_at: float = 0.0
    _has_switch: bool = False
    _tasks: str = ""
    _has_heat: bool = False
    _aided: list[Slot] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the places of the cards, before the run is known."""
        self._switches: tuple[DeltaGenerator, DeltaGenerator] | None = None
        self._window = Window(self.run_id)
        self._cards = CardPlaces(self.places.cards, self._window)

    def follow(self, batches: Iterable[list[AnyEvent]]) -> None:
        """Take batches in until they end, redrawing what they change. The cards of an older drawing are cleared."""
        before = int(session.recall(session.CARDS, 0))
        session.put(session.CARDS, 0)
        for batch in batches:
            for event in batch:
                self._take(event)
            self._refresh()
            self._cards.clear(before)
        self._refresh(force=True)
        self._withdraw_aid()

    def _take(self, event: AnyEvent) -> None:
        self.view.apply(event)
        if isinstance(event, RunStarted) and (thread := origins.begin_html(event)):
            self._cards.thread.html(thread)

    def _refresh(self, force: bool = False) -> None:
        now = time.monotonic()
        self._collect(now)
        urgent = self._urgent()
        if self._pending and (force or now - self._cards_at >= CARD_SECONDS or urgent):
            self._draw_cards()
            self._cards_at = now
        if self.view.graph_changed:
            self.view.graph_changed = False
            svg = diagram.diagram_svg(self.view, self._window.first)
            self.places.diagram.markdown(svg, unsafe_allow_html=True)
        if force or urgent or now - self._numbers_at >= NUMBER_SECONDS:
            self._draw_numbers()
            self._numbers_at = now

    def _collect(self, now: float) -> None:
        """What the events touched, the cards that newer ones let fold, and those that count seconds."""
        count, changed, age = len(self.view.entries), self.view.take_changes(), self.clock(self.view)
        newly_old = range(max(self._seen - LATEST_OPEN, 0), max(count - LATEST_OPEN, 0))
        self._seen = count
        self._pending |= changed | set(newly_old)
        self._counting |= {index for index in changed if cards.counts_seconds(self.view, index, age)}
        if now - self._counted_at >= NUMBER_SECONDS:
            self._counted_at = now
            self._pending |= self._counting
            self._counting = {index for index in self._counting if cards.counts_seconds(self.view, index, age)}

    def _urgent(self) -> bool:
        """Whether something began or ended: that is shown at once, growing text is not."""
        return any(
            index >= self._cards.count
            or ((slot := self._cards.get(index)) is not None and slot.stamp != stamp(self.view.entries[index]))
            for index in self._pending
        )

    def _draw_cards(self) -> None:
        count, age = len(self.view.entries), self.clock(self.view)
        self._cards.settle(count)
        self._draw_switch()
        show = _shown()
        for index in sorted(self._pending):
            if slot := self._cards.get(index):
                fold = index < count - LATEST_OPEN
                slot.card.html(cards.entry_html(self.view, index, fold=fold, show=show, now=age))
                slot.stamp = stamp(self.view.entries[index])
                self._draw_sent(slot, index)
                self._draw_aid(slot, index)
        self._pending = set()
        session.put(session.CARDS, self._cards.height)

    def _draw_sent(self, slot: Slot, index: int) -> None:
        """What was sent, offered once a model's call has ended and written only when it is asked for."""
        call = self.view.entries[index]
        if not isinstance(call, CallView) or call.ended_at is None or call.called.by_person or slot.has_sent:
            return
        slot.has_sent = True
        key = f"sent-{self.run_id}-{index}"
        opener = slot.sent.expander("What was sent", type="compact", key=key, on_change="rerun")
        if opener.open:
            opener.html(cards.sent_html(call if call.called.messages else self._with_prompt(call)))

    def _draw_aid(self, slot: Slot, index: int) -> None:
        """Under a card what can be done about it, as long as the run goes on."""
        if self.aid is not None and self.view.status == "running" and not slot.has_sent:
            slot.has_sent = self.aid(self.view, index, slot.sent)
            self._aided += [slot] if slot.has_sent else []

    def _withdraw_aid(self) -> None:
        """The run has ended: what can be done then is said there."""
        for slot in self._aided if self.view.status != "running" else ():
            slot.sent.empty()

    def _with_prompt(self, call: CallView) -> CallView:
        """The call with its messages, which a settled log does not have."""
        seq = call.called.seq
        (called,) = session.engine().store.events(self.run_id, seq - 1, seq + 1)
        return replace(call, called=called) if isinstance(called, ModelCalled) else call

    def _draw_switch(self) -> None:
        """Once there is a revision: its text alone, or with what it changed. Once there are tokens: their heat map."""
        pending = [self.view.entries[index] for index in self._pending]
        if not self._has_switch and any(map(_is_revision, pending)):
            self._has_switch = True
            session.remember(session.SHOW, "changes")
            self._switch_places()[0].segmented_control(
                "Revisions",
                ("clean", "changes"),
                key=session.SHOW,
                required=True,
                label_visibility="collapsed",
                persist_state="session",
            )
        if not self._has_heat and any(map(_has_tokens, pending)):
            self._has_heat = True
            session.remember(session.HEAT, False)
            self._switch_places()[1].toggle("Token probabilities", key=session.HEAT, persist_state="session")

    def _switch_places(self) -> tuple[DeltaGenerator, DeltaGenerator]:
        """Where the two switches stand beside each other, made when there is the first."""
        if self._switches is None:
            row = self.places.switch.container(key="switches", horizontal=True, vertical_alignment="center")
            self._switches = row.empty(), row.empty()
        return self._switches

    def _draw_numbers(self) -> None:
        numbers = metrics.metrics_html(self.view, self.clock(self.view), money.of(self.view)) + context.growth_html(
            self.view
        )
        said = votes.votes_html(self.view.votes) + episodes.rewards_html(self.view.rewards)
        self.places.numbers.html(numbers + said)
        if use := metrics.context_html(self.view):
            self.places.context.html(use)
        if (told := tasks.tasks_html(self.view)) != self._tasks:
            self._tasks = told
            self.places.tasks.html(told)


def stored(store: RunStore, run_id: str, patience: float = NUMBER_SECONDS) -> Iterator[list[AnyEvent]]:
    """A run of another process, read from the store as it grows, until it ends or waits or its process is gone.

    It is looked for every `patience` seconds.
    """
    ended = store.run(run_id).status != "running"
    batch = settled(store, run_id)
    last = batch[-1].seq if batch else -1
    yield batch
    while not ended:
        store.mark_interrupted()
        time.sleep(patience)
        ended = store.run(run_id).status != "running"
        batch = store.events(run_id, last)
        last = batch[-1].seq if batch else last
        yield batch


def ended(store: RunStore, row: RunRow) -> Iterator[list[AnyEvent]]:
    """The log of a run that is over or waits. An interrupted one gets the end that its log lacks, so that it shows."""
    yield with_end(row, settled(store, row.id))


_CUT_OFF = ErrorInfo(
    code="interrupted",
    message="The app ended while this run was in progress.",
    hint="What had finished is kept. Resume goes on from there.",
)
_NOT_ENDED_THERE = ErrorInfo(
    code="interrupted",
    message="This run had not ended when it was exported.",
    hint="What had finished is kept. Run it again to have its answer.",
)


def with_end(row: RunRow, events: list[AnyEvent]) -> list[AnyEvent]:
    """A log that is not in progress, with an end where it lacks one.

    What an imported run waited for stayed where it was made: it waits no more.
    """
    waits = bool(events) and isinstance(events[-1], Paused) and not row.foreign_id
    if not waits and not (events and isinstance(events[-1], RunFinished)):
        error = _NOT_ENDED_THERE if row.foreign_id else _CUT_OFF
        view = RunView.of(events)
        events.append(
            RunFinished(
                run_id=row.id,
                seq=view.last_seq + 1,
                at=view.last_at,
                status="failed",
                error=error,
                totals=view.totals,
            )
        )
    return events


def settled(store: RunStore, run_id: str) -> list[AnyEvent]:
    """A run's log without how its answers came to be, which is most of it: what is seen of the rest is the same.

    A call without an answer keeps its pieces, and the first token its moment. What was sent is read when asked for.
    """
    events = store.events(run_id, kinds=LASTING, prompts=False)
    for begin, end in _unsettled(events):
        events += store.events(run_id, begin, end, kinds=PASSING)
    return sorted({event.seq: event for event in events}.values(), key=lambda event: event.seq)


def _unsettled(events: list[AnyEvent]) -> Iterator[tuple[int, int | None]]:
    """Between which events the log is read whole: a call without an answer, and the first, whose first token counts."""
    ends = {event.call_id: event for event in events if isinstance(event, ModelAnswered | CallFailed)}
    begun = next((event.last_inherited for event in events if isinstance(event, RunStarted)), 0)
    own = [event for event in events if isinstance(event, ModelCalled) and event.seq > begun]
    for call in own:
        end = ends.get(call.call_id)
        if call is own[0] or not isinstance(end, ModelAnswered):
            yield call.seq, end.seq if end else None


def stamp(entry: Entry) -> object:
    """What stage an entry is in."""
    match entry:
        case CallView():
            return entry.state, entry.card is not None, entry.queued
        case ToolView():
            return entry.answered is not None, entry.interrupted
    return None


def _shown() -> cards.Show:
    if session.recall(session.HEAT):
        return "probabilities"
    return "clean" if session.recall(session.SHOW) == "clean" else "changes"


def _has_tokens(entry: Entry) -> bool:
    return isinstance(entry, CallView) and entry.answer is not None and bool(entry.answer.tokens)


def _is_revision(entry: Entry) -> bool:
    return isinstance(entry, CallView) and entry.card is not None and bool(entry.card.data.get("previous"))
