"""A page with nothing but the form of data sets, for its tests."""

import streamlit as st

from workbench.ui import dataset_form

st.text(f"chosen: {dataset_form.draw('set')}")
