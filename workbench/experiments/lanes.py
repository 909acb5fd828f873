"""What a lane reached and what it cost: its score with its interval, its errors, tokens for each further answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.experiments.grid import Grid, is_finished
from workbench.experiments.model import Cell
from workbench.experiments.pairs import binary
from workbench.experiments.plan import Plan
from workbench.experiments.statistics import ALPHA, Array, Resamples, wilson
from workbench.experiments.words import Scale, feedback, listed

ROLES = ("generator", "critic", "tool", "thinking", "none")  # whose colours lanes have, in turn


@dataclass(frozen=True)
class Extra:
    """Tokens for one further right answer (graded: one further point of score) against the cheapest lane.

    `tokens` is None where there is no such number; `words` say why. A `high` of None is without bound: in some of the
    resamples there are no more right answers.
    """

    tokens: float | None = None
    low: float | None = None
    high: float | None = None
    words: str = ""


@dataclass(frozen=True)
class LaneResult:
    """A lane's score on the `n` items that it finished, and what they cost.

    `score`, `low` and `high` are None while nothing is finished. `errors` and `waiting` count cells, `error_codes` the
    errors of each kind, the most first; `at_worst` is the score if they counted as wrong, None where there are none,
    `tokens_lost` what they cost. `answers` are the finished items' cells, one for each seed; tokens, seconds and calls
    are their sums, `tokens_each` and `seconds_each` their means. Judging is what a model that scores has cost, over all
    cells and apart from the lane's own. `sources` is who gave feedback, `confidence` the mean token probability of the
    answers.
    """

    name: str
    machine: str
    model: str
    options: dict[str, Any]
    prompts: dict[str, str]
    sources: tuple[str, ...]
    n: int
    score: float | None
    low: float | None
    high: float | None
    method: str
    answers: int
    errors: int
    error_codes: dict[str, int]
    waiting: int
    at_worst: float | None
    prompt_tokens: int
    completion_tokens: int
    tokens: int
    tokens_each: float
    tokens_lost: int
    seconds: float
    seconds_each: float
    calls: int
    judging_tokens: int
    judging_calls: int
    tokens_per_extra: Extra
    confidence: float | None

    @property
    def feedback(self) -> str:
        """The source of its feedback in one word; several are joined with a plus."""
        return "+".join(self.sources) or "none"

    def scored(self, scale: Scale) -> str:
        """The score with its interval, and beside it what errors hide: 80% (67 to 89), at worst 64%; empty for none."""
        if self.score is None or self.low is None or self.high is None:
            return ""
        worst = "" if self.at_worst is None else f", at worst {scale.score(self.at_worst)}"
        return scale.scored(self.score, self.low, self.high) + worst

    @property
    def failed(self) -> str:
        """The errors with their codes: 12: 10 timeout, 2 context_overflow; 0 where there are none."""
        return f"{self.errors:,}" + (f": {codes(self.error_codes)}" if self.errors else "")

    @property
    def label(self) -> str:
        """The lane as figures and tables name it, with its feedback."""
        return f"{self.name} · {feedback(self.sources)}"


def role(lane: int) -> str:
    """Whose colour a lane has in figures and tables, by its place in the plan."""
    return ROLES[lane % len(ROLES)]


def codes(errors: Mapping[str, int]) -> str:
    """How many errors of each kind: 10 timeout, 2 context_overflow."""
    return ", ".join(f"{number:,} {code}" for code, number in errors.items())


def refusal(a: str, of_a: tuple[str, ...], b: str, of_b: tuple[str, ...]) -> str:
    """Why two lanes' scores cannot be compared, given who gave each feedback; empty when they can."""
    for name, told in ((a, of_a), (b, of_b)):
        if "gold" in told and len(told) > 1:
            return (
                f"{name} was shown the right answers in some of its runs and not in others ({listed(list(told))}"
                " feedback): its scores cannot be compared."
            )
    if ("gold" in of_a) == ("gold" in of_b):
        return ""
    shown, other = (a, b) if "gold" in of_a else (b, a)
    return f"{shown} was shown the right answers (gold feedback) and {other} was not: their scores cannot be compared."


def lane_results(
    plan: Plan, grid: Grid, told: Sequence[tuple[str, ...]], resamples: Resamples, graded: bool
) -> tuple[LaneResult, ...]:
    """Every lane of the plan, in its order."""
    exact = all(_is_exact(grid, lane, graded) for lane in range(grid.lanes))
    means = None if exact else resamples.means(grid.scores.T)
    extras = _extras([lane.name for lane in plan.lanes], grid, told, resamples, graded)
    return tuple(
        _lane(plan, grid, lane, told[lane], extras[lane], _Scored.of(grid, lane, graded, resamples, means))
        for lane in range(grid.lanes)
    )


@dataclass(frozen=True)
class _Scored:
    """A lane's score with its interval, and by what method."""

    score: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""

    @classmethod
    def of(cls, grid: Grid, lane: int, graded: bool, resamples: Resamples, means: Array | None) -> "_Scored":
        column = grid.scores[lane]
        values = column[grid.finished[lane]]
        if not len(values):
            return cls()
        if _is_exact(grid, lane, graded):
            return cls(float(values.mean()), *wilson(float(values.sum()), len(values)), "Wilson")
        assert means is not None
        interval = resamples.interval(column, 0.0, 1.0, means[:, lane])
        return cls(float(values.mean()), *interval, f"BCa bootstrap of the items, {resamples.count:,} resamples")


def _is_exact(grid: Grid, lane: int, graded: bool) -> bool:
    return not graded and grid.seeds == 1 and binary(grid.scores[lane])


def _lane(plan: Plan, grid: Grid, lane: int, told: tuple[str, ...], extra: Extra, scored: _Scored) -> LaneResult:
    of_plan, done, cells = plan.lanes[lane], grid.done(lane), grid.cells(lane)
    failed = [cell for cell in cells if cell.status == "error"]
    prompt, completion = sum(cell.prompt_tokens for cell in done), sum(cell.completion_tokens for cell in done)
    seconds, answers = sum(cell.seconds for cell in done), max(len(done), 1)
    known = [cell.confidence for cell in done if cell.confidence is not None]
    return LaneResult(
        name=of_plan.name,
        machine=of_plan.machine,
        model=of_plan.model or plan.model,
        options=of_plan.options,
        prompts=of_plan.prompts,
        sources=told,
        n=int(grid.finished[lane].sum()),
        score=scored.score,
        low=scored.low,
        high=scored.high,
        method=scored.method,
        answers=len(done),
        errors=len(failed),
        error_codes=dict(Counter(cell.error_code or "error" for cell in failed).most_common()),
        waiting=grid.waiting(lane),
        at_worst=_at_worst(cells) if failed else None,
        prompt_tokens=prompt,
        completion_tokens=completion,
        tokens=prompt + completion,
        tokens_each=(prompt + completion) / answers,
        tokens_lost=sum(cell.prompt_tokens + cell.completion_tokens for cell in failed),
        seconds=seconds,
        seconds_each=seconds / answers,
        calls=sum(cell.calls for cell in done),
        judging_tokens=sum(cell.judging_tokens for cell in cells),
        judging_calls=sum(cell.judging_calls for cell in cells),
        tokens_per_extra=extra,
        confidence=sum(known) / len(known) if known else None,
    )


def _at_worst(cells: Sequence[Cell]) -> float:
    ended = [cell for cell in cells if is_finished(cell) or cell.status == "error"]
    return sum(cell.score or 0.0 for cell in ended if is_finished(cell)) / len(ended)


def _extras(
    names: list[str], grid: Grid, told: Sequence[tuple[str, ...]], resamples: Resamples, graded: bool
) -> list[Extra]:
    """Each lane against the cheapest one, on the items that both finished."""
    counts = grid.finished.sum(axis=1)
    if not counts.any():
        return [Extra(words="nothing is finished yet")] * grid.lanes
    prices = np.where(counts > 0, np.nansum(grid.tokens, axis=1) / np.maximum(counts, 1), np.inf)
    cheapest = int(np.argmin(prices))
    tokens, scores = grid.tokens - grid.tokens[cheapest], grid.scores - grid.scores[cheapest]
    means = resamples.means(np.vstack([tokens, scores]).T)
    found = []
    for lane in range(grid.lanes):
        refused = refusal(names[lane], told[lane], names[cheapest], told[cheapest])
        ratios = means[:, lane], means[:, grid.lanes + lane]
        if lane == cheapest or refused:
            found.append(Extra(words=refused or "the cheapest lane"))
        else:
            found.append(_extra(names[cheapest], tokens[lane], scores[lane], ratios, graded))
    return found


def _extra(cheapest: str, tokens: Array, scores: Array, means: tuple[Array, Array], graded: bool) -> Extra:
    if np.all(np.isnan(scores)):
        return Extra(words=f"no item was finished by both it and {cheapest}")
    dearer, better = float(np.nanmean(tokens)), float(np.nanmean(scores))
    if better <= 1e-9:
        return Extra(words=f"{'scores no higher than' if graded else 'no more right answers than'} {cheapest}")
    if dearer <= 0:
        return Extra(words=f"costs no more than {cheapest} on the items that both finished")
    more = means[1] > 1e-7
    ratios = np.divide(means[0], means[1], out=np.full(len(more), np.inf), where=more)
    low, high = np.quantile(ratios, [ALPHA / 2, 1 - ALPHA / 2], method="inverted_cdf")
    return Extra(dearer / better, float(low), float(high) if np.isfinite(high) else None)
