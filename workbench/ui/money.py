"""What a run has cost in money, at the prices that hold now."""

from workbench.cost import PriceList, in_all, worded
from workbench.events import RunView
from workbench.store.prices import PriceStore
from workbench.ui import session


def prices() -> PriceList:
    """The prices that the person has set."""
    return PriceList(PriceStore(session.engine().store.database).all())


def of(view: RunView, at: PriceList | None = None) -> str:
    """A run's cost so far: USD 0.0123, at the prices of 2026-11-20; empty where its model has no price."""
    if view.started is None:
        return ""
    request, known = view.started.request, prices() if at is None else at
    return worded(in_all([known.money(view.totals, str(request.get("backend", "")), str(request.get("model", "")))]))
