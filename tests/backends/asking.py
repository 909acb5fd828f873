"""Asks a backend and gathers what it streams."""

from typing import Any

from workbench.backends.base import AnswerPart, Backend, ChatRequest, Message, Part, TextPart


def ask(model: str, text: str = "Hello", /, **changes: Any) -> ChatRequest:
    """A request with one user message."""
    return ChatRequest(model=model, messages=(Message(role="user", content=text),), **changes)


async def collect(backend: Backend, request: ChatRequest) -> tuple[list[Part], AnswerPart]:
    """Everything that was streamed, and the answer, of which there must be one, at the end."""
    parts = [part async for part in backend.chat(request)]
    assert [type(part) for part in parts].count(AnswerPart) == 1
    last = parts[-1]
    assert isinstance(last, AnswerPart)
    return parts, last


def texts(parts: list[Part], channel: str = "text") -> list[str]:
    """The pieces of one channel."""
    return [part.text for part in parts if isinstance(part, TextPart) and part.channel == channel]
