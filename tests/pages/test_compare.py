"""Compare as a person meets it, without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import html, open_app
from tests.runs import request
from tests.store.samples import NOON
from workbench.engine import Engine
from workbench.store.comparisons import TIE, ComparisonStore

App = Callable[..., AppTest]
Opened = Callable[[], Engine]

CRITIC = [{"object": {"issues": [], "score": 9, "verdict": "accept"}}]
THINKER = [{"object": {"title": "Count", "content": "Two and two.", "next_action": "final_answer"}}]
SCRIPT: dict[str, Any] = {
    "conversations": [
        {"name": "critic", "when": {"properties": "verdict"}, "answers": CRITIC},
        {"name": "writer", "when": {"system": "writing assistant"}, "answers": [{"text": "It is a small red house."}]},
        {"name": "fails", "when": {"properties": "action"}, "answers": [{"text": "", "error": "model_unusable"}]},
        {"name": "thinker", "when": {"properties": "next_action"}, "answers": THINKER},
        {"name": "anything", "answers": [{"text": "It is a large red house."}]},
    ]
}
QUESTION = "What is it?"


def compare(app: App, **env: str) -> AppTest:
    """The page before the first comparison."""
    return app(SCRIPT, **env).switch_page("pages/compare.py").run()


def opened(name: str) -> AppTest:
    """A comparison in a new session, at its address."""
    return open_app(comparison=name).switch_page("pages/compare.py").run()


def start(at: AppTest, question: str = QUESTION) -> AppTest:
    """Ask all lanes; AppTest returns when they are done."""
    at.text_area(key="lane-question").set_value(question)
    return at.button(key="compare-start").click().run()


def store(engine: Opened) -> ComparisonStore:
    return ComparisonStore(engine().store.database)


def keys(at: AppTest) -> list[str]:
    return [button.key for button in at.button if button.key]


def test_one_question_is_answered_by_two_lanes_that_make_sense(app: App, engine: Opened):
    at = compare(app)
    assert [at.selectbox(key=f"lane-{lane}-machine").value for lane in (0, 1)] == ["direct", "reflection"]
    assert "No comparisons yet" in html(at)
    shown = html(start(at))
    assert "It is a large red house." in shown and "It is a small red house." in shown
    assert all(word in shown for word in ("Direct", "Reflection", "What it cost", "tokens read", "feedback"))
    kept = store(engine).get(at.query_params["comparison"])
    rows = [engine().store.run(lane.run) for lane in kept.lanes]
    assert [row.machine for row in rows] == ["direct", "reflection"]
    assert {row.question for row in rows} == {QUESTION} and {row.belongs for row in rows} == {f"comparison:{kept.id}"}
    at.button_group(key="against").set_value("A").run()
    assert "<del>" not in shown and "<del>large</del><ins>small</ins>" in html(at)
    assert not at.exception


def test_all_lanes_have_the_same_seed_unless_they_are_to_have_their_own(app: App, engine: Opened):
    at = compare(app)
    start(at)
    seeds = [lane.asked["settings"]["seed"] for lane in store(engine).get(at.query_params["comparison"]).lanes]
    assert seeds[0] == seeds[1]
    at.button(key="edit-lanes").click().run()
    at.number_input(key="lane-seed").set_value(7).run()
    start(at)
    seeds = [lane.asked["settings"]["seed"] for lane in store(engine).get(at.query_params["comparison"]).lanes]
    assert seeds == [7, 7]
    at.button(key="edit-lanes").click().run()
    at.toggle(key="same-seed").set_value(False).run()
    at.number_input(key="lane-0-setting-seed").set_value(1)
    at.number_input(key="lane-1-setting-seed").set_value(2).run()
    start(at)
    seeds = [lane.asked["settings"]["seed"] for lane in store(engine).get(at.query_params["comparison"]).lanes]
    assert seeds == [1, 2]
    assert not at.exception


def test_a_lane_is_duplicated_changed_and_removed(app: App, engine: Opened):
    at = compare(app)
    at.slider(key="lane-1-option-reflection-rounds").set_value(1).run()
    at.button(key="duplicate-1").click().run()
    assert at.slider(key="lane-2-option-reflection-rounds").value == 1
    at.button(key="add-lane").click().run()
    assert "add-lane" not in keys(at) and at.button(key="duplicate-0").disabled
    at.button(key="remove-0").click().run()
    at.button(key="remove-3").click().run()
    assert at.button(key="remove-1").disabled
    at.slider(key="lane-2-option-reflection-rounds").set_value(2).run()
    start(at)
    lanes = store(engine).get(at.query_params["comparison"]).lanes
    assert [lane.asked["options"]["rounds"] for lane in lanes] == [1, 2]
    assert not at.exception


def test_a_lane_has_the_prompts_that_were_chosen_for_it(app: App, engine: Opened):
    at = compare(app)
    version = engine().prompts.save("direct", "system", "Be terse.")
    at.run()
    at.selectbox(key="lane-0-prompt-direct-system").set_value(version.number).run()
    start(at)
    made = store(engine).get(at.query_params["comparison"])
    assert made.lanes[0].prompts["system"] == version.digest
    assert engine().store.events(made.lanes[0].run)[0].prompts["system"] == version.digest
    other = opened(made.id)
    other.button(key="edit-lanes").click().run()
    assert other.selectbox(key="lane-0-prompt-direct-system").value == version.number
    assert not at.exception and not other.exception


def test_the_address_opens_the_comparison_and_its_lanes_again(app: App, engine: Opened):
    at = compare(app)
    at.slider(key="lane-1-option-reflection-rounds").set_value(1).run()
    name = start(at).query_params["comparison"]
    other = opened(name)
    assert "It is a small red house." in html(other)
    assert other.text_area(key="lane-question").value == QUESTION
    other.button(key="edit-lanes").click().run()
    assert other.slider(key="lane-1-option-reflection-rounds").value == 1
    assert engine().store.count() == 2
    assert not other.exception


@pytest.mark.parametrize(("question", "sentence"), [("", "The question is empty"), ("a\x00b", "NUL character")])
def test_a_question_that_cannot_be_asked_says_why_and_starts_nothing(
    app: App, engine: Opened, question: str, sentence: str
):
    at = start(compare(app), question)
    assert sentence in at.error[0].value
    assert engine().store.count() == 0 and store(engine).count() == 0
    assert not at.exception


def test_a_lane_that_cannot_be_asked_is_named_and_nothing_starts(app: App, engine: Opened):
    at = compare(app)
    at.selectbox(key="lane-1-machine").set_value("stepwise").run()
    at.slider(key="lane-1-option-stepwise-min_steps").set_value(20)
    at.slider(key="lane-1-option-stepwise-max_steps").set_value(5)
    start(at)
    assert at.error[0].value.startswith("Lane B\\: The options of Stepwise contradict each other")
    assert engine().store.count() == 0 and store(engine).count() == 0
    assert not at.exception


def test_a_vote_is_kept_counted_and_can_be_changed(app: App, engine: Opened):
    at = start(compare(app))
    name = at.query_params["comparison"]
    at.text_input(key=f"note-{name}").set_value("shorter").run()
    at.button(key="vote-b").click().run()
    assert "You found B best." in html(at)
    assert "A (Direct) against B (Reflection): 0 of 1 vote (0% to 79%). Too early to tell." in html(at)
    assert (store(engine).get(name).vote, store(engine).get(name).note) == (1, "shorter")
    at.button(key="vote-tie").click().run()
    assert store(engine).get(name).vote == TIE
    assert "no vote for either, 1 tie" in html(at)
    at.button(key="withdraw").click().run()
    assert store(engine).get(name).vote is None and "You found" not in html(at)
    for _ in range(2):
        start(at)
        at.button(key="vote-a").click().run()
    assert "A (Direct) against B (Reflection): 2 of 2 votes (34% to 100%). Too early to tell." in html(at)
    assert not at.exception


def test_a_vote_says_what_it_said_after_a_run_was_deleted_and_can_be_taken_back(app: App, engine: Opened):
    at = start(compare(app))
    name = at.query_params["comparison"]
    at.button(key="vote-a").click().run()
    engine().delete(store(engine).get(name).lanes[1].run)
    at.run()
    assert "You found A best." in html(at) and "came to no answer" not in html(at)
    at.text_input(key=f"note-{name}").set_value("warmer").run()
    assert (store(engine).get(name).vote, store(engine).get(name).note) == (0, "warmer")
    assert "A (Direct) against B (Reflection): 1 of 1 vote" in html(at)
    at.button(key="withdraw").click().run()
    assert store(engine).get(name).vote is None
    assert "The run of B has been deleted. There are no two answers to choose between." in html(at)
    assert not [key for key in keys(at) if key.startswith("vote-")]
    assert not at.exception


def test_a_failed_lane_is_shown_with_what_to_do_and_cannot_be_voted_for(app: App, engine: Opened):
    at = compare(app)
    at.button(key="add-lane").click().run()
    at.selectbox(key="lane-2-machine").set_value("react").run()
    start(at)
    shown = html(at)
    assert "Failed" in shown and "C came to no answer, which is no vote against it." in shown
    assert "vote-c" not in keys(at) and {"vote-a", "vote-b", "vote-tie"} <= set(keys(at))
    at.button(key="resume-c").click().run()  # it fails once more
    assert at.button(key="resume-c").label == "Resume C" and "Failed" in html(at)
    at.button(key="vote-a").click().run()
    lanes = store(engine).get(at.query_params["comparison"]).lanes
    assert [lane.answered for lane in lanes] == [True, True, False]
    assert not at.exception


def test_where_one_lane_alone_has_an_answer_there_is_nothing_to_vote_on(app: App):
    at = compare(app)
    at.selectbox(key="lane-1-machine").set_value("react").run()
    at.toggle(key="blind").set_value(True).run()
    start(at)
    assert "There are no two answers to choose between." in html(at)
    assert "ReAct" in html(at) and "vote-tie" not in keys(at)
    assert not at.exception


@pytest.mark.parametrize(("choice", "vote"), [("vote-a", 0), ("unhide", None)])
def test_hidden_lanes_are_named_nowhere_until_the_vote_or_until_they_are_asked_for(
    app: App, engine: Opened, choice: str, vote: int | None
):
    at = compare(app)
    at.toggle(key="blind").set_value(True).run()
    start(at)
    name = at.query_params["comparison"]
    titles = ("Direct", "Reflection")
    for page in (at, opened(name)):
        shown = html(page)
        assert "large red house" in shown and "small red house" in shown
        assert [title for title in titles if title in shown] == []
        assert "edit-lanes" not in keys(page) and "What it cost" not in shown
    at.button(key="new-ended").click().run()
    assert "2 hidden lanes" in html(at) and [title for title in titles if f" {title}" in html(at)] == []
    at.button(key=f"open-{name}").click().run()
    at.button(key=choice).click().run()
    assert all(title in html(at) for title in titles) and "What it cost" in html(at)
    assert store(engine).get(name).vote == vote
    assert not at.exception


def test_earlier_comparisons_are_listed_opened_and_deleted_without_their_runs(app: App, engine: Opened):
    at = start(compare(app))
    name = at.query_params["comparison"]
    at.button(key="vote-a").click().run()
    at.button(key="new-ended").click().run()
    assert "1 earlier comparison" in html(at) and "A is best · A Direct · B Reflection · just now" in html(at)
    at.button(key=f"delete-{name}").click().run()
    at.button(key="delete-for-good").click().run()
    assert "No comparisons yet" in html(at)
    assert store(engine).count() == 0 and engine().store.count() == 2
    assert not at.exception


def test_a_comparison_that_is_gone_and_one_whose_run_is_gone_are_said_in_words(app: App, engine: Opened):
    at = start(compare(app))
    made = store(engine).get(at.query_params["comparison"])
    engine().delete(made.lanes[1].run)
    at.run()
    assert "This run has been deleted" in html(at) and "large red house" in html(at)
    other = opened("nope")
    assert "There is no comparison nope" in other.error[0].value
    assert not at.exception and not other.exception


def test_the_runs_of_a_comparison_are_listed_with_a_mark_and_those_of_experiments_on_demand(app: App, engine: Opened):
    at = start(compare(app))
    at.switch_page("pages/runs.py").run()
    assert "2 runs" in html(at) and html(at).count("comparison · ") == 2
    engine().store.create("cell-1", request("direct", QUESTION), "Direct", NOON, belongs="experiment:abc")
    at.run()
    assert "2 runs" in html(at)
    at.toggle(key="cells").set_value(True).run()
    assert "3 runs" in html(at) and "experiment · " in html(at)
    assert not at.exception
