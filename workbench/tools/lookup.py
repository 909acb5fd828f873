"""The lookup tool: the next sentence with a term in the page that was opened last (ReAct's lookup, 2210.03629)."""

import re
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools.base import Tool
from workbench.tools.desk import Desk

MAX_SENTENCE = 800  # characters
# A stop after one of these ends no sentence, nor does one after a single letter: J. R. R. Tolkien.
_NO_END = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|Lt|Col|Gen|Capt|Rev|Hon|vs|etc|approx|No|vol|ca|cf|al|Inc|Ltd|Co"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|e\.g|i\.e|U\.S|a\.m|p\.m))\.$"
)
_END = re.compile(r"([.!?][\"'”’)\]]*)\s+(?=[\"'“‘(\[]*[A-Z0-9À-Þ])|(?<=[。！？])")


class Arguments(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    term: str = Field(description="A word or name as it stands in the page")


class Lookup:
    """Asked the same again it goes on to the next sentence."""

    name: ClassVar[str] = "lookup"
    description: ClassVar[str] = (
        "finds the next sentence with a word in the page that you opened last; repeat it for the next. Example: born"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False

    def __init__(self) -> None:
        self.desk = Desk()

    async def run(self, arguments: BaseModel) -> str:
        """Such as `(Result 1 / 3) ...`. Raises ToolError without a page or a term."""
        assert isinstance(arguments, Arguments)
        term = _folded(arguments.term)
        if not term:
            raise ToolError("There is nothing to look for. Write a word or name as it stands in the page.")
        if self.desk.page is None:
            raise ToolError("No page is open. Open one first, then look a word up in it.")
        page = await self.desk.page.read()
        found = [sentence for sentence in sentences(page.text) if term in _folded(sentence)]
        before = self.desk.page.next(term)
        if before < len(found):
            return f"(Result {before + 1} / {len(found)}) {_cut(found[before])}"
        if found:
            return f"No more results: {len(found)} in {page.title!r}. Look for another word, or open another page."
        return f"Nothing in {page.title!r} has {arguments.term.strip()[:100]!r}. Try a shorter word, or another page."

    def recall(self, arguments: BaseModel, said: str) -> None:
        """Count the sentence as shown."""
        assert isinstance(arguments, Arguments)
        if self.desk.page is not None:
            self.desk.page.next(_folded(arguments.term))


def create(settings: Settings) -> Tool:
    """Lookup in no page yet."""
    return Lookup()


def sentences(text: str) -> list[str]:
    """The sentences of a text, each in one line; a line's end is a sentence's end."""
    found: list[str] = []
    for line in text.split("\n"):
        held = ""
        for piece in _END.sub(lambda end: f"{end[1] or ''}\n", line.strip()).split("\n"):
            held = f"{held} {piece}" if held else piece
            if not _NO_END.search(held):
                found.append(held)
                held = ""
        found += [held] if held else []
    return [sentence for sentence in found if sentence.strip()]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= MAX_SENTENCE else f"{sentence[:MAX_SENTENCE].rstrip()} ..."
