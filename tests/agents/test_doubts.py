"""What is doubted in a sentence, what counts as evidence, and what a ruling changes."""

import math

import pytest

from agents.contract import Observation
from agents.doubts import (
    Concept,
    concepts_in,
    doubtful,
    is_evidence,
    is_knowing,
    listed,
    measured,
    mended,
    reason_of,
    spans_within,
)
from agents.sureness import Span
from workbench.store.documents import Documents
from workbench.tools import registry

SENTENCE = "Ada Lovelace was born in 1815 in London."


def test_only_concepts_that_stand_in_the_sentence_count_each_once_and_in_its_order():
    named = ["London", "1815", "ada lovelace", "Ada Lovelace", "Byron", "mathematics", " 1815 "]
    assert concepts_in(SENTENCE, named) == ["ada lovelace", "1815", "London"]


def test_a_concept_that_was_not_measured_is_no_doubt_and_says_so():
    concepts = measured(SENTENCE, [Span(0, 24, math.log(0.9)), Span(24, 29, math.log(0.2))], ["1815", "London"], "min")
    assert [one.name for one in concepts] == ["1815", "London"] and concepts[1].sure is None
    assert doubtful(concepts, 0.5) == ["1815"]
    assert listed(concepts, ["1815", "London", "Byron"], 0.5) == (
        "- **1815: 20%, to be checked**\n- London: not measured\n\nNot in the sentence, so left out: Byron."
    )


def test_a_sentence_without_concepts_says_so():
    assert listed([], [], 0.5) == "Nothing in it could be wrong."


@pytest.mark.parametrize(
    ("concepts", "reason"),
    [
        ([], "no concepts"),
        ([Concept("a", 0.9)], "sure, 90%"),
        ([Concept("a", 0.9), Concept("b", 0.71)], "all 2 sure, the least 71%"),
        ([Concept("a", 0.9), Concept("b", 0.31)], "1 of 2 unsure, with less than 50%"),
        ([Concept("a", None)], "none of its concepts could be measured"),
        ([Concept("a", 0.5)], "sure, 50%"),
    ],
)
def test_the_reason_says_the_numbers(concepts, reason):
    assert reason_of(concepts, 0.5) == reason


def test_a_sentence_that_is_written_anew_is_the_first_one_or_stays_where_it_says_the_same():
    changed = SENTENCE.replace("1815", "1816")
    assert mended(SENTENCE, f"{changed} And more.") == changed
    for same in (SENTENCE, SENTENCE.lower(), " "):
        assert mended(SENTENCE, same) == SENTENCE


@pytest.mark.parametrize("text", ["I do not know.", "I don't know that.", "That is not known.", "I'm not sure.", " "])
def test_a_model_that_does_not_know_is_no_evidence(text):
    assert not is_knowing(text)


def test_a_model_that_answers_is():
    assert is_knowing("She was born in 1815.") and is_knowing("It is a well-known tower.")


async def test_what_the_documents_do_not_say_is_no_evidence(settings):
    search = registry.create("search", settings)
    Documents(settings.home / "documents.db").add("ada.txt", "Ada Lovelace was born in London in 1815.")
    for query, found in (("Ada Lovelace born", True), ("quantum chromodynamics", False)):
        said = await search.run(search.arguments.model_validate({"query": query}))
        assert is_evidence(Observation(text=said)) is found
    assert not is_evidence(Observation(text="[ada.txt:1] Ada", error=True))


def test_the_spans_of_a_part_are_counted_from_its_beginning():
    spans = [Span(0, 3, -0.1), Span(3, 8, -0.2), Span(8, 12, -0.3)]
    assert spans_within(spans, 4, 8) == [[-1, 4, -0.2]]
