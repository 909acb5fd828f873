"""The YAML file that says the same as the form: out of the form, into it, or run as it is."""

from collections.abc import Callable

import streamlit as st

from workbench.errors import InvalidRequest
from workbench.experiments import plan
from workbench.experiments.plan import Plan
from workbench.ui import experiments, forms, frame, session

FORM = session.EXPERIMENT_FORM
TEXT, UPLOADED = (session.field_key(FORM, name) for name in ("yaml", "uploaded"))
PLACE = "yaml"
LARGEST_MB = 1


def draw(chosen: Callable[[], Plan], take: Callable[[Plan], None], run: Callable[[Plan], None]) -> None:
    """`chosen` is the form's plan, `take` puts one into the form, `run` starts one."""
    st.download_button(
        "Download this form as YAML",
        data=lambda: plan.to_yaml(chosen()),
        file_name="experiment.yaml",
        mime="application/yaml",
        key="download-plan",
        on_click="ignore",
    )
    st.html(frame.hint_html("`python -m workbench experiment run experiment.yaml` runs the same in a terminal."))
    number = session.recall(UPLOADED, 0)
    file = st.file_uploader("A YAML file", ["yaml", "yml"], key=f"{UPLOADED}-{number}", max_upload_size=LARGEST_MB)
    st.text_area("Or its text", key=TEXT, height=160, placeholder=PLACEHOLDER, on_change="ignore")
    uploaded = file.getvalue().decode("utf-8", "replace") if file is not None else ""
    with st.container(horizontal=True):
        st.button("Put it into the form", key="plan-into-form", on_click=_take, args=(uploaded, take))
        st.button(
            "Run it as it is",
            key="plan-run",
            on_click=experiments.later,
            args=(PLACE, "Preparing the cells", _run, uploaded, run),
        )
    experiments.carry_out(PLACE)


PLACEHOLDER = "name: sums\ndataset: arithmetic\nlimit: 10\nscorer: numeric\nlanes:\n  - {name: direct, machine: direct}"


def _parsed(uploaded: str) -> Plan:
    text = uploaded or session.recall(TEXT) or ""
    if not text.strip():
        raise InvalidRequest("There is no YAML yet.", "Upload a file, or paste its text.")
    return plan.parse(text, "The YAML")


def _take(uploaded: str, take: Callable[[Plan], None]) -> None:
    with forms.explained():
        take(_parsed(uploaded))
        session.put(UPLOADED, session.recall(UPLOADED, 0) + 1)
        session.put(TEXT, "")


def _run(uploaded: str, run: Callable[[Plan], None]) -> None:
    run(_parsed(uploaded))
