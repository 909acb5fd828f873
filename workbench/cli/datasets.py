"""Commands on data sets: list, show, check a file before it is kept, add, rename, delete."""

import argparse
import json
import sys
from dataclasses import asdict, replace

from workbench.cli.output import table
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest
from workbench.experiments import datasets
from workbench.experiments.dataset_columns import FIELDS
from workbench.experiments.reading import Reading, canonical
from workbench.settings import Settings
from workbench.store.datasets import DatasetStore
from workbench.terminal import harmless

LEFT_OUT = 1
SHOWN_ITEMS = 3
SHOWN_PROBLEMS = 20
DIGEST = 12  # characters of a digest that are shown
CHECK_EPILOGUE = "Exit codes: 0 every row can be used, 1 some are left out, 2 nothing can be read."
STDIN = "-"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`datasets list`, `show`, `check`, `add`, `rename` and `delete`."""
    listing = commands.add_parser("list", help="the sets that ship, and those that are kept")
    listing.set_defaults(do=list_sets)
    show = commands.add_parser("show", help="a set's items")
    show.add_argument("name", help="a set's name, the beginning of its digest, or a file")
    show.add_argument("--limit", type=int, default=SHOWN_ITEMS, help=f"so many items ({SHOWN_ITEMS})")
    show.set_defaults(do=show_set)
    check = commands.add_parser("check", help="what a file would become; nothing is kept", epilog=CHECK_EPILOGUE)
    check.set_defaults(do=check_file)
    adding = commands.add_parser("add", help="keep the data set in a file; its digest on standard output")
    adding.add_argument("--name", default="", help="the name to keep it by (the file's otherwise)")
    adding.set_defaults(do=add_file)
    for command in (check, adding):
        command.add_argument("file", help="JSONL, JSON, CSV, TSV or Parquet, also as .gz; - reads standard input")
        column = f"take a column for a field ({', '.join(FIELDS)}); FIELD= for none"
        command.add_argument("--column", action="append", default=[], metavar="FIELD=COLUMN", help=column)
    for command in (listing, show, check):
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    rename = commands.add_parser("rename", help="give a kept set another name")
    rename.add_argument("name", help="the kept set")
    rename.add_argument("to", help="its new name")
    rename.set_defaults(do=rename_set)
    delete = commands.add_parser("delete", help="delete a kept set for good")
    delete.add_argument("name", help="the kept set")
    delete.set_defaults(do=delete_set)


def list_sets(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per set."""
    found = []
    for shipped in datasets.SHIPPED:
        reading = datasets.read_shipped(shipped)
        source = f"ships, fits the scorer {shipped.scorer}: {shipped.summary}"
        found.append({"name": shipped.name, "items": len(reading.items), "digest": reading.digest, "source": source})
    with open_database(settings) as database:
        store = DatasetStore(database)
        found += [asdict(row) for row in store.list()]
    if arguments.json:
        for row in found:
            print(json.dumps(row))
        return 0
    rows = [[str(row["name"]), str(row["items"]), str(row["digest"])[:DIGEST], str(row["source"])] for row in found]
    table(["NAME", "ITEMS", "DIGEST", "FROM"], rows)
    return 0


def show_set(arguments: argparse.Namespace, settings: Settings) -> int:
    """A set's first items as they are asked; with --json as the lines of a JSONL file."""
    with open_database(settings) as database:
        store = DatasetStore(database)
        reading = datasets.load(arguments.name, store)
    items = reading.items[: max(arguments.limit, 0)]
    if arguments.json:
        for item in items:
            print(canonical(item))
        return 0
    print(harmless(_headline(reading)))
    for item in items:
        print(harmless(f"\n── {item.id} ──\n{item.asked}"))
        if item.answer:
            print(harmless(f"Answer: {' | '.join((item.answer, *item.aliases))}"))
        if item.tests:
            print(harmless(f"Tests:\n{item.tests}"))
    if len(items) < len(reading.items):
        print(f"{len(items)} of {len(reading.items):,} items; --limit shows more.", file=sys.stderr)
    return 0


def _headline(reading: Reading) -> str:
    return f"{reading.name} · {reading.form} · {len(reading.items):,} items · SHA-256 {reading.digest}"


def check_file(arguments: argparse.Namespace, _settings: Settings) -> int:
    """What was found in a file: its columns, what each becomes, its first item, and its bad rows."""
    reading = _read(arguments)
    if arguments.json:
        found = {key: value for key, value in asdict(reading).items() if key != "items"}
        print(json.dumps({**found, "items": len(reading.items)}))
    else:
        print(harmless(_headline(reading)))
        columns = reading.columns
        rows = [[column.name, column.kind, column.taken_as or "left out", column.example] for column in columns]
        table(["COLUMN", "KIND", "TAKEN AS", "EXAMPLE"], rows)
        _say_problems(reading)
    return LEFT_OUT if reading.problems else 0


def add_file(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep a file's data set; rows that are left out on standard error."""
    reading = _read(arguments)
    reading = replace(reading, name=arguments.name) if arguments.name else reading
    with open_database(settings) as database:
        store = DatasetStore(database)
        if known := store.find(reading.digest):
            print(harmless(f"These items are kept already, as {known.name}."), file=sys.stderr)
        digest = store.add(reading)
        row = store.get(digest)
    print(digest)
    print(harmless(f"Kept as {row.name}: {row.items:,} items."), file=sys.stderr)
    _say_problems(reading)
    return 0


def _read(arguments: argparse.Namespace) -> Reading:
    columns = dict(map(_column, arguments.column)) or None
    if arguments.file == STDIN:
        return datasets.read_bytes("standard input", sys.stdin.buffer.read(), columns)
    return datasets.read_file(arguments.file, columns)


def _column(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not equals:
        raise InvalidRequest(f"--column {text} names no column.", "Write it as --column question=Frage.")
    return field.strip(), column.strip()


def _say_problems(reading: Reading) -> None:
    """The rows that were left out, the first ones in full."""
    for problem in reading.problems[:SHOWN_PROBLEMS]:
        print(harmless(f"{reading.unit} {problem.line}: {problem.message}"), file=sys.stderr)
    if (more := len(reading.problems) - SHOWN_PROBLEMS) > 0:
        print(f"{more:,} more rows are left out; --json names them all.", file=sys.stderr)


def rename_set(arguments: argparse.Namespace, settings: Settings) -> int:
    """Give a kept set another name."""
    with open_database(settings) as database:
        store = DatasetStore(database)
        row = store.rename(arguments.name, arguments.to)
    print(harmless(f"{row.digest[:DIGEST]} is now {row.name}."))
    return 0


def delete_set(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete a kept set."""
    with open_database(settings) as database:
        store = DatasetStore(database)
        row = store.get(arguments.name)
        store.delete(row.digest)
    print(harmless(f"Deleted {row.name}, {row.items:,} items."))
    return 0
