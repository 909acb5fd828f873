"""Going on with a run: nothing that had finished is done again, and the limits end it honestly."""

import subprocess
import sys
import time
from typing import Any

import pytest

from agents import catalogue
from tests.runs import action, at_rest, request, scripted_engine, step, verdict
from workbench.backends.scripted import ScriptedBackend
from workbench.bench import RunBench
from workbench.engine import Engine
from workbench.errors import InvalidRequest, PromptError, RunNotFound
from workbench.events import Card, ModelAnswered, ModelCalled, NodeStarted, Resumed, RunFinished, ToolCalled
from workbench.request import Limits
from workbench.settings import Settings

STEPS = [step("Read", "one"), step("Count", "two"), step("Check", "three", "final_answer"), "Four."]
SLOW = 40.0  # words a second


def wait_for(engine: Engine, run_id: str, kind: type, number: int) -> None:
    """Wait until so many events of a kind are on the log."""
    seen = 0
    for batch in engine.follow(run_id):
        seen += sum(isinstance(event, kind) for event in batch)
        if seen >= number:
            return


def test_a_stopped_run_goes_on_from_its_last_finished_step(settings: Settings):
    """Three calls were answered before the stop: the last one alone is made after it, and the log is one log."""
    slow = [*STEPS[:3], "Four words that are slow enough to be stopped in their middle, one would think."]
    with scripted_engine(settings, [*slow, STEPS[3]], speed=SLOW) as engine:
        run_id = engine.submit(request("stepwise"))
        wait_for(engine, run_id, ModelCalled, 4)
        engine.stop(run_id)
        assert at_rest(engine, run_id).status == "stopped"
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        events = engine.store.events(run_id)
    assert view.status == "answered" and view.finished is not None and view.finished.answer == "Four."
    assert [event.seq for event in events] == list(range(len(events)))
    assert sum(isinstance(event, ModelAnswered) for event in events) == 4
    assert view.totals.calls == 5
    again = [event for event in events if isinstance(event, NodeStarted) and event.attempt == 2]
    assert [(event.node, event.step) for event in again] == [("conclude", 4)]
    ats = [event.at for event in events]
    assert ats == sorted(ats)


def test_a_run_cut_off_by_the_apps_end_is_interrupted_and_goes_on_in_the_next_one(settings: Settings):
    """Closing the engine neither stops nor fails the run."""
    with scripted_engine(settings, STEPS, speed=SLOW) as engine:
        run_id = engine.submit(request("stepwise"))
        wait_for(engine, run_id, Card, 2)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    with scripted_engine(settings, STEPS[2:], speed=0) as engine:
        assert engine.store.run(run_id).status == "interrupted"
        assert not any(isinstance(event, RunFinished) for event in engine.store.events(run_id))
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        assert engine.store.run(run_id).status == "answered"
    assert view.status == "answered" and [call.card.title for call in view.calls if call.card][:3] == [
        "Step 1: Read",
        "Step 2: Count",
        "Step 3: Check",
    ]


def test_a_failed_run_tries_its_failed_step_again(settings: Settings):
    """What the failure cost is one step."""
    answers: list[Any] = ["Draft.", {"text": "", "error": "authentication_failed"}, verdict("accept", 9)]
    with scripted_engine(settings, answers) as engine:
        run_id = engine.submit(request("reflection"))
        assert at_rest(engine, run_id).status == "failed"
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    assert view.status == "answered" and view.finished is not None and view.finished.answer == "Draft."
    assert sum(call.answer is not None for call in view.calls) == 2


def test_an_answer_that_was_kept_is_not_asked_for_again(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """The node was cut off between its model's answer and its own end: its answer is taken from the log."""
    card = RunBench.card

    def cut_off(bench: RunBench, title: str, *rest: Any, **more: Any) -> None:
        if "Count" in title:
            raise PromptError("Cut off here.")
        card(bench, title, *rest, **more)

    with scripted_engine(settings, STEPS) as engine:
        monkeypatch.setattr(RunBench, "card", cut_off)
        run_id = engine.submit(request("stepwise"))
        assert at_rest(engine, run_id).status == "failed"
        monkeypatch.undo()
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    assert view.status == "answered" and len(view.calls) == 4 and view.totals.calls == 4
    assert [call.card.content for call in view.calls if call.card] == ["one", "two", "three", "Four."]


def test_an_answered_run_and_an_unknown_one_cannot_be_resumed(settings: Settings):
    """Each with its own sentence."""
    with scripted_engine(settings, STEPS) as engine:
        run_id = engine.submit(request("stepwise"))
        at_rest(engine, run_id)
        assert not engine.can_resume(run_id)
        with pytest.raises(InvalidRequest, match="come to its end"):
            engine.resume(run_id)
        with pytest.raises(RunNotFound):
            engine.resume("nowhere")


def test_a_run_in_progress_cannot_be_resumed(settings: Settings):
    """It would be done twice."""
    with scripted_engine(settings, STEPS, speed=SLOW) as engine:
        run_id = engine.submit(request("stepwise"))
        wait_for(engine, run_id, Card, 1)
        with pytest.raises(InvalidRequest, match="running already"):
            engine.resume(run_id)
        assert at_rest(engine, run_id).status == "answered"


def test_other_prompts_than_at_the_start_are_said(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """The run goes on with them, and the log warns."""
    with scripted_engine(settings, STEPS[:2], speed=0) as engine:
        run_id = engine.submit(request("stepwise"))
        assert at_rest(engine, run_id).status == "failed"  # the script ran out
    from workbench import prompts

    roles = dict(prompts.load("stepwise").roles)
    roles["system"] = roles["system"].model_copy(update={"template": "Think."})
    changed = prompts.load("stepwise").model_copy(update={"roles": roles})
    monkeypatch.setattr(prompts, "load", lambda machine: changed)
    with scripted_engine(settings, STEPS[2:], speed=0) as engine:
        engine.resume(run_id)
        at_rest(engine, run_id)
        codes = [event.code for event in engine.store.events(run_id) if event.kind == "warning"]
    assert codes == ["prompts_changed"]


def test_a_limit_of_steps_ends_the_run_with_its_best_answer_so_far(settings: Settings):
    """Neither an error nor an answer; with a wider limit it goes on."""
    with scripted_engine(settings, STEPS) as engine:
        run_id = engine.submit(request("stepwise").model_copy(update={"limits": Limits(steps=2)}))
        view = at_rest(engine, run_id)
        assert view.finished is not None and view.status == "limit" and view.finished.error is None
        assert (view.finished.reason, view.finished.answer) == ("2 steps were taken, the most allowed.", "two")
        engine.resume(run_id, Limits())
        assert at_rest(engine, run_id).status == "answered"
        resumed = [event for event in engine.store.events(run_id) if isinstance(event, Resumed)]
    assert resumed[0].limits["steps"] == 200


def test_a_limit_of_tokens_ends_the_run_before_the_call_after_it(settings: Settings):
    """Steps whose answers were whole are kept."""
    with scripted_engine(settings, STEPS) as engine:
        run_id = engine.submit(request("stepwise").model_copy(update={"limits": Limits(tokens=16)}))
        view = at_rest(engine, run_id)
    assert view.finished is not None and view.status == "limit" and view.finished.error is None
    assert view.finished.reason.endswith("tokens were written; the limit is 16.") and view.finished.answer == "two"
    assert view.totals.completion_tokens >= 16


def test_as_many_steps_as_the_machine_needs_are_enough(settings: Settings):
    """The limit counts what was done, not what would come next."""
    with scripted_engine(settings, STEPS) as engine:
        run_id = engine.submit(request("stepwise").model_copy(update={"limits": Limits(steps=4)}))
        assert at_rest(engine, run_id).status == "answered"


def test_a_limit_of_steps_counts_those_before_the_resuming(settings: Settings):
    """Going on does not start the count afresh."""
    with scripted_engine(settings, STEPS) as engine:
        run_id = engine.submit(request("stepwise").model_copy(update={"limits": Limits(steps=2)}))
        at_rest(engine, run_id)
        engine.resume(run_id, Limits(steps=3))
        view = at_rest(engine, run_id)
        assert view.status == "limit" and view.finished is not None and view.finished.answer == "three"


def test_a_limit_of_seconds_ends_a_call_in_its_middle(settings: Settings):
    """The partial text stays; so does the draft before it."""
    long = " ".join(["word"] * 400)
    with scripted_engine(settings, ["Draft.", long], speed=SLOW) as engine:
        run_id = engine.submit(request("reflection").model_copy(update={"limits": Limits(seconds=1)}))
        view = at_rest(engine, run_id)
    assert view.status == "limit" and view.finished is not None
    assert view.finished.answer == "Draft." and "1 seconds have passed" in view.finished.reason
    assert 1 <= view.totals.seconds < 3
    assert view.calls[-1].text.startswith("word word")


def test_a_limit_of_tool_calls_ends_the_run_before_the_next_one(settings: Settings):
    """One was allowed, one was made."""
    answers = [action("calculator", "1 + 1"), action("calculator", "2 + 2"), action("finish", "4")]
    with scripted_engine(settings, answers) as engine:
        run_id = engine.submit(request("react").model_copy(update={"limits": Limits(tool_calls=1)}))
        view = at_rest(engine, run_id)
        made = [event for event in engine.store.events(run_id) if isinstance(event, ToolCalled)]
    assert view.status == "limit" and len(made) == 1


def test_after_the_last_tool_call_that_is_allowed_the_model_may_still_answer(settings: Settings):
    """The limit is on tools: a run that needs none of them is not touched by it."""
    answers = [action("calculator", "1 + 1"), action("finish", "2")]
    for machine, script, most in (("react", answers, 1), ("stepwise", STEPS, 0)):
        with scripted_engine(settings, script) as engine:
            run_id = engine.submit(request(machine).model_copy(update={"limits": Limits(tool_calls=most)}))
            assert at_rest(engine, run_id).status == "answered"


def test_a_timeout_of_a_node_s_own_fails_the_run(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """It is not taken for the limit's."""

    def slow(*_: Any) -> None:
        raise TimeoutError("nobody came")

    monkeypatch.setattr("workbench.bench.to_message", slow)
    with scripted_engine(settings, STEPS) as engine:
        view = at_rest(engine, engine.submit(request("stepwise")))
    assert view.status == "failed" and view.finished is not None and view.finished.error is not None
    assert "nobody came" in view.finished.error.message


def test_the_answer_is_cut_to_the_tokens_that_are_left(settings: Settings):
    """The last call may not write more than the run has left."""
    backend = ScriptedBackend([" ".join(["word"] * 50)], speed=0)
    engine = Engine(settings, {"scripted": backend})
    try:
        run_id = engine.submit(request("reflection").model_copy(update={"limits": Limits(tokens=20)}))
        at_rest(engine, run_id)
        called = next(event for event in engine.store.events(run_id) if isinstance(event, ModelCalled))
    finally:
        engine.close()
    assert called.parameters["max_tokens"] == 20


@pytest.mark.parametrize("machine", catalogue.MACHINES)
def test_nothing_is_lost_or_done_twice_when_a_run_is_killed(machine):
    """Real processes, SIGKILL at every step boundary and at 2 random moments."""
    command = [sys.executable, "-m", "benchmarks.kill", machine, "--moments", "2", "--brief"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| 0 | 0 |") == 1
