"""The contract of a tool: name, description, a pydantic model of its arguments; it returns text or raises ToolError."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from workbench.backends.base import NoticePart
from workbench.errors import ToolError
from workbench.tools.desk import Desk

SECONDS = 30.0
CHARACTERS = 6_000

logger = logging.getLogger(__name__)


class Tool(Protocol):
    """A tool that a model may call. `run` gets validated arguments and is cancelled when the run is stopped.

    One with `needs_approval` runs only after the person has agreed to the call. One with `side_effects` is not called
    again without asking when a call was cut off and may have had its effect.
    """

    @property
    def name(self) -> str:
        """What a model calls it by."""

    @property
    def description(self) -> str:
        """What a model is told of it, in one line."""

    @property
    def arguments(self) -> type[BaseModel]:
        """Its JSON schema is the tool's."""

    @property
    def side_effects(self) -> bool:
        """Whether a call changes something in the world."""

    @property
    def needs_approval(self) -> bool:
        """Whether the person is asked before each call."""

    async def run(self, arguments: BaseModel) -> str:
        """The observation. Raises ToolError with a sentence that the model is told."""


@runtime_checkable
class Shares(Protocol):
    """A tool that shares something with others, or with its own earlier calls, for as long as a run lasts."""

    desk: Desk

    def recall(self, arguments: BaseModel, said: str) -> None:
        """Put on the desk what a call that said this left there, when the run goes on after an interruption."""


@runtime_checkable
class Connects(Protocol):
    """A tool that holds something open for as long as a run lasts."""

    async def close(self) -> None:
        """Let go of it."""


class Embedder(Protocol):
    """What compares texts by their meaning in a run: the embeddings of its backend."""

    async def model(self) -> str:
        """The model, by a name that no other backend's has; empty, and the person is told why, where there is none."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]] | None:
        """A vector of length 1 for each text; None, and the person is told why, where there are none to be had."""

    @property
    def least(self) -> float:
        """Texts whose product is below this have nothing in common."""

    def tell(self, notice: NoticePart) -> None:
        """Tell the person something."""


@runtime_checkable
class Compares(Protocol):
    """A tool that compares texts by their meaning where a run lends it an `embedder`; None elsewhere."""

    embedder: Embedder | None


class Bounded:
    """A tool held to its contract: a call ends within its time, says so much at most, and fails by ToolError alone.

    A tool with `seconds` or `characters` of its own has these limits; another has those of this module.
    """

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.name, self.description, self.arguments = tool.name, tool.description, tool.arguments
        self.side_effects, self.needs_approval = tool.side_effects, tool.needs_approval
        self.seconds: float = getattr(tool, "seconds", SECONDS)
        self.characters: int = getattr(tool, "characters", CHARACTERS)

    async def run(self, arguments: BaseModel) -> str:
        """The observation. Raises ToolError, also for what the tool did not foresee."""
        try:
            async with asyncio.timeout(self.seconds) as limit:
                said = await self.tool.run(arguments)
        except ToolError as error:
            raise ToolError(self._cut(str(error))) from error
        except TimeoutError as error:
            if not limit.expired():
                raise self._unforeseen(error) from error
            raise ToolError(
                f"{self.name} was stopped after {self.seconds:g} seconds. Ask for less, or go on without it."
            ) from None
        except Exception as error:
            raise self._unforeseen(error) from error
        return self._cut(said)

    def _unforeseen(self, error: Exception) -> ToolError:
        logger.error("the tool %s failed", self.name, exc_info=error)
        return ToolError(self._cut(f"{self.name} failed inside: {type(error).__name__}: {error}. Go on without it."))

    def _cut(self, text: str) -> str:
        if len(text) <= self.characters:
            return text
        return f"{text[: self.characters]}\n[cut here: {len(text) - self.characters:,} more characters]"

    def sit_at(self, desk: Desk) -> None:
        """Share this desk, if the tool shares anything."""
        if isinstance(self.tool, Shares):
            self.tool.desk = desk

    def lend(self, embedder: Embedder) -> None:
        """Let the tool compare texts, if it does."""
        if isinstance(self.tool, Compares):
            self.tool.embedder = embedder

    def recall(self, arguments: BaseModel, said: str) -> None:
        """What the tool does with a call that went before."""
        if isinstance(self.tool, Shares):
            self.tool.recall(arguments, said)
