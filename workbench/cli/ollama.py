"""Commands that care for an Ollama server's models: what is loaded, load, unload, keep, pull, remove, copy, show."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from workbench import servers
from workbench.backends.base import ModelInfo
from workbench.backends.manage import Layer, Load, LoadedModel, ManagesModels, ModelDetails, Pull, PullView, full, span
from workbench.cli.output import size, table
from workbench.errors import InvalidRequest, ModelMissing
from workbench.settings import Settings
from workbench.terminal import Progress, harmless

Result = TypeVar("Result")
DEFAULT = "ollama"
LOOK_SECONDS = 0.1
PARTS = ("template", "parameters", "system", "licence", "modelfile")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models ps`, `load`, `unload`, `keep`, `pull`, `rm`, `cp` and `show`."""
    listing = _command(commands, "ps", "what an Ollama server has in memory", list_loaded)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    loading = _command(commands, "load", "load a model of an Ollama server", load_model, "name")
    loading.add_argument("--context", type=int, metavar="TOKENS", help="its context window; the server's own otherwise")
    loading.add_argument("--keep", metavar="TIME", help="how long it stays after its last answer: 10m, 1h, forever")
    _command(commands, "unload", "unload a model now", unload_model, "name")
    keeping = _command(commands, "keep", "say how long a loaded model stays after its last answer", keep_model, "name")
    keeping.add_argument("time", help="10m, 1h30m, a number of seconds, 0 or forever")
    _command(commands, "pull", "have an Ollama server fetch a model, or go on with it", pull_model, "name")
    removing = _command(commands, "rm", "delete a model from an Ollama server's disk", remove_model, "name")
    removing.add_argument("--yes", action="store_true", help="do not ask")
    _command(commands, "cp", "give a model a second name", copy_model, "source", "name")
    showing = _command(
        commands, "show", "a model's template, parameters, system prompt and licence", show_model, "name"
    )
    showing.add_argument("--only", choices=PARTS, help="this part alone, as it is")
    showing.add_argument("--json", action="store_true", help="one JSON object")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    says: str,
    do: Callable[[argparse.Namespace, Settings], int],
    *arguments: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=says)
    for argument in arguments:
        command.add_argument(argument)
    command.add_argument("--server", default=DEFAULT, metavar="NAME", help="one that you have named, such as lab")
    command.set_defaults(do=do)
    return command


def list_loaded(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per model in memory."""
    found = _with(arguments, settings, lambda backend: backend.loaded())
    if arguments.json:
        for model in found:
            print(json.dumps(model.model_dump(mode="json") | {"seconds_left": model.seconds_left()}))
        return 0
    if not found:
        print("Nothing is loaded.", file=sys.stderr)
    table(["NAME", "MEMORY", "ON GPU", "CONTEXT", "UNTIL"], [_row(model) for model in found])
    return 0


def _row(model: LoadedModel) -> list[str]:
    share = f"{model.gpu_share}%" if model.size else ""
    return [model.name, size(model.size), share, f"{model.context:,}" if model.context else "", model.leaves()]


def load_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Load a model, and say what it takes."""
    keep = span(arguments.keep) if arguments.keep is not None else None
    if arguments.context is not None and arguments.context < 1:
        raise InvalidRequest("A context window has at least one token.", "Say it as --context 8192.")
    line = Progress(sys.stderr)

    async def do(backend: ManagesModels) -> LoadedModel | None:
        load = Load(backend, arguments.name, arguments.context, keep)
        await _done(load, lambda: line.show("load", f"Loading {load.name}, {load.seconds:.0f} s."))
        return next((model for model in await backend.loaded() if model.name == full(arguments.name)), None)

    model = _with(arguments, settings, do)
    line.clear()
    if model is not None:
        facts = [f"{size(model.size)}, {model.where()}", f"context {model.context or 0:,}", model.leaves()]
        print(harmless(f"{model.name} is loaded: {'; '.join(facts)}."), file=sys.stderr)
    return 0


def unload_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Unload a model."""
    _with(arguments, settings, lambda backend: backend.unload(arguments.name))
    print(harmless(f"{arguments.name} is unloaded."), file=sys.stderr)
    return 0


def keep_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say how long a loaded model stays."""
    keep = span(arguments.time)

    async def do(backend: ManagesModels) -> list[LoadedModel]:
        await backend.keep(arguments.name, keep)
        return [model for model in await backend.loaded() if model.name == full(arguments.name)]

    left = [model.leaves() for model in _with(arguments, settings, do)]
    print(harmless(f"{arguments.name} {left[0] if left else 'is unloaded'}."), file=sys.stderr)
    return 0


def pull_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Have a model fetched, showing each layer. Ctrl+C ends it, and the server keeps what has come."""
    line, told = Progress(sys.stderr), set[str]()

    async def do(backend: ManagesModels) -> None:
        pull = Pull(backend, arguments.name)
        await _done(pull, lambda: _show_pull(pull.snapshot(), line, told))

    try:
        _with(arguments, settings, do)
    except KeyboardInterrupt:
        line.say("Cancelled. The server keeps what has come: pull it again, and it goes on from there.")
        raise
    line.say(f"{arguments.name} is there.")
    return 0


def _show_pull(view: PullView, line: Progress, told: set[str]) -> None:
    """A line that stays for each layer that is there, and one that changes for the layer on its way."""
    progress = view.progress
    for layer in progress.layers:
        if layer.done >= layer.total and layer.digest not in told:
            told.add(layer.digest)
            line.say(f"{layer.short}  {size(layer.total)}")
    current = next((layer for layer in progress.layers if layer.done < layer.total), None)
    if current is None:
        line.show(progress.status, f"{progress.status}.".capitalize())
    else:
        share = current.done / current.total
        line.show(f"{current.digest} {int(10 * share)}", _layer_words(current, share, view))


def _layer_words(layer: Layer, share: float, view: PullView) -> str:
    words = [f"{layer.short}  {share:.0%} of {size(layer.total)}"]
    if view.speed:
        words.append(f"{size(int(view.speed))}/s")
    if view.seconds_left is not None:
        words.append(f"{view.seconds_left:.0f} s left")
    if view.had:
        words.append(f"went on from {size(view.had)}")
    return ", ".join(words)


def remove_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete a model, once the person has said so."""
    if not arguments.yes:
        info, address = _with(arguments, settings, lambda backend: _found(backend, arguments.name))
        if not sys.stdin.isatty():
            raise InvalidRequest("A model is deleted from the server's disk.", "Add --yes to say that you mean it.")
        weight = f", {size(info.size)}" if info.size else ""
        if input(harmless(f"Delete {info.name}{weight}, from {address}? [y/N] ")).strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.", file=sys.stderr)
            return 0
    _with(arguments, settings, lambda backend: backend.delete(arguments.name))
    print(harmless(f"{arguments.name} is deleted."), file=sys.stderr)
    return 0


def copy_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Give a model a second name."""
    _with(arguments, settings, lambda backend: backend.copy(arguments.source, arguments.name))
    print(harmless(f"{arguments.source} is also called {arguments.name}."), file=sys.stderr)
    return 0


def show_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """What there is to read of a model."""

    async def do(backend: ManagesModels) -> tuple[ModelDetails, ModelInfo | None]:
        told = await backend.details(arguments.name)
        return told, None if arguments.only else (await _found(backend, arguments.name))[0]

    told, info = _with(arguments, settings, do)
    if info is None:
        print(harmless(getattr(told, arguments.only)))
        return 0
    if arguments.json:
        read = told.model_dump(exclude={"name"})
        read["settings"] = read.pop("parameters")  # what a model is set to; its number of parameters has that name too
        print(json.dumps(info.model_dump(mode="json") | read))
        return 0
    print(harmless(_described(info)))
    for part in PARTS:
        if part != "modelfile" and (text := getattr(told, part)):
            print(harmless(f"\n{part.capitalize()}\n{text.rstrip()}"))
    return 0


def _described(info: ModelInfo) -> str:
    """A model's measures, one a line."""
    facts = {
        "Family": info.family,
        "Parameters": info.parameters,
        "Quantisation": info.quantisation,
        "Size": size(info.size) if info.size else "",
        "Context": f"{info.context_window:,} tokens" if info.context_window else "",
        "Can": ", ".join(info.abilities),
        "Changed": info.modified,
        "Digest": info.digest,
    }
    return "\n".join([info.name, *(f"  {name:<13}{value}" for name, value in facts.items() if value)])


async def _found(backend: ManagesModels, name: str) -> tuple[ModelInfo, str]:
    for info in await backend.installed():
        if info.name == full(name):
            return info, backend.address
    raise ModelMissing(f"The server does not have the model {name}.", "`models list` shows what it has.")


async def _done(errand: Load | Pull, show: Callable[[], None]) -> None:
    """Do an errand to its end, showing how far it is. Raises its error; stopped, it stops the errand too."""
    task = asyncio.ensure_future(errand.run())
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            show()
        await task
        show()
    finally:
        task.cancel()
        await asyncio.wait({task})
    if errand.error is not None:
        raise errand.error


def _with(
    arguments: argparse.Namespace, settings: Settings, do: Callable[[ManagesModels], Coroutine[Any, Any, Result]]
) -> Result:
    """What a server's backend does. Raises InvalidRequest when there is no server of that name."""
    name = arguments.server
    known = {} if name == DEFAULT else servers.named(settings)
    wanted = name if name == DEFAULT or "@" in name else f"{DEFAULT}@{name}"
    backend = servers.made(wanted, settings, known)
    if not isinstance(backend, ManagesModels):
        raise InvalidRequest(f"The models of {wanted} cannot be cared for from here.", "Name an Ollama server.")
    return asyncio.run(_closing(backend, do))


async def _closing(backend: Any, do: Callable[[ManagesModels], Coroutine[Any, Any, Result]]) -> Result:
    try:
        return await do(backend)
    finally:
        await backend.close()
