"""The documentation says what is so: tables, paths, commands and links."""

import re
import shlex
from pathlib import Path

import pytest

import workbench
from scripts.readme_tables import README, filled
from workbench import cli
from workbench.cli import output
from workbench.settings import CHECKOUT

DOCUMENTS = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]


def section(title: str) -> str:
    """The README's text under a heading of the second level."""
    return README.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def tree() -> list[str]:
    """Paths of the annotated tree; an indented line lies in the folder above it."""
    paths, folder = [], ""
    for indent, name in re.findall(r"^    ( *)([\w./]+) ", section("What is where"), re.MULTILINE):
        folder = folder if indent else name
        paths.append(folder + name if indent else name)
    return paths


def test_the_tables_are_what_the_registries_say() -> None:
    assert README.read_text() == filled(README.read_text()), "Run `make readme`."


def test_the_tree_names_only_what_is_there() -> None:
    paths = tree()
    assert len(paths) > 10
    assert not [path for path in paths if not (CHECKOUT / path).exists()]


def test_the_tree_names_every_room() -> None:
    rooms = {path.parent.name + "/" for path in CHECKOUT.glob("*/*.py")} | {"prompts/", "docs/", "app.py"}
    assert rooms <= set(tree())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert not [link for link in links if not (CHECKOUT / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_named_in_the_text_is_there(document: Path) -> None:
    named = re.findall(r"`((?:\w+/)+[\w.]*|[\w.]+\.(?:py|toml|lock|md))`", document.read_text())
    own = {"agents/x.py", "prompts/x.yaml", "workbench/backends/x.py", "workbench/tools/x.py", "pages/x.py"}
    assert not [name for name in named if name not in own and not (CHECKOUT / name).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_in_the_text_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    wanted = set(re.findall(r"(?:`|^    )make ([a-z]+)", document.read_text(), re.MULTILINE))
    assert wanted and wanted <= targets


def test_every_command_in_the_text_is_one_that_the_terminal_takes() -> None:
    text = section("In a terminal")
    commands = re.findall(r"^    \.venv/bin/python -m workbench (.+)$", text, re.MULTILINE)
    commands += [words.replace("ID", "1a2b") for words in re.findall(r"`((?:runs|models|doctor)[ \w]*)`", text)]
    assert len(commands) > 6
    for command in commands:
        assert cli.parser().parse_args(shlex.split(command)).do, command


def test_the_exit_codes_are_the_terminals() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", section("In a terminal"), re.MULTILINE)]
    assert codes == [output.ANSWERED, output.USAGE, output.FAILED, output.UNFINISHED, output.INTERRUPTED]


def test_the_changelog_knows_this_version() -> None:
    text = (CHECKOUT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert "## [Unreleased]" in text and released[0] == workbench.__version__
