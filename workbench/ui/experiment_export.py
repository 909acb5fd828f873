"""What can be taken away from an experiment: report, table, plan, bundle; and its scores by another scorer."""

import streamlit as st

from workbench.carry import leaving
from workbench.experiments import plan, report
from workbench.experiments.plan import ScorerChoice
from workbench.experiments.results import Results
from workbench.experiments.scorers import registry as scorers
from workbench.store.experiments import ExperimentRow
from workbench.ui import experiments, forms, session
from workbench.ui.moments import when

RESCORE = "rescore"


def draw(row: ExperimentRow, found: Results) -> None:
    """Downloads, and scoring anew."""
    st.subheader("Take it away", anchor="export")
    name = "".join(char if char.isalnum() else "-" for char in row.name).strip("-").lower() or "experiment"
    with st.container(key="experiment-export", horizontal=True):
        for label, ending, mime, make in (
            ("Report (HTML)", "html", "text/html", lambda: report.html(found, when(row.created_at))),
            ("Answers (CSV)", "csv", "text/csv", lambda: report.csv(found)),
            ("Plan (YAML)", "yaml", "application/yaml", lambda: plan.to_yaml(row.plan)),
            ("Bundle", "zip", "application/zip", lambda: leaving.export_experiment(session.engine().store, row.id)),
        ):
            st.download_button(
                label,
                data=make,
                file_name=f"{name}.{ending}",
                mime=mime,
                key=f"export-{ending}",
                on_click="ignore",
                type="tertiary",
            )
    with st.expander("Score the answers by another scorer", key="rescore-open"):
        _draw_rescore(row)


def _draw_rescore(row: ExperimentRow) -> None:
    """Another scorer for the answers that there are: no model is asked but a judge."""
    session.remember(RESCORE, row.plan.scorer.name)
    name = st.selectbox("Scorer", scorers.SCORERS, key=RESCORE, format_func=lambda one: scorers.kind(one).title)
    kind = scorers.kind(name or row.plan.scorer.name)
    st.caption(kind.summary)
    prefix = session.field_key(RESCORE, name or "")
    forms.draw(kind.settings, prefix)
    if kind.costs:
        st.html('<p class="wb-hint">A model is asked once more for every answer.</p>')
    st.button(
        "Score anew",
        key="rescore-now",
        disabled=row.is_live,
        on_click=experiments.later,
        args=(RESCORE, "Scoring anew", _rescore, row.id, name, prefix),
    )
    experiments.carry_out(RESCORE)


def _rescore(experiment: str, name: str, prefix: str) -> None:
    settings = forms.read(scorers.kind(name).settings, prefix)
    chosen = {key: value for key, value in settings.items() if value is not None}
    experiments.sweeps().rescore(experiment, ScorerChoice(name=name, settings=chosen))
