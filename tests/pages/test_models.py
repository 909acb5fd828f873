"""The models page as a person meets it, without a browser."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from tests.backends.test_fetch import CONTENT, Publisher
from tests.pages.driving import html
from workbench import terminal
from workbench.backends import fetch
from workbench.backends import ollama as ollama_backend
from workbench.backends.ollama import OllamaBackend
from workbench.backends.servers import Server
from workbench.engine import Engine
from workbench.settings import DEFAULT_MODEL
from workbench.ui import session

App = Callable[..., AppTest]
Get = Callable[[], Engine]


def test_every_backend_says_whether_it_can_be_used_and_what_to_do(app: App):
    at = app(OLLAMA_HOST="http://127.0.0.1:9").switch_page("pages/models.py").run()
    shown = html(at)
    assert [name in shown for name in ("Embedded", "Ollama", "OpenAI-compatible", "Demo")] == [True] * 4
    assert "http://127.0.0.1:9" in shown and "<code>ollama serve</code>" in shown
    assert "OPENAI_API_KEY" in shown
    assert not at.exception


def test_a_model_that_is_not_there_can_be_fetched(app: App, tmp_path: Path):
    at = app(WORKBENCH_MODELS=str(tmp_path / "models")).switch_page("pages/models.py").run()
    assert "not fetched yet" in html(at)
    assert at.button(key=f"fetch-embedded-{DEFAULT_MODEL}").label == "Fetch"
    assert not at.exception


def test_a_download_that_failed_says_why_and_can_be_tried_again(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    nowhere = tuple(
        fetch.PinnedModel(model.name, model.file, model.size, model.sha256, (fetch.Address("http://127.0.0.1:9/m"),))
        for model in fetch.MODELS
    )
    monkeypatch.setattr(fetch, "MODELS", nowhere)
    at = app(WORKBENCH_MODELS=str(tmp_path / "models")).switch_page("pages/models.py").run()
    at.button(key=f"fetch-embedded-{DEFAULT_MODEL}").click().run()
    download = None
    while not download or not download.wait(5):
        from workbench.ui import fetching

        download = fetching.downloads().get(DEFAULT_MODEL)
    at.run()
    assert "could not be fetched" in at.error[0].value
    assert at.button(key=f"fetch-embedded-{DEFAULT_MODEL}").label == "Fetch"
    assert not at.exception


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """The default model as a small file at a slow publisher on loopback."""
    publisher = Publisher()
    publisher.pause = 0.05
    thread = threading.Thread(target=publisher.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    pin = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "sources": (publisher.address,)}
    default = next(model for model in fetch.MODELS if model.name == DEFAULT_MODEL)
    monkeypatch.setattr(fetch, "MODELS", (replace(default, **pin),))
    yield publisher
    publisher.shutdown()
    publisher.server_close()
    thread.join()


def test_the_first_start_fetches_the_default_model_and_says_so_in_the_terminal(
    app: App,
    published: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(terminal, "AT_ONCE", 0.01)
    monkeypatch.setattr(terminal, "LOOK_SECONDS", 0.05)
    at = app(WORKBENCH_BACKEND="embedded", WORKBENCH_MODELS=str(tmp_path / "models"))
    assert not at.exception
    said, until = "", time.monotonic() + 30
    while f"The model {DEFAULT_MODEL} is there and checked.\n" not in said:
        assert time.monotonic() < until, said
        time.sleep(0.05)
        said += capsys.readouterr().err
    assert f"Fetching {DEFAULT_MODEL}: " in said and "of 1 MB from 127.0.0.1" in said
    assert "\x1b" not in said and "\r" not in said
    assert published.asked == [None]


def test_a_model_is_chosen_for_the_bench(app: App):
    at = app(WORKBENCH_BACKEND="ollama", OLLAMA_HOST="http://127.0.0.1:9").switch_page("pages/models.py").run()
    at.button(key="use-scripted-demo").click().run()
    assert at.sidebar.selectbox(key="backend").value == "scripted"
    assert at.button(key="use-scripted-demo").label == "In use"
    assert not at.exception


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Addresses of three servers that take a connection and never say a word."""
    monkeypatch.setattr(ollama_backend, "STATUS_SECONDS", 0.6)
    sockets = [socket.create_server(("127.0.0.1", 0), backlog=50) for _ in range(3)]
    yield [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()


def test_servers_that_hang_are_asked_at_once_and_left_alone_for_a_while(
    app: App, engine: Get, hung: list[str], monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    status, models = OllamaBackend.status, OllamaBackend.models
    monkeypatch.setattr(OllamaBackend, "status", lambda self: (asked.append(self.name), status(self))[1])
    monkeypatch.setattr(OllamaBackend, "models", lambda self: (asked.append(f"models {self.name}"), models(self))[1])
    skew = 0.0
    monkeypatch.setattr(session, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + skew))
    monkeypatch.setattr(session, "PATIENCE", 100)
    at = app(OLLAMA_HOST="http://127.0.0.1:9")
    names = [f"ollama@lab{number}" for number in range(3)]
    for name, address in zip(names, hung, strict=True):
        engine().servers.keep(Server(kind="ollama", name=name.removeprefix("ollama@"), address=address))
    began = time.monotonic()
    session.begin_surveys(names)
    found = [session.survey(name) for name in names]
    assert time.monotonic() - began < 1.5, "three at once take as long as one"
    assert all("did not answer" in one.status.detail for one in found)
    at.switch_page("pages/models.py").run()
    skew = 30.0
    at.run()
    assert [name for name in asked if "@" in name] == names, "each once, and none of them for its models"
    next(button for button in at.button if button.label == "Look again").click().run()
    assert [name for name in asked if "@" in name] == names * 2
    assert not at.exception
