"""The items of an experiment one by one, with every lane's answer, and what a person looks for among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.experiments.flips import CHANGED, flips
from workbench.experiments.grid import Grid
from workbench.experiments.model import Cell, Item
from workbench.experiments.pairs import SAME
from workbench.experiments.statistics import Array

Filter = Literal["all", "disagree", "flips", "errors", "low confidence"]
FILTERS: tuple[Filter, ...] = ("all", "disagree", "flips", "errors", "low confidence")
UNSURE = 0.1  # the part of a lane's answers, those with the least confidence, that is "low confidence"


@dataclass(frozen=True)
class Outcome:
    """One lane's answers to one item: the cells that there are, in the seeds' order.

    `score` is the mean over the seeds, None until all are done; so is `confidence`, None as well where the backend
    does not tell. `gained` and `lost` count flips over all of its runs. `unsure` marks the tenth of the lane's
    answers with the least confidence.
    """

    cells: tuple[Cell, ...]
    score: float | None
    confidence: float | None
    gained: int
    lost: int
    unsure: bool

    @property
    def answer(self) -> str:
        """What the first seed's run answered."""
        return self.cells[0].answer if self.cells else ""

    @property
    def run_id(self) -> str:
        """The first seed's run."""
        return self.cells[0].run_id if self.cells else ""

    @property
    def errors(self) -> tuple[Cell, ...]:
        """The cells that ended in an error."""
        return tuple(cell for cell in self.cells if cell.status == "error")


@dataclass(frozen=True)
class Row:
    """An item with every lane's outcome, in the lanes' order; `number` counts from 0."""

    number: int
    item: Item
    outcomes: tuple[Outcome, ...]


def rows(items: Sequence[Item], grid: Grid, graded: bool) -> tuple[Row, ...]:
    """Every item in the data set's order."""
    lanes = [_outcomes(grid, lane, graded) for lane in range(grid.lanes)]
    return tuple(Row(number, item, tuple(lane[number] for lane in lanes)) for number, item in enumerate(items))


def filtered(found: Sequence[Row], wanted: Filter, graded: bool) -> tuple[Row, ...]:
    """The rows that a filter keeps: where lanes' scores differ, a run flipped, ended in an error, or was unsure."""
    return tuple(row for row in found if _keeps(row, wanted, graded))


def _keeps(row: Row, wanted: Filter, graded: bool) -> bool:
    match wanted:
        case "disagree":
            scores = [outcome.score for outcome in row.outcomes if outcome.score is not None]
            return bool(scores) and max(scores) - min(scores) > (CHANGED if graded else SAME)
        case "flips":
            return any(outcome.gained or outcome.lost for outcome in row.outcomes)
        case "errors":
            return any(outcome.errors for outcome in row.outcomes)
        case "low confidence":
            return any(outcome.unsure for outcome in row.outcomes)
        case "all":
            return True


def _outcomes(grid: Grid, lane: int, graded: bool) -> list[Outcome]:
    scores, confidences = grid.scores[lane].tolist(), grid.confidences[lane].tolist()
    unsure = _unsure(grid.confidences[lane]).tolist()
    return [
        _outcome(grid.at(lane, item), score, confidence, is_unsure, graded)
        for item, (score, confidence, is_unsure) in enumerate(zip(scores, confidences, unsure, strict=True))
    ]


def _outcome(cells: Sequence[Cell], score: float, confidence: float, unsure: bool, graded: bool) -> Outcome:
    moves = [flips(cell, graded) for cell in cells if len(cell.rounds) > 1]
    return Outcome(
        cells=tuple(cells),
        score=_known(score),
        confidence=_known(confidence),
        gained=sum(gained for gained, _ in moves),
        lost=sum(lost for _, lost in moves),
        unsure=unsure,
    )


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _unsure(column: Array) -> NDArray[np.bool_]:
    """Which of a lane's items have the least confidence; none where all have the same."""
    known = np.sort(column[~np.isnan(column)])
    if not len(known) or known[0] == known[-1]:
        return np.zeros(len(column), bool)
    limit = min(known[max(int(UNSURE * len(known)), 1) - 1], np.nextafter(known[-1], -1))
    marked: NDArray[np.bool_] = column <= limit
    return marked
