"""The planner of plan-and-execute: a plan that can be done, looked at again in view of what came of its tasks."""

from typing import Literal, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.runtime import Runtime

from agents import plans
from agents.contract import Bench
from agents.plan_executor import State
from agents.plans import ANSWER, KEEP, REPLACE

ATTEMPTS = 3  # plans one after another that may be refused
OLD_STAYS = f"{ATTEMPTS} new plans were refused: the old one stays"
REVIEWED = {KEEP: "The plan stays", REPLACE: "Another plan for the rest", ANSWER: "Time to answer"}


async def plan(state: State, runtime: Runtime[Bench]) -> State:
    """Tasks over the tools that are offered and no others; one that uses what no task before it gives is refused."""
    bench, options = runtime.context, runtime.context.options
    said = await bench.ask("planner", state["talk"], schema=plans.plan_schema(options.tools, options.max_tasks))
    steps = plans.planned(said.parsed.steps)
    if wrong := plans.faults(steps):
        change = plans.refused(bench, said, steps, wrong, state["refused"])
        limit = f"{ATTEMPTS} plans were refused, one after another." if change["refused"] >= ATTEMPTS else ""
        return cast(State, {**change, "limit": limit})
    bench.card(plans.counted(steps), plans.listed(steps), answer=said, plan=plans.shown(steps))
    return {"talk": [AIMessage(said.text)], "plan": steps, "problem": "", "refused": 0}


async def planned(state: State, runtime: Runtime[Bench]) -> Literal["assign", "plan", "__end__"]:
    """To the first task, unless the plan was refused."""
    if state["problem"]:
        runtime.context.decide("__end__" if state["limit"] else "plan", state["limit"] or state["problem"])
        return "__end__" if state["limit"] else "plan"
    runtime.context.decide("assign", plans.counted(state["plan"]))
    return "assign"


async def replan(state: State, runtime: Runtime[Bench]) -> State:
    """The plan in view of what came of a task: keep it, replace what is left of it, or answer now."""
    bench, now = runtime.context, state["plan"]
    if not (state["problem"] or is_looked_at(bench, now, state["at"])):
        return unasked(bench, now)
    asked: list[AnyMessage] = [] if state["problem"] else [HumanMessage(plans.review_of(bench, now))]
    schema = plans.review_schema(bench.options.tools, bench.options.max_tasks - plans.settled_tasks(now), now)
    said = await bench.ask("replanner", [*state["talk"], *asked], schema=schema)
    decision, steps = said.parsed.decision, plans.planned(said.parsed.steps, now)
    if decision == REPLACE and (wrong := plans.faults(steps, now)):
        change = plans.refused(bench, said, steps, wrong, state["refused"])
        last = change["refused"] >= ATTEMPTS
        change["talk"] = [*asked, *change["talk"][: 1 if last else 2]]  # after the last one, the next review follows
        return cast(State, {**change, **(unasked(bench, now, OLD_STAYS) if last else {})})
    after = now if decision == KEEP else plans.replaced(now, steps if decision == REPLACE else [])
    content = "\n\n".join([said.parsed.reason, *([plans.listed(steps)] if decision == REPLACE else [])])
    bench.card(REVIEWED[decision], content, answer=said, plan=plans.shown(after))
    talk = [*asked, AIMessage(said.text)]
    return {"talk": talk, "plan": after, "decision": decision, "why": decision, "problem": "", "refused": 0}


def is_looked_at(bench: Bench, plan: list[plans.Step], at: int) -> bool:
    """Whether the options want the plan looked at after this task, and anything can come of that."""
    failed, can_go_on = plan[at]["state"] == "failed", plans.settled_tasks(plan) < bench.options.max_tasks
    wanted = {"always": failed or bool(plans.open_steps(plan)), "on_failure": failed, "never": False}
    return can_go_on and wanted[bench.options.replan]


def unasked(bench: Bench, plan: list[plans.Step], why: str = "") -> State:
    """The plan as it is, without tasks that lack what they use."""
    after = plans.without_lost(plan)
    if lost := plans.dropped_since(plan, after):
        bench.card("What can no longer be done", lost, plan=plans.shown(after))
    rest = plans.open_steps(after)
    because = why or ("as planned" if rest else "no more")
    return {"plan": after, "decision": KEEP if rest else ANSWER, "why": because, "problem": "", "refused": 0}


async def replanned(state: State, runtime: Runtime[Bench]) -> Literal["assign", "answer", "replan"]:
    """On with the plan as it is now, or to the answer; a new plan that cannot be done goes back."""
    bench = runtime.context
    if state["problem"]:
        bench.decide("replan", state["problem"])
        return "replan"
    edge: Literal["assign", "answer"] = "answer" if state["decision"] == ANSWER else "assign"
    bench.decide(edge, state["why"])
    return edge
