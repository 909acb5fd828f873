"""Prompts are files: one YAML file per machine, checked when it is read, filled without any code in the template."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.errors import PromptError
from workbench.request import Example

FOLDER = Path(__file__).resolve().parent.parent / "prompts"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Prompt(_Strict):
    """A role's prompt: `$name` in the template is a declared variable, `$$` a dollar; braces mean nothing."""

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


def check(prompt: Prompt, where: str) -> None:
    """Raise PromptError when the template cannot be filled, or its declared variables are not the ones that it uses."""
    template = Template(prompt.template)
    if not template.is_valid():
        raise PromptError(f"{where}: a lone $ cannot be filled.", "Write $$ for a dollar sign.")
    used, declared = set(template.get_identifiers()), set(prompt.variables)
    if used - declared:
        raise PromptError(f"{where}: the template uses ${', $'.join(sorted(used - declared))} without declaring it.")
    if declared - used:
        raise PromptError(f"{where}: {', '.join(sorted(declared - used))} is declared but never used.")


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
def load(machine: str) -> PromptFile:
    """The built-in prompts of a machine."""
    path = FOLDER / f"{machine}.yaml"
    return parse(path.read_text(encoding="utf-8"), path.name)
