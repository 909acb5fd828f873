"""What an experiment costs and survives: CPU per cell, throughput beside a bare HTTP client, kills at random moments.

And how long its results page takes: `benchmarks.experiment_page`.

CPU per cell. A thousand cells of `direct` on scripted answers, in all: prepared, run, logged, checkpointed, scored,
kept. The process's CPU time over all its threads, divided by the cells.

Throughput. A server of the OpenAI protocol in a process of its own streams each answer in a fixed time. A bare
asynchronous HTTP client makes so many calls, as many at once as the backend has slots; then an experiment has as many
cells of one call; and again. The figure is the experiment's calls a second, until its last cell is kept, over the
client's.

Kills. An experiment of two lanes, one call and several calls a cell, in a process that gets SIGKILL at a random
moment; another process goes on, and is killed too, until it is done. Counted on the logs of all runs: a cell that is
not done, a cell without its run, a run that no cell has, and an answer that was paid for twice.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from benchmarks.kill import script
from benchmarks.report import table, title
from tests.app_server import free_port
from workbench.backends.base import Backend, ChatRequest
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.engine import Engine
from workbench.events import ModelAnswered
from workbench.experiments.model import Item
from workbench.experiments.plan import Plan
from workbench.experiments.reading import Reading, digest_of
from workbench.experiments.sweep import Sweeps
from workbench.settings import Settings
from workbench.store.datasets import DatasetStore

CELLS = 1_000
CPU_MS = 30.0
SLOTS, DELAY, CALLS, TURNS = 16, 2.0, 160, 2
RATIO = 0.95
HOMES, SPEED = 6, 300.0  # experiments that are killed, words a second
PATIENCE = 120.0
WORDS = "The sum of the two numbers is found by adding them, which is done here in a few words."


def items(count: int) -> tuple[Item, ...]:
    """Items that ask for a sum."""
    return tuple(Item(id=str(n), question=f"What is {n} + 1?", answer=str(n + 1)) for n in range(count))


def plan(lanes: Sequence[dict[str, Any]], backend: str = "scripted", model: str = "demo") -> Plan:
    """A plan with these lanes, scored by number."""
    whole = {"name": "measured", "dataset": "sums", "scorer": "numeric", "backend": backend, "model": model}
    return Plan.model_validate(whole | {"lanes": list(lanes)})


DIRECT = {"name": "direct", "machine": "direct"}
STEPWISE = {"name": "stepwise", "machine": "stepwise"}


@contextmanager
def sweeps_in(home: Path, backends: dict[str, Backend] | None = None, **settings: Any) -> Iterator[Sweeps]:
    """The experiments of a data folder."""
    engine = Engine(Settings(home=home, **settings), backends)
    try:
        yield Sweeps(engine)
    finally:
        engine.close()


def started(sweeps: Sweeps, chosen: Plan, asked: Sequence[Item]) -> str:
    """Start an experiment over these items."""
    reading = Reading("sums", "made up", "table", tuple(asked), digest_of(asked))
    digest = DatasetStore(sweeps.engine.store.database).add(reading)
    return sweeps.start(chosen, asked, digest)


def adds(request: ChatRequest) -> ScriptedAnswer:
    """The sum that is asked for."""
    first, _, second = question(request).removeprefix("What is ").rstrip("?").split()
    return ScriptedAnswer(text=f"{WORDS} Answer: {int(first) + int(second)}")


def question(request: ChatRequest) -> str:
    """The question in a request: the last user's turn that asks for a sum."""
    turns = [message.content for message in request.messages if message.role == "user"]
    return next(turn for turn in reversed(turns) if turn.startswith("What is") and turn.endswith("?"))


# CPU per cell


def cpu_per_cell(cells: int = CELLS) -> tuple[float, float]:
    """Milliseconds of CPU for each cell, and cells a second."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-cells-"))
    try:
        with sweeps_in(home, {"scripted": ScriptedBackend(adds)}) as sweeps:
            sweeps.engine.on_loop(asyncio.sleep(0))
            cpu, wall = time.process_time(), time.perf_counter()
            found = started(sweeps, plan([DIRECT]), items(cells))
            assert sweeps.wait(found, 600)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            far = sweeps.progress(found)
            assert (far.done, far.errors, far.lanes[0].score) == (cells, 0, 1.0), far
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return cpu / cells * 1e3, cells / wall


# Throughput beside a bare client


def served(delay: float) -> Starlette:
    """A server of the OpenAI protocol that streams the same words to everyone in a fixed time."""
    now, most, words = 0, 0, f"{WORDS} Answer: 1".split()

    async def stream(model: str) -> AsyncIterator[str]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            for word in words:
                await asyncio.sleep(delay / len(words))
                yield _event(model, {"delta": {"content": f"{word} "}, "index": 0, "finish_reason": None})
            yield _event(model, {"delta": {}, "index": 0, "finish_reason": "stop"})
            yield "data: [DONE]\n\n"
        finally:
            now -= 1

    async def chat(request: Request) -> StreamingResponse:
        body = await request.json()
        return StreamingResponse(stream(body["model"]), media_type="text/event-stream")

    async def models(request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": "fixed", "object": "model"}]})

    async def crowd(request: Request) -> JSONResponse:
        nonlocal most
        told, most = most, 0
        return JSONResponse(told)

    routes = [Route("/v1/models", models), Route("/crowd", crowd)]
    return Starlette(routes=[*routes, Route("/v1/chat/completions", chat, methods=["POST"])])


def _event(model: str, choice: dict[str, Any]) -> str:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


@contextmanager
def server(delay: float) -> Iterator[str]:
    """The server in a process of its own; its address."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.experiment", "--serve", str(port), "--delay", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                httpx.get(f"{address}/v1/models")
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()


async def bare(address: str, calls: int, at_once: int) -> None:
    """So many calls by a bare client, so many at once."""
    waiting = iter(range(calls))
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)

    async def turns(client: httpx.AsyncClient) -> None:
        for number in waiting:
            turn = {"role": "user", "content": f"What is {number} + 1?"}
            body = {"model": "fixed", "messages": [turn], "stream": True}
            async with client.stream("POST", f"{address}/v1/chat/completions", json=body) as answer:
                async for _ in answer.aiter_lines():
                    pass

    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client:
        await asyncio.gather(*(turns(client) for _ in range(at_once)))


def throughput(delay: float = DELAY, calls: int = CALLS, turns: int = TURNS) -> tuple[float, float, int]:
    """Calls a second of a bare client and of an experiment, and the most calls at once that the server saw."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-throughput-"))
    alone, ours, crowd = 0.0, 0.0, 0
    try:
        with server(delay) as address:
            reached = {"openai_base_url": f"{address}/v1", "openai_api_key": SecretStr("none")}
            with sweeps_in(home, **reached) as sweeps:
                slots = sweeps.engine.backend("openai").slots or SLOTS
                _timed(sweeps, slots, "warm")  # imports and connections
                for turn in range(turns):
                    began = time.perf_counter()
                    asyncio.run(bare(address, calls, slots))
                    alone += time.perf_counter() - began
                    ours += _timed(sweeps, calls, str(turn))
                crowd = httpx.get(f"{address}/crowd").json()
                assert crowd <= slots, f"{crowd} calls at once"
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return calls * turns / alone, calls * turns / ours, crowd


def _timed(sweeps: Sweeps, cells: int, name: str) -> float:
    """Seconds of an experiment of so many cells of one call each."""
    asked = tuple(item.model_copy(update={"question": f"{name}: {item.question}"}) for item in items(cells))
    reading = Reading("sums", "made up", "table", asked, digest_of(asked))
    digest = DatasetStore(sweeps.engine.store.database).add(reading)
    chosen = plan([DIRECT], "openai", "fixed").model_copy(update={"name": name})
    ready = sweeps.prepare(chosen, asked, digest)
    began = time.perf_counter()
    sweeps.resume(ready.id)
    assert sweeps.wait(ready.id, 600)
    seconds = time.perf_counter() - began
    far = sweeps.progress(ready.id)
    assert far.done == cells, (far, sweeps.store.cells(ready.id, ["error"])[:1])
    return seconds


# Kills


@dataclass
class Survival:
    """What became of one experiment that was killed so often."""

    kills: int = 0
    cells: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


ANSWERS = {0: 1, 1: 4}  # of each lane's run


def answers(request: ChatRequest) -> ScriptedAnswer:
    """The sum at once, or for who thinks in steps three of them and an answer."""
    if all(message.role != "assistant" for message in request.messages):
        return adds(request)
    return STEPS(request)


STEPS: Callable[[ChatRequest], ScriptedAnswer] = script("stepwise")


def survive(home: Path, count: int, chance: random.Random) -> Survival:
    """Run an experiment in processes that are killed at random moments, until one comes to the end."""
    found = Survival()
    while True:
        child = _fork(home, count)
        began = time.monotonic()
        until = chance.uniform(0.1, 1.5)
        while time.monotonic() - began < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                if status:
                    raise RuntimeError(f"the process failed: {status}")
                return _examined(home, found)
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found.kills += 1
        if found.kills > 100:
            raise TimeoutError("it never comes to an end")


def _fork(home: Path, count: int) -> int:
    """A process that starts the experiment or goes on with it. This one has no thread and no open file."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with sweeps_in(home, {"scripted": ScriptedBackend(answers, speed=SPEED)}) as sweeps:
                if (row := sweeps.store.find("measured")) is None:
                    started(sweeps, plan([DIRECT, STEPWISE]), items(count))
                elif row.status != "done":
                    sweeps.resume(row.id)
                sweeps.wait("measured", PATIENCE)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def _examined(home: Path, found: Survival) -> Survival:
    """Compare the logs of all runs with the cells."""
    with sweeps_in(home, {"scripted": ScriptedBackend(answers)}) as sweeps:
        cells = sweeps.store.cells(sweeps.store.get("measured").id)
        store = sweeps.engine.store
        runs = {row.id: row.status for row in store.runs(limit=10 * len(cells))}
        found.cells = len(cells)
        paid: Counter[str] = Counter()
        for run_id in runs:
            paid[run_id] = sum(isinstance(event, ModelAnswered) for event in store.events(run_id))
    for cell in cells:
        place = f"lane {cell.lane}, item {cell.item}"
        if cell.status != "done" or runs.get(cell.run_id) != "answered" or paid[cell.run_id] < ANSWERS[cell.lane]:
            found.lost.append(f"{place}: {cell.status}, run {runs.get(cell.run_id)}, {paid[cell.run_id]} answers")
        if paid[cell.run_id] > ANSWERS[cell.lane]:
            found.twice.append(f"{place}: {paid[cell.run_id]} answers")
    strangers = set(runs) - {cell.run_id for cell in cells}
    found.twice += [f"run {run_id} belongs to no cell" for run_id in sorted(strangers)]
    return found


def kills(homes: int = HOMES, seed: int = 11, count: int = 8) -> list[Survival]:
    """So many experiments, each killed again and again until it is done."""
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="second-thought-killed-"))
    try:
        return [survive(folder / str(number), count, chance) for number in range(homes)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# The report


def measure(homes: int = HOMES) -> str:
    """All three, as a Markdown table."""
    killed = kills(homes)  # before all that starts a thread: it forks
    cost, speed = cpu_per_cell()
    alone, ours, _ = throughput()
    lost, twice = (sum(len(getattr(one, name)) for one in killed) for name in ("lost", "twice"))
    cells, times = sum(one.cells for one in killed), sum(one.kills for one in killed)
    rows = [
        [
            f"CPU per cell, {CELLS:,} cells of direct",
            f"{cost:.1f} ms ({speed:.0f} cells/s)",
            f"at most {CPU_MS:.0f} ms",
        ],
        ["throughput against a bare client", f"{ours / alone:.3f} ({ours:.2f} of {alone:.2f}/s)", f"at least {RATIO}"],
        [
            f"{cells} cells in {len(killed)} experiments, killed {times} times",
            f"{lost} lost, {twice} paid twice",
            "none",
        ],
    ]
    note = f"The server takes {DELAY:g} s for an answer, {CALLS} calls in turn by each, {TURNS} turns; 16 slots."
    return f"{title('Experiments', 'scripted answers')}\n{table(['what', 'measured', 'wanted'], rows)}\n\n{note}\n"


def main(arguments: list[str] | None = None) -> int:
    """`python -m benchmarks.experiment [--kills N]`; with --kills only those, exit code 1 when anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiment", description=__doc__)
    parser.add_argument("--kills", type=int, metavar="N", help="only so many killed experiments")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--delay", type=float, default=DELAY, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        uvicorn.run(served(chosen.delay), port=chosen.serve, log_level="error")
        return 0
    if chosen.kills is None:
        from benchmarks import experiment_page

        print(measure())
        print(experiment_page.measure())
        return 0
    found = kills(chosen.kills)
    for one in found:
        print(one)
    return 1 if any(one.lost or one.twice for one in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
