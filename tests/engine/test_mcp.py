"""Tools of MCP servers in runs: asked for first, one server for a whole run, ended with it, missed before it begins."""

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest

import tests.tools
from tests.runs import action, at_rest, request, scripted_engine
from workbench.errors import InvalidRequest
from workbench.events import RunView, ToolView
from workbench.request import Reply
from workbench.settings import Settings
from workbench.tools.mcp import look
from workbench.tools.served import ToolServer, ToolServers

SCRIPT = str(Path(tests.tools.__path__[0]) / "mcp_server.py")
SERVER = ToolServer(name="abacus", command=sys.executable, args=(SCRIPT, "stdio"))
TOOLS = ["clock", "abacus__visit", "abacus__children"]


@pytest.fixture
def store(settings: Settings) -> ToolServers:
    """A home in which one server was added and looked at."""
    kept = ToolServers(settings)
    kept.keep(SERVER, asyncio.run(look(SERVER, settings)))
    return kept


def said(view: RunView) -> list[str]:
    return [entry.answered.result for entry in view.entries if isinstance(entry, ToolView) and entry.answered]


def test_a_servers_tool_waits_for_the_person_and_runs_once_it_is_approved(settings: Settings, store: ToolServers):
    steps = [action("abacus__visit", "Rome"), action("finish", "Seen.")]
    with scripted_engine(settings, steps) as engine:
        run_id = engine.submit(request("react", tools=TOOLS))
        view = at_rest(engine, run_id)
        assert view.paused is not None and view.paused.tool == "abacus__visit"
        assert view.paused.reason == "This tool needs your approval."
        engine.resume(run_id, reply=Reply(verb="approve"))
        view = at_rest(engine, run_id)
        assert (view.status, said(view)) == ("answered", ["1: Rome"])


def test_trusted_tools_share_one_server_for_the_run_and_it_ends_with_it(settings: Settings, store: ToolServers):
    store.trust(["abacus__visit", "abacus__children"], True)
    steps = [action("abacus__visit", name) for name in ("Rome", "Oslo")]
    steps += [action("abacus__children", ""), action("finish", "Seen.")]
    with scripted_engine(settings, steps) as engine:
        view = at_rest(engine, engine.submit(request("react", tools=TOOLS)))
        first, second, ids = said(view)
        assert (view.status, first, second) == ("answered", "1: Rome", "2: Oslo")
        assert are_gone([int(number) for number in ids.split()])


def are_gone(ids: list[int]) -> bool:
    deadline = time.monotonic() + 8
    while any(psutil.pid_exists(number) for number in ids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(psutil.pid_exists(number) for number in ids)


def test_closing_the_app_ends_the_servers_of_a_run_in_progress(settings: Settings, store: ToolServers):
    store.trust(["abacus__visit", "abacus__children"], True)
    steps = [action("abacus__children", ""), action("abacus__visit", "Rome")]
    with scripted_engine(settings, steps) as engine:
        run_id = engine.submit(request("react", tools=TOOLS).model_copy(update={"approve_tools": ("clock",)}))
        ids: list[int] = []
        for batch in engine.follow(run_id):
            ids += [int(number) for event in batch if event.kind == "tool_answered" for number in event.result.split()]
            if ids:
                break
    assert ids and are_gone(ids[:2])


def test_a_run_with_a_tool_of_a_server_that_is_not_there_never_begins(settings: Settings, store: ToolServers):
    with scripted_engine(settings, []) as engine:
        with pytest.raises(InvalidRequest, match="not set up here: files") as caught:
            engine.submit(request("react", tools=["clock", "files__read"]))
        assert "tools mcp add" in caught.value.hint
        store.remove("abacus")
        with pytest.raises(InvalidRequest, match="not set up here: abacus"):
            engine.submit(request("react", tools=["abacus__visit"]))
        assert engine.store.runs() == []


def test_a_name_that_no_tool_can_have_is_refused_with_those_that_there_are(settings: Settings):
    with (
        scripted_engine(settings, []) as engine,
        pytest.raises(InvalidRequest, match="The option tools of ReAct cannot be used: Input should be 'calculator'"),
    ):
        engine.submit(request("react", tools=["calc"]))
