"""The half of the Ollama backend that cares for its models: what is loaded, and pulling, copying and deleting."""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import ollama

from workbench.backends.base import ModelInfo
from workbench.backends.manage import LoadedModel, ModelDetails, PullProgress, full
from workbench.errors import (
    BackendError,
    InvalidRequest,
    ModelMissing,
    ModelUnusable,
    ReplyTooLong,
    ServerFault,
    StreamBroken,
)

FOR_EVER = timedelta(days=3650)  # Ollama says "until unloaded" by a moment centuries ahead
PULL_AGAIN = "Pull it again: it goes on from where it was."
_PULL_FAULTS: tuple[tuple[str, type[BackendError], str, str], ...] = (
    # What the server says, our error for it, its sentence, what to do.
    (
        r"file does not exist|not found|invalid model name",
        ModelMissing,
        "Ollama's library has no model {name}.",
        "Check the name and its tag, such as qwen3:1.7b, in Ollama's library.",
    ),
    (r"newer version of Ollama", ModelUnusable, "{name} needs a newer Ollama: {said}", "Update Ollama, then pull it."),
    (r"no space left", ServerFault, "The server's disk is full: {said}", f"Free some space there. {PULL_AGAIN}"),
    (
        r"no such host|dial tcp|connection refused|i/o timeout|TLS handshake",
        ServerFault,
        "Ollama cannot reach its library: {said}",
        f"Check that machine's network. {PULL_AGAIN}",
    ),
)


class Managing(ABC):
    """Cares for the models of one Ollama server: see `manage.ManagesModels`."""

    _keep_alive: str

    def __init__(self) -> None:
        """What the person chose for a loaded model is not undone by the next run."""
        self._windows: dict[str, int] = {}
        self._kept: set[str] = set()

    @property
    @abstractmethod
    def _client(self) -> ollama.AsyncClient: ...

    @abstractmethod
    def _mapped(self, model: str = "") -> AbstractContextManager[None]: ...

    @abstractmethod
    async def installed(self) -> list[ModelInfo]:
        """All its models, those that cannot chat too."""

    async def loaded(self) -> list[LoadedModel]:
        """What is in memory now."""
        with self._mapped():
            return [_loaded(model) for model in (await self._client.ps()).models]

    async def load(self, name: str, context: int | None = None, keep_alive: str | None = None) -> None:
        """Load a model; one that is loaded with another context window is loaded anew."""
        name = full(name)
        await self._touch(name, context, self._keep_alive if keep_alive is None else keep_alive)
        self._forget(name)
        if context:
            self._windows[name] = context
        if keep_alive is not None:
            self._kept.add(name)

    async def unload(self, name: str) -> None:
        """Unload a model now, or once its last answer has ended; one that is not loaded stays so."""
        with self._mapped(name):
            await self._client.generate(model=name, keep_alive=0)
        self._forget(full(name))

    async def keep(self, name: str, keep_alive: str) -> None:
        """Say how long a loaded model stays after its last answer. Raises InvalidRequest when it is not loaded."""
        name = full(name)
        if duration(keep_alive) == 0:
            return await self.unload(name)
        found = next((model for model in await self.loaded() if model.name == name), None)
        if found is None:
            raise InvalidRequest(f"{name} is not loaded.", "Load it first.")
        # Asked for without its own window, Ollama would load it again with another one.
        await self._touch(name, found.context or self._windows.get(name), keep_alive)
        self._kept.add(name)
        return None

    async def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        """Have the server fetch a model. Raises ModelMissing when its library has none of that name."""
        progress = PullProgress(status="asking the server")
        while progress.status != "success":
            before = progress.done
            try:
                async with aclosing(self._pulled(name, progress)) as steps:
                    async for progress in steps:
                        yield progress
            except ReplyTooLong:  # hours of it are more than one reply may hold: the next one goes on from there
                if progress.done <= before:
                    raise
            except StreamBroken as error:
                raise StreamBroken(f"The pull of {name} broke off before it was done.", PULL_AGAIN) from error

    async def _pulled(self, name: str, progress: PullProgress) -> AsyncGenerator[PullProgress, None]:
        """One reply of the server to its end."""
        with self._mapped(name):
            try:
                async with aclosing(await self._client.pull(name, stream=True)) as said:  # type: ignore[type-var]
                    async for step in said:
                        count = step.completed or 0, step.total or 0
                        progress = progress.taken(step.status or "", step.digest or "", *count)
                        yield progress
            except ollama.ResponseError as error:
                raise _pull_fault(error, name) from error
        if progress.status != "success":
            raise StreamBroken("The reply ended before the pull was done.")

    async def delete(self, name: str) -> None:
        """Delete a model from the server's disk. Raises ModelMissing."""
        with self._mapped(name):
            await self._client.delete(name)
        self._forget(full(name))

    async def copy(self, source: str, name: str) -> None:
        """Give a model a second name; Ollama itself would write over one that has it already."""
        if not name.strip():
            raise InvalidRequest("The copy needs a name.", "Say what to call it.")
        with self._mapped(source):
            if full(name.strip()) in {model.model for model in (await self._client.list()).models}:
                raise InvalidRequest(
                    f"There is a model {full(name.strip())} already.", "Choose another name for the copy."
                )
            await self._client.copy(source, name.strip())

    async def details(self, name: str) -> ModelDetails:
        """What there is to read of a model. Raises ModelMissing."""
        with self._mapped(name):
            answer = await self._client._request_raw("POST", "/api/show", json={"model": name})  # type: ignore[no-untyped-call]
            told = answer.json()  # the client's own type leaves the system prompt out
            fields = ("template", "parameters", "system", "modelfile")
            return ModelDetails(
                name=name, licence=_text(told.get("license")), **{field: _text(told.get(field)) for field in fields}
            )

    async def _touch(self, name: str, context: int | None, keep_alive: str) -> None:
        """Load a model without a prompt, or renew how long it stays."""
        options = {"num_ctx": context} if context else None
        asked: dict[str, Any] = {"model": name, "options": options, "keep_alive": duration(keep_alive)}
        with self._mapped(name):
            try:
                await self._client.generate(**asked)
            except ollama.ResponseError as error:
                if "does not support generate" not in str(error.error):
                    raise
                await self._client.embed(input="", **asked)  # a model that only embeds is loaded through this door

    def _forget(self, name: str) -> None:
        self._windows.pop(name, None)
        self._kept.discard(name)


def duration(keep_alive: str) -> float | str | None:
    """Ollama takes "5m", or a bare number of seconds that must not be a string; negative keeps the model for ever."""
    with suppress(ValueError):
        return float(keep_alive)
    return keep_alive or None


def _loaded(model: ollama.ProcessResponse.Model) -> LoadedModel:
    expires = model.expires_at
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    stays = expires is None or expires - datetime.now(UTC) > FOR_EVER
    return LoadedModel(
        name=model.model or model.name or "",
        size=int(model.size or 0),
        on_gpu=int(model.size_vram or 0),
        context=model.context_length,
        expires=None if stays else expires,
        digest=model.digest or "",
        parameters=(model.details and model.details.parameter_size) or "",
        quantisation=(model.details and model.details.quantization_level) or "",
    )


def _pull_fault(error: ollama.ResponseError, name: str) -> Exception:
    """Our error for what went wrong on the server's side of a pull; what is not known here is mapped as ever."""
    said = str(error.error).strip().rstrip(".") + "."
    for pattern, kind, sentence, hint in _PULL_FAULTS:
        if re.search(pattern, said, re.IGNORECASE):
            return kind(sentence.format(name=name, said=said), hint)
    if error.status_code >= 400:
        return error
    return ServerFault(f"Ollama could not pull {name}: {said}", PULL_AGAIN)


def _text(found: Any) -> str:
    """A text that the server tells; a list of them, as licences may be, one after the other."""
    if isinstance(found, list):
        return "\n\n".join(str(item) for item in found)
    return str(found or "")
