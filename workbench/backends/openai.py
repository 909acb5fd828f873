"""OpenAI itself and every server that speaks its chat protocol, through langchain-openai."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import openai
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from workbench.backends import keys, openai_wire, scoring, vectors, wire
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
    NoticePart,
    Part,
    ReadingPart,
    TextPart,
    TokenLogprob,
)
from workbench.backends.guard import Guard
from workbench.backends.servers import Server, is_loopback
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
from workbench.settings import Settings

OPENAI_ITSELF = "https://api.openai.com/v1"
IDLE_SECONDS = 2.0
STATUS_SECONDS = 8.0
LOADING_SECONDS = 1.0  # between two questions whether a server has loaded its model
AT_ONCE = 16  # calls handed on at once: behind them a server has a queue of its own, which knows no sessions
NOT_CONFIGURED = "No OpenAI-compatible server is configured."
SET_UP_HINT = (
    "Set OPENAI_API_KEY in .env for OpenAI itself, or OPENAI_BASE_URL for another server,"
    " for example http://localhost:1234/v1."
)
ADDRESS_HINT = "Check {setting}: it usually ends in /v1."
CANNOT_SCORE = "The embedded engine and llama.cpp's own server do: choose one of them."
KEY_HINT = "Check OPENAI_API_KEY in .env."
# A server without keys still wants the header: the SDK refuses to send none.
_NO_KEY = "no-key-needed"
_WINDOW = re.compile(r"maximum context length (?:is|of) ([\d,]*\d)", re.IGNORECASE)
_OVERFLOW = re.compile(r"context (length|window|size)|prompt is too long", re.IGNORECASE)
_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_OPENAI_CHAT = re.compile(r"^(gpt-|chatgpt-|o\d)")
_OPENAI_OTHER = re.compile(r"audio|realtime|image|transcribe|tts|search|instruct")
_OPENAI_REASONING = re.compile(r"^(o\d|gpt-[5-9])")


def create(settings: Settings) -> "OpenAIBackend":
    """The backend for `settings.openai_base_url`, or for OpenAI itself when only a key is set."""
    url, key, model = settings.openai_base_url, settings.openai_api_key, settings.openai_model
    return OpenAIBackend(url, key, model, embedding_model=settings.embedding_model)


def create_for(server: Server, key: keys.Key, settings: Settings) -> "OpenAIBackend":
    """The backend for a server that a person has named."""
    named = settings.embedding_model
    return OpenAIBackend(server.address, SecretStr(""), server.model, key=key, server=server, embedding_model=named)


class _StillLoading(ServerFault):
    """The server loads its model, and will answer when it has."""


class _NoLogprobs(RequestRefused):
    """The server refuses a call only since it asks for log-probabilities."""


class _Chat(ChatOpenAI):
    """ChatOpenAI that keeps what compatible servers add to the protocol: reasoning, refusals, llama.cpp's figures."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        if chunk.get("object") == "error":  # vLLM's way; the SDK knows an `error` field alone
            raise openai.APIError(str(chunk.get("message")), request=None, body=chunk)  # type: ignore[arg-type]
        delta = next((choice.get("delta") or {} for choice in chunk.get("choices") or ()), {})
        delta.pop("role", None)  # whatever a server says there: an answer is the assistant's
        converted = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if converted is None:
            return None
        kept = {
            "reasoning": delta.get("reasoning_content") or delta.get("reasoning"),
            "refusal": delta.get("refusal"),
            "timings": chunk.get("timings"),
            "progress": chunk.get("prompt_progress"),
        }
        converted.message.additional_kwargs |= {name: value for name, value in kept.items() if value}
        return converted


class OpenAIBackend:
    """Models behind an OpenAI-compatible address."""

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        model: str = "",
        *,
        key: keys.Key | None = None,
        server: Server | None = None,
        embedding_model: str = "",
    ) -> None:
        """Connect to nothing yet. A named `server` has its own `key`, which may have to be read first."""
        self._configured = bool(base_url or api_key.get_secret_value())
        self._url = base_url.strip() or OPENAI_ITSELF
        self._key = key or keys.given(api_key, "OPENAI_API_KEY", KEY_HINT)
        self._server = server
        self._setting = server.setting if server else "OPENAI_BASE_URL in .env"
        self._address_hint = ADDRESS_HINT.format(setting=self._setting)
        self._guard = Guard(self._url, self._key, self._setting)
        self._model = model
        self._embedding_model = embedding_model
        self._is_llama_cpp = False
        self._without_logprobs: set[str] = set()

    @property
    def fixes_window(self) -> bool:
        """Its protocol has no field for the window."""
        return True

    @property
    def name(self) -> str:
        """What requests call it."""
        return self._server.id if self._server else "openai"

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self._server.name} (OpenAI-compatible)" if self._server else "OpenAI-compatible"

    @property
    def slots(self) -> int | None:
        """As many as a cloud takes at once without complaint; a server at home queues the rest by itself."""
        return AT_ONCE

    @property
    def default_model(self) -> str:
        """OPENAI_MODEL, or the named server's own."""
        return self._model

    async def status(self) -> BackendStatus:
        """Whether a server is configured and answers."""
        if not self._configured:
            return BackendStatus(ready=False, detail=NOT_CONFIGURED, hint=SET_UP_HINT)
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                models = await self.models()
        except TimeoutError:
            detail = f"{self._where} did not answer within {STATUS_SECONDS:.0f} seconds."
            return BackendStatus(ready=False, detail=detail, hint=self._address_hint)
        except BackendError as error:
            return BackendStatus(ready=False, detail=error.message, hint=error.hint)
        if not models:
            detail, hint = f"{self._where} has no model.", "Load a model there."
            return BackendStatus(ready=False, detail=detail, hint=hint, empty=True)
        return BackendStatus(ready=True, detail=f"{self._where}, {len(models)} model{'s' if len(models) > 1 else ''}")

    async def models(self) -> list[ModelInfo]:
        """The server's chat models; of one that cannot list them, the one that OPENAI_MODEL names."""
        self._check_configured()
        with self._mapped():
            try:
                listed = [item.model_dump() for item in (await self._sdk.models.list()).data]
            except openai.NotFoundError:
                if not self._model:
                    raise
                listed = [{"id": self._model}]
        itself = self._url == OPENAI_ITSELF
        self._is_llama_cpp = any(item.get("owned_by") == "llamacpp" for item in listed)
        return [_info(item, self._where) for item in listed if not itself or _chats(item["id"])]

    def _check_configured(self) -> None:
        """Nobody is asked unless a person has named a server or a key."""
        if not self._configured:
            raise BackendUnreachable(NOT_CONFIGURED, SET_UP_HINT)

    async def model(self, name: str) -> ModelInfo:
        """One model. Raises ModelMissing; a server that is busy or silent for now will say so to the call itself."""
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                listed = await self.models()
        except (RateLimited, ServerFault, TimeoutError):
            return _info({"id": name}, self._where)
        for info in listed:
            if info.name == name:
                return info
        raise self._missing(name)

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Tokens of the prompt where llama.cpp serves the model; None elsewhere: the protocol has no request for it."""
        if not self._is_llama_cpp:
            return None
        try:
            with self._mapped():
                prompt = await self._ask_llama_cpp("/apply-template", openai_wire.prompt_body(request))
                wanted = {"content": prompt["prompt"], "add_special": True, "parse_special": True}
                return len((await self._ask_llama_cpp("/tokenize", wanted))["tokens"])
        except BackendError:
            return None  # a proxy may pass on nothing but /v1

    async def score(self, request: ChatRequest, answer: str) -> tuple[TokenLogprob, ...]:
        """The probabilities of a given answer's tokens, where llama.cpp serves the model."""
        prompt, count = openai_wire.prompt_body(request), request.top_logprobs
        await self._check_scores(request.model)
        with self._mapped(request.model):
            return await scoring.score(self._ask_llama_cpp, prompt, answer, count)

    async def next_tokens(self, request: ChatRequest, begun: str) -> tuple[tuple[str, float], ...]:
        """The likeliest tokens after an answer that has begun so, where llama.cpp serves the model."""
        prompt, count = openai_wire.prompt_body(request), request.top_logprobs
        await self._check_scores(request.model)
        with self._mapped(request.model):
            found = await scoring.next_tokens(self._ask_llama_cpp, prompt, begun, count)
        return tuple((self._guard.mask(text), logprob) for text, logprob in found)

    async def _check_scores(self, model: str) -> None:
        """Raise RequestRefused unless llama.cpp serves the model: others have no request for a given text."""
        self._check_configured()
        await self.model(model)  # which also finds out who serves
        if not self._is_llama_cpp:
            raise RequestRefused(f"{self._where} does not tell the probabilities of a given text.", CANNOT_SCORE)

    async def _ask_llama_cpp(self, path: str, body: dict[str, Any]) -> Any:
        root = self._url.rstrip("/").removesuffix("/v1")
        return await self._sdk.post(root + path, cast_to=object, body=body)

    async def embedding_model(self) -> str:
        """WORKBENCH_EMBEDDING_MODEL; else, of a server on this machine alone, the first whose name says that it embeds.

        Its protocol does not tell what a model can.
        """
        self._check_configured()
        if self._embedding_model:
            return self._embedding_model
        if not is_loopback(self._url):
            raise vectors.not_named(self._where)
        with self._mapped():
            names = [item.id for item in (await self._sdk.models.list()).data]
        for name in names:
            if "embed" in name.lower():
                return name
        message = f"{self._where} lists no model whose name says that it embeds."
        raise ModelMissing(message, "If it has one, set WORKBENCH_EMBEDDING_MODEL in .env.")

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        """Vectors by an embedding model of the server."""
        name = model or await self.embedding_model()
        with self._mapped(name):
            wanted = vectors.sendable(texts)
            answer = await self._sdk.embeddings.create(input=wanted, model=name, encoding_format="float")
            found = sorted(answer.data, key=lambda item: item.index)
            return Embeddings(name, vectors.units([item.embedding for item in found], texts))

    def chat(self, request: ChatRequest) -> AsyncIterator[Part]:
        """Stream one answer."""
        return self._guard.clean(self._chat(request))

    async def _chat(self, request: ChatRequest) -> AsyncGenerator[Part, None]:
        """The answer; while a server says that it loads its model, ask again until it has."""
        self._check_configured()
        began, load_seconds, heard = time.monotonic(), None, False
        while True:
            if request.model in self._without_logprobs:
                request = request.model_copy(update={"top_logprobs": 0})
            try:
                async with aclosing(self._answer(request, load_seconds)) as parts:
                    async for part in parts:
                        heard = heard or isinstance(part, TextPart)
                        yield part
                return
            except _StillLoading:
                if heard:
                    raise
                yield LoadingPart(stage="load")
                await asyncio.sleep(LOADING_SECONDS)
                load_seconds = time.monotonic() - began
            except _NoLogprobs as refusal:
                if heard or not request.top_logprobs:
                    raise
                self._without_logprobs.add(request.model)
                yield NoticePart(code="logprobs_missing", message=f"No confidence is shown. {refusal.message}")

    async def _answer(self, request: ChatRequest, load_seconds: float | None) -> AsyncGenerator[Part, None]:
        answer = _Answer(load_seconds)
        with self._mapped(request.model):
            async with aclosing(self._chunks(request)) as chunks:
                async for chunk in chunks:
                    for part in answer.take(chunk):
                        yield part
            for part in answer.unreadable_calls():
                yield part
            yield answer.finished()

    async def close(self) -> None:
        """Close the connections. The backend can be used again afterwards."""
        sdk = self.__dict__.pop("_sdk", None)
        if sdk is not None:
            await sdk.close()

    @property
    def _where(self) -> str:
        return "OpenAI" if self._url == OPENAI_ITSELF else f"The server at {wire.shown(self._url)}"

    @cached_property
    def _sdk(self) -> openai.AsyncOpenAI:
        _check_address(self._url)
        sdk = openai.AsyncOpenAI(
            base_url=self._url,
            api_key=_NO_KEY,  # the guard puts the real one in its place
            # Retries have one policy, elsewhere. A slow machine reads a long prompt for minutes: no read timeout.
            max_retries=0,
            timeout=openai.Timeout(None, connect=wire.CONNECT_SECONDS),
            # A proxy named in the environment never knows the way to this machine's own loopback.
            http_client=openai.DefaultAsyncHttpxClient(
                trust_env=not is_loopback(self._url),
                headers=wire.PLAIN,
                event_hooks=self._guard.hooks(),
                # llama.cpp closes a connection that is idle for 5 s: one that old is not tried again.
                limits=type(openai.DEFAULT_CONNECTION_LIMITS)(keepalive_expiry=IDLE_SECONDS),
            ),
            default_headers=wire.PLAIN,
        )
        if self._server:  # what the environment says of an account at OpenAI is not for a server of another name
            sdk.organization, sdk.project, sdk._custom_headers = None, None, wire.PLAIN
        return sdk

    def _chat_model(self, name: str) -> _Chat:
        return _Chat(
            model=name,
            base_url=self._url,
            api_key=SecretStr(_NO_KEY),
            async_client=self._sdk.chat.completions,
            root_async_client=self._sdk,
            max_retries=0,
            stream_usage=True,
            stream_chunk_timeout=None,
            use_responses_api=False,
        )

    async def _chunks(self, request: ChatRequest) -> AsyncGenerator[ChatGenerationChunk, None]:
        model = self._chat_model(request.model)
        messages = [_message(message) for message in request.messages]
        # The public astream keeps every chunk until the end; for an answer without an end that is too much.
        stream = model._astream(messages, **self._parameters(request))
        async with aclosing(stream) as chunks:  # type: ignore[type-var]
            heard = False
            async for chunk in chunks:
                heard = True
                yield chunk
        if not heard:
            raise ValueError("an event stream without events")

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        given = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "stop": list(request.stop) or None,
            "logprobs": True if request.top_logprobs else None,
            "top_logprobs": request.top_logprobs or None,
            "tools": [{"type": "function", "function": tool.model_dump()} for tool in request.tools] or None,
            "extra_body": self._extra_body(request) or None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _extra_body(self, request: ChatRequest) -> dict[str, Any]:
        """What LangChain must not see.

        It parses a response_format itself and fails on an answer that the token limit cut; and it renames max_tokens
        to a name that only OpenAI's own newer models insist on and older compatible servers ignore.
        """
        extra: dict[str, Any] = {}
        if self._is_llama_cpp:
            # It tells how far the prompt is read, and without it does not notice meanwhile that we hung up.
            extra["return_progress"] = True
        if request.max_tokens is not None:
            itself = self._url == OPENAI_ITSELF
            extra["max_completion_tokens" if itself else "max_tokens"] = request.max_tokens
        if request.enforced_schema is not None:
            schema = {"name": "answer", "schema": request.enforced_schema}
            extra["response_format"] = {"type": "json_schema", "json_schema": schema}
        return extra

    @contextmanager
    def _mapped(self, model: str = "") -> Iterator[None]:
        try:
            yield
        except openai.APIError as error:
            raise self._map(error, model) from error
        except wire.UNFIT as error:
            raise WrongServer(
                f"What answers at {wire.shown(self._url)} does not speak OpenAI's protocol.", self._address_hint
            ) from error

    def _map(self, error: openai.APIError, model: str) -> BackendError:
        if isinstance(error, openai.APIStatusError):
            return self._map_status(error, error.status_code, wire.retry_after(error.response.headers), model)
        if isinstance(error, openai.APIConnectionError):
            if _never_connected(error):
                return BackendUnreachable(f"{self._where} does not answer.", f"Start it. {self._address_hint}")
            return StreamBroken("The connection broke before the answer ended.", "Run it again.")
        return self._map_status(error, _status_in(error), None, model)

    def _map_status(self, error: openai.APIError, status: int, wait: float | None, model: str) -> BackendError:
        said = self._said(error)
        if status in (401, 403):
            had_key = bool(self._key.ever)
            self._key.forget()
            return AuthenticationFailed(
                f"{self._where} refused the key." if had_key else f"{self._where} wants a key.", self._key.hint
            )
        if status == 402 or "insufficient_quota" in (error.code, error.type):
            return QuotaExceeded(f"{self._where} says that the account is out of credit.", "Add credit to the account.")
        if status == 429:
            return RateLimited(f"{self._where} asks to wait: {said}", wire.come_back(wait), retry_after=wait)
        if status == 404:
            return self._not_found(error, model)
        if overflow := _overflow(error):
            return overflow
        if status >= 500:
            loading = status == 503 and "loading model" in said.lower()
            kind = _StillLoading if loading else ServerFault
            return kind(f"{self._where} failed: {said}", "Run it again.", retry_after=wait)
        return self._refused(error, said)

    def _not_found(self, error: openai.APIError, model: str) -> BackendError:
        if model and (error.code == "model_not_found" or "model" in error.message.lower()):
            return self._missing(model)
        return RequestRefused(f"{self._where} has no chat service there.", self._address_hint)

    def _missing(self, model: str) -> ModelMissing:
        return ModelMissing(f"{self._where} does not have the model {model}.", "Choose another one under Models.")

    def _refused(self, error: openai.APIError, said: str) -> BackendError:
        if error.code in ("content_filter", "content_policy_violation"):
            return ContentRefused(f"{self._where} withheld the answer: {said}", "Put the question in other words.")
        kind = _NoLogprobs if "logprobs" in said else RequestRefused
        return kind(f"{self._where} refused the request: {said}", "Check the model's settings.")

    def _said(self, error: openai.APIError) -> str:
        """The server's own words, short, and without the key."""
        said = error.body.get("message") if isinstance(error.body, Mapping) else error.body
        text = self._guard.mask(str(said or error.message))
        return text if len(text) <= 300 else f"{text[:300]}…"


class _Answer:
    """Gathers the chunks of one answer."""

    def __init__(self, load_seconds: float | None) -> None:
        self._load_seconds = load_seconds
        self._began = time.monotonic()
        self._first: float | None = None
        self._last: float | None = None
        self._texts: dict[str, list[str]] = {"text": [], "thinking": [], "refusal": []}
        self._calls: dict[int, dict[str, str]] = {}
        self._logprobs: list[TokenLogprob] = []
        self._usage: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}
        self._finish = ""

    def take(self, generated: ChatGenerationChunk) -> Iterator[TextPart | ReadingPart]:
        """Keep a chunk and say what it adds."""
        chunk, told = generated.message, generated.generation_info or {}
        assert isinstance(chunk, AIMessageChunk)
        if progress := chunk.additional_kwargs.get("progress"):
            yield ReadingPart(read=progress["processed"], cached=progress["cache"], total=progress["total"])
        self._usage = chunk.usage_metadata or self._usage
        self._timings = chunk.additional_kwargs.get("timings") or self._timings
        self._finish = told.get("finish_reason") or self._finish
        self._note_logprobs(told.get("logprobs") or {})
        self._texts["refusal"].append(chunk.additional_kwargs.get("refusal", ""))
        for part in self._parts(chunk):
            self._last = time.monotonic() - self._began
            self._first = self._last if self._first is None else self._first
            yield part

    def _parts(self, chunk: AIMessageChunk) -> Iterator[TextPart]:
        if thinking := chunk.additional_kwargs.get("reasoning"):
            self._texts["thinking"].append(thinking)
            yield TextPart(text=thinking, channel="thinking")
        if text := str(chunk.text):  # LangChain's own kind of string cannot hold half of a surrogate pair
            self._texts["text"].append(text)
            yield TextPart(text=text)
        for piece in chunk.tool_call_chunks:
            known = self._calls.setdefault(piece.get("index") or 0, {"id": "", "name": "", "args": ""})
            for field in known:
                known[field] += piece.get(field) or ""  # type: ignore[operator]
            if told := " ".join(filter(None, (piece.get("name"), piece.get("args")))):
                yield TextPart(text=told, channel="tool")

    def _note_logprobs(self, found: Mapping[str, Any]) -> None:
        for token in found.get("content") or ():
            top = tuple((other["token"], other["logprob"]) for other in token.get("top_logprobs") or ())
            self._logprobs.append(TokenLogprob(token=token["token"], logprob=token["logprob"], top=top))

    def unreadable_calls(self) -> Iterator[TextPart]:
        """Tool calls whose arguments are no JSON object, as the text that the model wrote: nothing is guessed."""
        for call in self._calls.values():
            if _arguments(call["args"]) is None:
                text = f"{call['name']} {call['args']}"
                self._texts["text"].append(text)
                yield TextPart(text=text)

    def finished(self) -> AnswerPart:
        """The whole answer. Raises StreamBroken when it has no end, ContentRefused when the model declined."""
        if not self._finish:
            raise StreamBroken(
                "The answer stopped before its end.", "Run it again; the server's log says why it stopped."
            )
        if refusal := "".join(self._texts["refusal"]):
            raise ContentRefused(f"The model declined to answer: {refusal}", "Put the question in other words.")
        calls = self._readable_calls()
        return AnswerPart(
            text="".join(self._texts["text"]),
            thinking="".join(self._texts["thinking"]),
            tool_calls=calls,
            finish_reason=_FINISH.get(self._finish, "tool_calls" if calls else "stop"),
            prompt_tokens=self._usage.get("input_tokens"),
            completion_tokens=self._usage.get("output_tokens"),
            cached_tokens=(self._usage.get("input_token_details") or {}).get("cache_read"),
            load_seconds=self._load_seconds,
            prefill_seconds=_seconds(self._timings.get("prompt_ms")),
            decode_seconds=self._decode_seconds(),
            first_token_seconds=self._first,
            logprobs=tuple(self._logprobs) or None,
        )

    def _readable_calls(self) -> tuple[ToolCall, ...]:
        read = ((number, call, _arguments(call["args"])) for number, call in sorted(self._calls.items()))
        return tuple(
            ToolCall(id=call["id"] or f"call_{number}", name=call["name"], arguments=arguments)
            for number, call, arguments in read
            if arguments is not None
        )

    def _decode_seconds(self) -> float | None:
        """llama.cpp's own figure, else what was seen from here: from the first token to the last."""
        if "predicted_ms" in self._timings:
            return _seconds(self._timings["predicted_ms"])
        return None if self._first is None or self._last is None else self._last - self._first


def _message(message: Message) -> BaseMessage:
    if message.role == "system":
        return SystemMessage(message.content)
    if message.role == "user":
        return HumanMessage(message.content)
    if message.role == "tool":
        return ToolMessage(message.content, tool_call_id=message.tool_call_id)
    calls = [{"name": call.name, "args": call.arguments, "id": call.id} for call in message.tool_calls]
    return AIMessage(message.content, tool_calls=calls)


def _info(item: Mapping[str, Any], place: str) -> ModelInfo:
    """A model as /v1/models lists it; vLLM adds max_model_len, llama.cpp a `meta` with its slots' window."""
    meta = item.get("meta") or {}
    abilities: set[Capability] = {"schema", "tools", "seed"}
    reasons = bool(_OPENAI_REASONING.match(item["id"]))
    if not reasons:
        abilities.add("logprobs")
    parameters = meta.get("n_params")
    return ModelInfo(
        name=item["id"],
        place=place,
        size=meta.get("size"),
        context_window=item.get("max_model_len") or meta.get("n_ctx") or meta.get("n_ctx_train"),
        capabilities=frozenset(abilities),
        parameters=f"{parameters / 1e9:.1f}B" if parameters else "",
        quantisation=meta.get("ftype") or "",
        why_no_logprobs=f"{item['id']} gives no log-probabilities, as all models that reason." if reasons else "",
        why_not_the_same="A server takes the seed as a wish: it does not promise the same tokens.",
    )


def _chats(name: str) -> bool:
    """Whether a name in OpenAI's own long list is one of a chat model."""
    return bool(_OPENAI_CHAT.match(name)) and not _OPENAI_OTHER.search(name)


def _never_connected(error: BaseException) -> bool:
    """Whether the cause of an SDK error is that no connection came about."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol"):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _status_in(error: openai.APIError) -> int:
    """The HTTP status that an error object in a stream stands for: its code where it is one, else a fault's."""
    if re.fullmatch(r"[45]\d\d", code := str(error.code)):
        return int(code)
    return 400 if error.type == "invalid_request_error" else 500


def _overflow(error: openai.APIError) -> ContextOverflow | None:
    body = error.body if isinstance(error.body, Mapping) else {}
    kinds = {str(kind) for kind in (error.code, error.type, body.get("code"), body.get("type"))}
    if not kinds & {"context_length_exceeded", "exceed_context_size_error"} and not (
        _OVERFLOW.search(error.message) and re.search(r"exceed|maximum|too long", error.message, re.IGNORECASE)
    ):
        return None
    read, window = wire.whole(body.get("n_prompt_tokens")), wire.whole(body.get("n_ctx"))
    if not window and (said := _WINDOW.search(error.message)):
        window = int(said[1].replace(",", ""))
    sizes = f": {read:,} tokens, and the window holds {window:,}" if read and window else ""
    return ContextOverflow(
        f"The prompt is longer than the context window{sizes}.", prompt_tokens=read, context_window=window
    )


def _arguments(text: str) -> dict[str, Any] | None:
    with suppress(ValueError):
        value = json.loads(text or "{}")
        return value if isinstance(value, dict) else None
    return None


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _check_address(url: str) -> None:
    with suppress(ValueError):
        address = urlsplit(url)
        _ = address.port  # raises when it is no number
        if address.scheme in ("http", "https") and address.hostname:
            return
    raise BackendUnreachable(f"OPENAI_BASE_URL is not an address: {wire.shown(url)}.", SET_UP_HINT)
