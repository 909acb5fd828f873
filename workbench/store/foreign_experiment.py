"""An experiment that comes from another machine: entered beside the runs of its cells, under a name of its own."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any

from sqlalchemy import Connection, insert, select

from workbench.experiments.model import Cell, Item
from workbench.experiments.plan import Plan
from workbench.experiments.reading import canonical
from workbench.store.database import Database
from workbench.store.experiments import cell_values
from workbench.store.foreign import Packed
from workbench.store.runs import plain
from workbench.store.tables import cells, dataset_items, datasets, experiments

LONGEST_NAME = 110  # so that a number still fits
FOREIGN = "(imported)"
MARK = "import:"  # before the key of a cell: what was answered elsewhere is never taken for an answer from here


@dataclass
class ExperimentArrival:
    """An experiment on its way in. `id` is the one that it gets here, the same for the same bundle.

    `lanes` are the requests of its lanes; `dataset` is the digest of its items, `set_name` what they are called.
    `items` and `cells` are packed as the rows that they become.
    """

    id: str
    created_at: str
    plan: Plan
    lanes: Sequence[Mapping[str, Any]]
    dataset: str
    set_name: str
    items: Packed = field(default_factory=Packed)
    cells: Packed = field(default_factory=Packed)
    _has_ended: bool = True

    def take_item(self, item: Item) -> None:
        """The next item of its data set."""
        text = canonical(item)
        self.items.add((len(self.items), text), len(text))

    def take_cell(self, cell: Cell) -> None:
        """Another of its cells."""
        self._has_ended = self._has_ended and cell.status in ("done", "error")
        values = cell_values(cell) | {"experiment": self.id, "key": f"{MARK}{plain(cell.key)}"[:64]}
        self.cells.add(values, sum(len(value) for value in values.values() if isinstance(value, str)))

    def is_here(self, connection: Connection) -> bool:
        """Whether it has been imported before."""
        return bool(connection.execute(select(experiments.c.id).where(experiments.c.id == self.id)).first())

    def enter(self, connection: Connection) -> None:
        """Enter data set, experiment and cells; a data set that is kept already stays as it is."""
        # Marked, so that a file of the same name that is run here does not take its cells away.
        name = _free(f"{self.plan.name} {FOREIGN}", lambda wanted: _taken(connection, experiments.c.name, wanted))
        plan = self.plan.model_copy(update={"name": name, "dataset": self._kept_items(connection)})
        status = "done" if self._has_ended else "stopped"
        row = {"id": self.id, "name": name, "created_at": self.created_at, "status": status}
        row |= {"reason": "", "plan": plan.model_dump_json(), "lanes": json.dumps(self.lanes), "dataset": self.dataset}
        connection.execute(insert(experiments), [row | {"owner": "", "touched": time.time()}])
        for batch in self.cells.batches():
            connection.execute(insert(cells), batch)

    def _kept_items(self, connection: Connection) -> str:
        """The name here of the data set, which is entered when it is not kept yet."""
        here = connection.scalar(select(datasets.c.name).where(datasets.c.digest == self.dataset))
        if here is not None:
            return str(here)
        name = _free(f"{self.set_name} {FOREIGN}", lambda wanted: _taken(connection, datasets.c.name, wanted))
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        kept = {"digest": self.dataset, "name": name, "source": "imported", "items": len(self.items), "created_at": now}
        connection.execute(insert(datasets), [kept])
        for batch in self.items.batches():
            rows = [{"digest": self.dataset, "number": number, "payload": text} for number, text in batch]
            connection.execute(insert(dataset_items), rows)
        return name


def known(database: Database, id_: str) -> str:
    """The name here of the experiment of that id; empty when there is none."""
    with database.read() as connection:
        return connection.scalar(select(experiments.c.name).where(experiments.c.id == id_)) or ""


def _free(name: str, taken: Callable[[str], bool]) -> str:
    """The name, or with the first number that makes it one of its own."""
    name = plain("".join(sign if sign.isprintable() else " " for sign in name)).strip()[:LONGEST_NAME] or "imported"
    numbered = (f"{name} {number}" for number in count(2))
    return next(wanted for wanted in chain((name,), numbered) if not taken(wanted))


def _taken(connection: Connection, column: Any, value: str) -> bool:
    return connection.execute(select(column).where(column == value)).first() is not None
