"""Every run there was: search, open, replay, download, delete."""

import streamlit as st

from agents import catalogue
from workbench.errors import RunNotFound
from workbench.store.runs import STATUSES, RunRow
from workbench.ui import carrying, export, frame, metrics, session
from workbench.ui.markdown import escape
from workbench.ui.moments import short, when

PER_PAGE = 20
MADE_FOR = {"comparison": "comparison", "experiment": "experiment", "import": "imported"}
RELATIONS = {"": "", "fork": "fork", "continue": "follow-up", "reproduce": "same seed again"}
SPEEDS = {"Replay 1×": 1.0, "Replay 4×": 4.0, "Instant": 0.0}


def page() -> None:
    """Search and filters, then the runs, newest first."""
    with st.container(key="runs-head", horizontal=True, vertical_alignment="center"):
        st.title("Runs", anchor=False)
        carrying.buttons()
    frame.show_problem()
    search, status, machine, experiments = filters()
    store = session.engine().store
    carrying.draw()
    draw_chosen()
    count = store.count(search, status, machine, experiments=experiments)
    if not count:
        draw_empty(bool(search or status or machine), bool(store.count()))
        return
    pages = -(-count // PER_PAGE)
    number = min(int(session.recall(session.PAGE, 1)), pages)
    st.html(f'<p class="wb-label">{count:,} {"run" if count == 1 else "runs"}</p>')
    with st.container(key="runs", gap=None):
        shown = (number - 1) * PER_PAGE
        for row in store.runs(search, status, machine, PER_PAGE, shown, experiments=experiments):
            draw_row(row)
    if pages > 1:
        st.pagination(pages, key=session.PAGE)


def filters() -> tuple[str, str, str, bool]:
    """What is looked for, in which status, by which machine, empty for all; and whether experiments' runs count too."""
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
        experiments = st.toggle(
            "Experiments", key=session.CELLS, help="List the runs of experiments too", on_change=first_page
        )
    return search or "", status or "", machine or "", experiments


def first_page() -> None:
    """A new search begins at its first page."""
    session.put(session.PAGE, 1)


def draw_empty(filtered: bool, others: bool) -> None:
    """No runs: why, and what to do; there may be `others`, made for experiments."""
    if filtered:
        frame.notice("Nothing found", "No run fits this search.", "Clear the search or the filters.")
    elif others:
        frame.notice(
            "No runs of your own yet", "There are those of experiments.", "Switch Experiments on to list them."
        )
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
    with st.popover("Download", key=f"take-{row.id}", type="tertiary"):
        st.download_button(
            "Log (JSONL)",
            data=lambda: export.jsonl(session.engine().store.events(row.id)),
            file_name=f"{row.machine}-{row.id[:8]}.jsonl",
            mime="application/jsonl",
            key=f"download-{row.id}",
            on_click="ignore",
            type="tertiary",
            help="The run's log, one event a line",
        )
        carrying.bundle_button(row.id, row.machine, key=f"bundle-{row.id}", type="tertiary")
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
        MADE_FOR.get(row.belongs.partition(":")[0], ""),
        f"you: {row.verdict}" if row.verdict else "",
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


frame.around(page)
