"""Two logs side by side: what counts as a difference, what does not, and what stands beside what."""

import time
from typing import Any

import pytest

from tests.logs import OOPS, Log, three_steps
from workbench.compare import NEEDED, Comparison, compare, fold
from workbench.events import AnyEvent, Card, Delta, ModelAnswered, ModelCalled, Reading, ToolCall, ToolCalled, Unknown


def standings(comparison: Comparison) -> list[str]:
    return [f"{row.step.node or row.step.kind} {row.standing}" for row in comparison.rows]


def parts(comparison: Comparison) -> list[str]:
    """What differs in the first row that does."""
    assert comparison.first is not None
    return [difference.part for difference in comparison.rows[comparison.first].differences]


def beside(a: Log, b: Log) -> Comparison:
    return compare(a.events, b.events)


def warned(code: str, **more: Any) -> Log:
    """Three steps after a warning."""
    log = Log().warn(code)
    log.events += [event.model_copy(update={"seq": event.seq + 1}) for event in three_steps(**more).events[1:]]
    return log


# --- what is the same ---


def test_a_run_beside_itself_has_no_difference():
    comparison = beside(three_steps(), three_steps())
    assert comparison.is_same and comparison.first is None
    assert comparison.same == len(comparison.rows) == 4


def test_ids_times_tokens_and_probabilities_are_not_compared():
    a = three_steps("aaaa1111", pace=0.5)
    b = three_steps("bbbb2222", pace=2.0)
    b.events = [
        event.model_copy(update={"prompt_tokens": 9, "mean_logprob": -0.5, "decode_seconds": 3.0})
        if isinstance(event, ModelAnswered)
        else event
        for event in b.events
    ]
    assert beside(a, b).is_same


def test_how_an_answer_was_read_and_streamed_is_not_compared():
    whole = three_steps().events
    brief = [event for event in whole if not isinstance(event, Delta)]
    more = Log().begin("think").ask("think").add(Reading, call_id="aaaa1111-2", read=1, cached=0, total=9)
    less = Log().begin("think").ask("think")
    assert compare(whole, brief).is_same
    assert beside(more, less).is_same
    assert not {"delta", "reading", "queued", "loading"} & NEEDED


def test_ids_that_a_backend_drew_for_tool_calls_are_not_compared():
    def run(call: str) -> Log:
        asked = {"role": "assistant", "content": "", "tool_calls": [{"id": call, "name": "clock", "arguments": {}}]}
        told = {"role": "tool", "content": "Noon.", "tool_call_id": call}
        log = Log().begin("think").ask("think").answer("", tool_calls=(ToolCall(id=call, name="clock", arguments={}),))
        return log.begin("think").ask("think", messages=(asked, told)).answer("It is noon.")

    assert beside(run("call_1"), run("call_2")).is_same


def test_what_the_request_says_already_is_not_found_again_in_every_call():
    a = Log(request={"settings": {"seed": 1}}).begin("think").ask("think", parameters={"seed": 1}).answer("Hm.")
    b = Log(request={"settings": {"seed": 2}}).begin("think").ask("think", parameters={"seed": 2}).answer("Hm.")
    comparison = beside(a, b)
    assert [change.name for change in comparison.request] == ["settings.seed"]
    assert comparison.first is None and not comparison.is_same


def test_events_of_a_newer_version_are_not_compared():
    new = Unknown(run_id="aaaa1111", seq=99, at=1.0, kind="telepathy", payload={})
    assert compare([*three_steps().events, new], three_steps().events).is_same


# --- the requests ---


def test_every_part_of_the_request_counts_and_so_does_what_it_met():
    a = Log(model_digest="d1", prompts={"system": "h1"}, version="1", request={"options": {"max_steps": 5}})
    b = Log(
        model_digest="d2",
        prompts={"system": "h2"},
        version="2",
        request={"options": {"max_steps": 6}, "question": "How?", "model": "other", "limits": {"tokens": 100}},
    )
    names = [change.name for change in beside(a, b).request]
    settings = ["question", "model", "options.max_steps", "limits.tokens"]
    assert sorted(names) == sorted([*settings, "model_digest", "prompts.system", "version"])


def test_what_is_empty_and_what_is_missing_are_the_same_in_a_request():
    old = Log()
    started: Any = old.events[0]
    request = {name: value for name, value in started.request.items() if name not in ("pause_before", "history")}
    old.events[0] = started.model_copy(update={"request": request})
    assert beside(old, Log()).request == ()


def test_a_setting_that_is_switched_off_is_no_missing_one():
    a, b = Log(request={"settings": {"logprobs": False}}), Log()
    assert [(change.name, change.a, change.b) for change in beside(a, b).request] == [
        ("settings.logprobs", False, True)
    ]


# --- the first difference ---


def test_the_first_difference_is_the_first_word_that_was_answered_otherwise():
    comparison = beside(three_steps(), three_steps(second="Two and three."))
    assert standings(comparison) == ["think same", "think different", "judge different", "end same"]
    assert comparison.first == 1 and parts(comparison) == ["text"]
    row = comparison.rows[1]
    answered = [event.seq for event in three_steps().events if isinstance(event, ModelAnswered)]
    assert row.seqs == (answered[1], answered[1])


CHANGES: list[tuple[str, Any]] = [
    ("messages", lambda log: log.begin("think").ask("think", "Go back.").answer("A.")),
    ("role", lambda log: log.begin("think").ask("think", role="critic").answer("A.")),
    ("parameters", lambda log: log.begin("think").ask("think", parameters={"stop": ["."]}).answer("A.")),
    ("by_person", lambda log: log.begin("think").ask("think", by_person=True).answer("A.")),
    ("text", lambda log: log.begin("think").ask("think").answer("B.")),
    ("thinking", lambda log: log.begin("think").ask("think").answer("A.", thinking="Hm.")),
    ("finish_reason", lambda log: log.begin("think").ask("think").answer("A.", finish_reason="length")),
    ("parsed", lambda log: log.begin("think").ask("think").answer("A.", parsed={"a": 1})),
    (
        "tool_calls",
        lambda log: log.begin("think").ask("think").answer("A.", tool_calls=(ToolCall(id="", name="x", arguments={}),)),
    ),
    ("title", lambda log: log.begin("think").ask("think").answer("A.").card("Step 1", "")),
    ("decision", lambda log: log.begin("think").ask("think").answer("A.").decide("think", "judge")),
]


@pytest.mark.parametrize(("part", "change"), CHANGES, ids=[part for part, _ in CHANGES])
def test_each_part_of_a_call_counts(part: str, change: Any):
    plain = Log().begin("think").ask("think").answer("A.")
    comparison = beside(plain, change(Log()))
    assert comparison.first == 0 and part in parts(comparison)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("tool", Log().use("python", "7", code="3+4")),
        ("arguments", Log().use("calculator", "7", expression="2+5")),
        ("result", Log().use("calculator", "8", expression="3+4")),
        ("failed", Log().use("calculator", "7", error=True, expression="3+4")),
    ],
)
def test_each_part_of_a_tool_call_counts(part: str, other: Log):
    comparison = beside(Log().use("calculator", "7", expression="3+4"), other)
    assert standings(comparison) == ["act different"] and part in parts(comparison)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("answer", Log().finish("43")),
        ("status", Log().finish("42", "limit")),
        ("reason", Log().finish("42", reason="It was the last.")),
        ("error", Log().finish("42", error=OOPS)),
    ],
)
def test_each_part_of_the_end_counts(part: str, other: Log):
    comparison = beside(Log().finish("42"), other)
    assert standings(comparison) == ["end different"] and part in parts(comparison)


def test_a_warning_is_shown_like_any_event():
    comparison = beside(three_steps(), warned("truncated"))
    assert standings(comparison)[0] == "warning only_b" and comparison.same == 4
    assert comparison.first == 0 and not comparison.is_same


def test_a_warning_hides_no_step_that_differs():
    comparison = beside(three_steps(), warned("truncated", second="Two and three."))
    assert standings(comparison)[comparison.first or 0] == "think different"


def test_that_a_seed_promises_nothing_is_shown_and_is_no_difference():
    comparison = beside(three_steps(), warned("seed_not_promised"))
    assert standings(comparison)[0] == "warning only_b"
    assert comparison.first is None and comparison.is_same


def test_a_card_s_copy_of_an_older_text_is_no_difference_of_its_own():
    a = Log().begin("think").ask("think").answer("A.").card("Draft", "A.", previous="Before.", score=1)
    b = Log().begin("think").ask("think").answer("A.").card("Draft", "A.", previous="Otherwise.", score=2)
    assert parts(beside(a, b)) == ["data"]
    assert beside(a, b).rows[0].differences[0].a == {"score": 1}


def test_a_card_without_a_call_stands_by_itself():
    log = Log().begin("vote").add(Card, node="vote", step=1, title="Vote", content="3 of 5").end("vote")
    assert [(step.kind, step.node) for step in fold(log.events).steps] == [("card", "vote")]


def test_a_node_that_asked_nothing_is_a_visit_and_keeps_its_decision():
    a = Log().begin("gate").decide("gate", "think", "open").end("gate")
    b = Log().begin("gate").decide("gate", "judge", "shut").end("gate")
    comparison = beside(a, b)
    assert comparison.rows[0].step.kind == "visit" and parts(comparison) == ["decision"]


def test_the_same_event_read_twice_counts_once():
    events = three_steps().events
    assert compare([*events, *events], events).is_same


# --- what stands beside what ---


def test_after_the_first_difference_the_nth_visit_stands_beside_the_nth():
    a = three_steps()
    b = Log().visit("think", "Look.", edge="think").visit("think", "Other.", "Look.", "think")
    b.visit("think", "More.", "Other.", "think").visit("judge", "Good.", "More.").finish()
    assert standings(beside(a, b)) == [
        "think same",
        "think different",
        "think only_b",
        "judge different",
        "end same",
    ]


def test_an_attempt_that_failed_does_not_shift_what_follows():
    a = Log().begin("think").ask("think").answer("A.").end("think").finish()
    b = Log().begin("think").ask("think").fail().retry().ask("think").answer("A.").end("think").finish()
    assert standings(beside(a, b)) == ["think only_b", "think same", "end same"]


def test_a_call_without_an_answer_stands_beside_the_one_that_was_answered():
    a = Log().begin("think").ask("think").answer("A.").end("think").finish()
    b = Log().begin("think").ask("think").fail().finish("", "failed", error=OOPS)
    comparison = beside(a, b)
    assert standings(comparison) == ["think different", "end different"]
    assert parts(comparison) == ["text", "error"]


def test_a_pause_is_only_where_it_was():
    a = Log().begin("think").ask("think").answer("A.").end("think").finish()
    b = Log().begin("think").wait("think").begin("think", 1, 2).ask("think").answer("A.").end("think").finish()
    comparison = beside(a, b)
    assert [(row.step.kind, row.standing) for row in comparison.rows] == [
        ("pause", "only_b"),
        ("resume", "only_b"),
        ("call", "same"),
        ("end", "same"),
    ]


def test_what_the_person_said_counts():
    a, b = (Log().begin("think").wait("think", verb, "No.") for verb in ("edit", "reject"))
    assert parts(beside(a, b)) == ["verb"]


def test_nodes_of_one_step_are_compared_in_whatever_order_their_calls_came():
    def run(*order: str) -> Log:
        log = Log().begin("left", 1).begin("right", 1)
        for node in order:
            log.ask(node).answer(f"I am {node}.")
        return log.end("left").end("right").finish()

    assert beside(run("left", "right"), run("right", "left")).is_same


def test_a_run_that_goes_on_is_compared_as_far_as_it_has_come():
    running = Log().visit("think", "Look.", edge="think")
    assert standings(beside(three_steps(), running)) == ["think same", "think only_a", "judge only_a", "end only_a"]


def test_the_steps_of_different_machines_do_not_correspond_but_their_ends_do():
    other = Log(request={"machine": "reflection", "options": {"rounds": 2}}, prompts={"critic": "h"})
    other.visit("think", "Look.").finish("43")
    comparison = beside(three_steps(), other)
    assert comparison.machines_differ and comparison.same == 0
    assert [change.name for change in comparison.request] == ["machine"]
    assert [row.standing for row in comparison.rows] == ["only_a", "only_b", "only_a", "only_a", "different"]


@pytest.mark.parametrize("empty", [[], three_steps().events[:1]])
def test_a_log_with_nothing_in_it_is_only_what_it_is(empty: list[AnyEvent]):
    comparison = compare(empty, three_steps().events)
    assert {row.standing for row in comparison.rows} == {"only_b"}
    assert compare(empty, empty).is_same


# --- forks ---


def a_fork(parent: Log, taken: list[AnyEvent], at: int, **more: Any) -> Log:
    """A run that inherits these events of its parent."""
    fork = Log("bbbb2222", parent_run=parent.run_id, parent_seq=at, relation="fork", inherited=len(taken), **more)
    fork.events += [
        event.model_copy(update={"run_id": fork.run_id, "seq": seq}) for seq, event in enumerate(taken, start=1)
    ]
    fork.step = 1
    return fork


def test_what_a_fork_inherited_is_the_same_and_is_told_apart():
    parent = three_steps()
    end = next(event.seq for event in parent.events if event.kind == "node_finished")
    fork = a_fork(parent, parent.events[1 : end + 1], end, request={"model": "other"})
    comparison = beside(parent, fork.visit("think", "Something else.", "Look.", "think").finish("43"))
    assert [(row.standing, row.inherited) for row in comparison.rows[:2]] == [("same", "b"), ("different", "")]
    assert [change.name for change in comparison.request] == ["model"]


def test_what_a_fork_leaves_behind_is_no_difference():
    parent = Log().begin("think").wait("think").begin("think", 1, 2).ask("think").fail().ask("think").answer("Look.")
    parent.end("think")
    at = parent.events[-1].seq
    parent.visit("judge", "Good.").finish()
    last_call = max(event.seq for event in parent.events[:at] if isinstance(event, ModelCalled))
    fork = a_fork(parent, [parent.events[1], *parent.events[last_call : at + 1]], at).visit("judge", "Bad.").finish()
    comparison = beside(parent, fork)
    assert standings(comparison) == ["think same", "judge different", "end same"]
    assert standings(compare(fork.events, parent.events)) == standings(comparison)


def test_another_run_s_pauses_are_a_difference():
    a = Log().begin("think").wait("think").begin("think", 1, 2).ask("think").answer("Look.").end("think")
    b = a_fork(Log("cccc3333"), Log().begin("think").ask("think").answer("Look.").end("think").events[1:], 4)
    assert standings(beside(a, b)) == ["think only_a", "think only_a", "think same"]


# --- size ---


def test_runs_of_a_thousand_steps_are_compared_in_well_under_a_second():
    def long_run(turns_at: int) -> list[AnyEvent]:
        log, before = Log(), "Go on."
        for number in range(1_000):
            text = f"Step {number}." if number < turns_at else f"Otherwise {number}."
            log.visit("think", text, before, "think")
            before = text
        return log.finish().events

    a, b = long_run(1_000), long_run(500)
    began = time.process_time()
    comparison = compare(a, b)
    assert time.process_time() - began < 2  # 0.2 s on an idle machine
    assert (comparison.first, comparison.same) == (500, 501)


def test_tool_and_model_in_the_person_s_place_are_told():
    asked = {"tool_id": "t", "node": "act", "step": 1, "name": "clock", "arguments": {}}
    a, b = (Log().begin("act").add(ToolCalled, **asked, by_person=person) for person in (True, False))
    assert parts(beside(a, b)) == ["by_person"]
