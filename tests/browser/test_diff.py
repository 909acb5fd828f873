"""Two runs side by side in a real browser: chosen under Runs, shared by their address, readable on a phone."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import ESSAY, ask, choose, run_id, scrolls_sideways, visit, wait_for_answer

Tab = Callable[..., Any]


def test_two_runs_are_chosen_laid_side_by_side_and_shared(tab: Tab, essay: str):
    """Compare at one run, Side by side at another; the first difference is a click away, and a reload keeps it."""
    page = tab()
    choose(page, "Reflection")
    page.locator(".st-key-settings summary").first.click()
    page.get_by_role("slider", name="Rounds").press("Home")  # one round: the second draft is the answer
    ask(page, ESSAY)
    wait_for_answer(page)
    other = run_id(page)
    visit(page, "/runs")
    page.locator(f".st-key-row-{essay}").get_by_role("button", name="Compare").click()
    page.get_by_text("Press Side by side at the run to compare it with.").wait_for()
    page.locator(f".st-key-row-{other}").get_by_role("button", name="Side by side").click()
    page.wait_for_url(f"**/diff?a={essay}&b={other}")
    first = page.locator("#first-difference")
    first.wait_for()
    said = page.locator(".wb-verdict p").first.inner_text()
    page.get_by_role("link", name="Go to it").click()
    expect(first).to_be_in_viewport()
    page.reload()
    expect(page.locator(".wb-verdict p").first).to_have_text(said)
    assert page.locator(".wb-name").count() == 1


def test_what_is_the_same_opens_when_it_is_asked_for(tab: Tab, essay: str):
    """A run beside itself is one line; behind it are the steps of both."""
    page = tab(f"/diff?a={essay}&b={essay}")
    page.get_by_text("No difference.").wait_for()
    step = page.locator(".wb-alike .wb-card").first
    expect(step).not_to_be_visible()
    page.locator(".wb-alike > summary").click()
    expect(step).to_be_visible()


def test_on_a_phone_the_runs_stand_under_each_other(tab: Tab, essay: str):
    """Each card says whose it is, and nothing scrolls sideways."""
    page = tab()
    choose(page, "Stepwise")
    ask(page, ESSAY)
    wait_for_answer(page)
    other = run_id(page)
    page.set_viewport_size({"width": 400, "height": 800})
    visit(page, f"/diff?a={essay}&b={other}")
    lanes = page.locator(".wb-sides section .wb-lane")
    lanes.first.wait_for()
    a, b = lanes.nth(0).bounding_box(), lanes.nth(1).bounding_box()
    assert a["y"] + a["height"] <= b["y"]
    whose = lanes.nth(1).evaluate("lane => getComputedStyle(lane, '::before').content")
    assert whose == '"B"'
    assert not scrolls_sideways(page)
