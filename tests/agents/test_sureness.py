"""How sure a model was: which characters each token stands for, and what that says of a phrase."""

import math

import pytest

from agents.contract import Token
from agents.sureness import Span, align, least, mentions, percent, sureness


def tokens(*pieces: tuple[str, float] | str) -> list[Token]:
    """Tokens with their probabilities; 0.9 where none is given."""
    pairs = [(piece, 0.9) if isinstance(piece, str) else piece for piece in pieces]
    return [Token(text, math.log(probability)) for text, probability in pairs]


def read(text: str, spans: list[Span]) -> list[tuple[str, float]]:
    """What each token stands for, and its probability."""
    return [(text[max(one.start, 0) : one.end], round(math.exp(one.logprob), 2)) for one in spans]


def test_each_token_stands_for_its_own_characters():
    text = "Born in 1869."
    found = align(text, tokens("Born", " in", (" 18", 0.8), ("69", 0.3), "."))
    assert read(text, found) == [("Born", 0.9), (" in", 0.9), (" 18", 0.8), ("69", 0.3), (".", 0.9)]


def test_thoughts_before_the_text_and_marks_after_it_are_not_the_texts():
    """The text is the last of its kind: the thought had the same words."""
    thought = tokens("<think>", ("Paris", 0.1), "</think>", "\n")
    found = align("Paris", [*thought, *tokens(("Paris", 0.7), "<|im_end|>")])
    assert read("Paris", found) == [("Paris", 0.7)]


def test_a_token_that_begins_before_the_text_counts_where_it_reaches_into_it():
    found = align("Paris is old.", tokens("Sentence:", (" Paris", 0.4), " is", " old", "."))
    assert found[0].start == -1 and least("Paris is old.", found, "Paris", "min") == pytest.approx(0.4)


def test_a_character_that_is_split_over_tokens_belongs_to_all_of_them():
    """An emoji of four bytes in three tokens, and an accented letter in two."""
    text = "Hi 🦀, Zoë!"
    pieces = tokens(
        "Hi", " ", ("\ufffd", 0.8), ("\ufffd", 0.2), ("", 0.6), ",", " Zo", ("\ufffd", 0.5), ("\ufffd", 0.7), "!"
    )
    found = align(text, pieces)
    assert least(text, found, "🦀", "min") == pytest.approx(0.2)
    assert least(text, found, "Zoë", "min") == pytest.approx(0.5)
    assert sureness(found, 3, 4, "mean") == pytest.approx((0.8 + 0.2 + 0.6) / 3)
    assert sureness(found, 0, 2, "min") == pytest.approx(0.9)


def test_pieces_of_a_character_at_the_end_of_the_text_are_found_too():
    found = align("cost: 5 €", tokens("cost", ":", " 5", " ", ("\ufffd", 0.3), ("\ufffd", 0.4)))
    assert least("cost: 5 €", found, "5 €", "min") == pytest.approx(0.3)


@pytest.mark.parametrize(
    "text", ["東京は日本の首都です。", "Ελλάδα και Ρώμη", "مدينة القاهرة", "e\u0301te\u0301 and 👩\u200d🔬"]
)
def test_text_in_any_script_is_aligned_character_by_character(text):
    spans = align(text, tokens(*text))
    assert "".join(part for part, _ in read(text, spans)) == text


def test_tokens_of_another_text_say_nothing():
    assert align("Paris", tokens("London", " is")) == []
    assert align("Paris", []) == []
    assert least("Paris", [], "Paris", "min") is None


def test_an_emoji_of_several_code_points_does_not_shift_what_follows():
    text = "👩\u200d🔬 Curie, 1867"
    pieces = tokens(("\ufffd", 0.5), ("\ufffd", 0.5), ("\ufffd", 0.5), " Cur", ("ie", 0.4), ",", " ", ("1867", 0.6))
    found = align(text, pieces)
    assert least(text, found, "Curie", "min") == pytest.approx(0.4)
    assert least(text, found, "1867", "min") == pytest.approx(0.6)


def test_a_phrase_is_as_sure_as_its_least_sure_token_or_as_the_mean():
    text = "in New York City"
    found = align(text, tokens("in", (" New", 0.8), (" York", 0.4), (" City", 0.9)))
    assert least(text, found, "New York", "min") == pytest.approx(0.4)
    assert least(text, found, "New York", "mean") == pytest.approx(0.6)


def test_of_several_mentions_the_least_sure_counts():
    """A name that is said again is sure the second time: that says nothing of the first."""
    text = "Ada met Ada"
    found = align(text, tokens(("Ada", 0.2), " met", (" Ada", 0.99)))
    assert least(text, found, "Ada", "min") == pytest.approx(0.2)
    assert least(text, found, "Ada", "mean") == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("phrase", "places"),
    [
        ("Ada", [(0, 3), (18, 21)]),
        ("ada lovelace", [(0, 12)]),
        ("love", []),
        ("1815", [(32, 36)]),
        ("815", []),
        ("  Ada  ", [(0, 3), (18, 21)]),
        ("", []),
        ("Byron", []),
    ],
)
def test_a_phrase_is_found_as_whole_words_whatever_its_case(phrase, places):
    assert mentions("Ada Lovelace, née Ada Gordon in 1815.", phrase) == places


def test_a_phrase_is_found_across_blanks_and_ways_of_writing_it():
    text = "The Straße is 3\u00a0km  long."
    assert [text[a:b] for a, b in mentions(text, "STRASSE")] == ["Straße"]
    assert [text[a:b] for a, b in mentions(text, "3 km long")] == ["3\u00a0km  long"]
    assert mentions("東京は日本の首都です。", "日本") == [(3, 5)]


@pytest.mark.parametrize(("probability", "shown"), [(0.5, "50%"), (0.9996, "99.9%"), (1.0, "100%"), (0.0004, "0%")])
def test_what_is_not_certain_is_not_shown_as_certain(probability, shown):
    assert percent(probability) == shown
