"""The notes tool: a scratch pad that a run has to itself."""

import pytest

from workbench.errors import ToolError
from workbench.tools.notes import MAX_NOTE, MAX_NOTES, Arguments, Notes


async def write(notes: Notes, text: str) -> str:
    return await notes.run(Arguments(note=text))


async def test_each_note_is_added_and_all_are_shown():
    notes = Notes()
    assert await write(notes, "") == "There are no notes yet. Write one."
    assert await write(notes, "Ann is  older\nthan Bob.") == "1. Ann is older than Bob."
    assert await write(notes, "Bob is 40.") == "1. Ann is older than Bob.\n2. Bob is 40."
    assert await write(notes, " ") == "1. Ann is older than Bob.\n2. Bob is 40."


async def test_the_same_note_is_there_once():
    notes = Notes()
    assert [await write(notes, "a") for _ in range(3)] == ["1. a"] * 3


async def test_a_note_and_the_pad_have_an_end():
    notes = Notes()
    with pytest.raises(ToolError, match=r"A note has at most 500 characters; this one has 501"):
        await write(notes, "x" * (MAX_NOTE + 1))
    for number in range(MAX_NOTES):
        await write(notes, f"{number} {'x' * (MAX_NOTE - 3)}")
    with pytest.raises(ToolError, match="The pad is full: 20 notes"):
        await write(notes, "one more")
    assert len(await write(notes, "")) <= notes.characters


async def test_two_runs_have_two_pads():
    one, other = Notes(), Notes()
    await write(one, "secret")
    assert await write(other, "") == "There are no notes yet. Write one."
