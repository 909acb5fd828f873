"""A queue in front of a backend's slots that is fair between sessions, with everyone's place in it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(eq=False)
class _Waiting:
    """Someone who waits for a slot, and the place that was told last."""

    session: str
    turn: asyncio.Future[None]
    on_place: Callable[[int], None]
    place: int = 0

    def tell(self, place: int) -> None:
        """Say the place if it is another one."""
        if place != self.place:
            self.place = place
            self.on_place(place)


class Slots:
    """At most `size` holders at once; None means that there is no limit.

    The sessions that wait take turns, each with its oldest call: who queues fifty calls delays another by one.
    """

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._held = 0
        self._sessions: dict[str, deque[_Waiting]] = {}  # in the order of their turns

    @asynccontextmanager
    async def take(self, on_place: Callable[[int], None], session: str = "") -> AsyncIterator[None]:
        """Hold a slot. While waiting, `on_place` is told the place (1 is next) as it changes, and 0 at the end."""
        if self.size is not None:
            await self._enter(on_place, session)
        try:
            yield
        finally:
            if self.size is not None:
                self._leave()

    async def _enter(self, on_place: Callable[[int], None], session: str) -> None:
        if self._held < (self.size or 0):
            self._held += 1
            return
        waiting = _Waiting(session, asyncio.get_running_loop().create_future(), on_place)
        self._sessions.setdefault(session, deque()).append(waiting)
        self._announce()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self._leave()  # the slot was handed over in the same moment: pass it on
            else:
                self._give_up(waiting)
            raise
        waiting.tell(0)

    def _give_up(self, waiting: _Waiting) -> None:
        queue = self._sessions[waiting.session]
        queue.remove(waiting)
        if not queue:
            del self._sessions[waiting.session]
        self._announce()

    def _leave(self) -> None:
        self._held -= 1
        if self._sessions:
            self._held += 1
            session = next(iter(self._sessions))
            queue = self._sessions.pop(session)
            queue.popleft().turn.set_result(None)
            if queue:
                self._sessions[session] = queue  # behind the others
            self._announce()

    def _announce(self) -> None:
        rounds = zip_longest(*self._sessions.values())
        order = (waiting for turns in rounds for waiting in turns if waiting is not None)
        for place, waiting in enumerate(order, start=1):
            waiting.tell(place)
