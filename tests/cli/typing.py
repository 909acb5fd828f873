"""What the tests of the terminal type, in this process or in one of their own."""

import subprocess
import sys
from collections.abc import Callable

from workbench.settings import CHECKOUT

Script = Callable[..., None]
Terminal = Callable[..., tuple[int, str, str]]


def process(*arguments: str, **more: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workbench", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, **more)  # type: ignore[call-overload]
    assert "Traceback" not in done.stderr
    return done  # type: ignore[no-any-return]


def started_process(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "workbench", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=CHECKOUT, text=True, **pipes)  # type: ignore[call-overload, no-any-return]
