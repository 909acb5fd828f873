"""The end of a run on the bench: its answer, what can be taken away from it, and how one goes on from it."""

from typing import Literal

import streamlit as st

from agents import catalogue
from workbench.compare import NEEDED, compare
from workbench.differences import headline
from workbench.errors import RunNotFound
from workbench.events import RunView
from workbench.job import ASKED, last_request
from workbench.ui import (
    cards,
    carrying,
    export,
    forking,
    forms,
    metrics,
    money,
    panel,
    prompt_example,
    session,
    ways_out,
)
from workbench.ui.markdown import escape

VERDICTS = ("good", "bad")


def draw(view: RunView, run_id: str) -> None:
    """The answer, or what came instead, and under it everything that can follow."""
    with st.container(key="answer-place"):
        st.html(cards.answer_html(view))
        if line := metrics.spent(view.totals, money.of(view)):
            st.html(f'<p class="wb-label wb-spent">{escape(line)}</p>')
        if view.finished and view.finished.answer:
            _draw_verdict(run_id)
        if ways_out.has_overflowed(view) and _is_ours(view):
            ways_out.draw(view, run_id, "ended")
        if view.started and view.started.relation == "reproduce" and view.started.parent_run:
            _draw_comparison(view.started.parent_run, run_id)
        with st.container(horizontal=True, key="take-away"):
            _draw_going_on(view, run_id)
            _draw_taking_away(view, run_id)
            st.button("New question", key="new-question", type="tertiary", on_click=session.begin_anew)
        if view.finished and view.finished.answer and view.finished.status in ("answered", "limit"):
            _draw_follow_up(run_id)


def _draw_going_on(view: RunView, run_id: str) -> None:
    """Resume what was cut off; fork it; run it again as it was."""
    if not view.started:
        return
    if view.status != "answered" and session.engine().can_resume(run_id):
        # A prompt that did not fit does not fit again: the way out is above.
        kind: Literal["primary", "secondary"] = "secondary" if ways_out.has_overflowed(view) else "primary"
        st.button("Resume", key="resume", type=kind, on_click=resume, args=(run_id,))
    forking.button(run_id, key="fork-ended")
    if _is_ours(view):
        st.button("Run again with the same seed", key="reproduce", on_click=reproduce, args=(run_id,))


def _is_ours(view: RunView) -> bool:
    """Whether the run's machine and backend are some that there are here: a published log's are not."""
    request = view.started.request if view.started else {}
    return request.get("backend") in session.engine().backends() and request.get("machine") in catalogue.MACHINES


def _draw_taking_away(view: RunView, run_id: str) -> None:
    """The answer on the clipboard, the run as a text, its log."""
    if view.finished and view.finished.answer:
        export.copy_button(view.finished.answer, key=f"copy-{run_id}")
    if view.started and view.status == "answered" and _is_ours(view):
        prompt_example.button(run_id, str(view.started.request["machine"]))
    st.download_button(
        "Markdown",
        data=lambda: export.markdown(view),
        file_name=export.file_name(view, "md"),
        mime="text/markdown",
        on_click="ignore",
    )
    st.download_button(
        "Log (JSONL)",
        data=lambda: export.jsonl(session.engine().store.events(run_id)),
        file_name=export.file_name(view, "jsonl"),
        mime="application/jsonl",
        on_click="ignore",
    )
    if view.started:
        carrying.bundle_button(run_id, str(view.started.request["machine"]), key="bundle-ended")


def _draw_verdict(run_id: str) -> None:
    """Good or bad, kept at once; the same again takes it back."""
    key = session.field_key(session.VERDICT, run_id)
    session.put(key, session.engine().store.run(run_id).verdict or None)
    with st.container(key="verdict", horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Your verdict",
            VERDICTS,
            format_func=str.capitalize,
            key=key,
            on_change=judge,
            args=(run_id, key),
            help="Good answers become training data, under Runs. Press it again to take it back.",
        )


def judge(run_id: str, key: str) -> None:
    """Keep what the person thinks of the run."""
    session.attempt(session.engine().store.judge, run_id, session.recall(key) or "")


def _draw_comparison(first: str, second: str) -> None:
    """Whether a run that was made again came out the same, and the way to see where it did not."""
    store = session.engine().store
    try:
        store.run(first)
    except RunNotFound:
        st.caption("The run that this one repeats has been deleted.")
        return
    found = compare(*(store.events(run_id, kinds=NEEDED) for run_id in (first, second)))
    words = "The same as the first time." if found.is_same else f"Not the same as the first time (A). {headline(found)}"
    with st.container(key="sameness", horizontal=True, vertical_alignment="center"):
        st.html(f'<p class="wb-hint">{escape(words)}</p>', width="content")
        st.page_link(
            "pages/diff.py", label="Side by side", query_params={session.SIDE_A: first, session.SIDE_B: second}
        )


def _draw_follow_up(run_id: str) -> None:
    with st.form("thread", border=False), st.container(horizontal=True, vertical_alignment="center"):
        st.text_input(
            "Follow-up",
            key=session.FOLLOW_UP,
            placeholder="Ask a follow-up",
            label_visibility="collapsed",
            required=True,
        )
        st.form_submit_button("Continue", key="continue", on_click=follow_up, args=(run_id,))


def resume(run_id: str) -> None:
    """Go on from the last finished step, within the limits that the form holds now."""
    with forms.explained():
        session.engine().resume(run_id, panel.limits(), session=session.identity())
        session.open_run(run_id)


def reproduce(run_id: str) -> None:
    """The same request with the same seed once more."""
    with forms.explained():
        session.open_run(session.engine().reproduce(run_id, session=session.identity()))


def follow_up(run_id: str) -> None:
    """Ask the next question of the thread, as the form has it now, with the prompts that the thread has had."""
    with forms.explained():
        before = last_request(session.engine().store.events(run_id, kinds=ASKED))
        words = {"prompts": before.prompts, "examples": before.examples}
        asked = panel.request(session.recall(session.FOLLOW_UP) or "").model_copy(update=words)
        new_id = session.engine().follow_up(run_id, asked, session=session.identity())
        session.open_run(new_id)
        session.put(session.ADOPTED, new_id)
        session.put(session.QUESTION, asked.question)
        session.put(session.FOLLOW_UP, "")
