"""Reflection: a generator drafts, a critic objects, the generator revises (Self-Refine, Madaan et al. 2303.17651)."""

from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from agents import rounds
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.memory import Memory, Summarise, remembering


class Options(BaseOptions):
    """How often the critic is heard, and who the two are."""

    rounds: int = Field(3, ge=1, le=10, description="The critic is heard at most this many times.")
    roles: Literal["essay", "code"] = Field("essay", description="Essay assistant and teacher, or coder and reviewer.")
    summarise: Summarise = "never"

    @property
    def visits(self) -> int:
        """A draft before the first round, and one after each."""
        return self.rounds + 1


class Verdict(BaseModel):
    """The critic's judgement of the latest draft."""

    issues: list[str] = Field(max_length=5)
    score: int = Field(ge=0, le=10)
    verdict: Literal["accept", "revise"]


class State(Memory, total=False):
    """The request, then draft and critique in turn; `rounds` counts the critiques."""

    messages: Annotated[list[AnyMessage], add_messages]
    answer: str
    previous: str
    rounds: int
    verdict: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    return {"messages": [HumanMessage(question)], "answer": "", "previous": "", "rounds": 0}


def swapped(messages: list[AnyMessage]) -> list[AnyMessage]:
    """The conversation as the critic sees it: the request stays, every other message changes sides."""
    request, *rest = messages
    return [request, *(HumanMessage(m.text) if isinstance(m, AIMessage) else AIMessage(m.text) for m in rest)]


def told(bench: Bench, role: str) -> list[AnyMessage]:
    """What a role is told before the conversation: its prompt, then its worked examples as earlier turns."""
    return [SystemMessage(bench.prompt(role)), *bench.examples(role)]


async def generate(state: State, runtime: Runtime[Bench]) -> State:
    """A draft, or a revision in view of every critique so far."""
    bench = runtime.context
    rules = told(bench, f"{bench.options.roles}_generator")
    view, ask = lambda said: [*rules, *said], lambda sent: bench.ask("generator", sent)
    answer, memory = await remembering(bench, state, 1, ask, view)
    draft, previous = answer.text.strip(), state["answer"]
    shown = {"previous": previous} if previous else {}
    bench.card(f"Draft {state['rounds'] + 1}", draft, answer=answer, round=state["rounds"], **shown)
    return {"messages": [AIMessage(draft)], "answer": draft, "previous": previous, **memory}


async def judge(state: State, runtime: Runtime[Bench]) -> Literal["critique", "__end__"]:
    """To the critic, unless the rounds are used up or the revision changed nothing."""
    bench = runtime.context
    if state["rounds"] and (reason := rounds.the_last(state, bench, "revision")):
        bench.decide("__end__", reason)
        return "__end__"
    bench.decide("critique", f"round {state['rounds'] + 1}")
    return "critique"


async def critique(state: State, runtime: Runtime[Bench]) -> State:
    """The critic's verdict on the latest draft, told to the generator as its user."""
    bench = runtime.context
    rules = told(bench, f"{bench.options.roles}_critic")
    view, ask = lambda said: [*rules, *swapped(said)], lambda sent: bench.ask("critic", sent, schema=Verdict)
    answer, memory = await remembering(bench, state, 1, ask, view, schema=Verdict)
    verdict: Verdict = answer.parsed
    issues = "\n".join(f"- {issue}" for issue in verdict.issues) or "- (none named)"
    title = f"{verdict.verdict.capitalize()} · {verdict.score}/10"
    bench.card(title, issues, answer=answer, feedback="critic", **verdict.model_dump())
    turn = HumanMessage(bench.prompt("revise", score=verdict.score, issues=issues))
    return {"messages": [turn], "rounds": state["rounds"] + 1, "verdict": verdict.verdict, **memory}


async def accepted(state: State, runtime: Runtime[Bench]) -> Literal["generate", "__end__"]:
    """Back to the generator, unless the critic accepts."""
    if state["verdict"] == "accept":
        runtime.context.decide("__end__", "accept")
        return "__end__"
    runtime.context.decide("generate", "revise")
    return "generate"


def build() -> StateGraph[State, Bench, State, State]:
    """generate -> critique -> (generate | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("generate", generate)
    graph.add_node("critique", critique)
    graph.add_edge(START, "generate")
    graph.add_conditional_edges("generate", judge)
    graph.add_conditional_edges("critique", accepted)
    return graph


MACHINE = Machine(
    name="reflection",
    title="Reflection",
    summary="A generator drafts, a critic objects, the generator revises, until the critic accepts.",
    source="Madaan et al. 2023",
    source_url="https://arxiv.org/abs/2303.17651",
    options=Options,
    build=build,
    begin=begin,
    nodes={"generate": "generator", "critique": "critic"},
    feedback="critic",
    temperature=0.7,
    examples=(
        "Write a short essay on why The Little Prince still matters in modern childhood.",
        "Write a polite three-sentence email that declines a meeting invitation.",
        "Explain to a ten-year-old why the sky is blue.",
    ),
)
