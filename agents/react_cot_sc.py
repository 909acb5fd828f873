"""ReAct and CoT-SC, each the other's way out (ReAct, Yao et al. 2210.03629, section 3.3).

ReAct without an answer within its steps gives way to chains of thought that vote; a vote in which fewer than half of
the samples agree gives way to ReAct.
"""

from typing import Any, Literal, cast

from langchain_core.messages import AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from agents import react, self_consistency, votes
from agents.contract import Bench, Machine
from agents.react import act, reason
from agents.react_dialects import FINISH
from agents.sampling import Samples, counted, drawn
from agents.switching import Way, turn, wanted


class Options(react.Options):
    """Which of the two begins, and when the other takes over."""

    first: Literal["react", "cot_sc"] = Field("react", description="Which begins: ReAct, or the vote (CoT-SC).")
    max_steps: int = Field(7, ge=1, le=30, description="ReAct gives way after so many; fact checks have 5.")
    samples: int = Field(7, ge=1, le=40, description="At most so many samples vote; 21 in the paper.")
    threshold: float = Field(
        0.5, ge=0.1, le=1.0, description="A leader with less than this share of the samples gives way to ReAct."
    )
    confident: float | None = Field(
        None, ge=0.5, le=0.999, description="So does one whose samples' mean token probability is below this."
    )
    parallel: int = Field(4, ge=1, le=16, description="At most so many samples at once.")
    adaptive: bool = Field(True, description="Stop sampling as soon as the samples left cannot change what follows.")
    examples: bool = Field(True, description="Show worked examples of reasoning before the samples.")


class State(react.State, Samples, total=False):
    """ReAct's conversation, and the samples of `prompt`; `answer` is the latest that one of the two came to."""

    prompt: list[AnyMessage]


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: both ways stand at their beginnings."""
    voting = self_consistency.begin(question, bench)
    return {**voting, "prompt": voting["messages"], **react.begin(question, bench), "answer": ""}


async def switch(state: State, runtime: Runtime[Bench]) -> State:
    """Take stock: what both have so far is the answer; that one has reached its limit is no end."""
    leader, *_ = votes.tally(state["answers"])
    answer, (edge, _) = state["answer"].strip() or leader, turn(runtime.context.options, state)
    nothing = edge == END and not answer
    return {"answer": answer, "limit": "Neither ReAct nor the vote came to an answer." if nothing else ""}


async def other(state: State, runtime: Runtime[Bench]) -> Way:
    """Go on with the first way, with the other one, or not at all."""
    edge, why = turn(runtime.context.options, state)
    runtime.context.decide(edge, why)
    return edge


async def route(state: State, runtime: Runtime[Bench]) -> Literal["act", "switch"]:
    """Act, unless ReAct finishes or its steps are used up."""
    bench, name = runtime.context, state["action"]["name"]
    if name == FINISH or state["limit"]:
        bench.decide("switch", name if name == FINISH else f"step {state['steps']} was the last")
        return "switch"
    bench.decide("act", name or "unreadable step")
    return "act"


async def sample(state: State, runtime: Runtime[Bench]) -> State:
    """A batch of samples at once, none of them in vain."""
    bench = runtime.context
    size = min(wanted(bench.options, state), bench.options.parallel)
    return cast(State, await drawn(bench, state, state["prompt"], size))


async def vote(state: State, runtime: Runtime[Bench]) -> State:
    """Count, and put the leader forward."""
    return {"answer": counted(runtime.context, state["answers"])}


async def more(state: State, runtime: Runtime[Bench]) -> Literal["sample", "switch"]:
    """Sample on, until the vote is settled."""
    bench, drawn_so_far = runtime.context, len(state["answers"])
    if wanted(bench.options, state):
        bench.decide("sample", f"{bench.options.samples - drawn_so_far} left")
        return "sample"
    bench.decide("switch", f"settled, {drawn_so_far} of at most {bench.options.samples} were drawn")
    return "switch"


def build() -> StateGraph[State, Bench, State, State]:
    """switch -> (reason -> (act -> reason | switch) | sample -> vote -> (sample | switch) | end)."""
    graph = StateGraph(State, context_schema=Bench)
    for name, node in {"switch": switch, "reason": reason, "act": act, "sample": sample, "vote": vote}.items():
        graph.add_node(name, node)
    graph.add_edge(START, "switch")
    graph.add_conditional_edges("switch", other)
    graph.add_conditional_edges("reason", route)
    graph.add_edge("act", "reason")
    graph.add_edge("sample", "vote")
    graph.add_conditional_edges("vote", more)
    return graph


MACHINE = Machine(
    name="react_cot_sc",
    title="ReAct and CoT-SC",
    summary="Acts with tools, and votes over chains of thought where that fails, or the other way round.",
    source="Yao et al. 2022",
    source_url="https://arxiv.org/abs/2210.03629",
    options=Options,
    build=build,
    begin=begin,
    nodes={"switch": "none", "reason": "thinking", "act": "tool", "sample": "thinking", "vote": "none"},
    feedback="tool",
    temperature=0.5,  # samples have to differ, steps to hold
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "How many prime numbers are there below 200?",
        "A farm's 14 hens lay 5 eggs each per week. 6 eggs fit into a box. How many boxes are full after 3 weeks?",
    ),
    suited=react.suited,
)
