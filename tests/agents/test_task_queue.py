"""Task queue: tasks are created, ordered and executed over a bounded queue until the objective is met."""

import json

import pytest
from pydantic import ValidationError

from agents.queues import Task, added, are_alike, reordered, results
from agents.task_queue import Options
from tests.runs import at_rest, finish, request, run, scripted_engine


def tasks(*names):
    return json.dumps({"tasks": names})


def look(*names, met=False, reason="So it is."):
    return json.dumps({"reason": reason, "objective_met": met, "tasks": names})


def order(*numbers):
    return json.dumps({"order": numbers})


def last(call):
    return call.called.messages[-1]["content"]


def of(view, role):
    return [call for call in view.calls if call.called.role == role]


def decided(view):
    return [(said.node, said.edge, said.reason) for said in view.decisions]


def board(view):
    return [(task.title, task.state) for task in view.tasks("queue")]


MET = look(met=True)


def test_tasks_are_created_ordered_and_executed_until_the_objective_is_met(settings):
    answers = [
        tasks("Name games.", "Invite guests."),
        order(2, 1),
        "Dear guests.",
        look("Bake."),
        order(3, 1),
        "Cake.",
        MET,
        "A party.",
    ]
    _, view = run(settings, "task_queue", answers)
    assert view.status == "answered" and view.finished.answer == "A party."
    assert view.finished.feedback == "self"
    assert [last(call).rpartition("Task: ")[2] for call in of(view, "executor")] == ["Invite guests.", "Bake."]
    assert [task[:2] for task in board(view)] == [
        ("Invite guests.", "done"),
        ("Bake.", "done"),
        ("Name games.", "dropped"),
    ]
    assert view.tasks("queue")[2].note == "not needed"
    assert decided(view) == [
        ("create", "prioritise", "2 waiting"),
        ("execute", "create", "task 1 of at most 5"),
        ("create", "prioritise", "2 waiting"),
        ("execute", "create", "task 2 of at most 5"),
        ("create", "conclude", "the objective is met"),
    ]


def test_every_role_sees_the_objective_and_all_results_so_far(settings):
    answers = [tasks("Name games."), "Egg hunt.", look("Bake.", "Sing."), order(2, 3), "Cake.", MET, "A party."]
    _, view = run(settings, "task_queue", answers)
    assert "Result: Egg hunt." not in last(view.calls[1])
    for call in view.calls[2:]:
        assert last(call).startswith(
            "Objective: What is 2 + 2?\n\nResults so far:\nTask 1: Name games.\nResult: Egg hunt."
        )
    assert "Result: Cake." in last(of(view, "writer")[0])


def test_one_task_alone_needs_no_order(settings):
    _, view = run(settings, "task_queue", [tasks("Name games."), "Egg hunt.", MET, "A party."])
    assert not of(view, "prioritiser") and decided(view)[0] == ("create", "pull", "1 waiting")


def test_a_task_is_being_done_on_the_board_before_its_executor_is_asked(settings):
    events, _ = run(settings, "task_queue", [tasks("Name games.", "Bake."), order(2, 1), "Cake.", MET, "A party."])
    at = next(n for n, event in enumerate(events) if event.kind == "model_called" and event.role == "executor")
    told = [event.data["queue"] for event in events[:at] if event.kind == "card"]
    assert [(one["title"], one["state"]) for one in told[-1]] == [("Bake.", "doing"), ("Name games.", "todo")]


def test_it_ends_when_the_queue_is_empty(settings):
    _, view = run(settings, "task_queue", [tasks("Name games."), "Egg hunt.", look(), "A party."])
    assert view.status == "answered" and decided(view)[-1] == ("create", "conclude", "the queue is empty")


def test_it_ends_when_as_many_tasks_were_executed_as_are_allowed(settings):
    answers = [
        tasks("Name games.", "Bake.", "Sing."),
        order(1, 2, 3),
        "Hunt.",
        look(),
        order(2, 3),
        "Cake.",
        "A party.",
    ]
    _, view = run(settings, "task_queue", answers, max_tasks=2)
    assert view.status == "answered" and decided(view)[-1] == ("execute", "conclude", "task 2 of at most 2")
    assert board(view)[-1] == ("Sing.", "dropped")
    assert view.tasks("queue")[-1].note == "the limit of tasks was reached"


def test_a_duplicate_is_refused_with_the_reason(settings):
    answers = [
        tasks("Name three games.", "name three games"),
        "Hunt.",
        look("NAME three games!", "Bake."),
        "Cake.",
        MET,
        "Done.",
    ]
    _, view = run(settings, "task_queue", answers)
    first, second = of(view, "creator")[:2]
    assert (
        first.card.title == "1 new task"
        and "Refused: name three games (it says the same as task 1)" in first.card.content
    )
    assert "Refused: NAME three games! (it says the same as task 1)" in second.card.content
    assert [title for title, _ in board(view)] == ["Name three games.", "Bake."]


def test_what_does_not_fit_the_queue_is_dropped_and_said(settings):
    answers = [tasks("Name games.", "Bake.", "Sing."), order(1, 2), "Hunt.", MET, "Done."]
    _, view = run(settings, "task_queue", answers, queue_size=2)
    assert "Dropped: Sing. (the queue is full (2))" in view.calls[0].card.content
    assert ("Sing.", "dropped") in board(view) and view.status == "answered"


def test_what_did_not_fit_may_come_again_once_there_is_room_and_a_task_without_words_is_refused():
    queue = added([], ["One.", "Two."], 1).queue
    assert [one["state"] for one in queue] == ["todo", "dropped"]
    assert added(queue, ["two"], 1) == (queue, ["Refused: two (it says the same as task 2)"])
    again = added(queue, ["two", "Two!", " . "], 5)
    assert again.queue == [*queue, Task(number=3, task="two", state="todo", found="")]
    assert again.refused == ["Refused: Two! (it says the same as task 3)", "Refused: a task without words."]


def test_what_a_full_queue_dropped_is_done_when_it_is_named_again(settings):
    answers = [tasks("Name games.", "Bake."), "Hunt.", look("Bake."), "Cake.", MET, "Done."]
    _, view = run(settings, "task_queue", answers, queue_size=1)
    assert view.status == "answered"
    assert board(view) == [("Name games.", "done"), ("Bake.", "dropped"), ("Bake.", "done")]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Name three games.", "name THREE games", True),
        ("Visit a local market to buy seasonal fruit.", "Visit the local market to buy seasonal fruit there", True),
        ("Name games for the morning.", "Name games for the evening.", False),
        ("Write chapter 1.", "Write chapter 2.", False),
        ("Name games.", "Name games for a party of eight children.", False),
        ("List what a bakery gives the town.", "List what the town gives a bakery.", False),
    ],
)
def test_tasks_are_the_same_when_they_say_the_same_but_for_a_few_words_more(one, other, alike):
    assert are_alike(one, other) is are_alike(other, one) is alike


def test_a_number_that_was_copied_from_the_list_is_no_part_of_the_task():
    queue = added([], ["Name games."], 5).queue
    assert added(queue, ["1: Name games.", "- 2. Bake.", "Task 3: Sing.", "3 cakes are enough?"], 5).queue[1:] == [
        Task(number=2, task="Bake.", state="todo", found=""),
        Task(number=3, task="Sing.", state="todo", found=""),
        Task(number=4, task="3 cakes are enough?", state="todo", found=""),
    ]


@pytest.mark.parametrize("task", ["09:30 – 10:00: bake the cake", "2.5 km walk: draw the route"])
def test_a_time_or_a_decimal_that_begins_a_task_is_no_number_of_a_list(task):
    assert added([], [task], 5).queue[0]["task"] == task


def waiting(*numbers):
    return [Task(number=number, task=f"Do {number}.", state="todo", found="") for number in numbers]


@pytest.mark.parametrize(
    ("said", "numbers", "left_out"),
    [((3, 1, 2), [3, 1, 2], []), ((3, 3, 3), [3, 1, 2], [1, 2]), ((9, 2, 1), [2, 1, 3], [3])],
)
def test_an_order_loses_no_task_and_adds_none(said, numbers, left_out):
    queue, rest = reordered(waiting(1, 2, 3), said)
    assert [one["number"] for one in queue] == numbers and rest == left_out


def test_what_an_order_leaves_out_is_said(settings):
    answers = [tasks("Name games.", "Bake."), order(2, 2), "Cake.", MET, "Done."]
    _, view = run(settings, "task_queue", answers)
    assert of(view, "prioritiser")[0].card.content == "- 2: Bake.\n- 1: Name games.\n\nNot named, so last: 1"


def test_an_order_of_another_length_goes_back_to_the_model(settings):
    answers = [tasks("Name games.", "Bake."), order(2), order(2, 1), "Cake.", MET, "Done."]
    _, view = run(settings, "task_queue", answers)
    assert view.status == "answered" and of(view, "prioritiser")[0].retried is not None


def test_the_first_look_must_name_a_task_and_judges_nothing(settings):
    _, view = run(settings, "task_queue", [tasks(), tasks("Bake."), "Cake.", MET, "Done."])
    assert view.calls[0].retried is not None
    rules = [call.called.parameters["json_schema"]["properties"] for call in of(view, "creator")]
    assert set(rules[0]) == {"tasks"} and set(rules[-1]) == {"reason", "objective_met", "tasks"}
    assert [call.card.data.get("feedback") for call in of(view, "creator")[1:]] == [None, "self"]


def test_without_any_task_there_is_no_answer(settings):
    _, view = run(settings, "task_queue", [tasks(" ")])
    assert view.status == "limit" and view.finished.reason == "No task came to a result."
    assert decided(view) == [("create", "conclude", "the queue is empty")]


def test_long_results_are_cut_for_the_roles_and_whole_for_the_answer(settings):
    long = "egg " * 200
    answers = [tasks("Name games."), long, look("Bake."), "Cake.", MET, "Done."]
    _, view = run(settings, "task_queue", answers)
    assert "[…]" in last(of(view, "executor")[1]) and long.strip() in last(of(view, "writer")[0])
    assert results([Task(number=1, task="Bake.", state="done", found="x" * 9)], 4) == "Task 1: Bake.\nResult: xxxx […]"


def test_results_that_do_not_fit_the_window_are_cut_for_the_answer_too(settings):
    long = "egg " * 500
    with scripted_engine(settings, [tasks("Name games."), long, MET, "Done."]) as engine:
        asked = request("task_queue")
        small = asked.settings.model_copy(update={"context_window": 760, "max_tokens": 500})
        _, view = finish(engine, engine.submit(asked.model_copy(update={"settings": small})))
    assert view.status == "answered" and "[…]" in last(of(view, "writer")[0])


def test_a_run_that_is_cut_off_in_a_task_goes_on_with_its_board(settings):
    whole = [tasks("Name games.", "Bake."), order(2, 1), "Cake.", look(), "Hunt.", MET, "A party."]
    with scripted_engine(settings, whole[:2]) as engine:
        run_id = engine.submit(request("task_queue"))
        assert board(at_rest(engine, run_id)) == [("Bake.", "doing"), ("Name games.", "todo")]
    with scripted_engine(settings, whole[2:]) as engine:
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    assert view.status == "answered" and board(view) == [("Bake.", "done"), ("Name games.", "done")]


def test_the_options_are_bounded():
    assert (Options().max_tasks, Options().queue_size, Options().visits) == (5, 6, 5)
    for wrong in ({"max_tasks": 0}, {"max_tasks": 21}, {"queue_size": 0}, {"queue_size": 21}):
        with pytest.raises(ValidationError):
            Options(**wrong)
