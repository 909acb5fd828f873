"""Servers that are down, silent, or break off: what a person sees of it, and that no half answer passes for a whole."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.misbehaviour.conftest import Place, Seen, on_rude_server, opened
from tests.misbehaviour.rude_server import SILENCE, Chat, line, plainly, refusing
from tests.runs import finish, verdict
from workbench.events import Delta, Loading, ModelCalled, RunView
from workbench.ui.cards import entry_html

SILENT_SECONDS = 5.6  # longer than the 5 that httpx waits unless it is told otherwise


def test_a_server_that_is_down_fails_the_run_at_once_and_says_what_to_start(place):
    place.server.close_door()
    began = time.monotonic()
    seen = place.run()
    assert seen.status == "failed" and time.monotonic() - began < 5
    assert seen.error.code == "backend_unreachable"
    assert "does not answer" in seen.error.message and "Start it" in seen.error.hint
    assert seen.retried == [] and seen.view.calls == []


@contextmanager
def a_host_that_takes_no_connection() -> Iterator[str]:
    """A port whose queue is full: who knocks is neither let in nor sent away, as by a host that is switched off."""
    with ExitStack() as kept, socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        for _ in range(4):
            knocking = kept.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(door.getsockname())
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_host_that_takes_no_connection_is_not_waited_for_without_end(kind, settings, monkeypatch):
    monkeypatch.setattr("workbench.backends.wire.CONNECT_SECONDS", 0.3)
    with a_host_that_takes_no_connection() as url, opened(Place(kind, url, settings)) as place:
        began = time.monotonic()
        seen = Seen(*finish(place.engine, place.submit()))
    assert seen.status == "failed" and seen.error.code == "backend_unreachable" and "Start it" in seen.error.hint
    assert time.monotonic() - began < 4


def test_a_server_that_goes_down_during_a_run_is_asked_again_and_what_had_finished_stays(place):
    async def last_words(chat: Chat) -> None:
        place.server.close_door()
        await chat.begin()
        await chat.say("A draft.")
        await chat.end(chat.final())

    seen = place.run(last_words)
    assert seen.status == "failed" and seen.error.code == "backend_unreachable"
    assert [event.attempt for event in seen.retried] == [2, 3]
    assert seen.view.calls[0].card.content == "A draft."
    assert len(place.server.chats) == 1


def test_a_missing_model_is_named_with_what_to_do_and_nothing_is_asked(place):
    seen = place.run(plainly("never asked"), model="llama9:7b")
    assert seen.status == "failed" and seen.error.code == "model_missing"
    assert "llama9:7b" in seen.error.message
    assert ("`ollama pull llama9:7b`" if place.kind == "ollama" else "under Models") in seen.error.hint
    assert place.server.chats == []


def test_a_model_that_was_removed_meanwhile_is_missing_after_one_request(place):
    async def gone(chat: Chat) -> None:
        said = "model 'm:latest' not found" if place.kind == "ollama" else "The model `m:latest` does not exist"
        await chat.status(404, said, code="model_not_found")

    seen = place.run(gone)
    assert seen.error.code == "model_missing"
    assert ("`ollama pull m:latest`" if place.kind == "ollama" else "under Models") in seen.error.hint
    assert len(place.server.chats) == 1 and seen.retried == []


async def silent_for_long(chat: Chat) -> None:
    await chat.begin()
    await asyncio.sleep(SILENT_SECONDS)
    await chat.say("Here I am.")
    await chat.end(chat.final())


def test_a_server_that_is_silent_for_long_while_it_loads_is_waited_for(settings, tmp_path):
    """All three backends at once: the silence is the same."""
    with ExitStack() as kept:
        homes = {
            kind: settings.model_copy(update={"home": tmp_path / kind}) for kind in ("openai", "ollama", "embedded")
        }
        there = [kept.enter_context(on_rude_server(kind, home)) for kind, home in homes.items()]
        for place in there:
            place.server.plays(silent_for_long, plainly(verdict("accept", 9)))
        seen = [Seen(*finish(place.engine, run_id)) for place, run_id in [(place, place.submit()) for place in there]]
    for one in seen:
        assert one.status == "answered" and one.retried == []
        call = one.view.calls[0]
        assert call.text == "Here I am." and call.first_at - call.called.at >= SILENT_SECONDS - 0.2


def test_while_a_model_loads_the_seconds_are_counted_and_stop_works(ollama):
    async def silent(chat: Chat) -> None:
        await chat.until_hung_up()

    ollama.server.dialect.loaded = False
    ollama.server.plays(silent)
    run_id = ollama.submit()
    ollama.until(lambda: any(call.state == "loading" for call in ollama.seen(run_id).view.calls))
    view = ollama.seen(run_id).view
    card = entry_html(view, 0, now=view.calls[0].called.at + 299)
    assert "Loading the model, 4:59" in card, "from the call on, with no further word of the server"
    ollama.engine.stop(run_id)
    _, view = finish(ollama.engine, run_id)
    assert view.status == "stopped" and view.calls[0].error.code == "stopped"
    ollama.until(lambda: ollama.server.chats[0].hung_up, 2)


def test_a_server_that_says_that_it_loads_is_asked_until_it_has(openai, monkeypatch):
    monkeypatch.setattr("workbench.backends.openai.LOADING_SECONDS", 0.05)
    loading = refusing(503, "Loading model")
    seen = openai.run(*[loading] * 6, plainly("A draft."))
    assert seen.status == "answered" and seen.retried == [], "more often than any fault is tried again"
    assert [event.stage for event in seen.events if isinstance(event, Loading)] == ["load"] * 6
    assert seen.view.calls[0].text == "A draft." and seen.view.calls[0].answer.load_seconds >= 0.25


def test_comments_that_keep_the_connection_are_no_words_of_the_answer(openai):
    async def commenting(chat: Chat) -> None:
        await chat.begin()
        for _ in range(50):
            await chat.send(b": processing\n\n")
        await chat.say("A draft.")
        await chat.end(chat.final())

    assert openai.run(commenting).view.calls[0].text == "A draft."


def test_a_server_that_is_silent_about_its_models_is_asked_all_the_same(place, monkeypatch):
    monkeypatch.setattr(f"workbench.backends.{place.kind}.STATUS_SECONDS", 0.2)
    usual, listing = place.server.dialect.answer, {"/v1/models", "/api/tags"}
    place.server.dialect.answer = lambda path, body: SILENCE if path in listing else usual(path, body)
    seen = place.run(plainly("A draft."))
    assert seen.status == "answered" and seen.view.calls[0].text == "A draft."


def test_no_client_has_a_timeout_for_reading(every):
    async def timeouts() -> list[float | None]:
        clients = {
            "openai": lambda: every.backend._sdk._client,
            "ollama": lambda: every.backend._client._client,
            "embedded": lambda: every.backend._fake.client,
        }
        sdk = [every.backend._sdk.timeout.read] if every.kind == "openai" else []
        return [clients[every.kind]().timeout.read, *sdk]

    found = every.engine.on_loop(timeouts())
    assert found[-1] is None, "what is asked with: the SDK's own timeout goes before its client's"


@pytest.mark.parametrize("moment", ["before the head", "before the first token"])
def test_stop_works_while_a_server_is_silent(every, moment):
    async def silent(chat: Chat) -> None:
        if moment == "before the first token":
            await chat.begin()
        await chat.until_hung_up()

    every.server.plays(silent)
    run_id = every.submit()
    every.until(lambda: every.server.chats)
    asked = time.monotonic()
    every.engine.stop(run_id)
    _, view = finish(every.engine, run_id)
    assert view.status == "stopped" and time.monotonic() - asked < 2
    every.until(lambda: every.server.chats[0].hung_up, 2)


def test_a_stream_that_stays_open_after_its_final_object_is_an_answer_all_the_same(every):
    async def lingering(chat: Chat) -> None:
        await chat.begin()
        await chat.say("A draft.")
        await chat.send(chat.final())
        await chat.until_hung_up()

    seen = every.run(lingering)
    assert seen.status == "answered" and seen.view.calls[0].text == "A draft."
    every.until(lambda: every.server.chats[0].hung_up, 2)


def test_a_stream_that_is_cut_in_the_middle_of_a_token_is_no_answer(every):
    async def cut(chat: Chat) -> None:
        await chat.begin()
        await chat.say("Half an ", "answer")
        whole = chat.dialect.piece(" and more")
        await chat.send(whole[: len(whole) // 2])
        await asyncio.sleep(0.1)
        chat.reset()

    seen = every.run(cut)
    assert seen.status == "failed" and seen.error.code == "stream_broken" and seen.error.hint
    (call,) = seen.view.calls
    assert call.text == "Half an answer" and call.answer is None and call.state == "failed"
    assert len(every.server.chats) == 1 and seen.retried == [], "what had begun is not paid for twice"


@pytest.mark.parametrize("ending", ["properly", "with the connection"])
def test_a_stream_that_ends_without_its_final_object_is_never_shown_as_complete(every, ending):
    async def unfinished(chat: Chat) -> None:
        await chat.begin()
        await chat.say("All that ", "I have")
        if ending == "properly":
            await chat.end()

    seen = every.run(unfinished)
    assert seen.status == "failed" and seen.error.code == "stream_broken"
    assert seen.view.calls[0].text == "All that I have" and seen.view.calls[0].answer is None


def test_half_an_object_at_the_end_of_a_stream_is_no_answer(every):
    async def halved(chat: Chat) -> None:
        await chat.begin()
        await chat.say("All that ")
        whole = chat.final()
        await chat.end(whole[: len(whole) // 3])

    seen = every.run(halved)
    assert seen.status == "failed" and seen.view.calls[0].answer is None
    assert seen.error.code in ("stream_broken", "wrong_server")


def test_a_connection_that_breaks_before_the_first_token_is_tried_again(place):
    async def broken(chat: Chat) -> None:
        chat.reset()

    seen = place.run(broken, broken, plainly("A draft."))
    assert seen.status == "answered"
    assert [event.attempt for event in seen.retried] == [2, 3]
    assert {event.error.code for event in seen.retried} == {"stream_broken"}
    assert [call.text for call in seen.view.calls[:3]] == ["", "", "A draft."]


def test_an_error_object_in_the_stream_is_a_failure_and_what_had_come_stays(every):
    async def failing(chat: Chat) -> None:
        await chat.begin()
        await chat.say("Half an answer")
        await chat.end(chat.dialect.failure("CUDA error: out of memory", code=500))

    seen = every.run(failing)
    assert seen.status == "failed" and "CUDA error" in seen.error.message and seen.error.hint
    assert seen.view.calls[0].text == "Half an answer" and len(every.server.chats) == 1


VLLM = {"object": "error", "message": "CUDA error: out of memory", "code": 500}
IN_OTHER_FORMS = {
    "a sentence": {"error": "CUDA error: out of memory"},
    "vLLM's": VLLM,
    "without a code": {"error": {"message": "CUDA error: out of memory"}},
    "a load's": {"error": {"message": "Loading model: CUDA error: out of memory", "code": 503}},
    "odd": {"error": {"message": "CUDA error: out of memory", "type": {"a": 1}, "code": [1]}},
}


@pytest.mark.parametrize("form", IN_OTHER_FORMS)
def test_an_error_object_of_another_form_says_its_cause_too(openai, form):
    async def failing(chat: Chat) -> None:
        await chat.begin()
        await chat.say("Half an answer")
        await chat.send(b"data: " + line(IN_OTHER_FORMS[form]) + b"\n\n")
        await chat.end(chat.final())

    seen = openai.run(failing)
    assert seen.status == "failed" and seen.error.code == "server_fault" and "CUDA error" in seen.error.message
    assert seen.view.calls[0].text == "Half an answer" and seen.view.calls[0].answer is None


def test_an_error_object_before_the_first_token_is_tried_again(every):
    async def failing(chat: Chat) -> None:
        await chat.begin()
        await chat.end(chat.dialect.failure("the runner was restarted", code=500))

    seen = every.run(failing, plainly("A draft."))
    assert seen.status == "answered"
    assert [event.attempt for event in seen.retried] == [2] and "the runner was" in seen.retried[0].error.message


@pytest.mark.parametrize("wait", [0.0, 0.001, 0.01, 0.05])
def test_a_connection_that_is_reset_during_stop_is_part_of_stopping(every, wait):
    async def reset_on_word(chat: Chat) -> None:
        await chat.begin()
        await chat.say("Half an answer")
        while not stopping:
            await asyncio.sleep(0.0005)
        await asyncio.sleep(wait)
        chat.reset()

    stopping: list[bool] = []
    for _ in range(3):
        stopping.clear()
        every.server.plays(reset_on_word)
        run_id = every.submit()
        view = RunView()
        for batch in every.engine.follow(run_id):
            for event in batch:
                view.apply(event)
            if any(isinstance(event, Delta) for event in batch):
                break
        every.engine.stop(run_id)
        stopping.append(True)
        _, view = finish(every.engine, run_id)
        assert view.status == "stopped", view.finished
        assert view.calls[0].text == "Half an answer" and view.calls[0].error.code == "stopped"


def test_runs_of_a_server_that_breaks_do_not_disturb_others(place):
    async def by_question(chat: Chat) -> None:
        asked = "".join(message["content"] for message in chat.body["messages"])
        await chat.begin()
        await chat.say("Half ")
        await asyncio.sleep(0.05)
        if "break" in asked:
            chat.reset()
            return
        await chat.end(chat.dialect.piece("done") + chat.final())

    place.server.plays(by_question)
    questions = ["please break", "be good"] * 3
    ids = [place.submit(question=question, machine="react", dialect="native") for question in questions]
    states = [finish(place.engine, run_id)[1].status for run_id in ids]
    assert states == ["failed", "answered"] * 3


def test_every_attempt_is_on_the_log_in_its_order(place):
    async def broken(chat: Chat) -> None:
        chat.reset()

    seen = place.run(broken, plainly("A draft."))
    kinds = [event.kind for event in seen.events if event.kind in ("model_called", "call_failed", "retried")]
    assert kinds == ["model_called", "call_failed", "retried", "model_called", "model_called"]
    called = [event for event in seen.events if isinstance(event, ModelCalled)]
    assert called[0].messages == called[1].messages and called[1].call_id != called[0].call_id
