"""Token F1 as SQuAD scores answers (Rajpurkar et al. 2016): overlap of words without articles and punctuation.

The F1 of two bags of words is the F-measure of ROUGE-1 over the same words, so the library's rouge1 counts it. Unlike
SQuAD's script, numbers keep sign and point here: -5 is not 5. As in HotpotQA's (Yang et al. 2018), a yes or a no has
no overlap with anything but itself.
"""

import asyncio
from typing import Any, ClassVar, Literal

from pydantic import Field

from agents.answers import extract
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers import overlap, words
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, verdict

LONGEST = 50_000  # characters of an answer's end that are read
ALL_OR_NOTHING = frozenset({"yes", "no", "noanswer"})


class Settings(ScorerSettings):
    """What of the answer is compared."""

    read: Literal["answer", "everything"] = Field(
        "answer", description="Compare the answer proper, as it is read out of the text; or the whole text."
    )


class TokenF1(Scorer):
    """The words that the answer proper shares with the right one."""

    name: ClassVar[str] = "token_f1"
    title: ClassVar[str] = "Token F1"
    summary: ClassVar[str] = "The words shared with the right answer, whatever their order, as SQuAD counts them."
    settings: ClassVar[type[ScorerSettings]] = Settings
    graded: ClassVar[bool] = True

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take what is compared."""
        self._chosen: Settings = chosen
        self._counter = overlap.Counter("rouge1", tokens)

    async def score(self, item: Item, answer: str) -> Score:
        """The F1, from 0 to 1."""
        answer = answer[-LONGEST:]
        read = extract(answer) if self._chosen.read == "answer" else answer
        wanted = [text for text in (item.answer, *item.aliases) if text.strip()]
        if any(" ".join(tokens(text)) in ALL_OR_NOTHING for text in (read, *wanted)):
            return verdict(any(tokens(read) == tokens(text) for text in wanted), read, item.answer)
        return await asyncio.to_thread(self._counter.score, item, read)


def tokens(text: str) -> list[str]:
    """The words of a text in one case, without articles and the punctuation around them."""
    plain = words.bare(words.folded(text))
    return [token for word in plain.split() for token in overlap.signs(word)]


KIND = TokenF1
