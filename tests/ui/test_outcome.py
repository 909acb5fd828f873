"""What a comparison came to: answers, differences, agreement, cost, and the standing in words."""

import pytest

from tests.logs import OOPS, Log
from tests.store.samples import a_request
from workbench.events import RunView
from workbench.store.comparisons import Comparison, Lane, Tally
from workbench.ui.ballot import choices, said_html, standing
from workbench.ui.outcome import Entrant, agreement, answers_html, cost_html

ESSAY = "The fox asks to be tamed, and that takes time, day after day, a little closer. " * 6


def entrant(letter: str, log: Log, machine: str = "direct", waited: float = 0.0) -> Entrant:
    lane = Lane.of(f"run-{letter}", machine.title(), a_request(machine=machine), {})
    return Entrant(letter, lane, RunView.of(log.events), waited)


def answered(letter: str, answer: str, **more: object) -> Entrant:
    log = Log().begin("think").ask("think").answer(answer, mean_logprob=-0.5).end("think")
    return entrant(letter, log.finish(answer, **more))


def failed(letter: str) -> Entrant:
    return entrant(letter, Log().begin("think").ask("think").fail().finish("", "failed", error=OOPS), "react")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("Answer: 42", "So it is 42."), "All come to the same answer. A and B say: 42."),
        (("Answer: 42", "Answer: 42.0", "Answer: 41"), "The answers differ. A and B say: 42. C says: 41."),
        (("Canberra", "Sydney"), "The answers differ. A says: Canberra. B says: Sydney."),
        ((ESSAY, ESSAY), ""),
        (("Answer: 42", ESSAY), "A says: 42. B says nothing that can be read as one."),
        (("Answer: 42",), ""),
    ],
)
def test_agreement_is_said_of_results_and_not_of_texts(texts: tuple[str, ...], said: str):
    assert agreement([answered(letter, text) for letter, text in zip("ABC", texts, strict=False)]) == said


def test_a_lane_that_was_resumed_after_the_vote_is_offered_for_a_new_one():
    lanes = [answered("A", "Answer: 42"), answered("B", "Answer: 41"), answered("C", "Answer: 40")]
    kept = tuple(one.lane.model_copy(update={"answered": one.letter != "C"}) for one in lanes)
    voted = Comparison(id="c", created_at="", question="?", lanes=kept, vote=0)
    assert choices(voted, lanes) == [0, 1, 2]
    said = said_html(voted, lanes)
    assert "You found A best. C had no answer yet when you voted: vote again to count it." in said
    assert "came to no answer" not in said


def test_a_failed_lane_is_a_failure_and_no_wrong_answer():
    lanes = [answered("A", "Answer: 42"), answered("B", "Answer: 42"), failed("C")]
    shown = answers_html(lanes)
    assert "Failed" in shown and "It failed." in shown
    assert agreement(lanes).startswith("All come to the same answer.")
    assert failed("C").answer == ""


def test_answers_are_shown_as_what_they_change_in_a_chosen_one():
    lanes = [answered("A", "It is a large red house."), answered("B", "It is a small red house.")]
    assert "<del>" not in answers_html(lanes)
    shown = answers_html(lanes, against="A")
    assert "<del>large</del><ins>small</ins>" in shown
    assert shown.count("<del>") == 1
    assert "<del>small</del><ins>large</ins>" in answers_html(lanes, against="B")


def test_texts_with_nothing_in_common_are_not_struck_out_word_by_word():
    lanes = [answered("A", ESSAY), answered("B", "48 pens cost 55.08.")]
    shown = answers_html(lanes, against="A")
    assert "<del>" not in shown and "Little in common with A" in shown
    assert "Word for word the same as A." in answers_html([lanes[0], answered("B", ESSAY)], against="A")


def test_what_is_hidden_is_not_in_the_html():
    lanes = [answered("A", "One."), answered("B", "Two."), failed("C")]
    shown = answers_html(lanes, hidden=True)
    assert "One." in shown and "Two." in shown and "came to no answer" in shown
    told = ("Direct", "React", "script", "p̄", "tokens", "call", "step", "It failed.", 'data-lane="a"')
    assert [word for word in told if word in shown] == []


def test_costs_stand_beside_each_other():
    table = cost_html([answered("A", "One."), entrant("B", Log().visit("think", "x").finish("x"), waited=2.5)])
    rows = {row.split("</th>")[0].split(">")[-1]: row for row in table.split("<tr>")}
    assert rows["tokens read"].count("30") == 2 and rows["tokens written"].count("10") == 2
    assert "0.61" in rows["confidence"] and "–" in rows["confidence"]
    assert "2.5 s" in rows["of it waiting for a slot"]
    assert "tool calls" not in rows


def test_the_confidence_of_an_answer_that_was_read_out_of_texts_is_that_of_those_texts():
    log = Log().begin("think").ask("think").answer("6 x 7 makes it. Answer: 42", mean_logprob=-0.5)
    log.ask("think").answer("Answer: 41", mean_logprob=-3.0).end("think").finish("42")
    assert "<td>0.61</td>" in cost_html([entrant("A", log)])


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (Tally(wins=7, losses=2), "A against B: 7 of 9 votes (45% to 94%). Too early to tell."),
        (Tally(wins=1), "A against B: 1 of 1 vote (21% to 100%). Too early to tell."),
        (Tally(wins=18, losses=2, ties=1), "A against B: 18 of 20 votes (70% to 97%), 1 tie. A is preferred."),
        (Tally(wins=2, losses=18, ties=3), "A against B: 2 of 20 votes (3% to 30%), 3 ties. B is preferred."),
        (Tally(ties=2), "A against B: no vote for either, 2 ties. Too early to tell."),
    ],
)
def test_the_standing_says_its_interval_and_whether_it_tells_anything(tally: Tally, said: str):
    assert standing("A", "B", tally) == said
