"""Debate: each sees what the others say and revises; it ends when all agree, by a vote or by a judge."""

import pytest
from pydantic import ValidationError

from agents.debate import Options
from tests.runs import finish, request, run, scripted_engine
from workbench import prompts
from workbench.bench import APART
from workbench.events import NoteView


def said(*answers: str) -> list[str]:
    """A chain of thought for each answer; they differ in their words."""
    return [f"I think {number}.\nAnswer: {answer}" for number, answer in enumerate(answers)]


def counts(view):
    """The cards of the counts."""
    return [entry.event for entry in view.entries if isinstance(entry, NoteView) and "votes" in entry.event.data]


def contents(call):
    return [message["content"] for message in call.called.messages]


def test_all_answer_alone_then_in_view_of_the_others_then_the_vote_decides(settings):
    _, view = run(settings, "debate", said(*"455", *"445", *"445"))
    assert view.status == "answered" and view.finished.answer == "4"
    assert view.finished.feedback == "self" and view.totals.calls == 9
    assert [card.title for card in counts(view)] == ["Round 0: 5", "Round 1: 4", "Round 2: 4"]
    assert counts(view)[-1].content == "2 of 3 answerers say 4, 1 says 5."
    assert [(d.edge, d.reason) for d in view.decisions] == [
        ("revise", "round 1 of 2"),
        ("revise", "round 2 of 2"),
        ("__end__", "the vote decides"),
    ]


def test_each_sees_what_all_others_say_and_its_own_answer_as_its_own(settings):
    answers = said(*"456", *"555")
    _, view = run(settings, "debate", answers)
    opening = contents(view.calls[0])
    second = view.calls[4].called.messages
    assert contents(view.calls[4])[:-2] == opening
    assert [message["role"] for message in second[-2:]] == ["assistant", "user"]
    assert second[-2]["content"] == answers[1]
    assert f"Answerer 1 says:\n{answers[0]}\n\nAnswerer 3 says:\n{answers[2]}" in second[-1]["content"]
    assert answers[1] not in second[-1]["content"]


def test_each_conversation_only_grows(settings):
    """What was read stays as it was, so that a backend's cache holds it."""
    _, view = run(settings, "debate", said(*"456", *"446", *"446"))
    for number in range(3):
        first, second, third = (call.called.messages for call in view.calls[number::3])
        assert second[: len(first)] == first and third[: len(second)] == second
        assert len(third) == len(second) + 2 == len(first) + 4


def test_it_stops_as_soon_as_all_agree(settings):
    _, view = run(settings, "debate", said("4", "4.0", "four"))
    assert view.finished.answer == "4" and view.totals.calls == 3
    assert view.decisions[-1].reason == "all agree"


def test_it_goes_on_though_all_agree_where_it_is_told_to(settings):
    _, view = run(settings, "debate", said(*"444", *"444"), rounds=1, early=False)
    assert view.totals.calls == 6 and view.decisions[-1].reason == "all agree"


def test_one_who_comes_to_nothing_does_not_agree(settings):
    cut = {"text": "First I count the", "finish_reason": "length"}
    _, view = run(settings, "debate", [*said("4", "4"), cut, *said(*"444")])
    assert view.finished.answer == "4" and view.totals.calls == 6
    assert counts(view)[0].content == "2 of 3 answerers say 4."


def test_no_answer_at_all_is_said_and_is_no_answer(settings):
    cut = {"text": "First I count the", "finish_reason": "length"}
    _, view = run(settings, "debate", [cut] * 4, answerers=2, rounds=1)
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "No answerer came to an answer."


def test_a_judge_decides_where_they_differ_to_the_last_and_may_side_with_the_minority(settings):
    ruling = "The second is right.\nAnswer: 5"
    _, view = run(settings, "debate", [*said(*"454", *"454"), ruling], rounds=1, closing="judge")
    assert view.status == "answered" and view.finished.answer == "5"
    assert view.decisions[-1].edge == "judge" and view.decisions[-1].reason == "they differ to the last"
    assert [message["role"] for message in view.calls[-1].called.messages] == ["system", "user"]
    case = contents(view.calls[-1])[-1]
    assert case.startswith("Question: What is 2 + 2?") and all(text in case for text in said(*"454", *"454")[3:])
    assert view.calls[-1].card.title == "Judge: 5"


def test_no_judge_is_asked_where_all_agree(settings):
    _, view = run(settings, "debate", said(*"454", *"444"), closing="judge")
    assert view.totals.calls == 6 and view.decisions[-1].reason == "all agree"


def test_a_judge_who_is_cut_leaves_the_vote_and_says_so(settings):
    cut = {"text": "First I read the", "finish_reason": "length"}
    _, view = run(settings, "debate", [*said(*"454", *"454"), cut], rounds=1, closing="judge")
    assert view.status == "limit" and view.finished.answer == "4"
    assert view.finished.reason == "The judge was cut; this is what the vote says."


def test_answerers_differ_by_their_seeds_alone_at_first(settings):
    _, view = run(settings, "debate", said(*"4444"), answerers=4)
    assert [call.called.parameters["seed"] for call in view.calls] == [7 + number * APART for number in range(4)]
    assert len({str(call.called.messages) for call in view.calls}) == 1


def test_what_statistics_read_of_a_debate(settings):
    """Only the answers before the debate are samples; after each round there is an answer that it would give."""
    _, view = run(settings, "debate", said("$5", "4", "5", "4", "4", "5", "4", "4", "5"))
    assert [(one.number, one.content, one.answer) for one in view.samples] == [
        (0, "$5", "5"),
        (1, "4", "4"),
        (2, "5", "5"),
    ]
    assert [(one.round, one.content) for one in view.candidates] == [(0, "$5"), (1, "4"), (2, "4")]
    assert view.votes == {"4": 2, "$5": 1}


def test_before_the_debate_it_asks_exactly_what_a_chain_of_thought_is_asked():
    """Else the comparison with a vote alone would be one of prompts."""
    assert prompts.load("debate").roles["system"] == prompts.load("cot").roles["system"]


def test_a_run_that_is_stopped_in_a_round_asks_nobody_twice(settings):
    slow = [{"text": text, "delay": 0 if number < 4 else 9} for number, text in enumerate(said(*"454", *"444"))]
    with scripted_engine(settings, slow) as engine:
        run_id = engine.submit(request("debate"))
        answered = 0
        for batch in engine.follow(run_id):
            answered += sum(event.kind == "model_answered" for event in batch)
            if answered == 4:
                break
        engine.stop(run_id)
        assert finish(engine, run_id)[1].status == "stopped"
    with scripted_engine(settings, said(*"44")) as engine:
        engine.resume(run_id)
        _, view = finish(engine, run_id)
    assert view.status == "answered" and view.finished.answer == "4"
    assert len([call for call in view.calls if call.answer]) == 6


def test_the_options_are_bounded():
    assert (Options().answerers, Options().rounds, Options().closing, Options().early) == (3, 2, "vote", True)
    for wrong in ({"answerers": 1}, {"answerers": 9}, {"rounds": 0}, {"rounds": 7}, {"closing": "coin"}):
        with pytest.raises(ValidationError):
            Options(**wrong)
