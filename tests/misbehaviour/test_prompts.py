"""Prompts that are longer than the window: refused before the call, warned about, and never cut unnoticed."""

import pytest

from tests.misbehaviour.rude_server import plainly, refusing
from tests.runs import verdict

WORDS = "All the words of a very long question that somebody has pasted from somewhere else. "


def test_a_prompt_that_is_surely_too_long_is_refused_before_anything_is_sent(place):
    seen = place.run(plainly("never asked"), question=WORDS * 100, settings={"context_window": 1024})
    assert seen.status == "failed" and seen.error.code == "context_overflow"
    assert "at least" in seen.error.message and "1,024" in seen.error.message
    assert "larger context window" in seen.error.hint
    assert place.server.chats == []


def test_the_window_is_the_backends_own_where_the_person_names_none(place):
    if place.kind == "openai":
        place.server.dialect.listed |= {"max_model_len": 1024}
    else:
        place.server.dialect.trained_window = 1024
    seen = place.run(plainly("never asked"), question=WORDS * 100)
    assert seen.status == "failed" and seen.error.code == "context_overflow" and "1,024" in seen.error.message
    assert place.server.chats == [] and seen.view.calls[0].called.context_window == 1024


def test_a_prompt_that_may_be_too_long_is_sent_with_a_warning(place):
    seen = place.run(plainly("A draft.", prompt=950), question=WORDS * 52, settings={"context_window": 1024})
    assert seen.status == "answered"
    assert "1,024" in seen.warned("prompt_near_window").message
    asked = next(event.seq for event in seen.events if event.kind == "model_called")
    assert seen.warned("prompt_near_window").seq == asked + 1, "before the answer, not after it"


def test_where_llama_cpp_serves_the_prompt_is_counted_and_refused_exactly(openai):
    openai.server.dialect.listed |= {"owned_by": "llamacpp", "meta": {"n_ctx": 700}}
    usual = openai.server.dialect.answer

    def as_llama_cpp(path, body):
        if path == "/apply-template":
            return {"prompt": " ".join(message["content"] for message in body["messages"])}
        if path == "/tokenize":
            return {"tokens": list(range(len(body["content"].split())))}
        return usual(path, body)

    openai.server.dialect.answer = as_llama_cpp
    seen = openai.run(plainly("never asked"), question="word " * 800)
    assert seen.error.code == "context_overflow" and "has 8" in seen.error.message and "700" in seen.error.message
    assert openai.server.chats == []


def test_a_server_that_refuses_a_long_prompt_is_understood(every):
    said = "the input length exceeds the context length"
    numbers = {"type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}
    seen = every.run(refusing(400, said, **numbers))
    assert seen.error.code == "context_overflow" and len(every.server.chats) == 1 and seen.retried == []
    assert "larger context window" in seen.error.hint
    if every.kind != "ollama":
        assert "5,000 tokens" in seen.error.message and "4,096" in seen.error.message


def test_ollama_is_told_not_to_cut_the_prompt(ollama):
    ollama.run(plainly("A draft."))
    assert [(body["truncate"], body["shift"]) for body in ollama.server.bodies] == [(False, False)] * 2


@pytest.mark.parametrize(("asked", "read"), [(512, 512), (None, 4096), (None, 300)])
def test_a_prompt_that_was_cut_silently_is_warned_about(ollama, asked, read):
    question = WORDS * (20 if asked else 150)
    settings = {"context_window": asked} if asked else {}
    seen = ollama.run(plainly("A draft.", prompt=read), question=question, settings=settings)
    assert seen.status == "answered"
    warning = seen.warned("prompt_truncated")
    assert f"Only {read:,} tokens of the prompt were read" in warning.message
    assert "Shorten the question" in warning.hint


def test_a_prompt_that_was_cut_silently_elsewhere_is_warned_about_too(openai):
    seen = openai.run(plainly("A draft.", prompt=300), question=WORDS * 150)
    assert "300 tokens" in seen.warned("prompt_truncated").message


def test_a_prompt_that_was_read_whole_is_not_suspected(place):
    judged = plainly(verdict("accept", 9), prompt=2_900)
    seen = place.run(plainly("A draft.", prompt=2_700), judged, question=WORDS * 150)
    assert [w for w in seen.warnings if w.code == "prompt_truncated"] == []
