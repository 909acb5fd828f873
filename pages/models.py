"""The models of every backend: cared for, probed, and what their answers and their time are worth."""

import streamlit as st

from workbench.backends.servers import kind_of
from workbench.ui import (
    costs,
    embedded_models,
    frame,
    mcp_servers,
    model_rows,
    ollama_models,
    probing,
    schema_doctor,
    servers,
    session,
)

SECTIONS = {"embedded": embedded_models.section, "ollama": ollama_models.section}


def page() -> None:
    """The view that is chosen."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Models", anchor=False)
        st.button("Look again", on_click=session.look_again)
    chosen = st.segmented_control(
        "View",
        VIEWS,
        default=FIRST,
        required=True,
        key=session.MODELS_VIEW,
        label_visibility="collapsed",
        bind="query-params",
    )
    frame.show_problem()
    VIEWS[chosen or FIRST]()


def draw_models() -> None:
    """A section for each backend, then the form for another server."""
    names = session.engine().backends()
    session.begin_surveys(names)
    for name in names:
        with st.container(key=f"backend-{name}"):
            SECTIONS.get(kind_of(name), model_rows.section)(name)
    servers.draw()


VIEWS = {
    "Models": draw_models,
    "Probe": probing.draw,
    "Structured answers": schema_doctor.draw,
    "Cost": costs.draw,
    "Tools": mcp_servers.draw,
}
FIRST = next(iter(VIEWS))

frame.around(page)
