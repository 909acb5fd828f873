"""Compare in a real browser: lanes stream side by side, survive a reload, stop together; a blind vote; a phone."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import ESSAY, button, scrolls_sideways

Tab = Callable[..., Any]


def start(page: Any, question: str) -> None:
    """Type a question and start all lanes from within its field."""
    button(page, "Start").wait_for()
    field = page.get_by_label("Question", exact=True)
    field.fill(question)
    field.press("Control+Enter")
    page.wait_for_url("**/compare?comparison=*")


def choose(page: Any, lane: str, machine: str) -> None:
    """Choose a lane's machine."""
    choice = page.get_by_role("combobox", name=f"Machine of lane {lane}")
    choice.click()
    page.get_by_role("option", name=machine, exact=True).click()
    expect(choice).to_have_value(machine)


def test_lanes_stream_side_by_side_survive_a_reload_and_stop_together(tab: Tab):
    """Both lanes write at once; after F5 they stand there further on; Esc stops both and keeps what was written."""
    page = tab("/compare")
    choose(page, "A", "Reflection")
    start(page, ESSAY)
    a, b = page.locator(".st-key-lane-a .wb-now"), page.locator(".st-key-lane-b .wb-now")
    for lane in (a, b):
        lane.get_by_text("treasured companion").wait_for()
    page.reload()
    for lane in ("a", "b"):
        page.locator(f".st-key-lane-{lane} .wb-step", has_text="Draft 1").wait_for()
    expect(page.get_by_label("Question", exact=True)).to_have_value(ESSAY)
    assert button(page, "Stop").is_visible()
    page.keyboard.press("Escape")
    entrants = page.locator(".wb-entrant")
    expect(entrants).to_have_count(2)
    for number in (0, 1):
        expect(entrants.nth(number)).to_contain_text("Stopped")
    button(page, "Start").wait_for()
    page.get_by_text("There are no two answers to choose between.").wait_for()


def test_hidden_lanes_are_nowhere_on_the_page_until_the_vote_and_stand_under_each_other_on_a_phone(tab: Tab):
    """The page's whole HTML names no machine before the vote; on a narrow screen nothing scrolls sideways."""
    page = tab("/compare")
    choose(page, "B", "Stepwise")
    page.get_by_text("Hide the lanes until I have voted").click()
    start(page, "How many?")
    page.get_by_text("Which answer is best?").wait_for()
    shown = page.locator("[data-testid=stMain]").inner_html()
    assert "three" in shown and not [name for name in ("Direct", "Stepwise", "p̄", "tokens read") if name in shown]
    page.set_viewport_size({"width": 400, "height": 800})
    first, second = (page.locator(".wb-entrant").nth(number).bounding_box() for number in (0, 1))
    assert first["y"] + first["height"] <= second["y"]
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="A is best").click()
    page.get_by_text("You found A best.").wait_for()
    for name in ("Direct", "Stepwise"):
        page.locator(".wb-lane-head", has_text=name).wait_for()
    assert not scrolls_sideways(page)
