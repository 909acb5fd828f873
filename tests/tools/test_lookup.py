"""The lookup tool goes through a page sentence by sentence, as in the ReAct paper."""

import pytest

from workbench.errors import ToolError
from workbench.tools.desk import OpenPage, Page
from workbench.tools.lookup import MAX_SENTENCE, Arguments, Lookup, sentences

TEXT = "# Ann Roe\nAnn Roe was born in 1891. She painted.\nShe was reborn as a sailor. “Born free,” she said."


def looking(text: str = TEXT) -> Lookup:
    lookup = Lookup()
    lookup.desk.page = OpenPage(Page("Ann Roe", "https://example.org/", text))
    return lookup


async def find(lookup: Lookup, term: str) -> str:
    return await lookup.run(Arguments(term=term))


async def test_the_same_term_again_goes_on_to_the_next_sentence():
    lookup = looking()
    assert [await find(lookup, "born") for _ in range(5)] == [
        "(Result 1 / 3) Ann Roe was born in 1891.",
        "(Result 2 / 3) She was reborn as a sailor.",
        "(Result 3 / 3) “Born free,” she said.",
        *["No more results: 3 in 'Ann Roe'. Look for another word, or open another page."] * 2,
    ]


async def test_another_term_begins_at_the_top():
    lookup = looking()
    await find(lookup, "born")
    assert await find(lookup, "SHE") == "(Result 1 / 3) She painted."
    assert await find(lookup, "born") == "(Result 1 / 3) Ann Roe was born in 1891."


async def test_another_page_begins_at_its_top():
    lookup = looking()
    await find(lookup, "born")
    lookup.desk.page = OpenPage(Page("Bob", "", "Bob was born. Bob is born again."))
    assert await find(lookup, "born") == "(Result 1 / 2) Bob was born."


async def test_a_term_that_is_not_there_is_said():
    said = await find(looking(), "zebra")
    assert said == "Nothing in 'Ann Roe' has 'zebra'. Try a shorter word, or another page."


@pytest.mark.parametrize("term", ["", " \n"])
async def test_an_empty_term_is_refused(term):
    with pytest.raises(ToolError, match="There is nothing to look for"):
        await find(looking(), term)


async def test_without_a_page_it_says_to_open_one():
    with pytest.raises(ToolError, match="No page is open"):
        await find(Lookup(), "born")


async def test_a_long_sentence_is_cut():
    said = await find(looking("born " * 5_000), "born")
    assert len(said) < MAX_SENTENCE + 50
    assert said.endswith(" ...")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        (
            "J. R. R. Tolkien met Dr. Smith in St. Ives. He left.",
            ["J. R. R. Tolkien met Dr. Smith in St. Ives.", "He left."],
        ),
        ("It cost 3.50 then. See e.g. Rome.", ["It cost 3.50 then.", "See e.g. Rome."]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("A line\nanother. line", ["A line", "another. line"]),
        ("一。二。", ["一。", "二。"]),
        ("The end of Dr.", ["The end of Dr."]),
        ("", []),
    ],
)
def test_sentences(text, found):
    assert sentences(text) == found
