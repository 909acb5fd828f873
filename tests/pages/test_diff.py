"""Two runs side by side as a person meets them, without a browser."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.logs import Log, three_steps
from tests.pages.driving import DRAFTS, STEPS, ask, html, open_app
from tests.runs import request
from workbench.engine import Engine
from workbench.store.runs import RunStore

App = Callable[..., AppTest]
Opened = Callable[[], Engine]


def keep(store: RunStore, log: Log, machine: str = "stepwise") -> None:
    store.create(log.run_id, request(machine, "Why?"), machine.title(), "2026-11-23T12:00:00.000+00:00")
    store.append(log.events)


def side_by_side(a: str, b: str) -> AppTest:
    """The page in a new session, at its address."""
    at = open_app(a=a, b=b)
    return at.switch_page("pages/diff.py").run()


def test_without_two_runs_the_page_says_how_to_choose_them(app: App):
    app()
    for at in (open_app(), open_app(a="aaaa1111")):
        at.switch_page("pages/diff.py").run()
        assert "Choose two runs" in html(at) and "Press Compare" in html(at)
        assert not at.exception


def test_a_run_that_is_gone_is_said_in_a_sentence(app: App):
    app()
    at = side_by_side("aaaa1111", "bbbb2222")
    assert "There is no run aaaa1111" in html(at)
    assert not at.exception


def test_two_runs_are_chosen_one_after_the_other_under_runs(app: App, engine: Opened):
    at = app(
        STEPS + STEPS[:2] + [{"object": {"title": "Check", "content": "No.", "next_action": "final_answer"}}, "Five."]
    )
    ask(at, "What is 2 + 2?")
    ask(at, "What is 2 + 2?")
    second, first = (row.id for row in engine().store.runs())
    at.switch_page("pages/runs.py").run()
    at.button(key=f"compare-{first}").click().run()
    assert "Press Side by side at the run to compare it with" in html(at)
    assert at.button(key=f"compare-{first}").disabled
    at.button(key=f"beside-{second}").click().run()
    assert at.query_params == {"a": first, "b": second}
    shown = html(at)
    assert "The answers of think, step 3, differ in content" in shown and 'id="first-difference"' in shown
    assert "2 steps the same" in shown
    at.switch_page("pages/runs.py").run()
    assert at.button(key=f"compare-{second}").label == "Compare"
    assert not at.exception


def test_a_choice_can_be_taken_back(app: App, engine: Opened):
    at = ask(app(STEPS), "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at.switch_page("pages/runs.py").run()
    at.button(key=f"compare-{run_id}").click().run()
    at.button(key="cancel-compare").click().run()
    assert at.button(key=f"compare-{run_id}").label == "Compare"
    assert "Side by side" not in html(at)
    assert not at.exception


def test_a_chosen_run_that_is_deleted_is_chosen_no_more(app: App, engine: Opened):
    at = ask(app(STEPS), "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at.switch_page("pages/runs.py").run()
    at.button(key=f"compare-{run_id}").click().run()
    engine().store.delete(run_id)
    at.run()
    assert "Press Side by side" not in html(at)
    assert not at.exception


def test_the_same_run_twice_has_no_difference(app: App, engine: Opened):
    ask(app(STEPS), "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at = side_by_side(run_id, run_id[:6])
    assert "No difference." in html(at) and "one and the same run" in html(at)
    assert "The requests are the same." in html(at)
    assert not at.exception


def test_runs_of_different_machines_are_a_sentence_and_their_ends(app: App, engine: Opened):
    app()
    keep(engine().store, three_steps("aaaa1111"))
    other = Log("bbbb2222", request={"machine": "reflection"}, machine_title="Reflection")
    keep(engine().store, other.visit("draft", "A text of its own.").finish("43"), "reflection")
    at = side_by_side("aaaa1111", "bbbb2222")
    assert "The machines differ, Stepwise and Reflection" in html(at)
    assert "A text of its own." not in html(at)
    assert at.button(key="earlier").label == "Show 4 steps before"
    at.button(key="earlier").click().run()
    assert "A text of its own." in html(at)
    assert not at.exception


def test_a_run_is_opened_on_the_bench(app: App, engine: Opened):
    ask(app(DRAFTS + STEPS), "What is 2 + 2?")
    run_id = engine().store.runs()[0].id
    at = side_by_side(run_id, run_id)
    at.button(key="open-b").click().run()
    assert at.query_params["run"] == run_id
    assert not at.exception


def test_a_run_that_goes_on_is_compared_as_far_as_it_has_come(app: App, engine: Opened):
    app()
    keep(engine().store, three_steps("aaaa1111"))
    keep(engine().store, Log("bbbb2222").visit("think", "Look.", edge="think"))
    shown = html(side_by_side("aaaa1111", "bbbb2222"))
    assert "B is still running." in shown and "1 of 4 steps is the same." in shown


def test_long_runs_are_drawn_around_their_first_difference_the_rest_on_demand(app: App, engine: Opened):
    app()
    for run_id, turns_at in (("aaaa1111", 400), ("bbbb2222", 200)):
        log, before = Log(run_id), "Go on."
        for number in range(400):
            text = f"Step {number}." if number < turns_at else f"Otherwise {number}."
            log.visit("think", text, before, "think")
            before = text
        keep(engine().store, log.finish())
    at = side_by_side("aaaa1111", "bbbb2222")
    shown = html(at)
    assert shown.count('<div class="wb-pair"><') == 60
    assert "10 steps the same" in shown and "think, step 250:" in shown and "think, step 251:" not in shown
    assert at.button(key="earlier").label == "Show 60 of the 190 steps before"
    at.button(key="further").click().run()
    at.button(key="earlier").click().run()
    assert "70 steps the same" in html(at) and "think, step 310:" in html(at)
    assert not at.exception
