"""A web server on loopback that says what a test tells it to, and counts who came."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

Reply = bytes | Callable[[dict[str, str]], bytes]


def reply(body: bytes | str = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP response; `content_type` becomes Content-Type."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def html(body: str, title: str = "A page") -> bytes:
    """A page."""
    return reply(f"<html><head><title>{title}</title></head><body>{body}</body></html>", content_type="text/html")


def moved(where: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return reply(status=status, location=where)


@dataclass
class Web:
    """What is at each path; `came` are the requests as method, path and Host, in order."""

    replies: dict[str, Reply] = field(default_factory=dict)
    came: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            host = next(line.split(" ", 1)[1] for line in head if line.lower().startswith("host:"))
            parts = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.came.append(f"{method} {parts.path} {host}")
            self.queries.append(query)
            found = self.replies.get(parts.path, reply(status="404 Not Found"))
            writer.write(found(query) if callable(found) else found)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web(**replies: Reply) -> AsyncIterator[Web]:
    """Such a server; `page=...` is at /page."""
    served = Web({f"/{path}": found for path, found in replies.items()})
    server = await asyncio.start_server(served._serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await server.wait_closed()
