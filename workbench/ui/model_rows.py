"""How a backend and a model of it look on the Models page: shared by the sections of all kinds of backends."""

import streamlit as st

from workbench.backends.base import ModelInfo
from workbench.ui import frame, session
from workbench.ui.markdown import escape

CAPABILITIES = {
    "schema": "structured answers",
    "tools": "tool calls",
    "thinking": "thinking",
    "logprobs": "token probabilities",
    "seed": "seed",
}


def heading(found: session.Survey) -> str:
    """The backend's name, a dot, a sentence; when it cannot be used, what to do."""
    state, word = ("ready", "ready") if found.status.ready else ("not-ready", "not ready")
    return (
        f'<div class="wb-backend"><h2>{escape(frame.title(found.name))}</h2>'
        f'<p class="wb-status" data-state="{state}"><span>{word}: {escape(found.status.detail)}</span></p>'
        f"{frame.hint_html(found.status.hint)}</div>"
    )


def use_button(found: session.Survey, info: ModelInfo) -> None:
    """The button that chooses a model for the whole session."""
    chosen = found.name == session.backend() and info.name == session.model(found)
    st.button(
        "In use" if chosen else "Use this model",
        key=f"use-{found.name}-{info.name}",
        disabled=chosen,
        on_click=session.use,
        args=(found.name, info.name),
    )


def model_html(info: ModelInfo, *more: str) -> str:
    """A model's name, its measures, what `more` there is to say, and what it can do."""
    facts = [
        info.parameters,
        info.quantisation,
        frame.size(info.size) if info.size else "",
        f"context {info.context_window:,}" if info.context_window else "",
        "loaded" if info.loaded else "",
        *more,
        "" if info.installed else "not fetched yet",
    ]
    line = " · ".join(escape(fact) for fact in facts if fact)
    can = "".join(f"<li>{words}</li>" for name, words in CAPABILITIES.items() if name in info.capabilities)
    return (
        f'<div class="wb-model"><h3>{escape(info.name)}</h3><p class="wb-meta">{line}</p>'
        f"{f'<ul>{can}</ul>' if can else ''}</div>"
    )


def draw(found: session.Survey, info: ModelInfo) -> None:
    """A model that can only be chosen."""
    with st.container(key=f"model-row-{found.name}-{info.name}", horizontal=True, vertical_alignment="center"):
        st.html(model_html(info))
        use_button(found, info)


def section(backend: str) -> None:
    """A backend whose models can only be chosen."""
    found = session.survey(backend)
    st.html(heading(found))
    for info in found.models:
        draw(found, info)
