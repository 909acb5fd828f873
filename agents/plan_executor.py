"""One task of a plan at a time, done by ReAct with the one tool that it is planned with, in a talk of its own."""

from typing import Annotated, Literal, cast

from langchain_core.messages import AnyMessage, HumanMessage, RemoveMessage, SystemMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.runtime import Runtime

from agents import plans, react
from agents.contract import Bench
from agents.react_dialects import FINISH
from agents.votes import short


class State(react.State, total=False):
    """The executor's conversation over one task, and what the planner keeps.

    `talk` is the planner's own conversation, `at` the task of the `plan` that is being done. `decision` is what follows
    from the latest look at the plan, `why` its reason. `problem` says why the latest plan was refused, `refused` how
    many were, one after another.
    """

    talk: Annotated[list[AnyMessage], add_messages]
    objective: str
    plan: list[plans.Step]
    at: int
    decision: str
    why: str
    problem: str
    refused: int


async def assign(state: State, runtime: Runtime[Bench]) -> State:
    """The next task becomes the executor's: rules and examples anew, the results that it uses, the task."""
    bench, (at, *rest) = runtime.context, plans.open_steps(state["plan"])
    plan = plans.with_step(state["plan"], at, state="doing")
    done = plans.settled_tasks(plan)
    title = f"Task {done + 1} of {done + 1 + len(rest)}: {short(plan[at]['task'])}"
    _, given = plans.task_of(plan[at], plans.results(plan))
    bench.card(title, f"{plans.terms(plan[at])}\n{given}".strip(), plan=plans.shown(plan))
    talk = cast(list[AnyMessage], [RemoveMessage(REMOVE_ALL_MESSAGES), *executor_turns(bench, state, plan[at])])
    fresh: State = {"messages": talk, "steps": 0, "done": [], "barred": [], "informed": False}
    return {**fresh, "question": talk[-1].text, "plan": plan, "at": at}


def executor_turns(bench: Bench, state: State, step: plans.Step) -> list[AnyMessage]:
    """What the executor is told. Rules and examples are the same for every task, so that a backend has read them."""
    role, tools = bench.options.dialect, bench.options.tools
    rules = SystemMessage(bench.prompt(role, tools=bench.describe_tools(tools)))
    tool = "no tool" if step["tool"] == plans.REASON else step["tool"]
    task, given = plans.task_of(step, plans.results(state["plan"]))
    asked = bench.prompt("task", objective=state["objective"], given=given or "nothing", tool=tool, task=task)
    return [rules, *bench.examples(role, tools), HumanMessage(asked)]


async def reason(state: State, runtime: Runtime[Bench]) -> State:
    """One thought and its action, with the task's tool or none; what the task comes to is written into the plan."""
    bench, tool = runtime.context, state["plan"][state["at"]]["tool"]
    barred = [name for name in bench.options.tools if name != tool or name in state["barred"]]
    change = cast(State, await react.reason(cast(react.State, {**state, "barred": barred}), runtime))
    found, limit = change.pop("answer", "").strip(), change.pop("limit", "")
    if change["action"]["name"] == FINISH or limit:
        change["plan"] = settled(bench, state, found, limit or doubt(state, found))
    return change


def doubt(state: State, found: str) -> str:
    """Why a result is none: it is empty, or the tool that it should come from has only failed."""
    tool = state["plan"][state["at"]]["tool"]
    if tool in plans.tools_used(state["done"]) and not state["informed"]:
        return f"{tool} gave only errors, so this is from nowhere: {found}"
    return "" if found else "It came to nothing."


def settled(bench: Bench, state: State, found: str, why: str) -> list[plans.Step]:
    """The plan with the present task done, or failed and why."""
    step = state["plan"][state["at"]]
    unused = step["tool"] not in (plans.REASON, *plans.tools_used(state["done"]))
    plan = plans.with_step(state["plan"], state["at"], state="failed" if why else "done", found=why or found)
    title = f"Failed: {short(step['task'])}" if why else f"Done: {short(step['task'])}"
    note = f"\n({step['tool']} was not used.)" if unused and not why else ""
    bench.card(title, plans.report(plan[state["at"]]) + note, plan=plans.shown(plan))
    return plan


async def route(state: State, runtime: Runtime[Bench]) -> Literal["act", "replan"]:
    """Act until the task is done or has failed."""
    bench, step = runtime.context, state["plan"][state["at"]]
    if step["state"] == "doing":
        bench.decide("act", state["action"]["name"] or "unreadable step")
        return "act"
    bench.decide("replan", f"it {'failed' if step['state'] == 'failed' else 'is done'}")
    return "replan"
