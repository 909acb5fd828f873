"""A lane whose machine is to be told of an item what is right gets it from there, and does not run without it."""

import json

import pytest

from tests.experiments.sweeping import Counting, asked, plan, run, start, sums, sweeps_on
from workbench.backends.base import ChatRequest
from workbench.backends.scripted import ScriptedAnswer
from workbench.errors import InvalidRequest
from workbench.experiments.cells import LaneBase, right_answers
from workbench.experiments.model import Item
from workbench.experiments.scorers.unit_tests import whole_tests

ANSWER = {"actor": "cot", "evaluator": "answer", "trials": 2}
TESTS = {"actor": "code", "evaluator": "tests", "trials": 1}


def lane(name: str, options: dict) -> dict:
    return {"name": name, "machine": "reflexion", "options": options}


def learns(request: ChatRequest) -> ScriptedAnswer:
    """Answers 7, and 1 once it has reflected."""
    if request.json_schema:
        return ScriptedAnswer(text=json.dumps({"mistake": "I said 7.", "plan": "say 1"}))
    return ScriptedAnswer(text="Answer: 1" if "say 1" in asked(request) else "Answer: 7")


def test_each_item_is_evaluated_by_its_own_answer_and_the_trials_are_its_rounds(settings):
    backend = Counting(learns)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        cells = run(sweeps, plan(lanes=[lane("told", ANSWER)]), sums(2))
        started = [sweeps.engine.store.events(cell.run_id, kinds=("run_started",))[0] for cell in cells]
    assert [event.request["options"]["expected"] for event in started] == ["1", "2"]
    assert [cell.score for cell in cells] == [1.0, 0.0]
    assert [[one.score for one in cell.rounds] for cell in cells] == [[0.0, 1.0], [0.0, 0.0]]
    assert {cell.feedback for cell in cells} == {"gold"}


def test_an_item_whose_answer_has_changed_is_run_anew(settings):
    backend = Counting(learns)
    first = Item(id="s0", question="What is 0 + 1?", answer="1")
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        lanes = [lane("told", ANSWER), {"name": "plain", "machine": "cot"}]
        run(sweeps, plan(lanes=lanes), [first])
        before = backend.asked.total()
        run(sweeps, plan(lanes=lanes), [first])
        assert backend.asked.total() == before
        run(sweeps, plan(lanes=lanes), [first.model_copy(update={"aliases": ("7",)})])
    assert backend.asked.total() == before + 1  # only the lane that is told; 7 is right in its first trial


@pytest.mark.parametrize(("options", "said"), [(ANSWER, "right answer"), (TESTS, "runs tests")])
def test_an_item_without_what_the_lane_is_told_is_named_before_anything_runs(settings, options, said):
    backend = Counting(learns)
    items = [Item(id="good", question="What?", answer="1", tests="assert x"), Item(id="bad", question="Why?")]
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        with pytest.raises(InvalidRequest, match="Item bad has not what Reflexion is to be told of it") as refused:
            start(sweeps, plan(lanes=[lane("told", options)], scorer="person"), items)
        assert sweeps.store.experiments() == []
    assert said in refused.value.message and not backend.asked


def test_tests_come_with_the_calls_that_run_them(settings):
    item = Item(id="h", question="?", tests="def check(f):\n    assert f(2) == 4", entry_point="double")
    assert whole_tests(item).endswith("\ncheck(double)")
    told = LaneBase({"machine": "reflexion", "options": TESTS}, "", "").of_item(item)
    assert told == {"tests": whole_tests(item)}
    assert LaneBase({"machine": "reflexion", "options": {}}, "", "").of_item(item) == {}
    assert whole_tests(Item(id="n", question="?")) == ""


def test_a_choice_is_right_by_its_letter_and_by_its_text():
    item = Item(id="c", question="?", answer="B", choices=("Lyon", "Paris"))
    assert right_answers(item) == ("B", "Paris", "B. Paris")
    assert right_answers(item.model_copy(update={"answer": "Paris"})) == ("Paris", "B", "B. Paris")
    assert right_answers(Item(id="n", question="?", answer="4", aliases=("four",))) == ("4", "four")
    lettered = Item(id="v", question="Which vitamin prevents scurvy?", answer="C", choices=("B", "C", "D", "A"))
    assert right_answers(lettered) == ("C", "B", "B. C")  # nothing of what is only another choice's letter
    last = Item(id="r", question="?", answer="B", choices=("Rome", "C", "A"))
    assert right_answers(last) == ("B", "C", "B. C")
