"""Runs that come from others: the fork dialog, the family, the same seed again, follow-ups."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import DRAFTS, STEPS, ask, html, open_app
from workbench.engine import Engine
from workbench.events import RunStarted
from workbench.store.runs import RunRow
from workbench.ui import family, session

App = Callable[..., AppTest]
Shared = Callable[[], Engine]
TWICE: list[Any] = [*DRAFTS, *DRAFTS]
AND_A_FORK: list[Any] = [*DRAFTS, *DRAFTS[1:]]  # which leaves after the first draft


def essay(app: App, answers: list[Any] = AND_A_FORK) -> AppTest:
    """An ended run of the reflection machine: draft, critique, draft, critique."""
    at = app(answers)
    at.button_group(key="machine").set_value("reflection").run()
    return ask(at, "Write about the sea.")


def dialog(at: AppTest) -> AppTest:
    """Open the fork dialog."""
    return at.button(key="fork-ended").click().run()


def leave_at(at: AppTest, title: str) -> AppTest:
    """Choose the step after which the fork leaves."""
    box = at.selectbox(key="fork-at")
    return box.set_value(next(place for place in positions(at) if title in place)).run()


def positions(at: AppTest) -> list[Any]:
    """The steps that the dialog offers."""
    return list(at.selectbox(key="fork-at").options)


def start(at: AppTest) -> AppTest:
    """Start the fork; AppTest returns when it is over."""
    return at.button(key="fork-start").click().run()


def run_of(at: AppTest) -> str:
    """The run on the bench."""
    return str(at.query_params["run"])


def started(at: AppTest) -> RunStarted:
    """How the run on the bench began."""
    begun = session.engine().store.events(run_of(at))[0]
    assert isinstance(begun, RunStarted)
    return begun


def state_key(at: AppTest, name: str) -> str:
    """The key of a field of the state at the chosen step."""
    fields = [area.key for area in at.text_area] + [box.key for box in at.checkbox]
    return next(key for key in fields if key and key.startswith("fork-state-") and key.endswith(f"-{name}"))


def test_the_dialog_offers_every_step_that_something_comes_after(app: App):
    at = dialog(essay(app))
    assert positions(at) == ["From the beginning", "1 · Draft 1", "2 · Revise · 5/10", "3 · Draft 2"]
    assert at.selectbox(key="fork-at").value is not None
    assert any("Next comes critique." in caption.value for caption in at.caption)
    assert not at.exception


def test_a_fork_takes_over_what_came_before_and_goes_on_by_itself(app: App):
    at = essay(app)
    parent = run_of(at)
    at = start(leave_at(dialog(at), "Draft 1"))
    begun = started(at)
    assert run_of(at) != parent
    assert (begun.parent_run, begun.relation, begun.edited) == (parent, "fork", {})
    assert session.engine().store.run(run_of(at)).calls == 3
    assert "A draft about the sea." in html(at)
    assert "fork-start" not in [button.key for button in at.button]
    assert not at.exception


def test_only_what_was_changed_in_the_state_is_changed(app: App):
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.text_area(key=state_key(at, "messages-1-content")).set_value("A draft about the hills.")
    at = start(at)
    assert started(at).edited == {
        "messages": [
            {"role": "user", "content": "Write about the sea."},
            {"role": "assistant", "content": "A draft about the hills."},
        ]
    }
    assert not at.exception


def test_a_message_is_left_out_of_the_state(app: App):
    at = leave_at(dialog(essay(app, [*DRAFTS, *DRAFTS[2:]])), "Revise")
    at.checkbox(key=state_key(at, "messages-2-out")).check()
    at = start(at)
    assert len(started(at).edited["messages"]) == 2
    assert not at.exception


def test_a_number_of_the_state_is_edited_as_json(app: App):
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.text_area(key=state_key(at, "rounds")).set_value("2")
    at = start(at)
    assert started(at).edited == {"rounds": 2}
    assert not at.exception


@pytest.mark.parametrize(
    ("text", "sentence"), [("{", "Rounds is not JSON: see line 1, column 2"), ('"two"', "rounds cannot be used")]
)
def test_a_mistake_in_the_state_is_said_in_the_dialog_and_nothing_is_lost(app: App, text: str, sentence: str):
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.text_area(key=state_key(at, "answer")).set_value("Mine.")
    at.text_area(key=state_key(at, "rounds")).set_value(text)
    at = start(at)
    assert sentence in at.error[0].value.replace("\\", "")
    assert at.text_area(key=state_key(at, "answer")).value == "Mine."
    assert at.text_area(key=state_key(at, "rounds")).value == text
    assert not at.exception


def test_a_fork_has_options_settings_and_pauses_of_its_own_and_the_form_takes_them_over(app: App):
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.slider(key="fork-form-rounds").set_value(1)
    at.number_input(key="fork-form-setting-seed").set_value(7)
    at.button_group(key="fork-form-pause_before").set_value(["critique"])
    at = start(at)
    request = started(at).request
    assert (request["options"]["rounds"], request["settings"]["seed"]) == (1, 7)
    assert request["pause_before"] == ["critique"]
    assert "The critic is about to be asked" in html(at)
    assert at.slider(key="option-reflection-rounds").value == 1
    assert not at.exception


def test_another_template_is_sent_and_the_others_are_the_built_in_ones(app: App):
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.text_area(key="fork-prompt-essay_critic").set_value("Judge kindly.")
    at = start(at)
    assert started(at).request["prompts"] == {"essay_critic": "Judge kindly."}
    assert not at.exception


def test_a_template_that_cannot_be_filled_is_said_in_the_dialog(app: App, engine: Shared):
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.text_area(key="fork-prompt-essay_critic").set_value("Judge $this.")
    at = start(at)
    assert "$this" in at.error[0].value.replace("\\", "")
    assert at.text_area(key="fork-prompt-essay_critic").value == "Judge $this."
    assert engine().store.count() == 1
    assert not at.exception


def test_a_backend_that_cannot_be_used_is_said_in_the_dialog(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    at = leave_at(dialog(essay(app)), "Draft 1")
    at.selectbox(key="fork-backend").set_value("ollama").run()
    at = start(at)
    assert "Ollama" in at.error[0].value
    assert at.selectbox(key="fork-backend").value == "ollama"
    assert at.sidebar.selectbox(key="backend").value == "scripted"
    assert not at.exception


def test_a_fork_from_the_beginning_inherits_nothing(app: App):
    at = start(leave_at(dialog(essay(app, TWICE)), "From the beginning"))
    assert (started(at).relation, started(at).inherited) == ("fork", 0)
    assert "Fork from the beginning" in html(at)
    assert not at.exception


def test_the_family_names_every_run_and_a_click_opens_it(app: App):
    at = essay(app)
    parent = run_of(at)
    assert "wb-family" not in html(at)
    at = start(leave_at(dialog(at), "Draft 1"))
    assert 'aria-current="true"><b>Fork at step 1</b>' in html(at)
    line = next(button for button in at.button if button.key.endswith(f"-{parent}") and "relative" in button.key)
    assert line.label == "First run :gray[answered]"
    line.click().run()
    assert run_of(at) == parent
    assert 'aria-current="true"><b>First run</b>' in html(at)
    assert not at.exception


def test_run_again_with_the_same_seed_says_that_it_is_the_same(app: App):
    at = essay(app, TWICE)
    seed = started(at).request["settings"]["seed"]
    at.button(key="reproduce").click().run()
    assert (started(at).relation, started(at).request["settings"]["seed"]) == ("reproduce", seed)
    assert "The same as the first time." in html(at)
    assert not at.exception


def test_run_again_with_the_same_seed_says_where_it_differs(app: App):
    at = essay(app, [*DRAFTS, {"text": "A draft about the lake."}, *DRAFTS[1:]])
    at.button(key="reproduce").click().run()
    assert "Not the same as the first time" in html(at)
    assert "generate, step 1" in html(at)
    assert not at.exception


def test_a_seed_that_promises_nothing_is_no_difference(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workbench.job.doubt_of", lambda *_: "The cache may change the last digits.")
    at = essay(app, TWICE)
    at.button(key="reproduce").click().run()
    assert "The cache may change the last digits." in html(at)
    assert "The same as the first time." in html(at)
    assert not at.exception


def test_a_follow_up_goes_on_in_the_thread(app: App):
    at = ask(app([*STEPS, *STEPS]), "What is 2 + 2?")
    first = run_of(at)
    at.text_input(key="next_question").set_value("And 3 + 3?")
    at.button(key="continue").click().run()
    begun = started(at)
    assert (begun.parent_run, begun.relation, begun.request["question"]) == (first, "continue", "And 3 + 3?")
    assert [one["question"] for one in begun.request["history"]] == ["What is 2 + 2?"]
    assert at.text_area(key="question").value == "And 3 + 3?"
    assert at.text_input(key="next_question").value == ""
    assert "Then: And 3 + 3?" in html(at)
    assert not at.exception


def test_a_thread_keeps_the_prompts_that_it_was_forked_with(app: App):
    at = leave_at(dialog(essay(app, [*AND_A_FORK, *DRAFTS])), "Draft 1")
    at.text_area(key="fork-prompt-essay_critic").set_value("Judge kindly.")
    at = start(at)
    at.text_input(key="next_question").set_value("And the lake?")
    at.button(key="continue").click().run()
    assert started(at).request["prompts"] == {"essay_critic": "Judge kindly."}
    assert not at.exception


def test_without_an_answer_there_is_nothing_to_follow_up(app: App):
    at = ask(app([{"text": "", "error": "quota_exceeded"}]), "What is 2 + 2?")
    assert "next_question" not in [field.key for field in at.text_input]
    assert not at.exception


def test_every_browser_session_asks_under_a_name_of_its_own(app: App, engine: Shared, monkeypatch: pytest.MonkeyPatch):
    first = app([*STEPS, *STEPS, *STEPS])
    names: list[str] = []
    submit = engine().submit
    monkeypatch.setattr(engine(), "submit", lambda request, *, session: names.append(session) or submit(request))
    ask(first, "What is 2 + 2?")
    ask(first, "What is 3 + 3?")
    ask(open_app(), "What is 4 + 4?")
    assert names[0] == names[1] != names[2] and all(names)
    assert not first.exception


def test_what_was_damaged_is_said_until_it_is_dismissed(app: App, engine: Shared, monkeypatch: pytest.MonkeyPatch):
    at = app()
    monkeypatch.setattr(engine(), "notices", lambda: ["The history was damaged and is set aside."])
    at.run()
    assert "set aside" in at.warning[0].value
    at.button(key="dismiss-0").click().run()
    assert not at.warning
    assert not open_app().warning
    assert not at.exception


def row(run_id: str, parent: str, relation: Any = "fork") -> RunRow:
    """A run in the list, of which only the relatives count."""
    shown = ("2026-01-01T00:00:00", "answered", "m", "M", "scripted", "demo", "q", "a", 1.0, 1, 0, 1, 1, 0, "")
    return RunRow(run_id, *shown, parent, relation)  # type: ignore[arg-type]


def test_in_the_tree_each_run_comes_after_its_parent_and_siblings_in_their_order():
    rows = [row("a", "", ""), row("b", "a"), row("c", "a"), row("d", "b"), row("e", "d")]
    assert [(depth, one.id) for depth, one in family.tree(rows)] == [(0, "a"), (1, "b"), (2, "d"), (3, "e"), (1, "c")]
