"""Chain of thought: reasoning on the card, the answer proper as the run's answer."""

from tests.runs import run

REASONING = "There are 2 and 2.\nTogether they are 4.\nAnswer: 4"


def test_the_answer_is_read_out_of_the_reasoning_which_the_card_shows_whole(settings):
    _, view = run(settings, "cot", [REASONING])
    assert view.status == "answered" and view.finished.answer == "4"
    assert view.calls[0].card.content == REASONING
    assert view.finished.feedback == "none" and view.totals.calls == 1


def test_worked_examples_are_earlier_turns_that_can_be_left_out(settings):
    with_them, without = (run(settings, "cot", [REASONING], examples=shown)[1] for shown in (True, False))
    roles = [message["role"] for message in with_them.calls[0].called.messages]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert [message["role"] for message in without.calls[0].called.messages] == ["system", "user"]
    examples = [message["content"] for message in with_them.calls[0].called.messages if message["role"] == "assistant"]
    assert all("\nAnswer:" in example for example in examples)


def test_reasoning_that_is_cut_before_its_answer_has_none_and_says_so(settings):
    _, view = run(settings, "cot", [{"text": "First, 3 + 4 = 7.", "finish_reason": "length"}])
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "The reasoning was cut before it came to an answer."


def test_an_answer_before_the_cut_counts(settings):
    _, view = run(settings, "cot", [{"text": "Answer: 7\nExplanation: Fir", "finish_reason": "length"}])
    assert view.status == "answered" and view.finished.answer == "7"
