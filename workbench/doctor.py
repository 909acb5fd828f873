"""Looks at everything that a run needs and says of each thing whether it is well, and if not, what to do."""

import asyncio
import shutil
import sys
import tempfile
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TextIO

from workbench import servers
from workbench.backends import fetch, registry
from workbench.backends.base import Backend, BackendStatus
from workbench.backends.servers import Server, unknown
from workbench.errors import BackendError, StoreError, WorkbenchError
from workbench.settings import Settings
from workbench.store.runs import RunStore

State = Literal["ok", "note", "bad"]

PACKAGES = (
    "streamlit",
    "langgraph",
    "langchain-openai",
    "ollama",
    "pydantic",
    "sqlalchemy",
    "xllamacpp",
    "pydantic-monty",
)
OLDEST_PYTHON = (3, 11)
STATUS_SECONDS = 15.0
LITTLE_ROOM = 2 * 1024**3  # bytes: the default model and some runs
_MARKS: dict[State, str] = {"ok": "ok", "note": "--", "bad": "NO"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `bad` means that it must be mended before a run with the default backend."""

    name: str
    state: State
    detail: str
    hint: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order in which things build on one another."""
    backends = asyncio.run(_backends(settings))
    return [
        python(),
        packages(),
        data_folder(settings),
        database(settings),
        *(_backend(name, status, settings) for name, status in backends.items()),
        model(settings),
        browser(),
    ]


def report(findings: list[Finding], out: TextIO) -> int:
    """Write the findings; 0 when the default backend can be used, else 1."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        out.write(f"{_MARKS[finding.state]}  {finding.name:<{width}}  {finding.detail}\n")
        if finding.hint and finding.state != "ok":
            out.write(f"{'':<{width + 6}}{finding.hint}\n")
    bad = [finding for finding in findings if finding.state == "bad"]
    names = ", ".join(finding.name for finding in bad)
    out.write(f"\nMend this before you start a run: {names}.\n" if bad else "\nEverything that a run needs is there.\n")
    return 1 if bad else 0


def python() -> Finding:
    """Python's version."""
    here = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "bad", here, "Second Thought needs Python 3.11 or newer.")
    return Finding("Python", "ok", here)


def packages() -> Finding:
    """The packages that it stands on."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("Packages", "bad", f"missing: {', '.join(missing)}", "Run `make setup`.")
    return Finding("Packages", "ok", ", ".join(found))


def data_folder(settings: Settings) -> Finding:
    """Whether the data folder can be written, and its disk's room."""
    name, home = "Data folder", settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"x" * 4096)
            file.flush()
        free = shutil.disk_usage(home).free
    except OSError as error:
        return Finding(
            name, "bad", f"{home} cannot be written: {error.strerror}.", "Set WORKBENCH_HOME to another one."
        )
    detail = f"{home}, {free / 1e9:.1f} GB free"
    if free < LITTLE_ROOM:
        return Finding(name, "note", detail, "That is little: the default model alone has 1.1 GB.")
    return Finding(name, "ok", detail)


def database(settings: Settings) -> Finding:
    """Whether the log opens and is sound."""
    name = "Database"
    try:
        store = RunStore(settings.store_url)
    except WorkbenchError as error:
        return Finding(name, "bad", error.message, error.hint)
    try:
        wrong = store.database.integrity()
        detail = f"{store.database.name}, {store.count()} runs"
        if wrong:
            return Finding(
                name, "bad", f"{store.database.name} is damaged: {wrong}", "Move it away: a new one is begun."
            )
        return Finding(name, "note" if store.notice else "ok", detail, store.notice)
    except WorkbenchError as error:
        return Finding(name, "bad", error.message, error.hint)
    finally:
        store.close()


def model(settings: Settings) -> Finding:
    """The embedded engine's model: there, and the bytes that we pinned."""
    name, wanted = "Model file", settings.embedded_model
    known = fetch.pinned(wanted)
    if known is None:
        return _own_model(name, wanted, settings)
    path = settings.models_path / known.file
    if not path.exists():
        return Finding(
            name, "note", f"{known.name} ({known.size / 1e9:.1f} GB) is not there yet.", _fetch_hint(known.name)
        )
    if not fetch.verified(known, settings.models_path):
        state: State = "bad" if settings.backend == "embedded" else "note"
        return Finding(name, state, f"{path} does not have the pinned SHA-256.", _fetch_hint(known.name))
    return Finding(name, "ok", f"{path}, SHA-256 verified")


def browser() -> Finding:
    """A browser to look at the pages with."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return Finding("Browser", "note", "none found here", "Open the app's address in a browser that reaches it.")
    return Finding("Browser", "ok", getattr(found, "name", "") or type(found).__name__)


def _own_model(name: str, wanted: str, settings: Settings) -> Finding:
    """A model file that we did not pin: by path, or by its name in the models folder."""
    places = [settings.models_path / f"{wanted}.gguf"]
    with suppress(RuntimeError):  # the ~ of nobody
        places.insert(0, Path(wanted).expanduser())
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        return Finding(
            name, "note", f"{wanted} is not there.", "Set WORKBENCH_EMBEDDED_MODEL to the path of a GGUF file."
        )
    return Finding(name, "ok", f"{found}, {found.stat().st_size / 1e9:.1f} GB, your own")


def _fetch_hint(name: str) -> str:
    return f"It is fetched at its first use, or now: python -m workbench models fetch {name}"


def _backend(name: str, status: BackendStatus, settings: Settings) -> Finding:
    default = name == settings.backend
    title = f"Backend {name}" + (" (default)" if default else "")
    state: State = "ok" if status.ready else "bad" if default else "note"
    return Finding(title, state, status.detail, status.hint)


def made(name: str, settings: Settings, named: dict[str, Server]) -> Backend | BackendStatus:
    """A backend, or why there can be none. Raises InvalidRequest for an unknown name."""
    try:
        return servers.made(name, settings, named)
    except BackendError as error:
        return BackendStatus(ready=False, detail=error.message, hint=error.hint)


async def _backends(settings: Settings) -> dict[str, BackendStatus]:
    """Every backend's own word, asked all at once."""
    named = _named(settings)
    names = [*registry.BACKENDS, *named]
    backends = [made(name, settings, named) for name in names]  # importing takes its time: before any clock runs
    asked = await asyncio.gather(*map(_status, backends))
    found = dict(zip(names, asked, strict=True))
    if settings.backend not in found:
        error = unknown(settings.backend, registry.BACKENDS)
        found[settings.backend] = BackendStatus(ready=False, detail=error.message, hint=error.hint)
    return found


def _named(settings: Settings) -> dict[str, Server]:
    """The named servers; none of a database that cannot be read, of which another finding tells."""
    try:
        return servers.named(settings)
    except StoreError:
        return {}


async def _status(backend: Backend | BackendStatus) -> BackendStatus:
    """Whether a backend can be used now; one that does not say so in time cannot."""
    if isinstance(backend, BackendStatus):
        return backend
    try:
        async with asyncio.timeout(STATUS_SECONDS):
            return await backend.status()
    except TimeoutError:
        return BackendStatus(ready=False, detail=f"It did not answer within {STATUS_SECONDS:.0f} seconds.")
    finally:
        await backend.close()
