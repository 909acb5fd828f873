"""Which process runs a run, and whether it still lives: host, process id and the moment when the process began."""

import os
import platform
import subprocess
import time
from functools import cache
from pathlib import Path

SILENT = 15 * 60  # seconds without an event after which another machine's run counts as dead: we cannot look there


def owner(pid: int | None = None) -> str:
    """`host:pid:start` of a process on this machine, by default our own."""
    number = os.getpid() if pid is None else pid
    return f"{_host()}:{number}:{_start(number) or ''}"


def lives(name: str, touched: float) -> bool:
    """Whether the process lives. `touched` is the Unix time of its last write: all we know of another machine's."""
    host, _, rest = name.partition(":")
    if host != _host():
        return time.time() - touched < SILENT
    pid, _, start = rest.partition(":")
    if not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return start == (_start(os.getpid()) or "")
    return _start(int(pid)) == start != ""


@cache
def _host() -> str:
    return platform.node().replace(":", "_") or "localhost"


def _start(pid: int) -> str | None:
    """When a process began, as text that no later process with the same id shares; None when there is none."""
    if Path("/proc/self/stat").exists():
        return _start_from_proc(pid)
    try:
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        answer = subprocess.run(asked, capture_output=True, text=True, env={"LC_ALL": "C", "TZ": "UTC"}, check=False)
    except OSError:
        return None
    return answer.stdout.strip().replace(" ", "-") or None


def _start_from_proc(pid: int) -> str | None:
    """Clock ticks since the boot, and which boot. A zombie has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{fields[19]}-{boot}"
