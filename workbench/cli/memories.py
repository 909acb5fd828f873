"""`memories` in the terminal: what the memory stream remembers from run to run."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.cli.output import local, table
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest
from workbench.settings import Settings
from workbench.store.memories import KINDS, LEAST, MOST, MemoryStore, New, iso, plain
from workbench.terminal import harmless

USUAL = 5.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`memories list`, `add`, `edit` and `delete`."""
    listing = commands.add_parser("list", help="the streams, or the memories of one, the newest first")
    listing.add_argument("stream", nargs="?", default="", help="all streams otherwise")
    listing.add_argument("--search", default="", metavar="WORDS", help="those that have all these words")
    listing.add_argument("--kind", default="", choices=KINDS, help="of one kind")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_memories)
    adding = commands.add_parser("add", help="store a memory of your own")
    adding.add_argument("stream", help="the stream's name; default is the one of who has named none")
    adding.add_argument("text", help="what is to be remembered")
    adding.add_argument("--importance", type=float, default=USUAL, help=f"{LEAST:g} to {MOST:g}; {USUAL:g} otherwise")
    adding.set_defaults(do=add_memory)
    edit = commands.add_parser("edit", help="give a memory another text or importance")
    edit.add_argument("id", help="its id, or how it begins")
    edit.add_argument("--text", help="as it is otherwise")
    edit.add_argument("--importance", type=float, help="as it is otherwise")
    edit.set_defaults(do=edit_memory)
    remove = commands.add_parser("delete", help="forget a memory, or a whole stream")
    which = remove.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", help="its id, or how it begins")
    which.add_argument("--stream", metavar="NAME", help="all memories of that stream")
    remove.set_defaults(do=delete_memories)


@contextmanager
def opened(settings: Settings) -> Iterator[MemoryStore]:
    """The memories. Raises StoreError."""
    with open_database(settings) as database:
        yield MemoryStore(database)


def list_memories(arguments: argparse.Namespace, settings: Settings) -> int:
    """A line per stream, or per memory of one."""
    with opened(settings) as store:
        if not arguments.stream:
            return _list_streams(store, arguments.json)
        found = [one for one in store.of(arguments.stream, arguments.search) if arguments.kind in ("", one.kind)]
    if arguments.json:
        for one in found:
            print(json.dumps(plain(one)))
        return 0
    rows = [[one.id, one.kind, f"{one.importance:g}", local(iso(one.stored_at)), one.text] for one in reversed(found)]
    table(["ID", "KIND", "IMPORTANCE", "STORED", "TEXT"], rows)
    return 0


def _list_streams(store: MemoryStore, as_json: bool) -> int:
    rows = store.streams()
    if as_json:
        for row in rows:
            print(json.dumps(row._asdict() | {"stored_at": iso(row.stored_at)}))
        return 0
    shown = [[str(row.memories), str(row.reflections), local(iso(row.stored_at)), row.name] for row in rows]
    table(["MEMORIES", "REFLECTIONS", "LAST STORED", "STREAM"], shown)
    return 0


def add_memory(arguments: argparse.Namespace, settings: Settings) -> int:
    """Store one; its id."""
    with opened(settings) as store:
        before = {one.id for one in store.of(arguments.stream)}
        (kept,) = store.add(arguments.stream, [New(arguments.text, arguments.importance)])
    if kept.id in before:
        raise InvalidRequest("The stream has this memory already.", f"memories edit {kept.id}")
    print(kept.id)
    return 0


def edit_memory(arguments: argparse.Namespace, settings: Settings) -> int:
    """Change one; how it is now."""
    if arguments.text is None and arguments.importance is None:
        raise InvalidRequest("Nothing is to be changed.", "Give --text, --importance, or both.")
    with opened(settings) as store:
        kept = store.find(arguments.id)
        text = kept.text if arguments.text is None else arguments.text
        importance = kept.importance if arguments.importance is None else arguments.importance
        kept = store.edit(kept.id, text, importance)
    print(harmless(f"{kept.id} {kept.importance:g} {kept.text}"))
    return 0


def delete_memories(arguments: argparse.Namespace, settings: Settings) -> int:
    """Forget one, or those of a stream."""
    with opened(settings) as store:
        if arguments.stream is None:
            store.remove(arguments.id)
            return 0
        gone = store.remove_stream(arguments.stream)
    print(f"{gone:,} {'memory' if gone == 1 else 'memories'} deleted.")
    return 0
