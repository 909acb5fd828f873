"""An Ollama server for tests: its documented REST API in front of a llama.cpp server, so that the tokens are real.

Some model names behave badly on purpose (`FAULTS`), the way real servers were seen to.
"""

import asyncio
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.ollama_models import Behaviour
from workbench.backends import hashing

Object = dict[str, Any]
CHAT = "qwen2.5-coder:0.5b"
EMBEDDER = "nomic-embed-text:latest"
PULLABLE = "smollm2:135m"
OUT_OF_MEMORY = "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"
SLOW_SECONDS = 1.4
DEFAULT_CONTEXT = 4096
DEFAULT_KEEP_SECONDS = 300.0
FOR_EVER = timedelta(days=106_751)  # the longest span that Go knows, which is how Ollama keeps a model for ever
LAYERS = (1_000_000, 200_000)  # bytes of what a pull fetches: the weights, then the rest
CHUNKS = 4  # lines of progress for a layer


class Refused(Exception):
    """An answer in Ollama's error shape."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


@dataclass
class Model:
    """What the server knows of a model."""

    capabilities: list[str] = field(default_factory=lambda: ["completion", "tools"])
    size: int = 397_821_319
    family: str = "qwen2"
    context_length: int = 32_768
    parameter_size: str = "494.03M"
    template: str = "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}{{ .Prompt }}"
    parameters: str = 'num_ctx                        4096\nstop                           "<|im_end|>"'
    system: str = "You are a helpful assistant."
    license: str = "Apache-2.0"
    modified_at: str = "2026-11-01T12:00:00.123456789+01:00"

    def details(self) -> Object:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": "Q4_K_M",
        }


@dataclass
class Running:
    """A model in memory: its window, how long it stays after an answer, and until when."""

    context: int
    keep_seconds: float
    expires: datetime = field(default_factory=lambda: datetime.now(UTC))

    def renew(self) -> None:
        self.expires = datetime.now(UTC) + (
            timedelta(seconds=self.keep_seconds) if self.keep_seconds >= 0 else FOR_EVER
        )


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def line(item: Object) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode() + b"\n"


def chunk(model: str, content: str, **more: Any) -> Object:
    message = {"role": "assistant", "content": content} | more.pop("message", {})
    return {"model": model, "created_at": now(), "message": message, "done": False} | more


def final(model: str, reason: str = "stop", **counts: int) -> Object:
    return chunk(model, "") | {"done": True, "done_reason": reason} | counts


COUNTS = {
    "total_duration": 90_000_000,
    "load_duration": 10_000_000,
    "prompt_eval_count": 12,
    "prompt_eval_duration": 30_000_000,
    "eval_count": 2,
    "eval_duration": 50_000_000,
}


async def _two_words(model: str) -> AsyncIterator[bytes]:
    for word in ("Half ", "an answer"):
        yield line(chunk(model, word))
        await asyncio.sleep(0)


async def _cut_midway(model: str) -> AsyncIterator[bytes]:
    async for item in _two_words(model):
        yield item
    await asyncio.sleep(0.05)
    raise ConnectionResetError("the server dies here")


async def _no_final(model: str) -> AsyncIterator[bytes]:
    async for item in _two_words(model):
        yield item


async def _error_midstream(model: str) -> AsyncIterator[bytes]:
    async for item in _two_words(model):
        yield item
    yield line({"error": "an error was encountered while running the model"})


async def _not_json(model: str) -> AsyncIterator[bytes]:
    yield b"<html><body>Welcome to nginx!</body></html>\n"


async def _slow_load(model: str) -> AsyncIterator[bytes]:
    await asyncio.sleep(SLOW_SECONDS)
    async for item in _two_words(model):
        yield item
    yield line(final(model, **COUNTS | {"load_duration": int(SLOW_SECONDS * 1e9)}))


async def _thinks(model: str) -> AsyncIterator[bytes]:
    for word in ("Let me ", "see."):
        yield line(chunk(model, "", message={"thinking": word}))
    async for item in _two_words(model):
        yield item
    yield line(final(model, **COUNTS))


async def _calls(model: str) -> AsyncIterator[bytes]:
    call = {"id": "call_x", "function": {"name": "clock", "arguments": {"timezone": "Europe/Paris"}}}
    yield line(chunk(model, "", message={"tool_calls": [call]}))
    yield line(final(model, **COUNTS))


async def _old_cut(model: str) -> AsyncIterator[bytes]:
    """What 0.12.5, which does not know `truncate`, makes of a prompt that is too long for a window of 512."""
    async for item in _two_words(model):
        yield item
    yield line(final(model, **COUNTS | {"prompt_eval_count": 512}))


async def _no_memory(model: str) -> AsyncIterator[bytes]:
    raise Refused(500, OUT_OF_MEMORY)
    yield b""


async def _old_overflow(model: str) -> AsyncIterator[bytes]:
    raise Refused(400, "the input length exceeds the context length")
    yield b""


async def _busy(model: str) -> AsyncIterator[bytes]:
    raise Refused(429, "too many requests")
    yield b""


FAULTS: dict[str, Callable[[str], AsyncIterator[bytes]]] = {
    "cut-midway:latest": _cut_midway,
    "no-final:latest": _no_final,
    "error-midstream:latest": _error_midstream,
    "not-json:latest": _not_json,
    "slow-load:latest": _slow_load,
    "thinks:latest": _thinks,
    "calls:latest": _calls,
    "old-cut:latest": _old_cut,
    "no-memory:latest": _no_memory,
    "old-overflow:latest": _old_overflow,
    "busy:latest": _busy,
}


class OllamaServer:
    """The application. `chats` keeps the bodies of the chats that it was asked for."""

    def __init__(self, upstream: str, headers: dict[str, str] | None, version: str) -> None:
        self.upstream = httpx.AsyncClient(
            base_url=upstream, headers=headers, timeout=None, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self.version = version
        self.models = {
            CHAT: Model(),
            EMBEDDER: Model(["embedding"], family="nomic-bert"),
            **{name: Model(["completion"]) for name in FAULTS},
        }
        self.models["thinks:latest"].capabilities.append("thinking")
        self.models["calls:latest"].capabilities.append("tools")
        self.loaded: dict[str, Running] = {}
        self.loads: list[tuple[str, int]] = []  # each time that a model went into memory, with its window
        self.gpu_share = 0.0
        self.blobs: dict[str, int] = {}  # bytes of each layer that pulls have brought so far
        self.pull_pause = 0.0
        self.pull_error = ""  # what a pull meets half way through its first layer
        self.chats: list[Object] = []
        self.embedded: list[Object] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.url = ""

    def app(self) -> Starlette:
        posts = {"chat": self.chat, "show": self.show, "pull": self.pull, "copy": self.copy}
        posts |= {"generate": self.generate, "embed": self.embed}
        routes = [Route(f"/api/{name}", guarded(handler), methods=["POST"]) for name, handler in posts.items()]
        gets = {"tags": self.tags, "ps": self.ps, "version": self.tell_version}
        routes += [Route(f"/api/{name}", guarded(handler)) for name, handler in gets.items()]
        routes += [Route("/api/delete", guarded(self.delete), methods=["DELETE"])]
        routes += [Route("/", lambda request: Response("Ollama is running"))]
        return Starlette(routes=routes, lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        await self.upstream.aclose()

    def add(self, name: str, **behaviour: Any) -> Behaviour:
        """A model that behaves so."""
        self.behaviours[name] = Behaviour(**behaviour)
        self.models[name] = Model(self.behaviours[name].capabilities)
        return self.behaviours[name]

    # Models

    def find(self, name: str) -> str:
        if not name:
            raise Refused(400, "model is required")
        full = name if ":" in name else f"{name}:latest"
        if full not in self.models:
            raise Refused(404, f"model '{name}' not found")
        return full

    async def tell_version(self, request: Request) -> Response:
        return JSONResponse({"version": self.version})

    async def tags(self, request: Request) -> Response:
        return JSONResponse({"models": [self.entry(name) for name in self.models]})

    def entry(self, name: str) -> Object:
        model = self.models[name]
        known = self.behaviours[name].digest(name) if name in self.behaviours else digest(name)
        told = {"name": name, "model": name, "size": model.size, "digest": known, "details": model.details()}
        return told | {"modified_at": model.modified_at}

    async def ps(self, request: Request) -> Response:
        for name in [name for name, running in self.loaded.items() if running.expires < datetime.now(UTC)]:
            del self.loaded[name]
        last_first = sorted(self.loaded, key=lambda name: self.loaded[name].expires, reverse=True)
        return JSONResponse({"models": [self.running(name) for name in last_first]})

    def running(self, name: str) -> Object:
        """What is in memory is larger than the file: its window is there too."""
        running = self.loaded[name]
        size = self.models[name].size + 10_000 * running.context
        told = {"size": size, "size_vram": int(size * self.gpu_share), "context_length": running.context}
        entry = {key: value for key, value in self.entry(name).items() if key != "modified_at"}
        return entry | told | {"expires_at": running.expires.isoformat()}

    async def show(self, request: Request) -> Response:
        name = self.find((await asked(request)).get("model", ""))
        model = self.models[name]
        facts = {"general.architecture": model.family, f"{model.family}.context_length": model.context_length}
        told = {key: getattr(model, key) for key in ("license", "parameters", "template", "system")}
        told |= {"modelfile": f"FROM {name}", "details": model.details(), "modified_at": model.modified_at}
        kept = {key: value for key, value in told.items() if value}
        return JSONResponse(kept | {"model_info": facts, "capabilities": model.capabilities})

    async def pull(self, request: Request) -> Response:
        name = (await asked(request)).get("model", "")
        if not name:
            raise Refused(400, "invalid model name")
        return StreamingResponse(self.pulled(name), media_type="application/x-ndjson")

    async def pulled(self, name: str) -> AsyncIterator[bytes]:
        """One layer after the other; what has come of one stays when the client hangs up, and is not fetched again."""
        yield line({"status": "pulling manifest"})
        if name != PULLABLE:
            yield line({"error": "pull model manifest: file does not exist"})
            return
        for number, total in enumerate(LAYERS):
            layer = f"sha256:{digest(f'{name} {number}')}"
            began = 0.0
            while True:
                told = {"status": f"pulling {layer[7:19]}", "digest": layer, "total": total}
                done = self.blobs.get(layer, 0)
                if done < total or not began:  # of a layer's end it says nothing, unless it was there before
                    yield line(told | ({"completed": done} if done else {}))
                if done >= total:
                    break
                if self.pull_error and done >= total // 2:
                    yield line({"error": self.pull_error})
                    return
                began = time.monotonic()
                while time.monotonic() - began < self.pull_pause:  # which a test may change meanwhile
                    await asyncio.sleep(0.01)
                self.blobs[layer] = min(total, done + total // CHUNKS)
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            yield line({"status": status})
        self.models[name] = Model(["completion"], size=sum(LAYERS))

    async def copy(self, request: Request) -> Response:
        """Ollama asks nobody before it writes over a model of that name."""
        body = await asked(request)
        name = body["destination"] if ":" in body["destination"] else f"{body['destination']}:latest"
        self.models[name] = self.models[self.find(body["source"])]
        return Response()

    async def delete(self, request: Request) -> Response:
        name = self.find((await asked(request)).get("model", ""))
        self.loaded.pop(name, None)
        del self.models[name]
        if name == PULLABLE:
            self.blobs.clear()
        return Response()

    # Without a prompt: into memory, and out of it

    async def generate(self, request: Request) -> Response:
        body = await asked(request)
        name = self.find(body.get("model", ""))
        if body.get("prompt"):
            raise Refused(400, "this test server answers chats alone")
        if body.get("keep_alive") != 0 and "completion" not in self.models[name].capabilities:
            raise Refused(400, f'"{body["model"]}" does not support generate')
        return await self.touched(name, body)

    async def embed(self, request: Request) -> Response:
        body = await asked(request)
        name = self.find(body.get("model", ""))
        if body.get("input") == "":
            return await self.touched(name, body)
        if "embedding" not in self.models[name].capabilities:
            raise Refused(501, "this model does not support embeddings")
        self.embedded.append(body)
        vectors = [[2 * number for number in hashing.vector(text)] for text in body["input"]]
        return JSONResponse(self.load_only(name, body) | {"embeddings": vectors})

    async def touched(self, name: str, body: Object) -> Response:
        if name == "no-memory:latest" and body.get("keep_alive") != 0:
            raise Refused(500, OUT_OF_MEMORY)
        if name == "slow-load:latest" and name not in self.loaded and body.get("keep_alive") != 0:
            await asyncio.sleep(SLOW_SECONDS)
        return JSONResponse(self.load_only(name, body) | {"response": "", "embeddings": []})

    # Chat

    async def chat(self, request: Request) -> Response:
        body = await asked(request)
        name = self.find(body.get("model", ""))
        self.chats.append(body)
        self.check(name, body)
        if not body.get("messages"):
            return JSONResponse(self.load_only(name, body))
        if behaviour := self.behaviours.get(name):
            if refusal := behaviour.refusal(body):
                raise Refused(*refusal)
            lines = behaviour.lines(name, body, name in self.loaded)
        else:
            lines = FAULTS[name](name) if name in FAULTS else await self.answer(name, body)
        if name in FAULTS:
            lines = await opened(lines)
        self.keep(name, body)
        if name == "not-json:latest":
            return HTMLResponse(b"".join([item async for item in lines]))
        if body.get("stream", True):
            return StreamingResponse(lines, media_type="application/x-ndjson")
        return JSONResponse(joined([json.loads(item) async for item in lines]))

    def check(self, name: str, body: Object) -> None:
        """The refusals that Ollama gives before a model runs."""
        abilities = self.models[name].capabilities
        if not 0 <= body.get("top_logprobs", 0) <= 20:
            raise Refused(400, "top_logprobs must be between 0 and 20")
        if "completion" not in abilities:
            raise Refused(400, f'"{name}" does not support chat')
        if body.get("tools") and "tools" not in abilities:
            raise Refused(400, f"registry.ollama.ai/library/{name} does not support tools")
        if body.get("think") and "thinking" not in abilities:
            raise Refused(400, f'"{name}" does not support thinking')

    def keep(self, name: str, body: Object) -> None:
        """Another window is another load; a call that names no keep_alive leaves a loaded model its own."""
        context = body.get("options", {}).get("num_ctx") or DEFAULT_CONTEXT
        before = self.loaded.get(name)
        seconds = before.keep_seconds if before else DEFAULT_KEEP_SECONDS
        if "keep_alive" in body:
            seconds = seconds_of(body["keep_alive"])
        if seconds == 0:
            self.loaded.pop(name, None)
            return
        if before is None or before.context != context:
            self.loads.append((name, context))
        self.loaded[name] = Running(context, seconds)
        self.loaded[name].renew()

    def load_only(self, name: str, body: Object) -> Object:
        self.keep(name, body)
        return final(name, "unload" if body.get("keep_alive") == 0 else "load")

    async def answer(self, name: str, body: Object) -> AsyncIterator[bytes]:
        """The lines of a real answer. What the model server refuses is refused here, before the stream begins."""
        began = time.monotonic_ns()
        wanted, calls = wire(body)
        await self.refuse_overflow(wanted, body)
        request = self.upstream.build_request("POST", "/v1/chat/completions", json=wanted)
        response = await self.upstream.send(request, stream=True)
        if response.status_code != 200:
            text = (await response.aread()).decode()
            raise Refused(response.status_code, text)

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for item in translated(name, response.aiter_lines(), calls, began):
                    yield line(item)
            finally:
                await response.aclose()

        return lines()

    async def refuse_overflow(self, wanted: Object, body: Object) -> None:
        """With `truncate: false` a prompt beyond num_ctx is refused in llama.cpp's words, packed into Ollama's."""
        window = body.get("options", {}).get("num_ctx")
        if not window or body.get("truncate", True):
            return
        prompt = (await self.upstream.post("/apply-template", json={"messages": wanted["messages"]})).json()["prompt"]
        tokens = (await self.upstream.post("/tokenize", json={"content": prompt, "parse_special": True})).json()[
            "tokens"
        ]
        if len(tokens) < window:
            return
        told = {
            "code": 400,
            "message": f"request ({len(tokens)} tokens) exceeds the available context size ({window} tokens)",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": len(tokens),
            "n_ctx": window,
        }
        raise Refused(400, json.dumps({"error": told}))


def wire(body: Object) -> tuple[Object, bool]:
    """Ollama's request as llama.cpp's server wants it, and whether its answer is a tool call."""
    options = body.get("options", {})
    names = {"num_predict": "max_tokens"} | {
        name: name for name in ("temperature", "top_p", "top_k", "min_p", "seed", "stop")
    }
    wanted: Object = {theirs: options[ours] for ours, theirs in names.items() if ours in options}
    wanted |= {
        "messages": [openai_message(message) for message in body["messages"]],
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # without it the model server does not notice a hang-up while it reads the prompt
    }
    if body.get("logprobs"):
        wanted |= {"logprobs": True, "top_logprobs": body.get("top_logprobs", 0)}
    calls = bool(body.get("tools")) and body["messages"][-1]["role"] != "tool"
    schema = call_schema(body["tools"]) if calls else body.get("format")
    if schema == "json":
        wanted["response_format"] = {"type": "json_object"}
    elif schema:
        wanted["response_format"] = {"type": "json_schema", "json_schema": {"name": "format", "schema": schema}}
    return wanted, calls


def openai_message(message: Object) -> Object:
    sent = {"role": message["role"], "content": message["content"]}
    if calls := message.get("tool_calls"):
        sent["content"] = "\n".join(json.dumps(call["function"]) for call in calls)
    if message["role"] == "tool":
        sent = {"role": "user", "content": f"{message.get('tool_name', 'tool')}: {message['content']}"}
    return sent


def call_schema(tools: list[Object]) -> Object:
    """The small model writes no calls in its template's tags: hold it to one of the tools instead."""
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "name": {"const": tool["function"]["name"]},
                    "arguments": tool["function"]["parameters"],
                },
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
            for tool in tools
        ]
    }


async def translated(name: str, lines: AsyncIterator[str], calls: bool, began: int) -> AsyncIterator[Object]:
    """llama.cpp's event stream as Ollama's chunks."""
    text, reason, loaded = "", "stop", time.monotonic_ns() - began
    async for item in upstream_objects(lines):
        for choice in item.get("choices", ()):
            reason = "length" if choice.get("finish_reason") == "length" else reason
            piece = choice.get("delta", {}).get("content") or ""
            text += piece
            if piece and not calls:
                yield chunk(name, piece, **logprobs_of(choice))
        if item.get("usage"):
            if calls:
                yield chunk(name, "", message={"tool_calls": [{"id": "call_test", "function": json.loads(text)}]})
            yield final(name, reason, **counts_of(item, began, loaded))


async def upstream_objects(lines: AsyncIterator[str]) -> AsyncIterator[Object]:
    async for text in lines:
        if text.startswith("data: {"):
            yield json.loads(text[6:])


def logprobs_of(choice: Object) -> Object:
    def told(token: Object) -> Object:
        return {"token": token["token"], "logprob": token["logprob"], "bytes": token["bytes"]}

    tokens = (choice.get("logprobs") or {}).get("content") or ()
    found = [told(token) | {"top_logprobs": [told(other) for other in token["top_logprobs"]]} for token in tokens]
    return {"logprobs": found} if found else {}


def counts_of(item: Object, began: int, loaded: int) -> Object:
    usage, timings = item["usage"], item["timings"]
    return {
        "total_duration": time.monotonic_ns() - began,
        "load_duration": loaded,
        "prompt_eval_count": usage["prompt_tokens"],
        "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
        "eval_count": usage["completion_tokens"],
        "eval_duration": int(timings["predicted_ms"] * 1e6),
    }


def joined(items: list[Object]) -> Object:
    whole = items[-1]
    whole["message"]["content"] = "".join(item["message"]["content"] for item in items)
    for item in items:
        whole["message"] |= {key: item["message"][key] for key in ("tool_calls",) if key in item["message"]}
    return whole


def seconds_of(keep_alive: float | str) -> float:
    if isinstance(keep_alive, int | float):
        return keep_alive
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    if not re.fullmatch(r"(\d+(ms|s|m|h))+", keep_alive):
        raise Refused(400, f'time: missing unit in duration "{keep_alive}"')
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h)", keep_alive))


async def opened(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines, once the first of them is there: an error before it still has a status of its own."""
    if (first := await anext(lines, None)) is None:
        return lines

    async def all_lines() -> AsyncIterator[bytes]:
        yield first
        async for item in lines:
            yield item

    return all_lines()


async def asked(request: Request) -> Object:
    if not await request.body():
        raise Refused(400, "missing request body")
    try:
        body: Object = await request.json()
    except ValueError as error:
        raise Refused(400, str(error)) from None
    return body


def guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as error:
            return JSONResponse({"error": error.error}, status_code=error.status)

    return handle


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free loopback port, in a thread; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started, "the test server did not start"
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def ollama_server(
    upstream: str = "http://127.0.0.1:9", headers: dict[str, str] | None = None, version: str = "0.40.2"
) -> Iterator[OllamaServer]:
    """A running Ollama server; its address is `url`. Without `upstream` only the models in FAULTS answer."""
    application = OllamaServer(upstream, headers, version)
    with serving(application.app()) as application.url:
        yield application
