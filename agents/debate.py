"""Debate: several answerers see each other's answers and revise theirs, round by round (Du et al. 2305.14325)."""

from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents import votes
from agents.answers import concluded
from agents.contract import Bench, Machine, together
from agents.contract import Options as BaseOptions


class Options(BaseOptions):
    """Who debates, how long, and who has the last word."""

    answerers: int = Field(3, ge=2, le=8, description="So many answer, each on its own at first.")
    rounds: int = Field(2, ge=1, le=6, description="They revise at most this many times.")
    closing: Literal["vote", "judge"] = Field("vote", description="What decides when they differ to the last.")
    early: bool = Field(True, description="Stop as soon as all agree.")


class State(TypedDict, total=False):
    """The prompt, what each answerer said in each round, and what each came to in the last ("" for nothing)."""

    messages: list[AnyMessage]
    said: list[list[str]]
    answers: list[str]
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the task, worked examples as earlier turns, the question."""
    opening = [SystemMessage(bench.prompt("system")), *bench.examples("system"), HumanMessage(question)]
    return {"messages": opening, "said": [], "answers": []}


async def answer(state: State, runtime: Runtime[Bench]) -> State:
    """Each answers on its own."""
    return await spoken(runtime.context, state, runtime.context.options.answerers)


async def revise(state: State, runtime: Runtime[Bench]) -> State:
    """Each answers again in view of the others' latest answers."""
    return await spoken(runtime.context, state, len(state["answers"]))


async def spoken(bench: Bench, state: State, answerers: int) -> State:
    """The debate with what all of them say next, at once."""
    now = await together([speak(bench, state, number) for number in range(answerers)])
    return {"said": [*state["said"], [text for text, _ in now]], "answers": [found for _, found in now]}


async def speak(bench: Bench, state: State, number: int) -> tuple[str, str]:
    """What one answerer says next, and what that comes to."""
    said = await bench.ask("answerer", conversation(bench, state, number), sample=number)
    found = concluded(said.text, said.finish_reason)
    own: dict[str, Any] = {"sample": number, "vote": votes.ballot(found)}
    own = {"previous": state["said"][-1][number], "feedback": "self"} if state["said"] else own
    bench.card(f"Answerer {number + 1}: {votes.short(found)}", said.text, answer=said, candidate=found, **own)
    return said.text, found


def conversation(bench: Bench, state: State, number: int) -> list[AnyMessage]:
    """The debate as one answerer has it: its own answers, and after each what the others said in that round."""
    messages = [*state["messages"]]
    for said in state["said"]:
        others = "\n\n".join(f"Answerer {n + 1} says:\n{text}" for n, text in enumerate(said) if n != number)
        messages += [AIMessage(said[number]), HumanMessage(bench.prompt("others", answers=others))]
    return messages


async def vote(state: State, runtime: Runtime[Bench]) -> State:
    """Count what they come to now, and put the leader forward."""
    bench, answers, number = runtime.context, state["answers"], len(state["said"]) - 1
    leader, _, counted, told = votes.tally(answers, "answerers")
    shown: dict[str, Any] = {"candidate": leader, "votes": counted, "sampled": len(answers), "round": number}
    bench.card(f"Round {number}: {votes.short(leader)}", told, **shown)
    return {"answer": leader, "limit": "" if leader else "No answerer came to an answer."}


async def onward(state: State, runtime: Runtime[Bench]) -> Literal["revise", "judge", "__end__"]:
    """Another round, until all agree or the rounds are used up; then the vote holds, or the judge decides."""
    bench, number = runtime.context, len(state["said"]) - 1
    agree = len({votes.ballot(one) for one in state["answers"]} - {""}) == 1 and all(state["answers"])
    if number < bench.options.rounds and not (agree and bench.options.early):
        bench.decide("revise", f"round {number + 1} of {bench.options.rounds}")
        return "revise"
    if agree or bench.options.closing == "vote":
        bench.decide("__end__", "all agree" if agree else "the vote decides")
        return "__end__"
    bench.decide("judge", "they differ to the last")
    return "judge"


async def judge(state: State, runtime: Runtime[Bench]) -> State:
    """One who has not debated reads the last answers and decides; without a decision the vote's leader stays."""
    bench, last = runtime.context, enumerate(state["said"][-1], 1)
    answers = "\n\n".join(f"Answerer {number} says:\n{text}" for number, text in last)
    case = HumanMessage(bench.prompt("case", question=state["messages"][-1].text, answers=answers))
    said = await bench.ask("judge", [SystemMessage(bench.prompt("judge")), case])
    found = concluded(said.text, said.finish_reason)
    bench.card(f"Judge: {votes.short(found)}", said.text, answer=said, candidate=found)
    return {"answer": found, "limit": ""} if found else {"limit": "The judge was cut; this is what the vote says."}


def build() -> StateGraph[State, Bench, State, State]:
    """answer -> vote -> (revise -> vote | judge | end)."""
    graph = StateGraph(State, context_schema=Bench)
    for name, node in (("answer", answer), ("vote", vote), ("revise", revise), ("judge", judge)):
        graph.add_node(name, node)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", "vote")
    graph.add_conditional_edges("vote", onward)
    graph.add_edge("revise", "vote")
    graph.add_edge("judge", END)
    return graph


MACHINE = Machine(
    name="debate",
    title="Debate",
    summary="Several answer, read each other's answers and revise their own, until they agree or a vote decides.",
    source="Du et al. 2023",
    source_url="https://arxiv.org/abs/2305.14325",
    options=Options,
    build=build,
    wants_schemas=False,
    begin=begin,
    nodes={"answer": "thinking", "vote": "none", "revise": "generator", "judge": "critic"},
    feedback="self",
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "How many times does the letter r occur in 'strawberry'?",
    ),
)
