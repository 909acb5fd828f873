"""Import of an experiment: its plan, data set and cells are checked against one another before they are entered."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from workbench import __version__
from workbench.carry import archive
from workbench.carry.records import MOST_CELLS, MOST_ITEMS, ExperimentRecord, newer
from workbench.errors import BundleError
from workbench.experiments.model import Cell, Item, Round, Sample
from workbench.experiments.reading import digest_of
from workbench.store.foreign import LARGEST
from workbench.store.foreign_experiment import ExperimentArrival

Record = TypeVar("Record", bound=BaseModel)


def read_experiment(bundle: archive.Reader, ids: Mapping[str, str]) -> ExperimentArrival:
    """The experiment of a bundle whose runs get these ids. Raises BundleError."""
    records = list(_records(bundle, archive.EXPERIMENT, ExperimentRecord, 1))
    if not records:
        raise BundleError("The bundle is said to hold an experiment, and there is none in it.")
    record = records[0]
    if len(record.lanes) != len(record.plan.lanes):
        raise BundleError("The experiment in the bundle has other lanes than its plan says.")
    arrival = ExperimentArrival(
        id=bundle.manifest.digest[:12],
        created_at=archive.moment(record.created_at, "The experiment"),
        plan=record.plan,
        lanes=[lane.model_dump(mode="json") for lane in record.lanes],
        dataset=record.dataset,
        set_name=record.dataset_name,
    )
    if digest_of(_taken(arrival, _records(bundle, archive.ITEMS, Item, MOST_ITEMS))) != record.dataset:
        raise BundleError("The data set in the bundle is not the one that the experiment was made with.")
    for cell in _cells(_records(bundle, archive.CELLS, Cell, MOST_CELLS), record, len(arrival.items), ids):
        arrival.take_cell(cell)
    return arrival


def _records(bundle: archive.Reader, name: str, kind: type[Record], most: int) -> Iterator[Record]:
    for number, data in enumerate(bundle.lines(name), start=1):
        if number > most:
            raise BundleError(f"There are more than {most:,} records in {name}.", "Export less at once.")
        try:
            record = kind.model_validate(data)
        except ValidationError as error:
            wrong = archive.explain(error, f"Record {number} of {name}")
            hint = archive.UPDATE if newer(bundle.manifest.program, __version__) else ""
            raise BundleError(wrong.message, hint) from None
        yield record


def _taken(arrival: ExperimentArrival, items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        arrival.take_item(item)
        yield item


def _cells(cells: Iterable[Cell], record: ExperimentRecord, items: int, ids: Mapping[str, str]) -> Iterator[Cell]:
    """The cells with the new ids of their runs; those that have none yet get ids for the runs to come."""
    new = dict(ids)
    seen: set[tuple[int, int, int]] = set()
    for cell in cells:
        place = cell.lane, cell.item, cell.seed
        if not (0 <= cell.lane < len(record.lanes) and 0 <= cell.item < items and cell.seed in record.plan.seeds):
            raise BundleError(f"Cell {place} in the bundle is none of the experiment's.")
        if place in seen:
            raise BundleError(f"Cell {place} is in the bundle twice.")
        seen.add(place)
        _check_numbers(cell)
        run_id = new.setdefault(cell.run_id, uuid4().hex[:12]) if cell.run_id else ""
        status = "waiting" if cell.status == "running" else cell.status
        yield cell.model_copy(update={"run_id": run_id, "status": status})


def _check_numbers(cell: Cell) -> None:
    parts: tuple[Round | Sample, ...] = (*cell.rounds, *cell.samples)
    shares = (cell.score, cell.confidence, *(part.score for part in parts))
    spent = (cell.prompt_tokens, cell.completion_tokens, cell.calls, cell.judging_tokens, cell.judging_calls)
    counts = (*spent, *(part.tokens for part in parts))
    sound = all(share is None or 0 <= share <= 1 for share in shares)
    sound = sound and all(0 <= number <= LARGEST for number in counts)
    if not sound or not (math.isfinite(cell.seconds) and cell.seconds >= 0):
        raise BundleError(f"A cell in the bundle has a number that is none: lane {cell.lane}, item {cell.item}.")
