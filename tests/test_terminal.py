"""How a run is drawn in a terminal: text that only grows, and nothing that could steer the terminal."""

import io
import json
import time
from typing import Any

import pytest

from tests.test_events import make
from workbench.events import (
    Card,
    Decision,
    Delta,
    ErrorInfo,
    Loading,
    ModelAnswered,
    ModelCalled,
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
    ToolCalled,
    Warned,
    from_dict,
)
from workbench.terminal import Progress, Transcript, harmless, how_to_go_on, readable

SCHEMA = {"json_schema": {"type": "object"}}


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def drawn(*wanted: tuple[type[Any], dict[str, Any]] | type[Any]) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    transcript = Transcript(out, err)
    for seq, item in enumerate(wanted):
        kind, changes = item if isinstance(item, tuple) else (item, {})
        transcript.take(make(kind, seq, **changes))
    return out.getvalue(), err.getvalue()


def pieces(text: str, size: int = 3) -> list[tuple[type[Any], dict[str, Any]]]:
    return [(Delta, {"text": text[at : at + size]}) for at in range(0, len(text), size)]


def test_text_streams_under_its_calls_heading() -> None:
    out, _ = drawn(
        ModelCalled, (Delta, {"text": "One "}), (Delta, {"text": "two."}), (ModelAnswered, {"text": "One two."})
    )
    assert out == "\n── 1. Thinker ──\nOne two.\n"


def test_thinking_is_told_from_the_answer() -> None:
    thinking = (Delta, {"channel": "thinking", "text": "Hm."})
    out, _ = drawn(ModelCalled, thinking, (Delta, {"text": "Yes."}), (ModelAnswered, {"text": "Yes."}))
    assert out == "\n── 1. Thinker ──\n(thinking)\nHm.\n(answer)\nYes.\n"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_json_streams_as_text_to_read(size: int) -> None:
    answer = {
        "title": 'A "title"',
        "content": "Line\nnext é😀 {x}",
        "issues": ["one", "two"],
        "none": [],
        "score": 10,
        "ok": True,
        "nothing": None,
        "more": {"a": {"b": {}}, "c": {}},
        "pairs": [{"a": 1}, {"b": 2}],
        "small": 1e-7,
        "next_action": "final_answer",
    }
    text = json.dumps(answer, indent=1)
    asked = (ModelCalled, {"parameters": SCHEMA})
    out, _ = drawn(asked, *pieces(text, size), (ModelAnswered, {"text": text}))
    assert out == (
        '\n── 1. Thinker ──\nA "title"\nLine\nnext é😀 {x}\nIssues:\n- one\n- two\nScore: 10\nOk: true\nNothing: null\n'
        'More: {"a": {"b": {}}, "c": {}}\nPairs:\n- {"a": 1}\n- {"b": 2}\nSmall: 1e-07\nNext action: final_answer\n'
    )


def test_after_each_call_it_says_how_full_the_context_window_is_and_when_it_will_be_full() -> None:
    calls = [(n, {"call_id": f"c{n}", "step": n, "context_window": 8_192}) for n in (1, 2, 3)]
    drawn_calls = [
        one
        for n, asked in calls
        for one in (
            (ModelCalled, asked),
            (ModelAnswered, {"call_id": f"c{n}", "prompt_tokens": 1_500 + 410 * (n - 1), "completion_tokens": 100}),
        )
    ]
    _, err = drawn(*drawn_calls)
    assert err.splitlines() == [
        "Context: 1,500 of 8,192 tokens.",
        "Context: 1,910 of 8,192 tokens, +410 a step, full in about 15 steps.",
        "Context: 2,320 of 8,192 tokens, +410 a step, full in about 14 steps.",
    ]


def test_a_summary_says_what_it_stands_for() -> None:
    _, err = drawn((ModelCalled, {"role": "summariser"}), ModelAnswered, Summarised)
    assert err.splitlines()[-1] == "It is sent in place of 1 earlier turn from here on: 400 tokens instead of 900."


def test_json_is_seen_before_it_is_whole() -> None:
    out, _ = drawn((ModelCalled, {"parameters": SCHEMA}), (Delta, {"text": '{"title": "Half a ti'}))
    assert out.endswith("Half a ti")


@pytest.mark.parametrize("text", ["I will not answer in JSON.", "[1, 2]", '{"title": "cut'])
def test_an_answer_that_is_no_json_object_is_shown_all_the_same(text: str) -> None:
    out, _ = drawn((ModelCalled, {"parameters": SCHEMA}), *pieces(text), (ModelAnswered, {"text": text}))
    assert out.splitlines()[-1] == text.removeprefix('{"title": "')


def test_a_final_text_that_differs_from_what_was_streamed_is_shown_whole() -> None:
    out, _ = drawn(ModelCalled, (Delta, {"text": "Old words"}), (ModelAnswered, {"text": "New words"}))
    assert out == "\n── 1. Thinker ──\nOld words\nNew words\n"


def test_a_text_with_brackets_is_not_read_as_json_when_none_was_asked_for() -> None:
    text = '{"title": "code"}'
    out, _ = drawn(ModelCalled, (Delta, {"text": text}), (ModelAnswered, {"text": text}))
    assert out.endswith(f"{text}\n")


def test_a_card_repeats_nothing_that_was_shown_and_shows_what_was_not() -> None:
    said = (ModelAnswered, {"text": "Look here."})
    repeated = drawn(ModelCalled, said, (Card, {"content": "Look  here.\n"}))[0]
    assert repeated == "\n── 1. Thinker ──\nLook here.\n"
    new = drawn(ModelCalled, said, (Card, {"title": "Vote", "content": "3 of 5 say 42."}))[0]
    assert new.endswith("Look here.\n\n── Vote ──\n3 of 5 say 42.\n")
    alone = drawn((Card, {"call_id": None, "title": "Vote", "content": "42"}))[0]
    assert alone == "\n── Vote ──\n42\n"


AT_ONCE = (
    ModelCalled,
    (Delta, {"text": "a1 "}),
    (ModelCalled, {"call_id": "c2", "role": "critic"}),
    (Delta, {"call_id": "c2", "text": "b1 "}),
    (ModelCalled, {"call_id": "c3", "role": "judge"}),
    (Delta, {"call_id": "c3", "text": "d1"}),
    (Delta, {"text": "a2"}),
    (Delta, {"call_id": "c2", "text": "b2"}),
)


@pytest.mark.parametrize("kind", ["plan", "queue"])
def test_the_tasks_are_listed_when_one_begins(kind: str) -> None:
    states = {"Multiply.": "done", "Ask.": "failed", "Guess.": "dropped", "Halve.": "doing", "Say.": "todo"}
    told = [{"title": title, "state": state, "note": "n"} for title, state in states.items()]
    out, _ = drawn((Card, {"call_id": None, "title": "Task 2", "content": "Now.", "data": {kind: told}}))
    assert out.endswith("Now.\n  [x] Multiply.\n  [!] Ask.\n  [-] Guess.\n  [>] Halve.\n  [ ] Say.\n")
    out, _ = drawn(
        (Card, {"call_id": None, "title": "Done", "content": "So.", "data": {kind: [told[0], told[4], "?"]}})
    )
    assert out.endswith("So.\n")


def test_calls_that_write_at_once_are_told_one_after_the_other() -> None:
    assert drawn(*AT_ONCE)[0] == "\n── 1. Thinker ──\na1 a2"
    ended = drawn(*AT_ONCE, (ModelAnswered, {"call_id": "c2", "text": "b1 b2"}), (ModelAnswered, {"text": "a1 a2"}))
    assert ended[0] == "\n── 1. Thinker ──\na1 a2\n\n── 2. Critic ──\nb1 b2\n\n── 3. Judge ──\nd1"


def test_what_calls_had_written_when_the_run_was_stopped_is_told_before_its_end() -> None:
    out, err = drawn(*AT_ONCE, (RunFinished, {"status": "stopped", "answer": ""}))
    assert out == "\n── 1. Thinker ──\na1 a2\n\n── 2. Critic ──\nb1 b2\n\n── 3. Judge ──\nd1"
    assert "Stopped" in err


def test_a_tools_arguments_and_result_stand_together() -> None:
    called = (ToolCalled, {"name": "python", "arguments": {"code": "print(1)", "limit": 3}})
    out, _ = drawn(
        called, (ToolAnswered, {"result": "1\n2"}), called, (ToolAnswered, {"result": "Bad.", "error": True})
    )
    call = "→ python(code=print(1), limit=3)\n"
    assert out == f"{call}← 1\n  2\n{call}← error: Bad.\n"


def test_what_goes_on_meanwhile_is_told_once_per_stage_where_there_is_no_terminal() -> None:
    out, err = drawn(
        ModelCalled,
        (Queued, {"position": 2}),
        (Queued, {"position": 1}),
        (Loading, {"stage": "fetch", "done": 500_000_000, "total": 1_000_000_000}),
        (Loading, {"stage": "load"}),
        (Reading, {"read": 50, "cached": 0, "total": 1_000}),
        (Reading, {"read": 900, "cached": 0, "total": 1_000}),
        (Delta, {"text": "Well"}),
    )
    assert err == (
        "Waiting for a free slot: place 2 in the queue.\n"
        "Fetching the model: 50% of 1.00 GB\n"
        "Loading the model.\n"
        "Reading the prompt: 50 of 1,000 tokens.\n"
    )
    assert out == "\n── 1. Thinker ──\nWell"


def test_in_a_terminal_progress_changes_in_place_and_makes_room_for_the_text() -> None:
    screen = Screen()
    transcript = Transcript(screen, screen)
    transcript.take(make(ModelCalled, 0))
    transcript.take(make(Reading, 1, read=50, cached=0, total=1_000))
    transcript.take(make(Reading, 2, read=900, cached=40, total=1_000))
    transcript.take(make(Delta, 3, text="Well"))
    assert screen.getvalue() == (
        "\n── 1. Thinker ──\n"
        "\r\x1b[2KReading the prompt: 50 of 1,000 tokens."
        "\r\x1b[2KReading the prompt: 900 of 1,000 tokens, 40 from its cache."
        "\r\x1b[2KWell"
    )


def test_in_a_terminal_a_model_that_loads_counts_its_seconds() -> None:
    screen = Screen()
    transcript = Transcript(screen, screen)
    transcript.take(make(ModelCalled, 0))
    for seq in (2, 13, 24):  # of which each is a tenth of a second
        transcript.take(make(Loading, seq, stage="load"))
    assert screen.getvalue().endswith(
        "\r\x1b[2KLoading the model.\r\x1b[2KLoading the model, 1 s.\r\x1b[2KLoading the model, 2 s."
    )


def test_warnings_and_retries_are_told_beside_the_text() -> None:
    retried = {"attempt": 2, "waited": 3.2, "error": ErrorInfo(code="x", message="Too busy.")}
    out, err = drawn(ModelCalled, (Retried, retried), Warned, Decision)
    assert err == "Trying again in 3 s (attempt 2): Too busy.\nWarning: Careful. Slow down.\n"
    limited = retried | {"error": ErrorInfo(code="rate_limited", message="Too busy.")}
    assert drawn(ModelCalled, (Retried, limited))[1] == "Trying again in 3 s (attempt 2 of 4): Too busy.\n"
    assert "Too busy" not in out


PROMPT = ({"role": "system", "content": "Judge."}, {"role": "user", "content": "Well?\nYes."})
BEFORE_CRITIC = {"node": "judge", "reason": "You chose to be asked.", "role": "critic", "messages": PROMPT}
BEFORE_TOOL = {
    "node": "act",
    "reason": "It needs your approval.",
    "role": "",
    "tool": "python",
    "arguments": {"code": "1"},
}


def test_a_pause_says_where_and_why_and_what_the_model_is_about_to_see() -> None:
    out, _ = drawn((Paused, BEFORE_CRITIC))
    assert out == (
        "\n── Waiting for you: before judge ──\nYou chose to be asked.\n"
        "The critic is about to be asked; the last of 2 messages:\nuser: Well?\nYes.\n"
    )


def test_a_pause_before_a_tool_shows_the_call_and_an_answer_that_did_not_fit() -> None:
    out, _ = drawn((Paused, {**BEFORE_TOOL, "draft": "2"}))
    assert out == (
        "\n── Waiting for you: before python ──\nIt needs your approval.\nYour answer was:\n2\n→ python(code=1)\n"
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"verb": "approve"}, "── You approved ──"),
        ({"verb": "edit", "text": "Shorter."}, "── You edited ──\nShorter."),
        ({"verb": "edit", "arguments": {"code": "2"}}, "── You edited ──\ncode=2"),
        ({"verb": "answer", "text": "42"}, "── You answered in its place ──"),
        ({"verb": "reject", "text": "Too long."}, "── You rejected ──\nToo long."),
        ({}, "── Resumed ──"),
    ],
)
def test_what_the_person_said_is_told(said: dict[str, Any], words: str) -> None:
    assert drawn((Paused, BEFORE_CRITIC), (Resumed, said))[0].endswith(f"\n{words}\n")


@pytest.mark.parametrize(("paused", "edit"), [(BEFORE_CRITIC, "--edit TEXT"), (BEFORE_TOOL, "--edit JSON")])
def test_a_run_that_waits_says_what_to_type(paused: dict[str, Any], edit: str) -> None:
    view = RunView.of([make(Paused, 0, **paused)])
    command = "  python -m workbench runs resume run "
    assert how_to_go_on(view).splitlines()[1:] == [
        command + way for way in ("--approve", edit, "--answer TEXT", "--reject WORD")
    ]
    view.apply(make(Resumed, 1))
    assert how_to_go_on(view) == ""


def test_what_the_person_did_in_the_models_place_is_marked() -> None:
    called = (ToolCalled, {"name": "python", "arguments": {"code": "1"}, "by_person": True})
    out, _ = drawn((ModelCalled, {"by_person": True}), (ModelAnswered, {"text": "No."}), called)
    assert out == "\n── 1. Thinker (by you) ──\nNo.\n→ python(code=1) (by you)\n"


def test_what_a_fork_took_over_is_marked_and_a_line_says_where_it_left() -> None:
    started = (RunStarted, {"parent_run": "ab12cd34ef56", "relation": "fork", "inherited": 2})
    own = [(ModelCalled, {"call_id": "c2"}), (Delta, {"call_id": "c2", "text": "New"})]
    out, _ = drawn(started, ModelCalled, (ModelAnswered, {"text": "Old."}), *own)
    assert out == (
        "\n── 1. Thinker (inherited) ──\nOld.\n\n── Forked here from run ab12cd34 ──\n\n── 2. Thinker ──\nNew"
    )


def test_the_thread_so_far_is_a_line_for_each_question() -> None:
    history = [{"question": "Who?\nSay.", "answer": "A " * 80}, {"question": "When?", "answer": ""}]
    out, _ = drawn((RunStarted, {"request": {"history": history}}), ModelCalled)
    first, second, *_ = out.splitlines()
    assert first.startswith("Earlier: Who? Say. → A A A") and first.endswith("A…") and len(first) < 130
    assert second == "Earlier: When? → (no answer)"


def test_a_long_run_is_written_at_the_pace_at_which_it_began() -> None:
    out = io.StringIO()
    transcript = Transcript(out, out)
    costs = []
    for number in range(1000):
        call = {"call_id": f"c{number}"}
        wanted: list[Any] = [(ModelCalled, call), *[(Delta, {**call, "text": "word "})] * 20, (ModelAnswered, call)]
        events = [make(kind, number * 22 + at, **changes) for at, (kind, changes) in enumerate(wanted)]
        began = time.process_time()
        for event in events:
            transcript.take(event)
        costs.append(time.process_time() - began)
    assert sum(costs[-200:]) < 3 * sum(costs[:200])
    assert "── 1000. Thinker ──" in out.getvalue()


def test_a_cut_answer_says_so() -> None:
    assert "cut at the token limit" in drawn(ModelCalled, (ModelAnswered, {"finish_reason": "length"}))[1]


@pytest.mark.parametrize(
    ("status", "words"),
    [("answered", "Answered"), ("stopped", "Stopped"), ("limit", "Limit reached"), ("failed", "Failed")],
)
def test_the_end_says_how_it_ended_and_what_it_cost(status: str, words: str) -> None:
    error = ErrorInfo(code="x", message="It broke.", hint="Mend it.") if status == "failed" else None
    out, err = drawn((RunFinished, {"status": status, "reason": "Because.", "error": error, "answer": "42"}))
    assert out == f"\n── {'Answer' if status == 'answered' else 'Best so far'} ──\n42\n"
    assert err.startswith(f"{words} after 2.0 s, 1 calls, 0 tokens written. Because.\n")
    assert err.endswith("It broke.\nMend it.\n") == (status == "failed")


def test_an_event_of_a_newer_version_is_passed_over() -> None:
    out = io.StringIO()
    Transcript(out, out).take(from_dict({"kind": "delta2", "run_id": "run", "seq": 0, "at": 0}))
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    "text", ["\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "\x08\x08", "a\rb", "\x00", "\x7f", "\u202etxt.exe", "\u2066"]
)
def test_a_model_cannot_steer_the_terminal(text: str) -> None:
    dangerous = set("\x1b\x07\x9b\x08\r\x00\x7f\u202e\u2066")
    called = (ToolCalled, {"arguments": {text: text}, "name": text})
    answer = (RunFinished, {"answer": text, "reason": text, "error": ErrorInfo(code="x", message=text, hint=text)})
    out, err = drawn(
        (ModelCalled, {"role": text}),
        (Delta, {"text": text}),
        (Card, {"title": text, "content": "x"}),
        called,
        Warned,
        answer,
    )
    assert not dangerous & set(out + err)


def test_harmless_text_is_left_as_it_is() -> None:
    assert harmless("a\tb\nc\r\nd é 日本 😀 \u200d \u2028") == "a\tb\nc\nd é 日本 😀 \u200d \u2028"


def test_what_is_no_json_object_has_nothing_to_read() -> None:
    assert [readable(text) for text in ("", "{", "[1", "12", "text", '{"a": tr', "{}")] == [""] * 7


def test_a_progress_line_that_was_never_shown_leaves_no_trace() -> None:
    screen = Screen()
    Progress(screen).clear()
    assert screen.getvalue() == ""
