"""Commands that carry things away and bring them in: bundles of runs and experiments, and training data."""

import argparse
import asyncio
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from workbench import servers
from workbench.backends.base import TellsLicence
from workbench.carry import arriving, leaving, published, training
from workbench.carry.records import Contents, Imported, RunSummary
from workbench.carry.training import Data, Extent, Form, Selection
from workbench.cli.output import local, table
from workbench.cli.stores import open_runs
from workbench.errors import InvalidRequest, StoreError, WorkbenchError
from workbench.settings import Settings
from workbench.store.judged import Source
from workbench.terminal import harmless

SHOWN = 20  # runs of a bundle that are listed
DEFAULT = Selection()


def add_bundle(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`runs bundle`."""
    bundle = commands.add_parser("bundle", help="a run as one file, for another machine")
    bundle.add_argument("id", help="the run's id, or its first 4 characters or more")
    bundle.add_argument("--family", action="store_true", help="with all runs that it comes from or that come from it")
    _output(bundle, required=True)
    bundle.set_defaults(do=bundle_run)


def add_experiment_bundle(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`experiment bundle`."""
    bundle = commands.add_parser("bundle", help="an experiment with its runs as one file, for another machine")
    bundle.add_argument("name", help="the experiment's name or id")
    _output(bundle, required=True)
    bundle.set_defaults(do=bundle_experiment)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`import` and `training`."""
    bring = commands.add_parser("import", help="take in a bundle, or a published log of ReAct or Reflexion")
    bring.add_argument("file", type=Path, help="the bundle")
    bring.add_argument("--dry-run", action="store_true", help="only say what is in it")
    bring.add_argument("--json", action="store_true", help="what is in it and its ids here, as one JSON object")
    bring.set_defaults(do=import_file)
    data = commands.add_parser("training", help="judged runs as training data")
    kinds = data.add_subparsers(required=True, metavar="KIND")
    sft = kinds.add_parser("sft", help="accepted answers, for supervised fine-tuning")
    whole = "final: question and answer; whole: every call of the model"
    sft.add_argument("--extent", choices=get_args(Extent), default="final", help=whole)
    sft.add_argument("--min-score", type=float, default=DEFAULT.min_score, help="accept scores from this one (1)")
    sft.set_defaults(do=make_supervised)
    pairs = kinds.add_parser("preference", help="better and worse answers to the same question")
    pairs.add_argument("--margin", type=float, default=DEFAULT.margin, help="how much better a score must be (0.5)")
    pairs.add_argument("--per-question", type=int, default=DEFAULT.per_question, help="pairs of one question (4)")
    pairs.set_defaults(do=make_preference)
    for kind in (sft, pairs):
        _selecting(kind)


def _selecting(kind: argparse.ArgumentParser) -> None:
    kind.add_argument(
        "--verdict", choices=("good",), help="only what you called good (with the others if they are given)"
    )
    kind.add_argument("--votes", action="store_true", help="only what won a comparison")
    kind.add_argument("--scores", action="store_true", help="only what an experiment scored")
    kind.add_argument("--experiment", default="", metavar="NAME", help="only runs of this experiment")
    kind.add_argument("--imported", action="store_true", help="imported runs and experiments too, which others judged")
    kind.add_argument("--max-tokens", type=int, help="leave out what is longer than about so many tokens")
    kind.add_argument("--form", choices=get_args(Form), default="openai")
    kind.add_argument("--json", action="store_true", help="the report as one JSON object on standard error")
    _output(kind, required=False)


def _output(command: argparse.ArgumentParser, required: bool) -> None:
    where = "the file to write" + ("" if required else " (standard output otherwise)")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", required=required, help=where)


def bundle_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a run, or its whole family, into one file."""
    target = io.BytesIO()
    with open_runs(settings) as store:
        count = leaving.write_run(store, arguments.id, target, arguments.family)
    return _kept(arguments.output, target, _so_many(count, "run"))


def bundle_experiment(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write an experiment into one file."""
    target = io.BytesIO()
    with open_runs(settings) as store:
        count = leaving.write_experiment(store, arguments.name, target)
    return _kept(arguments.output, target, f"The experiment with {_so_many(count, 'run')}")


def _kept(path: Path, target: io.BytesIO, what: str) -> int:
    data = target.getvalue()
    _write(path, data)
    print(f"{what} in {path} ({max(len(data) // 1024, 1):,} KB).", file=sys.stderr)
    return 0


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", "Choose another file.") from None


def import_file(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take a bundle in, or only look into it; a published log of ReAct or Reflexion is taken in as runs."""
    if arguments.file.suffix in (".txt", ".log"):
        return _import_published(arguments, settings)
    imported = None
    try:
        with open_runs(settings) as store, arguments.file.open("rb") as file:
            if arguments.dry_run:
                contents = arriving.inspect(file, store)
            else:
                imported = arriving.import_bundle(store, file)
                contents = imported.contents
    except OSError as error:
        raise InvalidRequest(
            f"{arguments.file} cannot be read: {error.strerror}.", "Give the path of a bundle."
        ) from None
    if arguments.json:
        print(json.dumps(asdict(contents) | _outcome(imported)))
        return 0
    _say_contents(contents)
    _say_outcome(contents, imported)
    return 0


def _import_published(arguments: argparse.Namespace, settings: Settings) -> int:
    """The attempts of a published log as runs, one line each."""
    try:
        data = arguments.file.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{arguments.file} cannot be read: {error.strerror}.", "Give the path of a log.") from None
    found, ids = published.read(data), ("",) * published.MOST
    if not arguments.dry_run:
        with open_runs(settings) as store:
            ids = published.keep(store, data).ids
    rows = [
        {"id": run_id, "question": one.question, "trial": one.trial, "outcome": one.outcome, "answer": one.answer}
        for run_id, one in zip(ids, found, strict=False)
    ]
    if arguments.json:
        for row in rows:
            print(json.dumps(row))
        return 0
    titles = ["ID", "TRIAL", "OUTCOME", "ANSWER", "QUESTION"]
    table(titles, [[str(row[name.lower()]) for name in titles] for row in rows])
    return 0


def _outcome(imported: Imported | None) -> dict[str, object]:
    if imported is None:
        return {"imported": False, "run_ids": []}
    return {"imported": not imported.already, "run_ids": list(imported.run_ids)}


def _say_contents(contents: Contents) -> None:
    what = f"the experiment {contents.experiment} with {contents.cells:,} cells, and " if contents.experiment else ""
    made = f"made by Second Thought {contents.program}, {local(contents.created_at)}"
    print(harmless(f"A bundle of {what}{_so_many(len(contents.runs), 'run')}, {made}."))
    table(["ID THERE", "STATUS", "MACHINE", "MODEL", "QUESTION"], [_cells(run) for run in contents.runs[:SHOWN]])
    if len(contents.runs) > SHOWN:
        print(f"and {len(contents.runs) - SHOWN:,} more")
    for note in contents.notes:
        print(harmless(note), file=sys.stderr)


def _cells(run: RunSummary) -> list[str]:
    model = run.model if len(run.model) <= 24 else f"{run.model[:23]}…"
    return [run.id, run.status, run.machine, model, run.question]


def _say_outcome(contents: Contents, imported: Imported | None) -> None:
    named = [f"the experiment {contents.experiment_here}"] if contents.experiment_here else contents.present.values()
    here = ", ".join(list(named)[:SHOWN])
    if imported is None or imported.already:
        before = f" It has been imported before, as {here}." if contents.is_here else ""
        print(harmless(f"Nothing was imported.{before}"), file=sys.stderr)
    else:
        print(harmless(f"Imported as {here}."), file=sys.stderr)


def make_supervised(arguments: argparse.Namespace, settings: Settings) -> int:
    """Accepted answers as JSON lines."""
    chosen = _selection(arguments, min_score=arguments.min_score)
    with open_runs(settings) as store:
        data = training.supervised(store, chosen, arguments.form, arguments.extent)
    return _deliver(data, arguments, settings, "example")


def make_preference(arguments: argparse.Namespace, settings: Settings) -> int:
    """Pairs of answers as JSON lines."""
    chosen = _selection(arguments, margin=arguments.margin, per_question=arguments.per_question)
    with open_runs(settings) as store:
        data = training.preference(store, chosen, arguments.form)
    return _deliver(data, arguments, settings, "pair")


def _selection(arguments: argparse.Namespace, **more: float) -> Selection:
    named: dict[Source, bool] = {
        "verdict": bool(arguments.verdict),
        "score": arguments.scores,
        "vote": arguments.votes,
    }
    sources = tuple(source for source, wanted in named.items() if wanted) or DEFAULT.sources
    values = {"sources": sources, "experiment": arguments.experiment, "max_tokens": arguments.max_tokens}
    values |= {"imported": arguments.imported}
    try:
        return Selection.model_validate(values | more)
    except ValueError as error:
        problem = error.errors()[0]  # type: ignore[attr-defined]
        name = str(problem["loc"][0]).replace("_", "-")
        raise InvalidRequest(f"--{name}: {problem['msg']}.", "Give another value.") from None


def _deliver(data: Data, arguments: argparse.Namespace, settings: Settings, what: str) -> int:
    licences = data.licences(lambda backend, model: asyncio.run(_licence(backend, model, settings)))
    if arguments.json:
        known = [{"model": model, "licence": one.name, "note": one.note} for model, one in licences]
        report = {"lines": len(data.lines), "runs": len(data.runs), "imported": data.imported}
        print(json.dumps(report | {"left_out": data.left_out, "licences": known}), file=sys.stderr)
    else:
        for line in (
            *_report(data, what),
            *(f"{name}: {one.name or 'licence not known'}. {one.note}" for name, one in licences),
        ):
            print(harmless(line), file=sys.stderr)
    if not data.lines:
        raise InvalidRequest(
            f"There is no {what} to write.", "Mark runs as good, vote in comparisons, or run an experiment."
        )
    if arguments.output is None:
        sys.stdout.write(data.text)
    else:
        _write(arguments.output, data.text.encode())
    return 0


def _report(data: Data, what: str) -> Iterator[str]:
    """How much there is, and what was left out."""
    if data.lines:
        imported = f", {data.imported:,} of them imported" if data.imported else ""
        yield f"{_so_many(len(data.lines), what)} from {_so_many(len(data.runs), 'run')}{imported}."
    for why, count in sorted(data.left_out.items()):
        yield f"Left out ({count:,}): {why}."


async def _licence(backend: str, model: str, settings: Settings) -> str:
    """The licence that the backend itself tells, where it is one that does."""
    try:
        made = servers.made(backend, settings, servers.named(settings))
    except WorkbenchError:
        return ""
    try:
        return await made.licence(model) if isinstance(made, TellsLicence) else ""
    finally:
        await made.close()


def _so_many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
