"""Commands on tools: list them, and add, test, trust and remove the MCP servers that bring more."""

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Sequence

from workbench.cli.output import FAILED, local, table
from workbench.errors import InvalidRequest, ToolError
from workbench.settings import Settings
from workbench.terminal import harmless
from workbench.tools import registry
from workbench.tools.mcp import look
from workbench.tools.served import Listing, ToolServer, ToolServers

VARIABLE_HELP = (
    "give it this variable of your .env or shell when it starts; NAME=VALUE gives it a value that is no secret"
)
HEADER_HELP = "such as 'Authorization=Bearer ${TOKEN}': ${TOKEN} stands for that variable of your .env or shell"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`tools list` and `tools mcp add`, `list`, `test`, `trust`, `ask`, `remove`."""
    listing = commands.add_parser("list", help="every tool that a run may be offered")
    listing.set_defaults(do=list_tools)
    of_servers = commands.add_parser("mcp", help="servers that bring tools by the Model Context Protocol")
    over = of_servers.add_subparsers(required=True, metavar="COMMAND")
    _add_adding(over.add_parser("add", help="add a server, once it has listed its tools"))
    servers = over.add_parser("list", help="the servers and their tools")
    servers.add_argument("--json", action="store_true", help="one JSON object a line")
    servers.set_defaults(do=list_servers)
    for name, do, words in (
        ("test", test_server, "ask a server for its tools again"),
        ("remove", remove_server, "forget a server"),
    ):
        command = over.add_parser(name, help=words)
        command.add_argument("name")
        command.set_defaults(do=do)
    for name, trusted, words in (
        ("trust", True, "let tools be called without asking you"),
        ("ask", False, "be asked before each call of these tools, as at first"),
    ):
        command = over.add_parser(name, help=words)
        command.add_argument("tools", nargs="+", metavar="TOOL")
        command.set_defaults(do=trust, trusted=trusted)


def _add_adding(adding: argparse.ArgumentParser) -> None:
    adding.add_argument("name", help="letters and digits; its tools are called NAME__tool")
    place = adding.add_mutually_exclusive_group(required=True)
    place.add_argument("--command", default="", metavar="LINE", help="what starts it: 'npx -y some-server /data'")
    place.add_argument("--url", default="", help="its address, such as http://127.0.0.1:8000/mcp")
    adding.add_argument("--sse", action="store_true", help="the address speaks the older SSE form")
    adding.add_argument("--env", action="append", default=[], metavar="NAME", help=VARIABLE_HELP)
    adding.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help=HEADER_HELP)
    adding.add_argument("--cwd", default="", help="the folder that it is started in")
    adding.set_defaults(do=add_server)


def list_tools(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per tool."""
    made = registry.for_run(registry.TOOLS, settings).values()
    rows = [[tool.name, "yes" if tool.needs_approval else "", tool.description] for tool in made]
    for _, tool in ToolServers(settings).tools().values():
        rows.append([tool.name, "" if tool.trusted else "yes", tool.description])
    table(["TOOL", "ASKS YOU", "DESCRIPTION"], rows)
    return 0


def add_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep a server that has listed its tools."""
    store = ToolServers(settings)
    if arguments.name in (server.name for server in store.all()):
        raise InvalidRequest(f"There is an MCP server {arguments.name} already.", "Remove it, or choose another name.")
    command = _words(arguments.command)
    server = store.checked(
        {
            "name": arguments.name,
            "command": command[0],
            "args": command[1:],
            "url": arguments.url,
            "type": "sse" if arguments.sse else "",
            "env": _pairs(arguments.env, "--env"),
            "headers": _pairs(arguments.header, "--header"),
            "cwd": arguments.cwd,
        }
    )
    listing = _looked_at(server, settings)
    if listing is None:
        print("It was not added.", file=sys.stderr)
        return FAILED
    store.keep(server, listing)
    _show(store, server)
    return 0


def _words(line: str) -> list[str]:
    """A command line's words. Raises InvalidRequest."""
    try:
        return shlex.split(line) or [""]
    except ValueError:
        raise InvalidRequest("A quotation mark is not closed in the command.", "Close it, and try again.") from None


def _pairs(given: Sequence[str], flag: str) -> dict[str, str]:
    """NAME=VALUE as a mapping; a bare name stands for the variable of that name. Raises InvalidRequest."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or (not equals and flag == "--header"):
            raise InvalidRequest(f"{flag} {text!r} has no value.", f"Write it as {flag} NAME=VALUE.")
        found[name] = value if equals else f"${{{name}}}"
    return found


def _looked_at(server: ToolServer, settings: Settings) -> Listing | None:
    """What the server lists; when it cannot be asked, the person is told why."""
    try:
        return asyncio.run(look(server, settings))
    except ToolError as error:
        print(harmless(str(error)), file=sys.stderr)
        return None


def list_servers(arguments: argparse.Namespace, settings: Settings) -> int:
    """Each server with its tools; no value of a variable."""
    store = ToolServers(settings)
    servers = store.all()
    if not servers and not arguments.json:
        print("There are none yet: python -m workbench tools mcp add NAME --command LINE", file=sys.stderr)
    for server in servers:
        if arguments.json:
            listing = store.listing(server)
            told = {"name": server.name, "place": server.place, "variables": server.variables}
            print(json.dumps(told | {"listing": listing.model_dump(mode="json") if listing else None}))
        else:
            _show(store, server)
    return 0


def _show(store: ToolServers, server: ToolServer) -> None:
    listing = store.listing(server)
    print(harmless(f"{server.name}: {server.place}"))
    if server.variables:
        print(harmless(f"  given: {', '.join(server.variables)}"))
    if listing is None:
        print(f"  Not looked at yet, or changed since: python -m workbench tools mcp test {server.name}")
        return
    print(f"  looked at {local(listing.looked_at)}; the descriptions are the server's own words")
    rows = [
        [
            f"  {tool.name}",
            "" if tool.trusted else "yes",
            "reads" if tool.reads_only else "may change",
            tool.description,
        ]
        for tool in listing.tools
    ]
    table(["  TOOL", "ASKS YOU", "EFFECT", "DESCRIPTION"], rows)
    for name, why in listing.unusable.items():
        print(harmless(f"  {name} cannot be offered: {why}."))


def test_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask for the tools again; 0 when it answers."""
    store = ToolServers(settings)
    server = store.find(arguments.name)
    listing = _looked_at(server, settings)
    if listing is None:
        return FAILED
    store.keep_listing(server.name, listing)
    _show(store, server)
    return 0


def trust(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask the person before calls of these tools, or not."""
    ToolServers(settings).trust(arguments.tools, arguments.trusted)
    said = "is called without asking you while it stays as it is" if arguments.trusted else "asks you before each call"
    for name in arguments.tools:
        print(f"{name} {said}.", file=sys.stderr)
    return 0


def remove_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Forget a server."""
    ToolServers(settings).remove(arguments.name)
    print(f"The MCP server {arguments.name} was removed.", file=sys.stderr)
    return 0
