"""An experiment's items one by one: every lane's answer with its run, filtered and in pages."""

import streamlit as st

from workbench.experiments.outcomes import FILTERS, Filter, Outcome, Row
from workbench.experiments.results import Results
from workbench.experiments.words import MINUS, count
from workbench.ui import session
from workbench.ui.experiment_results import lane_html, table_html
from workbench.ui.markdown import escape
from workbench.ui.metrics import NOTHING

PER_PAGE = 25
LONGEST = 280  # characters of a text in the table
NAMES: dict[Filter, str] = {
    "all": "All",
    "disagree": "Lanes disagree",
    "flips": "Flips",
    "errors": "Errors",
    "low confidence": "Low confidence",
}


def draw(found: Results, *, is_live: bool = False) -> None:
    """Filters, then a page of items.

    A fragment: a click here draws nothing else anew. Not while it runs: the rerun would end the page's own loop.
    """
    draw_now = _draw if is_live else st.fragment(_draw)
    draw_now(found)


def _draw(found: Results) -> None:
    st.subheader("Item by item", anchor="items")
    rows = _filters(found)
    if not rows:
        st.html('<p class="wb-hint">No item fits. Choose another filter, or empty the search.</p>')
        return
    pages = -(-len(rows) // PER_PAGE)
    number = min(int(session.recall(session.ITEM_PAGE) or 1), pages)
    first = (number - 1) * PER_PAGE
    shown = rows[first : first + PER_PAGE]
    heads = ("Item", *(lane.label for lane in found.lanes))
    st.html(f'<p class="wb-label">{first + 1:,} to {first + len(shown):,} of {count(len(rows), "item")}</p>')
    st.html(table_html("Items", heads, [_row(row, found) for row in shown]))
    if pages > 1:
        st.pagination(pages, key=session.ITEM_PAGE)


def _filters(found: Results) -> list[Row]:
    """The items that the person wants to see."""
    kept = {wanted: found.filtered(wanted) for wanted in FILTERS}
    tags = sorted({tag for row in found.rows for tag in row.item.tags})
    with st.container(key="item-filters", horizontal=True, vertical_alignment="bottom"):
        session.remember(session.ITEM_FILTER, "all")
        wanted: Filter = (
            st.segmented_control(
                "Which items",
                FILTERS,
                format_func=lambda name: f"{NAMES[name]} {len(kept[name]):,}",
                key=session.ITEM_FILTER,
                required=True,
                label_visibility="collapsed",
                on_change=_first_page,
            )
            or "all"
        )
        chosen = _tags(tags) if tags else []
        words = st.text_input(
            "Search",
            key=session.ITEM_SEARCH,
            placeholder="Search in questions and answers",
            label_visibility="collapsed",
            on_change=_first_page,
            width=260,
        )
    return [row for row in kept[wanted] if _fits(row, chosen, (words or "").casefold())]


def _tags(tags: list[str]) -> list[str]:
    """The tags of which an item must have one; none for all items."""
    session.put(session.ITEM_TAGS, [tag for tag in session.recall(session.ITEM_TAGS) or [] if tag in tags])
    return st.multiselect(
        "Tags",
        tags,
        key=session.ITEM_TAGS,
        placeholder="All tags",
        label_visibility="collapsed",
        on_change=_first_page,
        width=220,
    )


def _fits(row: Row, tags: list[str], words: str) -> bool:
    texts = [row.item.question, row.item.answer, *(cell.answer for one in row.outcomes for cell in one.cells)]
    tagged = not tags or bool(set(tags) & set(row.item.tags))
    return tagged and (not words or any(words in text.casefold() for text in texts))


def _first_page() -> None:
    session.put(session.ITEM_PAGE, 1)


def _row(row: Row, found: Results) -> tuple[str, ...]:
    gold = f'<br><span class="wb-label">right answer: {_said(row.item.answer)}</span>' if row.item.answer else ""
    item = f'<span class="wb-label">{escape(row.item.id)}</span><br>{_said(row.item.question)}{gold}'
    return item, *(_outcome(place, one, found) for place, one in enumerate(row.outcomes))


def _outcome(place: int, outcome: Outcome, found: Results) -> str:
    """A lane's answer: its score in a word and a number, what it said, and the way to its run."""
    if not outcome.cells:
        return NOTHING
    facts = [
        _verdict(outcome, found),
        f"p̄ {outcome.confidence:.2f}" if outcome.confidence is not None else "",
        f"+{outcome.gained} {MINUS}{outcome.lost} flips" if outcome.gained or outcome.lost else "",
    ]
    errors = [
        f'<span class="wb-failed">{escape(cell.error_code)}: {_said(cell.error)}</span>' for cell in outcome.errors
    ]
    said = next((cell.said for cell in outcome.cells if cell.said), "")
    why = f'<span class="wb-label">{_said(said)}</span>' if said else ""
    line = f'<span class="wb-label">{lane_html(place, "")}{" · ".join(filter(None, facts))}</span>'
    return "<br>".join(filter(None, [line, _said(outcome.answer), why, *errors, _runs(outcome)]))


def _verdict(outcome: Outcome, found: Results) -> str:
    """Right or wrong, or the score; what is still to come."""
    if outcome.score is None:
        statuses = {cell.status for cell in outcome.cells} - {"error"}
        return escape("no score yet" if statuses == {"done"} else " and ".join(sorted(statuses)))
    if found.graded or 0 < outcome.score < 1:
        return escape(found.scale.score(outcome.score))
    return '<b class="wb-right">right</b>' if outcome.score else '<b class="wb-wrong">wrong</b>'


def _runs(outcome: Outcome) -> str:
    """The way to each run."""
    return " ".join(
        f'<a href="./?{session.RUN}={escape(cell.run_id)}" target="_self">run{_seed(cell.seed, outcome)}</a>'
        for cell in outcome.cells
        if cell.run_id and cell.status in ("done", "error")
    )


def _seed(seed: int, outcome: Outcome) -> str:
    return f", seed {seed}" if len(outcome.cells) > 1 else ""


def _said(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return f'<span class="wb-cell-text">{escape(shown)}</span>' if shown else ""
