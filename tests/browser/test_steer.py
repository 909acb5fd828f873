"""Steering in a real browser: pause and reply, fork, the family, the same seed again, follow-ups."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.driving import (
    ESSAY,
    ask,
    button,
    choose,
    run_id,
    scrolls_sideways,
    visit,
    wait_for_answer,
    wait_for_words,
)

Tab = Callable[..., Any]

# Counts the messages that the server sends to the page.
COUNT_MESSAGES = """
window.received = 0;
window.WebSocket = class extends window.WebSocket {
  constructor(...args) { super(...args); this.addEventListener("message", () => { window.received += 1; }); }
};
"""


def pause_before_critique(page: Any) -> None:
    """Choose the reflection machine, ask to be asked before its critic, and ask the question."""
    choose(page, "Reflection")
    settings = page.locator(".st-key-settings summary").first
    settings.click()
    page.locator(".st-key-settings-panel").get_by_role("button", name="critique").click()
    settings.get_by_text("pause before: critique").wait_for()
    settings.click()
    ask(page, ESSAY)


def form(page: Any) -> Any:
    """The form of a run that waits."""
    found = page.locator(".st-key-pause-form")
    found.wait_for()
    return found


def turn(page: Any, choice: str, sends: str) -> Any:
    """Turn the form to a choice; the form, with the button that sends it."""
    form(page).get_by_role("radio", name=choice).click()
    form(page).get_by_role("button", name=sends).wait_for()
    return form(page)


def fork_dialog(page: Any) -> Any:
    """Open the fork dialog."""
    page.get_by_role("button", name="Fork", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Start the fork").wait_for()
    return dialog


def leave_after(page: Any, dialog: Any, step: str) -> None:
    """Choose the step after which the fork leaves."""
    dialog.get_by_role("combobox", name="After which step").click()
    page.get_by_role("option", name=step).click()


def test_the_run_waits_before_the_critic_and_goes_on_when_it_is_approved(tab: Tab):
    """Ctrl+Enter approves; the run goes on on the same page, waits at the next critic, and so on to the answer."""
    page = tab()
    pause_before_critique(page)
    form(page).get_by_text("The critic is about to be asked").wait_for()
    assert button(page, "Stop").is_visible()
    page.keyboard.press("Control+Enter")
    wait_for_words(page, "the one thing that a screen never returns")
    form(page)
    page.keyboard.press("Control+Enter")
    wait_for_words(page, "the colour of the wheat")
    form(page).get_by_role("button", name="Approve").click()
    assert "the colour of the wheat" in wait_for_answer(page).inner_text()
    assert page.locator(".st-key-pause-form").count() == 0


def test_while_it_waits_nothing_is_sent_and_the_run_survives_a_reload(tab: Tab):
    """No message reaches a waiting page; after F5, and in a second browser, the same form stands there."""
    page = tab()
    page.context.add_init_script(COUNT_MESSAGES)
    pause_before_critique(page)
    form(page)
    page.reload()
    form(page).get_by_text("The critic is about to be asked").wait_for()
    page.wait_for_timeout(1500)
    before = page.evaluate("window.received")
    page.wait_for_timeout(3000)
    assert before > 0 and page.evaluate("window.received") == before
    second = tab(f"/?run={run_id(page)}")
    form(second).get_by_role("button", name="Approve").click()
    wait_for_words(second, "No example from the text")


def test_the_message_is_edited_and_sent_from_within_its_field(tab: Tab):
    """Edit offers the last message; Ctrl+Enter in the field sends it, and that is what the critic gets."""
    page = tab()
    pause_before_critique(page)
    field = turn(page, "Edit", "Send as edited").get_by_label("The last message")
    assert "treasured companion" in field.input_value()
    field.fill("A pupil's draft about mountains.")
    field.press("Control+Enter")
    wait_for_words(page, "No example from the text")
    page.get_by_text("What was sent").nth(1).click()
    assert "A pupil's draft about mountains." in page.locator(".wb-sent").first.inner_text()


def test_the_person_answers_in_the_critics_place(tab: Tab):
    """The form asks for what the schema asks for; what does not fit is said, and kept; then the verdict counts."""
    page = tab()
    pause_before_critique(page)
    answer = turn(page, "Answer in its place", "Use my answer")
    answer.get_by_role("textbox", name="Issues").fill("It lacks a fox.")
    answer.get_by_role("button", name="Use my answer").click()
    form(page).get_by_text("Your answer does not fit").wait_for()
    expect(form(page).get_by_role("textbox", name="Issues")).to_have_value("It lacks a fox.")
    form(page).get_by_role("spinbutton", name="Score").fill("10")
    form(page).get_by_role("radio", name="accept").click()
    form(page).get_by_role("button", name="Use my answer").click()
    assert "treasured companion" in wait_for_answer(page).inner_text()
    page.locator(".wb-card", has_text="Accept · 10/10").wait_for()


def test_the_keys_reach_the_button_from_the_choice_itself(tab: Tab):
    """With the focus on the choice, Ctrl+Enter presses the button that says so."""
    page = tab()
    pause_before_critique(page)
    turn(page, "Reject", "Reject")
    turn(page, "As it is", "Approve")
    page.keyboard.press("Control+Enter")
    wait_for_words(page, "No example from the text")


def test_a_run_that_waits_is_stopped_by_the_same_stop(tab: Tab):
    """Esc stops it; the answer's place says so and Run is back."""
    page = tab()
    pause_before_critique(page)
    form(page)
    page.keyboard.press("Escape")
    page.locator("#answer").get_by_text("Stopped", exact=True).wait_for()
    button(page, "Run").wait_for()


def test_a_fork_leaves_after_a_step_with_another_draft(tab: Tab, essay: str):
    """The dialog shows the state at the step; the changed draft is what the critic of the fork is sent."""
    page = tab(f"/?run={essay}")
    wait_for_answer(page)
    dialog = fork_dialog(page)
    leave_after(page, dialog, "1 · Draft 1")
    dialog.get_by_text("Next comes critique.").wait_for()
    expect(dialog.get_by_role("textbox", name="Message 3")).to_have_count(0)  # the later step's are gone
    dialog.get_by_role("textbox", name="Message 2").fill("My own draft about the lamplighter.")
    dialog.get_by_role("button", name="Start the fork").click()
    dialog.wait_for(state="detached")
    page.locator('[aria-current="true"]', has_text="Fork at step 1").wait_for()
    wait_for_answer(page)
    assert run_id(page) != essay
    page.locator(".st-key-entry-place-1").get_by_text("What was sent").click()
    assert "My own draft about the lamplighter." in page.locator(".wb-sent").first.inner_text()


def test_a_mistake_is_said_in_the_dialog_which_keeps_everything(tab: Tab, essay: str):
    """A template with an unknown variable: the sentence stands at the button, the text where it was."""
    page = tab(f"/?run={essay}")
    wait_for_answer(page)
    dialog = fork_dialog(page)
    dialog.get_by_role("tab", name="Prompts").click()
    field = dialog.get_by_role("textbox", name="Essay critic")
    field.fill("Judge $this.")
    field.press("Control+Enter")
    dialog.get_by_text("$this is not a variable").wait_for()
    expect(field).to_have_value("Judge $this.")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert run_id(page) == essay


def test_a_run_in_progress_is_forked_and_goes_on(tab: Tab):
    """Beside Stop: the dialog works while the run goes on, Esc closes it and stops nothing, and both come to an end."""
    page = tab()
    choose(page, "Reflection")
    ask(page, ESSAY)
    parent = run_id(page)
    wait_for_words(page, "the one thing that a screen never returns")
    dialog = fork_dialog(page)
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.get_by_text("Stopped here.").count() == 0
    dialog = fork_dialog(page)
    dialog.get_by_role("tab", name="Options").click()
    dialog.get_by_role("slider", name="Rounds").press("Home")
    dialog.get_by_role("button", name="Start the fork").click()
    dialog.wait_for(state="detached")
    page.locator(".st-key-settings summary").first.get_by_text("1 round").wait_for()
    wait_for_answer(page)
    page.get_by_role("button", name="First run").click()
    page.locator('[aria-current="true"]', has_text="First run").wait_for()
    assert run_id(page) == parent
    assert "the colour of the wheat" in wait_for_answer(page).inner_text()


def test_the_same_seed_again_is_the_same_and_is_laid_side_by_side(tab: Tab, essay: str):
    """The new run says whether it is the same; the link leads to both, side by side, and the session is kept."""
    page = tab(f"/?run={essay}")
    wait_for_answer(page)
    page.get_by_role("button", name="Run again with the same seed").click()
    page.get_by_text("The same as the first time.").wait_for()
    again = run_id(page)
    page.locator(".st-key-sameness").get_by_role("link", name="Side by side").click()
    page.wait_for_url(f"**/diff?a={essay}&b={again}")
    page.get_by_role("heading", name="Side by side").wait_for()
    page.get_by_role("link", name="Bench").click()
    page.get_by_text("The same as the first time.").wait_for()


def test_a_follow_up_is_asked_with_enter_and_stands_in_the_question(tab: Tab, essay: str):
    """The thread goes on in a new run; the family names it; the follow-up is the form's question."""
    page = tab(f"/?run={essay}")
    wait_for_answer(page)
    page.get_by_label("Follow-up").fill("And what of the rose?")
    page.get_by_label("Follow-up").press("Enter")
    page.locator('[aria-current="true"]', has_text="Then: And what of the rose?").wait_for()
    wait_for_answer(page)
    expect(page.get_by_label("Question", exact=True)).to_have_value("And what of the rose?")
    page.get_by_text("What was sent").first.click()
    assert ESSAY in page.locator(".wb-sent").first.inner_text()
    visit(page, "/runs")
    page.locator(".wb-run", has_text="And what of the rose?").get_by_text("follow-up").first.wait_for()


def test_on_a_narrow_screen_nothing_scrolls_sideways(tab: Tab, essay: str):
    """400 pixels: the form of a run that waits, the fork dialog, the family and the follow-up fit."""
    page = tab(viewport={"width": 400, "height": 800}, color_scheme="dark")
    pause_before_critique(page)
    turn(page, "Answer in its place", "Use my answer")
    assert not scrolls_sideways(page)
    fork_dialog(page)
    assert page.get_by_role("dialog").evaluate("e => e.scrollWidth <= e.clientWidth")
    page = tab(f"/?run={essay}", viewport={"width": 400, "height": 800})
    wait_for_answer(page)
    assert not scrolls_sideways(page)
