"""The library of prompts: each role's versions, kept for good; found by number, name, tag or content."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from workbench import prompts
from workbench.errors import PromptError, StoreError
from workbench.prompts import Prompt, check_line
from workbench.request import Example, RunRequest
from workbench.store import prompt_file
from workbench.store.database import Database
from workbench.store.tables import prompts as table

BUILT_IN, DEFAULT, FILE = "built-in", "default", "file:"
LONGEST_NOTE = 2_000
LONGEST_TAG, MOST_TAGS = 40, 20
SHORTEST_DIGEST = 4
_TAKEN = re.compile(rf"\d+|v\d+|{BUILT_IN}|{DEFAULT}|{FILE}.*", re.IGNORECASE)

Refs = Mapping[str, str]
Chosen = tuple[dict[str, str], dict[str, tuple[Example, ...]]]


@dataclass(frozen=True)
class PromptVersion:
    """One version of a role's prompt; number 0 is the built-in one. `created_at` in ISO 8601, empty for that one.

    `repeated` says that nothing was saved, since this version had the same words already.
    """

    machine: str
    role: str
    number: int
    digest: str
    template: str
    examples: tuple[Example, ...] = ()
    note: str = ""
    author: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    is_default: bool = False
    created_at: str = ""
    repeated: bool = field(default=False, compare=False)

    @property
    def title(self) -> str:
        """What it is called: `built-in`, `version 3`, `version 3 · terse`."""
        if not self.number:
            return BUILT_IN
        return f"version {self.number} · {self.name}" if self.name else f"version {self.number}"

    def says(self, template: str, examples: Sequence[Example]) -> bool:
        """Whether it says just that: line breaks at the end are nothing to a model."""
        return _trimmed(self.template) == _trimmed(template) and self.examples == tuple(examples)


@dataclass(frozen=True)
class Imported:
    """What a file brought: the versions that were added, and those that were there already."""

    added: tuple[PromptVersion, ...]
    known: tuple[PromptVersion, ...]


class PromptStore:
    """The versions of all prompts in the engine's database; safe for many threads and several processes.

    Versions are never changed or deleted; their names, tags and which one is the default may change.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def library(self, machine: str) -> dict[str, list[PromptVersion]]:
        """Every role of a machine with its versions, newest first, the built-in one last. Raises PromptError."""
        roles = prompts.load(machine).roles
        with self._database.read() as connection:
            kept = _kept(connection, machine)
        return {role: _with_built_in(machine, role, [one for one in kept if one.role == role]) for role in roles}

    def versions(self, machine: str, role: str) -> list[PromptVersion]:
        """A role's versions, newest first, the built-in one last. Raises PromptError for an unknown machine or role."""
        prompts.built_in(machine, role)
        with self._database.read() as connection:
            return _with_built_in(machine, role, _kept(connection, machine, role))

    def find(self, machine: str, role: str, ref: str) -> PromptVersion:
        """The version that `ref` means: name, number, `built-in`, `default`, tag (its newest), the hash's first digits.

        Raises PromptError that lists what there is.
        """
        versions, ref = self.versions(machine, role), ref.strip()
        folded = ref.casefold()
        ways = (
            [one for one in versions if one.name and one.name.casefold() == folded],
            [one for one in versions if folded in (str(one.number), f"v{one.number}")],
            [one for one in versions if folded == BUILT_IN and not one.number],
            [one for one in versions if folded == DEFAULT and one.is_default],
            [one for one in versions if folded in map(str.casefold, one.tags)],
            [one for one in versions if len(ref) >= SHORTEST_DIGEST and one.digest.startswith(folded)],
        )
        found = next(filter(None, ways), [])
        if not found or (found is ways[-1] and len(found) > 1):
            known = ", ".join(_listed(one) for one in versions)
            count = "more than one" if found else "no"
            raise PromptError(f"There is {count} version {ref!r} of {role} of {machine}.", f"There are: {known}.")
        return found[0]

    def by_digest(self, machine: str, role: str, digest: str) -> PromptVersion | None:
        """The version with that content hash; None where there is none. Raises PromptError for an unknown role."""
        return next((one for one in self.versions(machine, role) if one.digest == digest), None)

    def defaults(self, machine: str) -> dict[str, PromptVersion]:
        """The default version of each role whose default is not the built-in one."""
        columns, roles = table.c, prompts.load(machine).roles
        with self._database.read() as connection:
            rows = connection.execute(select(table).where(columns.machine == machine, columns.is_default == 1)).all()
        return {row.role: _version(row) for row in rows if row.role in roles}

    def filled(self, request: RunRequest) -> RunRequest:
        """The request with the default version of each role for which it names no words of its own.

        Raises PromptError that says how to choose another default, where one fits its role no more.
        """
        named = {*request.prompts, *request.examples}
        found = {role: one for role, one in self.defaults(request.machine).items() if role not in named}
        if not found:
            return request
        words, examples = _words(found)
        return request.model_copy(
            update={"prompts": {**request.prompts, **words}, "examples": {**request.examples, **examples}}
        )

    def resolve(self, machine: str, refs: Refs, base: Path | None = None) -> Chosen:
        """The templates and worked examples that these versions mean, for a request's `prompts` and `examples`.

        A ref is what `find` takes, or `file:PATH`: a template in a UTF-8 file, seen from `base`. Roles that are not
        named get their default versions, so that the request says all that decides the answer. Raises PromptError.
        """
        words, examples = self.named(machine, refs, base)
        rest = {role: one for role, one in self.defaults(machine).items() if role not in refs}
        other_words, other_examples = _words(rest)
        return {**words, **other_words}, {**examples, **other_examples}

    def named(self, machine: str, refs: Refs, base: Path | None = None) -> Chosen:
        """As `resolve`, of the roles that are named alone."""
        for role in refs:
            prompts.built_in(machine, role)
        files = {role: ref for role, ref in refs.items() if ref.startswith(FILE)}
        words, examples = _words({role: self.find(machine, role, refs[role]) for role in refs if role not in files})
        read = {role: _template(machine, role, ref.removeprefix(FILE).strip(), base) for role, ref in files.items()}
        return {**words, **read}, examples

    def save(
        self,
        machine: str,
        role: str,
        template: str,
        examples: Sequence[Example] = (),
        note: str = "",
        author: str = "",
    ) -> PromptVersion:
        """A new version; or the one that says the same already, then marked as `repeated`.

        Raises PromptError with the line where the template is wrong.
        """
        version = _checked(machine, role, template, tuple(examples), note, author)
        with self._database.write(durable=True) as connection:
            return _added(connection, replace(version, created_at=_now()))

    def rename(self, machine: str, role: str, number: int, name: str) -> PromptVersion:
        """Call a version of one's own by a name; an empty one takes it away. Raises PromptError."""
        name = check_line(name, "The name")
        if _TAKEN.fullmatch(name):
            raise PromptError(f"A version cannot be called {name!r}: that means another one.", "Choose a word.")
        with self._database.write(durable=True) as connection:
            kept = _own(connection, machine, role, number)
            other = next((one for one in kept if one.name.casefold() == name.casefold() and one.number != number), None)
            if name and other is not None:
                raise PromptError(f"Version {other.number} is called {other.name!r}.", "Choose another name.")
            _change(connection, machine, role, number, name=name)
        return self._one(machine, role, number)

    def tag(self, machine: str, role: str, number: int, tags: Iterable[str]) -> PromptVersion:
        """Give a version of one's own these tags in place of what it had. Raises PromptError."""
        kept = _tags(tags)
        with self._database.write(durable=True) as connection:
            _own(connection, machine, role, number)
            _change(connection, machine, role, number, tags=json.dumps(kept))
        return self._one(machine, role, number)

    def make_default(self, machine: str, role: str, number: int) -> PromptVersion:
        """Let runs that name no version use this one; 0 is the built-in one again. Raises PromptError."""
        version = self._one(machine, role, number)
        if number:  # its words may have come from an older app, whose role had other variables
            _checked(machine, role, version.template, version.examples)
        columns = table.c
        with self._database.write(durable=True) as connection:
            of_role = update(table).where(columns.machine == machine, columns.role == role)
            connection.execute(of_role.where(columns.is_default == 1).values(is_default=0))
            if number:
                _change(connection, machine, role, number, is_default=1)
        return replace(version, is_default=True)

    def export(self, machine: str | None = None, role: str | None = None, numbers: Iterable[int] | None = None) -> str:
        """Versions as one YAML file: of a role, a machine or all; those of one's own, or of a role these numbers.

        Raises PromptError when there is none.
        """
        names = [machine] if machine else list(prompts.machines())
        found = [one for name in names for versions in self.library(name).values() for one in reversed(versions)]
        found = [one for one in found if role in (None, one.role) and (one.number or numbers is not None)]
        if numbers is not None:
            wanted = set(numbers)
            found = [one for one in found if one.number in wanted]
            if missing := wanted - {one.number for one in found}:
                raise PromptError(f"There is no version {min(missing)}.", "Export one that there is.")
        if not found:
            raise PromptError("There is no version of your own to export.", "Save one first.")
        return prompt_file.write((f"version {one.number}, {one.digest}", _entry(one)) for one in found)

    def load(self, text: str) -> Imported:
        """Add the versions of an exported file that are new here; nothing here is changed, and no default.

        Raises PromptError that names role and line; then nothing was added.
        """
        read = [(line, entry, _of_entry(line, entry)) for line, entry in prompt_file.read(text)]
        with self._database.write(durable=True) as connection:
            done = [_added(connection, version) for _, _, version in read]
        added = tuple(one for one in done if not one.repeated)
        return Imported(added, tuple(one for one in done if one.repeated))

    def _one(self, machine: str, role: str, number: int) -> PromptVersion:
        return self.find(machine, role, str(number)) if number else self.versions(machine, role)[-1]


def _kept(connection: Connection, machine: str, role: str = "") -> list[PromptVersion]:
    """The versions of one's own, newest first."""
    columns = table.c
    wanted = select(table).where(columns.machine == machine).order_by(columns.number.desc())
    if role:
        wanted = wanted.where(columns.role == role)
    return [_version(row) for row in connection.execute(wanted)]


def _own(connection: Connection, machine: str, role: str, number: int) -> list[PromptVersion]:
    """The versions of one's own, one of which has the number. Raises PromptError."""
    kept = _kept(connection, machine, role)
    if not number:
        raise PromptError("The built-in version keeps its name.", "Save a version of your own first.")
    if all(one.number != number for one in kept):
        raise PromptError(f"There is no version {number} of {role} of {machine}.")
    return kept


def _version(row: Row[Any]) -> PromptVersion:
    data = dict(row._mapping)
    data["examples"] = tuple(Example.model_validate(one) for one in json.loads(data["examples"]))
    data["tags"], data["is_default"] = tuple(json.loads(data["tags"])), bool(data["is_default"])
    return PromptVersion(**data)


def _with_built_in(machine: str, role: str, kept: list[PromptVersion]) -> list[PromptVersion]:
    prompt = prompts.built_in(machine, role)
    is_default = not any(one.is_default for one in kept)
    first = PromptVersion(
        machine, role, 0, prompt.digest, prompt.template, prompt.examples, prompt.note, is_default=is_default
    )
    return [*kept, first]


def _added(connection: Connection, version: PromptVersion) -> PromptVersion:
    """The version with its number, entered; or the one that says the same. A name that is taken stays with who has it.

    Raises StoreError when another process entered one in between.
    """
    kept = _kept(connection, version.machine, version.role)
    for known in _with_built_in(version.machine, version.role, kept):
        if known.says(version.template, version.examples):
            return replace(known, repeated=True)
    names = {one.name.casefold() for one in kept}
    version = replace(
        version,
        number=1 + max((one.number for one in kept), default=0),
        name="" if version.name.casefold() in names else version.name,
    )
    examples = json.dumps([example.model_dump(mode="json") for example in version.examples])
    row = {name: getattr(version, name) for name in table.c.keys()}  # noqa: SIM118
    row |= {"examples": examples, "tags": json.dumps(version.tags), "is_default": 0}
    try:
        connection.execute(insert(table).values(row))
    except IntegrityError:
        raise StoreError("Another version was saved at the same moment.", "Save yours again.") from None
    return version


def _change(connection: Connection, machine: str, role: str, number: int, **values: Any) -> None:
    columns = table.c
    chosen = (columns.machine == machine, columns.role == role, columns.number == number)
    connection.execute(update(table).where(*chosen).values(values))


def _checked(
    machine: str, role: str, template: str, examples: tuple[Example, ...], note: str = "", author: str = ""
) -> PromptVersion:
    """A version that can be kept and filled, without a number. Raises PromptError."""
    built_in, words = prompts.built_in(machine, role), _trimmed(template)
    prompt = Prompt(template=words, variables=built_in.variables, note="", examples=examples)
    prompts.check(prompt, f"{role} of {machine}", built_in.template)
    if examples and not prompts.shows_examples(machine, role):
        raise PromptError(f"{machine} shows no examples to {role}.", "Save the template alone.")
    note, author = check_line(note, "The note", LONGEST_NOTE), check_line(author, "The author's name")
    return PromptVersion(machine, role, -1, prompt.digest, words, examples, note, author)


def _tags(tags: Iterable[str]) -> list[str]:
    kept = list(dict.fromkeys(filter(None, (check_line(tag, "A tag", LONGEST_TAG) for tag in tags))))
    if len(kept) > MOST_TAGS:
        raise PromptError(f"{len(kept)} tags do not fit; {MOST_TAGS} do.", "Leave some out.")
    if taken := next((tag for tag in kept if _TAKEN.fullmatch(tag)), ""):
        raise PromptError(f"A tag cannot be {taken!r}: that means a version.", "Choose a word.")
    return kept


def _entry(version: PromptVersion) -> prompt_file.Entry:
    fields = prompt_file.Entry.model_fields
    return prompt_file.Entry(**{name: getattr(version, name) for name in fields})


def _of_entry(line: int, entry: prompt_file.Entry) -> PromptVersion:
    """The version that a file's entry describes. Raises PromptError that names role and line."""
    try:
        version = _checked(entry.machine, entry.role, entry.template, entry.examples, entry.note, entry.author)
        name, tags = check_line(entry.name, "The name"), tuple(_tags(entry.tags))
        if _TAKEN.fullmatch(name):
            raise PromptError(f"A version cannot be called {name!r}.", "Choose a word.")
    except PromptError as error:
        raise PromptError(f"{prompt_file.at(entry, line)}: {error.message}", error.hint) from None
    return replace(version, name=name, tags=tags, created_at=entry.created_at or _now())


def _words(versions: Mapping[str, PromptVersion]) -> Chosen:
    """Versions as what a request says, whole: a later app may have another built-in prompt.

    Raises PromptError for one that fits its role no more, since the later app fills other variables.
    """
    for one in versions.values():
        _check_fit(one)
    shown = [role for role, one in versions.items() if prompts.shows_examples(one.machine, role)]
    templates = {role: one.template for role, one in versions.items()}
    return templates, {role: versions[role].examples for role in shown}


def _check_fit(version: PromptVersion) -> None:
    built_in = prompts.built_in(version.machine, version.role)
    prompt = Prompt(template=version.template, variables=built_in.variables)
    which = f"{version.title}, the default" if version.is_default else version.title
    try:
        prompts.check(prompt, f"{version.role} of {version.machine}, {which}", built_in.template)
    except PromptError as error:
        if not version.is_default:
            raise
        way = f"python -m workbench prompts default {version.machine} {version.role} {BUILT_IN}"
        hint = f"{error.hint} Save it so, or make another version the default: under Prompts, or with {way}."
        raise PromptError(error.message, hint) from None


def _template(machine: str, role: str, name: str, base: Path | None) -> str:
    """The template in a file, checked. Raises PromptError that names role, file and line."""
    path = (base or Path()) / Path(name).expanduser()
    where = f"{role} of {machine}, {name}"
    try:
        if path.stat().st_size > prompts.LONGEST:
            raise PromptError(f"{where}: the file is too large.", f"{prompts.LONGEST // 1024} KiB fit.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise PromptError(f"{where} cannot be read: {error}.", "Give a UTF-8 text file.") from None
    built_in = prompts.built_in(machine, role)
    prompts.check(Prompt(template=text, variables=built_in.variables), where, built_in.template)
    return text


def _listed(version: PromptVersion) -> str:
    if not version.number:
        return BUILT_IN
    return f"{version.number} ({version.name})" if version.name else str(version.number)


def _trimmed(template: str) -> str:
    """The template with one kind of line break, and none at its end."""
    return template.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
