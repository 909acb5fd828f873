"""What comes from another machine's log, in every database that is supported."""

import pytest

from tests.carry.bundles import bundle, records_of
from tests.carry.test_experiment_bundle import parts
from tests.logs import three_steps
from tests.store.samples import NOON
from workbench.carry import arriving
from workbench.errors import BundleError
from workbench.events import RunView
from workbench.store import foreign
from workbench.store.experiments import ExperimentStore
from workbench.store.judged import judgements
from workbench.store.runs import RunStore


def test_a_foreign_run_is_entered_once_with_its_whole_log(store: RunStore):
    file = bundle(records_of(three_steps("far1", created_at=NOON, machine_title="A\x00B").events))
    (run_id,) = arriving.import_bundle(store, file).run_ids
    assert arriving.import_bundle(store, file).already and store.count() == 1
    row = store.run(run_id)
    assert (row.foreign_id, row.status, row.answer, row.prompt_tokens) == ("far1", "answered", "42", 30)
    view = RunView.of(store.events(run_id))
    assert view.finished and view.totals.completion_tokens == row.completion_tokens == 10


def test_a_run_that_cannot_be_entered_leaves_nothing_of_the_others(store: RunStore):
    whole, empty = foreign.Arrival("new1", "far1"), foreign.Arrival("new2", "far2")
    for arrival, log in ((whole, three_steps("far1", created_at=NOON)), (empty, three_steps("far2", created_at=NOON))):
        for event in log.events:
            arrival.take(event)
    empty.row["calls"] = -1
    with pytest.raises(BundleError, match="far2"):
        foreign.take_in(store.database, "import:x", [whole, empty])
    assert store.count() == 0 and store.events("new1") == []
    assert foreign.known(store.database, "import:x") == {}


def test_an_experiment_comes_with_its_data_set(store: RunStore):
    arriving.import_bundle(store, bundle(parts(cell={"status": "done", "score": 0.5, "run_id": "r"}), "experiment"))
    (row,) = ExperimentStore(store.database).experiments()
    assert (row.name, row.status, row.done) == ("Sums (imported)", "done", 1)
    (judged,) = judgements(store.database, "score")
    assert (judged.group, judged.value) == (row.id, 0.5) and judged.run_id != "r"
