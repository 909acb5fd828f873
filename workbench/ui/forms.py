"""Forms made from bounded pydantic fields: a machine's Options and the model settings become widgets and chips."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import streamlit as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from agents.toolnames import ToolName
from workbench.request import Limits
from workbench.ui import session

MOST_SLIDER_STEPS = 50
MOST_SEGMENTS = 4
LONG_TEXT = 200
CHIP_LENGTH = 36


@dataclass(frozen=True)
class Control:
    """One field as a form shows it. `optional` fields may be left empty; bounds are inclusive."""

    name: str
    key: str
    kind: type
    help: str
    default: Any
    optional: bool = False
    several: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    longest: int | None = None

    @property
    def label(self) -> str:
        """The field's name as a person reads it."""
        return self.name.replace("_", " ").capitalize()


def controls(model: type[BaseModel], prefix: str) -> list[Control]:
    """The model's fields in order; `prefix` makes their session keys. Raises TypeError for a field without a widget."""
    return [_control(name, info, session.field_key(prefix, name)) for name, info in model.model_fields.items()]


def draw(
    model: type[BaseModel], prefix: str, empty: Mapping[str, str] | None = None, without: Collection[str] = ()
) -> None:
    """Draw every field but those `without` as a widget, in columns.

    `empty` says what an optional field means while it is empty.
    """
    with st.grid(3, min_column_width=210, gap=("small", "medium")):
        for control in controls(model, prefix):
            if control.name in without:
                continue
            session.remember(control.key, control.default)
            _widget(control, (empty or {}).get(control.name, "default"))


def read(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """What the form holds now, drawn or not."""
    return {control.name: session.recall(control.key, control.default) for control in controls(model, prefix)}


def fill(model: type[BaseModel], prefix: str, values: Mapping[str, Any]) -> None:
    """Put a recorded run's values into the form; fields that it does not name get their defaults."""
    for control in controls(model, prefix):
        session.put(control.key, values.get(control.name, control.default))


def chips(values: Mapping[str, Any]) -> list[str]:
    """The values as short words: `3 rounds`, `dialect json`, `tools calculator, python`."""
    return [text for name, value in values.items() if (text := _chip(name, value))]


def setting_chips(values: Mapping[str, Any], temperature: float) -> list[str]:
    """The model settings as short words; `temperature` is the machine's own, shown while none is set."""
    words = [f"T {temperature if values.get('temperature') is None else values['temperature']:g}"]
    shown = {"top_p": "top p {:g}", "seed": "seed {}", "max_tokens": "{:,} tokens", "context_window": "window {:,}"}
    return words + [text.format(values[name]) for name, text in shown.items() if values.get(name) is not None]


def limit_chips(values: Mapping[str, Any]) -> list[str]:
    """The limits that a person set, as short words: `at most 500 tokens`."""
    usual = Limits().model_dump()
    chosen = {name: value for name, value in values.items() if value is not None and value != usual[name]}
    return [f"at most {value:g} {name.replace('_', ' ')}" for name, value in chosen.items()]


def listing(word: str, names: Sequence[str]) -> str:
    """A word and some names as a chip: `pause before: generate, critique`; empty without names."""
    return _cut(f"{word}: {', '.join(name.replace('_', ' ') for name in names)}") if names else ""


def has_tools(options: type[BaseModel]) -> bool:
    """Whether a machine's options choose tools."""
    return "tools" in options.model_fields


def chip_markdown(words: Iterable[str]) -> str:
    """The chips as Markdown code spans, for a widget's label."""
    return " ".join(f"`{word.replace('`', '')}`" for word in words)


def sentence(error: ValidationError) -> str:
    """The first thing that is wrong, as a sentence."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    field = str(first["loc"][-1]).replace("_", " ").capitalize() if first["loc"] else "The request"
    return f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}."


@contextmanager
def explained() -> Iterator[None]:
    """What a form asks for in here: a wrong field, as any error of ours, becomes a sentence on the page."""
    try:
        with session.explained():
            yield
    except ValidationError as error:
        session.put(session.PROBLEM, session.Problem(sentence(error)))


def _control(name: str, info: FieldInfo, key: str) -> Control:
    kind, optional = _unwrap(info.annotation)
    several = get_origin(kind) in (list, tuple)
    kind = get_args(kind)[0] if several else kind
    choices = tuple(session.tools()) if kind == ToolName else get_args(kind) if get_origin(kind) is Literal else ()
    kind = type(choices[0]) if choices else kind
    if kind not in (bool, int, float, str) or (several and not choices):
        raise TypeError(f"There is no widget for the field {name}: {info.annotation}.")
    default = info.get_default(call_default_factory=True)
    return Control(
        name=name,
        key=key,
        kind=kind,
        help=info.description or "",
        default=None if default is PydanticUndefined else list(default) if several else default,
        optional=optional,
        several=several,
        choices=choices,
        **_bounds(info, kind),
    )


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """`X | None` as (X, True)."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    kept = [part for part in get_args(annotation) if part is not NoneType]
    return (kept[0] if len(kept) == 1 else annotation), NoneType in get_args(annotation)


def _bounds(info: FieldInfo, kind: Any) -> dict[str, Any]:
    step = 1 if kind is int else 0.01
    found: dict[str, Any] = {}
    for mark in info.metadata:
        match mark:
            case annotated_types.Ge(ge=limit):
                found["low"] = limit
            case annotated_types.Gt(gt=limit):
                found["low"] = limit + step  # type: ignore[operator]
            case annotated_types.Le(le=limit):
                found["high"] = limit
            case annotated_types.Lt(lt=limit):
                found["high"] = limit - step  # type: ignore[operator]
            case annotated_types.MaxLen(max_length=longest):
                found["longest"] = longest
    return found


def _widget(control: Control, empty: str) -> None:
    shared: dict[str, Any] = {"key": control.key, "help": control.help or None, "persist_state": "session"}
    if control.choices:
        _choice(control, shared)
    elif control.kind is bool:
        _yes_or_no(control, shared, empty)
    elif control.kind is str:
        draw_text = st.text_area if (control.longest or 0) > LONG_TEXT else st.text_input
        draw_text(control.label, max_chars=control.longest, **shared)
    else:
        _number(control, shared, empty)


def _choice(control: Control, shared: dict[str, Any]) -> None:
    if control.several:
        # What is chosen and not there any more can be seen and taken away.
        gone = [name for name in session.recall(control.key) or [] if name not in control.choices]
        st.pills(control.label, (*control.choices, *gone), selection_mode="multi", wrap=True, **shared)
    elif len(control.choices) <= MOST_SEGMENTS and not control.optional:
        st.segmented_control(control.label, control.choices, required=True, format_func=_in_words, **shared)
    else:
        shared |= {"index": None} if control.optional else {}
        st.selectbox(control.label, control.choices, **shared)


def _in_words(choice: Any) -> str:
    return str(choice).replace("_", " ")


def _yes_or_no(control: Control, shared: dict[str, Any], empty: str) -> None:
    if control.optional:
        words = {True: "yes", False: "no"}
        st.selectbox(
            control.label, (True, False), index=None, format_func=words.__getitem__, placeholder=empty, **shared
        )
    else:
        st.toggle(control.label, **shared)


def _number(control: Control, shared: dict[str, Any], empty: str) -> None:
    kind = control.kind
    low, high = (None if limit is None else kind(limit) for limit in (control.low, control.high))
    step = 1 if kind is int else 0.05
    bounded = low is not None and high is not None and (high - low) / step <= MOST_SLIDER_STEPS
    if bounded and not control.optional:
        st.slider(control.label, low, high, step=step, **shared)
    elif control.optional:
        st.number_input(control.label, low, high, value=None, step=step, placeholder=empty, **shared)
    else:
        st.number_input(control.label, low, high, step=step, **shared)


def _chip(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    match value:
        case None | "" | [] | ():
            return ""
        case bool():
            return words if value else f"no {words}"
        case int() if name.endswith("s") and "_" not in name:
            return f"{value:,} {words if value != 1 else words[:-1]}"
        case list() | tuple():
            return _cut(f"{words} {', '.join(map(str, value))}")
        case float():
            return f"{words} {value:g}"
        case str():
            return _cut(f"{words} {_in_words(value)}")
        case _:
            return _cut(f"{words} {value}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CHIP_LENGTH else f"{line[: CHIP_LENGTH - 1].rstrip()}…"
