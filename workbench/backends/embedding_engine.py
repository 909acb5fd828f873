"""The embedded engine's vectors of texts: a second process, started when it is wanted and ended soon after."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import httpx

from workbench.backends import gguf, memory, model_files, wire
from workbench.backends.llama_process import Launch, LlamaProcess
from workbench.backends.llama_server import BATCH
from workbench.backends.vectors import unit
from workbench.errors import BackendError, ModelMissing, ModelUnusable, StreamBroken
from workbench.settings import Settings

CONTEXT = 1024  # tokens: more than a passage of the documents has
AT_ONCE = 4  # texts in a request: who stops waiting has the engine read no more than these
IDLE_SECONDS = 60.0
# A model that was made to write gives vectors too, if it is brought to the point of naming a text's subject: the state
# of its last token is then about that (PromptEOL, 2307.16645). benchmarks/retrieval.py measures how well this works.
ABOUT = 'This text: "{}" is, in one word, about:"'
NO_MODEL = "There is no model file yet that could compare texts."
NO_MODEL_HINT = "Fetch a model under Models, or put an embedding model (*.gguf) into the models folder."


class EmbeddingEngine:
    """One model at a time, in a process beside the one that answers; each call waits for the one before."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._process: LlamaProcess | None = None
        self._gate = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id; None when none runs."""
        return self._process.pid if self._process and self._process.alive else None

    async def embed(self, path: Path, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text. Raises ModelUnusable, EngineCrashed, StreamBroken."""
        header = await asyncio.to_thread(gguf.read, path)
        async with self._gate:
            self._stay()
            try:
                process = await self._ready(path, header)
                return await _answered(process, texts, _room(header), "{}" if header.embeds else ABOUT)
            finally:
                self._ending = asyncio.create_task(self._end_later())

    async def rest(self) -> None:
        """End the process unless it is at work: its memory is wanted elsewhere."""
        if self._process and not self._gate.locked():
            async with self._gate:
                await self._end()

    async def close(self) -> None:
        """End it for good."""
        self._stay()
        await self._end()
        async with self._gate:  # a model that was being loaded meanwhile
            self._stay()
            await self._end()

    async def _ready(self, path: Path, header: gguf.Header) -> LlamaProcess:
        launch = Launch(path, _room(header), 1, self._settings().embedded_threads, 0, _way(header))
        if self._process and self._process.alive and self._process.launch == launch:
            return self._process
        await self._end()
        await asyncio.to_thread(self._check_memory, launch, header)
        process = LlamaProcess(launch, self._settings().home / "logs" / "llama-embeddings.log")
        await process.start()
        self._process = process
        return process

    def _check_memory(self, launch: Launch, header: gguf.Header) -> None:
        """Raise ModelUnusable where the model does not fit beside what there is, unless the check is off."""
        batch = memory.compute_bytes(header, launch.context, 1) * launch.context // BATCH
        wanted, free = memory.needs(launch.model, launch.context, 1).least + batch, memory.available()
        if wanted > free and self._settings().embedded_memory_check == "on":
            message = f"{launch.model.stem} needs {memory.size(wanted)} of memory to compare texts"
            message += f", and {memory.size(free)} are free."
            raise ModelUnusable(message, "Close other programs, or unload the model under Models.")

    def _stay(self) -> None:
        if self._ending:
            self._ending.cancel()
            self._ending = None

    async def _end_later(self) -> None:
        await asyncio.sleep(IDLE_SECONDS)
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            await process.stop()


def chosen(files: Sequence[Path]) -> Path:
    """Which of the model files compares texts: one that was made for it, else the smallest. Raises ModelMissing."""
    found: list[tuple[bool, int, Path]] = []
    for path in files:
        with suppress(BackendError, OSError):
            header = model_files.whole(path)
            if header.embeds or not header.pooling:  # others rank passages and give no vectors
                found.append((not header.embeds, path.stat().st_size, path))
    if not found:
        raise ModelMissing(NO_MODEL, NO_MODEL_HINT)
    return min(found)[2]


async def _answered(process: LlamaProcess, texts: Sequence[str], room: int, told: str) -> list[list[float]]:
    found: list[list[float]] = []
    try:
        for start in range(0, len(texts), AT_ONCE):
            batch = [told.format(await _cut(process, text, room)) for text in texts[start : start + AT_ONCE]]
            answer = await _post(process, "/v1/embeddings", {"input": batch})
            found += [unit(item["embedding"]) for item in answer["data"]]
    except (httpx.HTTPError, *wire.UNFIT) as error:
        if await process.died():
            raise process.crash() from None
        raise StreamBroken(f"The engine's vectors did not come: {error!r:.80}.", "Run it again.") from None
    return found


async def _cut(process: LlamaProcess, text: str, room: int) -> str:
    """As much of a text's beginning as fits beside what it is told in."""
    most = room - len(ABOUT)  # a token has a byte at least
    while len(text.encode()) > most:
        count = len((await _post(process, "/tokenize", {"content": text}))["tokens"])
        if count <= most:
            break
        text = text[: len(text) * most // count]
    return text


async def _post(process: LlamaProcess, path: str, body: dict[str, Any]) -> Any:
    response = await process.client.post(path, json=body)
    if response.status_code != 200:
        raise StreamBroken(f"The engine gives no vectors: {response.text[:200]}", "Choose another embedding model.")
    return response.json()


def _room(header: gguf.Header) -> int:
    return min(CONTEXT, header.context_length or CONTEXT)


def _way(header: gguf.Header) -> Literal["own", "last"]:
    return "own" if header.embeds else "last"
