"""Experiments as a person meets them, without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import html, open_app
from workbench.engine import Engine
from workbench.experiments import datasets, plan
from workbench.experiments.sweep import Sweeps
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentRow, ExperimentStore
from workbench.ui import experiments

App = Callable[..., AppTest]
Opened = Callable[[], Engine]

SCRIPT: dict[str, Any] = {
    "conversations": [
        {
            "name": "critic",
            "when": {"properties": "verdict"},
            "answers": [{"object": {"issues": [], "score": 9, "verdict": "accept"}}],
        },
        {"name": "writer", "when": {"system": "writing assistant"}, "answers": [{"text": "It is 7."}]},
        {"name": "anything", "answers": [{"text": "Answer: 4"}]},
    ]
}
SETTINGS = {"max_tokens": 300, "temperature": 0.5}
FULL = """
name: all of it
dataset: letters
limit: 2
scorer:
  name: numeric
  settings: {absolute: 0.5}
backend: scripted
model: demo
seeds: [3, 7]
lanes:
- name: short
  machine: direct
  options: {brief: true}
  settings: {max_tokens: 1024}
- name: thinks
  machine: cot
  limits: {steps: 9}
settings: {temperature: 0.5, max_tokens: 300}
limits: {tokens: 5000}
parallel: 2
reuse: false
"""
SMALL = "name: sums\ndataset: arithmetic\nlimit: 2\nscorer: numeric\nlanes: [{name: one, machine: direct}]"


def page(app: App, **env: str) -> AppTest:
    """The page before the first experiment."""
    return app(SCRIPT, **env).switch_page("pages/experiments.py").run()


def opened(name: str = "") -> AppTest:
    """The page in a new session, at an experiment's address."""
    return open_app(**({"experiment": name} if name else {})).switch_page("pages/experiments.py").run()


def run_yaml(at: AppTest, text: str) -> AppTest:
    """Paste a plan and run it; AppTest returns when it is done."""
    at.text_area(key="experiment-form-yaml").set_value(text)
    return at.button(key="plan-run").click().run()


def store(engine: Opened) -> ExperimentStore:
    return ExperimentStore(engine().store.database)


def test_what_is_left_open_in_the_form_stays_open_in_the_plan(app: App, engine: Opened):
    at = page(app)
    assert at.number_input(key="experiment-form-parallel").value is None
    at.text_area(key="experiment-form-yaml").set_value(
        "name: open\ndataset: letters\nscorer: numeric\nlanes: [{name: one, machine: direct}]"
    )
    at.button(key="plan-into-form").click().run()
    assert at.number_input(key="experiment-form-limit").value is None
    assert at.number_input(key="experiment-form-parallel").value is None
    at.button(key="start-experiment").click().run()
    row = only(engine)
    assert (row.plan.limit, row.plan.parallel, row.cells) == (None, None, 50)


def only(engine: Opened) -> ExperimentRow:
    (row,) = store(engine).experiments()
    return row


def keys(at: AppTest) -> list[str]:
    return [button.key for button in at.button if button.key]


def test_before_the_first_experiment_one_click_fills_the_form_and_one_runs_it(app: App, engine: Opened):
    at = page(app)
    shown = html(at)
    assert "Does the second thought help" in shown and shown.count("50 items.") == 5
    at.button(key="use-dates").click().run()
    assert at.selectbox(key="experiment-form-scorer").value == "exact"
    at.button(key="fill-example").click().run()
    assert at.selectbox(key="experiment-form-scorer").value == "numeric"
    assert "10 items × 3 lanes × 1 seed = 30 cells" in html(at)
    at.button(key="start-experiment").click().run()
    row = only(engine)
    assert (row.name, row.plan.dataset, row.plan.limit) == ("arithmetic-1", "arithmetic", 10)
    assert (row.status, row.done, row.errors) == ("done", 30, 0)
    assert [lane.machine for lane in row.plan.lanes] == ["direct", "cot", "reflection"]
    shown = html(at)
    assert "30 of 30 cells done" in shown and "critic feedback" in shown and "arithmetic-01" in shown
    assert "No difference is seen between direct and cot" in shown
    other = opened("arithmetic-1")
    assert html(other) == shown and not other.exception
    assert not at.exception


def test_the_yaml_file_put_into_the_form_starts_the_same_experiment(app: App, engine: Opened):
    at, wanted = page(app), plan.parse(FULL, "it")
    assert plan.parse(plan.to_yaml(wanted), "again") == wanted
    at.text_area(key="experiment-form-yaml").set_value(FULL)
    at.button(key="plan-into-form").click().run()
    assert not at.error, [error.value for error in at.error]
    assert at.text_input(key="experiment-form-seeds").value == "[3, 7]"
    assert at.number_input(key="lane-1000-setting-max_tokens").value == 1024
    assert at.number_input(key="lane-1001-setting-max_tokens").value is None
    at.button(key="start-experiment").click().run()
    row = only(engine)
    lanes = tuple(lane.model_copy(update={"backend": "scripted", "model": "demo"}) for lane in wanted.lanes)
    assert row.plan == wanted.model_copy(update={"lanes": lanes}) and row.done == 8
    at.button(key="change-plan").click().run()
    assert "8 done already in the experiment of this name" in html(at) and "0 to be asked" in html(at)
    at.text_input(key="experiment-form-name").set_value("again").run()
    at.toggle(key="experiment-form-reuse").set_value(True).run()
    assert "8 answered already in other experiments and taken over" in html(at)
    at.button(key="start-experiment").click().run()
    assert [one.done for one in store(engine).experiments()] == [8, 8] and len(engine().store.runs()) == 8
    assert not at.exception


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("experiment-form-name", "", "Give it a name."),
        ("experiment-form-name", "a/b", "A name has no slashes"),
        ("experiment-form-seeds", "many", "Write how many"),
        ("experiment-form-seeds", "[1, 1]", "A seed is given twice."),
        ("lane-1001-name", "direct", "Two lanes are named direct."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_starts(app: App, key: str, value: str, said: str):
    at = page(app)
    at.text_input(key=key).set_value(value).run()
    assert said in html(at) and at.button(key="start-experiment").disabled
    assert not at.exception


def test_a_scorer_that_cannot_score_the_set_says_what_is_missing(app: App):
    at = page(app)
    at.selectbox(key="experiment-form-scorer").set_value("unit_tests").run()
    assert "10 of 10 items have no tests. Choose another scorer." in html(at)
    assert at.button(key="start-experiment").disabled and not at.exception


@pytest.mark.parametrize(
    ("text", "said"), [("", "There is no YAML yet."), ("name: [", "is not YAML"), ("name: x", "Field required")]
)
def test_a_file_that_is_no_experiment_is_refused_with_a_sentence(app: App, engine: Opened, text: str, said: str):
    at = run_yaml(page(app), text)
    assert [error for error in at.error if said in error.value.replace("\\", "")]
    assert store(engine).experiments() == [] and not at.exception


def test_lanes_are_added_named_after_their_machine_and_removed(app: App, engine: Opened):
    at = page(app)
    at.button(key="duplicate-1001").click().run()
    assert at.text_input(key="lane-1003-name").value == "cot-2"
    at.selectbox(key="lane-1003-machine").set_value("stepwise").run()
    assert at.text_input(key="lane-1003-name").value == "stepwise"
    for lane in (1000, 1001, 1002):
        at.button(key=f"remove-{lane}").click().run()
    assert at.button(key="remove-1003").disabled
    at.selectbox(key="lane-1003-machine").set_value("direct")
    at.number_input(key="experiment-form-limit").set_value(2).run()
    at.button(key="start-experiment").click().run()
    (lane,) = only(engine).plan.lanes
    assert (lane.name, lane.machine) == ("direct", "direct") and not at.exception


def test_experiments_are_listed_opened_and_deleted_after_asking(app: App, engine: Opened):
    at = run_yaml(page(app), SMALL)
    row = only(engine)
    at.button(key="all-experiments").click().run()
    assert "2 of 2 cells done" in html(at) and "arithmetic · one" in html(at)
    at.button(key=f"open-{row.id}").click().run()
    assert "right answer" in html(at)
    at.button(key="delete-experiment").click().run()
    at.button(key="keep").click().run()
    assert only(engine).id == row.id
    at.button(key="delete-experiment").click().run()
    at.button(key="delete-for-good").click().run()
    assert store(engine).experiments() == [] and "Does the second thought help" in html(at)
    assert not at.exception


def test_one_that_nobody_runs_says_what_is_left_and_goes_on(app: App, engine: Opened):
    at = page(app)
    sweeps, wanted = Sweeps(engine()), plan.parse(SMALL + "\nbackend: scripted\nmodel: demo", "it")
    reading = datasets.load("arithmetic")
    sweeps.prepare(wanted, reading.items, DatasetStore(engine().store.database).add(reading))
    at = opened("sums")
    assert "2 waiting" in html(at) and "0 of 2" in html(at)
    assert at.button(key="resume-experiment").label == "Resume (2 left)"
    at.button(key="resume-experiment").click().run()
    assert only(engine).status == "done" and "resume-experiment" not in keys(at)
    assert not at.exception


def test_what_failed_is_told_apart_from_wrong_answers_and_tried_again(app: App, engine: Opened):
    broken = {"conversations": [{"name": "fails", "answers": [{"text": "", "error": "script_exhausted"}]}]}
    at = app(broken).switch_page("pages/experiments.py").run()
    run_yaml(at, SMALL)
    row = only(engine)
    assert row.errors == 2 and "2 failed" in html(at)
    assert "script_exhausted" in html(at)
    assert ">wrong<" not in html(at)
    at.button(key="retry-errors").click().run()
    assert only(engine).errors == 2 and not at.exception


def test_a_person_scores_without_knowing_the_lanes_and_then_sees_them(app: App, engine: Opened):
    lanes = "lanes: [{name: first lane, machine: direct}, {name: second lane, machine: cot}]"
    text = f"name: judged\ndataset: arithmetic\nlimit: 1\nscorer: person\n{lanes}"
    at = run_yaml(page(app), text)
    assert "2 answers left" in html(at) and "Right answer" in html(at)
    assert "first lane" not in html(at).replace("first lane, second lane", "")
    at.button(key="grade-1").click().run()
    assert "1 answer left" in html(at)
    at.button(key="grade-back").click().run()
    assert "2 answers left" in html(at)
    at.button(key="grade-0").click().run()
    at.number_input(key="graded-points").set_value(0.25).run()
    at.button(key="grade-points").click().run()
    scores = sorted(cell.score or 0 for cell in store(engine).cells(only(engine).id))
    assert scores == [0.0, 0.25]
    shown = html(at)
    assert "Every answer that there is has your score." in shown and "first lane" in shown and "0.25" in shown
    assert not at.exception


def test_items_are_filtered_searched_and_scored_by_another_scorer(app: App, engine: Opened):
    at = run_yaml(page(app), SMALL)
    assert html(at).count(">wrong<") == 2
    at.text_input(key="item_search").set_value("no such words").run()
    assert "No item fits." in html(at)
    at.text_input(key="item_search").set_value("").run()
    at.selectbox(key="rescore").set_value("contains").run()
    at.button(key="rescore-now").click().run()
    assert only(engine).plan.scorer.name == "contains" and "scored by contains" in html(at)
    at.selectbox(key="rescore").set_value("regex").run()
    at.text_area(key="rescore-regex-pattern").set_value(r"(\d+)").run()
    at.button(key="rescore-now").click().run()
    assert only(engine).plan.scorer.settings["pattern"] == r"(\d+)" and not at.exception


def test_results_are_folded_anew_when_a_score_changes_and_else_once(app: App, engine: Opened):
    at = run_yaml(page(app), SMALL)
    row = only(engine)
    first = experiments.found(row)
    assert experiments.found(row) is first and first.lanes[0].score == 0
    cell = store(engine).cells(row.id)[1]
    store(engine).amend(row.id, [cell.model_copy(update={"score": 1.0})])
    assert experiments.found(row).lanes[0].score == 0.5
    assert not at.exception


def test_an_experiment_that_there_is_not_is_said_to_be_missing(app: App):
    run_yaml(page(app), SMALL)
    at = opened("nothing")
    assert [error for error in at.error if "no experiment" in error.value] and "sums" in html(at)
    assert not at.exception
