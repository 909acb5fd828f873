"""Each machine on a real model, the small one that anyone can run: what is tested is the working, not the wit."""

from collections.abc import Iterator, Sequence

import pytest

from agents import catalogue
from tests.runs import finish
from workbench.engine import Engine
from workbench.events import CallView, Reading, ToolView
from workbench.request import ModelSettings, RunRequest
from workbench.settings import SMALL_MODEL, Settings
from workbench.store.documents import Documents

TASKS = {
    "direct": ("What is the capital of France?", {}),
    "cot": ("What is 12 + 21?", {}),
    "least_to_most": ("Tom has 3 apples and Ann has twice as many. How many have they?", {"parts": 2}),
    "pal": ("What is 48 * 12?", {}),
    "self_consistency": ("What is 12 + 21?", {"samples": 3, "parallel": 2}),
    "debate": ("What is 12 + 21?", {"answerers": 2, "rounds": 1}),
    "stepwise": ("Which is larger, 12 or 21?", {"max_steps": 4}),
    "reflection": ("Write two sentences about rain.", {"rounds": 1}),
    "self_refine": ("What is 12 + 21?", {"rounds": 1}),
    "validate": ("Write a sentence about Paris.", {"sentences": 1, "concepts": 3}),
    "reflexion": ("What is 12 + 21?", {"trials": 2, "evaluator": "answer", "expected": "34", "actor": "cot"}),
    "critic": ("What is 48 * 12?", {"rounds": 1, "checks": 1, "tools": ["calculator"]}),
    "act": ("What is 48 * 12?", {"tools": ["calculator"]}),
    "memory_stream": ("I am Ada and my dog is called Bo. What could I cook?", {"questions": 1, "plan": False}),
    "react": ("What is 48 * 12?", {"tools": ["calculator"]}),
    "react_cot_sc": ("What is 48 * 12?", {"tools": ["calculator"], "samples": 2, "parallel": 2, "max_steps": 2}),
    "role_play": (
        "Write two sentences about rain.",
        {"turns": 1, "least": 1, "specify": False, "closing": "last_solution"},
    ),
    "self_rag": ("Who wrote The Little Prince?", {"retrieval": "always"}),
    "plan_execute": ("What is 48 * 12?", {"tools": ["calculator"], "max_tasks": 1, "max_steps": 2, "replan": "never"}),
    "task_queue": ("Write two sentences about rain.", {"max_tasks": 1, "queue_size": 1}),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory, small_model) -> Iterator[Engine]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, models_folder=small_model.parent, embedded_context=4096, embedded_model=SMALL_MODEL)
    engine = Engine(settings)
    yield engine
    engine.close()


def ask(machine: str, question: str, **options) -> RunRequest:
    return RunRequest(
        machine=machine,
        question=question,
        backend="embedded",
        model=SMALL_MODEL,
        options=options,
        settings=ModelSettings(seed=3, max_tokens=400),
    )


def _goes_on(call: CallView, before: Sequence[CallView]) -> bool:
    """Whether a call's prompt begins as one before it did, as far as its first two messages."""
    return any(call.called.messages[:2] == other.called.messages[:2] for other in before)


def test_every_machine_has_a_task():
    assert set(TASKS) == set(catalogue.MACHINES)


@pytest.mark.parametrize("machine", TASKS)
def test_a_machine_thinks_to_its_end_on_a_real_model(engine, machine):
    question, options = TASKS[machine]
    events, view = finish(engine, engine.submit(ask(machine, question, **options)))
    assert view.status in ("answered", "limit"), view.finished
    assert view.status == "limit" or view.finished.answer
    assert any(isinstance(event, Reading) for event in events)
    for call in view.calls:
        assert call.answer.prompt_tokens > 0 and call.answer.completion_tokens > 0
        assert call.answer.decode_seconds > 0 and call.answer.first_token_seconds > 0
        assert call.answer.mean_logprob <= 0
        assert call.called.context_window == 4096
    again = [call for number, call in enumerate(view.calls) if _goes_on(call, view.calls[:number])]
    assert not again or any((call.answer.cached_tokens or 0) > 0 for call in again)
    assert sum(1 for event in events if event.kind == "delta") > 5


def test_react_answers_from_a_document(engine):
    Documents(engine.settings.home / "documents.db").add("pump.txt", "The Heron pump has a warranty of 41 months.")
    question = "According to the documents, how many months of warranty has the Heron pump?"
    _, view = finish(engine, engine.submit(ask("react", question, tools=["search"])))
    tools = [entry for entry in view.entries if isinstance(entry, ToolView)]
    assert any("41 months" in tool.answered.result and "pump.txt:1" in tool.answered.result for tool in tools)


def test_stop_frees_the_model(engine):
    run_id = engine.submit(ask("reflection", "Write a very long story about a lighthouse."))
    for batch in engine.follow(run_id):
        if any(event.kind == "delta" for event in batch):
            break
    engine.stop(run_id)
    _, view = finish(engine, run_id)
    assert view.status == "stopped" and view.calls[0].text
    _, after = finish(engine, engine.submit(ask("react", "What is 2 + 2?", tools=["calculator"])))
    assert after.calls[0].queued == 0
    assert after.status in ("answered", "limit")
