"""The embedded backend on the real small model: streaming, constraints, stopping, crashing, and its child's life."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from workbench.backends import embedded, fetch, gguf, openai_wire, prompt_size
from workbench.backends.base import AnswerPart, ChatRequest, LoadingPart, Message, Part, ReadingPart, TextPart
from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.llama_process import LlamaProcess
from workbench.errors import ContextOverflow, EngineCrashed, ModelMissing, ModelUnusable, StreamBroken
from workbench.settings import CHECKOUT, DEFAULT_MODEL, SMALL_MODEL, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

WINDOW = 2048
SLOTS = 2


@pytest.fixture(scope="module")
def small(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        models_folder=small_model.parent,
        embedded_model=SMALL_MODEL,
        embedded_context=WINDOW,
        embedded_slots=SLOTS,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(small: Settings) -> AsyncIterator[EmbeddedBackend]:
    backend = embedded.create(small)
    yield backend
    await backend.close()


def ask(text: str, **changes: Any) -> ChatRequest:
    wanted: dict[str, Any] = {"model": SMALL_MODEL, "temperature": 0.0, "seed": 7, "max_tokens": 24} | changes
    return ChatRequest(messages=(Message(role="user", content=text),), **wanted)


async def answer(backend: EmbeddedBackend, request: ChatRequest) -> tuple[list[Part], AnswerPart]:
    parts = [part async for part in backend.chat(request)]
    last = parts[-1]
    assert isinstance(last, AnswerPart)
    assert sum(isinstance(part, AnswerPart) for part in parts) == 1
    return parts, last


async def slots(backend: EmbeddedBackend) -> list[dict[str, Any]]:
    assert backend._process
    found: list[dict[str, Any]] = (await backend._process.client.get("/slots")).json()
    return found


async def until(condition: Callable[[], Any], seconds: float) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def free_within(backend: EmbeddedBackend, seconds: float) -> None:
    began = time.monotonic()
    while any(slot["is_processing"] for slot in await slots(backend)):
        assert time.monotonic() - began < seconds, "the slot is still taken"
        await asyncio.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not sys.platform.startswith("linux")


# What it answers


async def test_an_answer_streams_and_ends_with_what_it_cost(backend: EmbeddedBackend) -> None:
    parts, last = await answer(backend, ask("Name three colours."))
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    assert len(texts) > 3
    assert "".join(texts) == last.text
    assert last.finish_reason in ("stop", "length")
    assert last.prompt_tokens and last.prompt_tokens > 20
    assert last.completion_tokens and last.completion_tokens <= 24
    for seconds in (last.prefill_seconds, last.decode_seconds, last.first_token_seconds, last.load_seconds):
        assert seconds is not None and seconds >= 0
    assert last.first_token_seconds and last.first_token_seconds > 0
    assert last.logprobs is None


async def test_reading_the_prompt_is_told_up_to_its_end(backend: EmbeddedBackend) -> None:
    text = " ".join(f"Item {number} costs {number * 3} coins." for number in range(60))
    parts, last = await answer(backend, ask(text + " Thank you.", max_tokens=2))
    reading = [part for part in parts if isinstance(part, ReadingPart)]
    assert len(reading) >= 3
    assert [part.read for part in reading] == sorted(part.read for part in reading)
    assert reading[-1].read == reading[-1].total == last.prompt_tokens


async def test_a_prompt_that_was_read_before_comes_from_the_cache(backend: EmbeddedBackend) -> None:
    request = ask("Repeat after me: the quick brown fox jumps over the lazy dog, twice a day.", max_tokens=2)
    await answer(backend, request)
    _, again = await answer(backend, request)
    assert again.prompt_tokens and again.cached_tokens
    assert again.cached_tokens >= again.prompt_tokens - 2


async def test_a_schema_is_kept(backend: EmbeddedBackend) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "size": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["colour", "size"],
        "additionalProperties": False,
    }
    _, last = await answer(backend, ask("Describe an apple.", json_schema=schema, max_tokens=40))
    found = json.loads(last.text)
    assert found["colour"] in ("red", "green")
    assert 1 <= found["size"] <= 9


async def test_log_probabilities_come_with_their_alternatives(backend: EmbeddedBackend) -> None:
    _, last = await answer(backend, ask("Say yes or no.", top_logprobs=3, max_tokens=4))
    assert last.logprobs
    assert last.completion_tokens
    assert len(last.logprobs) >= last.completion_tokens - 1  # the end of turn is a token without text
    for token in last.logprobs:
        assert token.logprob <= 0
        assert len(token.top) == 3
        assert [prob for _, prob in token.top] == sorted((prob for _, prob in token.top), reverse=True)
    assert "".join(token.token for token in last.logprobs).startswith(last.text)


async def test_a_given_answer_has_the_probabilities_of_one_that_is_written(backend: EmbeddedBackend) -> None:
    wanted = ask("Name a colour and an animal.", top_logprobs=3, max_tokens=12)
    _, written = await answer(backend, wanted)
    given = await backend.score(wanted, written.text)
    assert "".join(token.token for token in given) == written.text
    free = [token for token in written.logprobs or () if token.token]
    assert [token.token for token in given] == [token.token for token in free]
    # The engine's last digits differ with what comes from its cache; under a constraint all would be 0.
    apart = [abs(one.logprob - other.logprob) for one, other in zip(given, free, strict=True)]
    assert max(apart) < 0.2 and sum(apart) / len(apart) < 0.05
    assert min(token.logprob for token in given) < -0.5 and all(len(token.top) == 3 for token in given)


async def test_a_text_of_rare_characters_is_scored_whole(backend: EmbeddedBackend) -> None:
    text = "Zebras, naïve 🧬\n<|im_end|> 東京"
    given = await backend.score(ask("Hello."), text)
    assert "".join(token.token for token in given) == text and all(token.logprob <= 0 for token in given)


async def test_the_likeliest_next_tokens_go_on_with_what_has_begun(backend: EmbeddedBackend) -> None:
    found = await backend.next_tokens(ask("Write one sentence.", top_logprobs=5), "The capital of France is")
    assert len(found) == 5 and found[0][0] == " Paris" and found[0][1] > -0.7


async def test_the_token_limit_and_the_stop_text_end_an_answer(backend: EmbeddedBackend) -> None:
    _, cut = await answer(backend, ask("Count from one to one hundred.", max_tokens=5))
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 5)
    _, stopped = await answer(backend, ask("Repeat exactly: alpha, beta, gamma", stop=("beta",)))
    assert stopped.finish_reason == "stop"
    assert "beta" not in stopped.text


async def test_the_same_seed_draws_the_same(backend: EmbeddedBackend) -> None:
    texts = set()
    for _ in range(2):
        _, last = await answer(backend, ask("Invent a name for a cat.", temperature=1.2, seed=11, max_tokens=12))
        texts.add(last.text)
    assert len(texts) == 1


async def test_a_last_assistant_turn_is_answered_and_not_continued(backend: EmbeddedBackend) -> None:
    messages = (
        Message(role="user", content="Solve 2 + 2."),
        Message(role="assistant", content="Thank you! I will now think step by step."),
        Message(role="assistant", content="First I look at the numbers."),
    )
    request = ChatRequest(model=SMALL_MODEL, messages=messages, max_tokens=6, temperature=0)
    _, last = await answer(backend, request)
    assert last.text
    assert last.prompt_tokens == await backend.count_tokens(request)


async def test_calls_run_at_once_up_to_the_slots(backend: EmbeddedBackend) -> None:
    assert backend.slots == SLOTS == len(await slots(backend))
    both = await asyncio.gather(*(answer(backend, ask(f"Name {n} animals.", max_tokens=8)) for n in (3, 4)))
    assert all(last.text for _, last in both)


# The window


async def test_a_prompt_beyond_the_window_says_both_numbers(backend: EmbeddedBackend) -> None:
    request = ask("word " * (WINDOW + 100))
    with pytest.raises(ContextOverflow) as caught:
        await answer(backend, request)
    assert caught.value.context_window == WINDOW
    assert caught.value.prompt_tokens == await backend.count_tokens(request)
    assert f"{WINDOW:,}" in caught.value.message
    _, last = await answer(backend, ask("Are you still there?", max_tokens=2))
    assert last.text


async def test_a_call_that_asks_for_a_smaller_window_is_held_to_it(backend: EmbeddedBackend) -> None:
    pid = backend.pid
    with pytest.raises(ContextOverflow) as caught:
        await answer(backend, ask("word " * 700, context_window=600))
    assert caught.value.context_window == 600 < caught.value.prompt_tokens
    _, last = await answer(backend, ask("word " * 550 + "Write a long story.", context_window=600, max_tokens=200))
    assert last.prompt_tokens and last.completion_tokens
    assert last.prompt_tokens + last.completion_tokens <= 600
    assert backend.pid == pid


# Stopping


async def test_closing_while_it_decodes_frees_the_slot(backend: EmbeddedBackend) -> None:
    stream = backend.chat(ask("Write a very long story about the sea.", max_tokens=1500))
    async for part in stream:
        if isinstance(part, TextPart):
            break
    assert any(slot["is_processing"] for slot in await slots(backend))
    await stream.aclose()
    await free_within(backend, 5.0)


async def test_cancelling_while_it_reads_frees_the_slot(backend: EmbeddedBackend) -> None:
    read: list[tuple[float, ReadingPart]] = []
    text: list[TextPart] = []
    called = time.monotonic()

    async def follow() -> None:
        prompt = "".join(f"{number} bottles of {number * 7} kinds stand on wall {number + 3}. " for number in range(95))
        async for part in backend.chat(ask(prompt, max_tokens=400)):
            text.extend([part] if isinstance(part, TextPart) else [])
            read.extend([(time.monotonic(), part)] if isinstance(part, ReadingPart) else [])

    call = asyncio.create_task(follow())
    await until(lambda: len(read) > 1, 200)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    (_, first), (ended, second) = read[:2]
    assert not text
    assert second.total - second.read > 4 * (second.read - first.read) > 0, "there must be more to read"
    # The batch that is being read comes to its end; how long that takes is the machine's affair: two of them took so
    # long, and more than four are left, with 400 tokens to write after them.
    await free_within(backend, 1.0 + 2 * (ended - called))


# Counting and listing


async def test_tokens_are_counted_as_the_server_counts_them(backend: EmbeddedBackend) -> None:
    request = ask("How many tokens is this, with <|im_end|> and déjà vu?", max_tokens=1)
    _, last = await answer(backend, request)
    assert await backend.count_tokens(request) == last.prompt_tokens


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog, and nobody knows why it does so every single day. " * 15,
        "for index in range(10):\n    if index % 2 == 0:\n        print(index, end=' ')\n" * 20,
        "我们再想一想这个问题，然后检查答案是否正确。" * 20,
        "Быстрая коричневая лиса прыгает через ленивую собаку. " * 15,
        "0, " * 400,
        "-" * 3_000,
        "antidisestablishmentarianism " * 60,
        "\U0001f9d1\u200d\U0001f680\U0001f99c" * 40,
        "SGVsbG8gd29ybGQgaXQgaXMgbWU" * 40,
    ],
    ids=["english", "code", "chinese", "russian", "zeros", "rule", "long words", "emoji", "base64"],
)
async def test_a_prompt_has_no_fewer_tokens_than_the_least_that_is_guessed(backend: EmbeddedBackend, text: str) -> None:
    request = ask(text, max_tokens=1)
    await answer(backend, ask("hello", max_tokens=1))
    count = await backend.count_tokens(request)
    least, likely = prompt_size.bounds(request)
    assert count and least <= count
    assert likely * prompt_size.TOLERANCE < count, "such a prompt would be taken for one that the backend has cut"


async def test_counting_loads_nothing(small: Settings) -> None:
    backend = embedded.create(small)
    assert await backend.count_tokens(ask("hello")) is None
    assert backend.pid is None
    await backend.close()


async def test_models_say_what_they_are(backend: EmbeddedBackend) -> None:
    models = {model.name: model for model in await backend.models()}
    assert list(models)[:2] == [DEFAULT_MODEL, SMALL_MODEL]
    model = models[SMALL_MODEL]
    assert model.installed
    assert (model.size, model.parameters, model.quantisation) == (491_400_064, "0.5B", "Q4_K_M")
    assert model.context_window == WINDOW
    assert model.capabilities == {"schema", "logprobs", "seed", "exact"}
    assert (await backend.status()).ready


async def test_a_pinned_model_that_is_not_there_is_listed_as_such(tmp_path: Path) -> None:
    backend = embedded.create(Settings(home=tmp_path))
    model = await backend.model(DEFAULT_MODEL)
    assert not model.installed
    assert model.size == 1_117_320_768
    assert model.context_window == 8192 and "schema" in model.capabilities
    status = await backend.status()
    assert status.ready
    assert "fetched at its first use" in status.detail


async def test_files_in_the_folder_and_paths_are_models_too(small: Settings, tmp_path: Path) -> None:
    source = small.models_path / f"{SMALL_MODEL}.gguf"
    elsewhere = tmp_path / "elsewhere.gguf"
    elsewhere.symlink_to(source)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").symlink_to(source)
    (tmp_path / "models" / "big-00002-of-00003.gguf").symlink_to(source)
    backend = embedded.create(Settings(home=tmp_path, embedded_model=str(elsewhere)))
    assert [model.name for model in await backend.models()] == [DEFAULT_MODEL, SMALL_MODEL, "mine", str(elsewhere)]
    assert backend.default_model == str(elsewhere)
    assert (await backend.model("mine")).parameters == "0.5B"


async def test_a_model_that_nobody_has_is_missing(backend: EmbeddedBackend) -> None:
    with pytest.raises(ModelMissing, match="no model file nowhere") as caught:
        await backend.model("nowhere")
    assert "GGUF" in caught.value.hint
    with pytest.raises(ModelMissing):
        await answer(backend, ask("hello", model="nowhere"))


# Loading


async def test_a_missing_model_is_fetched_before_it_answers(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(download: fetch.Download, source: fetch.Address) -> None:
        for done in (1, 2, 3):
            download.arrived(done * 100_000_000)
            download.pause(0.5)
        shutil.copyfile(small.models_path / download.model.file, download.part)

    monkeypatch.setattr(fetch, "_from_address", slowly)
    monkeypatch.setattr(embedded, "LOADING_SECONDS", 0.2)
    backend = embedded.create(small.model_copy(update={"home": tmp_path, "models_folder": None}))
    parts, last = await answer(backend, ask("hello", max_tokens=2))
    await backend.close()
    loading = [part for part in parts if isinstance(part, LoadingPart)]
    assert {part.stage for part in loading} == {"fetch", "load"}
    assert any(part.stage == "fetch" and part.done >= 100_000_000 and part.total == 491_400_064 for part in loading)
    assert last.load_seconds and last.load_seconds > 0


async def test_another_model_waits_for_running_calls_and_takes_their_place(small: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.symlink_to(small.models_path / f"{SMALL_MODEL}.gguf")
    backend = embedded.create(small.model_copy(update={"home": tmp_path}))
    ends: list[str] = []

    async def call(name: str, request: ChatRequest) -> AnswerPart:
        _, last = await answer(backend, request)
        ends.append(name)
        return last

    first = asyncio.create_task(call("first", ask("Count to twenty.", max_tokens=30)))
    await until(lambda: backend.pid, 200)
    pid = backend.pid
    second = asyncio.create_task(call("second", ask("hello", model=str(other), max_tokens=3)))
    whole, after = await asyncio.gather(first, second)
    assert ends == ["first", "second"]
    assert whole.completion_tokens and whole.completion_tokens > 3
    assert after.text
    assert backend.pid not in (None, pid) and not alive(pid or 0)
    await backend.close()


async def test_a_call_that_asks_for_a_larger_window_gets_it(small: Settings, tmp_path: Path) -> None:
    changes = {"home": tmp_path, "embedded_slots": 1, "embedded_context": 512}
    backend = embedded.create(small.model_copy(update=changes))
    await answer(backend, ask("hello", max_tokens=1))
    pid = backend.pid
    _, last = await answer(backend, ask("word " * 530, context_window=1024, max_tokens=1))
    assert last.prompt_tokens and 512 < last.prompt_tokens < 1024
    assert backend.pid != pid
    # More than the model was trained for cannot be had; asking for it does not start the engine over and over.
    assert backend._window(gguf.read(small.models_path / f"{SMALL_MODEL}.gguf"), 1 << 20) == 32_768
    await backend.close()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16], ids=["empty", "text", "cut"]
)
async def test_a_file_that_is_no_model_is_told_as_such(small: Settings, tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(content)
    backend = embedded.create(small.model_copy(update={"home": tmp_path}))
    with pytest.raises(ModelUnusable, match=r"broken\.gguf is not a readable GGUF") as caught:
        await answer(backend, ask("hello", model=str(broken)))
    assert caught.value.hint
    assert backend.pid is None


async def test_a_model_whose_end_is_missing_is_told_as_such(small: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    with (small.models_path / f"{SMALL_MODEL}.gguf").open("rb") as file:
        broken.write_bytes(file.read(20_000_000))
    backend = embedded.create(small.model_copy(update={"home": tmp_path}))
    with pytest.raises(ModelUnusable, match="corrupted or incomplete"):
        await answer(backend, ask("hello", model=str(broken)))
    _, last = await answer(backend, ask("hello", max_tokens=2))
    assert last.text
    await backend.close()


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_AS, (800_000_000, 800_000_000))
runpy.run_module("workbench.backends.llama_server", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds a process to an address space limit")
async def test_too_little_memory_is_told_as_such(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = LlamaProcess._command
    # Python, -m and the module's name give way to the script that lowers the limit first.
    monkeypatch.setattr(LlamaProcess, "_command", lambda self: [sys.executable, "-c", LIMITED, *command(self)[3:]])
    backend = embedded.create(small.model_copy(update={"home": tmp_path}))
    with pytest.raises(ModelUnusable, match=r"too little memory for qwen.*2 slots of 2,048 tokens") as caught:
        await answer(backend, ask("hello"))
    assert "WORKBENCH_EMBEDDED_SLOTS" in caught.value.hint
    assert backend.pid is None


# The child's life and death


async def test_a_crash_fails_the_call_and_the_next_one_starts_afresh(backend: EmbeddedBackend) -> None:
    with pytest.raises(EngineCrashed, match="SIGKILL") as caught:
        async for part in backend.chat(ask("Write a very long story about the sea.", max_tokens=1500)):
            if isinstance(part, TextPart) and backend.pid:
                os.kill(backend.pid, signal.SIGKILL)
    assert "starts afresh" in caught.value.hint
    _, last = await answer(backend, ask("hello", max_tokens=2))
    assert last.text


async def test_stopping_while_the_model_loads_leaves_no_child(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[LlamaProcess] = []
    spawn = LlamaProcess._spawn

    def noted(process: LlamaProcess) -> None:
        spawn(process)
        started.append(process)

    monkeypatch.setattr(LlamaProcess, "_spawn", noted)
    backend = embedded.create(small.model_copy(update={"home": tmp_path}))
    stream = backend.chat(ask("hello"))
    assert isinstance(await anext(stream), LoadingPart)
    await until(lambda: started, 30)
    assert backend.pid is None
    await stream.aclose()
    assert [process.alive for process in started] == [False]
    _, last = await answer(backend, ask("hello", max_tokens=2))
    assert last.text
    await backend.close()


async def test_closing_ends_the_child(small: Settings, tmp_path: Path) -> None:
    backend = embedded.create(small.model_copy(update={"home": tmp_path}))
    await answer(backend, ask("hello", max_tokens=2))
    pid = backend.pid
    assert pid and alive(pid)
    await backend.close()
    assert backend.pid is None
    assert not alive(pid)


PARENT = """
import asyncio, sys
from workbench.backends import embedded
from workbench.backends.base import ChatRequest, Message
from workbench.settings import SMALL_MODEL, load

async def main():
    backend = embedded.create(load())
    request = ChatRequest(model=SMALL_MODEL, messages=(Message(role="user", content="hello"),), max_tokens=1)
    async for _ in backend.chat(request):
        pass
    print(backend.pid, flush=True)
    if "leave" in sys.argv:
        return
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["killed", "leaves"])
async def test_the_child_does_not_outlive_its_parent(small: Settings, tmp_path: Path, end: str) -> None:
    environment = os.environ | {"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_MODELS": str(small.models_path)}
    command = [sys.executable, "-c", PARENT, *(["leave"] if end == "leaves" else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=CHECKOUT) as parent:
        assert parent.stdout
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        if end == "killed":
            assert alive(pid)
            parent.kill()
        parent.wait(30)
    await until(lambda: not alive(pid), 10)


async def test_an_app_that_ends_closes_it_without_a_word(tmp_path: Path) -> None:
    program = (
        "import atexit; from pathlib import Path; from workbench.engine import Engine; "
        "from workbench.settings import Settings; "
        f"engine = Engine(Settings(home=Path({str(tmp_path)!r}))); atexit.register(engine.close); "
        "engine.on_loop(engine.backend('embedded').status()); atexit.register(print, 'the end')"
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "the end\n", "")


async def test_only_who_has_the_key_may_use_the_engine(backend: EmbeddedBackend) -> None:
    await answer(backend, ask("hello", max_tokens=1))
    assert backend._process
    address = backend._process.client.base_url
    assert address.host == "127.0.0.1"
    async with httpx.AsyncClient(base_url=address) as stranger:
        refused = await stranger.post("/v1/chat/completions", json={"messages": []})
    assert refused.status_code == 401


# The stream's own grammar


async def _lines(*lines: str) -> AsyncIterator[str]:
    for line in lines:
        yield line


async def test_a_stream_without_its_end_is_broken() -> None:
    with pytest.raises(StreamBroken, match="before its end"):
        [found async for found in openai_wire.objects(_lines('data: {"choices": []}'))]
    collector = openai_wire.Collector()
    list(collector.take({"choices": [{"delta": {"content": "half"}, "finish_reason": None}]}))
    with pytest.raises(StreamBroken, match="before its final object"):
        collector.answer(0.0)


async def test_an_error_in_the_stream_is_raised() -> None:
    error = {"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}}
    with pytest.raises(ContextOverflow, match="9 tokens"):
        [found async for found in openai_wire.objects(_lines(": ping", "", f"data: {json.dumps(error)}"))]


def _call(index: int, **function: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]}}]}


async def test_tool_calls_are_joined_and_unreadable_ones_stay_text() -> None:
    collector = openai_wire.Collector()
    pieces = [
        _call(0, name="calculator", arguments='{"expression": '),
        _call(0, arguments='"2+2"}'),
        _call(1, name="clock", arguments='{"zone": '),
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1}},
    ]
    parts = [part for piece in pieces for part in collector.take(piece)]
    assert all(isinstance(part, TextPart) and part.channel == "tool" for part in parts)
    last = collector.answer(0.0)
    assert [(call.name, call.arguments) for call in last.tool_calls] == [("calculator", {"expression": "2+2"})]
    assert last.text == 'clock {"zone": '
    assert last.finish_reason == "tool_calls"


async def test_thinking_has_a_channel_of_its_own() -> None:
    collector = openai_wire.Collector()
    parts = list(collector.take({"choices": [{"delta": {"reasoning_content": "hm"}}]}))
    parts += list(
        collector.take({"choices": [{"delta": {"content": "yes"}, "finish_reason": "stop"}], "usage": {"a": 1}})
    )
    assert [(part.channel, part.text) for part in parts if isinstance(part, TextPart)] == [
        ("thinking", "hm"),
        ("text", "yes"),
    ]
    assert collector.answer(0.0).thinking == "hm"


async def test_without_the_prompts_cache_a_seed_gives_the_same_tokens(backend: EmbeddedBackend) -> None:
    wanted = ask("Describe a small red boat on a lake.", temperature=0.9, prompt_cache=False, top_logprobs=1)
    answers = [(await answer(backend, wanted))[1] for _ in range(2)]
    assert answers[0].text == answers[1].text and len(answers[0].text) > 20
    assert [given.cached_tokens for given in answers] == [0, 0]
    first, second = ([token.logprob for token in given.logprobs or ()] for given in answers)
    assert first == second


async def test_what_is_asked_again_right_after_it_was_stopped_finds_its_prompt_read(backend: EmbeddedBackend) -> None:
    """With two slots, the call would else go to the one that has not just been left, and read everything anew."""
    for number in range(4):
        wanted = ask(f"Tell me a long story about {number + 3} ships on a calm sea.", max_tokens=200)
        async with aclosing(backend.chat(wanted)) as parts:
            async for part in parts:
                if isinstance(part, TextPart):
                    break
        _, again = await answer(backend, wanted.model_copy(update={"max_tokens": 4}))
        assert again.prompt_tokens is not None and again.cached_tokens is not None
        assert again.cached_tokens >= again.prompt_tokens - 1
