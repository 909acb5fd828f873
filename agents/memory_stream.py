"""Generative Agents' memory stream: observe, reflect, retrieve, plan, act, remember (Park et al. 2304.03442)."""

from functools import partial
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents.contract import Bench, Machine
from agents.recollection import Note, Notes, Plan, Recalling, best, concluded, insights, numbered, raised, unreflected


class Options(Recalling):
    """What it remembers (in experiments always its own alone), what comes to mind (Recalling), when it reflects."""

    stream: str = Field("default", max_length=64, description="Memories shared by runs; empty: this run's alone.")
    reflect_at: int = Field(20, ge=1, le=1000, description="It reflects when the importance of what is new adds up so.")
    questions: int = Field(2, ge=1, le=5, description="So many questions it asks itself when it reflects.")
    plan: bool = Field(True, description="It plans before it answers.")


class State(TypedDict, total=False):
    """`fresh` are the ids of what the question tells, `unreflected` is the importance since the last reflection."""

    question: str
    fresh: list[str]
    unreflected: float
    messages: Annotated[list[AnyMessage], add_messages]
    answer: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    return {"question": question, "fresh": [], "messages": [], "answer": ""}


async def observe(state: State, runtime: Runtime[Bench]) -> State:
    """What the message tells that is worth remembering, each with its importance."""
    bench = runtime.context
    message = HumanMessage(bench.prompt("message", question=state["question"]))
    asked = [SystemMessage(bench.prompt("observe")), *bench.examples("observe"), message]
    said = await bench.ask("observer", asked, schema=Notes)
    before = await bench.memories()
    kept = await bench.remember("Observed", [note.memory() for note in said.parsed.observations], answer=said)
    return {"fresh": [one.id for one in kept], "unreflected": unreflected([*before, *kept])}


async def due(state: State, runtime: Runtime[Bench]) -> Literal["reflect", "retrieve"]:
    """Reflect when enough has happened since the last time."""
    so_far, enough = state["unreflected"], runtime.context.options.reflect_at
    edge: Literal["reflect", "retrieve"] = "reflect" if so_far >= enough else "retrieve"
    runtime.context.decide(edge, f"importance {so_far:g} of {enough}")
    return edge


async def reflect(state: State, runtime: Runtime[Bench]) -> State:
    """The questions that the latest memories raise, and for each of them insights that name what they come from."""
    bench = runtime.context
    questions = await raised(bench, "reflect", "salient")
    found = [one for question in questions for one in await insights(bench, "reflect", "insights", question)]
    await concluded(bench, found)
    return {}


async def retrieve(state: State, runtime: Runtime[Bench]) -> State:
    """The memories that come to mind; what the message itself tells is in view without."""
    bench, question = runtime.context, state["question"]
    choose = partial(best, about=question, weights=bench.options.weights, top=bench.options.top, without=state["fresh"])
    found = [one.memory.text for one in await bench.recall("Memories", question, choose)]
    context = bench.prompt("context", memories=numbered(found) or "Nothing yet.", question=question)
    task = "plan" if bench.options.plan else "answer"
    asked = [*bench.examples(task), HumanMessage(f"{context}\n{bench.prompt(task)}")]
    return {"messages": [SystemMessage(bench.prompt("system")), *asked]}


async def planning(state: State, runtime: Runtime[Bench]) -> Literal["plan", "answer"]:
    """Plan first, where the options say so."""
    edge: Literal["plan", "answer"] = "plan" if runtime.context.options.plan else "answer"
    runtime.context.decide(edge, "planning is on" if edge == "plan" else "planning is off")
    return edge


async def plan(state: State, runtime: Runtime[Bench]) -> State:
    """What to do, in view of the memories; it is remembered too."""
    bench = runtime.context
    said = await bench.ask("planner", state["messages"], schema=Plan)
    await bench.remember("Plan", [said.parsed.memory()], answer=said)
    return {"messages": [AIMessage(said.text), HumanMessage(bench.prompt("answer"))]}


async def answer(state: State, runtime: Runtime[Bench]) -> State:
    """The answer, in view of the memories and the plan."""
    said = await runtime.context.ask("generator", state["messages"])
    runtime.context.card("Answer", said.text, answer=said)
    return {"messages": [AIMessage(said.text)], "answer": said.text.strip()}


async def learn(state: State, runtime: Runtime[Bench]) -> State:
    """One sentence about this exchange, to be remembered."""
    bench, asked = runtime.context, HumanMessage(runtime.context.prompt("learn"))
    said = await bench.ask("observer", [*state["messages"], asked], schema=Note)
    await bench.remember("Learnt", [said.parsed.memory()], answer=said)
    return {}


def build() -> StateGraph[State, Bench, State, State]:
    """observe -> (reflect ->) retrieve -> (plan ->) answer -> learn -> end."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (observe, reflect, retrieve, plan, answer, learn):
        graph.add_node(node)
    graph.add_edge(START, "observe")
    graph.add_conditional_edges("observe", due)
    graph.add_edge("reflect", "retrieve")
    graph.add_conditional_edges("retrieve", planning)
    graph.add_edge("plan", "answer")
    graph.add_edge("answer", "learn")
    return graph


THOUGHTS = ("observe", "reflect", "plan", "learn")
MACHINE = Machine(
    name="memory_stream",
    title="Memory stream",
    summary="Remembers across runs: what comes to mind is recent, important and relevant; it reflects, plans, answers.",
    source="Park et al. 2023",
    source_url="https://arxiv.org/abs/2304.03442",
    options=Options,
    build=build,
    begin=begin,
    nodes={**dict.fromkeys(THOUGHTS, "thinking"), "retrieve": "none", "answer": "generator"},
    temperature=0.3,
    examples=(
        "I am Ada. I moved to Porto in May with my old dog Bo, who is afraid of lifts. Which flat should I look for?",
        "What do you know about me?",
    ),
)
