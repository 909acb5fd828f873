"""How far an experiment is, read from the tables: whoever runs it, every process sees the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.engine import Engine
from workbench.experiments.plan import Plan
from workbench.experiments.scorers import registry as scorers
from workbench.store.experiments import ExperimentRow, ExperimentStatus, ExperimentStore, LaneCount

PLACES = 8  # cells at once where a backend does not say how many calls it takes
BEGUN = 0.5  # of a running cell that is still to come


@dataclass(frozen=True)
class LaneProgress:
    """How far a lane is; `score` is the mean so far, `seconds_left` None where nothing tells."""

    name: str
    done: int
    running: int
    waiting: int
    errors: int
    score: float | None
    tokens: int
    seconds_left: float | None


@dataclass(frozen=True)
class Progress:
    """How far an experiment is. Cells that wait for nothing but their score count as waiting."""

    id: str
    name: str
    status: ExperimentStatus
    reason: str
    cells: int
    done: int
    running: int
    waiting: int
    errors: int
    tokens: int
    seconds_left: float | None
    lanes: tuple[LaneProgress, ...]


def places(engine: Engine, plan: Plan, backend: str) -> int:
    """How many cells of a backend are answered at once."""
    return plan.parallel or engine.backend(backend).slots or PLACES


def read(engine: Engine, store: ExperimentStore, row: ExperimentRow) -> Progress:
    """How far an experiment is."""
    backends = [str(lane["request"]["backend"]) for lane in store.lanes(row.id)]
    counts = store.counts(row.id, len(backends))
    by_person = scorers.kind(row.plan.scorer.name).by_person
    unscored = [0 if by_person else count.done - count.scored for count in counts]
    due = [count.waiting + missing + count.running * BEGUN for count, missing in zip(counts, unscored, strict=True)]
    left = _seconds_left(counts, due, backends, {name: places(engine, row.plan, name) for name in set(backends)})
    lanes = tuple(
        LaneProgress(
            name=lane.name,
            done=count.done - missing,
            running=count.running,
            waiting=count.waiting + missing,
            errors=count.error,
            score=count.points / count.scored if count.scored else None,
            tokens=count.tokens,
            seconds_left=seconds,
        )
        for lane, count, missing, seconds in zip(row.plan.lanes, counts, unscored, left, strict=True)
    )
    return _whole(row, lanes, backends)


def _whole(row: ExperimentRow, lanes: Sequence[LaneProgress], backends: Sequence[str]) -> Progress:
    """The lanes together: those of one backend wait for each other, the backends do not."""
    ends: list[float] | None = []
    for backend in set(backends):
        own = [lane.seconds_left for lane, name in zip(lanes, backends, strict=True) if name == backend]
        known = [seconds for seconds in own if seconds is not None]
        ends = None if ends is None or len(known) < len(own) else [*ends, sum(known)]
    return Progress(
        id=row.id,
        name=row.name,
        status=row.status,
        reason=row.reason,
        cells=row.cells,
        done=sum(lane.done for lane in lanes),
        running=sum(lane.running for lane in lanes),
        waiting=sum(lane.waiting for lane in lanes),
        errors=sum(lane.errors for lane in lanes),
        tokens=sum(lane.tokens for lane in lanes),
        seconds_left=max(ends) if ends else None,
        lanes=tuple(lanes),
    )


def _seconds_left(
    counts: Sequence[LaneCount], due: Sequence[float], backends: Sequence[str], at_once: dict[str, int]
) -> list[float | None]:
    """Each lane's cells that are due at its recent pace; a lane without one goes by its backend's other lanes."""
    found: list[float | None] = []
    for lane, backend in enumerate(backends):
        others = [
            second for count, name in zip(counts, backends, strict=True) if name == backend for second in count.recent
        ]
        recent = counts[lane].recent or others
        if not due[lane]:
            found.append(0.0)
        else:
            found.append(due[lane] * sum(recent) / len(recent) / at_once[backend] if recent else None)
    return found
