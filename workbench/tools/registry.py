"""The tools that there are, each imported on first use, and how models are told of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from workbench.backends.base import ToolSpec
from workbench.events import AnyEvent, ToolAnswered, ToolCalled
from workbench.settings import Settings
from workbench.tools.base import Bounded, Tool
from workbench.tools.desk import Desk

TOOLS: tuple[str, ...] = ("calculator", "python", "clock", "search", "wikipedia", "lookup", "fetch", "notes")


def create(name: str, settings: Settings) -> Tool:
    """The tool of that name, held to its limits: its module has a function `create(settings)`. Raises KeyError."""
    if name not in TOOLS:
        raise KeyError(name)
    return Bounded(import_module(f"workbench.tools.{name}").create(settings))


def for_run(names: Iterable[str], settings: Settings, before: Iterable[AnyEvent] = ()) -> dict[str, Tool]:
    """The tools of one run, which share a desk: the page that was opened last, the notes.

    `before` is the run's log so far; what its calls left on the desk is there again. Raises KeyError.
    """
    tools, desk = {name: create(name, settings) for name in names}, Desk()
    for tool in tools.values():
        if isinstance(tool, Bounded):
            tool.sit_at(desk)
    _recall(tools, list(before))
    return tools


def _recall(tools: Mapping[str, Tool], before: Sequence[AnyEvent]) -> None:
    """Do again what calls did to the desk: those that were answered without an error, and by the tool itself."""
    said = {event.tool_id: event.result for event in before if isinstance(event, ToolAnswered) and not event.error}
    for event in before:
        if isinstance(event, ToolCalled) and event.tool_id in said and not event.by_person:
            tool = tools.get(event.name)
            if isinstance(tool, Bounded):
                with suppress(ValidationError):  # of a tool that took other arguments then
                    tool.recall(tool.arguments.model_validate(event.arguments), said[event.tool_id])


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
