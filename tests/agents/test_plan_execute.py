"""Plan and execute: typed tasks over the tools that exist, results by name, a plan that is looked at again."""

import itertools
import json

import pytest
from pydantic import ValidationError

from agents.plan_execute import Options
from agents.plans import faults, missing, planned, review_schema, task_of
from tests.runs import action, at_rest, finish, request, run, scripted_engine
from workbench.events import NodeStarted, NoteView, ToolView

PENS = "What do 48 pens at 1.35 cost with 15% off?"


def step(task, tool="calculator", uses=(), result="price"):
    return {"task": task, "tool": tool, "uses": list(uses), "result": result}


def plan(*steps):
    return json.dumps({"steps": steps})


def review(decision, *steps, reason="So it stands."):
    return json.dumps({"reason": reason, "decision": decision, "steps": steps})


FULL = step("Multiply 48 by 1.35.", result="full")
OFF = step("Take 15% off {full}.", uses=["full"])
TWO = plan(FULL, OFF)
FIRST = [action("calculator", "48 * 1.35"), action("finish", "64.80")]
SECOND = [action("calculator", "64.80 * 0.85"), action("finish", "55.08")]


def of(view, role):
    return [call for call in view.calls if call.called.role == role]


def last(call):
    return call.called.messages[-1]["content"]


def edges(view, *nodes):
    return [(said.edge, said.reason) for said in view.decisions if said.node in nodes]


def states(view):
    return [task.state for task in view.tasks("plan")]


def test_it_plans_does_each_task_and_answers_from_the_results(settings):
    _, view = run(settings, "plan_execute", [TWO, *FIRST, review("keep"), *SECOND, "They cost 55.08."])
    assert view.status == "answered" and view.finished.answer == "They cost 55.08."
    assert view.finished.feedback == "tool"
    assert [one.called.name for one in view.entries if isinstance(one, ToolView)] == ["calculator"] * 2
    assert [(task.state, task.note) for task in view.tasks("plan")] == [
        ("done", "full: 64.80"),
        ("done", "price: 55.08"),
    ]
    written = last(of(view, "writer")[0])
    assert "full: 64.80" in written and "price: 55.08" in written and "What is 2 + 2?" in written
    assert view.calls[0].card.content.splitlines()[1] == "2. Take 15% off {full}. (calculator, uses full) → price"


def test_a_task_is_being_done_on_the_list_before_the_executor_is_asked(settings):
    events, _ = run(settings, "plan_execute", [TWO, *FIRST, review("keep"), *SECOND, "55.08."])
    at = next(
        number for number, event in enumerate(events) if isinstance(event, NodeStarted) and event.node == "reason"
    )
    told = [event.data["plan"] for event in events[:at] if event.kind == "card"]
    assert [[one["state"] for one in plan] for plan in told] == [["todo", "todo"], ["doing", "todo"]]


def test_results_are_passed_on_by_name_to_the_tasks_that_use_them_and_to_no_other(settings):
    alone = step("Name a colour.", "reason", result="colour")
    answers = [
        plan(FULL, alone, OFF),
        *FIRST,
        review("keep"),
        action("finish", "blue"),
        review("keep"),
        *SECOND,
        "Done.",
    ]
    _, view = run(settings, "plan_execute", answers)
    tasks = [last(call) for call in of(view, "actor") if "Use: " in last(call)]
    assert "Known: nothing" in tasks[1] and "64.80" not in tasks[1] and "Use: no tool" in tasks[1]
    assert tasks[2].endswith("Task: Take 15% off 64.80.")
    assert "Known: full: 64.80\nUse: calculator" in tasks[2] and "blue" not in tasks[2]


def said(one):
    return type("Said", (), one)()


def test_a_name_in_braces_alone_is_used_too():
    (one,) = planned([said(step("Halve {Full Price} and {rest}.", uses=["rest"]))])
    assert one["uses"] == ["rest"]
    first, one = planned([said(step("Multiply.", result="Full price")), said(step("Halve {full_price}."))])
    assert one["uses"] == ["full_price"]
    assert planned([said(step("Halve {full_price}."))], [first])[0]["uses"] == ["full_price"]
    assert task_of(one, {"full_price": "64.80"}) == ("Halve 64.80.", "full_price: 64.80")
    assert task_of(one, {"full_price": "a\nb"})[0] == "Halve full_price."


def test_braces_that_name_no_result_stay_what_they_are(settings):
    simplify = step(r"Simplify \frac{12}{18}, one of {x}.", "reason", result="fraction")
    _, view = run(settings, "plan_execute", [plan(simplify), action("finish", "2/3"), "2/3."])
    assert view.status == "answered"
    assert last(of(view, "actor")[0]).endswith(r"Task: Simplify \frac{12}{18}, one of {x}.")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (plan(step("Halve {price}.")), "uses 'price', which no step before it results in (there is: none yet)"),
        (plan(OFF, FULL), "Step 1 uses 'full'"),
        (plan(FULL, step("Divide it.", uses=["total"])), "(there is: full)"),
        (
            plan(FULL, step("Multiply again.", result="Full")),
            "Step 2 names its result 'full', as a step before it does",
        ),
        (plan(FULL, {**FULL, "result": "other"}), "Step 2 is the same as step 1"),
        (plan(step("Multiply.", result="{}")), "The result of step 1 has no name"),
    ],
)
def test_a_plan_that_cannot_be_done_is_refused_and_the_planner_told_why(settings, wrong, said):
    _, view = run(settings, "plan_execute", [wrong, plan(FULL), *FIRST, "64.80."])
    assert view.status == "answered"
    assert view.calls[0].card.title == "Plan refused" and said in view.calls[0].card.content
    assert said in last(view.calls[1])
    assert edges(view, "plan")[0][0] == "plan" and said in edges(view, "plan")[0][1]
    assert edges(view, "plan")[1] == ("assign", "One task")


def test_three_refused_plans_end_the_run_and_say_so(settings):
    _, view = run(settings, "plan_execute", [plan(OFF)] * 3)
    assert view.status == "limit" and view.finished.reason == "3 plans were refused, one after another."
    assert edges(view, "plan")[-1][0] == "__end__" and view.totals.calls == 3


def tools_in(call):
    schema = call.called.parameters["json_schema"]
    return schema["$defs"]["Step"]["properties"]["tool"]


@pytest.mark.parametrize("tools", [["calculator"], ["calculator", "python", "clock"]])
def test_the_schema_names_the_offered_tools_and_no_others(settings, tools):
    answers = [TWO, *FIRST, review("keep"), *SECOND, "55.08."]
    _, view = run(settings, "plan_execute", answers, tools=tools)
    assert tools_in(view.calls[0])["enum"] == [*tools, "reason"]
    assert tools_in(of(view, "replanner")[0])["enum"] == [*tools, "reason"]
    assert all(f"{tool}(" in view.calls[0].called.messages[0]["content"] for tool in tools)
    assert "search(" not in view.calls[0].called.messages[0]["content"]


def test_without_tools_every_task_is_reasoned(settings):
    _, view = run(settings, "plan_execute", [plan(step("Think.", "reason")), action("finish", "4"), "4."], tools=[])
    assert view.status == "answered" and tools_in(view.calls[0])["const"] == "reason"


def test_a_model_that_is_not_held_to_the_schema_is_refused_a_tool_that_is_not_there(settings):
    with scripted_engine(settings, [plan(step("Look.", "telescope")), plan(FULL), *FIRST, "64.80."]) as engine:
        asked = request("plan_execute", PENS)
        free = asked.settings.model_copy(update={"constrain": False})
        _, view = finish(engine, engine.submit(asked.model_copy(update={"settings": free})))
    assert view.status == "answered" and view.calls[0].retried is not None
    assert "Input should be 'calculator'" in last(view.calls[1])


def test_a_task_is_done_with_its_own_tool_alone(settings):
    _, view = run(settings, "plan_execute", [TWO, *FIRST, review("keep"), *SECOND, "55.08."])
    offered = [call.called.parameters["json_schema"]["properties"]["action"]["enum"] for call in of(view, "actor")]
    assert offered == [["calculator", "finish"]] * 4
    prompts = [call.called.messages[0] for call in of(view, "actor")]
    assert prompts.count(prompts[0]) == 4 and "python(" in prompts[0]["content"]


def test_a_task_whose_tool_was_not_used_says_so(settings):
    _, view = run(settings, "plan_execute", [plan(FULL), action("finish", "64"), "64."])
    notes = [entry.event for entry in view.entries if isinstance(entry, NoteView)]
    assert any("(calculator was not used.)" in note.content for note in notes)


def test_a_replanner_may_replace_the_rest(settings):
    other = step("Say what {full} is with 15% off.", "reason", ["full"], "final")
    answers = [TWO, *FIRST, review("replace", other), action("finish", "55.08"), "55.08."]
    _, view = run(settings, "plan_execute", answers)
    assert view.status == "answered" and states(view) == ["done", "dropped", "done"]
    assert view.tasks("plan")[1].note == "replaced"
    assert of(view, "replanner")[0].card.title == "Another plan for the rest"
    assert edges(view, "replan") == [("assign", "replace"), ("answer", "no more")]


def test_a_replanner_may_answer_now(settings):
    _, view = run(settings, "plan_execute", [TWO, *FIRST, review("answer"), "64.80."])
    assert view.status == "answered" and states(view) == ["done", "dropped"]
    assert view.tasks("plan")[1].note == "not needed" and edges(view, "replan") == [("answer", "answer")]


def test_a_new_plan_that_cannot_be_done_is_refused_and_after_three_the_old_one_stays(settings):
    bad = review("replace", step("Halve {total}.", uses=["total"]))
    _, view = run(settings, "plan_execute", [TWO, *FIRST, bad, bad, bad, *SECOND, "55.08."])
    assert view.status == "answered" and states(view) == ["done", "done"]
    assert [edge for edge, _ in edges(view, "replan")] == ["replan", "replan", "assign", "answer"]
    assert edges(view, "replan")[2][1] == "3 new plans were refused: the old one stays"
    replanned = of(view, "replanner")
    assert [len(call.called.messages) for call in replanned] == [
        len(replanned[0].called.messages) + n for n in (0, 2, 4)
    ]


def test_a_refused_review_does_not_silence_the_next_one(settings):
    three = plan(FULL, step("Name a colour.", "reason", result="colour"), OFF)
    bad = review("replace")
    answers = [three, *FIRST, bad, bad, bad, action("finish", "blue"), review("keep"), *SECOND, "55.08."]
    _, view = run(settings, "plan_execute", answers)
    assert "There is no step in it." in of(view, "replanner")[1].called.messages[-1]["content"]
    roles = [message["role"] for message in of(view, "replanner")[3].called.messages]
    assert all(one != next for one, next in itertools.pairwise(roles))
    assert last(of(view, "replanner")[3]).startswith("colour: blue\nLeft of the plan:\n1. Take 15% off")


def fails(steps):
    return [action("calculator", f"{number} + 1") for number in range(steps)]


def test_what_can_be_decided_depends_on_what_is_left(settings):
    def allowed(plan):
        rule = review_schema(["clock"], 2, plan).model_json_schema()["properties"]["decision"]
        return rule.get("enum", [rule.get("const")])

    full = {**FULL, "state": "done", "found": "64.80"}
    off = {**OFF, "state": "todo", "found": ""}
    assert allowed([full, off]) == ["keep", "replace", "answer"]
    assert allowed([full, {**off, "state": "failed"}]) == ["replace", "answer"]
    assert allowed([{**full, "state": "failed"}, off]) == ["replace"]
    assert missing([{**full, "state": "failed"}, off]) == {1: "full"}
    assert "was done before" in faults([{**FULL, "result": "again"}], [full])[0]


def test_after_a_failed_task_the_replanner_hears_why_and_finds_another_way(settings):
    other = step("Work out 48 times 1.35.", "reason", result="full")
    answers = [TWO, *fails(2), review("replace", other), action("finish", "64.80"), "64.80."]
    _, view = run(settings, "plan_execute", answers, max_steps=2, replan="on_failure")
    assert view.status == "answered" and states(view) == ["failed", "dropped", "done"]
    told = last(of(view, "replanner")[0])
    assert "Multiply 48 by 1.35. Failed: No answer within 2 steps." in told
    assert "full is missing, so 'Take 15% off {full}.' cannot be done." in told
    assert edges(view, "reason")[1] == ("replan", "it failed")


def test_on_failure_a_plan_that_works_is_not_looked_at(settings):
    _, view = run(settings, "plan_execute", [TWO, *FIRST, *SECOND, "55.08."], replan="on_failure")
    assert view.status == "answered" and not of(view, "replanner")
    assert edges(view, "reason")[1::2] == [("replan", "it is done")] * 2
    assert edges(view, "replan") == [("assign", "as planned"), ("answer", "no more")]


def test_never_looked_at_again_a_plan_drops_what_lacks_a_result_and_answers_with_the_rest(settings):
    three = plan(step("Name a colour.", "reason", result="colour"), FULL, OFF)
    answers = [three, action("finish", "blue"), *fails(2), "Blue, and the price is not known."]
    _, view = run(settings, "plan_execute", answers, max_steps=2, replan="never")
    assert view.status == "answered" and states(view) == ["done", "failed", "dropped"]
    assert view.tasks("plan")[2].note == "needs full, which nothing came to"
    assert "Failed: No answer within 2 steps." in last(of(view, "writer")[0])


def test_where_nothing_came_of_any_task_there_is_no_answer(settings):
    _, view = run(settings, "plan_execute", [TWO, *fails(2)], max_steps=2, replan="never")
    assert view.status == "limit" and view.finished.reason == "No task of the plan came to a result."
    assert not of(view, "writer")


def test_a_result_without_words_is_a_failure(settings):
    _, view = run(settings, "plan_execute", [plan(FULL), action("finish", " ")], replan="never")
    assert view.status == "limit" and view.tasks("plan")[0].note == "It came to nothing."


def test_a_result_after_nothing_but_errors_of_its_tool_is_not_taken(settings):
    names = action("calculator", "full = 48 * price")
    _, view = run(settings, "plan_execute", [plan(FULL), names, action("finish", "70")], replan="never")
    assert view.status == "limit"
    assert view.tasks("plan")[0].note == "calculator gave only errors, so this is from nowhere: 70"
    answers = [plan(FULL), names, action("calculator", "48 * 1.35"), names, action("finish", "64.80"), "64.80."]
    _, view = run(settings, "plan_execute", answers, replan="never")
    assert view.status == "answered" and states(view) == ["done"]


def test_no_more_tasks_are_done_than_allowed_those_of_new_plans_counted(settings):
    other = step("Work out 48 times 1.35.", "reason", result="full")
    answers = [TWO, *fails(2), review("replace", other), action("finish", "64.80"), "64.80."]
    _, view = run(settings, "plan_execute", answers, max_tasks=2, max_steps=2)
    assert view.status == "answered"
    rules = [
        call.called.parameters["json_schema"]["properties"]["steps"]
        for call in (view.calls[0], of(view, "replanner")[0])
    ]
    assert [rule["maxItems"] for rule in rules] == [2, 1]
    _, view = run(settings, "plan_execute", [plan(FULL), *fails(2)], max_tasks=1, max_steps=2)
    assert view.status == "limit" and not of(view, "replanner")


def test_the_planner_s_conversation_only_grows_so_that_the_cache_holds(settings):
    three = plan(FULL, step("Name a colour.", "reason", result="colour"), OFF)
    answers = [three, *FIRST, review("keep"), action("finish", "blue"), review("keep"), *SECOND, "55.08."]
    _, view = run(settings, "plan_execute", answers)
    sent = [call.called.messages for call in (view.calls[0], *of(view, "replanner"))]
    assert all(longer[: len(shorter)] == shorter for shorter, longer in itertools.pairwise(sent))


def test_native_calls_do_the_tasks_too(settings):
    called = {"tool_calls": [{"name": "calculator", "arguments": {"expression": "48 * 1.35"}}]}
    _, view = run(settings, "plan_execute", [plan(FULL), called, "64.80", "64.80."], dialect="native")
    assert view.status == "answered" and view.tasks("plan")[0].note == "full: 64.80"
    assert [tool["name"] for tool in of(view, "actor")[0].called.parameters["tools"]] == ["calculator"]


@pytest.mark.parametrize(
    ("tool", "unread"),
    [("reason", '{"name": "Ann", "age": 3}'), ("calculator", '{"name": "calculator", "input": "1"}')],
)
def test_a_result_after_a_step_that_could_not_be_read_is_taken(settings, tool, unread):
    answers = [plan(step("Do it.", tool)), unread, "Ann is 3.", "She is 3."]
    _, view = run(settings, "plan_execute", answers, dialect="native")
    assert view.status == "answered" and states(view) == ["done"]


@pytest.mark.parametrize(
    ("tool", "offered"),
    [("calculator", "The tools are: calculator."), ("reason", "There is none: answer in words.")],
)
def test_a_native_call_of_a_tool_that_is_not_the_task_s_is_not_made(settings, tool, offered):
    called = {"tool_calls": [{"name": "python", "arguments": {"code": "print(5)"}}]}
    answers = [plan(step("Do it.", tool)), called, "5", "It is 5."]
    _, view = run(settings, "plan_execute", answers, dialect="native")
    assert not [one for one in view.entries if isinstance(one, ToolView)]
    assert f"There is no tool named 'python' for this step. {offered}" in last(of(view, "actor")[1])
    assert of(view, "actor")[1].called.messages[-1]["role"] == "tool"
    assert view.status == "answered" and states(view) == ["done"]


def test_a_run_that_is_cut_off_in_a_task_goes_on_with_what_it_had(settings):
    whole = [TWO, *FIRST, review("keep"), *SECOND, "55.08."]
    with scripted_engine(settings, whole[:4]) as engine:
        run_id = engine.submit(request("plan_execute", PENS))
        assert at_rest(engine, run_id).status == "failed"
    with scripted_engine(settings, whole[4:]) as engine:
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    assert view.status == "answered" and states(view) == ["done", "done"]
    assert view.totals.calls == len(whole) + 1  # the one that failed counts


def test_the_options_are_bounded():
    assert (Options().max_tasks, Options().max_steps, Options().replan, Options().visits) == (5, 4, "always", 20)
    for wrong in ({"max_tasks": 0}, {"max_tasks": 13}, {"max_steps": 0}, {"replan": "sometimes"}, {"tools": ["shell"]}):
        with pytest.raises(ValidationError):
            Options(**wrong)
