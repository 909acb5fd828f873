"""What was measured of the models by probing them: compared, started, followed, with the evidence of each claim."""

import time
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from workbench.backends.base import ModelInfo
from workbench.cost import PriceList, in_all, worded
from workbench.events import Totals
from workbench.experiments.words import duration
from workbench.probe import registry, words
from workbench.probe.report import Depth, Report, key_of
from workbench.probe.runner import Prober, Progress, expected_seconds, expected_tokens
from workbench.ui import frame, metrics, money, probe_claims, probe_table, session
from workbench.ui.markdown import escape
from workbench.ui.moments import when

LOOK_SECONDS = 0.3
QUESTION_SHOWN = 140  # characters
DEPTHS: dict[Depth, str] = {"quick": "Quick", "full": "Full"}
ABOUT = (
    "A probe asks a model a small fixed set of questions and keeps what it really did, with every answer: the machines'"
    " defaults follow from it. It begins when you say so, and never by itself. A paid endpoint charges for its tokens:"
    " how many are sent at most stands beside each model; a full probe of a long window sends a great many."
)
DEPTH_HELP = "Full: all twenty schemas told too, three times the speed, and a context up to its end, within 15 minutes."


@dataclass(frozen=True)
class Candidate:
    """A model that can be probed, and what is known of it."""

    backend: str
    info: ModelInfo
    known: Report | None

    @property
    def key(self) -> str:
        """What its widgets are called by."""
        return f"{self.backend}-{self.info.name}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether what is known was measured of the same model by another name or on another server."""
        return self.known is not None and (self.known.backend, self.known.model) != (self.backend, self.info.name)

    @property
    def is_older(self) -> bool:
        """Whether what is known is of another version of it."""
        return self.known is not None and self.known.model_key != key_of(self.info)


@st.cache_resource(show_spinner=False)
def prober() -> Prober:
    """The probes of the engine that all sessions share."""
    return Prober(session.engine())


def draw() -> None:
    """The whole view. A probe that goes on is followed at the very end, when all else stands."""
    st.caption(ABOUT)
    now = prober().running()
    place = _draw_running(now) if now else None
    found = candidates()
    probed = [candidate.known for candidate in found if candidate.known and not candidate.is_elsewhere]
    if probed:
        probe_table.draw(probed, {one.known.id for one in found if one.known and one.is_older})
    depth, at = _choose_depth(), money.prices()
    for candidate in found:
        _draw_candidate(candidate, depth, now, at)
    if not found:
        frame.notice("No model to probe", "No backend has a model now.", "Load or fetch one under Models.")
    if place is not None:
        follow(place)


def candidates() -> list[Candidate]:
    """The models of all backends but the script, which has no model to be measured."""
    engine = session.engine()
    names = [name for name in engine.backends() if name != "scripted"]
    session.begin_surveys(names)
    surveys = [session.survey(name) for name in names]
    return [
        Candidate(found.name, info, engine.probes.known(found.name, info.name))
        for found in surveys
        for info in found.models
        if info.installed
    ]


def start(backend: str, model: str, depth: Depth) -> None:
    """Begin a probe, for a click."""
    with session.explained():
        prober().start(backend, model, depth)


def follow(place: DeltaGenerator) -> None:
    """Show how far the probe is until its end; then draw the page with what it found."""
    last = ""
    while (now := prober().running()) is not None:
        if (shown := progress_html(now)) != last:
            place.html(shown)
            last = shown
        time.sleep(LOOK_SECONDS)
    st.rerun()


def progress_html(now: Progress) -> str:
    """Which check is made, what it asks, how long it takes; what is found so far."""
    number, of = now.number, len(registry.CHECKS)
    clock = metrics.clock(now.seconds) + (
        f" of about {duration(now.expected)}" if now.left else ", longer than expected"
    )
    question = " ".join(now.question.split())[:QUESTION_SHOWN]
    found = "".join(f"<li>{escape(words.said(result))}</li>" for result in now.report.results)
    return (
        f'<div class="wb-probe"><h3>Probing {escape(now.report.model)}: {escape(now.asks)}</h3>'
        f"{metrics.bar((number - 1) / of, f'{number} of {of} checks')}"
        f'<p class="wb-mono">check {number} of {of} · {escape(clock)}</p>'
        f'<p class="wb-quiet">{escape(question)}</p><ul>{found}</ul></div>'
    )


def _draw_running(now: Progress) -> DeltaGenerator:
    with st.container(key="probe-running", border=True):
        place = st.empty()
        place.html(progress_html(now))
        st.button("Stop", key="probe-stop", help="What is measured is kept.", on_click=_stop)
    return place


def _stop() -> None:
    session.attempt(prober().stop)


def _choose_depth() -> Depth:
    session.remember(session.PROBE_DEPTH, "quick")
    chosen: Depth | None = st.segmented_control(
        "Set",
        list(DEPTHS),
        format_func=DEPTHS.__getitem__,
        required=True,
        key=session.PROBE_DEPTH,
        help=DEPTH_HELP,
        persist_state="session",
    )
    return chosen or "quick"


def _draw_candidate(candidate: Candidate, depth: Depth, now: Progress | None, at: PriceList) -> None:
    """A model with its button; what was found of it on demand."""
    opened = session.recall(session.PROBE_OPEN) == candidate.key
    with st.container(key=f"model-row-probe-{candidate.key}", horizontal=True, vertical_alignment="center"):
        st.html(_candidate_html(candidate, depth, now, at))
        if candidate.known is not None:
            words_ = "Close" if opened else "Evidence"
            st.button(words_, key=f"evidence-{candidate.key}", on_click=_open, args=("" if opened else candidate.key,))
        st.button(
            f"Probe, about {duration(expected_seconds(depth, candidate.info.context_window, candidate.known))}",
            key=f"probe-{candidate.key}",
            disabled=now is not None,
            help=f"{now.report.model} is being probed: one at a time." if now else None,
            on_click=start,
            args=(candidate.backend, candidate.info.name, depth),
        )
    if opened and candidate.known is not None:
        _draw_evidence(candidate, candidate.known, now)


def _open(key: str) -> None:
    session.put(session.PROBE_OPEN, key)


def cost_of(candidate: Candidate, depth: Depth, at: PriceList) -> str:
    """What a probe sends at most, and what that costs where the person has set a price."""
    read, written = expected_tokens(depth, candidate.info.context_window, candidate.known)
    totals = Totals(calls=1, prompt_tokens=read, completion_tokens=written)
    price = worded(in_all([at.money(totals, candidate.backend, candidate.info.name)]))
    return f"a probe sends up to {-(-read // 1_000):,},000 tokens" + (f", up to {price}" if price else "")


def _candidate_html(candidate: Candidate, depth: Depth, now: Progress | None, at: PriceList) -> str:
    known = candidate.known
    facts = [frame.title(candidate.backend), candidate.info.parameters, candidate.info.quantisation]
    if known is None:
        facts.append("not probed yet")
    else:
        state = words.state(known, now.report.id if now else "")
        facts.append(f"{known.depth} probe {when(known.created_at)}" + ("" if state == "done" else f", {state}"))
        if candidate.is_elsewhere:
            facts.append(f"of {known.model} on {known.backend}, the same model")
    facts.append(cost_of(candidate, depth, at))
    warned = '<p class="wb-waits">The probe is of an older version of this model.</p>' if candidate.is_older else ""
    line = " · ".join(escape(fact) for fact in facts if fact)
    return f'<div class="wb-model"><h3>{escape(candidate.info.name)}</h3><p class="wb-meta">{line}</p>{warned}</div>'


def _draw_evidence(candidate: Candidate, known: Report, now: Progress | None) -> None:
    """Every claim with its answers; the probes before this one, by a choice."""
    history = session.engine().probes.of_model(candidate.backend, candidate.info.name)
    with st.container(key="probe-evidence"):
        shown = known
        if len(history) > 1:
            running = now.report.id if now else ""
            labels = {report.id: _label(report, candidate, running) for report in history}
            one = st.selectbox(
                "Probe",
                ["", *labels],
                format_func=lambda probe: labels.get(probe, "The newest finding of each check"),
                key=f"probe-history-{candidate.key}",
            )
            shown = next((report for report in history if report.id == one), known)
        st.html(probe_claims.html(shown))


def _label(report: Report, candidate: Candidate, running: str) -> str:
    older = "" if report.model_key == key_of(candidate.info) else ", an older version of this model"
    return f"{when(report.created_at)}: {report.depth}, {words.state(report, running)}{older}"
