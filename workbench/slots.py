"""A fair queue in front of a backend's slots, with everyone's place in it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Slots:
    """At most `size` holders at once, first come first served; None means that there is no limit."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._held = 0
        self._waiting: deque[tuple[asyncio.Future[None], Callable[[int], None]]] = deque()

    @asynccontextmanager
    async def take(self, on_place: Callable[[int], None]) -> AsyncIterator[None]:
        """Hold a slot. While waiting, `on_place` is told the place (1 is next) as it changes, and 0 at the end."""
        if self.size is not None:
            await self._enter(on_place)
        try:
            yield
        finally:
            if self.size is not None:
                self._leave()

    async def _enter(self, on_place: Callable[[int], None]) -> None:
        if self._held < (self.size or 0):
            self._held += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (turn, on_place)
        self._waiting.append(entry)
        on_place(len(self._waiting))
        try:
            await turn
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
                self._announce()
            elif turn.done() and not turn.cancelled():
                self._leave()  # the slot was handed over in the same moment: pass it on
            raise
        on_place(0)

    def _leave(self) -> None:
        self._held -= 1
        if self._waiting:
            self._held += 1
            turn, _ = self._waiting.popleft()
            turn.set_result(None)
            self._announce()

    def _announce(self) -> None:
        for place, (_, on_place) in enumerate(self._waiting, start=1):
            on_place(place)
