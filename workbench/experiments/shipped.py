"""The data sets that come with the program; `python -m scripts.make_sets` writes their files."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "sets"


@dataclass(frozen=True)
class ShippedSet:
    """A set with exact answers: its name, what it asks, and the scorer that fits it."""

    name: str
    title: str
    summary: str
    scorer: str
    file: Path


SHIPPED: tuple[ShippedSet, ...] = (
    ShippedSet(
        "letters",
        "Counting letters",
        "How many letters a word has, and how often one of them occurs in a word or a sentence.",
        "numeric",
        FOLDER / "letters.jsonl",
    ),
    ShippedSet(
        "decimals",
        "Comparing decimals",
        "Which of some decimal numbers is the largest, the smallest or in the middle.",
        "numeric",
        FOLDER / "decimals.jsonl",
    ),
    ShippedSet(
        "arithmetic",
        "Arithmetic in several steps",
        "Word problems of two to six steps with whole numbers.",
        "numeric",
        FOLDER / "arithmetic.jsonl",
    ),
    ShippedSet(
        "dates",
        "Reckoning with dates",
        "Weekdays, the earlier of dates, the days between them, and dates so many days or months away.",
        "exact",
        FOLDER / "dates.jsonl",
    ),
    ShippedSet(
        "programs",
        "Small programs",
        "Python functions to write, each run against unit tests in the sandbox.",
        "unit_tests",
        FOLDER / "programs.jsonl",
    ),
)
NAMES = tuple(shipped.name for shipped in SHIPPED)
