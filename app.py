"""The frame: page settings, navigation, the choice of backend and model. Pages do the rest."""

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.ui import fetching, frame, presets, session
from workbench.ui.style import load_style

PAGES = (
    st.Page("pages/bench.py", title="Bench", default=True),
    st.Page("pages/compare.py", title="Compare"),
    st.Page("pages/experiments.py", title="Experiments"),
    st.Page("pages/confidence.py", title="Confidence"),
    st.Page("pages/prompts.py", title="Prompts"),
    st.Page("pages/memory.py", title="Memory"),
    st.Page("pages/runs.py", title="Runs"),
    st.Page("pages/models.py", title="Models"),
    st.Page("pages/diff.py", title="Side by side", visibility="hidden"),  # reached from Runs, or by its address
)

st.set_page_config(
    "Second Thought",
    page_icon=frame.ICON,
    layout="wide",
    initial_sidebar_state=236,
    menu_items={"About": frame.ABOUT},  # with an entry of ours the menu appears, and with it light and dark
)
load_style()
session.put(session.FRAMED, True)
page = st.navigation(PAGES, position="hidden")
try:
    session.engine()
except WorkbenchError as error:
    frame.navigation(PAGES, page)
    frame.stop_with(error, "Second Thought cannot start")
with frame.guarded():
    fetching.begin()
    frame.navigation(PAGES, page)
    presets.begin(on_bench=page.url_path == "")
    frame.model_choice()
    frame.draw_notices()
    page.run()
