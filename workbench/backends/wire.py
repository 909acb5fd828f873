"""What arrives over HTTP, held to limits: a server that never ends a line or a reply must not fill the memory."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from workbench.errors import ReplyTooLong, WrongServer

MOST_LINE = 4 << 20  # bytes; the longest that makes sense is a whole answer with its log-probabilities in one object
MOST_REPLY = 64 << 20  # bytes; the longest answer that can be asked for takes half of it, each token in an object
CONNECT_SECONDS = 10.0  # for a connection to come about; for an answer there is no such limit, a load takes minutes
PLAIN = {"Accept-Encoding": "identity"}  # a compressed megabyte may be a gigabyte
# What JSON of another shape than the protocol's leads to; the last is JSON nested beyond all measure.
UNFIT = (ValueError, AttributeError, TypeError, KeyError, IndexError, RecursionError)
_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
Hook = Callable[[Any], Awaitable[None]]


def shown(address: str) -> str:
    """An address as it may be said, logged and exported: without name, password and query, where a key may be."""
    return re.split(r"[?#]", re.sub(r"^(\w+://)?[^/@\s]*@", r"\1", address))[0]


def limits() -> dict[str, list[Hook]]:
    """Event hooks that hold every response of an HTTP client to the limits. It must send `PLAIN`."""
    return {"response": [_hold_to_limits]}


async def _hold_to_limits(response: Any) -> None:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise WrongServer(
            f"The server at {response.url.host} compresses its answers although it was asked not to.",
            "Turn compression off in the server, or in the proxy before it.",
        )
    # An event has any number of lines, and a client keeps them all until the blank one that ends it.
    is_events = response.headers.get("content-type", "").startswith("text/event-stream")
    ends = _EVENT_ENDS if is_events else (b"\n",)
    pass_through(response, lambda stream: _counted(stream, ends))


def pass_through(response: Any, change: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]) -> None:
    """Let what changes chunks of bytes stand between a response and its reader.

    It becomes a byte stream of the response's own HTTP library: OpenAI's client brings another one.
    """
    base: Any = next(parent for parent in type(response.stream).__mro__ if parent.__name__ == "AsyncByteStream")

    class Changed(base):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __aiter__(self) -> AsyncIterator[bytes]:
            return change(self._stream)

        async def aclose(self) -> None:
            await self._stream.aclose()

    response.stream = Changed(response.stream)


async def _counted(stream: AsyncIterator[bytes], ends: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The chunks. Raises ReplyTooLong as soon as what none of `ends` ends, or the whole, is beyond its limit."""
    whole = line = 0
    before = b""  # an end may stand on both sides of a chunk's
    async for chunk in stream:
        whole += len(chunk)
        seen = before + chunk
        ended = max(seen.rfind(end) + len(end) if end in seen else 0 for end in ends)
        line = len(seen) - ended if ended else line + len(chunk)
        before = seen[-2:]
        if max(whole - MOST_REPLY, line - MOST_LINE) > 0:
            size = f"{MOST_LINE >> 20} MB without a line's end" if line > MOST_LINE else f"{MOST_REPLY >> 20} MB"
            raise ReplyTooLong(f"The server sent more than {size} in one reply; the connection was closed.")
        yield chunk


async def lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The lines of a response as they arrive, ended by a line feed alone.

    httpx also ends one at U+2028 and its like, which JSON allows inside a string.
    """
    held = bytearray()  # grows in place: a line may come in a million chunks
    async for chunk in response.aiter_bytes():
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            held += end
            yield held.removesuffix(b"\r").decode("utf-8", "replace")
            held.clear()
        held += rest
    if held:
        yield held.decode("utf-8", "replace")


def whole(found: Any) -> int:
    """A count that a server tells; 0 for anything that is none."""
    return found if isinstance(found, int) else 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server wants us to wait, from a number or an HTTP date; None for anything else."""
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", said):
        return float(said)
    with suppress(ValueError, TypeError):
        when = parsedate_to_datetime(said)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    return None


def come_back(seconds: float | None) -> str:
    """The hint that says when a server wants to be asked again."""
    if not seconds:
        return "Try again a little later."
    return f"Try again in {seconds:.0f} seconds." if seconds < 120 else f"Try again in {seconds / 60:.0f} minutes."
