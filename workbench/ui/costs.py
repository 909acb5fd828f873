"""What models cost in seconds, in energy and in money."""

from collections.abc import Sequence
from datetime import date
from typing import Any, get_args

import pandas as pd  # type: ignore[import-untyped]
import streamlit as st

from agents import catalogue
from workbench import price_list
from workbench.cost import By, Price, PriceList, Spent, Sum, energy, spent
from workbench.store.costs import run_costs, used_backends
from workbench.store.prices import PriceStore
from workbench.ui import charts, frame, metrics, session
from workbench.ui.experiment_results import QUIET, table_html, theme
from workbench.ui.markdown import escape
from workbench.ui.metrics import NOTHING
from workbench.ui.schema_doctor import moment

AMOUNTS = frozenset({"prompt", "cached", "completion"})
BARS = 12  # rows that the figure has room for
HEADS = ("Runs", "Load", "Prefill", "Decode", "Tokens read", "From cache", "Written", "Energy", "Money")
ABOUT = (
    "Seconds are the sum of the model's own, and the middle run's in small; a model that is loaded once counts for the"
    " run that waited for it. Runs that older versions made, and backends that tell nothing, are unknown, not zero."
    " What is asked of a judge in an experiment stands there."
)
PRICES_ABOUT = (
    "Per million tokens, as your provider's page says them; none come with the app. A model's name may end in * for all"
    " that begin so. An empty cell under Cached means the same as for the prompt. The prices that stand here now are"
    " applied to all runs, earlier ones too; currencies are never added together."
)


def draw() -> None:
    """The whole view."""
    engine = session.engine()
    with frame.guarded():
        prices = PriceStore(engine.store.database)
        since, backend, by = filters()
        found = spent(run_costs(engine.store.database, since, backend), PriceList(prices.all()), by)
        if found:
            draw_spent(found)
        else:
            frame.notice("Nothing to count yet", "No run has called a model.", "Ask something on the bench.")
        st.html(f'<p class="wb-hint">Energy: {escape(engine.energy.says)}</p>{frame.hint_html(engine.energy.hint)}')
        draw_prices(prices)


def filters() -> tuple[str, str, By]:
    """Since when, which backend (empty for all), and by what the runs are summed up."""
    with st.container(key="cost-filters", horizontal=True, vertical_alignment="bottom"):
        names = ["", *used_backends(session.engine().store.database)]
        key = session.field_key(session.COSTS, "backend")
        if session.recall(key) not in names:
            session.put(key, "")
        backend = st.selectbox(
            "Backend", names, format_func=lambda name: frame.title(name) if name else "Any backend", key=key, width=190
        )
        since = st.date_input("Since", value=None, key=session.field_key(session.COSTS, "since"), width=150)
        by_key = session.field_key(session.COSTS, "by")
        session.remember(by_key, "machine and model")
        by = st.segmented_control("By", get_args(By), key=by_key, required=True, format_func=str.capitalize)
    return moment(since if isinstance(since, date) else None), backend or "", by or "machine and model"


def draw_spent(found: Sequence[Spent]) -> None:
    """Where the seconds go as bars, then the numbers."""
    bars = [(name(one), one.load.total or 0.0, one.prefill.total or 0.0, one.decode.total or 0.0) for one in found]
    if shown := [bar for bar in bars if sum(bar[1:])][:BARS]:
        st.plotly_chart(charts.where_seconds_go(shown, theme()), key="where-seconds-go", theme=None, config=QUIET)
    title = "Day" if found[0].day else "Machine and model" if found[0].machine and found[0].model else "Of"
    st.html(table_html("What runs cost", (title, *HEADS), [_cells(one) for one in found]))
    if dated := max((money.as_of for one in found for money in one.money), default=""):
        st.caption(f"Money at the prices of {dated}. {ABOUT}")
    else:
        st.caption(ABOUT)


def name(one: Spent) -> str:
    """What a row is about."""
    machine = catalogue.load(one.machine).title if one.machine in catalogue.MACHINES else one.machine
    return " · ".join(filter(None, [machine, one.model, one.day]))


def figures(one: Spent) -> tuple[str, ...]:
    """The seconds of loading, prefill and decode, the energy and the money of a row, as HTML."""
    used = NOTHING if one.joules.total is None else _small(energy(one.joules.total), _known(one.joules, one.runs))
    return (*(_seconds(part, one.runs) for part in (one.load, one.prefill, one.decode)), used, _money(one))


def _cells(one: Spent) -> tuple[str, ...]:
    where = f'<br><span class="wb-label">{escape(frame.title(one.backend))}</span>' if one.backend else ""
    share = one.cached_tokens / one.prompt_tokens if one.prompt_tokens else None
    *work, used, money = figures(one)
    tokens = (f"{one.prompt_tokens:,}", NOTHING if share is None else f"{share:.0%}", f"{one.completion_tokens:,}")
    return (f"{escape(name(one))}{where}", f"{one.runs:,}", *work, *tokens, used, money)


def _seconds(part: Sum, runs: int) -> str:
    """The sum, and in small the middle run's."""
    if part.total is None:
        return NOTHING
    each = f"{metrics.seconds(part.each)} a run" if runs > 1 else ""
    return _small(metrics.seconds(part.total) if part.total else "0 s", each, _known(part, runs))


def _known(part: Sum, runs: int) -> str:
    return f"of {part.known:,} runs" if part.known < runs else ""


def _money(one: Spent) -> str:
    """The sums; where only some of the runs have a price, how many have none."""
    if not one.money:
        return NOTHING
    return _small(" + ".join(map(str, one.money)), f"{one.unpriced:,} runs without" if one.unpriced else "")


def _small(text: str, *notes: str) -> str:
    said = "".join(f'<br><span class="wb-label">{escape(note)}</span>' for note in notes if note)
    return f'<span class="wb-whole">{escape(text)}</span>{said}'


def draw_prices(prices: PriceStore) -> None:
    """The table that the person edits; it counts once it is saved."""
    st.subheader("Prices", anchor="prices")
    st.caption(PRICES_ABOUT)
    before = prices.all()
    saved = int(session.recall(session.PRICES_SAVED, 0))  # a table that was saved begins anew, from what is kept
    with st.container(key="prices-place"):
        edited = st.data_editor(
            table_of(before),
            key=f"{session.PRICES}-{saved}",
            num_rows="dynamic",
            hide_index=True,
            width="stretch",
            column_config=_config(before),
        )
    rows = rows_of(edited)
    with st.container(horizontal=True, vertical_alignment="center"):
        is_same = rows == rows_of(table_of(before))
        st.button(
            "Save prices", key="save-prices", type="primary", disabled=is_same, on_click=save, args=(rows, before)
        )
        st.download_button(
            "Prices (CSV)", data=price_list.to_csv(before), file_name="prices.csv", mime="text/csv", on_click="ignore"
        )


def save(rows: Sequence[dict[str, Any]], drawn: Sequence[Price]) -> None:
    """Keep what was edited in the table `drawn`; what is wrong with it is said, and nothing of it is lost.

    What was set elsewhere meanwhile stays.
    """
    with session.explained():
        typed = [price_list.price(row, f"Row {number}") for number, row in enumerate(rows, 1)]
        PriceStore(session.engine().store.database).change(drawn, price_list.without_doubles(typed))
        session.put(session.PRICES_SAVED, int(session.recall(session.PRICES_SAVED, 0)) + 1)


def table_of(prices: Sequence[Price]) -> pd.DataFrame:
    """The prices as a table whose empty columns have their types too."""
    cells = {column: [getattr(price, column) for price in prices] for column in price_list.COLUMNS}
    kinds = {column: "float64" if column in AMOUNTS else "object" for column in cells}
    return pd.DataFrame({column: pd.Series(values, dtype=kinds[column]) for column, values in cells.items()})


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows in which anything stands; empty cells are None."""
    rows = [{str(name): None if pd.isna(cell) else cell for name, cell in row.items()} for row in _records(table)]
    return [row for row in rows if any(value not in (None, "") for value in row.values())]


def _records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    records: list[dict[Any, Any]] = table.to_dict("records")
    return records


def _config(prices: Sequence[Price]) -> dict[str, Any]:
    backends = sorted({*session.engine().backends(), *(price.backend for price in prices)} - {"scripted"})
    return {
        "backend": st.column_config.SelectboxColumn("Backend", options=backends),
        "model": st.column_config.TextColumn("Model"),
        "currency": st.column_config.TextColumn("Currency", default="USD", max_chars=8, width="small"),
        "prompt": _amount("Prompt"),
        "cached": _amount("Cached"),
        "completion": _amount("Completion"),
    }


def _amount(title: str) -> Any:
    return st.column_config.NumberColumn(title, min_value=0.0, format="%g", width="small")
