"""Commands on experiments: run a file, list, show, compare two lanes, export, retry what failed, delete."""

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli.asking import interruptible, open_engine
from workbench.cli.output import FAILED, INTERRUPTED, local, table
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest, StoreError
from workbench.experiments import datasets, plan
from workbench.experiments.reading import Reading
from workbench.experiments.words import duration
from workbench.settings import Settings
from workbench.store import checkpoints
from workbench.store.database import Database
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentRow, ExperimentStore
from workbench.terminal import Progress as Line
from workbench.terminal import harmless

if TYPE_CHECKING:
    from workbench.experiments.results import Results
    from workbench.experiments.sweep import Prepared, Progress, Sweeps

SOME_FAILED = 1
EPILOGUE = (
    "Exit codes: 0 every cell has an answer, 1 some cells failed, 2 usage, 3 the backend or the log failed,"
    " 130 interrupted."
)
LOOK_SECONDS = 0.5
SHOWN_PROBLEMS = 10
TENTHS = 10  # a line each, where standard error is no terminal


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`experiment run`, `list`, `show`, `compare`, `export`, `retry` and `delete`."""
    run = commands.add_parser("run", help="run an experiment, or go on with it", epilog=EPILOGUE)
    run.add_argument("file", type=Path, help="the experiment as YAML; docs/experiment.yaml is one")
    run.set_defaults(do=run_file)
    listing = commands.add_parser("list", help="the newest first")
    listing.set_defaults(do=list_experiments)
    show = commands.add_parser("show", help="each lane's score and cost, and what can be told apart", epilog=EPILOGUE)
    show.set_defaults(do=show_results)
    two = commands.add_parser("compare", help="two lanes on the same items", epilog=EPILOGUE)
    two.set_defaults(do=compare_lanes)
    export = commands.add_parser("export", help="the report as HTML, every answer as CSV", epilog=EPILOGUE)
    export.set_defaults(do=export_results)
    retry = commands.add_parser("retry", help="run the cells that failed again, and those that wait", epilog=EPILOGUE)
    retry.set_defaults(do=retry_errors)
    delete = commands.add_parser("delete", help="delete an experiment and its runs for good")
    delete.set_defaults(do=delete_experiment)
    for command in (show, two, export, retry, delete):
        command.add_argument("name", help="the experiment's name, or its id")
    for side in ("a", "b"):
        two.add_argument(side, help="a lane's name")
    for command in (listing, show, two):
        command.add_argument("--json", action="store_true", help="as JSON")
    export.add_argument("--html", type=Path, metavar="FILE", help="write the report")
    export.add_argument("--csv", type=Path, metavar="FILE", help="write every answer (else to standard output)")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def run_file(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run what of the file's experiment is not done yet, and show its results."""
    wanted = plan.read(arguments.file)
    with open_engine(settings) as engine:
        from workbench.experiments.sweep import Sweeps

        sweeps, sets = Sweeps(engine), DatasetStore(engine.store.database)
        folder = arguments.file.resolve().parent
        reading = _load(wanted.dataset, folder, sets)
        ready = sweeps.prepare(wanted, reading.items, sets.add(reading), folder)
        _say(_announced(wanted.name, ready))
        sweeps.resume(ready.id)
        return _follow(sweeps, ready.id, f"experiment run {arguments.file}", settings)


def _load(ref: str, folder: Path, sets: DatasetStore) -> Reading:
    """The plan's data set; a path is seen from the plan's folder. Says which rows were left out."""
    is_named = datasets.shipped_set(ref) is not None or sets.find(ref) is not None
    reading = datasets.load(ref if is_named else _from(folder, ref), sets)
    for problem in reading.problems[:SHOWN_PROBLEMS]:
        _say(f"{reading.source}, {reading.unit} {problem.line} is left out: {problem.message}.")
    if more := len(reading.problems) - SHOWN_PROBLEMS:
        _say(f"{more} more are left out." if more > 0 else "")
    return reading


def _from(folder: Path, ref: str) -> str:
    path = folder / Path(ref).expanduser()
    return str(path) if path.is_file() else ref


def _announced(name: str, ready: "Prepared") -> str:
    total = ready.kept + ready.added
    said = f"{name}: {total} cells."
    if ready.kept or ready.removed:
        said += f" {ready.kept} are kept from before, {ready.added} are new, {ready.removed} have gone."
    return said


def _follow(sweeps: "Sweeps", experiment: str, again: str, settings: Settings) -> int:
    """Show how far it is until its end, then its results. Ctrl+C or a SIGTERM stops it: it can go on later."""
    line = Line(sys.stderr)
    with interruptible():
        try:
            while not sweeps.wait(experiment, LOOK_SECONDS):
                _show(line, sweeps.progress(experiment))
        except KeyboardInterrupt:
            sweeps.stop(experiment)
            far = sweeps.progress(experiment)
            line.say(f"Stopped with {far.done} of {far.cells} cells done. To go on: python -m workbench {again}")
            return INTERRUPTED
    far = sweeps.progress(experiment)
    line.say(_told(far))
    found = _opened(sweeps.engine.store.database, experiment)
    _print_results(found)
    if far.waiting:
        line.say(f"It has stopped: {far.reason} To go on: python -m workbench {again}")
        return FAILED
    return _code(found.row)


def _show(line: Line, far: "Progress") -> None:
    tenth = TENTHS * (far.done + far.errors) // max(far.cells, 1)
    line.show(f"{tenth}", _told(far)[: shutil.get_terminal_size((120, 24)).columns - 1])


def _told(far: "Progress") -> str:
    """How far it is, in a line."""
    scores = [f"{lane.name} {lane.score:.0%}" for lane in far.lanes if lane.score is not None]
    parts = [
        f"{far.done} of {far.cells} done",
        f"{far.errors} failed" if far.errors else "",
        f"about {duration(far.seconds_left)} left" if far.seconds_left else "",
        f"{far.tokens:,} tokens",
        ", ".join(scores),
    ]
    return " · ".join(filter(None, parts))


@dataclass(frozen=True)
class _Opened:
    """An experiment with its results."""

    row: ExperimentRow
    results: "Results"


def _opened(database: Database, name: str) -> _Opened:
    from workbench.experiments.kept import results_of

    row = ExperimentStore(database).get(name)
    return _Opened(row, results_of(row, database))


def _code(row: ExperimentRow) -> int:
    return SOME_FAILED if row.errors else 0


def list_experiments(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per experiment."""
    with open_database(settings) as database:
        store = ExperimentStore(database)
        rows = store.experiments()
    if arguments.json:
        for row in rows:
            print(json.dumps(asdict(row) | {"plan": row.plan.model_dump(mode="json")}))
        return 0
    shown = [
        [row.id, local(row.created_at), row.status, f"{row.done}/{row.cells}", str(row.errors), row.name]
        for row in rows
    ]
    table(["ID", "MADE", "STATUS", "DONE", "ERRORS", "NAME"], shown)
    if not rows:
        _say("No experiments. `python -m workbench experiment run docs/experiment.yaml` runs one.")
    return 0


def show_results(arguments: argparse.Namespace, settings: Settings) -> int:
    """Each lane's score with its interval, cost, and each pair's test."""
    from workbench.experiments.results import to_json

    with open_database(settings) as database:
        found = _opened(database, arguments.name)
    if arguments.json:
        print(json.dumps({"id": found.row.id, "status": found.row.status, **to_json(found.results)}, indent=2))
    else:
        _print_results(found)
    return _code(found.row)


def _print_results(found: _Opened) -> None:
    """The results as tables and sentences."""
    row, results = found.row, found.results
    seeds = f", {len(results.seeds)} seeds" if len(results.seeds) > 1 else ""
    print(harmless(f"{row.name} · {row.status} · {results.dataset}, {results.items} items{seeds} · {results.scorer}"))
    lanes = [
        [
            lane.name,
            str(lane.n),
            "" if lane.score is None else results.scale.score(lane.score),
            "" if lane.low is None or lane.high is None else results.scale.span(lane.low, lane.high),
            str(lane.errors),
            f"{lane.tokens:,}",
            f"{lane.seconds:.1f}",
            lane.feedback,
        ]
        for lane in results.lanes
    ]
    table(["LANE", "N", "SCORE", "95%", "ERRORS", "TOKENS", "SECONDS", "FEEDBACK"], lanes)
    if results.calibrations:
        from workbench.experiments.report import calibrated

        sure = [[one.name, *calibrated(one), one.what] for one in results.calibrations]
        table(
            ["LANE", "ANSWERS", "SURE", "RIGHT", "CALIBRATION ERROR (95%)", "BY CHANCE", "BRIER", "ITS CONFIDENCE"],
            sure,
        )
    verdicts = [pair.verdict for pair in results.pairs] + [one.verdict for one in results.calibrations]
    for said in (*verdicts, *results.notes):
        print(harmless(said))
    if row.reason:
        print(harmless(f"It has stopped: {row.reason}"))


def compare_lanes(arguments: argparse.Namespace, settings: Settings) -> int:
    """One lane against another on the items that both have finished."""
    from workbench.experiments.results import to_json

    with open_database(settings) as database:
        found = _opened(database, arguments.name)
    try:
        pair = found.results.pair(arguments.a, arguments.b)
    except KeyError:
        known = ", ".join(lane.name for lane in found.results.lanes)
        raise InvalidRequest("These are no two lanes of it.", f"Its lanes are: {known}.") from None
    if arguments.json:
        print(json.dumps(to_json(replace(found.results, pairs=(pair,)))["pairs"][0], indent=2))
    else:
        print(harmless(pair.verdict))
        values: dict[str, object] = {"items": pair.n, "better": pair.wins, "worse": pair.losses, "equal": pair.ties}
        values |= {
            "p": pair.p,
            "p (Holm)": pair.p_holm,
            "items for 80% power": pair.needed_corrected,
            "test": pair.method,
        }
        for name, value in values.items():
            if value not in (None, ""):
                print(f"{name:<22}{harmless(str(value))}")
    return _code(found.row)


def export_results(arguments: argparse.Namespace, settings: Settings) -> int:
    """The report into an HTML file, every answer into a CSV one or to standard output."""
    from workbench.experiments import report

    with open_database(settings) as database:
        found = _opened(database, arguments.name)
    if arguments.html is not None:
        _write(arguments.html, report.html(found.results, local(found.row.created_at)))
    if arguments.csv is not None:
        _write(arguments.csv, report.csv(found.results))
    elif arguments.html is None:
        sys.stdout.write(report.csv(found.results))
    return _code(found.row)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", "Choose another file.") from None
    _say(f"Written: {path}")


def retry_errors(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the cells that failed again, and those that still wait, without the plan's file."""
    with open_engine(settings) as engine:
        from workbench.experiments.sweep import Sweeps

        sweeps = Sweeps(engine)
        row = sweeps.store.get(arguments.name)
        if row.errors + row.done == row.cells and not row.errors:
            _say(f"No cell of {row.name} has failed or waits.")
            return 0
        if row.errors:
            _say(f"{sweeps.retry_errors(row.id)} cells are run again.")
        else:
            sweeps.resume(row.id)
        return _follow(sweeps, row.id, f'experiment retry "{row.name}"', settings)


def delete_experiment(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete an experiment after asking."""
    with open_database(settings) as database:
        store = ExperimentStore(database)
        row = store.get(arguments.name)
        if not arguments.yes and not _agreed(row):
            _say("Nothing was deleted.")
            return 0
        runs = store.delete(row.id)
        checkpoints.forget(settings.home, *runs)
    _say(f"The experiment {row.name} and {len(runs)} of its runs were deleted.")
    return 0


def _agreed(row: ExperimentRow) -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("An experiment is deleted for good.", "Add --yes to say that you mean it.")
    print(
        harmless(f"Delete {row.name} with its {row.cells} cells for good? [y/N] "), end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(text: str) -> None:
    if text:
        print(harmless(text), file=sys.stderr)
