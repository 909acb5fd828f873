"""Bytes held to limits and cut into lines, and what a server says of when to come back."""

import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from workbench.backends import wire
from workbench.errors import ReplyTooLong

TEXT = 'data: {"a": "é\u2028🦜"}\r\n\r\n: ping\n\ndata: "\x85"\n'.encode()


class Stream(httpx.AsyncByteStream):
    """Chunks, one after the other."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk


async def held(chunks: Sequence[bytes], media: str = "application/x-ndjson") -> bytes:
    """What comes through the limits."""
    response: Any = SimpleNamespace(stream=Stream(chunks), headers={"content-type": media})
    await wire.limits()["response"][0](response)
    return b"".join([chunk async for chunk in response.stream])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_lines_are_the_same_however_they_arrive(size: int) -> None:
    chunks = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    found = [line async for line in wire.lines(httpx.Response(200, stream=Stream(chunks)))]
    assert found == ['data: {"a": "é\u2028🦜"}', "", ": ping", "", 'data: "\x85"']


async def test_a_line_in_very_many_chunks_takes_no_longer_than_its_length() -> None:
    response = httpx.Response(200, stream=Stream([b"y"] * 500_000))
    began = time.process_time()
    (line,) = [line async for line in wire.lines(response)]
    assert len(line) == 500_000 and time.process_time() - began < 4, "copied for each chunk it took over 10"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_events_that_end_may_be_many(monkeypatch: pytest.MonkeyPatch, end: bytes, size: int) -> None:
    monkeypatch.setattr(wire, "MOST_LINE", 30)
    text = (b"data: 1" + end) * 50
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert await held(chunks, "text/event-stream; charset=utf-8") == text


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_an_event_without_an_end_is_too_long_whatever_lines_it_has(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(wire, "MOST_LINE", 30)
    text = b"data: 1\r\n" * 50
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    with pytest.raises(ReplyTooLong):
        await held(chunks, "text/event-stream")
    assert await held(chunks) == text, "elsewhere each line stands for itself"


@pytest.mark.parametrize("junk", ["9" * 400, "٣", "1.5.5", "1 2", "\x00", "Fri, 31 Dec 99999 23:59:59 GMT"])
def test_a_retry_after_that_is_none_is_no_wait(junk: str) -> None:
    assert wire.retry_after({"retry-after": junk}) is None


@pytest.mark.parametrize(
    ("said", "least"),
    [("Fri, 31 Dec 9999 23:59:59 -2359", 1e9), ("Mon, 01 Jan 0001 00:00:00 +2359", 0), ("9999", 9999), ("0", 0)],
)
def test_a_retry_after_at_the_edge_of_time_is_read(said: str, least: float) -> None:
    wait = wire.retry_after({"retry-after": said})
    assert wait is not None and wait >= least and wire.come_back(wait).startswith("Try again")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://me:s3cret@127.0.0.1:9/v1", "http://127.0.0.1:9/v1"),
        ("me:s3cret@host:11434", "host:11434"),
        ("https://token@host/a@b", "https://host/a@b"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
    ],
)
def test_an_address_is_said_without_the_password_in_it(address: str, said: str) -> None:
    assert wire.shown(address) == said
