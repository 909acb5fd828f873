"""Whether a lane is as often right as it is sure: bins, expected calibration error, Brier score, what chance does."""

import csv
import io
import json

import numpy as np
import pytest

from tests.experiments.answered import cell, cells, items, plan
from workbench.experiments import calibration, drawing, report
from workbench.experiments.calibration import Calibration
from workbench.experiments.results import Results, results, to_json


def found(every: list, n: int, *names: str, seeds: int = 1, graded: bool = False) -> Results:
    return results(plan(*(names or ("a",)), seeds=seeds), items(n), every, graded)


def sure(pairs: list[tuple[float, float]]) -> Results:
    """One lane with a confidence and a score for each item."""
    return found([cell(0, item, score, confidence=conf) for item, (conf, score) in enumerate(pairs)], len(pairs))


def only(told: Results) -> Calibration:
    (one,) = told.calibrations
    return one


def test_the_error_is_the_weighted_mean_distance_of_sure_and_right_over_ten_bins():
    # [0.9, 1]: 4 answers, sure by 0.95, 3 right: off by 0.20. [0.5, 0.6): 1 answer, sure by 0.55, right: off by 0.45.
    one = only(sure([(0.95, 1), (0.95, 1), (0.95, 1), (0.95, 0), (0.55, 1)]))
    assert one.ece == pytest.approx((4 * 0.20 + 1 * 0.45) / 5)
    assert one.brier == pytest.approx((3 * 0.05**2 + 0.95**2 + 0.45**2) / 5)
    assert [(part.low, part.n, part.right) for part in one.bins] == [(0.5, 1, 1), (0.9, 4, 3)]
    assert one.bins[1].share_low == pytest.approx(0.3006, abs=1e-3)  # Wilson, 3 of 4
    assert one.bins[1].share_high == pytest.approx(0.9544, abs=1e-3)
    assert (one.n, one.left_out, one.share, one.confidence) == (5, 0, 0.8, pytest.approx(0.87))


def test_edges_belong_to_the_bin_above_and_one_to_the_last():
    one = only(sure([(0.0, 0), (0.1, 0), (0.3, 0), (0.7, 1), (1.0, 1)]))
    assert [part.low for part in one.bins] == [0.0, 0.1, 0.3, 0.7, 0.9]


def test_a_lane_that_votes_is_as_sure_as_its_votes_and_never_as_its_tokens():
    every = [cell(0, 0, 1.0, samples="aaab", confidence=0.99), cell(0, 1, 0.0, samples="bba", confidence=0.99)]
    every += [cell(0, 2, 1.0, confidence=0.99)]  # this run put nothing to the vote
    every += [cell(1, item, 1.0, confidence=0.8) for item in range(3)]
    votes, tokens = found(every, 3, "vote", "other").calibrations
    assert (votes.kind, votes.n, votes.left_out) == ("vote share", 2, 1)
    assert votes.confidence == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert "1 answer told no such confidence" in votes.verdict
    assert (tokens.kind, tokens.n) == ("token probability", 3)
    assert (votes.what, tokens.what) == (
        "share of the votes for the answer",
        "mean token probability of the answer",
    )


def test_samples_that_cast_no_vote_make_a_vote_less_sure():
    drawn = cell(0, 0, 1.0, samples="aa")
    silent = drawn.samples[0].model_copy(update={"answer": ""})
    assert calibration.vote_share(drawn) == 1.0
    assert calibration.vote_share(drawn.model_copy(update={"samples": (*drawn.samples, silent, silent)})) == 0.5
    assert calibration.vote_share(drawn.model_copy(update={"samples": (silent, silent)})) == 0.0


def test_a_lane_that_is_right_as_often_as_it_is_sure_is_told_from_one_that_boasts():
    chance = np.random.default_rng(3)
    confidences = chance.uniform(0.5, 1, 400)
    honest = only(sure([(conf, float(chance.random() < conf)) for conf in confidences]))
    assert honest.ece < honest.by_chance_high and "no more off than chance alone" in honest.verdict
    boasting = only(sure([(conf, float(chance.random() < conf - 0.3)) for conf in confidences]))
    assert boasting.ece > boasting.by_chance_high
    assert "it is more sure than it is right, beyond what chance explains" in boasting.verdict
    assert boasting.low < boasting.ece < boasting.high
    assert boasting.low > honest.ece
    timid = only(sure([(0.3, 1.0)] * 150))
    assert "less sure than it is right" in timid.verdict


def test_few_answers_say_so_with_what_chance_alone_would_show():
    one = only(sure([(0.9, 1), (0.9, 1), (0.8, 0)]))
    assert "3 answers say little about it: an error of about 0." in one.verdict
    assert "Take 100 items or more." in one.verdict
    assert 0.05 < one.by_chance < 0.4
    assert "say little" not in only(sure([(0.9, 1.0)] * 100)).verdict


def test_items_are_resampled_with_all_of_their_runs():
    def spread(seeds: int) -> float:
        every = [one for seed in range(seeds) for one in cells(0, [1.0, 0.0] * 20, seed=seed, confidence=0.9)]
        one = only(found(every, 40, seeds=seeds))
        assert one.n == 40 * seeds
        return one.high - one.low

    assert spread(3) == pytest.approx(spread(1), abs=0.02)  # the same runs three times are no more items


def test_the_runs_of_an_item_are_no_independent_evidence_that_a_lane_is_off():
    chance, off = np.random.default_rng(1), 0
    for _ in range(20):
        sureness = [float(value) for value in chance.uniform(0.3, 1, 20)]
        right = [float(chance.random() < value) for value in sureness]
        every = [cell(0, n, right[n], seed=s, confidence=sureness[n]) for n in range(20) for s in range(10)]
        one = only(found(every, 20, seeds=10))
        off += one.ece >= one.by_chance_high
        assert one.items == 20 and "200 answers to 20 items say little about it" in one.verdict
    assert off <= 3  # of 20 that are calibrated perfectly; 19 are where the runs count for independent


def test_errors_and_answers_that_tell_no_confidence_are_left_out_and_graded_scores_have_none():
    every = [cell(0, 0, 1.0, confidence=0.9), cell(0, 1, None), cell(0, 2, 0.0)]
    one = only(found(every, 3))
    assert (one.n, one.left_out) == (1, 1)
    assert found(cells(0, [1.0, 0.0]), 2).calibrations == ()  # the backend tells nothing
    assert found(cells(0, [0.4, 0.7], confidence=0.9), 2, graded=True).calibrations == ()
    assert found([], 3).calibrations == ()


def test_all_that_leaves_the_workbench_has_it():
    told = sure([(0.95, 1), (0.95, 0), (0.55, 1)])
    one = only(told)
    page = report.html(told)
    assert report.SURE in page and "right answers over mean token probability" in page
    assert f"{one.ece:.3f} ({one.low:.3f} to {one.high:.3f})" in page and "say little about it" in page
    ((lane,),) = [to_json(told)["calibrations"]]
    assert lane["ece"] == one.ece and [part["n"] for part in lane["bins"]] == [1, 2]
    json.dumps(lane)
    row = next(csv.DictReader(io.StringIO(report.csv(told))))
    assert row["confidence"] == "0.95" and row["vote_share"] == ""


def test_the_drawing_names_every_bins_count_and_stays_without_script():
    svg = drawing.reliability(only(sure([(0.95, 1), (0.95, 0), (0.55, 1)])))
    assert svg.count("<circle") == 2 and ">2</text>" in svg and ">1</text>" in svg and "<script" not in svg
