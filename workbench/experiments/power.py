"""How many items would be needed: the power of the paired tests."""

from math import ceil, floor, inf, log2, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrik, betainc, gammaln, ndtri, xlog1py, xlogy  # type: ignore[import-untyped]

from workbench.experiments.statistics import ALPHA, Array

POWER = 0.8
_COUNTED = 1_000  # up to so many items the number is corrected by the exact power
_LONGEST_SEARCH = 40  # halvings


def power(n: int, wins: float, losses: float, alpha: float = ALPHA) -> float:
    """The exact power of McNemar's exact test on `n` items; `wins`, `losses` are shares of all items.

    Over all numbers of discordant items that there may be, the probability that their split is significant.
    """
    together = min(wins + losses, 1.0)
    if together <= 0:
        return 0.0
    middle, reach = n * together, 8 * sqrt(n * together * (1 - together)) + 1
    counts = np.arange(max(0, floor(middle - reach)), min(n, ceil(middle + reach)) + 1)
    few = _critical(counts, alpha)
    share = wins / (wins + losses)
    significant = _at_most(few, counts, share) + _at_most(few, counts, 1 - share)
    return float(np.sum(_binomial(counts, n, together) * significant))


def _critical(counts: NDArray[np.int64], alpha: float) -> NDArray[np.int64]:
    """For each number of discordant items the largest smaller side that is significant; -1 where none is."""
    guess = np.floor(np.nan_to_num(bdtrik(alpha / 2, counts.astype(float), 0.5), nan=-1)).astype(np.int64)
    for step in (guess + 1, guess, guess - 1):  # the inverse is not exact at the steps
        guess = np.where(_at_most(guess, counts, 0.5) > alpha / 2, step - 1, guess)
    larger = _at_most(guess + 1, counts, 0.5) <= alpha / 2
    found: NDArray[np.int64] = np.maximum(np.where(larger, guess + 1, guess), -1)
    return found


def _at_most(successes: NDArray[np.int64], trials: NDArray[np.int64], chance: float) -> Array:
    """The binomial distribution; 0 below no success."""
    inside = (successes >= 0) & (successes < trials)
    known = betainc(np.where(inside, trials - successes, 1), np.where(inside, successes + 1, 1), 1 - chance)
    return np.where(inside, known, (successes >= trials) & (successes >= 0))


def _binomial(counts: NDArray[np.int64], n: int, chance: float) -> Array:
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    found: Array = np.exp(ways + xlogy(counts, chance) + xlog1py(n - counts, -chance))
    return found


def needed(wins: float, losses: float, alpha: float = ALPHA) -> int | None:
    """The items needed for 80% power of McNemar's exact test if the shares are as given; None if they are even.

    Connor's number (Biometrics 43, 1987, 207-211) with a continuity correction, since the exact test needs more;
    a small number is then corrected by the exact power.
    """
    together, apart = wins + losses, abs(wins - losses)
    if apart < 1e-12:
        return None
    reach = -float(ndtri(alpha / 2)) * sqrt(together) + float(ndtri(POWER)) * sqrt(max(together - apart**2, 0.0))
    connor = (reach / apart) ** 2
    about = ceil(connor / 4 * (1 + sqrt(1 + 4 / (connor * apart))) ** 2)
    if about > _COUNTED:
        return about
    low, high = max(1, int(0.6 * about)), int(1.5 * about) + 20
    return _smallest(low, high, wins, losses, alpha)


def _smallest(low: int, high: int, wins: float, losses: float, alpha: float) -> int:
    """The power is a saw that rises: this finds the end of one of its last teeth below 80%."""
    while low < high:
        middle = (low + high) // 2
        if power(middle, wins, losses, alpha) >= POWER:
            high = middle
        else:
            low = middle + 1
    return max(low, _fewest(alpha))


def _fewest(alpha: float) -> int:
    """With fewer items no paired test of ours can be significant: the least p of n is 2 / 2^n."""
    return ceil(log2(2 / alpha))


def detectable(n: int, discordant: float, alpha: float = ALPHA) -> float | None:
    """The smallest difference of two proportions that `n` items would show with 80% power; None if they show none.

    `discordant` is the share of items that the lanes answer differently.
    """
    if power(n, 1.0, 0.0, alpha) < POWER:
        return None
    low, high = 0.0, 1.0
    for _ in range(_LONGEST_SEARCH):
        middle = (low + high) / 2
        together = max(discordant, middle)
        enough = power(n, (together + middle) / 2, (together - middle) / 2, alpha) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def needed_mean(mean: float, deviation: float, alpha: float = ALPHA) -> int | None:
    """The items needed for 80% power if paired differences have that mean and standard deviation; None for mean 0.

    Normal approximation: ((z(1 - alpha/2) + z(0.8)) deviation / mean) squared.
    """
    if abs(mean) < 1e-12:
        return None
    found = (_both_tails(alpha) * deviation / mean) ** 2
    return max(ceil(found), _fewest(alpha)) if found < inf else None


def detectable_mean(n: int, deviation: float, alpha: float = ALPHA) -> float | None:
    """The smallest mean difference that `n` items would show with 80% power; None if all differences are the same."""
    return _both_tails(alpha) * deviation / sqrt(n) if deviation > 0 else None


def _both_tails(alpha: float) -> float:
    return float(ndtri(1 - alpha / 2) + ndtri(POWER))
