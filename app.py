"""The frame: page settings, navigation, the choice of backend and model. Pages do the rest."""

from pathlib import Path

import streamlit as st

from workbench.errors import StoreError
from workbench.ui import frame, session
from workbench.ui.style import load_style

PAGES = (
    st.Page("pages/bench.py", title="Bench", default=True),
    st.Page("pages/runs.py", title="Runs"),
    st.Page("pages/models.py", title="Models"),
)

st.set_page_config("Second Thought", page_icon=frame.ICON, layout="wide", initial_sidebar_state=236)
load_style()
st.html(Path(frame.__file__).with_name("frame.css"))
page = st.navigation(PAGES, position="hidden")
try:
    session.engine()
except StoreError as error:
    frame.navigation(PAGES, page)
    frame.stop_with(error, "The data folder cannot be used")
with frame.guarded():
    frame.navigation(PAGES, page)
    frame.model_choice()
    page.run()
