"""What the Models page asks of a backend that cares for its models: at once, or as an errand that outlives the page."""

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import streamlit as st

from workbench.backends.base import Backend
from workbench.backends.manage import FOREVER, Errands, LoadedModel, Loads, ManagesModels, Pulls
from workbench.errors import ServerFault, WorkbenchError
from workbench.ui import session

Result = TypeVar("Result")
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 1.0  # between two looks at what goes on
ASK_SECONDS = 5.0  # and between two questions to the server what is in its memory
KEEP = {"5 minutes": "5m", "30 minutes": "30m", "2 hours": "2h", "Until I unload it": FOREVER}


def care(backend: str) -> ManagesModels:
    """The backend, of a kind that cares for its models."""
    return cast(ManagesModels, session.engine().backend(backend))


def ask(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What the server answers. Raises our errors, one of them when it takes too long."""
    try:
        return session.engine().on_loop(coroutine, ANSWER_SECONDS)
    except TimeoutError:
        message = f"The server did not answer within {ANSWER_SECONDS:.0f} seconds."
        raise ServerFault(message, "Look again in a moment.") from None


@st.cache_resource(show_spinner=False)
def pulls(backend: str) -> Pulls:
    """The pulls of a server: they go on whatever page is shown, and every tab sees them."""
    return Errands(_spawn)


@st.cache_resource(show_spinner=False)
def loads(backend: str) -> Loads:
    """The models that a server is loading."""
    return Errands(_spawn)


def _spawn(work: Coroutine[Any, Any, None], backend: ManagesModels) -> None:
    session.engine().spawn(work, cast(Backend, backend))


@st.cache_resource(ttl=ASK_SECONDS, show_spinner=False)
def memory(backend: str) -> tuple[LoadedModel, ...] | None:
    """What is in the server's memory, asked for anew every few seconds; None when it does not say."""
    try:
        return tuple(ask(care(backend).loaded()))
    except WorkbenchError:
        return None  # the page asks how the server is, and says it


def look_again() -> None:
    """Forget what the servers said."""
    memory.clear()
    session.look_again()
