"""Answers that must fit a schema: validate, tell the model what was wrong, grow the limit, give up honestly."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel, ValidationError

from agents.contract import Answer
from workbench import latex
from workbench.errors import StructuredOutputError

RETRIES = 3
GROWTH = 2
SHOWN = 1_500  # characters of a wrong answer that the model is shown again

AskOnce = Callable[[Sequence[BaseMessage], int], Awaitable[Answer]]
OnRetry = Callable[[Answer, str, int, str], None]


async def ask(
    ask_once: AskOnce, on_retry: OnRetry, messages: Sequence[BaseMessage], schema: type[BaseModel], max_tokens: int
) -> Answer:
    """An answer whose `parsed` is an instance of `schema`.

    An invalid answer is sent back with the error, at most 3 times, one that was cut with twice the token limit; then
    StructuredOutputError is raised.
    """
    told: list[BaseMessage] = []
    for attempt in range(1, RETRIES + 2):
        answer = await ask_once([*messages, *told], max_tokens)
        parsed, wrong = read(answer, schema)
        if parsed is not None:
            return answer.model_copy(update={"parsed": parsed})
        if attempt > RETRIES:
            break
        remark = advise(wrong, answer, max_tokens)
        on_retry(answer, wrong, attempt + 1, remark)
        told = [AIMessage(answer.text[:SHOWN] or "(nothing)"), HumanMessage(remark)]
        max_tokens *= GROWTH if answer.finish_reason == "length" else 1
    raise StructuredOutputError(f"The model's answer did not fit the schema after {RETRIES} retries: {wrong}")


def told(messages: Sequence[BaseMessage], json_schema: Mapping[str, Any]) -> list[BaseMessage]:
    """The messages with the schema told in the last one, for a model that is not held to it."""
    schema = json.dumps(json_schema, ensure_ascii=False)
    words = f"Answer with one JSON object alone, without any other text. It must fit this JSON schema:\n{schema}"
    if messages and isinstance(last := messages[-1], HumanMessage):
        return [*messages[:-1], HumanMessage(f"{last.text}\n\n{words}")]
    return [*messages, HumanMessage(words)]


def read(answer: Answer, schema: type[BaseModel]) -> tuple[BaseModel | None, str]:
    """The parsed answer, or None and what is wrong with it in a sentence."""
    if answer.finish_reason == "length":
        return None, f"it was cut after {answer.completion_tokens or 'too many'} tokens"
    if answer.finish_reason == "loop":
        return None, "it repeated itself without an end"
    try:
        return schema.model_validate_json(latex.kept(_unfenced(answer.text))), ""
    except ValidationError as error:
        return None, "; ".join(_sentence(dict(problem)) for problem in error.errors()[:3])


def advise(wrong: str, answer: Answer, max_tokens: int) -> str:
    """What the model is told after a wrong answer."""
    if answer.finish_reason == "length":
        return f"Your answer was cut after {max_tokens} tokens. Answer again, shorter, with one complete JSON object."
    if answer.finish_reason == "loop":
        return "Your answer repeated itself without an end. Answer again, briefly, with one complete JSON object."
    return f"Your answer was not valid: {wrong}. Answer again with only one JSON object that fits."


def _unfenced(text: str) -> str:
    """The text without a surrounding Markdown fence, which models without schema support like to add."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") + 1 : -3]
    return text


def _sentence(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
