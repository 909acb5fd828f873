"""The form of a new experiment: what it asks, how it scores, its lanes; what that comes to, and Start."""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import ValidationError

from workbench.errors import InvalidRequest, WorkbenchError
from workbench.experiments import preview as previews
from workbench.experiments.plan import Plan, PlanSettings
from workbench.experiments.preview import Preview
from workbench.experiments.reading import Reading
from workbench.experiments.scorers import registry as scorers
from workbench.experiments.shipped import SHIPPED
from workbench.experiments.words import count
from workbench.request import Limits
from workbench.ui import (
    dataset_form,
    experiment_checks,
    experiment_lanes,
    experiment_yaml,
    experiments,
    forms,
    frame,
    panel,
    session,
)
from workbench.ui.markdown import escape

FORM = session.EXPERIMENT_FORM
NAME, LIMIT, SEEDS, SCORER, PARALLEL, REUSE, FITTED = (
    session.field_key(FORM, name) for name in ("name", "limit", "seeds", "scorer", "parallel", "reuse", "fitted")
)
DATASET, SETTINGS, LIMITS = (session.field_key(FORM, name) for name in ("dataset", "setting", "limits"))
CHOICE = session.field_key(DATASET, "choice")
FEW = 10  # items of a first experiment
EXAMPLE = "arithmetic"
MOST_PREVIEWED = 3_000  # cells; of more, it would take seconds to find out which are done already
PREVIEW_SECONDS = 20.0
SEEDS_HELP = "So many, counted from 0; or a list of your own: [3, 7, 11]. Every lane answers every item once for each."


def draw() -> None:
    """The form, then how much it comes to, then Start."""
    _remember()
    names = st.container(horizontal=True, vertical_alignment="top")
    chosen = dataset_form.draw(DATASET)
    reading = _reading(chosen)
    _fit(reading)
    wrong = problems(reading)
    with names:
        _draw_head(wrong)
    _draw_scorer(wrong.get("scorer", ""))
    st.html('<h3 class="wb-part">Lanes</h3>')
    experiment_lanes.draw(forms.read(PlanSettings, SETTINGS))
    _say(wrong.get("lanes", ""))
    with st.expander("Model settings, limits and pace of all lanes", key="experiment-settings"):
        _draw_further()
    if reading is not None:
        _draw_start(reading, wrong)
    with st.expander("As a YAML file", key="experiment-yaml"):
        experiment_yaml.draw(chosen_plan, take, run)


def draw_first() -> None:
    """Before the first experiment: what one is, the shipped sets, and an example at a click."""
    frame.notice(
        "Does the second thought help, on your model, and at what cost?",
        "An experiment asks each question of a data set in several ways, its lanes, and scores every answer. It says"
        " which lanes can be told apart, what each right answer costs, and in which round answers turn right or wrong.",
    )
    with st.container(key="shipped-sets", gap=None):
        for shipped in SHIPPED:
            with st.container(key=f"row-{shipped.name}", horizontal=True, vertical_alignment="center"):
                words = f"50 items. {shipped.summary}"
                st.html(
                    f'<div class="wb-run"><h3>{escape(shipped.title)}</h3><p class="wb-hint">{escape(words)}</p></div>'
                )
                st.button("Use", key=f"use-{shipped.name}", on_click=session.put, args=(CHOICE, shipped.name))
    st.button("Fill in a small example", key="fill-example", type="primary", on_click=fill_example)
    st.html(
        f'<p class="wb-hint">{FEW} items of {EXAMPLE}: one call, a chain of thought and a reflection beside each'
        " other, on the model that is chosen.</p>"
    )


def fill_example() -> None:
    """A first experiment that a small model does in minutes."""
    session.put(NAME, free_name(EXAMPLE))
    session.put(CHOICE, EXAMPLE)
    session.put(LIMIT, FEW)
    session.put(SEEDS, "1")
    experiment_lanes.begin()


def begin() -> None:
    """The form of a new experiment, with what it held, under a name of its own."""
    session.put(NAME, free_name("experiment"))
    session.put(session.NEW_EXPERIMENT, True)


def free_name(word: str) -> str:
    """A name that no experiment has."""
    names = {row.name for row in experiments.sweeps().store.experiments()}
    return next(name for number in range(1, len(names) + 2) if (name := f"{word}-{number}") not in names)


def problems(reading: Reading | None) -> dict[str, str]:
    """What is wrong with the fields, each in a sentence."""
    scorer = _scorer()
    settings = forms.read(scorers.kind(scorer).settings, _scorer_prefix(scorer))
    items = reading.items[: session.recall(LIMIT)] if reading else ()
    found = {
        "name": experiment_checks.name(_name()),
        "seeds": experiment_checks.seeds(_seeds()),
        "scorer": experiment_checks.scorer(scorer, changed(settings, {}), items),
        "lanes": experiment_checks.lanes(experiment_lanes.names()),
    }
    return {field: said for field, said in found.items() if said}


def chosen_plan() -> Plan:
    """What the form holds. Raises pydantic.ValidationError, InvalidRequest."""
    scorer = _scorer()
    kind = scorers.kind(scorer)
    return Plan.model_validate(
        {
            "name": _name(),
            "dataset": session.recall(CHOICE) or "",
            "limit": session.recall(LIMIT),
            "scorer": {
                "name": scorer,
                "settings": changed(forms.read(kind.settings, _scorer_prefix(scorer)), kind.settings().model_dump()),
            },
            **panel.usable(session.backend()),
            "seeds": experiment_checks.read_seeds(_seeds()),
            "lanes": experiment_lanes.chosen(),
            "settings": changed(forms.read(PlanSettings, SETTINGS) | {"seed": None}, PlanSettings().model_dump()),
            "limits": forms.read(Limits, LIMITS),
            "parallel": session.recall(PARALLEL),
            "reuse": bool(session.recall(REUSE, True)),
        }
    )


def take(wanted: Plan) -> None:
    """Put a plan into the form. Raises InvalidRequest, PromptError for what there is not."""
    kind = scorers.kind(wanted.scorer.name)
    known = scorers.read_settings(kind.name, wanted.scorer.settings)
    choice, reading = experiments.kept_name(wanted.dataset), experiments.reading(wanted.dataset)
    experiment_lanes.take(wanted)
    values = {NAME: wanted.name, LIMIT: wanted.limit, SEEDS: experiment_checks.seeds_text(wanted.seeds), CHOICE: choice}
    values |= {FITTED: reading.digest, SCORER: kind.name, PARALLEL: wanted.parallel, REUSE: wanted.reuse}
    for key, value in values.items():
        session.put(key, value)
    forms.fill(kind.settings, _scorer_prefix(kind.name), known.model_dump())
    forms.fill(PlanSettings, SETTINGS, wanted.settings.model_dump())
    forms.fill(Limits, LIMITS, wanted.limits.model_dump())
    if wanted.backend:
        session.use(wanted.backend, wanted.model)


def changed(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not their defaults."""
    return {name: value for name, value in values.items() if value is not None and value != defaults.get(name)}


def start() -> None:
    """Run what the form holds. Raises pydantic.ValidationError, WorkbenchError."""
    run(chosen_plan())


def run(wanted: Plan) -> None:
    """Run a plan and look at it. Raises WorkbenchError."""
    if not wanted.backend:
        wanted = wanted.model_copy(update=panel.usable(session.backend()))
    reading = experiments.reading(wanted.dataset)
    experiments.sweeps().start(wanted, reading.items, dataset_form.store().add(reading))
    session.open_experiment(wanted.name)


def _remember() -> None:
    session.remember(LIMIT, FEW)
    session.remember(SEEDS, "1")
    session.remember(REUSE, True)
    session.remember(CHOICE, EXAMPLE)
    if session.recall(NAME) is None:
        session.put(NAME, free_name("experiment"))


def _name() -> str:
    return str(session.recall(NAME) or "").strip()


def _seeds() -> str:
    return str(session.recall(SEEDS) or "").strip()


def _scorer() -> str:
    return str(session.recall(SCORER) or scorers.SCORERS[0])


def _scorer_prefix(name: str) -> str:
    return session.field_key(FORM, f"scorer-{name}")


def _reading(chosen: str | None) -> Reading | None:
    try:
        return experiments.reading(chosen) if chosen else None
    except InvalidRequest as error:
        frame.show(error)
        return None


def _fit(reading: Reading | None) -> None:
    """Choose the scorer that fits, whenever another set was chosen."""
    if reading is not None and session.recall(FITTED) != reading.digest:
        session.put(FITTED, reading.digest)
        session.put(SCORER, scorers.fitting(reading.items))


def _draw_head(wrong: Mapping[str, str]) -> None:
    """Its name, of how many items, how often."""
    with st.container(width=360):
        st.text_input("Name", key=NAME, max_chars=120, persist_state="session")
        _say(wrong.get("name", ""))
    help_ = "Leave it empty for all items of the set."
    with st.container(width=150):
        st.number_input(
            "First items",
            1,
            None,
            value=None,
            step=10,
            key=LIMIT,
            placeholder="all",
            help=help_,
            persist_state="session",
        )
    with st.container(width=150):
        st.text_input("Seeds", key=SEEDS, help=SEEDS_HELP, persist_state="session")
        _say(wrong.get("seeds", ""))


def _draw_scorer(problem: str) -> None:
    """The scorer and its settings."""
    name = st.selectbox(
        "Scorer", scorers.SCORERS, format_func=lambda one: scorers.kind(one).title, key=SCORER, persist_state="session"
    )
    kind = scorers.kind(name or scorers.SCORERS[0])
    st.caption(frame.plain(kind.summary))
    if kind.settings.model_fields:
        with st.expander("How it scores", key="scorer-settings", expanded=bool(problem)):
            forms.draw(kind.settings, _scorer_prefix(kind.name))
    _say(problem)


def _draw_further() -> None:
    """What holds for all lanes, unless one has its own."""
    empty = {"temperature": "the machine's own"}
    forms.draw(PlanSettings, SETTINGS, empty, without=("seed",))
    panel.draw_limits(LIMITS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "At once",
            1,
            256,
            value=None,
            key=PARALLEL,
            placeholder="what the backend takes",
            help="Cells of one backend that run at the same time.",
            width=230,
            persist_state="session",
        )
        st.toggle("Take over what other experiments have answered", key=REUSE, persist_state="session")


def _draw_start(reading: Reading, wrong: Mapping[str, str]) -> None:
    """What the experiment comes to, in cells; then Start."""
    words, problem = _announced(reading, wrong)
    st.html(f'<p class="wb-label">{escape(words)}</p>')
    _say(problem)
    st.button(
        "Starting" if experiments.is_pending(FORM) else "Start the experiment",
        key="start-experiment",
        type="primary",
        shortcut="Ctrl+Enter",
        disabled=bool(wrong) or experiments.is_pending(FORM),
        on_click=experiments.later,
        args=(FORM, "Preparing the cells", start),
    )
    experiments.carry_out(FORM)
    frame.show_problem()


def _announced(reading: Reading, wrong: Mapping[str, str]) -> tuple[str, str]:
    """The cells in numbers, and why it could not be started; empty when it could."""
    items = len(reading.items[: session.recall(LIMIT)])
    lanes = len(experiment_lanes.lanes())
    if wrong:
        return f"{count(items, 'item')} × {count(lanes, 'lane')}", "Correct what is marked above."
    try:
        wanted = chosen_plan()
        cells = items * lanes * len(wanted.seeds)
        product = f"{count(items, 'item')} × {count(lanes, 'lane')} × {count(len(wanted.seeds), 'seed')}"
        words = f"{product} = {count(cells, 'cell')}"
        if cells > MOST_PREVIEWED:
            return words, ""
        return f"{words}{_known(_previewed(wanted.model_dump_json(), reading.digest, _standing(), reading))}", ""
    except ValidationError as error:
        return count(items, "item"), forms.sentence(error)
    except WorkbenchError as error:
        return count(items, "item"), f"{error.message} {error.hint}".strip()


def _known(found: Preview) -> str:
    """What of it is done already."""
    parts = [
        f"{found.kept:,} done already in the experiment of this name, which becomes this one" if found.known else "",
        f"{found.taken:,} answered already in other experiments and taken over" if found.taken else "",
        f"{found.left:,} to be asked" if found.known or found.taken else "",
    ]
    return "".join(f" · {part}" for part in parts if part)


@st.cache_data(ttl=PREVIEW_SECONDS, max_entries=20, show_spinner=False)
def _previewed(plan: str, digest: str, standing: object, _reading: Reading) -> Preview:
    """What the plan comes to; `digest` tells one data set from another, `standing` one moment from another."""
    return previews.preview(session.engine(), Plan.model_validate_json(plan), _reading.items)


def _standing() -> list[tuple[str, int, bool]]:
    """How far every experiment is."""
    return [(row.id, row.done, row.is_live) for row in experiments.sweeps().store.experiments()]


def _say(problem: str) -> None:
    """What is wrong with the field above."""
    if problem:
        st.html(f'<p class="wb-wrong-field" role="alert">{escape(problem)}</p>')
