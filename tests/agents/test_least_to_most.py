"""Least-to-most: easier questions first, each with the answers before it in view, the question itself last."""

import json

import pytest
from pydantic import ValidationError

from agents.least_to_most import Options, ordered
from tests.runs import finish, request, run, scripted_engine

PENS = "What do 48 pens at 1.35 cost with 15% off?"


def parts(*questions: str) -> str:
    """What the decomposer says."""
    return json.dumps({"questions": questions})


def contents(call):
    return [message["content"] for message in call.called.messages]


def asked(settings, *answers, question=PENS, **options):
    """A run without worked examples, so that its messages are all its own."""
    with scripted_engine(settings, answers) as engine:
        return finish(engine, engine.submit(request("least_to_most", question, examples=False, **options)))[1]


def test_each_sub_question_is_answered_with_the_ones_before_in_view(settings):
    view = asked(
        settings,
        parts("What is the full price?", "What share remains?"),
        "48 * 1.35.\nAnswer: 64.80",
        "100 - 15.\nAnswer: 85%",
        "64.80 * 0.85.\nAnswer: 55.08",
    )
    assert view.status == "answered" and view.finished.answer == "55.08"
    decomposer, *solvers = view.calls
    assert contents(decomposer)[-1] == f"Problem: {PENS}"
    first, second, last = map(contents, solvers)
    assert first[1:] == [f"Problem: {PENS}\n\nFirst question: What is the full price?"]
    assert second[1:] == [*first[1:], "48 * 1.35.\nAnswer: 64.80", "Next question: What share remains?"]
    assert last[:-1] == [*second, "100 - 15.\nAnswer: 85%"]
    assert last[-1].endswith(PENS)
    assert view.finished.feedback == "none"


def test_the_last_sub_question_is_the_question_itself(settings):
    view = asked(settings, parts("What is the full price?"), "Answer: 64.80", "Answer: 55.08")
    assert view.calls[0].card.title == "2 questions in order"
    assert view.calls[0].card.content == f"1. What is the full price?\n2. {PENS}"
    assert [call.card.title for call in view.calls[1:]] == ["1 of 2: What is the full price?", f"2 of 2: {PENS}"]
    assert [call.card.data["candidate"] for call in view.calls[1:]] == ["64.80", "55.08"]
    assert [(d.edge, d.reason) for d in view.decisions] == [
        ("solve", "1 of 2 answered"),
        ("__end__", "the question itself is answered"),
    ]


@pytest.mark.parametrize("named", [[], ["  "], [PENS.upper()]])
def test_a_question_that_needs_no_other_is_asked_at_once(settings, named):
    view = asked(settings, parts(*named), "Answer: 55.08")
    assert view.finished.answer == "55.08" and view.totals.calls == 2
    assert contents(view.calls[1])[1:] == [f"Problem: {PENS}"]
    assert view.calls[0].card.title == "One question"


def test_the_question_and_what_was_named_twice_are_asked_once():
    assert ordered(["What is a?", "What is b?", "what is A", "What is c?"], "What is c?") == [
        "What is a?",
        "What is b?",
        "What is c?",
    ]


def test_more_parts_than_allowed_go_back_to_the_model(settings):
    view = asked(settings, parts("a?", "b?", "c?"), parts("a?", "b?"), *["Answer: 1"] * 3, parts=2)
    assert view.status == "answered" and view.totals.calls == 5
    assert view.calls[0].called.parameters["json_schema"]["properties"]["questions"]["maxItems"] == 2
    assert "at most 2" in contents(view.calls[0])[0]
    assert view.calls[0].retried is not None


def test_a_last_answer_that_is_cut_is_none_and_says_so(settings):
    view = asked(settings, parts("a?"), "Answer: 1", {"text": "First I take", "finish_reason": "length"})
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "The last answer was cut before it came to one."


def test_a_sub_question_without_an_answer_does_not_end_the_run(settings):
    view = asked(settings, parts("a?"), {"text": "First I", "finish_reason": "length"}, "Answer: 2")
    assert view.status == "answered" and view.finished.answer == "2"
    assert contents(view.calls[2])[2] == "First I"
    assert view.calls[1].card.data["candidate"] == ""


def test_worked_examples_are_earlier_turns_of_both_roles(settings):
    _, view = run(settings, "least_to_most", [parts("a?"), "Answer: 1", "Answer: 2"])
    decomposer, solver = (contents(call) for call in view.calls[:2])
    assert all(len(json.loads(decomposer[number])["questions"]) == 2 for number in (2, 4, 6))
    assert solver[2].endswith("Answer: 180") and solver[6].endswith("Answer: 1065")


def test_the_options_are_bounded():
    assert Options().parts == 4
    for wrong in ({"parts": 0}, {"parts": 11}):
        with pytest.raises(ValidationError):
            Options(**wrong)
