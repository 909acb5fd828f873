"""The app with a script that it can play again and again, and pages of a real browser on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.app_server import AppServer
from tests.browser.driving import ESSAY, PICTURES, SCRIPT, ask, choose, run_id, wait_for_answer
from tests.ollama_server import CHAT, OllamaServer, ollama_server

PATIENCE_MS = 60_000  # a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def ollama() -> Iterator[OllamaServer]:
    """The Ollama server that the app knows: without a model behind it, for the care of its models."""
    with ollama_server() as known:
        known.models = {name: known.models[name] for name in (CHAT, "slow-load:latest")}
        yield known


@pytest.fixture(scope="session")
def server(
    app_server: Callable[..., AppServer], ollama: OllamaServer, tmp_path_factory: pytest.TempPathFactory
) -> AppServer:
    """The app on the scripted backend, which writes 40 words a second."""
    script = tmp_path_factory.mktemp("script") / "script.yaml"
    script.write_text(SCRIPT)
    played = {"WORKBENCH_SCRIPT": str(script), "WORKBENCH_SCRIPT_SPEED": "40", "OLLAMA_HOST": ollama.url}
    # Each tab is a person of its own: none begins with what another one used last.
    return app_server(WORKBENCH_BACKEND="scripted", WORKBENCH_RESTORE="off", **played)


@pytest.fixture
def tab(browser: Any, server: AppServer) -> Iterator[Callable[..., Any]]:
    """Open a tab: `tab("/runs", color_scheme="dark")`; each call is a person of its own. Errors of the page fail."""
    contexts: list[Any] = []
    problems: list[str] = []

    def open_(path: str = "/", **screen: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **screen}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.goto(server.url + path)
        page.locator(".wb-name").wait_for(state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture(scope="session")
def essay(browser: Any, server: AppServer) -> str:
    """A finished run of the reflection machine: six cards, the answer accepted."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.url)
    choose(page, "Reflection")
    ask(page, ESSAY)
    wait_for_answer(page)
    name = run_id(page)
    page.context.close()
    return name


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots go."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES
