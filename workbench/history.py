"""A thread's earlier exchanges in front of a new question: the oldest are left out where they do not fit."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage, SystemMessage

from workbench.request import Exchange

INTRODUCTION = "Earlier in this conversation, oldest first. The user's new request comes after it:"


def with_history(messages: Sequence[BaseMessage], history: Sequence[Exchange]) -> list[BaseMessage]:
    """The messages with the exchanges at the end of the system message.

    There they change nothing in who speaks next, which a critic's turned conversation would not bear, and stay a
    prefix that the backend's cache keeps.
    """
    if not history:
        return list(messages)
    text = told(history)
    first, *rest = messages
    if isinstance(first, SystemMessage):
        return [first.model_copy(update={"content": f"{first.text}\n\n{text}"}), *rest]
    return [SystemMessage(text), first, *rest]


def told(history: Sequence[Exchange]) -> str:
    """The exchanges as text."""
    turns = [f"User: {one.question}\nAssistant: {one.answer or '(no answer)'}" for one in history]
    return "\n\n".join([INTRODUCTION, *turns])
