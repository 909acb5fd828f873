"""What the memory stream remembers from run to run: read, searched, edited, added to, exported and deleted."""

import json
from collections.abc import Mapping

import streamlit as st

from agents import catalogue
from workbench.errors import InvalidRequest
from workbench.store.memories import KINDS, LEAST, LONGEST, LONGEST_NAME, MOST, Kept, MemoryStore, New, iso, plain
from workbench.ui import frame, session
from workbench.ui.markdown import escape
from workbench.ui.moments import when

MACHINE = "memory_stream"
FIRST = "default"  # the stream of who has named none
USUAL = 5.0  # importance of what a person adds, until they say otherwise
PER_PAGE = 50
WHO_SEES = (
    "Runs of the machine {title} keep here what they observe, conclude and plan. A run sees what was here when it"
    " began, and what it stores itself; a fork, and a run with the same seed again, see what their parent saw."
    " A run of an experiment or a comparison begins with none and stores none here."
)


def page() -> None:
    """The streams, one of them with its memories, newest first, and what can be done with it."""
    st.title("Memory", anchor=False)
    st.html(f'<p class="wb-hint">{escape(WHO_SEES.format(title=catalogue.load(MACHINE).title))}</p>')
    frame.show_problem()
    names = [row.name for row in store().streams()]
    if not names:
        draw_empty()
        return
    stream = choose(names)
    everything = store().of(stream)
    draw_list(everything, looked_for(everything))
    draw_add(stream)
    draw_whole(stream, everything)


def store() -> MemoryStore:
    """The memories of the engine's runs."""
    return session.engine().memories


def draw_empty() -> None:
    """No memories: where they come from."""
    frame.notice("No memories yet", "Ask the machine Memory stream something, or write down the first one yourself.")
    st.page_link("pages/bench.py", label="Ask something")
    draw_add(FIRST)


def choose(names: list[str]) -> str:
    """The stream that is looked at, which the address names; one that is gone gives way to the first."""
    named = session.recall(session.MEMORY_STREAM) or st.query_params.get(session.MEMORY_STREAM)
    session.put(session.MEMORY_STREAM, named if named in names else FIRST if FIRST in names else names[0])
    with st.container(key="filters", horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Search",
            key=session.MEMORY_SEARCH,
            placeholder="Search in the memories",
            label_visibility="collapsed",
            on_change=first_page,
        )
        st.selectbox(
            "Kind",
            ("", *KINDS),
            format_func=lambda kind: f"{kind.capitalize()}s" if kind else "Any kind",
            key=session.MEMORY_KIND,
            label_visibility="collapsed",
            width=170,
            on_change=first_page,
        )
        stream = st.selectbox("Stream", names, key=session.MEMORY_STREAM, width=200, on_change=first_page)
    return str(stream)


def first_page() -> None:
    """Another search begins at its first page."""
    session.put(session.MEMORY_PAGE, 1)


def looked_for(everything: list[Kept]) -> list[Kept]:
    """The memories that fit the search, newest first."""
    words = str(session.recall(session.MEMORY_SEARCH) or "").casefold().split()
    kind = session.recall(session.MEMORY_KIND) or ""
    return [
        one
        for one in reversed(everything)
        if kind in ("", one.kind) and all(word in one.text.casefold() for word in words)
    ]


def draw_list(everything: list[Kept], found: list[Kept]) -> None:
    """A page of the memories."""
    if not found:
        frame.notice("Nothing found", "No memory of this stream fits the search.", "Clear the search or the kind.")
        return
    pages = -(-len(found) // PER_PAGE)
    number = min(int(session.recall(session.MEMORY_PAGE, 1)), pages)
    st.html(f'<p class="wb-label">{len(found):,} {"memory" if len(found) == 1 else "memories"}</p>')
    texts = {one.id: one.text for one in everything}
    with st.container(key="runs", gap=None):
        for one in found[(number - 1) * PER_PAGE : number * PER_PAGE]:
            draw_row(one, texts)
    if pages > 1:
        st.pagination(pages, key=session.MEMORY_PAGE)


def draw_row(one: Kept, texts: Mapping[str, str]) -> None:
    """One memory and what can be done with it."""
    if session.recall(session.MEMORY_EDITING) == one.id:
        draw_editor(one)
        return
    with st.container(key=f"row-memory-{one.id}", horizontal=True, vertical_alignment="center"):
        st.html(row_html(one, texts))
        with st.container(key=f"actions-{one.id}", horizontal=True, width="content", gap="small"):
            asked = (session.MEMORY_EDITING, one.id)
            st.button("Edit", key=f"edit-{one.id}", type="tertiary", on_click=session.put, args=asked)
            if st.button("Delete", key=f"delete-{one.id}", type="tertiary"):
                confirm_delete(one)


def row_html(one: Kept, texts: Mapping[str, str]) -> str:
    """What is remembered, and in small what is known of it."""
    in_mind = "" if one.retrieved_at <= one.stored_at else f"last in mind {when(iso(one.retrieved_at))}"
    facts = [f"importance {one.importance:g}", f"stored {when(iso(one.stored_at))}", in_mind]
    line = " · ".join(escape(fact) for fact in facts if fact)
    whose = f'<a href="./?{session.RUN}={escape(one.run)}" target="_self">its run</a>' if one.run else "by you"
    below = f'<b class="wb-state">{one.kind}</b> {line} · {whose}'
    sources = sources_html(one, texts)
    return f'<div class="wb-run"><p>{escape(one.text)}</p><div class="wb-meta">{below}</div>{sources}</div>'


def sources_html(one: Kept, texts: Mapping[str, str]) -> str:
    """The memories that an insight comes from."""
    if not one.sources:
        return ""
    rows = "".join(f"<li>{escape(texts.get(of, 'a memory that was deleted'))}</li>" for of in one.sources)
    number = f"{len(one.sources)} {'memory' if len(one.sources) == 1 else 'memories'}"
    return f'<details class="wb-quiet"><summary>Comes from {number}</summary><ul>{rows}</ul></details>'


def draw_editor(one: Kept) -> None:
    """The fields of a memory in its row's place."""
    key = f"memory-{one.id}"
    with st.form(key, border=True):
        st.text_area("What is remembered", value=one.text, max_chars=LONGEST, height=80, key=f"{key}-text")
        draw_importance(f"{key}-importance", one.importance)
        with st.container(horizontal=True):
            st.form_submit_button("Save", type="primary", key=f"{key}-save", on_click=save, args=(one.id, key))
            done = (session.MEMORY_EDITING, None)
            st.form_submit_button("Leave it as it is", key=f"{key}-leave", on_click=session.put, args=done)


def draw_importance(key: str, value: float) -> None:
    """How important it is."""
    words = "1 is everyday, 10 changes a life."
    st.slider("Importance", LEAST, MOST, value, 0.5, format="%g", key=key, help=words)


def save(id_: str, key: str) -> None:
    """Keep what was edited."""
    text, importance = session.recall(f"{key}-text"), session.recall(f"{key}-importance")
    with session.explained():
        store().edit(id_, str(text), float(importance))
        session.put(session.MEMORY_EDITING, None)


def draw_add(stream: str) -> None:
    """A memory of the person's own."""
    number = session.recall(session.MEMORY_ADDED, 0)  # a new key after each one empties the form
    key = f"memory-new-{number}"
    with st.expander("Add a memory", key="memory-add"), st.form(key, border=False):
        st.text_area("What is to be remembered", max_chars=LONGEST, height=80, key=f"{key}-text")
        draw_importance(f"{key}-importance", USUAL)
        st.text_input("Stream", value=stream, max_chars=LONGEST_NAME, key=f"{key}-stream")
        st.form_submit_button("Add", type="primary", key=f"{key}-add", on_click=add, args=(key, number))


def add(key: str, number: int) -> None:
    """Keep a memory of the person's own."""
    text, importance = str(session.recall(f"{key}-text") or ""), float(session.recall(f"{key}-importance"))
    stream = str(session.recall(f"{key}-stream") or "")
    with session.explained():
        before = {one.id for one in store().of(stream)}
        (kept,) = store().add(stream, [New(text, importance)])
        if kept.id in before:
            raise InvalidRequest("The stream has this memory already.", "Edit that one.")
        session.put(session.MEMORY_ADDED, number + 1)
        session.put(session.MEMORY_STREAM, kept.stream)


def draw_whole(stream: str, everything: list[Kept]) -> None:
    """What can be done with the whole stream."""
    with st.container(key="memory-whole", horizontal=True):
        st.download_button(
            "Export as JSON",
            data=lambda: json.dumps([plain(one) for one in everything], indent=2, ensure_ascii=False),
            file_name="memories.json",
            mime="application/json",
            on_click="ignore",
            key="memory-export",
        )
        if st.button("Delete this stream", key="memory-delete-stream", type="tertiary"):
            confirm_delete_stream(stream, len(everything))


@st.dialog("Delete this memory?")
def confirm_delete(one: Kept) -> None:
    """Ask before a memory is gone."""
    ask_to_delete(one.text, "What was concluded from it stays. This cannot be undone.", store().remove, one.id)


@st.dialog("Delete this stream?")
def confirm_delete_stream(stream: str, memories: int) -> None:
    """Ask before all memories of a stream are gone."""
    number = "Its one memory is" if memories == 1 else f"All its {memories:,} memories are"
    ask_to_delete(stream, f"{number} deleted. This cannot be undone.", store().remove_stream, stream)


def ask_to_delete(what: str, hint: str, delete: object, name: str) -> None:
    """The question, and its two answers."""
    st.html(f'<p>{escape(what)}</p><p class="wb-hint">{escape(hint)}</p>')
    with st.container(horizontal=True):
        if st.button("Delete", key="delete-for-good", type="primary", on_click=session.attempt, args=(delete, name)):
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()


frame.around(page)
