"""How many of twenty answers fit a schema: with the server held to it, and with the prompt alone telling it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel

from agents.contract import Answer, Rate
from workbench import structured
from workbench.backends import thinking
from workbench.bench import to_message
from workbench.errors import RequestRefused, StructuredOutputError
from workbench.probe.asking import Asker, Heard
from workbench.probe.rates import rate
from workbench.probe.report import Depth, Schema
from workbench.probe.schema_tasks import TASKS, Task

TOLD_TASKS: dict[Depth, int] = {"quick": 8, "full": len(TASKS)}
# After which no further task is begun: where the server holds the answers, and where the prompt tells the schema.
HELD_SECONDS: dict[Depth, float] = {"quick": 300.0, "full": 1_200.0}
TOLD_SECONDS: dict[Depth, float] = {"quick": 120.0, "full": 1_200.0}
TOKENS = 200


@dataclass
class Count:
    """So many answers were valid at once, and so many in the end."""

    at_once: int = 0
    in_the_end: int = 0
    of: int = 0
    turned_down: int = 0

    def rates(self) -> tuple[Rate | None, Rate | None]:
        """At once and in the end, where anything was asked."""
        return (rate(self.at_once, self.of), rate(self.in_the_end, self.of)) if self.of else (None, None)


async def check(asker: Asker) -> Schema:
    """Held to the schema first; then told it."""
    refused = False
    try:
        held = await _count(asker, TASKS, held=True)
    except RequestRefused:
        asker.conclude("The server refuses to hold its answers to a schema.")
        held, refused = Count(), True
    told = await _count(asker, TASKS[: TOLD_TASKS[asker.depth]], held=False)
    at_once, in_the_end = held.rates()
    told_at_once, told_in_the_end = told.rates()
    return Schema(
        held=at_once,
        held_retried=in_the_end,
        told=told_at_once,
        told_retried=told_in_the_end,
        refused=refused,
        turned_down=held.turned_down,
    )


async def _count(asker: Asker, tasks: Sequence[Task], held: bool) -> Count:
    """As a run asks, retries and all, until the time is up. Raises RequestRefused where nothing was taken before."""
    count, began = Count(), time.monotonic()
    for form, question in tasks:
        if time.monotonic() - began > (HELD_SECONDS if held else TOLD_SECONDS)[asker.depth]:
            break
        try:
            attempts = await _attempts(asker, form, question, held)
        except RequestRefused:
            if count.of == count.turned_down:
                raise
            asker.conclude("The server refuses this one alone: it counts as not valid.")
            attempts, count.turned_down = 0, count.turned_down + 1
        count.of += 1
        count.at_once += attempts == 1
        count.in_the_end += attempts > 0
    return count


async def _attempts(asker: Asker, form: type[BaseModel], question: str, held: bool) -> int:
    """How many answers it took until one was valid; 0 when none was."""
    schema, made = form.model_json_schema(), 1

    async def once(messages: Sequence[BaseMessage], tokens: int) -> Answer:
        wanted = {"json_schema": schema} if held else {}
        heard = await asker.hear([to_message(message) for message in messages], max_tokens=tokens, **wanted)
        return _answer(heard)

    def again(answer: Answer, wrong: str, attempt: int, told: str) -> None:
        nonlocal made
        made = attempt
        asker.conclude(f"Not valid: {wrong}.")

    messages = [HumanMessage(question)]
    try:
        await structured.ask(once, again, messages if held else structured.told(messages, schema), form, TOKENS)
    except StructuredOutputError as error:
        asker.conclude(error.message)
        return 0
    asker.conclude("Valid.")
    return made


def _answer(heard: Heard) -> Answer:
    said = heard.answer
    text = said.text if said.thinking else thinking.split(said.text)[1]
    tokens = said.completion_tokens
    return Answer(call_id="", text=text, finish_reason=said.finish_reason, completion_tokens=tokens)
