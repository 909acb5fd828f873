"""The embedded engine's models on the Models page: fetched, chosen."""

import streamlit as st

from workbench.backends.base import ModelInfo
from workbench.backends.fetch import pinned
from workbench.ui import fetching, frame, model_rows, session


def section(backend: str) -> None:
    """The engine and its models."""
    found = session.survey(backend)
    st.html(model_rows.heading(found))
    for info in found.models:
        draw_model(found, info)


def draw_model(found: session.Survey, info: ModelInfo) -> None:
    """One model: what it is, what it can do, and the button that uses or fetches it."""
    key = f"{found.name}-{info.name}"
    with st.container(key=f"model-row-{key}", horizontal=True, vertical_alignment="center"):
        is_verified = pinned(info.name) is not None and info.installed
        st.html(model_rows.model_html(info, "digest verified" if is_verified else ""))
        if info.installed:
            model_rows.use_button(found, info)
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
