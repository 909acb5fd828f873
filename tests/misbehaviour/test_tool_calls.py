"""Models that write their tool calls as text, or call tools that there are not."""

import json

from tests.misbehaviour.rude_server import Chat, plainly

CALL = {"name": "calculator", "arguments": {"expression": "6*7"}}


def calling(name: str, arguments: dict[str, object]) -> object:
    async def act(chat: Chat) -> None:
        await chat.begin()
        await chat.end(chat.dialect.tool(name, arguments) + chat.final("tool_calls"))

    return act


def test_a_tool_call_that_is_written_as_text_is_made_and_the_person_told(place):
    written = plainly(*json.dumps(CALL))
    seen = place.run(written, plainly("It is 42."), machine="react", dialect="native")
    assert seen.status == "answered" and seen.view.finished.answer == "It is 42."
    (tool,) = [event for event in seen.events if event.kind == "tool_answered"]
    assert tool.result == "42" and not tool.error
    assert "as text" in seen.warned("tool_call_as_text").message
    sent = place.server.bodies[1]["messages"]
    assert sent[-1]["role"] == "tool" and "42" in sent[-1]["content"]


def test_a_call_that_is_half_written_as_text_is_told_to_the_model(place):
    odd = plainly('{"name": "calculator", "input": "6*7"}')
    seen = place.run(odd, plainly("It is 42."), machine="react", dialect="native")
    assert seen.status == "answered"
    assert "json dialect" in seen.warned("tool_call_as_text").hint
    assert "not a tool call" in place.server.bodies[1]["messages"][-1]["content"]


def test_an_unknown_tool_is_an_observation_that_names_the_tools(place):
    act = calling("delete_everything", {"path": "/"})
    seen = place.run(act, plainly("Then not."), machine="react", dialect="native")
    assert seen.status == "answered" and seen.view.finished.answer == "Then not."
    (tool,) = [event for event in seen.events if event.kind == "tool_answered"]
    assert tool.error and "no tool named 'delete_everything'" in tool.result and "calculator" in tool.result
    assert "no tool named" in place.server.bodies[1]["messages"][-1]["content"]


def test_an_unknown_tool_written_as_text_is_an_observation_too(place):
    act = plainly('{"name": "delete_everything", "arguments": {}}')
    seen = place.run(act, plainly("Then not."), machine="react", dialect="native")
    assert seen.status == "answered"
    assert "no tool named 'delete_everything'" in place.server.bodies[1]["messages"][-1]["content"]
