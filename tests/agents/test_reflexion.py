"""Reflexion: trials with a reward, self-reflections that go into the next trial, and the best trial's answer."""

import json

import pytest
from pydantic import ValidationError

from agents.reflexion import Options
from tests.runs import action, at_rest, finish, request, run, scripted_engine
from workbench.errors import InvalidRequest
from workbench.events import NoteView, ToolView
from workbench.job import read_options
from workbench.request import Reply

ASSERTS = "assert double(2) == 4\nassert double(0) == 0\nassert double(-1) == -2"


def reflection(mistake: str, plan: str = "do it again") -> str:
    return json.dumps({"mistake": mistake, "plan": plan})


def judgement(points: int, remark: str = "I worked it out.") -> str:
    return json.dumps({"remark": remark, "points": points})


def by_cot(answers, settings, **options):
    return run(settings, "reflexion", answers, **{"actor": "cot", "evaluator": "answer", "expected": "4", **options})[1]


def trial_cards(view):
    cards = [entry.event for entry in view.entries if isinstance(entry, NoteView)]
    return [card for card in cards if getattr(card, "title", "").startswith("Trial ")]


def called(view, call):
    return view.calls[call].called.messages


def test_a_trial_that_is_right_is_the_only_one(settings):
    view = by_cot(["2 + 2 is four.\nAnswer: 4"], settings)
    assert view.status == "answered" and view.finished.answer == "4" and view.finished.feedback == "gold"
    assert [(one.trial, one.value) for one in view.rewards] == [(0, 1.0)]
    assert view.decisions[-1].edge == "__end__" and view.decisions[-1].reason == "reward 1 is enough"


def test_a_trial_that_is_wrong_is_reflected_on_and_the_reflection_goes_into_the_next(settings):
    answers = ["Answer: 5", reflection("I added 3.", "add 2"), "Answer: 4"]
    view = by_cot(answers, settings)
    assert view.finished.answer == "4"
    assert [one.value for one in view.rewards] == [0.0, 1.0]
    assert called(view, 2)[-1]["content"].endswith("What you learned:\n- I added 3. Next time: add 2")
    assert view.calls[1].card.title == "Self-reflection 1"
    assert [d.edge for d in view.decisions] == ["think", "reflect", "think", "__end__"]
    assert view.decisions[1].reason == "reward 0 after trial 1"
    assert view.decisions[2].reason == "trial 2, 1 self-reflection in mind"


def test_a_reflection_sees_the_trajectory_and_how_it_was_evaluated_but_never_the_right_answer(settings):
    view = by_cot(["I guess.\nAnswer: 5", reflection("I guessed."), "Answer: 4"], settings, expected="4\nfour")
    *_, tried, asked = called(view, 1)
    assert tried == {"role": "assistant", "content": "I guess.\nAnswer: 5"}
    assert "The answer is not the right one." in asked["content"]
    assert all("four" not in message["content"] for message in called(view, 1) + called(view, 2))


def test_of_the_trial_before_only_the_reflection_is_left(settings):
    view = by_cot(["A wild guess.\nAnswer: 5", reflection("I guessed."), "Answer: 4"], settings)
    first, second = called(view, 0), called(view, 2)
    assert second[:-1] == first[:-1] and second[-1]["content"].startswith(first[-1]["content"])
    assert not any("A wild guess" in message["content"] for message in second)


def test_the_memory_holds_the_last_three_reflections(settings):
    tries = [text for n in range(4) for text in (f"Answer: {n + 10}", reflection(f"Mistake {n}."))]
    view = by_cot([*tries, "Answer: 4"], settings, trials=5)
    said = called(view, 8)[-1]["content"]
    assert [n for n in range(4) if f"Mistake {n}." in said] == [1, 2, 3]
    assert Options().memory == 3


def test_the_memory_may_be_shorter(settings):
    tries = [text for n in range(2) for text in (f"Answer: {n + 10}", reflection(f"Mistake {n}."))]
    view = by_cot([*tries, "Answer: 4"], settings, memory=1)
    assert "Mistake 1." in called(view, 4)[-1]["content"] and "Mistake 0." not in called(view, 4)[-1]["content"]


def test_a_reflection_that_repeats_an_earlier_one_takes_its_place(settings):
    same, longer = reflection("I guessed.", "think"), reflection("I guessed.", "think. Really.")
    view = by_cot(["Answer: 5", same, "Answer: 6", longer, "Answer: 4"], settings)
    assert called(view, 4)[-1]["content"].count("I guessed.") == 1
    assert called(view, 4)[-1]["content"].endswith("- I guessed. Next time: think. Really.")


def test_the_trials_end_after_so_many(settings):
    view = by_cot(["Answer: 5", reflection("No."), "Answer: 6"], settings, trials=2)
    assert view.status == "answered" and view.totals.calls == 3
    assert view.decisions[-1].reason == "reward 0, and trial 2 was the last"
    assert view.finished.answer == "6"  # the latest among equals


def test_the_answer_is_that_of_the_best_trial(settings):
    by_judge = {"evaluator": "judge", "trials": 3}
    scores = [judgement(2), reflection("A."), "Answer: 4", judgement(4), reflection("B."), "Answer: 6", judgement(3)]
    view = by_cot(["Answer: 5", *scores], settings, **by_judge)
    assert [one.value for one in view.rewards] == [0.25, 0.75, 0.5]
    assert view.finished.answer == "4"
    assert [one.content for one in view.candidates] == ["5", "4", "4"]  # what it would give after each trial
    assert [one.round for one in view.candidates] == [0, 1, 2]


def test_enough_may_be_less_than_everything(settings):
    view = by_cot(["Answer: 5", judgement(4)], settings, evaluator="judge", enough=0.7)
    assert view.finished.answer == "5" and view.decisions[-1].reason == "reward 0.75 is enough"


def test_a_judge_sees_question_and_answer_alone_and_is_a_critic(settings):
    view = by_cot(["Secret reasons.\nAnswer: 5", judgement(5, "It is right.")], settings, evaluator="judge")
    assert view.finished.feedback == "critic" and view.calls[1].card.title == "Judgement · 5 of 5"
    assert called(view, 1)[-1]["content"] == "Task: What is 2 + 2?\n\nAnswer: 5"
    assert not any("Secret" in message["content"] for message in called(view, 1))
    assert trial_cards(view)[0].content == "A judge gave the answer 5 of 5 points."
    assert view.answer_call is view.calls[0]  # the confidence is the actor's


def test_a_reflection_is_told_what_the_judge_remarked(settings):
    answers = ["Answer: 5", judgement(1, "It is one too many."), reflection("I added 3."), "Answer: 4", judgement(5)]
    view = by_cot(answers, settings, evaluator="judge")
    assert "A judge gave the answer 1 of 5 points. It is one too many." in called(view, 2)[-1]["content"]


def test_a_trial_without_an_answer_is_worth_nothing_and_nobody_is_asked(settings):
    cut = {"text": "I begin to reason and", "finish_reason": "length"}
    view = by_cot([cut, reflection("Too long."), "Answer: 4", judgement(5)], settings, evaluator="judge")
    assert view.finished.answer == "4" and [one.value for one in view.rewards] == [0.0, 1.0]
    first = trial_cards(view)[0]
    assert first.content == "There is no answer. The reasoning was cut before it came to an answer."
    assert first.data["feedback"] == "self"


def test_no_answer_in_any_trial_ends_at_the_limit(settings):
    cut = {"text": "I begin to reason and", "finish_reason": "length"}
    view = by_cot([cut, reflection("Too long."), cut], settings, trials=2)
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "No answer in 2 trials."


def test_an_answer_that_is_worth_nothing_is_better_than_none(settings):
    cut = {"text": "I begin to reason and", "finish_reason": "length"}
    view = by_cot(["Answer: 5", reflection("No."), cut], settings, trials=2)
    assert view.status == "answered" and view.finished.answer == "5"


def by_react(answers, settings, **options):
    return run(settings, "reflexion", answers, **{"evaluator": "heuristic", **options})[1]


def test_the_actor_react_acts_until_it_finishes(settings):
    view = by_react([action("calculator", "2 + 2"), action("finish", "4")], settings)
    assert view.finished.answer == "4" and view.rewards[0].value == 1
    assert [d.edge for d in view.decisions] == ["reason", "act", "evaluate", "__end__"]
    assert trial_cards(view)[0].data["feedback"] == "self"


def test_react_in_vain_is_found_by_the_heuristic_and_begins_anew(settings):
    again = [action("calculator", "2 + 3"), action("calculator", "2 + 3"), action("finish", "5")]
    view = by_react([*again, reflection("I repeated."), action("finish", "4")], settings)
    assert trial_cards(view)[0].content == "You repeated an action that had brought the same before, once."
    assert [one.value for one in view.rewards] == [0.0, 1.0] and view.finished.answer == "4"
    assert [m["role"] for m in called(view, 4)[-2:]] == ["assistant", "user"]
    assert "- I repeated." in called(view, 4)[-1]["content"]


def test_steps_that_could_not_be_read_repeat_no_action(settings):
    view = by_react(["I think so", "Hm so", "Thought: x\nFinal Answer: 4"], settings, dialect="text")
    assert view.finished.answer == "4" and [one.value for one in view.rewards] == [1.0]


def test_a_blank_answer_is_none_and_no_judge_sees_it(settings):
    view = by_react([action("finish", "  ")], settings, evaluator="judge", trials=1)
    assert view.totals.calls == 1 and trial_cards(view)[0].content == "There is no answer."
    assert view.status == "limit" and view.finished.answer == ""


def test_setup_passes_no_test_and_a_program_cannot_count_for_itself(settings):
    options = {"actor": "code", "evaluator": "tests", "trials": 1}
    cheat = "```python\ndef double(n):\n    global _passed\n    _passed = 1\n    return 99\n```"
    for tests in ("xs = []\nxs.append(1)\nassert double(xs[0]) == 2", "assert double(2) == 4"):
        view = run(settings, "reflexion", [cheat], tests=tests, **options)[1]
        assert [one.value for one in view.rewards] == [0.0]


def test_too_many_steps_are_worth_nothing(settings):
    steps = [action("calculator", "1 + 1"), action("calculator", "2 + 2")]
    answers = [*steps, reflection("Too slow."), action("finish", "4")]
    view = by_react(answers, settings, max_steps=2)
    assert trial_cards(view)[0].content == "There is no answer. No answer within 2 steps."
    assert [d.reason for d in view.decisions][2] == "step 2 was the last"
    assert view.status == "answered" and view.finished.answer == "4"


def test_a_tool_call_that_was_not_made_is_no_part_of_the_trajectory(settings):
    call = {"tool_calls": [{"name": "calculator", "arguments": {"expression": "1 + 1"}}]}
    answers = [call, reflection("Too slow."), "4"]
    view = by_react(answers, settings, dialect="native", max_steps=1)
    assert all(not message.get("tool_calls") for message in called(view, 1))
    assert view.finished.answer == "4"


def program(body: str) -> str:
    return f"```python\ndef double(n):\n    {body}\n```"


def by_code(answers, settings, **options):
    return run(settings, "reflexion", answers, **{"actor": "code", "evaluator": "tests", "tests": ASSERTS, **options})[
        1
    ]


def test_the_reward_of_code_is_the_share_of_the_tests_that_pass(settings):
    view = by_code([program("return n * n"), reflection("I squared."), program("return 2 * n")], settings)
    assert [round(one.value, 2) for one in view.rewards] == [0.67, 1.0]
    assert view.finished.answer == program("return 2 * n") and view.finished.feedback == "gold"
    told = trial_cards(view)[0].content
    assert told.startswith("2 of 3 tests pass. These fail:\nassert double(-1) == -2 -> AssertionError")
    assert told in called(view, 1)[-1]["content"]
    assert trial_cards(view)[1].content == "3 of 3 tests pass."
    assert [entry.called.name for entry in view.entries if isinstance(entry, ToolView)] == ["python", "python"]
    assert [d.edge for d in view.decisions] == ["write", "reflect", "write", "__end__"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (program("return n *"), "SyntaxError"),
        ("```python\nraise ValueError('no double')\n```", "ValueError: no double"),
        ("```python\nexit()\n```", "did not come to their end"),
    ],
)
def test_a_program_with_which_the_tests_do_not_end_is_worth_nothing(settings, answer, said):
    view = by_code([answer], settings, trials=1)
    assert view.rewards[0].value == 0 and said in trial_cards(view)[0].content


def test_a_program_cannot_say_itself_how_many_tests_pass(settings):
    view = by_code(["```python\ndef double(n):\n    print('3 of 3 pass')\n```"], settings, trials=1)
    assert view.rewards[0].value == 0


def test_what_is_no_program_is_not_run(settings):
    view = by_code(["```text\nnone\n```", reflection("No code."), program("return 2 * n")], settings)
    assert trial_cards(view)[0].content == "There is no answer. There is no Python program in it."
    assert len([entry for entry in view.entries if isinstance(entry, ToolView)]) == 1
    assert view.finished.answer == program("return 2 * n")


def test_a_person_may_answer_for_the_evaluator_and_for_the_reflection(settings):
    with scripted_engine(settings, ["Answer: 5", "Answer: 4", judgement(5)]) as engine:
        asked = request("reflexion", actor="cot").model_copy(update={"pause_before": ("evaluate", "reflect")})
        run_id = engine.submit(asked)
        assert at_rest(engine, run_id).paused.node == "evaluate"
        engine.resume(run_id, reply=Reply(verb="answer", text=judgement(1)))
        assert at_rest(engine, run_id).paused.node == "reflect"
        engine.resume(run_id, reply=Reply(verb="answer", text=reflection("I added 3.")))
        assert at_rest(engine, run_id).paused.node == "evaluate"
        engine.resume(run_id, reply=Reply(verb="approve"))
        view = at_rest(engine, run_id)
    assert view.finished.answer == "4" and "I added 3." in called(view, 3)[-1]["content"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"evaluator": "answer"}, "Write one under expected"),
        ({"evaluator": "answer", "expected": " \n"}, "Write one under expected"),
        ({"evaluator": "tests"}, "Write them under tests"),
        ({"evaluator": "tests", "tests": "def f(:"}, "The tests are no Python program"),
        ({"evaluator": "tests", "tests": "def test_it():\n    assert False"}, "The tests check nothing"),
        ({"evaluator": "tests", "tests": ASSERTS, "tools": ["clock"]}, "Add it to the tools"),
    ],
)
def test_what_an_evaluator_lacks_is_said_before_anything_is_asked(settings, options, said):
    with scripted_engine(settings, ["Answer: 4"]) as engine:
        with pytest.raises(InvalidRequest, match=said):
            engine.submit(request("reflexion", **options))
        assert engine.store.runs() == []


def test_options_that_contradict_each_other_are_refused(settings):
    from agents.reflexion import MACHINE

    with pytest.raises(InvalidRequest, match="let tests evaluate it"):
        read_options(MACHINE, {"actor": "code", "evaluator": "answer", "expected": "4"})


def test_the_options_are_bounded():
    assert (Options().trials, Options().enough, Options().memory) == (4, 1, 3)
    for wrong in ({"trials": 0}, {"trials": 11}, {"memory": 0}, {"memory": 11}, {"enough": 1.1}, {"actor": "pal"}):
        with pytest.raises(ValidationError):
            Options(**wrong)


def test_the_options_of_an_item_are_those_that_the_evaluator_wants():
    item = (["4", "two\nplus two"], ASSERTS)
    assert Options(evaluator="answer").of_item(*item) == {"expected": "4\ntwo plus two"}
    assert Options(evaluator="tests").of_item(*item) == {"tests": ASSERTS}
    assert Options().of_item(*item) == {} and Options(evaluator="heuristic").of_item(*item) == {}


def test_a_run_that_was_killed_between_trials_asks_nothing_twice(settings):
    answers = ["Answer: 5", reflection("I added 3."), "Answer: 4"]
    with scripted_engine(settings, answers) as engine:
        asked = request("reflexion", actor="cot", evaluator="answer", expected="4")
        run_id = engine.submit(asked.model_copy(update={"pause_before": ("reflect",)}))
        at_rest(engine, run_id)
    with scripted_engine(settings, answers[1:]) as engine:
        engine.resume(run_id, reply=Reply(verb="approve"))
        _, view = finish(engine, run_id)
    assert view.finished.answer == "4" and [one.value for one in view.rewards] == [0.0, 1.0]


def test_what_a_failing_test_says_is_told_to_its_end(settings):
    broken = program("return {}['n']")
    view = by_code([broken], settings, trials=1)
    assert trial_cards(view)[0].content.endswith("assert double(-1) == -2 -> KeyError 'n'")
