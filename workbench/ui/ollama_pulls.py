"""Pulls on the Models page: begun, followed layer by layer, cancelled, gone on with."""

import streamlit as st

from workbench.backends.manage import Pull, PullView
from workbench.ui import caring, frame, session
from workbench.ui.markdown import escape
from workbench.ui.metrics import bar, clock

SUGGESTED = ("qwen3:1.7b", "gemma3:1b", "llama3.2:1b", "qwen2.5-coder:1.5b")


def draw_form(backend: str) -> None:
    """The field for a name, and a few small models that the server does not have."""
    here = {info.name for info in session.stock(backend).installed}
    field = f"{session.PULL_NAME}-{backend}"
    with (
        st.form(f"pull-form-{backend}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input("Pull a model", key=field, placeholder="name:tag, as in Ollama's library", width=360)
        st.form_submit_button("Pull", key=f"pull-{backend}", on_click=_start_typed, args=(backend, field))
    with st.container(key=f"pull-suggestions-{backend}", horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<p class="wb-hint">Small ones to begin with:</p>')
        for name in SUGGESTED:
            if name not in here and not _is_running(backend, name):
                key = f"pull-{backend}-{name}"
                st.button(name, key=key, type="tertiary", on_click=start, args=(backend, name))


def settle(backend: str) -> None:
    """Say what has come of the pulls that this session has seen under way, and look again at their server."""
    seen: set[Pull] = session.recall(session.PULLS_SEEN, set())
    for pull in caring.pulls(backend).all():
        if pull.state == "done" and pull in seen:
            seen.discard(pull)
            caring.look_again()
            st.toast(f"{pull.name} is there.")


def draw_under_way(backend: str) -> None:
    """Each pull: how far it is, or how it ended."""
    for pull in caring.pulls(backend).all():
        if pull.state == "running":
            session.remember(session.PULLS_SEEN, set())
            session.recall(session.PULLS_SEEN).add(pull)
            st.fragment(_follow, run_every=caring.LOOK_SECONDS)(backend, pull)
        elif pull.state != "done":
            _draw_end(backend, pull)


def start(backend: str, name: str) -> None:
    """Pull a model, or join the pull that runs."""
    caring.pulls(backend).start(Pull(caring.care(backend), name))


def _start_typed(backend: str, field: str) -> None:
    if name := str(session.recall(field) or "").strip():
        start(backend, name)


def _is_running(backend: str, name: str) -> bool:
    pull = caring.pulls(backend).get(name)
    return pull is not None and pull.state == "running"


def _follow(backend: str, pull: Pull) -> None:
    """How far it is; at its end the page is drawn again."""
    if pull.state != "running":
        st.rerun()
    view = pull.snapshot()
    progress = view.progress
    with st.container(key=f"pull-row-{backend}-{pull.name}", horizontal=True, vertical_alignment="center"):
        st.html(f'<div class="wb-model"><h3>{escape(pull.name)}</h3><p class="wb-meta">{words(view)}</p></div>')
        st.button("Cancel", key=f"cancel-pull-{backend}-{pull.name}", on_click=pull.cancel)
    st.progress(progress.done / progress.total if progress.total else 0.0)
    if progress.layers:
        st.html(layers_html(view))


def _draw_end(backend: str, pull: Pull) -> None:
    """Why it failed, or where it was cancelled; it can be gone on with."""
    key = f"{backend}-{pull.name}"
    progress = pull.snapshot().progress
    if pull.state == "cancelled":
        where = f" at {frame.size(progress.done)} of {frame.size(progress.total)}" if progress.total else ""
        frame.notice(f"{pull.name}: cancelled{where}", "The server keeps what has come.", "Go on takes it from there.")
    else:
        error = pull.error
        st.error(frame.sentences(error.message, error.hint) if error else f"{pull.name} could not be pulled.")
    with st.container(key=f"pull-ended-{key}", horizontal=True, gap="small"):
        again = "Go on" if progress.done else "Pull again"
        st.button(again, key=f"go-on-{key}", on_click=start, args=(backend, pull.name))
        args = (pull.name,)
        st.button("Dismiss", key=f"dismiss-{key}", type="tertiary", on_click=caring.pulls(backend).forget, args=args)


def words(view: PullView) -> str:
    """What the server does, bytes, speed, time left, and from where it went on."""
    progress = view.progress
    fetching = progress.done < progress.total
    doing = [] if fetching else [escape(progress.status)]
    if progress.total:
        doing.append(f"{frame.size(progress.done)} of {frame.size(progress.total)}")
    if fetching and view.speed:
        doing.append(f"{frame.size(int(view.speed))}/s")
    if fetching and view.seconds_left is not None:
        doing.append(f"{clock(view.seconds_left)} left")
    if view.had:
        doing.append(f"went on from {frame.size(view.had)}")
    return " · ".join(doing)


def layers_html(view: PullView) -> str:
    """Each layer that the server has named: its digest's beginning, a bar, its bytes."""
    rows = "".join(
        f"<li><code>{escape(layer.short)}</code> {bar(layer.done / layer.total if layer.total else 0, 'layer')}"
        f' <span class="wb-label">{frame.size(layer.done)} of {frame.size(layer.total)}</span></li>'
        for layer in view.progress.layers
    )
    return f'<ul class="wb-layers">{rows}</ul>'
