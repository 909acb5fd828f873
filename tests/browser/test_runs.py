"""The list of runs in a real browser: replay, download, delete."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.driving import ESSAY, ask, button, choose, run_id, wait_for_answer, wait_for_words
from workbench.events import KINDS

Tab = Callable[..., Any]


@pytest.fixture
def listed(tab: Tab) -> Any:
    """The Runs page with a finished essay on top."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    wait_for_answer(page)
    page.goto(page.url.partition("?")[0] + "runs")
    page.locator(".wb-run").first.wait_for()
    return page


def row_action(page: Any, name: str) -> Any:
    """A button of the newest run."""
    return page.locator('[class*="st-key-actions-"]').first.get_by_role("button", name=name)


def test_a_replay_writes_the_run_again_and_ends_the_same(listed: Any):
    """At four times its pace the run is written anew, without a model, and its end is the recorded one."""
    row_action(listed, "Replay").click()
    listed.get_by_text("Replay 4×").click()
    button(listed, "End replay").wait_for()
    wait_for_words(listed, "treasured companion")
    assert listed.locator(".wb-card").count() < 6
    assert "the colour of the wheat" in wait_for_answer(listed).inner_text()
    assert listed.locator(".wb-card").count() == 6


def test_a_replay_can_be_cut_short(listed: Any):
    """Esc shows the rest at once."""
    row_action(listed, "Replay").click()
    listed.get_by_text("Replay 1×").click()
    wait_for_words(listed, "treasured")
    listed.keyboard.press("Escape")
    assert "the colour of the wheat" in wait_for_answer(listed).inner_text()


def test_a_log_is_downloaded_as_one_event_a_line(listed: Any):
    """The file holds every event in order, from run_started to run_finished."""
    with listed.expect_download() as download:
        row_action(listed, "Download").click()
    assert download.value.suggested_filename.endswith(".jsonl")
    events = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["kind"] == "run_started" and events[-1]["kind"] == "run_finished"
    assert {event["kind"] for event in events} <= KINDS


def test_a_run_is_opened_by_its_question_found_in_the_search(listed: Any):
    """Search, open, and the bench stands as it stood."""
    listed.get_by_placeholder("Search in questions and answers").fill("LITTLE PRINCE")
    listed.get_by_placeholder("Search in questions and answers").press("Enter")
    row_action(listed, "Open").click()
    wait_for_answer(listed)
    assert run_id(listed)
    assert listed.get_by_label("Question", exact=True).input_value() == ESSAY


def test_a_run_is_deleted_after_a_second_word(listed: Any):
    """Delete asks first; Keep it keeps it, Delete deletes it."""
    count = int(listed.locator(".wb-label").first.inner_text().split()[0])
    row_action(listed, "Delete").click()
    listed.get_by_role("button", name="Keep it").click()
    listed.get_by_role("dialog").wait_for(state="hidden")
    row_action(listed, "Delete").click()
    listed.get_by_role("dialog").get_by_role("button", name="Delete").click()
    listed.get_by_role("dialog").wait_for(state="hidden")
    after = f"{count - 1} run" if count == 2 else f"{count - 1} runs" if count > 1 else "No runs yet"
    listed.get_by_text(after, exact=True).wait_for()
