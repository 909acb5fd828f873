import math

import pytest

from workbench.confidence import (
    bits_per_character,
    joint,
    mean_logprob,
    perplexity,
    phrases,
    probability,
    shares,
    tops_of,
)
from workbench.events import TokenLogprob


def token(text: str, p: float) -> TokenLogprob:
    return TokenLogprob(text, math.log(p) if p else -math.inf)


def tops(**mass: float) -> list[tuple[str, float]]:
    return [(text, math.log(p)) for text, p in mass.items()]


def test_perplexity_is_one_where_all_is_certain_and_n_where_n_are_equally_likely():
    assert perplexity([token("a", 1.0)] * 3) == 1
    assert perplexity([token("a", 0.25)] * 7) == pytest.approx(4)
    assert perplexity([token("a", 0.5), token("b", 0.125)]) == pytest.approx(4), "of the geometric mean"
    assert perplexity([]) is None and mean_logprob([]) is None
    assert math.isfinite(perplexity([token("a", 0.0)]) or math.nan), "what was impossible is drawn too"


def test_rounding_above_certain_is_certain():
    assert probability(0.009) == 1.0 and perplexity([TokenLogprob("a", 0.009)]) == 1.0


def test_phrases_join_unsure_words_with_the_pieces_of_each_word():
    tokens = [token("The", 0.9), token(" bl", 0.9), token("ue", 0.2), token(" wh", 0.4), token("ale", 0.9)]
    tokens += [token(" swims", 0.8)]
    (found,) = phrases(tokens)
    assert (found.text, found.first, found.count, found.weakest.text) == ("blue whale", 1, 4, "ue")
    assert found.probability == pytest.approx((0.9 * 0.2 * 0.4 * 0.9) ** 0.25)


def test_phrases_end_at_punctuation_and_after_six_words():
    assert [p.text for p in phrases([token("one", 0.3), token(".", 0.9), token(" two", 0.4)])] == ["one.", "two"]
    long = phrases([token(f" w{n}", 0.3) for n in range(8)])
    assert [p.count for p in long] == [6, 2]


def test_marks_alone_are_no_phrase():
    assert phrases([token('{"', 0.1), token("answer", 0.9), token('": "', 0.1), token("yes", 0.9)]) == []


def test_the_weakest_phrases_come_first_and_only_some():
    tokens = [token(f" w{n}.", 0.49 - n / 100) for n in range(9)]
    assert [p.text for p in phrases(tokens)] == ["w8.", "w7.", "w6.", "w5.", "w4."]


def test_shares_are_of_the_labels_alone_and_what_lies_outside_is_told():
    found = shares(["A", "B", "C"], tops(A=0.4, B=0.1, **{" a": 0.1, "The": 0.3}))
    assert [(s.name, round(s.probability, 3)) for s in found.shares] == [("A", 0.833), ("B", 0.167), ("C", 0.0)]
    assert found.outside == pytest.approx(0.4) and found.hidden == ("C",)
    assert found.best and found.best.name == "A"


def test_two_tokens_of_the_same_text_both_count():
    top = tuple((text, math.log(p)) for text, p in (("Yes", 0.4), ("Yes", 0.1), ("No", 0.3)))
    found = shares(["Yes", "No"], tops_of(TokenLogprob("Yes", math.log(0.4), top)))
    assert found.best and found.best.probability == pytest.approx(0.5 / 0.8) and found.outside == pytest.approx(0.2)


def test_a_model_that_says_something_else_has_chosen_nothing():
    found = shares(["A", "B"], tops(The=0.9))
    assert found.best is None and found.outside == 1 and all(s.probability == 0 for s in found.shares)


def test_marks_around_a_letter_mean_the_letter_but_a_word_does_not():
    assert shares(["A", "B"], tops(**{" A)": 0.5, "**B": 0.2, "An": 0.3})).outside == pytest.approx(0.3)


def test_the_token_itself_counts_where_a_server_leaves_it_out_of_the_alternatives():
    one = TokenLogprob("B", math.log(0.6), (("A", math.log(0.3)),))
    assert shares(["A", "B"], tops_of(one)).best == shares(["A", "B"], tops(A=0.3, B=0.6)).best


def test_probabilities_one_after_the_other_multiply():
    assert joint([math.log(0.5), math.log(0.4)]) == pytest.approx(0.2) and joint([]) == 1


def test_bits_per_character_do_not_depend_on_how_a_text_is_cut():
    whole, cut = [token("abcd", 0.25)], [token("ab", 0.5), token("cd", 0.5)]
    assert bits_per_character(whole) == bits_per_character(cut) == pytest.approx(0.5)
    assert bits_per_character([]) is None
