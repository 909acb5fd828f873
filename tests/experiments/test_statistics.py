"""The statistics against published examples, an independent implementation, and simulated experiments."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from workbench.experiments.statistics import (
    RESAMPLES,
    Resamples,
    alike,
    discordant_odds,
    holm,
    mcnemar,
    paired_interval,
    sign_flips,
    wilson,
)

# Darwin's maize: heights of crossed less self-fertilised plants in eighths of an inch (Fisher 1935, section 17).
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17, 1998, 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_s_interval_is_as_published(right, n, low, high):
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_s_interval_never_leaves_0_to_1_and_holds_its_share():
    for n in (1, 3, 50):
        for right in range(n + 1):
            low, high = wilson(right, n)
            assert 0 <= low <= right / n <= high <= 1
    assert wilson(0, 5).low == 0 and wilson(5, 5).high == 1


def test_wilson_s_interval_covers_95_of_100():
    n = 50
    intervals = [wilson(right, n) for right in range(n + 1)]
    covered = []
    for chance in np.linspace(0.05, 0.95, 181):
        ways = [math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(n + 1)]
        covered.append(sum(way for way, (low, high) in zip(ways, intervals, strict=True) if low <= chance <= high))
    assert 0.945 < np.mean(covered) < 0.965
    assert min(covered) > 0.90


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17, 1998, 2635-2650, table II, method 10
        ((36, 12, 2, 0), 0.0569, 0.3404),
        # Bentur et al. 2009 in Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2014, 2850-2875
        ((1, 1, 7, 12), -0.507, -0.026),
    ],
)
def test_newcombe_s_paired_interval_is_as_published(table, low, high):
    assert paired_interval(*table) == pytest.approx((low, high), abs=6e-4)


def test_newcombe_s_paired_interval_covers_95_of_100():
    shares = {"both": 0.45, "wins": 0.2, "losses": 0.08, "neither": 0.27}
    tables = np.random.default_rng(1).multinomial(50, list(shares.values()), size=2_000)
    truth = shares["wins"] - shares["losses"]
    intervals = [paired_interval(*map(int, table)) for table in tables]
    assert 0.935 < np.mean([low <= truth <= high for low, high in intervals]) < 0.975


def test_a_paired_interval_turns_with_its_lanes():
    low, high = paired_interval(20, 9, 4, 17)
    assert paired_interval(20, 4, 9, 17) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (1, 7, 0.0703),  # Bentur et al. 2009: exact conditional test, Fagerland et al. 2014
        (9, 2, 0.06543),  # R package exact2x2, vignette on the exact McNemar test
        (0, 0, 1.0),
        (4, 4, 1.0),
    ],
)
def test_mcnemar_s_exact_test_is_as_published(wins, losses, p):
    assert mcnemar(wins, losses) == pytest.approx(p, abs=5e-5)


def test_mcnemar_s_exact_test_is_the_binomial_test_of_the_discordant_pairs():
    for wins, losses in ((3, 11), (25, 40), (400, 350), (6, 0)):
        assert mcnemar(wins, losses) == pytest.approx(binomtest(wins, wins + losses).pvalue)


def test_the_odds_of_discordant_pairs_have_clopper_and_pearson_s_interval():
    odds, exact = discordant_odds(9, 2), binomtest(9, 11).proportion_ci(method="exact")
    assert odds is not None and odds.ratio == 4.5 and odds.high is not None
    assert odds.low == pytest.approx(exact.low / (1 - exact.low))
    assert odds.high == pytest.approx(exact.high / (1 - exact.high))


def test_odds_without_losses_are_infinite_and_without_any_are_not_there():
    odds = discordant_odds(5, 0)
    assert odds is not None and (odds.ratio, odds.high) == (None, None) and odds.low > 0
    assert discordant_odds(0, 0) is None


def test_holm_s_correction_is_as_in_the_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_was_not_tested_and_stays_below_1():
    assert holm([None, 0.9, 0.04, None]) == [None, 0.9, 0.08, None]
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_flipping_all_signs_of_darwin_s_maize_gives_fisher_s_probability():
    assert sign_flips(MAIZE) == [1726 / 32768]  # 863 of 32,768 in each tail: Fisher 1935, section 21


def test_many_differences_are_flipped_at_random_and_their_p_is_never_0():
    doubled = np.repeat(MAIZE, 2)  # 30 differences
    z = doubled.sum() / math.sqrt(np.sum(doubled.astype(float) ** 2))
    by_normal = math.erfc(z / math.sqrt(2))
    assert sign_flips(doubled)[0] == pytest.approx(by_normal, abs=0.003)
    assert sign_flips(np.full(40, 0.3)) == [1 / (RESAMPLES + 1)]


def test_sign_flips_are_the_same_for_the_same_seed_and_pass_over_what_is_not_there():
    values = np.random.default_rng(0).normal(0.1, 1, (60, 3))
    assert sign_flips(values, 7) == sign_flips(values, 7)
    with_holes = np.vstack([np.array([MAIZE]).T, np.full((5, 1), np.nan)])
    assert sign_flips(with_holes) == sign_flips(MAIZE)


def test_no_difference_at_all_has_p_1():
    assert sign_flips(np.zeros(20)) == [1.0]


def test_the_bootstrap_agrees_with_scipy_s():
    values = np.random.default_rng(3).beta(0.5, 1, 40)
    ours = Resamples(40).interval(values, 0, 1)
    theirs = bootstrap((values,), np.mean, n_resamples=10_000, method="BCa", rng=1).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_the_bootstrap_covers_about_95_of_100_also_of_skewed_scores():
    columns = np.random.default_rng(5).beta(0.6, 2.4, (60, 400))  # mean 0.2
    resamples = Resamples(60)
    means = resamples.means(columns)
    intervals = [resamples.interval(columns[:, k], 0, 1, means[:, k]) for k in range(400)]
    assert 0.91 < np.mean([low <= 0.2 <= high for low, high in intervals]) < 0.98


def test_resamples_draw_as_many_items_as_there_are_and_pair_what_is_paired():
    resamples = Resamples(30, seed=4)
    assert np.all(resamples.weights.sum(axis=1) == 30)
    scores = np.random.default_rng(0).random(30)
    means = resamples.means(np.stack([scores, 1 - scores], axis=1))
    assert np.allclose(means.sum(axis=1), 1, atol=1e-6)


def test_items_that_are_not_there_are_left_out_of_the_means():
    scores = np.array([1.0, 1.0, np.nan, 1.0])
    means = Resamples(4).means(scores)
    assert np.nanmin(means) == np.nanmax(means) == 1
    drawn_none = (np.delete(Resamples(4).weights, 2, axis=1) == 0).all(axis=1)
    assert np.array_equal(np.isnan(means[:, 0]), drawn_none) and drawn_none.any()


def test_items_left_out_are_those_not_drawn():
    resamples = Resamples(6)
    marked = np.arange(6.0)
    left = resamples.means(marked, left_out=True)[0, 0]
    assert left == pytest.approx(np.mean(marked[resamples.weights[0] == 0]))


def test_of_very_many_items_there_are_fewer_resamples():
    assert Resamples(50).count == RESAMPLES
    assert Resamples(10_000).count == 4_000
    assert Resamples(100_000).count == 2_000


def test_scores_that_are_all_alike_still_leave_doubt():
    assert Resamples(20).interval(np.ones(20), 0, 1) == pytest.approx(wilson(20, 20))
    low, high = alike(0.0, 50, -1, 1)
    assert low == -high and 0.05 < high < 0.08


def test_without_a_difference_hardly_any_experiment_finds_one_after_holm():
    generator, found = np.random.default_rng(11), 0
    for _ in range(600):
        lanes = generator.random((3, 50)) < generator.random(50)  # hard and easy items, the same for all lanes
        pairs = [(lanes[a], lanes[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
        corrected = holm([mcnemar(int(np.sum(a & ~b)), int(np.sum(b & ~a))) for a, b in pairs])
        found += any(p is not None and p <= 0.05 for p in corrected)
    assert found / 600 <= 0.05


def test_without_a_difference_hardly_any_graded_experiment_finds_one_after_holm():
    lanes = np.random.default_rng(12).beta(0.7, 0.9, (3, 40, 300))
    pairs = [sign_flips(lanes[a] - lanes[b], seed) for seed, (a, b) in enumerate(((0, 1), (0, 2), (1, 2)))]
    found = [any(p is not None and p <= 0.05 for p in holm(of_one)) for of_one in zip(*pairs, strict=True)]
    assert np.mean(found) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 300)
