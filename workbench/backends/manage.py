"""What a backend may offer beside answers: to load, unload, pull, copy and delete its models, and to tell of them."""

import asyncio
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from workbench.backends.base import ModelInfo
from workbench.errors import InvalidRequest, WorkbenchError

State = Literal["running", "done", "failed", "cancelled"]
FOREVER = "-1"  # a keep_alive: until it is unloaded
SPEED_SECONDS = 5.0  # over which a pull's speed is measured
_SPAN = re.compile(r"-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+|-?[0-9]+(\.[0-9]+)?")


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class LoadedModel(_Told):
    """A model in memory. `size` and `on_gpu` in bytes, `context` in tokens; it `expires` never where that is None."""

    name: str
    size: int = 0
    on_gpu: int = 0
    context: int | None = None
    expires: datetime | None = None
    digest: str = ""
    parameters: str = ""
    quantisation: str = ""

    def seconds_left(self, now: datetime | None = None) -> float | None:
        """Seconds until it is unloaded, 0 while that is being done; None when it stays until somebody unloads it."""
        if self.expires is None:
            return None
        return max(0.0, (self.expires - (now or datetime.now(UTC))).total_seconds())

    def leaves(self, now: datetime | None = None) -> str:
        """When it is unloaded, in words."""
        left = self.seconds_left(now)
        if left is None:
            return "stays until you unload it"
        return f"unloads in {_clock(left)}" if left else "being unloaded"

    @property
    def gpu_share(self) -> int:
        """How much of its memory is the GPU's, in percent."""
        return round(100 * self.on_gpu / self.size) if self.size else 0

    def where(self) -> str:
        """How much of its memory is the GPU's, in words."""
        return f"{self.gpu_share}% of it on the GPU" if self.gpu_share else "none of it on a GPU"


class Layer(_Told):
    """A file of a model on its way to the server; `done` and `total` in bytes."""

    digest: str
    done: int
    total: int

    @property
    def short(self) -> str:
        """The beginning of its digest, by which a server's own messages call it."""
        return self.digest.removeprefix("sha256:")[:12]


class PullProgress(_Told):
    """How far a pull is: what the server does now, and the layers that it has named so far, in their order."""

    status: str
    layers: tuple[Layer, ...] = ()

    @property
    def done(self) -> int:
        """Bytes that the server has of the named layers."""
        return sum(layer.done for layer in self.layers)

    @property
    def total(self) -> int:
        """Bytes of the named layers."""
        return sum(layer.total for layer in self.layers)

    def taken(self, status: str, digest: str, done: int, total: int) -> "PullProgress":
        """It, with what the server says next. It has all of the layers before that: it does not say so at their end."""
        names = [layer.digest for layer in self.layers]
        if not digest and status.startswith("pulling"):  # its list of layers, with which each reply begins
            return self.model_copy(update={"status": status})
        at = names.index(digest) if digest in names else len(names)
        before = tuple(layer.model_copy(update={"done": layer.total}) for layer in self.layers[:at])
        layer = (Layer(digest=digest, done=done, total=total),) if digest else ()
        return PullProgress(status=status, layers=before + layer + self.layers[at + 1 :])


class ModelDetails(_Told):
    """What a model is told before any prompt, how it is set, and under which licence it may be used."""

    name: str
    template: str = ""
    parameters: str = ""
    system: str = ""
    licence: str = ""
    modelfile: str = ""


@runtime_checkable
class ManagesModels(Protocol):
    """A backend whose models can be cared for. All methods raise only errors of `workbench.errors`.

    A `keep_alive` is a span such as "10m" or a number of seconds; 0 unloads at once, a negative one keeps for ever.
    """

    @property
    def address(self) -> str:
        """Where it is, as it may be shown."""

    async def installed(self) -> list[ModelInfo]:
        """All its models, those that cannot chat too."""

    async def loaded(self) -> list[LoadedModel]:
        """What is in memory now."""

    async def load(self, name: str, context: int | None = None, keep_alive: str | None = None) -> None:
        """Load a model, with a context window of so many tokens; None leaves the server's own choice."""

    async def unload(self, name: str) -> None:
        """Unload a model now, or once its last answer has ended."""

    async def keep(self, name: str, keep_alive: str) -> None:
        """Say how long a loaded model stays after its last answer. Raises InvalidRequest when it is not loaded."""

    def pull(self, name: str) -> AsyncIterator[PullProgress]:
        """Have the server fetch a model. Closing the iterator ends it; pulled again it goes on from there."""

    async def delete(self, name: str) -> None:
        """Delete a model from the server's disk. Raises ModelMissing."""

    async def copy(self, source: str, name: str) -> None:
        """Give a model a second name. Raises ModelMissing, and InvalidRequest when there is one of that name."""

    async def details(self, name: str) -> ModelDetails:
        """What there is to read of a model. Raises ModelMissing."""


def full(name: str) -> str:
    """A model's name as a server that has tags lists it: without a tag it is the latest."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def span(text: str) -> str:
    """A keep_alive as a person writes it, "forever" too. Raises InvalidRequest for anything else."""
    said = text.strip().lower()
    if said == "forever":
        return FOREVER
    if not _SPAN.fullmatch(said):
        raise InvalidRequest(
            f"{text!r} is not a time to keep a model.", "Say 10m, 1h30m, a number of seconds, 0 or forever."
        )
    return said


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


class Errand:
    """Something that a server does for us on the engine's loop. All but `run` may be called from any thread."""

    def __init__(self, backend: ManagesModels, name: str) -> None:
        self.backend, self.name = backend, name
        self.state: State = "running"
        self.error: WorkbenchError | None = None
        self._began = time.monotonic()
        self._ended: float | None = None
        self._over = threading.Event()
        self._is_cancelled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def seconds(self) -> float:
        """How long it takes, or took."""
        return (self._ended or time.monotonic()) - self._began

    def cancel(self) -> None:
        """Ask it to stop."""
        self._is_cancelled = True
        if self._loop is not None and self._task is not None and not self._over.is_set():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; False when it still runs."""
        return self._over.wait(seconds)

    async def run(self) -> None:
        """Do it. A fault of our own is raised; whatever the server did wrong is its `error`."""
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        end: State = "failed"
        try:
            if self._is_cancelled:
                raise asyncio.CancelledError
            await self._work()
            end = "done"
        except asyncio.CancelledError:
            end = "cancelled"
        except WorkbenchError as error:
            self.error = error
        finally:
            self._ended, self.state = time.monotonic(), end
            self._over.set()

    async def _work(self) -> None:
        raise NotImplementedError


class Load(Errand):
    """A model that is being loaded."""

    def __init__(self, backend: ManagesModels, name: str, context: int | None, keep_alive: str | None) -> None:
        """With this context window and keep_alive; None leaves them to the server."""
        super().__init__(backend, name)
        self.context, self.keep_alive = context, keep_alive

    async def _work(self) -> None:
        await self.backend.load(self.name, self.context, self.keep_alive)


@dataclass(frozen=True)
class PullView:
    """A pull as it stands: bytes a second over the last seconds, and the bytes that the server had from before."""

    progress: PullProgress
    speed: float = 0.0
    had: int = 0

    @property
    def seconds_left(self) -> float | None:
        """Until the named layers are there at this speed; None when that cannot be told."""
        left = self.progress.total - self.progress.done
        return left / self.speed if self.speed > 0 and left > 0 else None


class Pull(Errand):
    """A model on its way to the server."""

    def __init__(self, backend: ManagesModels, name: str) -> None:
        """Nothing is asked for before `run`."""
        super().__init__(backend, name)
        self._view = PullView(PullProgress(status="asking the server"))
        self._had: dict[str, int] = {}
        self._marks: deque[tuple[float, int]] = deque()

    def snapshot(self) -> PullView:
        """How it stands now."""
        return self._view

    async def _work(self) -> None:
        stream = self.backend.pull(self.name)
        try:
            async for progress in stream:
                self._view = self._seen(progress)
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    def _seen(self, progress: PullProgress) -> PullView:
        """A layer's first count is what the server had of it: that was not fetched now, and has no speed."""
        for layer in progress.layers:
            self._had.setdefault(layer.digest, layer.done)
        had = sum(self._had.values())
        now = time.monotonic()
        self._marks.append((now, progress.done - had))
        while now - self._marks[0][0] > SPEED_SECONDS and len(self._marks) > 2:
            self._marks.popleft()
        since, before = self._marks[0]
        speed = (progress.done - had - before) / (now - since) if now > since else 0.0
        return PullView(progress, max(0.0, speed), had)


Kind = TypeVar("Kind", bound=Errand)


class Errands(Generic[Kind]):
    """The errands of one kind for one backend: each model's at most once at a time. They belong to no page."""

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, None], ManagesModels], None]) -> None:
        """`spawn` lets a coroutine run on the engine's loop, and has the backend stay open until its end."""
        self._spawn = spawn
        self._lock = threading.Lock()
        self._known: dict[str, Kind] = {}

    def start(self, errand: Kind) -> Kind:
        """Begin it, unless one for the same model is under way: that one is returned."""
        with self._lock:
            known = self._known.get(errand.name)
            if known is not None and known.state == "running":
                return known
            self._known[errand.name] = errand
        self._spawn(errand.run(), errand.backend)
        return errand

    def get(self, name: str) -> Kind | None:
        """The latest errand for that model, under way or over."""
        with self._lock:
            return self._known.get(name)

    def all(self) -> list[Kind]:
        """The latest errand for each model, in the order in which they were first asked for."""
        with self._lock:
            return list(self._known.values())

    def forget(self, name: str) -> None:
        """Know nothing more of an errand that is over; one that is under way stays."""
        with self._lock:
            if (known := self._known.get(name)) is not None and known.state != "running":
                del self._known[name]


Pulls = Errands[Pull]
Loads = Errands[Load]
