"""The contract of every tool, and how models are told of tools."""

import json
import random

import pytest
from pydantic import BaseModel, Field

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools import registry
from workbench.tools.base import Bounded, Tool


@pytest.fixture(params=registry.TOOLS)
def tool(request: pytest.FixtureRequest, settings: Settings) -> Tool:
    here = {"mediawiki": "http://127.0.0.1:9/w/api.php"}  # where nothing listens
    return registry.create(request.param, settings.model_copy(update=here))


def test_a_tool_is_made_by_the_name_that_it_carries(settings):
    assert [registry.create(name, settings).name for name in registry.TOOLS] == list(registry.TOOLS)


def test_an_unknown_tool_is_no_tool(settings):
    with pytest.raises(KeyError):
        registry.create("os", settings)


def test_no_tool_has_side_effects_and_only_what_can_carry_words_out_needs_approval(tool):
    assert tool.side_effects is False
    assert tool.needs_approval is (tool.name == "fetch")


def test_a_tool_has_a_limit_of_time_and_of_length(tool):
    assert isinstance(tool, Bounded)
    assert 0 < tool.seconds <= 60
    assert 0 < tool.characters <= 12_000


def test_a_tool_has_one_argument_of_text_with_a_description(tool):
    ((_, field),) = registry.spec(tool).parameters["properties"].items()
    assert field["type"] == "string"
    assert field["description"]


def test_a_specification_is_short_and_has_no_titles(tool):
    text = registry.spec(tool).model_dump_json()
    assert "title" not in text
    assert len(text) < 500


def test_a_specification_refuses_arguments_that_do_not_exist(tool):
    assert registry.spec(tool).parameters["additionalProperties"] is False
    with pytest.raises(ValueError, match="Extra inputs"):
        tool.arguments.model_validate({"nonsense": "1"})


def test_a_property_named_title_survives():
    class Arguments(BaseModel):
        title: str = Field(description="A title")

    class Titled:
        name, description, arguments = "titled", "has a title", Arguments
        side_effects = needs_approval = False

    assert registry.spec(Titled()).parameters["properties"] == {"title": {"description": "A title", "type": "string"}}


def test_tools_are_described_in_one_short_line_each(settings):
    tools = [registry.create(name, settings) for name in registry.TOOLS]
    lines = registry.describe(tools).split("\n")
    assert [line.split("(")[0] for line in lines] == list(registry.TOOLS)
    assert lines[0].startswith("calculator(expression: string): exact arithmetic")
    assert lines[2].startswith("clock(timezone: string, optional): ")
    assert max(map(len, lines)) < 220


@pytest.mark.parametrize(
    ("name", "text", "arguments"),
    [
        ("calculator", "2 + 2", {"expression": "2 + 2"}),
        ("calculator", ' {"expression": "2 + 2"} ', {"expression": "2 + 2"}),
        ("calculator", '```json\n{"expression": "2 + 2"}\n```', {"expression": "2 + 2"}),
        ("calculator", '"2 + 2"', {"expression": "2 + 2"}),
        ("calculator", '{"sum": "2 + 2"}', {"expression": '{"sum": "2 + 2"}'}),
        ("calculator", "42", {"expression": "42"}),
        ("calculator", "{}", {"expression": "{}"}),
        ("python", '{"code": "print(1)"}', {"code": "print(1)"}),
        ("python", "```python\nprint(1)\n```", {"code": "```python\nprint(1)\n```"}),
        ("clock", "", {"timezone": ""}),
        ("clock", "{}", {"timezone": "{}"}),
        ("search", "refund deadline", {"query": "refund deadline"}),
    ],
)
def test_a_bare_text_becomes_the_main_argument(settings, name, text, arguments):
    assert registry.arguments_from_text(registry.create(name, settings), text) == arguments


def test_any_text_becomes_arguments(tool):
    chance = random.Random(7)
    for _ in range(300):
        text = "".join(chance.choice('{}[]":,\\\n a1é\x00\ud800`') for _ in range(chance.randrange(30)))
        arguments = registry.arguments_from_text(tool, text)
        assert set(arguments) <= set(tool.arguments.model_fields)
    assert registry.arguments_from_text(tool, "[" * 100_000)


async def test_any_text_is_answered_or_refused_with_a_sentence(tool):
    chance = random.Random(11)
    pieces = [*"()[]{}%!,.^&|<>=\"'\\`;:#@~\n\t\x00\ud800é×", "1", "9" * 40, "import os", "**", " or ", "None"]
    for _ in range(40):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 12)))
        arguments = tool.arguments.model_validate({next(iter(tool.arguments.model_fields)): text})
        try:
            answer = await tool.run(arguments)
        except ToolError as error:
            answer = str(error)
        assert answer.strip()
        assert len(answer) <= tool.characters + 100
        json.dumps(answer)
