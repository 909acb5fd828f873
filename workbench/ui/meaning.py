"""What is said below the documents of the search by meaning: by which model, or why not, and how far they are read."""

from dataclasses import dataclass

import streamlit as st

from workbench.backends.base import Embeds
from workbench.errors import WorkbenchError
from workbench.reader import Reading
from workbench.store.documents import Documents
from workbench.ui import frame, session
from workbench.ui.markdown import escape

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Comparer:
    """The model that compares texts by meaning; without one, why."""

    model: str = ""
    why: str = ""


@st.cache_resource(ttl=10, show_spinner=False)
def comparer(backend: str) -> Comparer:
    """Ask a backend for its embedding model. Never raises; the answer holds for ten seconds."""
    try:
        found = session.engine().backend(backend)
        if not isinstance(found, Embeds):
            return Comparer(why=f"{found.title} makes no embeddings.")
        return Comparer(session.engine().on_loop(found.embedding_model(), ANSWER_SECONDS))
    except WorkbenchError as error:
        return Comparer(why=f"{error.message} {error.hint}".replace("`", ""))
    except TimeoutError:
        return Comparer(why=f"It did not answer within {ANSWER_SECONDS:.0f} seconds.")


@st.cache_resource(show_spinner=False)
def readings() -> dict[str, Reading]:
    """The latest reading by each backend: it goes on whatever page is shown, and every tab sees it."""
    return {}


def draw(library: Documents) -> None:
    """By which model the documents are compared, how far they are read, and a button that has the rest read."""
    backend = session.backend()
    found = comparer(backend)
    if not found.model:
        _say(f"Found by their words alone. {found.why}")
        return
    reading = readings().get(backend)
    if reading and not reading.over:
        _follow(backend)
        return
    done, whole = library.read_by(f"{backend}:{found.model}")
    _say(f"Found by their words, and by meaning with {found.model}.")
    if reading and reading.problem:
        st.error(frame.sentences(reading.problem.message, reading.problem.hint))
    if done < whole:
        with st.container(horizontal=True, vertical_alignment="center"):
            _say(f"{done:,} of {whole:,} passages are read for it. The rest is read while a run searches.")
            st.button("Read them", key="read-documents", on_click=begin, args=(library, backend))


def begin(library: Documents, backend: str) -> None:
    """Begin to read what is not read yet."""
    engine = session.engine()
    served = engine.backend(backend)
    reading = readings()[backend] = Reading(library, served)
    engine.spawn(reading.run(), using=served)


@st.fragment(run_every=LOOK_SECONDS)
def _follow(backend: str) -> None:
    """A bar that follows the reading, and a button that stops it. At its end the page is drawn again."""
    reading = readings()[backend]
    if reading.over:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = f"{reading.done:,} of {reading.whole:,} passages are read" if reading.whole else "The model is loaded"
        st.progress(min(reading.done / reading.whole, 1.0) if reading.whole else 0.0, text=text)
        st.button("Stop", key="stop-reading", on_click=reading.stop)


def _say(text: str) -> None:
    st.html(f'<p class="wb-hint">{escape(text)}</p>')
