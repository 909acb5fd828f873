"""The look in a real browser: what Streamlit lets through, where links lead, both themes, narrow screens."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.app_server import AppServer
from tests.browser.driving import ESSAY, ask, button, choose, wait_for_answer
from tests.conftest import clean_environment
from tests.ui import samples

RUN = "reflection_answered"


class Gallery(AppServer):
    """Every state of the look, served as the app is."""

    def _command(self) -> list[str]:
        flags = ["--server.headless=true", f"--server.port={self.port}", "--server.fileWatcherType=none"]
        return [sys.executable, "-m", "streamlit", "run", "tests/ui/gallery.py", *flags]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    home = tmp_path_factory.mktemp("gallery")
    with Gallery(home, clean_environment(home)) as server:
        yield server


@pytest.fixture
def opened(browser: Any, gallery: Gallery) -> Iterator[Callable[..., Any]]:
    """Open a page that shows a sample: `opened("failed", color_scheme="dark")`."""
    contexts: list[Any] = []

    def open_(sample: str, **screen: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **screen}))
        return turn_to(contexts[-1].new_page(), gallery, sample)

    yield open_
    for context in contexts:
        context.close()


def turn_to(page: Any, gallery: Gallery, sample: str) -> Any:
    """Show a sample on an open page."""
    page.goto(f"{gallery.url}/?sample={sample}")
    page.locator(".wb-diagram svg").wait_for()
    page.locator("#the-end").wait_for(state="attached")
    return page


@pytest.mark.parametrize("key", ["click", "Enter"])
def test_a_node_brings_its_latest_card_into_view(opened: Callable[..., Any], key: str):
    page = opened(RUN, viewport={"width": 390, "height": 700})
    card = page.locator("#entry-3")
    assert card.evaluate("e => e.getBoundingClientRect().top > innerHeight")
    node = page.locator('.wb-diagram a[href="#entry-3"]')
    if key == "click":
        node.click()
    else:
        node.focus()
        page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#entry-3').getBoundingClientRect().top < innerHeight")
    assert card.evaluate("e => e.getBoundingClientRect().top >= 0 && e.matches(':target')")


def test_the_theme_is_followed_by_cards_and_diagram(opened: Callable[..., Any]):
    seen = {}
    for theme in ("light", "dark"):
        page = opened(RUN, color_scheme=theme)
        colours = [
            page.locator("#entry-0").evaluate("e => getComputedStyle(e).color"),
            page.locator(".wb-node.wb-critic rect").first.evaluate("e => getComputedStyle(e).stroke"),
            page.evaluate("getComputedStyle(document.documentElement).colorScheme"),
        ]
        seen[theme] = colours
    assert seen == {
        "light": ["rgb(29, 28, 26)", "rgb(180, 83, 26)", "light"],
        "dark": ["rgb(236, 234, 228)", "rgb(232, 147, 90)", "dark"],
    }


def test_a_theme_chosen_in_the_menu_is_followed_too(opened: Callable[..., Any]):
    page = opened(RUN, color_scheme="light")
    page.get_by_test_id("stMainMenu").click()
    page.get_by_role("menuitemradio").nth(2).click()
    page.wait_for_function("getComputedStyle(document.querySelector('#entry-0')).color === 'rgb(236, 234, 228)'")


def test_nothing_scrolls_sideways_on_a_phone(opened: Callable[..., Any], gallery: Gallery):
    page = opened(RUN, viewport={"width": 390, "height": 800})
    too_wide = "e => e.scrollWidth - e.clientWidth"
    for sample in samples.SAMPLES:
        turn_to(page, gallery, sample)
        assert page.get_by_test_id("stMain").evaluate(too_wide) <= 0, sample
        assert page.locator(".wb-card").evaluate_all(f"cards => cards.map({too_wide}).every(n => n <= 0)"), sample


def test_an_edge_is_found_by_the_mouse_and_by_a_screen_reader(opened: Callable[..., Any]):
    page = opened("reflection_live")
    edge = page.get_by_role("img", name="critique to end, not taken")
    found = edge.evaluate(
        """edge => {
            const line = edge.querySelector('path:not([class])'), screen = line.getScreenCTM()
            const at = [...Array(20).keys()].map(n => line.getPointAtLength(line.getTotalLength() * (n + .5) / 20))
            return at.map(p => p.matrixTransform(screen)).filter(
                p => document.elementFromPoint(p.x + 2, p.y + 2)?.closest('.wb-edge') === edge).length
        }"""
    )
    assert found >= 18  # of 20 places beside a dashed line; at its ends it may meet another


# Stop's colours at rest and under the mouse.
RUST = {"light": ["rgb(180, 83, 26)", "rgb(150, 67, 15)"], "dark": ["rgb(232, 147, 90)", "rgb(240, 168, 119)"]}


@pytest.mark.parametrize("theme", list(RUST))
def test_stop_stays_rust_under_the_mouse_in_focus_and_when_pressed(tab: Callable[..., Any], theme: str):
    page = tab(color_scheme=theme, reduced_motion="reduce")
    choose(page, "Reflection")
    ask(page, ESSAY)
    stop = button(page, "Stop")
    stop.wait_for()
    at_rest, near = RUST[theme]

    def is_filled_with(colour: str) -> None:
        page.wait_for_function(
            "([button, colour]) => getComputedStyle(button).backgroundColor === colour",
            arg=[stop.element_handle(), colour],
        )

    is_filled_with(at_rest)
    stop.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert stop.evaluate("e => e.matches(':focus-visible')")
    is_filled_with(at_rest)
    stop.hover()
    is_filled_with(near)
    page.mouse.down()
    assert stop.evaluate("e => e.matches(':active')")
    is_filled_with(near)
    page.mouse.up()
    assert "Stopped" in wait_for_answer(page).inner_text()


def test_labels_stay_within_the_diagram_s_frame(opened: Callable[..., Any], gallery: Gallery):
    page = opened(RUN)
    for sample in ("reflection_live", "react_limit", "ladder", "stepwise_live"):
        turn_to(page, gallery, sample)
        beyond = page.evaluate(
            """() => {
                const frame = document.querySelector('.st-key-map').getBoundingClientRect()
                return [...document.querySelectorAll('.wb-diagram text')]
                    .map(text => [text.textContent, text.getBoundingClientRect()])
                    .filter(([, box]) => box.left < frame.left || box.right > frame.right)
                    .map(([words]) => words)
            }"""
        )
        assert beyond == [], sample


def test_what_a_model_writes_loads_nothing_and_runs_nothing(opened: Callable[..., Any], gallery: Gallery):
    page = opened(RUN)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"A script ran: {dialog.message}"))
    turn_to(page, gallery, "markdown")
    assert page.get_by_text("<script>alert(1)</script>").is_visible()
    assert [url for url in asked if not url.startswith((gallery.url, "data:", "blob:"))] == []
