"""The one place that puts the stylesheet on a page."""

from pathlib import Path

import streamlit as st

CSS = Path(__file__).with_name("style.css")


def load_style() -> None:
    """Put the stylesheet on the page. Call it once per script run, in the frame; it takes no space.

    Streamlit gives its page and sidebar the theme's color-scheme, which the stylesheet follows by itself; dialogs and
    popovers stand outside them and would always be light, so the root is told as well.
    """
    theme = st.context.theme.type or "light"
    st.html(f"<style>:root {{ color-scheme: {theme}; }}\n{CSS.read_text(encoding='utf-8')}</style>")
