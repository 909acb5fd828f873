"""The tree of runs that come from one another: forks, follow-ups, reproductions; a click puts one on the bench."""

from collections.abc import Iterator

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from workbench.events import RunStarted
from workbench.fork import steps_inherited
from workbench.store.runs import RunRow
from workbench.ui import frame, session
from workbench.ui.markdown import escape

MOST_LINES = 30
DEEPEST = 4  # levels that are set in; deeper ones stand below one another
LONGEST_QUESTION = 40


def draw(place: DeltaGenerator, run_id: str, phase: str) -> None:
    """The tree, when the run has relatives. `phase` tells drawings apart that one run of the page makes."""
    rows = session.engine().store.family(run_id)
    if len(rows) < 2:
        return
    lines = list(tree(rows))
    here = next(index for index, (_, row) in enumerate(lines) if row.id == run_id)
    first = min(max(here - MOST_LINES // 2, 0), max(len(lines) - MOST_LINES, 0))
    shown = lines[first : first + MOST_LINES]
    with place.container(key=f"family-{phase}", gap=None):
        st.html('<h3 class="wb-family">Family</h3>')
        for depth, row in shown:
            _draw_line(depth, row, lines[here][1], phase)
        if len(shown) < len(lines):
            st.html(f'<p class="wb-label">and {len(lines) - len(shown)} more, under Runs</p>')


def tree(rows: list[RunRow]) -> Iterator[tuple[int, RunRow]]:
    """The runs with their depths, each after its parent, siblings in the order in which they began."""
    children: dict[str, list[RunRow]] = {}
    for row in rows[1:]:
        children.setdefault(row.parent, []).append(row)
    waiting = [(0, rows[0])]
    while waiting:
        depth, row = waiting.pop()
        yield depth, row
        waiting += [(depth + 1, child) for child in reversed(children.get(row.id, []))]


def words(row: RunRow) -> str:
    """How a run comes from its parent: `Fork at step 2`."""
    match row.relation:
        case "fork":
            step = _fork_step(row.id)
            return "Fork" if step is None else f"Fork at step {step}" if step else "Fork from the beginning"
        case "continue":
            question = " ".join(row.question.split())
            return f"Then: {question if len(question) <= LONGEST_QUESTION else question[: LONGEST_QUESTION - 1] + '…'}"
        case "reproduce":
            return "Same seed again"
    return "First run"


def _draw_line(depth: int, row: RunRow, current: RunRow, phase: str) -> None:
    facts = " · ".join([row.status, *([row.model] if row.model != current.model else [])])
    key = f"branch{min(depth, DEEPEST)}-{phase}-{row.id}"
    with st.container(key=key, horizontal=True, vertical_alignment="center", gap="xsmall"):
        if row.id == current.id:
            st.html(
                f'<p class="wb-relative" aria-current="true"><b>{escape(words(row))}</b>'
                f' <span class="wb-label">{escape(facts)}</span></p>'
            )
            return
        st.button(
            f"{frame.plain(words(row))} :gray[{frame.plain(facts)}]",
            key=f"relative-{phase}-{row.id}",
            type="tertiary",
            wrap=True,
            on_click=session.open_run,
            args=(row.id,),
        )
        first, second = sorted((row, current), key=lambda one: (one.created_at, one.id))
        st.page_link(
            "pages/diff.py", label="Compare", query_params={session.SIDE_A: first.id, session.SIDE_B: second.id}
        )


def _fork_step(run_id: str) -> int | None:
    """The step after which a fork leaves its parent; None while its log has not begun."""
    try:
        return _kept_fork_step(run_id)
    except LookupError:
        return None


@st.cache_data(show_spinner=False, max_entries=2_000)
def _kept_fork_step(run_id: str) -> int:
    """It never changes, and costs the reading of a log. Raises LookupError, which is not kept."""
    events = session.engine().store.events(run_id, kinds=("run_started", "node_finished"))
    if not events or not isinstance(events[0], RunStarted):
        raise LookupError(run_id)
    return steps_inherited(events)
