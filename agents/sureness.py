"""How sure a model was of what it wrote: of a whole answer, and of a phrase in it, from its token probabilities."""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from agents.contract import Answer, Bench, Token

UNKNOWN = "The backend gives no token probabilities: nothing tells how sure the model is."
HINT = (
    "Choose a backend that gives them, as the embedded one does, and leave token probabilities on under Model settings."
)
FURTHEST = 200  # characters of a text that tokens which are no text of their own may stand for

Pooled = Literal["min", "mean"]


class Span(NamedTuple):
    """The characters of a text from `start` to before `end`, and the natural-log probability of a token in them."""

    start: int
    end: int
    logprob: float


def percent(probability: float) -> str:
    """A probability as people read it; what is not certain is not shown as 100%, to the digits that a log keeps."""
    return f"{math.floor(round(probability * 1000, 1)) / 10:g}%"


def warn_if_unknown(bench: Bench, said: Answer) -> None:
    """Tell the person when an answer of the model's came without probabilities."""
    if said.confidence is None and not said.by_person:
        bench.warn("confidence_unknown", UNKNOWN, HINT)


def align(text: str, tokens: Sequence[Token]) -> list[Span]:
    """Which characters of a text each of its tokens stands for, in order; empty where they are not this text's.

    Tokens may stand before and after the text (thoughts, blanks, an end mark). A character whose bytes are split over
    tokens, each of which shows as no text of its own, belongs to all of them.
    """
    whole = "".join(token.text for token in tokens)
    if (at := whole.rfind(text)) >= 0:
        ends = list(accumulate(len(token.text) for token in tokens))
        spans = [Span(end - len(one.text) - at, end - at, one.logprob) for one, end in zip(tokens, ends, strict=True)]
        return [span for span in spans if span.end > max(span.start, 0) and span.start < len(text)]
    return list(_walked(text, tokens))


def _walked(text: str, tokens: Sequence[Token]) -> Iterator[Span]:
    """The alignment where tokens are pieces of characters: between two that are text, all stand for what is there."""
    at, pieces = 0, list[Token]()
    for token in tokens:
        found = text.find(token.text, at, at + FURTHEST) if _is_text(token.text) else -1
        if found < 0 or (found > at and not pieces):
            pieces.append(token)
            continue
        yield from (Span(at, found, piece.logprob) for piece in pieces if found > at)
        yield Span(found, at := found + len(token.text), token.logprob)
        pieces = []
    if at and at < len(text):
        yield from (Span(at, len(text), piece.logprob) for piece in pieces)


def _is_text(token: str) -> bool:
    """Whether a token shows as what it is: pieces of a character show as nothing or as a replacement character."""
    return bool(token) and "\ufffd" not in token


def mentions(text: str, phrase: str) -> list[tuple[int, int]]:
    """Where a phrase stands in a text, as whole words whatever their case and however many blanks are between them."""
    plain, places = _folded(text)
    wanted = " ".join(_folded(phrase)[0].split())
    found, at = [], plain.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        if not (_joins(plain, at) or _joins(plain, end)):
            found.append((places[at], places[end - 1] + 1))
        at = plain.find(wanted, at + 1)
    return found


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in one case with single blanks, and which character of the original each of its characters is."""
    plain, places = "", list[int]()
    for number, char in enumerate(text):
        folded = unicodedata.normalize("NFKC", char).casefold()
        for one in folded:
            one = " " if one.isspace() else one
            if one != " " or not plain.endswith(" "):
                plain, places = plain + one, [*places, number]
    return plain, places


def _joins(text: str, at: int) -> bool:
    """Whether a word goes on across this place; scripts without blanks have no such places."""
    before, after = text[at - 1 : at], text[at : at + 1]
    return _in_word(before) and _in_word(after)


def _in_word(char: str) -> bool:
    return char.isalnum() and unicodedata.category(char) != "Lo"


def sureness(spans: Sequence[Span], start: int, end: int, pooled: Pooled) -> float | None:
    """The least or the mean probability of the tokens that reach into these characters; None where there are none."""
    odds = [math.exp(span.logprob) for span in spans if span.start < end and span.end > start]
    if not odds:
        return None
    return min(odds) if pooled == "min" else sum(odds) / len(odds)


def least(text: str, spans: Sequence[Span], phrase: str, pooled: Pooled) -> float | None:
    """How sure the model was of a phrase, at its least sure mention; None where no mention is measured."""
    values = [sureness(spans, start, end, pooled) for start, end in mentions(text, phrase)]
    return min((value for value in values if value is not None), default=None)
