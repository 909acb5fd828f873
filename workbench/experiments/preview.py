"""What starting a plan would come to: its cells, and which of them are answered already."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.engine import Engine
from workbench.errors import InvalidRequest
from workbench.experiments.cells import base_of, cells_of
from workbench.experiments.model import Item
from workbench.experiments.plan import Plan
from workbench.store.experiments import ExperimentStore


@dataclass(frozen=True)
class Preview:
    """So many cells; `kept` are done in the experiment of that name, `taken` are taken over from other experiments.

    `known`: there is an experiment of that name, which becomes this one.
    """

    cells: int
    kept: int = 0
    taken: int = 0
    known: bool = False

    @property
    def left(self) -> int:
        """The cells that are still to be answered."""
        return self.cells - self.kept - self.taken


def preview(engine: Engine, plan: Plan, items: Sequence[Item]) -> Preview:
    """What `Sweeps.start` would come to; nothing is kept. Raises InvalidRequest, BackendError."""
    store = ExperimentStore(engine.store.database)
    row = store.find(plan.name)
    known = row is not None and row.name == plan.name
    if row is not None and known and row.is_live:
        raise InvalidRequest(f"The experiment {plan.name!r} is running.", "Stop it first, or choose another name.")
    bases = [base_of(engine, plan, lane) for lane in plan.lanes]
    keys = [cell.key for cell in cells_of(plan, bases, items[: plan.limit])]
    own = row.id if row is not None and known else ""
    kept = store.answered(keys, own) if own else set()
    taken = store.answered(keys) - kept if plan.reuse else set()
    return Preview(len(keys), sum(key in kept for key in keys), sum(key in taken for key in keys), known)
