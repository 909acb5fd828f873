"""Words in a text: one form for texts that say the same, and whether a text says a thing or takes it back."""

import re
import unicodedata
from collections.abc import Iterator

NEAR = 200  # characters before and after a phrase that say whether it is denied

_FOLDED = str.maketrans("‘’‚‛′“”„‟″«»–—‐‑‒−", '\'\'\'\'\'"""""""------')
_POWERS = re.compile("[⁰¹²³⁴-⁹⁻½⅓⅔¼¾⅛-⅞]")  # NFKC would make 103 of 10³
_ARTICLE = re.compile(r"\b(?:a|an|the)\b(?=\s+\S)", re.IGNORECASE)
_MARKS = re.compile(r"[.,;:!?]+(?=\s|$)|(?<!\w)['\"()\[\]{}*_`¿¡]+|['\"()\[\]{}*_`]+(?!\w)|(?<=[^\W\d])-(?=[^\W\d])")
_CLAUSE = re.compile(r"[.;:!?\n]\s|\n|,\s|\bbut\b", re.IGNORECASE)
_DENIED_BEFORE = re.compile(
    r"(?:\bnot\b(?! only)|\bnever|\bno\b|\bneither|\bnor\b|\bcannot|n't|\brather than|\binstead of|\bexcept|\bunlike"
    r"|\bwithout|\bfirst thought|\bused to think)(?:\W+\w+){0,4}\W*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"\W*(?:(?:is|was|are|were|does|did|would be|has|have)(?:n't| not| never| no )|(?:is|was|would be|are|were)\s+"
    r"(?:\w+ )?(?:wrong|incorrect|false|impossible|mistaken|ruled out)|(?:cannot|can't|isn't|wasn't)\b)",
    re.IGNORECASE,
)
_MISTAKE = re.compile(
    r"\W*(?:is|was|are|were|(?:would|could|might|may|must) (?:be|have been))\s+(?:an?\s+|the\s+)?(?:[\w-]+ ){0,2}"
    r"(?:mistake|error|misconception|trap|confusion)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(r"[^.!?\n]*\?(?!\W*(?:yes|yeah|right|correct|exactly|indeed)\b)", re.IGNORECASE)
_OFFERED = re.compile(
    r"\b(?:options|choices|candidates|possibilities)(?: \w+)?\s*(?::|\bare\b)[^.!?\n]*$", re.IGNORECASE
)


def folded(text: str, case: bool = True) -> str:
    """The text in one Unicode form, with plain quotes and dashes and single spaces; with `case` in one case."""
    parts = _POWERS.split(text)
    kept = [*_POWERS.findall(text), ""]
    plain = "".join(unicodedata.normalize("NFKC", part) + mark for part, mark in zip(parts, kept, strict=True))
    plain = " ".join(plain.translate(_FOLDED).split())
    return plain.casefold() if case else plain


def bare(text: str, articles: bool = True, punctuation: bool = True) -> str:
    """A folded text without articles and without punctuation around its words; a text of nothing else stays."""
    plain = _ARTICLE.sub(" ", text) if articles else text  # first: the A of "A. Paris" is no article
    plain = _MARKS.sub(" ", plain) if punctuation else plain
    return " ".join(plain.split()) or text


def occurrences(text: str, phrase: str, whole: bool = True) -> Iterator[tuple[int, int]]:
    """Where a phrase stands in a text, both folded; `whole`: as words, so that 42 is not in 420, 4.2 not in -4.2."""
    if not phrase:
        return
    pattern = re.escape(phrase)
    if whole:
        before = r"(?<!\w)(?<!\d[.,])(?<![-+$.][.])" + (r"(?<![-+.])" if phrase[0].isdigit() else "")
        pattern = before + pattern + r"(?!\w)(?![.,:/]\d)" + (r"(?!-\w)" if phrase[-1].isdigit() else "")
    yield from (match.span() for match in re.finditer(pattern, text))


def says(text: str, phrase: str, whole: bool = True) -> bool:
    """Whether a text says a phrase at least once without taking it back: "not Paris", "Paris is wrong"."""
    return any(not is_denied(text, start, end) for start, end in occurrences(text, phrase, whole))


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether what stands from `start` to `end` is denied in its own clause, only asked, or only offered."""
    near = text[max(0, start - NEAR) : start]
    begins = [mark.end() for mark in _CLAUSE.finditer(near)]
    clause = near[begins[-1] if begins else 0 :]
    after = text[end : end + NEAR]
    denied = _DENIED_BEFORE.search(clause) or _DENIED_AFTER.match(after) or _MISTAKE.match(after)
    return bool(denied or _ASKED.match(after) or _OFFERED.search(near))
