"""Asks the model under probe, one call at a time in its backend's queue, and keeps what was said as evidence."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from workbench.backends.base import AnswerPart, Backend, ChatRequest, Message, ModelInfo, Part, TextPart
from workbench.backends.watch import PER_TOKEN, SLACK
from workbench.bench import error_info
from workbench.errors import BackendError, ReplyTooLong, StreamBroken, WorkbenchError
from workbench.events import ErrorInfo
from workbench.probe.report import Depth, Evidence, Speed
from workbench.retry import wait_before_retry
from workbench.slots import Slots
from workbench.store.runs import plain

SHOWN = 2_000  # characters of a question that are kept from each of its ends
THINKING_TOKENS = 1_500  # that a model which thinks unasked gets beside those of its answer
SESSION = "probe"  # its turn in the queue is that of one session
TEMPERATURE = 0.2  # as the machines that want a form ask
SEED = 7


@dataclass
class Heard:
    """One answer: its evidence, the seconds at which its pieces of text came, and what the backend said at its end."""

    evidence: Evidence
    answer: AnswerPart
    arrivals: list[float]


@dataclass
class Asker:
    """What a check may ask of the world, and what it may know of the checks before it.

    `tell` is called with what is asked now, `is_busy` says whether other runs are going on.
    """

    backend: Backend
    slots: Slots
    model: ModelInfo
    depth: Depth
    context_window: int | None = None
    tell: Callable[[str], None] = lambda words: None
    is_busy: Callable[[], bool] = lambda: False
    thinks_unasked: bool = False
    thinking_tokens: int = 0  # that it thinks before an answer, where it does so unasked
    speed: Speed | None = None
    evidence: list[Evidence] = field(default_factory=list)

    async def ask(self, text: str, **wanted: Any) -> Heard:
        """The answer to one question."""
        return await self.hear((Message(role="user", content=text),), **wanted)

    async def hear(self, messages: Sequence[Message], **wanted: Any) -> Heard:
        """The answer to these messages; `wanted` are fields of ChatRequest. Raises BackendError, which is kept too."""
        request = self.request(messages, **wanted)
        told = {name: _brief(value) for name, value in wanted.items()}
        asked = plain(shortened(messages[-1].content))
        self.tell(asked)
        for attempt in range(1, 10):
            began = time.monotonic()
            try:
                heard = await self._once(request, Evidence(asked=asked, wanted=told))
            except BackendError as error:
                info = kept_error(error)
                seconds = round(time.monotonic() - began, 3)
                self.evidence.append(Evidence(asked=asked, wanted=told, error=info, seconds=seconds))
                if (wait := wait_before_retry(error, attempt)) is None:
                    raise
                await asyncio.sleep(wait)
                continue
            self.evidence.append(heard.evidence)
            return heard
        raise AssertionError("unreachable")

    def request(self, messages: Sequence[Message], **wanted: Any) -> ChatRequest:
        """The call as it is sent: a model that thinks unasked has room for that."""
        usual = {"temperature": TEMPERATURE, "seed": SEED, "max_tokens": 256, "context_window": self.context_window}
        request = ChatRequest(model=self.model.name, messages=tuple(messages), **(usual | wanted))
        if self.thinks_unasked and request.max_tokens is not None:
            return request.model_copy(update={"max_tokens": request.max_tokens + THINKING_TOKENS})
        return request

    async def count(self, messages: Sequence[Message]) -> int | None:
        """Tokens of a prompt, where the backend can tell."""
        return await self.backend.count_tokens(self.request(messages))

    def conclude(self, says: str) -> None:
        """Say of the last answer what follows from it."""
        self.evidence[-1] = self.evidence[-1].model_copy(update={"says": plain(says)})

    async def _once(self, request: ChatRequest, evidence: Evidence) -> Heard:
        async with self.slots.take(lambda place: None, SESSION):
            began, arrivals = time.monotonic(), list[float]()
            answer = await _listened(self.backend, request, lambda: arrivals.append(time.monotonic() - began))
            answer = answer.model_copy(update={"text": plain(answer.text), "thinking": plain(answer.thinking)})
            seconds = time.monotonic() - began
        first = arrivals[0] if arrivals else None
        heard = {
            "answer": answer.text,
            "thinking": answer.thinking,
            "tool_calls": answer.tool_calls,
            "finish_reason": answer.finish_reason,
            "parts": len(arrivals),
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "cached_tokens": answer.cached_tokens,
            "first_token_seconds": None if first is None else round(first, 4),
            "seconds": round(seconds, 4),
        }
        return Heard(evidence.model_copy(update=heard), answer, arrivals)


async def _listened(backend: Backend, request: ChatRequest, on_text: Callable[[], None]) -> AnswerPart:
    """The answer at the stream's end. Raises ReplyTooLong for a server that does not keep to the token limit."""
    size, most = 0, (request.max_tokens or 1) * PER_TOKEN + SLACK
    stream = cast(AsyncGenerator[Part, None], backend.chat(request))
    async with aclosing(stream) as parts:
        async for part in parts:
            if isinstance(part, TextPart):
                on_text()
                size += len(part.text)
                if size > most:
                    raise ReplyTooLong(f"It goes on beyond the limit of {request.max_tokens} tokens.")
            elif isinstance(part, AnswerPart):
                return part
    raise StreamBroken("The answer ended without its final part.", "Probe it again.")


def shortened(text: str) -> str:
    """A question without its middle, where that is long."""
    if len(text) <= 2 * SHOWN:
        return text
    return f"{text[:SHOWN]}\n… {len(text) - 2 * SHOWN:,} characters …\n{text[-SHOWN:]}"


def _brief(value: Any) -> Any:
    """A setting as the evidence keeps it: of a schema and of tools their names."""
    if isinstance(value, dict):
        return str(value.get("title", "schema"))
    return [getattr(item, "name", item) for item in value] if isinstance(value, tuple) else value


def kept_error(error: WorkbenchError) -> ErrorInfo:
    """The error as a report keeps it: storable, whatever a server has put into it."""
    info = error_info(error)
    return info.model_copy(update={"message": plain(info.message)})
