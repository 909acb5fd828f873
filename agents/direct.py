"""Direct: one call, no thought asked for. The line that every other machine is held against."""

from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions


class Options(BaseOptions):
    """What is asked for."""

    brief: bool = Field(False, description="Ask for the answer alone, with no word of working before it.")


class State(TypedDict, total=False):
    """The prompt and the answer to it; `limit` where it was cut."""

    messages: list[AnyMessage]
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    role = "brief" if bench.options.brief else "system"
    return {"messages": [SystemMessage(bench.prompt(role)), *bench.examples(role), HumanMessage(question)]}


async def answer(state: State, runtime: Runtime[Bench]) -> State:
    """The one call: what it says is the answer."""
    bench = runtime.context
    said = await bench.ask("answerer", state["messages"])
    bench.card("Answer", said.text, answer=said)
    return {"answer": said.text.strip(), "limit": "The answer was cut." if said.finish_reason == "length" else ""}


def build() -> StateGraph[State, Bench, State, State]:
    """Nothing but the call."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph


MACHINE = Machine(
    name="direct",
    title="Direct",
    summary="Asks the model once and takes what it says: the baseline.",
    source="Brown et al. 2020",
    source_url="https://arxiv.org/abs/2005.14165",
    options=Options,
    build=build,
    wants_schemas=False,
    begin=begin,
    nodes={"answer": "generator"},
    temperature=0.2,
    examples=(
        "What is the capital of Australia?",
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "Write a Python function that returns the n-th Fibonacci number.",
    ),
)
