"""The prompt library behind runs: the default versions, and runs that keep the words that they began with."""

import time

import pytest

from tests.runs import at_rest, finish, request, scripted_engine, step, verdict
from workbench import examples, prompts
from workbench.engine import Engine
from workbench.errors import PromptError
from workbench.events import NodeFinished
from workbench.history import INTRODUCTION
from workbench.job import first_request
from workbench.prompts import Prompt
from workbench.request import Example, Reply, Turn
from workbench.settings import Settings

ANSWERS = ["A draft.", verdict("accept", 9)]
SHOWN = Example(turns=(Turn(role="user", content="A task."), Turn(role="assistant", content="A text.")))


def save_default(
    engine: Engine, template: str = "Write tersely.", role: str = "essay_generator", *shown: Example
) -> str:
    saved = engine.prompts.save("reflection", role, template, shown)
    return engine.prompts.make_default("reflection", role, saved.number).digest


def told(engine: Engine, run_id: str) -> list[str]:
    """The system messages of a run, call by call."""
    return [call.called.messages[0]["content"] for call in at_rest(engine, run_id).calls]


def test_a_run_has_the_default_versions_and_their_text_is_on_its_log(settings: Settings):
    with scripted_engine(settings, ANSWERS) as engine:
        digest = save_default(engine)
        events, view = finish(engine, engine.submit(request("reflection")))
        assert view.started and view.started.prompts["essay_generator"] == digest
        assert first_request(events).prompts == {"essay_generator": "Write tersely."}
        assert view.calls[0].called.messages[0]["content"] == "Write tersely."


def test_a_request_that_names_the_built_in_words_keeps_them(settings: Settings):
    with scripted_engine(settings, ANSWERS) as engine:
        save_default(engine)
        built_in = prompts.built_in("reflection", "essay_generator")
        asked = request("reflection").model_copy(update={"prompts": {"essay_generator": built_in.template}})
        view = at_rest(engine, engine.submit(asked))
        assert view.started and view.started.prompts["essay_generator"] == built_in.digest


@pytest.mark.parametrize("before", [True, False], ids=["from a version", "from the built-in"])
def test_what_comes_from_a_run_keeps_its_words_when_the_default_changes(settings: Settings, before: bool):
    with scripted_engine(settings, ANSWERS * 4) as engine:
        words = "Write tersely." if before else prompts.built_in("reflection", "essay_generator").fill({})
        if before:
            save_default(engine)
        parent = engine.submit(request("reflection"))
        at_rest(engine, parent)
        save_default(engine, "Write at length.")
        events = engine.store.events(parent)
        begun, ended = events[0].seq, next(one.seq for one in events if isinstance(one, NodeFinished))
        asked = first_request(events)
        forks = [engine.fork(parent, at, asked) for at in (begun, ended)]
        again = engine.reproduce(parent)
        follow = engine.follow_up(parent, asked.model_copy(update={"question": "And now?"}))
        for run_id in (*forks, again, follow):
            assert told(engine, run_id)[0].startswith(words)
        assert told(engine, engine.submit(request("reflection")))[0] == "Write at length."


def test_a_run_that_waits_goes_on_with_the_words_that_it_began_with(settings: Settings):
    with scripted_engine(settings, ANSWERS) as engine:
        save_default(engine, "Judge tersely.", "essay_critic")
        run_id = engine.submit(request("reflection").model_copy(update={"pause_before": ("critique",)}))
        assert at_rest(engine, run_id).paused
        save_default(engine, "Judge at length.", "essay_critic")
        engine.resume(run_id, reply=Reply(verb="approve"))
        view = at_rest(engine, run_id)
        assert view.calls[-1].called.messages[0]["content"] == "Judge tersely."
        assert not any(event.kind == "warning" for event in engine.store.events(run_id))


def test_a_default_that_cannot_be_filled_any_more_is_said_before_anything_runs(settings: Settings):
    """As after an update of the app that gave the role other variables."""
    with scripted_engine(settings, ANSWERS) as engine:
        save_default(engine, "Write.")
        with engine.store.database.write() as connection:
            connection.exec_driver_sql("UPDATE prompts SET template = 'Write.' || char(10) || '$poet'")
        with pytest.raises(PromptError, match="line 2: \\$poet is not a variable") as refused:
            engine.submit(request("reflection"))
        assert "essay_generator of reflection, version 1, the default" in refused.value.message
        assert "prompts default reflection essay_generator built-in" in refused.value.hint
        assert engine.store.count() == 0
        asked = request("reflection").model_copy(update={"prompts": {"essay_generator": "Write tersely."}})
        assert engine.resolved(asked).prompts == {"essay_generator": "Write tersely."}


@pytest.mark.parametrize(
    ("machine", "role", "options", "answers", "call"),
    [
        ("stepwise", "system", {"min_steps": 1}, [step("Look", "It is 4.", "final_answer"), "4"], 0),
        ("reflection", "essay_generator", {}, ANSWERS, 0),
        ("reflection", "essay_critic", {}, ANSWERS, 1),
        ("reflection", "code_generator", {"roles": "code"}, ANSWERS, 0),
        ("reflection", "code_critic", {"roles": "code"}, ANSWERS, 1),
        ("react", "text", {"dialect": "text"}, ["Thought: I know.\nFinal Answer: 4"], 0),
        ("direct", "system", {}, ["4"], 0),
        ("cot", "system", {}, ["Two and two.\nAnswer: 4"], 0),
    ],
)
def test_worked_examples_stand_between_the_rules_and_the_question(
    settings: Settings, machine: str, role: str, options: dict[str, object], answers: list[str], call: int
):
    assert prompts.shows_examples(machine, role)
    with scripted_engine(settings, answers) as engine:
        asked = request(machine, **options).model_copy(update={"examples": {role: (SHOWN,)}})
        sent = at_rest(engine, engine.submit(asked)).calls[call].called.messages
        assert [one["content"] for one in sent[1:3]] == ["A task.", "A text."]
        assert "What is 2 + 2?" in sent[3]["content"]


# --- an example from a run ---


def test_an_example_is_the_conversation_of_the_call_that_gave_the_answer(settings: Settings):
    answers = ["A draft.", verdict("revise", 5, "too short"), "A longer draft.", verdict("accept", 9)]
    with scripted_engine(settings, answers) as engine:
        save_default(engine, "Write tersely.", "essay_generator", SHOWN)
        events, _ = finish(engine, engine.submit(request("reflection")))
        found = examples.from_run(events)
        assert list(found) == ["essay_generator", "essay_critic"]
        turns = [(turn.role, turn.content) for turn in found["essay_generator"].turns]
        assert turns[:2] == [("user", "What is 2 + 2?"), ("assistant", "A draft.")]
        assert "too short" in turns[2][1] and turns[3:] == [("assistant", "A longer draft.")]
        saved = engine.prompts.save("reflection", "essay_generator", "Write.", [SHOWN, found["essay_generator"]])
        assert len(saved.examples) == 2


def test_an_example_leaves_out_the_wrong_answers_and_the_thread_before_it(settings: Settings):
    answers = [*ANSWERS, "A poem.", "no JSON", verdict("accept", 8)]
    with scripted_engine(settings, answers) as engine:
        first = engine.submit(request("reflection"))
        at_rest(engine, first)
        events, view = finish(engine, engine.follow_up(first, request("reflection", "And a poem?")))
        assert len(view.calls) == 3
        critic = examples.from_run(events)["essay_critic"]
        assert [turn.content for turn in critic.turns] == ["And a poem?", "A poem.", verdict("accept", 8)]


def test_an_example_needs_the_tools_that_its_run_used_and_no_example_of_its_own(settings: Settings):
    answers = ["Thought: Multiply.\nAction: calculator\nAction Input: 2 * 3", "Thought: Done.\nFinal Answer: 6"]
    with scripted_engine(settings, answers) as engine:
        events, _ = finish(engine, engine.submit(request("react", dialect="text")))
        (found,) = examples.from_run(events).values()
        assert found.needs == ("calculator",) and len(found.turns) == 4
        assert found.turns[0].content == "New question: What is 2 + 2?"
        assert found.turns[2].content == "Observation: 6"


def test_a_run_whose_role_is_shown_no_examples_offers_none(settings: Settings):
    with scripted_engine(settings, ["The answer is 4."]) as engine:
        events, view = finish(engine, engine.submit(request("react", dialect="native")))
        assert view.status == "answered" and examples.from_run(events) == {}


@pytest.mark.parametrize(
    ("template", "said", "fits"),
    [
        ("Be brief.", "Be brief.", True),
        ("Be brief.", "Be brief. Now.", False),
        ("Be brief.\n", f"Be brief.\n\n{INTRODUCTION} and so on", True),
        ("Use $tools for $$5 ($more).", "Use a, b for $5 (no (more).).", True),
        ("Use $tools for $$5 ($more).", "Use a, b for $5", False),
        ("Use $tools for $$5 ($more).", f"Use a for $5 (b).\n\n{INTRODUCTION}", True),
        ("$tools", "anything", True),
        ("ab${tools}b", "ab", False),
    ],
)
def test_the_role_of_a_call_is_read_off_its_system_message(template: str, said: str, fits: bool):
    roles = {"json": Prompt(template=template), "other": Prompt(template="Never $this")}
    assert examples.role_of([{"role": "system", "content": said}], roles) == ("json" if fits else "")


def test_a_template_of_many_variables_is_recognised_at_once():
    """A long prompt that is none of the role's must not hold up the whole process."""
    prompt = Prompt(template="$tools " * 200 + "end")
    began = time.perf_counter()
    assert examples.role_of([{"role": "system", "content": "a " * 100_000}], {"json": prompt}) == ""
    assert time.perf_counter() - began < 1
