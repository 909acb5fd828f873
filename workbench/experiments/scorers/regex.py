"""The scorer that matches a regular expression, within a time limit: no pattern can hang an experiment."""

import asyncio
import math
import re
from collections import deque
from typing import Any, ClassVar

import regex  # type: ignore[import-untyped]
from pydantic import Field

from workbench.errors import InvalidRequest, ScorerError
from workbench.experiments.model import Item, Score
from workbench.experiments.scorers import words
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings, short, verdict

LONGEST = 200_000  # characters of an answer's end that are searched
MOST_REPEATS = 100_000  # counted repeats are unrolled when a pattern is compiled: ((a{99}){99}){99} would fill memory

_COUNTED = re.compile(r"(?<!\\)\{(\d*),?(\d*)\}")


class Settings(ScorerSettings):
    """The pattern and how it is matched."""

    pattern: str = Field(
        min_length=1,
        max_length=1_000,
        description="A regular expression. What its first group captures, if it has one, must be the item's answer.",
    )
    ignore_case: bool = Field(False, description="Ignore case.")
    whole: bool = Field(False, description="The pattern must match the whole text, not a part of it.")
    last: bool = Field(True, description="Of several matches the last counts, else the first.")
    timeout: float = Field(1.0, ge=0.05, le=30, description="Seconds that one answer may take.")


class Regex(Scorer):
    """Right when the pattern matches; with a group, when what it captures is the item's answer."""

    name: ClassVar[str] = "regex"
    title: ClassVar[str] = "Regular expression"
    summary: ClassVar[str] = "The text matches a pattern; what the pattern's first group captures is the right answer."
    settings: ClassVar[type[ScorerSettings]] = Settings

    def __init__(self, chosen: Any, judge: AskModel | None = None) -> None:
        """Compile the pattern. Raises InvalidRequest for one that is none or would fill the memory."""
        self._chosen: Settings = chosen
        self._pattern = _compiled(chosen)

    @property
    def needs(self) -> frozenset[str]:
        """An answer, if something is captured to compare with it."""
        return frozenset({"answer"} if self._pattern.groups else ())

    async def score(self, item: Item, answer: str) -> Score:
        """Right or wrong. Raises ScorerError when the pattern takes too long."""
        try:
            match = await asyncio.to_thread(self._match, answer[-LONGEST:])
        except TimeoutError:
            raise ScorerError(
                f"The pattern took longer than {self._chosen.timeout:g} seconds on this answer.",
                "Write it without repeats inside repeats, or give it more time.",
            ) from None
        if match is None:
            return Score(value=0, said="the pattern does not match")
        if not self._pattern.groups:
            return Score(value=1, said=f"matches {short(match.group())}", read=match.group())
        read = match.group(1) or ""
        return verdict(self._plain(read) in map(self._plain, (item.answer, *item.aliases)), read, item.answer)

    def _match(self, text: str) -> Any:
        """The match that counts. Runs in a thread and lets others run meanwhile. Raises TimeoutError."""
        seconds = self._chosen.timeout
        if self._chosen.whole:
            return self._pattern.fullmatch(text.strip(), timeout=seconds, concurrent=True)
        if not self._chosen.last:
            return self._pattern.search(text, timeout=seconds, concurrent=True)
        matches = deque(self._pattern.finditer(text, timeout=seconds, concurrent=True), maxlen=1)
        return matches.pop() if matches else None

    def _plain(self, text: str) -> str:
        return words.bare(words.folded(text, self._chosen.ignore_case), articles=False)


def _compiled(chosen: Settings) -> Any:
    most = math.prod(max(int(low or 1), int(high or 1)) for low, high in _COUNTED.findall(chosen.pattern))
    if most > MOST_REPEATS:
        raise InvalidRequest(
            f"The scorer regex, pattern: its counted repeats multiply to {most:,}; {MOST_REPEATS:,} is the most.",
            "Write + or * in place of large numbers.",
        )
    try:
        return regex.compile(chosen.pattern, regex.IGNORECASE if chosen.ignore_case else 0)
    except regex.error as error:
        raise InvalidRequest(f"The scorer regex, pattern: {error}.", "Correct the regular expression.") from None
    except (RecursionError, OverflowError, MemoryError):
        raise InvalidRequest("The scorer regex, pattern: it is nested too deeply.", "Write a simpler one.") from None


KIND = Regex
