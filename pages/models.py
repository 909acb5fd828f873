"""The models of every backend: whether it can be used, what it has, and what can be fetched."""

import streamlit as st

from workbench.backends.base import ModelInfo
from workbench.backends.fetch import pinned
from workbench.backends.registry import BACKENDS
from workbench.ui import fetching, frame, session
from workbench.ui.markdown import escape

CAPABILITIES = {
    "schema": "structured answers",
    "tools": "tool calls",
    "thinking": "thinking",
    "logprobs": "token probabilities",
    "seed": "seed",
}


def page() -> None:
    """A section for each backend."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Models", anchor=False)
        st.button("Look again", on_click=session.look_again)
    frame.show_problem()
    for name in BACKENDS:
        found = session.survey(name)
        with st.container(key=f"backend-{name}"):
            st.html(heading(found))
            for info in found.models:
                draw_model(found, info)


def heading(found: session.Survey) -> str:
    """The backend's name, a dot, a sentence; when it cannot be used, what to do."""
    state, word = ("ready", "ready") if found.status.ready else ("not-ready", "not ready")
    return (
        f'<div class="wb-backend"><h2>{escape(frame.NAMES.get(found.name, found.title))}</h2>'
        f'<p class="wb-status" data-state="{state}"><span>{word}: {escape(found.status.detail)}</span></p>'
        f"{frame.hint_html(found.status.hint)}</div>"
    )


def draw_model(found: session.Survey, info: ModelInfo) -> None:
    """One model: what it is, what it can do, and the button that uses or fetches it."""
    key = f"{found.name}-{info.name}"
    with st.container(key=f"model-row-{key}", horizontal=True, vertical_alignment="center"):
        st.html(
            model_html(info, verified=found.name == "embedded" and pinned(info.name) is not None and info.installed)
        )
        if info.installed:
            chosen = found.name == session.backend() and info.name == session.model(found)
            st.button(
                "In use" if chosen else "Use this model",
                key=f"use-{key}",
                disabled=chosen,
                on_click=session.use,
                args=(found.name, info.name),
            )
        elif not fetching.running(info.name):
            st.button(
                "Fetch", key=f"fetch-{key}", type="primary", on_click=session.attempt, args=(fetching.start, info.name)
            )
    if not info.installed:
        draw_download(info)


def draw_download(info: ModelInfo) -> None:
    """The download as it stands, or why it failed."""
    if fetching.running(info.name):
        fetching.follow(info.name)
    elif (failed := fetching.failure(info.name)) and failed.error:
        st.error(frame.sentences(failed.error.message, failed.error.hint))


def model_html(info: ModelInfo, verified: bool) -> str:
    """A model's name, its measures and what it can do."""
    facts = [
        info.parameters,
        info.quantisation,
        frame.size(info.size) if info.size else "",
        f"context {info.context_window:,}" if info.context_window else "",
        "loaded" if info.loaded else "",
        "digest verified" if verified else "",
        "" if info.installed else "not fetched yet",
    ]
    line = " · ".join(escape(fact) for fact in facts if fact)
    can = "".join(f"<li>{words}</li>" for name, words in CAPABILITIES.items() if name in info.capabilities)
    return (
        f'<div class="wb-model"><h3>{escape(info.name)}</h3><p class="wb-meta">{line}</p>'
        f"{f'<ul>{can}</ul>' if can else ''}</div>"
    )


frame.around(page)
