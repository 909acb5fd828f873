"""The prompt library in a real browser: written with the keyboard, tried, seen on the run, taken from it, carried."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import ask, button, scrolls_sideways, visit

Tab = Callable[..., Any]


def test_a_prompt_is_written_tried_seen_on_its_run_and_carried(tab: Tab, tmp_path: Path):
    """From the built-in wording to a version with an example, in a file, on a phone."""
    page = tab("/prompts?machine=stepwise&role=system")
    template = page.get_by_role("textbox", name="Template")
    template.press("Control+End")
    template.type("\nNo adverbs for $5.")
    template.press("Control+Enter")
    expect(page.locator(".st-key-prompt-template").get_by_role("alert")).to_contain_text("Line 9: a lone $")
    template.press("Control+End")
    for _ in "for $5.":
        template.press("Backspace")
    template.press("Control+Enter")
    page.get_by_text("Saved as version 1").wait_for()
    page.wait_for_url("**version=1")

    page.get_by_role("button", name="Try on the bench").click()
    chip = page.locator(".st-key-wording").get_by_role("button")
    expect(chip).to_have_text("system: version 1 ×")
    ask(page, "How many are there?")
    page.locator("#answer").wait_for()
    button(page, "Run").wait_for()
    used = page.locator(".st-key-prompts-used")
    used.locator("summary").first.press("Enter")
    used.locator(".wb-wording summary").first.press("Enter")
    expect(used.locator("ins").first).to_contain_text("No adverbs")
    chip.click()
    expect(page.locator(".st-key-wording")).to_have_count(0)

    page.get_by_role("button", name="Use as an example").click()
    page.get_by_text("Example 1 is from run").wait_for()
    expect(page.get_by_role("textbox", name="Turn 1")).to_have_value("How many are there?")
    page.get_by_role("button", name="Save as a new version").click()
    page.get_by_text("Saved as version 2").wait_for()
    page.get_by_text("Export and import").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as YAML").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert "  - machine: stepwise\n    role: system\n" in file.read_text()
    page.locator("input[type=file]").set_input_files(file)
    page.locator(".st-key-prompt-carry").get_by_text("KB", exact=False).wait_for()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Nothing was new; 1 there already.").wait_for()

    page.set_viewport_size({"width": 400, "height": 800})
    visit(page, "/prompts?machine=stepwise&role=system&version=2")
    page.get_by_text("With an example from run").first.wait_for()
    page.get_by_text("Changes", exact=True).click()
    page.locator(".wb-prompt ins").first.wait_for()
    assert not scrolls_sideways(page)
