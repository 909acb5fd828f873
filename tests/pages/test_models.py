"""The models page as a person meets it, without a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import html
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


def test_a_model_is_chosen_for_the_bench(app: App):
    at = app(WORKBENCH_BACKEND="ollama", OLLAMA_HOST="http://127.0.0.1:9").switch_page("pages/models.py").run()
    at.button(key="use-scripted-demo").click().run()
    assert at.sidebar.selectbox(key="backend").value == "scripted"
    assert at.button(key="use-scripted-demo").label == "In use"
    assert not at.exception
