"""The probe's view of the Models page, and what follows from it on the bench, as a person meets them."""

import re
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.ollama_server import OllamaServer, ollama_server
from tests.pages.driving import html
from tests.store.test_probes import probe as bare
from workbench.engine import Engine
from workbench.events import RunStarted
from workbench.probe.rates import rate
from workbench.probe.report import Report, Result, Tools

App = Callable[..., AppTest]
MODEL = "model:latest"


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    with ollama_server() as server:
        server.models.clear()
        yield server


def report(key: str, native: int = 0, **changes: object) -> Report:
    tools = Tools(native=rate(native, 6), wrong=0, text=6 - native, none=0)
    results = (*bare(1).results, Result(check="tools", status="measured", finding=tools))
    return bare(1, key=key).model_copy(update={"model": MODEL, "results": results, **changes})


def opened(app: App, server: OllamaServer) -> AppTest:
    return app(OLLAMA_HOST=server.url, WORKBENCH_BACKEND="ollama", OLLAMA_MODEL=MODEL)


def probe_view(at: AppTest) -> AppTest:
    at.switch_page("pages/models.py").run()
    at.segmented_control(key="view").set_value("Probe").run()
    assert not at.exception
    return at


def test_a_model_is_probed_with_one_button_and_compared_with_its_evidence(app: App, ollama: OllamaServer) -> None:
    ollama.add(MODEL, tools="json")
    at = probe_view(opened(app, ollama))
    button = at.button(key=f"probe-ollama-{MODEL}")
    assert re.fullmatch(r"Probe, about \d+ (s|min)", button.label) and "not probed yet" in html(at)
    button.click().run(timeout=60)
    assert not at.exception and not at.error
    row = at.dataframe[0].value.iloc[0]
    assert (row["Model"], row["Streams"], row["Fits, held"], row["Tools"]) == (MODEL, "yes", 1.0, "as text")
    at.button(key=f"evidence-ollama-{MODEL}").click().run()
    shown = html(at)
    assert "6 times it wrote the call as text" in shown and "&quot;name&quot;: &quot;weather&quot;" in shown
    assert "This model writes its tool calls as text, so ReAct asks for JSON." in shown
    assert at.button(key=f"evidence-ollama-{MODEL}").label == "Close"
    assert not at.exception


def test_a_probe_that_goes_on_is_shown_and_can_be_stopped(
    app: App, ollama: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.ui import probing

    monkeypatch.setattr(probing, "follow", lambda place: None)  # a script that follows ends with the probe alone
    ollama.add(MODEL, writes=100)
    at = probe_view(opened(app, ollama))
    at.button(key=f"probe-ollama-{MODEL}").click().run()
    assert f"Probing {MODEL}" in html(at) and "check 1 of 8" in html(at)
    assert at.button(key=f"probe-ollama-{MODEL}").disabled
    at.button(key="probe-stop").click().run()
    while probing.prober().running() is not None:
        at.run()
    at.run()
    assert "Probing" not in html(at) and not at.button(key=f"probe-ollama-{MODEL}").disabled
    assert not at.exception


def test_a_probe_of_an_older_version_says_so(app: App, ollama: OllamaServer, engine: Callable[[], Engine]) -> None:
    behaviour = ollama.add(MODEL)
    at = opened(app, ollama)
    engine().probes.keep(report(behaviour.digest(MODEL)))
    assert "older version" not in html(probe_view(at))
    behaviour.version = 2
    next(button for button in at.button if button.label == "Look again").click().run()
    assert "The probe is of an older version of this model." in html(at)
    assert "an older version" in at.dataframe[0].value.iloc[0]["Probed"]


def choose(at: AppTest, machine: str) -> AppTest:
    return at.button_group(key="machine").set_value(machine).run()


def test_the_bench_says_what_follows_from_the_probe_and_asks_so(
    app: App, ollama: OllamaServer, engine: Callable[[], Engine]
) -> None:
    behaviour = ollama.add(MODEL)
    at = choose(opened(app, ollama), "react")
    assert "Not probed yet" in html(at)
    engine().probes.keep(report(behaviour.digest(MODEL), native=6))
    at.run()
    assert "This model calls tools by itself, so ReAct lets it." in html(at)
    assert at.button_group(key="option-react-dialect").value == "native"
    at.text_area(key="question").set_value("Why?")
    at.button(key="run-button").click().run()
    started = engine().store.events(at.session_state["run"])[0]
    assert isinstance(started, RunStarted)
    assert [one["name"] for one in started.request["suited"]] == ["dialect"]


def test_a_dialect_that_the_person_chose_stays_and_one_of_the_probe_goes_with_it(
    app: App, ollama: OllamaServer, engine: Callable[[], Engine]
) -> None:
    behaviour = ollama.add(MODEL)
    at = choose(opened(app, ollama), "react")
    engine().probes.keep(report(behaviour.digest(MODEL), native=6))
    at.run()
    at.button_group(key="option-react-dialect").set_value("json").run()
    assert at.button_group(key="option-react-dialect").value == "json"
    assert "The usual settings suit this model." in html(at)
    at.button_group(key="option-react-dialect").set_value("native").run()
    engine().probes.remove("p1")
    at.run()
    assert at.button_group(key="option-react-dialect").value == "json" and "Not probed yet" in html(at)
    assert not at.exception


def test_a_script_is_no_model_to_be_probed(app: App) -> None:
    at = app()
    assert "robed" not in html(at)
    shown = html(probe_view(at))
    assert "demo" not in shown
