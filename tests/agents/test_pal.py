"""PAL: the answer is what the program printed; an error goes back to the model, at most three times."""

import pytest
from pydantic import ValidationError

from agents.pal import Options
from tests.runs import at_rest, request, run
from workbench import prompts
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import ToolView
from workbench.request import Reply

BROKEN = "```python\nprint(1 / 0)\n```"


def program(code: str) -> str:
    return f"```python\n{code}\n```"


def tools_of(view):
    return [entry for entry in view.entries if isinstance(entry, ToolView)]


def last_turn(view, call):
    return view.calls[call].called.messages[-1]["content"]


def test_the_answer_is_what_the_program_printed(settings):
    _, view = run(settings, "pal", ["So I compute:\n\n" + program("pens = 48\nprint(pens * 2)") + "\nIt is 95."])
    assert view.status == "answered" and view.finished.answer == "96"
    assert view.finished.feedback == "tool"
    assert tools_of(view)[0].called.name == "python"
    assert tools_of(view)[0].called.arguments == {"code": "pens = 48\nprint(pens * 2)"}
    assert view.calls[0].card.content == program("pens = 48\nprint(pens * 2)")
    assert [decision.reason for decision in view.decisions] == ["it printed the answer"]


def test_an_error_goes_back_to_the_model_which_mends_its_program(settings):
    _, view = run(settings, "pal", [BROKEN, program("print(2)")])
    assert view.finished.answer == "2"
    assert "line 1: print(1 / 0)\nZeroDivisionError: division by zero" in last_turn(view, 1)
    assert [message["role"] for message in view.calls[1].called.messages[-2:]] == ["assistant", "user"]
    assert view.calls[1].called.messages[-2]["content"] == BROKEN
    assert view.calls[1].card.title == "Program 2" and view.calls[1].card.data["previous"] == BROKEN
    assert view.decisions[0].reason == "error 1 of at most 3 goes back"


def test_an_error_goes_back_three_times_and_no_more(settings):
    _, view = run(settings, "pal", [program(f"print({n} / 0)") for n in range(5)])
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "None of 4 programs ran to its end."
    assert view.totals.calls == 4 and len(tools_of(view)) == 4
    assert [d.edge for d in view.decisions] == ["write", "write", "write", "__end__"]


def test_the_same_program_again_is_told_so(settings):
    _, view = run(settings, "pal", [BROKEN, BROKEN, program("print(2)")])
    assert "the same program again" not in last_turn(view, 1)
    assert "the same program again" in last_turn(view, 2) and "ZeroDivisionError" in last_turn(view, 2)
    assert view.finished.answer == "2"


def test_the_last_of_them_may_still_answer(settings):
    _, view = run(settings, "pal", [BROKEN, BROKEN, BROKEN, program("print(4)")])
    assert view.status == "answered" and view.finished.answer == "4"


@pytest.mark.parametrize("silent", ["x = [1]\nx.append(2)\nprint()", "def solve():\n    print(3)"])
def test_a_program_that_prints_nothing_has_failed(settings, silent):
    _, view = run(settings, "pal", [program(silent), program("print(3)")])
    assert view.finished.answer == "3" and view.totals.calls == 2
    assert tools_of(view)[0].answered.error
    assert "printed nothing" in last_turn(view, 1)


def test_what_is_no_program_is_not_run(settings):
    answers = ["```javascript\nconsole.log(3)\n```", program("print(3)")]
    _, view = run(settings, "pal", answers)
    assert view.finished.answer == "3" and len(tools_of(view)) == 1
    assert "There is no Python program in it." in last_turn(view, 1)
    assert view.calls[0].card.content == answers[0]


def test_a_program_that_was_cut_is_not_run_though_it_may_print(settings):
    cut = {"text": "```python\nprint(1)\nfor n in ra", "finish_reason": "length"}
    _, view = run(settings, "pal", [cut, program("print(3)")])
    assert view.finished.answer == "3" and len(tools_of(view)) == 1
    assert "cut before its end" in last_turn(view, 1)


def test_without_retries_the_first_error_ends_it(settings):
    _, view = run(settings, "pal", [BROKEN], retries=0)
    assert view.status == "limit" and view.finished.reason == "The program failed."


def test_worked_examples_are_earlier_turns_that_can_be_left_out(settings):
    shown, left_out = (run(settings, "pal", [program("print(4)")], examples=wanted)[1] for wanted in (True, False))
    messages = shown.calls[0].called.messages
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert all(m["content"].startswith("```python\n") for m in messages if m["role"] == "assistant")
    assert [message["role"] for message in left_out.calls[0].called.messages] == ["system", "user"]


def test_the_worked_examples_print_what_they_say(settings):
    """An example that fails would teach to fail."""
    answers = [example.turns[1].content for example in prompts.load("pal").roles["system"].examples]
    printed = [run(settings, "pal", [answer])[1].finished.answer for answer in answers]
    assert printed == ["1065.0", "possesses", "19/09/2019"]


def test_a_person_can_say_what_the_program_printed(settings):
    engine = Engine(settings, {"scripted": ScriptedBackend([program("print(4)")])})
    try:
        run_id = engine.submit(request("pal").model_copy(update={"pause_before": ("compute",)}))
        assert at_rest(engine, run_id).paused.tool == "python"
        engine.resume(run_id, reply=Reply(verb="answer", text="5"))
        view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert view.status == "answered" and view.finished.answer == "5"


def test_the_options_are_bounded():
    assert Options().retries == 3 and Options().visits == 4
    for wrong in ({"retries": -1}, {"retries": 4}, {"tools": []}):
        with pytest.raises(ValidationError):
            Options(**wrong)
