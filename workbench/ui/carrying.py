"""Bringing a bundle in and taking training data away: the two dialogs of the Runs page, and a run as a bundle."""

import io
from collections import Counter
from typing import Any, get_args

import streamlit as st

from workbench.backends.base import TellsLicence
from workbench.carry import arriving, leaving, training
from workbench.carry.records import Contents, RunSummary
from workbench.carry.training import Data, Extent, Form, Selection
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.store.experiments import ExperimentStore
from workbench.store.judged import Source
from workbench.ui import frame, published_log, session
from workbench.ui.markdown import escape
from workbench.ui.moments import short

LARGEST_MB = 200
SHOWN = 12  # runs of a bundle that are listed
LICENCE_SECONDS = 5.0
SOURCES: dict[Source, str] = {"verdict": "Verdicts", "score": "Scores", "vote": "Votes"}
KINDS = {"sft": "Accepted answers", "preference": "Better and worse"}
EXTENTS: dict[Extent, str] = {"final": "Question and answer", "whole": "Every call of the model"}
FORMS: dict[Form, str] = {"openai": "OpenAI", "trl": "TRL"}


def buttons() -> None:
    """Open the dialogs."""
    with st.container(key="carrying", horizontal=True, width="content"):
        for name, label, why in (
            ("import", "Import", "Runs or an experiment from another machine"),
            ("training", "Training data", "Judged runs as files for fine-tuning"),
        ):
            st.button(label, key=f"open-{name}", help=why, on_click=session.put, args=(session.CARRYING, name))


def draw() -> None:
    """The dialog that is open; called in every run of the page."""
    match session.recall(session.CARRYING):
        case "import":
            _import_dialog()
        case "training":
            _training_dialog()


def close() -> None:
    """Dismissed."""
    for key in (session.CARRYING, session.BUNDLE_SEEN):
        session.put(key, None)


def bundle_button(run_id: str, machine: str, key: str, **more: Any) -> None:
    """Downloads a run as a bundle."""
    st.download_button(
        "Bundle",
        data=lambda: leaving.export_run(session.engine().store, run_id),
        file_name=f"{machine}-{run_id[:8]}.zip",
        mime="application/zip",
        key=key,
        on_click="ignore",
        help="The whole run in one file, to be imported on another machine",
        **more,
    )


@st.dialog("Import", width="medium", on_dismiss=close)
def _import_dialog() -> None:
    """Choose a file, see what is in it, take it in."""
    uploaded = st.file_uploader(
        "A bundle that Second Thought has written, or a published log of ReAct or Reflexion",
        type=["zip", "txt", "log"],
        key=session.BUNDLE,
        max_upload_size=LARGEST_MB,
    )
    frame.show_problem()
    if uploaded is None:
        st.html('<p class="wb-hint">You see what is in it first. Nothing in it is run.</p>')
        return
    with frame.guarded():
        if not uploaded.name.endswith(".zip"):
            published_log.draw(uploaded.getvalue(), uploaded.file_id)
            return
        contents = _looked_into(uploaded)
        _draw_contents(contents)
        if not contents.is_here:
            st.button("Import", key="import", type="primary", on_click=session.attempt, args=(_import, uploaded))


def _looked_into(uploaded: Any) -> Contents:
    """What is in an uploaded file; it is read once. Raises BundleError."""
    seen = session.recall(session.BUNDLE_SEEN)
    if seen is None or seen[0] != uploaded.file_id:
        seen = uploaded.file_id, arriving.inspect(io.BytesIO(uploaded.getvalue()), session.engine().store)
        session.put(session.BUNDLE_SEEN, seen)
    contents: Contents = seen[1]
    return contents


def _import(uploaded: Any) -> None:
    imported = arriving.import_bundle(session.engine().store, io.BytesIO(uploaded.getvalue()))
    session.put(session.BUNDLE_SEEN, (uploaded.file_id, imported.contents))


def _draw_contents(contents: Contents) -> None:
    """What a bundle holds; of one that is here already, the way to its runs."""
    made = f"made by Second Thought {contents.program}, {contents.created_at[:10]}"
    st.html(f'<p class="wb-label">{escape(_what(contents))}, {escape(made)}</p>')
    for note in contents.notes:
        st.info(frame.plain(note))
    if contents.present and not contents.is_here:
        some = f"{len(contents.present):,} of {so_many(len(contents.runs), 'run')}"
        st.info(frame.plain(f"{some} are here already: the rest is taken in."))
    if contents.is_here:
        where = f"It is named {contents.experiment_here} here." if contents.experiment else "Its runs are under Runs."
        st.success(frame.plain(f"It is imported. {where}"))
    with st.container(key="bundle-runs", gap=None):
        for run in contents.runs[:SHOWN]:
            _draw_run(run, contents.present.get(run.id, ""))
    if len(contents.runs) > SHOWN:
        st.html(f'<p class="wb-label">and {len(contents.runs) - SHOWN:,} more</p>')


def _what(contents: Contents) -> str:
    runs = so_many(len(contents.runs), "run")
    if not contents.experiment:
        return runs
    return f"The experiment {contents.experiment}: {contents.items:,} items, {contents.cells:,} cells, {runs}"


def _draw_run(run: RunSummary, here: str) -> None:
    with st.container(key=f"row-bundle-{run.id}", horizontal=True, vertical_alignment="center"):
        facts = " · ".join(escape(fact) for fact in (run.machine, run.model, run.created_at[:10]) if fact)
        st.html(
            f'<div class="wb-run"><h3>{escape(short(run.question))}</h3>'
            f'<p class="wb-meta"><b class="wb-state wb-{run.status}">{run.status}</b> {facts}</p></div>'
        )
        if here and st.button("Open", key=f"open-imported-{here}"):
            close()
            session.open_run(here)
            st.switch_page("pages/bench.py", query_params={session.RUN: here})


@st.dialog("Training data", width="medium", on_dismiss=close)
def _training_dialog() -> None:
    """Choose which judged runs, see how many they are and whose words, download them."""
    kind = st.segmented_control(
        "What", list(KINDS), format_func=KINDS.__getitem__, default="sft", required=True, key="training-kind"
    )
    try:
        selection, form, extent = _chosen(str(kind))
        store = session.engine().store
        with st.spinner("Reading the runs…"):
            if kind == "preference":
                data = training.preference(store, selection, form)
            else:
                data = training.supervised(store, selection, form, extent)
    except WorkbenchError as error:
        frame.show(error)
        return
    _draw_data(data, "pair" if kind == "preference" else "example")
    st.download_button(
        "Download",
        data=data.text,
        file_name=f"{kind}-{form}.jsonl",
        mime="application/jsonl",
        key="training-download",
        type="primary",
        on_click="ignore",
        disabled=not data.lines,
    )


def _chosen(kind: str) -> tuple[Selection, Form, Extent]:
    """The filters. Raises InvalidRequest when none of the sources is chosen."""
    sources = st.pills(
        "Judged by", list(SOURCES), format_func=SOURCES.__getitem__, selection_mode="multi", default=list(SOURCES),
        key="training-sources",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        experiment = _experiment()
        name, words = ("margin", "Better by") if kind == "preference" else ("min_score", "Score from")
        value = st.slider(
            words,
            0.0,
            1.0,
            float(Selection.model_fields[name].default),
            0.05,
            key=f"training-{name}",
            help=_described(name),
        )
        longest = st.number_input(
            "Tokens up to", 1, None, None, key="training-longest", placeholder="Any", help=_described("max_tokens")
        )
    imported = st.checkbox("Imported too", key="training-imported", help=_described("imported"))
    extent: Extent = "final"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.segmented_control(
            "Form", get_args(Form), format_func=FORMS.__getitem__, default="openai", required=True, key="training-form"
        )
        if kind == "sft":
            extent = st.segmented_control(
                "Example", get_args(Extent), format_func=EXTENTS.__getitem__, default="final", required=True,
                key="training-extent",
            ) or "final"  # fmt: skip
    if not sources:
        raise InvalidRequest("Nobody is chosen whose judgement counts.", "Choose at least one under Judged by.")
    values = {"sources": tuple(sources), "experiment": experiment, "max_tokens": longest, name: value}
    return Selection.model_validate(values | {"imported": imported}), form or "openai", extent


def _experiment() -> str:
    """The experiment whose runs alone count; empty for any."""
    names = [row.name for row in ExperimentStore(session.engine().store.database).experiments()]
    return st.selectbox("Experiment", ["", *names], format_func=lambda name: name or "Any", key="training-of") or ""


def _described(name: str) -> str:
    return str(Selection.model_fields[name].description)


def _draw_data(data: Data, what: str) -> None:
    """How much there is, why the rest is not in it, whose words they are, and the first of them."""
    count = f"{so_many(len(data.lines), what)} from {so_many(len(data.runs), 'run')}"
    count += f", {data.imported:,} of them imported" if data.imported else ""
    rest = "".join(f"<li>{escape(line)}</li>" for line in _left_out(data.left_out))
    out = f'<p class="wb-label">left out</p><ul>{rest}</ul>' if rest else ""
    st.html(f'<section class="wb-training"><p><b>{count}</b></p>{out}{_licences_html(data)}</section>')
    if not data.lines:
        frame.notice(
            "Nothing to learn from yet", "No run that was judged fits.", "Mark the end of a run as good or bad."
        )
        return
    with st.expander("The first line"):
        st.code(data.lines[0][:5_000], language="json", wrap_lines=True)


def _left_out(counts: Counter[str]) -> list[str]:
    return [f"{count:,} · {why}" for why, count in sorted(counts.items())]


def _licences_html(data: Data) -> str:
    """Each model that wrote something of it, with what is known of its licence."""
    rows = "".join(
        f"<li><b>{escape(model)}</b>: {escape(known.name or 'licence not known')}. {escape(known.note)}</li>"
        for model, known in data.licences(_licence)
    )
    return f'<p class="wb-label">whose words they are</p><ul>{rows}</ul>' if rows else ""


@st.cache_data(show_spinner=False, max_entries=100)
def _licence(backend: str, model: str) -> str:
    """The licence as the backend itself tells it, where it is one that does."""
    try:
        made = session.engine().backend(backend)
        return session.engine().on_loop(made.licence(model), LICENCE_SECONDS) if isinstance(made, TellsLicence) else ""
    except (WorkbenchError, TimeoutError):
        return ""


def so_many(count: int, what: str) -> str:
    """A number of things: `1 run`, `2 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
