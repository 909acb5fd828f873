"""What a stranger's tool claims to be, held within bounds: names, descriptions, and arguments against a JSON schema."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from pydantic import RootModel

from workbench.tools.served import ServedTool, digest_of

LONGEST_NAME = 64  # of a function, for every backend
MAX_DESCRIPTION = 300
MAX_FIELD_DESCRIPTION = 150
MAX_SCHEMA = 4_000  # characters as JSON: it stands in every prompt
MAX_DEPTH = 12
MOST_REFERENCES = 1_000  # followed for one call: a few that double at each level take for ever
_UNNAMABLE = re.compile(r"[^A-Za-z0-9_-]+")
# A pattern can be made to take for ever; the server checks it anyway.
_UNCHECKED = (
    *("pattern", "patternProperties", "format", "$schema", "$id"),
    *("unevaluatedProperties", "unevaluatedItems"),  # they follow references uncounted
)
_LEFT_OUT = ("title", "examples", "default", "$schema", "$id", "$comment")


class Given(RootModel[dict[str, Any]]):
    """Arguments of any names; its JSON schema is the tool's own."""

    told: ClassVar[dict[str, Any]] = {}

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """The schema that the server told."""
        return deepcopy(cls.told)


def arguments_of(schema: dict[str, Any]) -> type[Given]:
    """A model of a tool's arguments, told by its JSON schema."""
    return type("Arguments", (Given,), {"__doc__": Given.__doc__, "__module__": __name__, "told": schema})


def line(text: str, longest: int = MAX_DESCRIPTION) -> str:
    """A stranger's text as one plain line: nothing in it can end ours, or hide."""
    plain = "".join(" " if unicodedata.category(sign).startswith(("C", "Z")) else sign for sign in text[: longest * 4])
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1].rstrip()}…"


def served(own_name: str, description: str, schema: dict[str, Any], reads_only: bool) -> ServedTool:
    """A tool within bounds; its name is given by `named`."""
    told = {"type": "object", "properties": {}, **_bounded(schema)}
    digest = digest_of(own_name, description, told, reads_only)
    return ServedTool(
        name=own_name, own_name=own_name, description=description, parameters=told, digest=digest, reads_only=reads_only
    )


def named(server: str, tools: Sequence[ServedTool]) -> Iterator[ServedTool]:
    """The tools as server__tool; names that would be too long or the same get a hash of their own."""
    short = [f"{server}__{_UNNAMABLE.sub('_', tool.own_name).strip('_') or 'tool'}" for tool in tools]
    for tool, name in zip(tools, short, strict=True):
        if len(name) > LONGEST_NAME or short.count(name) > 1:
            mark = hashlib.sha256(tool.own_name.encode()).hexdigest()[:6]
            name = f"{name[: LONGEST_NAME - 7]}-{mark}"
        yield tool.model_copy(update={"name": name})


def unusable(schema: Any) -> str:
    """Why a tool with this schema cannot be offered; empty when it can."""
    import jsonschema  # type: ignore[import-untyped]

    if not isinstance(schema, dict) or _depth(schema) > MAX_DEPTH:
        return "its arguments are no object, or too deeply nested"
    if not all(isinstance(field, dict | bool) for field in _fields(schema).values()):
        return "its arguments' schema is none"
    if (size := len(json.dumps(_bounded(schema)))) > MAX_SCHEMA:
        return f"its arguments' schema has {size:,} characters; {MAX_SCHEMA:,} fit into a prompt"
    try:
        jsonschema.Draft202012Validator.check_schema(_checkable(schema))
    except jsonschema.SchemaError:
        return "its arguments' schema is none"
    return ""


def coerced(schema: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with texts that stand for numbers and the like, and numbers that should be texts, put right."""
    fields = _fields(schema)
    return {name: _coerced(fields.get(name), value) for name, value in arguments.items()}


def _coerced(field: Any, value: Any) -> Any:
    kind = _kind(field.get("type")) if isinstance(field, dict) else ""
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind not in _KINDS or not isinstance(value, str):
        return value
    try:
        read = json.loads(value.strip().lower() if kind == "boolean" else value)
    except (ValueError, RecursionError):
        return value
    is_it = isinstance(read, _KINDS[kind]) and (kind == "boolean" or not isinstance(read, bool))
    return read if is_it else value


_KINDS: dict[str, Any] = {"integer": int, "number": int | float, "boolean": bool, "array": list, "object": dict}


def _kind(told: Any) -> str:
    """The one type that a value has when it is not null; empty where there are several or none."""
    kinds = [kind for kind in (told if isinstance(told, list) else [told]) if kind != "null"]
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], str) else ""


def faults(schema: dict[str, Any], arguments: dict[str, Any]) -> str:
    """What is wrong with the arguments, in a few words for a model; empty when they fit."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    registry: Any = Registry()  # an address in a schema is not fetched
    try:
        found = list(_validator()(_checkable(schema), registry=registry).iter_errors(arguments))
    except (Unresolvable, RecursionError, _TooManyReferences):
        return ""  # the server checks what it has told us in part
    return "; ".join(f"{_place(error)}{line(error.message, 200)}" for error in found[:3])


class _TooManyReferences(Exception):
    """The check was given up."""


def _validator() -> Any:
    """A validator for one check, which gives up after so many references."""
    from jsonschema import Draft202012Validator, validators

    left = MOST_REFERENCES

    def counted(keyword: str) -> Any:
        follow = Draft202012Validator.VALIDATORS[keyword]

        def check(*about: Any) -> Iterator[Any]:
            nonlocal left
            left -= 1
            if left < 0:
                raise _TooManyReferences
            yield from follow(*about) or ()

        return check

    return validators.extend(Draft202012Validator, {name: counted(name) for name in ("$ref", "$dynamicRef")})


def _place(error: Any) -> str:
    return f"{'.'.join(map(str, error.absolute_path))}: " if error.absolute_path else ""


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    fields = schema.get("properties", {})
    return fields if isinstance(fields, dict) else {}


def _bounded(schema: Any, is_names: bool = False) -> Any:
    """The schema as a model is told of it: short descriptions, nothing that it does not need."""
    if isinstance(schema, list):
        return [_bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for name, part in schema.items():
        if not is_names and name in _LEFT_OUT:
            continue
        is_text = name == "description" and isinstance(part, str) and not is_names
        found[name] = line(part, MAX_FIELD_DESCRIPTION) if is_text else _bounded(part, not is_names and name in _NAMES)
    return found


_NAMES = ("properties", "$defs", "definitions")


def _checkable(schema: Any, is_names: bool = False) -> Any:
    """The schema without what could take for ever to check."""
    if isinstance(schema, list):
        return [_checkable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: part for name, part in schema.items() if is_names or name not in _UNCHECKED}
    return {name: _checkable(part, not is_names and name in _NAMES) for name, part in kept.items()}


def _depth(value: Any) -> int:
    """How deeply it is nested, counted no further than is needed."""
    depth, layer = 0, [value]
    while layer and depth <= MAX_DEPTH + 1:
        depth += 1
        layer = [part for one in layer for part in _parts(one)]
    return depth


def _parts(value: Any) -> list[Any]:
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [part for part in parts if isinstance(part, dict | list)]
