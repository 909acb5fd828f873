"""The Ollama backend against a server that speaks Ollama's API, and that misbehaves as real servers do."""

from typing import Any

import ollama as official
import pytest

from tests.backends.asking import ask, collect, texts
from tests.ollama_server import CHAT, EMBEDDER, LAYERS, PULLABLE, OllamaServer, Refused, ollama_server
from workbench.backends import ollama as backend_module
from workbench.backends import registry
from workbench.backends.base import ChatRequest, LoadingPart, Message, ToolSpec
from workbench.backends.ollama import OllamaBackend, client_address
from workbench.backends.servers import Server, origin
from workbench.errors import (
    BackendError,
    BackendUnreachable,
    ContextOverflow,
    ModelMissing,
    ModelUnusable,
    RateLimited,
    RequestRefused,
    ServerFault,
    StreamBroken,
    WrongServer,
)
from workbench.events import ToolCall
from workbench.settings import load

CLOCK = ToolSpec(
    name="clock",
    description="The time.",
    parameters={"type": "object", "properties": {"timezone": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:4242", "http://127.0.0.1:4242"),
        ("http://0.0.0.0:4242/", "http://127.0.0.1:4242"),
        ("[::]:4242", "http://[::1]:4242"),
        ("localhost", "http://localhost:11434"),
        ("192.168.1.5:99", "http://192.168.1.5:99"),
        ("https://ollama.example.org", "https://ollama.example.org"),
        ("example.org/behind/a/path", "http://example.org:11434/behind/a/path"),
    ],
)
async def test_ollama_host_is_understood_in_all_its_forms(host: str, address: str) -> None:
    backend = registry.create("ollama", load({"OLLAMA_HOST": host}, dotenv=None))
    assert isinstance(backend, OllamaBackend)
    assert str(backend._client._client.base_url).rstrip("/") == address
    assert origin(backend._guard._address) == origin(address), "whom it guards is whom it asks"
    await backend.close()


async def test_an_address_that_merely_contains_zeros_is_left_alone() -> None:
    assert client_address("http://10.0.0.0.example:80") == "http://10.0.0.0.example:80"


async def test_a_wrong_address_says_which_variable_to_correct() -> None:
    status = await OllamaBackend("localhost:abc").status()
    assert not status.ready
    assert "localhost:abc" in status.detail
    assert "OLLAMA_HOST" in status.hint


async def test_a_server_that_is_down_says_how_to_start_it() -> None:
    backend = OllamaBackend("http://127.0.0.1:9")
    status = await backend.status()
    assert not status.ready
    assert "http://127.0.0.1:9" in status.detail
    assert "ollama serve" in status.hint
    with pytest.raises(BackendUnreachable, match="does not answer"):
        await backend.models()
    with pytest.raises(BackendUnreachable):
        await collect(backend, ask(CHAT))


async def test_a_server_without_models_says_how_to_fetch_one(ollama: OllamaServer, client: OllamaBackend) -> None:
    ollama.models.clear()
    status = await client.status()
    assert not status.ready
    assert "ollama pull" in status.hint


async def test_a_running_server_is_ready_and_names_its_version(client: OllamaBackend) -> None:
    status = await client.status()
    assert status.ready
    assert "0.40.2" in status.detail


async def test_models_come_with_size_window_and_capabilities(client: OllamaBackend) -> None:
    info = next(model for model in await client.models() if model.name == CHAT)
    assert (info.size, info.context_window, info.family) == (397_821_319, 32_768, "qwen2")
    assert (info.parameters, info.quantisation, info.loaded) == ("494.03M", "Q4_K_M", False)
    assert info.capabilities == {"schema", "seed", "tools", "logprobs"}
    assert "thinking" in (await client.model("thinks")).capabilities


async def test_models_that_only_embed_are_not_offered(client: OllamaBackend) -> None:
    assert EMBEDDER not in [model.name for model in await client.models()]
    with pytest.raises(RequestRefused, match="not a chat model"):
        await client.model(EMBEDDER)


async def test_servers_before_0_12_11_promise_no_log_probabilities() -> None:
    with ollama_server(version="0.12.10") as server:
        backend = OllamaBackend(server.url)
        assert "logprobs" not in (await backend.model(CHAT)).capabilities
        await backend.close()


async def test_a_missing_model_says_how_to_pull_it(client: OllamaBackend) -> None:
    for attempt in (client.model("llama9:7b"), collect(client, ask("llama9:7b"))):
        with pytest.raises(ModelMissing) as caught:
            await attempt
        assert "`ollama pull llama9:7b`" in caught.value.hint


async def test_the_request_reaches_ollama_whole(ollama: OllamaServer) -> None:
    backend = OllamaBackend(ollama.url, keep_alive="-1")
    call = ToolCall(id="call_0", name="clock", arguments={"timezone": "Asia/Tokyo"})
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="What time is it?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="12:00", tool_call_id="call_0", name="clock"),
    )
    schema = {"type": "object", "properties": {"time": {"type": "string"}}}
    request = ChatRequest(
        model="calls",
        messages=messages,
        temperature=0.2,
        top_p=0.9,
        seed=7,
        max_tokens=99,
        stop=("END",),
        json_schema=schema,
        tools=(CLOCK,),
        top_logprobs=3,
        context_window=2048,
        think=False,
    )
    await collect(backend, request)
    await backend.close()
    sent = ollama.chats[-1]
    assert sent["options"] == {
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "num_predict": 99,
        "num_ctx": 2048,
        "stop": ["END"],
    }
    assert (sent["truncate"], sent["shift"], sent["stream"]) == (False, False, True)
    assert (sent["think"], sent["logprobs"], sent["top_logprobs"], sent["keep_alive"]) == (False, True, 3, -1)
    assert sent["format"] == schema
    assert sent["tools"] == [{"type": "function", "function": CLOCK.model_dump()}]
    assert sent["messages"][2]["tool_calls"] == [
        {"function": {"name": "clock", "arguments": {"timezone": "Asia/Tokyo"}}}
    ]
    assert sent["messages"][3] == {"role": "tool", "content": "12:00", "tool_name": "clock"}


async def test_what_was_not_asked_for_is_left_to_ollama(ollama: OllamaServer, client: OllamaBackend) -> None:
    await collect(client, ask("thinks"))
    assert set(ollama.chats[-1]) == {"model", "messages", "stream", "truncate", "shift", "options"}
    assert ollama.chats[-1]["options"] == {}


async def test_a_keep_alive_with_a_unit_stays_as_it_is(ollama: OllamaServer) -> None:
    backend = OllamaBackend(ollama.url, keep_alive="10m")
    await collect(backend, ask("thinks"))
    assert ollama.chats[-1]["keep_alive"] == "10m"
    assert (await backend.model("thinks")).loaded
    await backend.close()


async def test_thinking_has_its_own_channel(client: OllamaBackend) -> None:
    parts, answer = await collect(client, ask("thinks", think=True))
    assert texts(parts, "thinking") == ["Let me ", "see."]
    assert texts(parts) == ["Half ", "an answer"]
    assert (answer.thinking, answer.text) == ("Let me see.", "Half an answer")


async def test_counts_and_durations_come_from_the_final_object(client: OllamaBackend) -> None:
    _, answer = await collect(client, ask("thinks"))
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens) == (12, 2, None)
    assert (answer.load_seconds, answer.prefill_seconds, answer.decode_seconds) == (0.01, 0.03, 0.05)
    assert answer.first_token_seconds is not None and answer.first_token_seconds > 0


async def test_tool_calls_are_read(client: OllamaBackend) -> None:
    parts, answer = await collect(client, ask("calls", "What time is it in Paris?", tools=(CLOCK,)))
    assert answer.tool_calls == (ToolCall(id="call_0", name="clock", arguments={"timezone": "Europe/Paris"}),)
    assert answer.finish_reason == "tool_calls"
    assert texts(parts, "tool") == ['{"clock": {"timezone": "Europe/Paris"}}']


async def test_while_a_model_loads_the_person_is_told_again_and_again(
    client: OllamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_module, "QUIET_SECONDS", 0.3)
    parts, answer = await collect(client, ask("slow-load"))
    loading = [part for part in parts if isinstance(part, LoadingPart)]
    assert parts[: len(loading)] == loading == [LoadingPart(stage="load")] * len(loading)
    assert len(loading) >= 3, "it is said again and again, so that every reader can count the seconds"
    assert answer.text == "Half an answer"
    again, _ = await collect(client, ask("slow-load"))
    assert not any(isinstance(part, LoadingPart) for part in again), "it is loaded by now; it is only slow"


@pytest.mark.parametrize(
    ("model", "error", "says", "advises"),
    [
        ("cut-midway", StreamBroken, "broke before its answer ended", "Run it again"),
        ("no-final", StreamBroken, "stopped before its end", "Run it again"),
        ("error-midstream", ServerFault, "an error was encountered while running the model", "Ollama's own log"),
        ("not-json", WrongServer, "does not speak Ollama's protocol", "OLLAMA_HOST"),
        ("no-memory", ModelUnusable, "5.6 GiB", "smaller model"),
        ("old-overflow", ContextOverflow, "longer than the context window", "larger context window"),
        ("busy", RateLimited, "too many requests", "later"),
        (EMBEDDER, RequestRefused, "does not support chat", "Check the model"),
    ],
)
async def test_each_failure_says_its_cause_and_the_next_action(
    client: OllamaBackend, model: str, error: type[BackendError], says: str, advises: str
) -> None:
    with pytest.raises(error) as caught:
        await collect(client, ask(model))
    assert says in caught.value.message
    assert advises in caught.value.hint


async def test_what_had_arrived_before_a_failure_was_streamed(client: OllamaBackend) -> None:
    heard: list[Any] = []
    with pytest.raises(ServerFault):
        async for part in client.chat(ask("error-midstream")):
            heard.append(part)
    assert texts(heard) == ["Half ", "an answer"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"tools": (CLOCK,)}, "a dialect that does without"), ({"think": True}, "Turn thinking off")],
)
async def test_a_model_without_the_ability_says_what_to_change(
    client: OllamaBackend, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(RequestRefused) as caught:
        await collect(client, ask("slow-load", **changes))
    assert says in caught.value.hint


async def test_the_window_that_the_model_really_had_is_told(client: OllamaBackend) -> None:
    _, answer = await collect(client, ask("thinks", context_window=512))
    assert answer.context_window == 512
    _, answer = await collect(client, ask("thinks"))
    assert answer.context_window == 4096, "what Ollama says of the loaded model, not what it was trained for"


async def test_servers_before_0_12_11_say_why_there_is_no_confidence() -> None:
    with ollama_server(version="0.12.10") as server:
        backend = OllamaBackend(server.url)
        assert "0.12.10 gives no log-probabilities" in (await backend.model(CHAT)).why_no_logprobs
        await backend.close()


async def test_something_else_at_the_address_is_not_taken_for_ollama(ollama: OllamaServer) -> None:
    backend = OllamaBackend(f"{ollama.url}/nowhere")
    status = await backend.status()
    assert not status.ready
    assert "does not speak" in status.detail or "refused" in status.detail
    await backend.close()


async def test_the_official_client_pulls_copies_and_deletes_on_the_test_server(ollama: OllamaServer) -> None:
    client = official.AsyncClient(ollama.url)
    steps = [step async for step in await client.pull(PULLABLE, stream=True)]
    assert steps[0].status == "pulling manifest"
    weights = [step.completed for step in steps if step.total == LAYERS[0]]
    assert weights == [None, 250_000, 500_000, 750_000], "of a layer's end it says nothing"
    assert steps[-1].status == "success"
    with pytest.raises(official.ResponseError, match="file does not exist"):
        _ = [step async for step in await client.pull("nobody/nothing", stream=True)]
    await client.copy(PULLABLE, "mine:latest")
    await client.delete(PULLABLE)
    names = [model.model for model in (await client.list()).models]
    assert "mine:latest" in names and PULLABLE not in names
    await client.close()


async def test_what_a_named_server_lacks_is_fetched_by_a_command_that_asks_it(ollama: OllamaServer) -> None:
    backend = OllamaBackend(ollama.url, server=Server(kind="ollama", name="lab", address=ollama.url))
    for attempt in (backend.model("llama9:7b"), collect(backend, ask("llama9:7b"))):
        with pytest.raises(ModelMissing) as caught:
            await attempt
        assert "`python -m workbench models pull llama9:7b --server lab`" in caught.value.hint
    await backend.close()


async def test_a_model_that_the_server_cannot_describe_hides_no_other_one(
    ollama: OllamaServer, client: OllamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = ollama.find

    def damaged(name: str) -> str:
        if name == "thinks:latest":
            raise Refused(500, "unsupported model format")
        if name == "calls:latest":
            raise Refused(404, "model 'calls:latest' not found")
        return find(name)

    monkeypatch.setattr(ollama, "find", damaged)
    found = {info.name: info for info in await client.models()}
    assert "unsupported model format" in found["thinks:latest"].wrong and found["thinks:latest"].size
    assert CHAT in found and not found[CHAT].wrong
    assert "calls:latest" not in found, "it was deleted meanwhile"
