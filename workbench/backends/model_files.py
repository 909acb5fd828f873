"""The embedded engine's model files: whether one is whole, its digest, a new one taken in, one removed."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from workbench.backends import fetch, gguf, memory
from workbench.backends.fetch import PinnedModel
from workbench.errors import InvalidRequest, ModelMissing, ModelUnusable, StoreReadOnly, WorkbenchError

State = Literal["checking", "right", "wrong", "failed"]


@dataclass(frozen=True)
class Verdict:
    """A check as it stands: bytes read of all, then the digest, what it means, and what to do."""

    name: str
    state: State
    done: int
    total: int
    digest: str = ""
    said: str = ""
    hint: str = ""


class _Cancelled(Exception):
    """Nobody wants the digest any more."""


class Check:
    """The digest of one model file, computed in a thread of its own. Every method may be called from any thread."""

    def __init__(self, name: str, path: Path, model: PinnedModel | None) -> None:
        """Begin. Raises ModelMissing, ModelUnusable."""
        if not path.is_file():
            raise missing(name, path)
        self.name, self.path, self.model = name, path, model
        self.future: Future[Verdict] = Future()
        self._cancelled = threading.Event()
        self._verdict = Verdict(name, "checking", 0, path.stat().st_size)
        threading.Thread(target=self._run, name=f"check-{name}", daemon=True).start()

    def snapshot(self) -> Verdict:
        """How it stands now."""
        return self._verdict

    def cancel(self) -> None:
        """Ask it to stop."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; False when it still runs. Never raises."""
        with suppress(TimeoutError):
            self.future.result(seconds)
        return self.future.done()

    def _run(self) -> None:
        try:
            self._verdict = self._judge()
        except _Cancelled:
            self._verdict = replace(self._verdict, state="failed", said="It was cancelled.", hint="Begin again.")
        except WorkbenchError as error:
            self._verdict = replace(self._verdict, state="wrong", said=error.message, hint=error.hint)
        except OSError as error:
            why = f"{self.path} cannot be read: {error.strerror or error}."
            self._verdict = replace(self._verdict, state="failed", said=why, hint="Check its permissions and the disk.")
        self.future.set_result(self._verdict)

    def _judge(self) -> Verdict:
        digest = fetch.digest_anew(self.path, self._read)
        read = replace(self._verdict, digest=digest)
        if self.model is None:
            whole(self.path)
            said = "It is whole. It is not one of the pinned models, so there is no digest to hold it against."
            return replace(read, state="right", said=said)
        if digest == self.model.sha256:
            return replace(read, state="right", said="Its bytes are the pinned ones.")
        hint = "Fetch it again: the file is replaced."
        return replace(read, state="wrong", said=fetch.other_bytes(self.model, digest), hint=hint)

    def _read(self, done: int) -> None:
        if self._cancelled.is_set():
            raise _Cancelled
        self._verdict = replace(self._verdict, done=done)


class Checks:
    """The checks of model files, each file at most once at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checks: dict[str, Check] = {}

    def start(self, name: str, path: Path, model: PinnedModel | None) -> Check:
        """The check of that model: the running one, or a new one. Raises ModelMissing."""
        with self._lock:
            current = self._checks.get(name)
            if current is None or current.future.done():
                current = self._checks[name] = Check(name, path, model)
            return current

    def get(self, name: str) -> Check | None:
        """The latest check of that model, running or over."""
        return self._checks.get(name)

    def forget(self, name: str) -> None:
        """A file that is replaced or removed has no verdict any more."""
        with self._lock:
            self._checks.pop(name, None)

    def close(self) -> None:
        """Cancel what runs and wait for it to end."""
        for check in list(self._checks.values()):
            check.cancel()
            check.wait()


def missing(name: str, path: Path) -> ModelMissing:
    """The error for a model that is not there."""
    if path.is_symlink():
        return ModelMissing(
            f"The model {name} is a link to {path.readlink()}, and nothing is there.",
            "Put the file back where it was, or remove the link.",
        )
    return ModelMissing(f"There is no model file {name}.", "Put a GGUF file into the models folder, or give its path.")


def whole(path: Path) -> gguf.Header:
    """The header of a model file, and of the others that it was split into. Raises ModelUnusable for a damaged one."""
    for part in memory.parts(path):
        header, has = gguf.read(part), part.stat().st_size
        if has < header.whole:
            raise ModelUnusable(
                f"The file {part.name} is corrupted or incomplete: it has {memory.size(has)} of the"
                f" {memory.size(header.whole)} that it announces.",
                "Fetch or copy it again, or choose another model.",
            )
    return gguf.read(path)


def absolute(path: Path) -> Path:
    """Where a path leads that a person gave, which may begin with ~. Raises ModelMissing for the ~ of nobody."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ModelMissing(
            f"There is no file {path}: {path.parts[0]} is nobody's home folder here.", "Give the path from the root on."
        ) from None


def add(path: Path, folder: Path) -> str:
    """Make a model file that lies elsewhere one of the folder's, by a link; its name there.

    Raises ModelMissing, ModelUnusable, InvalidRequest (the name is taken), StoreReadOnly.
    """
    path = absolute(path)
    if not path.is_file():
        raise ModelMissing(f"There is no file {path}.", "Give the path of a GGUF file on the computer that runs this.")
    if path.parent == folder.absolute():
        raise InvalidRequest(f"{path.name} is in the models folder already.", "It is listed there.")
    whole(path)
    for part in memory.parts(path):
        _link(part, folder / (part.name if part.suffix == ".gguf" else f"{part.name}.gguf"))
    return path.stem if path.suffix == ".gguf" else path.name


def _link(path: Path, link: Path) -> None:
    if link.exists() or link.is_symlink():
        raise InvalidRequest(f"The models folder has a {link.name} already.", "Remove that one first, or rename yours.")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    except OSError as error:
        raise StoreReadOnly(
            f"No link to it can be made in {link.parent}: {error.strerror or error}.",
            f"Copy the file into {link.parent} yourself.",
        ) from None


def remove(path: Path, folder: Path) -> int:
    """Delete a model's files and all that was kept beside them; the bytes that became free.

    Of a link only the link goes. Raises ModelMissing, StoreReadOnly, and InvalidRequest outside the folder.
    """
    files = _files(path)
    if not files:
        raise missing(path.stem, path)
    if path.parent != folder.absolute():
        raise InvalidRequest(
            f"{path} is outside the models folder {folder}.", "Delete it yourself: here only that folder is cared for."
        )
    try:
        with fetch.at_rest(path):
            freed = sum(_delete(file) for file in files)
            freed += fetch.forget(path)
    except OSError as error:
        raise StoreReadOnly(
            f"{path.name} cannot be removed: {error.strerror or error}.", f"Check the permissions of {folder}."
        ) from None
    return freed


def _files(path: Path) -> list[Path]:
    """What is there of a model, whole or not."""
    try:
        found = memory.parts(path)
    except ModelUnusable:
        found = sorted(path.parent.glob(path.name.replace("-00001-of-", "-*-of-")))
    return [file for file in found if file.is_file() or file.is_symlink()]


def _delete(file: Path) -> int:
    size = 0 if file.is_symlink() else file.stat().st_size
    file.unlink()
    return size


def progress_of(check: Check, show: Callable[[Verdict], None], seconds: float = 0.1) -> Verdict:
    """Wait for a check's end and `show` how it stands meanwhile; interrupted, it is cancelled."""
    try:
        while not check.wait(seconds):
            show(check.snapshot())
    except BaseException:
        check.cancel()
        raise
    return check.snapshot()
