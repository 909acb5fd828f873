"""The embedded engine on the Models page as a person meets it, without a browser."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from streamlit.testing.v1 import AppTest

from tests.backends.test_memory import named, number, write_model
from tests.pages.driving import html
from workbench.backends import memory
from workbench.backends.embedded import EmbeddedBackend
from workbench.engine import Engine
from workbench.settings import SMALL_MODEL

App = Callable[..., AppTest]
Opened = Callable[[], Engine]
KEYS = {"general.architecture": named("llama")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder with one model of the person's own and a broken file."""
    found = tmp_path / "own"
    found.mkdir()
    write_model(found / "mine.gguf", KEYS, tensors=4)
    write_model(found / "cut.gguf", KEYS, tensors=4, missing=200)
    return found


def models(app: App, **env: str) -> AppTest:
    return app(**env).switch_page("pages/models.py").run()


def backend(engine: Opened) -> EmbeddedBackend:
    return cast(EmbeddedBackend, engine().backend("embedded"))


def test_sizes_are_set_on_the_page_with_what_they_need_and_hold_for_all_sessions(
    app: App, engine: Opened, small_model: Path
):
    at = models(app, WORKBENCH_EMBEDDED_MODEL=SMALL_MODEL)
    assert "No model is loaded." in html(at)
    assert f"needs about {memory.size(memory.needed(small_model, 8192, 2))} of memory" in html(at)
    at.number_input(key="engine-size-context").set_value(4096)
    at.number_input(key="engine-size-slots").set_value(1).run()
    would = memory.size(memory.needed(small_model, 4096, 1))
    assert f"With these, {SMALL_MODEL} needs about {would} of memory" in html(at)
    assert backend(engine).slots == 2
    at.button(key="embedded-set").click().run()
    assert engine().preferences.get("embedded") == {"context": 4096, "slots": 1}
    assert backend(engine).slots == engine().slots("embedded").size == 1
    assert "context 4,096" in html(at)
    at.number_input(key="engine-size-context").set_value(1_000_000).run()
    assert "It was trained for 32,768 tokens, and gets no more." in html(at)
    assert f"needs about {memory.size(memory.needed(small_model, 32_768, 1))} of memory" in html(at)
    other = models(app)
    assert other.number_input(key="engine-size-context").value == 4096
    other.button(key="embedded-reset").click().run()
    assert engine().preferences.get("embedded") == {} and backend(engine).slots == 2
    assert other.number_input(key="engine-size-context").value is None
    assert not at.exception and not other.exception


def test_a_model_too_large_says_so_before_it_is_chosen(app: App, small_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "available", lambda: 300_000_000)
    at = models(app, WORKBENCH_EMBEDDED_MODEL=SMALL_MODEL)
    assert "of memory, 300 MB free" in html(at) and "It does not fit." in html(at)
    assert not at.exception


def test_a_broken_file_is_listed_and_a_good_one_verified(app: App, engine: Opened, folder: Path):
    at = models(app, WORKBENCH_MODELS=str(folder))
    assert "corrupted or incomplete" in at.warning[0].value and "cannot be used" in html(at)
    assert "use-embedded-cut" not in [button.key for button in at.button]
    at.button(key="verify-embedded-mine").click().run()
    check = backend(engine).checks.get("mine")
    assert check and check.wait(20)
    at.run()
    assert hashlib.sha256((folder / "mine.gguf").read_bytes()).hexdigest() in html(at)
    assert not at.exception


def test_a_damaged_header_leaves_every_page_standing(app: App, folder: Path):
    write_model(folder / "zero.gguf", {"general.alignment": number(0)})
    at = app(WORKBENCH_MODELS=str(folder), WORKBENCH_BACKEND="embedded", WORKBENCH_EMBEDDED_MODEL="mine")
    assert not at.exception
    at.switch_page("pages/models.py").run()
    assert any("its alignment is 0" in warning.value for warning in at.warning)
    assert not at.exception


def test_a_file_is_removed_only_after_a_question(app: App, folder: Path):
    at = models(app, WORKBENCH_MODELS=str(folder))
    at.button(key="remove-embedded-cut").click().run()
    assert "nothing fetches it again" in html(at) and (folder / "cut.gguf").exists()
    at.button(key="remove-not").click().run()
    assert "nothing fetches it again" not in html(at)
    at.button(key="remove-embedded-cut").click().run()
    at.button(key="remove-confirmed").click().run()
    assert not (folder / "cut.gguf").exists() and (folder / "mine.gguf").exists()
    assert "remove-embedded-cut" not in [button.key for button in at.button]
    assert not at.exception


def test_a_file_elsewhere_is_added_by_its_path(app: App, folder: Path, tmp_path: Path):
    write_model(tmp_path / "far.gguf", KEYS, tensors=2)
    at = models(app, WORKBENCH_MODELS=str(folder))
    assert str(folder) in html(at)
    at.text_input(key="own-model").set_value(str(tmp_path / "nowhere.gguf"))
    at.button(key="add-model").click().run()
    assert "There is no file" in at.error[0].value
    at.text_input(key="own-model").set_value("~nosuchuser/x.gguf")
    at.button(key="add-model").click().run()
    assert "nobody's home folder" in at.error[0].value
    at.text_input(key="own-model").set_value(str(tmp_path / "far.gguf"))
    at.button(key="add-model").click().run()
    at.button(key="use-embedded-far").click().run()
    assert (folder / "far.gguf").is_symlink() and at.button(key="use-embedded-far").label == "In use"
    assert not at.exception
