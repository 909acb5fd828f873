"""Starts, watches and ends the engine's child process, and reads from its log why it died."""

import asyncio
import re
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import httpx
import psutil

from workbench.backends import wire
from workbench.errors import BackendUnreachable, EngineCrashed, ModelUnusable, WorkbenchError
from workbench.settings import CHECKOUT

STOP_SECONDS = 3.0
MOST_CACHE_MIB = 1024
_LOG_TAIL = 16_384
_TELLING = re.compile(r"error|fail|abort|assert|terminate|exception", re.IGNORECASE)
_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] +")
_NO_MEMORY = re.compile(r"failed to allocate|unable to allocate|bad_alloc|out of memory|cannot allocate", re.IGNORECASE)


@dataclass(frozen=True)
class Launch:
    """What the engine serves: the model's file, the context window of each slot in tokens, how many slots.

    `cache_mib` is the most that it may keep of prompts that have left their slots. One that `embeds` gives vectors in
    place of answers: a model's own, or those of a text's last token.
    """

    model: Path
    context: int
    slots: int
    threads: int = 0
    cache_mib: int = MOST_CACHE_MIB
    embeds: Literal["", "own", "last"] = ""


def client(address: str, key: str) -> httpx.AsyncClient:
    """An HTTP client for an engine that listens at `address`."""
    # No timeouts: a long prompt on a slow machine takes minutes. No proxies: the address is this machine.
    # No connections kept: the server closes idle ones, and a request that meets that moment would fail.
    return httpx.AsyncClient(
        base_url=address,
        headers={"Authorization": f"Bearer {key}"} | wire.PLAIN,
        event_hooks=wire.limits(),
        timeout=httpx.Timeout(None, connect=10.0),
        limits=httpx.Limits(max_keepalive_connections=0),
        trust_env=False,
    )


def serving(model: Path) -> int | None:
    """The process of an engine, ours or another program's, that has this model file; None when there is none."""
    wanted = f"--model={model}"
    for process in psutil.process_iter(["cmdline"]):
        if wanted in (process.info["cmdline"] or ()):
            return int(process.pid)
    return None


class LlamaProcess:
    """One child process with one model. `client` speaks to it once `start` has returned."""

    def __init__(self, launch: Launch, log: Path) -> None:
        self.launch = launch
        self.log = log
        self.client: httpx.AsyncClient
        self._key = secrets.token_urlsafe(32)
        self._child: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._child.poll() is None

    async def start(self) -> None:
        """Start the child and wait, as long as it takes, until its model is loaded. Raises ModelUnusable."""
        self._spawn()
        try:
            address = await asyncio.to_thread(self._first_line)
        except BaseException:
            self._kill()
            raise
        if not address:
            self._kill()
            raise self._why_not_loaded()
        self.client = client(address, self._key)

    async def stop(self) -> None:
        """End the child."""
        if hasattr(self, "client"):
            await self.client.aclose()
        self._kill()

    async def died(self, seconds: float = 1.0) -> bool:
        """Whether the child is dead, or dies within the seconds after a connection broke."""
        for _ in range(int(seconds / 0.05)):
            if not self.alive:
                return True
            await asyncio.sleep(0.05)
        return False

    def crash(self) -> EngineCrashed:
        """The error that says how the child died."""
        words = self.last_words()
        said = f" Its last words: {words}." if words else ""
        return EngineCrashed(f"The embedded engine died ({self._cause()}).{said}")

    def last_words(self) -> str:
        """The log's last line that tells of an error, else its last line."""
        lines = self._log_lines()
        return (_telling(lines) or lines or [""])[-1].rstrip(".")

    def _spawn(self) -> None:
        if find_spec("xllamacpp") is None:
            raise BackendUnreachable(
                "The embedded engine is not installed: the package xllamacpp is missing.",
                "Run `make setup`, or choose another backend.",
            )
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_bytes(b"")
            with self.log.open("ab") as log:
                # Its own session: Ctrl+C in the terminal is for us, and we end the child in our own time.
                self._child = subprocess.Popen(
                    self._command(),
                    cwd=CHECKOUT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise BackendUnreachable(
                f"The embedded engine cannot be started: {error.strerror or error}.",
                f"Check that {self.log.parent} can be written to, or set WORKBENCH_HOME to another folder.",
            ) from None

    def _command(self) -> list[str]:
        launch = self.launch
        options = [f"--model={launch.model}", f"--context={launch.context}"]
        options += [f"--slots={launch.slots}", f"--threads={launch.threads}", f"--cache={launch.cache_mib}"]
        options += [f"--embeds={launch.embeds}"] if launch.embeds else []
        return [sys.executable, "-m", "workbench.backends.llama_server", *options]

    def _first_line(self) -> str:
        assert self._child.stdin and self._child.stdout
        with suppress(BrokenPipeError):
            self._child.stdin.write(f"{self._key}\n".encode())
            self._child.stdin.flush()
        return self._child.stdout.readline().decode().strip()

    def _kill(self) -> None:
        """End the child now: it keeps nothing that would be lost."""
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_SECONDS)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _cause(self) -> str:
        code = self._child.poll()
        if code is None or code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"

    def _why_not_loaded(self) -> WorkbenchError:
        name = self.launch.model.name
        lines = self._log_lines()
        if self._child.returncode == -signal.SIGKILL or any(_NO_MEMORY.search(line) for line in lines):
            size = self.launch.model.stat().st_size / 1e9
            return ModelUnusable(
                f"There is too little memory for {name} ({size:.1f} GB) with {self.launch.slots} slots"
                f" of {self.launch.context:,} tokens each.",
                "Choose a smaller model or context window, or lower WORKBENCH_EMBEDDED_SLOTS.",
            )
        told = [line.partition("error loading model: ")[2] for line in lines if "error loading model: " in line]
        reason = (told or _telling(lines) or lines[-1:] or ["it gave no reason"])[0]
        return ModelUnusable(
            f"The engine cannot load {name}: {reason.rstrip('.')}.",
            f"Fetch the file again, or choose another model. The engine's log is {self.log}.",
        )

    def _log_lines(self) -> list[str]:
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _LOG_TAIL))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [_LOG_PREFIX.sub("", line).strip() for line in text.splitlines() if line.strip()]


def _telling(lines: list[str]) -> list[str]:
    """The lines that tell of an error."""
    return [line for line in lines if _TELLING.search(line)]
