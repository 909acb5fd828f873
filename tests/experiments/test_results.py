"""What is said of an experiment: scores, costs, pairs, and what is not said."""

import json
import time

import numpy as np
import pytest

from tests.experiments.answered import cell, cells, compared, items, plan, shares
from workbench.experiments.model import Cell
from workbench.experiments.power import power
from workbench.experiments.results import results, to_json
from workbench.experiments.statistics import wilson
from workbench.experiments.words import Scale


def test_a_score_of_right_answers_has_wilson_s_interval():
    lane = compared([1.0] * 30 + [0.0] * 20).lanes[0]
    assert (lane.n, lane.score, lane.method) == (50, 0.6, "Wilson")
    assert (lane.low, lane.high) == wilson(30, 50)


def test_a_graded_score_is_bootstrapped():
    scores = np.random.default_rng(0).beta(2, 2, 80)
    lane = compared(list(scores), graded=True).lanes[0]
    error = scores.std() / np.sqrt(80)
    assert lane.method == "BCa bootstrap of the items, 10,000 resamples"
    assert lane.low == pytest.approx(scores.mean() - 1.96 * error, abs=0.01)
    assert lane.high == pytest.approx(scores.mean() + 1.96 * error, abs=0.01)


def test_more_seeds_that_say_the_same_make_nothing_surer():
    scores = [1.0] * 30 + [0.0] * 20
    every = [one for seed in range(4) for one in cells(0, scores, seed=seed)]
    lane = results(plan("a", seeds=4), items(50), every, False).lanes[0]
    low, high = wilson(30, 50)
    assert (lane.n, lane.answers, lane.score) == (50, 200, 0.6)
    assert (lane.low, lane.high) == pytest.approx((low, high), abs=0.02)


def test_an_item_s_score_is_the_mean_over_its_seeds():
    every = [*cells(0, [1.0, 0.0], seed=0), *cells(0, [1.0, 1.0], seed=1)]
    found = results(plan("a", seeds=2), items(2), every, False)
    assert [row.outcomes[0].score for row in found.rows] == [1.0, 0.5]
    assert "mean over 2 seeds" in " ".join(found.notes)


def test_lanes_stay_in_the_plan_s_order_whatever_they_score():
    assert [lane.name for lane in compared([0.0] * 5, [1.0] * 5, [0.0] * 5).lanes] == ["a", "b", "c"]


def test_a_lane_that_is_better_is_said_to_be_with_its_interval():
    pair = compared(*shares((14, [1, 0]), (2, [0, 1]), (34, [1, 1])), names=["cot", "direct"]).pairs[0]
    assert pair.said == "better"
    assert pair.verdict == ("cot is better than direct: +24 points (95% interval 9 to 38), p = 0.004, 50 items.")
    assert (pair.wins, pair.losses, pair.ties, pair.n) == (14, 2, 34, 50)


def test_the_better_one_is_named_first_also_when_it_comes_last():
    pair = compared(*shares((2, [1, 0]), (14, [0, 1]), (34, [1, 1])), names=["direct", "cot"]).pairs[0]
    assert pair.effect == pytest.approx(-0.24)
    assert pair.verdict.startswith("cot is better than direct: +24 points (95% interval 9 to 38), p = 0.004")


def test_too_few_items_are_said_to_be_too_few_and_how_many_would_do():
    pair = compared(*shares((8, [1, 0]), (5, [0, 1]), (37, [1, 1])), names=["cot", "direct"]).pairs[0]
    assert pair.said == "not enough"
    assert pair.verdict == (
        "Not enough items to tell cot from direct: with the difference seen (+6 points for cot, 8 against 5 items,"
        " p = 0.58), about 592 items would be needed for 80% power; there are 50."
    )
    assert pair.needed == pair.needed_corrected == 592


@pytest.mark.parametrize("losses", [11, 6, 4])
def test_the_number_of_items_named_stands_the_correction_for_all_comparisons(losses):
    lanes = shares((18, [1, 0]), (losses, [0, 1]), (32 - losses, [1, 1]))
    pair = compared(*lanes, *[lanes[0]] * 4).pairs[0]
    assert pair.said == "not enough" and pair.needed and pair.needed_corrected
    said = f"{pair.needed_corrected:,} items would be needed for 80% power, corrected for 15 comparisons; there are 50."
    assert pair.verdict.endswith(f"about {said}")
    assert power(pair.needed_corrected, 18 / 50, losses / 50, 0.05 / 15) >= 0.8
    assert power(pair.needed, 18 / 50, losses / 50, 0.05 / 15) < 0.6


def test_graded_numbers_of_items_stand_the_correction_too():
    lanes = np.random.default_rng(3).beta(2, 2, (3, 30))
    pair = compared(*lanes.tolist(), graded=True).pairs[0]
    assert pair.said == "not enough" and pair.needed and pair.needed_corrected
    assert pair.needed_corrected == pytest.approx(1.33 * pair.needed, rel=0.02)  # (2.394 + 0.842)² / (1.960 + 0.842)²
    assert "power, corrected for 3 comparisons; there are 30." in pair.verdict


def test_what_a_tie_could_have_shown_stands_the_correction_too():
    tie = shares((5, [1, 0]), (5, [0, 1]), (40, [1, 1]))
    verdict = compared(*tie, tie[0]).pairs[0].verdict
    assert verdict.endswith("could have shown one of 19 points or more (80% power, corrected for 3 comparisons).")


def test_no_difference_is_not_called_equality():
    pair = compared(*shares((5, [1, 0]), (5, [0, 1]), (40, [1, 1]))).pairs[0]
    assert (pair.said, pair.needed, pair.p) == ("no difference", None, 1.0)
    assert pair.verdict == (
        "No difference is seen between a and b (5 against 5 of 50 items); so many could have shown one of 18 points or"
        " more (80% power)."
    )


def test_four_items_could_not_have_shown_anything():
    pair = compared([1.0, 0, 1, 0], [1.0, 0, 1, 0]).pairs[0]
    assert pair.verdict.endswith("so few items could not have shown any difference.")


def test_p_values_are_corrected_over_all_pairs_of_the_experiment():
    found = compared(*shares((20, [1, 0, 0]), (5, [0, 1, 1]), (3, [1, 1, 0]), (22, [1, 1, 1])))
    first, second, third = found.pairs
    assert first.p is not None and first.p_holm is not None and second.p is not None and third.p is not None
    assert second.p < first.p < third.p
    assert first.p_holm == pytest.approx(min(1, max(3 * second.p, 2 * first.p)))
    assert "after Holm" in first.verdict


def test_graded_lanes_are_compared_by_their_means():
    generator = np.random.default_rng(4)
    base = generator.beta(2, 2, 60) * 0.8
    pair = compared(list(base + 0.1), list(base + generator.normal(0, 0.05, 60).clip(-0.1, 0.1)), graded=True).pairs[0]
    assert pair.said == "better" and pair.method == "sign flips, BCa bootstrap"
    assert pair.effect == pytest.approx(0.1, abs=0.02)
    assert "a is better than b: +0.09 (95% interval 0.08 to 0.10)" in pair.verdict and "points" not in pair.verdict
    assert pair.odds is None


def test_a_tiny_graded_difference_is_not_rounded_to_nothing():
    pair = compared([0.5, 0.4, 0.6] * 10, [0.5, 0.4, 0.598] * 10, graded=True).pairs[0]
    assert pair.verdict == "a is better than b: +0.001 (95% interval 0.000 to 0.001), p = 0.002, 30 items."


def test_errors_are_no_wrong_answers_and_only_what_both_finished_is_compared():
    found = compared([1.0] * 40 + [None] * 10, [0.0] * 45 + [1.0] * 5)
    lane, pair = found.lanes[0], found.pairs[0]
    assert (lane.n, lane.score, lane.errors) == (40, 1.0, 10)
    assert (pair.n, pair.left_out, pair.wins, pair.losses) == (40, 10, 40, 0)
    assert pair.verdict.endswith("10 items that only one of them finished are left out.")


def test_many_errors_are_warned_of_with_the_score_at_worst():
    found = compared([1.0] * 40 + [None] * 10)
    assert found.lanes[0].at_worst == 0.8
    assert found.notes == (
        "a: 10 cells of 50 ended in an error (10 timeout) and are left out. What fails is seldom like the rest: counted"
        " as wrong, the score would be 80% instead of 100%. Retry the errors before you conclude.",
    )


def test_a_single_error_is_told_of_with_the_score_at_worst():
    lane = compared([1.0] * 49 + [None]).lanes[0]
    assert (lane.at_worst, lane.error_codes, lane.failed) == (0.98, {"timeout": 1}, "1: 1 timeout")
    assert lane.scored(Scale(False, 50)) == "100% (93 to 100), at worst 98%"


def test_a_lane_without_errors_has_nothing_at_worst():
    lane = compared([1.0, 0.0] * 25).lanes[0]
    assert (lane.at_worst, lane.error_codes, lane.failed) == (None, {}, "0")
    assert lane.scored(Scale(False, 50)) == "50% (37 to 63)"


def failed_with(*codes: str) -> str:
    """The note on a lane with such errors and 40 right answers."""
    every = [*cells(0, [1.0] * 40), *(cell(0, 40 + k, None, error_code=code) for k, code in enumerate(codes))]
    (note,) = results(plan("a"), items(40 + len(codes)), every, False).notes
    return note


def test_a_retry_is_advised_where_it_helps():
    assert failed_with("server_fault", "engine_crashed").endswith("Retry the errors before you conclude.")
    note = failed_with("context_overflow", "stream_broken", "stream_broken")
    assert "3 cells of 43 ended in an error (2 stream_broken, 1 context_overflow) and are left out." in note
    assert note.endswith("Retry the errors before you conclude; context_overflow will come again.")


@pytest.mark.parametrize(
    "code", ["structured_output_invalid", "empty_answer", "context_overflow", "reply_too_long", "content_refused"]
)
def test_no_retry_is_advised_where_the_same_would_come_again(code):
    assert failed_with(code).endswith("A retry would end the same way: take the lower score into account.")


def test_a_lane_of_errors_alone_has_no_score_and_is_compared_with_nobody():
    found = compared([None] * 12, [1.0] * 12)
    assert (found.lanes[0].score, found.lanes[0].n, found.lanes[0].tokens_lost) == (None, 0, 1200)
    assert found.pairs[0].verdict == "No item was finished by both a and b."


def test_an_item_with_an_error_in_one_seed_is_not_finished():
    every = [*cells(0, [1.0, 1.0], seed=0), *cells(0, [1.0, None], seed=1)]
    lane = results(plan("a", seeds=2), items(2), every, False).lanes[0]
    assert (lane.n, lane.errors, lane.answers) == (1, 1, 2)


def test_what_is_still_to_come_is_counted_and_said():
    unscored = cell(0, 8, None, status="done", error_code="", error="")
    every = [*cells(0, [1.0] * 7), cell(0, 7, None, status="waiting"), unscored]
    found = results(plan("a", "b"), items(10), every, False)
    assert [lane.waiting for lane in found.lanes] == [3, 10]
    assert found.waiting == 13
    assert found.notes[0].startswith("Not finished: 13 cells of 20 are still to come.")


def test_only_the_items_within_the_plan_s_limit_count():
    found = results(plan("a", limit=10), items(50), cells(0, [1.0] * 10), False)
    assert (found.items, found.waiting, found.lanes[0].n) == (10, 0, 10)


def test_few_items_are_warned_of():
    assert compared([1.0, 0.0]).notes == ("2 items can show only the largest differences: take 50 or more.",)


def test_an_experiment_without_a_cell_is_shown_as_nothing_yet():
    found = results(plan("a", "b"), items(20), [], False)
    assert [lane.score for lane in found.lanes] == [None, None]
    assert [lane.tokens_per_extra.words for lane in found.lanes] == ["nothing is finished yet"] * 2
    assert found.pairs[0].said == "nothing"


# Feedback


def of_source(lane: int, source: str, n: int = 20) -> list[Cell]:
    return cells(lane, [1.0, 0.0] * (n // 2), feedback=source)


def test_a_lane_that_was_shown_the_right_answers_is_compared_with_none_that_was_not():
    found = results(plan("critic2", "cot"), items(20), [*of_source(0, "gold"), *of_source(1, "none")], False)
    pair = found.pairs[0]
    said = "critic2 was shown the right answers (gold feedback) and cot was not: their scores cannot be compared."
    assert (pair.said, pair.refused, pair.verdict) == ("refused", said, said)
    assert (pair.p, pair.effect, pair.needed) == (None, None, None)
    assert any("gold feedback" in note for note in found.notes)


def test_two_lanes_that_were_both_shown_the_right_answers_are_compared():
    found = results(plan("a", "b"), items(20), [*of_source(0, "gold"), *of_source(1, "gold")], False)
    assert found.pairs[0].said == "no difference"


@pytest.mark.parametrize("source", ["tool", "critic", "self"])
def test_other_feedback_is_what_is_compared(source):
    found = results(plan("a", "b"), items(20), [*of_source(0, source), *of_source(1, "none")], False)
    assert found.pairs[0].p == 1.0 and not found.pairs[0].refused
    assert found.lanes[0].label == f"a · {source} feedback"


def test_no_verdict_can_be_quoted_without_the_feedback_of_its_lanes():
    first, second = shares((14, [1, 0]), (2, [0, 1]), (34, [1, 1]))

    def said(of_first: str, of_second: str, scores: list[float] = second) -> str:
        every = [*cells(0, first, feedback=of_first), *cells(1, scores, feedback=of_second)]
        return results(plan("a", "b"), items(50), every, False).pairs[0].verdict

    assert said("tool", "none").startswith("a is better than b, with tool feedback against none: +24 points")
    assert said("none", "tool").startswith("a is better than b, without feedback against tool feedback: +24")
    assert said("critic", "self").startswith("a is better than b, with critic feedback against self feedback: +24")
    assert said("gold", "gold").startswith("a is better than b, both with gold feedback: +24")
    assert said("none", "none").startswith("a is better than b: +24")
    close = [0.0, *first[1:]]
    assert said("tool", "none", close).startswith(
        "Not enough items to tell a from b, with tool feedback against none: with the difference seen"
    )
    assert said("tool", "none", first).startswith(
        "No difference is seen between a and b, with tool feedback against none (0 against 0 of 50 items)"
    )


def test_the_feedback_is_named_in_the_order_of_the_lanes_that_the_sentence_has():
    first, second = shares((2, [1, 0]), (14, [0, 1]), (34, [1, 1]))
    every = [*cells(0, first, feedback="tool"), *cells(1, second)]
    verdict = results(plan("a", "b"), items(50), every, False).pairs[0].verdict
    assert verdict.startswith("b is better than a, without feedback against tool feedback: +24 points")


def test_a_lane_that_was_shown_some_of_the_right_answers_is_compared_with_nobody():
    mixed = [one.model_copy(update={"feedback": "self"}) if one.item < 9 else one for one in of_source(0, "gold")]
    found = results(plan("a", "b"), items(20), [*mixed, *of_source(1, "gold")], False)
    assert found.lanes[0].label == "a · gold and self feedback, mixed"
    assert found.pairs[0].verdict.startswith("a was shown the right answers in some of its runs and not in others")
    assert any("different sources (gold and self)" in note for note in found.notes)


def test_refused_pairs_are_not_counted_in_the_correction():
    every = [*of_source(0, "gold"), *of_source(1, "none"), *cells(2, [1.0] * 14 + [0.0] * 6)]
    found = results(plan("a", "b", "c"), items(20), every, False)
    assert [pair.said for pair in found.pairs].count("refused") == 2
    assert found.pairs[2].p == found.pairs[2].p_holm


# Cost


def test_cost_stands_beside_the_score():
    lane = compared([1.0, 0.0] * 10).lanes[0]
    assert (lane.prompt_tokens, lane.completion_tokens, lane.tokens) == (1200, 800, 2000)
    assert (lane.tokens_each, lane.seconds, lane.seconds_each, lane.calls) == (100, 40.0, 2.0, 20)


def test_what_scoring_has_cost_stands_apart_from_the_lane_s_own_cost():
    every = [*cells(0, [1.0] * 18, judging_tokens=30, judging_calls=2)]
    every += [cell(0, 18 + k, None, judging_tokens=5, judging_calls=1) for k in (0, 1)]
    found = results(plan("a"), items(20), every, False)
    lane = found.lanes[0]
    assert (lane.judging_tokens, lane.judging_calls) == (18 * 30 + 10, 38)
    assert (lane.tokens, lane.tokens_each, lane.calls) == (1800, 100, 18)
    assert to_json(found)["lanes"][0]["judging_tokens"] == 550


def test_a_further_right_answer_has_its_price_against_the_cheapest_lane():
    cheap, dear = shares((25, [0, 1]), (5, [1, 0]), (20, [1, 1]))
    every = [*cells(0, cheap), *cells(1, dear, prompt_tokens=260)]
    lanes = results(plan("direct", "cot"), items(50), every, False).lanes
    assert lanes[0].tokens_per_extra.words == "the cheapest lane"
    extra = lanes[1].tokens_per_extra
    assert extra.tokens == pytest.approx(50 * 200 / 20)
    assert extra.low is not None and extra.high is not None and extra.low < 500 < extra.high


def test_the_price_of_a_further_right_answer_may_have_no_upper_bound():
    cheap, dear = shares((8, [0, 1]), (6, [1, 0]), (36, [1, 1]))
    lanes = results(plan("a", "b"), items(50), [*cells(0, cheap), *cells(1, dear, prompt_tokens=260)], False).lanes
    assert lanes[1].tokens_per_extra.tokens == pytest.approx(5_000)
    assert lanes[1].tokens_per_extra.high is None


def test_without_further_right_answers_there_is_no_price_but_words():
    every = [*cells(0, [1.0] * 20), *cells(1, [1.0] * 19 + [0.0], prompt_tokens=900)]
    extra = results(plan("a", "b"), items(20), every, False).lanes[1].tokens_per_extra
    assert (extra.tokens, extra.words) == (None, "no more right answers than a")


def test_a_lane_with_gold_feedback_has_no_price_against_one_without():
    every = [*of_source(0, "none"), *cells(1, [1.0] * 20, feedback="gold", prompt_tokens=900)]
    extra = results(plan("a", "b"), items(20), every, False).lanes[1].tokens_per_extra
    assert extra.tokens is None and extra.words.startswith("b was shown the right answers")


# Equal budget


def voting(answers: str, other_tokens: int, n: int = 40) -> list[Cell]:
    """Lane 0 votes with these samples of 50 tokens, lane 1 spends so many and is right on half of the items."""
    drawn = [
        cell(0, item, 1.0, samples=answers, prompt_tokens=0, completion_tokens=50 * len(answers)) for item in range(n)
    ]
    return [*drawn, *cells(1, [1.0, 0.0] * (n // 2), prompt_tokens=0, completion_tokens=other_tokens)]


def test_the_vote_is_held_against_a_lane_at_the_lane_s_own_tokens():
    found = results(plan("vote", "reflection"), items(40), voting("aabac", 170), False)
    budget = found.budgets[0]
    assert budget.point is not None and (budget.point.k, budget.point.tokens) == (3, 150)
    # Of 10 choices of 3 samples 7 have two or three a, and 3 have one each of a, b and c: a third of the vote.
    assert budget.point.score == pytest.approx(0.8)
    assert budget.change is not None and budget.change.effect == pytest.approx(-0.3)
    assert budget.sentence == (
        "With the tokens that reflection spent (170 per answer), vote draws 3 samples and reaches 80% (73 to 82);"
        " reflection 50% (−30 points for reflection, 95% interval −45 to −15)."
    )


def test_a_budget_below_one_sample_is_said_to_be():
    found = results(plan("vote", "direct"), items(40), voting("aaa", 20), False)
    assert found.budgets[0].point is None
    assert found.budgets[0].sentence == (
        "With the tokens that direct spent (20 per answer), vote draws not even one sample: that costs 50."
    )


def test_a_budget_beyond_all_samples_is_said_to_be_untried():
    found = results(plan("vote", "reflection"), items(40), voting("aab", 900), False)
    assert found.budgets[0].sentence.endswith("Its 3 samples cost only 150: what more would reach was not tried.")


def test_a_vote_that_stops_by_itself_draws_up_to_so_many():
    every = voting("aab", 150)
    every[0] = cell(0, 0, 1.0, samples="aa", prompt_tokens=0, completion_tokens=100)
    found = results(plan("vote", "reflection"), items(40), every, False)
    assert found.curves[0].stopped
    assert "vote draws up to 3 samples" in found.budgets[0].sentence
    assert found.curves[0].points[2].tokens == pytest.approx(150 - 50 / 40)


def test_the_last_point_of_the_curve_is_the_vote_itself():
    curve = results(plan("vote", "b"), items(40), voting("aabb", 90), False).curves[0]
    assert [point.k for point in curve.points] == [1, 2, 3, 4]
    assert curve.points[1].score == pytest.approx(0.5)  # a tie is shared: any order is as likely
    assert curve.points[-1].score == 1.0  # of 2 and 2 the machine takes the first seen


def test_gold_lanes_are_left_out_of_the_equal_budget_view():
    every = [one.model_copy(update={"feedback": "gold"}) if one.lane else one for one in voting("aab", 170)]
    assert results(plan("vote", "reflection"), items(40), every, False).budgets == ()


# Rows, JSON, speed


def test_rows_hold_every_lane_s_answer_and_its_run():
    row = compared([1.0, 0.0], [None, 1.0]).rows[0]
    assert row.outcomes[0].answer == "42" and row.outcomes[0].run_id == "run-0-0"
    assert [one.error_code for one in row.outcomes[1].errors] == ["timeout"]


def test_filters_keep_what_a_person_looks_for():
    every = [
        *cells(0, [1.0, 1.0, 0.0, 1.0]),
        cell(1, 0, 1.0, confidence=0.9),
        cell(1, 1, 0.0, confidence=0.8),
        cell(1, 2, None),
        cell(1, 3, 1.0, rounds=(0, 1), confidence=0.4),
    ]
    found = results(plan("a", "b"), items(4), every, False)
    kept = {wanted: [row.number for row in found.filtered(wanted)] for wanted in ("disagree", "flips", "errors")}
    assert kept == {"disagree": [1], "flips": [3], "errors": [2]}
    assert [row.number for row in found.filtered("low confidence")] == [3]
    assert len(found.filtered("all")) == 4


def test_equal_confidence_is_no_low_confidence():
    assert compared([1.0] * 30, confidence=0.9).filtered("low confidence") == ()


def test_a_pair_can_be_asked_for_either_way():
    found = compared(*shares((12, [1, 0]), (4, [0, 1]), (24, [1, 1])))
    one, other = found.pair("a", "b"), found.pair("b", "a")
    assert one.effect is not None and one.low is not None and one.odds is not None and other.odds is not None
    assert (other.effect, other.high, other.wins) == (-one.effect, -one.low, one.losses)
    assert other.odds.ratio == pytest.approx(1 / 3) and one.odds.ratio == 3
    assert other.odds.low == pytest.approx(1 / (one.odds.high or 0))
    with pytest.raises(KeyError):
        found.pair("a", "z")


def test_the_json_has_what_a_script_asks_for_and_no_infinity():
    found = compared(*shares((9, [1, 0]), (31, [1, 1])))
    read = json.loads(json.dumps(to_json(found, rows=True), allow_nan=False))
    lane, pair = read["lanes"][0], read["pairs"][0]
    assert {"name", "n", "score", "low", "high", "errors", "tokens", "seconds", "feedback"} <= set(lane)
    assert {"a", "b", "p", "effect", "needed", "needed_corrected"} <= set(pair)
    assert pair["odds"]["ratio"] is None and pair["odds"]["low"] > 1
    assert read["rows"][0]["lanes"]["a"]["run_id"] == "run-0-0"
    assert "rows" not in to_json(found)


def test_ten_thousand_cells_take_little_of_the_processor():
    generator, every = np.random.default_rng(6), []
    for lane, chance in enumerate((0.4, 0.5, 0.55)):
        every += cells(lane, [float(right) for right in generator.random(2_500) < chance])
    every += [cell(3, item, 1.0, samples="aabac", confidence=0.5) for item in range(2_500)]
    asked, spent = (plan("a", "b", "c", "d"), items(2_500)), []
    while not spent or (spent[-1] >= 1.5 and len(spent) < 3):  # once more beside a neighbour that computes
        before = time.process_time()
        found = results(*asked, every, False)
        spent.append(time.process_time() - before)
    assert found.lanes[3].n == 2_500 and len(found.rows) == 2_500
    assert spent[-1] < 1.5  # 0.5 s where nothing else runs
