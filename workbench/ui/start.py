"""The bench before a run: what is missing and how to get it, or questions to begin with."""

import streamlit as st

from agents.contract import Machine
from workbench import gallery
from workbench.backends.base import ModelInfo
from workbench.backends.fetch import pinned
from workbench.ui import fetching, frame, session
from workbench.ui.markdown import escape

LONGEST = 140  # characters of a recorded question
SPEED = 1.0


def draw(machine: Machine) -> None:
    """What to do next: other runs in progress, a model that is missing, then the machine's examples."""
    _draw_active()
    draw_lacking()
    _draw_examples(machine)
    _draw_recordings(machine)


def draw_lacking() -> None:
    """What the chosen backend lacks before it can be asked, and how to get it."""
    found = session.survey(session.backend())
    chosen = next((info for info in found.models if info.name == session.model(found)), None)
    if not found.status.ready:
        _draw_not_ready(found)
    elif chosen is not None and not chosen.installed:
        draw_missing(chosen)
    elif not session.model(found):
        frame.notice("No model yet", f"{found.title} answers, but has no model.", "Fetch or load one, then look again.")
        st.button("Look again", on_click=session.look_again)


def draw_missing(info: ModelInfo) -> None:
    """A model that has to be fetched first: a button, then a bar; or why the last attempt failed."""
    size = f", {frame.size(info.size)}" if info.size else ""
    with st.container(key=f"missing-{info.name}", border=True):
        if fetching.running(info.name):
            frame.notice("Fetching the model", f"{info.name}{size}. You may ask already: the run waits for it.")
            fetching.follow(info.name)
            return
        failed = fetching.failure(info.name)
        if failed and failed.error:
            st.error(frame.sentences(failed.error.message, failed.error.hint))
        if info.wrong:
            frame.notice("The model cannot be used", info.wrong)
        else:
            frame.notice("The model is not on this machine yet", f"{info.name}{size}. It is fetched once and checked.")
        if pinned(info.name):
            st.button(
                "Fetch the model",
                key=f"fetch-{info.name}",
                type="primary",
                on_click=session.attempt,
                args=(fetching.start, info.name),
            )


def _draw_not_ready(found: session.Survey) -> None:
    with st.container(key="not-ready", border=True):
        frame.notice(f"{frame.title(found.name)} cannot be used now", found.status.detail, found.status.hint)
        with st.container(horizontal=True):
            st.button("Look again", type="primary", on_click=session.look_again)
            for other, words in (("embedded", "Use the embedded engine"), ("scripted", "Use the demo")):
                if other != found.name:
                    st.button(words, key=f"use-{other}", on_click=session.use, args=(other, ""))


def _draw_active() -> None:
    """Runs that go on while the bench shows none of them."""
    engine = session.engine()
    for run_id in engine.active():
        row = engine.store.run(run_id)
        with st.container(key=f"active-{run_id}", horizontal=True, vertical_alignment="center"):
            frame.notice(f"{row.machine_title} is running", " ".join(row.question.split())[:120])
            st.button("Open", key=f"open-{run_id}", on_click=session.open_run, args=(run_id,))


def _draw_recordings(machine: Machine) -> None:
    """Real runs of the machine that were recorded: they need no model."""
    found = gallery.of(machine.name)
    if not found:
        return
    st.html('<p class="wb-label">Recorded runs, which need no model</p>')
    with st.container(key="recordings", gap="xsmall"):
        for one in found:
            with st.container(key=f"recording-{one.outcome}", horizontal=True, vertical_alignment="center"):
                st.html(_recording_html(one))
                st.button("Watch", key=f"watch-{one.outcome}", on_click=_watch, args=(one,))


def _recording_html(one: gallery.Recording) -> str:
    words = "It goes right" if one.outcome == "right" else "It goes wrong"
    return (
        f'<div class="wb-notice"><h3>{words}: {escape(" ".join(one.question.split())[:LONGEST])}</h3>'
        f'<p class="wb-hint">{escape(one.why)} {escape(one.model)}, {escape(one.recorded)}.</p></div>'
    )


def _watch(one: gallery.Recording) -> None:
    """Replay a recording; the first time it is put among the runs."""
    with session.explained():
        session.open_run(gallery.keep(session.engine().store, one), SPEED)


def _draw_examples(machine: Machine) -> None:
    if not machine.examples:
        return
    st.html(f'<p class="wb-label">Questions for {escape(machine.title)}</p>')
    with st.container(key="examples", gap="xsmall"):
        for number, example in enumerate(machine.examples):
            st.button(
                frame.plain(example),
                key=f"example-{number}",
                width="stretch",
                on_click=session.put,
                args=(session.QUESTION, example),
            )
