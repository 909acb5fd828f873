"""Thinking that a server leaves inside the text, between <think> and </think>, is put into its own channel."""

import re
from collections.abc import Iterator

from workbench.backends.base import TextPart

OPEN, CLOSE = "<think>", "</think>"
# Some chat templates write the opening tag into the prompt: then the text begins with thinking and only closes it.
_UNOPENED = re.compile(r"\A(?P<thinking>(?:(?!</?think>).)*\n)</think>[ \t]*(?:\n|\Z)", re.DOTALL)


def split(text: str) -> tuple[str, str]:
    """The thinking at the beginning of a whole text, and the text after it."""
    begin = text.lstrip()
    if begin.startswith(OPEN):
        thinking, _, rest = begin.removeprefix(OPEN).partition(CLOSE)
        return thinking.strip(), rest.lstrip()
    if found := _UNOPENED.match(text):
        return found["thinking"].strip(), text[found.end() :].lstrip()
    return "", text


class Splitter:
    """The same while the text arrives, in pieces of any size. An unopened block is only found at the end."""

    def __init__(self) -> None:
        self._state = "begin"
        self._held = ""

    def take(self, piece: str) -> Iterator[TextPart]:
        """What can be said now; the beginning of what may be a tag is held back."""
        self._held += piece
        if self._state == "begin":
            self._begin()
        if self._state == "thinking":
            yield from self._think()
        if self._state == "between":
            self._held = self._held.lstrip()
            self._state = "text" if self._held else "between"
        if self._state == "text" and self._held:
            yield TextPart(text=self._held)
            self._held = ""

    def rest(self) -> Iterator[TextPart]:
        """What was held back when the text ended."""
        if self._held:
            yield TextPart(text=self._held, channel="thinking" if self._state == "thinking" else "text")
        self._held = ""

    def _begin(self) -> None:
        begin = self._held.lstrip()
        if begin.startswith(OPEN):
            self._state, self._held = "thinking", begin.removeprefix(OPEN)
        elif not OPEN.startswith(begin):
            self._state = "text"

    def _think(self) -> Iterator[TextPart]:
        thinking, closed, rest = self._held.partition(CLOSE)
        keep = 0 if closed else _tag_begun(thinking)
        said, begun = thinking[: len(thinking) - keep], thinking[len(thinking) - keep :]
        self._held, self._state = (rest, "between") if closed else (begun, "thinking")
        if said:
            yield TextPart(text=said, channel="thinking")


def _tag_begun(text: str) -> int:
    """How many of the last characters may be the beginning of the closing tag."""
    return next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
