"""Commands on the embedded engine: its sizes, and its model files verified, removed, taken in, weighed."""

import argparse
import asyncio
import sys
from pathlib import Path

from workbench.backends import embedded, fetch, memory, model_files, sizes
from workbench.backends.embedded import EmbeddedBackend
from workbench.cli.output import FAILED
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest
from workbench.settings import Settings
from workbench.store.preferences import Preferences
from workbench.terminal import Progress, harmless

NAME_HELP = "a model of the models folder; the default one otherwise"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models verify`, `models remove`, `models add`, `models memory` and `models embedded`."""
    verify = commands.add_parser("verify", help="read a model file again and check its SHA-256 (embedded)")
    verify.add_argument("name", nargs="?", default="", help=NAME_HELP)
    verify.set_defaults(do=verify_model)
    remove = commands.add_parser("remove", help="delete a model file from the models folder (embedded)")
    remove.add_argument("name", help="the model, as `models list` names it")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(do=remove_model)
    own = commands.add_parser("add", help="put a GGUF file that lies elsewhere into the list, by a link (embedded)")
    own.add_argument("path", type=Path)
    own.set_defaults(do=add_model)
    weigh = commands.add_parser("memory", help="what a model needs in memory, and what is free (embedded)")
    weigh.add_argument("name", nargs="?", default="", help=NAME_HELP)
    _size_flags(weigh, ("context", "slots"))
    weigh.set_defaults(do=weigh_model)
    engine = commands.add_parser("embedded", help="show or set the embedded engine's context window, slots and threads")
    _size_flags(engine, tuple(sizes.Sizes.model_fields))
    engine.add_argument("--reset", action="store_true", help="back to what the environment says")
    engine.set_defaults(do=size_engine)


def _size_flags(command: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    for name in names:
        description = sizes.Sizes.model_fields[name].description
        command.add_argument(f"--{name}", type=int, metavar="N", help=description)


def backend_of(settings: Settings) -> EmbeddedBackend:
    """The embedded backend with the sizes that the person has set. Raises StoreError, InvalidRequest."""
    backend = embedded.create(settings)
    backend.prefer(_kept(settings))
    return backend


def _kept(settings: Settings) -> dict[str, int]:
    with open_database(settings) as database:
        kept: dict[str, int] = Preferences(database).get(sizes.PREFERENCE, {})
    return kept


def verify_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Compute a file's digest; how far it is goes to standard error, the digest to standard output."""
    name, line = arguments.name or settings.embedded_model, Progress(sys.stderr)
    backend = embedded.create(settings)

    def show(verdict: model_files.Verdict) -> None:
        share = 10 * verdict.done // max(verdict.total, 1)
        read = f"{memory.size(verdict.done)} of {memory.size(verdict.total)}"
        line.show(f"{share}", f"Reading {name}: {read}.")

    verdict = model_files.progress_of(backend.verify(name), show)
    line.clear()
    if verdict.digest:
        print(verdict.digest)
    print(harmless(f"{verdict.said} {verdict.hint}".rstrip()), file=sys.stderr)
    if verdict.state == "wrong" and fetch.pinned(name):
        print(f"To fetch it again: python -m workbench models fetch {name}", file=sys.stderr)
    return 0 if verdict.state == "right" else FAILED


def remove_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete a model's file, once the person has said yes."""
    name, backend = arguments.name, embedded.create(settings)
    again = "It can be fetched again." if fetch.pinned(name) else "It is a file of your own: nothing fetches it again."
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise InvalidRequest(f"{name} would be deleted. {again}", "Say --yes to do it.")
        if input(f"Remove {harmless(name)} from {settings.models_path}? {again} [y/N] ").strip().lower() != "y":
            print("Nothing was removed.", file=sys.stderr)
            return 0
    freed = asyncio.run(backend.remove(name))
    print(harmless(f"{name} is removed; {memory.size(freed)} are free again."))
    return 0


def add_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Link a file into the models folder; its name on standard output."""
    print(harmless(model_files.add(arguments.path, settings.models_path)))
    return 0


def weigh_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """What a model takes, part by part; FAILED when it would be refused."""
    backend = backend_of(settings)
    name = arguments.name or backend.default_model
    chosen = sizes.read({"context": arguments.context, "slots": arguments.slots}).chosen
    wanted, free = backend.needs(name, **chosen), backend.free()
    now = sizes.of(backend.settings).chosen | chosen
    parts = {
        "file": wanted.weights,
        "context": wanted.cache,
        "computing": wanted.compute,
        "program": memory.OVERHEAD,
        "in all": wanted.total,
        "at least": wanted.least,
        "free": free,
    }
    print(harmless(f"{name}, {now['slots']} x {wanted.context:,} tokens"))
    if wanted.context < now["context"]:
        print(f"  The model was trained for {wanted.context:,}: it gets no more of the {now['context']:,}.")
    for title, count in parts.items():
        print(f"  {title:<10}{memory.size(count):>9}")
    if wanted.total > free:
        print("It does not fit." if wanted.least > free else "It is tight: parts of the file are read again and again.")
    return FAILED if wanted.least > free else 0


def size_engine(arguments: argparse.Namespace, settings: Settings) -> int:
    """Set what is named, or show what holds and where it is from."""
    given = {name: getattr(arguments, name) for name in sizes.Sizes.model_fields}
    chosen = {name: value for name, value in given.items() if value is not None}
    kept = {} if arguments.reset else _kept(settings)
    if chosen or arguments.reset:
        kept = sizes.read(kept | chosen).chosen
        with open_database(settings) as database:
            Preferences(database).put(sizes.PREFERENCE, kept)
    for name, value in sizes.of(settings).chosen.items():
        source = "set here" if name in kept else "from the environment"
        print(f"{name:<9}{kept.get(name, value):>9,}  {source}")
    if chosen or arguments.reset:
        print("An app that runs has them for the next run that begins while none is in progress.", file=sys.stderr)
    return 0
