"""The comparisons that there were: what was asked, of which lanes, and which was found best."""

import streamlit as st

from workbench.store.comparisons import TIE, Comparison
from workbench.ui import ballot, frame, session
from workbench.ui.lane_form import LETTERS
from workbench.ui.markdown import escape
from workbench.ui.moments import short, when

PER_PAGE = 10


def draw() -> None:
    """The earlier comparisons, newest first; nothing before the first one."""
    store = ballot.store()
    count = store.count()
    if not count:
        frame.notice("No comparisons yet", "Each one is kept here with its answers and your vote.")
        return
    pages = -(-count // PER_PAGE)
    number = min(int(session.recall(session.OLDER, 1)), pages)
    st.html(f'<p class="wb-label">{count:,} earlier {"comparison" if count == 1 else "comparisons"}</p>')
    with st.container(key="runs", gap=None):
        for comparison in store.recent(PER_PAGE, (number - 1) * PER_PAGE):
            _draw_row(comparison)
    if pages > 1:
        st.pagination(pages, key=session.OLDER)


def row_html(comparison: Comparison, is_running: bool) -> str:
    """The question; in small the vote, the lanes and when it was. Lanes that are hidden are not named."""
    names = [f"{letter} {lane.title}" for letter, lane in zip(LETTERS, comparison.lanes, strict=False)]
    who = [f"{len(names)} hidden lanes"] if comparison.hidden else names
    state = '<b class="wb-state wb-running">running</b> ' if is_running else ""
    line = " · ".join(escape(fact) for fact in (_vote(comparison), *who, when(comparison.created_at)) if fact)
    return (
        f'<div class="wb-run"><h3>{escape(short(comparison.question))}</h3><p class="wb-meta">{state}{line}</p></div>'
    )


def _vote(comparison: Comparison) -> str:
    if comparison.vote is None:
        return "no vote"
    return "tie" if comparison.vote == TIE else f"{LETTERS[comparison.vote]} is best"


def _draw_row(comparison: Comparison) -> None:
    with st.container(key=f"row-{comparison.id}", horizontal=True, vertical_alignment="center"):
        is_running = any(session.engine().is_live(lane.run) for lane in comparison.lanes)
        st.html(row_html(comparison, is_running))
        with st.container(key=f"actions-{comparison.id}", horizontal=True, width="content", gap="small"):
            st.button("Open", key=f"open-{comparison.id}", on_click=session.open_comparison, args=(comparison.id,))
            if st.button("Delete", key=f"delete-{comparison.id}", type="tertiary"):
                _confirm(comparison)


@st.dialog("Delete this comparison?")
def _confirm(comparison: Comparison) -> None:
    hint = "Its vote counts no longer. Its runs stay, under Runs. This cannot be undone."
    st.html(f'<p>{escape(short(comparison.question))}</p><p class="wb-hint">{hint}</p>')
    with st.container(horizontal=True):
        args = (ballot.store().delete, comparison.id)
        if st.button("Delete", key="delete-for-good", type="primary", on_click=session.attempt, args=args):
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()
