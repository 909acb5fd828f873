"""The experiments in the database: their plans, and a row for every cell that tells all that is shown of it."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from workbench.errors import InvalidRequest, StoreError
from workbench.experiments.model import Cell, CellStatus, Round, Sample
from workbench.experiments.plan import Plan
from workbench.store.database import Database
from workbench.store.owner import lives, owner
from workbench.store.runs import OF_EXPERIMENT, plain
from workbench.store.tables import answered as answered_table
from workbench.store.tables import cells as cells_table
from workbench.store.tables import events as events_table
from workbench.store.tables import experiments as table
from workbench.store.tables import runs as runs_table

ExperimentStatus = Literal["waiting", "running", "stopping", "stopped", "interrupted", "done"]
Ending = Literal["stopped", "done"]
BUSY = ("running", "stopping")
SHORTEST_PREFIX = 4
AT_ONCE = 500  # values in one statement
RECENT = 20  # cells of a lane from which its pace is read

Lanes = Sequence[dict[str, Any]]  # of each lane the request that its cells share, and what else decides its answers
_ROUNDS, _SAMPLES = TypeAdapter(tuple[Round, ...]), TypeAdapter(tuple[Sample, ...])
_CELLS = TypeAdapter(list[Cell])
_KEY = ("lane", "item", "seed")
_SHOWN = [cells_table.c[name] for name in Cell.model_fields]
_NEW: dict[str, Any] = {name: bindparam(f"new_{name}") for name in Cell.model_fields if name not in _KEY}
_CHANGE = (
    update(cells_table)
    .where(
        cells_table.c.experiment == bindparam("of"), *(cells_table.c[name] == bindparam(f"at_{name}") for name in _KEY)
    )
    .values(_NEW)
)


@dataclass(frozen=True)
class ExperimentRow:
    """An experiment as the list shows it; `created_at` in ISO 8601, `dataset` is the data set's digest.

    `reason` says why it stopped by itself. One whose process ended without a word is `interrupted`.
    """

    id: str
    name: str
    created_at: str
    status: ExperimentStatus
    reason: str
    plan: Plan
    dataset: str
    cells: int
    done: int
    errors: int

    @property
    def is_live(self) -> bool:
        """Whether some process is running it."""
        return self.status in BUSY


@dataclass(frozen=True)
class LaneCount:
    """How far a lane is: its cells by status, how many have a score, the sum of the scores, the tokens so far.

    `recent` are the seconds of the cells that ended last.
    """

    waiting: int = 0
    running: int = 0
    done: int = 0
    error: int = 0
    scored: int = 0
    points: float = 0.0
    tokens: int = 0
    recent: tuple[float, ...] = ()


class ExperimentStore:
    """The experiments and their cells in the database of the runs; safe for many threads and several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = owner()

    def create(self, plan: Plan, lanes: Lanes, dataset: str, cells: Sequence[Cell]) -> str:
        """Enter a new experiment with its cells and return its id. Raises InvalidRequest when its name is taken."""
        found = uuid4().hex[:12]
        row = {"id": found, "name": plan.name, "created_at": _now(), "status": "waiting", "reason": ""}
        row |= _planned(plan, lanes, dataset) | {"owner": "", "touched": time.time()}
        with self._database.write(durable=True) as connection:
            try:
                connection.execute(insert(table).values(row))
            except IntegrityError:
                raise InvalidRequest(f"There is an experiment named {plan.name!r}.", "Choose another name.") from None
            _insert_cells(connection, found, cells)
        return found

    def revise(self, experiment: str, plan: Plan, lanes: Lanes, dataset: str, cells: Sequence[Cell]) -> None:
        """Give an experiment that is not running another plan and other cells. Raises InvalidRequest."""
        with self._database.write(durable=True) as connection:
            _check_idle(connection, experiment, "Stop it before you change it.")
            values = _planned(plan, lanes, dataset) | {"status": "waiting", "reason": ""}
            connection.execute(update(table).where(table.c.id == experiment).values(values))
            connection.execute(delete(cells_table).where(cells_table.c.experiment == experiment))
            _insert_cells(connection, experiment, cells)

    def find(self, ref: str) -> ExperimentRow | None:
        """The experiment of that name or id, or the only one whose id begins so; None when there is none."""
        ref = plain(ref)
        with self._database.read() as connection:
            exact = connection.execute(_listed(or_(table.c.name == ref, table.c.id == ref))).all()
            if exact or len(ref) < SHORTEST_PREFIX:
                return _row(exact[0]) if exact else None
            begins = connection.execute(_listed(table.c.id.startswith(ref, autoescape=True)).limit(2)).all()
        return _row(begins[0]) if len(begins) == 1 else None

    def get(self, ref: str) -> ExperimentRow:
        """As `find`, but raises InvalidRequest, which lists what there is, when there is none."""
        if row := self.find(ref):
            return row
        known = ", ".join(row.name for row in self.experiments()[:20])
        hint = f"There are: {known}." if known else "There is none yet: `python -m workbench experiment run FILE.yaml`."
        raise InvalidRequest(f"There is no experiment {ref!r}.", hint)

    def experiments(self) -> list[ExperimentRow]:
        """All experiments, the newest first."""
        newest = _listed().order_by(table.c.created_at.desc(), table.c.id)
        with self._database.read() as connection:
            return [_row(row) for row in connection.execute(newest)]

    def lanes(self, experiment: str) -> list[dict[str, Any]]:
        """Of each lane the request that its cells share, and what else decides its answers."""
        with self._database.read() as connection:
            found: list[dict[str, Any]] = json.loads(connection.execute(_of(experiment, table.c.lanes)).scalar_one())
        return found

    def cells(self, experiment: str, statuses: Iterable[CellStatus] = ()) -> list[Cell]:
        """The cells in the order of lanes, items and seeds; those of certain statuses, if any are named."""
        wanted = select(*_SHOWN).where(cells_table.c.experiment == plain(experiment))
        if chosen := list(statuses):
            wanted = wanted.where(cells_table.c.status.in_(chosen))
        ordered = wanted.order_by(*(cells_table.c[name] for name in _KEY))
        with self._database.read() as connection:
            return _read(connection.execute(ordered).all())

    def cell(self, experiment: str, lane: int, item: int, seed: int) -> Cell | None:
        """One cell; None when there is none."""
        columns = cells_table.c
        place = (columns.lane == lane, columns.item == item, columns.seed == seed)
        with self._database.read() as connection:
            rows = connection.execute(select(*_SHOWN).where(columns.experiment == plain(experiment), *place)).all()
        return _read(rows)[0] if rows else None

    def counts(self, experiment: str, lanes: int) -> list[LaneCount]:
        """How far each of so many lanes is."""
        with self._database.read() as connection:
            rows = connection.execute(_counted(experiment)).all()
            return [
                _lane_count([row for row in rows if row.lane == lane], _recent(connection, experiment, lane))
                for lane in range(lanes)
            ]

    def claim(self, experiment: str, ours: bool = False) -> None:
        """Take an experiment for this process; of several that try, one succeeds.

        `ours`: nothing in this process runs it, whatever the row says. Raises InvalidRequest when it is running.
        """
        with self._database.write() as connection:
            _check_idle(connection, experiment, "Look at it there, or stop it first.", self._owner if ours else "")
            taken = {"status": "running", "reason": "", "owner": self._owner, "touched": time.time()}
            connection.execute(update(table).where(table.c.id == experiment).values(taken))

    def save(self, experiment: str, cells: Sequence[Cell]) -> None:
        """Write cells of an experiment that this process runs. Raises StoreError when another has taken it over."""
        with self._database.write() as connection:
            values = {"touched": time.time()}
            ours = and_(table.c.id == experiment, table.c.owner == self._owner)
            if not connection.execute(update(table).where(ours).values(values)).rowcount:
                raise StoreError(
                    "Another process has taken the experiment over, or it was deleted.", "Look at it there."
                )
            _change(connection, experiment, cells)

    def amend(self, experiment: str, cells: Sequence[Cell]) -> None:
        """Write cells of an experiment, whoever runs it."""
        with self._database.write() as connection:
            _change(connection, experiment, cells)

    def score_by(self, experiment: str, plan: Plan, cells: Sequence[Cell]) -> None:
        """Give an experiment that is not running a plan with another scorer, and cells that wait for their scores."""
        with self._database.write(durable=True) as connection:
            _check_idle(connection, experiment, "Stop it first.")
            values = {"plan": plan.model_dump_json(), "status": "stopped", "reason": ""}
            connection.execute(update(table).where(table.c.id == experiment).values(values))
            _change(connection, experiment, cells)

    def is_wanted(self, experiment: str) -> bool:
        """Whether this process is to go on running it: nobody has asked it to stop."""
        with self._database.read() as connection:
            row = connection.execute(_of(experiment, table.c.status, table.c.owner)).first()
        return row is not None and (row.status, row.owner) == ("running", self._owner)

    def ask_to_stop(self, experiment: str) -> None:
        """Ask the process that runs it to stop; one that nobody runs is left alone."""
        with self._database.write() as connection:
            running = and_(table.c.id == experiment, table.c.status == "running")
            connection.execute(update(table).where(running).values(status="stopping"))

    def release(self, experiment: str, status: Ending, reason: str = "") -> None:
        """This process does not run it any more."""
        with self._database.write(durable=True) as connection:
            ours = and_(table.c.id == experiment, table.c.owner == self._owner)
            values = {"status": status, "reason": plain(reason), "owner": "", "touched": time.time()}
            connection.execute(update(table).where(ours).values(values))

    def runs(self, experiment: str) -> dict[str, str]:
        """The runs that its cells name and that there are, with their statuses."""
        named = select(cells_table.c.run_id).where(cells_table.c.experiment == experiment, cells_table.c.run_id != "")
        wanted = select(runs_table.c.id, runs_table.c.status).where(runs_table.c.id.in_(named))
        with self._database.read() as connection:
            return {row.id: row.status for row in connection.execute(wanted)}

    def run_of(self, key: str) -> str:
        """A run that has answered this key already, for whatever experiment; empty when there is none."""
        columns = answered_table.c
        wanted = select(columns.run_id).where(columns.key == key, columns.run_id.in_(select(runs_table.c.id))).limit(1)
        with self._database.read() as connection:
            return connection.scalar(wanted) or ""

    def answered(self, keys: Iterable[str], experiment: str = "") -> set[str]:
        """Which of these keys an experiment has answered; without one, which have a run that is still there."""
        there = answered_table.c.run_id.in_(select(runs_table.c.id))
        found: set[str] = set()
        with self._database.read() as connection:
            for some in _portions(sorted(set(keys))):
                wanted = select(answered_table.c.key).where(answered_table.c.key.in_(some), there)
                if experiment:
                    columns = cells_table.c
                    own = (columns.key.in_(some), columns.status == "done", columns.experiment == experiment)
                    wanted = select(columns.key).where(*own)
                found.update(connection.scalars(wanted))
        return found

    def unscored(self, experiment: str) -> list[tuple[int, int, int]]:
        """Lane, item and seed of the answers that have no score."""
        columns = cells_table.c
        of = (columns.experiment == plain(experiment), columns.status == "done", columns.score.is_(None))
        wanted = select(columns.lane, columns.item, columns.seed).where(*of)
        with self._database.read() as connection:
            return [(row.lane, row.item, row.seed) for row in connection.execute(wanted)]

    def state(self, experiment: str) -> tuple[float, ...]:
        """Numbers that change whenever something does that is shown of its cells.

        Whoever runs an experiment touches it; a person's scores do not, so they are summed up.
        """
        columns = cells_table.c
        place = columns.item + 1 + columns.lane * 0.5
        sums = (func.count(columns.score), func.sum(columns.score), func.sum(columns.score * place))
        scores = select(*sums).where(columns.experiment == plain(experiment))
        with self._database.read() as connection:
            touched = connection.scalar(_of(experiment, table.c.touched))
            return (touched or 0.0, *(value or 0.0 for value in connection.execute(scores).one()))

    def delete(self, experiment: str) -> list[str]:
        """Delete an experiment and the runs that were made for it; return their ids, whose checkpoints are left.

        Runs that another experiment took over, that a person judged, or that others come from stay. Raises
        InvalidRequest while it is running.
        """
        with self._database.write() as connection:
            _check_idle(connection, experiment, "Stop it first.")
            gone = [row.id for row in connection.execute(_own_runs(experiment))]
            for some in _portions(gone):
                connection.execute(delete(events_table).where(events_table.c.run_id.in_(some)))
                connection.execute(delete(runs_table).where(runs_table.c.id.in_(some)))
            connection.execute(delete(cells_table).where(cells_table.c.experiment == experiment))
            connection.execute(delete(table).where(table.c.id == experiment))
        return gone


def belongs(experiment: str) -> str:
    """What the runs of an experiment are made for, as their rows say it."""
    return f"{OF_EXPERIMENT}{experiment}"


def _planned(plan: Plan, lanes: Lanes, dataset: str) -> dict[str, Any]:
    return {"plan": plan.model_dump_json(), "lanes": json.dumps(lanes), "dataset": dataset}


def _of(experiment: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(table.c.id == plain(experiment))


def _check_idle(connection: Connection, experiment: str, hint: str, idle: str = "") -> None:
    """Raise InvalidRequest while a process runs it; what the owner `idle` is said to run counts as left."""
    row = connection.execute(_of(experiment, table.c.name, table.c.status, table.c.owner, table.c.touched)).first()
    if row is None:
        raise InvalidRequest(f"There is no experiment {experiment!r}.")
    if row.status in BUSY and row.owner != idle and lives(row.owner, row.touched):
        raise InvalidRequest(f"The experiment {row.name!r} is running.", hint)


def _listed(wanted: ColumnElement[bool] | None = None) -> Select[Any]:
    """The rows of experiments, all or the wanted ones, with how many cells they have, and have done."""
    columns = cells_table.c
    done, errors = (case((columns.status == status, 1), else_=0) for status in ("done", "error"))
    numbers = select(
        columns.experiment,
        func.count().label("cells"),
        func.sum(done).label("done"),
        func.sum(errors).label("errors"),
    )
    if wanted is not None:  # else the cells of all experiments would be counted each time
        numbers = numbers.where(columns.experiment.in_(select(table.c.id).where(wanted)))
    counted = numbers.group_by(columns.experiment).subquery()
    shown = select(table, counted.c.cells, counted.c.done, counted.c.errors)
    listed = shown.outerjoin(counted, counted.c.experiment == table.c.id)
    return listed if wanted is None else listed.where(wanted)


def _row(row: Row[Any]) -> ExperimentRow:
    left = row.status in BUSY and not lives(row.owner, row.touched)
    status: ExperimentStatus = "interrupted" if left else row.status
    return ExperimentRow(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        status=status,
        reason=row.reason,
        plan=Plan.model_validate_json(row.plan),
        dataset=row.dataset,
        cells=row.cells or 0,
        done=row.done or 0,
        errors=row.errors or 0,
    )


def _counted(experiment: str) -> Select[Any]:
    columns = cells_table.c
    numbers = [
        func.count().label("cells"),
        func.count(columns.score).label("scored"),
        func.sum(columns.score).label("points"),
        func.sum(columns.prompt_tokens + columns.completion_tokens).label("tokens"),
    ]
    of = columns.experiment == plain(experiment)
    return select(columns.lane, columns.status, *numbers).where(of).group_by(columns.lane, columns.status)


def _recent(connection: Connection, experiment: str, lane: int) -> tuple[float, ...]:
    """Seconds of the lane's cells that ended last: they are run in the order of items."""
    columns = cells_table.c
    done = (columns.experiment == plain(experiment), columns.lane == lane, columns.status == "done")
    newest = select(columns.seconds).where(*done).order_by(columns.item.desc(), columns.seed.desc()).limit(RECENT)
    return tuple(connection.scalars(newest))


def _lane_count(rows: Sequence[Row[Any]], recent: tuple[float, ...]) -> LaneCount:
    return LaneCount(
        **{row.status: row.cells for row in rows},
        scored=sum(row.scored for row in rows),
        points=sum(row.points or 0.0 for row in rows),
        tokens=sum(row.tokens or 0 for row in rows),
        recent=recent,
    )


def _read(rows: Sequence[Row[Any]]) -> list[Cell]:
    found = [dict(row._mapping) for row in rows]
    for values in found:
        values["rounds"] = _ROUNDS.validate_json(values["rounds"])
        values["samples"] = _SAMPLES.validate_json(values["samples"])
    return _CELLS.validate_python(found)


def cell_values(cell: Cell) -> dict[str, Any]:
    """A cell as its row has it."""
    values = cell.model_dump(exclude={"rounds", "samples"})
    values |= {name: plain(values[name]) for name in ("answer", "said", "error")}
    values["error_code"] = cell.error_code[:64]
    values["rounds"] = _ROUNDS.dump_json(cell.rounds).decode()
    values["samples"] = _SAMPLES.dump_json(cell.samples, ensure_ascii=True).decode()
    return values


def _insert_cells(connection: Connection, experiment: str, cells: Sequence[Cell]) -> None:
    if cells:
        connection.execute(insert(cells_table), [cell_values(cell) | {"experiment": experiment} for cell in cells])


def _change(connection: Connection, experiment: str, cells: Sequence[Cell]) -> None:
    if not cells:
        return
    rows = []
    for cell in cells:
        values = {(f"at_{name}" if name in _KEY else f"new_{name}"): value for name, value in cell_values(cell).items()}
        rows.append(values | {"of": experiment})
    connection.execute(_CHANGE, rows)
    _remember(connection, cells)


def _remember(connection: Connection, cells: Sequence[Cell]) -> None:
    """Which run has answered which key: that is known even when the plan does not want the cell any more."""
    done = {(cell.key, cell.run_id) for cell in cells if cell.status == "done" and cell.run_id}
    keys = {key for key, _ in done}
    known: set[tuple[str, str]] = set()
    for some in _portions(sorted(keys)):
        rows = connection.execute(select(answered_table).where(answered_table.c.key.in_(some)))
        known |= {(row.key, row.run_id) for row in rows}
    if new := sorted(done - known):
        connection.execute(insert(answered_table), [{"key": key, "run_id": run_id} for key, run_id in new])


def _own_runs(experiment: str) -> Select[Any]:
    """The runs that only this experiment has a use for."""
    columns = runs_table.c
    elsewhere = select(cells_table.c.run_id).where(cells_table.c.experiment != experiment)
    parents = select(columns.parent).where(columns.parent != "")
    of = func.substr(columns.belongs, len(OF_EXPERIMENT) + 1)
    # Those of one that was deleted while another had a use for them, too.
    experiments = columns.belongs.startswith(OF_EXPERIMENT) & of.not_in(select(table.c.id))
    made = (or_(columns.belongs == belongs(experiment), experiments), columns.verdict == "")
    return select(columns.id).where(*made, columns.id.not_in(elsewhere), columns.id.not_in(parents))


def _portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
