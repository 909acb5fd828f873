"""The numeric scorer: the number that an answer gives against the item's, exactly or within a tolerance."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar

from pydantic import Field

from agents.answers import marked
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers import comparisons
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, verdict
from workbench.experiments.scorers.numbers import Number, alone, cleaned, find, same

LONGEST = 20_000  # characters of an answer's end that are read
FEW_WORDS = 4  # of a text in which "one" is a number
CLAUSE = 2_000  # characters of the clause that gives the number
NEAR = 60  # characters before and after a number that say what it is

_NOT = re.compile(r"(?:\bnot|n't|\bnever|\brather than|\binstead of|\bexcept|≠|!=)\s+(?:just |exactly |about )?$", re.I)
_ONE = re.compile(
    r"(?:\b(?:is|are|was|only|exactly|just|answer|equals)|[:=]|^)\s*$", re.I
)  # before a "one" that counts
_ONE_OF = re.compile(r"\s+(?:of|that|which|with|is|more|can|could|thing|way|another)\b", re.I)
_LABEL = re.compile(
    r"\b(?:see|step|steps|example|equation|eq\.?|question|problem|case|part|line|option)\s*[#(]?$", re.I
)
_BULLET = re.compile(r"^\s*(?:[-*+•]\s+)?$")
_AFTER_BULLET = re.compile(r"[.):]\)?\s+\S")
_EQUALS = re.compile(r"(?<![<>!=])=+(?![=>])|≈|\bequals\b|\bcomes to\b", re.I)
_UNIT = r"(?!(?:is|are|was|were|gives|makes|has|have|costs|leaves|totals?)\b)[^\W\d_]+"
_JOINED = re.compile(
    rf"\s*(?:\([^)]*\)\s*)?(?:{_UNIT}\s+){{0,2}}\(?(?:or|and|to|through|[-–—,/+*×x÷&])\s*(?:about |also |maybe |else )?"
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
_ASIDE = re.compile(r"\((?!\s*(?:or|and|maybe)\b)[^()]*\)|\[[^\[\]]*\]", re.I)
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-z]|\*\*|[\"“])|\n+")
_PLACES = re.compile(
    r"\s*[,:;–-]?\s+(?:once |namely )?(?:at|in|on|as)\s+(?:the\s+)?"
    r"(?:(?:positions?|places?|ind(?:ex(?:es)?|ices)|letters?)\s+(?:numbers?\s+)?#?\d|\d+(?:st|nd|rd|th)\b).*|:\s+at\b.*",
    re.I | re.S,
)
_LISTING = re.compile(r":\s+-?[\d.]+(?:\s*,\s*-?[\d.]+)*\s*,?\s+and\s+-?[\d.]+\W*$")
_NOT_IT = re.compile(  # before a number: it bounds what is meant, or something is still to be done with it
    r"(?:\b(?:at least|at most|(?:more|less|fewer|greater|larger|smaller|higher|lower) than(?: or equal to)?|over|under"
    r"|above|below|beyond|up to|no (?:more|less) than|twice|double|thrice|triple"
    r"|(?:half|third|quarter|square|cube|root|power|factorial|log|logarithm|sine|cosine) of)\s+(?:about |the |a )?"
    r"|(?<![-=])[<>≤≥]=?\s*|\\[lg](?:eq?|t)\b\s*|[±∓]\s*)$",
    re.I,
)
_NOT_ALL = re.compile(r"\s*(?:squared\b|cubed\b|factorial\b|±|\+/-|\\pm\b|plus or minus\b|plus/minus\b)", re.I)
_FINAL_MINUS = re.compile(r"^\s*[-–]\s+(?=[$€£¥₹]?[\d.])")
_DOZENS = re.compile(r"\bhow many dozens?\b", re.I)
_OTHERS = re.compile(r"\s*(?:the|all)\s+(?:others?|rest)(?:\s+\w+)?\s+(?:is|are|was|were)\b", re.I)
_WITHDRAWN = re.compile(r"\b(?:wait|actually|no|sorry|correction|wrong|mistake|instead)\b", re.I)
_NUMBERED = (
    (re.compile(r"^[ \t>*_]*(\d{1,2})[.)](?=\s)", re.M), 2),  # lines; so many make a list
    (re.compile(r"(?:^|(?<=\s))(\d{1,2})[.)](?=\s)"), 3),  # in the line
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
    if _DOZENS.search(question):
        answer = re.sub(r"\bdozens?\b", "", answer, flags=re.I)
    if said := marked(answer):
        return _of_clause(said[:CLAUSE], question, announced=True)
    sentences = [sentence[-CLAUSE:] for sentence in _SENTENCES.split(_unnumbered(answer))]
    if picked := _picked(sentences, question):
        return picked
    for sentence in reversed(sentences):
        if any(map(str.isalnum, sentence)) and not _OTHERS.match(sentence) and _candidates(cleaned(sentence)):
            return _of_clause(re.sub(r"^\s*>\s+", "", sentence), question, announced=False)
    return None


def _unnumbered(text: str) -> str:
    """The text without the numbers of a list's items."""
    for marks, fewest in _NUMBERED:
        told = marks.findall(text)
        if len(told) >= fewest and told == [str(number) for number in range(1, len(told) + 1)]:
            text = marks.sub("", text)
    return text


def _picked(sentences: Sequence[str], question: str) -> Number | None:
    """What the last sentence that ranks picks; what is withdrawn after it is not looked for."""
    for sentence in reversed(sentences):
        plain = cleaned(sentence)
        if picked := comparisons.picked(_outside(plain), question):
            return picked
        if _WITHDRAWN.search(plain):
            return None
    return None


def _wanted(item: Item) -> list[Number]:
    numbers = [alone(text) for text in (item.answer, *item.aliases)]
    return [number for number in numbers if number is not None]


def _of_clause(clause: str, question: str, announced: bool) -> Number | None:
    """The number that a clause gives; an announced one begins with it, another ends in it."""
    whole = _outside(cleaned(clause))
    place = comparisons.asked(question)
    if place and comparisons.compares(whole):
        compared = comparisons.compared(whole, question)
        return comparisons.picked(whole, question) or (compared[0] if compared else None)
    if comparisons.compared(whole, question) is not None:
        return None
    bold = [text for text in _BOLD.findall(clause) if len(_candidates(cleaned(text))) == 1]
    text = _outside(cleaned(bold[0])) if len(bold) == 1 and not announced else whole
    result = _EQUALS.split(text)[-1]
    begins = announced
    if result != text and _candidates(result):
        text, begins = result, True
    if begins:
        text = _FINAL_MINUS.sub("-", text)
    text = _without_listing(text)
    return _chosen(text, begins, place is not None or comparisons.ranks(whole))


def _without_listing(text: str) -> str:
    """The text without where or what things are, behind how many they are: "2 times: at positions 3 and 8"."""
    counted = _PLACES.sub("", text)
    text = counted if _candidates(counted) else text
    before = _LISTING.sub("", text)
    is_count = comparisons.ranks(before) or any(_COPULA.search(_before(before, one)) for one in _candidates(before))
    return before if is_count else text


def _outside(text: str) -> str:
    """The text without what is in brackets, unless all its numbers are, or what is in them takes back: (or 11)."""
    outside = _ASIDE.sub(" ", text)
    return outside if _candidates(outside) else text


def _is_pronoun(text: str, number: Number) -> bool:
    """Whether "one" counts nothing, as in "the one who left"."""
    counts = _COPULA.search(_before(text, number)) or len(text.split()) <= FEW_WORDS
    return number.text.casefold() == "one" and not counts


def _chosen(text: str, begins: bool, ranks: bool) -> Number | None:
    """One of a clause's numbers; None where it is not clear which, as where it compares several."""
    numbers = _candidates(text)
    if not begins:
        numbers = [number for number in numbers if not _is_pronoun(text, number)]
    if not begins and len(numbers) > 1:
        stated = [number for number in numbers if _COPULA.search(_before(text, number))]
        if ranks and not stated:
            numbers = _candidates(comparisons.head(text))
            return numbers[0] if len(numbers) == 1 and _is_it(text, numbers[0]) else None
        at = numbers.index(stated[-1]) if stated else len(numbers) - 1
    else:
        at = 0 if begins else len(numbers) - 1
    if not numbers:
        return None
    neighbours = [(numbers[i], numbers[i + 1]) for i in (at - 1, at) if 0 <= i < len(numbers) - 1]
    is_open = any(_JOINED.fullmatch(text[left.end : right.start]) for left, right in neighbours)
    return None if is_open or not _is_it(text, numbers[at]) else numbers[at]


def _is_it(text: str, number: Number) -> bool:
    """Whether a number is given as it stands: not "at least 5", "half of 5", "5 squared", "between 5"."""
    before = _before(text, number)
    bounded = _HEDGED.search(before) or _NOT_IT.search(before) or _NOT_ALL.match(text, number.end)
    return number.value is not None and not bounded


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


KIND = Numeric
