"""ReAct and CoT-SC: which begins, when the other takes over, why, and whose answer it is in the end."""

from itertools import product
from math import log

import pytest
from pydantic import ValidationError

from agents import votes
from agents.react_cot_sc import Options
from tests.agents.test_self_consistency import by_seed, said, slowed
from tests.runs import action, at_rest, request, run
from workbench import prompts
from workbench.engine import Engine
from workbench.events import ModelAnswered, NoteView, Warned

MACHINE = "react_cot_sc"


def way(view) -> list[tuple[str, str]]:
    """Where the switch went, and why."""
    return [(decision.edge, decision.reason) for decision in view.decisions if decision.node == "switch"]


def steps(number: int) -> list[str]:
    """Steps of ReAct that lead to nothing."""
    return [action("calculator", f"{n} + 1") for n in range(number)]


def sure(text: str, probability: float) -> dict:
    """A sample all of whose tokens have about this probability."""
    return {"text": text, "logprobs": [log(probability)] * 20}


def test_an_answer_of_react_within_its_steps_is_the_answer(settings):
    _, view = run(settings, MACHINE, [action("calculator", "2 + 2"), action("finish", "4")])
    assert view.finished.answer == "4" and view.samples == []
    assert way(view) == [("reason", "ReAct first"), ("__end__", "ReAct finished")]


def test_react_without_an_answer_within_its_steps_gives_way_to_the_vote(settings):
    _, view = run(settings, MACHINE, [*steps(3), *said(*"445")], max_steps=3, samples=3)
    assert view.status == "answered" and view.finished.answer == "4"
    assert way(view) == [
        ("reason", "ReAct first"),
        ("sample", "no answer, 3 steps were all"),
        ("__end__", "the vote decides"),
    ]


def test_react_that_finishes_with_nothing_has_no_answer(settings):
    _, view = run(settings, MACHINE, [action("finish", " "), *said(*"444")], samples=3)
    assert view.finished.answer == "4"
    assert way(view)[1] == ("sample", "no answer, ReAct finished without one")


def test_the_last_word_is_the_votes_even_when_few_agree(settings):
    _, view = run(settings, MACHINE, [*steps(1), *said("4", "5", "6", "7")], max_steps=1, samples=4, adaptive=False)
    assert view.finished.answer == "4" and way(view)[-1] == ("__end__", "the vote decides")


@pytest.mark.parametrize(
    ("answers", "gives_way"),
    [("4445678", True), ("4444567", False), ("444567", False), ("445678", True), ("44", False)],
)
def test_a_majority_of_fewer_than_half_of_the_samples_gives_way_to_react(settings, answers, gives_way):
    """With 7 samples 3 votes are too few, with 6 they are enough."""
    script = [*said(*answers), action("finish", "9")]
    _, view = run(settings, MACHINE, script, first="cot_sc", samples=len(answers), adaptive=False)
    assert view.finished.answer == ("9" if gives_way else "4")
    assert [edge for edge, _ in way(view)] == (["sample", "reason", "__end__"] if gives_way else ["sample", "__end__"])


def test_the_reasons_say_the_numbers(settings):
    script = [*said(*"4445678"), action("finish", "9")]
    _, view = run(settings, MACHINE, script, first="cot_sc", adaptive=False)
    assert way(view) == [
        ("sample", "vote first"),
        ("reason", "3 of 7 agree, 4 have to"),
        ("__end__", "ReAct decides"),
    ]
    _, view = run(settings, MACHINE, said(*"4444"), first="cot_sc")
    assert way(view)[-1] == ("__end__", "4 of 7 agree, 4 have to")
    assert view.decisions[-2].reason == "settled, 4 of at most 7 were drawn"


def test_the_share_that_has_to_agree_is_an_option(settings):
    script = [*said(*"444445"), action("finish", "9")]
    for threshold, answer in ((0.8, "4"), (0.9, "9")):
        options = {"first": "cot_sc", "samples": 6, "threshold": threshold, "adaptive": False}
        _, view = run(settings, MACHINE, script, **options)
        assert view.finished.answer == answer


def test_when_react_has_nothing_either_what_leads_the_vote_stays(settings):
    script = [*said(*"4567"), *steps(2)]
    _, view = run(settings, MACHINE, script, first="cot_sc", samples=4, adaptive=False, max_steps=2)
    assert view.status == "answered" and view.finished.answer == "4"
    assert way(view)[-1] == ("__end__", "no answer, 2 steps were all: what leads the vote stays")


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("first", ["react", "cot_sc"])
def test_where_the_vote_decides_it_is_drawn_until_it_is_known_who_leads(settings, first, adaptive):
    """Half of them cannot agree after five samples, but who leads is open until the last."""
    early, late = said("3", "5", "7", "9", "11"), said("9", "9")
    script = [*steps(1), *early, *late]
    if first == "cot_sc":
        script = [*early, *steps(1), *late] if adaptive else [*early, *late, *steps(1)]
    _, view = run(settings, MACHINE, script, first=first, max_steps=1, parallel=1, adaptive=adaptive)
    assert view.finished.answer == "9" and len(view.samples) == 7
    if first == "cot_sc" and adaptive:
        assert way(view)[-2:] == [
            ("sample", "no answer, 1 steps were all: the vote goes on"),
            ("__end__", "no answer, 1 steps were all: what leads the vote stays"),
        ]


def test_a_blank_finish_leaves_the_votes_leader(settings):
    script = [*said(*"357"), action("finish", " ")]
    _, view = run(settings, MACHINE, script, first="cot_sc", samples=3, adaptive=False)
    assert view.status == "answered" and view.finished.answer == "3"


@pytest.mark.parametrize("first", ["react", "cot_sc"])
def test_when_neither_has_an_answer_a_limit_says_so(settings, first):
    cut = [{"text": "First I count the", "finish_reason": "length"}] * 2
    script = [*steps(2), *cut] if first == "react" else [*cut, *steps(2)]
    _, view = run(settings, MACHINE, script, first=first, max_steps=2, samples=2)
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "Neither ReAct nor the vote came to an answer."
    assert "nor" in way(view)[-1][1]


def test_samples_that_can_change_nothing_are_not_drawn(settings):
    """Four that agree of seven: enough. Five that all differ: whatever the last two say, four cannot agree."""
    _, view = run(settings, MACHINE, said(*"4444444"), first="cot_sc", parallel=1)
    assert len(view.samples) == 4
    _, view = run(settings, MACHINE, [*said(*"12345"), action("finish", "9")], first="cot_sc", parallel=16)
    assert len(view.samples) == 5 and view.finished.answer == "9"


@pytest.mark.parametrize(("size", "quorum"), [(5, 3), (6, 3), (6, 5), (6, 2)])
def test_stopping_early_never_changes_what_follows(size, quorum):
    """Whatever the samples say, in batches of four: the verdict of all of them, and the same majority."""
    for ballots in product(["a", "b", ""], repeat=size):
        seen = 0
        while more := votes.fewest_to_settle(ballots[:seen], size - seen, quorum):
            seen += min(more, 4)
        early, whole = votes.count(ballots[:seen]), votes.count(ballots)
        leaders = [(next(iter(count), ""), max(count.values(), default=0) >= quorum) for count in (early, whole)]
        assert seen <= size and leaders[0][1] == leaders[1][1]
        assert not leaders[0][1] or leaders[0] == leaders[1]


def test_it_samples_on_while_the_leader_is_known_but_not_whether_enough_agree(settings):
    """3 of 6 lead and cannot be overtaken, but the seventh could make them 4."""
    assert votes.is_decided(list("444567"), 1)
    _, view = run(settings, MACHINE, said(*"4445674"), first="cot_sc", parallel=1)
    assert len(view.samples) == 7 and way(view)[-1] == ("__end__", "4 of 7 agree, 4 have to")


def test_a_majority_that_is_not_sure_gives_way_only_where_that_is_wanted(settings):
    """The sure outsider does not count: the mean is that of the samples that agree."""
    script = [sure(said("4")[0], 0.7), sure(said("4")[0], 0.6), sure(said("5")[0], 0.99), action("finish", "9")]
    options = {"first": "cot_sc", "samples": 3, "adaptive": False}
    assert run(settings, MACHINE, script, **options)[1].finished.answer == "4"
    assert run(settings, MACHINE, script, **options, confident=0.6)[1].finished.answer == "4"
    _, view = run(settings, MACHINE, script, **options, confident=0.7)
    assert view.finished.answer == "9"
    assert way(view)[1] == ("reason", "65% sure, those that agree; 70% is enough")


def test_a_backend_without_probabilities_is_told_of_once_and_the_votes_count(settings):
    _, view = run(settings, MACHINE, said(*"4444"), first="cot_sc", confident=0.9)
    assert view.finished.answer == "4"
    told = [entry.event for entry in view.entries if isinstance(entry, NoteView) and isinstance(entry.event, Warned)]
    assert [one.code for one in told] == ["confidence_unknown"] and "Choose a backend" in told[0].hint


def test_a_run_that_is_cut_off_in_the_midst_of_the_vote_goes_on_without_losing_or_repeating_a_sample(settings):
    asked = request(MACHINE, first="cot_sc")
    engine = Engine(settings, {"scripted": by_seed(slowed(0, 9, 0, 9, 0))})
    run_id, answered = engine.submit(asked), 0
    for batch in engine.follow(run_id):
        answered += sum(isinstance(event, ModelAnswered) for event in batch)
        if answered == 2:
            break
    engine.close()
    engine = Engine(settings, {"scripted": by_seed(slowed(0))})
    try:
        engine.resume(run_id)
        view, whole = at_rest(engine, run_id), at_rest(engine, engine.submit(asked))
    finally:
        engine.close()
    drawn = [call.called.parameters["seed"] for call in view.calls if call.answer]
    assert len(set(drawn)) == len(drawn) == len(whole.samples)
    assert view.samples == whole.samples and way(view) == way(whole)
    assert view.finished.answer == whole.finished.answer == "4"


def test_feedback_is_what_the_run_really_used(settings):
    assert run(settings, MACHINE, said(*"4444"), first="cot_sc")[1].finished.feedback == "none"
    script = [action("calculator", "2 + 2"), action("finish", "4")]
    assert run(settings, MACHINE, script)[1].finished.feedback == "tool"


def test_it_asks_exactly_what_the_two_machines_ask():
    """Else a comparison with them would be one of prompts."""
    both = {**prompts.load("react").roles, **prompts.load("self_consistency").roles}
    assert prompts.load(MACHINE).roles == both


def test_the_options_are_the_papers_and_bounded():
    assert (Options().first, Options().max_steps, Options().samples, Options().threshold) == ("react", 7, 7, 0.5)
    assert Options().confident is None and Options(samples=21).samples == 21
    for wrong in ({"samples": 0}, {"threshold": 0.0}, {"threshold": 1.1}, {"confident": 1.0}, {"first": "cot"}):
        with pytest.raises(ValidationError):
            Options(**wrong)
