"""A person at the workbench, whose backend is a server that misbehaves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from tests.misbehaviour.rude_server import MODEL, Dialect, Ollama, OpenAI, RudeServer, plainly, rude_server
from tests.runs import finish, verdict
from workbench.backends.base import Backend, ChatRequest, ModelInfo
from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.llama_process import Launch, client
from workbench.backends.ollama import OllamaBackend
from workbench.backends.openai import OpenAIBackend
from workbench.engine import Engine
from workbench.events import AnyEvent, Retried, RunView, Warned
from workbench.request import ModelSettings, RunRequest
from workbench.settings import Settings

QUICK = 0.02  # seconds of the first wait before a retry, in place of two


class EngineOnServer(EmbeddedBackend):
    """The embedded backend with a server in place of its child process: all that comes over the wire is its own."""

    def __init__(self, settings: Settings, url: str) -> None:
        super().__init__(settings)
        self._fake = SimpleNamespace(
            client=client(url, "key"), launch=Launch(Path("m.gguf"), 4096, 2), alive=True, died=self._died
        )

    async def _died(self, seconds: float = 1.0) -> bool:
        return False

    async def _admit(self, request: ChatRequest) -> Any:
        self._running += 1
        self._idle.clear()
        return self._fake, 0.0

    async def model(self, name: str) -> ModelInfo:
        return ModelInfo(name=name, context_window=4096, capabilities=frozenset({"schema", "logprobs", "seed"}))

    async def close(self) -> None:
        await self._fake.client.aclose()


class Place:
    """An engine whose backend talks to what is at `url`; `server` is that where it is a rude one of ours."""

    server: RudeServer

    def __init__(self, kind: str, url: str, settings: Settings) -> None:
        self.kind = kind
        makers: dict[str, Callable[[], Backend]] = {
            "openai": lambda: OpenAIBackend(f"{url}/v1", SecretStr("")),
            "ollama": lambda: OllamaBackend(url),
            "embedded": lambda: EngineOnServer(settings, url),
        }
        self.backend = makers[kind]()
        self.engine = Engine(settings, {kind: self.backend})

    def submit(
        self,
        *,
        machine: str = "reflection",
        question: str = "What is 2 + 2?",
        model: str = MODEL,
        settings: Any = None,
        **options: Any,
    ) -> str:
        """Start a run; `settings` are the model's."""
        request = RunRequest(
            machine=machine,
            question=question,
            backend=self.kind,
            model=model,
            options=options,
            settings=ModelSettings(**{"seed": 7, "logprobs": False} | (settings or {})),
        )
        return self.engine.submit(request)

    def run(self, *acts: Any, **asked: Any) -> "Seen":
        """A whole run on a server that plays these acts; after them the critic accepts."""
        self.server.plays(*acts, plainly(verdict("accept", 9)))
        return Seen(*finish(self.engine, self.submit(**asked)))

    def seen(self, run_id: str) -> "Seen":
        """What there is to see of a run in progress."""
        events = [event for event in next(self.engine.follow(run_id, patience=0.0))]
        return Seen(events, RunView.of(events))

    def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.005)


class Seen:
    """What a person saw of a run."""

    def __init__(self, events: list[AnyEvent], view: RunView) -> None:
        self.events, self.view = events, view

    @property
    def status(self) -> str:
        return self.view.status

    @property
    def error(self) -> Any:
        assert self.view.finished is not None and self.view.finished.error is not None, self.view.finished
        return self.view.finished.error

    @property
    def retried(self) -> list[Retried]:
        return [event for event in self.events if isinstance(event, Retried)]

    @property
    def warnings(self) -> list[Warned]:
        return [event for event in self.events if isinstance(event, Warned)]

    def warned(self, code: str) -> Warned:
        """The one warning of that code."""
        (found,) = [event for event in self.warnings if event.code == code]
        return found


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that need not be waited for."""
    monkeypatch.setattr("workbench.retry.FIRST_WAIT", QUICK)


@contextmanager
def opened(place: Place) -> Iterator[Place]:
    """The place, and its engine's end."""
    try:
        yield place
    finally:
        place.engine.close()


@contextmanager
def on_rude_server(kind: str, settings: Settings) -> Iterator[Place]:
    """A place whose server plays what a test wants."""
    dialect: Dialect = Ollama() if kind == "ollama" else OpenAI()
    with rude_server(dialect) as server, opened(Place(kind, server.url, settings)) as place:
        place.server = server
        yield place


@pytest.fixture(params=["openai", "ollama"])
def place(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    """Each backend that is a server of somebody else's."""
    with on_rude_server(request.param, settings) as place:
        yield place


@pytest.fixture(params=["openai", "ollama", "embedded"])
def every(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    """Each backend that runs a model, where the fault lies in what comes over the wire."""
    with on_rude_server(request.param, settings) as place:
        yield place


@pytest.fixture
def openai(settings: Settings) -> Iterator[Place]:
    with on_rude_server("openai", settings) as place:
        yield place


@pytest.fixture
def ollama(settings: Settings) -> Iterator[Place]:
    with on_rude_server("ollama", settings) as place:
        yield place
