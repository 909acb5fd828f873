"""The scripted backend: the tests' double, and the demo that ships."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.backends.asking import ask, collect, texts
from tests.runs import finish
from workbench.backends import registry
from workbench.backends.base import LoadingPart, Message, ReadingPart
from workbench.backends.scripted import DEMO, Conversation, ScriptedAnswer, ScriptedBackend, ScriptFile, When
from workbench.engine import Engine
from workbench.errors import InvalidRequest, RateLimited, ScriptExhausted, StreamBroken
from workbench.events import Card, ModelAnswered, RunFinished, ToolAnswered
from workbench.request import ModelSettings, RunRequest
from workbench.settings import Settings


async def test_answers_come_in_order_word_by_word() -> None:
    backend = ScriptedBackend(["One two.", {"text": "Three."}])
    parts, answer = await collect(backend, ask("demo", "How many words?"))
    assert texts(parts) == ["One ", "two."]
    assert (answer.prompt_tokens, answer.completion_tokens) == (3, 2)
    assert (await collect(backend, ask("demo")))[1].text == "Three."
    assert [request.messages[0].content for request in backend.requests] == ["How many words?", "Hello"]


async def test_when_the_script_runs_out_it_says_so() -> None:
    backend = ScriptedBackend(["Only this."])
    await collect(backend, ask("demo"))
    with pytest.raises(ScriptExhausted, match="all of its 1 answers") as caught:
        await collect(backend, ask("demo"))
    assert "Add an answer to the script" in caught.value.hint


async def test_words_come_at_the_set_speed() -> None:
    backend = ScriptedBackend(["one two three four five six"], speed=50)
    _, answer = await collect(backend, ask("demo"))
    assert answer.decode_seconds is not None and answer.decode_seconds >= 5 / 50 * 0.9
    assert answer.first_token_seconds is not None and answer.first_token_seconds >= 1 / 50 * 0.9


async def test_an_answer_may_think_call_tools_and_show_its_preparations() -> None:
    script = {
        "loading": True,
        "reading": 10,
        "thinking": "Hm, so.",
        "text": "Let me see.",
        "tool_calls": [{"name": "clock", "arguments": {"timezone": "UTC"}}],
    }
    parts, answer = await collect(ScriptedBackend([script]), ask("demo"))
    assert parts[0] == LoadingPart(stage="load")
    assert [part.read for part in parts if isinstance(part, ReadingPart)] == [5, 10]
    assert (answer.thinking, answer.text, answer.finish_reason) == ("Hm, so.", "Let me see.", "tool_calls")
    assert answer.tool_calls[0].arguments == {"timezone": "UTC"}
    assert texts(parts, "thinking") == ["Hm, ", "so."]


async def test_an_object_is_written_as_json() -> None:
    _, answer = await collect(ScriptedBackend([{"object": {"title": "Straße"}}]), ask("demo"))
    assert answer.text == '{"title": "Straße"}'


async def test_an_error_comes_after_the_words_before_it() -> None:
    backend = ScriptedBackend(
        [{"text": "Half an", "error": "stream_broken"}, {"error": RateLimited("Wait.", retry_after=3)}]
    )
    heard: list[Any] = []
    with pytest.raises(StreamBroken):
        async for part in backend.chat(ask("demo")):
            heard.append(part)
    assert texts(heard) == ["Half ", "an"]
    with pytest.raises(RateLimited) as caught:
        await collect(backend, ask("demo"))
    assert caught.value.retry_after == 3


async def test_log_probabilities_are_given_to_those_who_ask() -> None:
    script = {"text": "Yes indeed", "logprobs": [-0.1, -0.5]}
    backend = ScriptedBackend([script, script])
    _, answer = await collect(backend, ask("demo", top_logprobs=1))
    assert [token.logprob for token in answer.logprobs or ()] == [-0.1, -0.5]
    assert (await collect(backend, ask("demo")))[1].logprobs is None


async def test_a_stop_sequence_ends_the_answer() -> None:
    backend = ScriptedBackend(["Action: look\nObservation: invented"])
    _, answer = await collect(backend, ask("demo", stop=("END", "\nObservation:")))
    assert (answer.text, answer.finish_reason) == ("Action: look", "stop")


async def test_a_stopped_answer_leaves_nothing_running() -> None:
    backend = ScriptedBackend([{"text": "Slow", "delay": 60}])
    task = asyncio.create_task(collect(backend, ask("demo")))
    while not backend.streaming:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert backend.streaming == 0


@pytest.mark.parametrize(
    "answer", [{"text": "a", "object": {"b": 1}}, {"error": "no_such_code"}, {"txet": "typo"}, {"delay": -1}]
)
def test_a_script_with_a_mistake_is_refused_before_it_is_played(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ScriptedBackend([answer])


async def test_a_file_with_a_list_is_played_once(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- First.\n- {text: Second., finish_reason: length}\n", encoding="utf-8")
    backend = registry.create("scripted", Settings(script=script, script_speed=0))
    assert (await collect(backend, ask("demo")))[1].text == "First."
    assert (await collect(backend, ask("demo")))[1].finish_reason == "length"
    with pytest.raises(ScriptExhausted):
        await collect(backend, ask("demo"))


@pytest.mark.parametrize("content", [None, "conversations: 7", "- {text: [", "just words: here", "- 7", "\x00"])
async def test_a_script_file_that_cannot_be_used_says_which_and_why(tmp_path: Path, content: str | None) -> None:
    script = tmp_path / "script.yaml"
    if content is not None:
        script.write_text(content, encoding="utf-8")
    backend = registry.create("scripted", Settings(script=script))
    status = await backend.status()
    assert not status.ready
    assert str(script) in status.detail and "WORKBENCH_SCRIPT" in status.hint
    with pytest.raises(InvalidRequest):
        await collect(backend, ask("demo"))


CONVERSATION = """
conversations:
  - name: steps
    when: {properties: next_action}
    answers:
      - object: {content: First I look at it closely., next_action: continue}
      - object: {content: "Then I say \\"done\\".", next_action: final_answer}
      - object: {content: There is more to see here., next_action: continue}
"""
STEP = {"properties": {"content": {"type": "string"}, "next_action": {"enum": ["continue", "final_answer"]}}}
EARLY = {"properties": {"content": {"type": "string"}, "next_action": {"const": "continue"}}}


@pytest.fixture
def conversations(tmp_path: Path) -> ScriptedBackend:
    script = tmp_path / "script.yaml"
    script.write_text(CONVERSATION, encoding="utf-8")
    return ScriptedBackend(ScriptFile(script))


async def next_action(backend: ScriptedBackend, schema: dict[str, Any], said: list[str]) -> str:
    request = ask("demo", json_schema=schema)
    turns = (Message(role="assistant", content=text) for text in said)
    _, answer = await collect(backend, request.model_copy(update={"messages": (*request.messages, *turns)}))
    return answer.text


async def test_a_conversation_goes_on_from_what_was_said_and_remembers_nothing(conversations: ScriptedBackend) -> None:
    first = await next_action(conversations, STEP, [])
    assert json.loads(first)["content"] == "First I look at it closely."
    planted = "Thank you! I will now think."
    rewritten = json.dumps(json.loads(first), indent=4)
    second = await next_action(conversations, STEP, [planted, rewritten])
    assert json.loads(second)["next_action"] == "final_answer"
    assert await next_action(conversations, STEP, []) == first


async def test_a_conversation_keeps_to_what_the_schema_allows(conversations: ScriptedBackend) -> None:
    first = await next_action(conversations, EARLY, [])
    second = await next_action(conversations, EARLY, [first])
    assert json.loads(second)["content"] == "There is more to see here."
    with pytest.raises(ScriptExhausted, match="no further answer for steps"):
        await next_action(conversations, EARLY, [first, second])


async def test_a_request_for_which_there_is_no_conversation_is_an_error(conversations: ScriptedBackend) -> None:
    with pytest.raises(ScriptExhausted, match="this kind of request"):
        await collect(conversations, ask("demo"))


async def test_the_model_list_says_that_no_model_is_thinking() -> None:
    backend = registry.create("scripted", Settings())
    assert "no model" in backend.title.lower()
    assert "No model is thinking" in (await backend.status()).detail
    assert [model.name for model in await backend.models()] == ["demo"]


@pytest.fixture
def engine(settings: Settings) -> Any:
    engine = Engine(settings.model_copy(update={"script_speed": 0.0}))
    yield engine
    engine.close()


def play(engine: Engine, machine: str, **options: Any) -> list[Any]:
    request = RunRequest(machine=machine, question="Is it?", backend="scripted", model="demo", options=options)
    return finish(engine, engine.submit(request))[0]


@pytest.mark.parametrize(
    ("machine", "options", "cards"),
    [
        ("direct", {}, 1),
        ("direct", {"brief": True}, 1),
        ("stepwise", {}, 5),
        ("stepwise", {"min_steps": 6}, 7),
        ("reflection", {}, 6),
        ("reflection", {"roles": "code"}, 4),
        ("react", {}, 3),
        ("react", {"dialect": "native"}, 2),
        ("react", {"dialect": "text"}, 2),
        ("react", {"tools": ["calculator"]}, 2),
        ("pal", {}, 2),
        ("self_refine", {}, 4),
        ("self_refine", {"aspects": "code"}, 2),
        ("self_refine", {"aspects": "text"}, 2),
        ("least_to_most", {}, 4),
    ],
)
def test_the_demo_plays_each_machine_to_its_end_and_says_that_it_is_a_demo(
    engine: Engine, machine: str, options: dict[str, Any], cards: int
) -> None:
    for _ in range(2):
        events = play(engine, machine, **options)
        end = events[-1]
        assert isinstance(end, RunFinished) and end.status == "answered", end
        shown = [event for event in events if isinstance(event, Card)]
        assert len(shown) == cards
        assert "demo script" in shown[0].content and "no model is" in shown[0].content
        assert "demo script" in end.answer


@pytest.mark.parametrize("machine", ["cot", "self_consistency"])
def test_chains_of_thought_of_the_demo_say_so_before_their_answer(engine: Engine, machine: str) -> None:
    *_, end = events = play(engine, machine)
    assert isinstance(end, RunFinished) and end.status == "answered", end
    written = [event.text for event in events if isinstance(event, ModelAnswered)]
    assert all("From the demo script: no model is thinking." in text for text in written)


def test_samples_of_the_demo_differ_and_come_to_a_majority_whatever_the_seed(engine: Engine) -> None:
    for seed in range(7):
        request = RunRequest(
            machine="self_consistency",
            question="Is it?",
            backend="scripted",
            model="demo",
            settings=ModelSettings(seed=seed),
            options={"adaptive": False},
        )
        view = finish(engine, engine.submit(request))[1]
        assert list(view.votes.values()) == [5, 1, 1] and "55.08" in view.finished.answer


async def test_the_seed_chooses_an_answer_where_the_script_says_so() -> None:
    answers = [ScriptedAnswer(text=text) for text in ("a", "b", "c")]
    backend = ScriptedBackend(Conversation(name="samples", by_seed=True, answers=answers).next)
    texts = [(await collect(backend, ask("demo", seed=seed)))[1].text for seed in (3, 4, 5, 4, None)]
    assert texts == ["a", "b", "c", "b", "a"]


def test_a_conversation_may_be_chosen_by_the_last_message() -> None:
    when = When(last="others say")
    asked, answered = Message(role="user", content="What do the Others say?"), Message(role="assistant", content="4")
    assert when.matches(ask("demo").model_copy(update={"messages": (answered, asked)}))
    assert not when.matches(ask("demo").model_copy(update={"messages": (asked, answered)}))


def test_the_demo_uses_the_real_tools(engine: Engine) -> None:
    observed = [event for event in play(engine, "react") if isinstance(event, ToolAnswered)]
    assert [(event.result.strip(), event.error) for event in observed] == [("55.08", False), ("55.08", False)]


def test_a_demo_that_is_asked_for_more_than_it_has_ends_honestly(engine: Engine) -> None:
    end = play(engine, "stepwise", min_steps=20)[-1]
    assert isinstance(end, RunFinished)
    assert (end.status, end.error and end.error.code) == ("failed", "script_exhausted")


def test_every_answer_of_the_demo_can_be_told_from_the_others() -> None:
    for conversation in ScriptFile(DEMO).source._conversations:
        signs = [answer.sign for answer in conversation.answers]
        assert not any(one in other for one in signs for other in signs if one is not other), conversation.name
