"""The engine: one event loop in one thread that runs machines, and what pages and the terminal may ask of it."""

import asyncio
import contextlib
import logging
import os
import random
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from agents import catalogue
from agents.contract import Machine, Options
from workbench import __version__, prompts
from workbench.backends import registry as backend_registry
from workbench.backends.base import Backend, ModelInfo
from workbench.bench import LimitReached, RunBench, error_info
from workbench.errors import InvalidRequest, StoreError, WorkbenchError
from workbench.events import AnyEvent, Card, ErrorInfo, Resumed, RunFinished, RunStarted, RunView, Warned
from workbench.journal import Journal
from workbench.log import RunLog
from workbench.recorder import Recorder, graph_of
from workbench.request import Limits, RunRequest
from workbench.settings import Settings
from workbench.slots import Slots
from workbench.store import checkpoints
from workbench.store.runs import RunRow, RunStore
from workbench.tools import registry as tools

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # checkpoints hold plain data and messages, never pickles

Result = TypeVar("Result")
logger = logging.getLogger(__name__)
STOPPED = "Stopped by the person."


@dataclass(frozen=True)
class Job:
    """A run to be done: its log, and what of the request a resumed run has changed (None: it begins)."""

    log: RunLog
    machine: Machine
    options: Options
    request: RunRequest
    changed: dict[str, Any] | None = None


class Engine:
    """Owns the loop, the store, the backends and the runs in progress. Public methods may be called from any thread."""

    def __init__(self, settings: Settings, backends: Mapping[str, Backend] | None = None) -> None:
        """Open the store and start the loop; `backends` are ready-made ones by name. Raises StoreError."""
        self.settings = settings
        self.store = RunStore(settings.store_url)
        self.store.mark_interrupted()
        self._logs: dict[str, RunLog] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._backends: dict[str, Backend] = dict(backends or {})
        self._slots: dict[str, Slots] = {}
        self._saver: checkpoints.OrderedSaver | None = None
        self._closing = False
        self._opening = asyncio.Lock()
        self._guard = threading.RLock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()

    def submit(self, request: RunRequest) -> str:
        """Start a run and return its id. Raises InvalidRequest when it cannot be run, StoreError when not kept."""
        machine = self._machine(request.machine)
        options = read_options(machine, request.options)
        request = self._resolved(machine, options, request)
        run_id = uuid4().hex[:12]
        self.store.create(run_id, request, machine.title, _now())
        self._launch(Job(RunLog(run_id, self.store.append), machine, options, request))
        return run_id

    def resume(self, run_id: str, limits: Limits | None = None) -> None:
        """Go on with a run that was cut off, stopped, failed or at its limit, from its last finished step.

        `limits` replace the run's own from here on. Raises RunNotFound, and InvalidRequest when there is nothing to
        go on with.
        """
        row = self.store.run(run_id)
        run_id, events = row.id, self.store.events(row.id)
        request = last_request(events)
        machine = self._machine(request.machine)
        options = read_options(machine, request.options)
        self._check_due(row, machine)
        self.store.claim(run_id)
        changed = {} if limits in (None, request.limits) else {"limits": limits}
        log = RunLog(run_id, self.store.append, events)
        self._launch(Job(log, machine, options, request.model_copy(update=changed), changed))

    def can_resume(self, run_id: str) -> bool:
        """Whether `resume` has something to go on with."""
        try:
            row = self.store.run(run_id)
            self._check_due(row, self._machine(row.machine))
        except WorkbenchError:
            return False
        return True

    def stop(self, run_id: str) -> None:
        """Stop a run: its connection closes, its model stops, its partial text stays. An ended run is left alone."""
        self._loop.call_soon_threadsafe(self._cancel, run_id)

    def delete(self, run_id: str) -> None:
        """Delete an ended run with its checkpoints. Raises InvalidRequest while it is in progress, RunNotFound."""
        self.store.delete(run_id)
        checkpoints.forget(self.settings.home, run_id)

    def is_live(self, run_id: str) -> bool:
        """Whether the run is in progress in this process."""
        return run_id in self._logs

    def active(self) -> list[str]:
        """The runs in progress in this process."""
        return list(self._logs)

    def follow(self, run_id: str, after: int = -1, patience: float = 0.1) -> Iterator[list[AnyEvent]]:
        """Batches of events after a sequence number until the run's end; empty ones at least every `patience` seconds.

        An ended run gives one batch. A run of another process is read from the store as far as it has come.
        """
        log = self._logs.get(run_id)
        if log is not None:
            return log.follow(after, patience)
        return iter([self.store.events(run_id, after)])

    def backend(self, name: str) -> Backend:
        """A backend, made on first use. Raises InvalidRequest for an unknown name."""
        with self._guard:
            if name not in self._backends:
                try:
                    self._backends[name] = backend_registry.create(name, self.settings)
                except KeyError:
                    known = ", ".join(backend_registry.BACKENDS)
                    raise InvalidRequest(f"There is no backend named {name!r}.", f"Choose one of: {known}.") from None
            return self._backends[name]

    def on_loop(self, coroutine: Coroutine[Any, Any, Result], timeout: float | None = None) -> Result:
        """Run a coroutine on the engine's loop and return its result. Raises TimeoutError after `timeout` seconds."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        finally:
            future.cancel()

    def close(self) -> None:
        """Stop what runs, end child processes, close the store."""
        if self._loop.is_closed():
            return
        self.on_loop(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.store.close()

    def _machine(self, name: str) -> Machine:
        try:
            return catalogue.load(name)
        except KeyError:
            known = ", ".join(catalogue.MACHINES)
            raise InvalidRequest(f"There is no machine named {name!r}.", f"Choose one of: {known}.") from None

    def _resolved(self, machine: Machine, options: Options, request: RunRequest) -> RunRequest:
        """The request with every default filled in, so that the log says what really ran."""
        backend = self.backend(request.backend)
        model = request.model or backend.default_model
        if not model:
            raise InvalidRequest(
                "No model is chosen.", f"Choose one; the Models page lists those of {request.backend}."
            )
        chosen = {
            "temperature": machine.temperature
            if request.settings.temperature is None
            else request.settings.temperature,
            "seed": random.randrange(2**31) if request.settings.seed is None else request.settings.seed,
        }
        settings = request.settings.model_copy(update=chosen)
        changes = {"model": model, "settings": settings, "options": options.model_dump(mode="json")}
        return request.model_copy(update=changes)

    def _check_due(self, row: RunRow, machine: Machine) -> None:
        """Raise InvalidRequest when the run has its end and no node is due any more."""
        cut_off = row.status in ("interrupted", "running")
        if not cut_off and not self.on_loop(self._is_due(row.id, machine)):
            raise InvalidRequest("This run has come to its end: there is no step to go on with.", "Run it again.")

    async def _is_due(self, run_id: str, machine: Machine) -> bool:
        graph = machine.build().compile(checkpointer=await self._checkpoints())
        kept = await graph.aget_state({"configurable": {"thread_id": run_id}})
        return kept.metadata is None or bool(kept.tasks)

    def _launch(self, job: Job) -> None:
        self._logs[job.log.run_id] = job.log
        self._loop.call_soon_threadsafe(self._start, job)

    def _start(self, job: Job) -> None:
        task = self._loop.create_task(self._run(job))
        job.log.on_failure = task.cancel
        task.add_done_callback(lambda _: self._end_unstarted(job))
        self._tasks[job.log.run_id] = task

    def _end_unstarted(self, job: Job) -> None:
        """A task that is cancelled before its first step never runs: its log gets its end here."""
        if job.log.finished:
            return
        if self._closing:
            self._leave(job.log)
        else:
            self._finish(job, None, {"status": "stopped", "reason": STOPPED})

    def _cancel(self, run_id: str) -> None:
        if task := self._tasks.get(run_id):
            task.cancel()

    async def _run(self, job: Job) -> None:
        """A run from its first event, or from where it was cut off, to its last, which is always RunFinished."""
        bench: RunBench | None = None
        recorder: Recorder | None = None
        ending: dict[str, Any]
        try:
            journal = Journal(job.log.events)
            bench = await self._prepare(job, journal)
            recorder = Recorder(job.log, job.request.limits.steps, journal)
            first = job.machine.begin(job.request.question, bench)
            recording = recorder.record(job.machine, bench, await self._checkpoints(), first)
            state = await within(job.request.limits.seconds, job.log, recording)
            limit, answer = state.get("limit", ""), state.get("answer", "")
            ending = {"status": "limit" if limit else "answered", "answer": answer, "reason": limit}
        except LimitReached as limit:
            ending = {"status": "limit", "answer": best_so_far(recorder, job.log), "reason": str(limit)}
        except asyncio.CancelledError:
            if self._closing:
                return self._leave(job.log)
            ending = {"status": "stopped", "reason": STOPPED}
            if job.log.failure is not None:
                ending = {"status": "failed", "error": error_info(job.log.failure)}
        except WorkbenchError as error:
            ending = {"status": "failed", "error": error_info(error)}
        except Exception as error:
            ending = {"status": "failed", "error": self._unforeseen(error, job.log.run_id)}
        self._finish(job, bench, ending)

    def _leave(self, log: RunLog) -> None:
        """The app ends while the run goes on: what there is is kept, and the run can be resumed."""
        self._let_go(log)
        log.close()

    def _unforeseen(self, error: Exception, run_id: str) -> ErrorInfo:
        """A failing disk under the checkpoints, or a fault of our own, which goes into the terminal whole."""
        if found := checkpoints.failure(error, self.settings.home):
            return error_info(found)
        logger.error("run %s failed", run_id, exc_info=error)
        message = f"Second Thought itself failed: {type(error).__name__}: {error}"
        return ErrorInfo(code="internal", message=message, hint="Run it again; if it returns, report it with the log.")

    def _finish(self, job: Job, bench: RunBench | None, ending: dict[str, Any]) -> None:
        totals = bench.totals if bench else RunView.of(job.log.events).totals
        totals = totals.model_copy(update={"seconds": job.log.seconds()})
        feedback = job.machine.feedback if ending["status"] == "answered" else "none"
        job.log.emit(RunFinished, feedback=feedback, totals=totals, **ending)
        self._let_go(job.log)

    def _let_go(self, log: RunLog) -> None:
        try:
            log.save()
        except StoreError as error:
            logger.error("run %s could not be kept: %s %s", log.run_id, error.message, error.hint)
        self._tasks.pop(log.run_id, None)
        self._logs.pop(log.run_id, None)

    async def _prepare(self, job: Job, journal: Journal) -> RunBench:
        """The run's first event, and its Bench. A backend that cannot be asked fails the run after that event."""
        request, log = job.request, job.log
        backend = self.backend(request.backend)
        roles = prompts.load(job.machine.name).roles
        digests = {role: prompt.digest for role, prompt in roles.items()}
        model, trouble = ModelInfo(name=request.model), None
        try:
            model = await backend.model(request.model)
        except WorkbenchError as error:
            trouble = error
        if job.changed is None:
            say_started(job, model, digests)
        else:
            say_resumed(job, model, digests)
        if trouble is not None:
            raise trouble
        slots = self._slots.setdefault(request.backend, Slots(backend.slots))
        offered = {name: tools.create(name, self.settings) for name in getattr(job.options, "tools", ())}
        window, logprobs = model.context_window, "logprobs" in model.capabilities
        return RunBench(request, job.options, backend, slots, log, roles, offered, window, logprobs, journal)

    async def _checkpoints(self) -> checkpoints.OrderedSaver:
        """LangGraph's checkpoints, in a file beside the log, which is always written first."""
        async with self._opening:
            if self._saver is None:
                self._saver = await checkpoints.open_saver(self.settings.home)
                self._saver.before = self._save_log
                if self._saver.notice:
                    logger.warning(self._saver.notice)
            return self._saver

    def _save_log(self, run_id: str) -> None:
        if log := self._logs.get(run_id):
            log.save()

    async def _shut_down(self) -> None:
        """Runs in progress are cut off, not stopped: they can be resumed."""
        self._closing = True
        tasks, runs = list(self._tasks.values()), list(self._logs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StoreError):  # found as interrupted at the next start all the same
            self.store.release(runs)
        for backend in self._backends.values():
            with contextlib.suppress(WorkbenchError):
                await backend.close()
        if self._saver is not None:
            await self._saver.conn.close()


def last_request(events: Sequence[AnyEvent]) -> RunRequest:
    """What the run was asked for, with the limits as they were last set. Raises InvalidRequest for an empty log."""
    request: RunRequest | None = None
    for event in events:
        if isinstance(event, RunStarted):
            request = RunRequest.model_validate(event.request)
        elif isinstance(event, Resumed) and event.limits and request is not None:
            request = request.model_copy(update={"limits": Limits.model_validate(event.limits)})
    if request is None:
        raise InvalidRequest("Nothing of this run was kept.", "Ask its question again.")
    return request


def say_started(job: Job, model: ModelInfo, digests: Mapping[str, str]) -> None:
    """The whole request, and all that would be needed to run it again. `digests` are those of the roles' prompts."""
    job.log.emit(
        RunStarted,
        request=job.request.model_dump(mode="json"),
        machine_title=job.machine.title,
        graph=graph_of(job.machine),
        created_at=_now(),
        model_digest=model.digest,
        context_window=job.request.settings.context_window or model.context_window,
        prompts=digests,
        version=__version__,
    )


def say_resumed(job: Job, model: ModelInfo, digests: Mapping[str, str]) -> None:
    """The run goes on; what is not as it was when it began is said."""
    changed = {name: value.model_dump() for name, value in (job.changed or {}).items()}
    job.log.emit(Resumed, resumed_at=_now(), **changed)
    begun = next(event for event in job.log.events if isinstance(event, RunStarted))
    if begun.prompts != digests:
        job.log.emit(Warned, code="prompts_changed", message="The prompts have changed since this run began.")
    if begun.model_digest and model.digest and begun.model_digest != model.digest:
        message = "The model behind this name has changed since this run began."
        job.log.emit(Warned, code="model_changed", message=message)


async def within(seconds: float | None, log: RunLog, recording: Coroutine[Any, Any, Result]) -> Result:
    """The result, if it comes before the run is so old. Raises LimitReached."""
    clock = asyncio.timeout(None if seconds is None else max(seconds - log.seconds(), 0.0))
    try:
        async with clock:
            return await recording
    except TimeoutError:
        if not clock.expired():
            raise
        raise LimitReached(f"{seconds:g} seconds have passed, the most allowed.") from None


def best_so_far(recorder: Recorder | None, log: RunLog) -> str:
    """The machine's answer as far as it has come, else what its last card says."""
    answer = recorder.state.get("answer", "") if recorder else ""
    return answer or next((event.content for event in reversed(log.events) if isinstance(event, Card)), "")


def read_options(machine: Machine, values: dict[str, Any]) -> Options:
    """The machine's options from plain values. Raises InvalidRequest that names the option and what it may be."""
    try:
        return machine.options.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else "options"
        known = ", ".join(machine.options.model_fields)
        if problem["type"] == "extra_forbidden":
            raise InvalidRequest(f"{machine.title} has no option {name!r}.", f"It has: {known}.") from None
        raise InvalidRequest(f"The option {name} of {machine.title} cannot be used: {problem['msg']}.") from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
