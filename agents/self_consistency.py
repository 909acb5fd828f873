"""Self-consistency: several chains of thought, and the answer that most of them come to (Wang et al. 2203.11171).

It stops sampling when the samples left could not change the winner, or when it is sure enough (Aggarwal et al.
2305.11860).
"""

from typing import Any, Literal

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents import votes
from agents.answers import concluded
from agents.contract import Bench, Machine, together
from agents.contract import Options as BaseOptions


class Options(BaseOptions):
    """How many are asked, and when that is enough."""

    samples: int = Field(7, ge=1, le=40, description="At most so many answers are drawn.")
    parallel: int = Field(4, ge=1, le=16, description="At most so many of them at once.")
    adaptive: bool = Field(True, description="Stop as soon as the samples left cannot change who wins.")
    confidence: float | None = Field(
        None, ge=0.5, le=0.999, description="With adaptive: stop, too, when the leader has the majority so surely."
    )
    examples: bool = Field(True, description="Show worked examples first; without them it is only told to reason.")


class State(TypedDict, total=False):
    """The prompt, what each sample came to ("" where it came to nothing), and the leader among them."""

    messages: list[AnyMessage]
    answers: list[str]
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the task, worked examples as earlier turns, the question."""
    shown = bench.examples("system") if bench.options.examples else []
    return {"messages": [SystemMessage(bench.prompt("system")), *shown, HumanMessage(question)], "answers": []}


def wanted(options: Options, answers: list[str]) -> int:
    """How many more samples are needed at least; 0 when the vote is over."""
    left = options.samples - len(answers)
    ballots = [votes.ballot(answer) for answer in answers]
    return votes.fewest_to_end(ballots, left, options.confidence) if options.adaptive else max(left, 0)


async def sample(state: State, runtime: Runtime[Bench]) -> State:
    """A batch of samples at once: no more than are needed whatever they say, so that none is in vain."""
    bench, answers = runtime.context, state["answers"]
    batch = range(len(answers), len(answers) + min(wanted(bench.options, answers), bench.options.parallel))
    return {"answers": [*answers, *await together([draw(bench, state["messages"], number) for number in batch])]}


async def draw(bench: Bench, messages: list[AnyMessage], number: int) -> str:
    """One sample, and the answer read out of it."""
    said = await bench.ask("sampler", messages, sample=number)
    found = concluded(said.text, said.finish_reason)
    title = f"Sample {number + 1}: {votes.short(found)}"
    bench.card(title, said.text, answer=said, sample=number, candidate=found, vote=votes.ballot(found))
    return found


async def vote(state: State, runtime: Runtime[Bench]) -> State:
    """Count, and put the leader forward."""
    bench, answers = runtime.context, state["answers"]
    leader, most, counted, told = votes.tally(answers)
    figures = {"share": round(most / len(answers), 3), "posterior": round(votes.posterior(counted), 3)}
    shown: dict[str, Any] = {"candidate": leader, "votes": counted, "sampled": len(answers), **figures}
    bench.card(f"Vote: {votes.short(leader)}", told, **shown)
    over = not wanted(bench.options, answers)
    return {"answer": leader, "limit": "No sample came to an answer." if over and not leader else ""}


async def more(state: State, runtime: Runtime[Bench]) -> Literal["sample", "__end__"]:
    """Sample on, unless the vote is over."""
    bench, answers = runtime.context, state["answers"]
    left = bench.options.samples - len(answers)
    if wanted(bench.options, answers):
        bench.decide("sample", f"{left} left")
        return "sample"
    decided = votes.is_decided([votes.ballot(answer) for answer in answers], left)
    bench.decide("__end__", f"all {len(answers)} samples" if left <= 0 else "decided" if decided else "sure enough")
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
