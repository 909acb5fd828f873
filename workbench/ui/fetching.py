"""The download of the embedded engine's models: a bar on the page, lines in the app's terminal, start and cancel."""

from typing import cast

import streamlit as st

from workbench.backends.embedded import EmbeddedBackend
from workbench.backends.fetch import Download, Downloads, Progress, pinned
from workbench.terminal import follow_download
from workbench.ui import frame, session

LOOK_SECONDS = 1.0
UNDER_WAY = ("waiting", "fetching", "checking")


def downloads() -> Downloads:
    """The embedded backend's downloads, shared by all sessions and with the calls that wait for a model.

    The terminal that the app was started in shows them too.
    """
    shared = cast(EmbeddedBackend, session.engine().backend("embedded")).downloads
    shared.begun = follow_download
    return shared


def start(name: str) -> None:
    """Fetch a model, or join the download that runs."""
    downloads().start(name)


@st.cache_resource(show_spinner=False)
def begin() -> None:
    """Once in the app's life: fetch the embedded default model if the app begins on it and it is missing."""
    settings = session.engine().settings
    if settings.backend == "embedded" and pinned(settings.embedded_model):
        start(settings.embedded_model)


def running(name: str) -> Download | None:
    """The download of that model while it is under way."""
    download = downloads().get(name)
    return download if download and download.snapshot().state in UNDER_WAY else None


def failure(name: str) -> Progress | None:
    """How the last download of that model failed."""
    download = downloads().get(name)
    progress = download.snapshot() if download else None
    return progress if progress and progress.state == "failed" else None


@st.fragment(run_every=LOOK_SECONDS)
def follow(name: str) -> None:
    """A bar that follows the download, and a button that cancels it. At its end the page is drawn again."""
    download = running(name)
    if download is None:
        session.look_again()
        st.rerun()
    progress = download.snapshot()
    share = progress.done / progress.total if progress.total else 0.0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(min(share, 1.0), text=words(progress))
        st.button("Cancel", key=f"cancel-{name}", on_click=download.cancel)


def words(progress: Progress) -> str:
    """Where a download is: state, bytes, speed, source, time left."""
    if progress.state == "checking":
        return "Checking its digest"
    if progress.state == "waiting":
        return "Starting"
    parts = [f"{frame.size(progress.done)} of {frame.size(progress.total)}"]
    if progress.speed > 0:
        left = (progress.total - progress.done) / progress.speed
        parts += [f"{frame.size(int(progress.speed))}/s", f"{_minutes(left)} left"]
    if progress.source:
        parts.append(f"from {progress.source}")
    return " · ".join(parts)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
