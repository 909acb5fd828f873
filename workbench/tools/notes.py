"""The notes tool: a scratch pad that lasts as long as the run."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools.base import Tool
from workbench.tools.desk import Desk

MAX_NOTE = 500  # characters
MAX_NOTES = 20


class Arguments(BaseModel):
    """What to keep."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    note: str = Field("", description="What to write down; empty to read the notes")


class Notes:
    """Each call answers with the whole pad, so that a model sees what it has."""

    name: ClassVar[str] = "notes"
    description: ClassVar[str] = "writes a line on your scratch pad and shows all of it; empty to read it again"
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False
    characters: ClassVar[int] = (MAX_NOTE + 10) * MAX_NOTES

    def __init__(self) -> None:
        self.desk = Desk()

    async def run(self, arguments: BaseModel) -> str:
        """The notes as numbered lines. Raises ToolError when the pad is full."""
        assert isinstance(arguments, Arguments)
        note = _line(arguments.note)
        if len(note) > MAX_NOTE:
            raise ToolError(
                f"A note has at most {MAX_NOTE} characters; this one has {len(note):,}. Write a shorter one."
            )
        if note and note not in self.desk.notes:
            if len(self.desk.notes) >= MAX_NOTES:
                raise ToolError(f"The pad is full: {MAX_NOTES} notes. Work with these; an empty note reads them.")
            self.desk.notes.append(note)
        shown = "\n".join(f"{number}. {note}" for number, note in enumerate(self.desk.notes, 1))
        return shown or "There are no notes yet. Write one."

    def recall(self, arguments: BaseModel, said: str) -> None:
        """Write it down again."""
        assert isinstance(arguments, Arguments)
        if note := _line(arguments.note):
            self.desk.notes.append(note)


def create(settings: Settings) -> Tool:
    """An empty pad."""
    return Notes()


def _line(text: str) -> str:
    return " ".join(text.split())
