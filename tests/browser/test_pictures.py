"""Every page in both themes, wide and narrow: a picture of each, and nothing scrolls sideways."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import ESSAY, ask, choose, scrolls_sideways, visit, wait_for_answer, wait_for_words

Tab = Callable[..., Any]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SCREENS = [(theme, size) for theme in ("light", "dark") for size in (WIDE, NARROW)]
IDS = [f"{theme}-{size['width']}" for theme, size in SCREENS]


def shoot(page: Any, pictures: Path, name: str) -> None:
    """Take a picture; the page must not be wider than its window."""
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(300)  # what opens has opened
    assert not scrolls_sideways(page), name
    page.screenshot(path=pictures / f"{name}.png")


@pytest.mark.parametrize(("theme", "size"), SCREENS, ids=IDS)
def test_every_page_fits_its_screen(tab: Tab, essay: str, pictures: Path, theme: str, size: dict[str, int]):
    """The bench before, during and after a run, its settings, the runs, the models."""
    end = f"{theme}-{size['width']}"
    page = tab(color_scheme=theme, viewport=size)
    choose(page, "Reflection")
    shoot(page, pictures, f"start-{end}")
    ask(page, ESSAY)
    wait_for_words(page, "When the fox asks")
    shoot(page, pictures, f"live-{end}")
    page.keyboard.press("Escape")
    visit(page, f"/?run={essay}")
    wait_for_answer(page).scroll_into_view_if_needed()
    shoot(page, pictures, f"answer-{end}")
    page.locator(".st-key-settings summary").first.click()
    page.get_by_role("slider", name="Rounds").wait_for()
    page.locator(".st-key-machine").scroll_into_view_if_needed()
    shoot(page, pictures, f"settings-{end}")
    for name, landmark in (("runs", ".wb-run"), ("models", ".st-key-backend-scripted .wb-model")):
        visit(page, f"/{name}")
        page.locator(landmark).first.wait_for()
        shoot(page, pictures, f"{name}-{end}")


def test_the_picture_of_the_readme(tab: Tab, pictures: Path):
    """The bench in mid-run as the README shows it: a revision with its changes, and the critic writing about it."""
    page = tab(device_scale_factor=2, viewport={"width": 1280, "height": 1030})
    choose(page, "Reflection")
    ask(page, ESSAY)
    page.locator("#entry-3 .wb-caret").wait_for()
    wait_for_words(page, "doing real work")
    page.screenshot(path=pictures / "bench.png")
    assert page.locator("#entry-2 ins").count()
