"""Votes over fewer samples: against counting every choice of them."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest

from agents.votes import count
from workbench.experiments.model import Sample
from workbench.experiments.votes import expected_votes, stopped_votes, winning


def samples(answers: str, right: str = "a", tokens: int = 10) -> list[Sample]:
    """One sample for each letter; a dot casts no vote."""
    return [Sample(answer=letter.strip("."), score=float(letter == right), tokens=tokens) for letter in answers]


def counted(drawn: list[Sample], k: int) -> float:
    """The mean score of the vote over all choices of k samples, by counting them; a tie is shared."""
    scores = defaultdict(list)
    for sample in drawn:
        scores[sample.answer].append(sample.score)
    value = {answer: float(np.mean(found)) for answer, found in scores.items()}
    if k == len(drawn):  # the machine's own vote: of equals, who was seen first
        return value[next(iter(count([sample.answer for sample in drawn])), "")]
    votes = []
    for choice in combinations(drawn, k):
        cast = count([sample.answer for sample in choice])
        leaders = [answer for answer in cast if cast[answer] == max(cast.values())] or [""]
        votes.append(float(np.mean([value[answer] for answer in leaders])))
    return float(np.mean(votes))


@pytest.mark.parametrize("answers", ["aab", "abcd", "aabbcc", "aaabb..", "...", "b", "aabbbcd", "a......"])
def test_a_vote_over_fewer_samples_is_the_mean_over_all_choices_of_them(answers):
    drawn = samples(answers)
    scores, tokens = expected_votes(drawn, len(drawn))
    assert scores == pytest.approx([counted(drawn, k) for k in range(1, len(drawn) + 1)])
    assert tokens == pytest.approx([10 * k for k in range(1, len(drawn) + 1)])


def test_an_answer_that_scores_differently_each_time_counts_with_its_mean_and_in_the_end_with_its_first_words():
    drawn = [Sample(answer="a", score=score, tokens=tokens) for score, tokens in ((1.0, 4), (0.5, 8), (0.0, 6))]
    scores, tokens = expected_votes(drawn, 4)
    assert scores[:3] == pytest.approx([0.5, 0.5, 1.0]) and np.isnan(scores[3])
    assert tokens[:3] == pytest.approx([6, 12, 18])


def test_more_samples_help_where_the_right_answer_leads_and_hurt_where_a_wrong_one_does():
    rising, _ = expected_votes(samples("aaaaabbc"), 8)
    falling, _ = expected_votes(samples("bbbbbaac"), 8)
    assert rising[0] == 5 / 8 and rising[-1] == 1
    assert falling[0] == 2 / 8 and falling[-1] == 0
    assert np.all(np.diff(rising[::2]) > -1e-12)


def test_the_chances_to_win_add_up_to_1_also_for_40_samples():
    chances = winning((9, 7, 7, 5, 5, 4, 1, 1, 1))
    assert chances[1:].sum(axis=1) == pytest.approx(np.ones(40))
    assert chances[40, 0] == 1


def test_samples_that_stopped_by_themselves_are_taken_in_their_order_and_a_tie_goes_to_the_first_seen():
    scores, tokens = stopped_votes(samples("baab"), 6)
    assert scores == pytest.approx([0, 0, 1, 0, 0, 0])
    assert tokens == pytest.approx([10, 20, 30, 40, 40, 40])


def test_the_vote_over_all_samples_is_what_the_machine_answers():
    for answers in ("ab", "ba", ".ab", "bcaa", "cba", "bbaa"):
        ballots = [sample.answer for sample in samples(answers)]
        own = float(next(iter(count(ballots))) == "a")
        assert expected_votes(samples(answers), len(answers))[0][-1] == own
        assert stopped_votes(samples(answers), len(answers))[0][-1] == own
