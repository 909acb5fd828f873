"""ReAct in its three dialects: what is a step, what is an observation, and what is never guessed."""

import pytest

from agents.contract import Answer, Call
from agents.react_dialects import Action, read_native_step, read_text_step, without_json_tail
from tests.runs import action, run
from workbench.events import NoteView, ToolView, Warned


def tools_of(view):
    return [entry for entry in view.entries if isinstance(entry, ToolView)]


def test_json_thought_action_observation_finish(settings):
    _, view = run(settings, "react", [action("calculator", "48 * 1.35"), action("finish", "It costs 64.80.")])
    assert view.finished.answer == "It costs 64.80."
    assert view.finished.feedback == "tool"
    assert tools_of(view)[0].answered.result.startswith("64.8")
    assert view.calls[1].called.messages[-1]["content"].startswith("Observation: 64.8")


def test_worked_examples_are_earlier_turns(settings):
    _, view = run(settings, "react", [action("finish", "4")])
    roles = [message["role"] for message in view.calls[0].called.messages]
    assert roles == ["system", *["user", "assistant"] * 8, "user"]


def test_examples_of_a_tool_that_is_not_offered_are_left_out(settings):
    _, view = run(settings, "react", [action("finish", "4")], tools=["clock"])
    assert [m["role"] for m in view.calls[0].called.messages] == ["system", "user", "assistant", "user"]
    assert "python(" not in view.calls[0].called.messages[0]["content"]


def test_a_tools_error_is_the_observation(settings):
    _, view = run(settings, "react", [action("calculator", "9 **** 2"), action("finish", "unknown")])
    assert view.status == "answered"
    assert tools_of(view)[0].answered.error
    assert tools_of(view)[0].answered.result in view.calls[1].called.messages[-1]["content"]


def test_repeating_an_action_is_noticed(settings):
    same = action("calculator", "1 + 1")
    _, view = run(settings, "react", [same, same, action("finish", "2")])
    assert "exactly this before" in view.calls[2].called.messages[-1]["content"]
    assert "exactly this before" not in view.calls[1].called.messages[-1]["content"]
    offered = [call.called.parameters["json_schema"]["properties"]["action"]["enum"] for call in view.calls]
    assert ["calculator" in names for names in offered] == [True, True, False]


def test_a_clock_asked_again_tells_nothing_new(settings):
    same = action("clock", "")
    _, view = run(settings, "react", [same, same, action("finish", "noon")])
    assert "exactly this before" in view.calls[2].called.messages[-1]["content"]


def test_the_same_action_that_brings_something_new_is_no_repetition():
    lookup = Action(name="lookup", input="Orvik")
    assert lookup.and_what_came("She was born in Orvik.") != lookup.and_what_came("She is buried in Orvik.")
    assert lookup.and_what_came("(1 / 2) Orvik.") == lookup.and_what_came("(2 / 2) Orvik.")


def test_tools_used_in_vain_stay_away_until_another_brings_something_new(settings):
    bad, worse = action("calculator", "one + one"), action("python", "print(")
    answers = [bad, bad, worse, worse, action("clock", ""), action("finish", "2")]
    _, view = run(settings, "react", answers)
    offered = [call.called.parameters["json_schema"]["properties"]["action"]["enum"] for call in view.calls]
    assert [len(names) for names in offered] == [5, 5, 4, 4, 3, 5]
    assert offered[4] == ["clock", "search", "finish"]


def test_the_step_limit_says_so_and_is_no_answer(settings):
    _, view = run(settings, "react", [action("calculator", f"{n} + 1") for n in range(3)], max_steps=3)
    assert view.status == "limit"
    assert view.finished.reason == "No answer within 3 steps."
    assert view.finished.answer == ""
    assert "Only one step is left" in view.calls[2].called.messages[-1]["content"]


def test_text_dialect_reads_the_papers_form(settings):
    answers = ["Thought: add\nAction: calculator\nAction Input: 2 + 2", "Thought: done\nFinal Answer: 4"]
    _, view = run(settings, "react", answers, dialect="text")
    assert view.finished.answer == "4"
    assert tools_of(view)[0].called.arguments == {"expression": "2 + 2"}
    assert "Observation:" in view.calls[0].called.parameters["stop"]


def test_text_dialect_tells_the_model_that_a_step_is_unreadable(settings):
    _, view = run(settings, "react", ["I think it is four.", "Thought: done\nFinal Answer: 4"], dialect="text")
    assert view.finished.answer == "4"
    assert "no Action" in view.calls[1].called.messages[-1]["content"]
    assert tools_of(view) == []


def test_text_dialect_unknown_tool_is_an_observation(settings):
    answers = ["Thought: look\nAction: google\nAction Input: x", "Final Answer: none"]
    _, view = run(settings, "react", answers, dialect="text")
    assert "no tool named 'google'" in tools_of(view)[0].answered.result


def test_native_calls_and_their_results_are_paired(settings):
    call = {"text": "", "tool_calls": [{"name": "calculator", "arguments": {"expression": "2 + 2"}}]}
    _, view = run(settings, "react", [call, "It is 4."], dialect="native")
    assert view.finished.answer == "It is 4."
    assistant, tool = view.calls[1].called.messages[-2:]
    assert assistant["tool_calls"][0]["id"] == "call_0"
    assert tool["role"] == "tool" and tool["tool_call_id"] == "call_0"
    assert {t["name"] for t in view.calls[0].called.parameters["tools"]} == {"calculator", "python", "clock", "search"}


def test_native_call_written_as_text_is_taken_only_when_it_is_exactly_one(settings):
    written = '```json\n{"name": "calculator", "arguments": {"expression": "2 + 2"}}\n```'
    _, view = run(settings, "react", [written, "It is 4."], dialect="native")
    warnings = [e.event for e in view.entries if isinstance(e, NoteView) and isinstance(e.event, Warned)]
    assert warnings[0].code == "tool_call_as_text"
    assert tools_of(view)[0].answered.result == "4"


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "google", "arguments": {"q": "x"}}',
        '{"name": "calculator", "parameters": {"expression": "1"}}',
        '{"name": "calculator", "arguments": "1 + 1"}',
    ],
)
def test_native_call_as_text_that_is_not_exact_is_reported_never_guessed(text):
    read = read_native_step(Answer(call_id="c1", text=text), ["calculator"])
    assert read.problem
    assert read.name == ""


def test_native_prose_about_a_call_is_an_answer():
    text = 'Use {"name": "calculator", "arguments": {}} to add.'
    assert read_native_step(Answer(call_id="c1", text=text), ["calculator"]).name == "finish"


def test_native_takes_the_first_of_several_calls():
    calls = [Call(id="a", name="clock", arguments={}), Call(id="b", name="clock", arguments={})]
    assert read_native_step(Answer(call_id="c1", text="", tool_calls=calls), ["clock"]).call_id == "a"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (
            "Thought: a\nAction: python\nAction Input: ```python\nprint(1)\nprint(2)\n```",
            "python",
            "print(1)\nprint(2)",
        ),
        ("Final Answer: two\nlines", "finish", "two\nlines"),
        ("Thought: x\nAction: clock\nAction Input: ", "clock", ""),
        ("Action: a\nAction Input: b\nObservation: made up", "a", "b"),
    ],
)
def test_text_steps(text, name, value):
    _, read = read_text_step(text)
    assert (read.name, read.input) == (name, value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("print(1)}", "print(1)"),
        ('print("a")"}', 'print("a")'),
        ("print({1: 2})", "print({1: 2})"),
        ("print({1: 2})}\n", "print({1: 2})"),
        ("}{", "}{"),
    ],
)
def test_the_tail_of_the_json_around_it_is_cut_off_an_input(written, meant):
    assert without_json_tail(written) == meant


def test_a_tail_is_cut_in_the_conversation_too(settings):
    answers = [action("calculator", "2 + 2}"), action("finish", "4")]
    _, view = run(settings, "react", answers)
    assert tools_of(view)[0].called.arguments == {"expression": "2 + 2"}
    assert "2 + 2}" not in view.calls[1].called.messages[-2]["content"].removesuffix("}")
