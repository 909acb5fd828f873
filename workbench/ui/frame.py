"""What stands around every page: the name, the navigation, the choice of backend and model, and errors as sentences."""

import re
import runpy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from workbench import __version__
from workbench.backends.base import ModelInfo
from workbench.errors import WorkbenchError
from workbench.settings import CHECKOUT
from workbench.ui import session
from workbench.ui.markdown import escape
from workbench.units import size as size

NAMES = {"embedded": "Embedded", "ollama": "Ollama", "openai": "OpenAI-compatible", "scripted": "Demo (scripted)"}
ABOUT = f"Second Thought {__version__}: a workbench for reflection agents. Apache-2.0."
_COMMAND = re.compile(r"`([^`]+)`")
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<circle cx='8' cy='8' r='6.5' fill='none' stroke='%232f5d8f' stroke-width='1.6'/>"
    "<circle cx='8' cy='8' r='2.6' fill='%23b5541c'/></svg>"
)


def navigation(pages: Sequence[StreamlitPage], current: StreamlitPage) -> None:
    """The product's name and the pages that stand by themselves; the current one is marked."""
    with st.sidebar:
        st.html('<p class="wb-name">Second Thought</p>')
        with st.container(key="navigation", gap=None):
            for page in pages:
                if page.visibility == "hidden":
                    continue
                mark = "current" if page.url_path == current.url_path else page.url_path
                with st.container(key=f"page-{mark}"):
                    st.page_link(page, label=page.title, width="stretch")


def around(page: Callable[[], None]) -> None:
    """Draw a page in its frame, app.py.

    Until a new server has run app.py once it takes the files in pages/ for pages of an older kind, and runs the one
    whose address is asked for alone.
    """
    if session.recall(session.FRAMED):
        page()
    else:
        runpy.run_path(str(CHECKOUT / "app.py"))


def model_choice() -> None:
    """Backend and model, how they are, at the sidebar's foot."""
    with st.sidebar, st.container(key="model-choice", gap="xsmall"):
        session.remember(session.BACKEND, session.engine().settings.backend)
        st.selectbox(
            "Backend",
            backends(session.backend()),
            format_func=title,
            key=session.BACKEND,
            persist_state="session",
        )
        found = session.survey(session.backend())
        model_select(found, session.model_key(found.name))
        st.html(status_html(found, session.model(found)))


def backends(chosen: str) -> list[str]:
    """The backends to choose from; while it is chosen a server that was removed too, whose line says so."""
    names = session.engine().backends()
    return names if not chosen or chosen in names else [*names, chosen]


def model_select(found: session.Survey, key: str) -> None:
    """The choice among a backend's models; `key` holds the chosen one."""
    names = [info.name for info in found.models if info.installed]
    chosen = session.recall(key) or session.model(found)
    names = names if not chosen or chosen in names else [chosen, *names]
    if not names:
        return
    if session.recall(key) not in names:
        session.put(key, chosen or names[0])
    st.selectbox("Model", names, key=key, persist_state="session")


def title(backend: str) -> str:
    """A backend as a person reads it; a named server's with its name: `lab (Ollama)`."""
    kind, _, name = backend.partition("@")
    return f"{name} ({NAMES.get(kind, kind)})" if name else NAMES.get(kind, kind)


def status_html(found: session.Survey, model: str) -> str:
    """A dot and a line: how the chosen model is, or why the backend cannot be used."""
    chosen = next((info for info in found.models if info.name == model), None)
    words = describe(chosen) if chosen and found.status.ready else ""
    state = "ready" if found.status.ready else "not-ready"
    return f'<p class="wb-status" data-state="{state}">{escape(words or found.status.detail)}</p>'


def describe(info: ModelInfo) -> str:
    """A model's context window, size and state in a few words."""
    words = [
        f"context {info.context_window:,}" if info.context_window else "",
        "loaded" if info.loaded and info.size else "",
        size(info.size) if info.size else "",
        "" if info.installed else "not fetched yet",
    ]
    return " · ".join(word for word in words if word)


def draw_notices() -> None:
    """What happened when the data were opened, such as a damaged file set aside: once, until it is dismissed."""
    for number, notice in enumerate(session.engine().notices()):
        if notice not in _dismissed():
            with st.container(key=f"notice-{number}", horizontal=True, vertical_alignment="center"):
                st.warning(plain(notice))
                st.button("Dismiss", key=f"dismiss-{number}", on_click=_dismissed().add, args=(notice,))


@st.cache_resource(show_spinner=False)
def _dismissed() -> set[str]:
    """The notices that somebody has read."""
    return set()


@contextmanager
def guarded() -> Iterator[None]:
    """Show one of our errors as a sentence and the next action; whatever is no error of ours goes on."""
    try:
        yield
    except WorkbenchError as error:
        show(error)


def show(error: WorkbenchError) -> None:
    """One of our errors: cause, then next action."""
    st.error(sentences(error.message, error.hint))


def show_problem() -> None:
    """What the last click could not do, once."""
    problem: session.Problem | None = session.recall(session.PROBLEM)
    if problem is not None:
        session.put(session.PROBLEM, None)
        st.error(sentences(problem.message, problem.hint))


def sentences(message: str, hint: str) -> str:
    """Cause and next action as Markdown in which only the line break is ours."""
    return f"{plain(message)}  \n{plain(hint)}" if hint else plain(message)


def notice(title: str, message: str, hint: str = "") -> None:
    """A quiet message: what is so, and what to do next."""
    st.html(f'<div class="wb-notice"><h3>{escape(title)}</h3><p>{escape(message)}</p>{hint_html(hint)}</div>')


def hint_html(hint: str) -> str:
    """What to do next; commands between backticks are set as code."""
    shown = _COMMAND.sub(r"<code>\1</code>", escape(hint))
    return f'<p class="wb-hint">{shown}</p>' if hint else ""


def stop_with(error: WorkbenchError, title: str) -> NoReturn:
    """A page of its own for an error that leaves nothing to draw."""
    st.header(title)
    show(error)
    st.button("Try again", type="primary")
    st.stop()


def plain(text: str) -> str:
    """Text in which Markdown finds nothing to do."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()<>#+-!|~:$&" else char for char in text)
