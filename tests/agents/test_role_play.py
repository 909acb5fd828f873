"""Role-play: an AI user instructs, an AI assistant solves; each falls out of its role once and is reminded."""

import pytest
from pydantic import ValidationError

from agents.role_play import Options
from tests.runs import run
from workbench import prompts
from workbench.events import NoteView

TASK = "Bake a cake for two."
MIX, BAKE, EAT = "Instruction: Mix it.", "Instruction: Bake it.", "Instruction: Eat it."
MIXED, BAKED, EATEN = "Solution: It is mixed.", "Solution: It is baked.", "Solution: It is eaten."
DONE, WHOLE = "TASK_DONE", "A cake that was mixed and baked."


def play(settings, *said, **options):
    return run(settings, "role_play", list(said), **options)[1]


def edges(view):
    return [(decision.edge, decision.reason) for decision in view.decisions]


def titles(view):
    shown = [entry.event if isinstance(entry, NoteView) else entry.card for entry in view.entries]
    return [card.title for card in shown]


def sent(view, number):
    return [(message["role"], message["content"]) for message in view.calls[number].called.messages]


def test_they_take_turns_until_the_user_says_that_the_task_is_done_then_the_answer_is_put_together(settings):
    view = play(settings, TASK, MIX, MIXED, BAKE, BAKED, DONE, WHOLE)
    assert view.status == "answered" and view.finished.answer == WHOLE
    assert view.finished.feedback == "none"
    assert titles(view) == [
        *("The task", "Instruction 1", "Solution 1", "Instruction 2", "Solution 2", "The task is done", "Conclusion")
    ]
    assert edges(view) == [
        ("solve", "instruction 1"),
        ("instruct", "turn 2 of 5"),
        ("solve", "instruction 2"),
        ("instruct", "turn 3 of 5"),
        ("conclude", "the AI user says that the task is done"),
    ]


def test_both_begin_with_the_concrete_task_and_each_has_the_dialogue_from_its_own_side(settings):
    view = play(settings, TASK, MIX, MIXED, BAKE, BAKED, DONE, WHOLE)
    assert sent(view, 0)[-1] == ("user", "What is 2 + 2?")
    user, assistant = sent(view, 3), sent(view, 4)
    assert user[-3:] == [("user", f"Our task: {TASK}"), ("assistant", MIX), ("user", MIXED)]
    assert assistant[-3:] == [("user", f"Our task: {TASK}\n\n{MIX}"), ("assistant", MIXED), ("user", BAKE)]
    assert "project lead" in user[0][1] and "specialist" in user[0][1] and user[0][1] != assistant[0][1]
    for one in (user, assistant):
        assert [role for role, _ in one] == ["system", *["user", "assistant"] * (len(one) // 2 - 1), "user"]


def test_each_conversation_only_grows(settings):
    view = play(settings, TASK, MIX, MIXED, BAKE, BAKED, EAT, EATEN, DONE, WHOLE)
    for first, later in ((1, 3), (3, 5), (2, 4), (4, 6)):
        assert sent(view, later)[: len(sent(view, first))] == sent(view, first)
    assert sent(view, 8)[: len(sent(view, 6))] == sent(view, 6) and "What is 2 + 2?" in sent(view, 8)[-1][1]


def test_without_the_specifier_they_begin_with_the_idea_itself(settings):
    view = play(settings, MIX, MIXED, BAKE, BAKED, DONE, WHOLE, specify=False)
    assert view.totals.calls == 6 and sent(view, 0)[-1] == ("user", "Our task: What is 2 + 2?")


def test_a_task_that_was_cut_is_none_and_its_card_says_so(settings):
    cut = {"text": "Bake a cake for", "finish_reason": "length"}
    view = play(settings, cut, MIX, MIXED, BAKE, BAKED, DONE, WHOLE)
    assert titles(view)[0] == "Cut: the idea stays" and sent(view, 1)[-1] == ("user", "Our task: What is 2 + 2?")


def test_the_turns_are_limited_and_then_too_there_is_an_answer(settings):
    view = play(settings, MIX, MIXED, BAKE, BAKED, WHOLE, turns=2, specify=False)
    assert view.status == "answered" and view.finished.answer == WHOLE
    assert edges(view)[-1] == ("conclude", "turn 2 was the last")


def test_the_last_solution_can_be_the_answer_as_it_is(settings):
    view = play(settings, MIX, MIXED, BAKE, BAKED, turns=2, specify=False, closing="last_solution")
    assert view.finished.answer == "It is baked." and view.answer_call is view.calls[-1]
    assert edges(view)[-1] == ("__end__", "turn 2 was the last")
    view = play(settings, MIX, MIXED, DONE, least=1, specify=False, closing="last_solution")
    assert view.finished.answer == "It is mixed."
    assert edges(view)[-1] == ("__end__", "the AI user says that the task is done")


def test_a_user_who_solves_is_reminded_and_what_it_said_is_not_in_the_dialogue(settings):
    flip = "Solution: I did it all."
    view = play(settings, flip, MIX, MIXED, BAKE, BAKED, DONE, WHOLE, specify=False)
    assert edges(view)[:3] == [
        ("remind", 'the AI user solves: it writes "Solution:"'),
        ("instruct", "once more"),
        ("solve", "instruction 1"),
    ]
    assert titles(view)[:3] == ["Instruction 1", "Reminder to the AI user", "Instruction 1"]
    told = sent(view, 1)[-1][1]
    assert told.startswith("Our task: What is 2 + 2?\n\n(A reminder") and "The AI user solves" in told
    assert all("I did it all" not in str(sent(view, number)) for number in range(1, 7))
    assert "A reminder" not in str(sent(view, 3)), "it is reminded once, not in every later turn"
    assert view.finished.answer == WHOLE


def test_an_assistant_who_instructs_is_reminded(settings):
    view = play(settings, MIX, "Please mix it.", MIXED, BAKE, BAKED, DONE, WHOLE, specify=False)
    assert edges(view)[1:4] == [
        ("remind", 'the AI assistant instructs: it begins with "Please"'),
        ("solve", "once more"),
        ("instruct", "turn 2 of 5"),
    ]
    assert "The AI assistant instructs" in sent(view, 2)[-1][1] and MIX in sent(view, 2)[-1][1]
    assert "Please mix it." not in str(sent(view, 3))


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ([MIX, MIXED, MIX, MIX], "user repeats itself"),
        ([MIX, MIXED, BAKE, "Solution: it is mixed!", MIXED], "assistant repeats itself"),
        ([MIX, MIXED, "Here is the cake.", "Sure, a cake."], 'user solves: it begins with "Sure"'),
        ([MIX, MIXED, BAKE, BAKE, BAKE], 'assistant instructs: it writes "Instruction:"'),
        ([MIX, MIXED, DONE, DONE], "user calls the task done after 1 of at least 2 solutions"),
    ],
)
def test_who_falls_out_of_its_role_again_after_a_reminder_ends_the_dialogue_with_what_there_is(settings, said, who):
    view = play(settings, *said, WHOLE, specify=False)
    assert view.status == "answered" and view.finished.answer == WHOLE
    assert edges(view)[-1] == ("conclude", f"the AI {who}, again after a reminder")
    assert [edge for edge, _ in edges(view)].count("remind") == 1
    view = play(settings, *said, specify=False, closing="last_solution")
    assert view.finished.answer == "It is mixed."
    assert edges(view)[-1] == ("__end__", f"the AI {who}, again after a reminder")


def test_after_a_turn_in_its_role_a_side_is_reminded_anew(settings):
    view = play(settings, MIX, MIXED, MIX, BAKE, BAKED, MIX, DONE, WHOLE, specify=False)
    assert [edge for edge, _ in edges(view)].count("remind") == 2
    assert edges(view)[-1] == ("conclude", "the AI user says that the task is done")


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ([DONE, DONE], "user calls the task done after 0 of at least 2 solutions"),
        ([MIX, "Please mix it.", "Could you mix it?"], 'assistant instructs: it begins with "Could you"'),
    ],
)
def test_where_nothing_was_solved_there_is_no_answer_and_the_end_says_why(settings, said, who):
    view = play(settings, *said, specify=False)
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == f"Nothing was solved: the AI {who}, again after a reminder."
    assert edges(view)[-1] == ("__end__", f"the AI {who}, again after a reminder")


def test_neither_speaks_for_the_other(settings):
    both = ["Instruction: Mix it.\nSolution: I mixed it.", "Solution: It is mixed.\nInstruction: Bake it."]
    view = play(settings, *both, BAKE, BAKED, DONE, WHOLE, specify=False)
    assert [call.answer.text for call in view.calls[:2]] == [MIX, MIXED]
    assert sent(view, 2)[-2:] == [("assistant", MIX), ("user", MIXED)]


def test_a_conclusion_that_was_cut_is_kept_and_said_to_be(settings):
    cut = {"text": "A cake that", "finish_reason": "length"}
    view = play(settings, MIX, MIXED, cut, turns=1, specify=False)
    assert (view.status, view.finished.answer, view.finished.reason) == (
        *("limit", "A cake that", "The conclusion was cut."),
    )


def test_the_word_that_the_task_is_done_is_heard_within_a_line(settings):
    view = play(settings, MIX, MIXED, BAKE, BAKED, f"Thank you, all is there. {DONE}", WHOLE, specify=False)
    assert view.finished.answer == WHOLE and titles(view)[-2] == "The task is done"
    assert edges(view)[-1] == ("conclude", "the AI user says that the task is done")


def test_a_word_that_is_refused_does_not_stand_on_the_card_as_the_end(settings):
    view = play(settings, MIX, MIXED, DONE, BAKE, BAKED, DONE, WHOLE, specify=False)
    assert titles(view).count("The task is done") == 1 and titles(view)[2] == "Instruction 2"


def test_a_conclusion_of_its_label_alone_leaves_the_last_solution(settings):
    view = play(settings, MIX, MIXED, "Solution:", turns=1, specify=False)
    assert (view.status, view.finished.answer) == ("answered", "It is mixed.")


def test_the_roles_are_the_persons_to_choose(settings):
    view = play(settings, MIX, MIXED, WHOLE, turns=1, specify=False, assistant="pastry cook", user="bride")
    assert "You are the bride. You talk to a pastry cook" in sent(view, 0)[0][1]
    assert "You are the pastry cook. You talk to the bride" in sent(view, 1)[0][1]


def test_the_prompts_name_the_words_that_the_rules_look_for():
    told = prompts.load("role_play").roles
    assert "TASK_DONE" in told["user"].template and "Instruction:" in told["user"].template
    assert "Solution:" in told["assistant"].template


def test_the_options_are_bounded():
    assert (Options().turns, Options().least, Options().specify, Options().closing) == (5, 2, True, "conclusion")
    assert Options(turns=3).visits == 4
    for wrong in (
        {"turns": 0},
        {"turns": 21},
        {"least": 0},
        {"user": ""},
        {"assistant": "x" * 81},
        {"closing": "none"},
    ):
        with pytest.raises(ValidationError):
            Options(**wrong)
