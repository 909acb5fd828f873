"""The mathematics of token probabilities: perplexity, weak phrases, the shares of labels, one answer beside another."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.events import TokenLogprob

LOW = 0.5  # a token below this probability was not even as likely as all others together
LONGEST_PHRASE = 6  # words
SHOWN_PHRASES = 5
LARGEST_EXPONENT = 700.0  # of what a float can hold
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PIECE = "\ufffd"  # what stands for a part of a character's bytes
_WORDY = re.compile(r"\w")
_ENDS = re.compile(r"[.!?;:,\n{}\[\]]\W*$")


@dataclass(frozen=True)
class Phrase:
    """Words next to each other that the model was unsure of; `probability` is the mean of their tokens, from 0 to 1.

    `first` and `count` say which tokens of the answer they are; `weakest` is the least likely of them.
    """

    text: str
    probability: float
    first: int
    count: int
    weakest: TokenLogprob


@dataclass(frozen=True)
class Share:
    """A label or an answer and its probability among those that were offered."""

    name: str
    probability: float


@dataclass(frozen=True)
class Shares:
    """Probabilities of what was offered, which together are 1, the likeliest first.

    `outside` is the probability that the model gave to anything else; a share `hidden` in it was not among the
    alternatives that the server told, so that its probability is at most that of the least of them.
    """

    shares: tuple[Share, ...]
    outside: float
    hidden: tuple[str, ...] = ()

    @property
    def best(self) -> Share | None:
        """The likeliest; None where the model gave nothing to any of them."""
        return self.shares[0] if self.shares and self.shares[0].probability > 0 else None


def probability(logprob: float) -> float:
    """A natural-log probability as one from 0 to 1; rounding may have carried it above."""
    return min(1.0, math.exp(min(logprob, 0.0)))


def mean_logprob(tokens: Sequence[TokenLogprob]) -> float | None:
    """The mean natural-log probability; None for no tokens."""
    return sum(token.logprob for token in tokens) / len(tokens) if tokens else None


def perplexity(tokens: Sequence[TokenLogprob]) -> float | None:
    """exp(-mean logprob): among so many tokens, equally likely, the model chose each time. None for no tokens."""
    mean = mean_logprob(tokens)
    return None if mean is None else perplexity_of(mean)


def perplexity_of(mean: float) -> float:
    """The perplexity for a mean natural-log probability; 1 is the least there is."""
    return math.exp(min(-min(mean, 0.0), LARGEST_EXPONENT))


def phrases(tokens: Sequence[TokenLogprob], most: int = SHOWN_PHRASES) -> list[Phrase]:
    """The phrases that the model was least sure of, the weakest first.

    A phrase is made of the words next to each other that hold a token below `LOW`; the mean is the geometric one, as of
    an answer. What is no word, such as the marks of JSON, is in none.
    """
    found = [_phrase(tokens, first, end) for first, end in _runs(tokens)]
    return sorted(found, key=lambda phrase: (phrase.probability, phrase.first))[:most]


def _runs(tokens: Sequence[TokenLogprob]) -> Iterator[tuple[int, int]]:
    """Where runs of unsure words begin and end; punctuation ends one, and so does its length."""
    begin, end, count = 0, 0, 0
    for first, after in _words(tokens):
        is_low = any(probability(token.logprob) < LOW and _is_wordy(token) for token in tokens[first:after])
        if count and (not is_low or count == LONGEST_PHRASE):
            yield begin, end
            count = 0
        if is_low:
            begin, end, count = (begin if count else first), after, count + 1
            if _ENDS.search("".join(token.text for token in tokens[first:after])):
                yield begin, end
                count = 0
    if count:
        yield begin, end


def _words(tokens: Sequence[TokenLogprob]) -> Iterator[tuple[int, int]]:
    """The tokens of each word: one begins where there is a space, or where letters follow on marks."""
    begin = 0
    for at in range(1, len(tokens)):
        here, before = tokens[at].text, tokens[at - 1].text
        if here[:1].isspace() or before[-1:].isspace() or (_WORDY.match(here) and not _WORDY.match(before[-1:] or " ")):
            yield begin, at
            begin = at
    if tokens:
        yield begin, len(tokens)


def _is_wordy(token: TokenLogprob) -> bool:
    return bool(_WORDY.search(token.text))


def _phrase(tokens: Sequence[TokenLogprob], first: int, end: int) -> Phrase:
    inside = [token for token in tokens[first:end] if _is_wordy(token)]
    text = "".join(token.text for token in tokens[first:end]).strip()
    mean = mean_logprob(inside) or 0.0
    return Phrase(text, probability(mean), first, end - first, min(inside, key=lambda token: token.logprob))


def shares(names: Sequence[str], tops: Sequence[tuple[str, float]]) -> Shares:
    """The probabilities of answers from the first token's alternatives (text, logprob), renormalised over the answers.

    Tokens that differ in case and in the space around them mean the same answer.
    """
    mass = dict.fromkeys(names, 0.0)
    for text, logprob in tops:
        name = next((name for name in names if _is_same(name, text)), None)
        if name is not None:
            mass[name] += probability(logprob)
    told = sum(mass.values())
    ranked = sorted(mass.items(), key=lambda item: -item[1])
    found = tuple(Share(name, value / told if told else 0.0) for name, value in ranked)
    return Shares(found, max(1.0 - told, 0.0), tuple(name for name in names if not mass[name]))


def _is_same(name: str, text: str) -> bool:
    return text.strip(" \n\t*\"'`.)(:").casefold() == name.casefold()


def tops_of(token: TokenLogprob) -> tuple[tuple[str, float], ...]:
    """A token's alternatives with the token itself, which a server may leave out of them."""
    known = any(text == token.text for text, _ in token.top)
    return token.top if known else ((token.text, token.logprob), *token.top)


def joint(logprobs: Sequence[float]) -> float:
    """The probability of all of them one after the other."""
    return probability(sum(logprobs))


def bits_per_character(tokens: Sequence[TokenLogprob]) -> float | None:
    """How many bits a character of the text cost: what models with other tokens can be compared by. None for none."""
    length = sum(len(token.text) for token in tokens)
    return -sum(min(token.logprob, 0.0) for token in tokens) / math.log(2) / length if length else None
