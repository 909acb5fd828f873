"""Which number a comparison settles on: "9.9 is larger than 9.11", "the second largest is 17.57", "3 < 5"."""

import re
from itertools import pairwise

from workbench.experiments.scorers.numbers import Number, cleaned, find

Place = tuple[
    str, str
]  # which one of those at an end ("second"; empty for the very end), and which end: large or small

_LARGE = r"(?:larg|great|bigg|high)(?:er|est)|maximum"
_SMALL = r"(?:small|low)(?:er|est)|lesser|minimum"
_NTH = r"(?:(?P<nth>second|third|fourth|2nd|3rd|4th)[\s-]+)?"
_RANK = re.compile(rf"\b{_NTH}(?:(?P<large>{_LARGE})|(?P<small>{_SMALL}))\b", re.I)
_QUESTION = re.compile(
    r"(?:\b(?:which|what)(?:'s|(?:\s+\S+){0,8}?\s+(?:is|are))?|^\s*is\s+\S+\s+or\s+\S+)\s+(?:the\s+)?"
    rf"{_NTH}(?:(?P<large>{_LARGE}|more|most)|(?P<small>{_SMALL}|less|least))\b",
    re.I,
)
_MORE_THAN = re.compile(
    r"\s*(?:(?:is|are|was)\s+(?:(?!(?:not|no|never)\b)[^\W\d_]+ )?)?"
    r"(?:(?P<large>>|(?:larg|great|bigg|high|long|tall|heavi)er than|more than)"
    r"|(?P<small><|(?:small|low|short|light|few)er than|less than))\s*(?:the number\s+)?",
    re.I,
)
_THAN = re.compile(r"\b(?:larg|great|bigg|high|small|low|more|less)(?:er)? than\b|[<>]", re.I)
_REASON = re.compile(
    r"\b(?:because|since|as|while|whereas|although|though|if|when|compared|followed|in comparison)\b"
    r"(?:(?!,\s).)*(?:,\s|$)",
    re.I | re.S,
)
_NEW_CLAUSE = re.compile(r"[,;]?\s*\b(?:so|thus|therefore|hence|then|but)\b,?|;", re.I)
_DENIED = re.compile(
    r"(?:\bnot|n't|\bnever|\bno|\bcannot|\bneither|\bnor|\bhardly)(?:[\s-]+[^\W\d_]+){0,4}[\s-]*$"
    r"|\b(?:may|might|could|would) (?:\w+ )?(?:think|say|assume|believe|expect|seem|appear|look)\b[^,;]*$"
    r"|\b(?:false|wrong|incorrect|untrue|mistaken|not true|not the case)\b[^,;]*$",
    re.I,
)
_IS = re.compile(  # between a number and the word that ranks it
    r",?\s*(?:(?:which|that|it)\s+)?(?:is|are|was|has|would be|must be|being|represents|'s)"
    r"(?:\s+(?!than\b|less\b|more\b)[^\W\d_]+){0,4}\s+",
    re.I,
)
_NAMED = re.compile(  # between the word that ranks and the number
    r"(?:[^<>=]*\b(?:is|are|was|be)|(?:\s+(?:number|value|one|of (?:them|these|the two)))?\s*[:=,–-])"
    r"\s+(?:therefore |thus |indeed |actually |the number )?",
    re.I,
)
_JOINED = re.compile(r"\s*,?\s*(?:and|or|nor|&|/|to)\s*(?:[^\W\d_]+\s+)?", re.I)
_END = re.compile(rf"\b(?:than|not|rather|versus|vs|over|compared)\b|(?:{_LARGE}|{_SMALL})\b", re.I)


def asked(question: str) -> Place | None:
    """What a question which of some numbers is larger or smallest asks for; None for any other question."""
    found = _QUESTION.search(question)
    return _place(found) if found else None


def ranks(text: str) -> bool:
    """Whether a text calls something larger, largest, smaller or smallest."""
    return _RANK.search(text) is not None


def compares(text: str) -> bool:
    """Whether a text ranks, or says more than, less than, < or >."""
    return ranks(text) or _THAN.search(text) is not None


def picked(text: str, question: str) -> Number | None:
    """The number of a cleaned text that is said to be what the question asks for; reasons do not count."""
    place = asked(question)
    if place is None or text.rstrip().endswith("?"):
        return None
    offered = {number.value for number in find(cleaned(question))}
    found = [
        number
        for clause in _NEW_CLAUSE.split(_REASON.sub("", text))
        for rank in _RANK.finditer(clause)
        if _place(rank) == place and (number := _ranked(clause, rank)) and (len(offered) < 2 or number.value in offered)
    ]
    return found[-1] if found else None


def compared(text: str, question: str) -> list[Number] | None:
    """Of "A is larger than B" or "A < B < C" the one asked for; empty if unclear, None if nothing is compared."""
    numbers = find(text)
    relations = [_MORE_THAN.fullmatch(text[a.end : b.start]) for a, b in pairwise(numbers)]
    directions = {_place(found)[1] for found in relations if found}
    if not directions:
        return None
    nth, end = asked(question) or ("", "")
    if None in relations or len(directions) > 1 or not end or nth:
        return []
    return [numbers[0] if directions == {end} else numbers[-1]]


def head(text: str) -> str:
    """What stands before the first reason or "than"."""
    cut = _REASON.split(_THAN.split(text, maxsplit=1)[0], maxsplit=1)[0]
    return re.split(r"\bthan\b", cut, maxsplit=1)[0]


def _place(rank: re.Match[str]) -> Place:
    said = rank.groupdict()
    nth = (said.get("nth") or "").lower()
    return {"2nd": "second", "3rd": "third", "4th": "fourth"}.get(nth, nth), "large" if said["large"] else "small"


def _ranked(clause: str, rank: re.Match[str]) -> Number | None:
    """The number that a word ranks, before it ("9.9 is the larger") or after it ("the larger is 9.9")."""
    before = clause[: rank.start()]
    if _DENIED.search(before):
        return None
    numbers = find(before)
    gap = before[numbers[-1].end :] if numbers else ""
    if numbers and _IS.fullmatch(gap):
        is_open = len(numbers) > 1 and _JOINED.fullmatch(before[numbers[-2].end : numbers[-1].start])
        return None if is_open else numbers[-1]
    if named := _named(_END.split(clause[rank.end() :], maxsplit=1)[0]):
        return named
    return numbers[0] if len(numbers) == 1 and re.fullmatch(r",\s+(?:the|a)\s+", gap, re.I) else None


def _named(after: str) -> Number | None:
    """The first number that what stands behind a ranking word says it is; None where it says two."""
    numbers = find(after)
    for at, number in enumerate(numbers):
        if _NAMED.fullmatch(after[: number.start]):
            following = numbers[at + 1 : at + 2]
            return None if any(_JOINED.fullmatch(after[number.end : other.start]) for other in following) else number
    return None
