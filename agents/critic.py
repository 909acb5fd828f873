"""CRITIC: a model answers, has tools verify the answer, and corrects what they object to (Gou et al. 2305.11738)."""

from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents import pal, rounds
from agents.checks import OUTCOMES, Critique, Witness, checks_schema, listed, results_of
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.toolnames import ToolName


class Options(BaseOptions):
    """What it verifies with, and how often it corrects."""

    rounds: int = Field(3, ge=1, le=10, description="It corrects its answer at most this many times.")
    checks: int = Field(2, ge=1, le=5, description="Tool calls that it may plan to verify an answer.")
    tools: list[ToolName] = Field(["python", "calculator", "search"], min_length=1, description="To verify with.")

    @property
    def visits(self) -> int:
        """A correction in each round."""
        return self.rounds


class State(TypedDict, total=False):
    """One conversation: answer, plan, results, critique, correction; the latest critique goes by the `witness`."""

    messages: Annotated[list[AnyMessage], add_messages]
    answer: str
    previous: str
    rounds: int
    checks: list[dict[str, Any]]
    witness: Witness
    verdict: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    tools = bench.options.tools
    rules = SystemMessage(bench.prompt("system", tools=bench.describe_tools(tools)))
    asked = [rules, *bench.examples("system", tools), HumanMessage(question)]
    return {"messages": asked, "answer": "", "rounds": 0}


async def generate(state: State, runtime: Runtime[Bench]) -> State:
    """The first answer, without any tool."""
    bench = runtime.context
    said = await bench.ask("generator", state["messages"])
    bench.card("Answer", said.text, answer=said, round=0)
    return {"messages": [AIMessage(said.text)], "answer": said.text.strip()}


async def plan(state: State, runtime: Runtime[Bench]) -> State:
    """Which claims of the answer to verify, each by one call of a tool; perhaps none."""
    bench, most = runtime.context, runtime.context.options.checks
    asked = HumanMessage(bench.prompt("plan", most=most))
    said = await bench.ask("planner", [*state["messages"], asked], schema=checks_schema(bench.options.tools, most))
    found = said.parsed.checks
    bench.card(f"To verify · {len(found)}", listed(found), answer=said)
    return {"messages": [asked, AIMessage(said.text)], "checks": [one.model_dump() for one in found]}


async def verify(state: State, runtime: Runtime[Bench]) -> State:
    """What the tools say. Where none says anything, the critique can only be the model's own."""
    results, witness = await results_of(runtime.context, state["checks"])
    asked = runtime.context.prompt({"tool": "critique", "self": "alone"}[witness], results=results)
    return {"messages": [HumanMessage(asked)], "witness": witness}


async def critique(state: State, runtime: Runtime[Bench]) -> State:
    """Whether the answer agrees with the results, and what to change."""
    bench, witness = runtime.context, state["witness"]
    said = await bench.ask("critic", state["messages"], schema=Critique)
    found: Critique = said.parsed
    title = f"Critique {state['rounds'] + 1} · {OUTCOMES[witness, found.verdict]}"
    bench.card(title, found.told, answer=said, verdict=found.verdict, feedback=witness)
    return {"messages": [AIMessage(said.text)], "verdict": found.verdict}


async def objected(state: State, runtime: Runtime[Bench]) -> Literal["correct", "__end__"]:
    """Correct what is objected to; the reason says by whom."""
    reason = OUTCOMES[state["witness"], state["verdict"]]
    runtime.context.decide("correct" if state["verdict"] == "object" else "__end__", reason)
    return "correct" if state["verdict"] == "object" else "__end__"


async def correct(state: State, runtime: Runtime[Bench]) -> State:
    """The answer again, as the critique wants it."""
    bench, number, previous = runtime.context, state["rounds"] + 1, state["answer"]
    asked = HumanMessage(bench.prompt("correct"))
    said = await bench.ask("corrector", [*state["messages"], asked])
    bench.card(f"Correction {number}", said.text, answer=said, round=number, previous=previous)
    changed: State = {"answer": said.text.strip(), "previous": previous, "rounds": number}
    return {"messages": [asked, AIMessage(said.text)], **changed}


async def again(state: State, runtime: Runtime[Bench]) -> Literal["plan", "__end__"]:
    """Verify the correction too, unless the rounds are used up or it changed nothing."""
    bench = runtime.context
    if reason := rounds.the_last(state, bench, "correction"):
        bench.decide("__end__", reason)
        return "__end__"
    bench.decide("plan", f"correction {state['rounds']} is verified too")
    return "plan"


def build() -> StateGraph[State, Bench, State, State]:
    """generate -> plan -> verify -> critique -> (correct -> (plan | end) | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_sequence([generate, plan, verify, critique])
    graph.add_node("correct", correct)
    graph.add_edge(START, "generate")
    graph.add_conditional_edges("critique", objected)
    graph.add_conditional_edges("correct", again)
    return graph


MACHINE = Machine(
    name="critic",
    title="CRITIC",
    summary="Answers, verifies the answer with tools, and corrects it until they no longer object.",
    source="Gou et al. 2023",
    source_url="https://arxiv.org/abs/2305.11738",
    options=Options,
    build=build,
    begin=begin,
    nodes={"generate": "generator", "plan": "thinking", "verify": "tool", "critique": "critic", "correct": "generator"},
    feedback="tool",
    temperature=0.2,
    examples=pal.MACHINE.examples,
)
