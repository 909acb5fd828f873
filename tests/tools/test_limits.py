"""Every tool is held to its contract: its time, its length, one kind of failure; and what a run's tools share."""

import asyncio
import logging
from typing import ClassVar

import pytest
from pydantic import BaseModel

from tests.tools.test_wikipedia import api
from tests.tools.web import web
from workbench.errors import ToolError
from workbench.events import AnyEvent, ToolAnswered, ToolCalled
from workbench.settings import Settings
from workbench.tools import registry
from workbench.tools.base import Bounded


class Nothing(BaseModel):
    """No arguments."""


class Odd:
    """A tool that does what `how` says."""

    name: ClassVar[str] = "odd"
    description: ClassVar[str] = "does odd things"
    arguments: ClassVar[type[BaseModel]] = Nothing
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False
    seconds: ClassVar[float] = 0.1
    characters: ClassVar[int] = 20

    def __init__(self, how: object) -> None:
        self.how = how

    async def run(self, arguments: BaseModel) -> str:
        if isinstance(self.how, BaseException):
            raise self.how
        if isinstance(self.how, float):
            await asyncio.sleep(self.how)
        return str(self.how)


async def refusal(how: object) -> str:
    with pytest.raises(ToolError) as refused:
        await Bounded(Odd(how)).run(Nothing())
    return str(refused.value)


async def test_a_short_answer_comes_as_it_is():
    assert await Bounded(Odd("x" * 20)).run(Nothing()) == "x" * 20


async def test_a_long_answer_is_cut_and_says_so():
    assert await Bounded(Odd("x" * 1_020)).run(Nothing()) == f"{'x' * 20}\n[cut here: 1,000 more characters]"


async def test_a_slow_tool_is_stopped():
    assert await refusal(60.0) == "odd was stopped after 0.1 seconds. Ask for less, or go on without it."


async def test_a_refusal_is_handed_on():
    assert await refusal(ToolError("no")) == "no"
    assert await refusal(ToolError("x" * 21)) == f"{'x' * 20}\n[cut here: 1 more characters]"


@pytest.mark.parametrize(
    "error", [ValueError("v"), KeyError("k"), TimeoutError("t"), OSError(5, "o"), RecursionError()]
)
async def test_what_a_tool_did_not_foresee_is_a_sentence_and_in_the_terminal(error, caplog, monkeypatch):
    monkeypatch.setattr(Odd, "characters", 999)
    with caplog.at_level(logging.ERROR):
        said = await refusal(error)
    assert said.startswith(f"odd failed inside: {type(error).__name__}: ")
    assert "the tool odd failed" in caplog.text


async def test_stopping_the_run_goes_through():
    task = asyncio.create_task(Bounded(Odd(60.0)).run(Nothing()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def said(name: str, result: str, number: int, error: bool = False, by_person: bool = False, **arguments: str):
    place = {"run_id": "r", "seq": number, "at": 0.0}
    called = {"tool_id": f"t{number}", "node": "act", "step": 1, "name": name}
    yield ToolCalled(**place, **called, arguments=arguments, by_person=by_person)
    yield ToolAnswered(**place, tool_id=f"t{number}", result=result, error=error, seconds=0.0)


async def call(tools: dict, name: str, **arguments: str) -> str:
    return await tools[name].run(tools[name].arguments.model_validate(arguments))


async def test_the_notes_of_a_run_are_there_again_when_it_goes_on(settings: Settings):
    before: list[AnyEvent] = [
        *said("notes", "1. a", 1, note="a"),
        *said("notes", "the pad is full", 2, error=True, note="b"),
        *said("notes", "the person's own words", 3, by_person=True, note="c"),
        *said("notes", "...", 4, other="of an older version"),
        *said("clock", "noon", 5, timezone=""),
    ]
    tools = registry.for_run(["notes", "clock"], settings, before)
    assert await call(tools, "notes") == "1. a"
    assert await call(tools, "notes", note="d") == "1. a\n2. d"


async def test_the_page_of_a_run_is_open_again_when_it_goes_on(settings: Settings):
    async with web() as wiki:
        wiki.replies["/w/api.php"] = api
        here = settings.model_copy(update={"mediawiki": f"{wiki.address}/w/api.php"})
        before: list[AnyEvent] = [
            *said("wikipedia", "Ann Roe: ...", 1, article="Ann Roe"),
            *said("wikipedia", "There is no article 'zebra'. Similar: Zoo.", 2, article="zebra"),
            *said("lookup", "(Result 1 / 2) She was born in Orvik.", 3, term="Orvik"),
        ]
        tools = registry.for_run(["wikipedia", "lookup"], here, before)
        assert wiki.came == []
        assert await call(tools, "lookup", term="Orvik") == "(Result 2 / 2) She is buried in Orvik."


async def test_two_runs_share_nothing(settings: Settings):
    one, other = registry.for_run(["notes"], settings), registry.for_run(["notes"], settings)
    await call(one, "notes", note="secret")
    assert await call(other, "notes") == "There are no notes yet. Write one."
