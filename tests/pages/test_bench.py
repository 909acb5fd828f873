"""The bench as a person meets it, without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from agents import catalogue
from tests.pages.driving import DRAFTS, ask, html, open_app
from workbench.engine import Engine

App = Callable[..., AppTest]


def test_the_bench_greets_with_machines_examples_and_the_map(app: App):
    at = app()
    assert at.button_group(key="machine").options == [catalogue.load(name).title for name in catalogue.MACHINES]
    assert len(catalogue.MACHINES) >= 11
    assert at.button_group(key="machine").value == "stepwise"
    assert "strawberry" in at.button(key="example-0").label
    assert any("wb-diagram" in markdown.value for markdown in at.markdown)
    assert not at.exception


def test_an_example_fills_the_question_and_asks_nothing_yet(app: App, engine: Callable[[], Engine]):
    at = app()
    at.button(key="example-0").click().run()
    assert "strawberry" in at.text_area(key="question").value
    assert engine().store.count() == 0
    assert not at.exception


def test_a_question_is_thought_through_and_answered(app: App):
    at = ask(app(), "What is 2 + 2?")
    shown = html(at)
    assert [title in shown for title in ("Look", "Count", "Check")] == [True] * 3
    assert "<strong>four</strong>" in shown
    assert at.button(key="run-button").label == "Run"
    assert not at.exception


def test_the_address_names_the_run_so_that_it_can_be_opened_again(app: App, engine: Callable[[], Engine]):
    at = ask(app(), "What is 2 + 2?")
    run_id = at.query_params["run"]
    other = open_app(run=run_id)
    assert "<strong>four</strong>" in html(other)
    assert other.text_area(key="question").value == "What is 2 + 2?"
    assert engine().store.count() == 1
    assert not other.exception


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("", "The question is empty"),
        ("  \n ", "The question is empty"),
        ("a\x00b", "NUL character"),
        ("x" * (1 << 20), "256 KiB fit"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why_and_stays(app: App, question: str, sentence: str):
    at = ask(app(), question)
    assert sentence in at.error[0].value
    assert at.text_area(key="question").value == question
    assert not at.exception


def test_options_that_contradict_each_other_say_so(app: App):
    at = app()
    at.slider(key="option-stepwise-min_steps").set_value(20)
    at.slider(key="option-stepwise-max_steps").set_value(5)
    ask(at, "What is 2 + 2?")
    assert "min" in at.error[0].value and "max" in at.error[0].value
    assert not at.exception


def test_the_form_is_made_of_the_machines_options(app: App, engine: Callable[[], Engine]):
    at = app(DRAFTS)
    at.button_group(key="machine").set_value("reflection").run()
    at.slider(key="option-reflection-rounds").set_value(1)
    at.number_input(key="setting-seed").set_value(42)
    ask(at, "Write about the sea.")
    started = engine().store.events(at.query_params["run"])[0]
    assert started.request["options"]["rounds"] == 1
    assert started.request["settings"]["seed"] == 42
    assert any("`1 round`" in expander.label and "`seed 42`" in expander.label for expander in at.expander)
    assert not at.exception


def test_a_revision_shows_what_changed_until_the_person_wants_it_clean(app: App):
    at = app(DRAFTS)
    at.button_group(key="machine").set_value("reflection").run()
    ask(at, "Write about the sea.")
    assert "<ins>" in html(at)
    at.button_group(key="show").set_value("clean").run()
    assert "<ins>" not in html(at)
    assert "A better draft about the sea." in html(at)
    assert not at.exception


def test_what_was_sent_waits_until_it_is_asked_for(app: App):
    at = ask(app(), "What is 2 + 2?")
    assert [expander.label for expander in at.expander].count("What was sent") == 4
    assert "wb-sent" not in html(at)
    assert not at.exception


def test_a_failed_run_says_the_cause_and_the_next_action(app: App):
    at = ask(app([{"text": "", "error": "quota_exceeded"}]), "What is 2 + 2?")
    assert "wb-failed" in html(at)
    assert at.button(key="run-button").label == "Run"
    assert not at.exception


def test_another_machine_clears_the_bench_and_the_run_is_kept(app: App, engine: Callable[[], Engine]):
    at = ask(app(), "What is 2 + 2?")
    at.button_group(key="machine").set_value("react").run()
    assert "wb-answer" not in html(at)
    assert "run" not in at.query_params
    assert engine().store.count() == 1
    assert not at.exception


def test_a_run_that_there_is_not_is_said_and_the_bench_can_be_used(app: App):
    at = app()
    at.query_params["run"] = "0123456789ab"
    at.run()
    assert "There is no run 0123456789ab" in at.error[0].value.replace("\\", "")
    assert at.button(key="run-button").label == "Run"
    assert not at.exception


def test_an_interrupted_run_is_shown_as_one(app: App, engine: Callable[[], Engine]):
    at = ask(app(), "What is 2 + 2?")
    run_id = at.query_params["run"]
    from sqlalchemy import text

    with engine().store.database.write() as connection:
        connection.execute(text("DELETE FROM events WHERE kind = 'run_finished'"))
        connection.execute(text("UPDATE runs SET status = 'interrupted'"))
    at.run()
    assert at.query_params["run"] == run_id
    assert "The app ended while this run was in progress." in html(at)
    assert not at.exception


def test_model_text_is_never_html(app: App):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> done"
    at = ask(app([*[{"object": {"title": "t", "content": evil, "next_action": "continue"}}] * 3]), "What is 2 + 2?")
    shown = html(at)
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown and "<img" not in shown
    assert not at.exception


def test_a_backend_that_is_down_says_what_to_do_and_offers_others(app: App):
    at = app(WORKBENCH_BACKEND="ollama", OLLAMA_HOST="http://127.0.0.1:9")
    assert "cannot be used now" in html(at)
    ask(at, "What is 2 + 2?")
    assert "Ollama does not answer" in at.error[0].value and "ollama serve" in at.error[0].value
    at.button(key="use-scripted").click().run()
    assert at.sidebar.selectbox(key="backend").value == "scripted"
    assert "cannot be used now" not in html(at)
    assert not at.exception


def test_documents_are_added_listed_and_removed(app: App):
    at = app()
    at.button_group(key="machine").set_value("react").run()
    at.file_uploader(key="upload-0").set_value(("notes.txt", b"Refunds take 14 days.", "text/plain")).run()
    assert "notes.txt" in html(at)
    at.button(key="remove-notes.txt").click().run()
    assert "notes.txt" not in html(at)
    assert not at.exception


def test_a_data_folder_that_cannot_be_used_is_a_page_of_its_own(app: App, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    at = app(WORKBENCH_HOME=str(file / "home"))
    assert at.header[0].value == "Second Thought cannot start"
    assert at.error[0].value
    assert not at.exception


def test_a_setting_that_cannot_be_read_is_named(app: App):
    at = app(WORKBENCH_EMBEDDED_SLOTS="many")
    assert "WORKBENCH" in at.error[0].value
    assert not at.exception
