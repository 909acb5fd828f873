"""Chain of thought: the model reasons before it answers, in one call (Wei et al. 2201.11903)."""

from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents.answers import concluded
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions


class Options(BaseOptions):
    """How it is brought to reason."""

    examples: bool = Field(True, description="Show it worked examples first; without them it is only told to reason.")


class State(TypedDict, total=False):
    """The prompt and the answer that the reasoning comes to; `limit` where it was cut before one."""

    messages: list[AnyMessage]
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the task, worked examples as earlier turns, the question."""
    shown = bench.examples("system") if bench.options.examples else []
    return {"messages": [SystemMessage(bench.prompt("system")), *shown, HumanMessage(question)]}


async def reason(state: State, runtime: Runtime[Bench]) -> State:
    """The reasoning, and the answer read out of it."""
    bench = runtime.context
    said = await bench.ask("reasoner", state["messages"])
    found = concluded(said.text, said.finish_reason)
    bench.card("Reasoning", said.text, answer=said, candidate=found)
    return {"answer": found} if found else {"limit": "The reasoning was cut before it came to an answer."}


def build() -> StateGraph[State, Bench, State, State]:
    """Nothing but the call."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("reason", reason)
    graph.add_edge(START, "reason")
    graph.add_edge("reason", END)
    return graph


MACHINE = Machine(
    name="cot",
    title="Chain of thought",
    summary="Reasons step by step in one answer, and ends with the answer proper.",
    source="Wei et al. 2022",
    source_url="https://arxiv.org/abs/2201.11903",
    options=Options,
    build=build,
    wants_schemas=False,
    begin=begin,
    nodes={"reason": "thinking"},
    temperature=0.2,
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "A train leaves at 14:35 and arrives at 17:10. How many minutes does the journey take?",
        "Which is larger, 9.11 or 9.9?",
    ),
)
