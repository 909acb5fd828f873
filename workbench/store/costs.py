"""What each run cost, as its row tells it."""

from dataclasses import fields

from sqlalchemy import select

from workbench.cost import RunCost
from workbench.store.database import Database
from workbench.store.tables import cells, runs

_COLUMNS = [runs.c[field.name] for field in fields(RunCost)]


def run_costs(database: Database, since: str = "", backend: str = "", machine: str = "") -> list[RunCost]:
    """The runs that called a model, oldest first; `since` is a moment in ISO 8601, empty is all."""
    wanted = select(*_COLUMNS).where(runs.c.calls > 0)
    if since:
        wanted = wanted.where(runs.c.created_at >= since)
    if backend:
        wanted = wanted.where(runs.c.backend == backend)
    if machine:
        wanted = wanted.where(runs.c.machine == machine)
    with database.read() as connection:
        return [RunCost(**row._mapping) for row in connection.execute(wanted.order_by(runs.c.created_at))]


def lane_costs(database: Database, experiment: str) -> dict[int, list[RunCost]]:
    """The runs that answered an experiment's cells, by lane."""
    wanted = select(cells.c.lane, *_COLUMNS).select_from(cells.join(runs, runs.c.id == cells.c.run_id))
    with database.read() as connection:
        rows = connection.execute(wanted.where(cells.c.experiment == experiment)).all()
    found: dict[int, list[RunCost]] = {}
    for lane, *values in rows:
        found.setdefault(lane, []).append(RunCost(*values))
    return found


def used_backends(database: Database) -> list[str]:
    """The backends that runs have called a model of."""
    with database.read() as connection:
        found = select(runs.c.backend).where(runs.c.calls > 0).group_by(runs.c.backend)
        return sorted(connection.scalars(found))
