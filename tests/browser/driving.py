"""The script that the browser's runs play, and what a person does on the pages."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from workbench.settings import CHECKOUT

PICTURES = CHECKOUT / Path(os.environ.get("WORKBENCH_SCREENSHOTS") or "test-output")

ESSAY = "Write a short essay on why The Little Prince still matters in modern childhood."

EVIL = """<script>alert("x")</script><img src="https://example.org/x.png" onerror="alert(1)">"""

DRAFTS = (
    "The Little Prince remains a treasured companion of childhood. Its small hero asks the questions that "
    "grown-ups have forgotten, and he asks them without shame. He wants to know what a flower is worth, why a "
    "king needs subjects, and how one comes to own the stars. Each planet that he visits is small enough to be "
    "understood and odd enough to be remembered: the lamplighter has no time to sleep, the businessman never "
    "looks at what he counts. That is why the book is still read aloud in the evening.",
    "The Little Prince remains a book that children meet twice: once as a story about a planet, later as a story "
    "about attention. When the fox asks to be tamed, he asks for time, the one thing that a screen never returns. "
    "Its small hero asks the questions that grown-ups have forgotten, and he asks them without shame. He wants to "
    "know what a flower is worth, why a king needs subjects, and how one comes to own the stars. Each planet that "
    "he visits is small enough to be understood and odd enough to be remembered: the lamplighter has no time to "
    "sleep, the businessman never looks at what he counts.",
    "The Little Prince remains a book that children meet twice: once as a story about a planet, later as a story "
    "about attention. When the fox asks to be tamed, he asks for time, the one thing that a screen never returns; "
    "and he pays for it with the colour of the wheat. Its small hero asks the questions that grown-ups have "
    "forgotten, and he asks them without shame. He wants to know what a flower is worth, why a king needs "
    "subjects, and how one comes to own the stars. Each planet that he visits is small enough to be understood "
    "and odd enough to be remembered: the lamplighter has no time to sleep, the businessman never looks at what "
    "he counts.",
)
VERDICTS = (
    (
        ["No example from the text", "The ending repeats the opening", "It says nothing of today's children"],
        6,
        "revise",
    ),
    (
        [
            "The fox is now doing real work, and the ending no longer echoes the first line",
            "What is still missing is a counter-voice: why might a child today prefer the screen, and what would the "
            "fox say to that?",
            "The last sentence should leave the reader with something to keep",
        ],
        8,
        "revise",
    ),
    ([], 9, "accept"),
)
STEPS = (
    ("Reading the question", f"The text holds {EVIL}.", "continue"),
    ("Counting", "One by one, from the left to the right, there are three of them.", "continue"),
    ("Counting again", "And from the right to the left there are three as well.", "final_answer"),
)
# Whatever the first seed is: of four at once three come to 12, one to a text of many lines; each takes another time.
SAMPLES = [
    {"text": f"This is way {number} to count them.\nAnswer:{answer}", "delay": delay}
    for number, (answer, delay) in enumerate(
        [(" 12", 0.2), (" 12.0", 0.9), (f"\n{EVIL}\n" + "a-long-text-" * 20, 1.6), (" $12", 2.3)]
    )
]


def _objects(names: str, rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [{"object": dict(zip(names.split(), row, strict=True))} for row in rows]


SCRIPT = yaml.safe_dump(
    {
        "conversations": [
            {
                "name": "critic",
                "when": {"properties": "verdict"},
                "answers": _objects("issues score verdict", VERDICTS),
            },
            {
                "name": "thinker",
                "when": {"properties": "next_action"},
                "answers": _objects("title content next_action", STEPS),
            },
            {
                "name": "writer",
                "when": {"system": "writing assistant"},
                "answers": [{"text": draft} for draft in DRAFTS],
            },
            {"name": "samples", "when": {"system": 'begins with "Answer:"'}, "by_seed": True, "answers": SAMPLES},
            {"name": "answerer", "answers": [{"text": f"There are **three**. {EVIL}"}]},
        ]
    }
)


def choose(page: Any, machine: str) -> None:
    """Choose a machine in the gallery."""
    page.locator(".st-key-machine").get_by_text(machine, exact=True).click()
    page.get_by_text(f"Questions for {machine}").wait_for()


def ask(page: Any, question: str) -> None:
    """Type a question and run it from within its field."""
    button(page, "Run").wait_for()
    field = page.get_by_label("Question", exact=True)
    field.fill(question)
    field.press("Control+Enter")
    page.wait_for_url("**/?run=*")


def button(page: Any, name: str) -> Any:
    """The button in Run's and Stop's place."""
    return page.locator(".st-key-ask").get_by_role("button", name=name)


def wait_for_words(page: Any, words: str) -> None:
    """Wait until some card says this."""
    page.locator(".wb-card", has_text=words).last.wait_for()


def stop_at(page: Any, words: str) -> None:
    """Stop the run once some card says this; wait until it has stopped."""
    wait_for_words(page, words)
    button(page, "Stop").click()
    button(page, "Run").wait_for()


def wait_for_answer(page: Any) -> Any:
    """Wait for the run's end; the answer."""
    page.locator("#answer").wait_for()
    button(page, "Run").wait_for()
    return page.locator("#answer")


def visit(page: Any, path: str) -> None:
    """Go to another address of the app."""
    page.goto("/".join(page.url.split("/")[:3]) + path)


def run_id(page: Any) -> str:
    """The run that the address names."""
    page.wait_for_url("**/?run=*")
    return str(page.url.partition("run=")[2])


def scrolls_sideways(page: Any) -> bool:
    """Whether anything makes the page wider than its window."""
    return bool(
        page.evaluate(
            "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
            ".some(e => e.scrollWidth > e.clientWidth)"
        )
    )
