"""Keeps the newest card in view while a run writes, as long as the person stays at the page's end."""

from typing import Any

import streamlit as st
from streamlit.components.v2 import component

_JS = """
export default function ({ data }) {
  const page = document.querySelector('[data-testid="stMain"]');
  if (!page || !data) return;
  const atEnd = () => page.scrollHeight - page.clientHeight - page.scrollTop < 80;
  let follows = atEnd();
  const look = () => { follows = atEnd(); };
  const observer = new MutationObserver(() => {
    if (follows) page.scrollTo({ top: page.scrollHeight, behavior: "instant" });
  });
  page.addEventListener("scroll", look, { passive: true });
  observer.observe(page, { childList: true, subtree: true, characterData: true });
  return () => { observer.disconnect(); page.removeEventListener("scroll", look); };
}
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return component("follow_end", js=_JS)


def follow_end(live: bool) -> None:
    """Follow the page's end while `live`; it takes no space."""
    _component()(key="follow", data=live, height="content")
