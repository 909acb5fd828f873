"""How Self-RAG grades an answer by what it rests on, and what the grades come to (Asai et al. 2310.11511).

The paper trains a model to say reflection tokens; here any model is asked for them as JSON. The score of an answer is
the paper's segment score,

    p + w_relevance * s_relevance + w_support * s_support + w_usefulness * s_usefulness

with p the answer's mean token probability (0 where the backend tells none), s_relevance 1 or 0, s_support 1, 0.5 or 0,
and s_usefulness from -1 (usefulness 1) in halves to 1 (usefulness 5). An answer without a passage has p and usefulness
alone.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.contract import Bench, together

RELEVANCE: Mapping[str, float] = {"relevant": 1.0, "irrelevant": 0.0}
SUPPORT: Mapping[str, float] = {"fully supported": 1.0, "partially supported": 0.5, "no support": 0.0}
WORST, BEST = 1, 5
UNSUPPORTED = "the passage does not support its answer"


class Need(BaseModel):
    """Whether something has to be looked up, and with which query."""

    reason: str = Field(min_length=1)
    retrieve: Literal["yes", "no"]
    query: str


class Grade(BaseModel):
    """An answer from a passage: what in the passage bears on it, then the three grades."""

    evidence: str
    relevance: Literal["relevant", "irrelevant"]
    support: Literal["fully supported", "partially supported", "no support"]
    usefulness: int = Field(ge=WORST, le=BEST)


class Usefulness(BaseModel):
    """An answer without a passage: why it is of use or not, and how much."""

    evidence: str
    usefulness: int = Field(ge=WORST, le=BEST)


class Candidate(BaseModel):
    """An answer, the passage that it was made from (none: no source), and its grades; what is unknown is empty."""

    source: str = ""
    passage: str = ""
    text: str = ""
    probability: float = 0.0
    evidence: str = ""
    relevance: str = ""
    support: str = ""
    usefulness: int = 0

    @property
    def name(self) -> str:
        """What it is called by."""
        return self.source or "the answer without a passage"

    @property
    def cited(self) -> str:
        """The answer with its source, or with the passage that it is from and that does not support it."""
        return (
            f"{self.text} [{'' if self.is_backed else 'not supported by '}{self.source}]" if self.source else self.text
        )

    @property
    def is_backed(self) -> bool:
        """Whether its passage supports it, as far as is known; what has no passage needs none."""
        return not self.source or SUPPORT.get(self.support, 1.0) > 0

    @property
    def grades(self) -> str:
        """The grades in a line."""
        return " · ".join([*filter(None, [self.relevance, self.support]), f"usefulness {self.usefulness}"])

    def parts(self, weights: Any) -> dict[str, float]:
        """What its probability and each grade add to the score; `weights` are the machine's options."""
        parts = {"probability": self.probability}
        if self.source:
            parts["relevance"] = weights.relevance * RELEVANCE[self.relevance]
            parts["support"] = weights.support * SUPPORT[self.support]
        return parts | {"usefulness": weights.usefulness * (self.usefulness - 3) / 2}

    def score(self, weights: Any) -> float:
        """The sum of the parts."""
        return sum(self.parts(weights).values())


def all_irrelevant(candidates: Sequence[Candidate]) -> bool:
    """Whether no passage has to do with the question."""
    return all(one.relevance == "irrelevant" for one in candidates if one.source)


def chosen(candidates: Sequence[Candidate], weights: Any) -> tuple[Candidate | None, str]:
    """The candidate with the highest score, of two with the same the one that was found first, and why it is that.

    Where no passage has to do with the question it is the one without a passage; None where there is none. Beside the
    one without a passage those that their passage does not support do not count.
    """
    own = next((one for one in candidates if not one.source), None)
    passages = len(candidates) - (own is not None)
    if all_irrelevant(candidates):
        return own, f"all {passages} passages are irrelevant" if passages > 1 else "the passage is irrelevant"
    backed = [one for one in candidates if one.is_backed] if own else list(candidates)
    if backed == [own]:
        return own, f"none of the {passages} passages supports its answer" if passages > 1 else UNSUPPORTED
    one = max(backed, key=lambda candidate: round(candidate.score(weights), 6))
    is_first = all(other.score(weights) <= one.score(weights) for other in candidates)
    limits = "" if is_first else " of those with support"
    return one, f"{one.name} has the highest score{limits}, {one.score(weights):.2f}"


def told(candidates: Sequence[Candidate], weights: Any) -> str:
    """Each candidate with its score and what it is made of, the best first."""
    lines = []
    for one in sorted(candidates, key=lambda candidate: -candidate.score(weights)):
        parts = " + ".join(f"{name} {value:.2f}" for name, value in one.parts(weights).items())
        lines.append(f"- **{one.name}** {one.score(weights):.2f} = {parts}")
    return "\n".join(lines).replace("+ usefulness -", "- usefulness ")


def unsourced(text: str, why: str) -> str:
    """An answer that no passage stands behind though one was looked for."""
    return f"{text} [no source: {why}]" if why else text


def asking(bench: Bench, role: str, asked: str) -> list[AnyMessage]:
    """A role's prompt and worked examples, then what it is asked."""
    return [SystemMessage(bench.prompt(role)), *bench.examples(role), HumanMessage(asked)]


async def answered(bench: Bench, question: str, one: Candidate) -> Candidate:
    """An answer from a candidate's passage, or from none."""
    role = "reader" if one.source else "recall"
    asked = bench.prompt("passage", passage=one.passage, question=question) if one.source else question
    said = await bench.ask("reader", asking(bench, role, asked))
    one = one.model_copy(update={"text": said.text.strip(), "probability": said.confidence or 0.0})
    bench.card(f"From {one.source}" if one.source else "Without a passage", one.cited, answer=said, passage=one.passage)
    return one


async def graded(bench: Bench, question: str, one: Candidate) -> Candidate:
    """The candidate with the model's grades of its answer, and of the passage that it is from."""
    if one.source:
        asked = asking(bench, "grader", bench.prompt("case", question=question, passage=one.passage, answer=one.text))
        said = await bench.ask("critic", asked, schema=Grade)
    else:
        asked = asking(bench, "judge", bench.prompt("claim", question=question, answer=one.text))
        said = await bench.ask("critic", asked, schema=Usefulness)
    one = one.model_copy(update=said.parsed.model_dump())
    shown = {"graded": one.text, "total": round(one.score(bench.options), 3)}
    bench.card(f"{one.name}: {one.grades}", one.evidence, answer=said, feedback="self", **shown)
    return one


Step = Callable[[Bench, str, Candidate], Coroutine[Any, Any, Candidate]]


async def in_batches(step: Step, bench: Bench, question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates after a step; at most as many are under way at once as the options allow."""
    done: list[Candidate] = []
    for first in range(0, len(candidates), bench.options.parallel):
        batch = candidates[first : first + bench.options.parallel]
        done += await together([step(bench, question, one) for one in batch])
    return done
