"""CRITIC: tools verify the answer, the critique goes by what they said, and the model corrects what they object to."""

import json

import pytest
from pydantic import ValidationError

from agents.critic import Options
from tests.runs import at_rest, request, run, scripted_engine
from workbench.events import ToolView
from workbench.request import Reply
from workbench.store.documents import Documents


def checks(*found: tuple[str, str]) -> str:
    return json.dumps({"checks": [{"claim": f"Claim {n}.", "tool": t, "input": i} for n, (t, i) in enumerate(found)]})


def agrees(comparison: str = "The same.") -> str:
    return json.dumps({"comparison": comparison, "verdict": "agree", "change": ""})


def objects(change: str = "Write 4.") -> str:
    return json.dumps({"comparison": "5 is not 4.", "verdict": "object", "change": change})


SUM = checks(("calculator", "2 + 2"))


def played(settings, answers, **options):
    return run(settings, "critic", answers, **options)[1]


def said(view, call):
    return view.calls[call].called.messages[-1]["content"]


def test_an_answer_to_which_the_tools_do_not_object_stays(settings):
    view = played(settings, ["It is 4.", SUM, agrees()])
    assert view.status == "answered" and view.finished.answer == "It is 4." and view.finished.feedback == "tool"
    assert [(d.edge, d.reason) for d in view.decisions] == [("__end__", "the tools do not object")]
    assert view.calls[1].card.title == "To verify · 1" and view.calls[1].card.content == "- Claim 0. (calculator)"
    assert view.calls[2].card.data["feedback"] == "tool"


def test_the_critique_reads_what_the_tools_said(settings):
    view = played(settings, ["It is 4.", checks(("calculator", "2 + 2"), ("python", "print('four')")), agrees()])
    tools = [entry.called.name for entry in view.entries if isinstance(entry, ToolView)]
    assert tools == ["calculator", "python"]
    assert "1. Claim 0.\n   calculator says: 4\n2. Claim 1.\n   python says: four" in said(view, 2)


def test_what_the_tools_object_to_is_corrected_and_the_correction_is_verified_too(settings):
    view = played(settings, ["It is 5.", SUM, objects(), "It is 4.", SUM, agrees()])
    assert view.finished.answer == "It is 4."
    assert [d.edge for d in view.decisions] == ["correct", "plan", "__end__"]
    assert view.decisions[0].reason == "the tools object"
    assert view.decisions[1].reason == "correction 1 is verified too"
    correction = view.calls[3]
    assert correction.card.title == "Correction 1" and correction.card.data["previous"] == "It is 5."
    assert "**Change:** Write 4." in view.calls[2].card.content
    assert [(one.round, one.content) for one in view.candidates] == [(0, "It is 5."), (1, "It is 4.")]


def test_every_call_goes_on_from_the_one_before_so_that_the_cache_holds(settings):
    view = played(settings, ["It is 5.", SUM, objects(), "It is 4.", SUM, agrees()])
    for before, after in zip(view.calls, view.calls[1:], strict=False):
        sent = list(before.called.messages)
        assert list(after.called.messages[: len(sent)]) == sent


@pytest.mark.parametrize("plan", [checks(), checks(("calculator", "no sum")), checks(("search", "sum"))])
def test_where_no_tool_tells_anything_the_critique_is_the_models_own_and_says_so(settings, plan):
    view = played(settings, ["It is 5.", plan, objects(), "It is 4.", plan, agrees()])
    assert [call.card.data.get("feedback") for call in (view.calls[2], view.calls[5])] == ["self", "self"]
    assert view.decisions[0].reason == "no tool told anything, the model objects by itself"
    assert view.decisions[-1].reason == "no tool told anything, and the model does not object to itself"
    assert "No tool could tell anything." in said(view, 2)
    assert view.finished.feedback == "self"  # a tool that failed told nothing


@pytest.mark.parametrize(
    ("code", "witness"),
    [
        ("def f(x):\n    return x\nassert f(1) == 2, 'f(1) is 1'", "tool"),
        ("print(1 / 0)", "tool"),
        ("assert 1 == 1", "self"),
        ("print(", "self"),
        ("import numpy\nprint(1)", "self"),
    ],
)
def test_a_program_that_ran_and_failed_tells_something_and_one_that_could_not_run_nothing(settings, code, witness):
    view = played(settings, ["It is 4.", checks(("python", code)), agrees()])
    assert view.calls[2].card.data["feedback"] == witness == view.finished.feedback
    assert "python failed: " in said(view, 2)


def test_a_search_that_finds_nothing_tells_nothing(settings):
    Documents(settings.home / "documents.db").add("house.txt", "Cats sleep all day.")
    view = played(settings, ["It is 4.", checks(("search", "xylophone")), agrees()])
    assert view.calls[2].card.data["feedback"] == "self" == view.finished.feedback
    assert "Nothing in the documents" in said(view, 2)


def test_one_tool_that_tells_something_is_enough(settings):
    view = played(settings, ["It is 4.", checks(("calculator", "no sum"), ("calculator", "2 + 2")), agrees()])
    assert view.calls[2].card.data["feedback"] == "tool"
    assert "calculator failed: " in said(view, 2) and "calculator says: 4" in said(view, 2)


def test_it_corrects_at_most_so_many_times(settings):
    answers = ["It is 5.", SUM, objects(), "It is 6.", SUM, objects(), "It is 7."]
    view = played(settings, answers, rounds=2)
    assert view.finished.answer == "It is 7." and view.totals.calls == 7
    assert view.decisions[-1].reason == "round 2 was the last"


def test_a_correction_that_changes_nothing_ends_it(settings):
    view = played(settings, ["It is 5.", SUM, objects(), "It  is 5.\n"])
    assert view.decisions[-1].reason == "the correction changed nothing"


def test_a_plan_has_only_tools_that_are_there_and_not_too_many(settings):
    wrong = checks(("python", "print(4)"))
    view = played(settings, ["It is 4.", wrong, SUM, agrees()], tools=["calculator"])
    assert view.status == "answered" and [e.called.name for e in view.entries if isinstance(e, ToolView)] == [
        "calculator"
    ]
    many = checks(*[("calculator", "2 + 2")] * 3)
    view = played(settings, ["It is 4.", many, SUM, agrees()], checks=2)
    assert view.status == "answered" and len([e for e in view.entries if isinstance(e, ToolView)]) == 1


def test_examples_need_their_tools(settings):
    view = played(settings, ["It is 4.", SUM, agrees()], tools=["calculator"])
    assert not any("possesses" in message["content"] for message in view.calls[0].called.messages)


def test_a_person_may_say_what_a_tool_said(settings):
    with scripted_engine(settings, ["It is 5.", SUM, objects(), "It is 4.", SUM, agrees()]) as engine:
        run_id = engine.submit(request("critic").model_copy(update={"pause_before": ("verify",)}))
        assert at_rest(engine, run_id).paused.tool == "calculator"
        engine.resume(run_id, reply=Reply(verb="answer", text="surely 4"))
        assert at_rest(engine, run_id).paused.node == "verify"
        engine.resume(run_id, reply=Reply(verb="approve"))
        view = at_rest(engine, run_id)
    assert view.finished.answer == "It is 4." and "calculator says: surely 4" in said(view, 2)


def test_the_options_are_bounded():
    assert (Options().rounds, Options().checks, Options().visits) == (3, 2, 3)
    for wrong in ({"rounds": 0}, {"rounds": 11}, {"checks": 0}, {"checks": 6}, {"tools": []}, {"tools": ["shell"]}):
        with pytest.raises(ValidationError):
            Options(**wrong)
