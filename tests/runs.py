"""Runs with the scripted backend, for tests: an engine, a request, and the fold of what happened."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import AnyEvent, RunView
from workbench.request import ModelSettings, RunRequest
from workbench.settings import Settings


@contextmanager
def scripted_engine(settings: Settings, answers: Sequence[Any], speed: float = 0) -> Iterator[Engine]:
    """An engine whose scripted backend gives these answers in order."""
    engine = Engine(settings, {"scripted": ScriptedBackend(list(answers), speed=speed)})
    try:
        yield engine
    finally:
        engine.close()


def request(machine: str, question: str = "What is 2 + 2?", /, seed: int | None = 7, **options: Any) -> RunRequest:
    """A request to the scripted backend."""
    settings = ModelSettings(seed=seed)
    return RunRequest(
        machine=machine, question=question, backend="scripted", model="demo", options=options, settings=settings
    )


def finish(engine: Engine, run_id: str) -> tuple[list[AnyEvent], RunView]:
    """Follow a run to its end: its events and their fold."""
    events = [event for batch in engine.follow(run_id) for event in batch]
    return events, RunView.of(events)


def at_rest(engine: Engine, run_id: str) -> RunView:
    """The run's fold once it has ended or waits, on disk."""
    return finish(engine, run_id)[1]


def run(settings: Settings, machine: str, answers: Sequence[Any], **options: Any) -> tuple[list[AnyEvent], RunView]:
    """A whole run of a machine on scripted answers."""
    with scripted_engine(settings, answers) as engine:
        return finish(engine, engine.submit(request(machine, **options)))


def step(title: str, content: str, next_action: str = "continue") -> str:
    """A stepwise answer."""
    return json.dumps({"title": title, "content": content, "next_action": next_action})


def verdict(kind: str, score: int, *issues: str) -> str:
    """A critic's answer."""
    return json.dumps({"issues": list(issues), "score": score, "verdict": kind})


def action(name: str, text: str, thought: str = "Next.") -> str:
    """A ReAct step in the json dialect."""
    return json.dumps({"thought": thought, "action": name, "input": text})
