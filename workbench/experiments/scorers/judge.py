"""A model as judge: grades an answer by a rubric, or prefers one of two, blind to what gave it.

It is told the question, the reference, the rubric and the answer, never the lane, machine or model. What depends on
the order of texts is asked in both orders and averaged (Zheng et al. 2023, 2306.05685).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from workbench import prompts
from workbench.events import Totals
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers.base import AskModel, Reply, Scorer, ScorerSettings

LONGEST = 20_000  # characters of an answer that the judge reads
LOWEST, HIGHEST = 1, 5
RUBRIC = "The answer is correct and complete: it says the same as the reference, if there is one, and nothing false."

Text = tuple[str, str]  # what it is, and what it says


class Settings(ScorerSettings):
    """What is asked for, and of which model."""

    rubric: str = Field(RUBRIC, min_length=10, max_length=4_000, description="What a good answer is, in plain words.")
    backend: str = Field("", max_length=40, description="Where the judge runs; empty: where the experiment does.")
    model: str = Field(
        "", max_length=200, description="The judge. Empty: the experiment's own model, which favours its own answers."
    )


class Graded(BaseModel):
    """What the judge says of one answer."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(max_length=600)
    grade: int = Field(ge=LOWEST, le=HIGHEST)


class Compared(BaseModel):
    """What the judge says of two answers."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(max_length=600)
    better: Literal["first", "second", "tie"]


class Preference(BaseModel):
    """Which of two answers is better: 1 is the first, -1 the second, 0 a tie; why, and what asking cost."""

    model_config = ConfigDict(frozen=True)

    value: float = Field(ge=-1, le=1)
    said: str
    judging: Totals = Totals()


class Judge(Scorer):
    """Asks a model for a grade from 1 to 5, which becomes a score from 0 to 1."""

    name: ClassVar[str] = "judge"
    title: ClassVar[str] = "A model as judge"
    summary: ClassVar[str] = "A model grades each answer by your rubric, without knowing which lane gave it."
    settings: ClassVar[type[ScorerSettings]] = Settings
    graded: ClassVar[bool] = True
    costs: ClassVar[bool] = True

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take the rubric and the model to ask."""
        assert judge is not None
        self._chosen: Settings = chosen
        self._ask = judge

    @property
    def needs(self) -> frozenset[str]:
        """A reference helps, and is not needed."""
        return frozenset()

    async def score(self, item: Item, answer: str) -> Score:
        """The mean of two grades, with reference and answer in either order; one where there is no reference."""
        if not answer.strip():
            return Score(value=0, said="the answer is empty")
        given, candidate = ("Reference", item.answer), ("Answer", answer[:LONGEST])
        orders = [[given, candidate], [candidate, given]] if item.answer.strip() else [[candidate]]
        replies = await self._asked("grade", item, orders, Graded)
        grades = [float(reply.parsed.grade) for reply in replies]
        value = (sum(grades) / len(grades) - LOWEST) / (HIGHEST - LOWEST)
        said = f"{' and '.join(f'{grade:g}' for grade in grades)} of {HIGHEST}: {replies[0].parsed.reason.strip()}"
        return Score(value=value, said=said, judging=total(replies))

    async def compare(self, item: Item, first: str, second: str) -> Preference:
        """Which of two answers is better, asked in both orders; a verdict that turns with the order is a tie."""
        reference = [("Reference", item.answer)] if item.answer.strip() else []
        pairs = [(first, second), (second, first)]
        orders = [[*reference, ("First answer", one[:LONGEST]), ("Second answer", two[:LONGEST])] for one, two in pairs]
        replies = await self._asked("compare", item, orders, Compared)
        straight, swapped = (_SIGNS[reply.parsed.better] for reply in replies)
        turned = straight and straight == swapped
        said = "the verdict turned with the order: a tie" if turned else replies[0].parsed.reason.strip()
        return Preference(value=(straight - swapped) / 2, said=said, judging=total(replies))

    async def _asked(
        self, role: str, item: Item, orders: Sequence[Sequence[Text]], schema: type[BaseModel]
    ) -> list[Reply]:
        """The judge's replies, one for each order of texts."""
        system = SystemMessage(_prompts().roles[role].fill({"rubric": self._chosen.rubric.strip()}))
        sent = [[system, HumanMessage(marked([("Question", item.asked), *texts]))] for texts in orders]
        return list(await asyncio.gather(*(self._ask(messages, schema) for messages in sent)))


_SIGNS = {"first": 1, "second": -1, "tie": 0}


def marked(texts: Sequence[Text]) -> str:
    """Texts between marks that none of them can hold: the mark is a hash of all that they say."""
    whole = "\x1f".join(said for _, said in texts)
    mark, turn = "", 0
    while not mark or mark in whole:
        mark = hashlib.sha256(f"{turn}\x1f{whole}".encode(errors="surrogatepass")).hexdigest()[:16]
        turn += 1
    return "\n\n".join(f"{title}:\n<<<{mark}\n{said}\n{mark}>>>" for title, said in texts)


def total(replies: Sequence[Reply]) -> Totals:
    """What several replies cost together; their seconds are added up, though they may have run side by side."""
    return sum((reply.totals for reply in replies), Totals())


@cache
def _prompts() -> prompts.PromptFile:
    path = Path(__file__).with_name("judge.yaml")
    return prompts.parse(path.read_text(encoding="utf-8"), path.name)


KIND = Judge
