"""The engine: every run ends with its last event, keeps what had arrived, and says what went wrong and what to do."""

import sqlite3
import time
from contextlib import closing
from threading import Thread

import pytest

from tests.runs import action, finish, request, run, scripted_engine, step, verdict
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.errors import DiskFull, InvalidRequest, RateLimited
from workbench.events import Delta, NodeFinished, NodeStarted, RunFinished, RunStarted, RunView, to_json
from workbench.store import checkpoints

SLOW = {"text": " ".join(f"word{n}" for n in range(400))}


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_the_log_has_no_gap_and_ends_with_the_runs_end(settings):
    events, view = run(settings, "reflection", ["Draft.", verdict("accept", 9)])
    assert [event.seq for event in events] == list(range(len(events)))
    assert isinstance(events[0], RunStarted) and isinstance(events[-1], RunFinished)
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert view.totals.calls == 2 and view.totals.completion_tokens > 0


def test_what_was_followed_is_what_was_kept(settings):
    with scripted_engine(settings, ["Draft.", verdict("accept", 9)]) as engine:
        run_id = engine.submit(request("reflection"))
        events, _ = finish(engine, run_id)
        wait_for(lambda: not engine.is_live(run_id))
        assert [to_json(e) for e in engine.store.events(run_id)] == [to_json(e) for e in events]
        assert engine.store.run(run_id).status == "answered"
        again, _ = finish(engine, run_id)
        assert [e.seq for e in again] == [e.seq for e in events]


def test_a_follower_may_begin_anywhere(settings):
    with scripted_engine(settings, ["Draft.", verdict("accept", 9)]) as engine:
        run_id = engine.submit(request("reflection"))
        events, _ = finish(engine, run_id)
        late = [event for batch in engine.follow(run_id, after=3) for event in batch]
        assert [e.seq for e in late] == [e.seq for e in events][4:]


def test_a_finished_step_is_on_disk_before_the_next_starts(settings, monkeypatch):
    with scripted_engine(settings, ["One.", verdict("revise", 4, "More."), "Two.", verdict("accept", 9)]) as engine:
        on_disk: list = []
        unsaved_at_start: list = []
        append = engine.store.append

        def spy(events):
            append(events)
            on_disk.extend(events)

        monkeypatch.setattr(engine.store, "append", spy)
        run_id = engine.submit(request("reflection"))
        for batch in engine.follow(run_id):
            for event in batch:
                if isinstance(event, NodeStarted) and event.step > 1:
                    done = {(e.node, e.step) for e in on_disk if isinstance(e, NodeFinished)}
                    unsaved_at_start += [event] if not any(s == event.step - 1 for _, s in done) else []
        assert unsaved_at_start == []
        finished = [e for e in on_disk if isinstance(e, NodeFinished)]
        assert len(finished) == 4 and all(e.checkpoint_id for e in finished)


def test_a_stopped_run_keeps_its_partial_text(settings):
    with scripted_engine(settings, [SLOW], speed=100) as engine:
        run_id = engine.submit(request("reflection"))
        view = RunView()
        for batch in engine.follow(run_id):
            for event in batch:
                view.apply(event)
            if view.calls and len(view.calls[0].text) > 30:
                break
        asked = time.monotonic()
        engine.stop(run_id)
        _, view = finish(engine, run_id)
        assert time.monotonic() - asked < 2
        assert view.status == "stopped"
        assert view.calls[0].text.startswith("word0 word1")
        assert view.calls[0].error.code == "stopped"
        wait_for(lambda: not engine.is_live(run_id))
        assert RunView.of(engine.store.events(run_id)).calls[0].text == view.calls[0].text


def test_stop_works_while_a_tool_runs(settings):
    forever = action("python", "while True:\n    pass")
    with scripted_engine(settings, [forever, action("finish", "x")]) as engine:
        run_id = engine.submit(request("react"))
        wait_for(lambda: any(e.kind == "tool_called" for e in engine._logs[run_id]._events))
        asked = time.monotonic()
        engine.stop(run_id)
        _, view = finish(engine, run_id)
        assert view.status == "stopped" and time.monotonic() - asked < 2


def test_stop_works_while_a_retry_waits(settings):
    limited = {"error": RateLimited("Too many requests.", retry_after=60)}
    with scripted_engine(settings, [limited, "x"]) as engine:
        run_id = engine.submit(request("reflection"))
        wait_for(lambda: any(e.kind == "retried" for e in engine._logs[run_id]._events))
        asked = time.monotonic()
        engine.stop(run_id)
        _, view = finish(engine, run_id)
        assert view.status == "stopped" and time.monotonic() - asked < 2
        assert view.calls[0].retried.waited == 60


def test_a_passing_fault_is_retried_and_both_attempts_are_on_the_log(settings):
    busy = {"error": RateLimited("Too many requests.", retry_after=0.05)}
    _, view = run(settings, "reflection", [busy, "Draft.", verdict("accept", 9)])
    assert view.status == "answered"
    assert view.calls[0].error.code == "rate_limited" and view.calls[0].retried.attempt == 2
    assert view.calls[1].text == "Draft."


def test_a_backends_failure_is_a_failure_and_what_had_finished_stays(settings):
    _, view = run(settings, "reflection", ["Draft."])
    assert view.status == "failed"
    assert view.finished.error.code == "script_exhausted"
    assert view.finished.error.hint
    assert view.calls[0].card.content == "Draft."
    assert view.finished.feedback == "none"


def test_two_runs_go_on_at_once(settings):
    script = [{"text": "Draft of twenty words " * 5}, {"text": "Draft of twenty words " * 5}]
    with scripted_engine(settings, script, speed=50) as engine:
        ids = [engine.submit(request("reflection", rounds=1)) for _ in range(2)]
        wait_for(lambda: all(any(isinstance(e, Delta) for e in engine._logs[i]._events) for i in ids))
        for run_id in ids:
            engine.stop(run_id)
            assert finish(engine, run_id)[1].status == "stopped"


def test_closing_the_engine_ends_its_runs(settings):
    with scripted_engine(settings, [SLOW], speed=100) as engine:
        run_id = engine.submit(request("reflection"))
        wait_for(lambda: any(isinstance(e, Delta) for e in engine._logs[run_id]._events))
        log = engine._logs[run_id]
    assert log.finished


def test_the_log_says_what_really_ran(settings):
    with scripted_engine(settings, [step("A", "a")]) as engine:
        events, _ = finish(engine, engine.submit(request("stepwise", seed=None)))
    asked = events[0].request
    assert isinstance(asked["settings"]["seed"], int)
    assert asked["settings"]["temperature"] == 0.2
    assert asked["options"] == {"min_steps": 3, "max_steps": 25, "summarise": "never"}
    assert set(events[0].prompts) == {"system", "planted", "conclude", "summariser", "recalled"}
    assert {node.name for node in events[0].graph.nodes} >= {"think", "conclude"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"machine": "oracle"}, "no machine named 'oracle'"),
        ({"backend": "cloud"}, "no backend named 'cloud'"),
        ({"options": {"depth": 3}}, "no option 'depth'"),
        ({"options": {"max_steps": 0}}, "max_steps"),
        ({"options": {"min_steps": 9, "max_steps": 3}}, "min_steps must not be larger"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_sentence(settings, changes, says):
    with scripted_engine(settings, []) as engine:
        with pytest.raises(InvalidRequest, match=says):
            engine.submit(request("stepwise").model_copy(update=changes))
        assert engine.store.count() == 0


def test_a_missing_model_fails_the_run_with_the_next_action(settings):
    with scripted_engine(settings, []) as engine:
        _, view = finish(engine, engine.submit(request("stepwise").model_copy(update={"model": "nothere"})))
    assert view.status == "failed"
    assert view.finished.error.code == "model_missing" and view.finished.error.hint


def test_a_full_disk_ends_the_run_with_a_clear_error(settings, monkeypatch):
    with scripted_engine(settings, [SLOW], speed=50) as engine:
        run_id = engine.submit(request("reflection"))
        wait_for(lambda: any(isinstance(e, Delta) for e in engine._logs[run_id]._events))

        def full(events):
            raise DiskFull("The disk is full.")

        monkeypatch.setattr(engine._logs[run_id], "_save", full)
        _, view = finish(engine, run_id)
        assert view.status == "failed"
        assert view.finished.error.code == "disk_full" and "Free some space" in view.finished.error.hint
        assert view.calls[0].text.startswith("word0")


def test_followers_are_woken_at_once(settings):
    with scripted_engine(settings, [SLOW], speed=200) as engine:
        run_id = engine.submit(request("reflection"))
        delays = []
        for batch in engine.follow(run_id, patience=5):
            now = engine._logs[run_id].seconds() if engine.is_live(run_id) else None
            delays += [now - e.at for e in batch if now is not None and isinstance(e, Delta)]
            if len(delays) >= 5:
                break
        engine.stop(run_id)
        assert min(delays) < 0.1


def test_many_followers_see_the_same(settings):
    with scripted_engine(settings, [SLOW, verdict("accept", 9)], speed=2000) as engine:
        run_id = engine.submit(request("reflection"))
        seen: list[list[int]] = []
        threads = [Thread(target=lambda: seen.append([e.seq for e in finish(engine, run_id)[0]])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 4 and all(s == seen[0] for s in seen)


def test_deleting_a_run_deletes_its_checkpoints(settings):
    with scripted_engine(settings, ["Draft.", verdict("accept", 9)] * 2) as engine:
        kept, gone = (engine.submit(request("reflection")) for _ in range(2))
        for run_id in (kept, gone):
            finish(engine, run_id)
            wait_for(lambda run_id=run_id: not engine.is_live(run_id))
        engine.delete(gone)
        with closing(sqlite3.connect(checkpoints.path_in(settings.home))) as database:
            threads = {row[0] for row in database.execute("select distinct thread_id from checkpoints")}
        assert threads == {kept}
        assert [row.id for row in engine.store.runs()] == [kept]


def test_a_failing_disk_under_the_checkpoints_is_a_store_error(settings):
    checkpoints.path_in(settings.home).mkdir(parents=True)
    _, view = run(settings, "reflection", ["Draft."])
    assert view.status == "failed"
    assert view.finished.error.code == "store_error" and "is a folder" in view.finished.error.message


def test_damaged_checkpoints_are_set_aside_and_the_run_goes_on(settings):
    settings.home.mkdir(exist_ok=True)
    checkpoints.path_in(settings.home).write_bytes(b"this is no database at all, " * 100)
    _, view = run(settings, "reflection", ["Draft.", verdict("accept", 9)])
    assert view.status == "answered"
    assert len(list(settings.home.glob("checkpoints.db.corrupt-*"))) == 1


def test_a_tokens_absurd_logprob_breaks_nothing(settings):
    _, view = run(settings, "reflection", [{"text": "Draft.", "logprobs": [-9999.0]}, verdict("accept", 9)])
    assert view.status == "answered"


def test_runs_queue_in_front_of_the_backends_slots_and_are_told_their_place(settings):
    text = {"text": "word " * 10}
    script = [text] * 3 + [verdict("accept", 9)] * 3
    backend = ScriptedBackend(script, speed=50, slots=1)
    engine = Engine(settings, {"scripted": backend})
    try:
        ids = [engine.submit(request("reflection")) for _ in range(3)]
        logs = [finish(engine, run_id) for run_id in ids]
    finally:
        engine.close()
    places = [[e.position for e in events if e.kind == "queued"][:3] for events, _ in logs]
    assert places[0][:1] != [1]
    assert places[1][:2] == [1, 0] and places[2][:3] == [2, 1, 0]
    assert all(view.calls[0].answer is not None for _, view in logs)


def test_a_run_stopped_before_its_first_step_ends_too(settings):
    with scripted_engine(settings, [SLOW], speed=100) as engine:
        run_id = engine.submit(request("reflection"))
        engine.stop(run_id)
        _, view = finish(engine, run_id)
        assert view.status == "stopped"
        wait_for(lambda: not engine.is_live(run_id))
        assert engine.store.run(run_id).status == "stopped"


def test_an_unforeseen_fault_of_ours_is_named_and_logged(settings, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("workbench.bench.to_message", broken)
    _, view = run(settings, "reflection", ["Draft."])
    assert view.status == "failed"
    assert view.finished.error.code == "internal" and "ZeroDivisionError: oops" in view.finished.error.message
    assert "Traceback" in caplog.text


def test_a_disk_that_fails_under_a_checkpoint_is_a_store_error(settings, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("workbench.bench.to_message", full)
    _, view = run(settings, "reflection", ["Draft."])
    assert view.status == "failed" and view.finished.error.code == "store_error"
