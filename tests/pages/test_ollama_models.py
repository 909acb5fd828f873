"""An Ollama server's models on the Models page, without a browser."""

import time
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.ollama_server import CHAT, EMBEDDER, PULLABLE, Model, OllamaServer, ollama_server
from tests.pages.driving import html
from workbench.ui import caring

App = Callable[..., AppTest]


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    """A server with a chat model, one that loads slowly, one that does not fit, and one that only embeds."""
    with ollama_server() as server:
        wanted = (CHAT, EMBEDDER, "slow-load:latest", "no-memory:latest")
        server.models = {name: server.models[name] for name in wanted}
        yield server


def models_page(app: App, server: OllamaServer) -> AppTest:
    return app(OLLAMA_HOST=server.url).switch_page("pages/models.py").run()


def choose(at: AppTest, model: str, action: str) -> AppTest:
    """Choose what to do with a model from its menu."""
    return at.menu_button(key=f"more-ollama-{model}").click(action).run()


def row(at: AppTest, model: str) -> str:
    """What stands in a model's row of the installed ones."""
    shown = html(at)
    return shown[shown.index(f"<h3>{model}</h3>", shown.index(">Installed<")) :].split("</div>")[0]


def test_every_model_says_what_the_server_tells_of_it(app: App, ollama: OllamaServer):
    ollama.models[CHAT].capabilities.append("vision")
    at = models_page(app, ollama)
    for fact in (
        "494.03M",
        "Q4_K_M",
        "398 MB",
        "context 32,768",
        "qwen2",
        "changed 2026-11-01",
        "images",
        "tool calls",
    ):
        assert fact in row(at, CHAT)
    assert not at.exception


def test_a_model_that_only_embeds_stands_apart_and_cannot_be_chosen(app: App, ollama: OllamaServer):
    at = models_page(app, ollama)
    shown = html(at)
    assert shown.index(CHAT) < shown.index("Not for answers") < shown.index(EMBEDDER)
    assert f"use-ollama-{CHAT}" in [button.key for button in at.button]
    assert f"use-ollama-{EMBEDDER}" not in [button.key for button in at.button]
    assert not at.exception


def test_a_server_that_is_down_is_not_asked_further_and_offers_nothing(app: App):
    at = app(OLLAMA_HOST="http://127.0.0.1:9").switch_page("pages/models.py").run()
    assert "does not answer" in html(at)
    assert "Loaded now" not in html(at)
    assert not [field for field in at.text_input if field.label == "Pull a model"]
    assert not at.exception


def test_a_server_without_a_model_offers_to_pull_one(app: App, ollama: OllamaServer):
    ollama.models.clear()
    ollama.pull_pause = 0.1
    at = models_page(app, ollama)
    assert "has no model yet" in html(at)
    at.text_input(key="pull-name-ollama").set_value(PULLABLE)
    at.button(key="pull-ollama").click().run()
    pull = caring.pulls("ollama").get(PULLABLE)
    assert pull is not None and pull.wait(10)
    at.run()
    assert row(at, PULLABLE)
    assert [toast.value for toast in at.toast] == [f"{PULLABLE} is there."]
    assert [toast.value for toast in at.run().toast] == []
    assert not at.exception


def test_every_tab_that_saw_a_pull_is_told_of_its_end(app: App, ollama: OllamaServer):
    ollama.pull_pause = 600.0
    tabs = [models_page(app, ollama) for _ in range(2)]
    tabs[0].text_input(key="pull-name-ollama").set_value(PULLABLE)
    tabs[0].button(key="pull-ollama").click().run()
    tabs[1].run()
    ollama.pull_pause = 0.0
    pull = caring.pulls("ollama").get(PULLABLE)
    assert pull is not None and pull.wait(10)
    for at in tabs:
        assert [toast.value for toast in at.run().toast] == [f"{PULLABLE} is there."]
        assert not at.exception


def test_what_is_loaded_says_its_memory_and_when_it_goes(app: App, ollama: OllamaServer):
    ollama.gpu_share = 0.25
    ollama.keep(CHAT, {"keep_alive": "10m", "options": {"num_ctx": 8192}})
    ollama.keep("slow-load:latest", {"keep_alive": -1})
    at = models_page(app, ollama)
    shown = html(at)
    assert "480 MB in memory, 25% of it on the GPU · context 8,192 · unloads in 9:5" in shown
    assert "context 4,096 · stays until you unload it" in shown
    assert "loaded" in row(at, CHAT)
    assert not at.exception


def test_a_loaded_model_is_kept_longer_and_unloaded(app: App, ollama: OllamaServer):
    ollama.keep(CHAT, {"keep_alive": "5m"})
    at = models_page(app, ollama)
    at.menu_button(key=f"stay-ollama-{CHAT}").click("2 hours").run()
    assert "unloads in 1:59:5" in html(at)
    assert ollama.loads == [(CHAT, 4096)], "not loaded again"
    at.button(key=f"unload-ollama-{CHAT}").click().run()
    assert ollama.loaded == {}
    assert "Nothing. A model is loaded when it is first asked" in html(at)
    assert not at.exception


def test_a_model_is_loaded_with_a_window_and_a_time_of_the_persons_choice(app: App, ollama: OllamaServer):
    at = choose(models_page(app, ollama), "slow-load:latest", "Load")
    at.number_input(key="load-context").set_value(8192)
    at.selectbox(key="load-keep").set_value("Until I unload it")
    at.button(key="load-now").click().run()
    assert "loading, 0:0" in html(at)
    load = caring.loads("ollama").get("slow-load:latest")
    assert load is not None and load.wait(10)
    at.run()
    assert "context 8,192 · stays until you unload it" in html(at)
    assert "load-now" not in [button.key for button in at.button], "the dialog is closed"
    assert not at.exception


def test_a_model_that_does_not_fit_says_why(app: App, ollama: OllamaServer):
    at = choose(models_page(app, ollama), "no-memory:latest", "Load")
    at.button(key="load-now").click().run()
    load = caring.loads("ollama").get("no-memory:latest")
    assert load is not None and load.wait(10)
    at.run()
    assert "5.6 GiB" in at.error[0].value.replace("\\", "") and "smaller model" in at.error[0].value
    at.button(key="dismiss-load-ollama-no-memory:latest").click().run()
    assert not at.error
    assert not at.exception


def test_a_pull_is_followed_cancelled_and_gone_on_with_from_another_session(app: App, ollama: OllamaServer):
    ollama.pull_pause = 0.3
    at = models_page(app, ollama)
    at.text_input(key="pull-name-ollama").set_value(PULLABLE)
    at.button(key="pull-ollama").click().run()
    pull = caring.pulls("ollama").get(PULLABLE)
    assert pull is not None
    while pull.snapshot().progress.done < 500_000:
        assert not pull.wait(0.02)
    other = models_page(app, ollama)  # a second tab sees it too
    assert "of 1 MB" in html(other) and "/s · 0:0" in html(other) and "wb-layers" in html(other)
    other.button(key=f"cancel-pull-ollama-{PULLABLE}").click().run()
    assert pull.wait(10)
    at.run()
    assert "cancelled at" in html(at) and "Go on takes it from there." in html(at)
    at.button(key=f"go-on-ollama-{PULLABLE}").click().run()
    again = caring.pulls("ollama").get(PULLABLE)
    assert again is not None and again is not pull
    until = time.monotonic() + 10
    while again.snapshot().had < 500_000 and time.monotonic() < until:
        time.sleep(0.02)
    assert "went on from" in html(at.run())
    assert not at.exception and not other.exception


def test_a_name_that_there_is_not_says_so_and_is_dismissed(app: App, ollama: OllamaServer):
    at = models_page(app, ollama)
    at.button(key="pull-ollama-gemma3:1b").click().run()
    pull = caring.pulls("ollama").get("gemma3:1b")
    assert pull is not None and pull.wait(10)
    at.run()
    assert "library has no model gemma3" in at.error[0].value.replace("\\", "")
    at.button(key="dismiss-ollama-gemma3:1b").click().run()
    assert not at.error
    assert not at.exception


def test_a_model_is_read(app: App, ollama: OllamaServer):
    at = choose(models_page(app, ollama), CHAT, "Details")
    assert [tab.label for tab in at.tabs] == ["Template", "Parameters", "System prompt", "Licence", "Modelfile"]
    texts = [block.value for block in at.code]
    assert "{{ .Prompt }}" in texts[0] and "num_ctx" in texts[1]
    assert texts[2:] == ["You are a helpful assistant.", "Apache-2.0", f"FROM {CHAT}"]
    assert not at.exception


def test_a_copy_asks_for_its_name_and_takes_no_other_models(app: App, ollama: OllamaServer):
    at = choose(models_page(app, ollama), CHAT, "Copy")
    assert f"<b>{CHAT}</b>, 398 MB, on Ollama at {ollama.url}" in html(at)
    at.text_input(key="copy-name").set_value(EMBEDDER).run()
    at.button(key="copy-now").click().run()
    assert "already" in at.error[0].value
    at.text_input(key="copy-name").set_value("mine").run()
    at.button(key="copy-now").click().run()
    assert "mine:latest" in ollama.models
    assert row(at, "mine:latest")
    assert not at.exception


def test_a_model_is_deleted_after_a_question_that_names_it(app: App, ollama: OllamaServer):
    at = models_page(app, ollama)
    at.button(key=f"use-ollama-{CHAT}").click().run()
    choose(at, CHAT, "Delete")
    assert f"<b>{CHAT}</b>, 398 MB, on Ollama at {ollama.url}" in html(at)
    at.button(key="keep").click().run()
    assert CHAT in ollama.models
    choose(at, CHAT, "Delete")
    at.button(key="delete-for-good").click().run()
    assert CHAT not in ollama.models
    assert f"<h3>{CHAT}</h3>" not in html(at)
    assert at.sidebar.selectbox(key="model-ollama").value != CHAT, "a model that is gone is chosen no longer"
    assert not at.exception


def test_a_server_that_the_person_has_named_has_its_own_models_and_pulls(
    app: App, ollama: OllamaServer, engine: Callable[[], object]
):
    from workbench.backends.servers import Server

    at = app(OLLAMA_HOST="http://127.0.0.1:9")
    engine().servers.keep(Server(kind="ollama", name="lab", address=ollama.url))  # type: ignore[attr-defined]
    at.switch_page("pages/models.py").run()
    at.menu_button(key=f"more-ollama@lab-{CHAT}").click("Copy").run()
    assert f"on lab (Ollama) at {ollama.url}" in html(at)
    at.button(key="pull-ollama@lab-gemma3:1b").click().run()
    assert [pull.name for pull in caring.pulls("ollama@lab").all()] == ["gemma3:1b"]
    assert caring.pulls("ollama").all() == []
    assert not at.exception


def test_a_model_with_a_tiny_window_can_be_loaded(app: App, ollama: OllamaServer):
    ollama.models["tiny:latest"] = Model(context_length=128)
    at = choose(models_page(app, ollama), "tiny:latest", "Load")
    assert not at.exception
    at.number_input(key="load-context").set_value(128).run()
    at.button(key="load-now").click().run()
    assert not at.exception
    until = time.monotonic() + 5
    while not ollama.loads and time.monotonic() < until:
        time.sleep(0.02)
    assert ollama.loads == [("tiny:latest", 128)]


def test_a_second_load_with_another_window_is_not_dropped_without_a_word(app: App, ollama: OllamaServer):
    at = models_page(app, ollama)
    for window in (4096, 16384):
        choose(at, "slow-load:latest", "Load")
        at.number_input(key="load-context").set_value(window).run()
        at.button(key="load-now").click().run()
    assert [error.value for error in at.error if "being loaded already, with 4,096 tokens" in error.value]
    assert not at.exception
