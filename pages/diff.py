"""Two runs side by side: what differs in their requests, what they cost, and where they part."""

import streamlit as st

from workbench.compare import NEEDED, Comparison, compare
from workbench.differences import compared, counted, headline, kinship, same_count
from workbench.errors import RunNotFound
from workbench.store.runs import RunRow
from workbench.ui import frame, metrics, pair, session
from workbench.ui.markdown import escape

BEFORE = 10  # rows that are shown before the first difference
SHOWN = 60  # rows that are drawn at once


def page() -> None:
    """The two runs that the address names."""
    st.title("Side by side", anchor=False)
    rows = chosen()
    if rows is None:
        return
    store = session.engine().store
    comparison = compare(*(store.events(row.id, kinds=NEEDED) for row in rows))
    draw_verdict(comparison, rows)
    for column, name, row in zip(st.columns(2), pair.NAMES, rows, strict=True):
        with column:
            draw_run(name, row)
    left, right = st.columns((3, 2), gap="medium")
    left.html(pair.request_html(comparison))
    right.html(pair.totals_html(comparison))
    draw_rows(comparison, rows)


def chosen() -> tuple[RunRow, RunRow] | None:
    """The runs that the address names; None, with a word on what to do, where it does not name two that there are."""
    names = [st.query_params.get(key, "") for key in (session.SIDE_A, session.SIDE_B)]
    if not all(names):
        frame.notice("Choose two runs", "Press Compare at a run, then at the one to lay beside it.")
        st.page_link("pages/runs.py", label="Choose under Runs")
        return None
    try:
        first, second = (session.engine().store.run(name) for name in names)
    except RunNotFound as error:
        frame.notice("There is nothing to compare", error.message, "It may have been deleted. Choose another run.")
        st.page_link("pages/runs.py", label="Choose under Runs")
        return None
    return first, second


def draw_verdict(comparison: Comparison, rows: tuple[RunRow, RunRow]) -> None:
    """Where the runs part, in a sentence, and the way there."""
    notes = [kinship(comparison)]
    notes += [
        f"{name} is still running." for name, row in zip(pair.NAMES, rows, strict=True) if row.status == "running"
    ]
    if rows[0].id == rows[1].id:
        notes = ["A and B are one and the same run."]
    jump = ""
    if comparison.first is not None and not comparison.machines_differ:
        notes.append(same_count(comparison))
        jump = ' <a href="#first-difference">Go to it</a>'
    elif comparison.first is None:
        notes.append(compared(comparison))
    said = escape(headline(comparison))
    small = escape(" ".join(filter(None, notes)))
    st.html(f'<div class="wb-verdict"><p>{said}{jump}</p><p class="wb-hint">{small}</p></div>')


def draw_run(name: str, row: RunRow) -> None:
    """One of the runs, and the way to it."""
    question = " ".join(row.question.split())
    facts = [row.machine_title, row.model, metrics.seconds(row.seconds), row.id]
    line = " · ".join(escape(fact) for fact in facts if fact)
    with st.container(key=f"run-{name.lower()}", horizontal=True):
        st.html(
            f'<div class="wb-run"><h3><span class="wb-side">{name}</span> {escape(question)}</h3>'
            f'<p class="wb-meta"><b class="wb-state wb-{row.status}">{row.status}</b> {line}</p></div>'
        )
        if st.button("Open", key=f"open-{name.lower()}", help=f"Show {name} on the bench"):
            session.open_run(row.id)
            st.switch_page("pages/bench.py", query_params={session.RUN: row.id})


def draw_rows(comparison: Comparison, rows: tuple[RunRow, RunRow]) -> None:
    """The steps around the first difference, the rest on demand; of different machines at first the ends alone."""
    total, pairing = len(comparison.rows), f"{rows[0].id}-{rows[1].id}"
    begin, end = window(comparison, pairing)
    if begin:
        more = pairing, max(begin - SHOWN, 0), end
        st.button(more_label(begin, "before"), key="earlier", on_click=session.put, args=(session.ROWS, more))
    if end > begin:
        st.html(pair.rows_html(comparison, begin, end))
    if end < total:
        more = pairing, begin, min(end + SHOWN, total)
        st.button(more_label(total - end, "after"), key="further", on_click=session.put, args=(session.ROWS, more))


def more_label(count: int, where: str) -> str:
    """What is not drawn yet."""
    return f"Show {SHOWN} of the {count:,} steps {where}" if count > SHOWN else f"Show {counted(count, 'step')} {where}"


def window(comparison: Comparison, pairing: str) -> tuple[int, int]:
    """Which rows are drawn: those asked for, else those around the first difference."""
    asked: tuple[str, int, int] | None = session.recall(session.ROWS)
    total = len(comparison.rows)
    if asked is not None and asked[0] == pairing:
        return min(asked[1], total), min(asked[2], total)
    if comparison.machines_differ:
        return max(total - 1, 0), total
    begin = max((comparison.first or 0) - BEFORE, 0)
    return begin, min(begin + SHOWN, total)


frame.around(page)
