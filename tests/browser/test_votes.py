"""The votes in a real browser: counted while the samples come in, live and in a replay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser.driving import ask, button, choose, run_id, scrolls_sideways, visit, wait_for_answer

# Notes how many samples the histogram counts, and for whom, whenever it changes.
RECORD = """
window.seen = [];
new MutationObserver(() => {
  const votes = document.querySelector(".wb-votes"), leader = votes?.querySelector(".wb-leads .wb-voted");
  const now = votes ? `${parseInt(votes.querySelector("small").textContent)} ${leader?.textContent}` : "";
  if (now && now !== window.seen.at(-1)) window.seen.push(now);
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


def test_votes_are_counted_while_the_samples_come_in_and_again_in_a_replay(tab: Callable[..., Any], pictures: Path):
    """Four samples of unlike length at once: the histogram grows with each; no long answer widens a narrow page."""
    page = tab(viewport={"width": 400, "height": 900}, color_scheme="dark")
    choose(page, "Self-consistency")
    page.evaluate(RECORD)
    ask(page, "How many are there?")
    button(page, "Stop").wait_for()
    answer = wait_for_answer(page).inner_text()
    assert "12" in answer
    live = page.evaluate("window.seen")
    counts = [int(stage.split()[0]) for stage in live]
    assert len(counts) >= 3 and counts == sorted(counts) and counts[0] < 4
    votes = page.locator(".st-key-numbers .wb-votes")
    assert votes.locator(".wb-leads").inner_text().startswith(live[-1].split()[1])
    assert "<script>" in votes.inner_text()
    assert not scrolls_sideways(page)
    assert page.locator(".wb-card", has_text="samples say").count() >= 1
    page.screenshot(path=pictures / "votes-dark-400.png", full_page=True)
    name = run_id(page)
    visit(page, "/runs")
    page.locator(f".st-key-row-{name}").get_by_role("button", name="Replay").click()
    page.get_by_text("Replay 4×").click()
    button(page, "End replay").wait_for()
    page.evaluate(RECORD)
    assert wait_for_answer(page).inner_text() == answer
    assert page.evaluate("window.seen.at(-1)") == live[-1]
