"""One experiment while it is being run: its work is done in parallel and in order, and kept as it is done."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence

from workbench.backends.base import ModelInfo
from workbench.engine import Engine
from workbench.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnreachable,
    EngineCrashed,
    InvalidRequest,
    ModelMissing,
    ModelUnusable,
    QuotaExceeded,
    RateLimited,
    ServerFault,
    StoreError,
    WorkbenchError,
    WrongServer,
)
from workbench.events import AnyEvent, RunView
from workbench.experiments import from_log
from workbench.experiments.cells import LaneBase, Work, describe, identity, in_order, new_run_id
from workbench.experiments.model import Cell, Item
from workbench.experiments.progress import places
from workbench.experiments.scorers.base import Scorer
from workbench.request import RunRequest
from workbench.store.experiments import Ending, ExperimentRow, ExperimentStore, belongs

logger = logging.getLogger(__name__)

SAVE_SECONDS = 0.25  # between two writes of cells
LOOK_SECONDS = 1.0  # between looks whether another process has asked it to stop
BEAT_SECONDS = 60.0  # an owner that is silent for long counts as dead on another machine
MODEL_SECONDS = 30.0  # for which what a backend says of a model holds
IN_A_ROW = 5  # cells that fail alike before a backend counts as down
SPARE = 4  # for so many slots one more cell is under way, and waits for one: else a slot waits for our bookkeeping

# What says that a backend, not a cell, is in trouble: the next cell would fail in the same way.
DOWN: frozenset[str] = frozenset(
    error.code
    for error in (
        AuthenticationFailed,
        BackendUnreachable,
        EngineCrashed,
        ModelMissing,
        ModelUnusable,
        QuotaExceeded,
        RateLimited,
        ServerFault,
        WrongServer,
    )
)
ANSWERED = ("answered", "limit")  # statuses of runs that have come to an answer


class _AskedToStop(Exception):
    """Somebody wants it to stop."""


class Runner:
    """Runs what is due of one experiment. All but the beginning happens on the engine's loop."""

    def __init__(
        self, engine: Engine, store: ExperimentStore, row: ExperimentRow, items: Sequence[Item], scorer: Scorer
    ) -> None:
        self.over = threading.Event()
        self.failure: StoreError | None = None
        self.bases = [LaneBase(**lane) for lane in store.lanes(row.id)]
        self._engine, self._store, self._row, self._items, self._scorer = engine, store, row, items, scorer
        self._due = [cell for cell in store.cells(row.id) if self._is_due(cell)]
        self._left = len(self._due)
        self._begun: dict[str, str] = {}
        self._dirty: dict[tuple[int, int, int], Cell] = {}
        self._failing: dict[str, list[tuple[Work, float]]] = {}
        self._trouble: dict[str, str] = {}
        self._models: dict[tuple[str, str], tuple[float, ModelInfo]] = {}
        self._asked = asyncio.Event()

    def _is_due(self, cell: Cell) -> bool:
        unscored = cell.status == "done" and cell.score is None and not self._scorer.by_person
        return cell.status in ("waiting", "running") or unscored

    def lanes_due(self) -> set[int]:
        """The lanes that have cells to be run."""
        return {cell.lane for cell in self._due if cell.status != "done"}

    async def ask_to_stop(self) -> None:
        """Let it stop: what runs is stopped and waits again."""
        self._asked.set()

    async def run(self) -> None:
        """Do what is due, until nothing is, it is asked to stop, or it cannot go on."""
        reason = ""
        try:
            self._begun = self._store.runs(self._row.id)
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep())
                await self._work_off()
                keeper.cancel()
        except* _AskedToStop:
            pass
        except* StoreError as failed:
            self.failure = _first(failed)
            reason = describe(self.failure)
        except* Exception as failed:
            logger.error("the experiment %s failed", self._row.name, exc_info=failed)
            reason = f"Second Thought itself failed: {failed.exceptions[0]}"
        finally:
            self._end(" ".join(filter(None, [*self._trouble.values(), reason])))

    async def _work_off(self) -> None:
        """As many cells of each backend at once as it takes."""
        async with asyncio.TaskGroup() as group:
            for backend, works in in_order(self._due, self.bases).items():
                queue = iter(works)
                for _ in range(self._at_once(backend)):
                    group.create_task(self._take_turns(backend, queue))

    def _at_once(self, backend: str) -> int:
        taken = places(self._engine, self._row.plan, backend)
        has_queue = self._row.plan.parallel is None and self._engine.backend(backend).slots is not None
        return taken + -(-taken // SPARE) if has_queue else taken

    async def _take_turns(self, backend: str, queue: Iterator[Work]) -> None:
        for work in queue:
            if backend in self._trouble:
                return
            await self._do(backend, work)

    async def _do(self, backend: str, work: Work) -> None:
        before, began = work.cells, time.monotonic()
        if before[0].status != "done":
            self._put([cell.model_copy(update={"status": "running"}) for cell in before])
        try:
            found = await self._settled(work)
        except BaseException:
            self._wait_again(work)
            raise
        self._put(found)
        self._left -= len(found)
        self._watch(backend, work, found[0], began)

    async def _settled(self, work: Work) -> list[Cell]:
        """The work's cells with what its run came to and their scores."""
        try:
            events = await self._log_of(work)
        except StoreError:
            raise
        except WorkbenchError as error:
            failed = from_log.failure(error.code, describe(error))
            return [cell.model_copy(update=failed) for cell in work.cells]
        view = RunView.of(events) if events else None
        found = []
        for cell in work.cells:
            if view is not None:
                cell = from_log.outcome(cell.model_copy(update={"run_id": work.run_id}), view, events)
            found.append(await from_log.scored(cell, self._items[cell.item], self._scorer, view))
        return found

    async def _log_of(self, work: Work) -> Sequence[AnyEvent]:
        """The log of the work's run: found, taken over, gone on with, or run now. Empty where only a score is due."""
        status = self._begun.get(work.run_id, "")
        if all(cell.status == "done" for cell in work.cells):  # a run that a person went on with says something else
            events = self._engine.store.events(work.run_id)
            return events if from_log.is_own(events) else ()
        if status in (*ANSWERED, "paused"):
            events = self._engine.store.events(work.run_id)
            if from_log.is_own(events):
                return events
            self._begin_anew(work)
        elif status:
            work.ran = True
            try:
                return await self._engine.go_on(work.run_id, session=belongs(self._row.id))
            except (InvalidRequest, StoreError):  # its state is gone: all that is left is to begin anew
                self._begin_anew(work)
        elif self._row.plan.reuse and (other := self._store.run_of(work.key)):
            events = self._engine.store.events(other)
            if from_log.is_own(events):
                work.run_id = other
                return events
        cell, work.ran = work.cells[0], True
        base, item = self.bases[cell.lane], self._items[cell.item]
        asked = base.asking(item.asked, cell.seed, base.of_item(item))
        named = {"session": belongs(self._row.id), "belongs": belongs(self._row.id)}
        request = RunRequest.model_validate(asked)
        model = await self._model(request.backend, request.model)
        if model is not None and not base.is_model(identity(model)):
            raise ModelMissing(f"The model {model.name} has changed meanwhile.", "Start the experiment's plan again.")
        return await self._engine.run(request, run_id=work.run_id, model=model, **named)

    async def _model(self, backend: str, name: str) -> ModelInfo | None:
        """What the backend says of a model; None where it says nothing: the run asks again, and says so in its log.

        It is asked now and then, and when something has just failed: else every cell of one call would be two requests.
        """
        asked, known = self._models.get((backend, name), (0.0, None))
        if known is None or self._failing.get(backend) or time.monotonic() - asked > MODEL_SECONDS:
            try:
                known = await self._engine.backend(backend).model(name)
            except BackendError:
                return None
            self._models[backend, name] = time.monotonic(), known
        return known

    def _begin_anew(self, work: Work) -> None:
        """Another run for the work, whose id is on the disk before it begins; one without any event makes room."""
        if not self._engine.store.events(work.run_id):
            self._engine.delete(work.run_id)
            return
        work.run_id = new_run_id()
        work.cells = [cell.model_copy(update={"run_id": work.run_id}) for cell in work.cells]
        self._put(work.cells)
        self._save()

    def _wait_again(self, work: Work) -> None:
        """The work is not done. Its run, as far as it has come, is found the next time."""
        again = {"status": "waiting", "error_code": "", "error": "", "run_id": work.run_id}
        self._put([cell if cell.status == "done" else cell.model_copy(update=again) for cell in work.cells])

    def _watch(self, backend: str, work: Work, cell: Cell, began: float) -> None:
        """When several cells in a row fail as if their backend were down, its others are not tried, and these wait.

        What began after one of them had failed, and did not fail, shows that it was not down.
        """
        failing = self._failing.setdefault(backend, [])
        if not work.ran:
            return  # what was taken over, or only scored, says nothing of the backend
        if cell.error_code not in DOWN:
            failing[:] = [(one, failed) for one, failed in failing if failed > began]
            return
        failing.append((work, time.monotonic()))
        if len(failing) >= IN_A_ROW or backend in self._trouble:
            self._trouble.setdefault(backend, cell.error)
            for one, _ in failing:
                self._wait_again(one)
                self._left += len(one.cells)
            failing.clear()

    async def _keep(self) -> None:
        """Write what has changed, and look whether it is to stop. Raises StoreError, and _AskedToStop."""
        looked = written = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), SAVE_SECONDS)
            now = time.monotonic()
            if self._dirty or now - written > BEAT_SECONDS:
                self._save()
                written = now
            if self._asked.is_set():
                raise _AskedToStop
            if now - looked > LOOK_SECONDS:
                looked = now
                if not self._store.is_wanted(self._row.id):
                    raise _AskedToStop

    def _put(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            self._dirty[cell.lane, cell.item, cell.seed] = cell

    def _save(self) -> None:
        changed, self._dirty = self._dirty, {}
        try:
            self._store.save(self._row.id, list(changed.values()))
        except StoreError:
            self._dirty = changed | self._dirty
            raise

    def _end(self, reason: str) -> None:
        """The last write. What cannot be written now is found by the runs' ids the next time."""
        status: Ending = "stopped" if self._left else "done"
        try:
            self._save()
            self._store.release(self._row.id, status, reason)
        except StoreError as error:
            self.failure = self.failure or error
            logger.error("the experiment %s could not be kept: %s", self._row.name, describe(error))


def _first(group: BaseExceptionGroup[StoreError]) -> StoreError:
    """One of the errors: a group may hold groups."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
