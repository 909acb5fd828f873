"""A comparison in words, as the page and the terminal say it."""

import json
from typing import Any

import pytest

from tests.logs import OOPS, SYSTEM, Log, three_steps
from workbench.compare import Comparison, compare
from workbench.differences import (
    brief,
    excerpts,
    headline,
    kinship,
    label,
    lines,
    records,
    same_count,
    sentence,
    text_of,
    word_number,
)
from workbench.events import Resumed

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


def beside(a: Log, b: Log) -> Comparison:
    return compare(a.events, b.events)


def one_call(**more: Any) -> Log:
    return Log().begin("think", 2).ask("think", **more)


def test_the_first_difference_is_named_with_its_step_and_word():
    a, b = one_call().answer(f"{LONG} fourteen."), one_call().answer(f"{LONG} fifteen.")
    assert headline(beside(a, b)) == "The answers of think, step 2, differ from word 14 on."


def test_of_a_structured_answer_the_field_is_named():
    a = one_call().answer('{"t": 1}', parsed={"title": "Count", "content": LONG})
    b = one_call().answer('{"t": 2}', parsed={"title": "Count", "content": f"{LONG} more"})
    assert headline(beside(a, b)) == "The answers of think, step 2, differ in content from word 14 on."


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (one_call().answer("Yes."), one_call().answer("No."), "The answers of think, step 2, differ: Yes and No."),
        (one_call(sent="Up."), one_call(sent="Down."), "differ in message 2 (user): Up and Down."),
        (one_call(), one_call(messages=(SYSTEM,)), "The prompts of think, step 2, differ: A sent 1 message more."),
        (one_call().answer(""), one_call().fail(), "Only A has an answer: think, step 2."),
        (
            one_call(parameters={"stop": ["."]}),
            one_call(parameters={"stop": ["!"], "tools": ["x"]}),
            "The parameters of think, step 2, differ in stop, tools.",
        ),
        (
            one_call().answer("").decide("think", "judge"),
            one_call().answer("").decide("think", "__end__"),
            "The decisions after think, step 2, differ: judge and end.",
        ),
        (
            one_call().answer("").decide("think", "judge", "it is short"),
            one_call().answer("").decide("think", "judge", "it is long"),
            "The decisions after think, step 2, differ in their reasons.",
        ),
        (
            Log().use("calculator", "7", expression="3+4"),
            Log().use("calculator", "7", expression="2+5"),
            "The arguments of calculator in act, step 1, differ in expression.",
        ),
        (Log().finish("42"), Log().finish("", "stopped"), "The outcomes differ: answered and stopped."),
        (Log().finish("42"), Log().finish(""), "Only A has a final answer."),
        (Log().finish(error=OOPS), Log().finish(), "Only A has an error."),
        (Log(), Log().warn("truncated", "It was cut."), "Only B has the warning truncated (It was cut.)."),
        (Log(), Log().use("clock", "Noon."), "Only B has a call of the tool clock in act, step 1."),
        (Log().begin("think"), Log().begin("think").wait("think"), "Only B has a pause: think, step 1."),
        (Log().finish(), Log().finish().add(Resumed).finish(), "Only B has a new start after a break: the run."),
    ],
)
def test_every_kind_of_difference_is_a_sentence(a: Log, b: Log, said: str):
    assert said in headline(beside(a, b))


def test_no_difference_says_what_was_compared():
    text = "\n".join(lines(beside(three_steps(), three_steps("bbbb2222"))))
    assert "No difference. Compared were the requests" in text and "in 4 steps" in text
    assert "token counts and probabilities were not" in text


def test_requests_that_differ_though_no_step_does_are_said():
    comparison = beside(three_steps(), three_steps(request={"model": "other"}))
    assert headline(comparison) == "The requests differ, and yet every step is the same, all 4."
    assert "  model  A: demo  B: other" in list(lines(comparison))


def test_different_machines_are_a_sentence_and_no_wall():
    other = Log(request={"machine": "reflection"}, machine_title="Reflection").visit("think", "Look.").finish("43")
    text = list(lines(beside(three_steps(), other)))
    assert any("The machines differ, Stepwise and Reflection" in line for line in text)
    assert text[-2:] == ["  A: 42", "  B: 43"]
    assert not any("only in" in line for line in text)


def test_a_log_of_which_nothing_was_kept_is_said():
    assert "nothing was kept" in headline(compare([], three_steps().events))


def test_how_runs_are_related_is_said():
    parent, again = three_steps(), three_steps("bbbb2222", parent_run="aaaa1111", relation="reproduce")
    assert kinship(beside(parent, again)) == "B is A run again."
    assert kinship(beside(again, parent)) == "A is B run again."
    fork = Log("bbbb2222", parent_run="aaaa1111", parent_seq=0, relation="fork", inherited=1).warn("x")
    assert kinship(beside(Log().warn("x"), fork)) == "B is a fork of A; it inherited 1 step."
    assert kinship(beside(again, fork)) == "A and B come from the same run."
    assert kinship(beside(three_steps(), three_steps())) == ""


def test_the_terminal_gets_both_sides_and_then_what_follows_in_brief():
    text = list(lines(beside(three_steps(), three_steps("bbbb2222", second="Two and three."))))
    assert text[0] == "A  aaaa1111 · Stepwise · scripted · demo · answered · Why?"
    assert "2 of 4 steps are the same." in text
    at = next(index for index, line in enumerate(text) if line.startswith("First difference"))
    assert text[at] == (
        "First difference (event 10 of A, event 10 of B): The answers of think, step 2, differ: Two and two and"
        " Two and three."
    )
    assert text[at + 1 :] == ["  A: Two and two.", "  B: Two and three.", "Then:", "  judge, step 3: prompts"]


def test_that_a_seed_promises_nothing_is_said_above_the_rest():
    again = Log("bbbb2222").warn("seed_not_promised", "It may differ.")
    text = list(lines(beside(Log(), again)))
    assert text[2] == "Only in B: the warning seed_not_promised (It may differ.)"
    assert text[4].startswith("No difference.")


def test_json_is_a_summary_and_then_every_row():
    comparison = beside(three_steps(), three_steps("bbbb2222", second="Two and three."))
    summary, *rows = [json.loads(json.dumps(record)) for record in records(comparison)]
    assert (summary["same"], summary["steps"], summary["steps_same"], summary["first"]) == (False, 4, 2, 1)
    assert (summary["a"], summary["b"]) == ("aaaa1111", "bbbb2222")
    assert [row["standing"] for row in rows] == ["same", "different", "different", "same"]
    assert rows[1]["differences"] == [
        {"part": "text", "a": "Two and two.", "b": "Two and three.", "a_seq": 10, "b_seq": 10}
    ]


def test_of_messages_json_has_the_first_that_differs():
    rows = list(records(beside(one_call(sent="Up."), one_call(sent="Down."))))
    (found,) = rows[1]["differences"]
    assert (found["message"], found["a"]["content"], found["b"]["content"]) == (2, "Up.", "Down.")


@pytest.mark.parametrize(
    ("a", "b", "number"),
    [
        ("one two three", "one two four", 3),
        ("one two", "one two three", 3),
        ("one two", "one twofold", 2),
        ("", "one", 1),
        ("don't go", "don't stay", 2),
        ("one, two", "one; two", 2),
        ("我有三个", "我有五个", 3),
        ("same", "same", 2),
    ],
)
def test_words_are_counted_from_the_first(a: str, b: str, number: int):
    assert word_number(a, b) == number


def test_an_excerpt_stands_around_the_place_where_two_texts_part():
    start = "word " * 100
    comparison = beside(one_call().answer(start + "left" + " end" * 100), one_call().answer(start + "right"))
    left, right = excerpts(comparison.rows[0].differences[0])
    assert left.startswith("…") and left.endswith("…") and " word left end" in left
    assert right.endswith("word right") and len(left) < 320


def test_a_row_in_brief_names_what_differs_once():
    a = one_call().answer("{}", parsed={"content": "a"}).card("Step 1", "a", x=1)
    b = one_call(sent="Down.").answer("{ }", parsed={"content": "b"}).card("Step 2", "b", x=2)
    assert brief(beside(a, b).rows[0]) == "think, step 2: prompts, answers"
    assert brief(beside(Log(), one_call()).rows[0]) == "only in B: a model call: think, step 2"


def test_a_row_that_is_the_same_says_so():
    comparison = beside(one_call(), one_call())
    assert sentence(comparison.rows[0]) == "Think, step 2: the same."
    assert same_count(comparison) == "1 of 1 step is the same."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (0.5, "0.5"),
        ({"max_steps": 3, "x": "y"}, "max steps: 3\nx: y"),
        (["a", {"b": 1}], 'a\n{"b": 1}'),
        (({"edge": "__end__", "reason": "done"},), "end (done)"),
    ],
)
def test_values_are_shown_as_a_person_reads_them(value: Any, text: str):
    assert text_of(value) == text


def test_parts_of_the_request_are_called_by_their_names():
    names = [
        "options.max_steps",
        "settings.top_p",
        "limits.tool_calls",
        "model_digest",
        "prompts.critic",
        "edited.answer",
    ]
    assert [label(name) for name in names] == [
        "max steps",
        "top p",
        "limit of tool calls",
        "model's digest",
        "prompt of critic",
        "state's answer",
    ]
