"""A server on raw sockets that answers each chat with whatever a test wants, in OpenAI's protocol or in Ollama's."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
MODEL = "m:latest"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds: closing sends a reset and no farewell


def line(found: Object) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode()


SILENCE: Object = {}  # as the answer to a question that is no chat: nothing ever comes
OPENAI_FIELDS = {"text": "content", "thinking": "reasoning_content", "refusal": "refusal"}
OPENAI_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


class OpenAI:
    """OpenAI's stream: `data:` and an object, a blank line, [DONE] at the end."""

    name = "openai"
    chat_path = "/v1/chat/completions"
    media = "text/event-stream"

    def __init__(self) -> None:
        self.listed: Object = {"id": MODEL, "object": "model", "created": 1, "owned_by": "test"}

    def event(self, found: Object) -> bytes:
        return b"data: " + line(found) + b"\n\n"

    def choice(self, delta: Object, finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish} | more
        return self.event(OPENAI_CHUNK | {"choices": [choice]})

    def piece(self, text: str, channel: str = "text") -> bytes:
        return self.choice({OPENAI_FIELDS[channel]: text})

    def tool(self, name: str, arguments: Object) -> bytes:
        function = {"name": name, "arguments": json.dumps(arguments)}
        return self.choice({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})

    def final(self, reason: str, prompt: int, written: int) -> bytes:
        counts = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
        usage = self.event(OPENAI_CHUNK | {"choices": [], "usage": counts})
        return self.choice({}, reason) + usage + b"data: [DONE]\n\n"

    def failure(self, message: str, **more: Any) -> bytes:
        return self.event({"error": {"message": message} | more})

    def refusal(self, message: str, **more: Any) -> Object:
        return {"error": {"message": message} | more}

    def answer(self, path: str, body: Object) -> Object | None:
        """What everything but a chat is answered; None is a 404."""
        if path == "/v1/models":
            return {"object": "list", "data": [self.listed]}
        return None


class Ollama:
    """Ollama's stream: one object a line, the last of them done."""

    name = "ollama"
    chat_path = "/api/chat"
    media = "application/x-ndjson"

    def __init__(self) -> None:
        self.loaded = True
        self.window = 4096
        self.trained_window = 32_768
        self.version = "0.40.2"

    def event(self, found: Object) -> bytes:
        return line({"model": MODEL, "created_at": "2026-11-01T12:00:00Z", "done": False} | found) + b"\n"

    def piece(self, text: str, channel: str = "text") -> bytes:
        fields = {"content": text} if channel == "text" else {"content": "", channel: text}
        return self.event({"message": {"role": "assistant"} | fields})

    def tool(self, name: str, arguments: Object) -> bytes:
        call = {"function": {"name": name, "arguments": arguments}}
        return self.event({"message": {"role": "assistant", "content": "", "tool_calls": [call]}})

    def final(self, reason: str, prompt: int, written: int) -> bytes:
        counts = {"prompt_eval_count": prompt, "eval_count": written, "eval_duration": 5, "prompt_eval_duration": 5}
        end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason}
        return self.event(end | (counts if written else {}))

    def failure(self, message: str, **more: Any) -> bytes:
        return line({"error": message}) + b"\n"

    def refusal(self, message: str, **more: Any) -> Object:
        return {"error": message}

    def answer(self, path: str, body: Object) -> Object | None:
        """What everything but a chat is answered; None is a 404."""
        entry = {"name": MODEL, "model": MODEL, "size": 1, "digest": "d", "details": {"family": "f"}}
        facts = {"general.architecture": "f", "f.context_length": self.trained_window}
        abilities = ["completion", "tools", "thinking"]
        return {
            "/api/version": {"version": self.version},
            "/api/tags": {"models": [entry]},
            "/api/ps": {"models": [entry | {"context_length": self.window}] if self.loaded else []},
            "/api/show": {"details": {}, "model_info": facts, "capabilities": abilities},
        }.get(path)


Dialect = OpenAI | Ollama


@dataclass
class Chat:
    """One request for an answer, and the means to answer it badly."""

    dialect: Dialect
    body: Object
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: int = 0
    hung_up: bool = False

    async def status(self, status: int, message: str, headers: Object | None = None, **more: Any) -> None:
        """A whole response that is no stream."""
        body = line(self.dialect.refusal(message, **more))
        lines = [f"HTTP/1.1 {status} X", "Connection: close", "Content-Type: application/json"]
        lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def begin(self, **headers: str) -> None:
        """The head of a stream."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        # Each chat has a connection of its own: one that closes while a client keeps it would be a fault more.
        head = ["HTTP/1.1 200 OK", "Connection: close", f"Content-Type: {self.dialect.media}", *lines]
        head.append("Transfer-Encoding: chunked")
        await self.raw("\r\n".join(head).encode() + b"\r\n\r\n")

    async def send(self, content: bytes) -> None:
        """A piece of the stream as one chunk of HTTP."""
        if content:
            await self.raw(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    async def say(self, *pieces: str, channel: str = "text") -> None:
        """Pieces of the answer."""
        for piece in pieces:
            await self.send(self.dialect.piece(piece, channel))

    def final(self, reason: str = "stop", prompt: int | None = None, written: int = 7) -> bytes:
        """The stream's last objects; unless told otherwise the prompt was read whole."""
        texts = [message["content"] or "" for message in self.body["messages"]]
        whole = sum(max(len(text) // 4, len(text.split())) for text in texts)
        return self.dialect.final(reason, whole if prompt is None else prompt, written)

    async def end(self, content: bytes = b"") -> None:
        """The stream's proper end, after `content`."""
        await self.send(content)
        await self.raw(b"0\r\n\r\n")

    async def raw(self, content: bytes) -> None:
        """Bytes as they are. Raises ConnectionError when the client has hung up."""
        try:
            self.writer.write(content)
            self.sent += len(content)
            await self.writer.drain()
            await asyncio.sleep(0)
        except ConnectionError:
            self.hung_up = True
            raise

    def reset(self) -> None:
        """Break the connection off with a reset."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()

    async def until_hung_up(self) -> None:
        """Wait, saying nothing, until the client closes the connection."""
        with suppress(ConnectionError):
            await self.reader.read()
        self.hung_up = True


Act = Callable[[Chat], Awaitable[None]]


def plainly(*pieces: str, reason: str = "stop", thinking: str = "", **counts: int) -> Act:
    """The act of a server that behaves."""

    async def act(chat: Chat) -> None:
        await chat.begin()
        if thinking:
            await chat.say(thinking, channel="thinking")
        await chat.say(*pieces)
        await chat.end(chat.final(reason, **counts))

    return act


def refusing(status: int, message: str = "no", headers: Object | None = None, **more: Any) -> Act:
    """The act of a server that answers with an HTTP error."""

    async def act(chat: Chat) -> None:
        await chat.status(status, message, headers, **more)

    return act


@dataclass
class RudeServer:
    """Plays one act for each chat, the last again and again; keeps what it was asked, and when."""

    dialect: Dialect
    acts: list[Act] = field(default_factory=list)
    chats: list[Chat] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    port: int = 0

    def plays(self, *acts: Act) -> None:
        """What comes of the next chats."""
        self.acts = list(acts)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[Object]:
        return [chat.body for chat in self.chats]

    def close_door(self) -> None:
        """Take no further connections: whoever comes is refused."""
        self._on_loop(self._close_door())

    def _on_loop(self, coroutine: Any) -> None:
        if threading.current_thread() is self._thread:
            self._kept = self._loop.create_task(coroutine)
        else:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close_door(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._respond(reader, writer)
        writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path = head[0].split()[1]
        headers = {name.lower(): value.strip() for name, _, value in (item.partition(":") for item in head[1:])}
        text = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(text) if text else {}
        if path != self.dialect.chat_path:
            found = self.dialect.answer(path, body)
            if found is SILENCE:
                await reader.read()
                return
            content = line(found if found is not None else {"error": "404 page not found"})
            status = "200 OK" if found is not None else "404 Not Found"
            about = f"Content-Type: application/json\r\nContent-Length: {len(content)}"
            writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\n{about}\r\n\r\n".encode())
            writer.write(content)
            await writer.drain()
            return
        chat = Chat(self.dialect, body, reader, writer)
        act = self.acts[min(len(self.chats), len(self.acts) - 1)]
        self.chats.append(chat)
        self.times.append(time.monotonic())
        await act(chat)

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        async def serve() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            self._ready.set()
            await self._stop.wait()
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0.01)  # the transports say good-bye

        self._loop.run_until_complete(serve())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self._stop.set())
        self._thread.join(10)


@contextmanager
def rude_server(dialect: Dialect) -> Iterator[RudeServer]:
    """A running server."""
    server = RudeServer(dialect)
    server.start()
    try:
        yield server
    finally:
        server.stop()
