"""The three ways in which a model may say a ReAct step: constrained JSON, native tool calls, the paper's plain text."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage
from pydantic import BaseModel, Field, ValidationError, create_model

from agents.contract import Answer, Bench

FINISH = "finish"
_FIGURES = re.compile(r"\d+")


class Action(BaseModel):
    """What to do next; `problem` says why a step could not be read, and is then the observation."""

    name: str
    input: str | dict[str, Any] = ""
    call_id: str = ""
    problem: str = ""

    def and_what_came(self, observation: str) -> str:
        """The same action with the same input, of which came the same but for its figures, is the same text.

        A clock that is asked again tells other figures and nothing new; a lookup goes on to the next sentence.
        """
        return json.dumps([self.name, self.input, _FIGURES.sub("0", observation)], sort_keys=True)


Dialect = Callable[[Bench, list[AnyMessage], int, list[str]], Awaitable[tuple[AIMessage, Action]]]
Schema = Callable[[list[str]], type[BaseModel]]


def step_schema(tools: list[str]) -> type[BaseModel]:
    """A step as JSON: a thought, one of the tools (or finish), and its input."""
    names: Any = Literal[tuple([*tools, FINISH])]
    return create_model("Step", thought=(str, Field(min_length=1)), action=(names, ...), input=(str, ...))


def action_schema(tools: list[str]) -> type[BaseModel]:
    """An action as JSON, without a thought: one of the tools (or finish), and its input."""
    names: Any = Literal[tuple([*tools, FINISH])]
    return create_model("Step", action=(names, ...), input=(str, ...))


async def as_json(
    bench: Bench, messages: list[AnyMessage], number: int, tools: list[str], schema: Schema = step_schema
) -> tuple[AIMessage, Action]:
    """The step as a schema-constrained JSON object, with a thought or without one, as the schema has it."""
    answer = await bench.ask("actor", messages, schema=schema(tools))
    step = answer.parsed
    value, thought = without_json_tail(step.input), getattr(step, "thought", "")
    found = {"candidate": value} if step.action == FINISH else {}
    bench.card(f"Step {number}: {step.action}", thought, answer=answer, action=step.action, input=value, **found)
    said = answer.text if value == step.input else json.dumps(step.model_dump() | {"input": value}, ensure_ascii=False)
    return AIMessage(said), Action(name=step.action, input=value)


def without_json_tail(text: str) -> str:
    """The input without a closing quote and brace of the object around it, which small models write into the string."""
    while text.rstrip().endswith("}") and text.count("}") > text.count("{"):
        text = text.rstrip()[:-1].rstrip()
        text = text[:-1] if text.count('"') % 2 and text.endswith('"') else text
    return text


async def as_text(bench: Bench, messages: list[AnyMessage], number: int, tools: list[str]) -> tuple[AIMessage, Action]:
    """The step as `Thought / Action / Action Input`, or `Final Answer`; generation stops before an observation."""
    answer = await bench.ask("actor", messages, stop=["\nObservation:", "Observation:"])
    thought, action = read_text_step(answer.text)
    title = f"Step {number}: {action.name or 'unreadable'}"
    found = {"candidate": action.input} if action.name == FINISH else {}
    bench.card(title, thought, answer=answer, action=action.name, input=action.input, **found)
    return AIMessage(answer.text.strip() or "(nothing)"), action


LABELS = r"(?=^[ \t]*(?:Thought|Action|Action Input|Observation|Final Answer):|\Z)"
FINAL = re.compile(r"^[ \t]*Final Answer:\s*(\S.*)", re.MULTILINE | re.DOTALL)
CALLED = re.compile(
    rf"^[ \t]*Action:[ \t]*(\S[^\n]*?)[ \t]*\n\s*Action Input:[ \t]*(.*?){LABELS}", re.MULTILINE | re.DOTALL
)


def read_text_step(text: str) -> tuple[str, Action]:
    """The thought and the action in a plain-text step: whichever of action and final answer comes first."""
    final, called = FINAL.search(text), CALLED.search(text)
    first = min((match for match in (final, called) if match), key=lambda match: match.start(), default=None)
    thought = re.sub(r"^\s*Thought:\s*", "", text[: first.start()] if first else text).strip()
    if first is None:
        problem = "Your step has no Action with an Action Input, and no Final Answer. Write one of the two."
        return thought, Action(name="", problem=problem)
    if first is final:
        return thought, Action(name=FINISH, input=first.group(1).strip())
    return thought, Action(name=first.group(1).strip(), input=_unfenced(first.group(2)))


async def as_native(
    bench: Bench, messages: list[AnyMessage], number: int, tools: list[str]
) -> tuple[AIMessage, Action]:
    """The step as a tool call in the model's own format; an answer without one is the final answer."""
    answer = await bench.ask("actor", messages, tools=tools)
    action = read_native_step(answer, tools)
    if answer.tool_calls and action.name in bench.options.tools and action.name not in tools:
        action.problem = _not_offered(action.name, tools)  # it would run; an unknown tool says itself that it is none
    if action.call_id and not answer.tool_calls:
        bench.warn("tool_call_as_text", "The model wrote its tool call as text; it was taken as a call.")
    elif action.problem and answer.tool_calls:
        bench.warn("tool_not_offered", action.problem)
    elif action.problem:
        bench.warn("tool_call_as_text", action.problem, "Choose the json dialect for this model.")
    content = answer.text if action.name == FINISH or answer.tool_calls else "A tool call."
    bench.card(f"Step {number}: {action.name or 'unreadable'}", content, answer=answer, action=action.name)
    calls = [{"name": action.name, "args": action.input, "id": action.call_id}] if action.call_id else []
    return AIMessage(answer.text if not calls else "", tool_calls=calls), action


def read_native_step(answer: Answer, tools: list[str]) -> Action:
    """The first tool call, one written as text if it is exactly that, or the final answer."""
    if answer.tool_calls:
        call = answer.tool_calls[0]
        return Action(name=call.name, input=call.arguments, call_id=call.id)
    written = _json_object(_unfenced(answer.text))
    if written is None or "name" not in written:
        return Action(name=FINISH, input=answer.text.strip())
    try:
        call_text = _WrittenCall.model_validate(written)
    except ValidationError:
        return Action(name="", problem="You wrote JSON that is not a tool call. Call a tool, or answer in words.")
    if call_text.name not in tools:
        return Action(name="", problem=_not_offered(call_text.name, tools))
    return Action(name=call_text.name, input=call_text.arguments, call_id=f"text-{answer.call_id}")


def _not_offered(name: str, tools: list[str]) -> str:
    """Why a call is not made: its tool is none of those that this step is offered."""
    offered = f"The tools are: {', '.join(tools)}." if tools else "There is none: answer in words."
    return f"There is no tool named {name!r} for this step. {offered}"


class _WrittenCall(BaseModel, extra="forbid"):
    name: str
    arguments: dict[str, Any]


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _unfenced(text: str) -> str:
    """The inside of a text that is exactly one Markdown code block; else the text."""
    match = re.fullmatch(r"```[\w-]*\n(.*?)\n?```", text.strip(), re.DOTALL)
    return (match.group(1) if match else text).strip()


DIALECTS: Mapping[str, Dialect] = {"json": as_json, "text": as_text, "native": as_native}
