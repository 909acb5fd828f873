"""An Ollama server's models cared for in a real browser: what goes on by itself, and what a person sees of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import ollama_server
from tests.browser.driving import ask, choose, wait_for_answer
from tests.ollama_server import PULLABLE, OllamaServer

Tab = Callable[..., Any]
SLOW = "slow-load:latest"
HELD = 600.0  # seconds between two pieces of a pull: until the test lets it go on


def row(page: Any, kind: str, model: str) -> Any:
    """The row of a model: `pull-row`, `model-row-loaded`, `model-row`."""
    return page.locator(f".st-key-{kind}-ollama-{re.sub('[^a-z0-9]', '-', model)}")


def do(page: Any, model: str, action: str) -> Any:
    """Choose what to do with an installed model; the dialog that opens."""
    row(page, "model-row", model).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=action).click()
    return page.get_by_role("dialog")


def hold(page: Any, ollama: OllamaServer) -> None:
    """Let the pull come half way through its first layer and no further."""
    while sum(ollama.blobs.values()) < 500_000:
        page.wait_for_timeout(20)
    ollama.pull_pause = HELD


def test_a_pull_outlives_its_page_and_a_model_comes_into_memory_and_goes(
    tab: Tab, ollama: OllamaServer, monkeypatch: pytest.MonkeyPatch
):
    """Pulled, cancelled in another tab, gone on with under an open dialog; loaded by a run, unloaded by a click."""
    page = tab("/models")
    ollama.pull_pause = 0.6
    page.get_by_label("Pull a model").fill(PULLABLE)
    page.keyboard.press("Enter")
    hold(page, ollama)
    pulled = row(page, "pull-row", PULLABLE)
    expect(pulled).to_contain_text(re.compile(r"\d+ kB of 1 MB · \d+ kB/s · 0:\d\d left"))
    expect(page.get_by_label("Pull a model")).to_have_value("")

    other = tab("/models")
    row(other, "pull-row", PULLABLE).get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(f"{PULLABLE}: cancelled at")).to_be_visible()
    had = sum(ollama.blobs.values())
    ollama.pull_pause = 0.6
    page.get_by_role("button", name="Go on").click()
    expect(pulled).to_contain_text(f"went on from {had // 1000} kB")
    ollama.pull_pause = HELD
    dialog = do(page, SLOW, "Details")
    expect(dialog).to_contain_text("{{ .Prompt }}")
    ollama.pull_pause = 0
    expect(page.get_by_text(f"{PULLABLE} is there.")).to_be_visible()
    expect(dialog).to_contain_text("{{ .Prompt }}")
    page.keyboard.press("Escape")
    expect(row(page, "model-row", PULLABLE)).to_be_visible()

    row(page, "model-row", SLOW).get_by_role("button", name="Use this model").click()
    expect(row(page, "model-row", SLOW)).to_contain_text("In use")
    page.locator(".st-key-navigation").get_by_text("Bench").click()
    monkeypatch.setattr(ollama_server, "SLOW_SECONDS", 3.5)
    choose(page, "Direct")
    ask(page, "Why?")
    for seconds in ("0:01", "0:02"):
        expect(page.locator(".wb-wait", has_text=f"Loading the model, {seconds}")).to_be_visible()
    expect(wait_for_answer(page)).to_contain_text("Half an answer")
    page.locator(".st-key-navigation").get_by_text("Models").click()
    loaded = row(page, "model-row-loaded", SLOW)
    expect(loaded).to_contain_text("unloads in 4:")
    first = loaded.inner_text()
    expect(loaded).not_to_have_text(first)
    loaded.get_by_role("button", name="Unload now").click()
    expect(loaded).to_be_hidden()
    assert ollama.loaded == {}
