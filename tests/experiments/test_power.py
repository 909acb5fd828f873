"""The numbers of items that would be needed: against published power, and against simulated experiments."""

import numpy as np
import pytest

from workbench.experiments.power import POWER, detectable, detectable_mean, needed, needed_mean, power
from workbench.experiments.statistics import mcnemar, sign_flips


def simulated_power(n: int, wins: float, losses: float) -> float:
    """The share of significant experiments among 4,000."""
    tables = np.random.default_rng(2).multinomial(n, [wins, losses, 1 - wins - losses], size=4_000)
    known = {pair: mcnemar(*pair) for pair in {(int(a), int(b)) for a, b, _ in tables}}
    return float(np.mean([known[int(a), int(b)] <= 0.05 for a, b, _ in tables]))


def test_the_exact_power_is_as_g_power_s_manual_has_it():
    # Odds ratio 0.25, 40% discordant, 50 pairs, one-sided 5%: 0.839. The other tail of a two-sided 10% adds nothing.
    assert power(50, 0.08, 0.32, alpha=0.10) == pytest.approx(0.8393, abs=2e-4)


@pytest.mark.parametrize(("wins", "losses"), [(0.3, 0.1), (0.12, 0.02), (0.16, 0.1), (0.25, 0.0)])
def test_so_many_items_as_are_said_to_be_needed_find_the_difference_4_times_in_5(wins, losses):
    n = needed(wins, losses)
    assert n is not None
    assert power(n, wins, losses) >= POWER
    assert simulated_power(n, wins, losses) == pytest.approx(power(n, wins, losses), abs=0.02)
    assert simulated_power(int(0.7 * n), wins, losses) < 0.75


def test_a_large_number_by_formula_has_the_exact_power_too():
    n = needed(0.21, 0.20)
    assert n is not None and n > 10_000
    assert power(n, 0.21, 0.20) == pytest.approx(POWER, abs=0.002)


def test_the_number_is_connor_s_with_what_the_exact_test_needs_more():
    connor = (1.959964 * np.sqrt(0.26) + 0.841621 * np.sqrt(0.26 - 0.06**2)) ** 2 / 0.06**2  # Biometrics 43, 1987
    found = needed(0.16, 0.10)
    assert found is not None and connor < found < connor + 3 / 0.06


def test_lanes_that_are_even_need_no_number_and_few_items_are_never_enough():
    assert needed(0.1, 0.1) is None
    assert needed(1.0, 0.0) == 6  # 5 of 5 have p = 0.06
    assert needed_mean(0.0, 0.3) is None
    assert needed_mean(0.5, 0.0) == 6


def test_a_stricter_level_needs_more():
    assert (needed(0.2, 0.1) or 0) < (needed(0.2, 0.1, 0.05 / 6) or 0)


@pytest.mark.parametrize("tests", [3, 15, 66])
def test_at_a_stricter_level_so_many_items_find_the_difference_4_times_in_5_too(tests):
    for wins, losses in ((0.3, 0.1), (0.3, 0.18), (0.12, 0.0)):
        n = needed(wins, losses, 0.05 / tests)
        assert n is not None
        assert POWER <= power(n, wins, losses, 0.05 / tests) < POWER + 0.05
        assert power(needed(wins, losses) or 0, wins, losses, 0.05 / tests) < 0.75
    assert needed_mean(0.5, 0.0, 0.05 / tests) == needed(1.0, 0.0, 0.05 / tests)  # the first n with 2 / 2^n below it


@pytest.mark.parametrize(("n", "discordant", "tests"), [(50, 0.2, 1), (50, 0.0, 1), (400, 0.1, 1), (50, 0.2, 3)])
def test_the_smallest_difference_that_can_be_found_is_found_4_times_in_5(n, discordant, tests):
    least = detectable(n, discordant, 0.05 / tests)
    assert least is not None
    together = max(discordant, least)
    found = power(n, (together + least) / 2, (together - least) / 2, 0.05 / tests)
    assert found == pytest.approx(POWER, abs=0.001)


def test_five_items_can_show_no_difference_whatever():
    assert detectable(5, 0.4) is None


def test_graded_differences_are_found_4_times_in_5_with_the_items_said_to_be_needed():
    n = needed_mean(0.1, 0.3)
    assert n == 71
    columns = np.random.default_rng(8).normal(0.1, 0.3, (n, 500))
    assert 0.75 < np.mean(np.array(sign_flips(columns)) <= 0.05) < 0.85
    assert detectable_mean(n, 0.3) == pytest.approx(0.1, abs=0.001)
    assert detectable_mean(50, 0.0) is None
