"""The engine: one event loop in one thread that runs machines, and what pages and the terminal may ask of it."""

import asyncio
import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from agents import catalogue
from agents.contract import Machine, Options
from workbench import energy, fork, suited
from workbench.backends import registry as backend_registry
from workbench.backends.base import Backend, ModelInfo, TakesPreferences
from workbench.backends.servers import Server, kind_of, name_of, unknown
from workbench.bench import LimitReached, RunBench, error_info
from workbench.errors import InvalidRequest, RunNotFound, StoreError, WorkbenchError
from workbench.events import (
    AnyEvent,
    Card,
    ErrorInfo,
    Paused,
    Relation,
    RunFinished,
    RunView,
    idle_seconds,
)
from workbench.fork import ForkPoint, Origin
from workbench.job import (
    ASKED,
    Job,
    begins_anew,
    begun,
    first_request,
    heard,
    last_request,
    now,
    read_options,
    roles_of,
    say,
    say_resumed,
    say_started,
    thread,
)
from workbench.journal import Journal
from workbench.log import RunLog
from workbench.recorder import Recorder, graph_of
from workbench.remembered import shared
from workbench.request import Limits, Reply, RunRequest
from workbench.served import InUse
from workbench.settings import Settings
from workbench.slots import Slots
from workbench.steering import PauseRequested
from workbench.store import checkpoints
from workbench.store.memories import MemoryStore
from workbench.store.preferences import Preferences
from workbench.store.probes import ProbeStore
from workbench.store.prompts import PromptStore
from workbench.store.runs import RunRow, RunStore
from workbench.store.servers import ServerStore
from workbench.tools import registry as tools
from workbench.tools.base import Tool

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # checkpoints hold plain data and messages, never pickles

if TYPE_CHECKING:
    from workbench.tracing import RunSpans, Tracing

Result = TypeVar("Result")
logger = logging.getLogger(__name__)
STOPPED = "Stopped by the person."
EMBEDDED = "embedded"
KEEPING_SECONDS = 0.01  # between looks whether a run that has ended is on the disk


class Engine:
    """Owns the loop, the store, the backends and the runs in progress. Public methods may be called from any thread."""

    def __init__(self, settings: Settings, backends: Mapping[str, Backend] | None = None) -> None:
        """Open the store and start the loop; `backends` are ready-made ones by name. Raises StoreError."""
        self.settings = settings
        self.store = RunStore(settings.store_url)
        self.store.mark_interrupted()
        self.prompts = PromptStore(self.store.database)
        self.servers = ServerStore(self.store.database)
        self.preferences = Preferences(self.store.database)
        self.memories = MemoryStore(self.store.database)
        self.probes = ProbeStore(self.store.database)
        self._logs: dict[str, RunLog] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._backends: dict[str, Backend] = dict(backends or {})
        self._ready_made = frozenset(self._backends)
        self._served: dict[str, Server] = {}  # what the backends of named servers were made for
        self._in_use = InUse(lambda backend: self.spawn(quietly_closed(backend)))
        self._slots: dict[str, Slots] = {}
        self._graphs: dict[Callable[[], Any], CompiledStateGraph[Any, Any, Any, Any]] = {}
        self._companions: set[asyncio.Task[None]] = set()
        self._saver: checkpoints.OrderedSaver | None = None
        self._tracing = tracing(settings)
        self.energy = energy.find()
        self._energy = energy.Meter(self.energy.readers)
        self._spans: dict[str, RunSpans] = {}
        self._offered: dict[str, Iterable[Tool]] = {}  # by run, while it is in progress
        self._closings: set[asyncio.Task[None]] = set()
        self._closing = False
        self._opening = asyncio.Lock()
        self._guard = threading.RLock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()

    def submit(self, request: RunRequest, *, session: str = "", belongs: str = "") -> str:
        """Start a run and return its id. Raises InvalidRequest when it cannot be run, StoreError when not kept.

        Sessions take turns in front of a backend, however many runs one of them starts. `belongs` names what the run
        is made for, such as comparison:ID.
        """
        return self._begin(request, session, belongs=belongs)

    async def run(
        self,
        request: RunRequest,
        *,
        run_id: str = "",
        session: str = "",
        belongs: str = "",
        model: ModelInfo | None = None,
    ) -> Sequence[AnyEvent]:
        """Run what `resolved` gave from its start to its end and return its log: for many runs on the engine's loop.

        Cancelling it stops the run. `run_id` is the run's id, where it is chosen already; `model` what the backend says
        of the model, if it need not be asked again. Raises InvalidRequest, StoreError.
        """
        job = self._new(request, session, Origin("", ""), belongs, run_id)
        return await self._to_its_end(replace(job, model=model))

    async def go_on(self, run_id: str, *, session: str = "") -> Sequence[AnyEvent]:
        """What `resume` does, for who is on the engine's loop: the whole log at the run's end."""
        job = self._continued(run_id, None, None, session)
        await self._claim(job)
        return await self._to_its_end(job)

    def follow_up(self, run_id: str, request: RunRequest, *, session: str = "") -> str:
        """Ask another question in the thread of a run that has an answer; return the new run's id.

        It is a run of its own with its own rounds and limits; the thread's exchanges become its history. Raises
        InvalidRequest, RunNotFound.
        """
        row = self.store.run(run_id)
        history = thread(self.store.events(row.id, kinds=(*ASKED, "run_finished")))
        return self._begin(request.model_copy(update={"history": history}), session, Origin(row.id, "continue"))

    def reproduce(self, run_id: str, *, session: str = "") -> str:
        """Run a request again as it was, with its seed; return the new run's id. A fork is forked again.

        One that was imported begins at the start, and its log says so: the state that it left is not here. Raises
        InvalidRequest, RunNotFound.
        """
        row = self.store.run(run_id)
        events = self._events(row.id)
        request, started = first_request(events), begun(events)
        if started.inherited and row.foreign_id:
            return self._begin(request, session, Origin(row.id, "reproduce", from_elsewhere=True))
        if started.inherited:
            return self._fork(row.id, started.last_inherited, request, started.edited, session, "reproduce")
        return self._begin(request, session, Origin(row.id, "reproduce", edited=started.edited))

    def fork_point(self, run_id: str, at: int) -> ForkPoint:
        """The state of a run after the last step that was finished at `at` in its log, and what comes next there.

        Raises RunNotFound, InvalidRequest, and StoreError when the state is not kept any more.
        """
        row = self.store.run(run_id)
        return self._look(row.id, self._events(row.id), at)[0]

    def fork(
        self, run_id: str, at: int, request: RunRequest, state: Mapping[str, Any] | None = None, *, session: str = ""
    ) -> str:
        """Go on from a step of any run, live or ended, in a new run whose id is returned; see `fork_point` for `at`.

        `request` may differ from the run's own in all but machine and question; `state` are the keys of the state that
        change, as JSON data. Raises RunNotFound, InvalidRequest, PromptError, StoreError.
        """
        row = self.store.run(run_id)
        return self._fork(row.id, at, request, dict(state or {}), session, "fork")

    def resume(
        self, run_id: str, limits: Limits | None = None, reply: Reply | None = None, *, session: str = ""
    ) -> None:
        """Go on with a run that was cut off, stopped, failed or at its limit, from its last finished step.

        One that waits for the person goes on with their `reply`. `limits` replace the run's own from here on. Raises
        RunNotFound, and InvalidRequest when there is nothing to go on with or to reply to.
        """
        job = self._continued(run_id, limits, reply, session)
        self.on_loop(self._claim(job))
        self._launch(job)

    def can_resume(self, run_id: str) -> bool:
        """Whether `resume` has something to go on with, without a word of the person."""
        try:
            row = self.store.run(run_id)
            if row.status == "paused" or not self.store.events(row.id, kinds=ASKED):
                return False
            self.on_loop(self._check_due(row, self._machine(row.machine)))
        except WorkbenchError:
            return False
        return True

    def stop(self, run_id: str) -> None:
        """Stop a run: its connection closes, its model stops, its partial text stays. An ended run is left alone."""
        if run_id in self._logs:
            self._loop.call_soon_threadsafe(self._cancel, run_id)
        elif (row := self.store.run(run_id)).status in ("paused", "interrupted"):
            self.on_loop(self._end_paused(row.id))

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

        They end when the run is kept: then it can be gone on with, replayed or deleted. An ended run gives one batch. A
        run of another process is read from the store as far as it has come.
        """
        log = self._logs.get(run_id)
        if log is not None:
            return self._follow(log, after, patience)
        return iter([self.store.events(run_id, after)])

    def _follow(self, log: RunLog, after: int, patience: float) -> Iterator[list[AnyEvent]]:
        yield from log.follow(after, patience)
        while self._logs.get(log.run_id) is log:
            yield []
            time.sleep(min(patience, KEEPING_SECONDS))

    def notices(self) -> list[str]:
        """What a person should know of the data folder: what was damaged and set aside."""
        told = [self.store.notice, self._saver.notice if self._saver else ""]
        return [notice for notice in told if notice]

    def backends(self) -> list[str]:
        """The backends that there are, those of named servers as kind@name."""
        named = [server.id for server in self.servers.all()]
        return [
            name
            for kind in backend_registry.BACKENDS
            for name in (kind, *(name for name in named if kind_of(name) == kind))
        ]

    def backend(self, name: str) -> Backend:
        """A backend, made on first use; that of a named server anew when the server was changed.

        Raises InvalidRequest for an unknown name.
        """
        with self._guard:
            server = self._server(name)
            if name not in self._backends:
                try:
                    self._backends[name] = backend_registry.create(name, self.settings, server)
                except KeyError:
                    raise unknown(name, backend_registry.BACKENDS) from None
                self._prefer(name)
            return self._backends[name]

    def _server(self, name: str) -> Server | None:
        """The named server as it is kept now; a backend for what it was before is let go of."""
        if not name_of(name) or name in self._ready_made:
            return None
        server = self.servers.find(name)
        if server != self._served.get(name):
            if made := self._backends.pop(name, None):
                self._in_use.retire(made)
            self._slots.pop(name, None)
            self._served.pop(name, None)
            if server is not None:
                self._served[name] = server
        return server

    def refresh(self, name: str) -> None:
        """Let a backend have what the person has set of it since, unless a run is in progress.

        A run keeps the sizes that it began with. Raises InvalidRequest.
        """
        self.backend(name)
        if not self._logs:
            self._prefer(name)

    def _prefer(self, name: str) -> None:
        """Tell a backend what the person has set of it."""
        made = self._backends[name]
        if isinstance(made, TakesPreferences):
            made.prefer(self.preferences.get(name, {}))
            if name in self._slots:
                self._slots[name].size = made.slots

    def on_loop(self, coroutine: Coroutine[Any, Any, Result], timeout: float | None = None) -> Result:
        """Run a coroutine on the engine's loop and return its result. Raises TimeoutError after `timeout` seconds."""
        future = self.on_loop_soon(coroutine)
        try:
            return future.result(timeout)
        finally:
            future.cancel()

    def on_loop_soon(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start a coroutine on the engine's loop, from any thread and any loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def slots(self, backend: str) -> Slots:
        """The queue in front of a backend, which all who ask its models share. Raises InvalidRequest."""
        return self._slots.setdefault(backend, Slots(self.backend(backend).slots))

    def close(self) -> None:
        """Stop what runs, end child processes, close the store."""
        if self._loop.is_closed():
            return
        self.on_loop(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.store.close()

    def spawn(self, work: Coroutine[Any, Any, None], using: Backend | None = None) -> None:
        """Let something run on the engine's loop beside its runs; it is cancelled when the engine closes.

        The backend that it is `using` stays open until its end, whatever becomes of its server.
        """
        held = contextlib.ExitStack()
        if using is not None:
            held.enter_context(self.holding(using))

        def end(task: asyncio.Task[None]) -> None:
            self._companions.discard(task)
            held.close()

        def begin() -> None:
            task = self._loop.create_task(work)
            self._companions.add(task)
            task.add_done_callback(end)

        self._loop.call_soon_threadsafe(begin)

    @contextlib.contextmanager
    def holding(self, backend: Backend) -> Iterator[None]:
        """Whoever asks a backend outside of a run has it stay open meanwhile, whatever becomes of its server."""
        name = uuid4().hex
        self._in_use.take(name, backend)
        try:
            yield
        finally:
            if not self._closing:  # then all backends are closed
                self._in_use.give_back(name)

    def resolved(self, request: RunRequest) -> RunRequest:
        """The request with every default filled in, so that the log says what really ran. Raises InvalidRequest.

        What nobody chose follows from the last probe of the model, where there is one.
        """
        return self.prompts.filled(self._resolved(self._suited(request)))

    def _suited(self, request: RunRequest) -> RunRequest:
        model = request.model or self.backend(request.backend).default_model
        probe = self.probes.known(request.backend, model, request.settings.context_window)
        return suited.filled(self._machine(request.machine), request, probe)

    def _begin(self, request: RunRequest, session: str, origin: Origin | None = None, belongs: str = "") -> str:
        # What comes from another run has its words, whatever the default versions are by now.
        request = self.resolved(request) if origin is None else self._resolved(request)
        job = self._new(request, session, origin or Origin("", ""), belongs)
        self._launch(job)
        return job.log.run_id

    def _new(self, request: RunRequest, session: str, origin: Origin, belongs: str, run_id: str = "") -> Job:
        """Enter a run that begins into the store. Raises InvalidRequest when it cannot be run, StoreError."""
        machine = self._machine(request.machine)
        options = self._read_options(machine, request)
        if options.lacks:
            raise InvalidRequest(f"{machine.title}: {options.lacks}")
        self.refresh(request.backend)
        roles_of(request)
        unknown = [name for name in request.pause_before if name not in machine.asking]
        if unknown:
            known = ", ".join(machine.asking)
            raise InvalidRequest(f"{machine.title} has no node {unknown[0]!r} to pause before.", f"It has: {known}.")
        run_id = run_id or uuid4().hex[:12]
        self.store.create(run_id, request, machine.title, now(), origin.run, origin.relation, belongs)
        log = RunLog(run_id, self.store.append)
        return Job(log, machine, options, request, origin=origin, session=session)

    def _continued(self, run_id: str, limits: Limits | None, reply: Reply | None, session: str) -> Job:
        """A run that is to go on. Raises RunNotFound, InvalidRequest."""
        row = self.store.run(run_id)
        events = self.store.events(row.id)
        request = last_request(events)
        machine = self._machine(request.machine)
        options = self._read_options(machine, request)
        if row.status == "paused" and reply is None:
            raise InvalidRequest("This run waits for you.", "Approve, edit, answer in its place, or reject it.")
        said = heard(RunView.of(events).paused, reply)
        if limits not in (None, request.limits):
            request = request.model_copy(update={"limits": limits})
            said["limits"] = request.limits.model_dump()
        return Job(RunLog(row.id, self.store.append, events), machine, options, request, said, session=session)

    async def _claim(self, job: Job) -> None:
        """Take a run that goes on for this process. Raises InvalidRequest, StoreError."""
        await self._check_due(self.store.run(job.log.run_id), job.machine)
        self.store.claim(job.log.run_id, job.log.events[-1].seq)

    def _fork(
        self, run_id: str, at: int, request: RunRequest, state: dict[str, Any], session: str, relation: Relation
    ) -> str:
        events = self._events(run_id)
        point, thread_id, checkpoint_id = self._look(run_id, events, at)
        left = first_request(events)
        if (request.machine, request.question) != (left.machine, left.question):
            raise InvalidRequest("A fork has its parent's machine and question.", "Ask another question in a new run.")
        if not point.due:
            raise InvalidRequest("The run has come to its end there: no step is due.", "Fork it at an earlier step.")
        fork.read_state(self._machine(request.machine), state)
        inherited = fork.inherited(events, point.at) if checkpoint_id else []
        if not checkpoint_id:
            state = self._edited_beginning(left, request, state, events)
        origin = Origin(run_id, relation, point.at, left, inherited, thread_id, checkpoint_id, state)
        return self._begin(request, session, origin)

    def _edited_beginning(
        self, left: RunRequest, request: RunRequest, state: dict[str, Any], events: Sequence[AnyEvent]
    ) -> dict[str, Any]:
        """What is edited in a fork's first state: the parent's own edits too, and all of it with the fork's prompts."""
        machine = self._machine(request.machine)
        edited = fork.read_state(machine, begun(events).edited_beginning | state)
        before, after = self._first_state(machine, left), self._first_state(machine, request)
        rebased = fork.rebased({**before, **edited}, before, after)
        return fork.plain({name: rebased.get(name, value) for name, value in edited.items()})

    def _look(self, run_id: str, events: Sequence[AnyEvent], at: int) -> tuple[ForkPoint, str, str]:
        """A place between two steps, and the thread and id of the checkpoint that holds its state; empty before any."""
        request, last = first_request(events), fork.last_step(events, at)
        machine = self._machine(request.machine)
        if not last:
            due = tuple(edge.target for edge in graph_of(machine).edges if edge.source == "__start__")
            state, started = self._first_state(machine, request), begun(events)
            return ForkPoint(started.seq, 0, (), due, fork.plain(state) | started.edited_beginning), "", ""
        checkpoint_id = last[-1].checkpoint_id
        thread_id, kept = self.on_loop(self._kept(machine, run_id, checkpoint_id))
        due, done = tuple(task.name for task in kept.tasks), tuple(event.node for event in last)
        point = ForkPoint(last[-1].seq, last[-1].step, done, due, fork.plain(kept.values))
        return point, thread_id, checkpoint_id

    async def _kept(self, machine: Machine, run_id: str, checkpoint_id: str) -> tuple[str, StateSnapshot]:
        """The checkpoint and its thread: what a fork has inherited is on its parent's. Raises StoreError."""
        thread_id = run_id
        while thread_id:
            kept = await self._snapshot(machine, thread_id, checkpoint_ns="", checkpoint_id=checkpoint_id)
            if kept.metadata is not None:
                return thread_id, kept
            try:
                thread_id = self.store.run(thread_id).parent
            except RunNotFound:
                break
        raise StoreError("The state at this step is not kept any more.", "Choose another step, or run it again.")

    def _first_state(self, machine: Machine, request: RunRequest) -> dict[str, Any]:
        """The state that a request's run begins with. Raises InvalidRequest, PromptError."""
        options = read_options(machine, request.options)
        with contextlib.suppress(InvalidRequest):
            self.backend(request.backend)
        if request.backend not in self._backends:  # its server is gone, and no model is asked here
            request = request.model_copy(update={"backend": EMBEDDED})
        job = Job(RunLog("", lambda events: None), machine, options, request)
        return machine.begin(request.question, self._bench(job, ModelInfo(name=request.model), Journal()))

    def _events(self, run_id: str) -> Sequence[AnyEvent]:
        """A run's log as it stands; of one in progress here, what is not kept yet too."""
        log = self._logs.get(run_id)
        return list(log.events) if log else self.store.events(run_id)

    def _machine(self, name: str) -> Machine:
        try:
            return catalogue.load(name)
        except KeyError:
            known = ", ".join(catalogue.MACHINES)
            raise InvalidRequest(f"There is no machine named {name!r}.", f"Choose one of: {known}.") from None

    def _read_options(self, machine: Machine, request: RunRequest) -> Options:
        """The machine's options, whose tools there are. Raises InvalidRequest."""
        options = read_options(machine, request.options)
        tools.served(getattr(options, "tools", ()), self.settings)
        return options

    def _resolved(self, request: RunRequest) -> RunRequest:
        """The request with every default filled in but the prompts'. Raises InvalidRequest."""
        machine, request = self._machine(request.machine), suited.kept(request)
        options = self._read_options(machine, request)
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

    async def _check_due(self, row: RunRow, machine: Machine) -> None:
        """Raise InvalidRequest when the run has its end and no node is due, StoreError when its state is gone."""
        kept = await self._snapshot(machine, row.id)
        if kept.metadata is None and self.store.events(row.id, kinds=("node_finished",)):
            raise StoreError("The state at its last step is not kept any more.", "Run it again.")
        cut_off = row.status in ("interrupted", "running") or kept.metadata is None
        if not cut_off and not kept.tasks:
            raise InvalidRequest("This run has come to its end: there is no step to go on with.", "Run it again.")

    async def _end_paused(self, run_id: str) -> None:
        """End a run that waits; one that does not is left alone."""
        events = self.store.events(run_id)
        if RunView.of(events).paused is None:
            return
        self.store.claim(run_id, events[-1].seq)
        self._finish(RunLog(run_id, self.store.append, events), None, {"status": "stopped", "reason": STOPPED})

    async def _snapshot(self, machine: Machine, thread_id: str, **checkpoint: str) -> StateSnapshot:
        """A checkpoint of a thread, its latest if none is named; its metadata is None where there is none."""
        graph = await self._graph(machine)
        return await graph.aget_state({"configurable": {"thread_id": thread_id, **checkpoint}})

    async def _graph(self, machine: Machine) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The machine's graph on our checkpoints, compiled once: runs share it."""
        if machine.build not in self._graphs:
            self._graphs[machine.build] = machine.build().compile(checkpointer=await self._checkpoints())
        return self._graphs[machine.build]

    def _launch(self, job: Job) -> None:
        self._enter(job)
        self._loop.call_soon_threadsafe(self._start, job)

    def _enter(self, job: Job) -> None:
        self._logs[job.log.run_id] = job.log
        if self._tracing is not None:
            self._spans[job.log.run_id] = self._tracing.of(job.log)

    async def _to_its_end(self, job: Job) -> Sequence[AnyEvent]:
        """The whole log of a run that is done here and now; cancelled, it takes the run with it."""
        self._enter(job)
        task = self._start(job)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if self._closing:  # it was cut off, and goes on another time
            raise asyncio.CancelledError
        return job.log.events

    def _start(self, job: Job) -> asyncio.Task[None]:
        task = self._loop.create_task(self._run(job))
        job.log.on_failure = task.cancel
        task.add_done_callback(lambda _: self._end_unstarted(job))
        self._tasks[job.log.run_id] = task
        return task

    def _end_unstarted(self, job: Job) -> None:
        """A task that is cancelled before its first step never runs: its log gets its end here."""
        if job.log.finished:
            return
        if self._closing:
            self._leave(job.log)
        else:
            self._finish(job.log, None, {"status": "stopped", "reason": STOPPED})

    def _cancel(self, run_id: str) -> None:
        if task := self._tasks.get(run_id):
            task.cancel()

    async def _run(self, job: Job) -> None:
        """A run from its first event, or from where it was left, to its end, or to where it waits for the person."""
        bench: RunBench | None = None
        recorder: Recorder | None = None
        ending: dict[str, Any]
        try:
            bench, journal = await self._prepare(job)
            steps = job.request.limits.steps + fork.steps_inherited(job.log.events)
            recorder = Recorder(job.log, steps, journal)
            first = job.machine.begin(job.request.question, bench) | self._edited(job)
            graph, saver, is_new = await self._graph(job.machine), await self._checkpoints(), begins_anew(job)
            recording = recorder.record(graph, bench, saver, first, is_new)
            state = await within(job.request.limits.seconds, job.log, recording)
            limit, answer = state.get("limit", ""), state.get("answer", "")
            ending = {"status": "limit" if limit else "answered", "answer": answer, "reason": limit}
            ending["feedback"] = RunView.of(job.log.events).feedback
        except PauseRequested as pause:
            job.log.emit(Paused, **pause.fields)
            return self._leave(job.log)
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
        self._finish(job.log, bench, ending)

    def _leave(self, log: RunLog) -> None:
        """The run goes on another time, since the app ends or the person is asked: what there is is kept."""
        self._let_go(log)
        log.close()

    def _unforeseen(self, error: Exception, run_id: str) -> ErrorInfo:
        """A failing disk under the checkpoints, or a fault of our own, which goes into the terminal whole."""
        if found := checkpoints.failure(error, self.settings.home):
            return error_info(found)
        logger.error("run %s failed", run_id, exc_info=error)
        message = f"Second Thought itself failed: {type(error).__name__}: {error}"
        return ErrorInfo(code="internal", message=message, hint="Run it again; if it returns, report it with the log.")

    def _finish(self, log: RunLog, bench: RunBench | None, ending: dict[str, Any]) -> None:
        totals = bench.totals if bench else RunView.of(log.events).totals
        log.emit(RunFinished, totals=totals.model_copy(update={"seconds": log.seconds()}), **ending)
        self._let_go(log)

    def _let_go(self, log: RunLog) -> None:
        try:
            log.save()
        except StoreError as error:
            logger.error("run %s could not be kept: %s %s", log.run_id, error.message, error.hint)
            with contextlib.suppress(StoreError):  # nobody runs it any more: it can be resumed or deleted
                self.store.release([log.run_id])
        if spans := self._spans.pop(log.run_id, None):
            spans.end()
        if not self._closing:  # then all backends are closed
            self._in_use.give_back(log.run_id)
        if offered := self._offered.pop(log.run_id, None):
            task = self._loop.create_task(tools.closed(offered))
            self._closings.add(task)
            task.add_done_callback(self._closings.discard)
        self._tasks.pop(log.run_id, None)
        self._logs.pop(log.run_id, None)

    async def _prepare(self, job: Job) -> tuple[RunBench, Journal]:
        """The run's first events, and its Bench. A backend that cannot be asked fails the run after them."""
        model, trouble = ModelInfo(name=job.request.model), None
        try:
            model = job.model or await self.backend(job.request.backend).model(job.request.model)
        except WorkbenchError as error:
            trouble = error
        digests = {role: prompt.digest for role, prompt in roles_of(job.request).items()}
        if job.resumed is None:
            await self._take_over(job)
            say_started(job, model, digests)
            if doubt := suited.doubt_of(job.request, model):
                say(job.log, "probe_of_another_version", doubt)
        else:
            say_resumed(job, model, digests)
        if trouble is not None:
            raise trouble
        journal = Journal(job.log.events)
        return self._bench(job, model, journal), journal

    def _bench(self, job: Job, model: ModelInfo, journal: Journal) -> RunBench:
        backend = self.backend(job.request.backend)
        slots = self.slots(job.request.backend)
        offered = tools.for_run(getattr(job.options, "tools", ()), self.settings, job.log.events)
        roles, log = roles_of(job.request), job.log
        if log.run_id:
            self._in_use.take(log.run_id, backend)
            self._offered[log.run_id] = offered.values()
        meter = self._meter(job.request.backend)
        memories = shared(self.memories, self.store, log.run_id, getattr(job.options, "stream", ""))
        return RunBench(
            job.request, job.options, backend, slots, log, roles, offered, model, journal, job.session, meter, memories
        )

    def _meter(self, backend: str) -> energy.Meter:
        """What measures a backend's calls: only those whose model is on this computer can be."""
        kind, named = kind_of(backend), self.servers.find(backend) if "@" in backend else None
        own = {"ollama": self.settings.ollama_host, "openai": self.settings.openai_base_url}
        is_here = kind == EMBEDDED or energy.is_here(named.address if named else own.get(kind, ""))
        return self._energy if is_here else energy.NOTHING

    async def _take_over(self, job: Job) -> None:
        """Give a fork its state: its parent's at that step, with what other options, prompts or the person change."""
        origin = job.origin
        if origin is None or origin.request is None or not origin.checkpoint_id:
            return
        _, kept = await self._kept(job.machine, origin.thread, origin.checkpoint_id)
        before, after = (self._first_state(job.machine, request) for request in (origin.request, job.request))
        edited = fork.read_state(job.machine, origin.edited)
        values = edited | fork.rebased({**kept.values, **edited}, before, after)
        saver = await self._checkpoints()
        await checkpoints.copy(saver, origin.thread, origin.checkpoint_id, job.log.run_id, values)

    def _edited(self, job: Job) -> dict[str, Any]:
        """What the person changed in the state that the run begins with."""
        return fork.read_state(job.machine, begun(job.log.events).edited_beginning)

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
        tasks, runs = [*self._companions, *self._tasks.values()], list(self._logs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._closings, return_exceptions=True)
        with contextlib.suppress(StoreError):  # found as interrupted at the next start all the same
            self.store.release(runs)
        for backend in (*self._backends.values(), *self._in_use.retired()):
            await quietly_closed(backend)
        if self._saver is not None:
            await self._saver.conn.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)


async def quietly_closed(backend: Backend) -> None:
    """Close a backend that nobody waits for."""
    with contextlib.suppress(WorkbenchError):
        await backend.close()


def tracing(settings: Settings) -> "Tracing | None":
    """Spans for a collector, where the OTEL variables ask for them; the library is not even read where they do not."""
    if not settings.is_traced:
        if settings.otel_endpoint and settings.otel_protocol.lower() != "http/protobuf":
            logger.warning("No traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf.")
        return None
    from workbench.tracing import Tracing

    return Tracing(settings)


async def within(seconds: float | None, log: RunLog, recording: Coroutine[Any, Any, Result]) -> Result:
    """The result, if it comes before the run is so old. Raises LimitReached."""
    clock, loop = asyncio.timeout(None), asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def look(most: float) -> None:
        """What it waited for a slot is its neighbours' time."""
        age = log.seconds()
        left = most + idle_seconds(log.events, age) - age
        if left <= 0:
            clock.reschedule(loop.time())
        else:
            timers[:] = [loop.call_later(left, look, most)]

    try:
        async with clock:
            if seconds is not None:
                look(seconds)
            return await recording
    except TimeoutError:
        if not clock.expired():
            raise
        raise LimitReached(f"{seconds:g} seconds have passed, the most allowed.") from None
    finally:
        for timer in timers:
            timer.cancel()


def best_so_far(recorder: Recorder | None, log: RunLog) -> str:
    """The machine's answer as far as it has come, else what its last card says."""
    answer = recorder.state.get("answer", "") if recorder else ""
    return answer or next((event.content for event in reversed(log.events) if isinstance(event, Card)), "")
