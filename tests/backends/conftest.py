"""What the tests of several backends share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.ollama_server import OllamaServer, ollama_server
from workbench.backends.ollama import OllamaBackend


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    """An Ollama server without a model behind it: only the misbehaving models answer."""
    with ollama_server() as server:
        yield server


@pytest.fixture
async def client(ollama: OllamaServer) -> AsyncIterator[OllamaBackend]:
    """Our backend, connected to it."""
    backend = OllamaBackend(ollama.url)
    yield backend
    await backend.close()
