"""Rows of the answers that had to fit a schema, taken from the logs of all runs as these grow."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, and_, case, delete, func, insert, or_, select

from workbench.events import AnyEvent, from_log
from workbench.schema_answers import NEEDED, UNANSWERED, Rate, SchemaAnswer, Story, answers, story
from workbench.store.database import Database
from workbench.store.runs import RunStore, plain
from workbench.store.tables import events, folds, runs
from workbench.store.tables import schema_answers as table

NAME = "schema_answers/1"  # counted up when the fold changes: then every log is read anew
AT_ONCE = 100  # runs that are read and entered together
LOCK = 0x5C4E3A  # PostgreSQL's advisory lock: of two that read the same logs, one comes second
WIDTHS = {"call_id": 64, "backend": 120, "machine": 64, "role": 64, "schema": 120, "created_at": 40}
WRONG = 2_000  # characters kept of what was wrong


@dataclass(frozen=True)
class Chosen:
    """Which answers are looked at; empty is all. `since` is a moment in ISO 8601, `schema` a title."""

    backend: str = ""
    model: str = ""
    machine: str = ""
    schema: str = ""
    kind: str = ""
    since: str = ""


@dataclass
class SchemaAnswers:
    """The rows; safe for many threads and several processes. `unreadable` are runs whose log is damaged."""

    database: Database
    unreadable: set[str] = field(default_factory=set)

    def behind(self) -> int:
        """How many runs have grown since they were read."""
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(_behind(self.unreadable).subquery())) or 0

    def catch_up(self) -> Iterator[tuple[int, int]]:
        """Read what is new: gives how many runs are read, and of how many, after every batch. Raises StoreError."""
        with self.database.read() as connection:
            last = {row.id: row.last for row in connection.execute(_behind(self.unreadable))}
        waiting = list(last)
        for done in range(0, len(waiting), AT_ONCE):
            batch = waiting[done : done + AT_ONCE]
            self._fold({run_id: last[run_id] for run_id in batch})
            yield done + len(batch), len(waiting)

    def rates(self, chosen: Chosen = Chosen()) -> list[Rate]:
        """How the answers came out, for each model and schema; those asked most first."""
        columns = (table.c.backend, table.c.model, table.c.schema, table.c.schema_digest, table.c.constrained)
        at_first, is_valid = table.c.attempt == 1, table.c.valid == 1
        counted = {
            "answers": func.count(),
            "asked": _number(at_first),
            "first": _number(and_(at_first, is_valid)),
            "mended": _number(and_(~at_first, is_valid)),
            "given_up": _number(table.c.given_up == 1),
        }
        wanted = select(*columns, *(number.label(name) for name, number in counted.items())).group_by(*columns)
        wrong = select(*columns, table.c.kind, func.count().label("number")).where(table.c.valid == 0)
        with self.database.read() as connection:
            found = connection.execute(_chosen(wanted, chosen)).all()
            by_kind = connection.execute(_chosen(wrong, chosen).group_by(*columns, table.c.kind)).all()
        kinds: dict[tuple[Any, ...], dict[str, int]] = {}
        for row in sorted(by_kind, key=lambda row: (-row.number, row.kind)):
            kinds.setdefault(tuple(row[:5]), {})[row.kind] = row.number
        values = [{**row._mapping, "kinds": kinds.get(tuple(row[:5]), {})} for row in found]
        rates = [Rate(**{**value, "constrained": bool(value["constrained"])}) for value in values]
        return sorted(rates, key=lambda rate: (-rate.asked, rate.model, rate.schema))

    def failures(self, chosen: Chosen = Chosen(), limit: int = 10, offset: int = 0) -> list[SchemaAnswer]:
        """The answers that were not valid, newest first."""
        wanted = _chosen(select(table).where(table.c.valid == 0), chosen)
        order = (table.c.created_at.desc(), table.c.run_id.desc(), table.c.seq.desc())
        with self.database.read() as connection:
            rows = connection.execute(wanted.order_by(*order).limit(limit).offset(offset)).all()
        flags = ("constrained", "valid", "given_up")
        return [SchemaAnswer(**{**row._mapping, **{name: bool(row._mapping[name]) for name in flags}}) for row in rows]

    def count_failures(self, chosen: Chosen = Chosen()) -> int:
        """How many `failures` would list without a limit."""
        counted = select(func.count()).select_from(table).where(table.c.valid == 0)
        with self.database.read() as connection:
            return connection.scalar(_chosen(counted, chosen)) or 0

    def story(self, store: RunStore, row: SchemaAnswer) -> Story | None:
        """What the log has of a failure; None where the run is gone. Raises StoreError."""
        events = store.events(row.run_id, kinds=NEEDED, prompts=False)
        if row.kind in UNANSWERED:
            events += store.events(row.run_id, before=row.seq, kinds=("delta",))
        return story(events, row.call_id)

    def values(self, column: str) -> list[str]:
        """What there is to choose from: every backend, model, machine or schema of an answer."""
        with self.database.read() as connection:
            return sorted(connection.scalars(select(table.c[column]).distinct()))

    def _fold(self, last: dict[str, int]) -> None:
        """Read some runs up to these events, and put their rows in place of the old ones."""
        with self.database.read() as connection:
            logs = _logs(connection, last)
        rows: list[dict[str, Any]] = []
        for run_id in last:
            try:
                rows += [_kept(row) for row in answers(run_id, _read(logs.get(run_id, ())))]
            except ValueError:
                self.unreadable.add(run_id)
        read = {run_id: seq for run_id, seq in last.items() if run_id not in self.unreadable}
        with self.database.write() as connection:
            _enter(connection, read, [row for row in rows if row["run_id"] in read])


def _behind(without: set[str]) -> Select[Any]:
    """The runs whose log goes further than what was read of it, and how far."""
    last = select(func.max(events.c.seq)).where(events.c.run_id == runs.c.id).scalar_subquery()
    joined = runs.outerjoin(folds, and_(folds.c.run_id == runs.c.id, folds.c.name == NAME))
    wanted = select(runs.c.id, last.label("last")).select_from(joined)
    return wanted.where(or_(folds.c.seq.is_(None), folds.c.seq < last), last.is_not(None), runs.c.id.not_in(without))


Log = list[tuple[str, str]]  # kind and payload of each event


def _logs(connection: Connection, last: dict[str, int]) -> dict[str, Log]:
    """The runs' events that are needed, up to these: one that is under way may have grown meanwhile."""
    columns = (events.c.run_id, events.c.kind, events.c.payload, events.c.seq)
    wanted = select(*columns).where(events.c.run_id.in_(last), events.c.kind.in_(NEEDED))
    found: dict[str, Log] = {}
    for run_id, kind, payload, seq in connection.execute(wanted.order_by(events.c.run_id, events.c.seq)):
        if seq <= last[run_id]:
            found.setdefault(run_id, []).append((kind, payload))
    return found


def _read(log: Sequence[tuple[str, str]]) -> Iterator[AnyEvent]:
    """A run's events; none of one that never asked for a schema."""
    if any(kind == "model_called" and '"json_schema"' in payload for kind, payload in log):
        yield from (from_log(kind, payload, prompts=False) for kind, payload in log)


def _kept(answer: SchemaAnswer) -> dict[str, Any]:
    """A row as the table holds it; a log from elsewhere may say anything."""
    values = {name: plain(value) if isinstance(value, str) else value for name, value in asdict(answer).items()}
    values |= {name: values[name][:width] for name, width in WIDTHS.items()}
    flags = {name: int(values[name]) for name in ("constrained", "valid", "given_up")}
    return values | flags | {"wrong": values["wrong"][:WRONG]}


def _enter(connection: Connection, read: dict[str, int], rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    still = set(connection.scalars(select(runs.c.id).where(runs.c.id.in_(read))))  # one may be deleted by now
    connection.execute(delete(table).where(table.c.run_id.in_(read)))
    connection.execute(delete(folds).where(folds.c.run_id.in_(read), folds.c.name == NAME))
    unique = {(row["run_id"], row["call_id"]): row for row in rows if row["run_id"] in still}
    if unique:
        connection.execute(insert(table), list(unique.values()))
    if still:
        connection.execute(insert(folds), [{"run_id": one, "name": NAME, "seq": read[one]} for one in still])


def _number(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _chosen(wanted: Select[Any], chosen: Chosen) -> Select[Any]:
    for name in ("backend", "model", "machine", "schema", "kind"):
        if value := getattr(chosen, name):
            wanted = wanted.where(table.c[name] == plain(value))
    return wanted.where(table.c.created_at >= chosen.since) if chosen.since else wanted
