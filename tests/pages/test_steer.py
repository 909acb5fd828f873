"""Steering a run from the bench: the pauses that are chosen, the form of a run that waits, and what is said to it."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import DRAFTS, ask, html, open_app
from workbench.engine import Engine
from workbench.events import AnyEvent, ModelAnswered, ModelCalled, Paused, Resumed, ToolAnswered, ToolCalled
from workbench.ui import session

App = Callable[..., AppTest]
Shared = Callable[[], Engine]
ACTIONS: list[Any] = [
    {"object": {"thought": "Multiply.", "action": "calculator", "input": "48 * 2"}},
    {"object": {"thought": "Done.", "action": "finish", "input": "It is enough."}},
]


def paused_critic(app: App, answers: list[Any] = DRAFTS) -> AppTest:
    """A run of the reflection machine that waits before its critic."""
    at = app(answers)
    at.button_group(key="machine").set_value("reflection").run()
    at.button_group(key="option-reflection-pause_before").set_value(["critique"]).run()
    return ask(at, "Write about the sea.")


def paused_tool(app: App) -> AppTest:
    """A run of the ReAct machine that waits before it calls the calculator."""
    at = app(ACTIONS)
    at.button_group(key="machine").set_value("react").run()
    at.button_group(key="option-react-approve_tools").set_value(["calculator"]).run()
    return ask(at, "How much?")


def choose(at: AppTest, verb: str) -> AppTest:
    """Turn the form to what is to be said."""
    return at.button_group(key=pause_key(at, "verb")).set_value(verb).run()


def send(at: AppTest) -> AppTest:
    """Press the form's primary button; AppTest returns when the run is over or waits again."""
    return at.button(key="pause-reply").click().run()


def pause_key(at: AppTest, name: str) -> str:
    """The key of a field of the form; every pause has its own."""
    return f"pause-{at.query_params['run']}-{pauses(at)[-1].seq}-{name}"


def events(at: AppTest) -> list[AnyEvent]:
    """The log of the run on the bench."""
    return session.engine().store.events(at.query_params["run"])


def pauses(at: AppTest) -> list[Paused]:
    """Where the run has waited."""
    return [event for event in events(at) if isinstance(event, Paused)]


def of_kind(at: AppTest, kind: type[Any]) -> list[Any]:
    """The log's events of one kind."""
    return [event for event in events(at) if isinstance(event, kind)]


def test_the_nodes_chosen_to_pause_before_are_a_chip_and_in_the_request(app: App):
    at = paused_critic(app)
    assert any("`pause before: critique`" in expander.label for expander in at.expander)
    assert events(at)[0].request["pause_before"] == ["critique"]
    assert not at.exception


def test_an_opened_run_brings_its_pauses_into_the_form(app: App):
    at = paused_critic(app)
    other = open_app(run=at.query_params["run"])
    assert other.button_group(key="option-reflection-pause_before").value == ["critique"]
    assert not other.exception


def test_a_tool_that_is_not_offered_any_more_is_not_asked_about(app: App):
    at = app(ACTIONS)
    at.button_group(key="machine").set_value("react").run()
    at.button_group(key="option-react-approve_tools").set_value(["calculator", "clock"]).run()
    at.button_group(key="option-react-tools").set_value(["calculator"]).run()
    assert at.button_group(key="option-react-approve_tools").options == ["calculator"]
    assert at.button_group(key="option-react-approve_tools").value == ["calculator"]
    assert not at.exception


def test_a_run_that_waits_says_for_what_and_stop_stands_where_run_was(app: App):
    at = paused_critic(app)
    assert "The critic is about to be asked" in html(at)
    assert [button.label for button in at.button if str(button.key).startswith("stop-button")] == ["Stop"]
    assert at.button(key="pause-reply").label == "Approve"
    assert "run-button" not in [button.key for button in at.button]
    assert not at.exception


def test_an_approved_step_is_done_as_it_was_going_to_be(app: App):
    at = send(paused_critic(app))
    assert len(pauses(at)) == 2
    at = send(at)
    assert "A better draft about the sea." in html(at)
    assert "pause-reply" not in [button.key for button in at.button]
    assert [resumed.verb for resumed in of_kind(at, Resumed)] == ["approve", "approve"]
    assert not at.exception


def test_an_edited_message_is_what_the_model_gets(app: App):
    at = choose(paused_critic(app), "edit")
    field = at.text_area(key=pause_key(at, "edit"))
    assert field.value == "A draft about the sea."
    field.set_value("A draft about the mountains.")
    at = send(at)
    critic = next(call for call in of_kind(at, ModelCalled) if call.role == "critic")
    assert critic.messages[-1]["content"] == "A draft about the mountains."
    assert not at.exception


def test_an_answer_in_its_place_is_given_in_a_form_made_of_the_schema(app: App):
    at = choose(paused_critic(app), "answer")
    at.text_area(key=pause_key(at, "property-issues")).set_value("no salt\nno gulls\n")
    at.number_input(key=pause_key(at, "property-score")).set_value(9)
    at.button_group(key=pause_key(at, "property-verdict")).set_value("accept")
    at = send(at)
    call = next(call for call in of_kind(at, ModelCalled) if call.by_person)
    given = next(answer for answer in of_kind(at, ModelAnswered) if answer.call_id == call.call_id)
    assert given.parsed == {"issues": ["no salt", "no gulls"], "score": 9, "verdict": "accept"}
    assert "wb-answered" in html(at)
    assert not at.exception


def test_an_answer_that_does_not_fit_says_why_and_is_kept(app: App):
    at = choose(paused_critic(app), "answer")
    at.text_area(key=pause_key(at, "property-issues")).set_value("no salt")
    at.button_group(key=pause_key(at, "property-verdict")).set_value("revise")
    at = send(at)
    assert "Your answer does not fit" in html(at) and "score" in html(at)
    assert at.button_group(key=pause_key(at, "verb")).value == "answer"
    assert at.text_area(key=pause_key(at, "property-issues")).value == "no salt"
    at.number_input(key=pause_key(at, "property-score")).set_value(3)
    at = send(at)
    assert "Revise · 3/10" in html(at)
    assert not at.exception


@pytest.mark.parametrize(
    ("waiting", "verb", "sentence"),
    [
        (paused_tool, "answer", "Your answer is empty"),
        (paused_critic, "reject", "Say in a word why"),
        (paused_critic, "edit", "Nothing is left"),
    ],
)
def test_a_reply_without_words_says_what_is_missing_and_the_run_waits_on(
    app: App, waiting: Callable[[App], AppTest], verb: str, sentence: str
):
    at = choose(waiting(app), verb)
    if verb == "edit":
        at.text_area(key=pause_key(at, "edit")).set_value(" ")
    at = send(at)
    assert sentence in at.error[0].value
    assert len(pauses(at)) == 1 and not of_kind(at, Resumed)
    at = choose(at, "approve")
    assert not at.error
    assert not at.exception


def test_a_rejected_step_is_asked_again_with_the_word(app: App):
    at = choose(paused_critic(app), "reject")
    at.text_area(key=pause_key(at, "reject")).set_value("Be kinder.")
    at = send(at)
    critic = next(call for call in of_kind(at, ModelCalled) if call.role == "critic")
    assert critic.messages[-1] == {"role": "user", "content": "Be kinder."}
    assert not at.exception


def test_a_tools_arguments_are_edited_one_by_one(app: App):
    at = choose(paused_tool(app), "edit")
    assert "The tool calculator is about to be called" in html(at)
    field = at.text_area(key=pause_key(at, "argument-expression"))
    assert field.value == "48 * 2"
    field.set_value("50 * 2")
    at = send(at)
    assert of_kind(at, ToolCalled)[0].arguments == {"expression": "50 * 2"}
    assert of_kind(at, ToolAnswered)[0].result == "100"
    assert "It is enough." in html(at)
    assert not at.exception


def test_what_came_of_a_tool_is_said_in_its_place(app: App):
    at = choose(paused_tool(app), "answer")
    at.text_area(key=pause_key(at, "answer")).set_value("ninety-six")
    at = send(at)
    assert of_kind(at, ToolCalled)[0].by_person
    assert of_kind(at, ToolAnswered)[0].result == "ninety-six"
    assert not at.exception


def test_another_session_finds_the_same_form_and_may_answer(app: App):
    at = paused_critic(app)
    other = open_app(run=at.query_params["run"])
    assert "The critic is about to be asked" in html(other)
    other = send(other)
    assert len(pauses(other)) == 2
    assert not other.exception


def test_a_reply_that_comes_too_late_says_so_and_shows_the_run_as_it_is(app: App):
    late = paused_critic(app)
    other = open_app(run=late.query_params["run"])
    send(send(other))
    late = send(late)
    assert "wb-answered" in html(late)
    assert late.error and "pause-reply" not in [button.key for button in late.button]
    assert not late.exception


def test_a_run_that_waits_is_stopped(app: App):
    at = paused_critic(app)
    at.run()
    at.button(key="stop-button-waiting").click().run()
    assert "Stopped" in html(at)
    assert at.button(key="run-button").label == "Run"
    assert not at.exception


def test_the_bench_is_left_for_another_question_and_the_run_waits_on(app: App, engine: Shared):
    at = paused_critic(app)
    run_id = at.query_params["run"]
    at.button(key="pause-leave").click().run()
    assert "run" not in at.query_params and at.text_area(key="question").value == ""
    assert engine().store.run(run_id).status == "paused"
    assert not at.exception
