"""What a machine's option of tools may name: the workbench's own, and those of MCP servers as server__tool."""

from typing import Annotated, Literal

from pydantic import Field

Own = Literal["calculator", "python", "clock", "search", "wikipedia", "lookup", "fetch", "notes"]
# A server's name has no two underscores in a row; the whole is a function's name for every backend.
Served = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*__[A-Za-z0-9_-]+$", max_length=64)]
ToolName = Own | Served
