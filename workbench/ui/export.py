"""What a person takes away: the answer as Markdown, the log as JSON lines, and a button that copies."""

from collections.abc import Iterable
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from workbench.events import AnyEvent, CallView, RunView, to_json

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
    """The run as a document: question, answer, every step, and what made it."""
    if view.started is None:
        return ""
    request = view.started.request
    parts = [f"# {_line(request['question'])}", _outcome(view), "## Steps", *_steps(view), "## Made with", _made(view)]
    return "\n\n".join(part for part in parts if part) + "\n"


def file_name(view: RunView, ending: str) -> str:
    """A short name for a download: machine and run."""
    machine = view.started.request["machine"] if view.started else "run"
    run_id = view.started.run_id if view.started else ""
    return f"{machine}-{run_id[:8]}.{ending}"


def _outcome(view: RunView) -> str:
    if view.finished is None:
        return ""
    error = view.finished.error
    return view.finished.answer or (f"{error.message} {error.hint}".strip() if error else view.finished.reason)


def _steps(view: RunView) -> list[str]:
    steps = []
    for call in view.calls:
        title, content = _titled(call)
        steps += [f"### {title}", content]
    return steps


def _titled(call: CallView) -> tuple[str, str]:
    if call.card is not None:
        return call.card.title, call.card.content
    return call.called.role.capitalize(), call.text or (call.error.message if call.error else "")


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
            f"- Run {view.started.run_id}, {view.started.created_at}",
        ]
    )


def _line(text: str) -> str:
    return " ".join(text.split())
