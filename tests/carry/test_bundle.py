"""A run is carried to another machine in one file: there it is the same, under an id of its own."""

import io
import json
import zipfile
from dataclasses import asdict

import pytest

from tests.carry.bundles import bundle, manifest_of, records_of
from tests.carry.conftest import DRAFTS, STEPS
from tests.logs import Log, three_steps
from tests.runs import finish, request, scripted_engine
from workbench import prompts
from workbench.backends.scripted import ScriptedBackend
from workbench.carry import arriving, leaving
from workbench.engine import Engine
from workbench.errors import BundleError, InvalidRequest, StoreError
from workbench.events import NodeFinished, Paused, RunStarted, RunView, Warned, from_dict, to_dict, to_json
from workbench.job import begun, first_request
from workbench.settings import Settings
from workbench.store.runs import RunStore
from workbench.ui import live

NOON = "2026-11-23T12:00:00.000+00:00"


def carried(here: RunStore, run_id: str | None = None, **options: bool) -> io.BytesIO:
    return io.BytesIO(leaving.export_run(here, run_id or here.runs()[0].id, **options))


def at_home(store: RunStore) -> Settings:
    """The settings of the machine whose store it is."""
    assert store.database.file
    return Settings(home=store.database.file.parent)


def log(run_id: str = "aaaa1111", **more: object) -> Log:
    return three_steps(run_id, created_at=NOON, **more)


def test_a_run_arrives_with_its_whole_log_and_row_under_another_id(here: RunStore, there: RunStore):
    before = here.runs()[0]
    here.judge(before.id, "good")
    arrived = arriving.import_bundle(there, carried(here))
    (run_id,) = arrived.run_ids
    after = there.run(run_id)
    began = here.events(before.id)[0].created_at
    own = {"id": before.id, "foreign_id": "", "belongs": "", "verdict": "good", "created_at": began}
    assert after.created_at == began
    assert run_id != before.id and not arrived.already
    assert asdict(after) | own == asdict(before) | own
    assert after.foreign_id == before.id and after.verdict == "good"
    assert after.belongs == f"import:{arrived.contents.digest[:16]}"
    sent, got = ([to_dict(event) for event in store.events(row.id)] for store, row in ((here, before), (there, after)))
    assert [event | {"run_id": ""} for event in got] == [event | {"run_id": ""} for event in sent]
    assert {event["run_id"] for event in got} == {run_id}


def test_the_file_holds_the_log_as_it_is_kept_with_its_prompts_and_versions(here: RunStore):
    row = here.runs()[0]
    with zipfile.ZipFile(carried(here)) as opened:
        events = opened.read("events.jsonl").decode()
        texts = [json.loads(line) for line in opened.read("prompts.jsonl").splitlines()]
        (run,) = [json.loads(line) for line in opened.read("runs.jsonl").splitlines()]
        manifest = json.loads(opened.read("manifest.json"))
    assert events.splitlines() == [to_json(event) for event in here.events(row.id)]
    start = here.events(row.id)[0]
    assert isinstance(start, RunStarted)
    assert {text["digest"] for text in texts} == set(start.prompts.values())
    assert texts[0]["template"] in [role.template for role in prompts.load("stepwise").roles.values()]
    assert run["request"] == start.request and run["model_digest"] == start.model_digest
    assert manifest["format"] == 1 and {"python", "langgraph", "pydantic"} <= set(manifest["libraries"])


def test_an_export_differs_from_the_next_in_nothing_but_its_moment(here: RunStore, monkeypatch):
    one, other = carried(here), carried(here)
    for manifest in (first := manifest_of(one), second := manifest_of(other)):
        del manifest["created_at"], manifest["checksum"]
    assert first == second
    monkeypatch.setattr(leaving, "datetime", Noon)
    assert carried(here).getvalue() == carried(here).getvalue()


class Noon:
    @staticmethod
    def now(zone: object) -> "Noon":
        return Noon()

    def isoformat(self, timespec: str) -> str:
        return NOON


def test_the_same_bundle_a_second_time_says_so_and_gives_the_ids_of_the_first(here: RunStore, there: RunStore):
    first = arriving.import_bundle(there, carried(here))
    again = arriving.import_bundle(there, carried(here))
    assert again.already and again.run_ids == first.run_ids == tuple(again.contents.present.values())
    assert there.count() == 1
    there.delete(first.run_ids[0])
    assert not arriving.import_bundle(there, carried(here)).already


def test_of_a_family_the_run_that_was_deleted_comes_back_to_its_relatives(settings: Settings, there: RunStore):
    with scripted_engine(settings, STEPS * 2) as engine:
        first = engine.submit(request("stepwise"))
        finish(engine, first)
        second = engine.reproduce(first)
        finish(engine, second)
        file = carried(engine.store, first, family=True)
    parent, child = arriving.import_bundle(there, file).run_ids
    there.delete(child)
    looked = arriving.inspect(file, there)
    assert set(looked.present.values()) == {parent} and not looked.is_here
    again = arriving.import_bundle(there, file)
    assert not again.already and again.run_ids[0] == parent and there.count() == 2
    assert there.run(again.run_ids[1]).parent == parent
    begun = there.events(again.run_ids[1])[0]
    assert isinstance(begun, RunStarted) and begun.parent_run == parent
    assert arriving.import_bundle(there, file).already


def test_a_fork_that_was_imported_is_run_again_from_its_start_and_says_so(settings: Settings, there: RunStore):
    with scripted_engine(settings, [*STEPS, *STEPS[1:]]) as engine:
        parent = engine.submit(request("stepwise"))
        events, _ = finish(engine, parent)
        at = next(event.seq for event in events if isinstance(event, NodeFinished))
        child = engine.fork(parent, at, first_request(events), {})
        assert finish(engine, child)[1].status == "answered"
        file = carried(engine.store, child)
    (run_id,) = arriving.import_bundle(there, file).run_ids
    with scripted_engine(at_home(there), STEPS) as engine:
        events, again = finish(engine, engine.reproduce(run_id))
        (said,) = [event.message for event in events if isinstance(event, Warned)]
        assert again.status == "answered" and len(again.paid_calls) == len(STEPS)
        assert "a fork that was imported" in said and "begins at the start" in said
        assert begun(events).relation == "reproduce" and begun(events).inherited == 0


def test_a_request_that_this_version_cannot_read_is_not_exported(there: RunStore):
    events = [log().events[0].model_copy(update={"request": {"machine": "stepwise"}}), *log().events[1:]]
    there.create("aaaa1111", request("stepwise"), "Stepwise", NOON)
    there.append(events)
    with pytest.raises(BundleError, match="request of run aaaa1111"):
        leaving.export_run(there, "aaaa1111")


def test_looking_into_a_bundle_keeps_nothing(here: RunStore, there: RunStore):
    contents = arriving.inspect(carried(here), there)
    (run,) = contents.runs
    assert (run.question, run.status, run.machine) == ("What is 2 + 2?", "answered", "stepwise")
    assert run.events == len(here.events(run.id)) and contents.notes == () and not contents.is_here
    assert there.count() == 0
    arriving.import_bundle(there, carried(here))
    assert len(arriving.inspect(carried(here), there).present) == 1


def test_an_import_writes_nothing_but_the_log(here: RunStore, there: RunStore, tmp_path):
    file = carried(here)
    before = {path for path in tmp_path.rglob("*") if there.database.file.parent not in path.parents}
    arriving.import_bundle(there, file)
    assert {path for path in tmp_path.rglob("*") if there.database.file.parent not in path.parents} == before


def test_it_replays_with_no_model_and_is_run_again_with_one(here: RunStore, there: RunStore):
    (run_id,) = arriving.import_bundle(there, carried(here)).run_ids
    with scripted_engine(at_home(there), STEPS) as engine:
        _, seen = finish(engine, run_id)
        assert seen.finished and seen.finished.answer == "It is **four**." and len(seen.calls) == len(STEPS)
        _, again = finish(engine, engine.reproduce(run_id))
        assert again.finished and again.finished.answer == seen.finished.answer
        assert [call.called.messages for call in again.calls] == [call.called.messages for call in seen.calls]


def test_its_steps_cannot_be_forked_since_their_state_stayed_behind(here: RunStore, there: RunStore):
    (run_id,) = arriving.import_bundle(there, carried(here)).run_ids
    with scripted_engine(at_home(there), STEPS) as engine:
        with pytest.raises(StoreError, match="not kept any more"):
            engine.fork_point(run_id, there.events(run_id)[-1].seq)
        assert engine.fork_point(run_id, 0).step == 0
        assert not engine.can_resume(run_id)


def test_prompts_that_are_others_here_go_with_the_run(settings: Settings, there: RunStore, monkeypatch):
    with scripted_engine(settings, DRAFTS) as engine:
        finish(engine, engine.submit(request("reflection")))
        file = carried(engine.store)
        asked = [call.called.messages for call in RunView.of(engine.store.events(engine.store.runs()[0].id)).calls]
    changed = prompts.load("reflection").model_copy(
        update={
            "roles": {
                role: prompt.model_copy(update={"template": f"Quite another. {prompt.template}"})
                for role, prompt in prompts.load("reflection").roles.items()
            }
        }
    )
    monkeypatch.setattr(prompts, "load", lambda machine: changed)
    (run_id,) = arriving.import_bundle(there, file).run_ids
    engine = Engine(at_home(there), {"scripted": ScriptedBackend(DRAFTS)})
    try:
        _, again = finish(engine, engine.reproduce(run_id))
        assert [call.called.messages for call in again.calls] == asked
    finally:
        engine.close()


def test_relatives_that_travel_together_stay_related(settings: Settings, there: RunStore):
    with scripted_engine(settings, STEPS * 3) as engine:
        first = engine.submit(request("stepwise"))
        finish(engine, first)
        second = engine.follow_up(first, request("stepwise", "And 3 + 3?"))
        finish(engine, second)
        again = engine.reproduce(second)
        finish(engine, again)
        here = engine.store
        alone, family = carried(here, second), carried(here, second, family=True)
    found = arriving.import_bundle(there, family)
    rows = {there.run(run_id).foreign_id: there.run(run_id) for run_id in found.run_ids}
    assert rows[second].parent == rows[first].id and rows[again].parent == rows[second].id
    assert {row.id for row in there.family(rows[again].id)} == set(found.run_ids)
    begun = there.events(rows[second].id)[0]
    assert isinstance(begun, RunStarted)
    assert begun.parent_run == rows[first].id == begun.request["history"][0]["run"]
    (lonely,) = arriving.import_bundle(there, alone).run_ids
    begun = there.events(lonely)[0]
    assert isinstance(begun, RunStarted)
    assert there.run(lonely).parent == "" and begun.parent_run == f"{first}@import"
    assert begun.request["history"][0]["run"] == "" and [row.id for row in there.family(lonely)] == [lonely]


def test_a_parent_that_has_the_id_of_a_run_here_does_not_become_its_relative(here: RunStore, there: RunStore):
    (mine,) = arriving.import_bundle(there, carried(here)).run_ids
    child = log(parent_run=mine, relation="fork")
    (run_id,) = arriving.import_bundle(there, bundle(records_of(child.events))).run_ids
    assert there.run(run_id).parent == "" and [row.id for row in there.family(mine)] == [mine]


def test_a_run_that_had_not_ended_is_interrupted_here_and_shows_so(there: RunStore):
    running, paused = log("run1").events[:-1], log("run2").events[:-1]
    paused.append(Paused(run_id="run2", seq=len(paused), at=90.0, node="judge", reason="You chose to."))
    found = arriving.import_bundle(there, bundle(records_of(running, paused)))
    assert [there.run(run_id).status for run_id in found.run_ids] == ["interrupted"] * 2
    assert "2 of its runs had not ended" in found.contents.notes[0]
    for run_id in found.run_ids:
        shown = RunView.of(live.with_end(there.run(run_id), there.events(run_id)))
        assert shown.paused is None and shown.finished and shown.finished.error
        assert "had not ended when it was exported" in shown.finished.error.message


def test_events_of_a_kind_that_is_not_known_are_kept_as_they_are(there: RunStore):
    events = log().events
    strange = {"kind": "dreamt", "run_id": "aaaa1111", "seq": 1, "at": 0.1, "of": {"sheep": [1, 2]}}
    later = [to_dict(event) | {"seq": event.seq + 1} for event in events[1:]]
    members = records_of(events) | {"events.jsonl": [to_dict(events[0]), strange, *later]}
    found = arriving.import_bundle(there, bundle(members, program="99.0.0"))
    assert "made by Second Thought 99.0.0" in found.contents.notes[0] and "dreamt" in found.contents.notes[1]
    kept = there.events(found.run_ids[0])[1]
    assert to_dict(kept) == strange | {"run_id": found.run_ids[0]} and from_dict(to_dict(kept)) == kept


def test_a_machine_that_is_not_here_is_said_and_the_run_is_kept(there: RunStore):
    found = arriving.import_bundle(there, bundle(records_of(log(request={"machine": "../oracle"}).events)))
    assert "There is no machine '../oracle' here" in found.contents.notes[0]
    assert there.run(found.run_ids[0]).status == "answered"
    with scripted_engine(at_home(there), []) as engine, pytest.raises(InvalidRequest, match="no machine"):
        engine.reproduce(found.run_ids[0])


def test_a_run_without_a_log_cannot_be_exported(there: RunStore):
    there.create("empty1", request("stepwise"), "Stepwise", NOON)
    with pytest.raises(BundleError, match="Nothing of this run was kept"):
        leaving.export_run(there, "empty1")
