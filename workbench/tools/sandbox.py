"""One program in a sandbox process of its own: time, memory and output limited, ended when nobody waits for it.

The library's asynchronous pool is not used: its threads can reach for the interpreter while that shuts down, which
aborts the program at its exit. A thread that blocks, and a worker that is killed by its id, have no such race.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from pydantic_monty import Frame, Monty, MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from workbench.errors import ToolError

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; its SIGTERM is as final


@dataclass(frozen=True)
class Limits:
    """What a program may use: seconds of running, bytes of heap, characters printed before it is stopped."""

    seconds: float = 5.0
    memory: int = 64 * 2**20
    printed: int = 64 * 2**10


@dataclass(frozen=True)
class Outcome:
    """What came of a program: what it printed, its last expression's value as text, and how it failed if it did."""

    printed: str
    value: str | None = None
    failure: str = ""
    frames: Sequence[Frame] = ()


async def run(program: str, limits: Limits) -> Outcome:
    """Run a program in a sandbox of its own; cancelled, it ends the program. Raises ToolError as Sandbox.run does."""
    sandbox = Sandbox(program, limits)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), sandbox.run)
    except asyncio.CancelledError:
        sandbox.stop()
        raise


@cache
def _threads() -> ThreadPoolExecutor:
    """The threads that wait for sandboxes, shared by all runs, so that there are never more processes than this."""
    return ThreadPoolExecutor(max_workers=max(4, os.cpu_count() or 1), thread_name_prefix="sandbox")


class Sandbox:
    """Runs one program in the calling thread; `stop` may be called from another one."""

    def __init__(self, program: str, limits: Limits) -> None:
        self._program, self._limits = program, limits
        self._lock = threading.Lock()
        self._worker: int | None = None
        self._ended_by: Literal["", "stop", "output"] = ""
        self._printed: list[str] = []
        self._length = 0
        self._began = time.monotonic()

    def run(self) -> Outcome:
        """Run the program to its end or to a limit. Raises ToolError when there is no sandbox to be had."""
        try:
            value = self._feed()
            return Outcome("".join(self._printed), value)
        except MontyCrashedError as error:
            return self._crashed(error)
        except (MontyRuntimeError, MontySyntaxError) as error:
            return Outcome("".join(self._printed), None, self._reason(error), error.traceback())
        except (MontyError, OSError, RuntimeError, UnicodeError) as error:
            raise ToolError(f"The sandbox cannot run this: {str(error).splitlines()[0][:200]}") from None

    def stop(self) -> None:
        """End the program now; if it has not begun, it never will."""
        self._end("stop")

    def _feed(self) -> str | None:
        limits = self._limits
        pool = Monty(max_processes=1, request_timeout=limits.seconds + 3)
        session_limits = {"max_feed_duration_secs": limits.seconds, "max_memory": limits.memory}
        offset = datetime.now().astimezone().utcoffset()
        zone = {"offset_seconds": int(offset.total_seconds()) if offset else 0}
        policy = {"sleep": "zero", "timezone": zone}
        with pool, pool.checkout(limits=session_limits, os_policy=policy) as session:  # type: ignore[arg-type]
            self._begin(session.worker_pid)
            try:
                value = session.feed_run(self._program, print_callback=self._take)
            finally:
                self._begin(None)
        return value if isinstance(value, str) else None

    def _begin(self, worker: int | None) -> None:
        """Keep the worker that may be killed; None when it is no longer ours. Stopped before that: kill it here."""
        with self._lock:
            self._worker = worker
            self._began = time.monotonic() if worker is not None else self._began
            if worker is not None and self._ended_by:
                os.kill(worker, KILL)

    def _end(self, why: Literal["stop", "output"]) -> None:
        with self._lock:
            self._ended_by = self._ended_by or why
            if self._worker is not None:
                os.kill(self._worker, KILL)

    def _take(self, stream: str, text: str) -> None:
        """What the program prints, until it is too much."""
        self._printed.append(text)
        self._length += len(text)
        if self._length > self._limits.printed:
            self._end("output")

    def _reason(self, error: MontyRuntimeError | MontySyntaxError) -> str:
        """The error's name and message; the limits in words instead of nanoseconds and bytes."""
        text = error.display("type-msg")
        if text.startswith("TimeoutError: feed time limit"):
            return self._too_long()
        if text.startswith("MemoryError: "):
            return f"MemoryError: it wanted more than {self._limits.memory // 2**20} MiB"
        return text

    def _crashed(self, error: MontyCrashedError) -> Outcome:
        printed = "".join(self._printed)
        if self._ended_by == "output":
            return Outcome(printed, None, f"Stopped: it printed more than {self._limits.printed:,} characters")
        if self._ended_by == "stop":
            return Outcome(printed, None, "Stopped")
        if time.monotonic() - self._began >= self._limits.seconds:
            return Outcome(printed, None, self._too_long())  # in one long operation, the interpreter hears no limit
        return Outcome(printed, None, "The sandbox's process died while it ran this program")

    def _too_long(self) -> str:
        return f"TimeoutError: it ran longer than {self._limits.seconds:g} seconds"
