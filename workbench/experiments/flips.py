"""The flip ledger: what each round of a machine that revises made right and made wrong, and where to stop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from workbench.experiments.model import Cell, Round
from workbench.experiments.pairs import SAME, Compared, Difference, binary, differences, verdict
from workbench.experiments.statistics import Array, Resamples, holm, wilson
from workbench.experiments.words import Scale, count

RIGHT = 0.5  # a score of at least this is a right answer
CHANGED = 0.05  # a graded score that moves by more has become better or worse


@dataclass(frozen=True)
class RoundResult:
    """What a round did. Round 1 is the first answer; a run that is over keeps its last answer and its cost.

    `gained` runs went from wrong to right in this round and `lost` from right to wrong; graded ones became better or
    worse by more than 0.05. `stayed` had the round and neither; `ended` were over before it. The score is what
    stopping here gives; `tokens`, prompt and completion, are a run's on average up to here. `best` is the share of
    resamples in which stopping here scores highest.
    """

    number: int
    gained: int
    lost: int
    stayed: int
    ended: int
    score: float
    low: float
    high: float
    tokens: float
    best: float


@dataclass(frozen=True)
class Ledger:
    """A lane's rounds under one source of feedback; `change` is its last answers against its first.

    `best` is the round at which stopping scores highest on these items, the earlier of equals. `elsewhere` is what a
    round chosen so scores on items that it was not chosen on; None where that cannot be told. `unrevised` of the runs
    came to no round at all, as at a limit before the first draft: what they ended with counts as their only one.
    """

    lane: int
    name: str
    feedback: str
    items: int
    runs: int
    unrevised: int
    graded: bool
    rounds: tuple[RoundResult, ...]
    best: int
    elsewhere: float | None
    change: Difference
    p: float
    verdict: str
    advice: str

    @property
    def words(self) -> tuple[str, str]:
        """What flips are called: of right and wrong answers, of graded ones."""
        return ("better", "worse") if self.graded else ("wrong → right", "right → wrong")


def flipped(before: float, after: float, graded: bool) -> int:
    """1 for a flip to the better, -1 for one to the worse, 0 for none."""
    if graded:
        return int(after - before > CHANGED + SAME) - int(before - after > CHANGED + SAME)
    return int(after >= RIGHT) - int(before >= RIGHT)


def flips(cell: Cell, graded: bool) -> tuple[int, int]:
    """How often a run flipped to the better and to the worse."""
    scores = [step.score for step in cell.rounds]
    found = [flipped(before, after, graded) for before, after in pairwise(scores)]
    return found.count(1), found.count(-1)


def sources(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Who gave feedback in these runs, in order of their names; empty where nobody did."""
    return tuple(sorted({cell.feedback for cell in cells} - {"none"}))


def ledgers(lanes: Sequence[tuple[str, Sequence[Cell]]], graded: bool, resamples: Resamples) -> tuple[Ledger, ...]:
    """The ledger of each lane (name and finished cells) that had a second round, in order.

    Runs with different sources of feedback are never in one ledger. The tests of last against first answers are
    corrected for the number of ledgers.
    """
    found = [
        _ledger(lane, name, source, runs, graded, resamples)
        for lane, (name, cells) in enumerate(lanes)
        for source, runs in _by_source(cells)
        if any(len(cell.rounds) > 1 for cell in runs)
    ]
    corrected = holm([ledger.change.p for ledger in found])
    return tuple(_judged(ledger, p, len(found)) for ledger, p in zip(found, corrected, strict=True) if p is not None)


def _by_source(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """The runs by source; those without feedback go with a single other source."""
    runs, given = list(cells), sources(cells)
    if len(given) < 2:
        return [(given[0] if given else "none", runs)]
    return [(source, [cell for cell in runs if cell.feedback == source]) for source in (*given, "none")]


def _ledger(lane: int, name: str, source: str, runs: list[Cell], graded: bool, resamples: Resamples) -> Ledger:
    unrevised = sum(not cell.rounds for cell in runs)
    runs = [_with_a_round(cell) for cell in runs]
    scores, tokens = _carried(runs)
    columns = _by_item(scores, runs, resamples.items)
    exact = not graded and binary(columns)
    means = resamples.means(columns)
    best = np.argmax(np.round(np.nan_to_num(means, nan=-1.0), 6), axis=1)
    change = differences([(columns[:, -1], columns[:, 0])], graded, resamples)[0]
    assert change is not None  # every run has a first and a last answer
    rounds = []
    for place in range(columns.shape[1]):
        low, high = _interval(columns[:, place], exact, resamples, means[:, place])
        share = float(np.mean(best == place))
        rounds.append(_round(runs, place, graded, columns, low, high, float(tokens[:, place].mean()), share))
    highest = int(np.argmax(np.round([step.score for step in rounds], 9)))
    return Ledger(
        lane=lane,
        name=name,
        feedback=source,
        items=change.n,
        runs=len(runs),
        unrevised=unrevised,
        graded=graded,
        rounds=tuple(rounds),
        best=highest + 1,
        elsewhere=_elsewhere(columns, best, resamples),
        change=change,
        p=change.p,
        verdict="",
        advice="",
    )


def _with_a_round(cell: Cell) -> Cell:
    """A finished run that has none gets one: what it ended with, at what it cost."""
    if cell.rounds or cell.score is None:
        return cell
    only = Round(score=cell.score, tokens=cell.prompt_tokens + cell.completion_tokens)
    return cell.model_copy(update={"rounds": (only,)})


def _carried(runs: list[Cell]) -> tuple[Array, Array]:
    """Scores and tokens of each run (row) at each round (column), the last ones kept after a run's end."""
    longest = max(len(cell.rounds) for cell in runs)
    kept = [[cell.rounds[min(k, len(cell.rounds) - 1)] for k in range(longest)] for cell in runs]
    scores = np.array([[step.score for step in row] for row in kept])
    return scores, np.array([[step.tokens for step in row] for row in kept], float)


def _by_item(scores: Array, runs: list[Cell], items: int) -> Array:
    """An item's scores, the mean over its runs; NaN for an item that has none."""
    places = np.array([cell.item for cell in runs])
    sums = np.zeros((items, scores.shape[1]))
    np.add.at(sums, places, scores)
    counts = np.bincount(places, minlength=items)[:, None]
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _interval(column: Array, exact: bool, resamples: Resamples, means: Array) -> tuple[float, float]:
    if exact:
        there = column[~np.isnan(column)]
        return wilson(float(there.sum()), len(there))
    return resamples.interval(column, 0.0, 1.0, means)


def _round(
    runs: list[Cell],
    place: int,
    graded: bool,
    columns: Array,
    low: float,
    high: float,
    tokens: float,
    share: float,
) -> RoundResult:
    there = [cell for cell in runs if len(cell.rounds) > place]
    moves = [flipped(cell.rounds[place - 1].score, cell.rounds[place].score, graded) for cell in there if place]
    return RoundResult(
        number=place + 1,
        gained=moves.count(1),
        lost=moves.count(-1),
        stayed=moves.count(0),
        ended=len(runs) - len(there),
        score=float(np.nanmean(columns[:, place])),
        low=low,
        high=high,
        tokens=tokens,
        best=share,
    )


def _elsewhere(columns: Array, best: NDArray[np.intp], resamples: Resamples) -> float | None:
    """The round that is best on the items drawn, scored on those left out, on average over the resamples."""
    left = resamples.means(columns, left_out=True)[np.arange(resamples.count), best]
    return float(np.nanmean(left)) if not np.all(np.isnan(left)) else None


def _judged(ledger: Ledger, p: float, tests: int) -> Ledger:
    of_last = () if ledger.feedback == "none" else (ledger.feedback,)
    compared = Compared(f"{ledger.name}'s last answer", "its first", (of_last, ()), tests)
    _, said = verdict(ledger.change, p, compared, ledger.graded)
    if ledger.feedback == "gold":
        said += " It was told which answers were wrong (gold feedback): without that it may do worse."
    return replace(ledger, p=p, verdict=said, advice=_advice(ledger))


def _advice(ledger: Ledger) -> str:
    """Where to stop, and how little is known of it."""
    scale, step = Scale(ledger.graded, ledger.items), ledger.rounds[ledger.best - 1]
    said = (
        f"Stopping {ledger.name} after round {ledger.best} of {len(ledger.rounds)} scores highest here:"
        f" {scale.scored(step.score, step.low, step.high)}. It is the best round in {step.best:.0%} of resamples of"
        f" the {count(ledger.items, 'item')}."
    )
    if ledger.elsewhere is not None:
        said += (
            " The round was chosen on these very items, which flatters it: on items that it was not chosen on, expect"
            f" about {scale.score(ledger.elsewhere)}."
        )
    if ledger.unrevised:
        said += (
            f" {ledger.unrevised:,} of {count(ledger.runs, 'run')} came to no round, as at a limit before the first"
            " draft: what they ended with counts as their only one."
        )
    return said
