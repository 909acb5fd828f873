"""A person as the scorer: cells are done without a score until somebody gives one."""

from typing import Any, ClassVar

from workbench.errors import ScorerError
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers.base import AskModel, Scorer


class Person(Scorer):
    """Scores nothing by itself."""

    name: ClassVar[str] = "person"
    title: ClassVar[str] = "A person"
    summary: ClassVar[str] = "You read the answers and score them yourself, without seeing which lane gave them."
    graded: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Nothing to choose."""

    @property
    def needs(self) -> frozenset[str]:
        """A person needs the question alone."""
        return frozenset()

    async def score(self, item: Item, answer: str) -> Score:
        """Raise ScorerError: nobody has been asked."""
        raise ScorerError("A person scores this.", "Open the experiment and give the answer a score.")


KIND = Person
