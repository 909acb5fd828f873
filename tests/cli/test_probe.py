"""Probes in the terminal."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.typing import Terminal
from tests.ollama_server import OllamaServer, ollama_server
from tests.store.test_probes import probe
from workbench.cli.stores import open_database
from workbench.settings import Settings
from workbench.store.probes import ProbeStore

MODEL = "model:latest"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaServer]:
    with ollama_server() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        yield server


def test_a_model_is_probed_and_the_result_listed(terminal: Terminal, server: OllamaServer) -> None:
    server.add(MODEL, tools="none")
    code, out, err = terminal("models", "probe", MODEL, "--backend", "ollama")
    assert code == 0 and "quick probe, done" in out
    assert "Streams: It streams: an answer came in 60 pieces" in out
    assert "Tool calls: Of 6 questions that need a tool: 6 times it called none." in out
    assert "So: This model does not call tools by itself, so ReAct asks for JSON." in out
    assert f"{MODEL}: " in err and "?" in err  # what it asks now, as often as somebody looks
    code, out, _ = terminal("models", "probes")
    assert code == 0 and MODEL in out and "20/20" in out
    code, out, _ = terminal("models", "probes", "--json")
    report = json.loads(out)
    assert report["model"] == MODEL and report["results"][0]["evidence"][0]["answer"].startswith("1 2 3")


def test_no_probe_yet_says_how_to_make_one(terminal: Terminal) -> None:
    code, out, err = terminal("models", "probes")
    assert (code, out) == (0, "") and "models probe MODEL" in err


def test_a_model_that_is_not_there_is_a_sentence(terminal: Terminal, server: OllamaServer) -> None:
    code, _, err = terminal("models", "probe", "nothing", "--backend", "ollama")
    assert code == 3 and "does not have the model nothing" in err


@pytest.mark.parametrize("window", ["-5", "0", "511"])
def test_a_window_in_which_nothing_is_tried_is_refused(terminal: Terminal, window: str) -> None:
    code, _, err = terminal("models", "probe", MODEL, "--context", window)
    assert code == 2 and "must be 512 or more" in err


def test_a_probe_whose_process_was_killed_is_listed_as_not_finished(terminal: Terminal, settings: Settings) -> None:
    with open_database(settings) as database:
        ProbeStore(database).keep(probe(1).model_copy(update={"status": "running"}))
    code, out, _ = terminal("models", "probes")
    assert code == 0 and "quick, not finished" in out and "running" not in out
