"""Writes the README's tables of machines, backends and tools from the registries, between their markers."""

import re
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from agents import catalogue
from workbench.backends import registry as backends
from workbench.settings import CHECKOUT, Settings
from workbench.tools import registry as tools

README = CHECKOUT / "README.md"


def row(*cells: str) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "\n".join([row(*head), row(*("---" for _ in head)), *(row(*cells) for cells in rows)])


def plain(text: str) -> str:
    """Text whose stars, brackets and the like Markdown shows as they are."""
    return re.sub(r"([*_\[\]<>`\\])", r"\\\1", text)


def machines() -> str:
    """Each machine with its idea, its source and where its feedback comes from."""
    rows = []
    for name in catalogue.MACHINES:
        machine = catalogue.load(name)
        source = f"[{machine.source}]({machine.source_url})" if machine.source_url else machine.source
        rows.append((f"[`{name}`](agents/{name}.py)", machine.title, machine.summary, machine.feedback, source))
    return table(("Name", "Machine", "What it does", "Feedback from", "Source"), rows)


def backend_rows() -> str:
    """Each backend as its module's first line describes it."""
    rows = []
    for name in backends.BACKENDS:
        module = import_module(f"workbench.backends.{name}")
        rows.append((f"[`{name}`](workbench/backends/{name}.py)", plain((module.__doc__ or "").splitlines()[0])))
    return table(("Name", "What it is"), rows)


def tool_rows() -> str:
    """Each tool as a model is told of it, with the names of its arguments."""
    rows = []
    for name in tools.TOOLS:
        tool = tools.create(name, Settings())
        arguments = ", ".join(f"`{argument}`" for argument in tool.arguments.model_fields)
        rows.append((f"[`{name}`](workbench/tools/{name}.py)", plain(tool.description), arguments))
    return table(("Name", "What a model is told", "Arguments"), rows)


def _between(content: str, markers: re.Match[str]) -> str:
    return f"{markers[1]}{content}\n{markers[2]}"


TABLES = {"machines": machines, "backends": backend_rows, "tools": tool_rows}


def filled(readme: str) -> str:
    """The README's text with every table as the registries have it now. Raises ValueError when a marker is missing."""
    for name, make in TABLES.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        readme, found = marked.subn(partial(_between, make()), readme)
        if found != 1:
            raise ValueError(f"README.md has {found} places for the table of {name}; it needs exactly one.")
    return readme


def main() -> int:
    """Write the README anew."""
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
