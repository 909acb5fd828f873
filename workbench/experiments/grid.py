"""The cells of an experiment by lane, item and seed, and their numbers as arrays."""

from collections.abc import Sequence

import numpy as np

from workbench.experiments.model import Cell
from workbench.experiments.plan import Plan
from workbench.experiments.statistics import Array

_NUMBERS = 3  # of a cell: score, tokens, confidence


class Grid:
    """What the lanes of a plan did with its items.

    `scores`, `tokens` and `confidences` have a row for each lane and a column for each item, its mean over the seeds:
    NaN until all of its seeds are done. An item without confidences has NaN as well.
    """

    def __init__(self, plan: Plan, items: int, cells: Sequence[Cell]) -> None:
        self.lanes, self.items, self.seeds = len(plan.lanes), items, len(plan.seeds)
        places = {seed: place for place, seed in enumerate(plan.seeds)}
        self._at: list[list[list[Cell]]] = [[[] for _ in range(items)] for _ in plan.lanes]
        numbers = np.full((self.lanes, items, self.seeds, _NUMBERS), np.nan)
        order = sorted(cells, key=lambda cell: places[cell.seed]) if self.seeds > 1 else cells
        for cell in order:
            self._at[cell.lane][cell.item].append(cell)
            if is_finished(cell):
                tokens = cell.prompt_tokens + cell.completion_tokens
                confidence = np.nan if cell.confidence is None else cell.confidence
                numbers[cell.lane, cell.item, places[cell.seed]] = (cell.score, tokens, confidence)
        self.finished = ~np.isnan(numbers[..., 0]).any(axis=2)
        numbers[~self.finished] = np.nan
        means = numbers.mean(axis=2)
        self.scores: Array = means[..., 0]
        self.tokens: Array = means[..., 1]
        self.confidences: Array = means[..., 2]

    def at(self, lane: int, item: int) -> list[Cell]:
        """The cells that there are of an item, in the seeds' order."""
        return self._at[lane][item]

    def cells(self, lane: int) -> list[Cell]:
        """The cells that there are of a lane."""
        return [cell for seeds in self._at[lane] for cell in seeds]

    def done(self, lane: int) -> list[Cell]:
        """The cells of the items that a lane has finished."""
        return [cell for item in np.flatnonzero(self.finished[lane]) for cell in self._at[lane][item]]

    def waiting(self, lane: int) -> int:
        """How many of a lane's cells are still to come, are running, or have no score yet."""
        ended = sum(is_finished(cell) or cell.status == "error" for cell in self.cells(lane))
        return self.items * self.seeds - ended


def is_finished(cell: Cell) -> bool:
    """Whether a cell has its score."""
    return cell.status == "done" and cell.score is not None
