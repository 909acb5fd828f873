"""The recorded runs that come with the app."""

import asyncio

import pytest

from agents import catalogue
from workbench import gallery
from workbench.carry import arriving
from workbench.events import RunView
from workbench.experiments import datasets
from workbench.experiments.scorers import registry as scorers
from workbench.gallery import Recording
from workbench.settings import Settings
from workbench.store.runs import RunStore
from workbench.ui import live

SETS = {item.asked: one.scorer for one in datasets.SHIPPED for item in datasets.load(one.name, None).items}
ITEMS = {item.asked: item for one in datasets.SHIPPED for item in datasets.load(one.name, None).items}


def test_a_machine_that_was_recorded_has_one_that_goes_right_and_one_that_goes_wrong() -> None:
    there = {(one.machine, one.outcome) for one in gallery.recordings()}
    machines = {machine for machine, _ in there}
    assert there == {(machine, outcome) for machine in machines for outcome in ("right", "wrong")}
    assert machines <= set(catalogue.MACHINES) and {"react", "reflection", "stepwise"} <= machines


@pytest.mark.parametrize("one", gallery.recordings(), ids=lambda one: f"{one.machine}-{one.outcome}")
def test_a_recording_is_what_it_is_said_to_be(one: Recording, settings: Settings) -> None:
    store = RunStore(settings.store_url)
    run_id = gallery.keep(store, one)
    assert gallery.keep(store, one) == run_id
    row, view = store.run(run_id), RunView.of(store.events(run_id))
    assert (row.machine, row.question, row.model) == (one.machine, one.question, one.model)
    assert view.finished is not None and view.finished.answer == one.answer
    assert one.why, "say what is to be seen in it"
    score = asyncio.run(scorers.create(SETS[one.question]).score(ITEMS[one.question], one.answer))
    assert (score.value == 1) == (one.outcome == "right")
    store.close()


@pytest.mark.parametrize("one", gallery.recordings(), ids=lambda one: f"{one.machine}-{one.outcome}")
def test_a_recording_was_made_by_a_real_model_and_can_be_replayed(one: Recording, settings: Settings) -> None:
    with one.file.open("rb") as file:
        contents = arriving.inspect(file)
    assert contents.runs[0].model_digest
    assert contents.runs[0].backend == "embedded"
    store = RunStore(settings.store_url)
    run_id = gallery.keep(store, one)
    events = live.with_end(store.run(run_id), store.events(run_id))
    replayed = [event for batch in live.Replay.begin(run_id, 1e9).batches(events) for event in batch]
    assert [event.seq for event in replayed] == list(range(len(replayed)))
    store.close()
