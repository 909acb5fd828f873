"""What an Ollama server has in its memory now: how much, how long still, unloaded or kept with a click."""

import streamlit as st

from workbench.backends.manage import Load, LoadedModel
from workbench.ui import caring, frame, session
from workbench.ui.markdown import escape
from workbench.ui.metrics import clock


def draw(backend: str) -> None:
    """The block; while something loads or counts down it follows by itself."""
    if session.stock(backend).problem is not None:
        return
    names = _names(session.stock(backend).loaded)
    lively = bool(names) or any(load.state == "running" for load in caring.loads(backend).all())
    block = st.fragment(_follow, run_every=caring.LOOK_SECONDS) if lively else _draw
    block(backend, names)


def settle(backend: str) -> None:
    """Look again at a server where a model has come into memory, or whose load was cancelled."""
    for load in _over(backend):
        caring.loads(backend).forget(load.name)
        caring.look_again()


def _over(backend: str) -> list[Load]:
    """The loads that need be shown no longer."""
    return [load for load in caring.loads(backend).all() if load.state in ("done", "cancelled")]


def _follow(backend: str, drawn: frozenset[str]) -> None:
    """The block again. Another model in memory, or a server that is gone, changes the rest of the page too."""
    loaded = caring.memory(backend)
    if loaded is None or _names(loaded) != drawn or _over(backend) or session.recall(session.PROBLEM):
        caring.look_again()
        st.rerun()
    _draw(backend, drawn)


def _draw(backend: str, _drawn: frozenset[str]) -> None:
    loaded = caring.memory(backend) or ()
    loads = caring.loads(backend).all()
    st.html('<h4 class="wb-part">Loaded now</h4>')
    if not loaded and not loads:
        st.html('<p class="wb-hint">Nothing. A model is loaded when it is first asked, or now with Load.</p>')
    for load in loads:
        _draw_load(backend, load)
    for model in loaded:
        _draw_row(backend, model)


def _draw_row(backend: str, model: LoadedModel) -> None:
    key = f"{backend}-{model.name}"
    with st.container(key=f"model-row-loaded-{key}", horizontal=True, vertical_alignment="center"):
        st.html(row_html(model))
        with st.container(key=f"loaded-actions-{key}", horizontal=True, width="content", gap="small"):
            kept = st.menu_button("Keep", tuple(caring.KEEP), key=f"stay-{key}", type="tertiary")
            if kept is not None:
                session.attempt(_keep, backend, model.name, caring.KEEP[kept])
                st.rerun()
            args = (_unload, backend, model.name)
            st.button("Unload now", key=f"unload-{key}", on_click=session.attempt, args=args)


def _draw_load(backend: str, load: Load) -> None:
    """A model on its way into memory, or why it did not come there."""
    key = f"{backend}-{load.name}"
    if load.state == "failed":
        error = load.error
        st.error(frame.sentences(error.message, error.hint) if error else f"{load.name} could not be loaded.")
        st.button("Dismiss", key=f"dismiss-load-{key}", on_click=caring.loads(backend).forget, args=(load.name,))
        return
    with st.container(key=f"model-row-loading-{key}", horizontal=True, vertical_alignment="center"):
        st.html(
            f'<div class="wb-model"><h3>{escape(load.name)}</h3>'
            f'<p class="wb-meta">loading, {clock(load.seconds)}</p></div>'
        )
        st.button("Cancel", key=f"cancel-load-{key}", on_click=load.cancel)


def row_html(model: LoadedModel) -> str:
    """Its name, its memory and how much of that is on the GPU, its window, and when it goes."""
    facts = [
        f"{frame.size(model.size)} in memory, {model.where()}" if model.size else "",
        f"context {model.context:,}" if model.context else "",
        model.leaves(),
    ]
    line = " · ".join(fact for fact in facts if fact)
    return f'<div class="wb-model"><h3>{escape(model.name)}</h3><p class="wb-meta">{line}</p></div>'


def _names(loaded: tuple[LoadedModel, ...]) -> frozenset[str]:
    return frozenset(model.name for model in loaded)


def _unload(backend: str, name: str) -> None:
    caring.ask(caring.care(backend).unload(name))
    caring.look_again()


def _keep(backend: str, name: str, keep_alive: str) -> None:
    caring.ask(caring.care(backend).keep(name, keep_alive))
    caring.look_again()
