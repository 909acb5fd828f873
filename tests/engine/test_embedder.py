"""Texts compared by meaning in a run: the search tool finds by it, and a run without it says so once."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.runs import action, at_rest, request
from workbench import embedder as module
from workbench.backends.base import Embeddings, NoticePart
from workbench.backends.scripted import ScriptedBackend
from workbench.embedder import Embedder
from workbench.engine import Engine
from workbench.errors import ModelMissing, ServerFault
from workbench.events import NoteView, RunView, ToolView, Warned
from workbench.settings import Settings
from workbench.store.documents import Documents
from workbench.tools import search as tool

QUERIES = ["nonrefundable cancellatoins", "hydrangea"]  # the first as typed in a hurry


def searching(settings: Settings, backend: ScriptedBackend) -> RunView:
    """A react run that searches twice."""
    engine = Engine(settings, {"scripted": backend})
    try:
        return at_rest(engine, engine.submit(request("react", tools=["search"])))
    finally:
        engine.close()


def steps(**changes: bool) -> ScriptedBackend:
    answers = [action("search", query) for query in QUERIES]
    return ScriptedBackend([*answers, action("finish", "Done.")], **changes)


def said(view: RunView) -> list[str]:
    return [entry.answered.result for entry in view.entries if isinstance(entry, ToolView) and entry.answered]


def warned(view: RunView, code: str) -> list[str]:
    events = (entry.event for entry in view.entries if isinstance(entry, NoteView))
    return [event.message for event in events if isinstance(event, Warned) and event.code == code]


@pytest.fixture
def library(settings: Settings) -> Documents:
    documents = Documents(settings.home / "documents.db")
    documents.add("terms.txt", "Cancellations that come late are not refunded.")
    documents.add("garden.txt", "Roses are cut in spring.")
    return documents


def test_a_run_finds_a_passage_that_shares_no_word_with_the_query(settings, library):
    assert library.search(QUERIES[0]) == []
    view = searching(settings, steps())
    assert said(view)[0] == "[terms.txt:1] Cancellations that come late are not refunded."
    assert said(view)[1].startswith("Nothing in the documents"), "what is not alike at all is not shown"
    assert library.read_by("scripted:hashed-words") == (2, 2)
    assert warned(view, module.NO_EMBEDDINGS) == []


def test_a_run_without_embeddings_searches_words_and_says_so_once(settings, library):
    view = searching(settings, steps(embeds=False))
    assert all(text.startswith("Nothing in the documents") for text in said(view))
    assert warned(view, module.NO_EMBEDDINGS) == [
        "Texts are compared by their words alone: This script makes no embeddings."
    ]
    assert view.finished and view.finished.answer == "Done."


def test_without_documents_nobody_is_asked_to_compare_anything(settings):
    view = searching(settings, steps(embeds=False))
    assert warned(view, module.NO_EMBEDDINGS) == []
    assert all(text.startswith("There are no documents") for text in said(view))


class Slow(ScriptedBackend):
    """Takes its time for each text."""

    seconds = 0.2

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        await asyncio.sleep(self.seconds * len(texts))
        return await super().embed(texts, model)


def test_what_is_not_compared_in_time_is_searched_by_words_and_goes_on_later(settings, library, monkeypatch):
    monkeypatch.setattr(tool, "SECONDS", 0.5)
    for number in range(20):
        library.add(f"{number}.txt", f"Hydrangea number {number}.")
    view = searching(settings, Slow([action("search", "hydrangea"), action("finish", "Done.")]))
    assert "Hydrangea number" in said(view)[0]
    done, whole = library.read_by("scripted:hashed-words")
    assert 0 < done < whole == 22
    (message,) = warned(view, "passages_unread")
    assert message.startswith(f"{done} of 22 passages are compared by meaning so far")


def test_a_query_that_is_not_compared_in_time_is_searched_by_words(settings, library, monkeypatch):
    library.keep_vectors("scripted:hashed-words", [(n, t, [[1.0]]) for n, t in library.without_vectors("x", 9)])
    monkeypatch.setattr(tool, "SECONDS", 0.05)
    view = searching(settings, Slow([action("search", "roses"), action("finish", "Done.")]))
    assert said(view) == ["[garden.txt:1] Roses are cut in spring."]
    assert len(warned(view, "query_unread")) == 1


# The embedder itself


class Faulty(ScriptedBackend):
    """Fails so often before it answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        super().__init__([])
        self.failures, self.error, self.asked = failures, error, 0

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        self.asked += 1
        if self.asked <= self.failures:
            raise self.error
        return await super().embed(texts, model)


async def test_a_fault_that_passes_is_tried_again(monkeypatch):
    monkeypatch.setattr(module, "wait_before_retry", lambda error, attempt: 0.0)
    told: list[NoticePart] = []
    backend = Faulty(2, ServerFault("Overloaded."))
    assert await Embedder(backend, told.append).embed(["a text"]) is not None
    assert (backend.asked, told) == (3, [])


async def test_one_that_stays_is_told_and_not_tried_at_every_step():
    told: list[NoticePart] = []
    backend = Faulty(9, ModelMissing("There is no such model.", "Fetch one."))
    embedder = Embedder(backend, told.append)
    assert await embedder.embed(["a text"]) is None
    assert await embedder.embed(["a text"]) is None
    assert await embedder.model() == ""
    assert backend.asked == 1
    (notice,) = told
    assert notice.message == "Texts are compared by their words alone: There is no such model."
    assert notice.hint == "Fetch one."


async def test_a_backend_that_knows_no_embeddings_is_named():
    class Plain:
        title = "A plain one"

    told: list[NoticePart] = []
    assert await Embedder(Plain(), told.append).embed(["a text"]) is None  # type: ignore[arg-type]
    assert [notice.message for notice in told] == [
        "Texts are compared by their words alone: A plain one makes no embeddings."
    ]


async def test_no_texts_are_no_call():
    backend = Faulty(9, ModelMissing("No."))
    assert await Embedder(backend, lambda notice: None).embed([]) == []
    assert backend.asked == 0
