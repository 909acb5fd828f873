"""The log of one run while it is written: stamps events, joins deltas, wakes readers, hands batches to the store."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from workbench.errors import StoreError
from workbench.events import AnyEvent, Channel, Delta, Event, RunFinished

JOIN_SECONDS = 0.05  # deltas are joined to at most 20 events a second
SAVE_SECONDS = 0.25  # what is written between two steps reaches the disk this often

Kind = TypeVar("Kind", bound=Event)
Save = Callable[[Sequence[AnyEvent]], None]


class RunLog:
    """Written on the engine's loop, read from any thread."""

    def __init__(self, run_id: str, save: Save, before: Sequence[AnyEvent] = ()) -> None:
        """Begin a log, or go on with one whose events so far are `before`; its clock goes on where they end."""
        self.run_id = run_id
        self.failure: StoreError | None = None
        self.on_failure: Callable[[], object] = lambda: None
        self.watch: Callable[[AnyEvent], object] = lambda event: None
        self._save = save
        self._began = time.monotonic() - (before[-1].at if before else 0.0)
        self._events: list[AnyEvent] = list(before)
        self._saved = len(before)
        self._news = threading.Condition()
        self._pending: dict[str, tuple[Channel, list[str]]] = {}  # by call: several may write at once
        self._joined_at = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.finished = False

    def emit(self, kind: type[Kind], **fields: Any) -> Kind:
        """Put an event on the log."""
        self._flush_delta()
        return self._append(kind, fields)

    def inherit(self, events: Sequence[AnyEvent]) -> None:
        """Take events of another log over, as if they had all happened now, and save them with what came before."""
        stamp = {"run_id": self.run_id, "at": self.seconds()}
        with self._news:
            for event in events:
                self._events.append(event.model_copy(update={**stamp, "seq": len(self._events)}))
            self._news.notify_all()
        self.save()

    def delta(self, call_id: str, channel: Channel, text: str) -> None:
        """Put streamed text on the log, joined with what its call wrote before; a first piece goes through at once."""
        if call_id in self._pending and self._pending[call_id][0] != channel:
            self._flush_delta()
        self._pending.setdefault(call_id, (channel, []))[1].append(text)
        wait = self._joined_at + JOIN_SECONDS - time.monotonic()
        if wait <= 0:
            self._flush_delta()
        else:
            self._later("join", wait, self._flush_delta)

    @property
    def events(self) -> Sequence[AnyEvent]:
        """Everything so far."""
        return self._events

    def seconds(self) -> float:
        """Seconds since the run began."""
        return round(time.monotonic() - self._began, 4)

    def save(self) -> None:
        """Write everything so far to the store. Raises StoreError."""
        self._flush_delta()
        self._cancel("save")
        batch = self._events[self._saved :]
        if batch:
            self._save(batch)
            self._saved = len(self._events)

    def close(self) -> None:
        """No more events will come, though the run has no end yet."""
        self._cancel("join")
        self._cancel("save")
        with self._news:
            self.finished = True
            self._news.notify_all()

    def follow(self, after: int, patience: float) -> Iterator[list[AnyEvent]]:
        """Batches of events after a sequence number until the run ends; an empty one after `patience` seconds."""
        while True:
            with self._news:
                if not self._news_since(after):
                    self._news.wait(patience)
                batch, finished = self._events[after + 1 :], self.finished
            if batch:
                after = batch[-1].seq
            yield batch
            if finished:  # read in the same moment as the batch: nothing comes after it
                return

    def _news_since(self, after: int) -> bool:
        return len(self._events) > after + 1 or self.finished

    def _append(self, kind: type[Kind], fields: dict[str, Any]) -> Kind:
        asyncio.get_running_loop()  # LangGraph runs plain functions in threads: from there nothing may be logged
        event = kind(run_id=self.run_id, seq=len(self._events), at=self.seconds(), **fields)
        with self._news:
            self._events.append(event)  # type: ignore[arg-type]
            self.finished = self.finished or isinstance(event, RunFinished)
            self._news.notify_all()
        self.watch(event)  # type: ignore[arg-type]
        self._later("save", SAVE_SECONDS, self._save_or_fail)
        return event

    def _flush_delta(self) -> None:
        self._cancel("join")
        pending, self._pending = self._pending, {}
        if pending:
            self._joined_at = time.monotonic()
        for call_id, (channel, pieces) in pending.items():
            self._append(Delta, {"call_id": call_id, "channel": channel, "text": "".join(pieces)})

    def _save_or_fail(self) -> None:
        """A failing disk ends the run; what is in memory stays readable for those who follow it."""
        self._timers.pop("save", None)
        try:
            self.save()
        except StoreError as error:
            self.failure = error
            self.on_failure()

    def _later(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        if name not in self._timers and not self.finished:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, action)

    def _cancel(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()
