"""Whether a lane is as often right as it is sure: reliability bins, expected calibration error, Brier score.

The expected calibration error is that of Guo et al. 2017 (ICML, section 2): over ten bins of equal width, the mean
distance between how sure the answers are and how many of them are right, weighted by how many there are.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.experiments.model import Cell
from workbench.experiments.statistics import Array, Resamples, wilson
from workbench.experiments.words import count

BINS = 10
FEW = 100  # items: with fewer a bin holds a handful
SIMULATED = 2_000
_SEED = 0
_RIGHT = 0.5  # a score of a run that is right or wrong is 0 or 1

Places = NDArray[np.int64]
Kind = Literal["token probability", "vote share"]
KINDS: dict[Kind, str] = {
    "token probability": "mean token probability of the answer",
    "vote share": "share of the votes for the answer",
}


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies from `low` up to `high`: how many, how sure on average, how many right.

    `share` is right / n, within `share_low` to `share_high` (Wilson, 95%).
    """

    low: float
    high: float
    n: int
    right: int
    confidence: float
    share: float
    share_low: float
    share_high: float


@dataclass(frozen=True)
class Calibration:
    """How well a lane's confidence is founded. `left_out` finished answers tell no confidence of its `kind`.

    `low` to `high` is the expected calibration error's interval (95%, over resampled items); `by_chance` what a lane
    of the same confidences that is calibrated perfectly shows on average, and in 1 of 20 experiments at least
    `by_chance_high`. The `n` answers are to so many `items`. `bins` are those that have answers.
    """

    lane: int
    name: str
    kind: Kind
    n: int
    items: int
    left_out: int
    ece: float
    low: float
    high: float
    brier: float
    share: float
    confidence: float
    by_chance: float
    by_chance_high: float
    bins: tuple[Bin, ...]

    @property
    def what(self) -> str:
        """What the confidence is, in words."""
        return KINDS[self.kind]

    @property
    def verdict(self) -> str:
        """What can be said of it, in a sentence or three."""
        gap = self.confidence - self.share
        lean = "more sure than it is right" if gap > 0 else "less sure than it is right"
        sure = f"{self.name} is sure by {self.confidence:.2f} on average and right in {self.share:.0%}"
        if self.ece < self.by_chance_high:
            said = f"{sure}: no more off than chance alone would make a lane of perfect calibration."
        else:
            said = f"{sure}: it is {lean}, beyond what chance explains."
        left = f" {count(self.left_out, 'answer')} told no such confidence." if self.left_out else ""
        return f"{said}{left}{self._caution()}"

    def _caution(self) -> str:
        if self.items >= FEW:
            return ""
        to = f" to {count(self.items, 'item')}" if self.items < self.n else ""
        few = f"{count(self.n, 'answer')}{to} {'says' if self.n == 1 else 'say'} little about it"
        return f" But {few}: an error of about {self.by_chance:.2f} is there by chance alone. Take {FEW} items or more."


def calibrations(
    names: Sequence[str], done: Sequence[Sequence[Cell]], graded: bool, resamples: Resamples
) -> tuple[Calibration, ...]:
    """The calibration of each lane whose answers tell a confidence; none where scores are graded, not right or wrong.

    `done` are the cells of the items that each lane has finished.
    """
    if graded:
        return ()
    found = (_calibration(lane, name, done[lane], resamples) for lane, name in enumerate(names))
    return tuple(one for one in found if one is not None)


def vote_share(cell: Cell) -> float | None:
    """Which part of its samples voted for the answer that won; None of a run that put nothing to the vote."""
    if len(cell.samples) < 2:
        return None
    votes = Counter(sample.answer for sample in cell.samples if sample.answer)
    return max(votes.values(), default=0) / len(cell.samples)


def kind_of(cells: Sequence[Cell]) -> Kind:
    """A lane that votes is as sure as its votes; every other as its tokens. The two are never mixed."""
    return "vote share" if any(vote_share(cell) is not None for cell in cells) else "token probability"


def _calibration(lane: int, name: str, cells: Sequence[Cell], resamples: Resamples) -> Calibration | None:
    kind = kind_of(cells)
    told = [(cell, value) for cell in cells if (value := _sure(cell, kind)) is not None]
    if not told:
        return None
    sure = np.array([value for _, value in told])
    right = np.array([float((cell.score or 0) > _RIGHT) for cell, _ in told])
    places = np.array([cell.item for cell, _ in told], np.int64)
    bins, by_chance = _bin(sure), _by_chance(sure, places)
    low, high = _interval(sure - right, bins, places, resamples)
    return Calibration(
        lane=lane,
        name=name,
        kind=kind,
        n=len(told),
        items=len(np.unique(places)),
        left_out=len(cells) - len(told),
        ece=_error(sure - right, bins),
        low=low,
        high=high,
        brier=float(np.mean((sure - right) ** 2)),
        share=float(right.mean()),
        confidence=float(sure.mean()),
        by_chance=float(by_chance.mean()),
        by_chance_high=float(np.quantile(by_chance, 0.95)),
        bins=_bins(sure, right, bins),
    )


def _sure(cell: Cell, kind: Kind) -> float | None:
    value = vote_share(cell) if kind == "vote share" else cell.confidence
    return min(max(value, 0.0), 1.0) if value is not None and isfinite(value) else None


def _bin(sure: Array) -> Places:
    """Each answer's bin; the last holds 1 as well. What rounding has put just under an edge belongs above it."""
    return np.minimum(sure * BINS + 1e-9, BINS - 1).astype(np.int64)


def _error(gaps: Array, bins: Places) -> float:
    """The expected calibration error: a bin's weight and its mean gap together are the sum of its gaps."""
    sums = np.bincount(bins, weights=gaps, minlength=BINS)
    return float(np.abs(sums).sum() / len(gaps))


def _interval(gaps: Array, bins: Places, places: Places, resamples: Resamples) -> tuple[float, float]:
    """The error over resampled items, all of an item's runs together: percentiles, 95%."""
    sums, counts = np.zeros((resamples.items, BINS)), np.zeros(resamples.items)
    np.add.at(sums, (places, bins), gaps)
    np.add.at(counts, places, 1)
    weights = resamples.weights.astype(np.float32)
    totals, drawn = np.abs(weights @ sums.astype(np.float32)).sum(axis=1), weights @ counts.astype(np.float32)
    errors = totals[drawn > 0] / drawn[drawn > 0]
    return float(np.quantile(errors, 0.025)), float(np.quantile(errors, 0.975))


def _by_chance(sure: Array, places: Places) -> Array:
    """The errors of lanes that are right exactly as often as they are sure, drawn again and again.

    The runs of an item share one draw, as if all of them knew it or none: taken for independent, they would make a lane
    of perfect calibration look off. Where seeds do differ this expects more of chance than there is, and so says less.
    """
    order = np.argsort(_bin(sure), kind="stable")
    ordered, bins = sure[order], _bin(sure)[order]
    items, of = np.unique(places[order], return_inverse=True)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    generator = np.random.default_rng(_SEED)
    errors = np.empty(SIMULATED)
    for number in range(SIMULATED):
        gaps = ordered - (generator.random(len(items))[of] < ordered)
        errors[number] = np.abs(np.add.reduceat(gaps, starts)).sum() / len(ordered)
    return errors


def _bins(sure: Array, right: Array, bins: Places) -> tuple[Bin, ...]:
    found = []
    for number in range(BINS):
        inside = bins == number
        if n := int(inside.sum()):
            good = int(right[inside].sum())
            low, high = wilson(good, n)
            mean, share = float(sure[inside].mean()), good / n
            found.append(Bin(number / BINS, (number + 1) / BINS, n, good, mean, share, low, high))
    return tuple(found)
