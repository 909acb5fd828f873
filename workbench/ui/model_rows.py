"""How a backend and a model of it look on the Models page: shared by the sections of all kinds of backends."""

import streamlit as st

from workbench import servers
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
ABILITIES = {"vision": "images", "insert": "insertion", "embedding": "embeddings"}
SAID_ELSEWHERE = ("completion", "tools", "thinking")


def heading(found: session.Survey) -> str:
    """The backend's name, a dot, a sentence; when it cannot be used, what to do."""
    key = servers.where_the_key_of(found.name, session.engine().settings, session.engine().servers)
    detail = f"{found.status.detail} · {key}" if key else found.status.detail
    state, word = ("ready", "ready") if found.status.ready else ("not-ready", "not ready")
    return (
        f'<div class="wb-backend"><h2>{escape(frame.title(found.name))}</h2>'
        f'<p class="wb-status" data-state="{state}"><span>{word}: {escape(detail)}</span></p>'
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
        "" if info.installed else "cannot be used" if info.wrong else "not fetched yet",
    ]
    line = " · ".join(escape(fact) for fact in facts if fact)
    able = [words for name, words in CAPABILITIES.items() if name in info.capabilities]
    able += [ABILITIES.get(name, name) for name in info.abilities if name not in SAID_ELSEWHERE]
    can = "".join(f"<li>{escape(words)}</li>" for words in able)
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
