"""Judged runs become training data in the published forms, and what does not is counted with the reason."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.carry.test_experiment_bundle import ITEMS, NOON, PLAN
from tests.logs import Log
from tests.store.samples import a_request
from workbench.backends.fetch import MODELS
from workbench.carry import arriving, leaving, training
from workbench.carry.licences import licence
from workbench.carry.training import Data, Selection
from workbench.errors import InvalidRequest
from workbench.events import ModelAnswered, ModelCalled, ToolCall
from workbench.experiments.model import Cell
from workbench.experiments.reading import Reading, digest_of
from workbench.request import RunRequest
from workbench.settings import DEFAULT_MODEL
from workbench.store.comparisons import ComparisonStore, Lane
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentStore
from workbench.store.runs import RunStore

TOOL = {"name": "clock", "description": "The time.", "parameters": {"type": "object", "properties": {}}}


def check_message(message: Mapping[str, Any]) -> None:
    """One message of OpenAI's chat form."""
    role = message["role"]
    assert role in ("system", "user", "assistant", "tool")
    allowed = {"assistant": {"content", "tool_calls", "weight"}, "tool": {"content", "tool_call_id"}}
    assert set(message) - {"role"} <= allowed.get(role, {"content"})
    if role != "assistant" or "tool_calls" not in message:
        assert isinstance(message["content"], str)
    assert message.get("weight", 0) in (0, 1)
    for call in message.get("tool_calls", ()):
        assert set(call) == {"id", "type", "function"} and call["type"] == "function" and call["id"]
        assert set(call["function"]) == {"name", "arguments"} and call["function"]["name"]
        assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert role != "tool" or message["tool_call_id"]


def check_tools(tools: list[Any]) -> None:
    for tool in tools:
        assert set(tool) == {"type", "function"} and tool["type"] == "function"
        assert set(tool["function"]) == {"name", "description", "parameters"}


def supervised_lines(data: Data) -> list[dict[str, Any]]:
    """The examples, held against the form of supervised fine-tuning."""
    examples = [json.loads(line) for line in data.text.splitlines()]
    for example in examples:
        assert set(example) <= {"messages", "tools", "parallel_tool_calls"} and example["messages"]
        for message in example["messages"]:
            check_message(message)
        last = example["messages"][-1]
        assert last["role"] == "assistant" and last.get("weight", 1) == 1
        assert last["content"] or last["tool_calls"]
        check_tools(example.get("tools", []))
    return examples


def preference_lines(data: Data) -> list[dict[str, Any]]:
    """The pairs, held against the form of preference fine-tuning: one message of the assistant on either side."""
    pairs = [json.loads(line) for line in data.text.splitlines()]
    for pair in pairs:
        assert set(pair) == {"input", "preferred_output", "non_preferred_output"}
        assert set(pair["input"]) <= {"messages", "tools", "parallel_tool_calls"}
        assert pair["input"]["messages"][-1]["role"] == "user"
        for side in ("preferred_output", "non_preferred_output"):
            (message,) = pair[side]
            assert message["role"] == "assistant" and message["content"]
        for message in (*pair["input"]["messages"], *pair["preferred_output"], *pair["non_preferred_output"]):
            check_message(message)
        assert pair["preferred_output"] != pair["non_preferred_output"]
    return pairs


def keep(
    store: RunStore, run_id: str, question: str = "Why?", answer: str = "42", verdict: str = "", **more: Any
) -> str:
    """A run of two calls and an answer; `log` is another log than that."""
    log = more.pop("log", None)
    asked = {"question": question} | more
    made = log or Log(run_id, created_at=NOON, request=asked)
    if log is None:
        made.visit("think", "Look.", edge="think").visit("judge", f"So {answer}.").finish(answer)
    request = RunRequest.model_validate(made.events[0].request)
    store.create(run_id, request, "Stepwise", NOON)
    store.append(made.events)
    if verdict:
        store.judge(run_id, verdict)  # type: ignore[arg-type]
    return run_id


def scored(store: RunStore, *scores: tuple[str, int, int, float], name: str = "Sums") -> None:
    """An experiment whose cells are (run, lane, item, score)."""
    digest = DatasetStore(store.database).add(Reading("sums", "sums", "table", ITEMS, digest_of(ITEMS)))
    cells = [
        Cell(lane=lane, item=item, seed=0, key=run_id, run_id=run_id, status="done", score=score)
        for run_id, lane, item, score in scores
    ]
    plan = PLAN.model_copy(update={"name": name})
    lane = {"request": a_request("?").model_dump(mode="json")}
    ExperimentStore(store.database).create(plan, [lane, lane], digest, cells)


def voted(store: RunStore, winner: int, *run_ids: str) -> None:
    """A comparison of these runs with a vote."""
    comparisons = ComparisonStore(store.database)
    lanes = [Lane.of(run_id, run_id, a_request(), {}) for run_id in run_ids]
    comparisons.create(f"of-{run_ids[0]}", "Why?", lanes)
    comparisons.vote(f"of-{run_ids[0]}", winner, answered=range(len(run_ids)))


def answers(examples: list[dict[str, Any]]) -> list[str]:
    return [example["messages"][-1]["content"] for example in examples]


# Supervised.


def test_a_good_run_becomes_its_question_and_its_answer(there: RunStore):
    keep(there, "good1", "What is 6 times 7?", verdict="good")
    keep(there, "bad1", verdict="bad")
    keep(there, "unsaid")
    data = training.supervised(there)
    (example,) = supervised_lines(data)
    asked = {"role": "user", "content": "What is 6 times 7?"}
    assert example == {"messages": [asked, {"role": "assistant", "content": "42"}]}
    assert data.left_out == {"runs that were called bad": 1} and data.runs == {"good1"}


def test_earlier_exchanges_of_a_thread_come_first_and_are_not_learnt(there: RunStore):
    keep(there, "good1", history=[{"question": "Who?", "answer": "Me."}], verdict="good")
    (example,) = supervised_lines(training.supervised(there))
    assert [message["role"] for message in example["messages"]] == ["user", "assistant", "user", "assistant"]
    assert example["messages"][1] == {"role": "assistant", "content": "Me.", "weight": 0}


def test_whole_takes_every_call_of_the_model_with_what_it_was_told(there: RunStore):
    keep(there, "good1", verdict="good")
    examples = supervised_lines(training.supervised(there, extent="whole"))
    assert [[message["role"] for message in one["messages"]] for one in examples] == [
        ["system", "user", "assistant"]
    ] * 2
    assert answers(examples) == ["Look.", "So 42."]


def test_tool_calls_and_tools_are_in_openais_form(there: RunStore):
    call = ToolCall(id="call_0", name="clock", arguments={"zone": "UTC"})
    sent = (
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "", "tool_calls": [call.model_dump()]},
        {"role": "tool", "content": "Noon.", "tool_call_id": "call_0", "name": "clock"},
    )
    log = Log("good1", created_at=NOON).begin("think")
    where = {"node": "think", "step": 1, "role": "thinker", "parameters": {"tools": [TOOL]}}
    log.add(ModelCalled, call_id="c1", messages=sent[:1], **where)
    log.add(ModelAnswered, call_id="c1", text="", tool_calls=(call,), finish_reason="tool_calls")
    log.add(ModelCalled, call_id="c2", messages=sent, **where).add(ModelAnswered, call_id="c2", text="At noon.")
    keep(there, "good1", log=log.finish("At noon."), verdict="good")
    first, second = supervised_lines(training.supervised(there, extent="whole"))
    (made,) = first["messages"][-1]["tool_calls"]
    assert (
        made["function"] == {"name": "clock", "arguments": '{"zone": "UTC"}'}
        and first["messages"][-1]["content"] is None
    )
    assert first["tools"] == [{"type": "function", "function": TOOL}]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert second["messages"][1]["weight"] == 0 and second["messages"][2]["tool_call_id"] == "call_0"


def test_calls_that_teach_nothing_are_left_out_and_counted(there: RunStore):
    log = Log("good1", created_at=NOON).begin("think").ask("think").answer("{", finish_reason="length").retry("Again.")
    log.ask("think", "2").answer("cut of", finish_reason="length").ask("think", "3").answer(
        "a a a", finish_reason="loop"
    )
    log.ask("think", "4").answer(" ").ask("think", "5").fail().ask("think", "6", messages=({"role": "wizard"},)).answer(
        "x"
    )
    keep(there, "good1", log=log.ask("think", "7").answer("Good.").finish("Good."), verdict="good")
    data = training.supervised(there, extent="whole")
    assert answers(supervised_lines(data)) == ["Good."]
    assert data.left_out == {
        "calls whose answer was refused and asked for again": 1,
        "calls whose answer was cut off": 2,
        "calls with an empty answer": 1,
        "calls without an answer": 1,
        "calls whose messages cannot be read": 1,
    }


def test_scores_votes_and_verdicts_each_make_a_run_accepted_once(there: RunStore):
    for run_id in ("run1", "run2", "run3", "run4"):
        keep(there, run_id, answer=f"of {run_id}")
    there.judge("run1", "good")
    scored(there, ("run1", 0, 0, 1.0), ("run2", 1, 0, 0.9), ("run3", 0, 1, 0.5))
    voted(there, 1, "run3", "run4")
    assert answers(supervised_lines(training.supervised(there))) == ["of run1", "of run4"]
    lower = training.supervised(there, Selection(min_score=0.9))
    assert answers(supervised_lines(lower)) == ["of run1", "of run4", "of run2"]
    only = training.supervised(there, Selection(sources=("vote",)))
    assert answers(supervised_lines(only)) == ["of run4"] and only.left_out == {"runs that lost a vote": 1}
    only = training.supervised(there, Selection(sources=("score",), experiment="Sums"))
    assert only.left_out == {"runs with a score below 1": 2}
    with pytest.raises(InvalidRequest, match="no experiment"):
        training.supervised(there, Selection(experiment="Products"))


def test_what_the_person_called_bad_is_never_accepted(there: RunStore):
    keep(there, "run1", verdict="bad")
    scored(there, ("run1", 0, 0, 1.0))
    data = training.supervised(there)
    assert data.lines == [] and data.left_out == {"runs that were called bad": 1}


def test_an_experiment_that_is_named_leaves_its_own_runs_alone_whoever_judged_them(there: RunStore):
    for run_id in ("run1", "run2", "run3", "run4"):
        keep(there, run_id, answer=f"of {run_id}")
    scored(there, ("run1", 0, 0, 1.0), ("run2", 1, 0, 0.0))
    scored(there, ("run2", 0, 0, 1.0), ("run3", 1, 0, 1.0), name="Others")
    there.judge("run3", "good")
    voted(there, 0, "run4", "run1")

    def said(**chosen: Any) -> list[str]:
        return answers(supervised_lines(training.supervised(there, Selection(experiment="Sums", **chosen))))

    assert said() == ["of run1"] and said(sources=("verdict",)) == [] == said(sources=("vote",))
    there.judge("run2", "good")
    assert said() == ["of run2", "of run1"] and said(sources=("verdict",)) == ["of run2"]


def test_what_was_judged_elsewhere_is_taken_only_when_it_is_asked_for(here: RunStore, there: RunStore):
    keep(here, "run1", verdict="good")
    keep(here, "run2")
    scored(here, ("run1", 0, 0, 1.0), ("run2", 1, 0, 0.0))
    arriving.import_bundle(there, io.BytesIO(leaving.export_experiment(here, "Sums")))
    keep(there, "mine", "How?", "So.", "good")
    mine = training.supervised(there)
    assert answers(supervised_lines(mine)) == ["So."] and mine.imported == 0
    assert mine.left_out == {"runs that were imported": 2}
    both = training.supervised(there, Selection(imported=True))
    assert answers(supervised_lines(both)) == ["42", "So."] and (len(both.runs), both.imported) == (2, 1)
    (run_id,) = both.runs - {"mine"}
    voted(there, 0, run_id, "mine")
    assert training.supervised(there, Selection(sources=("vote",))).lines == []


def test_doubles_deleted_runs_long_ones_and_those_without_an_answer_are_counted(there: RunStore):
    keep(there, "run1", verdict="good")
    keep(there, "run2", verdict="good")
    keep(there, "run3", answer="A long story. " * 200, verdict="good")
    keep(there, "run4", log=Log("run4", created_at=NOON).visit("think", "Hm.").finish("", "stopped"), verdict="good")
    scored(there, ("gone", 0, 0, 1.0))
    data = training.supervised(there, Selection(max_tokens=100))
    assert answers(supervised_lines(data)) == ["42"]
    assert data.left_out == {
        "examples that are there already": 1,
        "examples that are too long": 1,
        "runs without an answer": 1,
        "runs that have been deleted": 1,
    }


def test_trls_form_is_prompt_and_completion(there: RunStore):
    keep(there, "run1", verdict="good")
    (example,) = map(json.loads, training.supervised(there, form="trl").lines)
    assert example == {
        "prompt": [{"role": "user", "content": "Why?"}],
        "completion": [{"role": "assistant", "content": "42"}],
    }


# Preference.


def test_pairs_are_made_of_the_same_question_by_the_same_measure(there: RunStore):
    keep(there, "run1", "Why?", "Because.", "good")
    keep(there, "run2", "Why?", "Dunno.", "bad")
    keep(there, "run3", "Why ?", "No.", "bad")
    keep(there, "run4", "How?", "So.")
    keep(there, "run5", "How?", "Thus.")
    voted(there, 1, "run4", "run5")
    data = training.preference(there)
    pairs = preference_lines(data)
    said = [(pair["preferred_output"][0]["content"], pair["non_preferred_output"][0]["content"]) for pair in pairs]
    assert said == [("Because.", "Dunno."), ("Thus.", "So.")]
    assert pairs[0]["input"]["messages"] == [{"role": "user", "content": "Why?"}]
    assert data.left_out == {"questions without a better and a worse answer": 1}


def test_the_score_must_be_better_by_the_margin_and_within_one_experiment(there: RunStore):
    for number, answer in enumerate(("best", "good", "poor", "other"), start=1):
        keep(there, f"run{number}", "What is 2 + 2?", answer)
    scored(there, ("run1", 0, 0, 1.0), ("run2", 1, 0, 0.7), ("run3", 0, 1, 0.0))
    scored(there, ("run4", 0, 0, 0.0), name="Others")

    def said(**chosen: Any) -> list[str]:
        pairs = preference_lines(training.preference(there, Selection(**chosen)))
        both = ("preferred_output", "non_preferred_output")
        return [" > ".join(pair[side][0]["content"] for side in both) for pair in pairs]

    assert said() == ["best > poor", "good > poor"]
    assert training.preference(there).left_out["pairs whose scores differ by less than 0.5"] == 1
    assert said(margin=0.2) == ["best > poor", "good > poor", "best > good"]
    assert said(margin=1.0) == ["best > poor"]
    assert said(margin=0.2, per_question=1) == ["best > poor"]
    data = training.preference(there, Selection(margin=0.2, per_question=1))
    assert data.left_out["pairs beyond 1 of one question"] == 2


def test_pairs_that_teach_nothing_are_counted(there: RunStore):
    keep(there, "run1", "Why?", "Because.", "good")
    keep(there, "run2", "Why?", " Because. ", "bad")
    keep(there, "run3", "Why?", "long " * 1_000, "bad")
    keep(there, "run4", "Alone?", "Yes.", "good")
    limited = Log("run5", created_at=NOON, request={"question": "Who?"}).visit("think", "x").finish("Me", "limit")
    keep(there, "run5", log=limited, verdict="good")
    keep(there, "run6", "Who?", "You", "bad")
    data = training.preference(there, Selection(max_tokens=500))
    assert data.lines == []
    assert data.left_out == {
        "pairs whose answers are the same": 1,
        "pairs that are too long": 1,
        "pairs whose better answer was cut off by a limit": 1,
        "questions without a better and a worse answer": 1,
    }


def test_a_run_that_was_called_bad_is_never_the_better_one(there: RunStore):
    keep(there, "run1", "Why?", "Because.", "bad")
    keep(there, "run2", "Why?", "Dunno.")
    voted(there, 0, "run1", "run2")
    scored(there, ("run1", 0, 0, 1.0), ("run2", 1, 0, 0.0))
    data = training.preference(there)
    assert data.lines == [] and data.left_out["pairs whose better answer was called bad"] == 2


def test_no_pair_says_the_reverse_of_another_and_verdicts_go_first(there: RunStore):
    for run_id, answer in (("run1", "One."), ("run2", "Two."), ("run3", "Three.")):
        keep(there, run_id, "Why?", answer)
    there.judge("run3", "good")
    keep(there, "run4", "Why?", "Two.", "bad")
    scored(there, ("run1", 0, 0, 1.0), ("run2", 1, 0, 1.0), ("run3", 0, 1, 0.0))
    voted(there, 0, "run2", "run1")
    voted(there, 0, "run1", "run2")
    for sources in (("verdict", "score", "vote"), ("vote", "score", "verdict")):
        data = training.preference(there, Selection(sources=sources))
        both = ("preferred_output", "non_preferred_output")
        said = [" > ".join(pair[side][0]["content"] for side in both) for pair in preference_lines(data)]
        assert said == ["Three. > Two.", "Two. > One.", "One. > Three."]
        assert data.left_out["pairs whose reverse was judged already"] == 2


def test_trls_form_of_a_pair_has_prompt_chosen_and_rejected(there: RunStore):
    keep(there, "run1", "Why?", "Because.", "good")
    keep(there, "run2", "Why?", "Dunno.", "bad")
    (pair,) = map(json.loads, training.preference(there, form="trl").lines)
    assert {key: [one["content"] for one in value] for key, value in pair.items()} == {
        "prompt": ["Why?"],
        "chosen": ["Because."],
        "rejected": ["Dunno."],
    }


def test_the_same_runs_give_the_same_file(there: RunStore):
    for number in range(5):
        keep(there, f"run{number}", f"Question {number}", verdict="good")
    assert training.supervised(there).text == training.supervised(there).text != ""


# Licences.


def test_the_licence_of_every_model_that_wrote_is_told(there: RunStore):
    keep(there, "run1", backend="embedded", model=DEFAULT_MODEL, verdict="good")
    keep(there, "run2", "How?", backend="ollama", model="llama3.1:8b", verdict="good")
    told = dict(training.supervised(there).licences())
    assert told[f"{DEFAULT_MODEL} (embedded)"].name == "Apache-2.0"
    assert "begins with Llama" in told["llama3.1:8b (ollama)"].note
    pinned = Data(models=Counter({("embedded", "m", ""): 5, ("embedded", "m", MODELS[0].sha256): 1}))
    both = dict(pinned.licences())
    assert both[f"m (embedded, {MODELS[0].sha256[:12]})"].name == "Apache-2.0"
    assert both["m (embedded, no digest)"].name == ""
    said = dict(training.supervised(there).licences(lambda backend, model: "MIT License\n\nPermission is"))
    assert said["llama3.1:8b (ollama)"].name == "MIT License"


@pytest.mark.parametrize(
    ("backend", "model", "name", "note"),
    [
        ("embedded", "qwen2.5-coder-0.5b-instruct-q4_k_m", "Apache-2.0", "name alone"),
        ("ollama", "qwen2.5-coder:3b", "Qwen Research", "commercial"),
        ("ollama", "qwen2.5-coder:32b", "Apache-2.0", "name alone"),
        ("ollama", "llama3:8b", "Llama Community (2 or 3)", "may not be used"),
        ("ollama", "llama3.2", "Llama Community", "begins with Llama"),
        ("ollama", "deepseek-r1:7b", "MIT", "name alone"),
        ("ollama", "deepseek-r1-distill-llama-8b", "MIT, and the Llama licence", "begins with Llama"),
        ("ollama", "gemma3:4b", "Gemma Terms", "falls under"),
        ("ollama", "gemma4:e4b", "Apache-2.0", "name alone"),
        ("openai", "gpt-4.1-mini", "", "hosted services"),
        ("openai", "o3", "", "hosted services"),
        ("openai", "gpt-oss-20b", "Apache-2.0", "name alone"),
        ("openai", "house-model", "", "service's terms"),
        ("embedded", "/models/house-model.gguf", "", "not known"),
        ("scripted", "demo", "no model", "script"),
    ],
)
def test_what_is_known_of_a_licence_is_said_and_what_is_not(backend: str, model: str, name: str, note: str):
    found = licence(backend, model)
    assert found.name.startswith(name) and bool(found.name) == bool(name) and note in found.note


def test_a_pinned_model_is_known_by_its_digest_not_by_its_name():
    digest = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    assert licence("embedded", "renamed", digest).name == "Apache-2.0"
    assert licence("embedded", "renamed", "0" * 64).name == ""
