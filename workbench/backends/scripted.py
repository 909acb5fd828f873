"""A script of answers, streamed word by word: the key-free demo and the tests' double. No model thinks here."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.backends import hashing
from workbench.backends.base import (
    AnswerPart,
    BackendStatus,
    ChatRequest,
    Embeddings,
    FinishReason,
    LoadingPart,
    ModelInfo,
    Part,
    ReadingPart,
    TextPart,
    TokenLogprob,
)
from workbench.errors import BackendError, InvalidRequest, ModelMissing, ScriptExhausted
from workbench.events import ToolCall
from workbench.settings import Settings

DEMO = Path(__file__).with_name("demo_script.yaml")
_WORD = re.compile(r"\S+\s*|\s+")


def create(settings: Settings) -> "ScriptedBackend":
    """The backend that plays `settings.script`, or the demo that ships with the workbench."""
    return ScriptedBackend(ScriptFile(settings.script or DEMO), settings.script_speed)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ScriptedCall(_Strict):
    """A tool call that the script makes."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ScriptedAnswer(_Strict):
    """One answer: a text, or an object that is written as JSON.

    `error` is an error, or an error's code, that is raised after the text. `delay` seconds pass before the first
    word; with `loading` a model is loaded first, and `reading` counts the prompt tokens that are read first. `logprobs`
    belong to the words in order. `mark` shows that the answer was given already; left out, its own text does.
    """

    text: str = ""
    object: dict[str, Any] | None = None
    thinking: str = ""
    tool_calls: tuple[ScriptedCall, ...] = ()
    finish_reason: FinishReason | None = None
    delay: float = Field(0.0, ge=0)
    loading: bool = False
    reading: int = Field(0, ge=0)
    error: str | BackendError | None = None
    logprobs: tuple[float, ...] = ()
    mark: str = ""

    @model_validator(mode="after")
    def _sound(self) -> "ScriptedAnswer":
        if self.text and self.object is not None:
            raise ValueError("an answer has either a text or an object")
        if isinstance(self.error, str) and self.error not in _errors():
            raise ValueError(f"there is no error with the code {self.error}")
        return self

    @property
    def written(self) -> str:
        """The text as it is streamed."""
        return self.text if self.object is None else json.dumps(self.object, ensure_ascii=False)

    @cached_property
    def sign(self) -> str:
        """What stands in a conversation in which this answer was given."""
        called = [json.dumps(call.arguments) for call in self.tool_calls]
        longest = max(_leaves(self.object), key=len, default="") if self.object else ""
        own = longest if len(longest) > 12 else self.written or " ".join(called)
        return _squeezed(self.mark or own)

    def fits(self, schema: dict[str, Any] | None) -> bool:
        """Whether the object keeps to what a schema allows for each of its properties by name."""
        if schema is None or self.object is None:
            return True
        given = {name: rule for name, rule in schema.get("properties", {}).items() if name in self.object}
        return all(self.object[name] in _allowed(rule, self.object[name]) for name, rule in given.items())


Answer = str | dict[str, Any] | ScriptedAnswer
Source = Callable[[ChatRequest], ScriptedAnswer]


class When(_Strict):
    """Regular expressions found in a request's schema properties, tools' names, system prompt and last message."""

    properties: str = ""
    tools: str = ""
    system: str = ""
    last: str = ""

    def matches(self, request: ChatRequest) -> bool:
        """Whether all of them are found."""
        names = " ".join((request.json_schema or {}).get("properties", {}))
        tools = " ".join(tool.name for tool in request.tools)
        system = "\n".join(message.content for message in request.messages if message.role == "system")
        last = request.messages[-1].content if request.messages else ""
        wanted = (self.properties, self.tools, self.system, self.last)
        found = zip(wanted, (names, tools, system, last), strict=True)
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in found)


class Conversation(_Strict):
    """Answers for one kind of request, in order. Which one is next is read off the messages: nothing is remembered.

    With `by_seed` the seed chooses: the same seed has the same answer, the next seed the next one, round and round.
    """

    name: str
    when: When = When()
    by_seed: bool = False
    answers: tuple[ScriptedAnswer, ...]

    @model_validator(mode="before")
    @classmethod
    def _plain_texts(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("answers"), list):
            return data | {"answers": [_as_answer(answer) for answer in data["answers"]]}
        return data

    def next(self, request: ChatRequest) -> ScriptedAnswer:
        """The first answer that fits the schema and was not given yet. Raises ScriptExhausted."""
        if self.by_seed and self.answers:
            return self.answers[(request.seed or 0) % len(self.answers)]
        said = _squeezed(" ".join(_said(request)))
        for answer in self.answers:
            if answer.sign not in said and answer.fits(request.json_schema):
                return answer
        raise ScriptExhausted(f"The script has no further answer for {self.name}; it has {len(self.answers)} in all.")


class ScriptFile:
    """A YAML script, read on first use: a list of answers to give once, or conversations to play again and again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, request: ChatRequest) -> ScriptedAnswer:
        """The answer to this request. Raises InvalidRequest for a script that cannot be used."""
        return self.source(request)

    @cached_property
    def source(self) -> Source:
        """What the file holds. Raises InvalidRequest."""
        try:
            data = yaml.safe_load(self._path.read_text(encoding="utf-8"))
            if isinstance(data, dict):
                return _Conversations([Conversation.model_validate(item) for item in data["conversations"]])
            return _Once([_as_answer(answer) for answer in data])
        except (OSError, yaml.YAMLError, ValidationError, UnicodeDecodeError, KeyError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidRequest(
                f"The script {self._path} cannot be used: {reason}", "Correct it, or clear WORKBENCH_SCRIPT in .env."
            ) from error


class _Once:
    """Answers in order, each given once."""

    def __init__(self, answers: Iterable[ScriptedAnswer]) -> None:
        self._answers = tuple(answers)
        self._given = 0

    def __call__(self, request: ChatRequest) -> ScriptedAnswer:
        if self._given >= len(self._answers):
            raise ScriptExhausted(f"The script has ended: all of its {self._given} answers were given.")
        self._given += 1
        return self._answers[self._given - 1]


class _Conversations:
    """The first conversation whose `when` matches gives the answer."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        self._conversations = conversations

    def __call__(self, request: ChatRequest) -> ScriptedAnswer:
        for conversation in self._conversations:
            if conversation.when.matches(request):
                return conversation.next(request)
        raise ScriptExhausted("The script has no conversation for this kind of request.")


class ScriptedBackend:
    """Streams what a script says, word by word. Its tokens are words, in what it counts and in every limit."""

    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Demo script (no model)"

    def __init__(
        self,
        answers: Sequence[Answer] | Source,
        speed: float = 0.0,
        model: str = "demo",
        slots: int | None = None,
        embeds: bool = True,
    ) -> None:
        """`answers` in order, or a function of the request; `speed` in words per second, 0 does not wait."""
        self._source: Source = answers if callable(answers) else _Once(map(_as_answer, answers))
        self._speed = speed
        self._model = model
        self._slots = slots
        self._embeds = embeds
        self.requests: list[ChatRequest] = []
        self.streaming = 0

    @property
    def slots(self) -> int | None:
        """As many at once as one likes, unless a test limits them."""
        return self._slots

    @property
    def default_model(self) -> str:
        """The only one."""
        return self._model

    async def status(self) -> BackendStatus:
        """Ready whenever its script can be read."""
        try:
            if isinstance(self._source, ScriptFile):
                _ = self._source.source
        except InvalidRequest as error:
            return BackendStatus(ready=False, detail=error.message, hint=error.hint)
        return BackendStatus(ready=True, detail="A script that plays recorded words. No model is thinking.")

    async def models(self) -> list[ModelInfo]:
        """The script, as the one model that there is."""
        return [
            ModelInfo(
                name=self._model,
                capabilities=frozenset({"schema", "tools", "thinking", "seed", "logprobs"}),
                family="a script, not a model",
                loaded=True,
            )
        ]

    async def model(self, name: str) -> ModelInfo:
        """The script. Raises ModelMissing for any other name."""
        if name != self._model:
            raise ModelMissing(f"The demo script is called {self._model}, not {name}.", f"Choose {self._model}.")
        return (await self.models())[0]

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """The words of the prompt."""
        return _words(request)

    async def chat(self, request: ChatRequest) -> AsyncIterator[Part]:
        """Stream the script's next answer."""
        await self.model(request.model)
        answer = self._source(request)
        self.requests.append(request)
        self.streaming += 1
        try:
            async with aclosing(_Performance(request, answer, self._speed).play()) as parts:
                async for part in parts:
                    yield part
        finally:
            self.streaming -= 1

    async def embedding_model(self) -> str:
        """The name of a computation: no model compares texts here. Raises ModelMissing where a test wants none."""
        if not self._embeds:
            raise ModelMissing("This script makes no embeddings.", "Choose another backend.")
        return hashing.NAME

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        """Vectors of the texts' words and pieces of words. Raises ModelMissing."""
        return Embeddings(await self.embedding_model(), [hashing.vector(text) for text in texts], hashing.LEAST)

    async def close(self) -> None:
        """Nothing is held."""


class _Performance:
    """One answer being played."""

    def __init__(self, request: ChatRequest, answer: ScriptedAnswer, speed: float) -> None:
        self._request = request
        self._answer = answer
        self._pause = 1 / speed if speed else 0.0
        self._began = time.monotonic()
        self._first: float | None = None
        self._spoken: list[TextPart] = []
        self._cut = False

    async def play(self) -> AsyncGenerator[Part, None]:
        """Stream the answer, then its summary or its error."""
        answer = self._answer
        for preparation in self._preparations():
            yield preparation
            await asyncio.sleep(self._pause)
        await asyncio.sleep(answer.delay)
        for word in self._words():
            await asyncio.sleep(self._pause)
            self._first = self._first or time.monotonic() - self._began
            self._spoken.append(word)
            yield word
        if answer.error is not None:
            raise _error(answer.error)
        calls = () if self._cut else self._calls()
        for call in calls:
            yield TextPart(text=json.dumps({call.name: call.arguments}, ensure_ascii=False), channel="tool")
        yield self._finished(calls)

    def _preparations(self) -> Iterator[Part]:
        if self._answer.loading:
            yield LoadingPart(stage="load")
        total = self._answer.reading
        for read in sorted({total // 2, total}) if total else ():
            yield ReadingPart(read=read, cached=0, total=total)

    def _words(self) -> Iterator[TextPart]:
        """The words that the request's limit allows."""
        thinking = [TextPart(text=word, channel="thinking") for word in _WORD.findall(self._answer.thinking)]
        text = [TextPart(text=word) for word in _WORD.findall(self._until_stop())]
        whole = thinking + text
        allowed = whole[: self._request.max_tokens]
        self._cut = len(allowed) < len(whole)
        yield from allowed

    def _until_stop(self) -> str:
        text = self._answer.written
        found = [at for stop in self._request.stop if (at := text.find(stop)) >= 0]
        return text[: min(found)] if found else text

    def _calls(self) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(id=f"call_{number}", name=call.name, arguments=call.arguments)
            for number, call in enumerate(self._answer.tool_calls)
        )

    def _finished(self, calls: tuple[ToolCall, ...]) -> AnswerPart:
        usual: FinishReason = "length" if self._cut else "tool_calls" if calls else "stop"
        words = [part.text for part in self._spoken if part.channel == "text"]
        pairs = zip(words, self._answer.logprobs, strict=False)
        logprobs = tuple(TokenLogprob(token=word, logprob=logprob) for word, logprob in pairs)
        return AnswerPart(
            text="".join(words),
            thinking="".join(part.text for part in self._spoken if part.channel == "thinking"),
            tool_calls=calls,
            finish_reason=self._answer.finish_reason or usual,
            prompt_tokens=_words(self._request),
            completion_tokens=len(self._spoken),
            decode_seconds=time.monotonic() - self._began - self._first if self._first is not None else None,
            first_token_seconds=self._first,
            logprobs=logprobs if self._request.top_logprobs else None,  # a script without any is no server that fails
        )


def _as_answer(answer: Answer) -> ScriptedAnswer:
    if isinstance(answer, ScriptedAnswer):
        return answer
    return ScriptedAnswer(text=answer) if isinstance(answer, str) else ScriptedAnswer.model_validate(answer)


def _errors(root: type[BackendError] = BackendError) -> dict[str, type[BackendError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _errors(child)
    return found


def _error(wanted: str | BackendError) -> BackendError:
    return _errors()[wanted]("The script says that this call fails.") if isinstance(wanted, str) else wanted


def _words(request: ChatRequest) -> int:
    return sum(len(message.content.split()) for message in request.messages)


def _allowed(rule: dict[str, Any], value: object) -> list[Any]:
    return [rule["const"]] if "const" in rule else list(rule.get("enum", [value]))


def _leaves(value: object) -> list[str]:
    """Every string in a JSON value."""
    if isinstance(value, dict | list | tuple):
        return [leaf for item in (value.values() if isinstance(value, dict) else value) for leaf in _leaves(item)]
    return [value] if isinstance(value, str) else []


def _said(request: ChatRequest) -> Iterator[str]:
    """What the conversation holds, JSON also as what it says."""
    for message in request.messages:
        if message.role == "system":
            continue
        yield message.content
        with suppress(ValueError):
            yield from _leaves(json.loads(message.content))
        yield from (json.dumps(call.arguments) for call in message.tool_calls)


def _squeezed(text: str) -> str:
    return "".join(text.split())
