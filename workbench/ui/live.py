"""A run on the page: follows its log, live or replayed, and redraws only what its events changed."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from streamlit.delta_generator import DeltaGenerator

from workbench.engine import Engine
from workbench.events import AnyEvent, CallView, Entry, ErrorInfo, RunFinished, RunView, ToolView
from workbench.store.runs import RunRow, RunStore
from workbench.ui import cards, diagram, metrics, session

CARD_SECONDS = 1 / 12  # cards are redrawn at most this often
NUMBER_SECONDS = 0.5
PATIENCE = 0.05
LATEST_OPEN = 2  # so many cards at the end stay unfolded
LONGEST_GAP = 2.0  # seconds of silence that a replay keeps


class Clock(Protocol):
    """How old the run is now, in seconds."""

    def __call__(self, view: RunView) -> float:
        """The age to show."""


def wall_clock(view: RunView) -> float:
    """The age of a run in progress."""
    if view.started is None or view.finished is not None:
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
    cards: DeltaGenerator


@dataclass
class Slot:
    """The place of one card: the card itself, and under it what was sent."""

    card: DeltaGenerator
    sent: DeltaGenerator
    stamp: object = None
    has_sent: bool = False


@dataclass
class Screen:
    """A run on the page: its fold, and what stands in its places."""

    run_id: str
    places: Places
    clock: Clock = log_clock
    view: RunView = field(default_factory=RunView)
    _slots: list[Slot] = field(default_factory=list)
    _pending: set[int] = field(default_factory=set)
    _seen: int = 0
    _cards_at: float = 0.0
    _numbers_at: float = 0.0
    _has_switch: bool = False

    def follow(self, batches: Iterable[list[AnyEvent]]) -> None:
        """Take batches in until they end, redrawing what they change. The cards of an older drawing are cleared."""
        before = int(session.recall(session.CARDS, 0))
        session.put(session.CARDS, 0)
        for batch in batches:
            for event in batch:
                self.view.apply(event)
            self._refresh()
            self._reserve(before)
        self._refresh(force=True)

    def _refresh(self, force: bool = False) -> None:
        now = time.monotonic()
        self._collect()
        if self._pending and (force or now - self._cards_at >= CARD_SECONDS or self._urgent()):
            self._draw_cards()
            self._cards_at = now
        if self.view.graph_changed:
            self.view.graph_changed = False
            self.places.diagram.markdown(diagram.diagram_svg(self.view), unsafe_allow_html=True)
        if force or now - self._numbers_at >= NUMBER_SECONDS:
            self._draw_numbers()
            self._numbers_at = now

    def _collect(self) -> None:
        """What the events touched, and the cards that newer ones let fold."""
        count = len(self.view.entries)
        newly_old = range(max(self._seen - LATEST_OPEN, 0), max(count - LATEST_OPEN, 0))
        self._pending |= self.view.take_changes() | set(newly_old)
        self._seen = count

    def _urgent(self) -> bool:
        """Whether something began or ended: that is shown at once, growing text is not."""
        return any(
            index >= len(self._slots) or self._slots[index].stamp != _stamp(self.view.entries[index])
            for index in self._pending
        )

    def _draw_cards(self) -> None:
        self._reserve(len(self.view.entries))
        session.put(session.CARDS, len(self.view.entries))
        self._draw_switch()
        show: cards.Show = "clean" if session.recall(session.SHOW) == "clean" else "changes"
        age = self.clock(self.view)
        for index in sorted(self._pending):
            entry, slot = self.view.entries[index], self._slots[index]
            fold = index < len(self.view.entries) - LATEST_OPEN
            slot.card.html(cards.entry_html(self.view, index, fold=fold, show=show, now=age))
            slot.stamp = _stamp(entry)
            if isinstance(entry, CallView) and entry.ended_at is not None and not slot.has_sent:
                slot.has_sent = True
                self._draw_sent(slot, index, entry)
        self._pending = set()

    def _draw_sent(self, slot: Slot, index: int, call: CallView) -> None:
        """What was sent, written only once it is asked for."""
        key = f"sent-{self.run_id}-{index}"
        opener = slot.sent.expander("What was sent", type="compact", key=key, on_change="rerun")
        if opener.open:
            opener.html(cards.sent_html(call))

    def _draw_switch(self) -> None:
        """Once there is a revision: its text alone, or with what it changed."""
        if self._has_switch or not any(map(_is_revision, self.view.entries)):
            return
        self._has_switch = True
        session.remember(session.SHOW, "changes")
        self.places.switch.segmented_control(
            "Revisions",
            ("clean", "changes"),
            key=session.SHOW,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )

    def _draw_numbers(self) -> None:
        self.places.numbers.html(metrics.metrics_html(self.view, self.clock(self.view)))
        if use := metrics.context_html(self.view):
            self.places.context.html(use)

    def _reserve(self, count: int) -> None:
        while len(self._slots) < count:
            place = self.places.cards.container(key=f"entry-place-{len(self._slots)}", gap=None)
            self._slots.append(Slot(place.empty(), place.empty()))


def until_kept(engine: Engine, run_id: str) -> Iterator[list[AnyEvent]]:
    """A run of this process until its end is on disk: only then may it be run again, replayed or deleted."""
    yield from engine.follow(run_id, patience=PATIENCE)
    while engine.is_live(run_id):
        yield []
        time.sleep(PATIENCE)


def stored(store: RunStore, run_id: str) -> Iterator[list[AnyEvent]]:
    """A run of another process, read from the store as it grows, until it ends or its process does."""
    last = -1
    while True:
        ended = store.run(run_id).status != "running"
        batch = store.events(run_id, last)
        last = batch[-1].seq if batch else last
        yield batch
        if ended:
            return
        store.mark_interrupted()
        time.sleep(NUMBER_SECONDS)


def ended(store: RunStore, row: RunRow) -> Iterator[list[AnyEvent]]:
    """The log of a run that is over; an interrupted one gets the end that its log lacks, so that it is shown as one."""
    events = store.events(row.id)
    if not events or not isinstance(events[-1], RunFinished):
        error = ErrorInfo(
            code="interrupted",
            message="The app ended while this run was in progress.",
            hint="What had finished is kept. Resume goes on from there.",
        )
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
    yield events


def _stamp(entry: Entry) -> object:
    """What stage an entry is in."""
    match entry:
        case CallView():
            return entry.state, entry.card is not None, entry.queued
        case ToolView():
            return entry.answered is not None, entry.interrupted
    return None


def _is_revision(entry: Entry) -> bool:
    return isinstance(entry, CallView) and entry.card is not None and bool(entry.card.data.get("previous"))
