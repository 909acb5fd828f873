"""Texts as vectors: what each backend makes of them, which model it takes, and what it says when it has none."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ollama_server import CHAT, EMBEDDER, OllamaServer, serving
from workbench.backends import embedded, embedding_engine, gguf, hashing, memory, registry
from workbench.backends.base import Backend, Embeds
from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.ollama import OllamaBackend
from workbench.backends.openai import OpenAIBackend
from workbench.backends.scripted import ScriptedBackend
from workbench.errors import (
    BackendError,
    BackendUnreachable,
    EngineCrashed,
    ModelMissing,
    ModelUnusable,
    ServerFault,
    WrongServer,
)
from workbench.settings import SMALL_MODEL, Settings, load
from workbench.store.documents import Documents
from workbench.store.passage_vectors import Near
from workbench.store.reading import read_passages

TEXTS = ["The cat sleeps.", "A cat is asleep.", "Interest rates rose."]
KEY = "Zk-test-4f9a"


def product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def lengths(vectors: Sequence[Sequence[float]]) -> list[float]:
    return [round(math.hypot(*vector), 4) for vector in vectors]


@pytest.mark.parametrize("name", registry.BACKENDS)
def test_every_backend_that_there_is_can_be_asked(settings: Settings, name: str) -> None:
    assert isinstance(registry.create(name, settings), Embeds)


# Words without a model


async def test_hashed_words_are_alike_where_words_and_their_pieces_are() -> None:
    found = await ScriptedBackend([]).embed(["refund of a parcel", "parcels are refunded", "the moon at night", ""])
    parcel, parcels, moon, nothing = found.vectors
    assert lengths(found.vectors) == [1, 1, 1, 0]
    assert product(parcel, parcels) > found.least > product(parcel, moon)
    assert not any(nothing)
    assert found.model == "hashed-words"
    assert (await ScriptedBackend([]).embed(["refund of a parcel"])).vectors == [parcel], "always the same"


async def test_a_script_may_have_no_embeddings() -> None:
    with pytest.raises(ModelMissing, match="makes no embeddings"):
        await ScriptedBackend([], embeds=False).embed(TEXTS)


# Ollama


async def test_ollama_takes_the_model_that_says_it_embeds(ollama: OllamaServer, client: OllamaBackend) -> None:
    assert await client.embedding_model() == EMBEDDER
    found = await client.embed(TEXTS)
    assert (found.model, lengths(found.vectors)) == (EMBEDDER, [1, 1, 1])
    assert product(found.vectors[0], hashing.vector(TEXTS[0])) == pytest.approx(1)
    (body,) = ollama.embedded
    assert (body["model"], body["input"], body["truncate"]) == (EMBEDDER, TEXTS, True)


async def test_ollama_without_such_a_model_says_what_to_pull(ollama: OllamaServer, client: OllamaBackend) -> None:
    del ollama.models[EMBEDDER]
    with pytest.raises(ModelMissing, match="Ollama has no embedding model") as caught:
        await client.embed(TEXTS)
    assert "`ollama pull nomic-embed-text`" in caught.value.hint


async def test_the_set_model_is_taken_and_missing_ones_are_said_to_be(ollama: OllamaServer) -> None:
    for name, error in (("nomic-embed-text", None), ("no-such-model", ModelMissing), (CHAT, ServerFault)):
        backend = OllamaBackend(ollama.url, embedding_model=name)
        try:
            assert await outcome(backend, TEXTS) is error
        finally:
            await backend.close()


async def outcome(backend: Embeds, texts: Sequence[str]) -> type[BackendError] | None:
    try:
        await backend.embed(texts)
    except BackendError as error:
        assert error.message
        return type(error)
    return None


async def test_long_and_empty_texts_are_sent_as_servers_take_them(ollama: OllamaServer, client: OllamaBackend) -> None:
    assert len((await client.embed(["word " * 5_000, " "])).vectors) == 2
    long, empty = ollama.embedded[0]["input"]
    assert (len(long), empty) == (5_999, "-")


# Servers of OpenAI's protocol


class Server:
    """Answers /v1/embeddings with hashed words in the opposite order, or with what a test wants."""

    def __init__(self) -> None:
        self.names = ["chat-1", "text-embedding-small"]
        self.answer: Any = None
        self.status = 200
        self.asked: list[dict[str, Any]] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/v1/models", self.models), Route("/v1/embeddings", self.embeddings, methods=["POST"])]
        )

    async def models(self, request: Request) -> Response:
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "test"} for name in self.names]
        return JSONResponse({"object": "list", "data": listed})

    async def embeddings(self, request: Request) -> Response:
        self.asked.append(await request.json())
        found = [
            {"object": "embedding", "index": index, "embedding": hashing.vector(text)}
            for index, text in enumerate(self.asked[-1]["input"])
        ]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        told = {"object": "list", "model": "m", "data": found[::-1], "usage": usage}
        return JSONResponse(told if self.answer is None else self.answer, status_code=self.status)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def over_openai(server: Server) -> AsyncIterator[OpenAIBackend]:
    with serving(server.app()) as url:
        backend = OpenAIBackend(f"{url}/v1", SecretStr(KEY))
        yield backend
        await backend.close()


async def test_a_server_on_this_machine_is_asked_for_the_model_whose_name_says_it(
    server: Server, over_openai: OpenAIBackend
) -> None:
    found = await over_openai.embed(TEXTS)
    assert found.model == "text-embedding-small"
    assert product(found.vectors[0], hashing.vector(TEXTS[0])) == pytest.approx(1), "in the order of the texts"
    assert (server.asked[0]["model"], server.asked[0]["encoding_format"]) == ("text-embedding-small", "float")


async def test_where_no_name_says_it_a_person_is_told_what_to_set(server: Server, over_openai: OpenAIBackend) -> None:
    server.names = ["chat-1"]
    with pytest.raises(ModelMissing, match="lists no model whose name says that it embeds") as caught:
        await over_openai.embed(TEXTS)
    assert "WORKBENCH_EMBEDDING_MODEL" in caught.value.hint
    assert (await over_openai.embed(TEXTS, "chat-1")).model == "chat-1"


@pytest.mark.parametrize("name", ["openai", "ollama"])
async def test_a_server_elsewhere_gets_no_documents_unless_its_model_is_named(name: str) -> None:
    address = {"OPENAI_BASE_URL": "https://models.example/v1", "OLLAMA_HOST": "https://models.example"}
    backend = registry.create(name, load(address, dotenv=None))
    assert isinstance(backend, Embeds)
    with pytest.raises(ModelMissing, match="is not on this machine") as caught:
        await backend.embedding_model()
    assert "it then gets your documents whole" in caught.value.hint
    named = registry.create(name, load(address | {"WORKBENCH_EMBEDDING_MODEL": "lab:one"}, dotenv=None))
    assert isinstance(named, Embeds)
    assert await named.embedding_model() == "lab:one"


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        ({"object": "list", "model": "m", "data": []}, 200, (ServerFault, WrongServer)),
        ({"object": "list", "model": "m", "data": [{"index": 0, "embedding": [1.0]}]}, 200, (WrongServer,)),
        ({"error": {"message": "no such model"}}, 404, (ModelMissing,)),
        ({"error": {"message": "overloaded"}}, 503, (ServerFault,)),
        ([1, 2], 200, (WrongServer,)),
    ],
)
async def test_whatever_a_server_answers_is_an_error_of_ours(
    server: Server, over_openai: OpenAIBackend, answer: Any, status: int, error: tuple[type[BackendError], ...]
) -> None:
    server.answer, server.status = answer, status
    with pytest.raises(error):
        await over_openai.embed(TEXTS)


async def test_a_server_that_is_down_is_said_to_be() -> None:
    for backend in (OllamaBackend("http://127.0.0.1:9"), OpenAIBackend("http://127.0.0.1:9/v1", SecretStr(KEY))):
        with pytest.raises(BackendUnreachable):
            await backend.embed(TEXTS)
        await backend.close()


# The embedded engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBackend]:
    """The embedded backend with nothing but the small model, which writes and was not made to compare texts."""
    folder = tmp_path_factory.mktemp("models")
    (folder / small_model.name).symlink_to(small_model)
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), models_folder=folder, embedded_model=SMALL_MODEL, embedded_threads=1
    )
    backend = embedded.create(settings)
    yield backend
    await backend.close()


real = pytest.mark.asyncio(loop_scope="module")


@real
async def test_the_small_model_finds_what_words_do_not(engine: EmbeddedBackend, tmp_path: Path) -> None:
    """None of the question's words stands in the passage that answers it; one of them stands in the other."""
    library = Documents(tmp_path / "documents.db")
    library.add("returns.txt", "Goods may be sent back within thirty days. The price is refunded once they arrive.")
    library.add("light.txt", "The indicator blinks amber while the device is looking for a signal.")
    library.add("bread.txt", "Bake the loaf until its crust sounds hollow. Cool it on a rack to get it crisp.")
    question = "How do I get my money for this purchase?"
    assert [found.source for found in library.search(question)] == ["bread.txt"]

    async def embed(texts: Sequence[str]) -> list[list[float]] | None:
        return (await engine.embed(texts)).vectors

    model = await engine.embedding_model()
    assert model == SMALL_MODEL
    assert await read_passages(library, model, embed)
    (vector,) = (await engine.embed([question])).vectors
    found = [passage.source for passage in library.search(question, near=Near(model, vector))]
    assert found == ["bread.txt", "returns.txt", "light.txt"], "one word in common, then the meaning in common"


@real
async def test_a_text_that_is_too_long_counts_by_its_beginning(
    engine: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_engine, "CONTEXT", 128)
    long = "The cat sleeps on the warm stove. " * 100
    (vector, beginning) = (await engine.embed([long, long[:200]])).vectors
    assert product(vector, beginning) > 0.9


@real
async def test_who_stops_waiting_leaves_it_ready_for_the_next(engine: EmbeddedBackend) -> None:
    task = asyncio.create_task(engine.embed(["The cat sleeps on the stove."] * 60))
    while engine._vectors.pid is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(20):
        assert lengths((await engine.embed(["A cat."])).vectors) == [1]


@real
async def test_it_ends_when_it_is_not_wanted_and_begins_again(
    engine: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_engine, "IDLE_SECONDS", 0.05)
    await engine.embed(["A cat."])
    assert engine._vectors.pid
    async with asyncio.timeout(10):
        while engine._vectors.pid:
            await asyncio.sleep(0.02)
    await engine.embed(["A cat."])
    await engine._vectors.rest()
    assert engine._vectors.pid is None, "whoever needs its memory ends it"


@real
async def test_a_process_that_dies_is_an_error_and_the_next_call_starts_another(engine: EmbeddedBackend) -> None:
    await engine.embed(["A cat."])
    first = engine._vectors._process
    assert first
    task = asyncio.create_task(engine.embed(["The cat sleeps on the stove."] * 60))
    await asyncio.sleep(0.5)
    first._child.kill()
    with pytest.raises(EngineCrashed):
        await task
    assert lengths((await engine.embed(["A cat."])).vectors) == [1]
    assert engine._vectors._process is not first


@real
async def test_where_memory_is_short_it_is_not_started(
    engine: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine._vectors.rest()
    monkeypatch.setattr(memory, "available", lambda: 100 << 20)
    with pytest.raises(ModelUnusable, match="of memory to compare texts, and 105 MB are free") as caught:
        await engine.embed(["A cat."])
    assert "unload the model" in caught.value.hint
    assert engine._vectors.pid is None


def header(**own: Any) -> gguf.Header:
    return gguf.Header("m", "bert", "", "", 512, "", **own)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    """Model files by name, with headers that say what they are for."""
    kinds = {"large": header(), "small": header(), "embeds": header(pooling=1), "ranks": header(pooling=4)}
    paths = {name: tmp_path / f"{name}.gguf" for name in kinds}
    for name, size in (("large", 30), ("small", 20), ("embeds", 40), ("ranks", 25)):
        paths[name].write_bytes(b"0" * size)
    monkeypatch.setattr(embedding_engine.model_files, "whole", lambda path: kinds[path.stem])
    yield paths


def test_a_model_that_was_made_for_it_comes_before_the_smallest(files: dict[str, Path]) -> None:
    assert embedding_engine.chosen(list(files.values())) == files["embeds"]
    assert embedding_engine.chosen([files["large"], files["small"]]) == files["small"]
    assert embedding_engine.chosen([files["large"], files["ranks"]]) == files["large"]
    with pytest.raises(ModelMissing, match="no model file yet") as caught:
        embedding_engine.chosen([])
    assert "Fetch a model under Models" in caught.value.hint


async def test_a_set_model_that_is_not_there_is_missing(settings: Settings) -> None:
    backend: Backend = registry.create("embedded", settings.model_copy(update={"embedding_model": "no-such"}))
    assert isinstance(backend, Embeds)
    with pytest.raises(ModelMissing):
        await backend.embed(TEXTS)
