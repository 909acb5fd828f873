"""What was read as a data set, before it is accepted: its items, its columns, its bad rows, and its digest."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from workbench.experiments.model import Item

Unit = Literal["line", "row", "item"]


@dataclass(frozen=True)
class Problem:
    """Why a row was kept out. `line` counts from 1; `Reading.unit` says what it counts."""

    line: int
    message: str


@dataclass(frozen=True)
class Column:
    """A column as it was found: its name, what kind of values it has, one of them cut short, and what it becomes.

    `taken_as` is a field of an item, with a note where the value was changed; empty where the column is left out.
    """

    name: str
    kind: str
    example: str
    taken_as: str = ""


@dataclass(frozen=True)
class Reading:
    """A data set as it was read: `name` to keep it by, `source` where it came from, `form` how it was written.

    `digest` is SHA-256 over the items in their order, in hexadecimal: the same items have the same digest whatever
    file and format they came in. `unit` is what the problems' numbers count: lines of a text, rows of a Parquet file,
    or items of a JSON list that is written on one line.
    """

    name: str
    source: str
    form: str
    items: tuple[Item, ...]
    digest: str
    columns: tuple[Column, ...] = ()
    problems: tuple[Problem, ...] = ()
    unit: Unit = "line"


def digest_of(items: Iterable[Item]) -> str:
    """SHA-256 over the items' canonical JSON, one a line: keys in order, no spaces, UTF-8."""
    found = hashlib.sha256()
    for item in items:
        found.update(canonical(item).encode() + b"\n")
    return found.hexdigest()


def canonical(item: Item) -> str:
    """An item as JSON with its fields in alphabetical order and what is empty left out.

    Leaving out what is empty keeps the digests of old sets when items get a new field.
    """
    filled = {name: value for name, value in item.model_dump().items() if value}
    return json.dumps(filled, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
