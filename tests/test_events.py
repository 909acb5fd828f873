"""Events survive the way to disk and back, and their fold shows what a person should see."""

import json
import math
from typing import Any

import pytest

from agents import doubts
from workbench import events
from workbench.events import (
    KINDS,
    AnyEvent,
    CallFailed,
    CallView,
    Card,
    Decision,
    Delta,
    ErrorInfo,
    Graph,
    GraphEdge,
    GraphNode,
    Loading,
    LowToken,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    NoteView,
    Paused,
    Queued,
    Reading,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    RunView,
    Summarised,
    ToolAnswered,
    ToolCall,
    ToolCalled,
    ToolView,
    Totals,
    Unknown,
    Warned,
    entry_node,
    from_dict,
    from_json,
    to_dict,
    to_json,
)

GRAPH = Graph(
    nodes=(GraphNode(name="think", role="thinking"), GraphNode(name="judge", role="critic")),
    edges=(
        GraphEdge(source="__start__", target="think"),
        GraphEdge(source="think", target="judge"),
        GraphEdge(source="judge", target="think", conditional=True),
        GraphEdge(source="judge", target="__end__", conditional=True),
    ),
)
OOPS = ErrorInfo(code="server_fault", message="It failed.", hint="Again.")
FIELDS: dict[type[Any], dict[str, Any]] = {
    RunStarted: {"request": {"machine": "m"}, "machine_title": "M", "graph": GRAPH, "created_at": "2026-11-23"},
    NodeStarted: {"node": "think", "step": 1},
    NodeFinished: {"node": "think", "step": 1, "changed": {"answer": "42"}},
    ModelCalled: {
        "call_id": "c1",
        "node": "think",
        "step": 1,
        "role": "thinker",
        "messages": ({"role": "user", "content": "Why?"},),
        "parameters": {"temperature": 0.2},
        "prompt_estimate": 90,
        "context_window": 8192,
    },
    Queued: {"call_id": "c1", "position": 2},
    Loading: {"call_id": "c1", "stage": "load"},
    Reading: {"call_id": "c1", "read": 50, "cached": 10, "total": 100},
    Delta: {"call_id": "c1", "channel": "text", "text": "word"},
    ModelAnswered: {
        "call_id": "c1",
        "text": "All of it.",
        "tool_calls": (ToolCall(id="t", name="clock", arguments={"zone": [1, None, {"a": True}]}),),
        "parsed": {"a": 1},
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 10,
        "decode_seconds": 2.0,
        "lowest_tokens": (LowToken(token="x", logprob=-3.5, position=4),),
    },
    CallFailed: {"call_id": "c1", "error": OOPS},
    ToolCalled: {"tool_id": "t1", "node": "act", "step": 2, "name": "clock", "arguments": {}},
    ToolAnswered: {"tool_id": "t1", "result": "noon"},
    Card: {"node": "think", "step": 1, "title": "Step 1", "content": "Look.", "call_id": "c1"},
    Summarised: {
        "node": "think",
        "step": 3,
        "call_id": "c1",
        "text": "Two and two.",
        "left_out": ({"role": "assistant", "content": "Two and two are what?"},),
        "tokens_before": 900,
        "tokens_after": 400,
    },
    Decision: {"node": "judge", "edge": "think", "reason": "revise"},
    Retried: {"call_id": "c1", "error": OOPS, "attempt": 2},
    Paused: {"node": "judge", "reason": "asks"},
    Resumed: {"node": "judge", "limits": {"steps": 9}, "resumed_at": "2026-11-23T12:00:00+00:00"},
    Warned: {"code": "w", "message": "Careful.", "hint": "Slow down."},
    RunFinished: {"status": "answered", "answer": "42", "totals": Totals(calls=1, seconds=2.0)},
}


def make(kind: type[Any], seq: int = 0, **changes: Any) -> Any:
    return kind(run_id="run", seq=seq, at=seq / 10, **{**FIELDS[kind], **changes})


def fold(*wanted: tuple[type[Any], dict[str, Any]] | type[Any]) -> RunView:
    pairs = [item if isinstance(item, tuple) else (item, {}) for item in wanted]
    return RunView.of(make(kind, seq, **changes) for seq, (kind, changes) in enumerate(pairs))


def only_call(view: RunView) -> CallView:
    (call,) = view.calls
    return call


# --- to disk and back ---


def test_the_samples_cover_every_kind() -> None:
    assert {kind.model_fields["kind"].default for kind in FIELDS} == KINDS


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_every_kind_comes_back_as_it_was(kind: type[Any]) -> None:
    event = make(kind, 3)
    assert from_json(to_json(event)) == event
    assert from_dict(to_dict(event)) == event
    assert to_dict(event) == json.loads(to_json(event))


@pytest.mark.parametrize(
    "text", ["\x00", "\n\r\u2028\u2029", "日本語", "😀", "</script>", "\x1b[31m", '"\\', "{x}", "\x85"]
)
def test_any_text_is_one_line_of_ascii_and_comes_back(text: str) -> None:
    event = make(Delta, text=text)
    line = to_json(event)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert from_json(line) == event


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\ud83db", "a\ufffdb"),
        ("\ude00", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("é\udce9", "é\ufffd"),
        ("\ud83d" * 3, "\ufffd" * 3),
    ],
)
def test_halves_of_surrogate_pairs_never_reach_the_log(text: str, kept: str) -> None:
    assert make(Delta, text=text).text == kept
    assert from_json(json.dumps({**to_dict(make(Delta)), "text": text})) == make(Delta, text=kept)
    assert make(ToolCalled, arguments={text: [text, {"deep": text}]}).arguments == {kept: [kept, {"deep": kept}]}
    assert make(ModelCalled, messages=({"content": text},)).messages[0]["content"] == kept
    assert ErrorInfo(code="x", message=text).message == kept
    newer = from_dict({"kind": "newer", "run_id": "run", "seq": 0, "at": 0, "text": text})
    assert to_dict(newer)["text"] == kept


def test_numbers_that_json_lacks_come_back() -> None:
    low = LowToken(token="x", logprob=-math.inf, position=0)
    event = make(ModelAnswered, mean_logprob=-math.inf, perplexity=math.inf, lowest_tokens=(low,))
    assert from_json(to_json(event)) == event
    assert "Infinity" not in to_json(event).replace('"-Infinity"', "").replace('"Infinity"', "")
    assert math.isnan(from_json(to_json(make(ModelAnswered, mean_logprob=math.nan))).mean_logprob)  # type: ignore[union-attr]
    odd = make(ToolCalled, arguments={"x": math.nan, "y": [math.inf]})
    assert to_dict(odd)["arguments"] == {"x": "NaN", "y": ["Infinity"]}


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]])
def test_endless_nesting_by_a_model_is_cut_and_can_be_written(wrap: Any) -> None:
    inner: Any = "core"
    for _ in range(900):
        inner = wrap(inner)
    event = make(ToolCalled, arguments={"x": inner})
    assert "nested too deeply" in to_json(event)
    assert from_json(to_json(event)) == event


def test_modest_nesting_is_kept() -> None:
    inner: Any = "core"
    for _ in range(40):
        inner = [inner]
    assert make(ToolCalled, arguments={"x": inner}).arguments == {"x": inner}


def test_a_kind_of_a_newer_version_is_kept_as_it_was() -> None:
    data = {"kind": "vision", "run_id": "run", "seq": 4, "at": 1.5, "payload": "its own", "picture": {"w": 1}}
    event = from_dict(data)
    assert isinstance(event, Unknown)
    assert (event.kind, event.seq, event.at) == ("vision", 4, 1.5)
    assert to_dict(event) == data
    assert from_json(to_json(event)) == event


def test_a_newer_versions_extra_fields_do_no_harm() -> None:
    assert from_dict({**to_dict(make(Delta)), "colour": "red"}) == make(Delta)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"kind": "new"}',
        '{"kind": ["delta"], "run_id": "r", "seq": 0, "at": 0}',
        '{"kind": null, "run_id": "r", "seq": 0, "at": 0}',
        '{"kind": "delta", "run_id": "r", "seq": 0, "at": 0}',
        '{"kind": "run_finished", "run_id": "r", "seq": 0, "at": 0, "status": "exploded"}',
    ],
)
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        from_json(line)


def test_events_do_not_change() -> None:
    with pytest.raises(ValueError):
        make(Delta).text = "other"


# --- the fold ---


@pytest.mark.parametrize("result", events.NOTHING_FOUND)
def test_tools_that_only_found_nothing_gave_no_feedback(result):
    assert events.NOTHING_FOUND == doubts.NOTHING_FOUND
    for told, feedback in ((f"{result} 'Ada'.", "none"), ("[ada.txt:1] Ada", "tool")):
        assert fold(ToolCalled, (ToolAnswered, {"result": told})).feedback == feedback


def test_nothing_yet_is_a_running_run() -> None:
    view = RunView.of([])
    assert (view.status, view.entries, view.totals, view.last_seq) == ("running", [], Totals(), -1)
    assert (view.first_token_seconds, view.tokens_per_second, view.context_use()) == (None, None, None)


def test_a_call_goes_through_its_states() -> None:
    view, states = RunView(), []
    steps: list[tuple[type[Any], dict[str, Any]]] = [
        (ModelCalled, {}),
        (Queued, {"position": 2}),
        (Queued, {"position": 0}),
        (Loading, {"stage": "fetch"}),
        (Loading, {"stage": "load"}),
        (Reading, {"read": 10}),
        (Delta, {"text": ""}),
        (Delta, {"text": "Well"}),
        (ModelAnswered, {}),
    ]
    for seq, (kind, changes) in enumerate(steps):
        view.apply(make(kind, seq, **changes))
        states.append(only_call(view).state)
    expected = ["waiting", "queued", "waiting", "loading", "loading", "reading", "reading", "writing", "done"]
    assert states == expected


def test_a_model_that_is_loaded_again_shows_so() -> None:
    assert only_call(fold(ModelCalled, Reading, Loading)).state == "loading"


def test_text_grows_by_channel_and_the_answer_has_the_last_word() -> None:
    view = fold(
        ModelCalled,
        (Delta, {"channel": "thinking", "text": "Hm"}),
        (Delta, {"channel": "thinking", "text": "m."}),
        (Delta, {"text": "All "}),
        (Delta, {"channel": "tool", "text": '{"clock"'}),
        (Delta, {"text": "of"}),
    )
    call = only_call(view)
    assert (call.text, call.thinking, call.tool_text) == ("All of", "Hmm.", '{"clock"')
    view.apply(make(ModelAnswered, 9, text="All of it.", thinking="Hmm..."))
    assert (call.text, call.thinking) == ("All of it.", "Hmm...")
    assert call.ended_at == 0.9


def test_a_failed_call_keeps_what_had_arrived() -> None:
    call = only_call(fold(ModelCalled, Delta, CallFailed))
    assert (call.state, call.text, call.error) == ("failed", "word", OOPS)


def test_what_is_said_of_a_call_that_never_was_is_ignored() -> None:
    view = fold(Delta, ModelAnswered, Reading, Queued, Loading, CallFailed, Retried, ToolAnswered)
    assert (view.entries, view.changed, view.last_seq) == ([], set(), 7)


def test_events_seen_before_change_nothing() -> None:
    view = fold(ModelCalled, Delta)
    view.apply(make(Delta, 1, text="again"))
    view.apply(make(ModelCalled, 0))
    assert only_call(view).text == "word"


def test_a_log_read_in_pieces_folds_to_the_same_view() -> None:
    log: list[AnyEvent] = [make(kind, seq) for seq, kind in enumerate(FIELDS)]
    piecewise = RunView()
    for event in log[:7]:
        piecewise.apply(event)
    for event in log[3:]:
        piecewise.apply(event)
    assert piecewise == RunView.of(log)


def test_a_replay_from_disk_folds_to_the_same_view() -> None:
    log: list[AnyEvent] = [make(kind, seq) for seq, kind in enumerate(FIELDS)]
    assert RunView.of(from_json(to_json(event)) for event in log) == RunView.of(log)


def test_an_unknown_event_counts_as_seen_and_draws_nothing() -> None:
    view = fold(ModelCalled)
    view.take_changes()
    view.apply(from_dict({"kind": "newer", "run_id": "run", "seq": 1, "at": 7.0}))
    assert (view.last_seq, view.last_at, view.take_changes()) == (1, 7.0, set())
    view.apply(Unknown(kind="delta", run_id="run", seq=2, at=8.0, payload={}))
    assert only_call(view).text == ""


def test_a_card_belongs_to_its_call_or_stands_alone() -> None:
    view = fold(ModelCalled, Card, (Card, {"call_id": None, "title": "Vote"}), (Card, {"call_id": "nobody"}))
    assert [type(entry) for entry in view.entries] == [CallView, NoteView, NoteView]
    assert only_call(view).card == make(Card, 1)


def test_notes_stand_in_the_order_in_which_they_came() -> None:
    view = fold(Warned, ModelCalled, Paused, Resumed, ToolCalled)
    assert [type(entry) for entry in view.entries] == [NoteView, CallView, NoteView, NoteView, ToolView]
    assert [entry_node(entry) for entry in view.entries] == [None, "think", "judge", "judge", "act"]


def test_a_tools_answer_finds_its_call() -> None:
    view = fold(ToolCalled, (ToolCalled, {"tool_id": "t2"}), (ToolAnswered, {"tool_id": "t2", "error": True}))
    first, second = view.entries
    assert isinstance(first, ToolView) and first.answered is None
    assert isinstance(second, ToolView) and second.answered is not None and second.answered.error


def test_changes_name_exactly_the_entries_to_redraw() -> None:
    view = fold(ModelCalled, (ModelCalled, {"call_id": "c2"}), ToolCalled)
    assert view.take_changes() == {0, 1, 2}
    assert view.take_changes() == set()
    view.apply(make(Delta, 10, call_id="c2"))
    view.apply(make(Decision, 11))
    assert view.take_changes() == {1}
    view.apply(make(ToolAnswered, 12))
    assert view.take_changes() == {2}


def test_a_retry_is_noted_on_the_call_that_failed() -> None:
    view = fold(ModelCalled, CallFailed, Retried, (ModelCalled, {"call_id": "c2"}))
    assert [call.retried is not None for call in view.calls] == [True, False]


def test_totals_are_the_sum_of_what_backends_measured_until_the_run_says_its_own() -> None:
    untold = ("prompt_tokens", "cached_tokens", "decode_seconds")
    view = fold(
        ModelCalled,
        ModelAnswered,
        ToolCalled,
        (ModelCalled, {"call_id": "c2"}),
        (ModelAnswered, {"call_id": "c2", "completion_tokens": 5, "joules": 7.5, **dict.fromkeys(untold)}),
        (ModelCalled, {"call_id": "c3"}),
    )
    assert view.totals == Totals(
        calls=3,
        tool_calls=1,
        prompt_tokens=100,
        completion_tokens=25,
        cached_tokens=10,
        seconds=0.5,
        decode_seconds=2.0,
        joules=None,
    )
    view.apply(make(RunFinished, 9))
    assert view.totals == Totals(calls=1, seconds=2.0)


def test_the_energy_of_a_run_is_known_when_that_of_all_its_answers_is() -> None:
    calls = [(ModelCalled, {"call_id": "c2"}), (ModelAnswered, {"call_id": "c2", "joules": 7.5})]
    assert fold(*calls).totals.joules == 7.5
    assert fold(ModelCalled, ModelAnswered, *calls).totals.joules is None


def test_costs_add_up_and_what_nobody_told_stays_unknown() -> None:
    one, other = Totals(calls=1, seconds=0.1, load_seconds=0.5), Totals(calls=2, seconds=0.2, joules=3.0)
    both = Totals(calls=3, seconds=0.3, load_seconds=0.5, joules=3.0)
    assert one + other == other + one == both
    assert (both.prefill_seconds, both.decode_seconds) == (None, None)


def test_what_a_fork_took_over_and_what_the_person_did_is_not_paid_for() -> None:
    measured = {"call_id": "c3", "completion_tokens": 40, "decode_seconds": 2.0}
    view = fold(
        (RunStarted, {"inherited": 4}),
        ModelCalled,
        ModelAnswered,
        ToolCalled,
        ToolAnswered,
        (ModelCalled, {"call_id": "c2", "by_person": True}),
        (ModelAnswered, {"call_id": "c2"}),
        (ToolCalled, {"tool_id": "t2", "by_person": True}),
        (ModelCalled, {"call_id": "c3"}),
        (Delta, {"call_id": "c3"}),
        (ModelAnswered, measured),
    )
    assert [call.called.call_id for call in view.paid_calls] == ["c3"]
    assert (view.totals.calls, view.totals.tool_calls, view.totals.completion_tokens) == (1, 0, 40)
    assert (view.tokens_per_second, view.first_token_seconds) == (20.0, pytest.approx(0.1))


def test_the_first_token_is_timed_from_its_own_call() -> None:
    view = fold(ModelCalled, Reading, Reading, (Delta, {"text": ""}), Delta, Delta)
    assert view.first_token_seconds == pytest.approx(0.4)


def test_speed_counts_only_calls_whose_time_is_known() -> None:
    view = fold(
        ModelCalled,
        ModelAnswered,
        (ModelCalled, {"call_id": "c2"}),
        (ModelAnswered, {"call_id": "c2", "completion_tokens": 9_999, "decode_seconds": None}),
    )
    assert view.tokens_per_second == pytest.approx(10.0)


def test_the_context_is_as_full_as_the_last_prompt_that_is_known() -> None:
    assert fold(ModelCalled).context_use() == (90, 8192)
    assert fold(ModelCalled, ModelAnswered).context_use() == (100, 8192)
    unknown = {"call_id": "c2", "prompt_estimate": None, "context_window": None}
    assert fold(ModelCalled, ModelAnswered, (ModelCalled, unknown)).context_use() == (100, 8192)
    assert fold((ModelCalled, unknown)).context_use() is None


def test_the_newest_entry_of_a_node_is_found() -> None:
    view = fold(ModelCalled, ToolCalled, (ModelCalled, {"call_id": "c2"}), Warned)
    assert (view.latest_entry_of("think"), view.latest_entry_of("act"), view.latest_entry_of("judge")) == (2, 1, None)


# --- the diagram ---


def test_the_diagram_follows_the_run_around_its_loop() -> None:
    view = fold(
        RunStarted,
        (NodeStarted, {"node": "think", "step": 1}),
        (NodeFinished, {"node": "think", "step": 1}),
        (NodeStarted, {"node": "judge", "step": 2}),
        (NodeFinished, {"node": "judge", "step": 2}),
        (NodeStarted, {"node": "think", "step": 3}),
        (NodeFinished, {"node": "think", "step": 3}),
        (NodeStarted, {"node": "judge", "step": 4}),
    )
    assert view.live_nodes == ["judge"]
    assert view.node_visits == {"think": 2, "judge": 2}
    assert view.edge_counts == {("__start__", "think"): 1, ("think", "judge"): 2, ("judge", "think"): 1}
    view.apply(make(NodeFinished, 20, node="judge", step=4))
    view.apply(make(RunFinished, 21))
    assert view.live_nodes == []
    assert view.edge_counts["judge", "__end__"] == 1


@pytest.mark.parametrize(("status", "ends"), [("answered", 1), ("limit", 1), ("stopped", 0), ("failed", 0)])
def test_only_a_run_that_came_to_its_end_lights_the_last_edge(status: str, ends: int) -> None:
    view = fold(RunStarted, NodeStarted, (NodeStarted, {"node": "judge", "step": 2}), (RunFinished, {"status": status}))
    assert view.edge_counts.get(("judge", "__end__"), 0) == ends
    assert view.live_nodes == []


def test_a_second_attempt_of_a_node_is_not_a_second_visit() -> None:
    view = fold(RunStarted, NodeStarted, (NodeStarted, {"attempt": 2}))
    assert (view.live_nodes, view.node_visits, view.edge_counts) == (
        ["think"],
        {"think": 1},
        {("__start__", "think"): 1},
    )


def test_parallel_nodes_are_live_together() -> None:
    view = fold(RunStarted, NodeStarted, NodeStarted, (NodeStarted, {"node": "judge"}), NodeFinished)
    assert sorted(view.live_nodes) == ["judge", "think"]


def test_decisions_are_kept_with_their_reasons() -> None:
    assert [(d.edge, d.reason) for d in fold(Decision).decisions] == [("think", "revise")]


# --- the end ---


def test_a_stopped_run_keeps_partial_text_and_says_where_it_stopped() -> None:
    view = fold(ModelCalled, Delta, ToolCalled, (RunFinished, {"status": "stopped"}))
    call, tool = view.entries
    assert isinstance(call, CallView) and call.error is not None
    assert (call.text, call.state, call.error.code, call.ended_at) == ("word", "failed", "stopped", 0.3)
    assert isinstance(tool, ToolView) and tool.interrupted
    assert view.take_changes() == {0, 1}
    assert view.status == "stopped"


def test_what_had_ended_before_the_runs_end_is_left_as_it_was() -> None:
    view = fold(ModelCalled, ModelAnswered, (ModelCalled, {"call_id": "c2"}), CallFailed, ToolCalled, ToolAnswered)
    view.take_changes()
    view.apply(make(RunFinished, 9, status="failed", error=OOPS))
    assert view.calls[0].error == OOPS and view.calls[0].answer is not None
    assert view.take_changes() == {1}


def test_a_run_that_ends_while_paused_waits_for_nobody() -> None:
    assert fold(Paused).paused is not None
    assert fold(Paused, Resumed).paused is None
    assert fold(Paused, (RunFinished, {"status": "stopped"})).paused is None


def test_a_resumed_run_is_running_again() -> None:
    view = fold(ModelCalled, (RunFinished, {"status": "failed", "error": OOPS}), Resumed)
    assert (view.status, view.finished) == ("running", None)
    assert view.totals.calls == 1
    view.apply(make(RunFinished, 9))
    assert view.status == "answered"
