"""Commands on what runs cost: seconds, energy, money, and the prices that the person has set."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from workbench import energy, price_list
from workbench.backends.registry import BACKENDS
from workbench.backends.servers import kind_of
from workbench.cli.output import local, table
from workbench.cli.stores import open_database
from workbench.cli.structured import since
from workbench.cost import By, Price, PriceList, Spent, Sum, spent
from workbench.cost import energy as as_energy
from workbench.errors import InvalidRequest, StoreError
from workbench.settings import Settings
from workbench.store.costs import run_costs
from workbench.store.prices import PriceStore

UNKNOWN = "-"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models cost` and `models prices`."""
    cost = commands.add_parser("cost", help="seconds, energy and money of all runs")
    cost.add_argument("--by", default="machine and model", choices=get_args(By))
    cost.add_argument("--backend", default="")
    cost.add_argument("--since", default="", metavar="DATE", help="only runs from then on: 2026-11-23")
    cost.add_argument("--json", action="store_true", help="one JSON object a line")
    cost.set_defaults(do=show_cost)
    prices = commands.add_parser("prices", help="list, set, remove, export and import prices per million tokens")
    _add_prices(prices.add_subparsers(required=True, metavar="COMMAND"))


def _add_prices(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    listing = commands.add_parser("list", help="the prices that hold now")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_prices)
    setting = commands.add_parser("set", help="set a price; it holds for all runs, earlier ones too")
    removing = commands.add_parser("remove", help="forget a price")
    for command in (setting, removing):
        command.add_argument("backend", help="openai, or a named server: openai@lab")
        command.add_argument("model", help="its name; a * at the end stands for all that begin so")
    setting.add_argument("--currency", required=True, help="three letters, such as USD")
    for name in ("prompt", "completion", "cached"):
        words = "prompt tokens that it had kept; as the prompt otherwise" if name == "cached" else f"{name} tokens"
        setting.add_argument(f"--{name}", type=float, required=name != "cached", help=f"for a million {words}")
    setting.set_defaults(do=set_price)
    removing.set_defaults(do=remove_price)
    export = commands.add_parser("export", help="the prices as a CSV file")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
    export.set_defaults(do=export_prices)
    taking = commands.add_parser("import", help="add the prices of such a file, in place of those of the same models")
    taking.add_argument("file", type=Path)
    taking.set_defaults(do=import_prices)


def show_cost(arguments: argparse.Namespace, settings: Settings) -> int:
    """What runs have cost, summed up."""
    with open_database(settings) as database:
        runs = run_costs(database, since(arguments.since), arguments.backend)
        found = spent(runs, PriceList(PriceStore(database).all()), arguments.by)
    if arguments.json:
        for one in found:
            print(json.dumps(asdict(one)))
        return 0
    names = {"machine": ["MACHINE"], "model": ["MODEL"], "day": ["DAY"]}.get(arguments.by, ["MACHINE", "MODEL"])
    titles = [*names, "RUNS", "LOAD", "PREFILL", "DECODE", "TOKENS IN", "CACHED", "OUT", "ENERGY", "MONEY"]
    table(titles, [_cells(one) for one in found])
    if not found:
        print("No run has called a model yet.", file=sys.stderr)
    if as_of := max((money.as_of for one in found for money in one.money), default=""):
        print(f"Money: at the prices of {as_of}; they are applied to all runs.", file=sys.stderr)
    source = energy.find()
    print(f"Energy: {source.says} {source.hint}".rstrip(), file=sys.stderr)
    return 0


def _cells(one: Spent) -> list[str]:
    model = f"{one.model} ({one.backend})" if one.model else ""
    tokens = [f"{number:,}" for number in (one.prompt_tokens, one.cached_tokens, one.completion_tokens)]
    money = " + ".join(map(str, one.money)) + (f" ({one.unpriced:,} without)" if one.unpriced else "")
    used = UNKNOWN if one.joules.total is None else as_energy(one.joules.total) + _of(one.joules, one.runs)
    seconds = [_seconds(part, one.runs) for part in (one.load, one.prefill, one.decode)]
    names = [name for name in (one.machine, model, one.day) if name]
    return [*names, f"{one.runs:,}", *seconds, *tokens, used, money if one.money else UNKNOWN]


def _seconds(part: Sum, runs: int) -> str:
    return UNKNOWN if part.total is None else f"{part.total:,.1f} s" + _of(part, runs)


def _of(part: Sum, runs: int) -> str:
    """How many of the runs told, where not all did."""
    return f" ({part.known:,} of {runs:,})" if part.known < runs else ""


def list_prices(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per price."""
    with open_database(settings) as database:
        prices = PriceStore(database).all()
    if arguments.json:
        for price in prices:
            print(price.model_dump_json())
        return 0
    table(["BACKEND", "MODEL", "CURRENCY", "PROMPT", "CACHED", "COMPLETION", "SET"], _rows(prices))
    if not prices:
        print("No prices are set. `models prices set` sets one, per million tokens.", file=sys.stderr)
    return 0


def _rows(prices: Sequence[Price]) -> list[list[str]]:
    return [
        [
            price.backend,
            price.model,
            price.currency,
            f"{price.prompt:g}",
            "as prompt" if price.cached is None else f"{price.cached:g}",
            f"{price.completion:g}",
            local(price.updated_at),
        ]
        for price in prices
    ]


def set_price(arguments: argparse.Namespace, settings: Settings) -> int:
    """Set one price."""
    if kind_of(arguments.backend) not in BACKENDS:
        raise InvalidRequest(f"There is no backend named {arguments.backend!r}.", f"There are: {', '.join(BACKENDS)}.")
    price = price_list.price({name: getattr(arguments, name) for name in price_list.COLUMNS})
    with open_database(settings) as database:
        PriceStore(database).keep([price])
    return 0


def remove_price(arguments: argparse.Namespace, settings: Settings) -> int:
    """Forget one price."""
    with open_database(settings) as database:
        if not PriceStore(database).remove(arguments.backend, arguments.model):
            raise InvalidRequest(
                f"{arguments.model} of {arguments.backend} has no price.", "`models prices list` shows those there are."
            )
    return 0


def export_prices(arguments: argparse.Namespace, settings: Settings) -> int:
    """The prices as CSV, to standard output or a file."""
    with open_database(settings) as database:
        text = price_list.to_csv(PriceStore(database).all())
    if arguments.output is None:
        print(text, end="")
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{arguments.output} cannot be written: {error.strerror}.", "Choose another file.") from None
    return 0


def import_prices(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take in a CSV file, all of it or nothing."""
    try:
        prices = price_list.from_csv(arguments.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{arguments.file} cannot be read: {error}.", "Save it as UTF-8 text.") from None
    with open_database(settings) as database:
        PriceStore(database).keep(prices)
    print(f"{len(prices)} {'price was' if len(prices) == 1 else 'prices were'} set.", file=sys.stderr)
    return 0
