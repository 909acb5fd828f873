"""The list of runs in a real browser: replay, download, delete."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.driving import ESSAY, ask, button, run_id, visit, wait_for_answer, wait_for_words
from workbench.events import KINDS

Tab = Callable[..., Any]


@pytest.fixture
def listed(tab: Tab, essay: str) -> Any:
    """The Runs page, searched for a finished essay."""
    page = tab("/runs")
    page.get_by_placeholder("Search in questions and answers").fill("COLOUR OF THE WHEAT")
    page.get_by_placeholder("Search in questions and answers").press("Enter")
    page.locator(f".st-key-row-{essay}").wait_for()
    expect(page.locator(".wb-run", has_text="How many")).to_have_count(0)
    return page


def row_action(page: Any, run: str, name: str) -> Any:
    """A button of a listed run."""
    return page.locator(f".st-key-row-{run}").get_by_role("button", name=name)


def test_a_replay_writes_the_run_again_and_ends_the_same(listed: Any, essay: str):
    """At four times its pace the run is written anew, without a model, and its end is the recorded one."""
    row_action(listed, essay, "Replay").click()
    listed.get_by_text("Replay 4×").click()
    button(listed, "End replay").wait_for()
    wait_for_words(listed, "treasured companion")
    assert listed.locator(".wb-card").count() < 6
    assert "the colour of the wheat" in wait_for_answer(listed).inner_text()
    assert listed.locator(".wb-card").count() == 6


def test_a_replay_can_be_cut_short(listed: Any, essay: str):
    """Esc shows the rest at once."""
    row_action(listed, essay, "Replay").click()
    listed.get_by_text("Replay 1×").click()
    wait_for_words(listed, "treasured")
    listed.keyboard.press("Escape")
    assert "the colour of the wheat" in wait_for_answer(listed).inner_text()


def test_a_log_is_downloaded_as_one_event_a_line(listed: Any, essay: str):
    """The file holds every event in order, from run_started to run_finished."""
    row_action(listed, essay, "Download").click()
    with listed.expect_download() as download:
        listed.get_by_role("button", name="Log (JSONL)").click()
    assert download.value.suggested_filename.endswith(".jsonl")
    events = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["kind"] == "run_started" and events[-1]["kind"] == "run_finished"
    assert {event["kind"] for event in events} <= KINDS


def test_a_run_that_was_found_is_opened(listed: Any, essay: str):
    """Open, and the bench stands as it stood, with its question."""
    row_action(listed, essay, "Open").click()
    wait_for_answer(listed)
    assert run_id(listed) == essay
    expect(listed.get_by_label("Question", exact=True)).to_have_value(ESSAY)


def test_a_run_is_deleted_after_a_second_word(tab: Tab):
    """Delete asks first; Keep it keeps it, Delete deletes it."""
    page = tab()
    ask(page, "How many?")
    wait_for_answer(page)
    run = run_id(page)
    visit(page, "/runs")
    row_action(page, run, "Delete").click()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    row_action(page, run, "Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.locator(f".st-key-row-{run}").wait_for(state="detached")
    visit(page, f"/?run={run}")
    page.get_by_text(f"There is no run {run}").wait_for()
