"""What a majority vote over fewer samples would have answered, and what it would have cost."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np

from workbench.experiments.model import Sample
from workbench.experiments.statistics import Array


def expected_votes(samples: Sequence[Sample], most: int) -> tuple[Array, Array]:
    """For k = 1 to `most`: the score of a vote over k of the samples, on average over all choices of k; the tokens.

    For samples that were all drawn whatever they said. Tied answers share the vote, since any of them could have been
    seen first; but that over all samples is the machine's own, with its order. Beyond the last sample, NaN.
    """
    names, counts, scores = _answers(samples)
    silent = len(samples) - sum(counts)
    upto = np.arange(1, most + 1)
    found = np.full(most, np.nan)
    if names:
        chances = winning(tuple(counts), silent)[: most + 1]
        found[: len(chances) - 1] = (chances @ scores + _unheard(samples, silent)[: len(chances)])[1:]
    else:
        found[: len(samples)] = _mean([sample.score for sample in samples])
    found[len(samples) - 1] = _vote(samples)
    each = _mean([sample.tokens for sample in samples])
    return found, np.where(upto <= len(samples), upto * each, np.nan)


def stopped_votes(samples: Sequence[Sample], most: int) -> tuple[Array, Array]:
    """For k = 1 to `most`: the score of the vote over the first k samples, and the tokens.

    For samples that end when the vote is decided: any choice of them would not be like fewer samples, since their
    number depends on what they said. Of tied answers the one that was seen first wins, as the machine counts. Beyond
    the last sample, the vote and its cost stay as they are.
    """
    found = np.empty(most)
    for k in range(most):
        found[k] = _vote(samples[: k + 1]) if k < len(samples) else found[k - 1]
    spent = np.cumsum([sample.tokens for sample in samples])
    return found, spent[np.minimum(np.arange(most), len(samples) - 1)].astype(float)


def _answers(samples: Sequence[Sample]) -> tuple[list[str], list[int], Array]:
    """The answers that vote, their votes, and what each scores."""
    votes = Counter(sample.answer for sample in samples if sample.answer)
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in samples:
        sums[sample.answer] += sample.score
    names = list(votes)
    return names, [votes[name] for name in names], np.array([sums[name] / votes[name] for name in names])


def _vote(samples: Sequence[Sample]) -> float:
    """The score of what the machine answers: the leader in the words of the first sample that voted for it."""
    votes = Counter(sample.answer for sample in samples if sample.answer)
    if not votes:
        return _mean([sample.score for sample in samples])
    [(leader, _)] = votes.most_common(1)  # of equals, who was seen first
    return next(sample.score for sample in samples if sample.answer == leader)


def _unheard(samples: Sequence[Sample], silent: int) -> Array:
    """For k = 0, 1, ...: the chance that none of k samples casts a vote, times what such samples score."""
    n = len(samples)
    if not silent:
        return np.zeros(n + 1)
    score = _mean([sample.score for sample in samples if not sample.answer])
    return np.array([score * comb(silent, k) / comb(n, k) for k in range(n + 1)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@lru_cache(maxsize=4096)
def winning(counts: tuple[int, ...], silent: int = 0) -> Array:
    """The chance (row k, column answer) that an answer wins the vote over k samples chosen from all; ties are shared.

    `counts` are the answers' votes, `silent` the samples that cast none. Exact: for each number of votes that an
    answer can win with, the ways to choose the others with fewer or as many.
    """
    n = sum(counts) + silent
    ways = np.zeros((n + 1, len(counts)))
    known: dict[int, Array] = {}
    for place, own in enumerate(counts):
        if own not in known:
            known[own] = _winning_ways(own, counts[:place] + counts[place + 1 :], silent, n)
        ways[:, place] = known[own]
    ways /= np.array([[float(comb(n, k))] for k in range(n + 1)])
    return ways


def _winning_ways(own: int, others: tuple[int, ...], silent: int, n: int) -> Array:
    """For each k the ways to choose k samples so that an answer with `own` votes in all wins, ties by their share."""
    found = np.zeros(n + 1)
    shares = 1 / np.arange(1, len(others) + 2)
    for votes in range(1, own + 1):
        ways = np.zeros((n + 1, len(others) + 1))  # by samples chosen, and by answers that tie
        ways[votes, 0] = comb(own, votes)
        for other in others:
            ways = _with_answer(ways, other, votes)
        found += _with_silent(ways, silent) @ shares
    return found


def _with_answer(ways: Array, count: int, votes: int) -> Array:
    found = np.zeros_like(ways)
    for chosen in range(min(count, votes) + 1):
        rows = len(ways) - chosen
        if chosen < votes:
            found[chosen:] += comb(count, chosen) * ways[:rows]
        else:
            found[chosen:, 1:] += comb(count, chosen) * ways[:rows, :-1]
    return found


def _with_silent(ways: Array, silent: int) -> Array:
    found = np.zeros_like(ways)
    for chosen in range(silent + 1):
        found[chosen:] += comb(silent, chosen) * ways[: len(ways) - chosen]
    return found
