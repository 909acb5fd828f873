"""The contract of a scorer: bounded settings, what it needs of an item, and an answer's score with a reason."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, ConfigDict

from workbench.events import Totals
from workbench.experiments.model import Item, Score

SHOWN = 60  # characters of an answer in what a score says

# The fields of an item that a scorer may need, and what an item without one has not.
NEEDED = {"answer": "no answer", "tests": "no tests", "choices": "no choices"}


class ScorerSettings(BaseModel):
    """A scorer's settings: every field bounded and described, since the form is made from them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NoSettings(ScorerSettings):
    """Nothing to choose."""


class Reply(BaseModel):
    """What a model that was asked to judge said: an instance of the schema, and what asking cost."""

    model_config = ConfigDict(frozen=True)

    parsed: Any
    totals: Totals = Totals()


class AskModel(Protocol):
    """Asks a model and returns an instance of `schema`. Raises BackendError, StructuredOutputError."""

    async def __call__(self, messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Reply:
        """The model's answer."""


class Scorer(Protocol):
    """Says how good an answer is.

    `graded` scores lie between 0 and 1, others are 0 or 1. `costs`: a model is asked. `by_person`: a cell is done
    without a score until a person gives one, and `score` is never called. `needs` are fields of an item.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    settings: ClassVar[type[ScorerSettings]] = NoSettings
    graded: ClassVar[bool] = False
    costs: ClassVar[bool] = False
    by_person: ClassVar[bool] = False

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take an instance of `settings`, and the model to ask where one is. Raises InvalidRequest."""

    @property
    def needs(self) -> frozenset[str]:
        """The fields without which an item cannot be scored."""
        return frozenset({"answer"})

    def lacks(self, item: Item) -> str:
        """What an item has not that is needed, as "no tests"; empty when it can be scored."""
        missing = [said for field, said in NEEDED.items() if field in self.needs and not getattr(item, field)]
        return missing[0] if missing else ""

    async def score(self, item: Item, answer: str) -> Score:
        """The answer's score. Raises ScorerError, and where a model judges what asking it raises."""
        raise NotImplementedError


def short(text: str) -> str:
    """A text in one line for what a score says."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 4]} ..."


def verdict(right: bool, read: str, wanted: str) -> Score:
    """A right or wrong answer as a score that says what was read and what was wanted."""
    told = f"read {short(read)}" if read else "read nothing"
    return Score(value=float(right), said=told if right else f"{told}, wanted {short(wanted)}", read=read)
