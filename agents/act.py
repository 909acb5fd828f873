"""Act: actions and observations without a word of thought, what ReAct is held against (Yao et al. 2210.03629)."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import START, StateGraph

from agents import react
from agents.contract import Abilities, Bench, Machine, Suited
from agents.react import State, act, begin, reason, route
from agents.react_dialects import FINISH, Action, Dialect, action_schema, as_json, as_native, as_text
from agents.suiting import Growth, fewer_steps


async def as_bare_text(
    bench: Bench, messages: list[AnyMessage], number: int, tools: list[str]
) -> tuple[AIMessage, Action]:
    """The step as `Action / Action Input`; a thought that is written all the same does not stay in the conversation."""
    turn, action = await as_text(bench, messages, number, tools)
    if action.problem:
        return turn, action
    if action.name == FINISH:
        return AIMessage(f"Final Answer: {action.input}"), action
    return AIMessage(f"Action: {action.name}\nAction Input: {action.input}"), action


DIALECTS: Mapping[str, Dialect] = {
    "json": partial(as_json, schema=action_schema),
    "text": as_bare_text,
    "native": as_native,
}


class Options(react.Options):
    """How it acts; its dialects have no room for a thought."""

    dialects: ClassVar = DIALECTS


def build() -> StateGraph[State, Bench, State, State]:
    """choose -> (act -> choose | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("choose", reason)  # in these dialects there is no thought
    graph.add_node("act", act)
    graph.add_edge(START, "choose")
    graph.add_conditional_edges("choose", route)
    graph.add_edge("act", "choose")
    return graph


GROWTH = Growth("Act", usual=7, least=2, prompt=600, step=70)  # rules, examples and tools; action and observation


def suited(known: Abilities) -> list[Suited]:
    """As many steps as the model's context and its speed allow."""
    return fewer_steps(known, GROWTH)


MACHINE = Machine(
    name="act",
    title="Act",
    summary="Uses tools as ReAct does, but never thinks aloud: it shows what the thoughts are worth.",
    source="Yao et al. 2022",
    source_url="https://arxiv.org/abs/2210.03629",
    options=Options,
    build=build,
    begin=begin,
    nodes={"choose": "generator", "act": "tool"},
    feedback="tool",
    temperature=0.2,
    examples=react.MACHINE.examples,
    suited=suited,
)
