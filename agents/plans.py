"""Plans whose steps name their tool, what they use and what they result in: schema, faults, and what is passed on."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypedDict

from agents.answers import normalise
from agents.contract import Answer, Bench
from agents.votes import short

SETTLED = ("done", "failed")
REASON = "reason"  # in a tool's place: a step that needs none
KEEP, REPLACE, ANSWER = "keep", "replace", "answer"
INLINE = 60  # characters of a result that is written into a task in its name's place
NAMED = re.compile(r"\{(\w+)\}")


class Step(TypedDict):
    """A step of a plan. `result` names what it comes to, `found`; `uses` are names of steps before it."""

    task: str
    tool: str
    uses: list[str]
    result: str
    state: str
    found: str


def plan_schema(tools: Sequence[str], most: int) -> type[BaseModel]:
    """So many steps at most, each over one of these tools or none: no other can be named."""
    steps = (_steps(tools), Field(min_length=1, max_length=most))
    return create_model("Plan", steps=steps)


def review_schema(tools: Sequence[str], most: int, plan: Sequence[Step]) -> type[BaseModel]:
    """What can be decided about a plan, and at most so many steps that take the place of its rest.

    It can be kept if something is left of it that can all be done, and answered from if anything came of it.
    """
    can_keep = bool(open_steps(plan)) and not missing(plan)
    decision: Any = Literal[tuple([*([KEEP] if can_keep else []), REPLACE, *([ANSWER] if results(plan) else [])])]
    fields: Any = {"reason": _TEXT, "decision": (decision, ...), "steps": (_steps(tools), Field(max_length=most))}
    return create_model("Review", **fields)


_TEXT = (str, Field(min_length=1))


def _steps(tools: Sequence[str]) -> Any:
    """A list of steps over these tools or none."""
    names: Any = Literal[tuple([*tools, REASON])]
    fields: Any = {"task": _TEXT, "tool": (names, ...), "uses": (list[str], ...), "result": _TEXT}
    step: Any = create_model("Step", **fields)
    return list[step]


def as_name(text: str) -> str:
    """A result's name as it is compared and shown: `Full price` and `{full_price}` are `full_price`."""
    return re.sub(r"\W+", "_", text.casefold()).strip("_")


def planned(said: Sequence[Any], before: Sequence[Step] = ()) -> list[Step]:
    """The steps that a model wrote, to follow those `before`.

    A name in braces in the task is used as well, if it is that of a result: braces are written in formulas too.
    """
    steps = []
    there = {as_name(one.result) for one in said} | {step["result"] for step in before}
    for one in said:
        in_braces = [name for name in NAMED.findall(one.task) if as_name(name) in there]
        uses = [as_name(name) for name in (*one.uses, *in_braces)]
        steps.append(
            Step(
                task=one.task.strip(),
                tool=one.tool,
                uses=[*dict.fromkeys(filter(None, uses))],
                result=as_name(one.result),
                state="todo",
                found="",
            )
        )
    return steps


def faults(steps: Sequence[Step], before: Sequence[Step] = ()) -> list[str]:
    """What is wrong with steps that are to follow those `before`, a sentence each."""
    known, wrong = set(results(before)), [] if steps else ["There is no step in it."]
    past = {normalise(step["task"]) for step in before if step["state"] == "done"}
    tasks = {normalise(step["task"]): number for number, step in reversed([*enumerate(steps, 1)])}
    for number, step in enumerate(steps, 1):
        for name in step["uses"]:
            if name not in known:
                there = ", ".join(sorted(known)) or "none yet"
                wrong.append(f"Step {number} uses {name!r}, which no step before it results in (there is: {there}).")
        if not step["result"]:
            wrong.append(f"The result of step {number} has no name.")
        elif step["result"] in known:
            wrong.append(f"Step {number} names its result {step['result']!r}, as a step before it does.")
        if (first := tasks[normalise(step["task"])]) < number:
            wrong.append(f"Step {number} is the same as step {first}.")
        if normalise(step["task"]) in past:
            wrong.append(f"Step {number} was done before.")
        known.add(step["result"])
    return wrong


def results(plan: Sequence[Step]) -> dict[str, str]:
    """What the steps that are done came to, by name."""
    return {step["result"]: step["found"] for step in plan if step["state"] == "done"}


def open_steps(plan: Sequence[Step]) -> list[int]:
    """Where the steps stand that are still to be done."""
    return [number for number, step in enumerate(plan) if step["state"] == "todo"]


def with_step(plan: Sequence[Step], number: int, **change: str) -> list[Step]:
    """The plan with one step changed."""
    changed = Step(**{**plan[number], **change})  # type: ignore[typeddict-item]
    return [*plan[:number], changed, *plan[number + 1 :]]


def missing(plan: Sequence[Step]) -> dict[int, str]:
    """Which open steps can never be done, and the name that they lack."""
    known, lost = set(results(plan)), {}
    for number in open_steps(plan):
        lacking = [name for name in plan[number]["uses"] if name not in known]
        if lacking:
            lost[number] = lacking[0]
        else:
            known.add(plan[number]["result"])
    return lost


def without_lost(plan: Sequence[Step]) -> list[Step]:
    """The plan without open steps that lack what they use."""
    kept = list(plan)
    for number, name in missing(plan).items():
        kept = with_step(kept, number, state="dropped", found=f"needs {name}, which nothing came to")
    return kept


def replaced(plan: Sequence[Step], steps: Sequence[Step]) -> list[Step]:
    """The plan with other steps, or none, in place of those that are still open, which stay as dropped ones."""
    why, kept = "replaced" if steps else "not needed", list(plan)
    for number in open_steps(plan):
        kept = with_step(kept, number, state="dropped", found=why)
    return [*kept, *steps]


def task_of(step: Step, known: Mapping[str, str]) -> tuple[str, str]:
    """A step's task with short results in place of their names, and a line for each result that it uses."""

    def value(match: re.Match[str]) -> str:
        name = as_name(match.group(1))
        if name not in step["uses"]:
            return match.group()
        found = known.get(name, "")
        return found if found and len(found) <= INLINE and "\n" not in found else name

    given = [f"{name}: {known[name]}" for name in step["uses"]]
    return NAMED.sub(value, step["task"]), "\n".join(given)


def report(step: Step) -> str:
    """What came of a step."""
    return (
        f"{step['result']}: {step['found']}" if step["state"] == "done" else f"{step['task']} Failed: {step['found']}"
    )


def reports(plan: Sequence[Step]) -> str:
    """What came of every step that was begun, each with its task."""
    settled = [step for step in plan if step["state"] in SETTLED]
    return "\n".join(
        f"- {step['task']}\n  {report(step)}" if step["state"] == "done" else f"- {report(step)}" for step in settled
    )


def review_of(bench: Bench, plan: Sequence[Step]) -> str:
    """What the re-planner is asked: what came of the latest step, and what is left."""
    latest = [step for step in plan if step["state"] in SETTLED][-1]
    rest = listed([plan[number] for number in open_steps(plan)]) or "nothing"
    lost = "".join(
        f"\n{name} is missing, so {plan[number]['task']!r} cannot be done." for number, name in missing(plan).items()
    )
    return bench.prompt("review", report=report(latest), rest=rest + lost)


def refused(bench: Bench, said: Answer, steps: Sequence[Step], wrong: Sequence[str], before: int) -> dict[str, Any]:
    """What changes in a planner's state by a plan that cannot be done; `before` it so many were refused in a row."""
    problem = " ".join(wrong)
    bench.card("Plan refused", f"{listed(steps)}\n\n{problem}".strip(), answer=said)
    turns = [AIMessage(said.text), HumanMessage(bench.prompt("refused", problem=problem))]
    return {"talk": turns, "problem": problem, "refused": before + 1}


def settled_tasks(plan: Sequence[Step]) -> int:
    """How many steps were done or have failed."""
    return sum(step["state"] in SETTLED for step in plan)


def dropped_since(before: Sequence[Step], now: Sequence[Step]) -> str:
    """Which steps were dropped, and why."""
    gone = [new for old, new in zip(before, now, strict=True) if old["state"] != new["state"]]
    return "\n".join(f"Dropped: {step['task']} ({step['found']})" for step in gone)


def tools_used(done: Sequence[str]) -> set[str]:
    """The tools in an executor's list of actions taken; see `Action.and_what_came`."""
    return {json.loads(taken)[0] for taken in done}


def counted(steps: Sequence[Step]) -> str:
    """`3 tasks`."""
    return f"{len(steps)} tasks" if len(steps) > 1 else "One task"


def terms(step: Step) -> str:
    """With what tool a step is done, and what it uses."""
    tool = "without a tool" if step["tool"] == REASON else f"with {step['tool']}"
    return f"{tool}, from {', '.join(step['uses'])}" if step["uses"] else tool


def listed(steps: Sequence[Step]) -> str:
    """Steps as a numbered list: task, tool, what it uses, the name of its result."""
    lines = []
    for number, step in enumerate(steps, 1):
        uses = f", uses {', '.join(step['uses'])}" if step["uses"] else ""
        lines.append(f"{number}. {step['task']} ({step['tool']}{uses}) → {step['result']}")
    return "\n".join(lines)


def shown(plan: Sequence[Step]) -> list[dict[str, str]]:
    """The plan as a card's data has it: see `Bench.card`."""
    return [{"title": step["task"], "state": step["state"], "note": _note(step)} for step in plan]


def _note(step: Step) -> str:
    if step["state"] == "done":
        return f"{step['result']}: {short(step['found'])}"
    return step["found"] or f"{step['tool']} → {step['result']}"
