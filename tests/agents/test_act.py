"""Act: ReAct's actions and observations in the same three dialects, without the thoughts."""

import json

from agents import catalogue
from tests.runs import finish, request, run, scripted_engine
from workbench import prompts
from workbench.backends.scripted import create as create_demo
from workbench.events import ToolView


def action(name: str, text: str) -> str:
    """An action in the json dialect."""
    return json.dumps({"action": name, "input": text})


def tools_of(view):
    return [entry for entry in view.entries if isinstance(entry, ToolView)]


def last_turn(view, call):
    return view.calls[call].called.messages[-1]["content"]


def test_action_observation_finish(settings):
    _, view = run(settings, "act", [action("calculator", "48 * 1.35"), action("finish", "It costs 64.80.")])
    assert view.status == "answered" and view.finished.answer == "It costs 64.80."
    assert view.finished.feedback == "tool"
    assert tools_of(view)[0].answered.result.startswith("64.8")
    assert last_turn(view, 1).startswith("Observation: 64.8")
    assert [call.card.title for call in view.calls] == ["Step 1: calculator", "Step 2: finish"]
    assert [decision.edge for decision in view.decisions] == ["act", "__end__"]


def test_there_is_no_room_for_a_thought(settings):
    _, view = run(settings, "act", [action("finish", "4")])
    schema = view.calls[0].called.parameters["json_schema"]
    assert list(schema["properties"]) == ["action", "input"]
    examples = [m["content"] for m in view.calls[0].called.messages if m["role"] == "assistant"]
    assert len(examples) == 8 and not any("thought" in text.lower() for text in examples)


def test_a_thought_in_a_text_step_is_not_kept_in_the_conversation(settings):
    answers = ["I must add.\nAction: calculator\nAction Input: 2 + 2", "Thought: done\nFinal Answer: 4"]
    _, view = run(settings, "act", answers, dialect="text")
    assert view.finished.answer == "4"
    assert view.calls[1].called.messages[-2]["content"] == "Action: calculator\nAction Input: 2 + 2"
    assert tools_of(view)[0].called.arguments == {"expression": "2 + 2"}


def test_an_unreadable_text_step_is_told_so(settings):
    _, view = run(settings, "act", ["I think it is four.", "Final Answer: 4"], dialect="text")
    assert view.finished.answer == "4" and tools_of(view) == []
    assert "no Action" in last_turn(view, 1)


def test_native_calls_and_their_results_are_paired(settings):
    call = {"text": "I add.", "tool_calls": [{"name": "calculator", "arguments": {"expression": "2 + 2"}}]}
    _, view = run(settings, "act", [call, "It is 4."], dialect="native")
    assert view.finished.answer == "It is 4."
    assistant, tool = view.calls[1].called.messages[-2:]
    assert not assistant["content"] and assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == "call_0"


def test_a_tool_that_is_asked_the_same_again_is_not_offered(settings):
    same = action("calculator", "1 + 1")
    _, view = run(settings, "act", [same, same, action("finish", "2")])
    assert "exactly this before" in last_turn(view, 2)
    offered = [call.called.parameters["json_schema"]["properties"]["action"]["enum"] for call in view.calls]
    assert ["calculator" in names for names in offered] == [True, True, False]


def test_the_step_limit_says_so_and_is_no_answer(settings):
    _, view = run(settings, "act", [action("calculator", f"{n} + 1") for n in range(3)], max_steps=3)
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "No answer within 3 steps."
    assert "Only one step is left" in last_turn(view, 2)


def test_beside_the_thoughts_it_is_asked_what_react_is_asked():
    """Else the comparison of the two would be one of prompts."""
    act, react = prompts.load("act").roles, prompts.load("react").roles
    assert set(act) == set(react)
    assert {name for name in act if act[name] != react[name]} == {"json", "text", "native"}
    for dialect in ("json", "text"):
        asked = [[turn.content for turn in one.turns if turn.role == "user"] for one in act[dialect].examples]
        assert asked == [[t.content for t in one.turns if t.role == "user"] for one in react[dialect].examples]
    assert catalogue.load("act").options.model_fields.keys() == catalogue.load("react").options.model_fields.keys()


def test_the_demo_plays_each_dialect(settings):
    backend = create_demo(settings.model_copy(update={"script_speed": 0}))
    for dialect, calls in (("json", 3), ("native", 2), ("text", 2)):
        with scripted_engine(settings, []) as engine:
            engine._backends["scripted"] = backend
            _, view = finish(engine, engine.submit(request("act", dialect=dialect)))
        assert view.status == "answered" and view.totals.calls == calls, view.finished
        assert all(tool.answered.result.strip() == "55.08" for tool in tools_of(view))
        assert "demo script" in view.finished.answer
