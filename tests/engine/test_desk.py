"""What the tools of a run share, the open page and the notes: from call to call, through whatever cuts the run off."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.runs import action, at_rest, request, scripted_engine
from tests.tools.test_wikipedia import api
from tests.tools.web import Web, web
from workbench.engine import Engine
from workbench.events import RunView, ToolView
from workbench.request import Reply
from workbench.settings import Settings

NAMES = ["wikipedia", "lookup", "notes"]
STEPS = [
    action("wikipedia", "Ann Roe"),
    action("notes", "Ann Roe painted."),
    action("lookup", "Orvik"),
    action("lookup", "Orvik"),
    action("notes", "She was of Orvik."),
    action("finish", "Orvik."),
]
SAID = [
    "Ann Roe: Ann Roe was a painter.",
    "1. Ann Roe painted.",
    "(Result 1 / 2) She was born in Orvik.",
    "(Result 2 / 2) She is buried in Orvik.",
    "1. Ann Roe painted.\n2. She was of Orvik.",
]


@pytest.fixture
def wiki() -> Iterator[Web]:
    """A MediaWiki on loopback, in a loop of its own."""
    started, ended = threading.Event(), asyncio.Event()
    served: list[tuple[Web, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with web() as one:
            one.replies["/w/api.php"] = api
            served.append((one, asyncio.get_running_loop()))
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait(10)
    yield served[0][0]
    served[0][1].call_soon_threadsafe(ended.set)
    thread.join(10)


@pytest.fixture
def settings(settings: Settings, wiki: Web) -> Settings:
    return settings.model_copy(update={"mediawiki": f"{wiki.address}/w/api.php"})


def said(view: RunView) -> list[str]:
    return [entry.answered.result for entry in view.entries if isinstance(entry, ToolView) and entry.answered]


def begun_as(said_: list[str]) -> list[bool]:
    return [one.startswith(wanted) for one, wanted in zip(said_, SAID, strict=False)]


def test_a_page_stays_open_and_notes_stay_from_call_to_call(settings: Settings, wiki: Web):
    with scripted_engine(settings, STEPS) as engine:
        view = at_rest(engine, engine.submit(request("react", tools=NAMES)))
    assert view.finished is not None and view.finished.answer == "Orvik."
    assert begun_as(said(view)) == [True] * 5
    assert len(wiki.came) == 1


def test_they_are_there_again_after_a_restart_in_a_pause(settings: Settings, wiki: Web):
    """Each call waits, and each time it is another engine that goes on."""
    waiting = request("react", tools=NAMES).model_copy(update={"approve_tools": ("lookup",)})
    with scripted_engine(settings, STEPS[:3]) as engine:
        run_id = engine.submit(waiting)
        assert at_rest(engine, run_id).status == "paused"
    for rest in (STEPS[3:4], STEPS[4:]):
        with scripted_engine(settings, rest) as engine:
            view = approved(engine, run_id)
    assert view.status == "answered"
    assert begun_as(said(view)) == [True] * 5


def approved(engine: Engine, run_id: str) -> RunView:
    engine.resume(run_id, reply=Reply(verb="approve"))
    return at_rest(engine, run_id)


def test_two_runs_share_nothing(settings: Settings):
    with scripted_engine(
        settings, [*STEPS, action("notes", ""), action("lookup", "born"), action("finish", "x")]
    ) as engine:
        at_rest(engine, engine.submit(request("react", tools=NAMES)))
        view = at_rest(engine, engine.submit(request("react", tools=NAMES)))
    assert said(view) == [
        "There are no notes yet. Write one.",
        "No page is open. Open one first, then look a word up in it.",
    ]
