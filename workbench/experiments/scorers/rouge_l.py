"""ROUGE-L (Lin 2004): the longest common subsequence of words, as an F-measure."""

import asyncio
from typing import Any, ClassVar

from pydantic import Field

from workbench.experiments.model import Item, Score
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings
from workbench.experiments.scorers.overlap import MOST_WORDS, Counter, stemmed, tokens


class Settings(ScorerSettings):
    """How words are compared."""

    stem: bool = Field(False, description="Compare English words without their endings: runs is running.")


class RougeL(Scorer):
    """The whole answer against the reference, in order of words."""

    name: ClassVar[str] = "rouge_l"
    title: ClassVar[str] = "ROUGE-L"
    summary: ClassVar[str] = f"The longest common sequence of words with the reference; the first {MOST_WORDS:,} count."
    settings: ClassVar[type[ScorerSettings]] = Settings
    graded: ClassVar[bool] = True

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take how words are compared."""
        self._counter = Counter("rougeL", stemmed if chosen.stem else tokens)

    async def score(self, item: Item, answer: str) -> Score:
        """The F-measure, from 0 to 1. It is counted in a thread: long texts take a while."""
        found = await asyncio.to_thread(self._counter.score, item, answer)
        return found.model_copy(update={"read": ""})


KIND = RougeL
