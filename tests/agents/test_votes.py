"""The vote: what votes for the same, when it is decided, and how sure it is."""

import itertools

import pytest

from agents.votes import ballot, count, fewest_to_end, is_decided, names, posterior, tally, told


def winner(ballots: list[str]) -> str:
    """Who wins the whole vote."""
    return next(iter(count(ballots)), "")


@pytest.mark.parametrize(
    ("answers", "vote"),
    [
        (("12", "12 apples", "12 red apples", "$12.00", "12%", "twelve"), "12"),
        (("(B) Paris", "B", "b) Paris", "B. Paris"), "b"),
        (("Paris", "**paris**."), "paris"),
        (("5 cents",), "5 cents"),
        (("5 pm",), "5 pm"),
        (("7 million",), "7 million"),
        (("20 July",), "20 july"),
        (("60 miles per hour",), "60 miles per hour"),
        (("5x",), "5x"),
        (("", " "), ""),
    ],
)
def test_what_votes_for_the_same(answers: tuple[str, ...], vote: str):
    assert {ballot(answer) for answer in answers} == {vote}


def test_the_votes_in_order_of_number_then_of_appearance():
    assert list(count(["b", "", "a", "c", "a", "c"]).items()) == [("a", 2), ("c", 2), ("b", 1)]
    assert count(["", ""]) == {}
    assert names(["$18", "20", "18.0", ""]) == {"18": "$18", "20": "20", "": ""}


def test_nine_that_say_the_same_are_decided_after_five():
    """Four left can only tie with five: a newcomer would have been seen later. With four, five left could win."""
    assert [is_decided(["a"] * seen, 9 - seen) for seen in range(1, 7)] == [False] * 4 + [True] * 2
    assert fewest_to_end([], 9) == 5


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 6])
def test_decided_means_that_no_way_in_which_it_could_go_on_changes_the_winner_and_not_decided_that_one_does(most: int):
    """Every beginning of every vote, with silent samples among them, against every end that it can have."""
    kinds = ["a", "b", "c", ""]
    for seen in range(1, most + 1):
        for ballots in map(list, itertools.product(kinds[:2] + kinds[3:], repeat=seen)):
            ends = itertools.product(kinds, repeat=most - seen)
            winners = {winner([*ballots, *end]) for end in ends}
            assert is_decided(ballots, most - seen) == (len(winners) == 1 and (winners != {""} or seen == most)), (
                ballots
            )


def test_a_batch_is_never_larger_than_what_is_needed_whatever_its_samples_say():
    """One sample fewer decides nothing, in any order; and with that many it can be decided."""
    kinds = ["a", "b", "c", ""]
    for seen in range(0, 4):
        for ballots in map(list, itertools.product(kinds, repeat=seen)):
            left = 6 - seen
            batch = fewest_to_end(ballots, left)
            for fewer in range(batch):
                assert not any(
                    is_decided([*ballots, *more], left - fewer) for more in itertools.product(kinds, repeat=fewer)
                )
            best = (is_decided([*ballots, *more], left - batch) for more in itertools.product(kinds, repeat=batch))
            assert any(best)


def test_a_tie_at_the_end_goes_to_the_one_that_was_seen_first():
    assert winner(["b", "a", "a", "b"]) == "b"
    assert is_decided(["b", "a", "b"], 1)
    assert not is_decided(["b", "a", "a"], 1)


def test_no_answer_decides_nothing_before_the_last_sample():
    assert not is_decided([], 3) and not is_decided(["", ""], 1)
    assert is_decided(["", "", ""], 0)
    assert fewest_to_end(["", ""], 5) == 3


@pytest.mark.parametrize(
    ("votes", "probability"),
    [
        ((), 0.5),
        ((1,), 0.75),
        ((4,), 31 / 32),
        ((2, 2), 0.5),
        ((3, 1), 0.8125),
        ((3, 1, 1), 0.8125),
        ((40,), 1 - 2**-41),
    ],
)
def test_the_posterior_of_the_leader_s_majority(votes: tuple[int, ...], probability: float):
    assert posterior(dict(zip("abc", votes, strict=False))) == pytest.approx(probability)


def test_the_posterior_is_the_upper_half_of_the_beta_distribution():
    points = [(at + 0.5) / 2_000 for at in range(2_000)]
    for first, second in ((1, 0), (3, 1), (7, 5), (12, 0)):
        density = [share**first * (1 - share) ** second for share in points]
        assert posterior({"a": first, "b": second}) == pytest.approx(sum(density[1_000:]) / sum(density), rel=1e-5)


def test_a_confidence_ends_it_earlier_and_asks_for_no_more_at_once_than_can_reach_it():
    assert fewest_to_end([], 40) == 20
    assert fewest_to_end([], 40, 0.95) == 4
    assert fewest_to_end(["a"] * 3, 37, 0.95) == 1
    assert fewest_to_end(["a"] * 4, 36, 0.95) == 0
    assert fewest_to_end(["a", "a", "a", "b"], 36, 0.95) == 3


def test_the_vote_in_words():
    assert told([("18", 4), ("20", 1)], 5) == "4 of 5 samples say 18, 1 says 20."
    assert told([("18", 1)], 1) == "1 of 1 samples says 18."
    assert told([], 3) == "None of 3 samples came to an answer."
    many = [(letter, 1) for letter in "abcdef"]
    assert told(many, 6) == "1 of 6 samples says a, 1 says b, 1 says c, 1 says d, 2 say something else."
    assert len(told([("word " * 100, 2)], 2)) < 100


def test_a_tally_names_the_leader_as_it_was_first_said_and_counts_empty_ones_for_nobody():
    assert tally(["$5", "4", "", "4.0"], "people") == ("4", 2, {"4": 2, "5": 1}, "2 of 4 people say 4, 1 says $5.")
    assert tally(["", ""]) == ("", 0, {}, "None of 2 samples came to an answer.")
