"""The log of every run on disk, and a row per run that lists and finds it."""

import time
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Connection, Float, Integer, Row, Select, bindparam, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from workbench.errors import InvalidRequest, RunNotFound, StoreError
from workbench.events import (
    AnyEvent,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    Paused,
    Relation,
    Resumed,
    RunFinished,
    RunStarted,
    ToolCalled,
    Totals,
    from_log,
    to_json,
)
from workbench.request import RunRequest
from workbench.store.database import Database
from workbench.store.owner import lives, owner
from workbench.store.tables import events as events_table
from workbench.store.tables import runs as runs_table

RowStatus = Literal["running", "paused", "answered", "stopped", "limit", "failed", "interrupted"]
Verdict = Literal["", "good", "bad"]
STATUSES: tuple[RowStatus, ...] = ("running", "paused", "answered", "stopped", "limit", "failed", "interrupted")
DURABLE = (
    NodeFinished | RunFinished | Resumed | Paused | ToolCalled
)  # on the disk when `append` returns, even if the power fails

KEPT = 20_000  # characters of question and answer in a run's row; the log has them whole
SHORTEST_PREFIX = 4
LONGEST_ID = 64
LONGEST_SEARCH = 1_000
OF_EXPERIMENT = "experiment:"  # what the runs of one belong to, before its id
BETWEEN = "\x1f"  # parts question from answer in what is searched


@dataclass(frozen=True)
class RunRow:
    """A run as the list shows it: `created_at` in ISO 8601, question and answer perhaps cut, its cost so far.

    `parent` is the id of the run that it comes from, which may have been deleted since, and `relation` says how.
    `belongs` names what it was made for (experiment:ID, comparison:ID, import:DIGEST), `foreign_id` is an imported
    run's id where it was made, `verdict` is what the person thinks of it. The seconds of loading, prefill and decode
    and the joules are None where nobody told, as of runs that older versions made.
    """

    id: str
    created_at: str
    status: RowStatus
    machine: str
    machine_title: str
    backend: str
    model: str
    question: str
    answer: str
    seconds: float
    calls: int
    tool_calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    error_code: str
    parent: str = ""
    relation: Relation = ""
    belongs: str = ""
    foreign_id: str = ""
    verdict: Verdict = ""
    load_seconds: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    joules: float | None = None


_SHOWN = [runs_table.c[field.name] for field in fields(RunRow)]

# What every batch of events does, made once: SQLAlchemy takes longer to put it together than SQLite to do it.
_ADDED = ("calls", "tool_calls", "prompt_tokens", "completion_tokens", "cached_tokens")
TOLD = ("load_seconds", "prefill_seconds", "decode_seconds", "joules")  # of which a backend may tell nothing
_ITS = runs_table.c.id == bindparam("of")
_BEFORE = select(runs_table.c.question, runs_table.c.status, runs_table.c.owner).where(_ITS).with_for_update()
_RUN, _EVENTS = insert(runs_table), insert(events_table)
_GROWN: dict[str, Any] = {name: runs_table.c[name] + bindparam(f"more_{name}", type_=Integer) for name in _ADDED}
for _name in TOLD:
    _more, _so_far = bindparam(f"more_{_name}", type_=Float), runs_table.c[_name]
    _GROWN[_name] = case((_more.is_(None), _so_far), else_=func.coalesce(_so_far, 0.0) + _more)
_STAMP: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("touched", "seconds")}
_GROWS = update(runs_table).where(_ITS).values({**_GROWN, **_STAMP})


class RunStore:
    """The runs and their events in one database; safe for many threads and several processes.

    `url` is SQLAlchemy's: a SQLite file or a PostgreSQL database. `notice` tells what happened at the opening.
    """

    def __init__(self, url: str) -> None:
        """Open or make the database. Raises StoreReadOnly, DiskFull or StoreError."""
        self.database = Database(url)
        self.notice = self.database.notice
        self._owner = owner()

    def create(
        self,
        run_id: str,
        request: RunRequest,
        machine_title: str,
        created_at: str,
        parent: str = "",
        relation: Relation = "",
        belongs: str = "",
    ) -> None:
        """Enter a run that begins now in this process, by itself or as `relation` of the run `parent`."""
        row = {
            **dict.fromkeys(("calls", "tool_calls", "prompt_tokens", "completion_tokens", "cached_tokens"), 0),
            "id": run_id,
            "created_at": created_at,
            "status": "running",
            "machine": plain(request.machine),
            "machine_title": plain(machine_title)[:200],
            "backend": plain(request.backend),
            "model": plain(request.model),
            "question": plain(request.question)[:KEPT],
            "answer": "",
            "searched": searchable(request.question, ""),
            "seconds": 0.0,
            "error_code": "",
            "owner": self._owner,
            "touched": time.time(),
            "parent": parent,
            "relation": relation,
            "belongs": belongs,
        }
        with self.database.write() as connection:
            try:
                connection.execute(_RUN, row)
            except IntegrityError:
                raise StoreError(f"There is a run with the id {run_id} already.", "Start the run again.") from None

    def append(self, events: Sequence[AnyEvent]) -> None:
        """Put events on the log in one transaction and keep their run's row current.

        What a run inherits comes in the same batch as its RunStarted. Raises StoreError, also when another process
        has taken the run over.
        """
        if not events:
            return
        durable = any(isinstance(event, DURABLE) for event in events)
        ordered = sorted(events, key=lambda event: (event.run_id, event.seq))
        with self.database.write(durable=durable) as connection:
            for run_id, batch in groupby(ordered, key=lambda event: event.run_id):
                self._append(connection, run_id, list(batch))

    def events(
        self,
        run_id: str,
        after: int = -1,
        before: int | None = None,
        kinds: Collection[str] = (),
        prompts: bool = True,
    ) -> list[AnyEvent]:
        """A run's events with a sequence number above `after`, in order; empty for an unknown run.

        With `before` only those below it, with `kinds` only those of these kinds; without `prompts` the calls lack
        their messages.
        """
        columns = events_table.c
        wanted = select(columns.seq, columns.kind, columns.payload).order_by(columns.seq)
        wanted = wanted.where(columns.run_id == plain(run_id), columns.seq > after)
        if before is not None:
            wanted = wanted.where(columns.seq < before)
        if kinds:
            wanted = wanted.where(columns.kind.in_(sorted(kinds)))
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        return [_decoded(run_id, row.seq, row.kind, row.payload, prompts) for row in rows]

    def run(self, run_id: str) -> RunRow:
        """The run of that id, or the only one whose id begins so (4 characters or more). Raises RunNotFound."""
        run_id = plain(run_id)
        with self.database.read() as connection:
            found = connection.execute(select(*_SHOWN).where(runs_table.c.id == run_id)).all()
            if not found and SHORTEST_PREFIX <= len(run_id) <= LONGEST_ID:
                begins = runs_table.c.id.startswith(run_id, autoescape=True)
                found = connection.execute(select(*_SHOWN).where(begins).limit(2)).all()
        if len(found) > 1:
            raise RunNotFound(f"Several runs have an id that begins with {run_id}.", "Give more of the id.")
        if not found:
            raise RunNotFound(f"There is no run {run_id}.")
        return _row(found[0])

    def runs(
        self,
        search: str = "",
        status: str = "",
        machine: str = "",
        limit: int = 50,
        offset: int = 0,
        experiments: bool = True,
    ) -> list[RunRow]:
        """Runs, newest first. `search` is looked for in question and answer, in upper or lower case alike.

        Without `experiments` those that were made for one are left out.
        """
        wanted = _filtered(select(*_SHOWN), search, status, machine, experiments)
        ordered = wanted.order_by(runs_table.c.created_at.desc(), runs_table.c.id.desc())
        with self.database.read() as connection:
            return [_row(row) for row in connection.execute(ordered.limit(limit).offset(offset))]

    def count(
        self,
        search: str = "",
        status: str = "",
        machine: str = "",
        experiments: bool = True,
    ) -> int:
        """How many runs `runs` would list without a limit."""
        counted = select(func.count()).select_from(runs_table)
        wanted = _filtered(counted, search, status, machine, experiments)
        with self.database.read() as connection:
            return connection.scalar(wanted) or 0

    def family(self, run_id: str) -> list[RunRow]:
        """The root of a run's tree of forks and every run that comes from it, oldest first. Raises RunNotFound.

        A deleted run ends the chain: what came from it has no other root.
        """
        run_id, columns = plain(run_id), runs_table.c
        above = select(columns.id, columns.parent).where(columns.id == run_id).cte("above", recursive=True)
        above = above.union(select(columns.id, columns.parent).join(above, columns.id == above.c.parent))
        with self.database.read() as connection:
            parents = {row.id: row.parent for row in connection.execute(select(above.c.id, above.c.parent))}
            if not parents:
                raise RunNotFound(f"There is no run {run_id}.")
            root = next((name for name, parent in parents.items() if parent not in parents), run_id)
            below = select(columns.id).where(columns.id == root).cte("below", recursive=True)
            below = below.union(select(columns.id).join(below, columns.parent == below.c.id))
            wanted = select(*_SHOWN).where(columns.id.in_(select(below.c.id)))
            return [_row(row) for row in connection.execute(wanted.order_by(columns.created_at, columns.id))]

    def claim(self, run_id: str, seen: int | None = None) -> None:
        """Take a run that is not running and has no answer for this process; of several that try, one succeeds.

        `seen` is the last sequence number that the taker knows of. Raises RunNotFound, and InvalidRequest when the run
        is running or answered, or has gone on since then.
        """
        run_id, columns = plain(run_id), (runs_table.c.status, runs_table.c.owner, runs_table.c.touched)
        with self.database.write() as connection:
            row = connection.execute(select(*columns).where(runs_table.c.id == run_id).with_for_update()).first()
            if row is None:
                raise RunNotFound(f"There is no run {run_id}.")
            if row.status == "running" and lives(row.owner, row.touched):
                raise InvalidRequest(f"The run {run_id} is running already.", "Follow it, or stop it first.")
            if row.status == "answered":
                raise InvalidRequest(f"The run {run_id} has its answer already.", "Continue it with another question.")
            last = connection.scalar(select(func.max(events_table.c.seq)).where(events_table.c.run_id == run_id))
            if seen is not None and last != seen:
                raise InvalidRequest(f"The run {run_id} has gone on meanwhile.", "Look at it again.")
            taken = {"status": "running", "owner": self._owner, "touched": time.time()}
            connection.execute(update(runs_table).where(runs_table.c.id == run_id).values(taken))

    def judge(self, run_id: str, verdict: Verdict) -> None:
        """Keep what the person thinks of a run. Raises RunNotFound."""
        with self.database.write() as connection:
            chosen = update(runs_table).where(runs_table.c.id == plain(run_id))
            if not connection.execute(chosen.values(verdict=verdict)).rowcount:
                raise RunNotFound(f"There is no run {run_id}.")

    def release(self, run_ids: Iterable[str]) -> None:
        """Mark those of the runs that are running in this process as interrupted."""
        ours = (runs_table.c.status == "running", runs_table.c.owner == self._owner)
        with self.database.write() as connection:
            chosen = update(runs_table).where(runs_table.c.id.in_(list(run_ids)), *ours)
            connection.execute(chosen.values(status="interrupted"))

    def delete(self, run_id: str) -> None:
        """Delete a run with its events. Raises RunNotFound, and InvalidRequest while it is running."""
        run_id, columns = plain(run_id), (runs_table.c.status, runs_table.c.owner, runs_table.c.touched)
        with self.database.write() as connection:
            row = connection.execute(select(*columns).where(runs_table.c.id == run_id)).first()
            if row is None:
                raise RunNotFound(f"There is no run {run_id}.")
            if row.status == "running" and lives(row.owner, row.touched):
                raise InvalidRequest(f"The run {run_id} is still running.", "Stop it first.")
            connection.execute(delete(events_table).where(events_table.c.run_id == run_id))
            connection.execute(delete(runs_table).where(runs_table.c.id == run_id))

    def mark_interrupted(self) -> int:
        """Mark the runs whose process ended without finishing them; return how many."""
        columns = (runs_table.c.id, runs_table.c.owner, runs_table.c.touched)
        with self.database.read() as connection:
            running = connection.execute(select(*columns).where(runs_table.c.status == "running")).all()
        dead = [row for row in running if not lives(row.owner, row.touched)]
        if not dead:
            return 0
        with self.database.write() as connection:
            return sum(
                connection.execute(
                    update(runs_table)
                    .where(runs_table.c.id == row.id, runs_table.c.status == "running", runs_table.c.owner == row.owner)
                    .values(status="interrupted")
                ).rowcount
                for row in dead
            )

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def _append(self, connection: Connection, run_id: str, batch: list[AnyEvent]) -> None:
        run = connection.execute(_BEFORE, {"of": run_id}).first()
        if run is None:
            raise RunNotFound(f"There is no run {run_id}.")
        if run.status == "running" and run.owner != self._owner:
            raise StoreError(f"Another process has taken the run {run_id} over.", "Follow it there.")
        rows = [
            {"run_id": run_id, "seq": event.seq, "kind": event.kind[:64], "at": event.at, "payload": to_json(event)}
            for event in batch
        ]
        try:
            connection.execute(_EVENTS, rows)
        except IntegrityError:
            numbers = f"{batch[0].seq} to {batch[-1].seq}"
            raise StoreError(f"Events {numbers} of run {run_id} are on the log already, in whole or in part.") from None
        own = _own(batch)
        values = {"of": run_id, "new_touched": time.time(), "new_seconds": batch[-1].at, **_progress(own)}
        connection.execute(_GROWS, values)
        if turns := self._turns(own, run.question):
            connection.execute(update(runs_table).where(runs_table.c.id == run_id).values(turns))

    def _turns(self, batch: Iterable[AnyEvent], question: str) -> dict[str, Any]:
        """What the run's end or pause, or its going on after one, changes in its row."""
        values: dict[str, Any] = {}
        for event in batch:
            match event:
                case Resumed():
                    values |= {"status": "running", "owner": self._owner, "error_code": ""}
                case Paused():
                    values |= {"status": "paused", "owner": ""}
                case RunFinished():
                    values |= end_values(event, question)
        return values


def _own(batch: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    """The batch without what the run inherits from its parent: that cost this run nothing and ended another."""
    inherited = next((event.inherited for event in batch if isinstance(event, RunStarted)), 0)
    return [event for event in batch if event.seq > inherited] if inherited else batch


def _progress(batch: Sequence[AnyEvent]) -> dict[str, float | None]:
    """What a batch adds to the run's totals."""
    answers = [event for event in batch if isinstance(event, ModelAnswered)]
    asked = [event for event in batch if isinstance(event, ModelCalled | ToolCalled) and not event.by_person]
    cost = sum((answer.cost for answer in answers), Totals())
    return {f"more_{name}": getattr(cost, name) for name in (*_ADDED, *TOLD)} | {
        "more_calls": sum(isinstance(event, ModelCalled) for event in asked),
        "more_tool_calls": sum(isinstance(event, ToolCalled) for event in asked),
    }


def end_values(event: RunFinished, question: str) -> dict[str, Any]:
    """What a run's end says in its row."""
    return {
        **event.totals.model_dump(),
        "seconds": event.totals.seconds or event.at,
        "status": event.status,
        "answer": plain(event.answer)[:KEPT],
        "searched": searchable(question, event.answer),
        "error_code": event.error.code if event.error else "",
    }


def _filtered(wanted: Select[Any], search: str, status: str, machine: str, experiments: bool) -> Select[Any]:
    if not experiments:
        wanted = wanted.where(runs_table.c.belongs.not_like(f"{OF_EXPERIMENT}%"))
    if search.strip():
        needle = _fold(search.strip()[:LONGEST_SEARCH])
        wanted = wanted.where(runs_table.c.searched.contains(needle, autoescape=True))
    if status:
        wanted = wanted.where(runs_table.c.status == plain(status))
    return wanted.where(runs_table.c.machine == plain(machine)) if machine else wanted


def _row(row: Row[Any]) -> RunRow:
    return RunRow(**row._mapping)


def _decoded(run_id: str, seq: int, kind: str, payload: str, prompts: bool) -> AnyEvent:
    try:
        return from_log(kind, payload, prompts)
    except ValueError as error:
        raise StoreError(
            f"Event {seq} of run {run_id} cannot be read: {str(error).splitlines()[0]}",
            "The log was changed by another program, or is damaged: `python -m workbench doctor` checks it.",
        ) from error


def plain(text: str) -> str:
    """The text without what a database cannot hold: NUL (PostgreSQL) and halves of surrogate pairs."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain(text)).casefold())


def searchable(question: str, answer: str) -> str:
    """What is looked for in a run's row."""
    return f"{_fold(question[:KEPT])}{BETWEEN}{_fold(answer[:KEPT])}"
