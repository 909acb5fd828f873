"""How a model calls a tool that it is offered: by itself, as text, or not at all."""

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.backends.base import AnswerPart, ToolSpec
from workbench.errors import RequestRefused
from workbench.probe.asking import Asker
from workbench.probe.rates import rate
from workbench.probe.report import Tools

Way = Literal["native", "wrong", "text", "none"]
SAYS: dict[Way, str] = {
    "native": "It called the right tool, with arguments that fit.",
    "wrong": "It called a tool, but the wrong one or with arguments that do not fit.",
    "text": "It wrote the call as text: no call arrived.",
    "none": "It called no tool.",
}
# A call, not a word before a bracket in a sentence: its first argument has a name or quotes.
_CALLED = r"\b({names})\(\s*(?:\w+\s*[=:]|[\"'])"
_NAMED = r"[\"']?(?:name|function|tool|action)[\"']?\s*:\s*[\"']({names})[\"']"
_TAGGED = r"<(?:tool_call|function_call|function)[=>]"


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Weather(_Arguments):
    """The weather in a city on a day."""

    city: str = Field(min_length=1, description="The name of the city.")
    day: Literal["today", "tomorrow"] = Field(description="Which day.")


class Convert(_Arguments):
    """Converts an amount of money into another currency at today's rate."""

    amount: float = Field(description="How much.")
    source: str = Field(min_length=3, max_length=3, description="The currency it is in, as three letters.")
    target: str = Field(min_length=3, max_length=3, description="The currency that is wanted, as three letters.")


OFFERED: dict[str, type[_Arguments]] = {"weather": Weather, "convert": Convert}
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("What will the weather be like in Oslo tomorrow?", "weather"),
    ("How many yen (JPY) do I get for 250 euros (EUR)?", "convert"),
    ("Do I need an umbrella in Lisbon today?", "weather"),
    ("What are 80 US dollars (USD) in Swiss francs (CHF) right now?", "convert"),
    ("Will it snow in Quebec tomorrow?", "weather"),
    ("Convert 1200 Swedish kronor (SEK) into pounds (GBP).", "convert"),
)


async def check(asker: Asker) -> Tools:
    """Six questions that need one of two tools."""
    specs = tuple(_spec(name, arguments) for name, arguments in OFFERED.items())
    counts: dict[Way, int] = dict.fromkeys(SAYS, 0)
    for question, wanted in QUESTIONS:
        try:
            heard = await asker.ask(question, tools=specs, max_tokens=200)
        except RequestRefused:
            asker.conclude("The server refuses to offer tools to this model.")
            return Tools(native=rate(0, len(QUESTIONS)), wrong=0, text=0, none=len(QUESTIONS), refused=True)
        way = way_of(heard.answer, wanted)
        counts[way] += 1
        asker.conclude(SAYS[way])
    native = rate(counts.pop("native"), len(QUESTIONS))
    return Tools(native=native, wrong=counts["wrong"], text=counts["text"], none=counts["none"])


def way_of(answer: AnswerPart, wanted: str) -> Way:
    """How this answer calls the tool that is wanted."""
    if answer.tool_calls:
        call = answer.tool_calls[0]
        return "native" if call.name == wanted and _fits(wanted, call.arguments) else "wrong"
    return "text" if is_written_call(answer.text) else "none"


def is_written_call(text: str) -> bool:
    """Whether a text holds a call of one of the tools: as JSON, in a fence, between tags, or as a function's."""
    names = "|".join(OFFERED)
    named = any(re.search(pattern.format(names=names), text, re.IGNORECASE) for pattern in (_NAMED, _TAGGED))
    return named or bool(re.search(_CALLED.format(names=names), text)) or _bare(text)


def _bare(text: str) -> bool:
    """A JSON object with a tool's arguments alone."""
    for found in re.findall(r"\{[^{}]*\}", text):
        try:
            value = json.loads(found)
        except ValueError:
            continue
        if any(_fits(name, value) for name in OFFERED):
            return True
    return False


def _fits(name: str, arguments: Any) -> bool:
    try:
        OFFERED[name].model_validate(arguments)
    except ValidationError:
        return False
    return True


def _spec(name: str, arguments: type[_Arguments]) -> ToolSpec:
    return ToolSpec(name=name, description=arguments.__doc__ or "", parameters=arguments.model_json_schema())
