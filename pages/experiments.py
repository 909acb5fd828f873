"""Experiments: lanes over a data set, with honest statistics. The list, one while it runs, and what came of it."""

from dataclasses import dataclass, fields

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from workbench.errors import InvalidRequest
from workbench.experiments.scorers import registry as scorers
from workbench.experiments.words import count
from workbench.store.experiments import ExperimentRow
from workbench.ui import (
    experiment_costs,
    experiment_export,
    experiment_form,
    experiment_items,
    experiment_live,
    experiment_results,
    experiments,
    frame,
    grading,
    keys,
    session,
)
from workbench.ui.markdown import escape
from workbench.ui.moments import when

GO_ON = ("waiting", "stopped", "interrupted")
HEAD = "head"


@dataclass(frozen=True)
class Places:
    """The page's fixed places: while an experiment is followed, only an empty one clears what stood there before."""

    overview: DeltaGenerator
    form: DeltaGenerator
    head: DeltaGenerator
    live_actions: DeltaGenerator
    actions: DeltaGenerator
    doing: DeltaGenerator
    problem: DeltaGenerator
    state: DeltaGenerator
    progress: DeltaGenerator
    live_body: DeltaGenerator
    body: DeltaGenerator


def page() -> None:
    """The list, the form of a new experiment, or one experiment. One in progress is followed at the very end."""
    keys.hand_on()
    places = Places(*(st.empty() for _ in fields(Places)))
    row = opened()
    if row is not None:
        show(row, places)
        return
    rows = experiments.sweeps().store.experiments()
    if rows and not session.recall(session.NEW_EXPERIMENT):
        with places.overview.container():
            draw_list(rows)
    else:
        with places.form.container():
            draw_form(first=not rows)


def opened() -> ExperimentRow | None:
    """The experiment that the address or the session names; one that there is not is closed, with a word about it."""
    name = session.current_experiment()
    if name is None:
        return None
    try:
        return experiments.sweeps().store.get(name)
    except InvalidRequest as error:
        session.close_experiment()
        session.put(session.PROBLEM, session.Problem(error.message, error.hint))
        return None


def draw_list(rows: list[ExperimentRow]) -> None:
    """The experiments that there are, the newest first."""
    st.title("Experiments", anchor=False)
    frame.show_problem()
    st.button("New experiment", key="new-experiment", type="primary", on_click=experiment_form.begin)
    with st.container(key="experiments", gap=None):
        for row in rows:
            draw_row(row)


def draw_form(first: bool) -> None:
    """The form of a new experiment; at first with what an experiment is."""
    if first:
        st.title("Experiments", anchor=False)
        experiment_form.draw_first()
        st.subheader("New experiment", anchor="new")
    else:
        st.button("All experiments", key="all-experiments", type="tertiary", on_click=session.close_experiment)
        st.title("New experiment", anchor=False)
    experiment_form.draw()


def draw_row(row: ExperimentRow) -> None:
    """One experiment of the list."""
    lanes = ", ".join(lane.name for lane in row.plan.lanes)
    facts = [f"{row.done:,} of {count(row.cells, 'cell')} done", f"{row.errors:,} failed" if row.errors else ""]
    facts += [f"{row.plan.dataset} · {lanes}", when(row.created_at)]
    line = " · ".join(escape(fact) for fact in facts if fact)
    with st.container(key=f"row-{row.id}", horizontal=True, vertical_alignment="center"):
        st.html(
            f'<div class="wb-run"><h3>{escape(row.name)}</h3>'
            f'<p class="wb-meta"><b class="wb-state wb-{row.status}">{row.status}</b> · {line}</p></div>'
        )
        with st.container(key=f"actions-{row.id}", horizontal=True, width="content", gap="small"):
            st.button("Open", key=f"open-{row.id}", on_click=session.open_experiment, args=(row.name,))
            if not row.is_live and st.button("Delete", key=f"delete-{row.id}", type="tertiary"):
                confirm_delete(row)


def show(row: ExperimentRow, places: Places) -> None:
    """One experiment: followed while it runs, its results as they stand, at its end or so far."""
    with places.head.container():
        draw_head(row)
    with (places.live_actions if row.is_live else places.actions).container():
        draw_actions(row)
    with places.doing.container():
        experiments.carry_out(HEAD)
    with places.problem.container():
        frame.show_problem()
    with places.state.container():
        draw_state(row)
    places.progress.html(experiment_live.html(row))
    with (places.live_body if row.is_live else places.body).container():
        draw_body(row)
    if row.is_live:
        experiment_live.follow(places.progress, row)
        st.rerun()


def draw_head(row: ExperimentRow) -> None:
    """Its name, and what it is."""
    st.button("All experiments", key="all-experiments", type="tertiary", on_click=session.close_experiment)
    st.title(frame.plain(row.name), anchor=False)
    facts = [row.plan.dataset, count(len(row.plan.lanes), "lane"), f"scored by {row.plan.scorer.name}"]
    st.html(f'<p class="wb-label">{escape(" · ".join([*facts, when(row.created_at)]))}</p>')


def draw_state(row: ExperimentRow) -> None:
    """Why it does not go on, and what to do."""
    if row.reason and not row.is_live:
        st.warning(frame.plain(f"It has stopped by itself: {row.reason}") + "  \nThen resume it: nothing is lost.")
    if row.status == "interrupted":
        frame.notice("Interrupted", "The program ended while it ran. What is done is kept; Resume does the rest.")


def draw_body(row: ExperimentRow) -> None:
    """What is to be scored by a person, then the results: at once at its end, before that on demand."""
    left = experiments.sweeps().store.unscored(row.id) if scorers.kind(row.plan.scorer.name).by_person else []
    if left or grading.last(row):
        grading.draw(row, left)
    if not row.done and not row.errors:
        return
    wanted = not (row.is_live or left) or wants_results(bool(left))
    place = st.empty()
    if wanted:
        with place.container():
            draw_results(row)


def draw_results(row: ExperimentRow) -> None:
    """The results as they stand now, and what can be taken away."""
    found = experiments.found(row)
    experiment_results.draw(found)
    experiment_costs.draw(row.id, found)
    experiment_items.draw(found, is_live=row.is_live)
    experiment_export.draw(row, found)


def wants_results(blind: bool) -> bool:
    """Whether the results are to be shown before there are all of them."""
    words = "They tell which lane gave which answer: score all answers first." if blind else None
    with st.container(key="so-far", horizontal=True, vertical_alignment="center"):
        shown = st.toggle("Results so far", key=session.SO_FAR, help=words)
        if shown and not blind:
            st.button("Look again", key="look-again", help="They stand as they were when you last looked.")
    return shown


def draw_actions(row: ExperimentRow) -> None:
    """Stop while it runs; then to go on with what is left, or with what failed; its plan as the next one's."""
    with st.container(horizontal=True):
        if row.is_live:
            draw_stop(row)
            return
        left, sweeps = row.cells - row.done - row.errors, experiments.sweeps()
        if left and row.status in GO_ON:
            words, args = f"Resume ({left:,} left)", (HEAD, "Looking what is left", sweeps.resume, row.id)
            st.button(words, key="resume-experiment", type="primary", on_click=experiments.later, args=args)
        if row.errors:
            args = (HEAD, "Starting them again", sweeps.retry_errors, row.id)
            st.button(f"Retry the errors ({row.errors:,})", key="retry-errors", on_click=experiments.later, args=args)
        st.button("Change and run again", key="change-plan", help=CHANGE_HELP, on_click=change, args=(row,))
        if st.button("Delete", key="delete-experiment", type="tertiary"):
            confirm_delete(row)


CHANGE_HELP = "Its plan in the form. Under the same name, answers to the same requests are kept."


def draw_stop(row: ExperimentRow) -> None:
    """Stop; or that it is stopping."""
    stopping = row.status == "stopping" or experiments.is_pending(HEAD)
    st.button(
        "Stopping" if stopping else "Stop",
        key="stop-experiment",
        type="primary",
        shortcut="Esc",
        disabled=stopping,
        on_click=experiments.later,
        args=(HEAD, "Stopping what runs", experiments.sweeps().stop, row.id),
    )


def change(row: ExperimentRow) -> None:
    """The form, with this experiment's plan."""
    with session.explained():
        experiment_form.take(row.plan.model_copy(update={"dataset": experiments.choice_of(row)}))
        session.close_experiment()
        session.put(session.NEW_EXPERIMENT, True)


@st.dialog("Delete this experiment?")
def confirm_delete(row: ExperimentRow) -> None:
    """Ask before an experiment is gone."""
    st.html(
        f'<p>{escape(row.name)}</p><p class="wb-hint">Its {count(row.cells, "cell")} and the runs that were made for it'
        " are deleted with it. This cannot be undone.</p>"
    )
    with st.container(horizontal=True):
        if st.button("Delete", key="delete-for-good", type="primary", on_click=delete, args=(row.id,)):
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()


def delete(experiment: str) -> None:
    """Delete it and go back to the list; one that cannot be deleted says why."""
    with session.explained():
        experiments.sweeps().delete(experiment)
        session.close_experiment()


frame.around(page)
