"""The numeric scorer: the number that an answer gives against the item's, exactly or within a tolerance."""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

from pydantic import Field

from agents.answers import marked
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, verdict
from workbench.experiments.scorers.numbers import Number, alone, cleaned, find, same

LONGEST = 20_000  # characters of an answer's end that are read
CLAUSE = 2_000  # characters of the clause that gives the number
NEAR = 60  # characters before and after a number that say what it is

_NOT = re.compile(r"(?:\bnot|n't|\bnever|\brather than|\binstead of|\bexcept|≠|!=)\s+(?:just |exactly |about )?$", re.I)
_ONE = re.compile(
    r"(?:\b(?:is|are|was|only|exactly|just|answer|equals)|[:=]|^)\s*$", re.I
)  # before a "one" that counts
_ONE_OF = re.compile(r"\s+(?:of|that|which|with|is|more|can|could|thing|way|another)\b", re.I)
_LABEL = re.compile(r"\b(?:step|steps|example|equation|eq\.?|question|problem|case|part|line|option)\s*[#(]?$", re.I)
_BULLET = re.compile(r"^\s*(?:[-*+•]\s+)?$")
_AFTER_BULLET = re.compile(r"[.):]\)?\s+\S")
_EQUALS = re.compile(r"(?<![<>!=])=+(?!=)|≈|\bequals\b|\bcomes to\b", re.I)
_UNIT = r"(?!(?:is|are|was|were|gives|makes|has|have|costs|leaves|totals?)\b)[^\W\d_]+"
_JOINED = re.compile(
    rf"\s*(?:\([^)]*\)\s*)?(?:{_UNIT}\s+){{0,2}}(?:or|and|to|through|[-–—,/+*×x÷&])\s*(?:about |also |maybe |else )?"
    rf"|\s*(?:{_UNIT})?\s*",
    re.I,
)
_HEDGED = re.compile(r"\b(?:between|either|from|ranges?)\s+$", re.I)
_COPULA = re.compile(
    r"(?:\b(?:is|are|was|were|be|totals?|totall?ing|gives|makes|costs|has|have)|[:≈])"
    r"\s+(?:about |exactly |only |approximately |just |a total of |therefore |thus )?$",
    re.I,
)
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-z]|\*\*|[\"“])|\n+")
_LARGE = re.compile(r"\b(?:larg|great|bigg|high|more|most|long|max|tall|heav)", re.I)
_SMALL = re.compile(r"\b(?:small|less|least|low|few|short|min|light)", re.I)
_MORE_THAN = re.compile(
    r"\s*(?:is|are|was)?\s*(?:[^\W\d_]+ )?(?:(?P<large>>|(?:larg|great|bigg|high|long|tall|heavi)er than|more than)"
    r"|(?P<small><|(?:small|low|short|light|few)er than|less than))\s*",
    re.I,
)


class Settings(ScorerSettings):
    """How near is near enough. The larger of the two tolerances holds."""

    absolute: float = Field(0.0, ge=0, le=1e12, description="So far off the number may be: 0.01 takes 3.14 for 3.141.")
    relative: float = Field(0.0, ge=0, le=1, description="So far off as a part of the number: 0.01 is one percent.")
    percent: bool = Field(True, description="A percentage may be written as 50%, as 50 or as 0.5.")


class Numeric(Scorer):
    """Compares numbers as exact fractions."""

    name: ClassVar[str] = "numeric"
    title: ClassVar[str] = "Number"
    summary: ClassVar[str] = "The number that the answer gives, however it is written, against the right one."
    settings: ClassVar[type[ScorerSettings]] = Settings

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take the tolerances as exact fractions."""
        self._absolute, self._relative = Fraction(str(chosen.absolute)), Fraction(str(chosen.relative))
        self._percent: bool = chosen.percent

    def lacks(self, item: Item) -> str:
        """An answer that is no number cannot be compared with one."""
        return super().lacks(item) or ("" if _wanted(item) else "an answer that is no number")

    async def score(self, item: Item, answer: str) -> Score:
        """Right when the number that is read is the item's, or one of its aliases."""
        number = read(answer, item.question)
        found = number is not None and any(
            same(number, wanted, self._absolute, self._relative, self._percent) for wanted in _wanted(item)
        )
        return verdict(found, number.text if number else "", item.answer)


def read(answer: str, question: str = "") -> Number | None:
    """The number that an answer gives: what it announces as its answer, else what its last sentence comes to.

    None where it gives several ("5 or 6"), takes one back ("not 42") or leaves it to be worked out ("3 * 4"). Of a
    comparison the side that the question asks for is read, so that "9.11 is smaller" answers which is larger.
    """
    answer = answer[-LONGEST:]
    if said := marked(answer):
        return _of_clause(said[:CLAUSE], question, announced=True)
    for sentence in reversed(_SENTENCES.split(answer)):
        sentence = sentence[-CLAUSE:]
        if any(map(str.isalnum, sentence)) and _candidates(cleaned(sentence)):
            return _of_clause(sentence, question, announced=False)
    return None


def _wanted(item: Item) -> list[Number]:
    numbers = [alone(text) for text in (item.answer, *item.aliases)]
    return [number for number in numbers if number is not None]


def _of_clause(clause: str, question: str, announced: bool) -> Number | None:
    """The number that a clause gives; an announced one begins with it, another ends in it."""
    bold = [text for text in _BOLD.findall(clause) if len(_candidates(cleaned(text))) == 1]
    text = cleaned(bold[0] if len(bold) == 1 and not announced else clause)
    aside = _ASIDE.sub(" ", text)
    text = aside if _candidates(aside) else text
    compared = _compared(text, question)
    if compared is not None:
        return compared[0] if compared else None
    if _is_opposite(text, question):
        return None
    result = _EQUALS.split(text)[-1]
    begins = announced
    if result != text and _candidates(result):
        text, begins = result, True
    return _chosen(text, _candidates(text), begins)


def _chosen(text: str, numbers: Sequence[Number], begins: bool) -> Number | None:
    """One of a clause's numbers; None where it is not clear which."""
    if not numbers:
        return None
    if not begins and len(numbers) > 1:
        stated = [number for number in numbers if _COPULA.search(_before(text, number))]
        at = numbers.index(stated[-1]) if stated else len(numbers) - 1
    else:
        at = 0 if begins else len(numbers) - 1
    number = numbers[at]
    neighbours = [(numbers[i], numbers[i + 1]) for i in (at - 1, at) if 0 <= i < len(numbers) - 1]
    is_open = any(_JOINED.fullmatch(text[left.end : right.start]) for left, right in neighbours)
    hedged = _HEDGED.search(_before(text, number)) is not None
    return None if is_open or hedged or number.value is None else number


def _candidates(text: str) -> list[Number]:
    """The numbers of a clause that could be its answer: not taken back, no label, no list's numbering."""
    return [number for number in find(text) if _counts(text, number)]


def _counts(text: str, number: Number) -> bool:
    before, after = _before(text, number), text[number.end : number.end + NEAR]
    if number.text.lower() == "one":
        return bool(_ONE.search(before)) and not _ONE_OF.match(after)
    is_bullet = _BULLET.match(before) and _AFTER_BULLET.match(after) and "." not in number.text
    return not is_bullet and not _NOT.search(before) and not _LABEL.search(before)


def _before(text: str, number: Number) -> str:
    """What stands near before a number; cut, it does not begin as its line does."""
    start = number.start - NEAR
    return text[: number.start] if start <= 0 else f"…{text[start : number.start]}"


def _compared(text: str, question: str) -> list[Number] | None:
    """Of "A is larger than B" or "A < B < C" the one asked for; empty if unclear, None if nothing is compared."""
    numbers = find(text)
    relations = [_MORE_THAN.fullmatch(text[a.end : b.start]) for a, b in pairwise(numbers)]
    directions = {"large" if found["large"] else "small" for found in relations if found}
    if not directions:
        return None
    asked = _asked(question)
    if None in relations or len(directions) > 1 or not asked:
        return []
    return [numbers[0] if directions == {asked} else numbers[-1]]


def _asked(question: str) -> str:
    """Which end a question asks for: large, small, or empty where it asks for none or for both."""
    large, small = bool(_LARGE.search(question)), bool(_SMALL.search(question))
    return "" if large == small else "large" if large else "small"


def _is_opposite(text: str, question: str) -> bool:
    """Whether it says which is smaller where the larger is asked for, or the other way round."""
    asked, said = _asked(question), _asked(text)
    return bool(asked and said and asked != said)


KIND = Numeric
