"""What comes over the wire, one byte at a time or without an end; and log-probabilities that never come."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from tests.misbehaviour.conftest import Place
from tests.misbehaviour.rude_server import MODEL, Act, Chat, plainly, rude_server
from tests.misbehaviour.rude_server import Ollama as OllamaDialect
from tests.misbehaviour.rude_server import OpenAI as OpenAIDialect
from workbench.settings import CHECKOUT

EMOJI = "Grüße 🧑‍🚀🦜 東京 e\u0301 \u2028line\u2029 next\x85line \x0b\x1c\x7f \u200f🏴󠁧󠁢󠁥󠁮󠁧󠁿 “ok” \\n \x00."
MB = 1 << 20


def test_one_byte_at_a_time_every_character_comes_through(every):
    async def drip(chat: Chat) -> None:
        await chat.begin()
        whole = b"".join(chat.dialect.piece(character) for character in EMOJI) + chat.final()
        for at in range(len(whole)):
            await chat.send(whole[at : at + 1])
        await chat.end()

    seen = every.run(drip)
    assert seen.status == "answered"
    call = seen.view.calls[0]
    assert call.answer.text == EMOJI and call.answer.text.encode() == EMOJI.encode()
    deltas = [event.text for event in seen.events if event.kind == "delta" and event.call_id == call.called.call_id]
    assert "".join(deltas) == EMOJI
    every.until(lambda: every.engine.store.events(call.called.run_id) == seen.events)  # and so they are kept


MEASURE = """
import resource, sys
from pathlib import Path
from tests.misbehaviour.conftest import Place, Seen
from tests.runs import finish
from workbench.settings import Settings

kind, url, home, runs = sys.argv[1:]
place = Place(kind, url, Settings(home=Path(home), models_folder=Path(home), backend="scripted"))

def run():
    return Seen(*finish(place.engine, place.submit(machine="react", dialect="native")))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

assert run().status == "answered"  # and has imported whatever a first run imports
before = peak()
for _ in range(int(runs)):
    seen = run()
    written = sum(len(event.text) for event in seen.events if event.kind == "delta")
    print(seen.error.code, written, peak() - before, seen.error.message, seen.error.hint, sep="\\t")
place.engine.close()
"""


async def _text(chat: Chat) -> None:
    """A gigabyte of words that do not repeat."""
    for number in range(1 << 30):
        await chat.say(f"{number:x} ")


async def _large_text(chat: Chat) -> None:
    """A gigabyte in pieces of 64 KB."""
    piece = chat.dialect.piece("".join(f"{number:x} " for number in range(12_000)))
    for _ in range((1 << 30) // len(piece)):
        await chat.send(piece)


async def _nothing(chat: Chat) -> None:
    """A gigabyte of objects that say nothing."""
    empty = chat.dialect.piece("")
    piece = empty.replace(b"{", b'{"padding": "' + b"z" * 4_000 + b'", ', 1) * 16
    for _ in range((1 << 30) // len(piece)):
        await chat.send(piece)


async def _line(chat: Chat) -> None:
    """A gigabyte in one line that never ends."""
    await chat.send(chat.dialect.piece("x")[:-8])
    for _ in range(1 << 14):
        await chat.send(b"y" * (1 << 16))


async def _long_line(chat: Chat) -> None:
    """One whole object of 10 MB."""
    piece = chat.dialect.piece("0123456789 " * (10 * MB // 11))
    for at in range(0, len(piece), 1 << 16):
        await chat.send(piece[at : at + (1 << 16)])
    await chat.end(chat.final())


async def _event(chat: Chat) -> None:
    """A gigabyte of short lines that are all of one event."""
    for _ in range(1 << 14):
        await chat.send(b"data: xy\n" * 7_000)


POURS = (_text, _large_text, _nothing, _line, _long_line)


FORMS = {"openai": (*POURS, _event), "ollama": POURS, "embedded": POURS}


@pytest.mark.parametrize("kind", FORMS)
async def test_a_reply_without_an_end_is_ended_in_bounded_memory(kind, tmp_path):
    """A gigabyte in each of several forms, and a line of 10 MB, in a process of its own, whose peak is its own."""
    pours = FORMS[kind]

    def pouring(pour: Act) -> Act:
        async def act(chat: Chat) -> None:
            await chat.begin()
            await pour(chat)

        return act

    with rude_server(OllamaDialect() if kind == "ollama" else OpenAIDialect()) as server:
        server.plays(plainly("Hello."), *map(pouring, pours))
        command = [sys.executable, "-c", MEASURE, kind, server.url, str(tmp_path), str(len(pours))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=200
        )
    assert done.returncode == 0, done.stderr
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(told) == len(pours) == len(server.chats) - 1, "each is asked for once"
    for pour, chat, (code, written, grown, said, hint) in zip(pours, server.chats[1:], told, strict=True):
        assert code == "reply_too_long", (pour.__name__, said)
        assert int(grown) < 60, f"{grown} MB more were needed after {pour.__name__}"
        assert int(written) < 200_000 and chat.sent < 100 * MB, pour.__name__
        assert "Run it again" in hint


def test_a_body_without_an_end_where_a_list_was_asked_for_is_an_error(place):
    usual = place.server.dialect.answer
    endless = json.dumps({"filler": "x" * (6 * MB)})
    listing = "/v1/models" if place.kind == "openai" else "/api/tags"
    place.server.dialect.answer = lambda path, body: json.loads(endless) if path == listing else usual(path, body)
    seen = place.run(plainly("never asked"))
    assert seen.status == "failed" and seen.error.code == "reply_too_long" and place.server.chats == []


def test_a_compressed_answer_that_nobody_asked_for_is_refused(place):
    async def compressed(chat: Chat) -> None:
        await chat.begin(Content_Encoding="gzip")
        await chat.send(b"\x1f\x8b")
        await chat.until_hung_up()

    seen = place.run(compressed)
    assert seen.error.code == "wrong_server" and "compress" in seen.error.message


NO_CONFIDENCE = {
    "ollama": ("0.12.10", "Ollama 0.12.10 gives no log-probabilities; 0.12.11 and later do."),
    "openai": ("gpt-5-nano", "gpt-5-nano gives no log-probabilities, as all models that reason."),
}


def without_log_probabilities(place: Place) -> str:
    """Let the server be one whose model gives none; the model's name."""
    what = NO_CONFIDENCE[place.kind][0]
    if isinstance(place.server.dialect, OllamaDialect):
        place.server.dialect.version = what
        return MODEL
    place.server.dialect.listed |= {"id": what}
    return what


def test_where_there_are_no_log_probabilities_the_run_begins_by_saying_why(place):
    seen = place.run(plainly("A draft."), model=without_log_probabilities(place), settings={"logprobs": True})
    assert seen.status == "answered"
    warning = seen.warned("logprobs_missing")
    assert NO_CONFIDENCE[place.kind][1] in warning.message
    assert warning.seq < next(event.seq for event in seen.events if event.kind == "model_called")
    assert not any("logprobs" in body for body in place.server.bodies), "it is not asked for what it has not"
    assert all(call.answer.mean_logprob is None for call in seen.view.calls)
    assert seen.view.calls[0].card.confidence is None


def test_who_wants_no_log_probabilities_is_not_told_that_there_are_none(place):
    seen = place.run(plainly("A draft."), model=without_log_probabilities(place), settings={"logprobs": False})
    assert seen.status == "answered" and seen.warnings == []


def test_where_log_probabilities_do_not_come_the_person_is_told_once(every):
    seen = every.run(plainly("A draft."), settings={"logprobs": True})
    assert seen.status == "answered" and len(seen.view.calls) == 2
    assert all(body.get("logprobs") for body in every.server.bodies), "it was asked for them"
    assert "no log-probabilities" in seen.warned("logprobs_missing").message
    assert seen.view.calls[0].answer.mean_logprob is None and seen.view.calls[0].card.confidence is None


def test_a_server_that_refuses_log_probabilities_answers_without_them(openai):
    async def picky(chat: Chat) -> None:
        if chat.body.get("logprobs"):
            await chat.status(400, "logprobs is not supported with this model")
        else:
            await plainly("A draft.")(chat)

    seen = openai.run(picky, picky, settings={"logprobs": True})
    assert seen.status == "answered"
    assert "logprobs is not supported" in seen.warned("logprobs_missing").message
    assert [bool(body.get("logprobs")) for body in openai.server.bodies] == [True, False, False]
