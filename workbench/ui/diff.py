"""Two drafts as one text: the words that were struck and the words that were added."""

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from workbench.ui.markdown import escape

Change = Literal["same", "struck", "added"]

WORDS_LIMIT = 4_000  # tokens of both drafts; beyond, whole sentences are compared
MOST_PAIRS = 60_000  # of equal pieces, one of each draft; the search for the longest matches looks at all of them
MOST_EDITS = 100  # pieces struck and added in drafts with more pairs than that; beyond, the draft is struck as a whole
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+(?:['’-]\w+)*|\s+|[^\w\s]")
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?]+\s*|\n+|$)")


def changes(before: str, after: str) -> list[tuple[Change, str]]:
    """The drafts as pieces in reading order; the pieces not struck give `after`, the pieces not added give `before`."""
    old, new, _ = _split(before, after)
    return list(_joined(_smooth(list(_opcodes(old, new)))))


def _split(before: str, after: str) -> tuple[list[str], list[str], bool]:
    """The drafts in words, or in sentences where they have too many; and whether it is sentences."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) <= WORDS_LIMIT:
        return old, new, False
    old, new = ([piece for piece in _SENTENCE.findall(text) if piece] for text in (before, after))
    return old, new, True


@lru_cache(maxsize=256)
def diff_html(before: str, after: str) -> str:
    """The changes as HTML: `del` and `ins`, so that they are told apart without colour and read out as changes.

    A word above them says so where whole sentences were compared.
    """
    said = f'<p class="wb-note">{BY_SENTENCES}</p>' if before != after and _split(before, after)[2] else ""
    tags: dict[Change, str] = {"same": "{}", "struck": "<del>{}</del>", "added": "<ins>{}</ins>"}
    pieces = "".join(tags[kind].format(escape(text)) for kind, text in changes(before, after))
    return f'{said}<div class="wb-diff">{pieces}</div>'


BY_SENTENCES = "Too long to compare word by word: marked are whole sentences."


def _opcodes(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    """(before, after) pairs in order; equal ones are the same text twice.

    What both begin and end with is no work; only what lies between is compared.
    """
    begin, end = _in_common(old, new)
    inner_old, inner_new = old[begin : len(old) - end], new[begin : len(new) - end]
    pairs = [
        (old[:begin], new[:begin]),
        *((inner_old[i1:i2], inner_new[j1:j2]) for i1, i2, j1, j2 in _inner(inner_old, inner_new)),
        (old[len(old) - end :], new[len(new) - end :]),
    ]
    yield from (("".join(one), "".join(other)) for one, other in pairs if one or other)


def _in_common(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many pieces both begin with, and how many of the rest they end with."""
    shortest = min(len(old), len(new))
    begin = next((at for at in range(shortest) if old[at] != new[at]), shortest)
    rest = shortest - begin
    return begin, next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)


def _inner(old: list[str], new: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Stretches of both drafts in order, as (from, to) in the one and in the other.

    Blanks may not begin a match: drafts that share nothing else would be laid out blank by blank, in many seconds.
    Drafts in which few pieces come over and over have too many pairs for that search; there the shortest way from one
    to the other is looked for, as long as it is short.
    """
    there = Counter(new)
    if sum(there[piece] for piece in old if not piece.isspace()) <= MOST_PAIRS:
        for _, *stretch in SequenceMatcher(str.isspace, old, new, autojunk=False).get_opcodes():
            yield stretch[0], stretch[1], stretch[2], stretch[3]
        return
    i = j = 0
    for x, y, size in (*_shortest(old, new), (len(old), len(new), 0)):
        if x > i or y > j:
            yield i, x, j, y
        if size:
            yield x, x + size, y, y + size
        i, j = x + size, y + size


def _shortest(old: list[str], new: list[str]) -> list[tuple[int, int, int]]:
    """The runs of equal pieces on the way with the fewest edits: place in each draft, length. Empty beyond MOST_EDITS.

    The greedy search of Myers (1986), "An O(ND) Difference Algorithm and Its Variations": `reached` holds how far into
    the old draft each diagonal (place in the old one less that in the new one) can be followed.
    """
    reached, steps = {1: 0}, []
    for edits in range(MOST_EDITS + 1):
        steps.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            x = _entered(reached, diagonal, edits)
            while x < len(old) and 0 <= x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            reached[diagonal] = x
            if x >= len(old) and x - diagonal >= len(new):
                return _walked_back(steps, len(old), len(new))
    return []


def _entered(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """How far in the old draft a diagonal is entered: from the one below by an added piece, or by a struck one."""
    added, struck = reached.get(diagonal + 1, -1), reached.get(diagonal - 1, -1)
    return added if diagonal == -edits or (diagonal != edits and struck < added) else struck + 1


def _walked_back(steps: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int, int]]:
    """The runs of equal pieces, read from the end of the search to its beginning."""
    runs: list[tuple[int, int, int]] = []
    for edits in range(len(steps) - 1, -1, -1):
        diagonal, reached = x - y, steps[edits]
        start = _entered(reached, diagonal, edits)
        if x > start:
            runs.append((start, start - diagonal, x - start))
        is_added = diagonal == -edits or (diagonal != edits and reached.get(diagonal - 1, -1) < reached[diagonal + 1])
        x, y = (start, start - diagonal - 1) if is_added else (start - 1, start - diagonal)
    return runs[::-1]


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
