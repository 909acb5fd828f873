"""What to do when the context window is full: a larger one, summaries of earlier turns, or stop."""

import asyncio
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from workbench import context
from workbench.backends.base import FixesWindow, TellsMemory
from workbench.context import SHARE_OF_AN_ANSWER, Size
from workbench.errors import WorkbenchError
from workbench.events import NoteView, RunView, Warned
from workbench.job import ASKED, last_request
from workbench.request import RunRequest
from workbench.ui import forking, forms, panel, session

MOST_OFFERS = 3
DOUBLINGS = 12  # of a window that is looked at
LOOK_SECONDS = 3.0
GOING_ON = "A new run that takes over every step that was finished. This one stops, and stays as it is."


@dataclass(frozen=True)
class Offer:
    """A larger window: what the model needs in it, and how much of that it needs now already; None where unknown."""

    window: int
    memory: int | None = None
    now: int | None = None

    @property
    def words(self) -> str:
        """What it costs in memory; empty where that is not known."""
        if self.memory is None:
            return ""
        more = f", {gigabytes(self.memory - self.now)} more than now" if self.now and self.memory > self.now else ""
        return f"{self.window:,} tokens need {gigabytes(self.memory)} of memory{more}."


def aid(view: RunView, index: int, place: DeltaGenerator) -> bool:
    """Under the warning that the window will soon be full: what can be done. False under every other card."""
    entry = view.entries[index]
    filling = isinstance(entry, NoteView) and isinstance(entry.event, Warned) and entry.event.code == "context_filling"
    if filling and view.started is not None:
        with place.container():
            draw(view, view.started.run_id, "running")
    return filling


def has_overflowed(view: RunView) -> bool:
    """Whether the run ended since a prompt did not fit."""
    end = view.finished
    return end is not None and end.error is not None and end.error.code == "context_overflow"


def has_turns(view: RunView) -> bool:
    """Whether there is something to sum up: a turn of the model that can be left out, and one that stays."""
    answered = [call.called for call in view.calls if call.answer is not None]
    return len({(called.node, called.step) for called in answered if called.role != context.SUMMARISER}) >= 2


def gigabytes(size: int) -> str:
    """Bytes as a person reads memory."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def larger(window: int, most: int | None, prompt: int = 0, answer: int = 0) -> list[int]:
    """The next sizes of a window, each twice the one before, up to the `most` that the model can have.

    They hold the `prompt` and an `answer`, which needs no more than a part of them.
    """
    doubled = [window * 2**power for power in range(1, DOUBLINGS)]
    sizes = [size for size in doubled if prompt + min(answer, size // SHARE_OF_AN_ANSWER) <= size]
    if most is None:
        return sizes[: MOST_OFFERS - 1]
    below = [size for size in sizes if size < most][:MOST_OFFERS]
    is_next = len(below) < MOST_OFFERS and window < most and prompt + min(answer, most // SHARE_OF_AN_ANSWER) <= most
    return [*below, *([most] if is_next else [])]


def offers(request: RunRequest, found: Size) -> list[Offer]:
    """The windows that the run's model can have and its prompt fits, with their memory; none when nobody can say."""
    try:
        return session.engine().on_loop(_offers(request, found), LOOK_SECONDS)
    except (WorkbenchError, TimeoutError):
        return []


async def _offers(request: RunRequest, found: Size) -> list[Offer]:
    backend, window = session.engine().backend(request.backend), found.window or 0
    model = await backend.model(request.model)
    most = model.context_window if isinstance(backend, FixesWindow) else model.trained_window
    if not window or (isinstance(backend, FixesWindow) and not request.settings.context_window):
        return []  # a server's own window is not to be had larger; one that the person made smaller is
    sizes = larger(window, most, found.tokens, request.settings.max_tokens)
    if not isinstance(backend, TellsMemory):
        return [Offer(size) for size in sizes]
    now, *memory = await asyncio.gather(*(backend.memory_for(request.model, size) for size in (window, *sizes)))
    return [Offer(size, needed, now) for size, needed in zip(sizes, memory, strict=True)]


def draw(view: RunView, run_id: str, place: str) -> None:
    """What can be done about a window that is full: a larger one, summaries, and for a run that goes on its end."""
    request = last_request(session.engine().store.events(run_id, kinds=ASKED))
    sizes = (size for call in reversed(view.calls) if (size := context.of(call)))
    full = next((size for size in sizes if size.window), None)
    found = offers(request, full) if full else []
    with st.container(key=f"ways-out-{place}-{run_id}", horizontal=True, gap="small"):
        for one in found:
            _button(f"Go on with {one.window:,}", f"{place}-window-{one.window}", run_id, window=one.window)
        if request.options.get("summarise") == "never" and has_turns(view):
            _button("Go on with summaries", f"{place}-summarise", run_id, summarise=True)
        if view.status == "running":
            _stop(run_id, place)
    if told := " ".join(one.words for one in found if one.words):
        st.caption(told)


def _button(words: str, name: str, run_id: str, **change: object) -> None:
    st.button(words, key=f"way-out-{name}", help=GOING_ON, on_click=go_on, args=(run_id,), kwargs=change)


def _stop(run_id: str, place: str) -> None:
    args = (session.engine().stop, run_id)
    st.button("Stop", key=f"way-out-{place}-stop", type="tertiary", on_click=session.attempt, args=args)


def go_on(run_id: str, window: int | None = None, summarise: bool = False) -> None:
    """Go on from the last finished step in a fork with a larger window or with summaries, which the form takes over."""
    with forms.explained():
        engine = session.engine()
        engine.stop(run_id)
        events = engine.store.events(run_id)
        request = changed(last_request(events), window, summarise)
        new_id = engine.fork(run_id, forking.places(events)[-1].at, request, session=session.identity())
        session.open_run(new_id)
        panel.take(request)
        session.put(session.ADOPTED, new_id)
        if window:
            session.put(session.field_key(session.SETTINGS, "context_window"), window)


def changed(request: RunRequest, window: int | None, summarise: bool) -> RunRequest:
    """The request with the larger window, or with summaries."""
    settings = request.settings.model_copy(update={"context_window": window} if window else {})
    options = {**request.options, "summarise": "when_needed"} if summarise else request.options
    return request.model_copy(update={"settings": settings, "options": options})
