"""What is doubted in a sentence: its key concepts with their probabilities, the question to look up, the ruling."""

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, create_model

from agents.answers import normalise
from agents.contract import Observation
from agents.sentences import first_sentence
from agents.sureness import Pooled, Span, least, mentions, percent

Evidence = Literal["self", "search", "wikipedia"]

# How the tools begin when there is nothing: that is no evidence for or against a sentence.
NOTHING_FOUND = ("Nothing in the documents", "There is no article")
UNKNOWING = re.compile(
    r"\b(?:(?:do not|don't|does not|doesn't) know|(?:cannot|can't) (?:answer|say|tell)|no information|not sure"
    r"|(?:is|are) (?:unknown|not known))\b",
    re.IGNORECASE,
)


class Concept(NamedTuple):
    """A key concept of a sentence, and how sure the model was of it (None: it was not measured)."""

    name: str
    sure: float | None


class Question(BaseModel):
    """The question whose answer decides about a concept, and the article in which that may stand."""

    question: str = Field(min_length=1)
    article: str = Field(min_length=1)


class Ruling(BaseModel):
    """What the evidence says about a concept."""

    reason: str
    verdict: Literal["supported", "contradicted", "unclear"]


def concepts_schema(most: int) -> type[BaseModel]:
    """At most so many concepts."""
    return create_model("Concepts", concepts=(list[str], Field(max_length=most)))


def concepts_in(sentence: str, named: Sequence[str]) -> list[str]:
    """Those of the named concepts that stand in the sentence, each once, in the sentence's order."""
    first = {name.strip(): mentions(sentence, name.strip()) for name in named}
    known: dict[str, str] = {}
    for name in sorted((name for name, places in first.items() if places), key=lambda name: first[name][0]):
        known.setdefault(normalise(name), name)
    return list(known.values())


def measured(sentence: str, spans: Sequence[Span], names: Sequence[str], pooled: Pooled) -> list[Concept]:
    """How sure the model was of each concept when it wrote the sentence."""
    return [Concept(name, least(sentence, spans, name, pooled)) for name in names]


def doubtful(concepts: Sequence[Concept], threshold: float) -> list[str]:
    """The concepts that the model was less sure of than that."""
    return [one.name for one in concepts if one.sure is not None and one.sure < threshold]


def listed(concepts: Sequence[Concept], named: Sequence[str], threshold: float) -> str:
    """The concepts with their probabilities as a list, and which of the `named` do not stand in the sentence."""
    unsure, lines = doubtful(concepts, threshold), []
    for name, sure in concepts:
        told = f"{name}: {'not measured' if sure is None else percent(sure)}"
        lines.append(f"- **{told}, to be checked**" if name in unsure else f"- {told}")
    known = {normalise(one.name) for one in concepts}
    missing = list(dict.fromkeys(name for name in named if normalise(name) not in known))
    lines += [f"\nNot in the sentence, so left out: {', '.join(missing)}."] if missing else []
    return "\n".join(lines) or "Nothing in it could be wrong."


def is_evidence(seen: Observation) -> bool:
    """Whether a tool has found something."""
    return not seen.error and not seen.text.startswith(NOTHING_FOUND)


def is_knowing(answer: str) -> bool:
    """Whether a model claims to know."""
    return bool(answer.strip()) and not UNKNOWING.search(answer)


def mended(sentence: str, written: str) -> str:
    """The sentence as it was written anew: the first one of the text, or as it was where that says the same."""
    start, end = first_sentence(written)
    new = written[start:end].strip()
    return sentence if normalise(new) in ("", normalise(sentence)) else new


def reason_of(concepts: Sequence[Concept], threshold: float) -> str:
    """How many concepts are doubtful, or how sure the model is of all of them."""
    doubts, odds = doubtful(concepts, threshold), [one.sure for one in concepts if one.sure is not None]
    if not concepts:
        return "no concepts"
    if not odds:
        return "none of its concepts could be measured"
    if doubts:
        return f"{len(doubts)} of {len(concepts)} unsure, with less than {percent(threshold)}"
    return (
        f"all {len(concepts)} sure, the least {percent(min(odds))}"
        if len(concepts) > 1
        else f"sure, {percent(min(odds))}"
    )


def spans_within(spans: Sequence[Span], start: int, end: int) -> list[list[Any]]:
    """The spans of a part of the text, counted from its beginning, as a state keeps them."""
    return [[one.start - start, one.end - start, one.logprob] for one in spans if one.start < end and one.end > start]
