"""PAL: the model writes a program, the sandbox computes, the answer is what it printed (Gao et al. 2211.10435)."""

from typing import Annotated, Any, ClassVar, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents.contract import Answer, Bench, Machine, Observation
from agents.contract import Options as BaseOptions
from agents.programs import python_in

UNFINISHED = "It was cut before its end. Write a shorter program."
MISSING = "There is no Python program in it."


class Options(BaseOptions):
    """How it is brought to write programs, and how often it may mend one."""

    tools: ClassVar[tuple[str, ...]] = ("python",)

    retries: int = Field(3, ge=0, le=3, description="A program's error goes back to the model at most so many times.")
    examples: bool = Field(True, description="Show worked examples first; without them it is only told what to do.")

    @property
    def visits(self) -> int:
        """A program, and one after each error."""
        return self.retries + 1


class State(TypedDict, total=False):
    """The prompt, then program and error in turn; `problem` is why the latest text cannot be run, if it cannot.

    `repeated` says that the latest program is the one before it.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    program: str
    problem: str
    repeated: bool
    programs: int
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the task, worked examples as earlier turns, the question."""
    shown = bench.examples("system") if bench.options.examples else []
    asked = [SystemMessage(bench.prompt("system")), *shown, HumanMessage(question)]
    return {"messages": asked, "program": "", "programs": 0, "answer": "", "limit": ""}


def read(said: Answer) -> tuple[str, str]:
    """The program in an answer, and what is wrong where there is none to run."""
    if said.finish_reason != "stop":
        return "", UNFINISHED
    program = python_in(said.text)
    return program, "" if program.strip() else MISSING


async def write(state: State, runtime: Runtime[Bench]) -> State:
    """A program for the question, in view of every error so far."""
    bench, number = runtime.context, state["programs"] + 1
    said = await bench.ask("programmer", state["messages"])
    program, problem = read(said)
    shown = {"previous": fenced(state["program"])} if program and state["program"] else {}
    bench.card(f"Program {number}", fenced(program) if program else said.text, answer=said, **shown)
    change: State = {"messages": [AIMessage(said.text)], "program": program, "problem": problem, "programs": number}
    return {**change, "repeated": program != "" and program == state["program"]}


def fenced(program: str) -> str:
    """The program as a block of Markdown."""
    return f"```python\n{program}\n```"


async def compute(state: State, runtime: Runtime[Bench]) -> State:
    """What the program prints is the answer; an error goes back to the model, as does printing nothing."""
    bench, problem = runtime.context, state["problem"]
    seen = Observation(text=problem, error=True) if problem else await bench.call("python", {"code": state["program"]})
    if not seen.error:
        return {"answer": seen.text.strip()}
    if state["programs"] > bench.options.retries:
        programs = state["programs"]
        return {"limit": f"None of {programs} programs ran to its end." if programs > 1 else "The program failed."}
    told = bench.prompt("repeated" if state["repeated"] else "failure", error=seen.text)
    return {"messages": [HumanMessage(told)]}


async def route(state: State, runtime: Runtime[Bench]) -> Literal["write", "__end__"]:
    """The end when it has printed an answer or was mended often enough, else another program."""
    bench = runtime.context
    if state["answer"] or state["limit"]:
        bench.decide("__end__", "it printed the answer" if state["answer"] else "the last program failed")
        return "__end__"
    bench.decide("write", f"error {state['programs']} of at most {bench.options.retries} goes back")
    return "write"


def build() -> StateGraph[State, Bench, State, State]:
    """write -> compute -> (write | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("write", write)
    graph.add_node("compute", compute)
    graph.add_edge(START, "write")
    graph.add_edge("write", "compute")
    graph.add_conditional_edges("compute", route)
    return graph


MACHINE = Machine(
    name="pal",
    title="PAL",
    summary="Writes a Python program that computes the answer, runs it in the sandbox, and mends it if it fails.",
    source="Gao et al. 2022",
    source_url="https://arxiv.org/abs/2211.10435",
    options=Options,
    build=build,
    wants_schemas=False,
    begin=begin,
    nodes={"write": "generator", "compute": "tool"},
    feedback="tool",
    temperature=0.2,
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "How many prime numbers are there below 200?",
        "How many times does the letter r occur in 'strawberry'?",
    ),
)
