"""Where the page stands: at its end while a run writes there, and where it was when earlier cards come in above."""

from typing import Any

import streamlit as st
from streamlit.components.v2 import component

_FOLLOW_JS = """
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
# From the click until the cards are there, or the person moves the page, the first card stays where it is.
_KEEP_JS = """
export default function () {
  const page = document.querySelector('[data-testid="stMain"]');
  if (!page) return;
  const keep = (event) => {
    const card = page.querySelector(".wb-card");
    if (!card || !event.target.closest('[class*="st-key-earlier-"] button')) return;
    const [id, top] = [card.id, card.getBoundingClientRect().top];
    const observer = new MutationObserver(() => {
      const now = document.getElementById(id);
      if (now) page.scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
    });
    const leave = () => {
      observer.disconnect();
      for (const moved of ["wheel", "touchmove", "keydown"]) page.removeEventListener(moved, leave);
    };
    observer.observe(page, { childList: true, subtree: true });
    for (const moved of ["wheel", "touchmove", "keydown"]) page.addEventListener(moved, leave, { passive: true });
    setTimeout(leave, 5000);
  };
  page.addEventListener("click", keep, true);
  return () => page.removeEventListener("click", keep, true);
}
"""

# As soon as the card is there, and once for each opening, though the page is drawn again meanwhile: it becomes the
# target, which the stylesheet marks.
_GO_TO_JS = """
export default function ({ data }) {
  if (!data || window.wentTo === data.opening) return;
  const go = () => {
    if (!document.getElementById(data.card)) return false;
    window.wentTo = data.opening;
    location.replace("#" + data.card);
    return true;
  };
  if (go()) return;
  const observer = new MutationObserver(() => { if (go()) observer.disconnect(); });
  observer.observe(document.body, { childList: true, subtree: true });
  const timer = setTimeout(() => observer.disconnect(), 10000);
  return () => { observer.disconnect(); clearTimeout(timer); };
}
"""


@st.cache_resource(show_spinner=False)
def _follower() -> Any:
    return component("follow_end", js=_FOLLOW_JS)


@st.cache_resource(show_spinner=False)
def _keeper() -> Any:
    return component("keep_place", js=_KEEP_JS)


@st.cache_resource(show_spinner=False)
def _goer() -> Any:
    return component("go_to", js=_GO_TO_JS)


def go_to(entry: int, opening: str) -> None:
    """Show a card as soon as it is drawn, once for each `opening`; it takes no space."""
    _goer()(key=f"follow-to-{opening}", data={"card": f"entry-{entry}", "opening": opening}, height="content")


def follow_end(live: bool) -> None:
    """Follow the page's end while `live`; it takes no space."""
    _follower()(key="follow", data=live, height="content")


def keep_place(number: int) -> None:
    """Keep the cards in place when earlier ones are asked for; it takes no space. `number` tells drawings apart."""
    _keeper()(key=f"keep-{number}", height="content")
