"""What a run costs in seconds and energy, from the backend's last part to the run's row."""

from collections.abc import Iterator

import pytest

from tests import runs
from workbench.backends.scripted import ScriptedBackend
from workbench.backends.servers import Server
from workbench.energy import Meter
from workbench.engine import Engine
from workbench.events import ModelAnswered, RunView
from workbench.settings import Settings

STEPS = [
    runs.step("Look", "It is short."),
    "No JSON.",
    runs.step("Count", "Two and two."),
    runs.step("Check", "It holds.", "final_answer"),
    "Four.",
]


class Steady:
    """A reader of which every look finds five joules used."""

    part = "the test"
    is_ready = True

    def sample(self) -> None:
        """Nothing to do."""

    def take(self) -> float:
        return 5.0


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """One whose scripted answers come from where the embedded engine's would."""
    made = Engine(settings, {name: ScriptedBackend(STEPS, speed=0) for name in ("embedded", "scripted")})
    made._energy = Meter((Steady(),), every=60)
    yield made
    made.close()


def test_a_run_has_the_energy_of_its_calls_in_its_totals_and_its_row(engine: Engine):
    asked = runs.request("stepwise").model_copy(update={"backend": "embedded"})
    events, view = runs.finish(engine, engine.submit(asked))
    told = [event.joules or 0.0 for event in events if isinstance(event, ModelAnswered)]
    assert view.status == "answered" and len(told) == 5 and all(joules >= 5 for joules in told)
    row = engine.store.run(view.started.run_id)  # type: ignore[union-attr]
    assert view.totals.joules == row.joules == sum(told)
    open_log = RunView.of(events[:-1]).totals
    assert open_log.model_copy(update={"seconds": view.totals.seconds}) == view.totals


def test_a_model_elsewhere_uses_no_energy_of_this_computer(engine: Engine):
    events, view = runs.finish(engine, engine.submit(runs.request("stepwise")))
    assert view.totals.joules is None
    assert all(event.joules is None for event in events if isinstance(event, ModelAnswered))


def test_which_backends_are_measured(engine: Engine):
    for name, address in (("near", "http://127.0.0.1:11435"), ("far", "http://10.0.0.7:11434")):
        engine.servers.keep(Server(kind="ollama", name=name, address=address))
    measured = {name: engine._meter(name) is engine._energy for name in ("embedded", "ollama", "openai", "scripted")}
    assert measured == {"embedded": True, "ollama": True, "openai": False, "scripted": False}
    assert engine._meter("ollama@near") is engine._energy is not engine._meter("ollama@far")
