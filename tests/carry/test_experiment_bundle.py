"""An experiment is carried to another machine with its plan, its data set, its cells and their runs."""

import io
import json
from typing import Any

import pytest

from tests.carry.bundles import bundle
from tests.logs import three_steps
from tests.store.samples import a_request
from workbench.carry import archive, arriving, leaving
from workbench.errors import BundleError, InvalidRequest
from workbench.experiments.model import Cell, Item, Round
from workbench.experiments.plan import Plan
from workbench.experiments.reading import Reading, digest_of
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentStore
from workbench.store.runs import RunStore

NOON = "2026-11-23T12:00:00.000+00:00"
ITEMS = (Item(id="one", question="What is 2 + 2?", answer="4"), Item(id="two", question="And 3 + 3?", answer="6"))
PLAN = Plan.model_validate(
    {
        "name": "Sums",
        "dataset": "sums",
        "scorer": "numeric",
        "lanes": [{"name": "steps", "machine": "stepwise"}, {"name": "drafts", "machine": "reflection"}],
    }
)


def kept_run(store: RunStore, run_id: str) -> None:
    store.create(run_id, a_request(), "Stepwise", NOON, belongs="experiment:x")
    store.append(three_steps(run_id, created_at=NOON).events)


@pytest.fixture
def experiment(here: RunStore) -> str:
    """An experiment of four cells: two done, one in error, one not begun."""
    for run_id in ("run1", "run2", "run3"):
        kept_run(here, run_id)
    digest = DatasetStore(here.database).add(Reading("sums", "sums.jsonl", "table", ITEMS, digest_of(ITEMS)))
    done = {"status": "done", "prompt_tokens": 30, "completion_tokens": 5, "calls": 1, "seconds": 1.5}
    cells = [
        Cell(lane=0, item=0, seed=0, key="a" * 64, run_id="run1", score=1.0, answer="4", **done),
        Cell(lane=0, item=1, seed=0, key="b" * 64, run_id="run2", score=0.0, answer="7", said="not 6", **done),
        Cell(
            lane=1, item=0, seed=0, key="c" * 64, run_id="run3", status="error", error_code="server_fault", error="No."
        ),
        Cell(lane=1, item=1, seed=0, key="d" * 64, run_id="run4", rounds=(Round(score=0.5, tokens=9),)),
    ]
    request = a_request("?").model_dump(mode="json")
    lanes = [{"request": request | {"machine": lane.machine}, "roles": "r", "model_digest": "m"} for lane in PLAN.lanes]
    ExperimentStore(here.database).create(PLAN, lanes, digest, cells)
    return digest


def carried(store: RunStore) -> io.BytesIO:
    return io.BytesIO(leaving.export_experiment(store, "Sums"))


def test_an_experiment_arrives_with_its_plan_items_cells_and_runs(here: RunStore, there: RunStore, experiment: str):
    file = carried(here)
    told = arriving.inspect(file, there)
    assert (told.kind, told.experiment, told.items, told.cells, len(told.runs)) == ("experiment", "Sums", 2, 4, 3)
    assert there.count() == 0 and ExperimentStore(there.database).experiments() == []
    found = arriving.import_bundle(there, file)
    assert found.contents.experiment_here == "Sums (imported)" and not found.already
    arrived, left = ExperimentStore(there.database), ExperimentStore(here.database)
    row, before = arrived.get("Sums (imported)"), left.get("Sums")
    assert row.plan == before.plan.model_copy(update={"dataset": "sums (imported)", "name": row.name}) and (
        row.status,
        row.dataset,
    ) == ("stopped", experiment)
    assert DatasetStore(there.database).items(row.dataset) == ITEMS and arrived.lanes(row.id) == left.lanes(before.id)
    mine = {run.foreign_id: run.id for run in there.runs()}
    assert set(mine) == {"run1", "run2", "run3"}
    same = [
        cell.model_copy(update={"key": one.key, "run_id": mine.get(cell.run_id, one.run_id)})
        for cell, one in zip(left.cells(before.id), arrived.cells(row.id), strict=True)
    ]
    assert arrived.cells(row.id) == same
    assert arrived.cells(row.id)[3].run_id not in ("run4", *mine.values())


def test_what_was_answered_elsewhere_is_never_taken_for_an_answer_from_here(
    here: RunStore, there: RunStore, experiment: str
):
    arriving.import_bundle(there, carried(here))
    left, arrived = ExperimentStore(here.database), ExperimentStore(there.database)
    left.claim(left.get("Sums").id)
    left.save(left.get("Sums").id, left.cells(left.get("Sums").id))
    assert left.run_of("a" * 64) == "run1"
    assert arrived.run_of("a" * 64) == "" and arrived.answered(["a" * 64]) == set()


def test_a_second_time_it_is_there_already_and_its_name_is_marked_as_foreign(
    here: RunStore, there: RunStore, experiment: str
):
    arriving.import_bundle(there, carried(here))
    again = arriving.import_bundle(there, carried(here))
    assert again.already and again.contents.experiment_here == "Sums (imported)" and there.count() == 3
    arriving.import_bundle(there, bundle(parts(), "experiment"))
    assert {row.name for row in ExperimentStore(there.database).experiments()} == {
        "Sums (imported)",
        "Sums (imported) 2",
    }
    arriving.import_bundle(here, carried(here))
    assert len(DatasetStore(here.database).list()) == 1
    with pytest.raises(InvalidRequest, match="no experiment"):
        leaving.export_experiment(here, "Products")


def test_one_that_was_deleted_comes_back_with_its_runs(here: RunStore, there: RunStore, experiment: str):
    here.judge("run1", "good")
    file, store = carried(here), ExperimentStore(there.database)
    arriving.import_bundle(there, file)
    store.delete(store.get("Sums (imported)").id)
    (stayed,) = there.runs()
    assert stayed.foreign_id == "run1" and not arriving.inspect(file, there).is_here
    again = arriving.import_bundle(there, file)
    assert not again.already and again.contents.experiment_here == "Sums (imported)"
    assert there.count() == 3 and again.run_ids[0] == stayed.id
    cells = store.cells(store.get("Sums (imported)").id)
    assert [cell.run_id for cell in cells[:3]] == list(again.run_ids)
    there.delete(again.run_ids[2])
    assert arriving.import_bundle(there, file).already and there.count() == 2


def parts(**changes: Any) -> dict[str, list[Any]]:
    """The members of an experiment's bundle without runs; changes of its record, its items or its first cell."""
    lane = {"request": a_request("?").model_dump(mode="json")}
    plan = PLAN.model_dump(mode="json") | changes.pop("plan", {})
    record = {"name": "Sums", "created_at": NOON, "plan": plan, "lanes": [lane, lane], "dataset": digest_of(ITEMS)}
    items = changes.pop("items", [item.model_dump() for item in ITEMS])
    cell = Cell(lane=0, item=0, seed=0).model_dump() | changes.pop("cell", {})
    return {
        **{name: [] for name in (archive.RUNS, archive.EVENTS, archive.PROMPTS)},
        archive.EXPERIMENT: [record | changes],
        archive.ITEMS: items,
        archive.CELLS: [cell],
    }


def test_an_experiment_that_has_not_begun_is_carried_too(there: RunStore):
    assert arriving.import_bundle(there, bundle(parts(), "experiment")).run_ids == ()
    assert arriving.import_bundle(there, bundle(parts(), "experiment")).already


def test_a_bundle_that_says_nothing_of_the_costs_of_scoring_is_taken_in(there: RunStore):
    older = parts()
    del older[archive.CELLS][0]["judging_tokens"], older[archive.CELLS][0]["judging_calls"]
    arriving.import_bundle(there, bundle(older, "experiment"))
    store = ExperimentStore(there.database)
    (cell,) = store.cells(store.experiments()[0].id)
    assert (cell.judging_tokens, cell.judging_calls) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"items": [ITEMS[0].model_dump()]}, "not the one that the experiment was made with"),
        ({"dataset": "0" * 64}, "not the one that the experiment was made with"),
        ({"lanes": []}, "other lanes than its plan says"),
        ({"created_at": "yesterday"}, "a date that is none"),
        ({"plan": {"name": "../../evil"}}, "plan.name"),
        ({"plan": {"lanes": []}}, "plan.lanes"),
        ({"plan": {"dreams": 1}}, "dreams"),
        ({"cell": {"lane": 2}}, "none of the experiment's"),
        ({"cell": {"item": -1}}, "none of the experiment's"),
        ({"cell": {"seed": 10**30}}, "none of the experiment's"),
        ({"cell": {"score": 7.0}}, "a number that is none"),
        ({"cell": {"score": "NaN"}}, "a number that is none"),
        ({"cell": {"completion_tokens": 10**12}}, "a number that is none"),
        ({"cell": {"judging_tokens": -1}}, "a number that is none"),
        ({"cell": {"seconds": -1.0}}, "a number that is none"),
        ({"cell": {"status": "haunted"}}, "status"),
    ],
)
def test_an_experiment_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str, there: RunStore):
    with pytest.raises(BundleError, match=words):
        arriving.import_bundle(there, bundle(parts(**changes), "experiment"))
    assert ExperimentStore(there.database).experiments() == [] and DatasetStore(there.database).list() == []


def test_cells_that_come_twice_or_in_a_flood_are_refused(there: RunStore, monkeypatch):
    twice = parts()
    twice[archive.CELLS] *= 2
    with pytest.raises(BundleError, match="twice"):
        arriving.import_bundle(there, bundle(twice, "experiment"))
    monkeypatch.setattr("workbench.carry.arriving_experiment.MOST_CELLS", 1)
    with pytest.raises(BundleError, match="more than 1 records"):
        arriving.import_bundle(there, bundle(twice, "experiment"))


def test_a_newer_experiment_is_refused_with_what_to_do(there: RunStore):
    file = bundle(parts(plan={"dreams": 1}), "experiment", program="99.0.0")
    with pytest.raises(BundleError) as caught:
        arriving.import_bundle(there, file)
    assert "Update" in caught.value.hint


def test_its_file_can_be_read_with_nothing_but_json(here: RunStore, experiment: str):
    file = carried(here)
    with archive.reading(file) as opened:
        (record,) = opened.lines(archive.EXPERIMENT)
        assert [item["question"] for item in opened.lines(archive.ITEMS)] == [item.question for item in ITEMS]
    assert record["plan"]["name"] == "Sums" and json.dumps(record)
