"""Two drafts as one text: the words that were struck and the words that were added."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from workbench.ui.markdown import escape

Change = Literal["same", "struck", "added"]

WORDS_LIMIT = 4_000  # tokens of both drafts; beyond, whole sentences are compared
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+(?:['’-]\w+)*|\s+|[^\w\s]")
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?]+\s*|\n+|$)")


def changes(before: str, after: str) -> list[tuple[Change, str]]:
    """The drafts as pieces in reading order; the pieces not struck give `after`, the pieces not added give `before`."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) > WORDS_LIMIT:
        old, new = ([piece for piece in _SENTENCE.findall(text) if piece] for text in (before, after))
    return list(_joined(_smooth(list(_opcodes(old, new)))))


@lru_cache(maxsize=256)
def diff_html(before: str, after: str) -> str:
    """The changes as HTML: `del` and `ins`, so that they are told apart without colour and read out as changes."""
    tags: dict[Change, str] = {"same": "{}", "struck": "<del>{}</del>", "added": "<ins>{}</ins>"}
    pieces = "".join(tags[kind].format(escape(text)) for kind, text in changes(before, after))
    return f'<div class="wb-diff">{pieces}</div>'


def _opcodes(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    """(before, after) pairs in order; equal ones are the same text twice.

    Blanks may not begin a match: drafts that share nothing else would be laid out blank by blank, in many seconds.
    """
    for _, i1, i2, j1, j2 in SequenceMatcher(str.isspace, old, new, autojunk=False).get_opcodes():
        yield "".join(old[i1:i2]), "".join(new[j1:j2])


def _smooth(pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Join changes that only a space or one short word keeps apart: word salad is no revision."""
    held: tuple[str, str] | None = None
    for index, (old, new) in enumerate(pairs):
        last = index == len(pairs) - 1
        if old == new and (held is None or last or not _slight(old)):
            if held:
                yield held
            held = None
            yield old, new
        else:
            held = (held[0] + old, held[1] + new) if held else (old, new)
    if held:
        yield held


def _slight(text: str) -> bool:
    """Whether what two changes have between them is too little to be read as kept."""
    return "\n" not in text and len(text.strip()) <= 3 and not re.search(r"[.!?]", text)


def _joined(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[Change, str]]:
    """Pairs as pieces, the struck words before the added ones."""
    for old, new in pairs:
        if old == new:
            yield "same", old
            continue
        if old:
            yield "struck", old
        if new:
            yield "added", new
