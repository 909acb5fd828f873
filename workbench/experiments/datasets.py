"""Data sets: read from a file, an upload or a paste, shown before they are accepted, and found again by name."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from workbench.errors import InvalidRequest
from workbench.experiments import dataset_columns as tables
from workbench.experiments import dataset_rows as files
from workbench.experiments.dataset_columns import Unfit
from workbench.experiments.dataset_rows import Row, Rows
from workbench.experiments.model import Item
from workbench.experiments.readers import recognised
from workbench.experiments.reading import Column, Problem, Reading, Unit, digest_of
from workbench.experiments.shipped import NAMES, SHIPPED, ShippedSet
from workbench.request import MAX_QUESTION_BYTES
from workbench.store.datasets import DatasetStore

__all__ = [
    "SHIPPED",
    "Column",
    "DatasetStore",
    "Problem",
    "Reading",
    "ShippedSet",
    "Unit",
    "load",
    "read_bytes",
    "read_file",
    "read_shipped",
    "read_text",
    "shipped_set",
]

LONGEST_ANSWER = 20_000
LONGEST_TESTS = 100_000
LONGEST_TAG = 200
LONGEST_NAME = 120
MOST_ALIASES = 100
SHOWN_PROBLEMS = 3


class Reader(Protocol):
    """Makes items out of rows: one for each published form, and one for tables of any other kind."""

    @property
    def form(self) -> str:
        """The form's name."""

    def taken_as(self, column: str) -> str:
        """What a column becomes; empty when it is left out."""

    def draft(self, row: Row) -> dict[str, Any]:
        """A row as the fields of an item. Raises Unfit."""


def read_file(path: str | Path, columns: Mapping[str, str] | None = None) -> Reading:
    """The data set in a file: JSONL, JSON, CSV, TSV or Parquet, or any of the texts as .gz.

    `columns` maps fields of an item to the columns that they come from ("" for none); others go by their names, and
    no published form is looked for. Raises InvalidRequest when nothing can be read.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InvalidRequest(f"{path} is no file.", "Give the path of a JSONL, CSV or Parquet file.")
        if path.stat().st_size > files.MOST_BYTES:
            raise InvalidRequest(f"{path} is larger than {files.MOST_BYTES // 2**20} MB.", files.SPLIT_IT)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}.", "Check its path and permissions.") from None
    return read_bytes(path.name, data, columns)


def read_bytes(name: str, data: bytes, columns: Mapping[str, str] | None = None) -> Reading:
    """The data set in a file's bytes; as `read_file`."""
    return _read(_own_name(name), name, files.from_bytes(name, data, _known(columns)), columns)


def read_text(text: str, columns: Mapping[str, str] | None = None) -> Reading:
    """The data set in a text that was pasted: JSONL, a JSON list, or a table with a header; as `read_file`."""
    if len(text.encode(errors="replace")) > files.MOST_BYTES:
        raise InvalidRequest("This text is too long to paste.", "Save it as a file and choose that.")
    return _read("pasted", "pasted", files.from_text("The text", text, _known(columns)), columns)


def read_shipped(shipped: ShippedSet) -> Reading:
    """A set that comes with the program."""
    name = shipped.file.name
    return _read(shipped.name, "shipped", files.from_bytes(name, shipped.file.read_bytes(), _known(None)), None)


def shipped_set(name: str) -> ShippedSet | None:
    """The shipped set of this name."""
    return next((shipped for shipped in SHIPPED if shipped.name == name), None)


def load(ref: str, store: DatasetStore | None = None) -> Reading:
    """The data set that `ref` names: a shipped set, a kept one by name or beginning of its digest, or a file's path.

    Raises InvalidRequest that lists what there is.
    """
    if shipped := shipped_set(ref):
        return read_shipped(shipped)
    if store is not None and (row := store.find(ref)):
        items = store.items(row.digest)
        return Reading(row.name, row.source, "kept", items, row.digest)
    if Path(ref).is_file():
        return read_file(ref)
    kept = [row.name for row in store.list()] if store else []
    there = ", ".join([*NAMES, *(name for name in kept if name not in NAMES)][:20])
    raise InvalidRequest(f"There is no data set {ref!r}.", f"Give a file's path, or one of: {there}.")


def _known(columns: Mapping[str, str] | None) -> Any:
    chosen = set((columns or {}).values())
    return lambda name: name.strip() in chosen or tables.is_known(name)


def _own_name(file: str) -> str:
    """A file's name as a set's: without its ending, and never that of a shipped set."""
    stem = re.sub(r"\.(jsonl?|ndjson|csv|tsv|txt|parquet)?(\.gz)?$", "", Path(file).name, flags=re.IGNORECASE)
    name = " ".join("".join(sign if sign.isprintable() else " " for sign in stem).split())[:LONGEST_NAME] or "data set"
    return f"{name} (own)" if name in NAMES else name


def _read(name: str, source: str, found: Rows, columns: Mapping[str, str] | None) -> Reading:
    """Recognise the rows' form, and make items of those that fit it."""
    if not found.rows:
        raise _nothing(source, found.problems, found.unit)
    names = files.columns_of(found.rows, source)
    reader: Reader | None = None if columns else recognised(found.rows)
    reader = reader or tables.table(found.form, names, found.rows, columns or {})
    drafts, problems = _drafts(found, reader)
    items, lacking = _complete(drafts)
    problems = sorted([*found.problems, *problems, *lacking], key=lambda problem: problem.line)
    if not items:
        raise _nothing(source, problems, found.unit)
    described = tables.described(names, found.rows, {column: reader.taken_as(column) for column in names})
    return Reading(name, source, reader.form, items, digest_of(items), described, tuple(problems), found.unit)


def _nothing(source: str, problems: list[Problem], unit: Unit) -> InvalidRequest:
    """That no row can be used, and why the first ones cannot."""
    if not problems:
        return InvalidRequest(f"{source} has no rows.", "Give one question a line, as JSONL or CSV.")
    first = "; ".join(f"{unit} {problem.line}: {problem.message}" for problem in problems[:SHOWN_PROBLEMS])
    more = "; and so on" if len(problems) > SHOWN_PROBLEMS else ""
    return InvalidRequest(f"No row of {source} can be used: {first}{more}.", "Correct the file and read it again.")


def _drafts(found: Rows, reader: Reader) -> tuple[list[tuple[int, Item]], list[Problem]]:
    """The rows that are items, each with its line, and why the others are none."""
    drafts: list[tuple[int, Item]] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for row in found.rows:
        try:
            item = _item(reader.draft(row))
            if item.id in lines:
                raise Unfit(f"its id, {tables.shortened(item.id, 40)}, is that of {found.unit} {lines[item.id]} too")
        except Unfit as unfit:
            problems.append(Problem(row.line, str(unfit)))
        else:
            lines[item.id] = row.line
            drafts.append((row.line, item))
    return drafts, problems


def _item(fields: dict[str, Any]) -> Item:
    """An item whose every text can be kept and asked. Raises Unfit."""
    for name, text in _texts(fields):
        if "\x00" in text:
            raise Unfit(f"its {name} contains a NUL character")
        if not text.isascii() and _is_broken(text):
            raise Unfit(f"its {name} contains half of a surrogate pair, which is no character")
    if not fields["question"]:
        raise Unfit("it has no question")
    item = Item(**fields)
    for name, length, most in _lengths(item):
        if length > most:
            raise Unfit(f"its {name} is too long: {length:,}; {most:,} fit")
    if item.entry_point and not item.entry_point.isidentifier():
        raise Unfit(f"its entry point, {tables.shortened(item.entry_point, 40)}, is no name of a function")
    return item


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _texts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        for text in [value] if isinstance(value, str) else value:
            yield name, text


def _lengths(item: Item) -> Iterator[tuple[str, int, int]]:
    """What may not be too long: what it is, how long it is, and how long it may be."""
    yield "question, in bytes and with its context and choices,", len(item.asked.encode()), MAX_QUESTION_BYTES
    yield "answer, in characters,", max(map(len, (item.answer, *item.aliases))), LONGEST_ANSWER
    yield "list of other answers", len(item.aliases), MOST_ALIASES
    yield "tests, in characters,", len(item.tests), LONGEST_TESTS
    yield "id, in characters,", len(item.id), LONGEST_TAG
    yield "longest tag, in characters,", max(map(len, item.tags), default=0), LONGEST_TAG


def _complete(drafts: list[tuple[int, Item]]) -> tuple[tuple[Item, ...], list[Problem]]:
    """The items that can be graded as the others are, and why the rest cannot; a set without any answers is whole."""
    graded = Counter(bool(item.answer or item.tests) for _, item in drafts)
    if not graded[True]:
        return tuple(item for _, item in drafts), []
    missing = "answer" if any(item.answer for _, item in drafts) else "tests"
    kept = tuple(item for _, item in drafts if item.answer or item.tests)
    return kept, [Problem(line, f"it has no {missing}") for line, item in drafts if not (item.answer or item.tests)]
