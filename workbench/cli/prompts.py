"""Commands on the prompt library: list, show, save, name, tag, choose the default, export, import."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from workbench import prompts
from workbench.cli.flags import standard_input
from workbench.cli.output import local, table
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest, StoreError
from workbench.request import Example
from workbench.settings import Settings
from workbench.store.prompts import PromptStore, PromptVersion
from workbench.terminal import harmless

REF = "a version: its number, name, tag, the beginning of its hash, built-in or default"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`prompts list`, `show`, `save`, `name`, `tag`, `default`, `export` and `import`."""
    listing = commands.add_parser("list", help="the versions of each role, newest first")
    listing.add_argument("machine", nargs="?", default="", help="all machines otherwise")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_versions)
    show = commands.add_parser("show", help="a version's template and examples")
    save = commands.add_parser("save", help="keep a template as a new version")
    name = commands.add_parser("name", help="call a version by a name")
    tag = commands.add_parser("tag", help="give a version tags, in place of those that it has")
    default = commands.add_parser("default", help="let runs that name no version use this one")
    for command in (show, save, name, tag, default):
        command.add_argument("machine")
        command.add_argument("role")
    show.add_argument("ref", nargs="?", default="default", help=REF)
    show.set_defaults(do=show_version)
    save.add_argument("file", help="a UTF-8 text file; - reads standard input")
    save.add_argument("--note", default="", help="what is different, and why")
    save.add_argument("--author", help="your name; the last one given otherwise")
    save.add_argument("--examples-of", default="default", metavar="REF", help="the version whose examples it has")
    save.set_defaults(do=save_version)
    for command in (name, tag, default):
        command.add_argument("ref", help=REF)
    name.add_argument("name", help="an empty one takes the name away")
    name.set_defaults(do=name_version)
    tag.add_argument("tags", nargs="*", help="none at all take away what it has")
    tag.set_defaults(do=tag_version)
    default.set_defaults(do=make_default)
    _add_carrying(commands)


def _add_carrying(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = commands.add_parser("export", help="versions of your own as one YAML file")
    export.add_argument("machine", nargs="?", help="all machines otherwise")
    export.add_argument("role", nargs="?", help="all its roles otherwise")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
    export.set_defaults(do=export_versions)
    taking = commands.add_parser("import", help="add what is new in such a file")
    taking.add_argument("file", type=Path)
    taking.set_defaults(do=import_versions)


def list_versions(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per version."""
    names = [arguments.machine] if arguments.machine else prompts.machines()
    with open_database(settings) as database:
        library = PromptStore(database)
        found = [one for name in names for versions in library.library(name).values() for one in versions]
    if arguments.json:
        for one in found:
            print(json.dumps(_plain(one)))
        return 0
    titles = ["MACHINE", "ROLE", "VERSION", "HASH", "SAVED", "AUTHOR", "NOTE"]
    table(titles, [_cells(one) for one in found])
    return 0


def _plain(version: PromptVersion) -> dict[str, object]:
    data = {**asdict(version), "examples": [example.model_dump(mode="json") for example in version.examples]}
    del data["repeated"]
    return data


def _cells(version: PromptVersion) -> list[str]:
    title = version.title.removeprefix("version ") + (" (default)" if version.is_default else "")
    saved = local(version.created_at) if version.created_at else ""
    note = " ".join([version.note, *(f"#{tag}" for tag in version.tags)])
    return [version.machine, version.role, title, version.digest, saved, version.author, note]


def show_version(arguments: argparse.Namespace, settings: Settings) -> int:
    """A version's template, then its examples turn by turn."""
    with open_database(settings) as database:
        library = PromptStore(database)
        version = library.find(arguments.machine, arguments.role, arguments.ref)
    print(harmless(version.template.rstrip("\n")))
    for number, example in enumerate(version.examples, 1):
        needs = f" (needs {', '.join(example.needs)})" if example.needs else ""
        print(harmless(f"\nExample {number}{needs}"))
        for turn in example.turns:
            print(harmless(f"{turn.role}: {turn.content}"))
    return 0


def save_version(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep a template; its number on standard output."""
    place, home = (arguments.machine, arguments.role), settings.home
    template = _text(arguments.file)
    author = prompts.author(home) if arguments.author is None else arguments.author
    with open_database(settings) as database:
        library = PromptStore(database)
        examples: tuple[Example, ...] = library.find(*place, arguments.examples_of).examples
        saved = library.save(*place, template, examples, arguments.note, author)
    if arguments.author:
        prompts.remember_author(home, arguments.author)
    if saved.repeated:
        print(f"Nothing was saved: {harmless(saved.title)} says exactly this.", file=sys.stderr)
    print(saved.number)
    return 0


def name_version(arguments: argparse.Namespace, settings: Settings) -> int:
    """Call a version by a name, or by none again."""
    place = (arguments.machine, arguments.role)
    with open_database(settings) as database:
        library = PromptStore(database)
        version = library.rename(*place, library.find(*place, arguments.ref).number, arguments.name)
    _say_what_it_is(version)
    return 0


def tag_version(arguments: argparse.Namespace, settings: Settings) -> int:
    """Give a version these tags, and no others."""
    place = (arguments.machine, arguments.role)
    with open_database(settings) as database:
        library = PromptStore(database)
        version = library.tag(*place, library.find(*place, arguments.ref).number, arguments.tags)
    _say_what_it_is(version)
    return 0


def _say_what_it_is(version: PromptVersion) -> None:
    tags = "".join(f" #{tag}" for tag in version.tags)
    print(harmless(f"{version.machine} {version.role}: {version.title}{tags}"))


def make_default(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let new runs use a version."""
    with open_database(settings) as database:
        library = PromptStore(database)
        version = library.find(arguments.machine, arguments.role, arguments.ref)
        library.make_default(arguments.machine, arguments.role, version.number)
    print(harmless(f"New runs of {arguments.machine} use {version.title} of {arguments.role}."))
    return 0


def export_versions(arguments: argparse.Namespace, settings: Settings) -> int:
    """The YAML file, to standard output or a file."""
    with open_database(settings) as database:
        library = PromptStore(database)
        text = library.export(arguments.machine, arguments.role)
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{arguments.output} cannot be written: {error.strerror}.") from None
    return 0


def import_versions(arguments: argparse.Namespace, settings: Settings) -> int:
    """Add what is new; what was there stays as it is."""
    text = _text(str(arguments.file))
    with open_database(settings) as database:
        library = PromptStore(database)
        done = library.load(text)
    for one in done.added:
        print(harmless(f"{one.machine} {one.role}: {one.title} added"))
    if done.known:
        print(f"{len(done.known)} there already.", file=sys.stderr)
    return 0


def _text(name: str) -> str:
    """A file's text, or standard input's. Raises InvalidRequest."""
    if name == "-":
        return standard_input()
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{name} cannot be read: {error}.", "Give a UTF-8 text file.") from None
