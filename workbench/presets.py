"""Presets: all of a bench's form but the question, as kept by name, as the query of a link, and read with care."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Any, NamedTuple, get_args, get_origin
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from agents import catalogue
from workbench.errors import InvalidRequest
from workbench.request import Limits, ModelSettings

LONGEST_NAME = 120
LONGEST_LINK, MOST_PARTS = 8_192, 64  # characters and parts of a link's query
LONGEST_VALUE = 2_000  # characters of one value
SHOWN = 40  # characters of what somebody wrote that a sentence of ours repeats
DIGEST_LENGTH = 64
# The parts of a link's query: those of all machines by name, others behind a prefix, and a machine's options bare.
NAMES = ("machine", "backend", "model")
LISTS = {"pause": "pause_before", "approve": "approve_tools"}
GROUPS = {"setting": "settings", "limit": "limits", "prompt": "prompts", "option": "options"}
_MODELS: dict[str, type[BaseModel]] = {"settings": ModelSettings, "limits": Limits}


class Preset(BaseModel):
    """A form. `options` are the machine's, whole; `prompts` the content hash of each role's version that is chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    backend: str = ""
    model: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    settings: ModelSettings = ModelSettings()
    limits: Limits = Limits()
    pause_before: tuple[str, ...] = ()
    approve_tools: tuple[str, ...] = ()
    prompts: dict[str, str] = Field(default_factory=dict)


class Reading(NamedTuple):
    """What could be read, and a sentence for each part that could not: it has its default."""

    preset: Preset
    told: list[str]


def check_name(name: str) -> str:
    """The name, if a preset may have it. Raises InvalidRequest."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"A preset cannot be called {_shown(name)!r}." if name else "The preset has no name.",
            f"Use up to {LONGEST_NAME} letters, digits, signs and spaces.",
        )
    return name


def read(raw: Mapping[str, Any]) -> Reading:
    """A preset from what was kept or what a link says. Raises InvalidRequest when there is not even a machine."""
    name = raw.get("machine")
    if name not in catalogue.MACHINES:
        known = ", ".join(catalogue.MACHINES)
        what = f"There is no machine named {_shown(name)!r} here." if name else "It names no machine."
        raise InvalidRequest(what, f"There are: {known}.")
    machine, told = catalogue.load(str(name)), list[str]()
    found: dict[str, Any] = {"machine": name}
    for part in ("backend", "model"):
        found[part] = _plain(part, raw.get(part, ""), told)
    found["options"] = _options(machine.options, _mapping(raw, "options", told), told)
    for part, model in _MODELS.items():
        found[part] = model.model_validate(_fields(model, _mapping(raw, part, told), part, told))
    found["pause_before"] = _among(raw, "pause_before", machine.asking, "to pause before", told)
    tools = found["options"].get("tools") or ()
    found["approve_tools"] = _among(raw, "approve_tools", tools, "chosen to ask before", told)
    found["prompts"] = _digests(_mapping(raw, "prompts", told), told)
    return Reading(Preset(**found), told + [f"{_shown(key)!r} is not known here." for key in raw if key not in found])


def to_query(preset: Preset) -> str:
    """The preset as a link's query: whole, readable, without key, address or a path of this computer."""
    parts = [(name, value) for name in NAMES if (value := getattr(preset, name))]
    parts = [(name, _portable(value, preset.backend) if name == "model" else value) for name, value in parts]
    for name, value in preset.options.items():
        key = f"option.{name}" if name in (*NAMES, *LISTS) else name
        parts.append((key, _written(value)))
    for prefix, group in (("setting", preset.settings), ("limit", preset.limits)):
        usual = type(group)()
        changed = ((name, value) for name, value in group if value != getattr(usual, name))
        parts += [(f"{prefix}.{name}", _written(value)) for name, value in changed]
    parts += [(short, ",".join(getattr(preset, name))) for short, name in LISTS.items() if getattr(preset, name)]
    parts += [(f"prompt.{role}", digest) for role, digest in preset.prompts.items()]
    return urlencode(parts, safe=",.:/@")


def from_query(query: str | Mapping[str, Sequence[str]]) -> Reading:
    """What a link says, as text or as its parts. Nobody is trusted. Raises InvalidRequest when it is no such link."""
    if isinstance(query, str):
        if len(query) > LONGEST_LINK:
            raise InvalidRequest(*_TOO_LONG)
        pairs = parse_qsl(query.partition("?")[2] or query, keep_blank_values=True)
    else:
        pairs = [(name, value) for name, values in query.items() for value in values]
    if len(pairs) > MOST_PARTS or sum(len(name) + len(value) for name, value in pairs) > LONGEST_LINK:
        raise InvalidRequest(*_TOO_LONG)
    raw: dict[str, Any] = {}
    for name, value in pairs:
        _put(raw, name, value)
    return read(raw)


_TOO_LONG = ("The link is longer than any preset is.", "Ask who sent it for another one.")


def _put(raw: dict[str, Any], name: str, value: str) -> None:
    """Put one part of a link where a kept preset has it. Raises InvalidRequest for a part that is there twice."""
    prefix, _, rest = name.partition(".")
    if name in NAMES:
        place, key, said = raw, name, value
    elif name in LISTS:
        place, key, said = raw, LISTS[name], _split(value)  # type: ignore[assignment]
    else:
        group = GROUPS[prefix] if rest and prefix in GROUPS else "options"
        place, key, said = raw.setdefault(group, {}), rest if rest and prefix in GROUPS else name, value
    if key in place:
        raise InvalidRequest(f"The link says {_shown(name)!r} twice.", "Ask who sent it for another one.")
    place[key] = said


def _options(options: type[BaseModel], given: Mapping[str, Any], told: list[str]) -> dict[str, Any]:
    """The machine's options, whole; if those that were given contradict each other, the defaults."""
    found = _fields(options, given, "options", told)
    try:
        return options.model_validate(found).model_dump(mode="json")
    except ValidationError as error:
        told.append(f"The machine's options do not fit together ({_why(error)}): they have their defaults.")
        return options().model_dump(mode="json")


def _fields(model: type[BaseModel], given: Mapping[str, Any], part: str, told: list[str]) -> dict[str, Any]:
    """The fields that can be used, each by itself; of the others it is told why not."""
    found = {}
    for name, value in given.items():
        info = model.model_fields.get(str(name))
        if info is None:
            told.append(f"There is no {_shown(name)!r} among the {part} here.")
            continue
        try:
            found[str(name)] = _value(info, value)
        except ValidationError as error:
            told.append(f"{name} cannot be {_shown(value)!r} ({_why(error)}): it has its default.")
    return found


def _value(info: FieldInfo, value: Any) -> Any:
    """One field's value, also from a text. Raises pydantic.ValidationError."""
    kind: Any = info.annotation
    if isinstance(value, str):
        if get_origin(kind) in (list, tuple):
            value = _split(value)
        elif value == "" and type(None) in get_args(kind):
            value = None
    bounded: Any = Annotated[(kind, *info.metadata, Field(max_length=LONGEST_VALUE))] if kind is str else None
    bounded = bounded or (Annotated[(kind, *info.metadata)] if info.metadata else kind)
    return TypeAdapter(bounded).validate_python(value)


def _plain(part: str, value: Any, told: list[str]) -> str:
    """A name as a plain line of text."""
    if isinstance(value, str) and len(value) <= LONGEST_VALUE and (not value or value.isprintable()):
        return value
    told.append(f"The {part} {_shown(value)!r} is no name: the one that is usual here is taken.")
    return ""


def _mapping(raw: Mapping[str, Any], part: str, told: list[str]) -> Mapping[str, Any]:
    value = raw.get(part, {})
    if isinstance(value, Mapping):
        return value
    told.append(f"The {part} cannot be read: they have their defaults.")
    return {}


def _among(raw: Mapping[str, Any], part: str, known: Sequence[str], words: str, told: list[str]) -> tuple[str, ...]:
    """Those of the names that there are, in the order of what is known."""
    value = raw.get(part, ())
    given = list(value) if isinstance(value, list | tuple) else [value]
    told += [f"There is no {_shown(one)!r} {words}." for one in given if one not in known]
    return tuple(one for one in known if one in given)


def _digests(given: Mapping[str, Any], told: list[str]) -> dict[str, str]:
    """The content hashes of prompts, by role."""
    found = {}
    for role, digest in given.items():
        if isinstance(digest, str) and len(digest) <= DIGEST_LENGTH and digest.isalnum() and len(str(role)) <= SHOWN:
            found[str(role)] = digest
        else:
            told.append(f"The wording {_shown(digest)!r} of {_shown(role)} is no hash: the default one is taken.")
    return found


def _portable(model: str, backend: str) -> str:
    """A model's name; of a file of this computer only what it is called."""
    return PurePath(model).stem if backend == "embedded" and PurePath(model).name != model else model


def _written(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ",".join(map(str, value))
        case float():
            return f"{value:g}"
    return str(value)


def _split(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _why(error: ValidationError) -> str:
    first = error.errors()[0]
    words = str(first.get("ctx", {}).get("error", "")) or str(first["msg"])
    return f"{words[0].lower()}{words[1:]}".rstrip(".")


def _shown(value: Any) -> str:
    """What somebody wrote, as much as a sentence of ours can bear."""
    line = "".join(char if char.isprintable() else " " for char in str(value)[: 2 * SHOWN])
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"
