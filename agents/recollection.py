"""Which memories come to mind, by recency, importance and relevance; and what a model must say of what it notes."""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from typing import NamedTuple

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.contract import Bench, Memory, Options, Retrieved, Vectors

LATEST = 40  # memories that it reflects on; the paper's 100 do not fit a small window
DIGITS = 4
ALIKE = 0.5  # where nothing tells the memories apart
MOST_NOTES, MOST_INSIGHTS, MOST_STEPS = 5, 3, 5
_WORD = re.compile(r"[^\W_]+")


class Note(BaseModel):
    """A sentence to remember, and how important it is: 1 is everyday, 10 changes a life."""

    observation: str = Field(min_length=1, max_length=400)
    importance: int = Field(ge=1, le=10)

    def memory(self) -> Memory:
        """What is remembered of it."""
        return Memory(text=self.observation, importance=self.importance)


class Notes(BaseModel):
    """What a message tells that is worth remembering, if anything."""

    observations: list[Note] = Field(max_length=MOST_NOTES)


class Questions(BaseModel):
    """What one can ask oneself about what one remembers."""

    questions: list[str] = Field(min_length=1, max_length=5)


class Insight(BaseModel):
    """Something that follows from memories: their numbers, the sentence, and how important it is."""

    because_of: list[int] = Field(min_length=1, max_length=10)
    insight: str = Field(min_length=1, max_length=400)
    importance: int = Field(ge=1, le=10)


class Insights(BaseModel):
    """What follows from the memories that are shown."""

    insights: list[Insight] = Field(max_length=MOST_INSIGHTS)


class Plan(BaseModel):
    """What to do, in order, and how important it is to remember that."""

    steps: list[str] = Field(min_length=1, max_length=MOST_STEPS)
    importance: int = Field(ge=1, le=10)

    def memory(self) -> Memory:
        """What is remembered of it; without the question, or old plans would come to mind before what is known."""
        return Memory(text=f"Planned: {'; '.join(self.steps)}", importance=self.importance, kind="plan")


class Weights(NamedTuple):
    """How much each figure counts; what is an hour older has `decay` times the recency."""

    recency: float
    importance: float
    relevance: float
    decay: float


class Recalling(Options):
    """What comes to mind."""

    top: int = Field(5, ge=1, le=20, description="So many memories come to mind.")
    recency: float = Field(1.0, ge=0, le=5, description="How much it counts that a memory was in mind lately.")
    importance: float = Field(1.0, ge=0, le=5, description="How much it counts that a memory is important.")
    relevance: float = Field(1.0, ge=0, le=5, description="How much it counts that a memory fits the question.")
    decay: float = Field(0.995, ge=0.5, le=1, description="What is left of the recency after each hour.")

    @property
    def weights(self) -> Weights:
        """How much each figure counts."""
        return Weights(self.recency, self.importance, self.relevance, self.decay)


def best(
    memories: Sequence[Memory],
    vectors: Vectors | None,
    about: str,
    weights: Weights,
    top: int,
    without: Collection[str] = (),
) -> list[Retrieved]:
    """The `top` memories by the weighted sum of their three figures, each from 0 (the least of all) to 1 (the most).

    Relevance is the cosine of `vectors`, those of `about` and of the memories; without any, that of their words. Those
    whose ids are in `without` are compared, but not chosen; marks of a reflection are neither.
    """
    seen = [at for at, one in enumerate(memories) if not is_mark(one)]
    memories = [memories[at] for at in seen]
    vectors = [vectors[0], *(vectors[at + 1] for at in seen)] if vectors else None
    relevance = cosines(vectors) if vectors else by_words(about, [one.text for one in memories])
    figures = zip(
        memories,
        scaled([weights.decay**one.hours for one in memories]),
        scaled([one.importance for one in memories]),
        scaled(relevance),
        strict=True,
    )
    found = [_weighed(one, shares, weights) for one, *shares in figures]
    newest = sorted(enumerate(found), key=lambda pair: (pair[1].total, pair[0]), reverse=True)
    return [one for _, one in newest if one.memory.id not in without][:top]


def _weighed(memory: Memory, shares: Sequence[float], weights: Weights) -> Retrieved:
    recency, importance, relevance = shares
    total = recency * weights.recency + importance * weights.importance + relevance * weights.relevance
    figures = {"recency": recency, "importance": importance, "relevance": relevance, "total": round(total, DIGITS)}
    return Retrieved(memory=memory, **figures)


def scaled(values: Sequence[float]) -> list[float]:
    """The values between 0, for the least of them, and 1, for the largest; all alike are ALIKE."""
    least, most = min(values, default=0.0), max(values, default=0.0)
    if most - least < 10**-DIGITS:
        return [ALIKE] * len(values)
    return [round((value - least) / (most - least), DIGITS) for value in values]


def cosines(vectors: Vectors) -> list[float]:
    """How alike the first vector is to each of the others, from -1 to 1."""
    about, *others = vectors
    return [round(_cosine(about, other), DIGITS) for other in others]


def by_words(about: str, texts: Sequence[str]) -> list[float]:
    """How alike a text is to each of the others by its words, from 0 to 1; a word that many have counts less."""
    counted = [Counter(_WORD.findall(text.casefold())) for text in (about, *texts)]
    having = Counter(word for words in counted for word in words)
    rare = {word: math.log(1 + len(counted) / number) for word, number in having.items()}
    weighed = [{word: number * rare[word] for word, number in words.items()} for words in counted]
    return cosines([[words.get(word, 0.0) for word in rare] for words in weighed])


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = math.hypot(*one) * math.hypot(*other)
    return product / lengths if lengths else 0.0


def unreflected(memories: Sequence[Memory]) -> float:
    """What the importance of the observations since the last reflection adds up to, each counted once."""
    memories = list({one.id: one for one in memories}.values())
    last = max((at for at, one in enumerate(memories) if one.kind == "reflection"), default=-1)
    return sum(one.importance for one in memories[last + 1 :] if one.kind == "observation")


def is_mark(memory: Memory) -> bool:
    """Whether it only says that the machine has reflected: an insight names the memories that it comes from."""
    return memory.kind == "reflection" and not memory.sources


async def concluded(bench: Bench, found: Sequence[Memory]) -> None:
    """Store the insights of a reflection; where none of them is new, a mark that it has reflected on what there is."""
    before = await bench.memories()
    kept = await bench.remember("Reflections", found)
    if before and {one.id for one in kept} <= {one.id for one in before}:
        text = f"Reflected on all up to memory {before[-1].id}: nothing new follows."
        await bench.remember("Reflected", [Memory(text=text, importance=1, kind="reflection")])


def numbered(texts: Sequence[str]) -> str:
    """The texts, a numbered line for each."""
    return "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(texts, 1))


def grounded(found: Sequence[Insight], memories: Sequence[Memory]) -> tuple[list[Memory], list[str]]:
    """The insights that name memories that there are, as memories of their own; and of the others why they are not.

    One that only says again what a memory says is none.
    """
    kept, left_out = [], []
    known = {_plain(one.text) for one in memories}
    for one in found:
        sources = tuple(memories[number - 1].id for number in one.because_of if 0 < number <= len(memories))
        if not sources or _plain(one.insight) in known:
            reason = "it only repeats a memory" if sources else "it names none of the memories"
            left_out.append(f"Left out, since {reason}: {one.insight}")
            continue
        unique = tuple(dict.fromkeys(sources))
        kept.append(Memory(text=one.insight, importance=one.importance, kind="reflection", sources=unique))
    return kept, left_out


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


async def raised(bench: Bench, role: str, asking: str) -> list[str]:
    """The questions that the latest memories raise; `role` is the reflector's prompt, `asking` what it is asked."""
    latest = [one for one in await bench.memories() if not is_mark(one)][-LATEST:]
    listed = numbered([one.text for one in latest])
    asked = HumanMessage(bench.prompt(asking, memories=listed, number=bench.options.questions))
    prompt = [SystemMessage(bench.prompt(role)), *bench.examples(asking), asked]
    said = await bench.ask("reflector", prompt, schema=Questions)
    questions: list[str] = said.parsed.questions[: bench.options.questions]
    bench.card("Questions", numbered(questions), answer=said)
    return questions


async def insights(bench: Bench, role: str, asking: str, question: str) -> list[Memory]:
    """What follows for a question from the memories that come to mind; an insight that names none of them is dropped.

    `role` is the reflector's prompt, `asking` the one that shows it the memories.
    """
    choose = partial(best, about=question, weights=bench.options.weights, top=bench.options.top)
    memories = [one.memory for one in await bench.recall(f"Recalled: {question}", question, choose)]
    listed = numbered([one.text for one in memories])
    asked = HumanMessage(bench.prompt(asking, memories=listed, question=question))
    prompt = [SystemMessage(bench.prompt(role)), *bench.examples(role), asked]
    said = await bench.ask("reflector", prompt, schema=Insights)
    kept, left_out = grounded(said.parsed.insights, memories)
    number_of = {one.id: number for number, one in enumerate(memories, 1)}
    lines = [f"- {one.text} *(because of {', '.join(str(number_of[of]) for of in one.sources)})*" for one in kept]
    lines += [f"- {reason}" for reason in left_out]
    bench.card(f"Insights: {question}", "\n".join(lines) or "None.", answer=said)
    return kept
