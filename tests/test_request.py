"""What may be asked for, and the sentence that a person reads when it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from workbench.request import MAX_QUESTION_BYTES, ModelSettings, RunRequest


def ask(question: str, **more: Any) -> RunRequest:
    return RunRequest(machine="stepwise", question=question, backend="scripted", model="demo", **more)


def why_not(question: str) -> str:
    with pytest.raises(ValidationError) as caught:
        ask(question)
    return str(caught.value.errors()[0]["ctx"]["error"])


@pytest.mark.parametrize("question", ["", "   ", "\n\t ", "\u3000"])
def test_an_empty_question_asks_for_one(question: str) -> None:
    assert why_not(question) == "The question is empty. Type what you want to know."


def test_a_nul_character_is_named() -> None:
    assert "NUL" in why_not("a\x00b")


@pytest.mark.parametrize("question", ["\ud800", "a\udfffb", "\ude00\ud83d"])
def test_half_a_surrogate_pair_is_named(question: str) -> None:
    assert "surrogate" in why_not(question)


def test_a_question_of_a_mebibyte_is_refused_with_its_size_and_another_way() -> None:
    said = why_not("x" * 1024 * 1024)
    assert "1,024 KiB" in said
    assert "256 KiB" in said
    assert "documents" in said


def test_the_limit_counts_bytes_not_characters() -> None:
    assert ask("x" * MAX_QUESTION_BYTES).question
    assert "KiB" in why_not("é" * (MAX_QUESTION_BYTES // 2 + 1))
    assert ask("é" * (MAX_QUESTION_BYTES // 2)).question


def test_space_around_a_question_is_dropped_and_what_is_in_it_is_kept() -> None:
    assert ask("  two\n\nlines {x} 😀 <b>\n").question == "two\n\nlines {x} 😀 <b>"


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"seed": -1},
        {"seed": 2**31},
        {"max_tokens": 15},
        {"max_tokens": 32_769},
        {"context_window": 511},
        {"unknown": 1},
    ],
)
def test_settings_outside_their_bounds_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError) as caught:
        ask("Why?", settings=settings)
    assert caught.value.errors()[0]["loc"] == ("settings", *settings)


def test_settings_at_their_bounds_are_taken() -> None:
    for settings in ({"temperature": 0}, {"temperature": 2}, {"top_p": 1}, {"seed": 0}, {"max_tokens": 16}):
        assert ask("Why?", settings=settings).settings == ModelSettings.model_validate(settings)


def test_a_request_comes_back_from_json_as_it_was() -> None:
    request = ask("Why?", options={"tools": ["clock"], "rounds": 3}, settings={"seed": 7, "temperature": 0.5})
    assert RunRequest.model_validate_json(request.model_dump_json()) == request


def test_a_request_has_no_other_fields_and_does_not_change() -> None:
    with pytest.raises(ValidationError):
        ask("Why?", password="x")
    with pytest.raises(ValidationError):
        ask("Why?").question = "What?"  # type: ignore[misc]
