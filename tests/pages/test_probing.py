"""The probe's view of the Models page, and what follows from it on the bench, as a person meets them."""

import re
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.ollama_server import OllamaServer, ollama_server
from tests.pages.driving import html
from tests.store.test_probes import probe as bare
from workbench.cost import Price
from workbench.engine import Engine
from workbench.events import RunStarted
from workbench.probe.rates import rate
from workbench.probe.report import Report, Result, Tools
from workbench.store.prices import PriceStore

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
    for _ in range(2):  # also once more, when the choice is no longer new
        assert at.button_group(key="option-react-dialect").value == "json"
        assert "The usual settings suit this model." in html(at)
        at.run()
    at.text_area(key="question").set_value("Why?")
    at.button(key="run-button").click().run()
    started = engine().store.events(at.session_state["run"])[0]
    assert isinstance(started, RunStarted)
    assert (started.request["options"]["dialect"], started.request["suited"]) == ("json", [])
    at.button_group(key="option-react-dialect").set_value("native").run()
    engine().probes.remove("p1")
    at.run()
    assert at.button_group(key="option-react-dialect").value == "json" and "Not probed yet" in html(at)
    assert not at.exception


def test_an_older_run_that_is_taken_up_keeps_its_choices_against_the_probe(
    app: App, ollama: OllamaServer, engine: Callable[[], Engine]
) -> None:
    behaviour = ollama.add(MODEL)
    at = choose(opened(app, ollama), "react")
    at.text_area(key="question").set_value("Why?")
    at.button(key="run-button").click().run()
    run = at.session_state["run"]
    engine().probes.keep(report(behaviour.digest(MODEL), native=6))
    again = AppTest.from_function(taken_up, kwargs={"run": run}).run().run()
    assert not again.exception
    assert again.text[0].value == "json {'dialect': 'json'}"


def taken_up(run: str) -> None:
    import streamlit as st

    from agents import catalogue
    from workbench.request import RunRequest
    from workbench.ui import panel, session, suiting

    machine, prefix = catalogue.load("react"), session.option_prefix("react")
    request = RunRequest.model_validate(session.engine().store.events(run)[0].request)
    if "taken" not in st.session_state:
        st.session_state["taken"] = True
        panel.take(request)
    suiting.settle(machine, prefix, request.backend, request.model)
    held = suiting.chosen(machine, prefix)
    shown = st.session_state[session.field_key(prefix, "dialect")]
    st.text(f"{shown} { {'dialect': held['dialect']} }")


def test_a_probe_that_was_killed_is_not_shown_as_whole(
    app: App, ollama: OllamaServer, engine: Callable[[], Engine]
) -> None:
    behaviour = ollama.add(MODEL)
    at = opened(app, ollama)
    engine().probes.keep(report(behaviour.digest(MODEL), status="running", depth="full"))
    assert re.search(r"full probe [^<]*, not finished", html(probe_view(at)))


def test_what_a_probe_sends_and_costs_at_most_stands_beside_its_model(
    app: App, ollama: OllamaServer, engine: Callable[[], Engine]
) -> None:
    ollama.add(MODEL)
    at = opened(app, ollama)
    shown = html(probe_view(at))
    assert re.search(r"a probe sends up to [\d,]+ tokens", shown) and "USD" not in shown
    price = Price(backend="ollama", model=MODEL, currency="USD", prompt=10, completion=10)
    PriceStore(engine().store.database).keep([price])
    at.segmented_control(key="probe-depth").set_value("full").run()
    assert re.search(r"a probe sends up to 1\d\d,\d{3} tokens, up to USD 1\.\d\d", html(at))
    assert any("A paid endpoint charges" in caption.value for caption in at.caption)


def test_a_copy_of_a_probed_model_uses_its_probe_and_says_so(
    app: App, ollama: OllamaServer, engine: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = ollama.add(MODEL)
    copy = ollama.add("copy:latest")
    monkeypatch.setattr(copy, "digest", lambda name: behaviour.digest(MODEL))
    at = app(OLLAMA_HOST=ollama.url, WORKBENCH_BACKEND="ollama", OLLAMA_MODEL="copy:latest")
    engine().probes.keep(report(behaviour.digest(MODEL), native=6))
    assert "The probe was of model:latest on ollama, the same model." in html(choose(at, "react"))
    at.text_area(key="question").set_value("Why?")
    at.button(key="run-button").click().run()
    started = engine().store.events(at.session_state["run"])[0]
    assert isinstance(started, RunStarted) and started.request["options"]["dialect"] == "native"
    assert [one["name"] for one in started.request["suited"]] == ["dialect"]
    shown = html(probe_view(at))
    assert shown.count("of model:latest on ollama, the same model") == 1 and len(at.dataframe[0].value) == 1


def test_a_script_is_no_model_to_be_probed(app: App) -> None:
    at = app()
    assert "robed" not in html(at)
    shown = html(probe_view(at))
    assert "demo" not in shown
