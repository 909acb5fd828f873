"""Tools of MCP servers: one connection per run and server, and what a server says as text for the model."""

import asyncio
import json
import logging
import os
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel

from workbench.errors import InvalidRequest, ToolError
from workbench.settings import Settings
from workbench.tools import mcp_schema
from workbench.tools.served import MOST_TOOLS, Listing, ServedTool, ToolServer, bare, masked

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult, ContentBlock, LoggingMessageNotificationParams, Tool

OPENING_SECONDS = 30.0
LOOK_SECONDS = 60.0  # a command may have to fetch its program first
CLOSING_SECONDS = 8.0
IDLE_SECONDS = 900.0  # where nobody says that a run has ended
MOST_STARTS = 3  # of a server that keeps ending, in one run
MOST_PAGES = 20
ENDED = "ended before it had answered; whether the call had its effect is not known"
CHANGED = "has changed since you looked at it and was not called. Look at the server again under Models, Tools."


class Opened(NamedTuple):
    """A session under way and the tools' digests that its server lists now, by the servers' own names."""

    session: "ClientSession"
    tools: dict[str, ServedTool]


class Connection:
    """A run's connection to a server: opened at its first call, anew after it broke, closed with the run."""

    def __init__(self, server: ToolServer, settings: Settings) -> None:
        self.server, self._settings = server, settings
        self._secrets: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[Opened] | None = None
        self._ending = asyncio.Event()
        self._last_used = 0.0
        self._starts = 0
        self._ended_by: Exception | None = None
        self._words = ""

    async def call(self, tool: ServedTool, arguments: dict[str, Any]) -> str:
        """What the tool says. Raises ToolError; after a failure of the connection the next call opens it anew."""
        opened = await self._open()
        self._last_used = asyncio.get_running_loop().time()
        if opened.tools.get(tool.own_name, tool).digest != tool.digest:
            raise ToolError(f"The tool {tool.name} {CHANGED}")
        try:
            result = await self._answer(opened.session.call_tool(tool.own_name, arguments))
        except asyncio.CancelledError:  # it took too long, or the run was stopped: whether it listens is not known
            self._ending.set()
            raise
        except Exception as error:
            raise ToolError(self._trouble(error)) from error
        text = masked(said(result), self._secrets)
        if result.isError:
            raise ToolError(text)
        return text

    async def _answer(self, calling: "Coroutine[Any, Any, CallToolResult]") -> "CallToolResult":
        """What a call gives; when the connection ends meanwhile nobody would ever answer it. Raises what ended it."""
        assert self._task is not None
        call, life = asyncio.create_task(calling), self._task
        try:
            await asyncio.wait([call, life], return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise self._ended_by or ToolError(ENDED)
            return call.result()
        finally:
            call.cancel()

    async def close(self) -> None:
        """End the connection, and a server of ours with all that it started."""
        self._ending.set()
        if self._task is not None:
            if self._opened is not None and not self._opened.done():  # it would hear of the end only once it is open
                self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSING_SECONDS)

    async def _open(self) -> Opened:
        if self._task is None or self._task.done() or self._ending.is_set():
            if self._starts >= MOST_STARTS:
                raise ToolError(f"The MCP server {self.server.name} failed {MOST_STARTS} times. Go on without it.")
            self._starts += 1
            before, self._ending, self._words, self._ended_by = self._task, asyncio.Event(), "", None
            self._opened = asyncio.get_running_loop().create_future()
            self._opened.add_done_callback(lambda future: future.cancelled() or future.exception())
            self._task = asyncio.create_task(self._live(self._opened, self._ending, before))
        assert self._opened is not None
        return await asyncio.shield(self._opened)

    async def _live(
        self,
        opened: "asyncio.Future[Opened]",
        ending: asyncio.Event,
        before: "asyncio.Task[None] | None",
    ) -> None:
        """The connection's whole life, in one task: its library wants to be left where it was entered."""
        try:
            if before is not None:
                await asyncio.wait([before], timeout=CLOSING_SECONDS)
            self._secrets = await asyncio.to_thread(self.server.secrets, self._settings)
            async with connected(self.server, self._settings, self._hear) as session:
                async with asyncio.timeout(OPENING_SECONDS):
                    await session.initialize()
                    listing = listed(self.server, await _all_tools(session), self._secrets)
                opened.set_result(Opened(session, {tool.own_name: tool for tool in listing.tools}))
                await self._unused(ending)
        except Exception as error:
            self._ended_by = error
            if not opened.done():
                opened.set_exception(ToolError(self._trouble(error, "ended as soon as it was started")))
        finally:
            ending.set()
            if not opened.done():
                opened.set_exception(ToolError(f"The MCP server {self.server.name} was not waited for."))

    async def _unused(self, ending: asyncio.Event) -> None:
        """Wait for the end, or until nothing was called for long."""
        self._last_used = asyncio.get_running_loop().time()
        while (left := self._last_used + IDLE_SECONDS - asyncio.get_running_loop().time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), left)
                return
        self._starts = 0  # it did not fail

    async def _hear(self, message: "LoggingMessageNotificationParams") -> None:
        """The last words of a server that has ended, from `mcp_child`."""
        data = message.data
        if message.logger == "ended" and isinstance(data, dict):
            words = (masked(str(word), self._secrets)[:300] for word in data.get("words") or ())
            self._words = " | ".join(words)[-300:]

    def _trouble(self, error: BaseException, ended: str = ENDED) -> str:
        """Why the server gave no answer; a connection that is of no use any more is given up."""
        cause, is_broken = _why(error, ended, self._secrets)
        if is_broken:
            self._ending.set()
        words = f" Its last words: {self._words}" if self._words and is_broken else ""
        return masked(f"The MCP server {self.server.name} {cause}.{words}", self._secrets)


class McpTool:
    """A tool of a server as machines get it."""

    seconds: ClassVar[float] = 60.0

    def __init__(self, tool: ServedTool, connection: Connection) -> None:
        self.name, self.description = tool.name, tool.description
        self.arguments: type[BaseModel] = mcp_schema.arguments_of(tool.parameters)
        self.side_effects, self.needs_approval = not tool.reads_only, not tool.trusted
        self._tool, self._connection = tool, connection

    async def run(self, arguments: BaseModel) -> str:
        """What the server says. Raises ToolError, also for arguments that do not fit the tool's schema."""
        assert isinstance(arguments, mcp_schema.Given)
        given = mcp_schema.coerced(self._tool.parameters, arguments.root)
        if wrong := mcp_schema.faults(self._tool.parameters, given):
            raise ToolError(f"Wrong arguments for {self.name}: {wrong}.")
        return await self._connection.call(self._tool, given)

    async def close(self) -> None:
        """End the connection, which other tools of its server share."""
        await self._connection.close()


async def look(server: ToolServer, settings: Settings, seconds: float = LOOK_SECONDS) -> Listing:
    """Connect and list the tools. Raises ToolError that says why it cannot, InvalidRequest for a missing variable."""
    connection = Connection(server, settings)
    secrets = connection._secrets = await asyncio.to_thread(server.secrets, settings)
    found: Listing | None = None
    try:
        async with asyncio.timeout(seconds), connected(server, settings, connection._hear) as session:
            begun = await session.initialize()
            title = mcp_schema.line(f"{begun.serverInfo.name} {begun.serverInfo.version}", 80)
            told = mcp_schema.line(masked(begun.instructions or "", secrets), 500)
            found = listed(server, await _all_tools(session), secrets)
            found = found.model_copy(update={"title": title, "instructions": told})
    except InvalidRequest:
        raise
    except Exception as error:
        if found is None:  # else it only left in a bad manner
            raise ToolError(connection._trouble(error, "ended as soon as it was started")) from error
    assert found is not None
    return found


def listed(server: ToolServer, tools: Sequence["Tool"], secrets: Sequence[str]) -> Listing:
    """The tools within our bounds, under names that are valid for every backend."""
    found: list[ServedTool] = []
    unusable: dict[str, str] = {}
    for number, tool in enumerate(tools):
        shown = mcp_schema.line(tool.name, 80)
        if number >= MOST_TOOLS:
            unusable[shown] = f"the server lists more than {MOST_TOOLS} tools"
        elif any(tool.name == other.own_name for other in found):
            unusable[shown] = "the server lists this name more than once; its first is taken"
        elif wrong := mcp_schema.unusable(tool.inputSchema):
            unusable[shown] = wrong
        else:
            description = mcp_schema.line(masked(tool.description or tool.title or tool.name, secrets))
            reads_only = bool(tool.annotations and tool.annotations.readOnlyHint)
            found.append(mcp_schema.served(tool.name, description, tool.inputSchema, reads_only))
    looked_at = datetime.now(UTC).isoformat(timespec="seconds")
    named = tuple(mcp_schema.named(server.name, found))
    return Listing(server=server.digest, looked_at=looked_at, tools=named, unusable=unusable)


@asynccontextmanager
async def connected(server: ToolServer, settings: Settings, hear: Any) -> AsyncIterator["ClientSession"]:
    """A session that is not yet initialised. Raises what the way to the server raises, InvalidRequest, ToolError."""
    from langchain_mcp_adapters.sessions import create_session

    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its tracebacks would hold what servers send
    way = await asyncio.to_thread(_way, server, settings)
    way["session_kwargs"] = {"logging_callback": hear}
    async with create_session(way) as session:
        yield session


def _way(server: ToolServer, settings: Settings) -> Any:
    """How the adapters reach a server."""
    if server.url:
        kind = "sse" if server.type == "sse" else "streamable_http"
        return {"transport": kind, "url": server.url, "headers": server.filled(server.headers, settings)}
    env = server.filled(server.env, settings)
    program = shutil.which(server.command, path=env.get("PATH"))  # none: our own
    if program is None:
        raise ToolError(f"cannot be started: there is no program {server.command!r} here")
    child = [sys.executable, "-I", "-S", str(Path(__file__).with_name("mcp_child.py"))]
    line = [*(child if os.name == "posix" else []), program, *server.args]
    place = {"cwd": server.cwd} if server.cwd else {}
    return {"transport": "stdio", "command": line[0], "args": line[1:], "env": env, **place}


async def _all_tools(session: "ClientSession") -> list["Tool"]:
    """All pages of the list, as many as are within bounds."""
    found: list[Tool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await session.list_tools(cursor)
        found.extend(page.tools)
        cursor = page.nextCursor
        if not cursor or len(found) > MOST_TOOLS:
            break
    return found


def said(result: "CallToolResult") -> str:
    """A result as text: pictures and other bytes are named, not told."""
    parts = [text for block in result.content if (text := _told(block))]
    if not parts and result.structuredContent is not None:
        parts = [json.dumps(result.structuredContent, ensure_ascii=False)]
    return "\n".join(parts) or "(It said nothing.)"


def _told(block: "ContentBlock") -> str:
    match block.type:
        case "text":
            return block.text
        case "image" | "audio":
            size = len(block.data) * 3 // 4
            return f"[{block.type}, {block.mimeType}, {size:,} bytes: it cannot be shown to the model]"
        case "resource_link":
            return f"[link to {block.uri}: {block.name}]"
        case "resource":
            text = getattr(block.resource, "text", None)
            return str(text) if text is not None else f"[{block.resource.uri}: bytes, not shown to the model]"
    return ""


def _why(error: BaseException, ended: str, secrets: Sequence[str]) -> tuple[str, bool]:
    """What happened to a connection, in words that follow the server's name, and whether it is of no use any more."""
    import httpx
    from mcp import McpError
    from mcp.types import CONNECTION_CLOSED

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case ToolError() | InvalidRequest():
            return str(error).rstrip("."), True
        case McpError() if error.error.code == CONNECTION_CLOSED:
            return ended, True
        case McpError():
            return f"refused: {mcp_schema.line(masked(error.error.message, secrets), 300)}".rstrip("."), False
        case TimeoutError():
            return "does not answer in time", True
        case httpx.HTTPStatusError():
            return f"answers with HTTP {error.response.status_code}", True
        case httpx.HTTPError():
            return f"cannot be reached at {bare(str(error.request.url)) if error._request else 'its address'}", True
        case OSError():
            return f"cannot be started: {error.strerror or error}", True
        case RuntimeError():
            return f"gave an answer that cannot be used: {mcp_schema.line(masked(str(error), secrets), 300)}", False
    return f"broke the connection off ({type(error).__name__})", True
