"""Experiments on the scripted backend, for tests: items, plans, a backend that counts what it is asked."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.backends.base import ChatRequest, ModelInfo
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.engine import Engine
from workbench.errors import BackendError
from workbench.experiments.model import Cell, Item
from workbench.experiments.plan import Plan
from workbench.experiments.reading import Reading, digest_of
from workbench.experiments.sweep import Sweeps
from workbench.settings import Settings
from workbench.store.datasets import DatasetStore

ADDITION = re.compile(r"What is (\d+) \+ (\d+)")


def sums(count: int) -> tuple[Item, ...]:
    """Items that ask for a sum."""
    return tuple(Item(id=f"s{n}", question=f"What is {n} + 1?", answer=str(n + 1)) for n in range(count))


def asked(request: ChatRequest) -> str:
    """The question in a request: its last user turn."""
    return [message.content for message in request.messages if message.role == "user"][-1]


def adds(request: ChatRequest) -> ScriptedAnswer:
    """Adds rightly, but for the sums of 3, which come out as 0."""
    found = ADDITION.search(asked(request))
    assert found, request.messages
    first, second = map(int, found.groups())
    return ScriptedAnswer(text=f"Answer: {0 if first == 3 else first + second}")


class Counting(ScriptedBackend):
    """A scripted backend that counts how often each question was asked with each seed."""

    def __init__(self, answer: Any = adds, digest: str = "", **more: Any) -> None:
        self.asked: Counter[tuple[str, int | None]] = Counter()
        self.digest = digest
        self.most = 0
        self.down: BackendError | None = None

        def counted(request: ChatRequest) -> ScriptedAnswer:
            found: ScriptedAnswer = answer(request)
            self.asked[asked(request), request.seed] += 1
            self.most = max(self.most, self.streaming + 1)
            return found

        super().__init__(counted, **more)

    async def model(self, name: str) -> ModelInfo:
        if self.down is not None:
            raise self.down
        return (await super().model(name)).model_copy(update={"digest": self.digest})


def plan(name: str = "sums", **more: Any) -> Plan:
    """Two lanes on the scripted backend, scored by number."""
    lanes = [{"name": "plain", "machine": "direct"}, {"name": "brief", "machine": "direct", "options": {"brief": True}}]
    whole = {
        "name": name,
        "dataset": "sums",
        "scorer": "numeric",
        "backend": "scripted",
        "model": "demo",
        "lanes": lanes,
    }
    return Plan.model_validate(whole | more)


@contextmanager
def sweeps_on(settings: Settings, backends: Mapping[str, ScriptedBackend]) -> Iterator[Sweeps]:
    """The experiments of an engine with these backends."""
    engine = Engine(settings, backends)
    try:
        yield Sweeps(engine)
    finally:
        engine.close()


def keep(sweeps: Sweeps, items: Sequence[Item]) -> str:
    """Keep items as a data set; its digest."""
    reading = Reading("sums", "pasted", "table", tuple(items), digest_of(items))
    return DatasetStore(sweeps.engine.store.database).add(reading)


def start(sweeps: Sweeps, chosen: Plan, items: Sequence[Item]) -> str:
    """Start an experiment."""
    return sweeps.start(chosen, items, keep(sweeps, items))


def done(sweeps: Sweeps, experiment: str) -> list[Cell]:
    """The cells of an experiment once it is not running any more."""
    assert sweeps.wait(experiment, 60)
    return sweeps.store.cells(sweeps.store.get(experiment).id)


def run(sweeps: Sweeps, chosen: Plan, items: Sequence[Item]) -> list[Cell]:
    """A whole experiment."""
    return done(sweeps, start(sweeps, chosen, items))
