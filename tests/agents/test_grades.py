"""What grades come to: the paper's weighted score, and who is chosen by it."""

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from agents.grades import Candidate, Grade, Usefulness, chosen, told, unsourced
from agents.self_rag import Options

EQUAL = SimpleNamespace(relevance=1.0, support=1.0, usefulness=0.5)


def from_passage(source="a.txt:1", relevance="relevant", support="fully supported", usefulness=5, probability=0.0):
    grades = {"relevance": relevance, "support": support, "usefulness": usefulness}
    return Candidate(source=source, passage="P.", text=f"By {source}.", probability=probability, **grades)


OWN = Candidate(text="By heart.", usefulness=5)


@pytest.mark.parametrize(
    ("candidate", "score"),
    [
        (from_passage(), 2.5),
        (from_passage(probability=0.8), 3.3),
        (from_passage(support="partially supported"), 2.0),
        (from_passage(support="no support"), 1.5),
        (from_passage(relevance="irrelevant", support="no support", usefulness=1), -0.5),
        (from_passage(usefulness=4), 2.25),
        (from_passage(usefulness=3), 2.0),
        (from_passage(usefulness=2), 1.75),
        (OWN, 0.5),
        (OWN.model_copy(update={"usefulness": 1, "probability": 0.9}), 0.4),
    ],
)
def test_the_score_is_probability_plus_weighted_relevance_support_and_usefulness(candidate, score):
    assert candidate.score(Options()) == pytest.approx(score)


def test_each_grade_counts_by_its_weight():
    weights = Options(relevance=0.2, support=2.0, usefulness=0.0)
    assert from_passage(support="partially supported").score(weights) == pytest.approx(0.2 + 2.0 * 0.5)
    assert OWN.score(weights) == 0.0


def test_the_highest_score_is_chosen_and_its_reason_names_it():
    best = from_passage("b.txt:2", probability=0.2)
    assert chosen([from_passage(), best, OWN], EQUAL) == (best, "b.txt:2 has the highest score, 2.70")


def test_of_two_with_the_same_score_the_one_that_was_found_first_is_chosen():
    assert chosen([from_passage("a:1"), from_passage("b:1")], EQUAL)[0].source == "a:1"


def test_weights_decide_between_a_supported_and_a_useful_answer():
    dull = from_passage("dull:1", usefulness=1)
    bright = from_passage("bright:1", support="no support", usefulness=5)
    assert chosen([dull, bright], Options(support=2.0, usefulness=0.5))[0] is dull
    assert chosen([dull, bright], Options(support=0.0, usefulness=0.5))[0] is bright


def test_an_answer_without_a_passage_competes():
    partly = from_passage(support="partially supported", usefulness=1)
    assert chosen([partly, OWN], Options(relevance=0.0))[0] is OWN
    assert chosen([partly, OWN], Options(relevance=1.5))[0] is partly


def test_beside_an_answer_without_a_passage_only_those_count_that_their_passage_supports():
    bare = from_passage(support="no support")
    assert chosen([bare, OWN], EQUAL) == (OWN, "the passage does not support its answer")
    assert chosen([bare, bare, OWN], EQUAL) == (OWN, "none of the 2 passages supports its answer")
    partly = from_passage("b:1", support="partially supported", usefulness=2)
    assert chosen([bare, partly, OWN], EQUAL) == (partly, "b:1 has the highest score of those with support, 1.25")
    assert chosen([bare], EQUAL)[0] is bare


def test_where_all_passages_are_irrelevant_none_of_them_is_chosen_whatever_its_score():
    wrong = [from_passage(f"{number}:1", relevance="irrelevant", probability=1.0) for number in range(2)]
    assert chosen([*wrong, OWN], EQUAL) == (OWN, "all 2 passages are irrelevant")
    assert chosen(wrong, EQUAL) == (None, "all 2 passages are irrelevant")
    assert chosen(wrong[:1], EQUAL) == (None, "the passage is irrelevant")


def test_the_scores_are_told_with_their_parts_the_best_first():
    assert told([OWN.model_copy(update={"usefulness": 1}), from_passage(probability=0.25)], EQUAL) == (
        "- **a.txt:1** 2.75 = probability 0.25 + relevance 1.00 + support 1.00 + usefulness 0.50\n"
        "- **the answer without a passage** -0.50 = probability 0.00 - usefulness 0.50"
    )


def test_an_answer_has_its_source_or_says_that_it_has_none_and_why():
    assert from_passage().cited == "By a.txt:1. [a.txt:1]" and OWN.cited == "By heart."
    assert from_passage(support="no support").cited == "By a.txt:1. [not supported by a.txt:1]"
    assert unsourced("By heart.", "there are no documents") == "By heart. [no source: there are no documents]"
    assert unsourced("By heart.", "") == "By heart."


@pytest.mark.parametrize("wrong", [{"usefulness": 0}, {"usefulness": 6}, {"relevance": "so so"}, {"support": "some"}])
def test_grades_are_those_of_the_paper(wrong):
    right = {"evidence": "", "relevance": "relevant", "support": "no support", "usefulness": 3}
    assert Grade(**right)
    with pytest.raises(ValidationError):
        Grade(**right | wrong)
    with pytest.raises(ValidationError):
        Usefulness(evidence="", usefulness=7)
