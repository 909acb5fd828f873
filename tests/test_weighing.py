"""What a model is asked of its probabilities, on the scripted backend and on one that scores."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from workbench.backends.base import AnswerPart, ChatRequest, TokenLogprob
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.engine import Engine
from workbench.errors import InvalidRequest, RequestRefused
from workbench.events import TokenLogprob as Kept
from workbench.settings import Settings
from workbench.weighing import (
    GO_ON,
    Candidates,
    Classified,
    Scale,
    Scored,
    begin,
    classified,
    one,
    read_labels,
    read_texts,
    scored,
)


class Telling(ScriptedBackend):
    """Tells these alternatives for the first token of each answer; `asked` are the calls."""

    def __init__(self, tops: Callable[[str], dict[str, float]]) -> None:
        super().__init__(lambda request: ScriptedAnswer(text="x"))
        self.tops = tops
        self.asked: list[ChatRequest] = []

    async def chat(self, request: ChatRequest) -> Any:
        self.asked.append(request)
        ranked = sorted(self.tops(request.messages[-1].content).items(), key=lambda item: -item[1])
        top = tuple((text, math.log(p)) for text, p in ranked)
        tokens = (TokenLogprob(token=top[0][0], logprob=top[0][1], top=top),) if top else None
        yield AnswerPart(text=top[0][0] if top else "?", finish_reason="length", logprobs=tokens)


class Scoring(Telling):
    """Tells of a given text too."""

    refuses = False

    async def score(self, request: ChatRequest, answer: str) -> tuple[TokenLogprob, ...]:
        value = -1.0 if "France" in request.messages[-1].content else -2.0
        return tuple(TokenLogprob(token=word, logprob=value) for word in (answer,))

    async def next_tokens(self, request: ChatRequest, begun: str) -> tuple[tuple[str, float], ...]:
        if self.refuses:
            raise RequestRefused("The server at x does not tell the probabilities of a given text.", "Choose another.")
        return ((f"{len(begun)}", -0.5), ("", -2.0))


@pytest.fixture
def scale(settings: Settings) -> Iterator[Callable[[Any], Scale]]:
    engines = []

    def made(backend: Any) -> Scale:
        engines.append(Engine(settings, {"fake": backend}))
        scale = Scale(engines[-1], "fake", "demo")
        scale.engine = engines[-1]  # type: ignore[attr-defined]
        return scale

    yield made
    for engine in engines:
        engine.close()


def run(scale: Any, asking: Any) -> Any:
    return scale.engine.on_loop(asking, 20)


def letters(prompt: str, mass: dict[str, float]) -> dict[str, float]:
    """The letters that stand before labels in a prompt, with the probabilities of these."""
    found = dict(line.split(") ", 1) for line in prompt.splitlines() if ") " in line)
    return {letter: mass[label] for letter, label in found.items()}


def test_labels_get_their_probabilities_whatever_letter_stands_before_them(scale: Any) -> None:
    backend = Telling(lambda prompt: letters(prompt, {"good": 0.6, "bad": 0.2}) | {"The": 0.2})
    found = run(at := scale(backend), at.classify("I like it.", ["bad", "good"]))
    assert [(share.name, round(share.probability, 3)) for share in found.found.shares] == [
        ("good", 0.75),
        ("bad", 0.25),
    ]
    assert found.found.outside == pytest.approx(0.2, abs=1e-3)
    assert "A) bad\nB) good" in found.sent[0] and "A) good\nB) bad" in found.sent[1]
    assert [call.max_tokens for call in backend.asked] == [1, 1] and backend.asked[0].top_logprobs == 20


def test_a_liking_for_the_first_letter_evens_out(scale: Any) -> None:
    backend = Telling(lambda prompt: {"A": 0.8, "B": 0.2})
    found = run(at := scale(backend), at.classify("Either.", ["one", "two"]))
    assert [share.probability for share in found.found.shares] == pytest.approx([0.5, 0.5])


def test_an_answer_beside_all_labels_chooses_none_and_all_is_outside(scale: Any) -> None:
    found = run(at := scale(Telling(lambda prompt: {"The": 1.0})), at.classify("Hm.", ["one", "two"]))
    assert found.found.best is None and found.found.outside == pytest.approx(1.0)


def test_how_sure_the_model_is_that_a_passage_is_enough(scale: Any) -> None:
    backend = Telling(lambda prompt: {"Yes": 0.3, " yes": 0.1, "No": 0.1})
    found = run(at := scale(backend), at.enough("The sea is blue.", "What colour is the sea?"))
    assert found.yes == pytest.approx(0.8, abs=1e-3) and "The sea is blue." in found.sent
    assert [turn.content for turn in backend.asked[0].messages if turn.role == "assistant"].count("No") == 1


def test_what_comes_next_is_told_by_a_backend_that_scores(scale: Any) -> None:
    found = run(at := scale(Scoring(lambda prompt: {"x": 1.0})), at.next_tokens("A b"))
    assert found == Candidates("A b", (("3", -0.5), ("", -2.0)))


@pytest.mark.parametrize("refuses", [True, False], ids=["a server that refuses", "a backend without"])
def test_elsewhere_the_model_is_asked_to_go_on_and_that_is_said(scale: Any, refuses: bool) -> None:
    backend = (Scoring if refuses else Telling)(lambda prompt: {"moon": 0.6, ".": 0.4})
    if isinstance(backend, Scoring):
        backend.refuses = True
    found = run(at := scale(backend), at.next_tokens("To the"))
    assert found.asked and [text for text, _ in found.tops] == [" moon", "."]
    assert backend.asked[-1].messages[-1].content == GO_ON.format(begun="To the")


def test_without_probabilities_it_says_so_and_what_to_do(scale: Any) -> None:
    with pytest.raises(RequestRefused, match="demo told no probabilities") as caught:
        run(at := scale(Telling(lambda prompt: {})), at.classify("x", ["a", "b"]))
    assert "another model" in caught.value.hint


def test_a_backend_that_cannot_score_names_those_that_can(scale: Any) -> None:
    with pytest.raises(RequestRefused, match="does not tell the probabilities of a given text") as caught:
        run(at := scale(Telling(lambda prompt: {"x": 1.0})), at.score("p", "a"))
    assert "embedded engine" in caught.value.hint


def test_the_same_answer_after_two_prompts(scale: Any) -> None:
    at = scale(Scoring(lambda prompt: {"x": 1.0}))
    weighing = begin(at.engine, "compare", 2, scored([(at, "Of France?"), (at, "Of bread?")], "Paris."))
    assert weighing.future is not None
    weighing.future.result(20)
    assert weighing.results == [
        Scored("demo", "Of France?", (Kept("Paris.", -1.0),)),
        Scored("demo", "Of bread?", (Kept("Paris.", -2.0),)),
    ]
    assert not weighing.running and not weighing.stopped and weighing.error is None


def test_an_error_keeps_what_was_found_before_it(scale: Any) -> None:
    at = scale(Telling(lambda prompt: letters(prompt, {"a": 0.5, "b": 0.5}) if "fine" in prompt else {}))
    weighing = begin(at.engine, "classify", 2, classified(at, ["fine", "broken"], ["a", "b"]))
    assert weighing.future is not None
    weighing.future.result(20)
    assert [found.text for found in weighing.results if isinstance(found, Classified)] == ["fine"]
    assert weighing.error is not None and "told no probabilities" in weighing.error.message


def test_what_is_stopped_ends_its_call(scale: Any) -> None:
    script = ScriptedBackend(lambda request: ScriptedAnswer(text="late", delay=60, logprobs=(-0.1,)))
    at = scale(script)
    weighing = begin(at.engine, "enough", 1, one(at.enough("p", "q")))
    weighing.stop()
    assert weighing.stopped and not weighing.running and weighing.results == []


def test_labels_and_texts_are_read_by_line_or_comma_and_what_is_wrong_is_said() -> None:
    assert read_labels("a, b ,a,") == ["a", "b"] and read_labels("one, two\nthree") == ["one, two", "three"]
    assert read_texts(" a \n\nb") == ["a", "b"]
    for wrong in ("", "only", ",".join(map(str, range(27)))):
        with pytest.raises(InvalidRequest, match="labels are given"):
            read_labels(wrong)
    with pytest.raises(InvalidRequest, match="no text"):
        read_texts(" \n ")
    with pytest.raises(InvalidRequest, match="201 texts"):
        read_texts("a\n" * 201)
