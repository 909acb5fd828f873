"""Where a run comes from: the thread's earlier questions, and the run that it was forked from or repeats."""

from typing import Any

from workbench.events import RunStarted, RunView
from workbench.ui.markdown import escape, render

SHORT_ID = 8  # characters of a run's id that are shown
UNFOLDED = 3  # exchanges of a thread that have a line of their own
WITHOUT_STEPS = {"fork": "Forked at the start of run", "reproduce": "Run again as run"}


def begin_html(started: RunStarted) -> str:
    """What came before the run's first step: the thread so far, or the run that it is made after. Empty for none."""
    history = started.request.get("history") or []
    words = WITHOUT_STEPS.get(started.relation) if started.parent_run and not started.inherited else None
    line = f'<p class="wb-origin">{words} {escape(parent(started))}</p>' if words else ""
    return (_thread(history) if history else "") + line


def parent(started: RunStarted) -> str:
    """The parent's id as it is shown; empty for a run without one."""
    return (started.parent_run or "")[:SHORT_ID]


def fork_line(view: RunView, index: int) -> str:
    """Under the last card that was taken over, where the run left its parent."""
    follows = view.entries[index + 1] if index + 1 < len(view.entries) else None
    if view.started is None or (follows is not None and view.is_inherited(follows)):
        return ""
    words = "Run again from here, as run" if view.started.relation == "reproduce" else "Forked here from run"
    return f'<p class="wb-origin wb-under">{words} {escape(parent(view.started))}</p>'


def _thread(history: list[dict[str, Any]]) -> str:
    """The earlier questions, each with its answer behind it; of a long thread the first ones behind a line."""
    earlier, latest = history[:-UNFOLDED], history[-UNFOLDED:]
    words = "1 more before them" if len(earlier) == 1 else f"{len(earlier)} more before them"
    rest = "".join(map(_exchange, earlier))
    hidden = f'<details class="wb-quiet"><summary>{words}</summary>{rest}</details>' if earlier else ""
    return (
        '<section class="wb-thread"><span class="wb-role">Earlier in this thread</span>'
        f"{hidden}{''.join(map(_exchange, latest))}</section>"
    )


def _exchange(exchange: dict[str, Any]) -> str:
    answer = str(exchange.get("answer") or "")
    said = render(answer) if answer.strip() else '<div class="wb-note">No answer.</div>'
    question = escape(" ".join(str(exchange.get("question") or "").split()))
    return f'<details class="wb-exchange"><summary><span>{question}</span></summary>{said}</details>'
