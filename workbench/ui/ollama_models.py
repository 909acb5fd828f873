"""An Ollama server's models on the Models page: chosen, loaded, read, copied, deleted, pulled."""

import streamlit as st

from workbench.backends.base import ModelInfo
from workbench.backends.manage import Load
from workbench.ui import caring, frame, loaded_models, model_rows, ollama_pulls, session
from workbench.ui.markdown import escape
from workbench.ui.moments import when

LOAD, DETAILS, COPY, DELETE = "Load", "Details", "Copy", "Delete"
LEAST_WINDOW = 256
SERVERS_OWN = "As the server is set"


def section(backend: str) -> None:
    """The server, what it has in memory, its models, and what is pulled. One that is down is not asked further."""
    loaded_models.settle(backend)
    ollama_pulls.settle(backend)
    found = session.survey(backend)
    st.html(model_rows.heading(found))
    if found.status.ready or found.status.empty:
        _draw_stock(found, session.stock(backend))
    ollama_pulls.draw_under_way(backend)


def _draw_stock(found: session.Survey, stock: session.Stock) -> None:
    if stock.problem is not None:
        st.error(frame.sentences(stock.problem.message, stock.problem.hint))
        return
    if stock.installed:
        loaded_models.draw(found.name)
    _draw_rows(found, "Installed", [info for info in stock.installed if info.can_chat])
    _draw_rows(found, "Not for answers", [info for info in stock.installed if not info.can_chat])
    ollama_pulls.draw_form(found.name)
    _draw_dialog(found, stock)


def _draw_dialog(found: session.Survey, stock: session.Stock) -> None:
    """The dialog that is open: a pull that ends meanwhile draws the page again, and must not close it."""
    backend, choice, name = session.recall(session.CARING) or ("", "", "")
    info = next((info for info in stock.installed if info.name == name), None)
    if backend == found.name and info is not None:
        DIALOGS[choice](backend, info)


def _draw_rows(found: session.Survey, title: str, models: list[ModelInfo]) -> None:
    if models:
        st.html(f'<h4 class="wb-part">{title}</h4>')
    for info in models:
        _draw_row(found, info)


def _draw_row(found: session.Survey, info: ModelInfo) -> None:
    """One model, the button that chooses it, and what else can be done with it."""
    key = f"{found.name}-{info.name}"
    with st.container(key=f"model-row-{key}", horizontal=True, vertical_alignment="center"):
        changed = f"changed {when(info.modified)}" if info.modified else ""
        st.html(model_rows.model_html(info, info.family, changed))
        with st.container(key=f"model-actions-{key}", horizontal=True, width="content", gap="small"):
            chosen = st.menu_button("More", (LOAD, DETAILS, COPY, DELETE), key=f"more-{key}", type="tertiary")
            if info.can_chat:
                model_rows.use_button(found, info)
    if chosen is not None:
        session.put(session.CARING, (found.name, chosen, info.name))


def _close() -> None:
    session.put(session.CARING, None)


def _done() -> None:
    """Close the dialog, and show what has become of the models."""
    _close()
    caring.look_again()
    st.rerun()


@st.dialog("Load a model", on_dismiss=_close)
def _load(backend: str, info: ModelInfo) -> None:
    """Choose the window and how long it stays."""
    st.html(f"<p><b>{escape(info.name)}</b>, on {_where(backend)}</p>")
    most = info.trained_window or info.context_window
    context = st.number_input(
        "Context window, in tokens",
        min_value=min(LEAST_WINDOW, most or LEAST_WINDOW),
        max_value=most,
        value=None,
        step=1024,
        key="load-context",
        placeholder=SERVERS_OWN,
        help="A larger one takes more memory. Runs that choose none of their own keep it.",
    )
    kept = st.selectbox("Keep it after its last answer for", (SERVERS_OWN, *caring.KEEP), key="load-keep")
    if st.button("Load", key="load-now", type="primary"):
        errand = Load(caring.care(backend), info.name, context, caring.KEEP.get(kept))
        caring.loads(backend).forget(info.name)
        under_way = caring.loads(backend).start(errand)
        if (under_way.context, under_way.keep_alive) == (errand.context, errand.keep_alive):
            _done()
        st.error(frame.sentences(_loading_already(under_way), "Wait for its end, or cancel it, then load it anew."))


def _loading_already(load: Load) -> str:
    window = f"{load.context:,} tokens" if load.context else "the server's own window"
    return f"{load.name} is being loaded already, with {window}."


@st.dialog("Model details", width="medium", on_dismiss=_close)
def _details(backend: str, info: ModelInfo) -> None:
    """What the model is told and how it is set."""
    st.html(f"<p><b>{escape(info.name)}</b>, on {_where(backend)}</p>")
    with frame.guarded():
        told = caring.ask(caring.care(backend).details(info.name))
        texts = {
            "Template": told.template,
            "Parameters": told.parameters,
            "System prompt": told.system,
            "Licence": told.licence,
            "Modelfile": told.modelfile,
        }
        for tab, text in zip(st.tabs(list(texts)), texts.values(), strict=True):
            with tab:
                if text:
                    st.code(text, language=None, wrap_lines=True, height=360)
                else:
                    st.html('<p class="wb-hint">The server tells none.</p>')


@st.dialog("Copy a model", on_dismiss=_close)
def _copy(backend: str, info: ModelInfo) -> None:
    """Ask for the name of the copy."""
    st.html(
        f"<p><b>{escape(info.name)}</b>{_size(info)}, on {_where(backend)}</p>"
        '<p class="wb-hint">Both names share the same files: a copy takes no more room.</p>'
    )
    name = st.text_input("Name of the copy", key="copy-name", placeholder="mine:latest")
    if st.button("Copy", key="copy-now", type="primary", disabled=not name.strip()):
        with frame.guarded():
            caring.ask(caring.care(backend).copy(info.name, name))
            _done()


@st.dialog("Delete this model?", on_dismiss=_close)
def _delete(backend: str, info: ModelInfo) -> None:
    """Ask before a model is gone from the server's disk."""
    st.html(
        f"<p><b>{escape(info.name)}</b>{_size(info)}, on {_where(backend)}</p>"
        '<p class="wb-hint">It is deleted from that server\'s disk. To have it again it must be pulled.</p>'
    )
    with st.container(horizontal=True):
        args = (_delete_now, backend, info.name)
        if st.button("Delete", key="delete-for-good", type="primary", on_click=session.attempt, args=args):
            _done()
        if st.button("Keep it", key="keep"):
            _done()


def _delete_now(backend: str, name: str) -> None:
    caring.ask(caring.care(backend).delete(name))
    if session.recall(session.model_key(backend)) == name:
        session.put(session.model_key(backend), "")
    caring.look_again()  # before the choice of models in the sidebar is drawn, which would choose it again


def _where(backend: str) -> str:
    return f"{escape(frame.title(backend))} at {escape(caring.care(backend).address)}"


def _size(info: ModelInfo) -> str:
    return f", {frame.size(info.size)}" if info.size else ""


DIALOGS = {LOAD: _load, DETAILS: _details, COPY: _copy, DELETE: _delete}
