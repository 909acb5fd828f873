"""The first sentence in what a model wrote, and when its text is complete."""

import pytest

from agents.sentences import CUT, ended, first_sentence, is_cut


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
        ("It opened at 5 p.m. on 31 March. It rained.", "It opened at 5 p.m. on 31 March."),
        ("It opened (at 5 p.m.) in Paris. It rained.", "It opened (at 5 p.m.) in Paris."),
        ("It opened at 5 p.m. Then it rained.", "It opened at 5 p.m."),
        ("It was built c. 1500 in Rome. It fell.", "It was built c. 1500 in Rome."),
        ("He was born on 3 Jan. 1900 in Bonn. He died.", "He was born on 3 Jan. 1900 in Bonn."),
        ("He died in Dec. He was old.", "He died in Dec."),
        ("See fig. 3 and vol. 2, pp. 4 and 5. Read.", "See fig. 3 and vol. 2, pp. 4 and 5."),
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
        ("The end.", "done"),
        ("End", "done"),
        ("The end of the war came in 1945.", ""),
        ("Paris is  old", "it repeats itself"),
        ("Endless rain fell.", ""),
        ("ENDURANCE is a ship.", ""),
        ("Rome is old.", ""),
    ],
)
def test_a_text_is_over_when_the_model_says_so_or_says_nothing_new(text, why):
    assert ended(text, ["Paris is old."]) == why


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Paris is old and", True),
        ("Paris was praised by Dr.", True),
        ("The tower was built c.", True),
        ("Dr. Smith praised it in 1999 and", True),
        ("Paris is old.", False),
        ('He said "Stop."', False),
        ("東京は首都です。", False),
        ("Paris is old. It is", False),
        ("Paris is old\n\nIt is", False),
    ],
)
def test_a_sentence_is_cut_where_the_model_was_stopped_before_its_mark(text, cut):
    assert is_cut(text, "length") is cut and not is_cut(text, "stop")
    assert ended(text, [], "length") == (CUT if cut else "")
    assert ended("END", [], "length") == "done"
