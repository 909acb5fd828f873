"""The memory stream: what is stored and what comes to mind, across runs, after cuts and in forks."""

import json
import time

import pytest
from pydantic import ValidationError

from agents.memory_stream import Options
from tests.runs import at_rest, request, scripted_engine
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.bench import RunBench
from workbench.engine import Engine
from workbench.errors import PromptError
from workbench.events import NodeFinished
from workbench.store.memories import New

DAY = 24 * 3600
ANSWER = "A flat on the ground floor."


def noted(*observations):
    return json.dumps({"observations": [{"observation": text, "importance": n} for text, n in observations]})


def asked(*questions):
    return json.dumps({"questions": list(questions)})


def concluded(*found):
    named = [{"because_of": list(of), "insight": text, "importance": 8} for text, *of in found]
    return json.dumps({"insights": named})


def planned(*steps):
    return json.dumps({"steps": list(steps), "importance": 2})


def learnt(text, importance=3):
    return json.dumps({"observation": text, "importance": importance})


NEW = [noted(("Ada has a dog.", 5)), planned("Say it"), ANSWER, learnt("Ada asked for a flat.")]


def ask(engine, question="I am Ada. Which flat?", **options):
    return at_rest(engine, engine.submit(request("memory_stream", question, **options)))


def cards(view):
    return [getattr(entry, "card", None) or entry.event for entry in view.entries]


def card(view, title):
    return next(one for one in cards(view) if one.kind == "card" and one.title == title)


def kept(engine, stream="default"):
    return [(one.kind, one.text, one.importance) for one in engine.memories.of(stream)]


def earlier(engine, *texts, importance=5, ago=DAY, stream="default"):
    """Memories that are so many seconds old."""
    clock, engine.memories.clock = engine.memories.clock, lambda: time.time() - ago
    made = engine.memories.add(stream, [New(text, importance) for text in texts])
    engine.memories.clock = clock
    return made


def test_it_observes_plans_answers_and_remembers_all_of_it(settings):
    with scripted_engine(settings, NEW) as engine:
        view = ask(engine)
        assert kept(engine) == [
            ("observation", "Ada has a dog.", 5.0),
            ("plan", "Planned: Say it", 2.0),
            ("observation", "Ada asked for a flat.", 3.0),
        ]
    assert view.status == "answered" and view.finished.answer == ANSWER and view.finished.feedback == "none"
    assert [one.title for one in cards(view)] == ["Observed", "Memories", "Plan", "Answer", "Learnt"]
    assert card(view, "Observed").content == "- **5** · Ada has a dog."
    assert [(d.edge, d.reason) for d in view.decisions] == [
        ("retrieve", "importance 5 of 20"),
        ("plan", "planning is on"),
    ]


def test_the_next_run_has_in_mind_what_the_first_one_stored(settings):
    with scripted_engine(settings, [*NEW, noted(), "Near a park, for your dog.", learnt("Ada asked for a park.")]) as e:
        ask(e)
        view = ask(e, "Which dog park?", plan=False)
    found = card(view, "Memories")
    assert found.data["recalled_of"] == 3 and found.data["compared_by"].startswith("embeddings of ")
    assert {one["memory"]["text"] for one in found.data["recalled"]} >= {"Ada has a dog.", "Ada asked for a flat."}
    assert "Ada has a dog." in view.calls[1].called.messages[-1]["content"]
    assert [(d.edge, d.reason) for d in view.decisions][-1] == ("answer", "planning is off")


def test_each_memory_is_shown_with_its_three_figures_and_their_sum(settings):
    with scripted_engine(settings, [noted(), ANSWER, learnt("Done.")]) as engine:
        earlier(engine, "Ada has a dog.", importance=9, ago=7 * DAY)
        earlier(engine, "Ada ate toast.", importance=1, ago=DAY)
        view = ask(engine, "What is my dog called?", plan=False)
    assert card(view, "Memories").content.splitlines() == [
        "- **2.00** · Ada has a dog. *(recency 0.00, importance 1.00, relevance 1.00)*",
        "- **1.00** · Ada ate toast. *(recency 1.00, importance 0.00, relevance 0.00)*",
    ]


def test_what_was_in_mind_counts_as_recent_again(settings):
    with scripted_engine(settings, [noted(), ANSWER, learnt("Done.")]) as engine:
        dog, _ = *earlier(engine, "Ada has a dog.", ago=9 * DAY), *earlier(engine, "Ada ate toast.", ago=DAY)
        ask(engine, "What is my dog called?", plan=False, top=1, recency=0)
        now = {one.text: time.time() - one.retrieved_at for one in engine.memories.of("default")}
    assert now["Ada has a dog."] < 60 and now["Ada ate toast."] > DAY - 60 and dog.stored_at < time.time() - 8 * DAY


def test_without_embeddings_words_are_compared_and_the_run_says_so(settings):
    backend = ScriptedBackend([noted(), ANSWER, learnt("Done.")], embeds=False)
    engine = Engine(settings, {"scripted": backend})
    try:
        earlier(engine, "Ada has a dog.", "Ada ate toast.")
        view = ask(engine, "What is my dog called?", plan=False)
    finally:
        engine.close()
    found = card(view, "Memories").data
    assert found["compared_by"] == "words"
    assert [(one["memory"]["text"], one["relevance"]) for one in found["recalled"]] == [
        ("Ada has a dog.", 1.0),
        ("Ada ate toast.", 0.0),
    ]
    assert [event.code for event in cards(view) if event.kind == "warning"] == ["no_embeddings"]


def test_vectors_are_kept_with_their_model_and_made_anew_for_another(settings):
    with scripted_engine(settings, [noted(), ANSWER, learnt("Done.")]) as engine:
        (dog,) = earlier(engine, "Ada has a dog.")
        (toast,) = earlier(engine, "Ada ate toast.")
        engine.memories.embedded("another model", [(one, [1.0, 0.0, 0.0]) for one in (dog, toast)])
        view = ask(engine, "What is my dog called?", plan=False)
        by = {one.model for one in engine.memories.of("default") if one.text != "Done."}
    assert card(view, "Memories").data["compared_by"] == f"embeddings of {by.pop()}" and not by
    assert [one["relevance"] for one in card(view, "Memories").data["recalled"]] == [1.0, 0.0]


@pytest.mark.parametrize("name", ["{}", "scripted:{}"])
def test_vectors_of_another_backends_model_of_that_name_and_of_another_size_are_made_anew(settings, name):
    with scripted_engine(settings, [noted(), ANSWER, learnt("Done.")]) as engine:
        dog, toast = earlier(engine, "Ada has a dog.", "Ada ate toast.")
        model = name.format(engine.on_loop(engine.backend("scripted").embedding_model()))
        engine.memories.embedded(model, [(one, [1.0, 0.0]) for one in (dog, toast)])
        view = ask(engine, "What is my dog called?", plan=False)
        assert {len(one.vector) for one in engine.memories.of("default") if one.vector} != {2}
    found = card(view, "Memories").data
    assert view.status == "answered" and found["compared_by"].startswith("embeddings of scripted:")
    assert [one["relevance"] for one in card(view, "Memories").data["recalled"]] == [1.0, 0.0]


def test_a_long_stream_is_embedded_in_portions_each_kept_at_once(settings, monkeypatch):
    sizes, embed = [], RunBench.embed

    async def counted(bench, texts):
        sizes.append(len(texts))
        return None if len(sizes) == 3 else await embed(bench, texts)

    monkeypatch.setattr(RunBench, "embed", counted)
    with scripted_engine(settings, [noted(), ANSWER, learnt("Done.")]) as engine:
        earlier(engine, *(f"Ada has dog {number}." for number in range(100)), importance=1)
        view = ask(engine, plan=False, reflect_at=100 + 1)
        assert sum(bool(one.vector) for one in engine.memories.of("default")) == 64
    assert sizes == [1, 64, 36] and card(view, "Memories").data["compared_by"] == "words"


REFLECTING = [
    noted(("Ada has a dog.", 6), ("The dog is old.", 8)),
    asked("What does the dog need?", "Is Ada alone?"),
    concluded(("Ada needs a home without stairs.", 1, 2), ("Ada is rich.", 9)),
    concluded(),
    ANSWER,
    learnt("Ada asked for a flat."),
]


def test_it_reflects_when_the_importance_adds_up_and_its_insights_name_their_memories(settings):
    with scripted_engine(settings, REFLECTING) as engine:
        view = ask(engine, plan=False, reflect_at=14)
        by_text = {one.text: one for one in engine.memories.of("default")}
    assert next((d.edge, d.reason) for d in view.decisions) == ("reflect", "importance 14 of 14")
    insight = by_text["Ada needs a home without stairs."]
    assert insight.kind == "reflection" and set(insight.sources) == {
        by_text["Ada has a dog."].id,
        by_text["The dog is old."].id,
    }
    assert "Ada is rich." not in by_text
    assert card(view, "Insights: What does the dog need?").content.splitlines()[1] == (
        "- Left out, since it names none of the memories: Ada is rich."
    )
    assert card(view, "Insights: Is Ada alone?").content == "None."
    assert "Ada needs a home without stairs." in view.calls[4].called.messages[-1]["content"]


def test_below_the_threshold_it_does_not_reflect(settings):
    with scripted_engine(settings, [REFLECTING[0], *REFLECTING[4:]]) as engine:
        view = ask(engine, plan=False, reflect_at=15)
    assert next((d.edge, d.reason) for d in view.decisions) == ("retrieve", "importance 14 of 15")


def test_the_sum_begins_again_after_a_reflection(settings):
    again = [noted(("Ada moves.", 9)), ANSWER, learnt("Done.")]
    with scripted_engine(settings, [*REFLECTING, *again]) as engine:
        ask(engine, plan=False, reflect_at=14)
        view = ask(engine, plan=False, reflect_at=14)
    assert view.decisions[0].reason == "importance 12 of 14"  # 3 of what was learnt, 9 of what is new


@pytest.mark.parametrize("insight", [concluded(), concluded(("Ada is old.", 1))])
def test_the_sum_begins_again_though_nothing_new_followed_and_that_mark_never_comes_to_mind(settings, insight):
    answers = [noted(("Ada has a dog.", 9)), asked("Why?"), insight, ANSWER, learnt("Done.", 1)]
    again = [noted(), ANSWER, learnt("Done.", 1)]
    with scripted_engine(settings, [*answers, *again]) as engine:
        earlier(engine, "Ada is old.")
        ask(engine, plan=False, reflect_at=9, questions=1)
        view = ask(engine, plan=False, reflect_at=9)
    assert view.decisions[0].reason == "importance 1 of 9"
    assert "Reflected on all" not in str([call.called.messages for call in view.calls])


def test_it_asks_itself_only_so_many_questions(settings):
    answers = [*REFLECTING[:3], *REFLECTING[4:]]
    with scripted_engine(settings, answers) as engine:
        view = ask(engine, plan=False, reflect_at=14, questions=1)
    assert card(view, "Questions").content == "1. What does the dog need?" and view.status == "answered"


def test_what_it_knows_word_for_word_is_not_stored_twice(settings):
    with scripted_engine(settings, [*NEW, *NEW]) as engine:
        ask(engine)
        before = kept(engine)
        view = ask(engine)
        assert kept(engine) == before
    assert card(view, "Observed").content == "- **5** · Ada has a dog. *(known already)*"


def test_streams_do_not_see_each_other(settings):
    with scripted_engine(settings, [*NEW, *NEW]) as engine:
        ask(engine, stream="work")
        view = ask(engine, stream="home")
        assert [row.name for row in engine.memories.streams()] == ["home", "work"]
    assert card(view, "Memories").data["recalled_of"] == 1


@pytest.mark.parametrize(("stream", "belongs"), [("", ""), ("default", "experiment:e1"), ("default", "comparison:c1")])
def test_a_run_without_a_stream_and_one_of_an_experiment_has_its_memories_to_itself(settings, stream, belongs):
    with scripted_engine(settings, REFLECTING) as engine:
        earlier(engine, "Ada has a boat.")
        asked = request("memory_stream", "Which flat?", stream=stream, plan=False, reflect_at=14)
        view = at_rest(engine, engine.submit(asked, belongs=belongs))
        assert view.status == "answered" and kept(engine) == [("observation", "Ada has a boat.", 5.0)]
    assert "boat" not in str([call.called.messages for call in view.calls])
    assert card(view, "Observed").data["stream"] == "this run's alone"
    reflected = card(view, "Reflections").data["remembered"][0]
    assert len(reflected["sources"]) == 2 and "without stairs" in view.calls[4].called.messages[-1]["content"]


def cut_off_at(monkeypatch, title, after):
    """The next card of that title breaks its node, before or after it is told."""
    told = RunBench.card

    def cut_off(bench, name, *rest, **more):
        if name != title:
            return told(bench, name, *rest, **more)
        if after:
            told(bench, name, *rest, **more)
        raise PromptError("Cut off here.")

    monkeypatch.setattr(RunBench, "card", cut_off)


@pytest.mark.parametrize("stream", ["default", ""])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("title", ["Observed", "Recalled: Is Ada alone?", "Reflections", "Memories", "Plan", "Learnt"])
def test_a_node_that_was_cut_off_stores_and_asks_nothing_twice(settings, monkeypatch, title, after, stream):
    answers = [*REFLECTING[:4], planned("Say it"), *REFLECTING[4:]]
    with scripted_engine(settings, answers) as engine:
        cut_off_at(monkeypatch, title, after)
        run_id = engine.submit(request("memory_stream", reflect_at=14, stream=stream))
        assert at_rest(engine, run_id).status == "failed"
        monkeypatch.undo()
        engine.resume(run_id)
        view = at_rest(engine, run_id)
        texts = [one.text for one in engine.memories.of("default")]
    assert view.status == "answered" and view.totals.calls == len(answers)
    assert len(texts) == len(set(texts)) == (5 if stream else 0)
    titles = [one.title for one in cards(view) if one.kind == "card"]
    assert len(titles) == len(set(titles)) == 11


def test_a_fork_sees_what_its_parent_saw_and_stores_its_own(settings):
    """Another run and the parent's later steps have stored more meanwhile: the fork is asked the same without them."""
    other = [noted(("Ada has a boat.", 9)), ANSWER, learnt("Ada asked for a pier.")]
    mine = [planned("Say it"), ANSWER, learnt("Ada asked for a flat.")]
    with scripted_engine(settings, [*NEW, *other, *mine]) as engine:
        asked = request("memory_stream", "I am Ada. Which flat?")
        parent = engine.submit(asked)
        whole = at_rest(engine, parent)
        ask(engine, "Which pier?", plan=False)
        ends = [event.seq for event in engine.store.events(parent) if isinstance(event, NodeFinished)]
        before = kept(engine)
        view = at_rest(engine, engine.fork(parent, ends[0], asked))
        assert kept(engine) == before
    assert [call.called.messages for call in view.calls] == [call.called.messages for call in whole.calls]


def test_a_fork_of_a_run_with_memories_of_its_own_takes_those_over(settings):
    with scripted_engine(settings, [*REFLECTING, *REFLECTING[4:]]) as engine:
        asked = request("memory_stream", plan=False, reflect_at=14, stream="")
        parent = engine.submit(asked)
        at_rest(engine, parent)
        ends = [event for event in engine.store.events(parent) if isinstance(event, NodeFinished)]
        reflected = next(event.seq for event in ends if event.node == "reflect")
        view = at_rest(engine, engine.fork(parent, reflected, asked))
    assert card(view, "Memories").data["recalled_of"] == 3
    assert "without stairs" in view.calls[-2].called.messages[-1]["content"]


def test_two_runs_at_once_do_not_see_what_the_other_stores(settings):
    answers = {"observations": noted(("Ada has a dog.", 5)), "observation": learnt("One.")}

    def say(asked):
        schema = asked.json_schema or {"properties": {}}
        return ScriptedAnswer(
            text=next((text for name, text in answers.items() if name in schema["properties"]), ANSWER)
        )

    engine = Engine(settings, {"scripted": ScriptedBackend(say, speed=60)})
    try:
        ids = [engine.submit(request("memory_stream", plan=False)) for _ in range(2)]
        views = [at_rest(engine, run_id) for run_id in ids]
    finally:
        engine.close()
    assert [card(view, "Memories").data["recalled_of"] for view in views] == [1, 1]


def test_what_the_person_edits_or_deletes_holds_at_once(settings):
    with scripted_engine(settings, [noted(), ANSWER, learnt("Done.")]) as engine:
        dog, cat = earlier(engine, "Ada has a dog.", "Ada has a cat.")
        engine.memories.edit(dog.id, "Ada has a parrot.", 10)
        engine.memories.remove(cat.id)
        view = ask(engine, "What do I have?", plan=False)
    assert [one["memory"]["text"] for one in card(view, "Memories").data["recalled"]] == ["Ada has a parrot."]


def test_a_name_that_no_stream_can_have_fails_the_run_in_a_sentence(settings):
    with scripted_engine(settings, NEW) as engine:
        view = ask(engine, stream="a\x07b")
    assert view.status == "failed" and "printable" in view.finished.error.message


def test_the_options_are_bounded():
    assert Options().decay == 0.995 and Options().stream == "default" and Options().weights[:3] == (1, 1, 1)
    wrong = ({"top": 0}, {"top": 21}, {"recency": -1}, {"decay": 1.1}, {"reflect_at": 0}, {"questions": 6})
    for values in (*wrong, {"stream": "x" * 65}):
        with pytest.raises(ValidationError):
            Options(**values)
