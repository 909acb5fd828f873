"""The search tool shows passages with their file and line, or says what to do when there are none."""

import asyncio

import pytest

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.store.documents import Documents
from workbench.tools.search import MAX_SHOWN, Arguments, create


async def search(settings: Settings, query: str) -> str:
    return await create(settings).run(Arguments(query=query))


@pytest.fixture
def documents(settings: Settings) -> Documents:
    return Documents(settings.home / "documents.db")


async def test_a_passage_comes_with_its_file_and_line(settings, documents):
    documents.add("handbook.md", "# Handbook\n\nRefunds are paid within 14 days.\n")
    assert await search(settings, "When are refunds paid?") == (
        "[handbook.md:1] # Handbook Refunds are paid within 14 days."
    )


async def test_the_best_passage_comes_first(settings, documents):
    documents.add("a.txt", "Apples are red. " * 20)
    documents.add("b.txt", "Refunds need a receipt.")
    said = await search(settings, "refund receipt for apples")
    assert said.split("\n")[0] == "[b.txt:1] Refunds need a receipt."


async def test_what_is_shown_has_a_bound(settings, documents):
    for number in range(10):
        documents.add(f"{number}.txt", f"The budget of year {number} was discussed at length. " * 50)
    said = await search(settings, "budget discussed")
    assert 1_000 < len(said) <= MAX_SHOWN
    assert said.endswith(" ...")
    assert all(line.startswith("[") for line in said.split("\n"))


async def test_a_document_added_later_is_found(settings, documents):
    with pytest.raises(ToolError):
        await search(settings, "refund")
    documents.add("a.txt", "A refund.")
    assert await search(settings, "refund") == "[a.txt:1] A refund."


async def test_without_documents_the_model_is_told_to_go_on(settings):
    with pytest.raises(ToolError, match=r"There are no documents to search\. Answer without them"):
        await search(settings, "anything")
    assert not (settings.home / "documents.db").exists()


async def test_without_a_hit_the_model_is_told_to_try_other_words(settings, documents):
    documents.add("handbook.md", "Refunds are paid within 14 days.")
    said = await search(settings, "zebra")
    assert said == "Nothing in the documents (handbook.md) has any word of 'zebra'. Try other words for the same thing."


@pytest.mark.parametrize("query", ["", "  \n"])
async def test_an_empty_query_is_refused(settings, query):
    with pytest.raises(ToolError, match="The query is empty"):
        await search(settings, query)


async def test_a_damaged_library_is_a_sentence_for_the_model(settings, documents):
    documents.add("a.txt", "A refund.")
    (settings.home / "documents.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(ToolError, match=r"The documents cannot be read\. .* is damaged"):
        await search(settings, "refund")


async def test_many_searches_at_once(settings, documents):
    documents.add("a.txt", "A refund.")
    said = await asyncio.gather(*(search(settings, f"refund {number}") for number in range(20)))
    assert set(said) == {"[a.txt:1] A refund."}
