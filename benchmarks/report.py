"""How a measurement is written down: a title with hardware, model and date, and a Markdown table."""

import os
import platform
from datetime import date
from pathlib import Path


def processor() -> str:
    """The processor's own name and how many cores we may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"


def title(what: str, model: str) -> str:
    """The heading of a table."""
    return f"### {what}\n\n{processor()}; {model}; {date.today().isoformat()}.\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
