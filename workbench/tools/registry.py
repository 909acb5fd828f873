"""The tools that there are, each imported on first use, and how models are told of them."""

import json
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from workbench.backends.base import ToolSpec
from workbench.settings import Settings
from workbench.tools.base import Tool

TOOLS: tuple[str, ...] = ("calculator", "python", "clock", "search")


def create(name: str, settings: Settings) -> Tool:
    """The tool of that name: `workbench.tools.<name>` has a function `create(settings)`. Raises KeyError."""
    if name not in TOOLS:
        raise KeyError(name)
    tool: Tool = import_module(f"workbench.tools.{name}").create(settings)
    return tool


def spec(tool: Tool) -> ToolSpec:
    """The tool as a backend tells a model of it; the schema is without pydantic's titles, to keep prompts short."""
    schema = _without_titles(tool.arguments.model_json_schema())
    schema.pop("description", None)  # the arguments' docstring is for us
    return ToolSpec(name=tool.name, description=tool.description, parameters=schema)


def describe(tools: Iterable[Tool]) -> str:
    """The tools as lines for a prompt: `calculator(expression: string): exact arithmetic ...`."""
    return "\n".join(_line(spec(tool)) for tool in tools)


def arguments_from_text(tool: Tool, text: str) -> dict[str, Any]:
    """The arguments that a bare text stands for: a JSON object of the tool's arguments, else its main argument."""
    names = list(tool.arguments.model_fields)
    text = text.strip()
    fenced = text.startswith("```") and text.endswith("```")
    value = _json(text.partition("\n")[2].removesuffix("```") if fenced else text)
    if isinstance(value, dict) and value and set(value) <= set(names):
        return value
    return {names[0]: value if isinstance(value, str) else text}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _line(told: ToolSpec) -> str:
    needed = told.parameters.get("required", ())
    arguments = ", ".join(
        f"{name}: {field.get('type', 'any')}{'' if name in needed else ', optional'}"
        for name, field in told.parameters["properties"].items()
    )
    return f"{told.name}({arguments}): {told.description}"


def _without_titles(schema: Any) -> Any:
    """A JSON schema without the titles that pydantic gives to everything; a property named title stays."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: part for key, part in schema.items() if not (key == "title" and isinstance(part, str))}
    return {key: _without_titles(part) for key, part in named.items()}
