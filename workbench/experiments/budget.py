"""The equal-budget view: what a vote reaches with the tokens that another lane spent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.experiments.model import Cell
from workbench.experiments.pairs import Difference, binary, differences
from workbench.experiments.statistics import Array, Resamples, wilson
from workbench.experiments.votes import expected_votes, stopped_votes
from workbench.experiments.words import Scale, count

Mask = NDArray[np.bool_]

NEARLY = 0.95  # of another's tokens: as many as another sample would not fit in


@dataclass(frozen=True)
class BudgetPoint:
    """A vote over k samples: its score with its interval, and the tokens of an answer."""

    k: int
    tokens: float
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """What a lane that votes would have scored with fewer samples.

    `stopped` says that its runs end when the vote is decided: k is then the most samples that it may draw.
    """

    lane: int
    name: str
    items: int
    stopped: bool
    points: tuple[BudgetPoint, ...]


@dataclass(frozen=True)
class Budget:
    """The vote at the tokens that another lane spent, on the items that both finished.

    `point` is the vote over as many samples as the other's tokens pay for, None where they pay for none. `change` is
    the other's score minus the vote's: its interval says whether they can be told apart; no test is made of it.
    """

    lane: int
    other: int
    tokens: float
    score: float
    point: BudgetPoint | None
    change: Difference | None
    sentence: str


@dataclass(frozen=True)
class Spender:
    """A lane that a vote is held against: the scores and tokens of its items, NaN where it did not finish."""

    lane: int
    name: str
    scores: Array
    tokens: Array


@dataclass(frozen=True)
class Votes:
    """A voting lane's scores and tokens of each item (row) for each number of samples (column)."""

    lane: int
    name: str
    stopped: bool
    scores: Array
    tokens: Array


def votes(lane: int, name: str, cells: Sequence[Cell], items: int) -> Votes | None:
    """The votes of a lane's finished cells; None for a lane that draws no samples.

    An item's are the mean over its seeds. An item that any run answered without samples is not there (NaN).
    """
    drawn = [cell for cell in cells if cell.samples]
    most = max((len(cell.samples) for cell in drawn), default=0)
    if not most:
        return None
    stopped = any(len(cell.samples) < most for cell in drawn)
    sums, counts = np.zeros((2, items, most)), np.zeros(items)
    for cell in drawn:
        sums[:, cell.item] += (stopped_votes if stopped else expected_votes)(cell.samples, most)
        counts[cell.item] += 1
    counts[[cell.item for cell in cells if not cell.samples]] = 0
    scores, tokens = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
    return Votes(lane, name, stopped, scores, tokens)


def curve(found: Votes, graded: bool, resamples: Resamples) -> Curve:
    """The votes' mean scores and tokens with their intervals."""
    means = resamples.means(found.scores)
    there = ~np.isnan(found.scores[:, 0])
    points = [_point(found, k, there, graded, resamples, means[:, k]) for k in range(found.scores.shape[1])]
    return Curve(found.lane, found.name, int(there.sum()), found.stopped, tuple(points))


def _point(
    found: Votes, place: int, there: Mask, graded: bool, resamples: Resamples, means: Array | None = None
) -> BudgetPoint:
    column = np.where(there, found.scores[:, place], np.nan)
    values = column[there]
    exact = not graded and binary(values)
    interval = wilson(float(values.sum()), len(values)) if exact else resamples.interval(column, 0.0, 1.0, means)
    return BudgetPoint(place + 1, float(found.tokens[there, place].mean()), float(values.mean()), *interval)


def budgets(
    found: Votes, drawn: Curve, others: Sequence[Spender], graded: bool, resamples: Resamples
) -> tuple[Budget, ...]:
    """The vote at the tokens of each other lane; those with which it has no item in common are left out."""
    known = [(other, there) for other in others if (there := _both(found, other)).any()]
    paid = [_paid(found, other, there) for other, there in known]
    pairs = [
        (np.where(there, other.scores, np.nan), np.where(there, found.scores[:, max(k, 1) - 1], np.nan))
        for (other, there), k in zip(known, paid, strict=True)
    ]
    changes = differences(pairs, graded, resamples)
    return tuple(
        _budget(found, drawn, other, there, k, change, resamples, graded)
        for (other, there), k, change in zip(known, paid, changes, strict=True)
        if change is not None
    )


def _both(found: Votes, other: Spender) -> Mask:
    both: Mask = ~np.isnan(other.scores) & ~np.isnan(found.scores[:, 0])
    return both


def _paid(found: Votes, other: Spender, there: Mask) -> int:
    """How many samples the other's tokens pay for."""
    return int(np.sum(found.tokens[there].mean(axis=0) <= other.tokens[there].mean() + 1e-9))


def _budget(
    found: Votes,
    drawn: Curve,
    other: Spender,
    there: Mask,
    k: int,
    change: Difference,
    resamples: Resamples,
    graded: bool,
) -> Budget:
    spent, score = float(other.tokens[there].mean()), float(other.scores[there].mean())
    scale = Scale(graded, change.n).fine(change.effect)
    if not k:
        price = float(found.tokens[there, 0].mean())
        said = f"{_with(other.name, spent)}, {found.name} draws not even one sample: that costs {price:,.0f}."
        return Budget(found.lane, other.lane, spent, score, None, None, said)
    same = int(there.sum()) == drawn.items  # the usual case: the point is on the curve
    point = drawn.points[k - 1] if same else _point(found, k - 1, there, graded, resamples)
    said = _sentence(drawn, other.name, spent, score, point, change, scale)
    return Budget(found.lane, other.lane, spent, score, point, change, said)


def _with(name: str, spent: float) -> str:
    return f"With the tokens that {name} spent ({spent:,.0f} per answer)"


def _sentence(
    drawn: Curve, name: str, spent: float, score: float, point: BudgetPoint, change: Difference, scale: Scale
) -> str:
    upto = "up to " if drawn.stopped and point.k > 1 else ""
    reached = f"{drawn.name} draws {upto}{count(point.k, 'sample')} and reaches"
    said = f"{_with(name, spent)}, {reached} {scale.scored(point.score, point.low, point.high)};"
    span = f"{scale.gain(change.effect)} for {name}, 95% interval {scale.span(change.low, change.high)}"
    apart = "" if change.low > 0 or change.high < 0 else ": perhaps no difference at all"
    said += f" {name} {scale.score(score)} ({span}{apart})."
    if point.k == len(drawn.points) and point.tokens < NEARLY * spent:
        said += f" Its {point.k} samples cost only {point.tokens:,.0f}: what more would reach was not tried."
    return said
