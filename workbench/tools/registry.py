"""The tools that there are, each imported on first use, and how models are told of them."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from workbench.backends.base import ToolSpec
from workbench.errors import InvalidRequest
from workbench.events import AnyEvent, ToolAnswered, ToolCalled
from workbench.settings import Settings
from workbench.tools.base import Bounded, Connects, Embedder, Tool
from workbench.tools.desk import Desk
from workbench.tools.served import LOOK, ServedTool, ToolServer, ToolServers

TOOLS: tuple[str, ...] = ("calculator", "python", "clock", "search", "wikipedia", "lookup", "fetch", "notes")


def create(name: str, settings: Settings) -> Tool:
    """The tool of that name, held to its limits: its module has a function `create(settings)`. Raises KeyError."""
    if name not in TOOLS:
        raise KeyError(name)
    return Bounded(import_module(f"workbench.tools.{name}").create(settings))


def known(settings: Settings) -> list[str]:
    """Every tool that a run may be offered: ours, then those of the MCP servers. Raises InvalidRequest."""
    return [*TOOLS, *ToolServers(settings).tools()]


Served = Mapping[str, tuple[ToolServer, ServedTool]]


def served(names: Iterable[str], settings: Settings) -> Served:
    """Those of the tools that are MCP servers'. Raises InvalidRequest that says which is missing and what to do."""
    wanted = [name for name in names if name not in TOOLS]
    found = ToolServers(settings).tools() if wanted else {}
    if missing := next((name for name in wanted if name not in found), ""):
        raise _missing(missing, settings)
    for server, _ in (found[name] for name in wanted):
        server.filled(server.env, settings), server.filled(server.headers, settings)  # before anything is paid
    return {name: found[name] for name in wanted}


def _missing(name: str, settings: Settings) -> InvalidRequest:
    server, servers = name.partition("__")[0], ToolServers(settings)
    if server not in (one.name for one in servers.all()):
        return InvalidRequest(f"The tool {name} is one of an MCP server that is not set up here: {server}.", LOOK)
    if servers.listing(servers.find(server)) is None:
        said = f"The MCP server {server} of the tool {name} has not been looked at since it was set up or changed."
        return InvalidRequest(said, f"Test it: Models, Tools, or `python -m workbench tools mcp test {server}`.")
    said = f"The MCP server {server} listed no tool named {name} when it was looked at."
    return InvalidRequest(said, "Choose other tools, or test the server again under Models, Tools.")


def for_run(
    names: Iterable[str], settings: Settings, before: Iterable[AnyEvent] = (), found: Served | None = None
) -> dict[str, Tool]:
    """The tools of one run, which share a desk: the page that was opened last, the notes; and a server's connection.

    `before` is the run's log so far; what its calls left on the desk is there again. `found` is what `served` gave, if
    it need not be read here. `closed` ends the connections. Raises InvalidRequest.
    """
    names = list(names)
    others = _connected(served(names, settings) if found is None else found, settings)
    tools, desk = {name: others[name] if name in others else create(name, settings) for name in names}, Desk()
    for tool in tools.values():
        if isinstance(tool, Bounded):
            tool.sit_at(desk)
    _recall(tools, list(before))
    return tools


def _connected(found: Served, settings: Settings) -> dict[str, Tool]:
    """Tools of MCP servers, those of one server on one connection, which their first call opens."""
    if not found:
        return {}
    from workbench.tools.mcp import Connection, McpTool

    connections = {server.name: Connection(server, settings) for server, _ in found.values()}
    return {name: Bounded(McpTool(tool, connections[server.name])) for name, (server, tool) in found.items()}


def lend(tools: Iterable[Tool], embedder: Embedder) -> None:
    """Let those of a run's tools that compare texts do it with its backend's embeddings."""
    for tool in tools:
        if isinstance(tool, Bounded):
            tool.lend(embedder)


async def closed(tools: Iterable[Tool]) -> None:
    """End what the tools of a run hold open."""
    inner = (tool.tool for tool in tools if isinstance(tool, Bounded))
    await asyncio.gather(*(tool.close() for tool in inner if isinstance(tool, Connects)), return_exceptions=True)


def _recall(tools: Mapping[str, Tool], before: Sequence[AnyEvent]) -> None:
    """Do again what calls did to the desk: those that were answered without an error, and by the tool itself."""
    said = {event.tool_id: event.result for event in before if isinstance(event, ToolAnswered) and not event.error}
    for event in before:
        if isinstance(event, ToolCalled) and event.tool_id in said and not event.by_person:
            tool = tools.get(event.name)
            if isinstance(tool, Bounded):
                with suppress(ValidationError):  # of a tool that took other arguments then
                    tool.recall(tool.arguments.model_validate(event.arguments), said[event.tool_id])


def spec(tool: Tool) -> ToolSpec:
    """The tool as a backend tells a model of it; the schema is without pydantic's titles, to keep prompts short."""
    schema = _without_titles(tool.arguments.model_json_schema())
    schema.pop("description", None)  # the arguments' docstring is for us
    return ToolSpec(name=tool.name, description=tool.description, parameters=schema)


def describe(tools: Iterable[Tool]) -> str:
    """The tools as lines for a prompt: `calculator(expression: string): exact arithmetic ...`."""
    return "\n".join(_line(spec(tool)) for tool in tools)


def arguments_from_text(tool: Tool, text: str) -> dict[str, Any]:
    """The arguments that a bare text stands for: a JSON object of the tool's arguments, else its main argument."""
    told = spec(tool).parameters
    names = [*told.get("required", ()), *told["properties"]]
    text = text.strip()
    fenced = text.startswith("```") and text.endswith("```")
    value = _json(text.partition("\n")[2].removesuffix("```") if fenced else text)
    if isinstance(value, dict) and value and set(value) <= set(names):
        return value
    return {names[0]: value if isinstance(value, str) else text} if names else {}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _line(told: ToolSpec) -> str:
    needed = told.parameters.get("required", ())
    arguments = ", ".join(
        f"{name}: {_kind(field)}{'' if name in needed else ', optional'}"
        for name, field in told.parameters["properties"].items()
    )
    form = f" Input: a JSON object with {', '.join(needed)}." if len(needed) > 1 else ""
    return f"{told.name}({arguments}): {told.description}{form}"


def _kind(field: Any) -> str:
    kind = field.get("type", "any") if isinstance(field, dict) else "any"
    return "|".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _without_titles(schema: Any) -> Any:
    """A JSON schema without the titles that pydantic gives to everything; a property named title stays."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: part for key, part in schema.items() if not (key == "title" and isinstance(part, str))}
    return {key: _without_titles(part) for key, part in named.items()}
