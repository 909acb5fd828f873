"""What a model can be asked of its own probabilities: labels, whether a passage is enough, what comes next, a text.

Each is one short call or a few, not a run: there are no steps to replay, and the exact messages stay with the result.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from concurrent.futures import Future
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast

from workbench.backends.base import AnswerPart, Backend, ChatRequest, Message, ModelInfo, Part, Scores, TextPart
from workbench.backends.watch import PER_TOKEN, SLACK
from workbench.bench import error_info, kept_tokens
from workbench.confidence import LETTERS, Share, Shares, shares, tops_of
from workbench.engine import Engine
from workbench.errors import InvalidRequest, ReplyTooLong, RequestRefused, StreamBroken, WorkbenchError
from workbench.events import ErrorInfo, TokenLogprob

Use = Literal["classify", "enough", "complete", "compare"]
TOPS = 20  # alternatives that are asked for; no server gives more
CANDIDATES = 10
MOST_LABELS = len(LETTERS)
MOST_TEXTS = 200
SESSION = "confidence"
WHICH = (
    "Which label fits the text best?\n\nText: {text}\n\nLabels:\n{labels}\n\nAnswer with the letter of one label only."
)
ENOUGH = (
    "Does the passage say what is asked? Judge by the passage alone, not by what you know.\n\n"
    "Passage: {passage}\n\nQuestion: {question}\n\nAnswer with one word, Yes or No."
)
SHOWN: tuple[tuple[str, str, str], ...] = (
    ("The ferry leaves Anvik at seven and takes two hours.", "When does the ferry leave Anvik?", "Yes"),
    ("The ferry leaves Anvik at seven and takes two hours.", "What does a ticket for the ferry cost?", "No"),
)
WRITE = "Write one sentence."
GO_ON = "Go on with this text. Write only what comes next, nothing that is there already.\n\n{begun}"
NO_PROBABILITIES = "{model} told no probabilities with its answer."
CHOOSE_ANOTHER = "Choose another model or backend: the embedded engine gives them."
CANNOT_SCORE = "{backend} does not tell the probabilities of a given text."
CAN_SCORE = "The embedded engine and llama.cpp's own server do: choose one of them."


@dataclass(frozen=True)
class Classified:
    """A text and the probability of each label; `sent` are the prompts, one for each order of the labels."""

    text: str
    found: Shares
    sent: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """Whether a passage is enough for a question; `found` has the shares of Yes and No."""

    passage: str
    question: str
    found: Shares
    sent: str

    @property
    def yes(self) -> float:
        """The probability that it is enough."""
        return next((share.probability for share in self.found.shares if share.name == "Yes"), 0.0)


@dataclass(frozen=True)
class Candidates:
    """What may come after a text that has begun: tokens with their natural-log probabilities, the likeliest first.

    `asked` says that they are a chat's answer to the request to go on, not what follows in the model's own answer.
    """

    begun: str
    tops: tuple[tuple[str, float], ...]
    asked: bool = False


@dataclass(frozen=True)
class Scored:
    """An answer's tokens with the probabilities that a model gives them after a prompt."""

    model: str
    prompt: str
    tokens: tuple[TokenLogprob, ...]


Result = Classified | Judged | Candidates | Scored


@dataclass
class Weighing:
    """Questions under way: their results as they come, and at the end what went wrong; read from any thread."""

    use: Use
    total: int
    began: float = field(default_factory=time.monotonic)
    results: list[Result] = field(default_factory=list)
    error: ErrorInfo | None = None
    future: "Future[None] | None" = None

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.future is not None and not self.future.done()

    @property
    def stopped(self) -> bool:
        """Whether the person has ended it."""
        return self.future is not None and self.future.cancelled()

    def stop(self) -> None:
        """End it; the results that there are stay."""
        if self.future is not None:
            self.future.cancel()


class Scale:
    """Asks one model; its coroutines belong to the engine's loop, and wait for their turn in the backend's queue."""

    def __init__(self, engine: Engine, backend: str, model: str) -> None:
        """Raises InvalidRequest for a backend that there is not, and where no model is chosen."""
        self._backend: Backend = engine.backend(backend)
        self._slots, self._model = engine.slots(backend), model or self._backend.default_model
        if not self._model:
            raise InvalidRequest("No model is chosen.", "Choose one in the sidebar.")

    async def classify(self, text: str, labels: Sequence[str]) -> Classified:
        """The probability of each label for a text, from the first token of the answer.

        Models prefer letters by their place: the labels are asked in two orders, and the mean of both is taken.
        """
        orders = [list(labels), list(reversed(labels))]
        sent = [WHICH.format(text=text, labels=lettered(order)) for order in orders]
        found = [
            _named(shares(LETTERS[: len(order)], await self._first(_user(prompt))), order)
            for prompt, order in zip(sent, orders, strict=True)
        ]
        return Classified(text, mean_of(found, labels), tuple(sent))

    async def enough(self, passage: str, question: str) -> Judged:
        """How sure the model is that a passage is enough to answer a question."""
        turns = [turn for old, asked, said in SHOWN for turn in (*_enough(old, asked), _said(said))]
        asked = _enough(passage, question)
        found = shares(("Yes", "No"), await self._first((*turns, *asked)))
        return Judged(passage, question, found, asked[0].content)

    async def next_tokens(self, begun: str) -> Candidates:
        """What may come next in a sentence that has begun so."""
        if isinstance(self._backend, Scores):
            request = await self._request(_user(WRITE), CANDIDATES)
            try:
                async with self._turn():
                    return Candidates(begun, await self._backend.next_tokens(request, begun))
            except RequestRefused:
                pass  # a server of another kind: it is asked in a chat, which is said
        tops = await self._first(_user(GO_ON.format(begun=begun)))
        ranked = sorted(tops, key=lambda top: -top[1])[:CANDIDATES]
        return Candidates(begun, tuple((_spaced(begun, text), value) for text, value in ranked), asked=True)

    async def score(self, prompt: str, answer: str) -> Scored:
        """How likely the model finds an answer to a prompt. Raises RequestRefused where the backend cannot tell."""
        if not isinstance(self._backend, Scores):
            raise RequestRefused(CANNOT_SCORE.format(backend=self._backend.title), CAN_SCORE)
        request = await self._request(_user(prompt), 3)
        async with self._turn():
            found = await self._backend.score(request, answer)
        return Scored(self._model, prompt, kept_tokens(found, 3))

    async def _first(self, messages: Sequence[Message]) -> tuple[tuple[str, float], ...]:
        """The alternatives for the answer's first token. Raises RequestRefused where no probabilities are told."""
        request = await self._request(messages, TOPS)
        async with self._turn():
            answer = await _heard(self._backend, request)
        if not answer.logprobs:
            raise RequestRefused(await self._why_none(), CHOOSE_ANOTHER)
        (first,) = kept_tokens(answer.logprobs[:1], TOPS)
        return tops_of(first)

    async def _request(self, messages: Sequence[Message], tops: int) -> ChatRequest:
        info = await self._backend.model(self._model)
        return ChatRequest(
            model=self._model,
            messages=tuple(messages),
            temperature=0.0,
            max_tokens=1,
            top_logprobs=tops,
            think=False if "thinking" in info.capabilities else None,
        )

    async def _why_none(self) -> str:
        info: ModelInfo = await self._backend.model(self._model)
        return info.why_no_logprobs or NO_PROBABILITIES.format(model=self._model)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._slots.take(lambda place: None, SESSION):
            yield


def begin(engine: Engine, use: Use, total: int, asking: AsyncGenerator[Result, None]) -> Weighing:
    """Start to ask on the engine's loop; the results come into the weighing as they are found."""
    weighing = Weighing(use, total)

    async def ask() -> None:
        try:
            async with aclosing(asking) as results:
                async for result in results:
                    weighing.results.append(result)
        except WorkbenchError as error:
            weighing.error = error_info(error)

    weighing.future = engine.on_loop_soon(ask())
    return weighing


async def classified(scale: Scale, texts: Sequence[str], labels: Sequence[str]) -> AsyncGenerator[Result, None]:
    """One text after the other."""
    for text in texts:
        yield await scale.classify(text, labels)


async def scored(scales: Sequence[tuple[Scale, str]], answer: str) -> AsyncGenerator[Result, None]:
    """The same answer after one prompt of one model after the other."""
    for scale, prompt in scales:
        yield await scale.score(prompt, answer)


async def one(asking: Awaitable[Result]) -> AsyncGenerator[Result, None]:
    """A single result."""
    yield await asking


def read_labels(text: str) -> list[str]:
    """Labels, one a line or with commas between them. Raises InvalidRequest for fewer than two, or too many."""
    parts = text.splitlines() if "\n" in text.strip() else text.split(",")
    labels = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not 2 <= len(labels) <= MOST_LABELS:
        raise InvalidRequest(f"{len(labels)} labels are given.", f"Give 2 to {MOST_LABELS} different ones.")
    return labels


def read_texts(text: str) -> list[str]:
    """Texts to be classified, one a line. Raises InvalidRequest for none, or too many."""
    texts = [line.strip() for line in text.splitlines() if line.strip()]
    if not texts:
        raise InvalidRequest("There is no text.", "Write one or more, each in a line of its own.")
    if len(texts) > MOST_TEXTS:
        raise InvalidRequest(f"There are {len(texts)} texts.", f"Ask about {MOST_TEXTS} at most at a time.")
    return texts


def lettered(labels: Sequence[str]) -> str:
    """The labels as options with letters."""
    return "\n".join(f"{letter}) {label}" for letter, label in zip(LETTERS, labels, strict=False))


def mean_of(found: Sequence[Shares], labels: Sequence[str]) -> Shares:
    """The mean of what several orders gave; one in which no label was named counts for nothing."""
    told = [one for one in found if one.best is not None]
    mass = {name: 0.0 for name in labels}
    for one in told:
        for share in one.shares:
            mass[share.name] += share.probability / len(told)
    ranked = tuple(Share(name, value) for name, value in sorted(mass.items(), key=lambda item: -item[1]))
    hidden = tuple(name for name in labels if all(name in one.hidden for one in found))
    return Shares(ranked, sum(one.outside for one in found) / len(found), hidden)


def _named(found: Shares, labels: Sequence[str]) -> Shares:
    """Shares of letters as those of the labels that they stand for."""
    names = dict(zip(LETTERS, labels, strict=False))
    renamed = tuple(Share(names[share.name], share.probability) for share in found.shares)
    return Shares(renamed, found.outside, tuple(names[letter] for letter in found.hidden))


def _spaced(begun: str, text: str) -> str:
    """A chat's first token has no space before it: a word that follows a word gets one."""
    return f" {text}" if text[:1].isalnum() and begun[-1:].isalnum() else text


def _user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def _said(text: str) -> Message:
    return Message(role="assistant", content=text)


def _enough(passage: str, question: str) -> tuple[Message, ...]:
    return _user(ENOUGH.format(passage=passage, question=question))


async def _heard(backend: Backend, request: ChatRequest) -> AnswerPart:
    """The answer at the stream's end. Raises ReplyTooLong for a server that does not keep to the token limit."""
    size = 0
    async with aclosing(cast(AsyncGenerator[Part, None], backend.chat(request))) as parts:
        async for part in parts:
            if isinstance(part, AnswerPart):
                return part
            size += len(part.text) if isinstance(part, TextPart) else 0
            if size > PER_TOKEN + SLACK:
                raise ReplyTooLong("It goes on beyond the limit of one token.")
    raise StreamBroken("The answer stopped before its end.", "Ask again.")
