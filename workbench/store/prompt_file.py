"""Versions of prompts as one YAML file: written to be read and edited by a person, read as from a stranger."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench import moments
from workbench.errors import PromptError
from workbench.prompts import LONGEST_NAME
from workbench.request import Example

FORMAT = 1
LARGEST = 4 * 1024 * 1024  # characters of a file
DEEPEST = 8  # lists and mappings in one another; an example's turn is the sixth
MOST_NODES = 20_000
HEAD = f"# Prompt versions of Second Thought. Import them on the Prompts page.\nformat: {FORMAT}\nprompts:\n"

Place = tuple[str | int, ...]


class Entry(BaseModel):
    """A version as the file holds it. Its number and content hash are those of where it is imported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str = Field(max_length=64)
    role: str = Field(max_length=64)
    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    author: str = Field("", max_length=LONGEST_NAME)
    created_at: str = Field("", max_length=40)
    template: str
    examples: tuple[Example, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(ge=1, le=FORMAT)
    prompts: tuple[Entry, ...] = Field(min_length=1)


def write(entries: Iterable[tuple[str, Entry]]) -> str:
    """The file that holds these versions, each under a comment."""
    return HEAD + "".join(f"  # {comment}\n{_indented(_dumped(entry))}" for comment, entry in entries)


def read(text: str) -> list[tuple[int, Entry]]:
    """The versions in a file, each with the line at which it begins. Raises PromptError that names role and line."""
    if len(text) > LARGEST:
        raise PromptError(f"The file has {len(text):,} characters; {LARGEST:,} fit.", "Import it in parts.")
    data, lines = _data(text)
    known = data.get("format") if isinstance(data, dict) else None
    if isinstance(known, str) and known.isdecimal() and int(known[:9]) > FORMAT:
        raise PromptError(f"The file has format {known[:9]}; this version reads {FORMAT}.", "Update Second Thought.")
    try:
        entries = _File.model_validate(data).prompts
    except ValidationError as error:
        raise _refused(error, data, lines) from None
    places = [lines["prompts", number] for number in range(len(entries))]
    return [(line, _timed(entry, line)) for line, entry in zip(places, entries, strict=True)]


def at(entry: Entry, line: int) -> str:
    """Where something is wrong, as a sentence begins."""
    return f"{entry.machine}, {entry.role}, line {line} of the file"


class _Loader(yaml.BaseLoader):
    """Texts, lists and mappings alone: nothing in a file becomes an object, a number or a reference to another part."""

    nodes = depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node, unless there are too many of them or it lies too deep. Raises PromptError."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise PromptError(f"Line {line} of the file refers to another part of it.", "Write the part out.")
        self.nodes, self.depth = self.nodes + 1, self.depth + 1
        if self.depth > DEEPEST or self.nodes > MOST_NODES:
            raise PromptError(
                f"Line {line} of the file lies too deep, or it has too many parts.", "Import it in parts."
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _data(text: str) -> tuple[Any, dict[Place, int]]:
    """The file as plain data, and at which line each part of it begins. Raises PromptError."""
    lines: dict[Place, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two: an escape that is no character
        raise PromptError(f"The file is not YAML: {_problem(error)}.", "Export one, and compare.") from None
    return _plain(node, (), lines), lines


def _problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"line {mark.line + 1}: {said}" if mark else str(said)


def _plain(node: Any, place: Place, lines: dict[Place, int]) -> Any:
    if node is None:
        return None
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*place, number), lines) for number, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                raise PromptError(f"Line {key.start_mark.line + 1} of the file says {name!r} again.", "Remove one.")
            found[name] = _plain(value, (*place, name), lines)
        return found
    return node.value


def _refused(error: ValidationError, data: Any, lines: Mapping[Place, int]) -> PromptError:
    """What is wrong with the file's data: in which version of what, in which line."""
    problem = error.errors()[0]
    place: Place = problem["loc"]
    line = next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), 1)
    whose = _role(data, place)
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in place[2:] or place)
    hint = "Export a version, and write the file as that one is."
    return PromptError(f"{whose}line {line} of the file, {field or 'the whole'}: {problem['msg'].lower()}.", hint)


def _role(data: Any, place: Place) -> str:
    if len(place) < 2 or place[0] != "prompts" or not isinstance(place[1], int):
        return ""
    entry = data["prompts"][place[1]]
    names = [entry.get(key) for key in ("machine", "role")] if isinstance(entry, dict) else []
    return "".join(f"{name[:64]}, " for name in names if isinstance(name, str))


def _timed(entry: Entry, line: int) -> Entry:
    """The entry with its moment in UTC. Raises PromptError for what is none."""
    if not entry.created_at:
        return entry
    try:
        return entry.model_copy(update={"created_at": moments.in_utc(entry.created_at)})
    except ValueError:
        hint = "Remove it, or write it as in an export."
        raise PromptError(f"{at(entry, line)}: created_at is no moment.", hint) from None


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, where a block keeps every character; else between double quotes."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A text so that exactly it is read again."""
        ordinary = all(char == "\n" or (char.isprintable() and char != "\ufeff") for char in text)
        style = ("|" if "\n" in text else None) if ordinary else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _dumped(entry: Entry) -> str:
    data = [entry.model_dump(mode="json", exclude_defaults=True)]
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def _indented(text: str) -> str:
    """Two blanks before each line; one that is empty stays so."""
    return re.sub(r"(?m)^(?=.)", "  ", text)
