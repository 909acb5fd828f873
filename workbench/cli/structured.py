"""Commands on structured answers: how often they fit their schemas, and what was wrong with those that did not."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from workbench.cli.output import local, table
from workbench.cli.stores import open_runs
from workbench.errors import InvalidRequest
from workbench.experiments.statistics import wilson
from workbench.moments import in_utc
from workbench.schema_answers import KINDS, Rate, SchemaAnswer, Story
from workbench.settings import Settings
from workbench.store.runs import RunStore
from workbench.store.schema_answers import AT_ONCE, Chosen, SchemaAnswers
from workbench.terminal import Progress, harmless

TITLES = ["MODEL", "BACKEND", "SCHEMA", "ASKED", "AT FIRST", "AFTER A RETRY", "GIVEN UP", "WRONG"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models answers`."""
    answers = commands.add_parser("answers", help="how often answers fit their schemas, over all runs")
    for name, words in (("backend", ""), ("model", ""), ("machine", ""), ("schema", "its title")):
        answers.add_argument(f"--{name}", default="", help=words or None)
    answers.add_argument("--kind", default="", choices=sorted(KINDS), help="what was wrong")
    answers.add_argument("--since", default="", metavar="DATE", help="only runs from then on: 2026-11-23")
    answers.add_argument("--failures", type=_number, default=0, metavar="N", help="also the last N that were not valid")
    answers.add_argument("--json", action="store_true", help="one JSON object a line")
    answers.set_defaults(do=show_answers)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 on")
    return int(text)


def show_answers(arguments: argparse.Namespace, settings: Settings) -> int:
    """The rates, then the failures that are asked for."""
    chosen = Chosen(
        backend=arguments.backend,
        model=arguments.model,
        machine=arguments.machine,
        schema=arguments.schema,
        kind=arguments.kind,
        since=since(arguments.since),
    )
    with open_runs(settings) as store:
        found = SchemaAnswers(store.database)
        _catch_up(found)
        rates, failures = found.rates(chosen), found.failures(chosen, arguments.failures)
        if arguments.json:
            _print_json(rates, failures, found, store)
        else:
            _print(rates, failures, found, store)
    if not rates:
        print("No answer that had to fit a schema is on the log.", file=sys.stderr)
    return 0


def since(text: str) -> str:
    """A day or a moment as the log has it; empty for none. Raises InvalidRequest."""
    if not text:
        return ""
    try:
        return in_utc(datetime.fromisoformat(text).astimezone().isoformat())
    except (ValueError, OSError):
        raise InvalidRequest(f"{text!r} is no date.", "Write it as 2026-11-23.") from None


def _catch_up(found: SchemaAnswers) -> None:
    """Read the logs that have grown; how far it is on standard error when it takes a while."""
    line = Progress(sys.stderr)
    for done, total in found.catch_up():
        if total > AT_ONCE:
            line.show(f"{10 * done // total}", f"Reading the logs: {done:,} of {total:,} runs.")
    line.clear()
    for run_id in sorted(found.unreadable):
        print(f"The log of run {run_id} cannot be read: `python -m workbench doctor` checks it.", file=sys.stderr)


def _print(rates: Sequence[Rate], failures: Sequence[SchemaAnswer], found: SchemaAnswers, store: RunStore) -> None:
    table(TITLES, [_cells(rate) for rate in rates])
    for row in failures:
        print(harmless(f"\n{KINDS[row.kind].title}: {row.model}, {row.schema}, attempt {row.attempt}"))
        print(harmless(f"  run {row.run_id}, event {row.seq}, {local(row.created_at)}"))
        told = found.story(store, row)
        lines = [f"wrong: {row.wrong}", f"hint:  {KINDS[row.kind].hint}", *(_lines(told) if told else [])]
        print("\n".join(harmless(f"  {line}") for line in lines))


def _lines(told: Story) -> list[str]:
    then = {"not mended": f"its next answer was not valid either: {told.next_wrong}", "mended": "mended"}
    then |= {"given up": "given up", "stopped": "the run ended before it was asked again"}
    said = [f"told:  {told.told}"] if told.told else []
    return [*said, f"then:  {then[told.then]}", *(f"| {line}" for line in (told.text or "(nothing)").splitlines())]


def _cells(rate: Rate) -> list[str]:
    worst = ", ".join(f"{number:,} {KINDS[kind].title.lower()}" for kind, number in rate.kinds.items())
    schema = rate.schema if rate.constrained else f"{rate.schema} (told in the prompt)"
    shares = [f"{rate.first:,}{_share(rate.first, rate.asked)}", f"{rate.mended:,}", f"{rate.given_up:,}"]
    return [rate.model, rate.backend, schema, f"{rate.asked:,}", *shares, worst]


def _share(part: int, whole: int) -> str:
    """The share with its 95% interval; empty where there is nothing to have a share of."""
    if not whole:
        return ""
    low, high = wilson(part, whole)
    return f" = {part / whole:.0%} ({100 * low:.0f} to {100 * high:.0f})"


def _print_json(rates: Sequence[Rate], failures: Sequence[SchemaAnswer], found: SchemaAnswers, store: RunStore) -> None:
    for rate in rates:
        interval = wilson(rate.first, rate.asked) if rate.asked else None
        print(json.dumps({"record": "rate", **asdict(rate), "first_interval": interval}))
    for row in failures:
        told = found.story(store, row)
        print(json.dumps({"record": "failure", **asdict(row), "story": asdict(told) if told else None}))
