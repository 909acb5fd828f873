"""The runs that somebody or something has judged: the person's verdicts, the scores of experiments, the votes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import select

from workbench.store.comparisons import TIE, Comparison, ComparisonStore
from workbench.store.database import Database
from workbench.store.foreign_experiment import MARK
from workbench.store.tables import cells, experiments, runs

Source = Literal["verdict", "score", "vote"]
PAGE = 500


@dataclass(frozen=True)
class Judgement:
    """How good a run is: from 0 to 1, by whom. Runs of one `group` were judged by the same measure.

    It is `imported` where the run, or the experiment that scored it, comes from elsewhere.
    """

    run_id: str
    source: Source
    group: str
    value: float
    imported: bool = False


def judgements(database: Database, source: Source, experiment: str = "") -> Iterator[Judgement]:
    """All of one source, the oldest first; with an experiment's id only those of its runs, and its scores alone.

    A vote is 1 for the lane that won and 0 for the others that had an answer; ties and verdicts that were taken back
    are none.
    """
    imported = _imported(database)
    made_for = _runs(database, experiment) if experiment else None
    for one in _all(database, source, experiment):
        if made_for is None or one.run_id in made_for:
            yield replace(one, imported=True) if one.run_id in imported else one


def _all(database: Database, source: Source, experiment: str) -> Iterator[Judgement]:
    match source:
        case "verdict":
            return _verdicts(database)
        case "score":
            return _scores(database, experiment)
        case "vote":
            return _votes(database)


def _imported(database: Database) -> set[str]:
    """The runs that were made elsewhere."""
    with database.read() as connection:
        return set(connection.scalars(select(runs.c.id).where(runs.c.foreign_id != "")))


def _runs(database: Database, experiment: str) -> set[str]:
    """The runs that answered an experiment's cells."""
    with database.read() as connection:
        return set(connection.scalars(select(cells.c.run_id).where(cells.c.experiment == experiment)))


def _verdicts(database: Database) -> Iterator[Judgement]:
    wanted = select(runs.c.id, runs.c.verdict).where(runs.c.verdict.in_(("good", "bad")))
    with database.read() as connection:
        rows = connection.execute(wanted.order_by(runs.c.created_at, runs.c.id)).all()
    yield from (Judgement(row.id, "verdict", "", float(row.verdict == "good")) for row in rows)


def _scores(database: Database, experiment: str) -> Iterator[Judgement]:
    columns = cells.c
    wanted = select(columns.run_id, columns.experiment, columns.score, columns.key).where(
        columns.status == "done", columns.score.is_not(None)
    )
    if experiment:
        wanted = wanted.where(columns.experiment == experiment)
    wanted = wanted.join(experiments, experiments.c.id == columns.experiment)
    order = (experiments.c.created_at, columns.experiment, columns.item, columns.lane, columns.seed)
    with database.read() as connection:
        rows = connection.execute(wanted.order_by(*order)).all()
    for row in rows:
        yield Judgement(row.run_id, "score", row.experiment, row.score, imported=row.key.startswith(MARK))


def _votes(database: Database) -> Iterator[Judgement]:
    for comparison in reversed(list(_comparisons(ComparisonStore(database)))):
        if comparison.vote is None or comparison.vote == TIE:
            continue
        for number, lane in enumerate(comparison.lanes):
            if lane.answered:
                yield Judgement(lane.run, "vote", comparison.id, float(number == comparison.vote))


def _comparisons(store: ComparisonStore) -> Iterator[Comparison]:
    offset = 0
    while page := store.recent(PAGE, offset):
        yield from page
        offset += len(page)
