"""Reads the documents for the search by meaning beside the runs, where a person wants it done before a run does it."""

import asyncio
from collections.abc import Sequence

from workbench.backends.base import Backend, NoticePart
from workbench.embedder import Embedder
from workbench.errors import StoreError
from workbench.store.documents import Documents
from workbench.store.reading import read_passages


class Reading:
    """One reading; what it has done stays when it is stopped. `problem` is why it came to no good end, else None."""

    def __init__(self, documents: Documents, backend: Backend) -> None:
        self._documents = documents
        self._embedder = Embedder(backend, self._take)
        self._stopped = False
        self.over = False
        self.model = ""
        self.done, self.whole = 0, 0
        self.problem: NoticePart | None = None

    async def run(self) -> None:
        """Read until all is read, or it is stopped, or nothing can be read. Raises nothing of ours."""
        try:
            if model := await self._embedder.model():
                self.model = model
                self.done, self.whole = await asyncio.to_thread(self._documents.read_by, model)
                await read_passages(self._documents, model, self._embed)
                self.done, self.whole = await asyncio.to_thread(self._documents.read_by, model)
        except StoreError as error:
            self.problem = NoticePart(code=error.code, message=error.message, hint=error.hint)
        finally:
            self.over = True

    def stop(self) -> None:
        """Stop after the few passages that are being read."""
        self._stopped = True

    async def _embed(self, texts: Sequence[str]) -> list[list[float]] | None:
        if self._stopped:
            return None
        self.done, _ = await asyncio.to_thread(self._documents.read_by, self.model)
        return await self._embedder.embed(texts)

    def _take(self, notice: NoticePart) -> None:
        self.problem = notice
