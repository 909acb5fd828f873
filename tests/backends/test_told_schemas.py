"""A schema that the prompt tells is not sent to a backend as one that holds the answer."""

import pytest

from tests.backends.asking import ask
from tests.ollama_server import OllamaServer
from workbench.backends import openai_wire
from workbench.backends.ollama import OllamaBackend

SCHEMA = {"title": "Answer", "type": "object", "properties": {"text": {"type": "string"}}}


@pytest.mark.parametrize("constrained", [True, False])
async def test_ollama_is_held_to_a_schema_only_where_the_call_is_constrained(
    ollama: OllamaServer, client: OllamaBackend, constrained: bool
) -> None:
    ollama.add("model:latest", window=100)
    async for _ in client.chat(ask("model:latest", json_schema=SCHEMA, constrained=constrained)):
        pass
    assert ("format" in ollama.chats[-1]) is constrained


@pytest.mark.parametrize("constrained", [True, False])
def test_so_is_a_server_that_speaks_openais_protocol(constrained: bool) -> None:
    body = openai_wire.body(ask("model", json_schema=SCHEMA, constrained=constrained))
    assert ("response_format" in body) is constrained
