"""Watches what any backend streams, and holds it to what an answer is: not endless, not empty, not cut unnoticed."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from workbench.backends import prompt_size, thinking
from workbench.backends.base import AnswerPart, ChatRequest, NoticePart, Part, TextPart
from workbench.backends.loops import Loop, LoopFinder
from workbench.errors import BackendError, ContentRefused, EmptyAnswer, ReplyTooLong
from workbench.events import Channel

BLANKS = 400  # blanks in a row that end an answer in JSON; the deepest indentation that makes sense is half of it
PER_TOKEN = 32  # characters that a token of an answer has at most, on average
SLACK = 8_192  # and so many more: thinking, calls and the like that a server may not count
WITHOUT_LIMIT = 4 << 20  # characters of an answer for which no limit of tokens was set
SHOWN = 80
LOOP_HINT = "Raise the temperature, ask in other words, or choose a larger model."
REWORD = "Put the question in other words."


async def watched(
    parts: AsyncIterator[Part], request: ChatRequest, count: int | None = None, window: int | None = None
) -> AsyncGenerator[Part, None]:
    """The parts of a backend's answer to `request`, whose prompt has `count` tokens (None: unknown).

    Ends, with what had come, an answer that repeats itself (finish_reason "loop"). Raises ContextOverflow before the
    call when the prompt is too long for `window`, EmptyAnswer, ContentRefused, ReplyTooLong, and what the backend
    raises, with `began` when a part of the answer had arrived.
    """
    watch = _Watch(request)
    async with _closing(parts):
        if notice := prompt_size.check(request, count, window):
            yield notice
        try:
            async for part in parts:
                for seen in watch.take(part):
                    yield seen
                if watch.answer is not None:
                    break
            for said in watch.last_words(count):
                yield said
        except Exception as error:
            if _is_being_stopped():  # what breaks while the person stops the run is part of stopping it
                raise asyncio.CancelledError from error
            if isinstance(error, BackendError):
                error.began = watch.began
            raise


@asynccontextmanager
async def _closing(parts: AsyncIterator[Part]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        with suppress(BackendError):  # the answer is there, or its error is on its way: how it is let go is no matter
            await parts.aclose()  # type: ignore[attr-defined]


def _is_being_stopped() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Watch:
    """What has come of one answer."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.began = False
        self.answer: AnswerPart | None = None
        self._texts: dict[Channel, list[str]] = {"text": [], "thinking": [], "tool": []}
        self._splitter = thinking.Splitter()
        asked = "\n".join(message.content for message in request.messages if message.role == "user")
        self._finders: dict[Channel, LoopFinder] = {channel: LoopFinder(asked) for channel in self._texts}
        self._size = self._blanks = 0
        limit = request.max_tokens
        self._most = WITHOUT_LIMIT if limit is None else limit * PER_TOKEN + SLACK

    def take(self, part: Part) -> Iterator[Part]:
        """What a part becomes. Sets `answer` when it is the last, or when the answer has to be ended here."""
        match part:
            case TextPart():
                yield from self._take_text(part)
            case AnswerPart():
                yield from self._splitter.rest()
                self.answer = self._apart(part)
            case _:
                yield part

    def last_words(self, count: int | None) -> Iterator[Part]:
        """The answer, after what the person should know about it; nothing when the stream had none."""
        answer = self.answer
        if answer is None:
            return
        self._refuse_none(answer)
        if notice := prompt_size.check_read(self.request, count, answer):
            yield notice
        if self.request.top_logprobs and answer.logprobs is None and answer.text and answer.finish_reason != "loop":
            yield NoticePart(
                code="logprobs_missing",
                message="The server gives no log-probabilities, though it was asked: no confidence is shown.",
            )
        yield answer

    def _take_text(self, part: TextPart) -> Iterator[Part]:
        pieces = [part] if part.channel != "text" else list(self._splitter.take(part.text))
        for piece in pieces:
            self.began = True
            self._texts[piece.channel].append(piece.text)
            yield piece
        self._size += len(part.text)
        if self._size > self._most:
            raise ReplyTooLong(
                f"The server goes on beyond the limit of {self.request.max_tokens or 'any'} tokens:"
                f" {self._size:,} characters have come."
            )
        yield from self._end_blanks(part)
        for piece in pieces:
            if self.answer is None and (loop := self._finders[piece.channel].take(piece.text)):
                yield from self._end_loop(piece.channel, loop)

    def _end_blanks(self, part: TextPart) -> Iterator[Part]:
        """In JSON blanks have no meaning, and models fall into writing nothing else."""
        if self.request.json_schema is None or part.channel != "text":
            return
        written = len(part.text.rstrip())
        self._blanks = len(part.text) - written + (0 if written else self._blanks)
        if self._blanks < BLANKS:
            return
        text = "".join(self._texts["text"]).strip()
        if _is_json(text):
            self._end(text, "stop")
            return
        self._end(text, "loop")
        yield NoticePart(
            code="repetition_loop",
            message="The model wrote nothing but blanks any more: its answer was ended there.",
            hint=LOOP_HINT,
            once=False,
        )

    def _end_loop(self, channel: Channel, loop: Loop) -> Iterator[Part]:
        text = "".join(self._texts["text"])
        self._end(text[: loop.kept] if channel == "text" else text, "loop")
        unit = " ".join(loop.unit.split())
        shown = unit if len(unit) <= SHOWN else f"{unit[:SHOWN]}…"
        yield NoticePart(
            code="repetition_loop",
            message=f"The model went round in circles: it wrote “{shown}” {loop.times} times in a row."
            " Its answer was ended there.",
            hint=LOOP_HINT,
            once=False,
        )

    def _end(self, text: str, reason: Literal["stop", "loop"]) -> None:
        self.answer = AnswerPart(text=text, thinking="".join(self._texts["thinking"]), finish_reason=reason)

    def _apart(self, answer: AnswerPart) -> AnswerPart:
        """The answer without the thinking that the server left in its text."""
        thought, text = thinking.split(answer.text)
        if not thought and text == answer.text:
            return answer
        both = "\n".join(filter(None, (answer.thinking, thought)))
        return answer.model_copy(update={"thinking": both, "text": text})

    def _refuse_none(self, answer: AnswerPart) -> None:
        """Raise what is wrong with an answer that is none."""
        if answer.finish_reason == "content_filter":
            raise ContentRefused("The backend's content filter cut the answer off.", REWORD)
        if answer.text.strip() or answer.tool_calls or (self.request.stop and answer.finish_reason == "stop"):
            return
        if self.request.json_schema is not None and answer.finish_reason in ("length", "loop"):
            return  # it is asked again with more room, or told what went wrong
        raise _empty(answer, self.request.max_tokens)


def _empty(answer: AnswerPart, limit: int | None) -> EmptyAnswer:
    more = "Raise the token limit under Model settings, or turn thinking off there."
    if answer.finish_reason == "length":
        what = "thinking" if answer.thinking else "what it does not show"
        tokens = f"all of its {limit:,} tokens" if limit else "all of its tokens"
        return EmptyAnswer(f"The model used {tokens} for {what}, and wrote no answer.", more, again=False)
    if answer.finish_reason == "loop":
        return EmptyAnswer("The model went round in circles and wrote no answer.", LOOP_HINT, again=False)
    if answer.thinking:
        return EmptyAnswer("The model thought, but wrote no answer.", "Run it again, or turn thinking off.")
    return EmptyAnswer("The model's answer is empty.")


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
