"""Probes a model on the engine's loop, check after check: started, looked at and stopped from any thread."""

import asyncio
import os
import platform
import threading
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from workbench import __version__
from workbench.backends.base import ModelInfo
from workbench.engine import Engine
from workbench.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnreachable,
    InvalidRequest,
    ModelMissing,
    QuotaExceeded,
    WorkbenchError,
)
from workbench.events import ErrorInfo
from workbench.job import now
from workbench.probe.asking import Asker, kept_error
from workbench.probe.registry import CHECKS, Check, seconds, tokens
from workbench.probe.report import Depth, Report, Result, Speed, Thinks, key_of

# After these the other checks would meet the same.
FATAL = (BackendUnreachable, AuthenticationFailed, ModelMissing, QuotaExceeded)
MODEL_SECONDS = 10.0  # to say what a model is


@dataclass(frozen=True)
class Progress:
    """How far a probe is: its report so far, the check under way and what it asks. Times are in seconds.

    `number` counts checks from 1, `expected` is about how long all of it takes.
    """

    report: Report
    number: int = 1
    asks: str = ""
    question: str = ""
    began: float = 0.0
    expected: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it has been going on, or how long it took."""
        return time.monotonic() - self.began if self.report.status == "running" else self.report.seconds

    @property
    def left(self) -> float:
        """About how long it still takes."""
        return max(self.expected - self.seconds, 0.0)


class Prober:
    """The probes of an engine, one at a time; its methods may be called from any thread but the engine's own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = engine.probes
        self._now: Progress | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._beginning = threading.Lock()  # of two that begin at one moment the second finds the first

    def start(self, backend: str, model: str, depth: Depth = "quick", context_window: int | None = None) -> str:
        """Begin a probe; return its id. Raises InvalidRequest while another one goes on, BackendError, StoreError."""
        with self._beginning:
            if (now_running := self.running()) is not None:
                raise InvalidRequest(
                    f"{now_running.report.model} is being probed.",
                    "Wait until it is done, or stop it: speed is measured.",
                )
            self.engine.refresh(backend)
            info = self._model(backend, model)
            window = context_window or info.context_window
            report = self._begun(backend, info, depth, context_window)
            expected = expected_seconds(depth, window, self.store.known(backend, info.name))
            self.store.keep(report)
            self._stopping, self._task = False, None
            self._now = Progress(report, began=time.monotonic(), expected=expected)
            self.engine.spawn(self._run(report, info), using=self.engine.backend(backend))
            return report.id

    def running(self) -> Progress | None:
        """The probe that goes on."""
        return self._now if self._now and self._now.report.status == "running" else None

    def last(self) -> Progress | None:
        """The probe that goes on, else the one that ended last in this process."""
        return self._now

    def stop(self) -> None:
        """Stop the probe that goes on; what it has measured is kept."""
        self._stopping = True
        self.engine.on_loop(self._cancel())

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _model(self, backend: str, model: str) -> ModelInfo:
        found = self.engine.backend(backend)
        wanted = model or found.default_model
        if not wanted:
            raise InvalidRequest("No model is chosen.", f"Choose one; the Models page lists those of {backend}.")
        try:
            return self.engine.on_loop(found.model(wanted), MODEL_SECONDS)
        except TimeoutError:
            raise InvalidRequest(f"{backend} does not say what {wanted} is.", "Look again in a moment.") from None

    def _begun(self, backend: str, info: ModelInfo, depth: Depth, context_window: int | None) -> Report:
        return Report(
            id=uuid4().hex[:12],
            program=__version__,
            depth=depth,
            backend=backend,
            model=info.name,
            model_key=key_of(info),
            digest=info.digest,
            created_at=now(),
            status="running",
            context_window=context_window,
            cpus=os.cpu_count() or 0,
            machine=f"{platform.system()} {platform.machine()}",
        )

    # On the engine's loop

    async def _run(self, report: Report, info: ModelInfo) -> None:
        """All checks, one after the other; what fails by the backend's fault does not end the others."""
        self._task = asyncio.current_task()
        try:
            if self._stopping:
                raise asyncio.CancelledError
            report = self._kept(report.model_copy(update={"engine": await self._status(report.backend)}))
            asker = self._asker(report, info)
            for number, check in enumerate(CHECKS, start=1):
                self._tell(number=number, asks=check.asks, question="")
                result = await self._checked(check, asker)
                report = self._kept(report.model_copy(update={"results": (*report.results, result)}))
                self._expect(asker, number)
                if result.status == "stopped":
                    raise asyncio.CancelledError
                if result.error and result.error.code in [error.code for error in FATAL]:
                    break
            self._end(report, "done" if any(result.finding for result in report.results) else "failed")
        except asyncio.CancelledError:
            self._end(report, "stopped")
        except Exception as error:
            message = f"Second Thought itself failed: {type(error).__name__}: {error}"
            self._end(report.model_copy(update={"error": ErrorInfo(code="internal", message=message)}), "failed")
            raise

    def _asker(self, report: Report, info: ModelInfo) -> Asker:
        engine = self.engine
        backend, slots = engine.backend(report.backend), engine.slots(report.backend)
        asker = Asker(backend, slots, info, report.depth, report.context_window)
        asker.tell = lambda words: self._tell(question=words)
        asker.is_busy = lambda: bool(engine.active())
        return asker

    async def _status(self, backend: str) -> str:
        return (await self.engine.backend(backend).status()).detail

    async def _checked(self, check: Check, asker: Asker) -> Result:
        """One check with its evidence, also where it failed or was stopped."""
        asker.evidence, began = [], time.monotonic()

        def result(status: str, **more: object) -> Result:
            taken = round(time.monotonic() - began, 3)
            fields = {"check": check.name, "status": status, "evidence": tuple(asker.evidence), "seconds": taken}
            return Result.model_validate(fields | more)

        try:
            finding = await check.run(asker)
        except BackendError as error:
            return result("failed", error=kept_error(error))
        except asyncio.CancelledError:
            return result("stopped")
        return result("measured", finding=finding)

    def _expect(self, asker: Asker, done: int) -> None:
        """Once the speeds are measured, and whether it thinks, say anew how long all of it takes."""
        if CHECKS[done - 1].name in ("speed", "thinks") and asker.speed is not None:
            window = asker.context_window or asker.model.context_window
            prefill, decode = asker.speed.prefill, asker.speed.decode
            self._tell(expected=seconds(asker.depth, window, prefill, decode, asker.thinking_tokens))

    def _tell(self, **changes: Any) -> None:
        assert self._now is not None
        self._now = replace(self._now, **changes)

    def _kept(self, report: Report) -> Report:
        assert self._now is not None
        report = report.model_copy(update={"seconds": round(time.monotonic() - self._now.began, 3)})
        self.store.keep(report)
        self._tell(report=report)
        return report

    def _end(self, report: Report, status: str) -> None:
        report = report.model_copy(update={"status": status})
        try:
            self._kept(report)
        except WorkbenchError:
            self._tell(report=report)
            raise


def expected_seconds(depth: Depth, window: int | None, known: Report | None) -> float:
    """About how long a probe takes, by the speed that an earlier one has measured of the model."""
    speed: Speed | None = known.finding("speed") if known else None
    prefill, decode = (speed.prefill, speed.decode) if speed else (None, None)
    return seconds(depth, window, prefill, decode, _thinking(known))


def expected_tokens(depth: Depth, window: int | None, known: Report | None) -> tuple[int, int]:
    """About how many tokens a probe sends at most, and how many the model writes."""
    speed: Speed | None = known.finding("speed") if known else None
    return tokens(depth, window, speed.prefill if speed else None, _thinking(known))


def _thinking(known: Report | None) -> int:
    """The tokens that a model thinks before every answer."""
    thinks: Thinks | None = known.finding("thinks") if known else None
    return thinks.tokens if thinks and thinks.unasked else 0
