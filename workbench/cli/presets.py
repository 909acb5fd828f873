"""`presets` in the terminal: forms saved by name, and links to them."""

import argparse
import json
import sys
from typing import Any

from workbench import presets
from workbench.cli.flags import changed_request, read_request, run_flags, standard_input, with_prompts
from workbench.cli.output import local, table
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest
from workbench.presets import Preset, Reading
from workbench.request import RunRequest
from workbench.settings import Settings
from workbench.store.database import Database
from workbench.store.presets import PresetStore
from workbench.store.prompts import PromptStore
from workbench.terminal import harmless

ADDRESS = "http://localhost:8501"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`presets list`, `show`, `save`, `delete` and `link`."""
    listing = commands.add_parser("list", help="the saved presets")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_presets)
    show = commands.add_parser("show", help="what a preset says, as JSON")
    show.set_defaults(do=show_preset)
    save = commands.add_parser("save", help="save a machine, model, options and limits under a name")
    save.set_defaults(do=save_preset)
    remove = commands.add_parser("delete", help="forget a preset")
    remove.set_defaults(do=delete_preset)
    link = commands.add_parser("link", help="the address that opens the app with this form")
    link.set_defaults(do=link_preset)
    for command in (show, save, remove, link):
        command.add_argument("name", help="the preset's name")
    save.add_argument("machine", nargs="?", default="", help="the machine; left out, --from says what to save")
    save.add_argument("--from", dest="link", metavar="LINK", help="save what a link says")
    save.add_argument("--replace", action="store_true", help="in place of the one of that name")
    run_flags(save)
    link.add_argument("--address", default=ADDRESS, help=f"where the app is; {ADDRESS} otherwise")


def list_presets(arguments: argparse.Namespace, settings: Settings) -> int:
    """A line per preset."""
    with open_database(settings) as database:
        found = PresetStore(database).all()
    if arguments.json:
        for one in found:
            print(json.dumps(one._asdict()))
        return 0
    rows = [[one.name, _word(one.content, "machine"), local(one.used_at), _backend_model(one.content)] for one in found]
    table(["NAME", "MACHINE", "USED", "MODEL"], rows)
    return 0


def _word(content: dict[str, Any], name: str) -> str:
    return str(content.get(name, ""))


def _backend_model(content: dict[str, Any]) -> str:
    return f"{_word(content, 'backend')} {_word(content, 'model')}".strip()


def show_preset(arguments: argparse.Namespace, settings: Settings) -> int:
    """A preset's form."""
    with open_database(settings) as database:
        print(json.dumps(PresetStore(database).find(arguments.name).content, indent=2, ensure_ascii=True))
    return 0


def save_preset(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep what the flags, or a link, say."""
    name = presets.check_name(arguments.name)
    if bool(arguments.machine) == bool(arguments.link):
        raise InvalidRequest("Say either a machine or --from a link.", "presets save NAME MACHINE, or --from LINK.")
    with open_database(settings) as database:
        reading = presets.from_query(arguments.link) if arguments.link else _of_flags(arguments, settings, database)
        _tell(reading.told)
        store, content = PresetStore(database), reading.preset.model_dump(mode="json")
        if arguments.replace and any(one.name.casefold() == name.casefold() for one in store.all()):
            store.update(name, content)
        else:
            store.save(name, content)
    print(harmless(name))
    return 0


def _of_flags(arguments: argparse.Namespace, settings: Settings, database: Database) -> Reading:
    """The form that `run` with these flags would have. Raises InvalidRequest."""
    arguments.question = "?"  # a preset has none
    library = PromptStore(database)
    request = with_prompts(arguments, read_request(arguments, settings), library)
    digests = {}
    for role, template in request.prompts.items():
        said = next((one for one in library.versions(request.machine, role) if one.template == template), None)
        if said is None:
            raise InvalidRequest(f"The prompt of {role} is not in the library.", "Save it first: prompts save.")
        digests[role] = said.digest
    raw = request.model_dump(mode="json", include=set(Preset.model_fields)) | {"prompts": digests}
    reading = presets.read(raw)
    if reading.told:  # what is typed wrong is no preset
        raise InvalidRequest(reading.told[0], "`python -m workbench machines` lists the options.")
    return reading


def delete_preset(arguments: argparse.Namespace, settings: Settings) -> int:
    """Forget a preset."""
    with open_database(settings) as database:
        PresetStore(database).remove(arguments.name)
    return 0


def link_preset(arguments: argparse.Namespace, settings: Settings) -> int:
    """The address that opens the bench with a preset's form."""
    with open_database(settings) as database:
        preset = presets.read(PresetStore(database).find(arguments.name).content).preset
    print(f"{arguments.address.rstrip('/')}/?{presets.to_query(preset)}")
    return 0


def request_of(arguments: argparse.Namespace, database: Database) -> RunRequest:
    """What `run --preset` asks for: its form, with what other flags say in its place. Raises InvalidRequest."""
    reading = presets.read(PresetStore(database).find(arguments.preset).content)
    preset, library = reading.preset, PromptStore(database)
    if arguments.machine not in ("", preset.machine):
        raise InvalidRequest(
            f"The preset {arguments.preset} is one of {preset.machine}, not of {arguments.machine}.",
            "Leave the machine out, or choose another preset.",
        )
    words, examples = library.named(preset.machine, _versions(preset, library, reading.told))
    _tell(reading.told)
    question = standard_input() if arguments.question == "-" else arguments.question
    form = {name: getattr(preset, name) for name in Preset.model_fields}
    asked = RunRequest.model_construct(**form | {"question": question, "prompts": words, "examples": examples})
    return changed_request(arguments, asked, question)


def _versions(preset: Preset, library: PromptStore, told: list[str]) -> dict[str, str]:
    """The versions of the preset's prompts as the library calls them; of one that is not there it is told."""
    found = {}
    for role, digest in preset.prompts.items():
        version = library.by_digest(preset.machine, role, digest)
        if version is None:
            told.append(f"The wording {digest[:12]} of {role} is not in the library: the default one is taken.")
        else:
            found[role] = str(version.number)
    return found


def _tell(told: list[str]) -> None:
    for sentence in told:
        print(harmless(sentence), file=sys.stderr)
