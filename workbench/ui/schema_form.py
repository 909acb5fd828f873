"""A small form for a JSON object: one widget per property of a schema, or per value of an object that there is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import streamlit as st

from workbench.errors import InvalidRequest
from workbench.ui import session
from workbench.ui.fields import label

Kind = Literal["choice", "yes_no", "whole", "number", "text", "lines", "json"]
MOST_SEGMENTS = 5
_KINDS: dict[str, Kind] = {"boolean": "yes_no", "integer": "whole", "number": "number", "string": "text"}
_EMPTY = {"object": "{}", "array": "[]"}


@dataclass(frozen=True)
class Property:
    """One property of an object as the form shows it; what no widget fits is written as JSON."""

    name: str
    key: str
    rule: Mapping[str, Any]
    given: Any = None

    @property
    def kind(self) -> Kind:
        """The kind of its widget."""
        if self.rule.get("enum"):
            return "choice"
        of = self.rule.get("items") or {}
        lines = self.rule.get("type") == "array" and of.get("type") == "string" and not of.get("enum")
        return "lines" if lines else _KINDS.get(str(self.rule.get("type")), "json")

    @property
    def first(self) -> Any:
        """What the widget holds at first."""
        match self.kind:
            case "text":
                return "" if self.given is None else str(self.given)
            case "lines":
                return "\n".join(map(str, self.given)) if isinstance(self.given, list) else ""
            case "json":
                unsaid = _EMPTY.get(str(self.rule.get("type")), "null")
                return unsaid if self.given is None else json.dumps(self.given, ensure_ascii=False, indent=2)
            case "whole" | "number":
                fits = isinstance(self.given, int | float) and not isinstance(self.given, bool)
                return self.given if fits else None
            case "choice":
                return self.given if self.given in self.rule["enum"] else None
        return self.given if isinstance(self.given, bool) else False


def of_schema(schema: Mapping[str, Any], draft: str, prefix: str) -> list[Property]:
    """The properties that a JSON schema names, with what a draft of the object says already."""
    known, given = schema.get("$defs", {}), _object(draft)
    rules = {name: _resolved(rule, known) for name, rule in schema.get("properties", {}).items()}
    return [Property(name, f"{prefix}-{name}", rule, given.get(name)) for name, rule in rules.items()]


def of_values(values: Mapping[str, Any], prefix: str) -> list[Property]:
    """The properties of an object that there is."""
    return [Property(name, f"{prefix}-{name}", _rule(value), value) for name, value in values.items()]


def draw(properties: list[Property]) -> None:
    """One widget per property. Texts are taken when a button is pressed, without a redraw before."""
    for one in properties:
        session.remember(one.key, one.first)
        _WIDGETS[one.kind](one)


def read(properties: list[Property]) -> dict[str, Any]:
    """The object that the form holds; what was left open is left out. Raises InvalidRequest for JSON that is none."""
    values = {one.name: _value(one) for one in properties}
    return {name: value for name, value in values.items() if value is not None}


def parsed(text: str, title: str) -> Any:
    """The value that a JSON text says. Raises InvalidRequest that names the place of the mistake."""
    try:
        return json.loads(text)
    except ValueError as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InvalidRequest(f"{title} is not JSON: see {where}.", "Texts stand in double quotes there.") from None


def _value(one: Property) -> Any:
    held = session.recall(one.key, one.first)
    match one.kind:
        case "lines":
            return [line.strip() for line in str(held or "").splitlines() if line.strip()]
        case "json":
            return parsed(str(held or ""), label(one.name).capitalize())
    return held


def _object(draft: str) -> dict[str, Any]:
    try:
        value = json.loads(draft)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _resolved(rule: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(rule.get("$ref", "")).rpartition("/")[2]
    return {**known.get(name, {}), **rule} if name else rule


def _rule(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list() if value and all(isinstance(item, str) for item in value):
            return {"type": "array", "items": {"type": "string"}}
    return {}


def _choose(one: Property) -> None:
    draw_choice = st.segmented_control if len(one.rule["enum"]) <= MOST_SEGMENTS else partial(st.selectbox, index=None)
    draw_choice(_title(one), one.rule["enum"], key=one.key, help=_help(one), persist_state="session")


def _toggle(one: Property) -> None:
    st.toggle(_title(one), key=one.key, help=_help(one), persist_state="session")


def _number(one: Property) -> None:
    kind = int if one.kind == "whole" else float
    low, high = (None if limit is None else kind(limit) for limit in _bounds(one))
    words = f"{low:g} to {high:g}" if low is not None and high is not None else None
    step = 1 if kind is int else None
    st.number_input(
        _title(one), low, high, None, step, key=one.key, placeholder=words, help=_help(one), width=220, **_KEPT
    )


def _write(one: Property) -> None:
    said = {"text": "", "lines": "one a line", "json": "as JSON"}[one.kind]
    title = f"{_title(one)} ({said})" if said else _title(one)
    st.text_area(title, key=one.key, height="content", help=_help(one), on_change="ignore", **_KEPT)


_KEPT: dict[str, Any] = {"persist_state": "session"}
_WIDGETS = {
    "choice": _choose,
    "yes_no": _toggle,
    "whole": _number,
    "number": _number,
    "text": _write,
    "lines": _write,
    "json": _write,
}


def _bounds(one: Property) -> tuple[float | None, float | None]:
    return one.rule.get("minimum"), one.rule.get("maximum")


def _title(one: Property) -> str:
    return label(one.name).capitalize()


def _help(one: Property) -> str | None:
    most = one.rule.get("maxItems")
    return one.rule.get("description") or (f"At most {most}." if most else None)
