"""The app as a child process, as a person would start it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from workbench.settings import CHECKOUT

START_SECONDS = 60
STOP_SECONDS = 20


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class AppServer:
    """A running app. `url` is its address, `home` its data folder, `log` what it has printed so far."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        """Start it and wait until it answers."""
        self.home = home
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._log = home / f"app-{self.port}.log"
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                self._command(),
                cwd=CHECKOUT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_healthy()

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it as a terminal would; an app that does not end by itself is killed and fails the test."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"The app did not end within {STOP_SECONDS} s of SIGTERM:\n{self.log}") from None

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> "AppServer":
        """The running app itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    def _command(self) -> list[str]:
        flags = ["--server.headless=true", f"--server.port={self.port}"]
        return [sys.executable, "-m", "streamlit", "run", "app.py", *flags]

    def _wait_until_healthy(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/_stcore/health", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        if self.process.poll() is None:
            self.kill()
        raise AssertionError(f"The app did not start within {START_SECONDS} s:\n{self.log}")
