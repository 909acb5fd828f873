"""How long Stop takes in every phase of a run, until its end is on disk and the backend let go; and Resume.

Stop. Twenty runs per phase are stopped at a random moment of it. The first time goes from `Engine.stop` until the run's
last event is on its log, the log is on disk and the run is no longer in progress: what a person waits for. The second
goes on until the backend is free: where a server is asked, a server of ours on loopback does what the phase needs, and
must have seen the connection close; a tool's process must be gone; with a real model, no slot of its engine may
compute any more. Both are bounded.

Resume. A stepwise run is stopped in the middle of its second step. The time goes from `Engine.resume` until the first
new text is on the log. The engine is warm: it has just written the step that is resumed. With scripted answers, which
come at once, the same is measured without a model: what is left is our own share.
"""

import argparse
import asyncio
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from benchmarks.report import table, title
from tests.misbehaviour.rude_server import MODEL, Act, Chat, Dialect, Ollama, OpenAI, RudeServer, refusing, rude_server
from workbench import settings as settings_module
from workbench.backends.base import Backend
from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.ollama import OllamaBackend
from workbench.backends.openai import OpenAIBackend
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import (
    AnyEvent,
    Delta,
    Loading,
    Paused,
    Queued,
    Reading,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    ToolCalled,
)
from workbench.request import ModelSettings, RunRequest
from workbench.settings import SMALL_MODEL, Settings

STOPS, RESUMES = 20, 5
STOP_SECONDS, RESUME_SECONDS = 2.0, 1.0
MOMENT = 0.3  # seconds: so long after a phase has begun it is stopped at the latest
PATIENCE = 300.0  # a busy machine is slow, not wrong
SEED = 11
Seen = Callable[[AnyEvent], bool]
Free = Callable[[], bool]


@dataclass
class Phase:
    """Runs that come into a phase and stay there: how each is asked for, and the event by which it is there."""

    name: str
    request: Callable[[int], RunRequest]
    there: Seen
    free: Free = lambda: True
    kept: list[float] = field(default_factory=list)
    freed: list[float] = field(default_factory=list)


@contextmanager
def engine_with(backend: Backend | None = None, **changes: Any) -> Iterator[Engine]:
    """An engine on a data folder of its own; without a backend, with those of the settings."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-steering-"))
    engine = Engine(Settings(home=home, **changes), {backend.name: backend} if backend else None)
    try:
        yield engine
    finally:
        engine.close()
        shutil.rmtree(home, ignore_errors=True)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until it is so. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.001)


def wait_for(engine: Engine, run_id: str, seen: Seen, after: int = -1) -> AnyEvent:
    """The first event of the kind that is looked for. Raises TimeoutError, and RuntimeError when the run ends first."""
    deadline = time.monotonic() + PATIENCE
    for batch in engine.follow(run_id, after):
        for event in batch:
            if seen(event):
                return event
        if time.monotonic() > deadline:
            raise TimeoutError(f"run {run_id} did not come so far")
    raise RuntimeError(f"run {run_id} ended first: {engine.store.events(run_id)[-1]}")


def stop(engine: Engine, run_id: str, free: Free = lambda: True) -> tuple[float, float]:
    """Seconds until a stopped run is over and kept, and until the backend is free."""
    began = time.perf_counter()
    engine.stop(run_id)
    for batch in engine.follow(run_id):
        if batch and isinstance(batch[-1], RunFinished):
            break
    until(lambda: not engine.is_live(run_id), "the run is still in progress")
    kept = time.perf_counter() - began
    until(free, "the backend goes on")
    freed = time.perf_counter() - began
    last = engine.store.events(run_id)[-1]
    assert engine.store.run(run_id).status == "stopped" and isinstance(last, RunFinished), last
    return kept, freed


def stop_all(engine: Engine, phase: Phase, count: int = STOPS) -> Phase:
    """Stop so many runs in a phase, each at a moment of its own."""
    chance = random.Random(SEED)
    for number in range(count):
        run_id = engine.submit(phase.request(number))
        wait_for(engine, run_id, phase.there)
        time.sleep(chance.uniform(0, MOMENT))
        kept, freed = stop(engine, run_id, phase.free)
        phase.kept.append(kept)
        phase.freed.append(freed)
    return phase


def asked(backend: str, model: str, machine: str = "reflection", **more: Any) -> Callable[[int], RunRequest]:
    """Requests that differ in their question alone."""

    def request(number: int) -> RunRequest:
        question = f"Question {number}: what is measured here?"
        return RunRequest(machine=machine, question=question, backend=backend, model=model, **more)

    return request


# Without a model


def just_begun() -> Phase:
    """Stopped as soon as there is a first event."""
    with engine_with(ScriptedBackend(["word " * 9] * STOPS, speed=1)) as engine:
        return stop_all(engine, Phase("just begun", asked("scripted", "demo"), lambda e: isinstance(e, RunStarted)))


def queued() -> Phase:
    """Another run has the only slot."""
    with engine_with(ScriptedBackend([{"text": "word", "delay": 600}], slots=1)) as engine:
        request = asked("scripted", "demo")
        holder = engine.submit(request(-1))
        wait_for(engine, holder, lambda e: e.kind == "model_called")
        phase = stop_all(engine, Phase("queued", request, lambda e: isinstance(e, Queued)))
        stop(engine, holder)
        return phase


def in_tool() -> Phase:
    """A program that runs until its time is up."""
    step = {"object": {"thought": "Run it.", "action": "python", "input": "while True: pass"}}
    with engine_with(ScriptedBackend([step] * STOPS)) as engine:
        request = asked("scripted", "demo", "react")
        return stop_all(engine, Phase("in a tool call", request, lambda e: isinstance(e, ToolCalled), childless))


def childless() -> bool:
    """Whether no process of ours runs any more: a tool's sandbox is one, an engine that loads its model another."""
    return not any(path.read_text().strip() for path in Path("/proc/self/task").glob("*/children"))


def paused() -> Phase:
    """A run that waits for the person between two nodes."""
    with engine_with(ScriptedBackend(["A draft."] * STOPS)) as engine:
        request = asked("scripted", "demo", pause_before=("critique",))
        return stop_all(engine, Phase("paused between nodes", request, lambda e: isinstance(e, Paused)))


# On a server of ours


async def silent(chat: Chat) -> None:
    """Not even a head: a server that loads its model."""
    await chat.until_hung_up()


async def reading(chat: Chat) -> None:
    """A server that reads a prompt, and says so once."""
    await chat.begin()
    progress = {"total": 4000, "cache": 0, "processed": 256, "time_ms": 900}
    await chat.send(b'data: {"choices": [], "prompt_progress": ' + repr(progress).replace("'", '"').encode() + b"}\n\n")
    await chat.until_hung_up()


def streaming(channel: str) -> Act:
    """A server that writes without an end, forty words a second."""

    async def act(chat: Chat) -> None:
        await chat.begin()
        listening = asyncio.create_task(chat.until_hung_up())
        number = 0
        while not listening.done():
            await chat.say(f"word{number} ", channel=channel)
            number += 1
            await asyncio.sleep(1 / 40)

    return act


def on_server(name: str, act: Act, there: Seen, dialect: Dialect | None = None, asking: bool = True) -> Phase:
    """A phase that a server brings about; while we are still `asking` it must see that we hang up."""
    dialect = dialect or OpenAI()
    with rude_server(dialect) as server:
        server.plays(act)
        is_ollama = isinstance(dialect, Ollama)
        backend: Backend = OllamaBackend(server.url) if is_ollama else OpenAIBackend(f"{server.url}/v1", SecretStr(""))
        with engine_with(backend) as engine:
            phase = Phase(name, asked(backend.name, MODEL), there, lambda: hung_up(server) or not asking)
            return stop_all(engine, phase)


def hung_up(server: RudeServer) -> bool:
    """Whether nobody listens to the last answer."""
    return server.chats[-1].hung_up


def phases() -> Iterator[Phase]:
    """Every phase that needs no model."""
    yield just_begun()
    yield queued()
    unloaded = Ollama()
    unloaded.loaded = False
    yield on_server("loading: a server that says nothing", silent, lambda e: isinstance(e, Loading), unloaded)
    yield on_server("reading the prompt", reading, lambda e: isinstance(e, Reading))
    for channel in ("thinking", "text"):
        yield on_server(f"{channel} streaming", streaming(channel), lambda e: isinstance(e, Delta))
    busy = refusing(503, "overloaded", {"Retry-After": "100"})
    yield on_server("waiting for a retry", busy, lambda e: isinstance(e, Retried), asking=False)
    yield in_tool()
    yield paused()


# With a model


def idle_slots(backend: EmbeddedBackend) -> Free:
    """Whether no slot of the running engine computes."""

    def free() -> bool:
        address, key = backend.address()
        slots = httpx.get(f"{address}/slots", headers={"Authorization": key}, trust_env=False, timeout=PATIENCE).json()
        return not any(slot["is_processing"] for slot in slots)

    return free


def long_prompt(model: str) -> Callable[[int], RunRequest]:
    """Questions of about 2,500 tokens, each with another beginning: nothing of them is in the engine's cache."""
    request = asked("embedded", model)

    def long_request(number: int) -> RunRequest:
        items = " ".join(f"Item {item} costs {(item * 31 + number * 17) % 97} coins." for item in range(220))
        return request(number).model_copy(update={"question": f"List {number}. {items} What is the sum?"})

    return long_request


def phases_with(engine: Engine, model: str) -> Iterator[Phase]:
    """The phases in which a real engine computes."""
    backend = engine.backend("embedded")
    assert isinstance(backend, EmbeddedBackend)
    free, request = idle_slots(backend), asked("embedded", model)

    def colder(number: int) -> RunRequest:
        window = ModelSettings(context_window=2048 + 128 * number)  # each larger than the last: the engine starts anew
        return request(number).model_copy(update={"settings": window})

    yield stop_all(engine, Phase("model: loading", colder, lambda e: isinstance(e, Loading), childless))
    there: Seen = lambda e: isinstance(e, Reading) and e.read < e.total  # noqa: E731
    yield stop_all(engine, Phase("model: reading the prompt", long_prompt(model), there, free))
    yield stop_all(engine, Phase("model: text streaming", request, lambda e: isinstance(e, Delta), free))


def resumes(engine: Engine, request: Callable[[int], RunRequest], count: int) -> list[float]:
    """Seconds from pressing Resume to the first new text, of runs that were stopped in their second step."""
    found = []
    for number in range(count):
        run_id = engine.submit(request(number))
        finished = wait_for(engine, run_id, lambda e: e.kind == "node_finished")
        wait_for(engine, run_id, lambda e: isinstance(e, Delta), finished.seq)
        time.sleep(MOMENT)
        stop(engine, run_id)
        last = engine.store.events(run_id)[-1].seq
        began = time.perf_counter()
        engine.resume(run_id)
        wait_for(engine, run_id, lambda e: isinstance(e, Delta), last)
        found.append(time.perf_counter() - began)
        assert isinstance(next(engine.follow(run_id, last))[0], Resumed)
        stop(engine, run_id)
    return found


def scripted_resumes() -> list[float]:
    """The engine's own share, with a backend that answers at once."""
    step = {"title": "A step", "content": " ".join(f"word{n}" for n in range(200)), "next_action": "continue"}
    quick = {"title": "A step", "content": "Quick.", "next_action": "continue"}
    with engine_with(
        ScriptedBackend([{"object": quick}, {"object": step}, {"object": step}] * STOPS, speed=50)
    ) as engine:
        return resumes(engine, asked("scripted", "demo", "stepwise"), STOPS)


# The report


@dataclass
class Measured:
    """Everything that came out; `left_out` says why there is nothing of a model."""

    phases: list[Phase]
    resumes: dict[str, list[float]]
    left_out: str = ""

    @property
    def late(self) -> list[str]:
        """The names of whatever took longer than it may."""
        late = [phase.name for phase in self.phases if p95(phase.freed) >= STOP_SECONDS]
        return late + [name for name, found in self.resumes.items() if max(found) >= RESUME_SECONDS]


def examine_all(model: str) -> Measured:
    """Everything; with the model's part where its file is there."""
    found = Measured(list(phases()), {"Resume, scripted": scripted_resumes()})
    folder = settings_module.load().models_path
    if not (folder / f"{model}.gguf").is_file() and not Path(model).is_file():
        found.left_out = f"Nothing was measured with a real model: there is no {model}.gguf in the models folder."
        return found
    with engine_with(models_folder=folder, embedded_model=model) as engine:
        found.phases += phases_with(engine, model)
        name = "Resume, model"
        found.resumes[name] = resumes(engine, asked("embedded", model, "stepwise"), RESUMES)
    return found


def p95(found: Sequence[float]) -> float:
    """The time that 19 of 20 stay under."""
    return statistics.quantiles(found, n=20, method="inclusive")[18]


def spread(found: Sequence[float]) -> str:
    """Milliseconds in a few words."""
    median, most = statistics.median(found), max(found)
    return f"median {median * 1e3:.0f}, p95 {p95(found) * 1e3:.0f}, most {most * 1e3:.0f} ms ({len(found)})"


def measure(model: str = SMALL_MODEL) -> tuple[str, list[str]]:
    """The report as Markdown, and what took longer than it may."""
    load = os.getloadavg()[0]
    found = examine_all(model)
    rows = [
        [f"Stop, {phase.name}", spread(phase.kept), spread(phase.freed), "p95 under 2 s", held(phase.name, found)]
        for phase in found.phases
    ]
    rows += [[name, spread(times), "", "all under 1 s", held(name, found)] for name, times in found.resumes.items()]
    note = (
        f"Stop: until the end is kept, and until the backend is free; at random moments, seed {SEED}. Resume: stepwise,"
        " stopped in its second step, backend warm, until the first new text. Processes that wanted the processor when"
        f" it began: {load:.1f}. {found.left_out}"
    )
    name = "scripted answers and servers of ours" + ("" if found.left_out else f"; {model}")
    lines = table(["what", "until kept or there", "until the backend is free", "wanted", "held"], rows)
    return f"{title('Stop and Resume', name)}\n{lines}\n\n{note.strip()}\n", found.late


def held(name: str, found: Measured) -> str:
    """The table's last word on a bound."""
    return "NO" if name in found.late else "yes"


def main(arguments: list[str] | None = None) -> int:
    """The command: `python -m benchmarks.steering [--model NAME]`; exit code 1 when something took too long."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steering", description=__doc__)
    parser.add_argument("--model", default=SMALL_MODEL, help="a model file of the embedded engine, by name or path")
    report, late = measure(parser.parse_args(arguments).model)
    print(report)
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
