"""The Confidence page as a person uses it, on the scripted backend made to tell probabilities."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import ask as ask_bench
from tests.pages.driving import html
from workbench import events
from workbench.backends import scripted
from workbench.backends.base import ChatRequest, TokenLogprob
from workbench.backends.scripted import ScriptedBackend
from workbench.confidence import Share, Shares
from workbench.ui.weighed import compared_html, judged_html
from workbench.weighing import Judged, Scored

NEXT = ((" a", math.log(0.5)), (" \ufffd", math.log(0.2)), ("", math.log(0.1)))


class Scoring(ScriptedBackend):
    """A script that tells of a given text too."""

    async def next_tokens(self, request: ChatRequest, begun: str) -> tuple[tuple[str, float], ...]:
        return NEXT

    async def score(self, request: ChatRequest, answer: str) -> tuple[TokenLogprob, ...]:
        value = -0.1 if "France" in request.messages[-1].content else -2.3
        return tuple(TokenLogprob(token=piece, logprob=value) for piece in (answer[:5], answer[5:]))


def choose(at: AppTest, use: str) -> AppTest:
    at.switch_page("pages/confidence.py").run()
    return at.segmented_control(key="use").set_value(use.capitalize()).run()


@pytest.fixture
def page(app: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def opened(answers: list[Any], use: str = "classify") -> AppTest:
        monkeypatch.setattr(scripted, "ScriptedBackend", Scoring)
        at = app(answers)
        return choose(at, use)

    return opened


def ask(at: AppTest) -> AppTest:
    at.button(key="weigh-ask").click().run()
    assert not at.exception
    return at


def test_texts_are_classified_one_after_the_other_and_what_was_sent_can_be_read(page: Any) -> None:
    at = ask(page([{"text": "A", "logprobs": [-0.1]}, {"text": "C", "logprobs": [-0.2]}] * 2))
    drawn = html(at)
    assert drawn.count("likeliest</span>") == 2 and "positive" in drawn and "I could watch this film" in drawn
    assert "A) positive\nB) negative\nC) neutral" in drawn and "not among" not in drawn
    at.run()
    assert html(at).count("likeliest</span>") == 2, "what was found stays"


def test_what_cannot_be_read_is_said_and_nothing_is_lost(page: Any) -> None:
    at = page([])
    at.text_input(key="weigh-labels").set_value("just one")
    ask(at)
    assert "1 labels are given" in at.error[0].value and at.text_input(key="weigh-labels").value == "just one"


def test_a_failure_is_a_failure_and_keeps_what_was_found(page: Any) -> None:
    sure = [{"text": "A", "logprobs": [-0.1]}, {"text": "C", "logprobs": [-0.2]}]
    at = ask(page([*sure, {"text": "", "error": "server_fault"}]))
    assert html(at).count("likeliest</span>") == 1 and at.error


def test_a_passage_that_is_not_enough(page: Any) -> None:
    drawn = html(ask(page([{"text": "No", "logprobs": [-0.2]}], "enough")))
    assert "not enough, sure to 1.00" in drawn and "No, something is missing" in drawn
    assert "gave .18 to something else" in drawn


def test_a_sentence_is_completed_token_by_token_and_taken_back(page: Any) -> None:
    at = ask(page([], "complete"))
    labels = [at.button(key=f"take-{number}").label for number in range(3)]
    assert "“ a” .50" in labels[0].replace("\\", "") and "part of a character" in labels[1].replace("\\", "")
    assert [at.button(key=f"take-{number}").disabled for number in range(3)] == [False, True, True]
    at.button(key="take-0").click().run()
    at.button(key="take-0").click().run()
    assert "2 tokens chosen; the path has the probability .25" in html(at) and not at.exception
    at.button(key="take-back").click().run()
    assert "1 token chosen; the path has the probability .50" in html(at)


def test_the_same_answer_after_two_prompts_is_compared_by_perplexity(page: Any) -> None:
    drawn = html(ask(page([], "compare")))
    assert "1.11" in drawn and "9.97" in drawn and drawn.count("wb-heat") == 2
    row = drawn[drawn.index("<b>A</b>") : drawn.index("<b>B</b>")]
    assert "expects it more" in row


def test_an_answer_that_is_cut_otherwise_is_compared_by_its_characters_and_equals_are_not_told_apart() -> None:
    by_one = Scored("a", "p", tuple(events.TokenLogprob("x", -math.log(3)) for _ in range(10)))
    by_two = Scored("b", "p", tuple(events.TokenLogprob("xx", -math.log(4)) for _ in range(5)))
    first, second = compared_html([by_one, by_two]).split("<b>B</b>")
    assert "expects it more" in second and "expects it more" not in first
    assert "expects it more" not in compared_html([by_one, by_one])


def test_a_backend_that_cannot_score_says_so_before_it_is_asked(app: Any) -> None:
    at = app([])
    choose(at, "compare")
    assert "does not tell the probabilities of a given text" in at.warning[0].value
    assert "probabilities of a given text" in ask(at).error[0].value


def test_a_model_that_is_of_two_minds_is_not_said_to_be_sure() -> None:
    found = Judged("p", "q", Shares((Share("Yes", 0.57), Share("No", 0.43)), 0.0), "sent")
    assert "<p>unsure: .57 that it is enough</p>" in judged_html(found)
    sure = Judged("p", "q", Shares((Share("No", 0.9), Share("Yes", 0.1)), 0.0), "sent")
    assert "<p>not enough, sure to .90</p>" in judged_html(sure)


def test_the_bench_draws_a_heat_map_only_while_its_switch_is_on(app: Callable[..., AppTest]) -> None:
    at = app([{"text": "A blue whale.", "logprobs": [-0.1, -2.0, -0.1]}])
    at.pills(key="machine").set_value("direct").run()
    ask_bench(at, "What swims?")
    assert not at.toggle(key="heat").value and "wb-heat" not in html(at)
    at.toggle(key="heat").set_value(True).run()
    assert 'class="wb-q4"' in html(at) and "p .14" in html(at) and not at.exception
    at.toggle(key="heat").set_value(False).run()
    assert "wb-heat" not in html(at)


def test_the_bench_has_no_such_switch_where_no_probabilities_are_told(app: Callable[..., AppTest]) -> None:
    at = app([{"text": "A blue whale."}])
    at.pills(key="machine").set_value("direct").run()
    ask_bench(at, "What swims?")
    assert "heat" not in [toggle.key for toggle in at.toggle]
