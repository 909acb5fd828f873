"""How much of a reference an answer says, in words: ROUGE-L and token F1, by Google's rouge-score.

The library counts; the words are ours, since its own are those of the Latin alphabet alone. Of several right answers
the nearest counts, as its score_multi does.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

import regex  # type: ignore[import-untyped]

from workbench.experiments.model import Item, Score

MOST_WORDS = 1_000  # of each text: the longest common subsequence takes time with their product, 0.2 s for these
# A word is a run of letters and digits; scripts that are written without spaces have one word per sign.
_SIGN = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}]\p{M}*"
_WORD = regex.compile(rf"{_SIGN}|[\p{{L}}\p{{N}}](?:(?!{_SIGN})[\p{{L}}\p{{N}}\p{{M}}])*")
_SIGNS = regex.compile(rf"{_SIGN}|(?:(?!{_SIGN}).)+")


class Counter:
    """One of the library's measures over our words."""

    def __init__(self, measure: str, tokens: Callable[[str], list[str]]) -> None:
        """`measure` is its name in the library: rouge1, rougeL."""
        self._measure, self._tokens = measure, tokens
        self._scorer: Any = None

    def score(self, item: Item, read: str) -> Score:
        """The F-measure against the nearest right answer, and the words that it was counted over."""
        wanted = [text for text in (item.answer, *item.aliases) if text.strip()]
        found = max((self._against(text, read) for text in wanted), key=lambda one: float(one.fmeasure))
        value = min(1.0, max(0.0, float(found.fmeasure)))
        said = f"{value:.2f}: {found.recall:.0%} of the right answer's words, {found.precision:.0%} of its own"
        return Score(value=value, said=said, read=read)

    def _against(self, wanted: str, read: str) -> Any:
        if self._scorer is None:  # the library takes a second to load
            self._scorer = _library().RougeScorer([self._measure], tokenizer=self)
        return self._scorer.score(wanted, read)[self._measure]

    def tokenize(self, text: str) -> Sequence[str]:
        """The library's own hook."""
        return self._tokens(text)[:MOST_WORDS]


@cache
def _library() -> Any:
    return import_module("rouge_score.rouge_scorer")


def tokens(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return [str(word) for word in _WORD.findall(text.casefold())]


def signs(word: str) -> list[str]:
    """A word that is written without spaces as its signs; any other as it is."""
    return [word] if word.isascii() else [str(sign) for sign in _SIGNS.findall(word)]


def stemmed(text: str) -> list[str]:
    """The words without their English endings, by the library's own stemmer, which leaves three letters alone."""
    return [_stemmer().stem(word) if len(word) > 3 and word.isascii() else word for word in tokens(text)]


@cache
def _stemmer() -> Any:
    return import_module("nltk.stem.porter").PorterStemmer()
