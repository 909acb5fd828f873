"""What stands between us and a server: its key goes to its own address alone, and nothing that comes back holds it."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, AnyStr, Generic
from urllib.parse import urljoin, urlsplit

from workbench.backends import wire
from workbench.backends.base import AnswerPart, NoticePart, Part, TextPart
from workbench.backends.keys import Key
from workbench.backends.servers import origin
from workbench.errors import BackendError, WrongServer
from workbench.events import Channel

MASK = "[key]"
SHORTEST = 8  # of a key with a digit in it
LONGEST_WORD = 20  # none, ollama, lm-studio, not-needed: what servers without keys are given may stand in any answer


class Guard:
    """One server's guard. `setting` is what a person changes to give it another address."""

    def __init__(self, address: str, key: Key, setting: str) -> None:
        self._address, self._key, self._setting = address, key, setting

    def hooks(self) -> dict[str, list[wire.Hook]]:
        """Event hooks for an HTTP client. It must send `wire.PLAIN`."""
        return {"request": [self._authorise], "response": [self._stay, *wire.limits()["response"], self._mask_bytes]}

    async def _authorise(self, request: Any) -> None:
        key = await self._key.value()
        if key and origin(str(request.url)) == origin(self._address):
            request.headers["Authorization"] = f"Bearer {key}"

    async def _stay(self, response: Any) -> None:
        """A redirect to another host, port or scheme is not followed: its body would take the prompt along."""
        if not response.has_redirect_location:
            return
        here, there = origin(self._address), _target(response)
        if there == here:
            return
        where = f" at {self.mask(there)}" if there else ""
        path = urlsplit(self._address).path.rstrip("/")
        raise WrongServer(
            f"The server at {here} points to another address{where}. It was not followed: neither the prompt nor the"
            " key was sent there.",
            f"If that is the server that you mean, set {self._setting} to {self.mask(there)}{path}."
            if there
            else f"Check {self._setting}.",
        )

    async def _mask_bytes(self, response: Any) -> None:
        if needles := self._needles():
            wire.pass_through(response, lambda stream: _cleaned(stream, [needle.encode() for needle in needles]))

    def _needles(self) -> list[str]:
        """The keys as they may stand in JSON; nothing for what is no secret but a word."""
        return _longest_first(form for key in self._key.ever if not _is_word(key) for form in _forms(key))

    def mask(self, text: str) -> str:
        """A text of the server's without the key, whatever that looks like."""
        for form in _longest_first(form for key in self._key.ever for form in _forms(key)):
            text = text.replace(form, MASK)
        return text

    def masked(self, error: BackendError) -> BackendError:
        """The error without the key in its sentence."""
        error.message, error.hint = self.mask(error.message), self.mask(error.hint)
        error.args = (error.message,)
        return error

    async def clean(self, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[Part, None]:
        """The parts of an answer without the key, also where a model writes it piece by piece."""
        cleaner: _Cleaner | None = None
        async with aclosing(parts):
            async for part in parts:
                cleaner = cleaner or _Cleaner(self._needles())  # the key is known now, whether or not it was before
                for clean in cleaner.take(part):
                    yield clean


def _is_word(key: str) -> bool:
    return len(key) < SHORTEST or (len(key) < LONGEST_WORD and not any(sign.isdigit() for sign in key))


def _forms(key: str) -> set[str]:
    """A key as it is, and as JSON may write it."""
    escaped = {"".join(f"\\u{ord(sign):{digits}}" for sign in key) for digits in ("04x", "04X")}
    return {key, json.dumps(key)[1:-1], key.replace("/", "\\/"), *escaped}


def _longest_first(forms: Iterable[str]) -> list[str]:
    """One key may be the beginning of another."""
    return sorted(set(forms), key=lambda form: (-len(form), form))


def _target(response: Any) -> str:
    """The origin that a redirect points to; empty when it is no address."""
    try:
        return origin(urljoin(str(response.url), response.headers["location"]))
    except ValueError:
        return ""


class _Masker(Generic[AnyStr]):
    """Replaces the key in a text or bytes that come in pieces; what may be its beginning waits for the next piece."""

    def __init__(self, needles: Sequence[AnyStr], mask: AnyStr) -> None:
        self._needles: Sequence[AnyStr] = needles
        self._mask: AnyStr = mask
        self.held: AnyStr = mask[:0]

    def take(self, piece: AnyStr) -> AnyStr:
        text = self.held + piece
        for needle in self._needles:
            text = text.replace(needle, self._mask)
        kept = max(_begun(text, needle) for needle in self._needles)
        self.held = text[len(text) - kept :]
        return text[: len(text) - kept]


def _begun(text: AnyStr, needle: AnyStr) -> int:
    """How many signs at the text's end are the needle's beginning: only where its first sign stands can it begin."""
    first = needle[:1]
    at = text.find(first, max(0, len(text) - len(needle) + 1))
    while at >= 0:
        if needle.startswith(text[at:]):
            return len(text) - at
        at = text.find(first, at + 1)
    return 0


class _Cleaner:
    """Takes the key out of an answer's parts."""

    def __init__(self, needles: list[str]) -> None:
        self._needles = needles
        self._channels: dict[Channel, _Masker[str]] = {}

    def take(self, part: Part) -> Iterator[Part]:
        if not self._needles:
            yield part
        elif isinstance(part, TextPart):
            masker = self._channels.setdefault(part.channel, _Masker(self._needles, MASK))
            if text := masker.take(part.text):
                yield part.model_copy(update={"text": text})
        elif isinstance(part, NoticePart):
            masker = _Masker(self._needles, MASK)
            yield part.model_copy(update={"message": masker.take(part.message) + masker.held})
        elif isinstance(part, AnswerPart):
            yield from (TextPart(text=one.held, channel=name) for name, one in self._channels.items() if one.held)
            yield _without(part, self._needles)
        else:
            yield part


async def _cleaned(stream: AsyncIterator[bytes], needles: list[bytes]) -> AsyncIterator[bytes]:
    masker = _Masker(needles, MASK.encode())
    async for chunk in stream:
        yield masker.take(chunk)
    if masker.held:
        yield masker.held


def _without(answer: AnswerPart, needles: list[str]) -> AnswerPart:
    """The whole answer without the key; with its tokens' probabilities only if none of them is a piece of it."""
    whole = answer.model_dump_json(include={"text", "thinking", "tool_calls"})
    if not any(needle in whole for needle in needles):
        return answer
    for needle in needles:
        whole = whole.replace(needle, MASK)
    changed = AnswerPart.model_validate_json(whole)
    fields = {name: getattr(changed, name) for name in ("text", "thinking", "tool_calls")}
    return answer.model_copy(update={**fields, "logprobs": None})
