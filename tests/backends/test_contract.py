"""What every backend promises. Three of them share one small model: embedded, Ollama's API over it, and its /v1."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.backends.asking import ask, collect, texts
from tests.ollama_server import CHAT, ollama_server
from workbench.backends import embedded, registry
from workbench.backends.base import AnswerPart, Backend, ChatRequest, Message, TextPart, ToolSpec
from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.ollama import OllamaBackend
from workbench.backends.openai import OpenAIBackend
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.errors import BackendUnreachable, ContextOverflow, ModelMissing
from workbench.settings import SMALL_MODEL, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

WINDOW = 2048
FREE_SECONDS = 120.0  # how long the step that is under way takes is the machine's affair; what came after it is ours
REAL = ("embedded", "ollama", "openai")
GREETING = "Grüße, 東京! 🧑‍🚀🦜"
ECHO = {
    "type": "object",
    "properties": {"said": {"const": GREETING}, "ok": {"type": "boolean"}},
    "required": ["said", "ok"],
    "additionalProperties": False,
}
COUNT = "Count from one to forty in words, separated by commas."


@dataclass
class Work:
    """What is being done behind a backend: answers under way, and the tokens that the latest has read and written."""

    under_way: int
    read: int = 0
    written: int = 0


@dataclass
class Subject:
    """A backend, the model to ask, and what is being done behind it."""

    backend: Backend
    model: str
    work: Callable[[], Awaitable[Work]]

    async def until_free(self) -> Work:
        """Wait until no answer is being made any more: what a closed connection must bring about."""
        began = time.monotonic()
        while (work := await self.work()).under_way:
            assert time.monotonic() - began < FREE_SECONDS, "the model goes on although nobody listens"
            await asyncio.sleep(0.02)
        return work

    async def until_busy(self) -> None:
        """Wait until an answer is being made."""
        while not (await self.work()).under_way:
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBackend]:
    """The embedded backend with the small model loaded; the others speak to its server."""
    settings = Settings(
        home=tmp_path_factory.mktemp("home"),
        models_folder=small_model.parent,
        embedded_model=SMALL_MODEL,
        embedded_context=WINDOW,
        embedded_threads=1,  # on a busy machine two threads wait for each other at every layer
    )
    backend = embedded.create(settings)
    await collect(backend, ask(SMALL_MODEL, max_tokens=1))
    yield backend
    await backend.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def subjects(engine: EmbeddedBackend) -> AsyncIterator[dict[str, Subject]]:
    assert engine._process
    server = engine._process.client
    address, key = str(server.base_url).rstrip("/"), server.headers["Authorization"]

    async def work() -> Work:
        slots = (await server.get("/slots")).json()
        latest = max(slots, key=lambda slot: slot.get("id_task", -1))
        written = latest["next_token"][0]["n_decoded"]
        return Work(sum(slot["is_processing"] for slot in slots), latest["n_prompt_tokens"], written)

    with ollama_server(address, {"Authorization": key}) as ollama:
        over_ollama = OllamaBackend(ollama.url)
        over_openai = OpenAIBackend(f"{address}/v1", SecretStr(key.removeprefix("Bearer ")))
        served = (await over_openai.models())[0].name
        yield {
            "embedded": Subject(engine, SMALL_MODEL, work),
            "ollama": Subject(over_ollama, CHAT, work),
            "openai": Subject(over_openai, served, work),
        }
        await over_ollama.close()
        await over_openai.close()


def echoing() -> Subject:
    """The scripted backend, saying what the models are made to say."""
    words = "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen"

    def answer(request: ChatRequest) -> ScriptedAnswer:
        return (
            ScriptedAnswer(object={"said": GREETING, "ok": True}) if request.json_schema else ScriptedAnswer(text=words)
        )

    backend = ScriptedBackend(answer, speed=100)

    async def work() -> Work:
        return Work(backend.streaming)

    return Subject(backend, "demo", work)


@pytest.fixture(params=registry.BACKENDS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each backend in turn."""
    return echoing() if request.param == "scripted" else request.getfixturevalue("subjects")[request.param]


@pytest.fixture(params=REAL)
def real(request: pytest.FixtureRequest, subjects: dict[str, Subject]) -> Subject:
    """Each backend that runs a model."""
    return subjects[request.param]


async def test_it_has_a_name_and_says_that_it_is_ready(subject: Subject) -> None:
    assert subject.backend.name in registry.BACKENDS
    assert subject.backend.title
    status = await subject.backend.status()
    assert status.ready, status
    assert status.detail


async def test_it_lists_its_models(subject: Subject) -> None:
    models = {model.name: model for model in await subject.backend.models()}
    assert models[subject.model] == await subject.backend.model(subject.model)
    assert {"schema", "seed"} <= models[subject.model].capabilities


async def test_a_real_model_tells_its_size_and_window(real: Subject) -> None:
    info = await real.backend.model(real.model)
    assert info.size and info.size > 100_000_000
    assert info.context_window and info.context_window >= WINDOW


async def test_a_model_that_is_not_there_is_missing(subject: Subject) -> None:
    with pytest.raises(ModelMissing) as caught:
        await subject.backend.model("no-such-model:7b")
    assert "no-such-model:7b" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["embedded", "ollama", "scripted"])
async def test_asking_a_model_that_is_not_there_says_so(subjects: dict[str, Subject], name: str) -> None:
    """Llama.cpp's /v1 answers to any name, so the openai backend cannot know; its own tests say what OpenAI does."""
    backend = (subjects | {"scripted": echoing()})[name].backend
    with pytest.raises(ModelMissing):
        await collect(backend, ask("no-such-model:7b"))


async def test_an_answer_is_streamed_in_pieces_and_told_whole_at_the_end(subject: Subject) -> None:
    parts, answer = await collect(subject.backend, ask(subject.model, COUNT, temperature=0.0, max_tokens=12))
    assert len(texts(parts)) > 3
    assert "".join(texts(parts)) == answer.text
    assert isinstance(parts[-1], AnswerPart)
    assert answer.prompt_tokens is not None and answer.prompt_tokens > 5
    assert answer.first_token_seconds is not None and answer.first_token_seconds > 0
    assert answer.decode_seconds is not None and answer.decode_seconds > 0


async def test_the_token_limit_ends_an_answer(subject: Subject) -> None:
    _, answer = await collect(subject.backend, ask(subject.model, COUNT, temperature=0.0, max_tokens=4))
    assert (answer.finish_reason, answer.completion_tokens) == ("length", 4)


async def test_a_schema_is_kept_and_every_character_comes_through(subject: Subject) -> None:
    request = ask(subject.model, "Say it.", json_schema=ECHO, temperature=0.0, max_tokens=60)
    parts, answer = await collect(subject.backend, request)
    assert json.loads(answer.text)["said"] == GREETING
    assert set(json.loads(answer.text)) == {"said", "ok"}
    assert answer.finish_reason == "stop"
    assert "".join(texts(parts)) == answer.text
    assert not any("\ufffd" in piece for piece in texts(parts)), "no piece may end in half a character"


async def test_a_stop_sequence_ends_an_answer_and_is_not_part_of_it(subject: Subject) -> None:
    request = ask(subject.model, "Say it.", json_schema=ECHO, stop=("東京",), temperature=0.0, max_tokens=60)
    parts, answer = await collect(subject.backend, request)
    assert answer.text.rstrip().endswith("Grüße,")
    assert answer.finish_reason == "stop"
    assert "".join(texts(parts)) == answer.text


async def test_log_probabilities_come_where_they_are_promised(subject: Subject) -> None:
    promised = "logprobs" in (await subject.backend.model(subject.model)).capabilities
    request = ask(subject.model, COUNT, temperature=0.0, max_tokens=4, top_logprobs=2)
    _, answer = await collect(subject.backend, request)
    assert (answer.logprobs is not None) is promised
    for token in answer.logprobs or ():
        assert token.logprob <= 0
        assert len(token.top) == 2
    if answer.logprobs:
        assert "".join(token.token for token in answer.logprobs) == answer.text


async def test_without_the_wish_there_are_no_log_probabilities(subject: Subject) -> None:
    _, answer = await collect(subject.backend, ask(subject.model, COUNT, max_tokens=2))
    assert answer.logprobs is None


async def test_the_same_seed_gives_the_same_answer_and_another_seed_another(real: Subject) -> None:
    async def drawn(seed: int) -> str:
        request = ask(real.model, "Invent a name for a ship.", temperature=1.5, seed=seed, max_tokens=8)
        return (await collect(real.backend, request))[1].text

    await drawn(11)  # from now on the prompt comes from the cache, and every draw begins from the same numbers
    first = await drawn(11)
    assert await drawn(11) == first
    assert any([await drawn(seed) != first for seed in (12, 13)])


@pytest.mark.parametrize("way", ["the iterator is closed", "the task is cancelled"])
async def test_stopping_stops_the_model(subject: Subject, way: str) -> None:
    await subject.until_free()
    request = ask(subject.model, COUNT, temperature=0.0, max_tokens=400)
    if way == "the iterator is closed":
        stream = subject.backend.chat(request)
        async for part in stream:
            if isinstance(part, TextPart):
                break
        assert (await subject.work()).under_way
        await stream.aclose()  # type: ignore[attr-defined]
    else:
        task = asyncio.create_task(collect(subject.backend, request))
        await subject.until_busy()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await subject.until_free()).written < 60, "it wrote on although nobody listened"


async def test_stopping_while_the_prompt_is_read_stops_the_model(real: Subject) -> None:
    prompt = " ".join(f"{number} trees and {number * 7} stones for {real.backend.name}." for number in range(120))
    task = asyncio.create_task(collect(real.backend, ask(real.model, prompt, max_tokens=400)))
    await real.until_busy()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    work = await real.until_free()
    assert work.read < 1200, "it read the whole prompt although nobody listened"
    assert work.written == 0


async def test_two_answers_at_once_do_not_mix(subject: Subject) -> None:
    one = ask(subject.model, "Say it.", json_schema=ECHO, temperature=0.0, max_tokens=60)
    other = ask(subject.model, COUNT, temperature=0.0, max_tokens=6)
    (_, said), (parts, counted) = await asyncio.gather(collect(subject.backend, one), collect(subject.backend, other))
    assert json.loads(said.text)["said"] == GREETING
    assert "".join(texts(parts)) == counted.text
    assert GREETING not in counted.text


async def test_a_prompt_beyond_the_window_is_refused_and_not_cut(real: Subject) -> None:
    with pytest.raises(ContextOverflow) as caught:
        await collect(real.backend, ask(real.model, "word " * 3000, context_window=WINDOW))
    assert caught.value.prompt_tokens > 3000
    assert caught.value.context_window == WINDOW
    assert caught.value.hint


@pytest.mark.parametrize("name", ["embedded", "openai"])
async def test_where_llama_cpp_answers_the_prompt_is_counted_before_the_call(
    subjects: dict[str, Subject], name: str
) -> None:
    backend, model = subjects[name].backend, subjects[name].model
    await backend.models()
    request = ask(model, "How many tokens is this, with <|im_end|> and déjà vu?", max_tokens=1)
    _, answer = await collect(backend, request)
    assert await backend.count_tokens(request) == answer.prompt_tokens


async def test_earlier_turns_reach_the_model(real: Subject) -> None:
    turns = (
        Message(role="system", content="You repeat the user's word exactly, in lower case, and nothing else."),
        Message(role="user", content="apple"),
        Message(role="assistant", content="apple"),
        Message(role="user", content="river"),
        Message(role="assistant", content="river"),
        Message(role="user", content="window"),
    )
    request = ask(real.model, temperature=0.0, max_tokens=4).model_copy(update={"messages": turns})
    assert "window" in (await collect(real.backend, request))[1].text


async def test_ollama_s_tool_calls_are_made_from_real_tokens(subjects: dict[str, Subject]) -> None:
    parameters = {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}
    tool = ToolSpec(name="calculator", description="Computes.", parameters=parameters | {"additionalProperties": False})
    subject = subjects["ollama"]
    request = ask(subject.model, "Use the calculator: what is 6 * 7?", tools=(tool,), temperature=0.0, max_tokens=60)
    _, answer = await collect(subject.backend, request)
    assert [call.name for call in answer.tool_calls] == ["calculator"]
    assert isinstance(answer.tool_calls[0].arguments["expression"], str)
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("name", ["ollama", "openai"])
async def test_a_server_that_is_down_is_unreachable(name: str) -> None:
    nowhere = Settings(ollama_host="http://127.0.0.1:9", openai_base_url="http://127.0.0.1:9/v1")
    backend = registry.create(name, nowhere)
    status = await backend.status()
    assert not status.ready and status.detail and status.hint
    for attempt in (backend.models(), backend.model("m"), collect(backend, ask("m"))):
        with pytest.raises(BackendUnreachable):
            await attempt
    await backend.close()


@pytest.mark.parametrize("name", registry.BACKENDS)
async def test_closing_twice_is_closing_once(name: str, tmp_path: Path) -> None:
    backend = registry.create(name, Settings(home=tmp_path))
    await backend.status()
    await backend.close()
    await backend.close()


async def test_there_is_no_backend_of_another_name() -> None:
    with pytest.raises(KeyError):
        registry.create("mainframe", Settings())
