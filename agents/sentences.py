"""The first sentence in what a model wrote, as a slice of it, and whether it says that its text is complete."""

import re
from collections.abc import Sequence

from agents.answers import normalise

END = "END"  # what a model is told to write when its text is complete
CUT = "the sentence was cut"
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
# Nor after these, where a number or a small letter follows.
BEFORE_MORE = re.compile(
    r"\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|\d*[ap]\.m|[cbd]|[Ff]ig|[Vv]ol|pp?)\.[\"'”’)\]*]*$"
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
    follows = text[end:].lstrip()[:1]
    if SHORT.search(text[start:end]):
        return bool(follows)
    return bool(BEFORE_MORE.search(text[start:end])) and (follows.islower() or follows.isdigit())


def is_cut(text: str, finish_reason: str) -> bool:
    """Whether the model was stopped within the first sentence of what it wrote."""
    start, end = first_sentence(text)
    if finish_reason == "stop" or text[end:].strip():
        return False
    sentence = text[start:end]
    has_mark = any(stop.end() == len(sentence) for stop in STOP.finditer(sentence))
    return not has_mark or bool(SHORT.search(sentence) or BEFORE_MORE.search(sentence))


def ended(text: str, before: Sequence[str], finish_reason: str = "stop") -> str:
    """Why a text ends with what a model wrote now, after the sentences `before`; empty where it goes on."""
    start, end = first_sentence(text)
    if start == end or re.match(rf"\W*{END}\b", text) or re.fullmatch(rf"\W*(?:the )?{END}\W*", text, re.IGNORECASE):
        return "done"
    if is_cut(text, finish_reason):
        return CUT
    return "it repeats itself" if normalise(text[start:end]) in map(normalise, before) else ""
