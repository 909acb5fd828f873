"""A run of many steps in a real browser: drawn from its end, the rest on demand, and nothing jumps."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.app_server import AppServer
from tests.browser.driving import button, scrolls_sideways, visit
from tests.ui import samples
from workbench.request import RunRequest
from workbench.store.runs import RunStore

Tab = Callable[..., Any]
STEPS = 95


@pytest.fixture(scope="module")
def long_run(server: AppServer) -> str:
    """A recorded run of many steps, in the store of the running app."""
    log = samples.Log("stepwise", samples.STEPWISE)
    for step in range(STEPS):
        log.node("think", step).call(f"c{step}", "think", "thinker").answer(f"c{step}", f"Thought {step}. " * 9)
        log.leave("think", step)
    store = RunStore(f"sqlite:///{server.home / 'runs.db'}")
    request = RunRequest(machine="stepwise", question=samples.QUESTION, backend="scripted", model="demo")
    started = log.end("answered", answer="Every thought was had.").events[0]
    events = [event.model_copy(update={"run_id": "long"}) for event in log.events]
    store.create("long", request, "Stepwise", started.created_at)
    asked = {"request": request.model_dump(mode="json")}
    store.append([events[0].model_copy(update=asked), *events[1:]])
    store.close()
    return "long"


def top(card: Any) -> float:
    """Where a card begins in the window."""
    return float(card.evaluate("card => card.getBoundingClientRect().top"))


@pytest.mark.parametrize("width", [1280, 400])
def test_a_long_run_opens_at_its_end_and_earlier_steps_come_without_moving_it(tab: Tab, long_run: str, width: int):
    """The way to the earlier steps stands above the first that is drawn, which stays where it was."""
    page = tab(f"/?run={long_run}", viewport={"width": width, "height": 900})
    page.locator("#answer").wait_for()
    assert page.locator(".wb-card").count() == 35
    more, card = page.get_by_role("button", name="Show 30 earlier steps"), page.locator("#entry-60")
    more.hover()
    before = top(card)
    more.click()
    page.locator("#entry-30").wait_for(state="attached")
    page.wait_for_timeout(500)
    assert abs(top(card) - before) < 8
    more.click()
    page.locator("#entry-0").wait_for(state="attached")
    page.locator("#earlier").wait_for(state="detached")
    assert page.locator(".wb-card").count() == STEPS
    assert not scrolls_sideways(page)


def test_what_was_asked_for_is_still_there_after_another_page(tab: Tab, long_run: str):
    """To the models and back: as many cards as before."""
    page = tab(f"/?run={long_run}")
    page.get_by_role("button", name="Show all 60").click()
    page.locator("#entry-0").wait_for(state="attached")
    page.locator(".st-key-navigation").get_by_text("Models").click()
    page.locator(".wb-model").first.wait_for()
    page.locator(".st-key-navigation").get_by_text("Bench").click()
    expect(page.locator(".wb-card")).to_have_count(STEPS, timeout=60_000)


def test_another_run_clears_every_card_of_a_long_one(tab: Tab, long_run: str, essay: str):
    """From many cards to six."""
    page = tab(f"/?run={long_run}")
    page.get_by_role("button", name="Show all 60").click()
    page.locator("#entry-0").wait_for(state="attached")
    visit(page, f"/?run={essay}")
    page.get_by_text("the colour of the wheat").last.wait_for()
    button(page, "Run").wait_for()
    assert page.locator(".wb-card").count() == 6
