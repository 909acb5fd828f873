"""Everything that is shown of an experiment, as a fold over its plan, its items and its cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from workbench.errors import (
    ContentRefused,
    ContextOverflow,
    EmptyAnswer,
    InvalidRequest,
    PromptError,
    ReplyTooLong,
    RequestRefused,
    StructuredOutputError,
)
from workbench.experiments.budget import Budget, Curve, Spender, budgets, curve, votes
from workbench.experiments.calibration import Calibration, calibrations
from workbench.experiments.flips import Ledger, ledgers, sources
from workbench.experiments.grid import Grid
from workbench.experiments.lanes import LaneResult, codes, lane_results, refusal
from workbench.experiments.model import Cell, Item
from workbench.experiments.outcomes import Filter, Row, filtered, rows
from workbench.experiments.pairwise import PairResult, pair_results
from workbench.experiments.plan import Plan
from workbench.experiments.scorers import registry as scorers
from workbench.experiments.statistics import Resamples
from workbench.experiments.words import Scale, count, listed

FEW_ITEMS = 10
# Errors that the same question on the same model ends in again: no retry helps.
LASTING = frozenset(
    kind.code
    for kind in (
        ContentRefused,
        ContextOverflow,
        EmptyAnswer,
        InvalidRequest,
        PromptError,
        ReplyTooLong,
        RequestRefused,
        StructuredOutputError,
    )
)


@dataclass(frozen=True)
class Results:
    """An experiment as it is shown. Lanes are in the plan's order and never ranked; `notes` are what to beware of."""

    name: str
    dataset: str
    scorer: str
    graded: bool
    items: int
    seeds: tuple[int, ...]
    waiting: int
    lanes: tuple[LaneResult, ...]
    pairs: tuple[PairResult, ...]
    ledgers: tuple[Ledger, ...]
    curves: tuple[Curve, ...]
    budgets: tuple[Budget, ...]
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    calibrations: tuple[Calibration, ...] = ()

    @property
    def scale(self) -> Scale:
        """How its scores are written."""
        return Scale(self.graded, self.items)

    def filtered(self, wanted: Filter) -> tuple[Row, ...]:
        """The rows that a filter keeps."""
        return filtered(self.rows, wanted, self.graded)

    def pair(self, a: str, b: str) -> PairResult:
        """The lane named `a` against the one named `b`. Raises KeyError where there is no such pair."""
        for pair in self.pairs:
            if (pair.a, pair.b) == (a, b):
                return pair
            if (pair.a, pair.b) == (b, a):
                return pair.turned()
        raise KeyError(f"{a} against {b}")


def results(plan: Plan, items: Sequence[Item], cells: Sequence[Cell], scorer_is_graded: bool) -> Results:
    """Everything that is shown of an experiment. Cells that are not there yet are waited for."""
    items, graded = items[: plan.limit], scorer_is_graded
    grid, resamples = Grid(plan, len(items), cells), Resamples(len(items))
    names = [lane.name for lane in plan.lanes]
    told = [sources(grid.cells(lane)) for lane in range(grid.lanes)]
    done = [grid.done(lane) for lane in range(grid.lanes)]
    lanes = lane_results(plan, grid, told, resamples, graded)
    curves, spent = _votes(names, grid, told, done, resamples, graded)
    notes = _notes(plan, lanes, Scale(graded, len(items)), len(items))
    return Results(
        name=plan.name,
        dataset=plan.dataset,
        scorer=plan.scorer.name,
        graded=graded,
        items=len(items),
        seeds=plan.seeds,
        waiting=sum(lane.waiting for lane in lanes),
        lanes=lanes,
        pairs=pair_results(names, grid, told, resamples, graded),
        ledgers=ledgers(list(zip(names, done, strict=True)), graded, resamples),
        curves=curves,
        budgets=spent,
        notes=(*notes, *_without_ledger(plan.scorer.name, lanes, done)),
        rows=rows(items, grid, graded),
        calibrations=calibrations(names, done, graded, resamples),
    )


def _votes(
    names: list[str],
    grid: Grid,
    told: Sequence[tuple[str, ...]],
    done: list[list[Cell]],
    resamples: Resamples,
    graded: bool,
) -> tuple[tuple[Curve, ...], tuple[Budget, ...]]:
    """The curve of each lane that votes, and the votes at the tokens of the lanes that it can be compared with."""
    curves: list[Curve] = []
    spent: list[Budget] = []
    for lane, name in enumerate(names):
        found = votes(lane, name, done[lane], grid.items)
        if found is None or np.all(np.isnan(found.scores[:, 0])):
            continue
        curves.append(curve(found, graded, resamples))
        others = [
            Spender(other, names[other], grid.scores[other], grid.tokens[other])
            for other in range(grid.lanes)
            if other != lane and not refusal(name, told[lane], names[other], told[other])
        ]
        spent += budgets(found, curves[-1], others, graded, resamples)
    return tuple(curves), tuple(spent)


def _notes(plan: Plan, lanes: Sequence[LaneResult], scale: Scale, items: int) -> list[str]:
    """What a reader must know before the numbers."""
    notes = []
    if waiting := sum(lane.waiting for lane in lanes):
        notes.append(
            f"Not finished: {count(waiting, 'cell')} of {items * len(lanes) * len(plan.seeds):,} are still to come."
            " Differences that are looked for while an experiment runs are found too often: conclude at its end."
        )
    if items < FEW_ITEMS:
        notes.append(f"{count(items, 'item')} can show only the largest differences: take 50 or more.")
    if len(plan.seeds) > 1:
        notes.append(f"An item's score is its mean over {len(plan.seeds)} seeds: the items are counted, not the runs.")
    return [*notes, *(note for lane in lanes for note in _notes_on(lane, scale, items * len(plan.seeds)))]


def _notes_on(lane: LaneResult, scale: Scale, cells: int) -> list[str]:
    notes = [_note_on_errors(lane, lane.at_worst, scale, cells)] if lane.at_worst is not None else []
    if len(lane.sources) > 1:
        notes.append(
            f"{lane.name} had feedback from different sources ({listed(list(lane.sources))}) in different runs: its"
            " rounds are counted apart for each."
        )
    if "gold" in lane.sources:
        notes.append(
            f"{lane.name} was shown the right answers while it worked (gold feedback): its score says what it would"
            " reach if somebody told it so, and is compared only with lanes that were shown them too."
        )
    return notes


def _note_on_errors(lane: LaneResult, at_worst: float, scale: Scale, cells: int) -> str:
    instead = f" instead of {scale.score(lane.score)}" if lane.score is not None else ""
    return (
        f"{lane.name}: {count(lane.errors, 'cell')} of {cells - lane.waiting:,} ended in an error"
        f" ({codes(lane.error_codes)}) and {_are(lane.errors)} left out. What fails is seldom like the rest: counted as"
        f" wrong, the score would be {scale.score(at_worst)}{instead}. {_advice(lane.error_codes)}"
    )


def _advice(errors: Mapping[str, int]) -> str:
    """Whether to try again what failed."""
    lasting = [code for code in errors if code in LASTING]
    if not lasting:
        return "Retry the errors before you conclude."
    if len(lasting) == len(errors):
        return "A retry would end the same way: take the lower score into account."
    return f"Retry the errors before you conclude; {listed(lasting)} will come again."


def _without_ledger(scorer: str, lanes: Sequence[LaneResult], done: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Why what was revised has no flip ledger."""
    for lane, cells in zip(lanes, done, strict=True):
        if max((len(cell.rounds) for cell in cells), default=0) == 1:
            yield f"{lane.name} came to no second round in any run: there is nothing to count in a flip ledger."
    revised = any(lane.sources and cells for lane, cells in zip(lanes, done, strict=True))
    if not revised or any(cell.rounds for cells in done for cell in cells) or scorer not in scorers.SCORERS:
        return
    kind = scorers.kind(scorer)
    if kind.by_person or kind.costs:
        why = "a person scores" if kind.by_person else "a model judges"
        yield (
            f"There is no flip ledger: {why} the last answers alone, not the rounds before them. Score with one that"
            " asks nobody to see what each round changed."
        )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def to_json(found: Results, *, rows: bool = False) -> dict[str, Any]:
    """The results as plain values for JSON, without infinities; with `rows` every item and every lane's answer."""
    parts = ("name", "dataset", "scorer", "graded", "items", "seeds", "waiting", "notes")
    whole: dict[str, Any] = {part: getattr(found, part) for part in parts}
    whole["lanes"] = [asdict(lane) | {"feedback": lane.feedback} for lane in found.lanes]
    for part in ("pairs", "ledgers", "curves", "budgets", "calibrations"):
        whole[part] = [asdict(value) for value in getattr(found, part)]
    if rows:
        whole["rows"] = [_row_json(row, found.lanes) for row in found.rows]
    plain: dict[str, Any] = _plain(whole)
    return plain


def _row_json(row: Row, lanes: Sequence[LaneResult]) -> dict[str, Any]:
    outcomes = {}
    for lane, outcome in zip(lanes, row.outcomes, strict=True):
        parts = ("score", "answer", "run_id", "confidence", "gained", "lost")
        errors = [cell.error_code for cell in outcome.errors]
        outcomes[lane.name] = {part: getattr(outcome, part) for part in parts} | {"errors": errors}
    return {"item": row.number, "id": row.item.id, "question": row.item.question, "lanes": outcomes}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float():
            return value if isfinite(value) else None
    return value
