"""Machines that grow: in a small window they end in ContextOverflow, or earlier turns give way to a summary."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from agents import catalogue
from tests.runs import action, at_rest, request, step, verdict
from workbench.backends import prompt_size
from workbench.backends.base import AnswerPart, ChatRequest, ModelInfo, Part
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.bench import RunBench
from workbench.engine import Engine
from workbench.errors import ContextOverflow, PromptError
from workbench.events import ModelAnswered, NodeFinished, RunView, Summarised, Warned
from workbench.request import Reply, RunRequest
from workbench.settings import Settings

STEPS: dict[str, dict[str, int]] = {
    "stepwise": {"min_steps": 14, "max_steps": 14},
    "reflection": {"rounds": 7},
    "react": {"max_steps": 14},
    "role_play": {"turns": 6, "specify": False},
    "act": {"max_steps": 14},
}
BY_REACT = ("reflexion", "react_cot_sc")  # what grows in them is ReAct's own conversation, by its own nodes
growing = pytest.mark.parametrize("machine", STEPS)
SUMMARY = "So far every sum came to four, and nothing is open."
SEED = 7


class SmallServer(ScriptedBackend):
    """A server without a tokenizer to ask, which holds fewer tokens than it claims; `says` is what its refusal tells.

    Its prompts have more tokens than anyone would guess.
    """

    def __init__(self, source: Any, holds: int, claims: int | None, says: int) -> None:
        super().__init__(source)
        self._holds, self._claims, self._says = holds, claims, says

    async def model(self, name: str) -> ModelInfo:
        return (await super().model(name)).model_copy(update={"context_window": self._claims})

    async def count_tokens(self, request: ChatRequest) -> None:
        return None

    async def chat(self, request: ChatRequest) -> AsyncIterator[Part]:
        size = round(1.3 * prompt_size.bounds(request)[1])
        if size > self._holds:
            raise ContextOverflow("The prompt is too long.", context_window=self._says)
        async for part in super().chat(request):
            told = {"prompt_tokens": size, "context_window": self._claims}
            yield part.model_copy(update=told) if isinstance(part, AnswerPart) else part


class Thinker:
    """A model that writes 60 words a time: each says which one it is, so that what is sent can be told apart."""

    def __init__(self, machine: str, summary: str | ScriptedAnswer = SUMMARY, thinking: str = "") -> None:
        self._machine, self._summary, self._numbers, self._thinking = machine, summary, count(1), thinking

    def __call__(self, asked: ChatRequest) -> ScriptedAnswer:
        """The next answer of the kind that is asked for."""
        if is_summariser(asked) and self._thinking and asked.think is not False:
            return ScriptedAnswer(text=SUMMARY, thinking=self._thinking)
        if is_summariser(asked):
            return self._summary if isinstance(self._summary, ScriptedAnswer) else ScriptedAnswer(text=self._summary)
        number = next(self._numbers)
        words = f"Turn{number} " + " ".join(f"word{number}x{place}" for place in range(60))
        properties = (asked.json_schema or {}).get("properties", {})
        if "verdict" in properties:
            return ScriptedAnswer(text=verdict("revise", 5, words))
        if "next_action" in properties:
            last = "const" not in properties["next_action"]
            return ScriptedAnswer(text=step(f"Sum {number}", words, "final_answer" if last else "continue"))
        if "action" in properties:
            name = "finish" if number >= STEPS[self._machine]["max_steps"] else "calculator"
            told = f"{number} + 2" if "thought" in properties else words
            return ScriptedAnswer(text=action(name, told, words))
        return ScriptedAnswer(text=words)


def is_summariser(asked: ChatRequest) -> bool:
    """Whether earlier turns are to be summed up."""
    return "words in all." in asked.messages[-1].content


def asks(machine: str, summarise: str, window: int | None = None, **changes: Any) -> RunRequest:
    """A long run in a window (words) that the machine's own rules leave half empty."""
    window = window or {"react": 1_000, "act": 1_000}.get(machine, 700)
    asked = request(machine, "What is 2 + 2?", SEED, **STEPS[machine], summarise=summarise)
    settings = asked.settings.model_copy(update={"context_window": window, "max_tokens": 128})
    return asked.model_copy(update={"settings": settings, **changes})


def engine_of(settings: Settings, machine: str, **more: Any) -> tuple[Engine, ScriptedBackend]:
    backend = ScriptedBackend(Thinker(machine, **more))
    return Engine(settings, {"scripted": backend}), backend


def ended(settings: Settings, asked: RunRequest, **more: Any) -> tuple[RunView, ScriptedBackend]:
    """A run to its end."""
    engine, backend = engine_of(settings, asked.machine, **more)
    try:
        return at_rest(engine, engine.submit(asked)), backend
    finally:
        engine.close()


def summaries(view: RunView) -> list[Summarised]:
    return [call.summarised for call in view.calls if call.summarised is not None]


def warnings(view: RunView) -> list[str]:
    notes = [entry.event for entry in view.entries if hasattr(entry, "event")]
    return [note.code for note in notes if isinstance(note, Warned)]


def test_every_machine_with_the_option_is_tried_here() -> None:
    offered = [name for name in catalogue.MACHINES if "summarise" in catalogue.load(name).options.model_fields]
    assert sorted(offered) == sorted([*STEPS, *BY_REACT])


@growing
def test_without_summaries_a_long_run_overflows_and_was_warned(machine: str, settings: Settings) -> None:
    view, _ = ended(settings, asks(machine, "never"))
    assert view.status == "failed" and view.finished is not None and view.finished.error is not None
    assert view.finished.error.code == "context_overflow"
    assert warnings(view).count("context_filling") == 1 and not summaries(view)


@growing
def test_with_summaries_it_comes_to_its_answer(machine: str, settings: Settings) -> None:
    view, backend = ended(settings, asks(machine, "when_needed"))
    assert view.status == "answered", view.finished
    done = summaries(view)
    assert done and "context_filling" not in warnings(view)
    assert len(done) <= 4, "it shortens down to half, not at every step"
    for one in done:
        assert one.tokens_after < one.tokens_before and one.text == SUMMARY and len(one.left_out) >= 1
    window = backend.requests[0].context_window or 0
    assert max(call.called.prompt_estimate or 0 for call in view.calls) < window


@growing
def test_what_is_sent_has_the_summary_once_and_no_turn_that_it_stands_for(machine: str, settings: Settings) -> None:
    _, backend = ended(settings, asks(machine, "when_needed"))
    asked = [one for one in backend.requests if not is_summariser(one)]
    short = [one for one in asked if SUMMARY in str(one.messages)]
    assert short
    for one in short:
        text = "\n".join(message.content for message in one.messages)
        assert text.count(SUMMARY) == 1 and "Turn1 " not in text and "What is 2 + 2?" in text
    assert one.messages[0] in [first.messages[0] for first in asked[:2]], "the rules stay"


@growing
def test_the_originals_stay_in_the_state_and_on_the_log(machine: str, settings: Settings) -> None:
    engine, _ = engine_of(settings, machine)
    try:
        run_id = engine.submit(asks(machine, "when_needed"))
        view = at_rest(engine, run_id)
        ends = [event.seq for event in engine.store.events(run_id) if isinstance(event, NodeFinished)]
        state = engine.fork_point(run_id, ends[-1]).state
    finally:
        engine.close()
    assert "Turn1 " in str(state["messages"]) and state["summary"] == SUMMARY
    assert "Turn1 " in str(summaries(view)[0].left_out)
    assert "Turn1 " in str(next(call for call in view.calls if call.summarised).called.messages), (
        "the summariser saw it"
    )


@growing
def test_a_run_that_is_cut_off_after_the_summary_does_not_make_it_again(
    machine: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, backend = engine_of(settings, machine)
    ask = RunBench.ask

    async def cut_off(bench: RunBench, role: str, messages: Any, **wishes: Any) -> Any:
        if SUMMARY in str(messages):
            raise PromptError("Cut off here.")
        return await ask(bench, role, messages, **wishes)

    try:
        monkeypatch.setattr(RunBench, "ask", cut_off)
        run_id = engine.submit(asks(machine, "when_needed"))
        assert at_rest(engine, run_id).status == "failed"
        monkeypatch.undo()
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        kinds = [event for event in engine.store.events(run_id) if isinstance(event, Summarised | ModelAnswered)]
    finally:
        engine.close()
    assert view.status == "answered"
    made = [one for one in backend.requests if is_summariser(one)]
    told = [event.call_id for event in kinds if isinstance(event, Summarised)]
    assert len(made) == len(told) == len(set(told)) == len(summaries(view))


@growing
def test_a_fork_at_every_step_asks_the_same(machine: str, settings: Settings) -> None:
    engine, _ = engine_of(settings, machine)
    try:
        asked = asks(machine, "when_needed")
        run_id = engine.submit(asked)
        whole = at_rest(engine, run_id)
        ends = [event.seq for event in engine.store.events(run_id) if isinstance(event, NodeFinished)][:-1]
        first = next(call.summarised.seq for call in whole.calls if call.summarised)
        for at in [*[at for at in ends if at < first][-1:], *[at for at in ends if at > first][:2]]:
            engine._backends["scripted"]._source = _recited(whole)
            view = at_rest(engine, engine.fork(run_id, at, asked))
            assert view.status == "answered" and len(summaries(view)) == len(summaries(whole))
            assert [call.called.messages for call in view.calls] == [call.called.messages for call in whole.calls]
    finally:
        engine.close()


def _recited(whole: RunView) -> Any:
    """A model that answers what it was asked before as it did then."""
    known = {str(call.called.messages): call.text for call in whole.calls}

    def again(asked: ChatRequest) -> ScriptedAnswer:
        said = tuple(message.model_dump(exclude_defaults=True) for message in asked.messages)
        return ScriptedAnswer(text=known[str(said)])

    return again


@growing
def test_an_overflowed_run_goes_on_in_a_fork_with_summaries_or_with_a_larger_window(
    machine: str, settings: Settings
) -> None:
    engine, _ = engine_of(settings, machine)
    try:
        run_id = engine.submit(asks(machine, "never"))
        assert at_rest(engine, run_id).status == "failed"
        at = [event.seq for event in engine.store.events(run_id) if isinstance(event, NodeFinished)][-1]
        shorter = at_rest(engine, engine.fork(run_id, at, asks(machine, "when_needed")))
        assert shorter.status == "answered" and summaries(shorter)
        larger = at_rest(engine, engine.fork(run_id, at, asks(machine, "never", 4_000)))
        assert larger.status == "answered" and not summaries(larger) and "context_filling" not in warnings(larger)
    finally:
        engine.close()


def test_a_fork_that_never_summarises_sends_the_original_turns_again(settings: Settings) -> None:
    engine, backend = engine_of(settings, "stepwise")
    try:
        run_id = engine.submit(asks("stepwise", "when_needed"))
        at_rest(engine, run_id)
        at = [event.seq for event in engine.store.events(run_id) if isinstance(event, NodeFinished)][-2]
        view = at_rest(engine, engine.fork(run_id, at, asks("stepwise", "never", 4_000)))
    finally:
        engine.close()
    assert view.status == "answered"
    assert "Turn1 " in str(backend.requests[-1].messages) and SUMMARY not in str(backend.requests[-1].messages)


def test_a_summary_that_makes_the_prompt_no_shorter_is_not_used_and_the_run_says_so(settings: Settings) -> None:
    engine, _ = engine_of(settings, "stepwise")
    try:
        run_id = engine.submit(asks("stepwise", "when_needed", pause_before=("think", "conclude")))
        while (view := at_rest(engine, run_id)).status == "paused":
            assert view.paused is not None
            own = Reply(verb="answer", text=" ".join(["and"] * 600))
            engine.resume(run_id, reply=own if view.paused.role == "summariser" else Reply(verb="approve"))
    finally:
        engine.close()
    assert view.status == "failed" and not summaries(view)
    assert view.finished is not None and view.finished.error is not None
    assert view.finished.error.code == "context_overflow" and "summary_failed" in warnings(view)


def test_a_summariser_that_says_nothing_is_told_of_and_the_run_goes_on_without(settings: Settings) -> None:
    view, _ = ended(settings, asks("stepwise", "when_needed"), summary=ScriptedAnswer(error="content_refused"))
    assert view.status == "failed" and view.finished is not None and view.finished.error is not None
    assert view.finished.error.code == "context_overflow" and "summary_failed" in warnings(view)


def test_a_window_that_holds_no_more_than_the_rules_overflows_as_without(settings: Settings) -> None:
    view, backend = ended(settings, asks("react", "when_needed", 512))
    assert view.status == "failed" and view.finished is not None and view.finished.error is not None
    assert view.finished.error.code == "context_overflow"
    assert not any(map(is_summariser, backend.requests))


def test_the_person_can_write_the_summary_in_the_models_place(settings: Settings) -> None:
    engine, backend = engine_of(settings, "stepwise")
    try:
        run_id = engine.submit(asks("stepwise", "when_needed", pause_before=("think", "conclude")))
        while (view := at_rest(engine, run_id)).status == "paused":
            assert view.paused is not None
            own = Reply(verb="answer", text="My own notes.")
            engine.resume(run_id, reply=own if view.paused.role == "summariser" else Reply(verb="approve"))
        assert view.status == "answered", view.finished
    finally:
        engine.close()
    assert {one.text for one in summaries(view)} == {"My own notes."}
    assert "My own notes." in str(backend.requests[-1].messages)
    assert not any(map(is_summariser, backend.requests))


LONG_THOUGHT = " ".join(f"hm{place}" for place in range(170))


def test_a_model_that_thinks_unasked_is_asked_for_a_summary_without_thinking(settings: Settings) -> None:
    view, backend = ended(settings, asks("stepwise", "when_needed"), thinking=LONG_THOUGHT)
    assert view.status == "answered" and summaries(view) and "summary_failed" not in warnings(view)
    assert {one.think for one in backend.requests if is_summariser(one)} == {False}
    assert {one.think for one in backend.requests if not is_summariser(one)} == {None}


class Unstoppable(ScriptedBackend):
    """A backend that has no switch for thinking, and whose model thinks before every answer."""

    async def model(self, name: str) -> ModelInfo:
        return (await super().model(name)).model_copy(update={"capabilities": frozenset({"schema", "seed"})})


@pytest.mark.parametrize("is_known", [True, False])
def test_a_model_whose_thinking_cannot_be_switched_off_has_room_for_it_in_its_summary(
    is_known: bool, settings: Settings
) -> None:
    thinker = Thinker("stepwise", thinking=LONG_THOUGHT)

    def source(asked: ChatRequest) -> ScriptedAnswer:
        answer = thinker(asked)
        return answer if is_summariser(asked) else answer.model_copy(update={"thinking": "Well." if is_known else ""})

    backend = Unstoppable(source)
    asked = asks("stepwise", "when_needed", 900)
    roomy = asked.model_copy(update={"settings": asked.settings.model_copy(update={"max_tokens": 400})})
    engine = Engine(settings, {"scripted": backend})
    try:
        view = at_rest(engine, engine.submit(roomy))
    finally:
        engine.close()
    assert view.status == "answered", view.finished
    assert {one.text for one in summaries(view)} == {SUMMARY} and warnings(view).count("summary_failed") == (
        0 if is_known else 1
    )
    assert {one.think for one in backend.requests} == {None}


@pytest.mark.parametrize("machine", [name for name in STEPS if name != "act"])  # it is full before the second fails
def test_after_two_summaries_that_failed_no_more_are_paid_for_and_the_full_window_is_told(
    machine: str, settings: Settings
) -> None:
    view, backend = ended(settings, asks(machine, "when_needed"), summary=ScriptedAnswer(error="content_refused"))
    assert view.status == "failed" and not summaries(view)
    told = warnings(view)
    assert told.count("summary_failed") == len([one for one in backend.requests if is_summariser(one)]) == 2
    assert told.count("context_filling") == 1


@growing
@pytest.mark.parametrize("claims", [None, 131_072])
@pytest.mark.parametrize("tells", [True, False])
def test_a_window_that_nobody_knew_is_learnt_when_a_prompt_does_not_fit(
    machine: str, tells: bool, claims: int | None, settings: Settings
) -> None:
    asked = asks(machine, "when_needed")
    holds = {"react": 2_800, "act": 2_800}.get(machine, 1_700)
    asked = asked.model_copy(update={"settings": asked.settings.model_copy(update={"context_window": None})})
    backend = SmallServer(Thinker(machine), holds, claims, holds if tells else 0)
    engine = Engine(settings, {"scripted": backend})
    try:
        view = at_rest(engine, engine.submit(asked))
    finally:
        engine.close()
    assert view.status == "answered", view.finished
    assert summaries(view) and warnings(view).count("window_smaller") == 1


def test_where_nothing_was_to_be_summed_up_an_unknown_window_ends_the_run_as_before(settings: Settings) -> None:
    asked = asks("stepwise", "when_needed")
    asked = asked.model_copy(update={"settings": asked.settings.model_copy(update={"context_window": None})})
    backend = SmallServer(Thinker("stepwise"), 20, None, 0)
    engine = Engine(settings, {"scripted": backend})
    try:
        view = at_rest(engine, engine.submit(asked))
    finally:
        engine.close()
    assert view.finished is not None and view.finished.error is not None
    assert view.finished.error.code == "context_overflow" and not backend.requests
