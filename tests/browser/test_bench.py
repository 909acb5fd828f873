"""The bench in a real browser: ask, watch, stop, leave, come back."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import (
    ESSAY,
    ask,
    button,
    choose,
    run_id,
    stop_at,
    wait_for_answer,
    wait_for_words,
)

Tab = Callable[..., Any]


# Notes what the first card shows, whenever the page changes: its length, whether it has a caret, the node that is lit.
RECORD = """
window.seen = [];
new MutationObserver(() => {
  const card = document.querySelector("#entry-0"), node = document.querySelector(".wb-here text");
  if (card && node) {
    window.seen.push([card.innerText.length, !!card.querySelector(".wb-caret"), node.textContent.split(" ")[0].trim()]);
  }
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


def test_a_question_is_asked_from_within_its_field_and_streams_word_by_word(tab: Tab):
    """Ctrl+Enter in the question runs it; the first card grows while it is written; at the end Run is back."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    card = page.locator("#entry-0")
    wait_for_words(page, "treasured companion")
    early = card.inner_text()
    assert card.locator(".wb-caret").count() == 1
    page.wait_for_function(
        "length => document.querySelector('#entry-0').innerText.length > length", arg=len(early) + 40
    )
    assert page.locator(".wb-here").count() == 1
    answer = wait_for_answer(page)
    assert "the colour of the wheat" in answer.inner_text()
    assert page.locator(".wb-caret").count() == 0
    expect(page.get_by_label("Question", exact=True)).to_have_value(ESSAY)


def test_stop_ends_the_run_and_keeps_what_was_written(tab: Tab):
    """A click on Stop; the partial text stays on the card, the run is listed as stopped."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    stop_at(page, "treasured companion")
    assert "treasured companion" in page.locator("#entry-0").inner_text()
    assert "Stopped here." in page.locator(".wb-card").last.inner_text()
    assert "Stopped" in page.locator("#answer").inner_text()
    page.get_by_role("link", name="Runs").click()
    page.locator(".wb-run").first.get_by_text("stopped").wait_for()


def test_a_stopped_run_is_resumed_and_comes_to_its_answer(tab: Tab):
    """Resume stands at the end of a stopped run; the cards before it stay, and the answer follows."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    stop_at(page, "No example from the text")
    name = run_id(page)
    page.get_by_role("button", name="Resume").click()
    button(page, "Stop").wait_for()
    assert "the colour of the wheat" in wait_for_answer(page).inner_text()
    assert run_id(page) == name
    assert "treasured companion" in page.locator("#entry-0").inner_text()
    assert page.get_by_role("button", name="Resume").count() == 0


def test_a_limit_is_set_reached_and_widened(tab: Tab):
    """A run of at most two steps ends there with its draft; with more it goes on from there."""
    page = tab()
    choose(page, "Reflection")
    page.locator(".st-key-settings summary").first.click()
    page.get_by_role("spinbutton", name="Steps").fill("2")
    page.get_by_role("spinbutton", name="Steps").press("Enter")
    page.locator(".st-key-settings summary").first.get_by_text("at most 2 steps").wait_for()
    ask(page, ESSAY)
    answer = wait_for_answer(page).inner_text()
    assert "2 steps were taken" in answer and "treasured companion" in answer
    page.get_by_role("spinbutton", name="Steps").fill("200")
    page.get_by_role("spinbutton", name="Steps").press("Enter")
    page.get_by_role("button", name="Resume").click()
    button(page, "Stop").wait_for()
    assert "the colour of the wheat" in wait_for_answer(page).inner_text()


def test_a_reload_in_mid_run_finds_the_run_again(tab: Tab):
    """After F5 the same run stands there, still writing, and comes to its end."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    wait_for_words(page, "treasured companion")
    name = run_id(page)
    page.reload()
    wait_for_words(page, "treasured companion")
    assert run_id(page) == name
    expect(page.get_by_label("Question", exact=True)).to_have_value(ESSAY)
    assert button(page, "Stop").is_visible()
    assert "the colour of the wheat" in wait_for_answer(page).inner_text()


def test_a_second_tab_follows_the_same_run(tab: Tab):
    """Another browser at the run's address sees it being written, and both see the end."""
    first = tab()
    choose(first, "Reflection")
    ask(first, ESSAY)
    second = tab(f"/?run={run_id(first)}")
    second.locator(".wb-live").wait_for()
    before = len(second.locator(".st-key-steps").inner_text())
    second.wait_for_function("n => document.querySelector('.st-key-steps').innerText.length > n", arg=before + 40)
    assert wait_for_answer(second).inner_text() == wait_for_answer(first).inner_text()


def test_a_run_goes_on_while_another_page_is_open(tab: Tab):
    """Leave for Runs and come back: the run has gone on meanwhile."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    wait_for_words(page, "treasured companion")
    page.get_by_role("link", name="Runs").click()
    page.locator(".wb-run").first.get_by_text("running").wait_for()
    page.get_by_role("link", name="Bench").click()
    wait_for_words(page, "No example from the text")
    assert "the colour of the wheat" in wait_for_answer(page).inner_text()


def test_a_click_on_the_page_does_not_disturb_the_run(tab: Tab):
    """Opening the settings and what was sent, in mid-run, leaves the run as it is."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    wait_for_words(page, "No example from the text")
    page.locator(".st-key-settings summary").first.click()
    page.get_by_text("What was sent").first.click()
    sent = page.locator(".wb-sent").first
    sent.wait_for()
    assert ESSAY in sent.inner_text()
    assert button(page, "Stop").is_visible()
    wait_for_answer(page)
    assert page.locator(".wb-card").count() == 6


def test_what_the_form_says_is_what_is_run(tab: Tab):
    """A changed option and a seed are shown as chips, and are what the model was asked with."""
    page = tab()
    choose(page, "Reflection")
    page.locator(".st-key-settings summary").first.click()
    page.get_by_role("slider", name="Rounds").press("Home")
    page.get_by_role("spinbutton", name="Seed").fill("42")
    page.get_by_role("spinbutton", name="Seed").press("Enter")
    chips = page.locator(".st-key-settings summary").first
    chips.get_by_text("1 round").wait_for()
    chips.get_by_text("seed 42").wait_for()
    ask(page, ESSAY)
    wait_for_answer(page)
    assert page.locator(".wb-card").count() == 3
    page.get_by_text("What was sent").first.click()
    parameters = page.locator(".wb-parameters").first
    parameters.wait_for()
    assert "42" in parameters.inner_text()


def test_what_a_model_writes_is_text_and_nothing_else(tab: Tab):
    """Scripts and images in an answer are shown as they were written; nothing runs, nothing is fetched."""
    page = tab()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ask(page, "How many?")
    answer = wait_for_answer(page)
    assert '<script>alert("x")</script>' in page.locator("#entry-0").inner_text()
    assert page.locator(".wb-card img, .wb-card script, #answer img, #answer script").count() == 0
    assert "three" in answer.locator("strong").inner_text()
    assert not [url for url in asked if "example.org" in url]


def test_the_answer_is_copied_and_downloaded(tab: Tab):
    """Copy puts the answer on the clipboard, the download is the whole run as Markdown."""
    page = tab(permissions=["clipboard-read", "clipboard-write"])
    ask(page, "How many?")
    wait_for_answer(page)
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("There are **three**.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Markdown").click()
    text = download.value.path().read_text()
    assert download.value.suggested_filename.endswith(".md")
    assert text.startswith("# How many?") and "## Steps" in text and "Counting again" in text


def test_an_empty_question_is_answered_by_a_sentence(tab: Tab):
    """Nothing runs; the reason stands under the question."""
    page = tab()
    button(page, "Run").wait_for()
    page.get_by_label("Question", exact=True).press("Control+Enter")
    page.get_by_text("The question is empty").wait_for()
    assert button(page, "Run").is_visible()


def test_the_keyboard_reaches_run_and_stop(tab: Tab):
    """From the question one Tab leads to Run, Enter presses it, and Esc stops, with focus to be seen."""
    page = tab()
    choose(page, "Reflection")
    page.get_by_label("Question", exact=True).fill(ESSAY)
    page.keyboard.press("Tab")
    focused = page.evaluate("[document.activeElement.innerText, getComputedStyle(document.activeElement).boxShadow]")
    assert focused[0].startswith("Run") and focused[1] != "none"
    page.keyboard.press("Enter")
    wait_for_words(page, "treasured")
    page.keyboard.press("Escape")
    button(page, "Run").wait_for()
    assert "Stopped" in page.locator("#answer").inner_text()
