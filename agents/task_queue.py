"""Task queue: execution, creation and prioritisation take turns over a bounded queue (after BabyAGI, Nakajima 2023)."""

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from agents import queues
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.task_roles import State, conclude, create, execute, prioritise


class Options(BaseOptions):
    """How many tasks there may be."""

    max_tasks: int = Field(5, ge=1, le=20, description="At most so many tasks are executed.")
    queue_size: int = Field(6, ge=1, le=20, description="At most so many tasks wait; what does not fit is dropped.")

    @property
    def visits(self) -> int:
        """Every task is executed once."""
        return self.max_tasks


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: an objective, and no task yet."""
    return {"objective": question, "queue": [], "at": 0, "met": "", "limit": ""}


async def created(state: State, runtime: Runtime[Bench]) -> Literal["prioritise", "pull", "conclude"]:
    """On with the queue, unless the objective is met or nothing waits."""
    waiting = len(queues.waiting(state["queue"]))
    if state["met"] or not waiting:
        runtime.context.decide("conclude", "the objective is met" if state["met"] else "the queue is empty")
        return "conclude"
    runtime.context.decide("prioritise" if waiting > 1 else "pull", f"{waiting} waiting")
    return "prioritise" if waiting > 1 else "pull"


async def pull(state: State, runtime: Runtime[Bench]) -> State:
    """The first task leaves the queue."""
    task = queues.waiting(state["queue"])[0]
    queue = queues.with_state(state["queue"], task["number"], "doing")
    runtime.context.card(f"Task {task['number']} begins", task["task"], queue=queues.shown(queue))
    return {"queue": queue, "at": task["number"]}


async def executed(state: State, runtime: Runtime[Bench]) -> Literal["create", "conclude"]:
    """New tasks from the result, until as many were executed as are allowed."""
    number = len(queues.done(state["queue"]))
    is_last = number >= runtime.context.options.max_tasks
    runtime.context.decide(
        "conclude" if is_last else "create", f"task {number} of at most {runtime.context.options.max_tasks}"
    )
    return "conclude" if is_last else "create"


def build() -> StateGraph[State, Bench, State, State]:
    """create -> (prioritise ->) pull -> execute -> (create | conclude)."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (create, prioritise, pull, execute, conclude):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "create")
    graph.add_conditional_edges("create", created)
    graph.add_edge("prioritise", "pull")
    graph.add_edge("pull", "execute")
    graph.add_conditional_edges("execute", executed)
    graph.add_edge("conclude", END)
    return graph


MACHINE = Machine(
    name="task_queue",
    title="Task queue",
    summary="Works through a queue of tasks that it fills and orders itself, until its objective is met.",
    source="Nakajima 2023 (BabyAGI)",
    source_url="https://github.com/yoheinakajima/babyagi_archive",
    options=Options,
    build=build,
    begin=begin,
    nodes={
        "create": "thinking",
        "prioritise": "critic",
        "pull": "none",
        "execute": "generator",
        "conclude": "generator",
    },
    feedback="self",
    temperature=0.7,
    examples=(
        "Plan a birthday party for a seven-year-old who loves dinosaurs, at home, for eight children.",
        "Write a one-page guide for tourists who spend a rainy Sunday in Vienna.",
        "Prepare arguments for and against a four-day week in a small bakery.",
    ),
)
