"""Prompts are files: one YAML file per machine, checked when it is read, filled without any code in the template."""

import getpass
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.errors import PromptError, StoreError
from workbench.request import Example

FOLDER = Path(__file__).resolve().parent.parent / "prompts"
LONGEST = 64 * 1024  # bytes of a template
LONGEST_EXAMPLES = 256 * 1024  # bytes of a prompt's worked examples together
MOST_EXAMPLES, MOST_TURNS = 50, 200
AUTHOR = "author.txt"  # in the data folder: the name of who writes prompts here
LONGEST_NAME = 200


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Prompt(_Strict):
    """A role's prompt: `$name` in the template is a declared variable, `$$` a dollar; braces mean nothing.

    A role's file says `examples`, be it an empty list, where the machine shows worked examples to that role.
    """

    template: str
    variables: tuple[str, ...] = ()
    note: str = ""
    examples: tuple[Example, ...] = ()

    @property
    def digest(self) -> str:
        """A content hash: twelve hex digits of SHA-256 over template and examples."""
        return hashlib.sha256(self.model_dump_json(include={"template", "examples"}).encode()).hexdigest()[:12]

    def fill(self, values: Mapping[str, object]) -> str:
        """The text with every variable replaced. Raises PromptError for a missing or an undeclared value."""
        if set(values) != set(self.variables):
            raise PromptError(f"The template takes {sorted(self.variables)}, but got {sorted(values)}.")
        return Template(self.template).substitute({key: str(value) for key, value in values.items()}).rstrip("\n")


class PromptFile(_Strict):
    """A machine's prompts."""

    machine: str
    source: str
    roles: dict[str, Prompt]


def check(prompt: Prompt, where: str = "", built_in: str = "") -> None:
    """Raise PromptError, with the line, for what cannot be filled or sent: in the template, then in the examples.

    `where` begins the sentence; `built_in` is a template that a variable which is missing is looked up in.
    """
    for line, said, hint in (*_faults(prompt, built_in), *_example_faults(prompt.examples)):
        place = ", ".join(filter(None, [where, f"line {line}" if line else ""]))
        sentence = f"{place}: {said}" if place else said
        raise PromptError(sentence[0].upper() + sentence[1:] if not where else sentence, hint)


Fault = tuple[int, str, str]  # line from 1 (0: none), what is wrong, what to do


def _faults(prompt: Prompt, built_in: str) -> Iterator[Fault]:
    """What is wrong with a template, from its top to its end, then what it lacks."""
    text, declared = prompt.template, prompt.variables
    if not text.strip():
        yield 0, "the template is empty.", "Write what the model is to be told."
    if (size := len(text.encode("utf-8", "replace"))) > LONGEST:
        yield 0, f"the template is {size // 1024:,} KiB long; {LONGEST // 1024} KiB fit.", "Shorten it."
    if (at := _unreadable(text)) is not None:
        yield _line(text, at), "it holds a character that is none.", "Delete it, or paste the line again."
    used: set[str] = set()
    for found in Template.pattern.finditer(text):
        name = found["named"] or found["braced"]
        if found["invalid"] is not None:
            yield _line(text, found.start()), "a lone $ cannot be filled.", "Write $$ for a dollar sign."
        elif name and name not in declared:
            yield (
                _line(text, found.start()),
                f"${name} is not a variable of this role; {_has(declared)}.",
                _meant(name, declared),
            )
        used |= {name} if name else set()
    yield from (_missing(name, text, built_in) for name in declared if name not in used)


def _has(variables: Sequence[str]) -> str:
    return f"it has ${', $'.join(variables)}" if variables else "it has none"


def _meant(name: str, variables: Sequence[str]) -> str:
    near = get_close_matches(name, variables, n=1, cutoff=0.5)
    word = f"Did you mean ${near[0]}? " if near else ""
    return f"{word}Write $${name} for the word with a dollar sign."


def _missing(name: str, text: str, built_in: str) -> Fault:
    """A variable that the machine fills and the template does not take: perhaps it is written otherwise there."""
    said, braced = f"${name} is not in the template, and this role fills it.", re.search(rf"\{{+ *{name} *\}}+", text)
    if braced:
        return _line(text, braced.start()), said, f"Write ${name} instead of {braced[0]}."
    at = re.search(rf"\$\{{?{name}\b", built_in)
    known = f" The built-in has it in line {_line(built_in, at.start())}." if at else ""
    return 0, said, f"Write ${name} where it belongs.{known}"


def _example_faults(examples: Sequence[Example]) -> Iterator[Fault]:
    """What is wrong with worked examples."""
    turns = [turn for example in examples for turn in example.turns]
    if len(examples) > MOST_EXAMPLES or len(turns) > MOST_TURNS:
        yield 0, f"more than {MOST_EXAMPLES} examples or {MOST_TURNS} turns in them do not fit.", "Remove some."
    if (size := sum(len(turn.content.encode("utf-8", "replace")) for turn in turns)) > LONGEST_EXAMPLES:
        yield 0, f"the examples are {size // 1024:,} KiB long; {LONGEST_EXAMPLES // 1024} KiB fit.", "Shorten them."
    for number, example in enumerate(examples, 1):
        roles = [turn.role for turn in example.turns]
        if roles[:1] != ["user"] or roles[-1:] != ["assistant"]:
            yield 0, f"example {number} is no exchange.", "Let it begin with a user's turn and end with an assistant's."
        for place, turn in enumerate(example.turns, 1):
            if not turn.content.strip():
                yield 0, f"turn {place} of example {number} is empty.", "Write it, or remove it."
            if (at := _unreadable(turn.content)) is not None:
                where = f"turn {place} of example {number}, line {_line(turn.content, at)}"
                yield 0, f"{where}, holds a character that is none.", "Delete it, or paste the line again."


def check_line(text: str, what: str, longest: int = LONGEST_NAME) -> str:
    """A note, name, tag or author in one line. Raises PromptError that says `what` cannot be kept, and why."""
    line = " ".join(text.split())
    if _unreadable(line) is not None:
        raise PromptError(f"{what} holds a character that is none.", "Delete it, or type it again.")
    if len(line) > longest:
        raise PromptError(f"{what} has {len(line):,} characters; {longest:,} fit.", "Shorten it.")
    return line


def _unreadable(text: str) -> int | None:
    """Where a text holds NUL or half of a surrogate pair, which no database or browser takes."""
    found = re.search("[\x00\ud800-\udfff]", text)
    return found.start() if found else None


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def parse(text: str, where: str) -> PromptFile:
    """The prompts in a YAML text. Raises PromptError that names `where`."""
    try:
        data: Any = yaml.safe_load(text)
        file = PromptFile.model_validate(data)
    except (yaml.YAMLError, ValidationError) as error:
        raise PromptError(f"{where} is not a prompt file: {error}") from None
    for role, prompt in file.roles.items():
        check(prompt, f"{where}, role {role}")
    return file


def replaced(
    roles: Mapping[str, Prompt],
    templates: Mapping[str, str],
    examples: Mapping[str, tuple[Example, ...]] = MappingProxyType({}),
) -> dict[str, Prompt]:
    """The roles with other templates or worked examples for some of them.

    Raises PromptError for a role or a template that is none.
    """
    changed = dict(roles)
    for role in dict.fromkeys((*templates, *examples)):
        if role not in roles:
            raise PromptError(f"There is no prompt for the role {role!r}.", f"The roles are: {', '.join(roles)}.")
        update = {"template": templates.get(role, roles[role].template)}
        changed[role] = roles[role].model_copy(update=update | {"examples": examples.get(role, roles[role].examples)})
        check(changed[role], f"The prompt of {role}")
    return changed


@cache
def machines() -> tuple[str, ...]:
    """The machines that have prompts."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def load(machine: str) -> PromptFile:
    """The built-in prompts of a machine. Raises PromptError for one that there is not."""
    if machine not in machines():
        raise PromptError(f"There is no machine named {machine!r}.", f"Choose one of: {', '.join(machines())}.")
    path = FOLDER / f"{machine}.yaml"
    return parse(path.read_text(encoding="utf-8"), path.name)


def built_in(machine: str, role: str) -> Prompt:
    """The built-in prompt of a role. Raises PromptError for one that there is not."""
    roles = load(machine).roles
    if role not in roles:
        raise PromptError(f"{machine} has no role {role!r}.", f"It has: {', '.join(roles)}.")
    return roles[role]


def shows_examples(machine: str, role: str) -> bool:
    """Whether the machine shows worked examples to that role."""
    return "examples" in built_in(machine, role).model_fields_set


def author(home: Path) -> str:
    """Who writes prompts here: the name that was last given, else the login name; empty where there is neither."""
    try:
        return (home / AUTHOR).read_text(encoding="utf-8").strip()[:LONGEST_NAME] or _login()
    except (OSError, UnicodeDecodeError):
        return _login()


def remember_author(home: Path, name: str) -> None:
    """Keep who writes prompts here, for the next time. Raises StoreError."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / AUTHOR).write_text(name, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"Your name could not be kept in {home}: {error.strerror}.", "The version itself is."
        ) from None


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return ""
