"""Reads the passages that have no vectors yet, a few at a time, so that it can be stopped and goes on where it was."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from workbench.store.documents import Documents
from workbench.store.passage_vectors import pieces

FIRST, MOST = 1, 32  # passages read at once; more where it is quick
QUICK = 1.0  # seconds
Embed = Callable[[Sequence[str]], Awaitable[list[list[float]] | None]]


async def read_passages(documents: Documents, model: str, embed: Embed) -> bool:
    """Give every passage its vector by the model; whether all have one. Raises StoreError, and what `embed` raises.

    What was read is kept at once: stopped or cancelled, it loses no more than the few that were being read.
    """
    count = FIRST
    while passages := await asyncio.to_thread(documents.without_vectors, model, count):
        began = time.monotonic()
        cut = [pieces(text) for _, text in passages]
        vectors = await embed([piece for found in cut for piece in found])
        if vectors is None:
            return False
        each = iter(vectors)
        own = [[next(each) for _ in found] for found in cut]
        kept = [(number, text, found) for (number, text), found in zip(passages, own, strict=True)]
        await asyncio.to_thread(documents.keep_vectors, model, kept)
        count = min(2 * count, MOST) if time.monotonic() - began < QUICK else max(1, count // 2)
    return True
