"""The search tool: finds passages in the documents that the person added, with file and line."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import StoreError, ToolError
from workbench.settings import Settings
from workbench.store.documents import Documents, Passage
from workbench.tools.base import Tool

MAX_SHOWN = 1_500  # characters in all
PASSAGES = 4


class Arguments(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    query: str = Field(description="A few words that the passage would contain")


class Search:
    """Looks the words of a query up in the documents."""

    name: ClassVar[str] = "search"
    description: ClassVar[str] = (
        "finds passages in the user's documents; returns them as [file:line] text. Example: refund deadline"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def run(self, arguments: BaseModel) -> str:
        """The best passages as `[source:line] text`, or what to do when there are none. Raises ToolError."""
        assert isinstance(arguments, Arguments)
        return await asyncio.to_thread(self._look_up, arguments.query)

    def _look_up(self, query: str) -> str:
        if not query.strip():
            raise ToolError("The query is empty. Write a few words that the passage would contain.")
        try:
            found = self._documents.search(query, PASSAGES)
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
