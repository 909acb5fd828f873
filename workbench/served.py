"""What uses which backend, so that one whose server was changed or removed is closed when the last use has ended."""

import threading
from collections.abc import Callable

from workbench.backends.base import Backend


class InUse:
    """The backends that runs and errands hold; safe for many threads. `close` is told of each that nobody needs."""

    def __init__(self, close: Callable[[Backend], None]) -> None:
        self._close = close
        self._held: dict[str, Backend] = {}
        self._retired: list[Backend] = []
        self._guard = threading.Lock()

    def take(self, user: str, backend: Backend) -> None:
        """A run, or an errand, begins to use a backend, in place of one that it used before."""
        with self._guard:
            self._held[user] = backend

    def give_back(self, user: str) -> None:
        """It has ended."""
        with self._guard:
            self._held.pop(user, None)
        self._close_unused()

    def retire(self, backend: Backend) -> None:
        """Nothing is to begin with this backend any more."""
        with self._guard:
            self._retired.append(backend)
        self._close_unused()

    def retired(self) -> list[Backend]:
        """Those that wait for the end of what uses them."""
        with self._guard:
            return list(self._retired)

    def _close_unused(self) -> None:
        with self._guard:
            held = {id(backend) for backend in self._held.values()}
            unused = [backend for backend in self._retired if id(backend) not in held]
            self._retired = [backend for backend in self._retired if id(backend) in held]
        for backend in unused:
            self._close(backend)
