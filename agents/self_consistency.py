"""Self-consistency: several chains of thought, and the answer that most of them come to (Wang et al. 2203.11171).

It stops sampling when the samples left could not change the winner, or when it is sure enough (Aggarwal et al.
2305.11860).
"""

from typing import Any, Literal, cast

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from agents import votes
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.sampling import Samples, counted, drawn, how_confident, is_confident


class Options(BaseOptions):
    """How many are asked, and when that is enough."""

    samples: int = Field(7, ge=1, le=40, description="At most so many answers are drawn.")
    parallel: int = Field(4, ge=1, le=16, description="At most so many of them at once.")
    adaptive: bool = Field(True, description="Stop as soon as the samples left cannot change who wins.")
    confidence: float | None = Field(
        None, ge=0.5, le=0.999, description="With adaptive: stop, too, when the leader has the majority so surely."
    )
    confident: float | None = Field(
        None, ge=0.5, le=0.999, description="Take the first sample if its mean token probability is at least this."
    )
    examples: bool = Field(True, description="Show worked examples first; without them it is only told to reason.")


class State(Samples, total=False):
    """The prompt, the samples, and the leader among them."""

    messages: list[AnyMessage]
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the task, worked examples as earlier turns, the question."""
    shown = bench.examples("system") if bench.options.examples else []
    asked = [SystemMessage(bench.prompt("system")), *shown, HumanMessage(question)]
    return {"messages": asked, "answers": [], "sure": []}


def wanted(options: Options, state: State) -> int:
    """How many more samples are needed at least; 0 when the vote is over."""
    ballots = [votes.ballot(answer) for answer in state["answers"]]
    left = options.samples - len(ballots)
    if options.confident is not None and not ballots:
        return 1
    if is_confident(state, options.confident):
        return 0
    return votes.fewest_to_end(ballots, left, options.confidence) if options.adaptive else max(left, 0)


async def sample(state: State, runtime: Runtime[Bench]) -> State:
    """A batch of samples at once: no more than are needed whatever they say, so that none is in vain."""
    bench = runtime.context
    size = min(wanted(bench.options, state), bench.options.parallel)
    return cast(State, await drawn(bench, state, state["messages"], size))


async def vote(state: State, runtime: Runtime[Bench]) -> State:
    """Count, and put the leader forward."""
    bench = runtime.context
    leader = counted(bench, state["answers"])
    over = not wanted(bench.options, state)
    return {"answer": leader, "limit": "No sample came to an answer." if over and not leader else ""}


async def more(state: State, runtime: Runtime[Bench]) -> Literal["sample", "__end__"]:
    """Sample on, unless the vote is over, or the first sample is so sure that there need not be one."""
    bench, answers = runtime.context, state["answers"]
    options, left = bench.options, bench.options.samples - len(answers)
    is_first = options.confident is not None and len(answers) == 1
    first = how_confident(state, options.confident) if is_first else ""
    if wanted(options, state):
        bench.decide("sample", f"{first}: {left} left" if first else f"{left} left")
        return "sample"
    decided = votes.is_decided([votes.ballot(answer) for answer in answers], left)
    over = f"all {len(answers)} samples" if left <= 0 else "decided" if decided else "sure enough"
    bench.decide("__end__", first if is_confident(state, options.confident) else over)
    return "__end__"


def build() -> StateGraph[State, Bench, State, State]:
    """sample -> vote -> (sample | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("sample", sample)
    graph.add_node("vote", vote)
    graph.add_edge(START, "sample")
    graph.add_edge("sample", "vote")
    graph.add_conditional_edges("vote", more)
    return graph


MACHINE = Machine(
    name="self_consistency",
    title="Self-consistency",
    summary="Reasons several times over, and takes the answer that most of the samples come to.",
    source="Wang et al. 2022",
    source_url="https://arxiv.org/abs/2203.11171",
    options=Options,
    build=build,
    wants_schemas=False,
    begin=begin,
    nodes={"sample": "thinking", "vote": "none"},
    temperature=0.7,
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "A farm's 14 hens lay 5 eggs each per week. 6 eggs fit into a box. How many boxes are full after 3 weeks?",
        "How many times does the letter r occur in 'strawberry'?",
    ),
)
