"""The exact scorer: the answer proper is the item's answer, an alias of it, or the choice that it stands for."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from agents.answers import extract
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers import numbers, words
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, verdict

LONGEST = 20_000  # characters of an answer's end that are read

_LEAD = re.compile(
    r"(?:(?:so|thus|therefore|hence),?\s+)?(?:it|this|that|he|she|they|(?:the\s+)?(?:correct\s+|right\s+|final\s+)?answer)"
    r"(?:'s|'d be|\s+(?:is|was|are|were|(?:will|would|must)\s+be))\s+(?!not\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(  # "The capital of France is"
    r"(?:(?:so|thus|therefore|hence),?\s+)?the\s+(?:[^\s.!?]+\s+){1,8}?(?:is|was|are|were|(?:will|would|must)\s+be)\s+"
    r"(?:an?\s+)?(?!not\b)(?!.*\s(?:is|was|are|were)\s)",
    re.IGNORECASE,
)
_ODD = re.compile(
    r"\b(?:not|never|no|except|wrong|incorrect|false|mistaken|opposite|other|while|whereas|but|instead|if|before"
    r"|yesterday)\b|n't\b",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"\b(?:(earl|lat|larg|great|small|high|low|long|short|old|young|new|near|soon|clos)i?(?:er|est)|(first|last|best|worst"
    r"|most|least|next|previous))\b",
    re.IGNORECASE,
)
_ONLY = (
    re.compile(r"(?<![\w-])\d{4}-\d{2}-\d{2}(?![\w-])"),
    re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE),
)
_SAYS = re.compile(
    r"(?:\b(?:is|was|be|falls on|lands on|will be on|becomes)|[:=])\s+(?:an?\s+|the\s+)?$", re.IGNORECASE
)
_IS_THE = re.compile(r"\s+(?:is|was)\s+(?:the\b|(?:earlier|later)\b)", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CHANGED = re.compile(r"\b(?:wait|actually|correction|scratch that|on second thought)\b", re.IGNORECASE)
_LISTED = re.compile(r"\banswer\b[^\n]*\W([A-Z])\W*\n+\W*(?!\1)[A-Z]\W*(?:\n|$)", re.IGNORECASE)
_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+|right\s+|best\s+)?(?:answer|option|choice)(?:\s+is)?[\s:]+)*"
    r"(?:\((?P<round>[A-Z])\)|\[(?P<square>[A-Z])\]|(?P<bare>[A-Z])(?=$|[).:]|\s+[-–—]\s|,?\s+because\b))"
    r"[).:]*(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_ANOTHER = re.compile(r"\s*(?:,|/|&|\bor\b|\band\b)\s*(?:option |choice )?[(\[]?[A-Z](?!\w)", re.IGNORECASE)
_REASONS = re.compile(r"[,;:.]?\s+(?:because|since|as)\b.*|[.;\n].*", re.IGNORECASE | re.DOTALL)


class Settings(ScorerSettings):
    """What does not count when two texts are compared."""

    case: bool = Field(True, description="Ignore case: paris is Paris.")
    articles: bool = Field(True, description="Ignore a, an and the.")
    punctuation: bool = Field(True, description="Ignore punctuation around words; signs inside them, as in C#, count.")
    numbers: bool = Field(True, description="The same number written in another way is the same: 1,200 is 1200.")


class Exact(Scorer):
    """Compares the answer proper with the item's answer, its aliases and its choices."""

    name: ClassVar[str] = "exact"
    title: ClassVar[str] = "Exact match"
    summary: ClassVar[str] = "The answer proper is the right one, word for word, or the letter or text of its choice."
    settings: ClassVar[type[ScorerSettings]] = Settings

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Take what does not count."""
        self._chosen: Settings = chosen

    async def score(self, item: Item, answer: str) -> Score:
        """Right when what is read is the answer or an alias; with choices, when it stands for the right one."""
        answer = answer[-LONGEST:]
        read = extract(answer)
        right = [text for text in (item.answer, *item.aliases) if text.strip()]
        wanted = {number for text in right if (number := self._choice(item.choices, text)) is not None}
        if wanted:
            number = None if _LISTED.search(answer) else self._chosen_choice(item.choices, read)
            shown = read if number is None else f"{_letter(number)}. {item.choices[number]}"
            return verdict(number in wanted, shown, " or ".join(_letter(number) for number in sorted(wanted)))
        readings = _readings(item, answer, read)
        found = next((text for text in readings if any(self._same(text, one) for one in right)), None)
        return verdict(found is not None, read if found is None else found, item.answer)

    def _plain(self, text: str) -> str:
        chosen = self._chosen
        return words.bare(words.folded(text, chosen.case), chosen.articles, chosen.punctuation)

    def _same(self, read: str, wanted: str) -> bool:
        if self._plain(read) == self._plain(wanted):
            return True
        one, other = numbers.alone(read), numbers.alone(wanted)
        if not self._chosen.numbers or one is None or other is None or one.percent != other.percent:
            return False
        return numbers.same(one, other, percent=False) and _unit(read, one) == _unit(wanted, other)

    def _choice(self, choices: Sequence[str], text: str) -> int | None:
        """The number of the choice that a text names by its words or its letter."""
        same = [number for number, choice in enumerate(choices) if self._same(text, choice)]
        if same:
            return same[0] if len(same) == 1 else None
        match = _LETTER.fullmatch(text.strip())
        if match is None:
            return None
        letter = match["round"] or match["square"] or match["bare"]
        number, rest = ord(letter.upper()) - ord("A"), match["rest"].strip()
        if (
            number >= len(choices)
            or _ANOTHER.match(rest)
            or _CHANGED.search(rest)
            or _other_letter(choices, number, rest)
        ):
            return None
        named = self._choice_in_words(choices, _REASONS.sub("", rest)) if rest else None
        return number if named in (None, number) else None

    def _chosen_choice(self, choices: Sequence[str], read: str) -> int | None:
        """The choice that an answer settles on; None where it names none or more than one."""
        lead = _LEAD.sub("", read, count=1) if _LEAD.match(read) else read
        for text in (read, lead):
            if (number := self._choice(choices, text)) is not None:
                return number
        return None if _LETTER.fullmatch(lead.strip()) else self._choice_in_words(choices, read)

    def _choice_in_words(self, choices: Sequence[str], text: str) -> int | None:
        """The one choice whose words a text says, and does not take back."""
        plain, wanted = words.folded(text), [words.bare(words.folded(choice)) for choice in choices]
        said = [number for number, choice in enumerate(wanted) if len(choice) > 1 and words.says(plain, choice)]
        longest = [n for n in said if not any(n != other and wanted[n] in wanted[other] for other in said)]
        return longest[0] if len(longest) == 1 else None


def _other_letter(choices: Sequence[str], number: int, rest: str) -> bool:
    """Whether what follows a choice's letter names the letter of another, and does not deny it."""
    last = _letter(len(choices) - 1)
    letters = re.finditer(rf"(?<![\w'])(?:[B-HJ-{max(last, 'J')}]|[AI](?!\s+[a-z]))(?![\w'])", rest)
    return any(
        _letter(number) != found[0] <= last and not words.is_denied(rest, found.start(), found.end())
        for found in letters
    )


def _readings(item: Item, answer: str, read: str) -> list[str]:
    """What the answer proper may be: as it was read, without "It is" before it, the only date, and the whole text."""
    found = [read, _LEAD.sub("", read, count=1) if _LEAD.match(read) else read, _named(item, read)]
    found += [_only(item, read, form) for form in _ONLY if form.fullmatch(item.answer.strip())]
    return list(dict.fromkeys(text for text in [*found, _counted(item, read), answer] if text.strip()))


def _named(item: Item, read: str) -> str:
    """What follows "The capital of France is"; empty where that is no answer to this question."""
    lead = _NAMED.match(read)
    return read[lead.end() :] if lead and _is_asked(item, lead[0]) else ""


def _counted(item: Item, read: str) -> str:
    """The number of "17 days" where the question is how many days; empty for anything else."""
    number = numbers.alone(read)
    unit = _unit(read, number) if number else ""
    asked = unit and re.search(rf"\bhow many {re.escape(unit)}\b", words.folded(item.question))
    return number.text if number and asked else ""


def _only(item: Item, read: str, form: re.Pattern[str]) -> str:
    """The one date, or the one day of the week, that the last sentence with any says is it."""
    sentence = next((one for one in reversed(_SENTENCE.split(words.folded(read, False))) if form.search(one)), "")
    found = list(form.finditer(sentence))
    if len(found) != 1 or not _is_asked(item, sentence) or sentence.endswith("?"):
        return ""
    before, after = sentence[: found[0].start()].replace("*", ""), sentence[found[0].end() :].replace("*", "")
    return found[0][0] if _SAYS.search(before) or (not before.strip() and _IS_THE.match(after)) else ""


def _is_asked(item: Item, said: str) -> bool:
    """Whether a sentence tells what is asked: not "the wrong one", nor the earliest where the latest is asked for."""
    ends = {stem.lower() for found in _ORDERS.findall(item.question) for stem in found if stem}
    return not _ODD.search(said) and all(
        stem.lower() in ends for found in _ORDERS.findall(said) for stem in found if stem
    )


def _unit(text: str, number: numbers.Number) -> str:
    """What stands after a number."""
    return words.bare(words.folded(numbers.cleaned(text).strip().rstrip(".")[number.end :])).strip()


def _letter(number: int) -> str:
    return chr(ord("A") + number)


KIND = Exact
