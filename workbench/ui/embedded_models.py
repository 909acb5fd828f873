"""The embedded engine on the Models page: what runs, its sizes, its models fetched, verified, removed, taken in."""

from pathlib import Path
from typing import Any, cast

import streamlit as st

from workbench.backends import memory, model_files, sizes
from workbench.backends.base import ModelInfo
from workbench.backends.embedded import EmbeddedBackend, Running
from workbench.backends.fetch import pinned
from workbench.errors import WorkbenchError
from workbench.ui import fetching, forms, frame, model_rows, session
from workbench.ui.markdown import escape

LOOK_SECONDS = 0.5
TAKES_EFFECT = (
    "They take effect for the next call when no run is in progress: the engine is started afresh with them, and nothing"
    " is cut off."
)


def section(backend: str) -> None:
    """The engine, its sizes and its models."""
    found = session.survey(backend)
    st.html(model_rows.heading(found))
    draw_engine(backend)
    draw_sizes(found)
    for info in found.models:
        draw_model(found, info)
    draw_adding()


def engine_of(backend: str) -> EmbeddedBackend:
    """The embedded backend itself."""
    return cast(EmbeddedBackend, session.engine().backend(backend))


def draw_engine(backend: str) -> None:
    """What runs now, and the way to end it."""
    own = engine_of(backend)
    running = own.running()
    with st.container(key="embedded-engine", horizontal=True, vertical_alignment="center"):
        st.html(f'<p class="wb-hint">{engine_html(running, own.free())}</p>')
        if running:
            st.button("Unload", key="embedded-unload", on_click=_unload, args=(backend,))


def engine_html(running: Running | None, free: int) -> str:
    """The process in numbers, and how much memory a model may have."""
    room = f"{frame.size(free)} of memory free for a model."
    if running is None:
        return f"No model is loaded. {room}"
    facts = [
        f"process {running.pid}",
        f"{_count(running.slots, 'slot')} of {running.context:,} tokens",
        _threads(running.threads),
        f"{frame.size(running.resident)} in memory, {frame.size(running.own)} of them its own, the rest the file's",
    ]
    later = " It is started afresh for the next call, with the sizes that were set." if running.outdated else ""
    return f"<b>{escape(running.model)}</b> is loaded: {escape(', '.join(facts))}.{later} {room}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _threads(number: int) -> str:
    return _count(number, "thread") if number else "threads as the engine chooses"


def draw_sizes(found: session.Survey) -> None:
    """Context window, slots and threads: the form, and what it would need in memory."""
    own, kept = engine_of(found.name), _kept()
    if session.recall(session.ENGINE_KEPT) != kept:  # at first, and when they were changed elsewhere
        session.put(session.ENGINE_KEPT, kept)
        forms.fill(sizes.Sizes, session.ENGINE_FORM, kept)
    given = own.given.chosen
    now = given | kept
    words = [f"context {now['context']:,}", _count(now["slots"], "slot"), _threads(now["threads"])]
    opened_by = st.expander(forms.chip_markdown(words), key="settings-embedded", type="compact")
    with opened_by, st.container(key="settings-panel-embedded"):
        empty = {name: f"{value:,} (from the environment)" for name, value in given.items()}
        forms.draw(sizes.Sizes, session.ENGINE_FORM, empty)
        st.html(f'<p class="wb-hint">{escape(_would_need(own, session.model(found)))} {TAKES_EFFECT}</p>')
        with st.container(horizontal=True):
            st.button("Set", key="embedded-set", type="primary", on_click=_set, args=(found.name,))
            if kept:
                st.button("Back to the environment's", key="embedded-reset", on_click=_reset, args=(found.name,))


def _would_need(own: EmbeddedBackend, model: str) -> str:
    """What the form's sizes cost with the chosen model."""
    typed = _typed()
    asked = typed.get("context", own.settings.embedded_context)
    try:
        wanted = own.needs(model, typed.get("context"), typed.get("slots"))
    except (WorkbenchError, OSError):
        return ""
    free = own.free()
    fits = "" if wanted.total <= free else " It does not fit." if wanted.least > free else " That is tight, and slow."
    context = memory.size(wanted.cache)
    held = f" It was trained for {wanted.context:,} tokens, and gets no more." if wanted.context < asked else ""
    return (
        f"With these, {model} needs about {memory.size(wanted.total)} of memory, {context} of it for the context;"
        f" {memory.size(free)} are free.{fits}{held}"
    )


def _typed() -> dict[str, Any]:
    values = forms.read(sizes.Sizes, session.ENGINE_FORM)
    return {name: value for name, value in values.items() if value is not None}


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = session.engine().preferences.get(sizes.PREFERENCE, {})
    return kept


def _set(backend: str) -> None:
    with session.explained():
        _keep(backend, sizes.read(_typed()).chosen)


def _reset(backend: str) -> None:
    with session.explained():
        _keep(backend, {})


def _keep(backend: str, chosen: dict[str, int]) -> None:
    session.engine().preferences.put(sizes.PREFERENCE, chosen)
    session.engine().refresh(backend)
    session.look_again()


def _unload(backend: str) -> None:
    with session.explained():
        session.engine().on_loop(engine_of(backend).unload(), session.SURVEY_SECONDS)
    session.look_again()


def draw_model(found: session.Survey, info: ModelInfo) -> None:
    """One model: what it is and can do, what it needs, and the buttons that use, fetch, verify or remove it."""
    key = f"{found.name}-{info.name}"
    is_verified = pinned(info.name) is not None and info.installed
    with st.container(key=f"model-row-{key}", horizontal=True, vertical_alignment="center"):
        st.html(model_rows.model_html(info, *_needs_words(found.name, info), "digest verified" if is_verified else ""))
        if info.installed:
            model_rows.use_button(found, info)
        elif pinned(info.name) and not fetching.running(info.name):
            words = "Fetch again" if info.wrong else "Fetch"
            st.button(words, key=f"fetch-{key}", type="primary", on_click=_fetch, args=(found.name, info.name))
        if (info.installed or info.wrong) and not fetching.running(info.name):
            _care_buttons(found.name, info, key)
    if info.wrong and not fetching.running(info.name):
        st.warning(frame.plain(info.wrong))
    draw_check(found.name, info)
    draw_removing(found.name, info)
    if not info.installed:
        draw_download(info)


def _needs_words(backend: str, info: ModelInfo) -> list[str]:
    """What it needs in memory with the sizes that are set."""
    if not info.installed:
        return []
    try:
        wanted, free = engine_of(backend).needs(info.name), engine_of(backend).free()
    except (WorkbenchError, OSError):
        return []
    short = "" if wanted.total <= free else f", {memory.size(free)} free"
    return [f"needs about {memory.size(wanted.total)} of memory{short}"]


def _care_buttons(backend: str, info: ModelInfo, key: str) -> None:
    check = engine_of(backend).checks.get(info.name)
    if check is None or check.future.done():
        st.button("Verify", key=f"verify-{key}", on_click=_verify, args=(backend, info.name))
    st.button("Remove", key=f"remove-{key}", on_click=session.put, args=(session.REMOVING, info.name))


def _fetch(backend: str, name: str) -> None:
    engine_of(backend).checks.forget(name)
    session.attempt(fetching.start, name)


def _verify(backend: str, name: str) -> None:
    session.attempt(engine_of(backend).verify, name)


def draw_check(backend: str, info: ModelInfo) -> None:
    """The check of a model's file as it stands, or what it found."""
    check = engine_of(backend).checks.get(info.name)
    if check is None or fetching.running(info.name):
        return
    if not check.future.done():
        follow_check(backend, info.name)
        return
    verdict = check.snapshot()
    if verdict.state == "right":
        st.html(f'<p class="wb-hint">{escape(verdict.said)} SHA-256 <span class="wb-mono">{verdict.digest}</span></p>')
    elif verdict.said not in info.wrong:
        st.error(frame.sentences(verdict.said, verdict.hint))


@st.fragment(run_every=LOOK_SECONDS)
def follow_check(backend: str, name: str) -> None:
    """A bar that follows a check. At its end the page is drawn again."""
    check = engine_of(backend).checks.get(name)
    if check is None or check.future.done():
        session.look_again()
        st.rerun()
    verdict = check.snapshot()
    share = verdict.done / verdict.total if verdict.total else 0.0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        read = f"Reading {frame.size(verdict.done)} of {frame.size(verdict.total)} for its SHA-256"
        st.progress(min(share, 1.0), text=read)
        st.button("Cancel", key=f"cancel-check-{name}", on_click=check.cancel)


def draw_removing(backend: str, info: ModelInfo) -> None:
    """The question before a model's file is deleted."""
    if session.recall(session.REMOVING) != info.name:
        return
    again = "It can be fetched again." if pinned(info.name) else "It is a file of your own: nothing fetches it again."
    with st.container(key=f"removing-{backend}-{info.name}", horizontal=True, vertical_alignment="center"):
        size = f", {frame.size(info.size)}" if info.size else ""
        st.html(f'<p class="wb-hint">Remove {escape(info.name)}{size} from the models folder? {again}</p>')
        st.button("Remove it", key="remove-confirmed", type="primary", on_click=_remove, args=(backend, info.name))
        st.button("Keep it", key="remove-not", on_click=session.put, args=(session.REMOVING, None))


def _remove(backend: str, name: str) -> None:
    session.put(session.REMOVING, None)
    with session.explained():
        freed = session.engine().on_loop(engine_of(backend).remove(name))
        st.toast(f"{frame.size(freed)} are free again.")
    session.look_again()


def draw_adding() -> None:
    """How a model file of one's own comes into the list."""
    folder = session.engine().settings.models_path
    with st.expander("Add a model file of your own", key="add-own-model", type="compact"):
        st.html(
            f'<p class="wb-hint">Put a GGUF file into <code>{escape(str(folder))}</code> and look again. Or name one'
            " that lies elsewhere on this computer: a link to it is made there, nothing is copied.</p>"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Path of a GGUF file", key=session.OWN_MODEL, placeholder="/path/to/model.gguf")
            st.button("Add", key="add-model", on_click=_add)


def _add() -> None:
    with session.explained():
        path = Path(str(session.recall(session.OWN_MODEL) or "").strip())
        name = model_files.add(path, session.engine().settings.models_path)
        session.put(session.OWN_MODEL, "")
        st.toast(f"{name} is in the list now.")
    session.look_again()


def draw_download(info: ModelInfo) -> None:
    """The download as it stands, or why it failed."""
    if fetching.running(info.name):
        fetching.follow(info.name)
    elif (failed := fetching.failure(info.name)) and failed.error:
        st.error(frame.sentences(failed.error.message, failed.error.hint))
