"""A run's way to the embeddings of its backend; where there are none, the person is told why, once."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from workbench.backends.base import Backend, Embeddings, Embeds, NoticePart
from workbench.errors import BackendError
from workbench.retry import wait_before_retry

NO_EMBEDDINGS = "no_embeddings"
Result = TypeVar("Result")


class Embedder:
    """Vectors of texts. One that failed is not asked again: a run is not to wait for the same failure at every step."""

    def __init__(self, backend: Backend, tell: Callable[[NoticePart], None]) -> None:
        self._backend, self.tell = backend, tell
        self._failed = False
        self.least = -1.0

    async def model(self) -> str:
        """The model, with its backend's name; empty where there is none, and the person is told why."""
        backend = self._backend
        if not isinstance(backend, Embeds):
            self._say_none()
            return ""
        found = await self._tried(backend.embedding_model)
        return f"{backend.name}:{found}" if found else ""

    async def embed(self, texts: Sequence[str]) -> list[list[float]] | None:
        """A vector of length 1 for each text; None where there are none to be had, and the person is told why."""
        backend = self._backend
        if not isinstance(backend, Embeds):
            self._say_none()
            return None
        found = await self._tried(lambda: backend.embed(texts)) if texts else Embeddings("", [])
        if found is None:
            return None
        self.least = found.least
        return found.vectors

    async def _tried(self, asking: Callable[[], Awaitable[Result]]) -> Result | None:
        if self._failed:
            return None
        for attempt in itertools.count(1):
            try:
                return await asking()
            except BackendError as error:
                wait = wait_before_retry(error, attempt)
                if wait is None:
                    self._give_up(error.message, error.hint)
                    return None
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _say_none(self) -> None:
        self._give_up(f"{self._backend.title} makes no embeddings.", "")

    def _give_up(self, why: str, hint: str) -> None:
        """Say it: what means the same is then found by its words alone."""
        self._failed = True
        self.tell(NoticePart(code=NO_EMBEDDINGS, message=f"Texts are compared by their words alone: {why}", hint=hint))
