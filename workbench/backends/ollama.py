"""Ollama through its official client: the native /api/chat, which tells durations, thinking and log-probabilities."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from functools import cached_property
from typing import Any

import httpx
import ollama
from pydantic import SecretStr

from workbench.backends import keys, vectors, wire
from workbench.backends.base import (
    AnswerPart,
    BackendStatus,
    Capability,
    ChatRequest,
    Embeddings,
    FinishReason,
    LoadingPart,
    Message,
    ModelInfo,
    Part,
    TextPart,
    TokenLogprob,
    ToolSpec,
)
from workbench.backends.guard import Guard
from workbench.backends.manage import full
from workbench.backends.ollama_manage import Managing, duration
from workbench.backends.servers import Server, is_loopback, whole
from workbench.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnreachable,
    ContextOverflow,
    EmptyAnswer,
    ModelMissing,
    ModelUnusable,
    RateLimited,
    RequestRefused,
    ServerFault,
    StreamBroken,
    WrongServer,
)
from workbench.events import ToolCall
from workbench.settings import Settings

QUIET_SECONDS = 1.0  # before a model that is not loaded is said to be loading, and between two times of saying so
STATUS_SECONDS = 5.0
DRAIN_SECONDS = 0.5  # for the stream to end after its final object
AT_ONCE = 4  # calls handed on at once: behind them Ollama has a queue of its own, which knows no sessions
LOGPROBS_SINCE = (0, 12, 11)
START_HINT = "Start it with `ollama serve` or open the Ollama app. If it runs elsewhere, set {setting}."
ADDRESS_HINT = "Correct {setting}, for example http://127.0.0.1:11434."
SIGN_IN_HINT = "Sign in with `ollama signin`."
_UNREACHABLE = (ConnectionError, httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
_NO_ROOM = re.compile(r"more system memory|unable to load model|out of memory", re.IGNORECASE)
_OVERFLOW = re.compile(r"exceeds? the (context length|available context size)|prompt too long", re.IGNORECASE)


def create(settings: Settings) -> "OllamaBackend":
    """The backend for `settings.ollama_host`. OLLAMA_API_KEY goes along only where nobody can read it on the way."""
    hint = "Sign in with `ollama signin`, or check OLLAMA_API_KEY in .env: it is sent to https addresses alone."
    key = keys.given(keys.of_ollama(settings), "OLLAMA_API_KEY", hint)
    host, model, keep_alive = settings.ollama_host, settings.ollama_model, settings.ollama_keep_alive
    return OllamaBackend(host, model, keep_alive, key=key, embedding_model=settings.embedding_model)


def create_for(server: Server, key: keys.Key, settings: Settings) -> "OllamaBackend":
    """The backend for a server that a person has named."""
    keep_alive = server.options.get("keep_alive", "")
    named = settings.embedding_model
    return OllamaBackend(server.address, server.model, keep_alive, key=key, server=server, embedding_model=named)


class _Client(ollama.AsyncClient):
    """The official client, with the two requests for which it has no method."""

    def __init__(self, host: str, **kwargs: Any) -> None:
        super().__init__(host, **kwargs)
        self._client.headers.pop("authorization", None)  # it sends OLLAMA_API_KEY to whatever host it is given

    async def stream_chat(self, payload: Mapping[str, Any]) -> AsyncGenerator[ollama.ChatResponse, None]:
        """Like `chat(stream=True)`, but with `truncate` and `shift`, which `chat` cannot send.

        It also keeps lines with U+2028 whole, and the Retry-After of a refusal.
        """
        async with self._client.stream("POST", "/api/chat", json=payload) as response:
            if response.is_error:
                await response.aread()
                raise _Refusal(response)
            lines = wire.lines(response)
            async for line in lines:
                if not line.strip():
                    continue
                found = json.loads(line)
                if error := found.get("error"):
                    raise ollama.ResponseError(str(error))
                chunk = ollama.ChatResponse(**found)
                yield chunk
                if chunk.done:
                    break
            await _drain(lines)

    async def version(self) -> str:
        """The server's version."""
        answer = await self._request_raw("GET", "/api/version")  # type: ignore[no-untyped-call]
        return str(answer.json()["version"])


async def _drain(lines: AsyncIterator[str]) -> None:
    """Read to the stream's end, so that its connection can be used again; one that stays open is not waited for."""
    with suppress(TimeoutError, httpx.HTTPError, BackendError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in lines:
                pass


class _Refusal(ollama.ResponseError):
    """An HTTP error, with the seconds that the server wants us to wait."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.text, response.status_code)
        self.retry_after = wire.retry_after(response.headers)


class OllamaBackend(Managing):
    """Models that run in an Ollama server."""

    def __init__(
        self,
        host: str,
        model: str = "",
        keep_alive: str = "",
        *,
        key: keys.Key | None = None,
        server: Server | None = None,
        embedding_model: str = "",
    ) -> None:
        """Connect to nothing yet: a wrong address is an error of the first call. `server` is the one named so."""
        super().__init__()
        self._host = client_address(host)
        self._model = model
        self._keep_alive = keep_alive
        self._embedding_model = embedding_model
        self._server = server
        self._setting = server.setting if server else "OLLAMA_HOST in .env"
        self._key = key or keys.given(SecretStr(""))
        self._guard = Guard(whole("ollama", self._host), self._key, self._setting)

    @property
    def name(self) -> str:
        """What requests call it."""
        return self._server.id if self._server else "ollama"

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self._server.name} (Ollama)" if self._server else "Ollama"

    @property
    def slots(self) -> int | None:
        """A few more than Ollama answers at once by default."""
        return AT_ONCE

    @property
    def default_model(self) -> str:
        """OLLAMA_MODEL, or the named server's own."""
        return self._model

    @property
    def address(self) -> str:
        """OLLAMA_HOST, as it may be shown."""
        return wire.shown(self._host)

    async def status(self) -> BackendStatus:
        """Whether Ollama answers and has a model."""
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                version, models = await self._version(), await self._tags()
        except TimeoutError:
            detail = f"Ollama at {wire.shown(self._host)} did not answer within {STATUS_SECONDS:.0f} seconds."
            return BackendStatus(ready=False, detail=detail, hint="Restart Ollama, then try again.")
        except BackendError as error:
            return BackendStatus(ready=False, detail=error.message, hint=error.hint)
        where = f"Ollama {version} at {wire.shown(self._host)}"
        if not models:
            hint = f"Fetch one, for example with `{self._pull('qwen2.5-coder:1.5b')}`."
            return BackendStatus(ready=False, detail=f"{where} has no model yet.", hint=hint, empty=True)
        return BackendStatus(ready=True, detail=f"{where}, {len(models)} model{'s' if len(models) != 1 else ''}")

    async def models(self) -> list[ModelInfo]:
        """The installed models that can chat."""
        return [info for info in await self.installed() if info.can_chat]

    async def installed(self) -> list[ModelInfo]:
        """All its models, those that only embed too."""
        tags, loaded, version = await asyncio.gather(self._tags(), self._loaded(), self._version())
        found = await asyncio.gather(*(self._described(tag, loaded, version) for tag in tags))
        return [info for info in found if info is not None]

    async def _described(
        self, tag: ollama.ListResponse.Model, loaded: Mapping[str, int | None], version: str
    ) -> ModelInfo | None:
        """A model, one that the server cannot describe too; None when it has been deleted meanwhile."""
        try:
            return await self._describe(tag, loaded, version)
        except ModelMissing:
            return None
        except (AuthenticationFailed, BackendUnreachable):
            raise  # that is no fault of the model
        except BackendError as error:
            return ModelInfo(name=tag.model or "", size=int(tag.size or 0) or None, wrong=error.message)

    async def model(self, name: str) -> ModelInfo:
        """One model; a name without a tag means its `latest`. Raises ModelMissing.

        What a server has that does not say so for long, it says to the call itself.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(STATUS_SECONDS):
                return await self._find(name)
        return ModelInfo(name=name, capabilities=_capabilities(None, logprobs=True))

    async def _find(self, name: str) -> ModelInfo:
        tag = next((tag for tag in await self._tags() if tag.model == full(name)), None)
        if tag is None:
            raise self._missing(name)
        info = await self._describe(tag, await self._loaded(), await self._version())
        if not info.can_chat:
            raise RequestRefused(f"{name} is not a chat model.", "Choose a model that writes text.")
        return info

    async def licence(self, name: str) -> str:
        """The licence that came with a model; empty where it is not known, or nothing answers in time."""
        with suppress(BackendError, TimeoutError):
            async with asyncio.timeout(STATUS_SECONDS):
                with self._mapped(name):
                    return (await self._client.show(name)).license or ""
        return ""

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """None: Ollama has no tokenizer endpoint."""
        return None

    async def embedding_model(self) -> str:
        """WORKBENCH_EMBEDDING_MODEL, else an installed model that says it embeds: of a server on this machine alone."""
        if self._embedding_model:
            return full(self._embedding_model)
        if not is_loopback(self._host):
            raise vectors.not_named(f"The Ollama server at {wire.shown(self._host)}")
        able = [info for info in await self.installed() if "embedding" in info.abilities]
        if not able:
            hint = f"Fetch one, for example with `{self._pull('nomic-embed-text')}`."
            raise ModelMissing(f"{self.title} has no embedding model.", hint)
        return min(able, key=lambda info: ("completion" in info.abilities, not info.loaded)).name

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        """Vectors by an embedding model of the server."""
        name = model or await self.embedding_model()
        with self._mapped(name):
            answer = await self._client.embed(name, vectors.sendable(texts), truncate=True)
            return Embeddings(name, vectors.units(answer.embeddings, texts))

    def chat(self, request: ChatRequest) -> AsyncIterator[Part]:
        """Stream one answer."""
        return self._guard.clean(self._answer(request))

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Part, None]:
        answer = _Answer()
        is_loaded = full(request.model) in await self._loaded()
        payload = self._payload(request, is_loaded)
        with self._mapped(request.model):
            async with (
                aclosing(self._client.stream_chat(payload)) as chunks,
                aclosing(_tell_of_loading(chunks, is_loaded)) as arrivals,
            ):
                async for arrival in arrivals:
                    for part in [arrival] if isinstance(arrival, LoadingPart) else answer.take(arrival):
                        yield part
        yield answer.finished(request.context_window or await self._window(request.model))

    def _payload(self, request: ChatRequest, is_loaded: bool) -> dict[str, Any]:
        """The request, with what the person has chosen for the model; how long it stays ends when it is unloaded."""
        name = full(request.model)
        if not is_loaded:
            self._kept.discard(name)
        if request.context_window is None:
            request = request.model_copy(update={"context_window": self._windows.get(name)})
        return _payload(request, "" if name in self._kept else self._keep_alive)

    async def close(self) -> None:
        """Close the connections. The backend can be used again afterwards."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            await client.close()

    @cached_property
    def _client(self) -> _Client:
        try:
            # A proxy named in the environment never knows the way to this machine's own loopback.
            own = is_loopback(self._host)
            return _Client(
                host=self._host,
                timeout=httpx.Timeout(None, connect=wire.CONNECT_SECONDS),
                trust_env=not own,
                headers=wire.PLAIN,
                event_hooks=self._guard.hooks(),
            )
        except (ValueError, httpx.InvalidURL) as error:
            raise BackendUnreachable(
                f"OLLAMA_HOST is not an address: {wire.shown(self._host)} ({error}).", self._hint(ADDRESS_HINT)
            ) from error

    @contextmanager
    def _mapped(self, model: str = "") -> Iterator[None]:
        try:
            yield
        except (ollama.ResponseError, OSError, httpx.HTTPError, httpx.InvalidURL, *wire.UNFIT) as error:
            raise self._guard.masked(self._map(error, model)) from error

    def _hint(self, template: str) -> str:
        return template.format(setting=self._setting)

    def _map(self, error: Exception, model: str) -> BackendError:
        host = wire.shown(self._host)
        if isinstance(error, ollama.ResponseError):
            if error.status_code in (401, 403):
                self._key.forget()
                return AuthenticationFailed(f"Ollama refused access: {error.error}", self._key.hint or SIGN_IN_HINT)
            if error.status_code == 404 and model and "model" in str(error.error):
                return self._missing(model)
            return _map_response(error, model)
        if isinstance(error, _UNREACHABLE):
            return BackendUnreachable(f"Ollama does not answer at {host}.", self._hint(START_HINT))
        if isinstance(error, httpx.TransportError | OSError):
            return StreamBroken(
                "The connection to Ollama broke before its answer ended.", "Run it again; Ollama's own log says why."
            )
        return WrongServer(f"What answers at {host} does not speak Ollama's protocol.", self._hint(ADDRESS_HINT))

    def _missing(self, model: str) -> ModelMissing:
        return ModelMissing(f"{self.title} does not have the model {model}.", f"Fetch it with `{self._pull(model)}`.")

    def _pull(self, model: str) -> str:
        """The command that fetches a model: Ollama's own one asks the server that it knows alone."""
        named = self._server
        return f"python -m workbench models pull {model} --server {named.name}" if named else f"ollama pull {model}"

    async def _version(self) -> str:
        with self._mapped():
            return await self._client.version()

    async def _tags(self) -> list[ollama.ListResponse.Model]:
        with self._mapped():
            return list((await self._client.list()).models)

    async def _loaded(self) -> dict[str, int | None]:
        """The loaded models and their context windows."""
        with self._mapped():
            running = (await self._client.ps()).models
        return {model.model or "": model.context_length for model in running}

    async def _window(self, model: str) -> int | None:
        """The window of a loaded model; None when it cannot be told. Where none is asked for Ollama chooses it."""
        with suppress(BackendError):
            loaded = await self._loaded()
            return loaded.get(full(model))
        return None

    async def _describe(
        self, tag: ollama.ListResponse.Model, loaded: Mapping[str, int | None], version: str
    ) -> ModelInfo:
        name = tag.model or ""
        with self._mapped(name):
            shown = await self._client.show(name)
        details, facts = tag.details, shown.modelinfo or {}
        logprobs = _gives_logprobs(version)
        return ModelInfo(
            name=name,
            size=int(tag.size) if tag.size is not None else None,
            context_window=facts.get(f"{facts.get('general.architecture')}.context_length"),
            trained_window=facts.get(f"{facts.get('general.architecture')}.context_length"),
            capabilities=_capabilities(shown.capabilities, logprobs),
            digest=tag.digest or "",
            family=(details and details.family) or "",
            parameters=(details and details.parameter_size) or "",
            quantisation=(details and details.quantization_level) or "",
            modified=tag.modified_at.isoformat(timespec="seconds") if tag.modified_at else "",
            abilities=tuple(shown.capabilities or ()),
            loaded=name in loaded,
            why_no_logprobs="" if logprobs else f"Ollama {version} gives no log-probabilities; 0.12.11 and later do.",
            why_not_the_same="Ollama computes the last digits differently when its cache knows a part of the prompt.",
        )


class _Answer:
    """Gathers the chunks of one answer."""

    def __init__(self) -> None:
        self.last: ollama.ChatResponse | None = None
        self._began = time.monotonic()
        self._first: float | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []

    def take(self, chunk: ollama.ChatResponse) -> Iterator[TextPart]:
        """Keep a chunk and say what it adds."""
        self.last = chunk
        message = chunk.message
        if self._first is None and (message.content or message.thinking or message.tool_calls):
            self._first = time.monotonic() - self._began
        if message.thinking:
            self._thinking.append(message.thinking)
            yield TextPart(text=message.thinking, channel="thinking")
        if message.content:
            self._text.append(message.content)
            yield TextPart(text=message.content)
        for made in message.tool_calls or ():
            call = ToolCall(
                id=f"call_{len(self._calls)}", name=made.function.name, arguments=dict(made.function.arguments)
            )
            self._calls.append(call)
            yield TextPart(text=json.dumps({call.name: call.arguments}, ensure_ascii=False), channel="tool")
        self._logprobs += [_logprob(token) for token in chunk.logprobs or ()]

    def finished(self, window: int | None) -> AnswerPart:
        """The whole answer. Raises StreamBroken when its last chunk never came, EmptyAnswer when it only loaded."""
        last = self.last
        if last is None or not last.done:
            raise StreamBroken(
                "Ollama's answer stopped before its end.", "Run it again; Ollama's own log says why it stopped."
            )
        if last.done_reason in ("load", "unload") and not self._text:
            raise EmptyAnswer(f"Ollama only {last.done_reason}ed the model and wrote no answer.", "Run it again.")
        return AnswerPart(
            text="".join(self._text),
            thinking="".join(self._thinking),
            tool_calls=tuple(self._calls),
            finish_reason=_finish_reason(last.done_reason, bool(self._calls)),
            prompt_tokens=last.prompt_eval_count,
            completion_tokens=last.eval_count,
            load_seconds=_seconds(last.load_duration),
            prefill_seconds=_seconds(last.prompt_eval_duration),
            decode_seconds=_seconds(last.eval_duration),
            first_token_seconds=self._first,
            logprobs=tuple(self._logprobs) or None,
            context_window=window,
        )


async def _tell_of_loading(
    chunks: AsyncIterator[ollama.ChatResponse], is_loaded: bool
) -> AsyncGenerator[LoadingPart | ollama.ChatResponse, None]:
    """The chunks; before them, about once a second, a LoadingPart when the model was not loaded."""
    first = asyncio.ensure_future(anext(chunks, None))
    try:
        while not is_loaded and not (await asyncio.wait({first}, timeout=QUIET_SECONDS))[0]:
            yield LoadingPart(stage="load")
        chunk = await first
    finally:
        if not first.done():
            first.cancel()
            with suppress(asyncio.CancelledError):
                await first
    if chunk is not None:
        yield chunk
    async for chunk in chunks:
        yield chunk


def client_address(host: str) -> str:
    """OLLAMA_HOST as a client uses it: the server's "every interface" (0.0.0.0, [::]) becomes this machine."""
    for every, this in (("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]")):
        if re.fullmatch(rf"(\w+://)?{re.escape(every)}(:\d+)?/?", host.strip()):
            return host.strip().replace(every, this)
    return host.strip()


def _payload(request: ChatRequest, keep_alive: str) -> dict[str, Any]:
    options = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "num_predict": request.max_tokens,
        "num_ctx": request.context_window,
        "stop": list(request.stop) or None,
    }
    optional = {
        "format": request.enforced_schema,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "think": request.think,
        "logprobs": True if request.top_logprobs else None,
        "top_logprobs": request.top_logprobs or None,
        "keep_alive": duration(keep_alive),
    }
    return {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        # Left to itself Ollama drops the beginning of a prompt that is too long and says nothing.
        "truncate": False,
        "shift": False,
        "options": {key: value for key, value in options.items() if value is not None},
        **{key: value for key, value in optional.items() if value is not None},
    }


def _message(message: Message) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    if message.role == "tool" and message.name:
        sent["tool_name"] = message.name
    return sent


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"type": "function", "function": tool.model_dump()}


def _gives_logprobs(version: str) -> bool:
    numbers = re.findall(r"\d+", version)
    # 0.0.0 is how a server built from source calls itself.
    return tuple(map(int, numbers[:3])) >= LOGPROBS_SINCE or set(numbers[:3]) == {"0"}


def _capabilities(abilities: Collection[str] | None, logprobs: bool) -> frozenset[Capability]:
    if abilities and "completion" not in abilities:
        return frozenset()
    abilities = abilities or ()
    found: set[Capability] = {"schema", "seed"}
    if "tools" in abilities:
        found.add("tools")
    if "thinking" in abilities:
        found.add("thinking")
    if logprobs:
        found.add("logprobs")
    return frozenset(found)


def _logprob(token: Any) -> TokenLogprob:
    top = tuple((other.token, other.logprob) for other in token.top_logprobs or ())
    return TokenLogprob(token=token.token, logprob=token.logprob, top=top)


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _finish_reason(reason: str | None, calls: bool) -> FinishReason:
    if reason == "length":
        return "length"
    return "tool_calls" if calls else "stop"


def _map_response(error: ollama.ResponseError, model: str) -> BackendError:
    text, status, wait = str(error.error), error.status_code, getattr(error, "retry_after", None)
    if _OVERFLOW.search(text):
        return _overflow(text)
    if _NO_ROOM.search(text):
        return ModelUnusable(f"Ollama cannot load {model}: {text}", "Choose a smaller model or context window.")
    if status == 429:
        return RateLimited(f"Ollama asks to wait: {text}", wire.come_back(wait), retry_after=wait)
    if 400 <= status < 500:
        return RequestRefused(f"Ollama refused the request: {text}", _refusal_hint(text))
    return ServerFault(f"Ollama failed: {text}", "Run it again; Ollama's own log says why.", retry_after=wait)


def _refusal_hint(text: str) -> str:
    if "does not support tools" in text:
        return "Choose a model with tool calling, or a dialect that does without."
    if "does not support thinking" in text:
        return "Turn thinking off under Model settings, or choose a thinking model."
    return "Check the model and its settings."


def _overflow(text: str) -> ContextOverflow:
    """Newer servers put llama.cpp's error object, as a string, into their own; older ones say a bare sentence."""
    detail: dict[str, Any] = {}
    with suppress(ValueError, KeyError, TypeError):
        detail = dict(json.loads(text)["error"])
    read, window = wire.whole(detail.get("n_prompt_tokens")), wire.whole(detail.get("n_ctx"))
    sizes = f": {read:,} tokens, and the window holds {window:,}" if read and window else ""
    return ContextOverflow(
        f"The prompt is longer than the context window{sizes}.", prompt_tokens=read, context_window=window
    )
