"""A run that waits for the person: what they see, what becomes of each reply, and that nothing is lost meanwhile."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from tests.runs import action, at_rest, request, scripted_engine, step, verdict
from workbench.engine import Engine
from workbench.errors import InvalidRequest
from workbench.events import ModelCalled, NodeFinished, Paused, Resumed, RunFinished, RunView, ToolCalled, ToolView
from workbench.request import Reply, RunRequest
from workbench.settings import Settings
from workbench.tools import registry

DRAFTS = ["A first draft.", verdict("revise", 4, "Too short."), "A second draft.", verdict("accept", 9)]
PENS = [action("calculator", "48*1.35"), action("finish", "64.80")]


def waiting(machine: str, *nodes: str, tools: tuple[str, ...] = ()) -> RunRequest:
    """A request that waits before some nodes or tools."""
    return request(machine).model_copy(update={"pause_before": nodes, "approve_tools": tools})


def reply(engine: Engine, run_id: str, verb: Any, text: str = "", arguments: dict[str, Any] | None = None) -> RunView:
    """Say something to the run and see where it comes to rest."""
    engine.resume(run_id, reply=Reply(verb=verb, text=text, arguments=arguments))
    return at_rest(engine, run_id)


def sent(view: RunView, number: int) -> list[str]:
    """The contents of the messages of a call."""
    return [message["content"] for message in view.calls[number].called.messages]


def test_a_run_waits_before_a_chosen_node_and_shows_what_the_model_is_about_to_see(settings: Settings):
    """Nothing is asked, nothing runs, and the list says that it is paused."""
    with scripted_engine(settings, DRAFTS) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        view = at_rest(engine, run_id)
        assert engine.store.run(run_id).status == "paused"
        assert not engine.active() and not engine.can_resume(run_id)
    assert view.status == "paused" and view.paused is not None and len(view.calls) == 1
    assert (view.paused.node, view.paused.step, view.paused.role) == ("critique", 2, "critic")
    assert view.paused.messages[-1] == {"role": "user", "content": "A first draft."}
    assert "verdict" in (view.paused.answer_schema or {})["properties"]


def test_an_approved_step_is_done_as_it_was_and_the_next_one_waits_again(settings: Settings):
    """Twice the critic, twice a question, then the answer."""
    with scripted_engine(settings, DRAFTS) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        assert reply(engine, run_id, "approve").status == "paused"
        view = reply(engine, run_id, "approve")
        events = engine.store.events(run_id)
    assert view.status == "answered" and view.finished is not None and view.finished.answer == "A second draft."
    assert sum(isinstance(event, Paused) for event in events) == 2 and view.totals.calls == 4
    assert [event.seq for event in events] == list(range(len(events)))


def test_waiting_survives_a_restart_and_its_time_does_not_count(settings: Settings):
    """The app ends while the run waits; in the next one it is answered, and its clock stood still."""
    with scripted_engine(settings, DRAFTS[:1]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        before = at_rest(engine, run_id)
    time.sleep(1.1)
    with scripted_engine(settings, DRAFTS[3:]) as engine:
        assert engine.store.run(run_id).status == "paused"
        view = reply(engine, run_id, "approve")
    assert view.status == "answered"
    assert view.last_at - before.last_at < 1.0


def test_an_edited_message_is_sent_and_stays_edited_for_every_later_step(settings: Settings):
    """The critique is changed before the generator sees it: the second critique is of the changed conversation."""
    with scripted_engine(settings, DRAFTS) as engine:
        run_id = engine.submit(waiting("reflection", "generate"))
        at_rest(engine, run_id)
        reply(engine, run_id, "approve")
        view = reply(engine, run_id, "edit", "Write it for a child.")
    assert view.status == "answered"
    assert sent(view, 2)[-1] == "Write it for a child."
    assert sent(view, 3)[-2] == "Write it for a child."


def test_an_edited_draft_is_the_answer_if_the_critic_accepts_it(settings: Settings):
    """The text is edited wherever the state holds it, the answer too."""
    with scripted_engine(settings, [DRAFTS[0], DRAFTS[3]]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        view = reply(engine, run_id, "edit", "A better draft.")
    assert sent(view, 1)[-1] == "A better draft."
    assert view.finished is not None and view.finished.answer == "A better draft."


def test_an_answer_in_the_models_place_goes_on_as_if_the_model_had_given_it(settings: Settings):
    """The critic's verdict by the person: no model is asked for it, and it costs nothing."""
    with scripted_engine(settings, [DRAFTS[0], DRAFTS[2]]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        reply(engine, run_id, "answer", verdict("revise", 3, "Say why."))
        view = reply(engine, run_id, "answer", verdict("accept", 10))
        row = engine.store.run(run_id)
    assert view.status == "answered" and "Say why." in sent(view, 2)[-1]
    assert [call.called.by_person for call in view.calls] == [False, True, False, True]
    assert view.totals.calls == row.calls == 2
    assert view.calls[1].card is not None and view.calls[1].card.title == "Revise · 3/10"


def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason(settings: Settings):
    """What the person wrote is kept as a draft."""
    with scripted_engine(settings, DRAFTS[:1]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        view = reply(engine, run_id, "answer", '{"score": 11, "issues": [], "verdict": "accept"}')
        assert view.status == "paused" and view.paused is not None
        assert "does not fit: score" in view.paused.reason and '"score": 11' in view.paused.draft
        view = reply(engine, run_id, "answer", verdict("accept", 10))
    assert view.status == "answered"


def test_a_rejection_is_a_word_to_the_model(settings: Settings):
    """It is asked all the same, with the word as the last message of this one call."""
    with scripted_engine(settings, [DRAFTS[0], DRAFTS[3]]) as engine:
        run_id = engine.submit(waiting("reflection", "generate"))
        at_rest(engine, run_id)
        view = reply(engine, run_id, "reject", "No essay. A poem.")
    assert view.status == "answered"
    assert view.calls[0].called.messages[-1] == {"role": "user", "content": "No essay. A poem."}


def test_a_tool_call_can_be_approved_changed_answered_and_rejected(settings: Settings):
    """Each with what the model then reads."""
    cases: list[tuple[str, str, dict[str, Any] | None, Callable[[str], bool]]] = [
        ("approve", "", None, lambda seen: "64.8" in seen),
        ("edit", "", {"expression": "2*3"}, lambda seen: '{"expression": "2*3"}' in seen and "6" in seen),
        ("answer", "exactly 64", None, lambda seen: "exactly 64" in seen),
        ("reject", "do it in your head", None, lambda seen: "did not allow this call: do it in your head" in seen),
    ]
    for verb, text, arguments, is_right in cases:
        with scripted_engine(settings, PENS) as engine:
            run_id = engine.submit(waiting("react", "act"))
            view = at_rest(engine, run_id)
            assert view.paused is not None
            assert (view.paused.tool, view.paused.arguments) == ("calculator", {"expression": "48*1.35"})
            view = reply(engine, run_id, verb, text, arguments)
        assert view.status == "answered" and is_right(sent(view, 1)[-1]), verb
        assert view.totals.tool_calls == (1 if verb in ("approve", "edit") else 0)


def test_a_tool_that_a_person_wants_to_be_asked_about_waits_and_others_do_not(settings: Settings):
    """The clock is called at once."""
    answers = [action("clock", "now"), *PENS]
    with scripted_engine(settings, answers) as engine:
        view = at_rest(engine, engine.submit(waiting("react", tools=("calculator",))))
    tools = [entry for entry in view.entries if isinstance(entry, ToolView)]
    assert view.paused is not None and view.paused.tool == "calculator"
    assert [tool.called.name for tool in tools] == ["clock"] and tools[0].answered is not None


class Arguments(BaseModel):
    """What the letter says."""

    text: str


class Post:
    """A tool that does something in the world."""

    name: ClassVar[str] = "clock"
    description: ClassVar[str] = "sends a letter"
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = True
    needs_approval: ClassVar[bool] = False

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fails = True

    async def run(self, arguments: Any) -> str:
        """Send it; the first time the app is gone before it could say so."""
        self.sent.append(arguments.text)
        if self.fails:
            raise SystemError("gone")
        return "sent"


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """The tool in the clock's place."""
    tool, create = Post(), registry.create
    monkeypatch.setattr(registry, "create", lambda name, settings: tool if name == "clock" else create(name, settings))
    return tool


def test_a_tool_marked_as_needing_approval_waits_by_itself(settings: Settings, post: Post, monkeypatch):
    """Without a node chosen."""
    monkeypatch.setattr(Post, "needs_approval", True)
    post.fails = False
    with scripted_engine(settings, [action("clock", "hello"), action("finish", "done")]) as engine:
        run_id = engine.submit(request("react"))
        view = at_rest(engine, run_id)
        assert view.paused is not None and view.paused.reason == "This tool needs your approval." and not post.sent
        view = reply(engine, run_id, "approve")
    assert view.status == "answered" and post.sent == ["hello"]


@pytest.mark.parametrize(("verb", "text", "letters"), [("approve", "", 2), ("answer", "it arrived", 1)])
def test_a_tool_with_side_effects_is_never_called_twice_without_asking(
    settings: Settings, post: Post, verb: str, text: str, letters: int, caplog: pytest.LogCaptureFixture
):
    """It was cut off in the middle: nobody knows whether the letter went."""
    with scripted_engine(settings, [action("clock", "hello"), action("finish", "done")]) as engine:
        run_id = engine.submit(request("react"))
        assert at_rest(engine, run_id).status == "failed"
        post.fails = False
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        assert view.status == "paused" and view.paused is not None and post.sent == ["hello"]
        assert "not known whether that had its effect" in view.paused.reason
        view = reply(engine, run_id, verb, text)
    assert view.status == "answered" and len(post.sent) == letters
    caplog.clear()


def test_a_pause_cuts_nothing_off_that_runs_beside_it(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A node that asks three times at once: each call waits for the person, none is made twice."""

    async def ask_thrice(state: Any, runtime: Any) -> dict[str, Any]:
        asked = (runtime.context.ask("generator", [HumanMessage(f"q{number}")]) for number in range(3))
        answers = await asyncio.gather(*asked)
        return {"messages": [AIMessage(answers[0].text)], "answer": " ".join(answer.text for answer in answers)}

    monkeypatch.setattr("agents.reflection.generate", ask_thrice)
    words = [f"answer {number} in a few more words" for number in range(3)]
    with scripted_engine(settings, [*words, verdict("accept", 9)], speed=40) as engine:
        run_id = engine.submit(waiting("reflection", "generate"))
        seen = []
        while (view := at_rest(engine, run_id)).paused is not None:
            seen.append(view.paused.messages[-1]["content"])
            engine.resume(run_id, reply=Reply(verb="approve"))
    assert seen == ["q0", "q1", "q2"]
    assert view.status == "answered" and view.totals.calls == 4
    assert view.finished is not None and view.finished.answer == " ".join(words)


def test_a_call_with_side_effects_is_on_the_disk_before_it_is_made(settings: Settings, post: Post, monkeypatch):
    """Else nobody would know of it when the power fails in its middle."""
    seen: list[str] = []

    async def run(tool: Post, arguments: Any) -> str:
        (row,) = engine.store.runs()
        seen.extend(event.kind for event in engine.store.events(row.id))
        return "sent"

    monkeypatch.setattr(Post, "run", run)
    with scripted_engine(settings, [action("clock", "hello"), action("finish", "done")]) as engine:
        assert at_rest(engine, engine.submit(request("react"))).status == "answered"
    assert seen[-1] == "tool_called"


def test_edited_arguments_stay_edited_when_their_call_is_cut_off(settings: Settings, post: Post, caplog):
    """The question after it shows them, and approving calls with them."""
    with scripted_engine(settings, [action("clock", "hello"), action("finish", "done")]) as engine:
        run_id = engine.submit(waiting("react", "act"))
        at_rest(engine, run_id)
        assert reply(engine, run_id, "edit", arguments={"text": "EDITED"}).status == "failed"
        post.fails = False
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        assert view.paused is not None and view.paused.arguments == {"text": "EDITED"}
        view = reply(engine, run_id, "approve")
    assert view.status == "answered" and post.sent == ["EDITED", "EDITED"]
    caplog.clear()


def test_a_reply_to_a_question_that_was_answered_meanwhile_is_refused(settings: Settings):
    """Two tabs: what was written for the first question must not answer the second."""
    with scripted_engine(settings, DRAFTS) as engine:
        run_id = engine.submit(waiting("reflection", "generate", "critique"))
        first = at_rest(engine, run_id).paused
        assert first is not None
        assert reply(engine, run_id, "approve").status == "paused"
        with pytest.raises(InvalidRequest, match="waits for something else by now"):
            engine.resume(run_id, reply=Reply(verb="approve", to=first.seq))
        assert engine.store.run(run_id).status == "paused"


def test_an_edit_is_made_once_though_the_step_fails_after_it(settings: Settings):
    """The critique before it says the same, and stays as it was."""
    same, broken = verdict("revise", 4, "Too short."), {"text": "", "error": "authentication_failed"}
    answers = [DRAFTS[0], same, DRAFTS[2], same, broken, "A third draft.", verdict("accept", 9)]
    with scripted_engine(settings, answers) as engine:
        run_id = engine.submit(waiting("reflection", "generate"))
        at_rest(engine, run_id)
        reply(engine, run_id, "approve")
        reply(engine, run_id, "approve")
        assert reply(engine, run_id, "edit", "Rhyme.").status == "failed"
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    assert view.status == "answered"
    contents = sent(view, -1)
    assert contents.count("Rhyme.") == 1 and sum("Too short." in text for text in contents) == 1


def test_a_reply_is_not_asked_for_again_when_the_step_fails_after_it(settings: Settings):
    """The model's server fails after the approval; going on needs no second one."""
    broken = {"text": "", "error": "authentication_failed"}
    with scripted_engine(settings, [DRAFTS[0], broken, DRAFTS[3]]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        assert reply(engine, run_id, "approve").status == "failed"
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        events = engine.store.events(run_id)
    assert view.status == "answered" and sum(isinstance(event, Paused) for event in events) == 1


def test_a_paused_run_can_be_stopped_and_asks_again_when_it_is_resumed(settings: Settings):
    """Stopping it costs nothing and loses nothing."""
    with scripted_engine(settings, [DRAFTS[0], DRAFTS[3]]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        engine.stop(run_id)
        assert engine.store.run(run_id).status == "stopped" and engine.can_resume(run_id)
        engine.resume(run_id)
        assert at_rest(engine, run_id).status == "paused"
        assert reply(engine, run_id, "approve").status == "answered"


def test_a_run_that_waits_is_stopped_once(settings: Settings):
    """Also when its reply was lost with the app, and when Stop is pressed in several tabs."""
    with scripted_engine(settings, DRAFTS[:1]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        engine.store.claim(run_id)
        engine.store.release([run_id])
        for _ in range(3):
            engine.stop(run_id)
        ends = [event for event in engine.store.events(run_id) if isinstance(event, RunFinished)]
    assert [end.status for end in ends] == ["stopped"]


def test_a_reply_that_was_lost_with_the_app_is_asked_for_again(settings: Settings):
    """The app was killed after it had taken the run, and before the reply was on the disk."""
    with scripted_engine(settings, DRAFTS[:1]) as engine:
        run_id = engine.submit(waiting("reflection", "critique"))
        at_rest(engine, run_id)
        engine.store.claim(run_id)
        engine.store.release([run_id])
    with scripted_engine(settings, DRAFTS[3:]) as engine:
        assert engine.store.run(run_id).status == "interrupted" and engine.can_resume(run_id)
        engine.resume(run_id)
        assert at_rest(engine, run_id).status == "paused"
        engine.store.claim(run_id)
        engine.store.release([run_id])
        assert reply(engine, run_id, "approve").status == "answered"


def test_what_is_no_reply_to_the_question_is_refused_and_the_run_still_waits(settings: Settings):
    """Each with its own sentence."""
    with scripted_engine(settings, PENS) as engine:
        run_id = engine.submit(waiting("react", "act"))
        at_rest(engine, run_id)
        with pytest.raises(InvalidRequest, match="waits for you"):
            engine.resume(run_id)
        with pytest.raises(InvalidRequest, match="arguments can be edited"):
            engine.resume(run_id, reply=Reply(verb="edit", text="2*3"))
        assert engine.store.run(run_id).status == "paused"
        reply(engine, run_id, "approve")
        with pytest.raises(InvalidRequest, match="does not wait for you"):
            engine.resume(run_id, reply=Reply(verb="approve"))
        with pytest.raises(InvalidRequest, match="no node 'dream' to pause before"):
            engine.submit(waiting("react", "dream"))


@pytest.mark.parametrize("said", [{"verb": "answer"}, {"verb": "reject", "text": " "}, {"verb": "edit", "text": ""}])
def test_an_empty_reply_is_refused(said: dict[str, str]):
    """Before it reaches the run."""
    with pytest.raises(ValueError):
        Reply.model_validate(said)


def test_every_call_of_a_step_that_asks_several_times_waits_once(settings: Settings):
    """A retry after an invalid answer is no new question."""
    answers = ["no JSON", step("Read", "one"), step("Count", "two"), step("Check", "three", "final_answer"), "Four."]
    with scripted_engine(settings, answers) as engine:
        run_id = engine.submit(waiting("stepwise", "think"))
        view = at_rest(engine, run_id)
        for _ in range(3):
            assert view.status == "paused"
            view = reply(engine, run_id, "approve")
        events = engine.store.events(run_id)
    assert view.status == "answered" and view.totals.calls == 5
    visits = [(event.node, event.step) for event in events if isinstance(event, NodeFinished)]
    assert visits == [("think", 1), ("think", 2), ("think", 3), ("conclude", 4)]
    assert [event.verb for event in events if isinstance(event, Resumed)] == ["approve"] * 3
    assert sum(isinstance(event, ModelCalled) for event in events) == 5
    assert sum(isinstance(event, RunFinished) for event in events) == 1
    assert not any(isinstance(event, ToolCalled) for event in events)
    assert json.loads(view.calls[1].text)["title"] == "Read"
