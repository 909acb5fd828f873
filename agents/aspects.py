"""The aspects by which a model judges an answer, and what it must say of each: a remark, then a score."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, create_model

BEST = 5
ASPECTS: Mapping[str, tuple[str, ...]] = {
    "answer": ("correctness", "completeness", "clarity"),
    "text": ("content", "structure", "style"),
    "code": ("correctness", "edge_cases", "readability"),
}


class Judged(BaseModel):
    """One aspect of an answer: what to do about it, then how good it is, from 1 to 5."""

    remark: str = Field(min_length=1)
    score: int = Field(ge=1, le=BEST)


def feedback_schema(kind: str) -> type[BaseModel]:
    """A remark and a score for each aspect of that kind, by its name."""
    fields: dict[str, Any] = {aspect: (Judged, ...) for aspect in ASPECTS[kind]}
    return create_model("Feedback", **fields)


def judged(feedback: BaseModel) -> dict[str, Judged]:
    """What the feedback says of each aspect, in order."""
    return {name: getattr(feedback, name) for name in type(feedback).model_fields}


def told(found: Mapping[str, Judged]) -> str:
    """The remarks with their scores as a list."""
    return "\n".join(f"- **{_words(name)} {one.score}/{BEST}**: {one.remark}" for name, one in found.items())


def worst(found: Mapping[str, int]) -> tuple[str, int]:
    """The aspect with the lowest of these scores, as words, and its score."""
    name = min(found, key=lambda aspect: found[aspect])
    return _words(name), found[name]


def _words(name: str) -> str:
    return name.replace("_", " ")
