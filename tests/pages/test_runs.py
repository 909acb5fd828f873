"""The list of runs as a person meets it, without a browser."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.pages.driving import STEPS, ask, html, open_app
from tests.runs import request
from workbench.engine import Engine
from workbench.ui.live import Replay

App = Callable[..., AppTest]


def runs_after(app: App, *questions: str) -> AppTest:
    """The Runs page after these questions were asked."""
    at = app(STEPS * max(len(questions), 1))
    for question in questions:
        ask(at, question)
    return at.switch_page("pages/runs.py").run()


def cards(at: AppTest) -> list[str]:
    """The cards and the answer."""
    return [line for line in html(at).splitlines() if line.startswith(("<article", "<section"))]


def test_before_the_first_run_the_page_says_what_to_do(app: App):
    at = runs_after(app)
    assert "No runs yet" in html(at)
    assert not at.exception


def test_every_run_is_listed_with_what_became_of_it(app: App):
    at = runs_after(app, "What is 2 + 2?", "And 3 + 3?")
    shown = html(at)
    assert shown.index("And 3 + 3?") < shown.index("What is 2 + 2?")
    assert shown.count(">answered<") == 2 and "Stepwise" in shown and "just now" in shown
    assert not at.exception


def test_search_looks_in_questions_and_answers(app: App):
    at = runs_after(app, "What is 2 + 2?", "And 3 + 3?")
    at.text_input(key="search").set_value("3 + 3").run()
    assert "And 3 + 3?" in html(at) and "What is 2 + 2?" not in html(at)
    at.text_input(key="search").set_value("FOUR").run()
    assert "2 runs" in html(at)
    at.text_input(key="search").set_value("nothing like it").run()
    assert "Nothing found" in html(at)
    assert not at.exception


def test_runs_are_filtered_by_status_and_machine(app: App):
    at = runs_after(app, "What is 2 + 2?")
    at.selectbox(key="status").set_value("failed").run()
    assert "Nothing found" in html(at)
    at.selectbox(key="status").set_value("answered")
    at.selectbox(key="of_machine").set_value("stepwise").run()
    assert "1 run" in html(at)
    assert not at.exception


def test_more_runs_than_a_page_holds_are_paged(app: App, engine: Callable[[], Engine]):
    at = runs_after(app, "What is 2 + 2?")
    store, first = engine().store, engine().store.runs()[0]

    for number in range(25):
        store.create(
            f"run{number:09}", request("stepwise", f"Question {number}"), first.machine_title, first.created_at
        )
    at.run()
    assert "26 runs" in html(at) and html(at).count('class="wb-run"') == 20
    assert not at.exception


def test_opening_a_run_leads_to_the_bench_with_it(app: App, engine: Callable[[], Engine]):
    at = runs_after(app, "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at.button(key=f"open-{run_id}").click().run()
    assert "<strong>four</strong>" in html(at)
    assert at.query_params["run"] == run_id
    assert not at.exception


def test_a_replay_ends_with_the_same_page(app: App, engine: Callable[[], Engine]):
    at = runs_after(app, "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at.session_state["run"], at.session_state["replay"] = run_id, Replay.begin(run_id, speed=4)
    at.switch_page("pages/bench.py").run()
    assert "<strong>four</strong>" in html(at)
    assert cards(at) == cards(open_app(run=run_id))
    assert not at.exception


def test_a_run_that_is_gone_already_is_said_in_a_sentence(app: App, engine: Callable[[], Engine]):
    at = runs_after(app, "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at.button(key=f"delete-{run_id}").click().run()
    engine().store.delete(run_id)
    at.button(key="delete-for-good").click().run()
    assert f"There is no run {run_id}" in at.error[0].value
    assert not at.exception


def test_a_run_is_deleted_only_after_a_second_word(app: App, engine: Callable[[], Engine]):
    at = runs_after(app, "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at.button(key=f"delete-{run_id}").click().run()
    assert engine().store.count() == 1 and "cannot be undone" in html(at)
    at.button(key="delete-for-good").click().run()
    assert engine().store.count() == 0 and "No runs yet" in html(at)
    assert not at.exception
