"""Self-Refine: one conversation, feedback with scores on named aspects, and its three ways to end."""

import itertools
import json

import pytest
from pydantic import ValidationError

from agents.aspects import ASPECTS
from agents.self_refine import Options
from tests.runs import run


def scored(*scores: int, kind: str = "answer") -> str:
    """Feedback with these scores."""
    remarks = zip(ASPECTS[kind], scores, strict=True)
    return json.dumps({name: {"remark": f"About {name} {score}.", "score": score} for name, score in remarks})


def contents(call):
    return [message["content"] for message in call.called.messages]


def test_it_stops_when_the_feedback_says_so(settings):
    _, view = run(settings, "self_refine", ["One.", scored(2, 5, 4), "Two.", scored(5, 5, 5)])
    assert view.status == "answered" and view.finished.answer == "Two."
    assert view.finished.feedback == "self"
    titles = [call.card.title for call in view.calls]
    assert titles == ["Answer", "Feedback 1 · 11 of 15", "Refinement 1", "Feedback 2 · 15 of 15"]
    assert [(d.edge, d.reason) for d in view.decisions] == [
        ("refine", "correctness has 2 of 5"),
        ("feedback", "round 2"),
        ("__end__", "every aspect has 5 or more of 5"),
    ]


def test_feedback_names_each_aspect_with_a_remark_and_a_score(settings):
    _, view = run(settings, "self_refine", ["One.", scored(2, 5, 4), "One."])
    card = view.calls[1].card
    assert card.content.splitlines() == [
        "- **correctness 2/5**: About correctness 2.",
        "- **completeness 5/5**: About completeness 5.",
        "- **clarity 4/5**: About clarity 4.",
    ]
    assert card.data["scores"] == {"correctness": 2, "completeness": 5, "clarity": 4}
    assert '"correctness", "completeness", "clarity"' in contents(view.calls[1])[-1]


@pytest.mark.parametrize(("enough", "calls"), [(5, 3), (4, 2)])
def test_what_is_good_enough_is_an_option(settings, enough, calls):
    _, view = run(settings, "self_refine", ["One.", scored(5, 4, 5), "One."], enough=enough)
    assert view.status == "answered" and view.totals.calls == calls


def test_a_mean_that_hides_one_bad_aspect_is_not_good_enough(settings):
    _, view = run(settings, "self_refine", ["One.", scored(5, 5, 1), "Two.", scored(4, 4, 4)], enough=4)
    assert view.decisions[0].reason == "clarity has 1 of 5" and view.finished.answer == "Two."


def test_it_stops_on_the_last_round(settings):
    answers = ["One.", scored(1, 1, 1), "Two.", scored(2, 2, 2), "Three."]
    _, view = run(settings, "self_refine", answers, rounds=2)
    assert view.finished.answer == "Three."
    assert view.decisions[-1].reason == "round 2 was the last"


def test_it_stops_when_a_refinement_changes_nothing(settings):
    _, view = run(settings, "self_refine", ["Same text.", scored(3, 3, 3), "Same  text.\n"])
    assert view.status == "answered"
    assert view.decisions[-1].reason == "the refinement changed nothing"


def test_a_refinement_sees_all_answers_and_all_feedback_and_each_prompt_only_grows(settings):
    """What was read stays as it was, so that a backend's cache holds it."""
    answers = ["One.", scored(2, 5, 4), "Two.", scored(3, 5, 4), "Three.", scored(5, 5, 5)]
    _, view = run(settings, "self_refine", answers)
    sent = [call.called.messages for call in view.calls]
    for shorter, longer in itertools.pairwise(sent):
        assert longer[: len(shorter)] == shorter
        assert len(longer) == len(shorter) + 2
    assert [text for text in contents(view.calls[4]) if text in answers] == answers[:4]


def test_every_round_is_an_answer_that_it_would_give(settings):
    _, view = run(settings, "self_refine", ["One.", scored(2, 5, 4), "Two.", scored(5, 5, 5)])
    assert [(one.round, one.content) for one in view.candidates] == [(0, "One."), (1, "Two.")]
    assert "previous" not in view.calls[0].card.data and view.calls[2].card.data["previous"] == "One."


@pytest.mark.parametrize("kind", ASPECTS)
def test_the_aspects_go_by_what_is_judged(settings, kind):
    _, view = run(settings, "self_refine", ["One.", scored(5, 5, 5, kind=kind)], aspects=kind)
    assert view.status == "answered"
    assert tuple(view.calls[1].called.parameters["json_schema"]["properties"]) == ASPECTS[kind]


def test_a_score_that_is_none_goes_back_to_the_model(settings):
    _, view = run(settings, "self_refine", ["One.", scored(6, 5, 5), scored(5, 5, 5)])
    assert view.status == "answered" and view.totals.calls == 3
    assert "less than or equal to 5" in view.calls[2].called.messages[-1]["content"]


def test_the_options_are_bounded():
    assert Options().rounds == 4 and Options().enough == 5
    for wrong in ({"rounds": 0}, {"rounds": 11}, {"enough": 0}, {"enough": 6}, {"aspects": "speed"}):
        with pytest.raises(ValidationError):
            Options(**wrong)
