"""What the parts of the Experiments page share: the sweeps, what a click asks for, results that are folded once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from workbench.experiments import datasets
from workbench.experiments.kept import results_of
from workbench.experiments.reading import Reading
from workbench.experiments.results import Results
from workbench.experiments.sweep import Sweeps
from workbench.store.experiments import ExperimentRow
from workbench.ui import dataset_form, forms, session

KEPT = 3  # of results and of data sets, which may be large


@st.cache_resource(show_spinner=False)
def sweeps() -> Sweeps:
    """The experiments of the engine that all sessions share."""
    return Sweeps(session.engine())


def reading(ref: str) -> Reading:
    """A data set by its name, read once; a file, which may change, each time. Raises InvalidRequest."""
    kept = dataset_form.store().find(ref)
    if kept is None and datasets.shipped_set(ref) is None:
        return datasets.load(ref, dataset_form.store())
    return _read(ref, kept.digest if kept else "")


def kept_name(ref: str) -> str:
    """The name under which a data set stands in the form's choice; one that does not is kept. Raises InvalidRequest."""
    if datasets.shipped_set(ref) is not None:
        return ref
    sets = dataset_form.store()
    row = sets.find(ref) or sets.get(sets.add(datasets.load(ref, sets)))
    return row.name


def choice_of(row: ExperimentRow) -> str:
    """The name under which an experiment's data set stands in the form's choice. Raises InvalidRequest."""
    shipped = datasets.shipped_set(row.plan.dataset)
    if shipped is not None and reading(shipped.name).digest == row.dataset:
        return shipped.name
    return dataset_form.store().get(row.dataset).name


@st.cache_resource(show_spinner=False, max_entries=KEPT)
def _read(ref: str, digest: str) -> Reading:
    """The set; `digest` is there to tell it from another one that had its name."""
    return datasets.load(ref, dataset_form.store())


@dataclass(frozen=True)
class Pending:
    """What a click asked for, and the place on the page where it is done."""

    place: str
    words: str
    action: Callable[..., object]
    args: tuple[Any, ...]


def later(place: str, words: str, action: Callable[..., object], *args: object) -> None:
    """Do something that may take a second as soon as its place is drawn, with a word that it is being done."""
    session.put(session.PENDING, Pending(place, words, action, args))


def carry_out(place: str) -> None:
    """Do what was asked for here; then draw the page anew."""
    pending: Pending | None = session.recall(session.PENDING)
    if pending is None or pending.place != place:
        return
    session.put(session.PENDING, None)
    with st.spinner(pending.words), forms.explained():
        pending.action(*pending.args)
    st.rerun()


def is_pending(place: str) -> bool:
    """Whether something is about to be done here."""
    pending: Pending | None = session.recall(session.PENDING)
    return pending is not None and pending.place == place


def found(row: ExperimentRow) -> Results:
    """The experiment's results as they stand; folded anew only when something has changed."""
    state = sweeps().store.state(row.id)
    with st.spinner("Reading the results", show_time=True):
        return _folded(row.id, row.plan.model_dump_json(), state, row)


@st.cache_resource(show_spinner=False, max_entries=KEPT)
def _folded(experiment: str, plan: str, state: tuple[float, ...], _row: ExperimentRow) -> Results:
    """The results; `plan` and `state` are there to tell them from those of an earlier moment."""
    return results_of(_row, session.engine().store.database)
