"""The first sentence in what a model wrote, and when its text is complete."""

import pytest

from agents.sentences import ended, first_sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Paris is old. It is large.", "Paris is old."),
        (
            "Dr. A. B. Smith met Mr. Lee in the U.S. in 1999. Then he left.",
            "Dr. A. B. Smith met Mr. Lee in the U.S. in 1999.",
        ),
        ("It costs 3.50 euros! Really?", "It costs 3.50 euros!"),
        ('He said "Stop." Then he went.', 'He said "Stop."'),
        ("  \n1. The first one. The second.", "The first one."),
        ("- **Paris** is a city. And more.", "**Paris** is a city."),
        ("Sentence 2: It rained. It poured.", "It rained."),
        ("Next sentence: It rained.", "It rained."),
        ("東京は首都です。大きいです。", "東京は首都です。"),
        ("No stop at all", "No stop at all"),
        ("A heading\n\nA text.", "A heading"),
        ("One line without a stop\n- a list", "One line without a stop"),
        ("It ends in the U.S.", "It ends in the U.S."),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_the_first_sentence_is_a_slice_of_the_text(text, sentence):
    start, end = first_sentence(text)
    assert text[start:end] == sentence


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("END", "done"),
        ("**END**", "done"),
        ("END.", "done"),
        (" ", "done"),
        ("Paris is  old", "it repeats itself"),
        ("Endless rain fell.", ""),
        ("ENDURANCE is a ship.", ""),
        ("Rome is old.", ""),
    ],
)
def test_a_text_is_over_when_the_model_says_so_or_says_nothing_new(text, why):
    assert ended(text, ["Paris is old."]) == why
