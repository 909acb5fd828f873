"""The roles that share a task queue: who creates tasks, who orders them, who executes them, who concludes."""

from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from agents import queues
from agents.contract import Bench
from agents.votes import short


class State(TypedDict, total=False):
    """The objective and every task that there was, in order; `met` says why the objective is reached, once it is."""

    objective: str
    queue: list[queues.Task]
    at: int
    met: str
    answer: str
    limit: str


def told(bench: Bench, state: State, asked: str, longest: int | None = queues.LENGTHS[-1]) -> list[Any]:
    """What every role is told: what it is about, the results so far, and at the end what to do now.

    The beginning is the same for all, so that a backend has read it.
    """
    results = queues.results(state["queue"], longest) or "none yet"
    known = bench.prompt("known", objective=state["objective"], results=results)
    return [SystemMessage(bench.prompt("system")), HumanMessage(f"{known}\n\n{asked}")]


async def create(state: State, runtime: Runtime[Bench]) -> State:
    """New tasks for what is still missing, at the queue's end; after a result also whether the objective is met."""
    bench, queue, is_first = runtime.context, state["queue"], not state["queue"]
    open_tasks = queues.listed(queues.waiting(queue)) or "none"
    asked = bench.prompt("first") if is_first else bench.prompt("create", number=state["at"], waiting=open_tasks)
    said = await bench.ask("creator", told(bench, state, asked), schema=queues.creation_schema(not is_first))
    if not is_first and said.parsed.objective_met:
        closed = queues.closed(queue, "not needed")
        bench.card("Objective met", said.parsed.reason, answer=said, feedback="self", queue=queues.shown(closed))
        return {"queue": closed, "met": said.parsed.reason}
    now, refused = queues.added(queue, said.parsed.tasks, bench.options.queue_size)
    new = [one for one in now[len(queue) :] if one["state"] == "todo"]
    reason = [] if is_first else [said.parsed.reason]
    content = "\n\n".join(filter(None, [*reason, queues.listed(new), "\n".join(refused)]))
    feedback = {} if is_first else {"feedback": "self"}
    bench.card(queues.counted(new), content, answer=said, queue=queues.shown(now), **feedback)
    return {"queue": now}


async def prioritise(state: State, runtime: Runtime[Bench]) -> State:
    """The waiting tasks in the order in which they serve the objective best. None is added, none is lost."""
    bench, waiting = runtime.context, queues.waiting(state["queue"])
    asked = bench.prompt("prioritise", waiting=queues.listed(waiting))
    schema = queues.order_schema([one["number"] for one in waiting])
    said = await bench.ask("prioritiser", told(bench, state, asked), schema=schema)
    queue, left_out = queues.reordered(state["queue"], said.parsed.order)
    note = f"\n\nNot named, so last: {', '.join(map(str, left_out))}" if left_out else ""
    bench.card("The order now", queues.listed(queues.waiting(queue)) + note, answer=said, queue=queues.shown(queue))
    return {"queue": queue}


async def execute(state: State, runtime: Runtime[Bench]) -> State:
    """The task's result, with the objective and all results so far in view."""
    bench, task = runtime.context, next(one for one in state["queue"] if one["number"] == state["at"])
    said = await bench.ask("executor", told(bench, state, bench.prompt("execute", task=task["task"])))
    queue = queues.with_state(state["queue"], task["number"], "done", said.text.strip())
    bench.card(f"Task {task['number']}: {short(task['task'])}", said.text, answer=said, queue=queues.shown(queue))
    return {"queue": queue}


async def conclude(state: State, runtime: Runtime[Bench]) -> State:
    """The answer, put together from the results."""
    bench, queue = runtime.context, queues.closed(state["queue"], "the limit of tasks was reached")
    if not queues.done(queue):
        return {"limit": "No task came to a result."}
    for longest in queues.LENGTHS:
        asked = told(bench, state, bench.prompt("conclude"), longest)
        if (room := await bench.room(asked)) is None or room.fits:
            break
    said = await bench.ask("writer", asked)
    bench.card("Answer", said.text, answer=said, queue=queues.shown(queue))
    return {"answer": said.text.strip(), "queue": queue}
