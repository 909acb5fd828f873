"""What comes from another machine's log: it is entered in one transaction or not at all, under ids of its own."""

import json
import math
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, insert, select

from workbench.errors import BundleError
from workbench.events import (
    AnyEvent,
    ModelAnswered,
    ModelCalled,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    ToolCalled,
    to_json,
)
from workbench.request import RunRequest
from workbench.store.database import Database
from workbench.store.runs import KEPT, TOLD, Verdict, end_values, plain, searchable
from workbench.store.tables import events as events_table
from workbench.store.tables import runs as runs_table

BATCH = 2**20  # characters of events that are packed together
LARGEST = 2**31 - 1  # what a database's column for whole numbers holds
LONG = ("question", "answer", "searched")  # of a run's row, packed while the others are read
LOCK = 0x1A4E5  # PostgreSQL's advisory lock: of two imports of the same, one comes second and finds the other's


@dataclass
class Packed:
    """JSON data in their order, packed small until they are needed; `size` is how many characters they were."""

    size: int = 0
    _count: int = 0
    _packed: list[bytes] = field(default_factory=list)
    _waiting: list[Any] = field(default_factory=list)
    _length: int = 0

    def __len__(self) -> int:
        return self._count

    def add(self, value: Any, size: int) -> None:
        """Take in one of about so many characters."""
        self._waiting.append(value)
        self._count, self.size, self._length = self._count + 1, self.size + size, self._length + size
        if self._length > BATCH:
            self.pack()

    def pack(self) -> None:
        """Pack what waits for more."""
        if self._waiting:
            self._packed.append(zlib.compress(json.dumps(self._waiting).encode(), 1))
        self._waiting, self._length = [], 0

    def batches(self) -> Iterator[list[Any]]:
        """All of them, some at a time."""
        self.pack()
        for packed in self._packed:
            yield json.loads(zlib.decompress(packed))


@dataclass
class Arrival:
    """A run on its way in: its log, packed small until it is entered, and the row that the log makes."""

    id: str
    foreign_id: str
    verdict: Verdict = ""
    parent: str = ""
    row: dict[str, Any] = field(default_factory=dict)
    log: Packed = field(default_factory=Packed)
    _long: bytes = b""
    _inherited: int = 0

    def take(self, event: AnyEvent) -> None:
        """The next event of its log; the first is its RunStarted."""
        payload = to_json(event)
        self.log.add((event.seq, event.kind, event.at, payload), len(payload))
        if isinstance(event, RunStarted):
            self._begin(event)
        elif event.seq > self._inherited:  # what it took over from its parent cost it nothing
            self._count(event)
        self.row["seconds"] = self.row["seconds"] if isinstance(event, RunFinished) else event.at

    def pack(self) -> None:
        """Its log is whole: keep it and its row small."""
        self.log.pack()
        self._long = zlib.compress(json.dumps({name: self.row.pop(name) for name in LONG}).encode(), 1)

    def events(self) -> Iterator[list[dict[str, Any]]]:
        """The rows of its log, a batch at a time."""
        for batch in self.log.batches():
            yield [{"run_id": self.id, "seq": s, "kind": k, "at": at, "payload": text} for s, k, at, text in batch]

    def settled(self, belongs: str) -> dict[str, Any]:
        """Its whole row. Raises BundleError for numbers that are none."""
        status = "interrupted" if self.row["status"] in ("running", "paused") else self.row["status"]
        whole = {name: value for name, value in self.row.items() if isinstance(value, int)}
        told = [self.row["seconds"], *(self.row[name] for name in TOLD if self.row[name] is not None)]
        if any(not 0 <= value <= LARGEST for value in whole.values()) or not all(map(math.isfinite, told)):
            raise BundleError(f"The totals of run {self.foreign_id} in the bundle are no numbers.")
        made = {"id": self.id, "foreign_id": self.foreign_id, "verdict": self.verdict, "parent": self.parent}
        texts = json.loads(zlib.decompress(self._long)) if self._long else {}
        return {**self.row, **texts, **made, "status": status, "belongs": belongs, "owner": "", "touched": time.time()}

    def _begin(self, event: RunStarted) -> None:
        request = RunRequest.model_validate(event.request)
        self._inherited = event.inherited
        numbers = ("calls", "tool_calls", "prompt_tokens", "completion_tokens", "cached_tokens")
        self.row = (
            dict.fromkeys(numbers, 0)
            | dict.fromkeys(TOLD)
            | {
                "created_at": event.created_at,
                "status": "running",
                "machine": plain(request.machine)[:64],
                "machine_title": plain(event.machine_title)[:200],
                "backend": plain(request.backend)[:64],
                "model": plain(request.model),
                "question": plain(request.question)[:KEPT],
                "answer": "",
                "searched": searchable(request.question, ""),
                "seconds": event.at,
                "error_code": "",
                "relation": event.relation,
            }
        )

    def _count(self, event: AnyEvent) -> None:
        match event:
            case ModelCalled() if not event.by_person:
                self.row["calls"] += 1
            case ToolCalled() if not event.by_person:
                self.row["tool_calls"] += 1
            case ModelAnswered():
                for name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
                    self.row[name] += getattr(event, name) or 0
                for name in TOLD:
                    if (more := getattr(event, name)) is not None:
                        self.row[name] = (self.row[name] or 0.0) + more
            case Paused():
                self.row["status"] = "paused"
            case Resumed():
                self.row |= {"status": "running", "error_code": ""}
            case RunFinished():
                ended = end_values(event, self.row["question"])
                self.row |= ended | {"error_code": plain(ended["error_code"])[:64]}


def known(database: Database, belongs: str) -> dict[str, str]:
    """The runs that were imported under this name before: id there -> id here."""
    with database.read() as connection:
        return _known(connection, belongs)


class Companion(Protocol):
    """What comes with the runs and is entered after them, in the same transaction."""

    def is_here(self, connection: Connection) -> bool:
        """Whether it has come before."""

    def enter(self, connection: Connection) -> None:
        """Enter it."""


def take_in(database: Database, belongs: str, arrivals: Sequence[Arrival], companion: Companion | None = None) -> bool:
    """Enter those of the runs that are not here, and what comes with them; False when there is nothing to enter.

    Where something comes with them, it decides: with it here, nothing is entered. Raises BundleError, StoreError.
    """
    with database.write(durable=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        here = _known(connection, belongs)
        missing = [arrival for arrival in arrivals if arrival.foreign_id not in here]
        if companion.is_here(connection) if companion else not missing:
            return False
        for arrival in missing:
            connection.execute(insert(runs_table), [arrival.settled(belongs)])
            for batch in arrival.events():
                connection.execute(insert(events_table), batch)
        if companion:
            companion.enter(connection)
    return True


def _known(connection: Connection, belongs: str) -> dict[str, str]:
    wanted = select(runs_table.c.foreign_id, runs_table.c.id).where(runs_table.c.belongs == belongs)
    return {row.foreign_id: row.id for row in connection.execute(wanted)}
