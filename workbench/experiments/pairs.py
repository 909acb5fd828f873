"""Two ways to answer the same items, held against each other: how far apart, how sure, and what can be said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from workbench.experiments import power
from workbench.experiments.statistics import (
    ALPHA,
    Array,
    Interval,
    Odds,
    Resamples,
    discordant_odds,
    mcnemar,
    paired_interval,
    sign_flips,
)
from workbench.experiments.words import Scale, count, fed, probability

SAME = 1e-9  # scores that are closer are equal
Said = Literal["better", "not enough", "no difference"]
Sources = tuple[str, ...]  # of feedback


@dataclass(frozen=True)
class Difference:
    """The first's scores minus the second's on the `n` items that both finished; wins are the first's.

    `deviation` is the standard deviation of an item's difference, `odds` the ratio of wins to losses where answers
    are right or wrong.
    """

    n: int
    wins: int
    losses: int
    ties: int
    effect: float
    low: float
    high: float
    p: float
    deviation: float
    odds: Odds | None
    right_or_wrong: bool

    @property
    def method(self) -> str:
        """The test and the interval by name."""
        return "McNemar's exact test, Newcombe's interval" if self.right_or_wrong else "sign flips, BCa bootstrap"

    def needed(self, alpha: float = ALPHA) -> int | None:
        """The items needed to tell such a difference with 80% power; None where there is none."""
        if self.right_or_wrong:
            return power.needed(self.wins / self.n, self.losses / self.n, alpha)
        return power.needed_mean(self.effect, self.deviation, alpha)

    def detectable(self, alpha: float = ALPHA) -> float | None:
        """The smallest difference that so many items would show with 80% power; None where they show none."""
        if self.right_or_wrong:
            return power.detectable(self.n, (self.wins + self.losses) / self.n, alpha)
        return power.detectable_mean(self.n, self.deviation, alpha)

    def turned(self) -> "Difference":
        """The second's scores minus the first's."""
        return replace(
            self, wins=self.losses, losses=self.wins, effect=-self.effect, low=-self.high, high=-self.low, odds=None
        )


def binary(*columns: Array) -> bool:
    """Whether there are only right and wrong answers, 1 and 0; NaN is an item that is not there."""
    return all(bool(np.all(np.isnan(column) | (column == 0) | (column == 1))) for column in columns)


def differences(pairs: Sequence[tuple[Array, Array]], graded: bool, resamples: Resamples) -> list[Difference | None]:
    """Each pair's difference; None where they have no item in common. NaN is an item that was not finished."""
    columns = [first - second for first, second in pairs]
    found: list[Difference | None] = [None] * len(pairs)
    several = []
    for place, (first, second) in enumerate(pairs):
        if np.all(np.isnan(columns[place])):
            continue
        if not graded and binary(first, second):
            found[place] = _right_or_wrong(first, second)
        else:
            several.append(place)
    if several:
        together = np.stack([columns[place] for place in several], axis=1)
        chances, means = sign_flips(together, resamples.seed), resamples.means(together)
        for position, place in enumerate(several):
            interval = resamples.interval(columns[place], -1.0, 1.0, means[:, position])
            found[place] = _difference(columns[place], interval, chances[position], None)
    return found


def _right_or_wrong(first: Array, second: Array) -> Difference:
    column = first - second
    wins, losses = int(np.sum(column > 0)), int(np.sum(column < 0))
    both = int(np.sum(first + second == 2))
    interval = paired_interval(both, wins, losses, int(np.sum(~np.isnan(column))) - both - wins - losses)
    return _difference(column, interval, mcnemar(wins, losses), discordant_odds(wins, losses), True)


def _difference(
    column: Array, interval: Interval, p: float, odds: Odds | None, right_or_wrong: bool = False
) -> Difference:
    values = column[~np.isnan(column)]
    wins, losses = int(np.sum(values > SAME)), int(np.sum(values < -SAME))
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Difference(
        n=len(values),
        wins=wins,
        losses=losses,
        ties=len(values) - wins - losses,
        effect=float(values.mean()) if wins + losses else 0.0,
        low=interval.low,
        high=interval.high,
        p=p,
        deviation=deviation if deviation > SAME else 0.0,
        odds=odds,
        right_or_wrong=right_or_wrong,
    )


@dataclass(frozen=True)
class Compared:
    """Two ways to answer by their names, who gave each of them feedback, and in how many tests they are one."""

    first: str
    second: str
    fed: tuple[Sources, Sources] = ((), ())
    tests: int = 1

    @property
    def alpha(self) -> float:
        """The level that the p value of a single test must reach, however the others come out."""
        return ALPHA / self.tests

    @property
    def label(self) -> str:
        """The feedback of both, since no sentence is to be quoted without it; empty where neither had any."""
        return fed(*self.fed)

    def turned(self) -> "Compared":
        """The second first."""
        return replace(self, first=self.second, second=self.first, fed=self.fed[::-1])


def verdict(difference: Difference, p: float, compared: Compared, graded: bool) -> tuple[Said, str]:
    """What can be said, in one word and in a sentence; `p` is corrected for the number of tests."""
    scale = Scale(graded, difference.n).fine(difference.effect)
    if abs(difference.effect) < SAME:
        return "no difference", _none_seen(difference, compared, scale)
    if difference.effect < 0:
        difference, compared = difference.turned(), compared.turned()
    if p <= ALPHA:
        return "better", _better(difference, p, compared, scale)
    return "not enough", _not_enough(difference, p, compared, scale)


def _better(difference: Difference, p: float, compared: Compared, scale: Scale) -> str:
    return (
        f"{compared.first} is better than {compared.second}{_labelled(compared)}: {scale.gain(difference.effect)}"
        f" (95% interval {scale.span(difference.low, difference.high)}), {probability(p)}{_after(compared)},"
        f" {count(difference.n, 'item')}."
    )


def _not_enough(difference: Difference, p: float, compared: Compared, scale: Scale) -> str:
    seen = f"{difference.wins:,} against {count(difference.losses, 'item')}, {probability(p)}{_after(compared)}"
    return (
        f"Not enough items to tell {compared.first} from {compared.second}{_labelled(compared)}: with the difference"
        f" seen ({scale.gain(difference.effect)} for {compared.first}, {seen}), about"
        f" {count(difference.needed(compared.alpha) or 0, 'item')} would be needed for 80% power{_corrected(compared)};"
        f" there {'is' if difference.n == 1 else 'are'} {difference.n:,}."
    )


def _none_seen(difference: Difference, compared: Compared, scale: Scale) -> str:
    seen = f"{difference.wins:,} against {difference.losses:,} of {count(difference.n, 'item')}"
    least = difference.detectable(compared.alpha)
    if least is None or least > 1:
        could = "so few items could not have shown any difference" if difference.right_or_wrong else ""
    else:
        shown = scale.gain(least).lstrip("+")
        could = f"so many could have shown one of {shown} or more (80% power{_corrected(compared)})"
    said = f"No difference is seen between {compared.first} and {compared.second}{_labelled(compared)}"
    return f"{said} ({seen})" + (f"; {could}." if could else ".")


def _labelled(compared: Compared) -> str:
    return f", {compared.label}" if compared.label else ""


def _after(compared: Compared) -> str:
    return " after Holm" if compared.tests > 1 else ""


def _corrected(compared: Compared) -> str:
    return f", corrected for {compared.tests} comparisons" if compared.tests > 1 else ""
