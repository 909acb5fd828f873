"""The first sentence in what a model wrote, as a slice of it, and whether it says that its text is complete."""

import re
from collections.abc import Sequence

from agents.answers import normalise

END = "END"  # what a model is told to write when its text is complete
# What small models put before a sentence: marks of Markdown, numbers, labels.
LEAD = re.compile(
    r"(?:\s+|[#>*-]+\s+|\d{1,2}[.)]\s+|(?:(?:The )?(?:first|next|last)\s+)?sentence(?: \d+)?\s*:\s*)*",
    re.IGNORECASE,
)
STOP = re.compile(r"[.!?…]+[\"'”’)\]*]*(?=\s|$)|[。！？]+[”』」）]*|\n\s*\n|(?<=\S)\n(?=[#>*-]|\d{1,2}[.)]\s)")
# After these a full stop ends no sentence.
SHORT = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Lt|Capt|Rev|Hon|Mt|Ft|No|vs|etc|approx|ca|cf|e\.g|i\.e|Inc|Ltd|Co"
    r"|Corp|[A-Z]|[A-Z](?:\.[A-Z])+))\.$"
)


def first_sentence(text: str) -> tuple[int, int]:
    """Where the first sentence of a text begins and ends; both are the same where there is none."""
    lead = LEAD.match(text)
    start = lead.end() if lead else 0
    for stop in STOP.finditer(text, start):
        end = stop.end() if stop.group().strip() else stop.start()
        if text[start:end].strip() and not _goes_on(text, start, end):
            return start, end
    return start, start + len(text[start:].rstrip())


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a full stop is that of an abbreviation or of an initial, with words after it."""
    return bool(SHORT.search(text[start:end])) and bool(re.match(r"\s+\S", text[end:]))


def ended(text: str, before: Sequence[str]) -> str:
    """Why a text ends with what a model wrote now, after the sentences `before`; empty where it goes on."""
    start, end = first_sentence(text)
    if start == end or re.match(rf"\W*{END}\b", text):
        return "done"
    return "it repeats itself" if normalise(text[start:end]) in map(normalise, before) else ""
