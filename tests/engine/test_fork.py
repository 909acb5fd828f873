"""Forks: a run leaves another at any step, with its steps for nothing, and goes on with what was changed."""

from typing import Any

import pytest

from tests.runs import at_rest, request, scripted_engine, step, verdict
from workbench.backends.base import ChatRequest
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.engine import Engine
from workbench.errors import InvalidRequest, PromptError, StoreError
from workbench.events import (
    AnyEvent,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    Paused,
    Resumed,
    RunStarted,
    RunView,
    Warned,
)
from workbench.fork import inherited, read_state, rebased
from workbench.job import first_request
from workbench.request import Limits, ModelSettings, Reply, RunRequest
from workbench.settings import Settings
from workbench.store.checkpoints import forget

STEPS = [step("Read", "one"), step("Count", "two"), step("Check", "three", "final_answer"), "Four."]
OTHER = [step("Weigh", "2b"), step("Decide", "3b", "final_answer"), "Five."]
DRAFTS = ["A first draft.", verdict("revise", 4, "Too short."), "A second draft.", verdict("accept", 9)]


def end_of(engine: Engine, run_id: str, node: str, time: int = 1) -> int:
    """The place in the log where a node has ended for so many times."""
    finished = [e for e in engine.store.events(run_id) if isinstance(e, NodeFinished) and e.node == node]
    return finished[time - 1].seq


def request_of(engine: Engine, run_id: str) -> RunRequest:
    """What the run was asked for, every default filled in."""
    return first_request(engine.store.events(run_id))


def told(events: list[AnyEvent], number: int) -> list[str]:
    """The contents of the messages of a call."""
    call = [event for event in events if isinstance(event, ModelCalled)][number]
    return [message["content"] for message in call.messages]


def test_a_fork_goes_on_from_a_step_and_its_inherited_steps_cost_nothing(settings: Settings):
    """The first step is the parent's, the rest its own; both logs are whole."""
    with scripted_engine(settings, [*STEPS, *OTHER]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        before = engine.store.events(parent)
        at = end_of(engine, parent, "think")
        child = engine.fork(parent, at, request_of(engine, parent))
        view = at_rest(engine, child)
        events, row = engine.store.events(child), engine.store.run(child)
        assert engine.store.events(parent) == before
    assert view.finished is not None and view.finished.answer == "Five."
    assert [call.card.title for call in view.calls if call.card] == [
        "Step 1: Read", "Step 2: Weigh", "Step 3: Decide", "Final answer"
    ]  # fmt: skip
    assert [view.is_inherited(call) for call in view.calls] == [True, False, False, False]
    assert view.totals.calls == row.calls == 3
    assert row.completion_tokens == view.totals.completion_tokens < RunView.of(before).totals.completion_tokens
    assert (row.parent, row.relation) == (parent, "fork")
    assert view.started is not None and (view.started.parent_run, view.started.parent_seq) == (parent, at)
    assert [event.seq for event in events] == list(range(len(events))) and {e.run_id for e in events} == {child}


def test_the_inherited_steps_are_what_the_parent_did_without_how_it_was_streamed(settings: Settings):
    """Each node once, each call with its answer, no pieces."""
    with scripted_engine(settings, [*STEPS, *OTHER[1:]]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        child = engine.fork(parent, end_of(engine, parent, "think", 2), request_of(engine, parent))
        at_rest(engine, child)
        events = engine.store.events(child)
    started = next(event for event in events if isinstance(event, RunStarted))
    taken = events[1 : 1 + started.inherited]
    assert [event.kind for event in taken] == [
        "node_started", "model_called", "model_answered", "card", "decision", "node_finished"
    ] * 2  # fmt: skip
    assert len({event.at for event in taken}) == 1


def test_a_fork_takes_the_same_calls_as_its_parent_when_nothing_is_changed(settings: Settings):
    """Its prompt is the parent's, to the letter."""
    with scripted_engine(settings, [*DRAFTS, *DRAFTS[2:]]) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        child = engine.fork(parent, end_of(engine, parent, "critique"), request_of(engine, parent))
        at_rest(engine, child)
        ours, theirs = engine.store.events(child), engine.store.events(parent)
    assert [told(ours, number) for number in range(4)] == [told(theirs, number) for number in range(4)]


def test_the_state_can_be_seen_and_edited(settings: Settings):
    """The critique is replaced; every later step sees the new one, and the log says what was changed."""
    with scripted_engine(settings, [*DRAFTS, *DRAFTS[2:]]) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        at = end_of(engine, parent, "critique")
        point = engine.fork_point(parent, at)
        assert (point.at, point.step, point.done, point.due) == (at, 2, ("critique",), ("generate",))
        assert point.state["answer"] == "A first draft." and point.state["rounds"] == 1
        messages = [*point.state["messages"][:-1], {"role": "user", "content": "Write it for a child."}]
        child = engine.fork(parent, at, request_of(engine, parent), {"messages": messages, "rounds": 0})
        view = at_rest(engine, child)
        events = engine.store.events(child)
    assert view.status == "answered" and view.started is not None
    assert told(events, 2)[-1] == "Write it for a child."
    assert told(events, 3)[-2] == "Write it for a child."
    assert view.started.edited["rounds"] == 0


def test_a_fork_from_the_beginning_begins_anew_with_the_edited_state(settings: Settings):
    """Nothing is inherited, and the edited beginning survives being cut off."""
    with scripted_engine(settings, [*DRAFTS, DRAFTS[2], DRAFTS[3]]) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        point = engine.fork_point(parent, 0)
        assert (point.step, point.due, point.state["rounds"]) == (0, ("generate",), 0)
        child = engine.fork(parent, 0, request_of(engine, parent), {"rounds": 2})
        view = at_rest(engine, child)
    assert view.status == "answered" and view.started is not None and view.started.inherited == 0
    assert [decision.reason for decision in view.decisions] == ["round 3", "accept"]


def test_a_fork_may_have_another_model_other_options_and_other_settings(settings: Settings):
    """They hold from the fork on; the parent keeps its own."""
    with scripted_engine(settings, [*DRAFTS, "Other draft."]) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        changed = request_of(engine, parent).model_copy(
            update={"options": {"rounds": 1}, "settings": ModelSettings(temperature=0.1, seed=1)}
        )
        child = engine.fork(parent, end_of(engine, parent, "critique"), changed)
        view = at_rest(engine, child)
    assert view.finished is not None and view.finished.answer == "Other draft."
    assert view.calls[2].called.parameters["temperature"] == 0.1
    assert view.decisions[-1].reason == "round 1 was the last"


def test_another_prompt_holds_for_what_was_said_before_the_fork_too(settings: Settings):
    """The system message that the run began with is the new one, in the middle of the conversation."""
    with scripted_engine(settings, [*STEPS, *OTHER]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        old = request_of(engine, parent)
        child = engine.fork(
            parent, end_of(engine, parent, "think"), old.model_copy(update={"prompts": {"system": "Think in verse."}})
        )
        view = at_rest(engine, child)
        events, before = engine.store.events(child), engine.store.events(parent)
    assert view.started is not None and view.status == "answered"
    assert told(events, 0) == told(before, 0)
    assert told(events, 1)[0] == "Think in verse." and told(events, 1)[1:] == told(before, 1)[1:]
    begun = next(event for event in before if isinstance(event, RunStarted))
    assert {role for role in begun.prompts if begun.prompts[role] != view.started.prompts[role]} == {"system"}


@pytest.mark.parametrize("step", [0, 1])
def test_an_edited_conversation_begins_with_the_forks_prompt_too(settings: Settings, step: int):
    """The edit is of the last message; the system message is the new one."""
    with scripted_engine(settings, [*STEPS, *(STEPS if step == 0 else OTHER)]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        at = end_of(engine, parent, "think") if step else 0
        messages = engine.fork_point(parent, at).state["messages"]
        changed = request_of(engine, parent).model_copy(update={"prompts": {"system": "Think in verse."}})
        edited = [*messages[:-1], {"role": "assistant", "content": "EDITED"}]
        child = engine.fork(parent, at, changed, {"messages": edited})
        assert at_rest(engine, child).status == "answered"
        said = told(engine.store.events(child), step)
    assert said[0] == "Think in verse." and said[-1] == "EDITED" and len(said) == len(messages)


def test_a_fork_of_a_beginning_that_was_edited_begins_as_it_is_shown(settings: Settings):
    """What a fork in the middle was edited to is not at its beginning."""
    with scripted_engine(settings, [*DRAFTS, *DRAFTS, *DRAFTS, *DRAFTS[2:]]) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        asked = request_of(engine, parent)
        child = engine.fork(parent, 0, asked, {"messages": [{"role": "user", "content": "EDITED"}]})
        at_rest(engine, child)
        assert engine.fork_point(child, 0).state["messages"] == [{"role": "user", "content": "EDITED"}]
        grandchild = engine.fork(child, 0, asked)
        at_rest(engine, grandchild)
        assert told(engine.store.events(grandchild), 0)[-1] == "EDITED"
        later = engine.fork(parent, end_of(engine, parent, "critique"), asked, {"rounds": 0, "previous": "x"})
        at_rest(engine, later)
        assert engine.fork_point(later, 0).state["previous"] == ""


def test_a_run_whose_checkpoints_are_gone_cannot_be_resumed_and_says_so(settings: Settings):
    """Beginning anew in the same log would pay for everything twice."""
    broken = {"text": "", "error": "authentication_failed"}
    with scripted_engine(settings, [DRAFTS[0], broken]) as engine:
        run_id = engine.submit(request("reflection"))
        assert at_rest(engine, run_id).status == "failed"
        forget(settings.home, run_id)
        assert not engine.can_resume(run_id)
        with pytest.raises(StoreError, match="not kept any more"):
            engine.resume(run_id)


def test_a_fork_does_not_inherit_what_was_said_of_its_parent(settings: Settings):
    """Here, that the prompts had changed since that began."""
    kinds = [
        Warned(run_id="a", seq=n, at=0, code=code, message="x") for n, code in enumerate(("model_changed", "other"))
    ]
    assert [event.code for event in inherited(kinds, 9) if isinstance(event, Warned)] == ["other"]


def test_a_run_in_progress_can_be_forked(settings: Settings):
    """The parent goes on undisturbed, in the middle of its second step."""
    words = " ".join(f"word{number}" for number in range(60))
    answers = {7: [STEPS[0], step("Slow", words), *STEPS[2:]], 8: [*OTHER]}

    def told(asked: ChatRequest) -> ScriptedAnswer:
        return ScriptedAnswer(text=answers[asked.seed or 0].pop(0))

    engine = Engine(settings, {"scripted": ScriptedBackend(told, speed=60)})
    try:
        parent = engine.submit(request("stepwise"))
        events: list[AnyEvent] = []
        for batch in engine.follow(parent):
            events += batch
            if any(isinstance(event, NodeFinished) for event in events):
                break
        child = engine.fork(parent, events[-1].seq, request("stepwise", seed=8))
        assert engine.is_live(parent)
        both = [at_rest(engine, child), at_rest(engine, parent)]
    finally:
        engine.close()
    assert [view.finished.answer for view in both if view.finished] == ["Five.", "Four."]
    assert [call.card.title for call in both[0].calls if call.card][:2] == ["Step 1: Read", "Step 2: Weigh"]


def test_a_fork_can_itself_be_forked_at_what_it_inherited(settings: Settings):
    """The state is on the grandparent's thread."""
    with scripted_engine(settings, [*STEPS, *OTHER[1:], *OTHER]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        old = request_of(engine, parent)
        child = engine.fork(parent, end_of(engine, parent, "think", 2), old)
        at_rest(engine, child)
        grandchild = engine.fork(child, end_of(engine, child, "think", 1), old)
        view = at_rest(engine, grandchild)
        family = engine.store.family(parent)
    assert view.finished is not None and view.finished.answer == "Five." and view.totals.calls == 3
    assert [(row.id, row.parent) for row in family] == [(parent, ""), (child, parent), (grandchild, child)]


def test_a_fork_survives_its_parent(settings: Settings):
    """Its own steps can be forked and resumed; what was its parent's alone is gone, and that is said."""
    with scripted_engine(settings, [*STEPS, *OTHER[1:], OTHER[2]]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        old = request_of(engine, parent)
        child = engine.fork(parent, end_of(engine, parent, "think", 2), old)
        at_rest(engine, child)
        engine.delete(parent)
        again = engine.fork(child, end_of(engine, child, "think", 3), old)
        assert at_rest(engine, again).status == "answered"
        with pytest.raises(StoreError, match="not kept any more"):
            engine.fork(child, end_of(engine, child, "think", 1), old)


def test_a_fork_that_is_cut_off_goes_on_from_its_own_last_step(settings: Settings):
    """The parent's step limit does not count the inherited steps either."""
    broken = {"text": "", "error": "authentication_failed"}
    with scripted_engine(settings, [*STEPS, OTHER[0], broken, *OTHER[1:]]) as engine:
        parent = engine.submit(request("stepwise"))
        at_rest(engine, parent)
        changed = request_of(engine, parent).model_copy(update={"limits": Limits(steps=3)})
        child = engine.fork(parent, end_of(engine, parent, "think"), changed)
        assert at_rest(engine, child).status == "failed"
        engine.resume(child)
        view = at_rest(engine, child)
    assert view.finished is not None and view.finished.answer == "Five." and view.totals.calls == 4


def test_what_was_said_to_a_waiting_parent_stays_with_it(settings: Settings):
    """The fork inherits what came of it, not the waiting; attempts that came to nothing stay behind too."""
    broken = {"text": "", "error": "authentication_failed"}
    with scripted_engine(settings, [DRAFTS[0], broken, *DRAFTS[1:], *DRAFTS[2:]]) as engine:
        parent = engine.submit(request("reflection").model_copy(update={"pause_before": ("critique",)}))
        at_rest(engine, parent)
        engine.resume(parent, reply=Reply(verb="approve"))
        assert at_rest(engine, parent).status == "failed"
        engine.resume(parent)
        at_rest(engine, parent)
        engine.resume(parent, reply=Reply(verb="approve"))
        at_rest(engine, parent)
        free = request_of(engine, parent).model_copy(update={"pause_before": ()})
        child = engine.fork(parent, end_of(engine, parent, "critique"), free)
        view = at_rest(engine, child)
        events = engine.store.events(child)
    assert view.status == "answered" and not any(isinstance(event, Paused | Resumed) for event in events)
    assert [event.attempt for event in events if isinstance(event, NodeStarted)] == [1, 1, 1, 1]
    calls = [event.call_id for event in events if isinstance(event, ModelCalled)]
    assert len(set(calls)) == len(calls) == 4 == sum(isinstance(event, ModelAnswered) for event in events)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"mood": 1}, "has no 'mood'"),
        ({"rounds": "many"}, "rounds cannot be used: Input should be a valid integer"),
        ({"messages": "Hello"}, "a list of messages"),
        ({"messages": [{"role": "alien", "content": "x"}]}, "Unexpected message type"),
    ],
)
def test_an_edit_that_does_not_fit_the_state_is_refused(settings: Settings, state: dict[str, Any], says: str):
    """It names the key, and no run is begun."""
    with scripted_engine(settings, DRAFTS) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        with pytest.raises(InvalidRequest, match=says):
            engine.fork(parent, end_of(engine, parent, "critique"), request_of(engine, parent), state)
        assert engine.store.count() == 1


def test_what_is_no_fork_is_refused(settings: Settings):
    """The end of a run, another question, another machine, a prompt that cannot be filled."""
    with scripted_engine(settings, DRAFTS) as engine:
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        old, at = request_of(engine, parent), end_of(engine, parent, "critique")
        with pytest.raises(InvalidRequest, match="no step is due"):
            engine.fork(parent, 10_000, old)
        with pytest.raises(InvalidRequest, match="machine and question"):
            engine.fork(parent, at, old.model_copy(update={"question": "Another?"}))
        with pytest.raises(PromptError, match="is not a variable of this role"):
            engine.fork(parent, at, old.model_copy(update={"prompts": {"revise": "$nothing"}}))
        with pytest.raises(PromptError, match="no prompt for the role 'poet'"):
            engine.fork(parent, at, old.model_copy(update={"prompts": {"poet": "x"}}))
        assert engine.store.count() == 1


def test_a_state_is_rebased_only_where_it_still_begins_as_it_did():
    """A list that was edited at its beginning, and a count that has moved on, stay."""
    before, after = {"log": ["a", "b"], "steps": 0, "mode": "x"}, {"log": ["A"], "steps": 0, "mode": "y"}
    assert rebased({"log": ["a", "b", "c"], "steps": 3, "mode": "x"}, before, after) == {"log": ["A", "c"], "mode": "y"}
    assert rebased({"log": ["a", "z", "c"], "mode": "w"}, before, after) == {}


def test_a_tool_message_needs_its_call(settings: Settings):
    """The sentence says what is missing."""
    from agents import catalogue

    with pytest.raises(InvalidRequest, match="lacks its tool_call_id"):
        read_state(catalogue.load("react"), {"messages": [{"role": "tool", "content": "4"}]})
    assert read_state(catalogue.load("react"), {"done": ["x"], "action": {"name": "finish"}})["done"] == ["x"]
