"""Answers that are none: cut or invalid JSON, blanks and circles without an end, thinking alone, nothing at all."""

import json

import pytest

from tests.misbehaviour.conftest import on_rude_server
from tests.misbehaviour.rude_server import Chat, plainly
from tests.runs import step, verdict

STEP = step("Add", "2 + 2 is 4.", "final_answer")
LINE = "Let me check the result again, because I am not sure. "


def test_json_that_the_token_limit_cut_is_asked_for_again_with_more_room(place):
    cut = plainly('{"title": "Add", "content": "2 +', reason="length", written=1024)
    seen = place.run(cut, plainly(STEP), plainly("Four."), machine="stepwise", min_steps=1)
    assert seen.status == "answered" and seen.view.finished.answer == "Four."
    (retried,) = seen.retried
    assert "cut after 1024 tokens" in retried.error.message and retried.told
    limits = [body.get("max_tokens") or body["options"]["num_predict"] for body in place.server.bodies]
    assert limits == [1024, 2048, 1024]


def test_json_that_is_invalid_again_and_again_fails_honestly(place):
    wrong = plainly('{"title": "Add"}')
    seen = place.run(*[wrong] * 9, machine="stepwise")
    assert seen.status == "failed" and seen.error.code == "structured_output_invalid"
    assert "after 3 retries" in seen.error.message and "content" in seen.error.message and seen.error.hint
    assert len(place.server.chats) == 4 and [event.attempt for event in seen.retried] == [2, 3, 4]
    assert seen.view.finished.answer == ""


@pytest.mark.parametrize("blank", ["\n", "  \n\t", " "])
def test_endless_blanks_in_json_are_noticed_ended_and_asked_for_again(every, blank):
    async def endless(chat: Chat) -> None:
        await chat.begin()
        await chat.say('{"title": "Add",')
        for _ in range(1_000_000):
            await chat.say(blank)

    seen = every.run(endless, plainly(STEP), plainly("Four."), machine="stepwise", min_steps=1)
    assert seen.status == "answered" and seen.view.finished.answer == "Four."
    first = every.server.chats[0]
    every.until(lambda: first.hung_up)
    assert first.sent < 1_000_000, "it is not waited for until some limit of tokens"
    assert "blanks" in seen.warned("repetition_loop").message
    assert len(seen.retried) == 1 and "repeated itself" in seen.retried[0].told
    assert seen.view.calls[0].answer.finish_reason == "loop"


def test_endless_blanks_after_a_whole_object_leave_the_answer_that_it_is(every):
    async def endless(chat: Chat) -> None:
        await chat.begin()
        await chat.say(STEP)
        for _ in range(1_000_000):
            await chat.say("\n")

    seen = every.run(endless, plainly("Four."), machine="stepwise", min_steps=1)
    assert seen.status == "answered" and seen.retried == [] and seen.warnings == []
    assert seen.view.calls[0].answer.parsed["content"] == "2 + 2 is 4."
    every.until(lambda: every.server.chats[0].hung_up)


def test_indented_json_is_no_endless_blanks(every):
    deep: object = "x"
    for _ in range(20):
        deep = {"a": deep}
    object_text = json.dumps(json.loads(STEP) | {"more": deep}, indent=8)
    seen = every.run(plainly(*object_text), plainly("Four."), machine="stepwise", min_steps=1)
    assert seen.status == "answered" and seen.warnings == []


def test_json_that_is_nested_beyond_all_measure_is_asked_for_again(place):
    seen = place.run(
        plainly("[" * 3_000, reason="length"), plainly(STEP), plainly("4"), machine="stepwise", min_steps=1
    )
    assert seen.status == "answered" and len(seen.retried) == 1


def test_a_text_that_goes_round_in_circles_is_ended_and_its_beginning_kept(every):
    async def circling(chat: Chat) -> None:
        await chat.begin()
        await chat.say("The answer is four. ")
        for _ in range(100_000):
            await chat.say(*LINE.split(" "))

    seen = every.run(circling, settings={"max_tokens": 32_768})
    assert seen.status == "answered"
    first = every.server.chats[0]
    every.until(lambda: first.hung_up)
    assert first.sent < 1_000_000
    warning = seen.warned("repetition_loop")
    assert "Letmechecktheresultagain" in warning.message and "Raise the temperature" in warning.hint
    call = seen.view.calls[0]
    assert call.answer.finish_reason == "loop" and call.answer.text.startswith("The answer is four. ")
    assert call.answer.text.count("checktheresult") <= 2, "what goes into the next prompt does not lead it astray"
    assert sum(e.text.count("checktheresult") for e in seen.events if e.kind == "delta") >= 6, "what was seen stays"


def test_json_that_goes_round_in_circles_is_asked_for_again(every):
    async def circling(chat: Chat) -> None:
        await chat.begin()
        await chat.say('{"title": "Add", "content": "')
        for _ in range(100_000):
            await chat.say(LINE)

    seen = every.run(circling, plainly(STEP), plainly("Four."), machine="stepwise", min_steps=1)
    assert seen.status == "answered" and len(seen.retried) == 1
    every.until(lambda: every.server.chats[0].hung_up)
    shown = json.dumps(every.server.bodies[1], ensure_ascii=False)
    assert shown.count(LINE.strip()) <= 2


def test_thinking_that_goes_round_in_circles_is_ended_and_said(place):
    async def circling(chat: Chat) -> None:
        await chat.begin()
        for _ in range(100_000):
            await chat.say(LINE, channel="thinking")

    seen = place.run(circling)
    assert seen.status == "failed" and seen.error.code == "empty_answer" and "in circles" in seen.error.message
    place.until(lambda: place.server.chats[0].hung_up)
    assert len(place.server.chats) == 1
    assert seen.view.calls[0].thinking.startswith("Let me check")


@pytest.mark.parametrize("text", ["| 0 | 0 | 0 |\n" * 120, "[" + "0, " * 600 + "0]", "    pass\n" * 40])
def test_a_table_a_list_of_zeros_and_code_come_through_whole(every, text):
    seen = every.run(plainly(*[text[at : at + 4] for at in range(0, len(text), 4)]))
    assert seen.status == "answered" and seen.warnings == []
    assert seen.view.calls[0].text == text and seen.view.calls[0].answer.finish_reason == "stop"


def test_an_answer_that_is_all_thinking_says_so_and_what_to_change(place):
    seen = place.run(plainly(thinking="Hm, let me see", reason="length"))
    assert seen.status == "failed" and seen.error.code == "empty_answer"
    assert "all of its 1,024 tokens for thinking" in seen.error.message and "Raise the token limit" in seen.error.hint
    assert len(place.server.chats) == 1, "the same limit would end it in the same place"
    assert seen.view.calls[0].thinking == "Hm, let me see"


def test_json_that_never_came_for_thinking_is_asked_for_with_more_room(place):
    seen = place.run(
        plainly(thinking="Hm", reason="length"), plainly(STEP), plainly("Four."), machine="stepwise", min_steps=1
    )
    assert seen.status == "answered" and len(seen.retried) == 1


@pytest.mark.parametrize("thinking", ["Hm.", ""])
def test_an_empty_answer_is_asked_for_once_more(every, thinking):
    seen = every.run(plainly(thinking=thinking), plainly("A draft."))
    assert seen.status == "answered" and seen.view.calls[1].text == "A draft."
    (retried,) = seen.retried
    assert retried.error.code == "empty_answer" and retried.waited == 0


def test_an_answer_that_stays_empty_is_a_failure_and_no_answer(every):
    seen = every.run(plainly(), plainly(" \n"))
    assert seen.status == "failed" and seen.error.code == "empty_answer" and seen.error.hint
    assert "empty" in seen.error.message and len(every.server.chats) == 2


def test_a_server_that_only_loaded_the_model_is_asked_again(ollama):
    seen = ollama.run(plainly(reason="load", written=0), plainly("A draft."))
    assert seen.status == "answered" and "only loaded the model" in seen.retried[0].error.message


THOUGHT = "The secret plan is to add. 🤔"


def test_thinking_is_shown_apart_and_kept_out_of_the_answer_and_the_next_prompt(every):
    seen = every.run(plainly("Two and two ", "are four.", thinking=THOUGHT))
    call = seen.view.calls[0]
    assert (call.thinking, call.text) == (THOUGHT, "Two and two are four.")
    assert seen.view.finished.answer == "Two and two are four."
    assert "secret plan" not in json.dumps(every.server.bodies[1])


def test_thinking_before_a_tool_call_is_not_in_the_next_prompt(place):
    async def thinking_then_calling(chat: Chat) -> None:
        await chat.begin()
        await chat.say(THOUGHT, channel="thinking")
        await chat.say("<think>Another thought.</think>I reckon. ")
        await chat.end(chat.dialect.tool("calculator", {"expression": "6*7"}) + chat.final("tool_calls"))

    seen = place.run(thinking_then_calling, plainly("It is 42."), machine="react", dialect="native")
    assert seen.status == "answered" and THOUGHT in seen.view.calls[0].thinking
    assert "Another thought." in seen.view.calls[0].thinking and seen.view.calls[0].text == "I reckon. "
    sent = json.dumps(place.server.bodies[1], ensure_ascii=False)
    assert "6*7" in sent and "secret plan" not in sent and "nother thought" not in sent


def test_thinking_in_the_text_is_told_from_it_in_pieces_of_one_character(every):
    seen = every.run(plainly(*f"<think>\n{THOUGHT}\n</think>\n\nTwo and two are four."))
    call = seen.view.calls[0]
    assert (call.thinking, call.text) == (THOUGHT, "Two and two are four.")
    deltas = [event for event in seen.events if event.kind == "delta" and event.call_id == call.called.call_id]
    assert "".join(event.text for event in deltas if event.channel == "thinking").strip() == THOUGHT
    assert "".join(event.text for event in deltas if event.channel == "text") == "Two and two are four."
    assert "secret plan" not in json.dumps(every.server.bodies[1]) and "think>" not in json.dumps(
        every.server.bodies[1]
    )


def test_thinking_whose_opening_tag_is_in_the_prompt_is_told_from_the_answer(every):
    seen = every.run(plainly(*f"{THOUGHT}\n</think>\n\nTwo and two are four."))
    assert (seen.view.calls[0].thinking, seen.view.calls[0].text) == (THOUGHT, "Two and two are four.")


def test_thinking_in_the_text_before_json_leaves_the_json(every):
    seen = every.run(plainly("A draft."), plainly(*f"<think>hm</think>{verdict('accept', 9)}"))
    assert seen.status == "answered" and seen.retried == [] and seen.view.calls[1].answer.parsed["score"] == 9


HALVES = ("\ud83d", "\ude80")
UNFIT_OPENAI = {
    "a list": b"data: [1, 2]\n\n",
    "nothing": b"data: null\n\n",
    "no JSON": b"data: <html>\n\n",
    "endless nesting": b"data: " + b"[" * 100_000 + b"\n\n",
    "a number for text": {"choices": [{"index": 0, "delta": {"content": 5}}]},
    "a list for a delta": {"choices": [{"index": 0, "delta": [1]}]},
    "reasoning that is no text": {"choices": [{"index": 0, "delta": {"reasoning": [{"a": 1}]}}]},
    "a refusal that is no text": {"choices": [{"index": 0, "delta": {"refusal": {"a": 1}}}]},
    "progress without an end": {"choices": [], "prompt_progress": {"processed": 5}},
    "times that are none": {"choices": [], "timings": {"predicted_ms": "soon"}},
    "a token without its probability": {
        "choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": None}]}}]
    },
    "a call that is a number": {"choices": [{"index": 0, "delta": {"tool_calls": [5]}}]},
}
NOT_LLAMA_CPP_S = ("reasoning that is no text", "a refusal that is no text")  # fields that it does not send
UNFIT_OLLAMA = {
    "a list": b"[1, 2]\n",
    "nothing": b"null\n",
    "no JSON": b"<html>\n",
    "endless nesting": b"[" * 100_000 + b"\n",
    "no message": {"message": None},
    "a number for text": {"message": {"role": "assistant", "content": 5}},
    "a token without its probability": {
        "message": {"role": "assistant", "content": "a"},
        "logprobs": [{"token": "a", "logprob": None}],
    },
    "a call without a name": {"message": {"role": "assistant", "content": "", "tool_calls": [{}]}},
    "counts that are none": {"message": {"role": "assistant", "content": "a"}, "eval_count": "many"},
}


def sending(found: bytes | dict[str, object]) -> object:
    async def act(chat: Chat) -> None:
        await chat.begin()
        await chat.say("Half an answer")
        await chat.send(found if isinstance(found, bytes) else chat.dialect.event(found))
        await chat.end(chat.final())

    return act


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # the SDK's, on its way to LangChain
@pytest.mark.parametrize("form", UNFIT_OPENAI)
def test_an_object_that_does_not_fit_openai_s_protocol_is_the_servers_fault(openai, form):
    seen = openai.run(sending(UNFIT_OPENAI[form]), settings={"logprobs": True})
    assert seen.status == "failed" and seen.error.code == "wrong_server", seen.error
    assert "OpenAI's protocol" in seen.error.message and "OPENAI_BASE_URL" in seen.error.hint
    assert seen.view.calls[0].text.startswith("Half an answer") and len(openai.server.chats) == 1


@pytest.mark.parametrize("form", UNFIT_OLLAMA)
def test_an_object_that_does_not_fit_ollama_s_protocol_is_the_servers_fault(ollama, form):
    seen = ollama.run(sending(UNFIT_OLLAMA[form]), settings={"logprobs": True})
    assert seen.status == "failed" and seen.error.code == "wrong_server", seen.error
    assert "Ollama's protocol" in seen.error.message and "OLLAMA_HOST" in seen.error.hint
    assert seen.view.calls[0].text.startswith("Half an answer") and len(ollama.server.chats) == 1


@pytest.mark.parametrize(
    "form", sorted(UNFIT_OPENAI.keys() - {"reasoning that is no text", "a refusal that is no text"})
)
def test_an_object_that_does_not_fit_the_engines_protocol_is_the_engines_fault(settings, form):
    with on_rude_server("embedded", settings) as place:
        seen = place.run(sending(UNFIT_OPENAI[form]), settings={"logprobs": True})
    assert seen.status == "failed" and seen.error.code == "stream_broken", seen.error
    assert "The engine" in seen.error.message and seen.view.calls[0].text.startswith("Half an answer")


def test_whatever_role_a_server_gives_its_answer_it_is_the_answer(openai):
    async def confused(chat: Chat) -> None:
        await chat.begin()
        for role, piece in (("user", "Two and "), ("tool", "two "), ("system", "are four.")):
            await chat.send(chat.dialect.choice({"role": role, "content": piece}))
        await chat.end(chat.final())

    assert openai.run(confused).view.calls[0].answer.text == "Two and two are four."


def test_halves_of_a_character_in_two_objects_are_that_character(every):
    async def halving(chat: Chat) -> None:
        await chat.begin()
        for half in HALVES:
            await chat.send(chat.dialect.piece("?").replace(b"?", half.encode("ascii", "backslashreplace")))
        await chat.end(chat.final())

    assert every.run(halving).view.calls[0].answer.text == "🚀"
