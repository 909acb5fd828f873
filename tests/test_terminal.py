"""How a run is drawn in a terminal: text that only grows, and nothing that could steer the terminal."""

import io
import json
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
    Queued,
    Reading,
    Retried,
    RunFinished,
    ToolAnswered,
    ToolCalled,
    Warned,
    from_dict,
)
from workbench.terminal import Progress, Transcript, harmless, readable

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


def test_calls_that_write_at_once_are_kept_apart() -> None:
    second = {"call_id": "c2"}
    out, _ = drawn(
        ModelCalled,
        (Delta, {"text": "a1"}),
        (ModelCalled, {**second, "role": "critic"}),
        (Delta, {**second, "text": "b1"}),
        (Delta, {"text": "a2"}),
        (Delta, {**second, "text": "b2"}),
    )
    assert out == (
        "\n── 1. Thinker ──\na1\n\n── 2. Critic ──\nb1\n"
        "\n── 1. Thinker (continued) ──\na2\n\n── 2. Critic (continued) ──\nb2"
    )


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


def test_warnings_and_retries_are_told_beside_the_text() -> None:
    retried = {"attempt": 2, "waited": 3.2, "error": ErrorInfo(code="x", message="Too busy.")}
    out, err = drawn(ModelCalled, (Retried, retried), Warned, Decision)
    assert err == "Trying again in 3 s (attempt 2): Too busy.\nWarning: Careful. Slow down.\n"
    assert "Too busy" not in out


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
