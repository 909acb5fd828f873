"""Every two lanes of an experiment held against each other, corrected for their number; or why they are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from workbench.experiments.grid import Grid
from workbench.experiments.lanes import refusal
from workbench.experiments.pairs import Compared, Difference, Said, differences, verdict
from workbench.experiments.statistics import Odds, Resamples, holm
from workbench.experiments.words import count


@dataclass(frozen=True)
class PairResult:
    """The lane `a` against the lane `b` on the `n` items that both finished; `left_out` were finished by one alone.

    `effect` is a's mean score minus b's, `wins` are the items on which a is better. `p_holm` is p corrected for all
    pairs that were tested. `needed` is how many items give 80% power at p < 0.05 if the difference is as seen, of
    this test alone; `needed_corrected` is the same after the correction for all pairs; None if there is no difference.
    `refused` says why a pair is not tested: its numbers are then None.
    """

    a: str
    b: str
    n: int
    left_out: int
    refused: str
    said: Said | Literal["refused", "nothing"]
    verdict: str
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    odds: Odds | None = None
    needed: int | None = None
    needed_corrected: int | None = None
    method: str = ""

    def turned(self) -> "PairResult":
        """The same as b against a."""
        if self.effect is None or self.low is None or self.high is None:
            return replace(self, a=self.b, b=self.a)
        odds = self.odds and Odds(_inverse(self.odds.ratio), _inverse(self.odds.high) or 0.0, _inverse(self.odds.low))
        return replace(
            self,
            a=self.b,
            b=self.a,
            wins=self.losses,
            losses=self.wins,
            effect=-self.effect,
            low=-self.high,
            high=-self.low,
            odds=odds,
        )


def _inverse(odds: float | None) -> float | None:
    """1 over the odds, None being infinite."""
    return 0.0 if odds is None else 1 / odds if odds else None


def pair_results(
    names: Sequence[str], grid: Grid, told: Sequence[tuple[str, ...]], resamples: Resamples, graded: bool
) -> tuple[PairResult, ...]:
    """All pairs of lanes in the plan's order; `told` is who gave each lane feedback."""
    pairs = list(combinations(range(grid.lanes), 2))
    refused = [refusal(names[a], told[a], names[b], told[b]) for a, b in pairs]
    tried = [pair for pair, why in zip(pairs, refused, strict=True) if not why]
    # With several seeds an item's score is a mean, even where all of them happen to agree.
    of_means = graded or grid.seeds > 1
    apart = differences([(grid.scores[a], grid.scores[b]) for a, b in tried], of_means, resamples)
    found = dict(zip(tried, apart, strict=True))
    corrected = holm([difference.p if (difference := found.get(pair)) else None for pair in pairs])
    tests = sum(p is not None for p in corrected)
    results = []
    for (a, b), why, p in zip(pairs, refused, corrected, strict=True):
        both, either = grid.finished[a] & grid.finished[b], grid.finished[a] | grid.finished[b]
        blank = PairResult(names[a], names[b], int(both.sum()), int(np.sum(either & ~both)), why, "refused", why)
        compared = Compared(names[a], names[b], (told[a], told[b]), tests)
        results.append(_filled(blank, found.get((a, b)), p, compared, graded))
    return tuple(results)


def _filled(
    blank: PairResult, difference: Difference | None, p: float | None, compared: Compared, graded: bool
) -> PairResult:
    if blank.refused:
        return blank
    if difference is None or p is None:
        return replace(blank, said="nothing", verdict=f"No item was finished by both {blank.a} and {blank.b}.")
    said, sentence = verdict(difference, p, compared, graded)
    if blank.left_out:
        left = "is" if blank.left_out == 1 else "are"
        sentence += f" {count(blank.left_out, 'item')} that only one of them finished {left} left out."
    return replace(
        blank,
        said=said,
        verdict=sentence,
        wins=difference.wins,
        losses=difference.losses,
        ties=difference.ties,
        effect=difference.effect,
        low=difference.low,
        high=difference.high,
        p=difference.p,
        p_holm=p,
        odds=difference.odds,
        needed=difference.needed(),
        needed_corrected=difference.needed(compared.alpha),
        method=difference.method,
    )
