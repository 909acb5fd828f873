"""The contract of a tool: name, description, a pydantic model of its arguments; it returns text or raises ToolError."""

from typing import ClassVar, Protocol

from pydantic import BaseModel


class Tool(Protocol):
    """A tool that a model may call. `run` gets validated arguments and is cancelled when the run is stopped."""

    name: ClassVar[str]
    description: ClassVar[str]
    arguments: ClassVar[type[BaseModel]]
    side_effects: ClassVar[bool]

    async def run(self, arguments: BaseModel) -> str:
        """The observation. Raises ToolError with a sentence that the model is told."""
