"""A test Ollama server, and checks asked of its models as a probe asks them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.ollama_server import OllamaServer, ollama_server
from workbench.backends.ollama import OllamaBackend
from workbench.probe.asking import Asker
from workbench.probe.registry import CHECKS
from workbench.slots import Slots

Ask = Callable[..., Awaitable[tuple[Any, Asker]]]


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    """A server without a model behind it: those that a test adds answer by rules."""
    with ollama_server() as server:
        yield server


@pytest.fixture
async def backend(ollama: OllamaServer) -> AsyncIterator[OllamaBackend]:
    """Our backend, connected to it."""
    backend = OllamaBackend(ollama.url)
    yield backend
    await backend.close()


@pytest.fixture
def check(ollama: OllamaServer, backend: OllamaBackend) -> Ask:
    """What one check finds of a model that behaves so, and the asker with its evidence."""

    async def run(name: str, /, depth: str = "quick", **behaviour: Any) -> tuple[Any, Asker]:
        ollama.add("model:latest", **behaviour)
        asker = Asker(backend, Slots(1), await backend.model("model:latest"), depth)  # type: ignore[arg-type]
        found = next(one for one in CHECKS if one.name == name)
        return await found.run(asker), asker

    return run
