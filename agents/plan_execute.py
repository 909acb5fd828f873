"""Plan and execute: typed tasks, an executor, a re-planner (after Plan-and-Solve, Wang et al. 2305.04091).

The loop is that of LangGraph's example; results with names for later tasks to use are those of ReWOO (2305.18323).
"""

from typing import Any, ClassVar, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from agents import plans
from agents.contract import Abilities, Bench, Machine, Suited
from agents.contract import Options as BaseOptions
from agents.plan_executor import State, assign, reason, route
from agents.planner import plan, planned, replan, replanned
from agents.react import act
from agents.react_dialects import DIALECTS
from agents.suiting import Growth, fewer_steps, suited_dialect
from agents.toolnames import ToolName


class Options(BaseOptions):
    """How far it plans, how a task is done, and when the plan is looked at again."""

    dialects: ClassVar = DIALECTS
    summarise: ClassVar = "never"  # every task begins a talk of its own, which is short

    max_tasks: int = Field(5, ge=1, le=12, description="At most so many tasks are done, those of new plans too.")
    max_steps: int = Field(4, ge=1, le=10, description="A task must be done within so many steps.")
    replan: Literal["always", "on_failure", "never"] = Field(
        "always", description="The plan is looked at again after each task, after one that failed, or never."
    )
    dialect: Literal["json", "native"] = Field(
        "json", description="json suits small models, native uses the model's own tool calling."
    )
    tools: list[ToolName] = Field(["calculator", "python", "clock", "search"], description="What its tasks may use.")

    @property
    def visits(self) -> int:
        """Every step of every task."""
        return self.max_tasks * self.max_steps


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the planner's rules, worked examples, the question."""
    tools, most = bench.options.tools, bench.options.max_tasks
    rules = SystemMessage(bench.prompt("planner", tools=bench.describe_tools(tools), most=most))
    talk = [rules, *bench.examples("planner", tools), HumanMessage(bench.prompt("objective", question=question))]
    return {"objective": question, "talk": talk, "plan": [], "at": -1, "problem": "", "refused": 0, "limit": ""}


async def answer(state: State, runtime: Runtime[Bench]) -> State:
    """The answer, from what the tasks came to."""
    bench = runtime.context
    if not plans.results(state["plan"]):
        return {"limit": "No task of the plan came to a result."}
    told = bench.prompt("write", question=state["objective"], found=plans.reports(state["plan"]))
    said = await bench.ask("writer", [SystemMessage(bench.prompt("writer")), HumanMessage(told)])
    bench.card("Answer", said.text, answer=said)
    return {"answer": said.text.strip()}


def build() -> StateGraph[State, Bench, State, State]:
    """plan -> assign -> reason -> (act -> reason | replan -> (assign | answer))."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (plan, assign, reason, act, replan, answer):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", planned)
    graph.add_edge("assign", "reason")
    graph.add_conditional_edges("reason", route)
    graph.add_edge("act", "reason")
    graph.add_conditional_edges("replan", replanned)
    graph.add_edge("answer", END)
    return graph


GROWTH = Growth("a task", usual=4, least=2, prompt=1300, step=120)  # the executor's rules, examples and tools


def suited(known: Abilities) -> list[Suited]:
    """The dialect that the executor's model speaks best, of the two, and as many steps as its context allows."""
    return [*(one for one in suited_dialect(known) if one.value in ("json", "native")), *fewer_steps(known, GROWTH)]


MACHINE = Machine(
    name="plan_execute",
    title="Plan and execute",
    summary="Plans tasks over its tools, does each with ReAct, looks at the plan again, and answers from the results.",
    source="Wang et al. 2023",
    source_url="https://arxiv.org/abs/2305.04091",
    options=Options,
    build=build,
    begin=begin,
    nodes={
        "plan": "thinking",
        "assign": "none",
        "reason": "thinking",
        "act": "tool",
        "replan": "critic",
        "answer": "generator",
    },
    feedback="tool",
    temperature=0.2,
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount, and what do 4 friends pay each?",
        "How many prime numbers are there below 200, and how many of them end in 7?",
        "What date is it in 100 days, and what day of the week is that?",
    ),
    suited=suited,
)
