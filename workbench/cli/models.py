"""Commands on what there is to run with: models, machines, and what works here."""

import argparse
import asyncio
import json
import sys
from typing import Any

from agents import catalogue
from agents.contract import Machine
from workbench import doctor, servers
from workbench.backends import fetch, registry
from workbench.backends.base import Backend, BackendStatus, ModelInfo
from workbench.backends.manage import ManagesModels
from workbench.backends.servers import Server
from workbench.cli.output import FAILED, local, size
from workbench.errors import WorkbenchError
from workbench.settings import Settings
from workbench.terminal import Progress, harmless, say_problems


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models list` and `models fetch`."""
    listing = commands.add_parser("list", help="the backends and their models")
    listing.add_argument("--backend", default="", help="one backend, or a server that you have named (ollama@lab)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_models)
    fetch = commands.add_parser("fetch", help="download a model for the embedded engine")
    fetch.add_argument("name", nargs="?", default="", help="the default model otherwise")
    fetch.set_defaults(do=fetch_model)


def list_models(arguments: argparse.Namespace, settings: Settings) -> int:
    """Each backend, whether it can be used, and its models."""
    named = servers.named(settings)
    names = [arguments.backend] if arguments.backend else [*registry.BACKENDS, *named]
    found = asyncio.run(_ask_all(names, settings, named))
    for name, (status, models) in zip(names, found, strict=True):
        if arguments.json:
            line = {"backend": name, **status.model_dump(), "models": [_plain(one) for one in models if one.can_chat]}
            print(json.dumps(line | {"others": [_plain(one) for one in models if not one.can_chat]}))
        else:
            _print_backend(name, status, models)
    return FAILED if arguments.backend and not found[0][0].ready else 0


async def _ask_all(
    names: list[str], settings: Settings, named: dict[str, Server]
) -> list[tuple[BackendStatus, list[ModelInfo]]]:
    backends = [doctor.made(name, settings, named) for name in names]  # importing takes its time: before any clock runs
    return await asyncio.gather(*map(_ask, backends))


async def _ask(backend: Backend | BackendStatus) -> tuple[BackendStatus, list[ModelInfo]]:
    """A backend's state and models; one that is not ready is not asked for models."""
    if isinstance(backend, BackendStatus):
        return backend, []
    try:
        status = await backend.status()
        if not status.ready:
            return status, []
        return status, await (backend.installed() if isinstance(backend, ManagesModels) else backend.models())
    except WorkbenchError as error:
        return BackendStatus(ready=False, detail=error.message, hint=error.hint), []
    finally:
        await backend.close()


def _plain(model: ModelInfo) -> dict[str, Any]:
    return {**model.model_dump(mode="json"), "capabilities": sorted(model.capabilities)}


def _print_backend(name: str, status: BackendStatus, models: list[ModelInfo]) -> None:
    print(harmless(f"{name}: {status.detail}"))
    if status.hint and not status.ready:
        print(harmless(f"  {status.hint}"))
    rows = [_row(model) for model in models if model.can_chat]
    if others := [_row(model) for model in models if not model.can_chat]:
        rows += [["  not for answers:", *[""] * (len(others[0]) - 1)], *others]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(rows[0]) if rows else 0)]
    shown = [column for column, width in enumerate(widths) if width]
    for row in rows:
        print(harmless("  ".join(f"{row[column]:<{widths[column]}}" for column in shown).rstrip()))


def _row(model: ModelInfo) -> list[str]:
    able = {*model.capabilities, *model.abilities} - {"completion"}
    return [
        f"  {model.name}",
        model.family,
        " ".join(filter(None, (model.parameters, model.quantisation))),
        size(model.size) if model.size else "",
        f"{model.context_window:,} tokens" if model.context_window else "",
        local(model.modified) if model.modified else "",
        "" if model.installed else "not fetched",
        ", ".join(sorted(able)),
    ]


def fetch_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Download a model; its path on standard output, how far it is on standard error."""
    line = Progress(sys.stderr)
    told: set[str] = set()

    def show(state: fetch.Progress) -> None:
        say_problems(state, line, told)
        if state.state == "checking":
            line.show("checking", f"Checking the SHA-256 of {state.name}.")
        elif state.state in ("waiting", "fetching"):
            line.show(f"{state.source}{10 * state.done // state.total}", _how_far(state))

    path = fetch.ensure(arguments.name or settings.embedded_model, settings, show)
    line.clear()
    print(path)
    return 0


def _how_far(state: fetch.Progress) -> str:
    source = f" from {state.source}, {state.speed / 1e6:.1f} MB/s" if state.source else ""
    return f"{state.name}: {state.done / state.total:.0%} of {state.total / 1e6:,.0f} MB{source}"


def list_machines(_arguments: argparse.Namespace, _settings: Settings) -> int:
    """Each machine with its options."""
    for number, name in enumerate(catalogue.MACHINES):
        print(("\n" if number else "") + _described(catalogue.load(name)))
    return 0


def _described(machine: Machine) -> str:
    properties = machine.options.model_json_schema().get("properties", {})
    lines = [f"{machine.name}: {machine.title}. {machine.summary} ({machine.source})"]
    for name, schema in properties.items():
        lines.append(f"  {name}={json.dumps(schema.get('default'))}  {_allowed(schema)}".rstrip())
        lines.append(f"      {schema.get('description', '')}")
    return "\n".join(lines)


def _allowed(schema: dict[str, Any]) -> str:
    """What an option may be."""
    items = schema.get("items", {})
    schema = {**schema, **items}
    if named := next((one["enum"] for one in items.get("anyOf", ()) if "enum" in one), None):
        return f"any of {'|'.join(map(str, named))}, and an MCP server's as server__tool"
    if "enum" in schema:
        return ("any of " if "items" in schema else "") + "|".join(map(str, schema["enum"]))
    if "minimum" in schema or "maximum" in schema:
        return f"{schema.get('minimum', '')} to {schema.get('maximum', '')}"
    return str(schema.get("type", ""))


def examine(_arguments: argparse.Namespace, settings: Settings) -> int:
    """Check everything that a run needs; 0 when the default backend can be used."""
    return doctor.report(doctor.examine(settings), sys.stdout)
