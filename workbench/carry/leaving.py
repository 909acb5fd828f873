"""Export: runs, or an experiment with its runs, as one file that holds all that is needed to look at them elsewhere."""

import io
import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import IO

from pydantic import BaseModel, ValidationError

from agents import catalogue
from workbench import __version__, prompts
from workbench.carry import archive
from workbench.carry.records import MOST_RUNS, ExperimentRecord, PromptRecord, RunRecord
from workbench.errors import BundleError, PromptError
from workbench.events import RunStarted, to_json
from workbench.request import RunRequest
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentStore
from workbench.store.runs import RunRow, RunStore

PAGE = 2_000  # events that are read at once
LIBRARIES = ("langgraph", "langchain-core", "pydantic", "xllamacpp", "ollama", "openai")


def export_run(store: RunStore, run_id: str, family: bool = False) -> bytes:
    """A run as a bundle, with `family` together with all runs that it comes from and that come from it.

    Raises RunNotFound, and BundleError when nothing was kept of it or it is too large.
    """
    target = io.BytesIO()
    write_run(store, run_id, target, family)
    return target.getvalue()


def write_run(store: RunStore, run_id: str, target: IO[bytes], family: bool = False) -> int:
    """Write such a bundle to a file that can be sought; how many runs are in it."""
    row = store.run(run_id)
    writer = archive.Writer(target)
    count = write_runs(store, writer, store.family(row.id) if family else [row])
    if not count:
        raise BundleError("Nothing of this run was kept.", "Ask its question again.")
    close(writer, "run")
    return count


def export_experiment(store: RunStore, name: str) -> bytes:
    """An experiment with its plan, its data set, its cells and the runs that answered them, as a bundle.

    `name` is its name or id. Raises InvalidRequest when there is none, and BundleError when it is too large.
    """
    target = io.BytesIO()
    write_experiment(store, name, target)
    return target.getvalue()


def write_experiment(store: RunStore, name: str, target: IO[bytes]) -> int:
    """Write such a bundle to a file that can be sought; how many runs are in it."""
    experiments, datasets = ExperimentStore(store.database), DatasetStore(store.database)
    row = experiments.get(name)
    record = ExperimentRecord.model_validate(
        {
            "name": row.name,
            "created_at": row.created_at,
            "plan": row.plan.model_dump(mode="json"),
            "lanes": experiments.lanes(row.id),
            "dataset": row.dataset,
            "dataset_name": datasets.get(row.dataset).name,
        }
    )
    cells = experiments.cells(row.id)
    writer = archive.Writer(target)
    runs = [store.run(run_id) for run_id in experiments.runs(row.id)]
    count = write_runs(store, writer, sorted(runs, key=lambda run: (run.created_at, run.id)))
    writer.lines(archive.EXPERIMENT, [json.dumps(record.model_dump(mode="json"))])
    writer.lines(archive.ITEMS, map(_dumped, datasets.items(row.dataset)))
    writer.lines(archive.CELLS, map(_dumped, cells))
    close(writer, "experiment")
    return count


def _dumped(one: BaseModel) -> str:
    return json.dumps(one.model_dump(mode="json"))


def write_runs(store: RunStore, writer: archive.Writer, rows: Iterable[RunRow]) -> int:
    """Put runs with their logs and the texts of their prompts into a bundle; how many there are."""
    begun = [(row, started) for row in rows if (started := _started(store, row.id))]
    if len(begun) > MOST_RUNS:
        raise BundleError(f"It has more than {MOST_RUNS:,} runs.", "Export less at once.")
    writer.lines(archive.RUNS, (_record(row, started) for row, started in begun))
    writer.lines(archive.EVENTS, (line for row, _ in begun for line in _log(store, row.id)))
    writer.lines(archive.PROMPTS, _prompts([started for _, started in begun]))
    return len(begun)


def close(writer: archive.Writer, kind: str) -> None:
    """Say what the bundle is, and with what it was made."""
    libraries = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            libraries[name] = version(name)
    writer.close(kind, __version__, datetime.now(UTC).isoformat(timespec="seconds"), libraries)


def _started(store: RunStore, run_id: str) -> RunStarted | None:
    found = store.events(run_id, kinds=("run_started",))
    return found[0] if found and isinstance(found[0], RunStarted) else None


def _record(row: RunRow, started: RunStarted) -> str:
    record = RunRecord(
        id=row.id,
        request=started.request,
        model_digest=started.model_digest,
        version=started.version,
        verdict=row.verdict,
    )
    return json.dumps(record.model_dump(mode="json"))


def _log(store: RunStore, run_id: str) -> Iterator[str]:
    last = -1
    while page := store.events(run_id, last, before=last + 1 + PAGE):
        yield from map(to_json, page)
        last = page[-1].seq


def _prompts(begun: Sequence[RunStarted]) -> list[str]:
    """The text of every prompt that the runs used and that is still known by its digest, each once."""
    found: dict[str, str] = {}
    for started in begun:
        for role, prompt in roles(started).items():
            if started.prompts.get(role) == prompt.digest and prompt.digest not in found:
                record = PromptRecord(
                    digest=prompt.digest,
                    machine=str(started.request.get("machine", "")),
                    role=role,
                    **prompt.model_dump(include={"template", "variables", "examples"}),
                )
                found[prompt.digest] = json.dumps(record.model_dump(mode="json"))
    return [found[digest] for digest in sorted(found)]


def roles(started: RunStarted) -> dict[str, prompts.Prompt]:
    """The prompts that the run's request has here and now; empty where this version has no such machine or roles.

    Raises BundleError for a request that this version cannot read.
    """
    try:
        request = RunRequest.model_validate(started.request)
    except ValidationError as error:
        raise archive.unreadable(error, started.run_id, started.version) from None
    if request.machine not in catalogue.MACHINES:
        return {}
    try:
        return prompts.replaced(prompts.load(request.machine).roles, request.prompts, request.examples)
    except PromptError:
        return {}
