"""Reading the documents before a run needs it: to its end, stopped, or with the reason why it cannot be done."""

import asyncio
from collections.abc import Sequence

import pytest

from workbench.backends.base import Embeddings
from workbench.backends.scripted import ScriptedBackend
from workbench.reader import Reading
from workbench.settings import Settings
from workbench.store.documents import Documents

MODEL = "scripted:hashed-words"


@pytest.fixture
def library(settings: Settings) -> Documents:
    documents = Documents(settings.home / "documents.db")
    for number in range(12):
        documents.add(f"{number}.txt", f"Roses of the year {number}.")
    return documents


async def test_it_reads_all_that_is_not_read_yet(library):
    library.keep_vectors(MODEL, [(number, text, [[1.0]]) for number, text in library.without_vectors(MODEL, 3)])
    reading = Reading(library, ScriptedBackend([]))
    await reading.run()
    assert (reading.done, reading.whole, reading.over, reading.problem) == (12, 12, True, None)
    assert library.read_by(MODEL) == (12, 12)


class Stopping(ScriptedBackend):
    """Somebody presses Stop while the first passages are read."""

    reading: Reading

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        self.reading.stop()
        return await super().embed(texts, model)


async def test_stopped_it_keeps_what_it_has_read(library):
    backend = Stopping([])
    backend.reading = reading = Reading(library, backend)
    await reading.run()
    assert reading.over and reading.problem is None
    assert library.read_by(MODEL) == (reading.done, 12) == (1, 12)


async def test_cancelled_it_keeps_what_it_has_read(library):
    class Hanging(ScriptedBackend):
        async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
            if library.read_by(MODEL)[0]:
                await asyncio.sleep(60)
            return await super().embed(texts, model)

    reading = Reading(library, Hanging([]))
    task = asyncio.create_task(reading.run())
    while not library.read_by(MODEL)[0]:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (library.read_by(MODEL), reading.over) == ((1, 12), True)


async def test_without_embeddings_it_says_why(library):
    reading = Reading(library, ScriptedBackend([], embeds=False))
    await reading.run()
    assert reading.over and reading.problem
    assert reading.problem.message.endswith("This script makes no embeddings.")


async def test_a_damaged_library_is_said_to_be(library, settings):
    (settings.home / "documents.db").write_bytes(b"no database" * 1_000)
    reading = Reading(library, ScriptedBackend([]))
    await reading.run()
    assert reading.problem and "is damaged" in reading.problem.message
