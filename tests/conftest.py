"""What all tests share: settings in a temporary home, no way out of loopback, the small model, the app, a browser."""

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest

from scripts.find_browser import NOTHING, find_browser
from tests.app_server import AppServer
from tests.keyrings import MemoryKeyring
from workbench.settings import CHECKOUT, SMALL_MODEL, Settings, load

# Read before any test cleans the environment: the models are large, and tests use the person's own copies.
MODELS = load().models_path
OURS = ("WORKBENCH_", "OLLAMA_", "OPENAI_")
SCREEN = ("COLUMNS", "LINES")  # of the terminal that the tests were started in
NO_KEYRING = "keyring.backends.fail.Keyring"
CHROMIUM_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
]


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without the person's own settings; ours are empty, so that .env has no say either."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS) and name not in SCREEN}
    ours = {str(field.alias): "" for field in Settings.model_fields.values()}
    # Nor may a test read or fill the person's keyring.
    own = {"WORKBENCH_HOME": str(home), "WORKBENCH_MODELS": str(MODELS), "PYTHON_KEYRING_BACKEND": NO_KEYRING}
    return kept | ours | own


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: while Playwright's loop lives in the main thread, no asynchronous test can run there."""
    items.sort(key=lambda item: Path(item.path).is_relative_to(CHECKOUT / "tests" / "browser"))


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts with no setting but a home of its own."""
    wanted = clean_environment(tmp_path)
    for name in set(os.environ) - set(wanted):
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)


def is_loopback(host: object) -> bool:
    """Whether an address or name is this machine's own."""
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    try:
        return name == "localhost" or ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuse whatever this process wants from beyond loopback, and fail the test even if its code swallowed that."""
    tried: list[str] = []

    def guard(real: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not is_loopback(host := host_of(*args, **kwargs)):
                tried.append(str(host))
                raise ConnectionRefusedError(f"Tests stay on loopback; this one wanted {host}.")
            return real(*args, **kwargs)

        return guarded

    def peer(sock: socket.socket, address: Any) -> object:
        return None if sock.family == getattr(socket, "AF_UNIX", None) else address[0]

    for method in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, guard(getattr(socket.socket, method), peer))
    monkeypatch.setattr(socket, "getaddrinfo", guard(socket.getaddrinfo, lambda host, *rest, **named: host))
    yield tried
    assert not tried, f"The test wanted to leave this machine for {', '.join(tried)}."


@pytest.fixture
def own_keyring() -> Iterator[MemoryKeyring]:
    """A keyring that can be used, in place of none."""
    before, mine = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings in a temporary home, on the scripted backend, with the real folder of models."""
    return Settings(home=tmp_path, models_folder=MODELS, backend="scripted")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model's file, fetched when it is missing."""
    path = MODELS / f"{SMALL_MODEL}.gguf"
    if not path.is_file():
        command = [sys.executable, "-m", "workbench", "models", "fetch", SMALL_MODEL]
        home = tmp_path_factory.mktemp("fetch")
        done = subprocess.run(command, cwd=CHECKOUT, env=clean_environment(home), capture_output=True, text=True)
        if done.returncode or not path.is_file():
            pytest.fail(f"The small model could not be fetched: {done.stderr or done.stdout}")
    return path


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., AppServer]]:
    """Start the app: `app_server(WORKBENCH_BACKEND="scripted")`; it has a home of its own unless one is given."""
    started: list[AppServer] = []

    def start(**env: str) -> AppServer:
        home = Path(env.get("WORKBENCH_HOME") or tmp_path_factory.mktemp("home"))
        started.append(AppServer(home, clean_environment(home) | env))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium, driven by Playwright's synchronous interface."""
    from playwright.sync_api import sync_playwright

    program = find_browser() or pytest.fail(NOTHING)
    flags = [*CHROMIUM_FLAGS, "--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else CHROMIUM_FLAGS
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=flags)
        yield chromium
        chromium.close()
