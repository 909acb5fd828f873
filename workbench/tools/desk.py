"""What the tools of one run share: the page that was opened last, and the notes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Page:
    """A text that a tool has opened; `address` says what to call it and where it is."""

    title: str
    address: str
    text: str


class OpenPage:
    """The page that was opened last; one from before an interruption is loaded again when it is looked at."""

    def __init__(self, page: Page | None = None, load: Callable[[], Awaitable[Page]] | None = None) -> None:
        self._page, self._load = page, load
        self.term, self.shown = "", 0  # what was looked for in it last, and how many of the finds were shown

    async def read(self) -> Page:
        """The page. Raises ToolError when it has to be loaded again and cannot."""
        if self._page is None:
            assert self._load is not None
            self._page = await self._load()
        return self._page

    def next(self, term: str) -> int:
        """How many sentences with this term were shown before; this one counts from now on."""
        self.shown = self.shown if term == self.term else 0
        self.term, before = term, self.shown
        self.shown += 1
        return before


@dataclass
class Desk:
    """One run's."""

    page: OpenPage | None = None
    notes: list[str] = field(default_factory=list)
