"""Thinking that stands inside the text is told from the answer, in pieces of any size."""

import pytest

from workbench.backends.thinking import Splitter, split

WHOLE = "<think>\nLet me see: 2 < 3, and </thin is no tag. 🤔\n</think>\n\nThe answer is **4**. <think> is a tag."


def pieces(text: str, size: int) -> tuple[str, str]:
    """Thinking and text of a text that arrives in pieces."""
    splitter, heard = Splitter(), {"thinking": "", "text": "", "tool": ""}
    for at in range(0, len(text), size):
        for part in splitter.take(text[at : at + size]):
            heard[part.channel] += part.text
    for part in splitter.rest():
        heard[part.channel] += part.text
    return heard["thinking"], heard["text"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_a_block_is_taken_out_however_it_arrives(size):
    thinking, text = pieces(WHOLE, size)
    assert thinking.strip() == "Let me see: 2 < 3, and </thin is no tag. 🤔"
    assert text == "The answer is **4**. <think> is a tag."
    assert split(WHOLE) == (thinking.strip(), text)


@pytest.mark.parametrize("size", [1, 4, 1_000])
@pytest.mark.parametrize("text", ["4", "<thi", "<b>bold</b>", "  indented", "a <think>b</think> c", "\n\n<thin>k"])
def test_a_text_without_a_block_at_its_beginning_is_left_alone(text, size):
    assert pieces(text, size) == ("", text)
    assert split(text) == ("", text)


def test_a_block_that_is_never_closed_is_all_thinking():
    assert split("<think>and so on") == ("and so on", "")
    assert pieces("<think>and so on </th", 1) == ("and so on </th", "")


def test_an_empty_block_leaves_the_answer():
    assert split("<think>\n\n</think>\n\n4") == ("", "4")
    assert pieces("<think></think>4", 1) == ("", "4")


def test_a_block_whose_beginning_the_template_wrote_is_found_at_the_end():
    assert split("First I add.\n</think>\n\n4") == ("First I add.", "4")


def test_a_closing_tag_that_is_only_spoken_of_is_no_end():
    text = "Models write </think> when they are done."
    assert split(text) == ("", text)
    quoted = "Like this: <think>\nx\n</think>\n"
    assert split(quoted) == ("", quoted)
