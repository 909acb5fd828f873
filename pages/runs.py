"""Every run there was: search, open, replay, download, delete."""

from datetime import UTC, datetime

import streamlit as st

from agents import catalogue
from workbench.errors import RunNotFound
from workbench.store.runs import STATUSES, RunRow
from workbench.ui import export, frame, metrics, session
from workbench.ui.markdown import escape

PER_PAGE = 20
RELATIONS = {"": "", "fork": "fork", "continue": "follow-up", "reproduce": "same seed again"}
SPEEDS = {"Replay 1×": 1.0, "Replay 4×": 4.0, "Instant": 0.0}


def page() -> None:
    """Search and filters, then the runs, newest first."""
    st.title("Runs", anchor=False)
    frame.show_problem()
    search, status, machine = filters()
    store = session.engine().store
    draw_chosen()
    count = store.count(search, status, machine)
    if not count:
        draw_empty(bool(search or status or machine))
        return
    pages = -(-count // PER_PAGE)
    number = min(int(session.recall(session.PAGE, 1)), pages)
    st.html(f'<p class="wb-label">{count:,} {"run" if count == 1 else "runs"}</p>')
    with st.container(key="runs", gap=None):
        for row in store.runs(search, status, machine, limit=PER_PAGE, offset=(number - 1) * PER_PAGE):
            draw_row(row)
    if pages > 1:
        st.pagination(pages, key=session.PAGE)


def filters() -> tuple[str, str, str]:
    """What is looked for, in which status, by which machine; empty for all."""
    with st.container(key="filters", horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search",
            key=session.SEARCH,
            placeholder="Search in questions and answers",
            label_visibility="collapsed",
            on_change=first_page,
        )
        status = st.selectbox(
            "Status",
            ("", *STATUSES),
            format_func=lambda value: value.capitalize() or "Any status",
            key=session.STATUS,
            label_visibility="collapsed",
            width=170,
            on_change=first_page,
        )
        machine = st.selectbox(
            "Machine",
            ("", *catalogue.MACHINES),
            format_func=lambda name: catalogue.load(name).title if name else "Any machine",
            key=session.OF_MACHINE,
            label_visibility="collapsed",
            width=170,
            on_change=first_page,
        )
    return search or "", status or "", machine or ""


def first_page() -> None:
    """A new search begins at its first page."""
    session.put(session.PAGE, 1)


def draw_empty(filtered: bool) -> None:
    """No runs: why, and what to do."""
    if filtered:
        frame.notice("Nothing found", "No run fits this search.", "Clear the search or the filters.")
    else:
        frame.notice("No runs yet", "Every question that you ask is kept here, with each step of its answer.")
        st.page_link("pages/bench.py", label="Ask the first one")


def draw_row(row: RunRow) -> None:
    """One run and what can be done with it."""
    with st.container(key=f"row-{row.id}", horizontal=True, vertical_alignment="center"):
        st.html(row_html(row))
        with st.container(key=f"actions-{row.id}", horizontal=True, width="content", gap="small"):
            if st.button("Open", key=f"open-{row.id}"):
                show(row.id)
            draw_compare(row.id)
            live = session.engine().is_live(row.id)
            if live:
                st.button("Stop", key=f"stop-{row.id}", on_click=session.engine().stop, args=(row.id,))
            else:
                draw_actions(row)


def draw_chosen() -> None:
    """The run that waits for another one to be laid beside it."""
    run_id = session.recall(session.COMPARED)
    if not run_id:
        return
    try:
        question = short(session.engine().store.run(run_id).question)
    except RunNotFound:
        session.put(session.COMPARED, None)
        return
    with st.container(key="chosen", horizontal=True, vertical_alignment="center"):
        hint = "Press Side by side at the run to compare it with."
        st.html(f'<div class="wb-notice"><h3>{escape(question)}</h3><p>{hint}</p></div>')
        st.button("Cancel", key="cancel-compare", on_click=session.put, args=(session.COMPARED, None))


def draw_compare(run_id: str) -> None:
    """Choose the first of two runs; at the second, go and see both side by side."""
    first = session.recall(session.COMPARED)
    if not first:
        st.button(
            "Compare",
            key=f"compare-{run_id}",
            type="tertiary",
            help="Lay it beside another run",
            on_click=session.put,
            args=(session.COMPARED, run_id),
        )
    elif first == run_id:
        st.button("Chosen", key=f"compare-{run_id}", type="tertiary", disabled=True)
    elif st.button("Side by side", key=f"beside-{run_id}"):
        session.put(session.COMPARED, None)
        st.switch_page("pages/diff.py", query_params={session.SIDE_A: first, session.SIDE_B: run_id})


def draw_actions(row: RunRow) -> None:
    """What can be done with a run that is over."""
    speed = st.menu_button("Replay", tuple(SPEEDS), key=f"replay-{row.id}", type="tertiary")
    if speed is not None:
        show(row.id, SPEEDS[speed])
    st.download_button(
        "Download",
        data=lambda: export.jsonl(session.engine().store.events(row.id)),
        file_name=f"{row.machine}-{row.id[:8]}.jsonl",
        mime="application/jsonl",
        key=f"download-{row.id}",
        on_click="ignore",
        type="tertiary",
        help="The run's log, one event a line",
    )
    if st.button("Delete", key=f"delete-{row.id}", type="tertiary"):
        confirm_delete(row)


def show(run_id: str, speed: float | None = None) -> None:
    """Go to the bench with a run."""
    session.open_run(run_id, speed)
    st.switch_page("pages/bench.py", query_params={session.RUN: run_id})


@st.dialog("Delete this run?")
def confirm_delete(row: RunRow) -> None:
    """Ask before a run is gone."""
    st.html(
        f'<p>{escape(short(row.question))}</p><p class="wb-hint">Its log is deleted with it. This cannot be undone.</p>'
    )
    with st.container(horizontal=True):
        if st.button("Delete", key="delete-for-good", type="primary", on_click=session.attempt, args=(delete, row.id)):
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()


def delete(run_id: str) -> None:
    """Delete a run and its log, and clear the bench if it stands there."""
    session.engine().delete(run_id)
    if session.recall(session.RUN) == run_id:
        session.close_run()


def row_html(row: RunRow) -> str:
    """The question, and in small what became of it."""
    tokens = row.prompt_tokens + row.completion_tokens
    facts = [
        RELATIONS[row.relation],
        row.machine_title,
        row.model,
        metrics.seconds(row.seconds),
        f"{tokens:,} tok" if tokens else "",
        when(row.created_at),
    ]
    line = " · ".join(escape(fact) for fact in facts if fact)
    return (
        f'<div class="wb-run"><h3>{escape(short(row.question))}</h3>'
        f'<p class="wb-meta"><b class="wb-state wb-{row.status}">{row.status}</b> {line}</p></div>'
    )


def when(created_at: str) -> str:
    """How long ago, or the day."""
    age = (datetime.now(UTC) - datetime.fromisoformat(created_at)).total_seconds()
    for limit, unit, word in ((90, 1, "just now"), (5400, 60, "{} min ago"), (129_600, 3600, "{} h ago")):
        if age < limit:
            return word.format(round(age / unit))
    return created_at[:10]


def short(question: str) -> str:
    """A question in one line."""
    line = " ".join(question.split())
    return line if len(line) <= 160 else f"{line[:159].rstrip()}…"


frame.around(page)
