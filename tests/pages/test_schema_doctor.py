"""The view of structured answers as a person meets it, without a browser."""

from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.pages.driving import STEPS, ask, html
from tests.store.samples import begin
from tests.test_schema_answers import Structured
from workbench.engine import Engine
from workbench.ui.schema_doctor import raw_html

App = Callable[..., AppTest]
EngineOf = Callable[[], Engine]
MENDED: list[Any] = [STEPS[0], {"text": 'Sure! <b>{"title": 1}'}, *STEPS[1:]]


def view(at: AppTest) -> AppTest:
    at.switch_page("pages/models.py").run()
    return at.segmented_control(key="view").set_value("Structured answers").run()


def test_before_any_answer_the_view_says_what_will_be_here(app: App):
    at = view(app())
    assert "No structured answers yet" in html(at) and not at.exception


def test_a_mended_answer_is_counted_and_its_story_told(app: App):
    at = view(ask(app(MENDED), "What is 2 + 2?"))
    shown = html(at)
    assert "EarlyStep" in shown and "50% (9 to 91)" in shown and "text around the json 1" in shown
    assert "What was not valid" in [heading.value for heading in at.subheader]
    assert '<mark class="wb-here">S</mark>ure! &lt;b&gt;{' in shown
    assert "<b>Told:</b> Your answer was not valid" in shown
    assert "<b>Then:</b> Mended: its next answer was valid." in shown and "Two and two." in shown
    assert not at.exception


def test_the_run_is_opened_at_the_failed_call(app: App, engine: EngineOf):
    at = view(ask(app(MENDED), "What is 2 + 2?"))
    (run,) = engine().store.runs()
    opener = next(button for button in at.button if button.key and button.key.startswith(f"open-at-{run.id}"))
    opener.click().run()
    assert at.query_params["run"] in (run.id, [run.id])
    assert at.session_state["window"] == (run.id, 0, True)
    assert "Sure! &lt;b&gt;" in html(at) and not at.exception


def test_filters_choose_among_what_there_is_and_failures_come_in_pages(app: App, engine: EngineOf):
    at = app()
    for number in range(12):
        log = Structured(f"run{number:05}", request={"model": "qwen" if number else "llama"})
        log.call("c1", model="qwen" if number else "llama").say("c1", "{}").give_up("title: Field required")
        begin(engine().store, log.run_id)
        engine().store.append(log.events)
    at = view(at)
    assert html(at).count("wb-failure") == 10 and "12 answers, newest first" in html(at)
    at = at.selectbox(key="answers-model").set_value("llama").run()
    assert html(at).count("wb-failure") == 1 and "0% (0 to 79)" in html(at)
    assert "Given up: the run ended here." in html(at) and not at.exception


def test_a_long_answer_is_shown_around_what_is_wrong():
    shown = raw_html("a" * 50_000 + "!", f"Invalid JSON: expected value at line 1 column {50_001}")
    assert '<mark class="wb-here">!</mark>' in shown and "47,000 characters" in shown and len(shown) < 4_000


def test_where_an_answer_was_cut_is_marked_and_nothing_written_is_said():
    assert '<mark class="wb-here">⟨here⟩</mark></pre>' in raw_html('{"a": 1', "it was cut after 9 tokens")
    assert "It wrote nothing." in raw_html("", "it was cut after 9 tokens")
    assert "<mark" not in raw_html("{}", "a: Field required")
