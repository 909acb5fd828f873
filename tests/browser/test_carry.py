"""A run is judged, carried away as a file and brought in again, in a real browser."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import wait_for_answer, wait_for_words

Tab = Callable[..., Any]


def test_a_run_is_judged_with_the_keyboard_and_carried_in_a_file(tab: Tab, essay: str, tmp_path):
    """Good is kept at once; the bundle shows what is in it before it is taken in, and what came opens and replays."""
    page = tab(f"/?run={essay}")
    wait_for_answer(page)
    good = page.locator(".st-key-verdict").get_by_role("radio", name="Good")
    good.focus()
    page.keyboard.press("Enter")
    expect(good).to_be_checked()
    page.locator(".st-key-navigation").get_by_text("Runs").click()
    row = page.locator(f".st-key-row-{essay}")
    expect(row).to_contain_text("you: good")
    row.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Bundle").click()
    download.value.save_as(tmp_path / "essay.zip")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(tmp_path / "essay.zip")
    expect(dialog).to_contain_text("1 run, made by Second Thought")
    dialog.get_by_role("button", name="Import", exact=True).click()
    dialog.get_by_role("button", name="Open").click()
    wait_for_words(page, "colour of the wheat")
    assert essay not in page.url
