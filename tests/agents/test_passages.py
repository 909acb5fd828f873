"""Passages with their sources, read out of what the tools say as they say it."""

import pytest

from agents.passages import Passage, first_sentence, from_article, from_documents, similar
from workbench.store.documents import Documents
from workbench.tools.desk import Page
from workbench.tools.search import Arguments, create
from workbench.tools.wikipedia import _shown


async def test_what_the_search_tool_really_says_is_read_passage_by_passage(settings):
    documents = Documents(settings.home / "documents.db")
    documents.add("house rules [2]: new.md", "Guests pay on arrival.\n\nGuests leave at ten.")
    documents.add("a.txt", "Dogs of guests are welcome: they pay nothing.")
    said = await create(settings).run(Arguments(query="guests pay"))
    assert set(from_documents(said)) == {
        Passage("house rules [2]: new.md:1", "Guests pay on arrival. Guests leave at ten."),
        Passage("a.txt:1", "Dogs of guests are welcome: they pay nothing."),
    }


async def test_a_search_that_finds_nothing_has_no_passage(settings):
    Documents(settings.home / "documents.db").add("a.txt", "A refund.")
    assert from_documents(await create(settings).run(Arguments(query="zebra"))) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("[a.txt:12] One.\n[b.txt:3] Two.", [("a.txt:12", "One."), ("b.txt:3", "Two.")]),
        ("[a.txt:12] See [b.txt:3] for more.", [("a.txt:12", "See [b.txt:3] for more.")]),
        ("[a.txt:1] One.\n[a.txt:1] One.", [("a.txt:1", "One.")]),
        ('(The user changed the arguments to {"query": "x"}.)\n[a.txt:1] One.', [("a.txt:1", "One.")]),
        ("[a.txt:1] One.\n[cut here: 1,234 more characters]", [("a.txt:1", "One.")]),
        ("[a.txt] One.", []),
        ("", []),
    ],
)
def test_a_line_with_file_and_line_number_is_a_passage_and_no_other(said, found):
    assert from_documents(said) == found


def test_what_the_wikipedia_tool_really_says_is_one_passage():
    page = Page("Alien: Covenant", "https://wiki.test/Alien", "Alien: Covenant is a film. It was made in 2017.")
    text = "Alien: Covenant is a film. It was made in 2017."
    assert from_article(_shown(page), "alien: covenant") == [Passage("Alien: Covenant", text)]


@pytest.mark.parametrize(
    ("said", "asked", "found"),
    [
        ("Ada Lovelace: She was a mathematician.", "Lovelace", [("Ada Lovelace", "She was a mathematician.")]),
        ("There is no article 'Adda: x'. Similar: Ada; Adder.", "Adda: x", []),
        ("The article 'Ada' has no text.", "Ada", []),
        ("Ada:", "Ada", []),
    ],
)
def test_an_article_is_a_passage_with_its_title_as_the_source(said, asked, found):
    assert from_article(said, asked) == found


@pytest.mark.parametrize(
    ("said", "titles"),
    [
        ("There is no article 'Adda'. Similar: Ada Lovelace; St. Ada; Adder.", ["Ada Lovelace", "St. Ada", "Adder"]),
        ("There is no article 'Adda'. Nothing is similar. Try other words.", []),
        ("Ada: She is like others. Similar: many.", []),
    ],
)
def test_titles_of_other_articles_are_read_where_there_is_none(said, titles):
    assert similar(said) == titles


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("There are no documents to search. Answer without them.", "There are no documents to search"),
        ("en.wiki.test cannot be reached: no connection. Go on.", "en.wiki.test cannot be reached: no connection"),
        ("No end", "No end"),
        ("One.", "One"),
    ],
)
def test_a_reason_is_the_first_sentence_without_its_end(text, first):
    assert first_sentence(text) == first
