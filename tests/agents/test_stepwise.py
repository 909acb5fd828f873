"""Stepwise: steps as assistant turns, never an early conclusion, cut steps retried with a larger limit."""

from itertools import pairwise

from tests.runs import run, step

THREE = [step("Ask", "What is asked."), step("Count", "Two and two."), step("Check", "It is four.", "final_answer")]


def test_it_concludes_when_the_model_is_ready(settings):
    _, view = run(settings, "stepwise", [*THREE, "It is 4."])
    assert view.status == "answered"
    assert view.finished.answer == "It is 4."
    assert [call.card.title for call in view.calls] == ["Step 1: Ask", "Step 2: Count", "Step 3: Check", "Final answer"]
    assert view.decisions[-1].edge == "conclude"
    assert view.decisions[-1].reason == "the model is ready to answer"


def test_the_prompt_only_grows_at_its_end(settings):
    _, view = run(settings, "stepwise", [*THREE, "It is 4."])
    sent = [call.called.messages for call in view.calls]
    for shorter, longer in pairwise(sent):
        assert longer[: len(shorter)] == shorter
    roles = [message["role"] for message in sent[2]]
    assert roles == ["system", "user", "assistant", "assistant", "assistant"]
    assert sent[0][2]["content"].startswith("Thank you! I will now think step by step")


def test_before_the_minimum_the_schema_leaves_only_continue(settings):
    _, view = run(settings, "stepwise", [*THREE, "It is 4."], min_steps=3)
    allowed = [call.called.parameters["json_schema"]["properties"]["next_action"] for call in view.calls[:3]]
    assert [a.get("const") or a.get("enum") for a in allowed] == ["continue", "continue", ["continue", "final_answer"]]


def test_an_early_conclusion_is_sent_back(settings):
    early = step("Rush", "Done.", "final_answer")
    _, view = run(settings, "stepwise", [early, *THREE, "It is 4."])
    assert view.status == "answered"
    assert "next_action" in view.calls[0].retried.error.message
    assert view.calls[0].card is None


def test_the_most_steps_force_the_answer(settings):
    endless = [step(f"Step {n}", "More.") for n in range(4)]
    _, view = run(settings, "stepwise", [*endless, "Enough: 4."], max_steps=4)
    assert view.finished.answer == "Enough: 4."
    assert view.decisions[-1].reason == "4 steps, the most allowed"


def test_a_cut_step_is_retried_with_a_larger_limit(settings):
    cut = {"text": '{"title": "Ask", "content": "What is', "finish_reason": "length"}
    _, view = run(settings, "stepwise", [cut, *THREE, "It is 4."])
    assert view.status == "answered"
    first, second = view.calls[0], view.calls[1]
    assert first.retried.attempt == 2
    assert "cut" in first.retried.told
    assert second.called.messages[-1]["content"] == first.retried.told
    assert second.called.parameters["max_tokens"] == 2 * first.called.parameters["max_tokens"]


def test_after_three_retries_the_run_fails_with_what_it_has(settings):
    _, view = run(settings, "stepwise", [THREE[0], "no json", "still none", "nor here", "never"])
    assert view.status == "failed"
    assert view.finished.error.code == "structured_output_invalid"
    assert view.calls[0].card.title == "Step 1: Ask"
    assert [call.text for call in view.calls[1:]] == ["no json", "still none", "nor here", "never"]
    assert len(view.calls) == 5
