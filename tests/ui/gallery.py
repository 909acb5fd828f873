"""Every state of the look on one page, from handwritten events: `streamlit run tests/ui/gallery.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import streamlit as st

from tests.ui import samples
from workbench.events import CallView
from workbench.ui import cards, diagram, metrics, origins, style

st.set_page_config("Gallery", layout="wide", menu_items={"About": "The look, state by state."})
style.load_style()
st.sidebar.html('<p class="wb-name">Second Thought</p>')
name = st.sidebar.radio("Sample", list(samples.SAMPLES), key="sample", bind="query-params")
fold = st.sidebar.toggle("Fold", bind="query-params", key="fold")
clean = st.sidebar.toggle("Clean", bind="query-params", key="clean")
view = samples.SAMPLES[name]()
st.title(name)
left, right = st.columns((270, 692), gap="medium")
with left:
    with st.container(key="map"):
        st.markdown(diagram.diagram_svg(view), unsafe_allow_html=True)
    with st.container(key="numbers"):
        st.html(metrics.metrics_html(view, None))
with right, st.container(key="steps"):
    if view.started and (begin := origins.begin_html(view.started)):
        st.html(begin)
    for index, entry in enumerate(view.entries):
        with st.container(key=f"entry-place-{index}", gap=None):
            st.html(cards.entry_html(view, index, fold=fold, show="clean" if clean else "changes"))
            if isinstance(entry, CallView) and entry.answer and not entry.called.by_person:
                with st.expander("What was sent", type="compact", key=f"sent-{index}"):
                    st.html(cards.sent_html(entry))
    if answer := cards.answer_html(view):
        st.html(answer)
st.html('<span id="the-end"></span>')
