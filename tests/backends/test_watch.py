"""What is watched over any backend's stream, where no server can be made to do it at the right moment."""

import asyncio

import pytest

from tests.backends.asking import ask
from workbench.backends.base import AnswerPart, NoticePart, TextPart
from workbench.backends.watch import watched
from workbench.errors import ContextOverflow, EmptyAnswer, StreamBroken


async def test_what_breaks_while_the_call_is_being_stopped_is_part_of_stopping() -> None:
    async def breaking():
        yield TextPart(text="Half")
        try:
            await asyncio.sleep(60)
        finally:
            raise StreamBroken("The connection was reset.")

    heard: list[object] = []

    async def follow() -> None:
        async for part in watched(breaking(), ask("m")):
            heard.append(part)

    task = asyncio.create_task(follow())
    while not heard:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_how_a_connection_is_let_go_does_not_change_the_answer() -> None:
    async def rude_at_the_end():
        try:
            yield AnswerPart(text="Four.")
        finally:
            raise StreamBroken("The connection was reset.")

    assert [part.text for part in [part async for part in watched(rude_at_the_end(), ask("m"))]] == ["Four."]


@pytest.mark.parametrize("words", [(), ("Half",)])
async def test_an_error_says_whether_the_answer_had_begun(words) -> None:
    async def breaking():
        for word in words:
            yield TextPart(text=word, channel="thinking")
        raise StreamBroken("The connection was reset.")

    with pytest.raises(StreamBroken) as caught:
        _ = [part async for part in watched(breaking(), ask("m"))]
    assert caught.value.began is bool(words)


async def test_a_prompt_that_is_too_long_is_never_sent() -> None:
    sent = []

    async def chat():
        sent.append(True)
        yield AnswerPart(text="Four.")

    with pytest.raises(ContextOverflow):
        _ = [part async for part in watched(chat(), ask("m"), count=600, window=512)]
    assert sent == []


async def test_an_answer_that_a_stop_text_ended_at_once_may_be_empty() -> None:
    async def chat():
        yield AnswerPart(text="")

    assert [part async for part in watched(chat(), ask("m", stop=("Observation:",)))] == [AnswerPart(text="")]
    with pytest.raises(EmptyAnswer):
        _ = [part async for part in watched(chat(), ask("m"))]


async def test_a_notice_of_the_backend_is_handed_on() -> None:
    notice = NoticePart(code="odd", message="Something odd.")

    async def chat():
        yield notice
        yield AnswerPart(text="Four.")

    assert [part async for part in watched(chat(), ask("m"))] == [notice, AnswerPart(text="Four.")]
