"""Self-consistency: samples that differ, a vote, no sample in vain, none drawn twice."""

import asyncio
import math
from itertools import cycle, islice
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from agents.self_consistency import Options
from tests.runs import at_rest, finish, request, run, scripted_engine
from workbench import prompts
from workbench.backends.scripted import Conversation, ScriptedAnswer, ScriptedBackend
from workbench.bench import APART
from workbench.engine import Engine
from workbench.errors import AuthenticationFailed
from workbench.events import ModelAnswered, ModelCalled, NoteView, Warned
from workbench.request import Limits, Reply


def said(*answers: str) -> list[str]:
    """A chain of thought for each answer."""
    return [f"I think.\nAnswer: {answer}" if answer else "" for answer in answers]


def sure(answer: str, probability: float) -> dict:
    """A sample all of whose words have this probability."""
    return {"text": said(answer)[0], "logprobs": [math.log(probability)] * 20}


def warnings_of(view) -> list[str]:
    return [e.event.code for e in view.entries if isinstance(e, NoteView) and isinstance(e.event, Warned)]


def votes_of(view) -> list:
    """The cards of the counts."""
    return [entry.event for entry in view.entries if isinstance(entry, NoteView) and "votes" in entry.event.data]


def seeds(view) -> list[int]:
    return [call.called.parameters["seed"] for call in view.calls]


def test_the_answer_that_most_samples_come_to_wins(settings):
    _, view = run(
        settings, "self_consistency", said("$18", "20", "18.00", "18 dollars", "7"), samples=5, adaptive=False
    )
    assert view.status == "answered" and view.finished.answer == "$18"
    assert view.finished.feedback == "none"
    assert [call.card.title for call in view.calls[:2]] == ["Sample 1: $18", "Sample 2: 20"]
    assert votes_of(view)[-1].content == "3 of 5 samples say $18, 1 says 20, 1 says 7."
    assert view.votes == {"$18": 3, "20": 1, "7": 1}


def test_it_stops_as_soon_as_the_leader_cannot_be_overtaken(settings):
    """Nine that all say the same: exactly five are drawn, though the ninth would still be allowed."""
    for parallel in (1, 4, 16):
        _, view = run(settings, "self_consistency", said(*"444444444"), samples=9, parallel=parallel)
        assert view.finished.answer == "4" and view.totals.calls == 5
        assert view.decisions[-1].reason == "decided"


def test_a_batch_is_as_large_as_it_may_be_with_no_sample_in_vain(settings):
    _, view = run(settings, "self_consistency", said("5", "4", "4", "5", "6", "4", "4"), samples=7, parallel=16)
    steps = [call.called.step for call in view.calls]
    assert [steps.count(step) for step in sorted(set(steps))] == [4, 2, 1]
    assert [decision.reason for decision in view.decisions] == ["3 left", "1 left", "all 7 samples"]


def test_all_samples_are_drawn_when_it_does_not_adapt(settings):
    _, view = run(settings, "self_consistency", said(*"4444"), samples=4, adaptive=False, confidence=0.6)
    assert view.totals.calls == 4 and view.decisions[-1].reason == "all 4 samples"


def test_it_stops_when_it_is_sure_enough(settings):
    _, view = run(settings, "self_consistency", said(*"4" * 40), samples=40, confidence=0.95)
    assert view.totals.calls == 4 and view.decisions[-1].reason == "sure enough"
    assert votes_of(view)[-1].data["posterior"] == 0.969 and votes_of(view)[-1].data["share"] == 1.0


def test_a_sample_without_an_answer_never_wins(settings):
    cut = {"text": "First I count the", "finish_reason": "length"}
    _, view = run(settings, "self_consistency", [cut, cut, *said("4", "5")], samples=4, adaptive=False)
    assert view.finished.answer == "4"
    assert view.votes == {"4": 1, "5": 1, "": 2}
    assert view.calls[0].card.title == "Sample 1: no answer"


def test_no_answer_at_all_is_said_and_is_no_answer(settings):
    cut = {"text": "First I count the", "finish_reason": "length"}
    _, view = run(settings, "self_consistency", [cut] * 3, samples=3)
    assert view.status == "limit" and view.finished.answer == ""
    assert view.finished.reason == "No sample came to an answer."


def test_samples_differ_by_their_seeds_and_in_nothing_else(settings):
    _, view = run(settings, "self_consistency", said(*"12345"), samples=5, adaptive=False, parallel=2)
    assert seeds(view) == [7 + number * APART for number in range(5)]
    assert len({str(call.called.messages) for call in view.calls}) == 1
    assert {call.called.parameters["temperature"] for call in view.calls} == {0.7}


def test_it_asks_exactly_what_a_chain_of_thought_is_asked():
    """Else the comparison of the two would be one of prompts."""
    assert prompts.load("self_consistency").roles == prompts.load("cot").roles


def test_what_statistics_read_of_the_samples(settings):
    _, view = run(settings, "self_consistency", said("$18", "20", "18"), samples=3, adaptive=False)
    assert [(one.number, one.content, one.answer) for one in view.samples] == [
        (0, "$18", "18"),
        (1, "20", "20"),
        (2, "18", "18"),
    ]
    assert all(one.tokens > view.calls[0].answer.completion_tokens for one in view.samples)
    assert sum(one.tokens for one in view.samples) == view.totals.prompt_tokens + view.totals.completion_tokens
    assert view.candidates == []


def by_seed(answers: list[ScriptedAnswer], **more) -> ScriptedBackend:
    """A backend whose answer to a seed is always the same."""
    return ScriptedBackend(Conversation(name="samples", by_seed=True, answers=answers).next, **more)


def slowed(*delays: float) -> list[ScriptedAnswer]:
    texts = said(*"4545644")
    return [ScriptedAnswer(text=text, delay=delay) for text, delay in zip(texts, islice(cycle(delays), 7), strict=True)]


def test_samples_begin_in_their_order_and_their_prompt_is_counted_once(settings):
    class Counting(ScriptedBackend):
        counted = 0

        async def count_tokens(self, request):
            self.counted += 1
            await asyncio.sleep(0.1 / self.counted)
            return 100

    backend = Counting(Conversation(name="samples", by_seed=True, answers=slowed(0)).next)
    engine = Engine(settings, {"scripted": backend})
    try:
        view = at_rest(engine, engine.submit(request("self_consistency")))
    finally:
        engine.close()
    assert [call.card.data["sample"] for call in view.calls] == [0, 1, 2, 3, 4, 5]
    assert {call.called.prompt_estimate for call in view.calls} == {100} and backend.counted == 1


@pytest.mark.parametrize("ended", ["stopped", "closed"])
def test_a_run_that_ends_in_the_midst_of_a_batch_goes_on_without_losing_or_repeating_a_sample(settings, ended):
    """Samples 1 and 3 had come in, 2 and 4 had not: these two alone are drawn again, with their own seeds."""
    asked = request("self_consistency")
    engine = Engine(settings, {"scripted": by_seed(slowed(0, 9, 0, 9, 0))})
    run_id = engine.submit(asked)
    answered = 0
    for batch in engine.follow(run_id):
        answered += sum(isinstance(event, ModelAnswered) for event in batch)
        if answered == 2:
            break
    if ended == "stopped":
        engine.stop(run_id)
        assert at_rest(engine, run_id).status == "stopped"
    engine.close()
    engine = Engine(settings, {"scripted": by_seed(slowed(0))})
    try:
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        whole = at_rest(engine, engine.submit(asked))
        events = engine.store.events(run_id)
    finally:
        engine.close()
    drawn = [call.called.parameters["seed"] for call in view.calls if call.answer]
    assert sorted(drawn) == sorted(seeds(whole)) and len(set(drawn)) == len(drawn)
    assert sum(isinstance(event, ModelCalled) for event in events) == len(drawn) + 2
    assert view.samples == whole.samples and view.votes == whole.votes
    assert view.finished.answer == whole.finished.answer == "4"


def test_when_one_sample_fails_those_beside_it_are_kept_and_not_paid_for_again(settings):
    failing = [ScriptedAnswer(text="", error=AuthenticationFailed("No key.")), *slowed(0.1)[1:]]
    engine = Engine(settings, {"scripted": by_seed(failing)})
    run_id = engine.submit(request("self_consistency"))
    view = at_rest(engine, run_id)
    engine.close()
    assert view.status == "failed" and view.finished.error.code == "authentication_failed"
    assert sum(call.answer is not None for call in view.calls) == 3
    engine = Engine(settings, {"scripted": by_seed(slowed(0))})
    try:
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert view.status == "answered"
    assert [one.number for one in view.samples] == [0, 1, 2, 3, 4, 5]
    assert len([call for call in view.calls if call.answer]) == 6


def test_the_token_limit_holds_for_samples_at_once_and_ends_with_the_leader_so_far(settings):
    """Twelve words a sample, 30 allowed: what one may still write is not promised to another."""
    texts = [f"one two three four five six seven eight nine ten\nAnswer: {n}" for n in (4, 4, 4, 5, 5, 4, 4)]
    with scripted_engine(settings, texts) as engine:
        asked = request("self_consistency", samples=7, parallel=4).model_copy(update={"limits": Limits(tokens=30)})
        _, view = finish(engine, engine.submit(asked))
    assert view.totals.completion_tokens <= 30
    assert view.status == "limit"
    assert [call.answer.finish_reason for call in view.calls] == ["stop", "stop", "length"]


def test_a_person_can_answer_in_a_samples_place_and_the_others_are_drawn(settings):
    """Asked before each sample of a batch; what was answered while another waited is not asked again."""
    engine = Engine(settings, {"scripted": by_seed(slowed(0))})
    try:
        asked = request("self_consistency", samples=3, adaptive=False).model_copy(update={"pause_before": ("sample",)})
        run_id = engine.submit(asked)
        replies = [Reply(verb="approve"), Reply(verb="answer", text="Answer: 9"), Reply(verb="approve")]
        for reply in replies:
            assert at_rest(engine, run_id).status == "paused"
            engine.resume(run_id, reply=reply)
        view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert [(one.number, one.content) for one in view.samples] == [(0, "4"), (1, "9"), (2, "4")]
    assert view.finished.answer == "4" and view.totals.calls == 2


def test_one_confident_sample_is_enough_where_that_is_wanted(settings):
    _, view = run(settings, "self_consistency", [sure("4", 0.93)], confident=0.9, parallel=16)
    assert view.finished.answer == "4" and view.totals.calls == 1
    assert view.decisions[-1].edge == "__end__"
    assert view.decisions[-1].reason == "93% sure, which is enough"


def test_a_sample_that_is_not_confident_is_followed_by_the_vote(settings):
    """The first counts among the seven, and has the seed that it has without the option."""
    script = [sure("5", 0.8), *[sure("4", 0.99)] * 4]
    _, view = run(settings, "self_consistency", script, confident=0.9, samples=5)
    assert view.finished.answer == "4" and seeds(view) == [7 + number * APART for number in range(4)]
    assert view.decisions[0].reason == "80% sure, less than 90%: 4 left"
    assert [call.called.step for call in view.calls[:2]] == [1, 3] and view.decisions[-1].reason == "decided"


def test_however_sure_it_is_a_first_sample_without_an_answer_is_not_taken(settings):
    cut = {"text": "First I count the", "finish_reason": "length", "logprobs": [-0.01] * 4}
    _, view = run(settings, "self_consistency", [cut, *said(*"44")], confident=0.5, samples=3)
    assert view.finished.answer == "4"
    assert view.decisions[0].reason == "no answer in the first: 2 left"


def test_nothing_goes_by_probabilities_unless_it_is_wanted(settings):
    _, view = run(settings, "self_consistency", [sure("4", 0.999)] * 7)
    assert view.totals.calls == 4 and warnings_of(view) == []


def test_where_a_backend_gives_no_probabilities_it_says_so_once_and_votes(settings):
    _, view = run(settings, "self_consistency", said(*"4444444"), confident=0.9)
    assert view.finished.answer == "4" and view.totals.calls == 4
    assert warnings_of(view) == ["confidence_unknown"]
    assert view.decisions[0].reason == "how sure it is, nothing tells: 6 left"


def test_what_a_person_writes_has_no_probability_and_nobody_is_blamed_for_that(settings):
    engine = Engine(settings, {"scripted": by_seed(slowed(0))})
    try:
        asked = request("self_consistency", samples=3, confident=0.9).model_copy(update={"pause_before": ("sample",)})
        run_id = engine.submit(asked)
        assert at_rest(engine, run_id).status == "paused"
        engine.resume(run_id, reply=Reply(verb="answer", text="Answer: 9"))
        view = at_rest(engine, run_id)
        while view.status == "paused":
            engine.resume(run_id, reply=Reply(verb="approve"))
            view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert len(view.samples) == 3 and warnings_of(view) == []


def test_a_run_that_is_cut_off_after_its_first_sample_goes_on_by_how_sure_that_was(settings):
    asked = request("self_consistency", confident=0.9)
    unsure = ScriptedAnswer(text=said("4")[0], logprobs=(math.log(0.5),) * 20)
    engine = Engine(settings, {"scripted": by_seed([unsure, *slowed(9, 9, 9)[1:]])})
    run_id = engine.submit(asked)
    for batch in engine.follow(run_id):
        if any(event.kind == "decision" for event in batch):
            break
    engine.close()
    engine = Engine(settings, {"scripted": by_seed([unsure, *slowed(0)[1:]])})
    try:
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert view.status == "answered" and next(one.number for one in view.samples) == 0
    answered = [call for call in view.calls if call.answer]
    assert len({call.called.parameters["seed"] for call in answered}) == len(answered) == len(view.samples) > 1


def test_the_options_are_bounded():
    assert (
        Options().samples == 7 and Options().adaptive and Options().confidence is None and Options().confident is None
    )
    for wrong in (
        {"samples": 0},
        {"samples": 41},
        {"parallel": 0},
        {"confidence": 0.4},
        {"confidence": 1.0},
        {"confident": 1.0},
    ):
        with pytest.raises(ValidationError):
            Options(**wrong)


def test_texts_that_are_all_different_are_counted_and_the_first_is_taken(settings):
    essays = [f"Answer:\nEssay {n}. " + "It goes on and on. " * 60 for n in range(3)]
    _, view = run(settings, "self_consistency", essays, samples=3)
    assert view.finished.answer.startswith("Essay 0. It goes on")
    assert list(view.votes.values()) == [1, 1, 1]
    assert all(len(call.card.title) < 70 for call in view.calls)
    assert SimpleNamespace(**votes_of(view)[-1].data).sampled == 3
