"""The models page as a person meets it, without a browser."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.backends.test_fetch import CONTENT, Publisher
from tests.pages.driving import html
from workbench import terminal
from workbench.backends import fetch
from workbench.settings import DEFAULT_MODEL

App = Callable[..., AppTest]


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
