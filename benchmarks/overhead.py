"""What the engine costs: wall time beside a bare HTTP loop on the same server, processor time per token and step."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.report import table, title
from workbench import settings as settings_module
from workbench.backends import openai_wire
from workbench.backends.base import ChatRequest, Message
from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import RunView
from workbench.request import ModelSettings, RunRequest
from workbench.settings import DEFAULT_MODEL, Settings

PASSES = 3
TOKENS = 3_000
STEPS = 50
QUESTION = "A farm's 14 hens lay 5 eggs each per week. 6 eggs fit into a box. How many boxes are full after 3 weeks?"


def run_once(engine: Engine, request: RunRequest) -> tuple[float, RunView]:
    """Wall seconds of a run as its reader sees it, and its fold."""
    began = time.perf_counter()
    events = [event for batch in engine.follow(engine.submit(request)) for event in batch]
    return time.perf_counter() - began, RunView.of(events)


def sent(view: RunView) -> list[dict[str, Any]]:
    """The bodies of a run's calls, as the backend sent them."""
    requests = [
        ChatRequest.model_validate(
            {**call.called.parameters, "messages": [Message.model_validate(m) for m in call.called.messages]}
        )
        for call in view.calls
    ]
    return [openai_wire.body(request) for request in requests]


def bare_loop(address: str, key: str, bodies: list[dict[str, Any]]) -> tuple[float, int]:
    """The same calls, one after another, read line by line and thrown away: wall seconds, tokens written."""
    tokens, began = 0, time.perf_counter()
    unkept = httpx.Limits(max_keepalive_connections=0)  # the server closes idle connections
    with httpx.Client(base_url=address, headers={"Authorization": key}, timeout=None, limits=unkept) as client:
        for body in bodies:
            with client.stream("POST", "/v1/chat/completions", json=body) as response:
                tokens += sum(line.startswith("data: ") for line in response.iter_lines())
    return time.perf_counter() - began, tokens


def wall_ratio(settings: Settings) -> tuple[list[str], float]:
    """Wall seconds through the engine over those of the bare loop: median of pairs, taken alternately."""
    engine = Engine(settings)
    try:
        request = RunRequest(
            machine="stepwise",
            question=QUESTION,
            backend="embedded",
            model=DEFAULT_MODEL,
            options={"min_steps": 2, "max_steps": 2},
            settings=ModelSettings(temperature=0.0, seed=1),
        )
        _, view = run_once(engine, request)
        backend = engine.backend("embedded")
        assert isinstance(backend, EmbeddedBackend) and view.status == "answered"
        address, key = backend.address()
        bare_loop(address, key, sent(view))  # both ways now find the same prompts in the cache
        ratios, ours, theirs = [], [], []
        for _ in range(PASSES):
            seconds, view = run_once(engine, request)
            bare, _ = bare_loop(address, key, sent(view))
            ours, theirs, ratios = [*ours, seconds], [*theirs, bare], [*ratios, seconds / bare]
    finally:
        engine.close()
    ratio = statistics.median(ratios)
    spread = f"{min(ratios):.3f} to {max(ratios):.3f} in {PASSES} pairs"
    measured = f"{ratio:.3f} ({spread}; {statistics.median(ours):.1f} s to {statistics.median(theirs):.1f} s)"
    return ["wall time over the bare HTTP loop", measured, "at most 1.03"], ratio


def token_cost(settings: Settings) -> list[str]:
    """Processor time of the whole process per streamed token, at a pace at which tokens come one by one."""
    text = {"text": "".join(f"{number * 7919 % 10007} " for number in range(TOKENS))}  # nothing that looks like a loop
    engine = Engine(settings, {"scripted": ScriptedBackend([text, text], speed=300)})
    request = RunRequest(machine="reflection", question="Write.", backend="scripted", model="demo")
    request = request.model_copy(update={"settings": ModelSettings(max_tokens=TOKENS)})
    try:
        began = time.process_time()
        for batch in engine.follow(engine.submit(request), patience=1.0):
            if any(event.kind == "model_answered" for event in batch):
                break
        cost = (time.process_time() - began) / TOKENS
    finally:
        engine.close()
    return ["processor time per streamed token", f"{cost * 1e6:.0f} us", "at most 150 us"]


def step_cost(settings: Settings) -> list[str]:
    """Processor time per graph step, the scripted model and the disk included."""
    step = {"object": {"title": "t", "content": "c", "next_action": "continue"}}
    engine = Engine(settings, {"scripted": ScriptedBackend([step] * STEPS + ["done"])})
    options = {"min_steps": 1, "max_steps": STEPS}
    request = RunRequest(machine="stepwise", question="Go.", backend="scripted", model="demo", options=options)
    try:
        began = time.process_time()
        wall, view = run_once(engine, request)
        cost = (time.process_time() - began) / (STEPS + 2)
    finally:
        engine.close()
    assert view.status == "answered"
    return [
        "processor time per graph step",
        f"{cost * 1e3:.1f} ms ({wall / (STEPS + 2) * 1e3:.1f} ms wall)",
        "at most 10 ms",
    ]


def measure() -> str:
    """All three, as a Markdown table."""
    base = settings_module.load()

    def fresh() -> Settings:
        home = Path(tempfile.mkdtemp(prefix="second-thought-bench-"))
        return base.model_copy(update={"home": home, "models_folder": base.models_path, "database_url": ""})

    rows = [wall_ratio(fresh())[0], token_cost(fresh()), step_cost(fresh())]
    note = "Wall time: stepwise, 2 steps and an answer, temperature 0, same seed, prompts cached both ways."
    return f"{title('What the engine costs', DEFAULT_MODEL)}\n{table(['what', 'measured', 'wanted'], rows)}\n\n{note}\n"


if __name__ == "__main__":
    print(measure())
