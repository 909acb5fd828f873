"""The OpenAI backend against a server that says whatever a test wants, as OpenAI and its imitators have said it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.backends.asking import ask, collect, texts
from tests.ollama_server import serving
from workbench.backends import registry
from workbench.backends.base import ChatRequest, LoadingPart, Message, NoticePart, ReadingPart, ToolSpec
from workbench.backends.openai import OPENAI_ITSELF, OpenAIBackend
from workbench.backends.wire import retry_after
from workbench.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnreachable,
    ContentRefused,
    ContextOverflow,
    ModelMissing,
    QuotaExceeded,
    RateLimited,
    RequestRefused,
    ServerFault,
    StreamBroken,
    WrongServer,
)
from workbench.events import ToolCall
from workbench.settings import Settings, load

KEY = "Zk-test-4f9a"  # no piece of an answer ends as it begins: such a piece waits for the next
CUT = "the connection breaks here"
CALCULATOR = ToolSpec(name="calculator", description="Computes.", parameters={"type": "object", "properties": {}})


def delta(finish: str | None = None, **content: Any) -> dict[str, Any]:
    """One object of the stream."""
    choice = {"index": 0, "delta": content, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def usage(**more: Any) -> dict[str, Any]:
    """The last object of the stream."""
    counts = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11} | more.pop("usage", {})
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": counts,
    } | more


HELLO = [delta(role="assistant"), delta(content="Hel"), delta(content="lo"), delta("stop"), usage()]


class Server:
    """Answers a chat with `stream`, or with an error; keeps what it was sent."""

    def __init__(self) -> None:
        self.stream: list[Any] = HELLO
        self.error: tuple[int, Any, dict[str, str]] | None = None
        self.listed: list[dict[str, Any]] = [{"id": "m", "object": "model", "created": 1, "owned_by": "test"}]
        self.lists = True
        self.pause = 0.0
        self.refuses = ""
        self.loading = 0
        self.busy_listing = False
        self.tokenizes = True
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""

    def app(self) -> Starlette:
        posts = {"/v1/chat/completions": self.chat, "/apply-template": self.template, "/tokenize": self.tokenize}
        routes = [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
        return Starlette(routes=[Route("/v1/models", self.models), *routes])

    async def template(self, request: Request) -> Response:
        messages = (await request.json())["messages"]
        return JSONResponse({"prompt": " ".join(f"{message['role']}: {message['content']}" for message in messages)})

    async def tokenize(self, request: Request) -> Response:
        if not self.tokenizes:
            return Response("404 page not found", status_code=404)
        return JSONResponse({"tokens": list(range(len((await request.json())["content"].split())))})

    async def models(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization", ""))
        if self.busy_listing:
            return JSONResponse({"error": {"message": "overloaded"}}, status_code=503)
        if not self.lists:
            return Response("404 page not found", status_code=404)
        return JSONResponse({"object": "list", "data": self.listed})

    async def chat(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization", ""))
        self.bodies.append(await request.json())
        if self.refuses and self.refuses in self.bodies[-1]:
            said = f"You are not allowed to request {self.refuses} from this model"
            return JSONResponse({"error": {"message": said}}, status_code=400)
        if self.loading:
            self.loading -= 1
            busy = {"code": 503, "message": "Loading model", "type": "unavailable_error"}
            return JSONResponse({"error": busy}, status_code=503)
        if self.error:
            status, body, headers = self.error
            return JSONResponse(body, status_code=status, headers=headers)
        return StreamingResponse(self.events(), media_type="text/event-stream")

    async def events(self) -> AsyncIterator[str]:
        for item in self.stream:
            if item == CUT:
                raise ConnectionResetError(CUT)
            yield item if isinstance(item, str) else f"data: {json.dumps(item)}\n\n"
            await asyncio.sleep(self.pause)
        yield "data: [DONE]\n\n"


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    with serving(fake.app()) as url:
        fake.url = f"{url}/v1"
        yield fake


@pytest.fixture
async def backend(server: Server) -> AsyncIterator[OpenAIBackend]:
    backend = OpenAIBackend(server.url, SecretStr(KEY))
    yield backend
    await backend.close()


async def test_without_a_configuration_it_says_what_to_set() -> None:
    backend = registry.create("openai", load({}, dotenv=None))
    status = await backend.status()
    assert not status.ready
    assert "OPENAI_API_KEY" in status.hint and "OPENAI_BASE_URL" in status.hint
    with pytest.raises(BackendUnreachable):
        await collect(backend, ask("m"))


async def test_a_key_alone_means_openai_itself() -> None:
    backend = OpenAIBackend("", SecretStr(KEY))
    assert str(backend._sdk.base_url).rstrip("/") == OPENAI_ITSELF
    await backend.close()


async def test_a_server_that_is_down_is_unreachable() -> None:
    backend = OpenAIBackend("http://127.0.0.1:9/v1", SecretStr(""))
    status = await backend.status()
    assert not status.ready
    assert "http://127.0.0.1:9/v1" in status.detail
    with pytest.raises(BackendUnreachable, match="does not answer"):
        await collect(backend, ask("m"))
    await backend.close()


@pytest.mark.parametrize(
    "url", ["localhost:1234/v1", "http://localhost:abc/v1", "http://[::1/v1", "ftp://localhost/v1"]
)
async def test_a_wrong_address_is_named(url: str) -> None:
    status = await OpenAIBackend(url, SecretStr("")).status()
    assert not status.ready
    assert "OPENAI_BASE_URL" in status.detail and url in status.detail


async def test_a_running_server_is_ready(backend: OpenAIBackend) -> None:
    status = await backend.status()
    assert status.ready
    assert "1 model" in status.detail


async def test_a_server_without_keys_is_asked_without_one(server: Server) -> None:
    backend = registry.create("openai", Settings(openai_base_url=server.url))
    _, answer = await collect(backend, ask("m"))
    assert answer.text == "Hello"
    assert KEY not in "".join(server.keys)
    await backend.close()


async def test_the_key_is_sent_without_the_blanks_that_came_along(server: Server) -> None:
    backend = OpenAIBackend(server.url, SecretStr(f" {KEY}\n"))
    await backend.models()
    assert server.keys == [f"Bearer {KEY}"]
    await backend.close()


async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(server: Server) -> None:
    backend = OpenAIBackend(server.url, SecretStr("schlüssel"))
    with pytest.raises(AuthenticationFailed) as caught:
        await collect(backend, ask("m"))
    assert "schlüssel" not in str(caught.value)


async def test_models_of_vllm_and_llama_cpp_tell_their_window(server: Server, backend: OpenAIBackend) -> None:
    meta = {"n_ctx": 2048, "n_ctx_train": 32768, "n_params": 630_167_424, "size": 485_452_288, "ftype": "Q4_K - Medium"}
    server.listed = [
        {"id": "vllm", "object": "model", "created": 1, "owned_by": "vllm", "max_model_len": 4096},
        {"id": "llama", "object": "model", "created": 1, "owned_by": "llamacpp", "meta": meta},
        {"id": "bare", "object": "model", "created": 1, "owned_by": "x"},
    ]
    vllm, llama, bare = await backend.models()
    assert (vllm.context_window, llama.context_window, bare.context_window) == (4096, 2048, None)
    assert (llama.size, llama.parameters, llama.quantisation) == (485_452_288, "0.6B", "Q4_K - Medium")


async def test_a_server_that_cannot_list_offers_the_model_of_the_settings(server: Server) -> None:
    server.lists = False
    backend = OpenAIBackend(server.url, SecretStr(""), model="mine")
    assert [model.name for model in await backend.models()] == ["mine"]
    nameless = OpenAIBackend(server.url, SecretStr(""))
    with pytest.raises(RequestRefused) as caught:
        await nameless.models()
    assert "/v1" in caught.value.hint
    await backend.close()
    await nameless.close()


async def test_the_request_reaches_the_server_whole(server: Server, backend: OpenAIBackend) -> None:
    call = ToolCall(id="call_7", name="calculator", arguments={"expression": "1+1"})
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="1+1?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="2", tool_call_id="call_7", name="calculator"),
    )
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    request = ChatRequest(
        model="m",
        messages=messages,
        temperature=0.3,
        top_p=0.8,
        seed=5,
        max_tokens=77,
        stop=("END",),
        json_schema=schema,
        tools=(CALCULATOR,),
        top_logprobs=2,
    )
    await collect(backend, request)
    sent = server.bodies[-1]
    assert (sent["temperature"], sent["top_p"], sent["seed"], sent["max_tokens"]) == (0.3, 0.8, 5, 77)
    assert (sent["stop"], sent["logprobs"], sent["top_logprobs"]) == (["END"], True, 2)
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["response_format"]["json_schema"]["schema"] == schema
    assert sent["tools"][0]["function"]["name"] == "calculator"
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
    assert sent["messages"][2]["tool_calls"][0]["function"] == {
        "name": "calculator",
        "arguments": '{"expression": "1+1"}',
    }
    assert sent["messages"][3]["tool_call_id"] == "call_7"


async def test_what_was_not_asked_for_is_left_to_the_server(server: Server, backend: OpenAIBackend) -> None:
    await collect(backend, ask("m"))
    assert set(server.bodies[-1]) == {"model", "messages", "stream", "stream_options"}


def test_openai_itself_gets_the_name_of_the_token_limit_that_its_models_insist_on() -> None:
    body = OpenAIBackend("", SecretStr(KEY))._extra_body(ask("o4-mini", max_tokens=9))
    assert body == {"max_completion_tokens": 9}


async def test_text_arrives_in_pieces_with_its_counts(backend: OpenAIBackend) -> None:
    parts, answer = await collect(backend, ask("m"))
    assert texts(parts) == ["Hel", "lo"]
    assert (answer.text, answer.finish_reason) == ("Hello", "stop")
    assert (answer.prompt_tokens, answer.completion_tokens, answer.prefill_seconds) == (9, 2, None)


async def test_where_no_times_are_told_decoding_is_measured(server: Server, backend: OpenAIBackend) -> None:
    server.pause = 0.1
    _, answer = await collect(backend, ask("m"))
    assert answer.first_token_seconds is not None and answer.first_token_seconds >= 0.1
    assert answer.decode_seconds is not None and 0.08 <= answer.decode_seconds < answer.first_token_seconds + 1


async def test_llama_cpp_tells_its_own_times_and_progress(server: Server, backend: OpenAIBackend) -> None:
    server.listed = [{"id": "m", "object": "model", "created": 1, "owned_by": "llamacpp"}]
    progress = delta() | {"prompt_progress": {"total": 40, "cache": 8, "processed": 24, "time_ms": 5}}
    timings = {"prompt_ms": 1500.0, "predicted_ms": 250.0}
    cached = {"prompt_tokens_details": {"cached_tokens": 8}}
    server.stream = [progress, *HELLO[:-1], usage(timings=timings, usage=cached)]
    await backend.models()
    parts, answer = await collect(backend, ask("m"))
    assert server.bodies[-1]["return_progress"] is True
    assert ReadingPart(read=24, cached=8, total=40) in parts
    assert (answer.prefill_seconds, answer.decode_seconds, answer.cached_tokens) == (1.5, 0.25, 8)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_has_its_own_channel(server: Server, backend: OpenAIBackend, field: str) -> None:
    server.stream = [delta(**{field: "Let me "}), delta(**{field: "see."}), *HELLO]
    parts, answer = await collect(backend, ask("m"))
    assert texts(parts, "thinking") == ["Let me ", "see."]
    assert (answer.thinking, answer.text) == ("Let me see.", "Hello")


async def test_log_probabilities_come_with_their_alternatives(server: Server, backend: OpenAIBackend) -> None:
    token = {
        "token": "Hel",
        "logprob": -0.1,
        "bytes": [1],
        "top_logprobs": [{"token": "Hi", "logprob": -2.5, "bytes": [2]}],
    }
    first = delta(content="Hel")
    first["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    server.stream = [first, *HELLO[2:]]
    _, answer = await collect(backend, ask("m", top_logprobs=1))
    assert answer.logprobs is not None
    assert (answer.logprobs[0].token, answer.logprobs[0].logprob, answer.logprobs[0].top) == (
        "Hel",
        -0.1,
        (("Hi", -2.5),),
    )


def called(arguments: list[str], finish: str = "tool_calls") -> list[dict[str, Any]]:
    """A stream in which the model calls the calculator."""
    begin = {"index": 0, "id": "call_9", "type": "function", "function": {"name": "calculator", "arguments": ""}}
    pieces = [delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in arguments]
    return [delta(tool_calls=[begin]), *pieces, delta(finish), usage()]


async def test_a_tool_call_is_put_together_from_its_pieces(server: Server, backend: OpenAIBackend) -> None:
    server.stream = called(['{"expres', 'sion": "6*7"}'])
    parts, answer = await collect(backend, ask("m", tools=(CALCULATOR,)))
    assert answer.tool_calls == (ToolCall(id="call_9", name="calculator", arguments={"expression": "6*7"}),)
    assert answer.finish_reason == "tool_calls"
    assert texts(parts, "tool") == ["calculator", '{"expres', 'sion": "6*7"}']


@pytest.mark.parametrize("arguments", ['{"expression": "6*', "6*7", '["6*7"]'])
async def test_a_tool_call_that_cannot_be_read_is_shown_as_the_text_that_it_is(
    server: Server, backend: OpenAIBackend, arguments: str
) -> None:
    server.stream = called([arguments], finish="length")
    parts, answer = await collect(backend, ask("m", tools=(CALCULATOR,)))
    assert answer.tool_calls == ()
    assert answer.text == "".join(texts(parts)) == f"calculator {arguments}"
    assert answer.finish_reason == "length"


@pytest.mark.parametrize(
    ("told", "finish"), [("length", "length"), ("content_filter", "content_filter"), ("odd", "stop")]
)
async def test_the_reason_for_the_end_is_kept(server: Server, backend: OpenAIBackend, told: str, finish: str) -> None:
    server.stream = [*HELLO[:3], delta(told), usage()]
    _, answer = await collect(backend, ask("m", json_schema={"type": "object"}))
    assert answer.finish_reason == finish


async def test_a_refusal_is_not_an_answer(server: Server, backend: OpenAIBackend) -> None:
    server.stream = [delta(refusal="I cannot "), delta(refusal="help with that."), delta("stop"), usage()]
    with pytest.raises(ContentRefused, match=r"I cannot help with that\."):
        await collect(backend, ask("m"))


TOO_LONG = {"message": "This model's maximum context length is 8 tokens.", "code": "context_length_exceeded"}
LLAMA_TOO_LONG = {"message": "request too big", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}
VLLM_TOO_LONG = {"message": "This model's maximum context length is 8 tokens. However, you requested 9.", "code": 400}
BROKE = {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}


@pytest.mark.parametrize(
    ("status", "error", "expected", "says"),
    [
        (401, {"message": f"Incorrect API key provided: {KEY}"}, AuthenticationFailed, "refused the key"),
        (403, {"message": "no"}, AuthenticationFailed, "refused the key"),
        (404, {"message": "The model `m` does not exist", "code": "model_not_found"}, ModelMissing, "model m"),
        (404, {"message": "Not Found"}, RequestRefused, "no chat service"),
        (429, {"message": "Slow down", "type": "requests"}, RateLimited, "Slow down"),
        (429, BROKE, QuotaExceeded, "out of credit"),
        (402, {"message": "Insufficient credits"}, QuotaExceeded, "out of credit"),
        (400, TOO_LONG, ContextOverflow, "longer than the context window"),
        (400, LLAMA_TOO_LONG, ContextOverflow, "9 tokens, and the window holds 8"),
        (400, VLLM_TOO_LONG, ContextOverflow, "longer than the context window"),
        (400, {"message": "top_p must be positive"}, RequestRefused, "top_p must be positive"),
        (422, {"message": "bad field"}, RequestRefused, "bad field"),
        (400, {"message": "filtered", "code": "content_filter"}, ContentRefused, "filtered"),
        (500, {"message": "boom"}, ServerFault, "boom"),
        (503, {"message": "overloaded"}, ServerFault, "overloaded"),
    ],
)
async def test_each_refusal_says_its_cause_and_is_asked_once(
    server: Server, backend: OpenAIBackend, status: int, error: Any, expected: type[BackendError], says: str
) -> None:
    server.error = (status, {"error": error}, {})
    with pytest.raises(BackendError) as caught:
        await collect(backend, ask("m"))
    assert type(caught.value) is expected
    assert says in caught.value.message
    assert caught.value.hint
    assert len(server.bodies) == 1, "retries have one policy, and it is not the SDK's"


async def test_a_model_that_refuses_log_probabilities_answers_without_them(
    server: Server, backend: OpenAIBackend
) -> None:
    server.refuses = "logprobs"
    parts, answer = await collect(backend, ask("m", top_logprobs=5))
    assert answer.text == "Hello"
    (notice,) = [part for part in parts if isinstance(part, NoticePart)]
    assert notice.code == "logprobs_missing" and "You are not allowed to request logprobs" in notice.message
    await collect(backend, ask("m", top_logprobs=5))
    assert ["logprobs" in body for body in server.bodies] == [True, False, False], "it is asked for them only once"


async def test_while_llama_cpp_loads_its_model_it_is_asked_again(
    server: Server, backend: OpenAIBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.backends.openai.LOADING_SECONDS", 0.05)
    server.loading = 3
    parts, answer = await collect(backend, ask("m"))
    assert parts[:3] == [LoadingPart(stage="load")] * 3
    assert answer.text == "Hello" and answer.load_seconds is not None and answer.load_seconds >= 0.15


async def test_a_list_that_cannot_be_had_for_now_is_no_missing_model(server: Server, backend: OpenAIBackend) -> None:
    server.busy_listing = True
    assert (await backend.model("m")).name == "m"
    assert not (await backend.status()).ready


async def test_llama_cpp_counts_the_prompt_before_the_call(server: Server, backend: OpenAIBackend) -> None:
    assert await backend.count_tokens(ask("m", "one two three")) is None
    server.listed = [{"id": "m", "object": "model", "created": 1, "owned_by": "llamacpp"}]
    await backend.models()
    assert await backend.count_tokens(ask("m", "one two three")) == 4
    server.tokenizes = False
    assert await backend.count_tokens(ask("m", "one two three")) is None


async def test_a_given_text_is_scored_by_llama_cpp_alone(server: Server, backend: OpenAIBackend) -> None:
    for asking in (backend.score(ask("m"), "Hello"), backend.next_tokens(ask("m"), "Hello")):
        with pytest.raises(RequestRefused, match="does not tell the probabilities of a given text") as caught:
            await asking
        assert "embedded engine" in caught.value.hint
    server.listed = [{"id": "m", "object": "model", "created": 1, "owned_by": "llamacpp"}]
    server.tokenizes = False  # a proxy that passes on nothing but /v1
    with pytest.raises(RequestRefused):
        await backend.score(ask("m"), "Hello")


async def test_the_wait_that_a_server_asks_for_is_kept(server: Server, backend: OpenAIBackend) -> None:
    server.error = (429, {"error": {"message": "later"}}, {"Retry-After": "7"})
    with pytest.raises(RateLimited) as caught:
        await collect(backend, ask("m"))
    assert caught.value.retry_after == 7
    assert "7 seconds" in caught.value.hint


@pytest.mark.parametrize("junk", ["", "soon", "-5", "nan", "1e9", "Mon, 99 Xyz"])
def test_a_senseless_retry_after_is_no_wait(junk: str) -> None:
    assert retry_after({"retry-after": junk}) is None


def test_a_retry_after_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=90)
    wait = retry_after({"retry-after": format_datetime(soon, usegmt=True)})
    assert wait is not None and 85 < wait <= 90
    past = datetime.now(UTC) - timedelta(days=1)
    assert retry_after({"retry-after": format_datetime(past, usegmt=True)}) == 0


@pytest.mark.parametrize(
    ("stream", "expected", "says"),
    [
        (HELLO[:3], StreamBroken, "stopped before its end"),
        ([*HELLO[:2], CUT], StreamBroken, "broke"),
        ([*HELLO[:2], {"error": {"message": "out of memory", "code": 500}}], ServerFault, "out of memory"),
        ([*HELLO[:2], {"error": LLAMA_TOO_LONG}], ContextOverflow, "9 tokens"),
        ([*HELLO[:2], "data: <html>\n\n"], WrongServer, "does not speak OpenAI's protocol"),
        (["<html><body>Welcome to nginx!</body></html>"], WrongServer, "does not speak OpenAI's protocol"),
    ],
)
async def test_a_stream_that_goes_wrong_is_an_error_and_never_an_answer(
    server: Server, backend: OpenAIBackend, stream: list[Any], expected: type[BackendError], says: str
) -> None:
    server.stream = stream
    with pytest.raises(BackendError) as caught:
        await collect(backend, ask("m"))
    assert type(caught.value) is expected
    assert says in caught.value.message


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_the_key_is_in_no_message(server: Server, backend: OpenAIBackend, status: int) -> None:
    server.error = (status, {"error": {"message": f"The key {KEY} is odd, and so is the model"}}, {})
    with pytest.raises(BackendError) as caught:
        await collect(backend, ask("m"))
    assert KEY not in caught.value.message + caught.value.hint
    assert KEY not in repr(backend.__dict__)


async def test_a_server_that_wants_a_key_and_got_none_says_so(server: Server) -> None:
    server.error = (401, {"error": {"message": "Unauthorized"}}, {})
    backend = OpenAIBackend(server.url, SecretStr(""))
    with pytest.raises(AuthenticationFailed, match="wants a key") as caught:
        await collect(backend, ask("m"))
    assert "OPENAI_API_KEY" in caught.value.hint
    await backend.close()


async def test_nobody_is_asked_for_models_before_a_server_or_a_key_is_named() -> None:
    backend = OpenAIBackend("", SecretStr(""))
    with pytest.raises(BackendUnreachable, match="No OpenAI-compatible server is configured"):
        await backend.models()
    await backend.close()
