"""Answers that must fit a schema: what is taken, what is sent back, and when it is given up."""

from typing import Literal

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from agents.contract import Answer
from workbench import structured
from workbench.errors import StructuredOutputError


class Verdict(BaseModel):
    score: int
    verdict: Literal["accept", "revise"]


GOOD = '{"score": 8, "verdict": "accept"}'


class Model:
    """Gives these answers in order and remembers what it was asked."""

    def __init__(self, *answers: str | Answer) -> None:
        self.answers = [a if isinstance(a, Answer) else Answer(call_id=f"c{n}", text=a) for n, a in enumerate(answers)]
        self.asked: list[tuple[list[str], int]] = []
        self.retries: list[tuple[str, int, str]] = []

    async def __call__(self, messages, tokens):
        self.asked.append(([m.text for m in messages], tokens))
        return self.answers[len(self.asked) - 1]

    def note(self, answer, wrong, attempt, told):
        self.retries.append((wrong, attempt, told))

    async def ask(self):
        return await structured.ask(self, self.note, [HumanMessage("Judge.")], Verdict, 100)


async def test_a_valid_answer_is_parsed():
    model = Model(GOOD)
    assert (await model.ask()).parsed == Verdict(score=8, verdict="accept")
    assert model.retries == []


async def test_a_markdown_fence_around_the_object_is_no_fault():
    assert (await Model(f"```json\n{GOOD}\n```").ask()).parsed.score == 8


async def test_the_error_is_told_and_the_limit_stays():
    model = Model('{"score": "high", "verdict": "accept"}', GOOD)
    await model.ask()
    (wrong, attempt, told) = model.retries[0]
    assert attempt == 2 and "score" in wrong and "score" in told
    messages, tokens = model.asked[1]
    assert messages[0] == "Judge." and messages[-1] == told and tokens == 100


async def test_only_a_cut_answer_gets_a_larger_limit():
    cut = Answer(call_id="c", text='{"score": 8, "verd', finish_reason="length", completion_tokens=100)
    model = Model(cut, cut, GOOD)
    await model.ask()
    assert [tokens for _, tokens in model.asked] == [100, 200, 400]
    assert "cut after 100 tokens" in model.retries[0][0]


async def test_a_valid_looking_object_that_was_cut_is_not_taken():
    cut = Answer(call_id="c", text=GOOD, finish_reason="length")
    model = Model(cut, GOOD)
    await model.ask()
    assert len(model.asked) == 2


async def test_an_answer_that_went_round_in_circles_is_told_so_with_the_same_limit():
    model = Model(Answer(call_id="c", text=GOOD, finish_reason="loop"), GOOD)
    await model.ask()
    assert [tokens for _, tokens in model.asked] == [100, 100]
    assert "repeated itself" in model.asked[1][0][-1]


async def test_a_long_wrong_answer_is_shown_again_only_in_part():
    model = Model("x" * 10_000, GOOD)
    await model.ask()
    assert len(model.asked[1][0][1]) == structured.SHOWN


async def test_it_gives_up_after_three_retries_with_the_last_fault():
    model = Model("a", "b", "c", "d", GOOD)
    with pytest.raises(StructuredOutputError, match="after 3 retries"):
        await model.ask()
    assert len(model.asked) == 4 and [attempt for _, attempt, _ in model.retries] == [2, 3, 4]
