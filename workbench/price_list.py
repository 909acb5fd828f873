"""Prices as a CSV file, in both directions, and as a person types them."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from workbench.cost import Price
from workbench.errors import InvalidRequest

COLUMNS = ("backend", "model", "currency", "prompt", "cached", "completion")
NEEDED = frozenset(COLUMNS) - {"cached"}
WORDS = {
    "backend": "the backend",
    "model": "the model",
    "currency": "the currency (three letters, such as USD)",
    "prompt": "the price of a million prompt tokens",
    "cached": "the price of a million cached tokens",
    "completion": "the price of a million completion tokens",
}


def price(values: Mapping[str, Any], where: str = "") -> Price:
    """A price from what was typed; empty cells are left out. Raises InvalidRequest that says `where` and what."""
    given = {name: value for name, value in values.items() if value is not None and value != ""}
    try:
        return Price.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        field = str(problem["loc"][0])
        said = "it is missing" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        words = WORDS.get(field, field)
        named = f"{where}: {words}" if where else f"{words[0].upper()}{words[1:]}"
        raise InvalidRequest(
            f"{named} cannot be used: {said}.",
            "A price has a backend, a model, a currency, and amounts per million tokens of prompt and completion.",
        ) from None


def to_csv(prices: Iterable[Price]) -> str:
    """The prices, a line each, under a line with the columns' names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**one.model_dump(), "cached": "" if one.cached is None else one.cached} for one in prices)
    return text.getvalue()


def from_csv(text: str) -> list[Price]:
    """The prices of such a file. Raises InvalidRequest that names the line; then none of them is to be taken."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restval="")
    names = {name.strip() for name in reader.fieldnames or ()}
    if not names >= NEEDED:
        if any(";" in name for name in names):
            raise InvalidRequest(
                "The columns of this file are apart by semicolons.",
                "Save it with commas between the columns, and with a point in the numbers: 0.15.",
            )
        raise InvalidRequest(
            f"The first line does not name the columns {', '.join(sorted(NEEDED - names))}.",
            f"It reads: {','.join(COLUMNS)}",
        )
    found = []
    for row in reader:
        cells = {name.strip(): (value or "").strip() for name, value in row.items() if isinstance(value, str) and name}
        if any(cells.values()):
            found.append(price({name: cells.get(name, "") for name in COLUMNS}, f"Line {reader.line_num}"))
    return without_doubles(found)


def without_doubles(prices: list[Price]) -> list[Price]:
    """The prices, if none of them has two. Raises InvalidRequest."""
    seen: set[tuple[str, str]] = set()
    for one in prices:
        if (one.backend, one.model) in seen:
            raise InvalidRequest(f"{one.model} of {one.backend} has two prices.", "Keep one of them.")
        seen.add((one.backend, one.model))
    return prices
