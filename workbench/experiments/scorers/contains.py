"""The scorer that looks for the answer's words in what the model wrote.

It is lenient: "Paris or London" contains Paris. What is taken back in the same clause ("not Paris", "Paris is wrong")
does not count, and where a text announces its answer ("Answer: ...") only that is searched.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from agents.answers import marked
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers import words
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, short

LONGEST = 50_000  # characters of an answer's end that are searched


class Settings(ScorerSettings):
    """Where to look, and for what."""

    where: Literal["answer", "everywhere"] = Field(
        "answer", description="In what the text announces as its answer, if it does; or everywhere."
    )
    whole_words: bool = Field(True, description="Whole words alone: 42 is not in 420, nor art in start.")
    ignore_case: bool = Field(True, description="Ignore case: paris is Paris.")


class Contains(Scorer):
    """Looks for the item's answer, or an alias of it, as words of the text."""

    name: ClassVar[str] = "contains"
    title: ClassVar[str] = "Contains"
    summary: ClassVar[str] = "The text says the right answer somewhere, and does not take it back. A lenient measure."
    settings: ClassVar[type[ScorerSettings]] = Settings

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take where to look."""
        self._chosen: Settings = chosen

    async def score(self, item: Item, answer: str) -> Score:
        """Right when one of the answers is said."""
        answer = answer[-LONGEST:]
        told = marked(answer) if self._chosen.where == "answer" else ""
        text = words.folded(told or answer, self._chosen.ignore_case)
        wanted = [text for text in (item.answer, *item.aliases) if text.strip()]
        found = next((one for one in wanted if self._says(text, one)), None)
        if found is not None:
            return Score(value=1, said=f"says {short(found)}", read=found)
        taken_back = any(True for one in wanted for _ in words.occurrences(text, self._folded(one)))
        how = "takes it back" if taken_back else "does not say it"
        return Score(value=0, said=f"{how}: wanted {short(item.answer)}", read=told)

    def _folded(self, text: str) -> str:
        return words.folded(text, self._chosen.ignore_case)

    def _says(self, text: str, wanted: str) -> bool:
        return words.says(text, self._folded(wanted), self._chosen.whole_words)


KIND = Contains
