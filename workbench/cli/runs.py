"""Commands on the runs that there are: list, show, export, compare, delete."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from workbench import differences
from workbench.cli.output import local, table
from workbench.cli.stores import open_runs
from workbench.compare import NEEDED, compare
from workbench.errors import InvalidRequest, StoreError
from workbench.events import to_json
from workbench.settings import Settings
from workbench.store import checkpoints
from workbench.store.runs import STATUSES, RunRow
from workbench.terminal import Transcript, harmless, how_to_go_on

DIFFERENT = 1
DIFF_EPILOGUE = "Exit codes: 0 no difference, 1 they differ, 2 usage, 3 the log failed or there is no such run."


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`runs list`, `show`, `export`, `diff` and `delete`."""
    listing = commands.add_parser("list", help="the newest first")
    listing.add_argument("--search", default="", help="words in question or answer")
    listing.add_argument("--status", default="", choices=STATUSES)
    listing.add_argument("--machine", default="")
    listing.add_argument("--limit", type=_positive, default=50)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_runs)
    show = commands.add_parser("show", help="a run's text")
    show.set_defaults(do=show_run)
    export = commands.add_parser("export", help="a run's events, one JSON object a line")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
    export.set_defaults(do=export_run)
    diff = commands.add_parser("diff", help="lay two runs side by side", epilog=DIFF_EPILOGUE)
    for side in ("a", "b"):
        diff.add_argument(side, help="a run's id, or its first 4 characters or more")
    diff.add_argument("--json", action="store_true", help="a summary, then every step, one JSON object a line")
    diff.set_defaults(do=diff_runs)
    delete = commands.add_parser("delete", help="delete a run for good")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.set_defaults(do=delete_run)
    for command in (show, export, delete):
        command.add_argument("id", help="the run's id, or its first 4 characters or more")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def list_runs(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per run."""
    chosen = {"search": arguments.search, "status": arguments.status, "machine": arguments.machine}
    with open_runs(settings) as store:
        rows, total = store.runs(**chosen, limit=arguments.limit), store.count(**chosen)
    if arguments.json:
        for row in rows:
            print(json.dumps(asdict(row)))
        return 0
    table(["ID", "STARTED", "STATUS", "MACHINE", "MODEL", "SECONDS", "QUESTION"], [_cells(row) for row in rows])
    if not rows:
        print("No runs." if not any(chosen.values()) else "No run fits.", file=sys.stderr)
    elif total > len(rows):
        print(f"{len(rows)} of {total} runs; --limit shows more.", file=sys.stderr)
    return 0


def _cells(row: RunRow) -> list[str]:
    model = row.model if len(row.model) <= 24 else row.model[:23] + "…"
    return [row.id, local(row.created_at), row.status, row.machine, model, f"{row.seconds:.1f}", row.question]


def show_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """A run's text, as it was seen live."""
    with open_runs(settings) as store:
        row = store.run(arguments.id)
        events = store.events(row.id)
    print(harmless(f"{row.machine_title} · {row.backend} · {row.model} · {local(row.created_at)} · {row.status}"))
    print(harmless(row.question))
    with open(os.devnull, "w") as nowhere:
        transcript = Transcript(err=nowhere)
        for event in events:
            transcript.take(event)
    ending = transcript.view.finished
    if ending is not None and ending.error is not None:
        print(harmless(f"\n{ending.error.message}\n{ending.error.hint}".rstrip()))
    if row.foreign_id and row.status == "interrupted":
        print(f"\nThis run had not ended when it was exported. Again: python -m workbench runs again {row.id}")
    elif ways := how_to_go_on(transcript.view):
        print(f"\n{ways}")
    elif row.status == "interrupted":
        print(f"\nThe program ended before this run did. To go on: python -m workbench runs resume {row.id}")
    return 0


def export_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """A run's events as JSON lines, to standard output or a file."""
    with open_runs(settings) as store:
        row = store.run(arguments.id)
        lines = [to_json(event) + "\n" for event in store.events(row.id)]
    if arguments.output is None:
        sys.stdout.writelines(lines)
        return 0
    try:
        arguments.output.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{arguments.output} cannot be written: {error.strerror}.", "Choose another file.") from None
    print(f"{len(lines)} events of run {row.id} are in {arguments.output}.", file=sys.stderr)
    return 0


def diff_runs(arguments: argparse.Namespace, settings: Settings) -> int:
    """Where two runs differ, and first."""
    with open_runs(settings) as store:
        logs = [store.events(store.run(run_id).id, kinds=NEEDED) for run_id in (arguments.a, arguments.b)]
    comparison = compare(*logs)
    if arguments.json:
        for record in differences.records(comparison):
            print(json.dumps(record))
    else:
        for line in differences.lines(comparison):
            print(harmless(line))
    return 0 if comparison.is_same else DIFFERENT


def delete_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete a run after asking."""
    with open_runs(settings) as store:
        row = store.run(arguments.id)
        if not arguments.yes and not _agreed(row):
            print("Nothing was deleted.", file=sys.stderr)
            return 0
        store.delete(row.id)
        checkpoints.forget(settings.home, row.id)
    print(f"Run {row.id} was deleted.", file=sys.stderr)
    return 0


def _agreed(row: RunRow) -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("A run is deleted for good.", "Add --yes to say that you mean it.")
    question = " ".join(harmless(row.question).split())
    print(f"Delete the run {row.id} ({question[:60]}) for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
