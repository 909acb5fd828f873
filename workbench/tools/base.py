"""The contract of a tool: name, description, a pydantic model of its arguments; it returns text or raises ToolError."""

from typing import ClassVar, Protocol

from pydantic import BaseModel


class Tool(Protocol):
    """A tool that a model may call. `run` gets validated arguments and is cancelled when the run is stopped.

    One with `needs_approval` runs only after the person has agreed to the call. One with `side_effects` is not called
    again without asking when a call was cut off and may have had its effect.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    arguments: ClassVar[type[BaseModel]]
    side_effects: ClassVar[bool]
    needs_approval: ClassVar[bool]

    async def run(self, arguments: BaseModel) -> str:
        """The observation. Raises ToolError with a sentence that the model is told."""
