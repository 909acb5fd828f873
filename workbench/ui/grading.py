"""A person as the scorer: one answer after another, without knowing which lane gave it."""

import random
from collections.abc import Sequence

import streamlit as st

from workbench.experiments.model import Cell, Item
from workbench.experiments.words import count
from workbench.store.experiments import ExperimentRow
from workbench.ui import dataset_form, experiments, session
from workbench.ui.markdown import escape, render

Place = tuple[int, int, int]  # a cell's lane, item and seed
WAYS = (("Right", 1.0, "1"), ("Half right", 0.5, "2"), ("Wrong", 0.0, "3"))
POINTS = session.field_key(session.GRADED, "points")


def draw(row: ExperimentRow, left: Sequence[Place]) -> None:
    """The next of the answers that are `left` without a score, and how many there are."""
    st.subheader("Score the answers", anchor="grade")
    if not left:
        st.html('<p class="wb-hint">Every answer that there is has your score.</p>')
    elif (cell := _cell(row, next_of(row, left))) is not None:
        items = dataset_form.store().items(row.dataset, limit=1, offset=cell.item)
        st.html(f'<p class="wb-label">{count(len(left), "answer")} left · which lane gave it is not told</p>')
        st.html(_shown_html(items[0], cell))
        _draw_ways(row, cell)
    if cell := last(row):
        args = (row.id, cell)
        st.button("Take the last score back", key="grade-back", type="tertiary", on_click=back, args=args)


def last(row: ExperimentRow) -> Cell | None:
    """The answer that this person scored last, as it was before."""
    experiment, cell = session.recall(session.GRADED) or ("", None)
    return cell if experiment == row.id else None


def next_of(row: ExperimentRow, left: Sequence[Place]) -> Place:
    """The first in an order that tells nothing of the lanes and stays the same while answers are added."""
    return min(left, key=lambda place: random.Random(f"{row.id} {place}").random())


def _draw_ways(row: ExperimentRow, cell: Cell) -> None:
    with st.container(key="grades", horizontal=True, vertical_alignment="bottom"):
        for words, value, key in WAYS:
            args = (row.id, cell, value)
            st.button(words, key=f"grade-{value:g}", shortcut=key, on_click=give, args=args)
        session.remember(POINTS, 0.5)
        st.number_input("Or a score from 0 to 1", 0.0, 1.0, step=0.05, key=POINTS, width=170)
        st.button("Give this score", key="grade-points", on_click=give_points, args=(row.id, cell))


def give(experiment: str, cell: Cell, value: float) -> None:
    """Keep a score."""
    with session.explained():
        experiments.sweeps().set_score(experiment, cell.lane, cell.item, cell.seed, value)
        session.put(session.GRADED, (experiment, cell))


def give_points(experiment: str, cell: Cell) -> None:
    """Keep the score that was written."""
    give(experiment, cell, float(session.recall(POINTS)))


def back(experiment: str, cell: Cell) -> None:
    """The last answer is without a score again."""
    session.put(session.GRADED, None)
    with session.explained():
        experiments.sweeps().store.amend(experiment, [cell])


def _cell(row: ExperimentRow, place: Place) -> Cell | None:
    return experiments.sweeps().store.cell(row.id, *place)


def _shown_html(item: Item, cell: Cell) -> str:
    gold = f'<p class="wb-label">Right answer</p><p>{escape(item.answer)}</p>' if item.answer else ""
    return (
        f'<div class="wb-grade"><p class="wb-label">Question</p>{render(item.asked)}{gold}'
        f'<p class="wb-label">Answer</p><div class="wb-answer-text">{render(cell.answer or "(empty)")}</div></div>'
    )
