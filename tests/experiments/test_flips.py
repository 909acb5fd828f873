"""The flip ledger: what each round made right and wrong, and where to stop."""

import numpy as np
import pytest

from tests.experiments.answered import cell, items, plan
from workbench.experiments.flips import Ledger, flips
from workbench.experiments.model import Cell
from workbench.experiments.results import Results, results
from workbench.experiments.statistics import wilson


def revised(*runs: tuple[float, ...], graded: bool = False, source: str = "critic") -> Results:
    """A lane whose runs, one for each item, had these scores round by round."""
    every = [cell(0, item, rounds[-1], rounds=rounds, feedback=source) for item, rounds in enumerate(runs)]
    return results(plan("reflection"), items(len(runs)), every, graded)


def ledger_of(*runs: tuple[float, ...], graded: bool = False, source: str = "critic") -> Ledger:
    (ledger,) = revised(*runs, graded=graded, source=source).ledgers
    return ledger


def test_flips_are_counted_in_the_round_in_which_they_happened():
    ledger = ledger_of((0, 1), (0, 1), (1, 0), (1, 1), (0, 0), (0, 1, 0), (1,))
    first, second, third = ledger.rounds
    assert (first.gained, first.lost, first.stayed, first.ended) == (0, 0, 0, 0)
    assert (second.gained, second.lost, second.stayed, second.ended) == (3, 1, 2, 1)
    assert (third.gained, third.lost, third.stayed, third.ended) == (0, 1, 0, 6)


def test_a_run_that_is_over_keeps_its_last_answer_and_its_cost():
    ledger = ledger_of((1,), (0, 0, 1), (0, 1), (1, 1))
    assert [step.score for step in ledger.rounds] == [0.5, 0.75, 1.0]
    assert [step.tokens for step in ledger.rounds] == [100, 175, 200]


def test_the_score_at_each_round_has_wilson_s_interval():
    step = ledger_of(*[(0, 1)] * 12, *[(0, 0)] * 28).rounds[1]
    assert (step.low, step.high) == wilson(12, 40)


def test_revisions_that_help_are_said_to_help():
    ledger = ledger_of(*[(0, 1)] * 12, *[(1, 0)] * 1, *[(1, 1)] * 27)
    assert ledger.verdict == (
        "reflection's last answer is better than its first, with critic feedback against none: +28 points (95% interval"
        " 11 to 43), p = 0.003, 40 items."
    )


def test_revisions_that_spoil_are_said_to_spoil():
    ledger = ledger_of(*[(1, 0)] * 12, *[(1, 1)] * 28)
    assert ledger.verdict.startswith(
        "its first is better than reflection's last answer, without feedback against critic feedback: +30 points"
    )


def test_too_few_revisions_are_said_to_be_too_few():
    assert ledger_of(*[(0, 1)] * 3, *[(1, 0)] * 2, *[(1, 1)] * 35).verdict.startswith("Not enough items to tell")


def test_the_best_round_comes_with_how_uncertain_it_is():
    ledger = ledger_of(*[(0, 1, 0)] * 4, *[(0, 1, 1)] * 8, *[(1, 1, 1)] * 20, *[(0, 0, 1)] * 3, *[(0, 0, 0)] * 5)
    assert [step.score for step in ledger.rounds] == pytest.approx([0.5, 0.8, 0.775])
    assert ledger.best == 2
    assert sum(step.best for step in ledger.rounds) == pytest.approx(1)
    assert 0.5 < ledger.rounds[1].best < 0.9
    assert "Stopping reflection after round 2 of 3 scores highest here: 80% (65 to 90)." in ledger.advice
    assert "chosen on these very items" in ledger.advice


def test_of_equal_rounds_the_earliest_is_the_best():
    ledger = ledger_of(*[(1, 1, 1)] * 20, *[(0, 0, 0)] * 20)
    assert ledger.best == 1 and ledger.rounds[0].best == 1


def test_a_round_chosen_among_equals_by_luck_is_expected_to_score_less_elsewhere():
    chosen, elsewhere = [], []
    for seed in range(8):
        scores = (np.random.default_rng(seed).random((30, 6)) < 0.5).astype(float)
        ledger = ledger_of(*(tuple(row) for row in scores.tolist()))
        assert ledger.elsewhere is not None
        chosen.append(ledger.rounds[ledger.best - 1].score)
        elsewhere.append(ledger.elsewhere)
    assert np.mean(chosen) > 0.57
    assert np.mean(elsewhere) < np.mean(chosen) - 0.02


def test_graded_answers_flip_when_they_move_by_more_than_a_twentieth():
    ledger = ledger_of((0.4, 0.45), (0.4, 0.46), (0.4, 0.3), (0.9, 0.88), graded=True)
    assert (ledger.rounds[1].gained, ledger.rounds[1].lost, ledger.rounds[1].stayed) == (1, 1, 2)
    assert ledger.words == ("better", "worse")


def test_a_run_s_own_flips_are_counted():
    one = cell(0, 0, 1.0, rounds=(0, 1, 0, 1))
    assert flips(one, graded=False) == (2, 1)
    assert flips(cell(0, 0, 1.0), graded=False) == (0, 0)


def test_runs_of_several_seeds_are_counted_as_runs_and_scored_by_item():
    every = [cell(0, item, 1.0, seed=seed, rounds=(0, 1) if seed else (0, 0)) for item in range(12) for seed in (0, 1)]
    (ledger,) = results(plan("a", seeds=2), items(12), every, False).ledgers
    assert (ledger.runs, ledger.items, ledger.rounds[1].gained) == (24, 12, 12)
    assert [step.score for step in ledger.rounds] == [0, 0.5]


def mixed(*sources: str) -> tuple[Ledger, ...]:
    """Two items for each source, revised once."""
    every: list[Cell] = []
    for source in sources:
        every += [cell(0, len(every) + more, 1.0, rounds=(0, 1), feedback=source) for more in (0, 1)]
    return results(plan("reflection"), items(len(every)), every, False).ledgers


def test_different_sources_of_feedback_are_never_in_one_ledger():
    assert [(ledger.feedback, ledger.runs) for ledger in mixed("gold", "self")] == [("gold", 2), ("self", 2)]


def test_runs_that_ended_before_any_feedback_belong_to_the_only_source():
    assert [(ledger.feedback, ledger.runs) for ledger in mixed("critic", "none")] == [("critic", 4)]


def test_with_two_sources_runs_without_feedback_stand_alone():
    assert [ledger.feedback for ledger in mixed("critic", "none", "tool")] == ["critic", "tool", "none"]


def test_gold_feedback_is_remarked_on():
    ledger = ledger_of(*[(0, 1)] * 20, *[(1,)] * 20, source="gold")
    assert ledger.verdict.endswith(
        "It was told which answers were wrong (gold feedback): without that it may do worse."
    )


def test_a_run_that_came_to_no_round_counts_with_what_it_ended_with():
    every = [cell(0, item, 1.0, rounds=(0, 1), feedback="critic") for item in range(20)]
    every += [cell(0, item, 0.0, feedback="critic", prompt_tokens=260) for item in range(20, 40)]
    found = results(plan("reflection"), items(40), every, False)
    (ledger,) = found.ledgers
    assert (ledger.runs, ledger.items, ledger.unrevised, ledger.rounds[1].ended) == (40, 40, 20, 20)
    assert [step.score for step in ledger.rounds] == [0.0, 0.5]
    assert ledger.rounds[-1].score == found.lanes[0].score
    assert [step.tokens for step in ledger.rounds] == [200, 250]
    assert ledger.advice.endswith(
        "20 of 40 runs came to no round, as at a limit before the first draft: what they ended with counts as their"
        " only one."
    )


def test_a_lane_without_a_second_round_has_no_ledger_and_it_is_said_why():
    found = revised(*[(1,)] * 8, *[(0,)] * 8)
    assert found.ledgers == ()
    assert found.notes == (
        "reflection came to no second round in any run: there is nothing to count in a flip ledger.",
    )


@pytest.mark.parametrize(("scorer", "why"), [("judge", "a model judges"), ("person", "a person scores")])
def test_where_rounds_are_not_scored_it_is_said_why_there_is_no_ledger(scorer, why):
    every = [cell(0, item, 1.0, feedback="critic") for item in range(20)]
    found = results(plan("reflection", scorer=scorer), items(20), every, True)
    assert found.notes == (
        f"There is no flip ledger: {why} the last answers alone, not the rounds before them. Score with one that asks"
        " nobody to see what each round changed.",
    )


@pytest.mark.parametrize(("scorer", "source"), [("judge", "none"), ("exact", "tool")])
def test_of_lanes_that_revise_nothing_no_ledger_is_expected(scorer, source):
    every = [cell(0, item, 1.0, feedback=source) for item in range(20)]
    assert results(plan("a", scorer=scorer), items(20), every, False).notes == ()


def test_the_tests_of_several_ledgers_are_corrected_together():
    every = [cell(lane, item, 1.0, rounds=(0, 1) if item < 7 else (1, 1)) for lane in (0, 1) for item in range(20)]
    found = results(plan("a", "b"), items(20), every, False).ledgers
    assert [ledger.p for ledger in found] == pytest.approx([2 * 2 / 2**7] * 2)
    assert "after Holm" in found[0].verdict
