"""What a person takes away: the answer as Markdown, the log as JSON lines, and a button that copies."""

import re
from collections.abc import Iterable
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from workbench.events import (
    AnyEvent,
    CallView,
    Card,
    Entry,
    NoteView,
    Paused,
    Resumed,
    RunStarted,
    RunView,
    ToolView,
    to_json,
)
from workbench.ui import origins, pauses
from workbench.ui.cards import BY_PERSON
from workbench.ui.fields import label

_COPY_JS = """
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    await navigator.clipboard.writeText(data);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
}
"""
_COPY_CSS = """
button {
  font: inherit; font-size: 0.875rem; padding: 0 0.75rem; height: 37px; box-sizing: border-box; cursor: pointer;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""


@st.cache_resource(show_spinner=False)
def _copy_component() -> Any:
    return component("copy_text", html='<button type="button">Copy</button>', css=_COPY_CSS, js=_COPY_JS)


def copy_button(text: str, key: str) -> None:
    """A button that puts the text on the clipboard, without a word to the server."""
    _copy_component()(key=key, data=text, width="content", height="content")


def jsonl(events: Iterable[AnyEvent]) -> str:
    """The log, one event a line."""
    return "".join(f"{to_json(event)}\n" for event in events)


def markdown(view: RunView) -> str:
    """The run as a document: question, answer, the thread so far, every step, and what made it."""
    if view.started is None:
        return ""
    title = f"# {_line(view.started.request['question'])}"
    parts = [title, _outcome(view), *_thread(view), "## Steps", *_steps(view), "## Made with", _made(view)]
    return "\n\n".join(part for part in parts if part) + "\n"


def file_name(view: RunView, ending: str) -> str:
    """A short name for a download: machine and run."""
    machine = view.started.request["machine"] if view.started else "run"
    run_id = view.started.run_id if view.started else ""
    return f"{machine}-{run_id[:8]}.{ending}"


def _outcome(view: RunView) -> str:
    if view.paused is not None:
        return f"*It waits for you: {_line(pauses.paused_title(view.paused))}. {_line(view.paused.reason)}*"
    if view.finished is None:
        return ""
    error = view.finished.error
    return view.finished.answer or (f"{error.message} {error.hint}".strip() if error else view.finished.reason)


def _thread(view: RunView) -> list[str]:
    history = view.started.request.get("history") or [] if view.started else []
    exchanges = [part for one in history for part in (f"**{_line(one['question'])}**", _quoted(one["answer"]))]
    return ["## Earlier in this thread", *exchanges] if history else []


def _steps(view: RunView) -> list[str]:
    steps: list[str] = []
    for index, entry in enumerate(view.entries):
        title, content = _step(view, index, entry)
        if title:
            steps += [f"### {_line(title)}{_marks(view, entry)}", content]
        last_taken = view.is_inherited(entry) and not any(map(view.is_inherited, view.entries[index + 1 : index + 2]))
        if last_taken and view.started:
            steps.append(f"*Forked here from run {origins.parent(view.started)}.*")
    return steps


def _step(view: RunView, index: int, entry: Entry) -> tuple[str, str]:
    """A step's title and text; empty for what is no step."""
    match entry:
        case CallView():
            return _titled(entry)
        case ToolView(called=called, answered=answered):
            given = "\n".join(f"{label(name)}: {value}" for name, value in called.arguments.items())
            return called.name, "\n\n".join(
                _code(text) for text in (given, answered.result if answered else "") if text
            )
        case NoteView(event=Card(title=title, content=content)):
            return title, content
        case NoteView(event=Paused() as paused):
            return f"Waited for you: {pauses.paused_title(paused)}", paused.reason
        case NoteView(event=Resumed() as resumed):
            return pauses.said_title(resumed), _said(resumed, pauses.pause_before(view, index))
    return "", ""


def _titled(call: CallView) -> tuple[str, str]:
    if call.card is not None:
        return call.card.title, call.card.content
    if call.summarised is not None:
        made = call.summarised
        sizes = f"{len(made.left_out)} turns, {made.tokens_before:,} tokens before, {made.tokens_after:,} after"
        return f"Summary of earlier turns ({sizes})", made.text
    return call.called.role.capitalize(), call.text or (call.error.message if call.error else "")


def _said(resumed: Resumed, paused: Paused | None) -> str:
    """What the person changed: before and after."""
    if resumed.verb != "edit":
        return ""
    if resumed.arguments is not None:
        old, new = (_code(pauses.as_json(args)) for args in (paused.arguments if paused else {}, resumed.arguments))
    else:
        old, new = _quoted(pauses.content(paused) if paused else ""), _quoted(resumed.text)
    return f"It was:\n\n{old}\n\nIt became:\n\n{new}"


def _marks(view: RunView, entry: Entry) -> str:
    """Whose the step was."""
    marks = [BY_PERSON] if not isinstance(entry, NoteView) and entry.called.by_person else []
    if view.started and view.is_inherited(entry):
        marks.append(f"inherited from {origins.parent(view.started)}")
    return f" ({', '.join(marks)})" if marks else ""


def _made(view: RunView) -> str:
    if view.started is None:
        return ""
    request, totals = view.started.request, view.totals
    return "\n".join(
        [
            f"- Machine: {view.started.machine_title}",
            f"- Model: {request['model']} ({request['backend']})",
            f"- Seed: {request['settings'].get('seed')}, temperature: {request['settings'].get('temperature')}",
            f"- {totals.calls} calls, {totals.prompt_tokens:,} tokens read, {totals.completion_tokens:,} written,"
            f" {totals.seconds:.1f} s",
            f"- Run {view.started.run_id}, {view.started.created_at}{_origin(view.started)}",
        ]
    )


def _origin(started: RunStarted) -> str:
    """Which run it comes from, and how."""
    words = {"fork": "forked from", "continue": "continues", "reproduce": "run again as"}.get(started.relation)
    return f", {words} run {origins.parent(started)}" if words and started.parent_run else ""


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines()) or "> (nothing)"


def _code(text: str) -> str:
    """Text in a fence that nothing in it closes."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())
