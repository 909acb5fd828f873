"""Honest statistics of paired answers: intervals, tests and their correction, as pure functions on sequences.

The item is the unit: with several seeds an item's score is its mean over them. Intervals are for 95%.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, ndtr, ndtri  # type: ignore[import-untyped]

Array = NDArray[np.float64]

ALPHA = 0.05
Z = float(ndtri(1 - ALPHA / 2))
RESAMPLES = 10_000
FEWEST_RESAMPLES = 2_000
MOST_DRAWS = 40_000_000  # resamples x items that are kept in memory, a byte each; beyond, there are fewer resamples
EXACT_SIGNS = 15  # differences whose signs are flipped in every way there is (32,768); of more, a sample of the ways
_SMALL = 250_000  # multiplications that OpenBLAS does in one thread
_BESIDE = 8  # columns that are multiplied at a time
_AT_ONCE = 400_000  # resamples x items at a time: what is at work stays in the processor's cache


class Interval(NamedTuple):
    """From `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class Odds:
    """An odds ratio with its interval; None is infinite."""

    ratio: float | None
    low: float
    high: float | None


def wilson(right: float, n: int) -> Interval:
    """The interval of a proportion, `right` of `n`: Wilson's score interval (JASA 22, 1927, 209-212)."""
    share, z2 = float(right) / n, Z * Z
    middle = share + z2 / (2 * n)
    reach = Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (middle - reach) / (1 + z2 / n), (middle + reach) / (1 + z2 / n)
    return Interval(0.0 if right == 0 else max(low, 0.0), 1.0 if right == n else min(high, 1.0))


def at_most(successes: int, trials: int, chance: float) -> float:
    """The probability of at most so many successes of a binomial variable."""
    if successes >= trials:
        return 1.0
    return float(betainc(trials - successes, successes + 1, 1 - chance)) if successes >= 0 else 0.0


def mcnemar(wins: int, losses: int) -> float:
    """McNemar's exact test (Psychometrika 12, 1947, 153-157): are the items that two lanes answer differently even?

    Two-sided binomial probability of a split at least as uneven as `wins` to `losses`.
    """
    return min(1.0, 2 * at_most(min(wins, losses), wins + losses, 0.5))


def paired_interval(both: int, wins: int, losses: int, neither: int) -> Interval:
    """The interval of the difference of two proportions on the same items, `wins` - `losses` over all.

    Newcombe's square-and-add interval with his correction of the correlation: method 10 of Statistics in Medicine 17,
    1998, 2635-2650.
    """
    n = both + wins + losses + neither
    first, second = (both + wins) / n, (both + losses) / n
    one, other = wilson(both + wins, n), wilson(both + losses, n)
    phi = _correlation(both, wins, losses, neither)

    def reach(down: float, up: float) -> float:
        return sqrt(max(down * down - 2 * phi * down * up + up * up, 0.0))

    low = first - second - reach(first - one.low, other.high - second)
    high = first - second + reach(second - other.low, one.high - first)
    return Interval(max(low, -1.0), min(high, 1.0))


def _correlation(both: int, wins: int, losses: int, neither: int) -> float:
    margins = (both + wins) * (losses + neither) * (both + losses) * (wins + neither)
    excess = float(both * neither - wins * losses)
    if excess > 0:
        excess = max(excess - (both + wins + losses + neither) / 2, 0.0)
    return excess / sqrt(margins) if margins else 0.0


def discordant_odds(wins: int, losses: int) -> Odds | None:
    """The odds ratio of the items that two lanes answer differently; None where there are none.

    Its interval is that of the share of wins by Clopper and Pearson (Biometrika 26, 1934, 404-413).
    """
    n = wins + losses
    if not n:
        return None
    low = float(betaincinv(wins, losses + 1, ALPHA / 2)) if wins else 0.0
    high = float(betaincinv(wins + 1, losses, 1 - ALPHA / 2)) if losses else 1.0
    ratio = wins / losses if losses else None
    return Odds(ratio, low / (1 - low), high / (1 - high) if high < 1 else None)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """The p values corrected for their number, in their order (Holm, Scandinavian J. Statistics 6, 1979, 65-70).

    None is a test that was not made and stays None.
    """
    made = sorted((value, place) for place, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(made):
        highest = max(highest, min(1.0, value * (len(made) - rank)))
        corrected[place] = highest
    return corrected


class Resamples:
    """The items of an experiment drawn again with replacement, many times: a bootstrap over items.

    All that is asked of one object is computed on the same resamples, which keeps what is paired together. Columns
    have a row for each item; NaN is an item that is not there.
    """

    def __init__(self, items: int, seed: int = 0) -> None:
        self.items = items
        self.seed = seed
        self.count = max(FEWEST_RESAMPLES, min(RESAMPLES, MOST_DRAWS // max(items, 1)))

    @cached_property
    def weights(self) -> NDArray[np.uint8]:
        """How often each item (column) was drawn in each resample (row)."""
        generator, n = np.random.default_rng(self.seed), self.items
        drawn = np.empty((self.count, n), np.uint8)
        for start, rows in _chunks(self.count, n):
            places = generator.integers(0, n, (rows, n), np.int32) + np.arange(rows, dtype=np.int32)[:, None] * n
            drawn[start : start + rows] = np.bincount(places.ravel(), minlength=rows * n).reshape(rows, n)
        return drawn

    def means(self, columns: ArrayLike, *, left_out: bool = False) -> Array:
        """Each column's mean in each resample, or, with `left_out`, over the items that were not drawn in it.

        NaN where a resample has none of a column's items.
        """
        values = _columns(columns)
        present = ~np.isnan(values)
        weights = (self.weights == 0).view(np.uint8) if left_out else self.weights
        totals = _product(weights, np.where(present, values, 0))
        counts = _product(weights, present) if left_out or not present.all() else np.float64(self.items)
        return np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)

    def interval(self, column: ArrayLike, lowest: float, highest: float, means: Array | None = None) -> Interval:
        """The interval of a column's mean: bias-corrected and accelerated (Efron, JASA 82, 1987, 171-185).

        `lowest` and `highest` are what a value can be; `means` the column's own of `self.means`, if there already.
        """
        values = _columns(column)[:, 0]
        values = values[~np.isnan(values)]
        if np.ptp(values) < 1e-9:
            return alike(float(values[0]), len(values), lowest, highest)
        low, high = _bca(values, self.means(column)[:, 0] if means is None else means)
        return Interval(max(low, lowest), min(high, highest))


def _product(left: NDArray[np.uint8], right: ArrayLike) -> Array:
    """The matrix product in single floats, in pieces that are too small for BLAS to share out among its threads.

    Those spin while they wait: beside a model that computes, the product in one piece takes ten times as long.
    """
    factors = np.asarray(right, np.float32)
    found = np.empty((len(left), factors.shape[1]))
    step = max(_SMALL // max(left.shape[1] * _BESIDE, 1), 2)
    for start in range(0, len(left), step):
        rows = left[start : start + step].astype(np.float32)
        for column in range(0, factors.shape[1], _BESIDE):
            found[start : start + step, column : column + _BESIDE] = rows @ factors[:, column : column + _BESIDE]
    return found


def _chunks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Where chunks of the rows begin, and how many each has."""
    step = max(_AT_ONCE // max(columns, 1), 1)
    return ((start, min(step, rows - start)) for start in range(0, rows, step))


def _columns(columns: ArrayLike) -> Array:
    values = np.asarray(columns, float)
    return values[:, None] if values.ndim == 1 else values


def _bca(values: Array, means: Array) -> Interval:
    means = means[~np.isnan(means)]
    mean, from_mean = values.mean(), values - values.mean()
    tie = 1e-6 * max(np.abs(values).max(), 1e-9)  # the means are single floats
    below = np.mean(means < mean - tie) + np.mean(np.abs(means - mean) <= tie) / 2
    bias = ndtri(np.clip(below, 0.5 / len(means), 1 - 0.5 / len(means)))
    acceleration = np.sum(from_mean**3) / (6 * np.sum(from_mean**2) ** 1.5)
    ends = bias + np.array([-Z, Z])
    low, high = np.quantile(means, ndtr(bias + ends / (1 - acceleration * ends)))
    return Interval(float(low), float(high))


def alike(value: float, n: int, lowest: float, highest: float) -> Interval:
    """The interval of a mean when all `n` values are the same, where a bootstrap would see no doubt at all.

    The share of other values, of which 0 in n were seen, is by Wilson's interval below a bound; they may lie anywhere
    from `lowest` to `highest`. For right and wrong answers this is Wilson's interval itself.
    """
    share = wilson(0, n).high
    return Interval(value - share * (value - lowest), value + share * (highest - value))


def sign_flips(columns: ArrayLike, seed: int = 0) -> list[float]:
    """For each column of paired differences the probability, two-sided, of a mean at least as far from 0 by chance.

    If neither lane is better, a difference has either sign alike (Fisher, The Design of Experiments, 1935, section
    21). Of up to 15 differences all ways are counted; of more 10,000 ways are drawn, and the one that was seen counts
    among them (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010, 39). NaN is an item that is not there.
    """
    values = np.nan_to_num(_columns(columns))
    several = [place for place in range(values.shape[1]) if np.count_nonzero(values[:, place]) > EXACT_SIGNS]
    drawn = dict(zip(several, _drawn_signs(values[:, several], seed) if several else [], strict=True))
    return [drawn.get(place) or _all_signs(values[:, place]) for place in range(values.shape[1])]


def _all_signs(values: Array) -> float:
    values = values[values != 0]
    ways = np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1
    sums = (2 * ways - 1) @ values
    return float(np.mean(np.abs(sums) >= abs(values.sum()) - 1e-9)) if len(values) else 1.0


def _drawn_signs(values: Array, seed: int) -> list[float]:
    """In chunks as single floats; what comes within rounding of the difference seen counts as equal to it."""
    generator, n = np.random.default_rng(seed), len(values)
    seen = np.abs(values.sum(axis=0)) - 1e-5 * np.abs(values).sum(axis=0)
    reached = np.zeros(values.shape[1])
    for _, rows in _chunks(RESAMPLES, n):
        bits = np.frombuffer(generator.bytes(rows * (n // 8 + 1)), np.uint8).reshape(rows, -1)
        kept = np.unpackbits(bits, axis=1)[:, :n]  # a sum with flipped signs is twice the kept part less the whole
        reached += np.sum(np.abs(2 * _product(kept, values) - values.sum(axis=0)) >= seen, axis=0)
    return [float(value) for value in (reached + 1) / (RESAMPLES + 1)]
