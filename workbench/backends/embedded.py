"""The embedded backend: llama.cpp in a supervised child process, started on first use, one model at a time."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx

from workbench.backends import embedding_engine, gguf, memory, model_files, openai_wire, scoring, sizes, wire
from workbench.backends.base import (
    AnswerPart,
    BackendStatus,
    Capability,
    ChatRequest,
    Embeddings,
    LoadingPart,
    ModelInfo,
    NoticePart,
    Part,
    TokenLogprob,
)
from workbench.backends.fetch import MODELS, Downloads, pinned, remembered, verified, wrong
from workbench.backends.llama_process import MOST_CACHE_MIB, Launch, LlamaProcess, serving
from workbench.errors import BackendError, EngineCrashed, InvalidRequest, ModelMissing, StreamBroken
from workbench.settings import Settings

Result = TypeVar("Result")
LOADING_SECONDS = 1.0
FETCH_POLL_SECONDS = 0.1
SETTLE_SECONDS = 0.5
SETTLE_POLL_SECONDS = 0.02
_ALWAYS: frozenset[Capability] = frozenset({"schema", "logprobs", "seed", "exact"})
_NOT_THE_SAME = (
    "The engine computes the last digits differently when a part of the prompt comes from its cache, or when another"
    " call runs beside. Turn the prompt cache off under Model settings for the same tokens."
)
_LESS_MEMORY = (
    "Choose a smaller context window{}, fewer slots or a smaller model under Models, or close other programs."
)
_ONLY_COMPARES = "It is an embedding model: the tool search compares texts with it, and it writes none."
_LATER_SPLIT = re.compile(r"-\d{5}-of-\d{5}$")
# Their templates announce tools, but they write a call as plain JSON in the text: tool_calls would stay empty.
_WRITE_CALLS_AS_TEXT = ("qwen2.5 coder", "qwen2.5-coder")


@dataclass(frozen=True)
class Running:
    """The engine's process as it is now; `resident` bytes in memory, `own` of them not pages of the model's file.

    `outdated` says that other sizes were set since: it is started afresh for the next call.
    """

    pid: int
    model: str
    context: int
    slots: int
    threads: int
    resident: int
    own: int
    outdated: bool


def create(settings: Settings) -> "EmbeddedBackend":
    """The embedded backend; nothing is started or fetched yet."""
    return EmbeddedBackend(settings)


class EmbeddedBackend:
    """llama.cpp's own server as a child process, spoken to in the OpenAI protocol."""

    name: ClassVar[str] = "embedded"
    title: ClassVar[str] = "Embedded (llama.cpp)"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.downloads = Downloads(settings.models_path)
        self.checks = model_files.Checks()
        self._given = settings
        self._process: LlamaProcess | None = None
        self._started_with: Settings | None = None
        self._starting: Path | None = None
        self._short: NoticePart | None = None  # what the person should know of the running process's memory
        self._gate = asyncio.Lock()  # first come, first served: whoever waits for another model is not overtaken
        self._idle = asyncio.Event()
        self._idle.set()
        self._running = 0
        self._vectors = embedding_engine.EmbeddingEngine(lambda: self.settings)
        self._broken_off = float("-inf")  # when a call last ended before its answer, on time.monotonic's clock

    @property
    def slots(self) -> int | None:
        """How many calls run at once."""
        return self.settings.embedded_slots

    @property
    def default_model(self) -> str:
        """The model of the settings: a pinned one, or a path."""
        return self.settings.embedded_model

    def prefer(self, values: Mapping[str, Any]) -> None:
        """Have these sizes over those of the settings; a running engine gets them when it is idle.

        Raises InvalidRequest.
        """
        self.settings = sizes.applied(sizes.read(values), self._given)

    @property
    def given(self) -> sizes.Sizes:
        """The sizes that hold where the person has set none."""
        return sizes.of(self._given)

    @property
    def pid(self) -> int | None:
        """The engine's process id; None when none runs."""
        return self._process.pid if self._process and self._process.alive else None

    def running(self) -> Running | None:
        """The engine's process; None when none runs."""
        process = self._process
        if process is None or not process.alive:
            return None
        launch, pid = process.launch, process.pid
        counts = memory.resident(pid), memory.own(pid)
        name = self._name(launch.model)
        return Running(pid, name, launch.context, launch.slots, launch.threads, *counts, self._is_outdated())

    def address(self) -> tuple[str, str]:
        """The running engine's URL and Authorization header, for other clients. Raises EngineCrashed when none runs."""
        if self._process is None or not self._process.alive:
            raise EngineCrashed("The embedded engine is not running.")
        client = self._process.client
        return str(client.base_url).rstrip("/"), client.headers["Authorization"]

    async def status(self) -> BackendStatus:
        """Ready when the engine is installed and its default model is there or can be fetched."""
        try:
            engine = f"llama.cpp (xllamacpp {version('xllamacpp')})"
        except PackageNotFoundError:
            return BackendStatus(ready=False, detail="The package xllamacpp is missing.", hint="Run `make setup`.")
        try:
            model = await self.model(self.default_model)
        except BackendError as error:
            return BackendStatus(ready=False, detail=error.message, hint=error.hint)
        download = self.downloads.get(model.name)
        failed = download.snapshot().error if download else None
        if failed and not model.installed:
            return BackendStatus(ready=False, detail=failed.message, hint=failed.hint)
        if not model.installed:
            size = f"{(model.size or 0) / 1e9:.1f} GB"
            return BackendStatus(ready=True, detail=f"{engine}; {model.name} ({size}) is fetched at its first use.")
        return BackendStatus(ready=True, detail=f"{engine}; {model.name} is ready.")

    async def models(self) -> list[ModelInfo]:
        """The pinned models, the model files in the models folder, and the settings' own."""
        names = [model.name for model in MODELS]
        names += sorted(_names_in(self.settings.models_path) - set(names))
        if self.default_model not in names:
            names.append(self.default_model)
        return await asyncio.gather(*map(self._listed, names))

    async def model(self, name: str) -> ModelInfo:
        """One model: pinned, by file name in the models folder, or by path. Raises ModelMissing, ModelUnusable."""
        return await asyncio.to_thread(self._describe, name)

    async def memory_for(self, name: str, context: int) -> int | None:
        """Bytes that the model takes in all with such a window in every slot; None for one that is not here.

        A window beyond what the model was trained for is held to that, as a call would be.
        """
        try:
            return (await asyncio.to_thread(self.needs, name, context)).total
        except (BackendError, OSError):
            return None

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Tokens of the prompt as the model gets it; None while the engine does not serve that model."""
        try:
            process = self._loaded(self._path(request.model))
            if not process:
                return None
            return await _count(process, request)
        except (httpx.HTTPError, BackendError):
            return None  # the call itself will say what is wrong

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Part, None]:
        """Stream one answer; the model is fetched and loaded first if need be."""
        admission = asyncio.create_task(self._admit(request))
        try:
            async with aclosing(self._follow(admission, request.model)) as waited:
                async for loading in waited:
                    yield loading
            process, load_seconds = admission.result()
            if self._short:
                yield self._short
            async with aclosing(self._answer(process, request, load_seconds)) as parts:
                async for answered in parts:
                    yield answered
        finally:
            await self._leave(admission)

    async def score(self, request: ChatRequest, answer: str) -> tuple[TokenLogprob, ...]:
        """The probabilities of a given answer's tokens."""
        prompt, count = openai_wire.prompt_body(request), request.top_logprobs
        return await self._told(request, lambda post: scoring.score(post, prompt, answer, count))

    async def next_tokens(self, request: ChatRequest, begun: str) -> tuple[tuple[str, float], ...]:
        """The likeliest tokens after an answer that has begun so."""
        prompt, count = openai_wire.prompt_body(request), request.top_logprobs
        return await self._told(request, lambda post: scoring.next_tokens(post, prompt, begun, count))

    async def _told(self, request: ChatRequest, asking: Callable[[scoring.Post], Awaitable[Result]]) -> Result:
        """What the engine tells when it is asked otherwise than in a chat; it is started first if need be."""
        admission = asyncio.create_task(self._admit(request))
        try:
            process, _ = await asyncio.shield(admission)
            try:
                return await asking(partial(_post, process))
            except (httpx.HTTPError, *wire.UNFIT) as error:
                if await process.died():
                    raise process.crash() from None
                raise StreamBroken(f"The engine's answer broke: {error!r:.80}.", "Ask again.") from None
        finally:
            await self._leave(admission)

    async def embedding_model(self) -> str:
        """WORKBENCH_EMBEDDING_MODEL, else a model file that was made to compare texts, else the smallest there is."""
        if self.settings.embedding_model:
            return self.settings.embedding_model
        names = _names_in(self.settings.models_path) | {self.default_model}
        paths = [path for path in map(self._path, sorted(names)) if path.is_file()]
        return self._name(await asyncio.to_thread(embedding_engine.chosen, paths))

    async def embed(self, texts: Sequence[str], model: str = "") -> Embeddings:
        """Vectors by a process of its own, which ends when it is not wanted for a while."""
        name = model or await self.embedding_model()
        path = self._path(name)
        if not path.is_file():
            raise model_files.missing(name, path)
        return Embeddings(name, await self._vectors.embed(path, texts))

    def needs(self, name: str, context: int | None = None, slots: int | None = None) -> memory.Needs:
        """What a model takes in memory, with the sizes that are set unless others are named. Raises BackendError.

        The window that it gets is in the answer: no more than the model was trained for.
        """
        path = self._path(name)
        if not path.is_file():
            raise model_files.missing(name, path)
        window = self._window(gguf.read(path), context)
        return memory.needs(path, window, slots or self.settings.embedded_slots)

    def free(self) -> int:
        """Bytes of memory that a model may have: what is free, and what the loaded one gives back."""
        process = self._process
        return memory.available() + (memory.own(process.pid) if process and process.alive else 0)

    def verify(self, name: str) -> model_files.Check:
        """Begin to compute the digest of a model's file. Raises ModelMissing."""
        return self.checks.start(name, self._path(name), pinned(name))

    async def remove(self, name: str) -> int:
        """Delete a model's files from the models folder; the bytes that became free.

        Raises InvalidRequest while it is loaded, fetched or checked, ModelMissing, StoreReadOnly.
        """
        path, download, check = self._path(name), self.downloads.get(name), self.checks.get(name)
        if self._loaded(path) or self._starting == path:
            raise InvalidRequest(f"{name} is loaded.", "Unload it, then remove it.")
        if download and not download.future.done():
            raise InvalidRequest(f"{name} is being fetched.", "Cancel that, then remove it.")
        if check and not check.future.done():
            raise InvalidRequest(f"{name} is being verified.", "Wait for its end, then remove it.")
        if other := await asyncio.to_thread(serving, path):
            raise InvalidRequest(f"{name} is loaded by process {other}.", "Unload it there, then remove it.")
        freed = model_files.remove(path, self.settings.models_path)
        self.checks.forget(name)
        return freed

    async def unload(self, name: str = "") -> None:
        """End the engine, which frees its memory; the next call starts it again. Raises InvalidRequest in a call.

        With the `name` of a model only if the engine has that one.
        """
        if name and not self._loaded(self._path(name)):
            return
        if self._running or self._gate.locked():
            raise InvalidRequest("The engine is answering a call.", "Wait for its end, or stop the run.")
        async with self._gate:
            await self._end_process()

    async def close(self) -> None:
        """Stop downloads, checks and the engine."""
        self.checks.close()
        self.downloads.close()  # not in a thread: at the program's end, asyncio begins none any more
        await self._vectors.close()
        await self._end_process()
        async with self._gate:  # a model that was being loaded meanwhile
            await self._end_process()

    # Which file a name means

    def _path(self, name: str) -> Path:
        if model := pinned(name):
            return (self.settings.models_path / model.file).absolute()
        if Path(name).name == name and _is_there(inside := self.settings.models_path / f"{name}.gguf"):
            return inside.absolute()
        return model_files.absolute(Path(name))

    def _name(self, path: Path) -> str:
        """What the model of that file is called."""
        is_inside = path.parent == self.settings.models_path.absolute() and path.suffix == ".gguf"
        return path.stem if is_inside else str(path)

    async def _listed(self, name: str) -> ModelInfo:
        """A model of the list; one that cannot be used says why."""
        try:
            return await self.model(name)
        except BackendError as error:
            why = f"{error.message} {error.hint}".rstrip()
            return ModelInfo(name=name, size=self._size_of(name), installed=False, wrong=why)

    def _size_of(self, name: str) -> int | None:
        """Bytes of a model's file, whole or not; None where there is none."""
        try:
            path = self._path(name)
        except ModelMissing:
            return None
        return path.stat().st_size if path.is_file() else None

    def _describe(self, name: str) -> ModelInfo:
        path, model = self._path(name), pinned(name)
        if model and not verified(model, self.settings.models_path):
            window, digest = self.settings.embedded_context, model.sha256
            return ModelInfo(
                name=name,
                size=model.size,
                context_window=window,
                capabilities=_ALWAYS,
                digest=digest,
                installed=False,
                wrong=wrong(model, self.settings.models_path),
                why_not_the_same=_NOT_THE_SAME,
            )
        if not path.is_file():
            raise model_files.missing(name, path)
        header = model_files.whole(path)
        return ModelInfo(
            name=name,
            size=sum(part.stat().st_size for part in memory.parts(path)),
            context_window=self._window(header),
            trained_window=header.context_length or None,
            capabilities=_capabilities(header),
            digest=model.sha256 if model else remembered(path),
            family=header.architecture,
            parameters=header.parameters,
            quantisation=header.quantisation,
            loaded=self._loaded(path) is not None,
            abilities=("embedding",) if header.embeds else (),
            wrong=_ONLY_COMPARES if header.embeds else "",
            why_not_the_same=_NOT_THE_SAME,
        )

    def _window(self, header: gguf.Header, wanted: int | None = None) -> int:
        """The window of a call: what is wanted or set, but no more than the model was trained for."""
        window = wanted or self.settings.embedded_context
        return min(window, header.context_length or window)

    # Getting the engine ready

    def _loaded(self, path: Path) -> LlamaProcess | None:
        """The running engine, if it has that model."""
        process = self._process
        return process if process and process.alive and process.launch.model == path else None

    async def _admit(self, request: ChatRequest) -> tuple[LlamaProcess, float]:
        """A running engine that serves the request, and the seconds that its start took."""
        path = self._path(request.model)
        if not self._loaded(path):
            await self._fetch(request.model)
        async with self._gate:
            process, seconds = self._loaded(path), 0.0
            if not process or self._is_outdated() or (request.context_window or 0) > process.launch.context:
                began = time.monotonic()
                process = await self._fitting_process(path, request.context_window)
                seconds = time.monotonic() - began
            self._running += 1
            self._idle.clear()
            return process, seconds

    async def _fetch(self, name: str) -> None:
        """Have the file there. Stopping the call leaves the download going: other calls may wait for it too."""
        model = pinned(name)
        if not model:
            await self.model(name)
        elif not await asyncio.to_thread(verified, model, self.settings.models_path):
            download = self.downloads.start(name)
            while not download.future.done():
                await asyncio.sleep(FETCH_POLL_SECONDS)
            download.future.result()

    def _is_outdated(self) -> bool:
        """Whether other sizes were set since the engine began."""
        return self._started_with is None or sizes.of(self._started_with) != sizes.of(self.settings)

    async def _fitting_process(self, path: Path, wanted: int | None) -> LlamaProcess:
        """The engine with that model and at least the window that is wanted, started afresh if it must be."""
        settings = self.settings
        context = self._window(await asyncio.to_thread(gguf.read, path), wanted)
        process = self._loaded(path)
        if process and not self._is_outdated() and context <= process.launch.context:
            return process
        await self._vectors.rest()
        launch, short = await asyncio.to_thread(self._fitting_launch, path, context, settings, bool(wanted))
        await self._idle.wait()
        await self._end_process()
        process = LlamaProcess(launch, settings.home / "logs" / "llama-server.log")
        self._starting = path
        try:
            await process.start()
        finally:
            self._starting = None
        self._process, self._started_with, self._short = process, settings, short
        return process

    def _fitting_launch(
        self, path: Path, context: int, settings: Settings, asked: bool
    ) -> tuple[Launch, NoticePart | None]:
        """What to start, and what the person should know of its memory. Raises ModelUnusable where it does not fit.

        `asked` says that the window is the call's own, which is chosen elsewhere than the engine's.
        """
        free, slots = self.free(), settings.embedded_slots
        refused = memory.refusal(path, context, slots, free, asked)
        if refused and settings.embedded_memory_check == "on":
            raise refused
        told = refused.message if refused else memory.shortage(path, context, slots, free)
        hint = _LESS_MEMORY.format(memory.OF_THE_CALL if asked else "")
        short = NoticePart(code="memory", message=told, hint=hint) if told else None
        # Prompts that have left their slots may stay in memory, but never at the cost of what else there is.
        spare = max(0, free - memory.needed(path, context, slots)) // 2 >> 20
        return Launch(path, context, slots, settings.embedded_threads, min(MOST_CACHE_MIB, spare)), short

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process:
            await process.stop()

    async def _follow(self, admission: "asyncio.Task[Any]", name: str) -> AsyncGenerator[LoadingPart, None]:
        """Say about once a second what the call waits for."""
        await asyncio.wait({admission}, timeout=FETCH_POLL_SECONDS)
        while not admission.done():
            yield self._loading(name)
            await asyncio.wait({admission}, timeout=LOADING_SECONDS)

    def _loading(self, name: str) -> LoadingPart:
        download = self.downloads.get(name)
        if download and not download.future.done():
            progress = download.snapshot()
            return LoadingPart(stage="fetch", done=progress.done, total=progress.total)
        return LoadingPart(stage="load")

    async def _leave(self, admission: "asyncio.Task[tuple[LlamaProcess, float]]") -> None:
        """Give back what the admission took, also when it had not come through yet."""
        if not admission.done():
            admission.cancel()
            await asyncio.wait({admission})
        if admission.cancelled() or admission.exception():
            return
        self._running -= 1
        if not self._running:
            self._idle.set()

    # The call itself

    async def _answer(
        self, process: LlamaProcess, request: ChatRequest, load_seconds: float
    ) -> AsyncGenerator[Part, None]:
        answered = False
        try:
            await self._settle(process)
            body = await self._fitting(process, request)
            async with aclosing(_stream(process, body, load_seconds)) as parts:
                async for part in parts:
                    answered = isinstance(part, AnswerPart)
                    yield part
        except (httpx.HTTPError, StreamBroken) as error:
            if await process.died():
                raise process.crash() from None
            if isinstance(error, StreamBroken):
                raise
            reason = str(error) or type(error).__name__
            raise StreamBroken(f"The connection to the engine broke: {reason}.", "Run it again.") from None
        finally:
            if not answered:
                self._broken_off = time.monotonic()

    async def _settle(self, process: LlamaProcess) -> None:
        """Wait a moment for a slot whose call was broken off: a stopped run that goes on finds its prompt read there.

        In the other slot all of it would be read anew.
        """
        while time.monotonic() < self._broken_off + SETTLE_SECONDS:
            if await _busy(process) < self._running:
                return
            await asyncio.sleep(SETTLE_POLL_SECONDS)

    async def _fitting(self, process: LlamaProcess, request: ChatRequest) -> dict[str, Any]:
        """The request's body, held to the window that it asks for when the engine's own is larger."""
        body = openai_wire.body(request)
        window = request.context_window
        if window and window < process.launch.context:
            count = await _count(process, request)
            if count >= window:
                raise openai_wire.overflow(count, window)
            body["max_tokens"] = min(request.max_tokens or window, window - count)
        return body


async def _stream(process: LlamaProcess, body: dict[str, Any], load_seconds: float) -> AsyncGenerator[Part, None]:
    collector = openai_wire.Collector()
    async with process.client.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            await response.aread()
            raise openai_wire.error_of(response.status_code, _json(response))
        try:
            async for found in openai_wire.objects(wire.lines(response)):
                for part in collector.take(found):
                    yield part
            yield collector.answer(load_seconds)
        except wire.UNFIT:
            raise StreamBroken("The engine sent something that does not fit its protocol.", "Run it again.") from None


async def _busy(process: LlamaProcess) -> int:
    """How many slots have a call; 0 where the engine does not tell: nobody is to wait for that."""
    try:
        slots = (await process.client.get("/slots")).json()
        return sum(slot["is_processing"] for slot in slots)
    except (httpx.HTTPError, ValueError, TypeError, KeyError):
        return 0


async def _count(process: LlamaProcess, request: ChatRequest) -> int:
    prompt = await _post(process, "/apply-template", openai_wire.prompt_body(request))
    wanted = {"content": prompt["prompt"], "add_special": True, "parse_special": True}
    return len((await _post(process, "/tokenize", wanted))["tokens"])


async def _post(process: LlamaProcess, path: str, body: dict[str, Any]) -> Any:
    response = await process.client.post(path, json=body)
    if response.status_code != 200:
        raise openai_wire.error_of(response.status_code, _json(response))
    return response.json()


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return {"message": response.text[:200]}


def _is_there(path: Path) -> bool:
    """Whether there is a file, or a link to one that may be gone."""
    return path.is_file() or path.is_symlink()


def _names_in(folder: Path) -> set[str]:
    """The model files of a folder by name; of a split model only its first file."""
    names = {path.stem for path in folder.glob("*.gguf")} if folder.is_dir() else set()
    return {name for name in names if not _LATER_SPLIT.search(name) or "-00001-of-" in name}


def _capabilities(header: gguf.Header) -> frozenset[Capability]:
    found = set(_ALWAYS)
    template = header.chat_template
    if "tools" in template and not header.name.lower().startswith(_WRITE_CALLS_AS_TEXT):
        found.add("tools")
    if "<think>" in template or "enable_thinking" in template:
        found.add("thinking")
    return frozenset(found)
