"""A bounded queue of tasks: what gets in, what is refused and why, what comes next."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, create_model
from typing_extensions import TypedDict

from agents.answers import normalise
from agents.votes import short

ENOUGH = 0.8  # of the longer task's words
NUMBERED = re.compile(r"^\W*(?:task\s*)?\d+\s*[:.)](?!\d)\s*", re.IGNORECASE)  # small models copy the list's numbers
NEW = 3  # tasks that one look may add
LENGTHS = (None, 1_500, 600, 250)  # characters of a result in a prompt, as many as fit


class Task(TypedDict):
    """A task with its number; `found` is what came of it, or why it was dropped."""

    number: int
    task: str
    state: str
    found: str


class Added(NamedTuple):
    """The queue with new tasks, and a sentence for each that did not get in."""

    queue: list[Task]
    refused: list[str]


def creation_schema(judges: bool) -> type[BaseModel]:
    """New tasks; before that, where there is a result to judge, whether the objective is met, and why."""
    text = (str, Field(min_length=1))
    judged: Any = {"reason": text, "objective_met": (bool, ...)} if judges else {}
    tasks: Any = {"tasks": (list[str], Field(min_length=0 if judges else 1, max_length=NEW))}
    return create_model("Creation", **judged, **tasks)


def order_schema(numbers: Sequence[int]) -> type[BaseModel]:
    """Every one of these numbers once, so far as a schema can say so."""
    order: Any = (list[int], Field(min_length=len(numbers), max_length=len(numbers)))
    return create_model("Order", order=order)


def words_of(task: str) -> list[str]:
    """The words of a task, in whatever form they are written."""
    return re.findall(r"[^\W_]+", normalise(task))


def are_alike(one: str, other: str) -> bool:
    """Whether two tasks say the same: the same words in the same order, but for a few more in one of them."""
    few, many = sorted((words_of(one), words_of(other)), key=len)
    rest = iter(many)
    return all(word in rest for word in few) and len(few) >= ENOUGH * len(many)


def waiting(queue: Sequence[Task]) -> list[Task]:
    """The tasks that are still to be done, in their order."""
    return [one for one in queue if one["state"] == "todo"]


def done(queue: Sequence[Task]) -> list[Task]:
    """The tasks that are done, in the order in which they were."""
    return [one for one in queue if one["state"] == "done"]


def added(queue: Sequence[Task], tasks: Sequence[str], most: int) -> Added:
    """The queue with new tasks at its end: none that is there already, and no more than `most` that wait.

    One that was dropped may come again once there is room for it.
    """
    found, refused = list(queue), []
    for task in (NUMBERED.sub("", said).strip() for said in tasks):
        full = len(waiting(found)) >= most
        there = [one for one in found if full or one["state"] != "dropped"]
        known = next((one for one in there if are_alike(one["task"], task)), None)
        if not words_of(task):
            refused.append("Refused: a task without words.")
        elif known:
            refused.append(f"Refused: {task} (it says the same as task {known['number']})")
        else:
            why = f"the queue is full ({most})" if full else ""
            number = len(found) + 1
            found.append(Task(number=number, task=task, state="dropped" if full else "todo", found=why))
            refused += [f"Dropped: {task} ({why})"] if full else []
    return Added(found, refused)


def reordered(queue: Sequence[Task], order: Sequence[int]) -> tuple[list[Task], list[int]]:
    """The queue with its waiting tasks in this order, and the numbers that the order leaves out: they come last."""
    open_tasks = {one["number"]: one for one in waiting(queue)}
    named = [number for number in dict.fromkeys(order) if number in open_tasks]
    left_out = [number for number in open_tasks if number not in named]
    rest = [one for one in queue if one["state"] != "todo"]
    return [*rest, *(open_tasks[number] for number in (*named, *left_out))], left_out


def with_state(queue: Sequence[Task], number: int, state: str, found: str = "") -> list[Task]:
    """The queue with one task changed."""
    return [{**one, "state": state, "found": found} if one["number"] == number else one for one in queue]


def closed(queue: Sequence[Task], why: str) -> list[Task]:
    """The queue without waiting tasks: they are dropped, and this is why."""
    return [one if one["state"] != "todo" else {**one, "state": "dropped", "found": why} for one in queue]


def listed(tasks: Sequence[Task]) -> str:
    """Tasks with their numbers, a line each; as a numbered list Markdown would number them anew."""
    return "\n".join(f"- {one['number']}: {one['task']}" for one in tasks)


def counted(new: Sequence[Task]) -> str:
    """`2 new tasks`."""
    return f"{len(new) or 'No'} new task{'s' if len(new) != 1 else ''}"


def results(queue: Sequence[Task], longest: int | None = LENGTHS[-1]) -> str:
    """What the tasks came to that are done, each cut to so many characters."""

    def cut(text: str) -> str:
        return text if longest is None or len(text) <= longest else f"{text[:longest].rstrip()} […]"

    return "\n\n".join(f"Task {one['number']}: {one['task']}\nResult: {cut(one['found'])}" for one in done(queue))


def shown(queue: Sequence[Task]) -> list[dict[str, str]]:
    """The queue as a card's data has it: see `Bench.card`."""
    return [
        {"title": one["task"], "state": one["state"], "note": short(one["found"]) if one["found"] else ""}
        for one in queue
    ]
