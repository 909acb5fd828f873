"""Ctrl+Enter from within a choice: Streamlit's pills, segments and tabs keep the keys that they do not know."""

from typing import Any

import streamlit as st
from streamlit.components.v2 import component

BUTTONS = (
    "fork-start",
    "pause-reply",
    "run-button",
    "compare-start",
    "start-experiment",
)  # the first that is there has Ctrl+Enter

_JS = """
export default function ({ data }) {
  const press = (event) => {
    const chosen = event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target instanceof Element
      && event.target.closest('[role="radio"], [role="tab"], [aria-pressed], input[type="radio"]');
    const button = chosen && data.map((key) => document.querySelector(`.st-key-${key} button`)).find(Boolean);
    if (!button || button.disabled) return;
    event.preventDefault();
    event.stopPropagation();
    button.click();
  };
  window.addEventListener("keydown", press, true);
  return () => window.removeEventListener("keydown", press, true);
}
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return component("hand_on_keys", js=_JS)


def hand_on() -> None:
    """Give Ctrl+Enter to the button that has it, wherever the focus is; it takes no space."""
    _component()(key="hand-on-keys", data=list(BUTTONS), height="content")
