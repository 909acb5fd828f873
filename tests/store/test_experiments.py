"""Experiments in the database: what a cell's row keeps, who may run one, what deleting one takes along."""

import pytest

from tests.store.samples import a_request, whole_run
from workbench.errors import InvalidRequest, StoreError
from workbench.experiments.model import Cell, Round, Sample
from workbench.experiments.plan import Plan
from workbench.store.experiments import ExperimentStore, belongs
from workbench.store.owner import owner
from workbench.store.runs import RunStore

LANES = [{"request": {"backend": "scripted"}, "roles": "", "model_digest": ""}]
DEAD = f"{owner().partition(':')[0]}:1:0"  # process 1 began at another moment


@pytest.fixture
def experiments(store: RunStore) -> ExperimentStore:
    return ExperimentStore(store.database)


def plan(name: str = "first", **more: object) -> Plan:
    whole = {"name": name, "dataset": "d", "scorer": "exact", "lanes": [{"name": "a", "machine": "direct"}]}
    return Plan.model_validate(whole | more)


def waiting(count: int = 3) -> list[Cell]:
    return [Cell(lane=0, item=number, seed=0, key=f"k{number}", run_id=f"run-{number}") for number in range(count)]


def entered(experiments: ExperimentStore, name: str = "first", count: int = 3) -> str:
    return experiments.create(plan(name), LANES, "digest", waiting(count))


def test_a_cell_comes_back_as_it_was_kept(experiments: ExperimentStore) -> None:
    found = entered(experiments, count=1)
    cell = Cell(
        lane=0,
        item=0,
        seed=0,
        key="k0",
        run_id="run-0",
        status="done",
        score=0.5,
        answer="Ünïcode 你好 = 1",
        said="read 1",
        prompt_tokens=12,
        completion_tokens=3,
        calls=2,
        seconds=1.25,
        judging_tokens=90,
        judging_calls=2,
        confidence=0.75,
        feedback="critic",
        rounds=(Round(score=0.0, tokens=5), Round(score=1.0, tokens=15)),
        samples=(Sample(answer="1", score=1.0, tokens=7),),
    )
    experiments.amend(found, [cell])
    assert experiments.cells(found) == [cell]
    assert experiments.cell(found, 0, 0, 0) == cell and experiments.cell(found, 0, 1, 0) is None


def test_what_no_database_holds_is_replaced_in_a_cells_texts(experiments: ExperimentStore) -> None:
    found = entered(experiments, count=1)
    broken = Cell(lane=0, item=0, seed=0, status="error", answer="a\x00b", error="half \ud800", error_code="x" * 100)
    experiments.amend(found, [broken])
    (cell,) = experiments.cells(found)
    assert (cell.answer, cell.error, len(cell.error_code)) == ("a\N{REPLACEMENT CHARACTER}b", "half ?", 64)


def test_an_experiment_is_found_by_name_id_and_the_ids_beginning(experiments: ExperimentStore) -> None:
    found = entered(experiments, "with % and _")
    for ref in ("with % and _", found, found[:6]):
        assert experiments.get(ref).id == found
    assert experiments.find("with") is None
    with pytest.raises(InvalidRequest) as refused:
        experiments.get("nothing")
    assert refused.value.hint == "There are: with % and _."


def test_a_name_is_given_once(experiments: ExperimentStore) -> None:
    entered(experiments)
    with pytest.raises(InvalidRequest, match="There is an experiment named 'first'"):
        entered(experiments)


def test_the_list_says_how_far_each_is(experiments: ExperimentStore) -> None:
    found = entered(experiments)
    entered(experiments, "second", 1)
    cells = waiting()
    done, error = {"status": "done", "score": 1.0}, {"status": "error", "error_code": "server_fault"}
    experiments.amend(found, [cells[0].model_copy(update=done), cells[1].model_copy(update=error)])
    rows = {row.name: (row.status, row.cells, row.done, row.errors) for row in experiments.experiments()}
    assert rows == {"first": ("waiting", 3, 1, 1), "second": ("waiting", 1, 0, 0)}


def test_counts_tell_scores_tokens_and_the_recent_pace_of_each_lane(experiments: ExperimentStore) -> None:
    found = experiments.create(plan(), LANES * 2, "digest", [*waiting(), Cell(lane=1, item=0, seed=0)])
    done = {"status": "done", "score": 0.5, "prompt_tokens": 10, "completion_tokens": 5, "seconds": 2.0}
    experiments.amend(found, [cell.model_copy(update=done) for cell in waiting()[:2]])
    first, second = experiments.counts(found, 2)
    assert (first.waiting, first.done, first.scored, first.points, first.tokens) == (1, 2, 2, 1.0, 30)
    assert first.recent == (2.0, 2.0) and (second.waiting, second.recent) == (1, ())


def test_of_several_that_want_to_run_it_one_does(experiments: ExperimentStore) -> None:
    found = entered(experiments)
    experiments.claim(found)
    assert experiments.get(found).is_live and experiments.is_wanted(found)
    with pytest.raises(InvalidRequest, match="is running"):
        experiments.claim(found)
    for change in (lambda: experiments.revise(found, plan(), LANES, "digest", []), lambda: experiments.delete(found)):
        with pytest.raises(InvalidRequest, match="is running"):
            change()
    experiments.release(found, "stopped", "Nothing answers.")
    row = experiments.get(found)
    assert (row.status, row.reason, row.is_live) == ("stopped", "Nothing answers.", False)
    experiments.claim(found)
    assert experiments.get(found).reason == ""


def test_one_whose_process_died_is_interrupted_and_can_be_taken(
    experiments: ExperimentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = entered(experiments)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(experiments, "_owner", DEAD)
        experiments.claim(found)
    assert experiments.get(found).status == "interrupted"
    experiments.claim(found)
    assert experiments.get(found).status == "running"


def test_who_lost_it_to_another_process_writes_nothing_more(
    experiments: ExperimentStore, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = entered(experiments)
    experiments.claim(found)
    other = ExperimentStore(store.database)
    monkeypatch.setattr(other, "_owner", DEAD)
    with pytest.raises(StoreError, match="Another process has taken the experiment over"):
        other.save(found, [waiting()[0].model_copy(update={"status": "done"})])
    other.release(found, "done")
    assert experiments.get(found).status == "running" and {cell.status for cell in experiments.cells(found)} == {
        "waiting"
    }


def test_asking_to_stop_is_seen_by_who_runs_it(experiments: ExperimentStore) -> None:
    found = entered(experiments)
    experiments.ask_to_stop(found)
    assert experiments.get(found).status == "waiting"
    experiments.claim(found)
    experiments.ask_to_stop(found)
    assert experiments.get(found).status == "stopping" and not experiments.is_wanted(found)


def answered(store: RunStore, run_id: str, experiment: str) -> None:
    store.create(run_id, a_request(), "Direct", "2026-01-01T00:00:00+00:00", belongs=belongs(experiment))
    store.append(whole_run(run_id))


def test_a_key_that_is_done_is_found_while_its_run_is_there(experiments: ExperimentStore, store: RunStore) -> None:
    first = entered(experiments)
    answered(store, "run-0", first)
    assert experiments.run_of("k0") == ""
    experiments.amend(first, [waiting()[0].model_copy(update={"status": "done"})])
    assert experiments.run_of("k0") == "run-0" and experiments.answered(["k0", "k1"]) == {"k0"}
    store.delete("run-0")
    assert experiments.run_of("k0") == "" and experiments.answered(["k0"]) == set()
    assert experiments.answered(["k0"], first) == {"k0"}


def test_the_runs_of_its_cells_are_told_with_their_statuses(experiments: ExperimentStore, store: RunStore) -> None:
    found = entered(experiments)
    answered(store, "run-1", found)
    assert experiments.runs(found) == {"run-1": "answered"}


def test_a_deleted_experiment_takes_the_runs_along_that_nobody_else_needs(
    experiments: ExperimentStore, store: RunStore
) -> None:
    found, other = entered(experiments), entered(experiments, "other", 1)
    for number in range(3):
        answered(store, f"run-{number}", found)
    store.judge("run-1", "good")
    assert experiments.delete(found) == ["run-2"]  # run-0 is a cell's of the other
    assert sorted(row.id for row in store.runs()) == ["run-0", "run-1"]
    assert store.events("run-2") == [] and experiments.cells(found) == []
    assert [row.id for row in experiments.experiments()] == [other]
