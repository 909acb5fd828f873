"""Least-to-most: easier questions first, each answered with the answers before it in view (Zhou et al. 2205.10625)."""

from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypedDict

from agents.answers import concluded, normalise
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.votes import short


class Options(BaseOptions):
    """How far a question is taken apart."""

    parts: int = Field(4, ge=1, le=10, description="At most so many easier questions come before the question itself.")
    examples: bool = Field(True, description="Show worked examples first; without them it is only told what to do.")


class State(TypedDict, total=False):
    """The sub-questions, what each came to, and the one conversation in which they are answered."""

    question: str
    messages: Annotated[list[AnyMessage], add_messages]
    parts: list[str]
    solved: list[str]
    answer: str
    limit: str


def told(bench: Bench, role: str, **variables: object) -> list[AnyMessage]:
    """What a role is told before its task: its prompt, then its worked examples as earlier turns."""
    return [SystemMessage(bench.prompt(role, **variables)), *(bench.examples(role) if bench.options.examples else [])]


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    return {"question": question, "messages": told(bench, "solver"), "parts": [], "solved": []}


def parts_schema(most: int) -> type[BaseModel]:
    """At most so many sub-questions."""
    return create_model("Parts", questions=(list[str], Field(max_length=most)))


def ordered(parts: list[str], question: str) -> list[str]:
    """The sub-questions, each once, and the question itself as the last of them."""
    easier: dict[str, str] = {}
    for part in parts:
        easier.setdefault(alike(part), part.strip())
    return [*(part for same, part in easier.items() if same not in ("", alike(question))), question]


def alike(question: str) -> str:
    """One form for questions that ask the same in the same words."""
    return normalise(question.rstrip("? "))


async def decompose(state: State, runtime: Runtime[Bench]) -> State:
    """The easier questions that lead to the question."""
    bench, most = runtime.context, runtime.context.options.parts
    asked = [*told(bench, "decomposer", most=most), HumanMessage(bench.prompt("problem", question=state["question"]))]
    said = await bench.ask("decomposer", asked, schema=parts_schema(most))
    parts = ordered(said.parsed.questions, state["question"])
    listed = "\n".join(f"{number}. {part}" for number, part in enumerate(parts, 1))
    bench.card(f"{len(parts)} questions in order" if len(parts) > 1 else "One question", listed, answer=said)
    return {"parts": parts}


def asked_next(bench: Bench, state: State) -> HumanMessage:
    """The next sub-question as it is asked: the first with the whole problem before it."""
    number, parts, question = len(state["solved"]), state["parts"], state["question"]
    if len(parts) == 1:
        return HumanMessage(bench.prompt("problem", question=question))
    if number == len(parts) - 1:
        return HumanMessage(bench.prompt("last", question=question))
    if number:
        return HumanMessage(bench.prompt("next", part=parts[number]))
    return HumanMessage(bench.prompt("first", question=question, part=parts[0]))


async def solve(state: State, runtime: Runtime[Bench]) -> State:
    """The next sub-question's answer, with those before it in view."""
    bench, parts, number = runtime.context, state["parts"], len(state["solved"]) + 1
    turn = asked_next(bench, state)
    said = await bench.ask("solver", [*state["messages"], turn])
    found = concluded(said.text, said.finish_reason)
    bench.card(f"{number} of {len(parts)}: {short(parts[number - 1])}", said.text, answer=said, candidate=found)
    turns: list[AnyMessage] = [turn, AIMessage(said.text)]
    change: State = {"messages": turns, "solved": [*state["solved"], found]}
    if number == len(parts):
        change["answer"] = found
        change["limit"] = "" if found else "The last answer was cut before it came to one."
    return change


async def more(state: State, runtime: Runtime[Bench]) -> Literal["solve", "__end__"]:
    """The next sub-question, until the question itself is answered."""
    solved, parts = len(state["solved"]), len(state["parts"])
    if solved < parts:
        runtime.context.decide("solve", f"{solved} of {parts} answered")
        return "solve"
    runtime.context.decide("__end__", "the question itself is answered")
    return "__end__"


def build() -> StateGraph[State, Bench, State, State]:
    """decompose -> solve -> (solve | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("decompose", decompose)
    graph.add_node("solve", solve)
    graph.add_edge(START, "decompose")
    graph.add_edge("decompose", "solve")
    graph.add_conditional_edges("solve", more)
    return graph


MACHINE = Machine(
    name="least_to_most",
    title="Least-to-most",
    summary="Takes the question apart into easier ones, and answers them in turn up to the question itself.",
    source="Zhou et al. 2022",
    source_url="https://arxiv.org/abs/2205.10625",
    options=Options,
    build=build,
    begin=begin,
    nodes={"decompose": "thinking", "solve": "generator"},
    temperature=0.2,
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "Ana is twice as old as Ben. Ben is 3 years younger than Cleo, who is 11. How old is Ana in 5 years?",
        "A farm's 14 hens lay 5 eggs each per week. 6 eggs fit into a box. How many boxes are full after 3 weeks?",
    ),
)
