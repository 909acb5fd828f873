"""The search tool: finds passages in the documents that the person added, by words and by meaning, with their place."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from workbench.backends.base import NoticePart
from workbench.errors import StoreError, ToolError
from workbench.settings import Settings
from workbench.store.documents import Documents, Passage
from workbench.store.passage_vectors import Near
from workbench.store.reading import read_passages
from workbench.tools.base import Embedder, Tool

MAX_SHOWN = 1_500  # characters in all
PASSAGES = 4
SECONDS = 10.0  # of a call for what was not compared before, and again for the query
READ_LATER = "Each search goes on with it for some seconds. To have it done, press Read them below Documents to search."


class Arguments(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    query: str = Field(description="A few words that the passage would contain")


class Search:
    """Looks a query up in the documents: its words, and with an `embedder` what is close to its meaning."""

    name: ClassVar[str] = "search"
    description: ClassVar[str] = (
        "finds passages in the user's documents; returns them as [file:line] text. Example: refund deadline"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.embedder: Embedder | None = None

    async def run(self, arguments: BaseModel) -> str:
        """The best passages as `[source:line] text`, or what to do when there are none. Raises ToolError."""
        assert isinstance(arguments, Arguments)
        if not arguments.query.strip():
            raise ToolError("The query is empty. Write a few words that the passage would contain.")
        try:
            near = await self._near(self.embedder, arguments.query) if self.embedder else None
        except StoreError as error:
            raise ToolError(f"The documents cannot be read. {error.message}") from error
        return await asyncio.to_thread(self._look_up, arguments.query, near)

    async def _near(self, embedder: Embedder, query: str) -> Near | None:
        """The query's vector, once the passages have theirs as far as the time allows; None where there is none."""
        if not await asyncio.to_thread(self._documents.list):
            return None
        if not (model := await embedder.model()):
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await read_passages(self._documents, model, embedder.embed)
        done, whole = await asyncio.to_thread(self._documents.read_by, model)
        if done < whole:
            said = f"{done:,} of {whole:,} passages are compared by meaning so far, the others by their words alone."
            embedder.tell(NoticePart(code="passages_unread", message=said, hint=READ_LATER))
        if not done:
            return None
        try:
            async with asyncio.timeout(SECONDS):
                vectors = await embedder.embed([query])
        except TimeoutError:
            said = f"The query was not compared by meaning within {SECONDS:g} seconds, but by its words alone."
            embedder.tell(NoticePart(code="query_unread", message=said))
            return None
        return Near(model, vectors[0], embedder.least) if vectors else None

    def _look_up(self, query: str, near: Near | None) -> str:
        try:
            found = self._documents.search(query, PASSAGES, near)
            return _shown(found) if found else self._say_nothing_found(query)
        except StoreError as error:
            raise ToolError(f"The documents cannot be read. {error.message}") from error

    def _say_nothing_found(self, query: str) -> str:
        names = [document.name for document in self._documents.list()]
        if not names:
            raise ToolError("There are no documents to search. Answer without them, and say that none were added.")
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        return (
            f"Nothing in the documents ({shown}) has any word of {query[:100]!r}. Try other words for the same thing."
        )


def create(settings: Settings) -> Tool:
    """Search over the documents in the home."""
    return Search(Documents(settings.home / "documents.db"))


def _shown(found: Sequence[Passage]) -> str:
    """The passages within the total, best first; the last is cut where the room ends."""
    lines: list[str] = []
    room = MAX_SHOWN
    for passage in found:
        line = f"[{passage.source}:{passage.line}] {' '.join(passage.text.split())}"
        if len(line) > room:
            line = f"{line[: max(0, room - 4)].rstrip()} ..." if room > 200 else ""
        if not line:
            break
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines)
