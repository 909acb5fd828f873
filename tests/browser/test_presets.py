"""A preset in a real browser: saved, opened by its link by somebody else, restored after the app was started again."""

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.driving import SCRIPT


def opened(browser: Any, address: str) -> Any:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator(".st-key-presets").wait_for()
    return page


def is_chosen(page: Any, machine: str) -> None:
    pressed = page.locator(".st-key-machine").get_by_role("radio", name=machine, exact=True)
    expect(pressed).to_be_checked()
    expect(page.locator(".st-key-settings summary")).to_contain_text("at most 321 tokens")


def test_a_preset_is_saved_sent_as_a_link_and_there_after_a_restart(
    app_server: Any, browser: Any, tmp_path: Path
) -> None:
    """The name is in the address, the link needs no preset of ours, and the next start begins with it."""
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT)
    env = {"WORKBENCH_BACKEND": "scripted", "WORKBENCH_SCRIPT": str(script), "WORKBENCH_HOME": str(tmp_path)}
    server = app_server(**env)
    page = opened(browser, f"{server.url}/?machine=direct&limit.tokens=321")
    is_chosen(page, "Direct")
    page.locator(".st-key-presets-popover button").first.click()
    page.get_by_label("Name", exact=True).fill("Short ones")
    page.get_by_role("button", name="Save as new").click()
    page.wait_for_url("**preset=Short**")
    link = page.locator("code", has_text="limit.tokens=321").inner_text()
    assert link.startswith(f"{server.url}/?machine=direct&backend=scripted")
    page.context.close()
    other = opened(browser, link)
    is_chosen(other, "Direct")
    expect(other.locator(".st-key-presets-popover button").first).to_contain_text("Presets")
    other.context.close()
    server.stop()
    again = app_server(**env)
    page = opened(browser, again.url)
    is_chosen(page, "Direct")
    expect(page.locator(".st-key-presets-popover button").first).to_contain_text("Preset: Short ones")
    page.context.close()
    again.stop()
