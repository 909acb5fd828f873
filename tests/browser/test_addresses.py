"""Addresses that are opened first: by a bookmark, or from a link that somebody sent."""

from typing import Any

import pytest

from tests.app_server import AppServer


@pytest.mark.parametrize(("path", "heading"), [("/runs", "Runs"), ("/diff?a=1234&b=5678", "Side by side")])
def test_a_page_that_a_new_server_is_asked_for_first_stands_in_its_frame(
    app_server: Any, browser: Any, path: str, heading: str
) -> None:
    """The name, the navigation and the look are there, and the navigation works."""
    server: AppServer = app_server(WORKBENCH_BACKEND="scripted")
    page = browser.new_page()
    page.goto(server.url + path)
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    assert page.locator(".wb-name").inner_text() == "Second Thought"
    page.get_by_role("link", name="Models").click()
    page.get_by_role("heading", name="Models", exact=True).wait_for()
    page.get_by_role("link", name="Bench").click()
    page.get_by_role("textbox", name="Question").wait_for()
    page.context.close()
    server.stop()
