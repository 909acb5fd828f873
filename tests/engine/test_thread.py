"""Follow-up questions in a thread, and runs that are run again with their seed."""

from typing import Any

import pytest

from tests.runs import at_rest, request, scripted_engine, step, verdict
from workbench.backends.base import ModelInfo
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.errors import InvalidRequest
from workbench.events import RunView, Warned
from workbench.job import doubt_of
from workbench.request import Exchange, RunRequest
from workbench.settings import Settings

STEPS = [step("Read", "one"), step("Count", "two"), step("Check", "three", "final_answer"), "Four."]
DRAFTS = ["A first draft.", verdict("revise", 4, "Too short."), "A second draft.", verdict("accept", 9)]


def sent(view: RunView, number: int) -> list[dict[str, Any]]:
    """The messages of a call."""
    return list(view.calls[number].called.messages)


def test_a_follow_up_knows_the_thread_and_starts_its_rounds_afresh(settings: Settings):
    """The generator and the critic both know what was said, and judge the new task."""
    with scripted_engine(settings, [*DRAFTS, *DRAFTS]) as engine:
        first = engine.submit(request("reflection", "Write about rust.", rounds=2))
        at_rest(engine, first)
        second = engine.follow_up(first, request("reflection", "Now about gold.", rounds=2))
        view = at_rest(engine, second)
        row = engine.store.run(second)
    assert view.status == "answered" and (row.parent, row.relation) == (first, "continue")
    for number in (0, 1):
        system, *rest = sent(view, number)
        assert "User: Write about rust.\nAssistant: A second draft." in system["content"]
        assert rest[0] == {"role": "user", "content": "Now about gold."}
    assert [decision.reason for decision in view.decisions] == ["round 1", "revise", "round 2", "accept"]
    assert view.started is not None
    assert view.started.request["history"] == [
        {"question": "Write about rust.", "answer": "A second draft.", "run": first}
    ]


def test_a_thread_grows_with_every_question_in_its_order(settings: Settings):
    """Also through another machine."""
    with scripted_engine(settings, [*STEPS, *STEPS, *DRAFTS]) as engine:
        first = engine.submit(request("stepwise", "One?"))
        at_rest(engine, first)
        second = engine.follow_up(first, request("stepwise", "Two?"))
        at_rest(engine, second)
        third = engine.follow_up(second, request("reflection", "Three?"))
        text = sent(at_rest(engine, third), 0)[0]["content"]
        assert [row.id for row in engine.store.family(third)] == [first, second, third]
    assert text.index("User: One?") < text.index("User: Two?") and text.count("Assistant: Four.") == 2


def test_the_oldest_exchanges_are_left_out_when_they_do_not_fit_and_that_is_said_once(settings: Settings):
    """The window has 3,000 words; the oldest exchange has 2,900."""
    backend = ScriptedBackend(list(STEPS), speed=0)
    engine = Engine(settings, {"scripted": backend})
    try:
        history = (Exchange(question="Old?", answer="old " * 2_900), Exchange(question="New?", answer="fresh"))
        asked = request("stepwise").model_copy(update={"history": history})
        asked = asked.model_copy(update={"settings": asked.settings.model_copy(update={"context_window": 3_000})})
        view = at_rest(engine, engine.submit(asked))
    finally:
        engine.close()
    assert view.status == "answered"
    for number in range(4):
        assert "fresh" in sent(view, number)[0]["content"] and "old old" not in sent(view, number)[0]["content"]
    warnings = [entry.event for entry in view.entries if isinstance(getattr(entry, "event", None), Warned)]
    assert [(w.code, w.message) for w in warnings if isinstance(w, Warned)] == [
        ("history_left_out", "1 of 2 earlier exchanges do not fit: the oldest are left out.")
    ]


def test_a_follow_up_that_is_cut_off_pays_for_nothing_twice(settings: Settings):
    """What was left out of the first attempt is recognised on the log."""
    broken = {"text": "", "error": "authentication_failed"}
    with scripted_engine(settings, [*STEPS, *STEPS[:2], broken, *STEPS[2:]]) as engine:
        first = engine.submit(request("stepwise", "One?"))
        at_rest(engine, first)
        second = engine.follow_up(first, request("stepwise", "Two?"))
        assert at_rest(engine, second).status == "failed"
        engine.resume(second)
        view = at_rest(engine, second)
    assert view.status == "answered" and view.totals.calls == 5


def test_a_run_without_an_answer_cannot_be_continued(settings: Settings):
    """It can be resumed."""
    with scripted_engine(settings, [{"text": "", "error": "authentication_failed"}]) as engine:
        run_id = engine.submit(request("stepwise"))
        at_rest(engine, run_id)
        with pytest.raises(InvalidRequest, match="no answer to go on from"):
            engine.follow_up(run_id, request("stepwise", "And?"))


def test_a_run_is_run_again_as_it_was_with_its_seed(settings: Settings):
    """The drawn seed too."""
    with scripted_engine(settings, [*STEPS, *STEPS]) as engine:
        first = engine.submit(request("stepwise", seed=None))
        before = at_rest(engine, first)
        second = engine.reproduce(first)
        after = at_rest(engine, second)
        row = engine.store.run(second)
    assert before.started is not None and after.started is not None
    assert before.started.request == after.started.request and after.started.request["settings"]["seed"] is not None
    assert (row.parent, row.relation) == (first, "reproduce")


def test_a_fork_is_run_again_as_a_fork(settings: Settings):
    """With what it inherited, and with what was edited in it."""
    with scripted_engine(settings, [*DRAFTS, *DRAFTS[2:], *DRAFTS[2:]]) as engine:
        first = engine.submit(request("reflection"))
        at_rest(engine, first)
        at = next(e.seq for e in engine.store.events(first) if e.kind == "node_finished" and e.node == "critique")
        asked = RunRequest.model_validate(RunView.of(engine.store.events(first)).started.request)
        changed = [*engine.fork_point(first, at).state["messages"][:-1], {"role": "user", "content": "Shorter."}]
        child = engine.fork(first, at, asked, {"messages": changed})
        before = at_rest(engine, child)
        after = at_rest(engine, engine.reproduce(child))
    assert before.started is not None and after.started is not None
    assert after.started.relation == "reproduce" and after.started.inherited == before.started.inherited > 0
    assert [call.called.messages for call in after.calls] == [call.called.messages for call in before.calls]
    assert sent(after, 2)[-1]["content"] == "Shorter." and after.totals.calls == 2


def test_a_backend_that_promises_nothing_for_a_seed_says_so(settings: Settings):
    """When a run is run again, not before."""

    class Careless(ScriptedBackend):
        async def model(self, name: str) -> ModelInfo:
            found = await super().model(name)
            return found.model_copy(
                update={"capabilities": found.capabilities - {"seed"}, "why_no_logprobs": "It is shy."}
            )

    engine = Engine(settings, {"scripted": Careless([*STEPS, *STEPS], speed=0)})
    try:
        first = engine.submit(request("stepwise"))
        at_rest(engine, first)
        second = engine.reproduce(first)
        at_rest(engine, second)
        told = [[e.code for e in engine.store.events(run) if isinstance(e, Warned)] for run in (first, second)]
    finally:
        engine.close()
    assert told == [["logprobs_missing"], ["logprobs_missing", "seed_not_promised"]]


def test_a_model_that_is_exact_without_its_cache_is_doubted_only_with_it():
    """As the embedded engine is."""
    model = ModelInfo(name="m", capabilities=frozenset({"seed", "exact"}), why_not_the_same="The cache.")
    asked = request("stepwise")
    exact = asked.model_copy(update={"settings": asked.settings.model_copy(update={"prompt_cache": False})})
    assert doubt_of(asked, model) == "The cache." and doubt_of(exact, model) == ""
    vague = model.model_copy(update={"capabilities": frozenset({"seed"})})
    assert doubt_of(exact, vague) == "The cache."
