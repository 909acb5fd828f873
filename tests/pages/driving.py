"""Scripts for the scripted backend, and what a person does with the app and sees of it."""

from typing import Any

from streamlit.testing.v1 import AppTest

from workbench.settings import CHECKOUT

APP = str(CHECKOUT / "app.py")
STEPS: list[Any] = [
    {"object": {"title": "Look", "content": "The question is short.", "next_action": "continue"}},
    {"object": {"title": "Count", "content": "Two and two.", "next_action": "continue"}},
    {"object": {"title": "Check", "content": "It holds.", "next_action": "final_answer"}},
    {"text": "It is **four**."},
]
DRAFTS: list[Any] = [
    {"text": "A draft about the sea."},
    {"object": {"issues": ["too short"], "score": 5, "verdict": "revise"}},
    {"text": "A better draft about the sea."},
    {"object": {"issues": [], "score": 9, "verdict": "accept"}},
]


def open_app(**query: str) -> AppTest:
    """The app in a new session, at an address with this query."""
    at = AppTest.from_file(APP, default_timeout=30)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def ask(at: AppTest, question: str) -> AppTest:
    """Type a question and press Run; AppTest returns when the run is over."""
    at.text_area(key="question").set_value(question)
    return at.button(key="run-button").click().run()


def html(at: AppTest) -> str:
    """All HTML of ours that is on the page, the stylesheet aside."""
    bodies = [element.proto.body for element in at.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style"))
