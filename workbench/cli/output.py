"""What every command says in the same way: exit codes, tables, moments."""

import shutil
import signal

from workbench import moments
from workbench.terminal import harmless
from workbench.units import size as size

ANSWERED, USAGE, FAILED, UNFINISHED = 0, 2, 3, 4
INTERRUPTED, PIPE_CLOSED = 128 + signal.SIGINT, 128 + 13
EXIT_CODES = {
    "answered": ANSWERED,
    "failed": FAILED,
    "limit": UNFINISHED,
    "stopped": UNFINISHED,
    "paused": UNFINISHED,
    "running": INTERRUPTED,
}
EPILOGUE = (
    "Exit codes: 0 answered, 2 usage, 3 the backend or the log failed, 4 a limit was reached, it was stopped or waits"
    " for you, 130 interrupted."
)
NARROWEST = 80


def table(titles: list[str], rows: list[list[str]]) -> None:
    """Aligned columns; the last takes what is left of the terminal's width."""
    if not rows:
        return
    lines = [[" ".join(harmless(cell).split()) for cell in row] for row in (titles, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles) - 1)]
    room = max(shutil.get_terminal_size((120, 24)).columns, NARROWEST) - sum(widths) - 2 * len(widths)
    for line in lines:
        last = line[-1] if len(line[-1]) <= room else line[-1][: room - 1] + "…"
        print("  ".join([f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)] + [last]).rstrip())


def local(moment: str) -> str:
    """A moment (ISO 8601) on this machine's clock."""
    return moments.local(moment)
