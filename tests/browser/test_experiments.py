"""Experiments in a real browser: one is followed, reloaded, stopped and resumed; its results fit a phone."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import scrolls_sideways

Tab = Callable[..., Any]


def start(page: Any, name: str, lanes: str, limit: int) -> None:
    """Run a plan from its YAML; it is opened."""
    page.locator(".st-key-new-experiment, .st-key-fill-example").first.wait_for()
    if page.locator(".st-key-new-experiment").count():
        page.get_by_role("button", name="New experiment").click()
    page.locator(".st-key-experiment-yaml summary").click()
    head = f"name: {name}\ndataset: arithmetic\nlimit: {limit}\nscorer: numeric\nparallel: 1\nreuse: false"
    page.get_by_label("Or its text").fill(f"{head}\nlanes: [{lanes}]")
    page.get_by_role("button", name="Run it as it is").click()
    page.wait_for_url(f"**/experiments?experiment={name}")


def test_an_experiment_is_followed_survives_a_reload_and_goes_on_after_a_stop(tab: Tab):
    """Its numbers grow by themselves; F5 finds it; another tab follows it; Esc stops it; Resume does the rest."""
    page = tab("/experiments")
    start(page, "followed", "{name: a, machine: reflection}", 3)
    page.get_by_text("1 running").first.wait_for()
    expect(page.locator(".st-key-start-experiment")).to_have_count(0)
    page.reload()
    page.get_by_text("1 running").first.wait_for()
    other = tab("/experiments?experiment=followed")
    other.get_by_text("1 running").first.wait_for()
    page.get_by_role("button", name="Stop").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resume").wait_for()
    other.get_by_role("button", name="Resume").wait_for()
    page.locator(".wb-state.wb-stopped").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Stop").wait_for()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resume").wait_for()


def test_results_fit_a_phone_are_filtered_and_lead_to_their_runs(tab: Tab):
    """Charts, tables and items are there in the dark and on 400 pixels, nothing scrolls sideways; a run is opened."""
    page = tab("/experiments", viewport={"width": 400, "height": 850}, color_scheme="dark")
    start(page, "phone", "{name: a, machine: direct}, {name: b, machine: stepwise}", 1)
    page.get_by_text("2 of 2 cells done").wait_for()
    page.locator(".st-key-score-cost .main-svg").first.wait_for()
    page.get_by_role("region", name="Lanes").wait_for()
    assert not scrolls_sideways(page)
    page.get_by_role("radio", name="Errors 0").or_(page.get_by_role("button", name="Errors 0")).first.click()
    page.get_by_text("No item fits.").wait_for()
    page.get_by_role("radio", name="All 1").or_(page.get_by_role("button", name="All 1")).first.click()
    page.get_by_role("region", name="Items").get_by_role("link", name="run").first.click()
    page.wait_for_url("**/?run=*")
    expect(page.locator("#answer")).to_contain_text("three")


def test_what_a_plan_leaves_open_is_empty_in_the_form(tab: Tab):
    """Neither the number of items nor how many run at once becomes 1 by being drawn."""
    page = tab("/experiments")
    page.locator(".st-key-new-experiment, .st-key-fill-example").first.wait_for()
    if page.locator(".st-key-new-experiment").count():
        page.get_by_role("button", name="New experiment").click()
    page.locator(".st-key-experiment-settings summary").click()
    expect(page.get_by_role("spinbutton", name="At once")).to_have_value("")
    page.locator(".st-key-experiment-yaml summary").click()
    page.get_by_label("Or its text").fill(
        "name: open\ndataset: letters\nscorer: numeric\nlanes: [{name: one, machine: direct}]"
    )
    page.get_by_role("button", name="Into the form").click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("open")
    expect(page.get_by_role("spinbutton", name="First items")).to_have_value("")
    expect(page.get_by_role("spinbutton", name="At once")).to_have_value("")
    page.get_by_text("50 items × 1 lane × 1 seed").wait_for()
