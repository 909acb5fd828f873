"""A machine's tasks as they stand: a plan as a checklist, a queue as a board; live, and again in a replay."""

from collections.abc import Sequence

from workbench.events import RunView, Task
from workbench.ui.markdown import escape

LONGEST = 160  # characters of a task or a note; what a narrow column cannot hold of them is cut by the style
MARKS = {"todo": "○", "doing": "●", "done": "✓", "failed": "✕", "dropped": "–"}
WORDS = {"todo": "to do", "doing": "doing", "done": "done", "failed": "failed", "dropped": "dropped"}
SPOKEN = ("doing", "failed", "dropped")  # states that a word tells in a list; a board's columns tell the others
COLUMNS = (("To do", ("todo",)), ("Doing", ("doing",)), ("Done", ("done", "failed")))


def tasks_html(view: RunView) -> str:
    """The run's plan and its queue; empty where it has neither."""
    return plan_html(view.tasks("plan")) + queue_html(view.tasks("queue"))


def plan_html(plan: Sequence[Task]) -> str:
    """The plan as a checklist in its order, with what came of each task."""
    if not plan:
        return ""
    head = f"<h4>plan <small>{_standing(plan)}</small></h4>"
    return f'<section class="wb-tasks wb-plan" aria-label="Plan" tabindex="0">{head}{_list(plan, SPOKEN)}</section>'


def queue_html(queue: Sequence[Task]) -> str:
    """The queue as a board of three columns; what was dropped stands under it, with the reason."""
    if not queue:
        return ""
    head = f"<h4>tasks <small>{_standing(queue)}</small></h4>"
    columns = "".join(_column(title, [task for task in queue if task.state in states]) for title, states in COLUMNS)
    dropped = [task for task in queue if task.state == "dropped"]
    gone = f"<details><summary>{len(dropped)} dropped</summary>{_list(dropped)}</details>" if dropped else ""
    board = f'<div class="wb-board">{columns}</div>'
    return f'<section class="wb-tasks wb-queue" aria-label="Tasks" tabindex="0">{head}{board}{gone}</section>'


def _column(title: str, tasks: Sequence[Task]) -> str:
    inside = _list(tasks) if tasks else '<p class="wb-nothing">nothing</p>'
    return f'<div class="wb-column"><h5>{title} <small>{len(tasks)}</small></h5>{inside}</div>'


def _list(tasks: Sequence[Task], spoken: Sequence[str] = ("failed",)) -> str:
    return f"<ol>{''.join(_item(task, spoken) for task in tasks)}</ol>"


def _item(task: Task, spoken: Sequence[str]) -> str:
    """A task with its state as a mark, for some as a word too, and what came of it."""
    state = task.state if task.state in MARKS else "todo"
    flag = f'<span class="wb-flag">{WORDS[state]}</span>' if state in spoken else ""
    mark = f'<span class="wb-mark" role="img" aria-label="{WORDS[state]}">{MARKS[state]}</span>'
    note = f"<small>{escape(_brief(task.note))}</small>" if task.note else ""
    current = ' aria-current="step"' if state == "doing" else ""
    title = f'<span class="wb-task" title="{escape(task.title)}">{escape(_brief(task.title))}</span>'
    return f'<li class="wb-is-{state}"{current}>{mark}<div>{title}{flag}{note}</div></li>'


def _standing(tasks: Sequence[Task]) -> str:
    """`2 of 5 done`; dropped ones do not count."""
    wanted = [task for task in tasks if task.state != "dropped"]
    return f"{sum(task.state == 'done' for task in wanted)} of {len(wanted)} done"


def _brief(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1].rstrip() + "…"
