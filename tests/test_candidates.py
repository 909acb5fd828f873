"""What statistics read of a run: the answer after each round, the samples, the votes, the answer's confidence."""

import math
from typing import Any

from tests.runs import run, verdict
from tests.ui.samples import REFLECTION, Log
from workbench.events import Card


def log() -> Log:
    return Log("reflection", REFLECTION).node("generate", 1)


def answered(log: Log, number: int, text: str = "It is 4.", mean: float = -0.1, **data: Any) -> Log:
    """A call with its answer, of 100 tokens read and 10 written, and its card."""
    log.call(f"c{number}", "generate", "generator")
    log.answer(f"c{number}", text, prompt_tokens=100, completion_tokens=10, mean_logprob=mean)
    return log.add(Card, node="generate", step=1, title="Card", content=text, call_id=f"c{number}", data=data)


def sample(log: Log, number: int, vote: str, candidate: str | None = None) -> Log:
    return answered(log, number, sample=number, vote=vote, candidate=vote if candidate is None else candidate)


def count(log: Log, **votes: int) -> Log:
    return log.add(
        Card, node="vote", step=2, title="Vote", content="", data={"votes": {k[1:]: v for k, v in votes.items()}}
    )


def test_a_machine_that_revises_has_a_candidate_after_each_round(settings):
    answers = ["One.", verdict("revise", 4, "More."), "Two.", verdict("accept", 9)]
    _, view = run(settings, "reflection", answers)
    assert [(one.round, one.content) for one in view.candidates] == [(0, "One."), (1, "Two.")]
    tokens = [(call.answer.prompt_tokens or 0) + (call.answer.completion_tokens or 0) for call in view.calls]
    assert [one.tokens for one in view.candidates] == [tokens[0], sum(tokens[:3])]


def test_a_candidate_is_what_the_card_says_it_comes_to_else_all_of_it():
    view = answered(answered(log(), 1, round=0), 2, round=1, candidate="4").view()
    assert [(one.round, one.content, one.tokens) for one in view.candidates] == [(0, "It is 4.", 110), (1, "4", 220)]


def test_samples_are_in_the_order_of_their_numbers_however_they_came_in():
    view = sample(sample(log(), 2, "5"), 1, "4", "$4").view()
    assert [tuple(one) for one in view.samples] == [(1, "$4", "4", 110), (2, "5", "5", 110)]


def test_a_run_without_rounds_samples_or_votes_has_none():
    view = answered(log(), 1).view()
    assert (view.candidates, view.samples, view.votes) == ([], [], {})


def test_votes_are_counted_as_each_sample_lands_the_most_first():
    run_log, seen = log(), []
    for number, vote in enumerate(["5", "4", "4", ""]):
        seen.append(list(sample(run_log, number, vote).view().votes.items()))
    assert seen == [
        [("5", 1)],
        [("5", 1), ("4", 1)],
        [("4", 2), ("5", 1)],
        [("4", 2), ("5", 1), ("", 1)],
    ]


def test_what_the_machine_counted_holds_and_later_samples_are_added():
    view = sample(count(sample(log(), 0, "4", "$4"), _4=3, _5=1), 1, "5", "5.0").view()
    assert view.votes == {"$4": 3, "5.0": 2}


def test_samples_without_an_answer_stay_counted_after_the_vote():
    view = count(sample(sample(log(), 0, ""), 1, "4"), _4=1).view()
    assert view.votes == {"4": 1, "": 1}


def test_the_confidence_is_that_of_the_last_call_that_came_to_the_answer():
    run_log = answered(log(), 1, "Work.\nAnswer: 4", -0.5, candidate="4")
    view = answered(run_log, 2, "Looks good.", -0.1).end("answered", answer="4").view()
    assert view.confidence == math.exp(-0.5)
    assert view.answer_call is view.calls[0]


def test_an_answer_that_no_call_came_to_has_no_confidence_nor_one_of_the_person():
    assert answered(log(), 1).end("answered", answer="Else.").view().confidence is None
    by_person = log().call("c1", "generate", "generator", by_person=True).answer("c1", "4", mean_logprob=-0.1)
    assert by_person.end("answered", answer="4").view().confidence is None
    assert answered(log(), 1).view().confidence is None
