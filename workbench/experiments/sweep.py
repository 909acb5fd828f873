"""Experiments as a person handles them: start, stop, resume, retry, score anew, look how far one is, delete.

All that matters is in the tables. Each cell's run has its id before it begins, so that whoever goes on after a crash
finds what had begun, and takes it, or goes on with it. Many processes may look at an experiment; one runs it.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.engine import Engine
from workbench.errors import BackendError, InvalidRequest, StoreError, WorkbenchError
from workbench.experiments import from_log
from workbench.experiments import progress as progress_of
from workbench.experiments.cells import UNSCORED, Earlier, LaneBase, base_of, cells_of, explicit, new_run_id
from workbench.experiments.judging import ask_through
from workbench.experiments.model import Cell, Item
from workbench.experiments.plan import Plan, ScorerChoice
from workbench.experiments.progress import LaneProgress, Progress
from workbench.experiments.runner import ANSWERED, SAVE_SECONDS, Runner
from workbench.experiments.scorers import registry as scorers
from workbench.experiments.scorers.base import Scorer
from workbench.store import checkpoints
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentRow, ExperimentStore, belongs

__all__ = ["LaneProgress", "Prepared", "Progress", "Sweeps"]

STOP_SECONDS = 10.0  # that a stop waits for the runs to end


def _codes(root: type[WorkbenchError]) -> set[str]:
    return {root.code}.union(*map(_codes, root.__subclasses__()))


# Errors after which a run goes on from its last finished step; after any other the same would come again.
GOES_ON = frozenset({from_log.STOPPED, from_log.UNFINISHED, *_codes(BackendError), *_codes(StoreError)})


@dataclass(frozen=True)
class Prepared:
    """An experiment that is ready to run: of its cells so many are kept from before, added, and removed."""

    id: str
    kept: int
    added: int
    removed: int


class Sweeps:
    """The experiments of an engine; its methods may be called from any thread but the engine's own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = ExperimentStore(engine.store.database)
        self._datasets = DatasetStore(engine.store.database)
        self._live: dict[str, Runner] = {}
        self._guard = threading.RLock()

    def prepare(self, plan: Plan, items: Sequence[Item], dataset_digest: str, base: Path | None = None) -> Prepared:
        """Enter a plan, or change the experiment of its name to it: cells whose key is unchanged are kept.

        `file:` prompts are seen from `base`. Raises InvalidRequest, and BackendError when a lane's model cannot be
        asked for.
        """
        items = items[: plan.limit]
        self._check(plan, items, dataset_digest)
        bases = [base_of(self.engine, plan, lane, base) for lane in plan.lanes]
        plan = explicit(plan, bases)
        cells, lanes = cells_of(plan, bases, items), [asdict(one) for one in bases]
        row = self.store.find(plan.name)
        if row is None or row.name != plan.name:
            return Prepared(self.store.create(plan, lanes, dataset_digest, cells), 0, len(cells), 0)
        earlier = self._earlier(row, plan)
        cells = [earlier.kept(cell, items[cell.item]) for cell in cells]
        self.store.revise(row.id, plan, lanes, dataset_digest, cells)
        kept = sum(cell.key in earlier.cells for cell in cells)
        return Prepared(row.id, kept, len(cells) - kept, earlier.missing_from(cells))

    def start(self, plan: Plan, items: Sequence[Item], dataset_digest: str, base: Path | None = None) -> str:
        """Prepare a plan and run it; return the experiment's id. Raises what `prepare` and `resume` raise."""
        found = self.prepare(plan, items, dataset_digest, base).id
        self.resume(found)
        return found

    def resume(self, experiment: str) -> None:
        """Run what is not done yet. Raises InvalidRequest when it is running already, or is not what it was."""
        found = self.store.get(experiment).id
        self.engine.store.mark_interrupted()
        with self._guard:
            self.store.claim(found, ours=found not in self._live)
            try:  # read once it is ours: nobody changes it meanwhile
                self._live[found] = runner = self._ready(found)
            except WorkbenchError as error:
                self.store.release(found, "stopped", error.message)
                raise
        self.engine.spawn(self._run(found, runner))

    def _ready(self, experiment: str) -> Runner:
        """What runs an experiment as it stands. Raises InvalidRequest when it is not what it was."""
        row = self.store.get(experiment)
        runner = Runner(self.engine, self.store, row, self._items(row), self._scorer(row.plan, row.id))
        self._check_unchanged(row, runner.bases, runner.lanes_due())
        return runner

    def stop(self, experiment: str) -> None:
        """Stop it, wherever it runs: cells that are running are stopped and wait again."""
        row = self.store.get(experiment)
        self.store.ask_to_stop(row.id)
        if runner := self._live.get(row.id):
            self.engine.on_loop(runner.ask_to_stop())
            runner.over.wait(STOP_SECONDS)

    def retry_errors(self, experiment: str) -> int:
        """Let the cells that ended in an error, and no others, run again; return how many there are.

        A run that has an answer is only scored again. One whose backend failed goes on from its last finished step.
        Any other begins anew. Raises InvalidRequest while it is running.
        """
        row = self._idle(experiment)
        errors, statuses = self.store.cells(row.id, ["error"]), self.store.runs(row.id)
        bases = [LaneBase(**lane) for lane in self.store.lanes(row.id)]
        self._check_unchanged(row, bases, {cell.lane for cell in errors})
        anew: dict[str, str] = {}
        again = []
        for cell in errors:
            values: dict[str, Any] = {"error_code": "", "error": "", "status": "waiting"}
            if statuses.get(cell.run_id) in ANSWERED:
                values["status"] = "done"
            elif cell.error_code not in GOES_ON:
                values["run_id"] = anew.setdefault(cell.key, new_run_id())
            again.append(cell.model_copy(update=values))
        self.store.amend(row.id, again)
        self.resume(row.id)
        return len(errors)

    def rescore(self, experiment: str, scorer: ScorerChoice) -> None:
        """Score every answer anew, by this scorer, without running anything. Raises InvalidRequest while it runs."""
        row = self._idle(experiment)
        own = [cell for cell in self.store.cells(row.id, ["done"]) if cell.score is not None]
        if scorers.kind(row.plan.scorer.name).by_person and own:
            raise InvalidRequest(
                f"{len(own)} of its answers have your own scores, which would be lost.",
                "Start the same plan under another name: its answers are taken over, and scored anew.",
            )
        plan = row.plan.model_copy(update={"scorer": scorer})
        self._check(plan, self._items(row), row.dataset)
        statuses = self.store.runs(row.id)
        cells = [cell for cell in self.store.cells(row.id) if _has_answer(cell, statuses.get(cell.run_id, ""))]
        bare = {"status": "done", "error_code": "", "error": "", **UNSCORED}
        self.store.score_by(row.id, plan, [cell.model_copy(update=bare) for cell in cells])
        self.resume(row.id)

    def set_score(self, experiment: str, lane: int, item: int, seed: int, value: float) -> None:
        """Keep the score that a person gives an answer, from 0 to 1. Raises InvalidRequest."""
        row = self.store.get(experiment)
        if not 0 <= value <= 1:
            raise InvalidRequest("A score lies between 0 and 1.")
        if not scorers.kind(row.plan.scorer.name).by_person:
            raise InvalidRequest(
                f"{row.name!r} is scored by {row.plan.scorer.name}, not by a person.", "Choose another scorer first."
            )
        cell = self.store.cell(row.id, lane, item, seed)
        if cell is None or cell.status != "done":
            raise InvalidRequest("There is no answer to score there yet.")
        self.store.amend(row.id, [cell.model_copy(update={"score": value, "said": "scored by a person"})])

    def delete(self, experiment: str) -> None:
        """Delete an experiment and the runs that only it has a use for. Raises InvalidRequest while it is running."""
        row = self._idle(experiment)
        checkpoints.forget(self.engine.settings.home, *self.store.delete(row.id))

    def is_live(self, experiment: str) -> bool:
        """Whether it is running, here or in another process."""
        row = self.store.find(experiment)
        return row is not None and (row.id in self._live or row.is_live)

    def wait(self, experiment: str, timeout: float | None = None) -> bool:
        """Wait until it is not running any more; whether that is so. Raises the StoreError that ended it."""
        found = self.store.get(experiment).id
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        if runner := self._live.get(found):
            if not runner.over.wait(timeout):
                return False
            if runner.failure is not None:
                raise runner.failure
        while self.is_live(found):
            if time.monotonic() >= deadline:
                return False
            time.sleep(SAVE_SECONDS)
        return True

    def progress(self, experiment: str) -> Progress:
        """How far it is, from the tables: whoever runs it."""
        return progress_of.read(self.engine, self.store, self.store.get(experiment))

    async def _run(self, experiment: str, runner: Runner) -> None:
        try:
            await runner.run()
        finally:
            with self._guard:
                self._live.pop(experiment, None)
            runner.over.set()

    def _idle(self, experiment: str) -> ExperimentRow:
        row = self.store.get(experiment)
        if row.id in self._live or row.is_live:
            raise InvalidRequest(f"The experiment {row.name!r} is running.", "Stop it first.")
        return row

    def _items(self, row: ExperimentRow) -> tuple[Item, ...]:
        items = self._datasets.items(row.dataset, row.plan.limit)
        if not items:
            raise InvalidRequest(f"The data set of {row.name!r} is not kept any more.", "Add it again.")
        return items

    def _earlier(self, row: ExperimentRow, plan: Plan) -> Earlier:
        items = self._datasets.items(row.dataset, row.plan.limit)
        by_person = scorers.kind(plan.scorer.name).by_person
        return Earlier(self.store.cells(row.id), items, row.plan.scorer == plan.scorer, by_person)

    def _check(self, plan: Plan, items: Sequence[Item], digest: str) -> None:
        """Raise InvalidRequest for what would fail at every cell."""
        if self._datasets.find(digest) is None:
            raise InvalidRequest(f"The data set {plan.dataset!r} is not kept.", "Add it first.")
        if lack := scorers.check(self._scorer(plan), items):
            raise InvalidRequest(f"The scorer {plan.scorer.name} cannot score this: {lack}", "Choose another scorer.")

    def _check_unchanged(self, row: ExperimentRow, bases: Sequence[LaneBase], lanes: Iterable[int]) -> None:
        """Raise InvalidRequest when a lane would now be answered by another model, or with other built-in prompts."""
        for lane in lanes:
            if bases[lane] != bases[lane].again(self.engine):
                raise InvalidRequest(
                    f"Lane {row.plan.lanes[lane].name}: its model or its prompts have changed since it began.",
                    "Start the experiment from its plan again: what has changed is run anew, the rest is kept.",
                )

    def _scorer(self, plan: Plan, experiment: str = "") -> Scorer:
        """The scorer of a plan; a judge waits for slots as the experiment's runs do. Raises InvalidRequest."""
        name, settings, judge = plan.scorer.name, plan.scorer.settings, None
        if scorers.kind(name).costs:
            chosen, own = scorers.read_settings(name, settings), plan.backend or self.engine.settings.backend
            backend = getattr(chosen, "backend", "") or own
            model = getattr(chosen, "model", "") or (plan.model if backend == own else "")
            judge = ask_through(self.engine, backend, model, session=belongs(experiment))
        return scorers.create(name, settings, judge)


def _has_answer(cell: Cell, run_status: str) -> bool:
    return cell.status == "done" or (cell.status == "error" and run_status in ANSWERED)
