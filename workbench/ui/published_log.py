"""A published log of ReAct or Reflexion that was uploaded: what is in it, and which attempts become runs."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from workbench.carry import published
from workbench.carry.published import Trajectory
from workbench.experiments.words import count
from workbench.ui import frame, session
from workbench.ui.moments import short

KEPT, SEEN = "published-kept", "published-seen"
MOST_AT_ONCE = 200  # attempts that are taken in with one click


def draw(data: bytes, file_id: str) -> None:
    """Its attempts by outcome and trial, a choice among them, and the way to those that were taken in."""
    found = _read(file_id, data)
    outcomes = Counter(one.outcome or "without an outcome" for one in found)
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
    st.html(f'<p class="wb-label">A published log: {count(len(found), "attempt")}, {told}</p>')
    st.html('<p class="wb-hint">It has no times, tokens or prompts. Its steps are replayed a second apart.</p>')
    places = _chosen(found)
    titles = [_title(one) for one in found]
    picked = st.multiselect(
        "Attempts",
        places,
        default=places[:1],
        format_func=titles.__getitem__,
        max_selections=MOST_AT_ONCE,
        key=f"published-attempts-{file_id}",
    )
    st.button(
        f"Import {count(len(picked), 'attempt')}",
        key="import-published",
        type="primary",
        disabled=not picked,
        on_click=session.attempt,
        args=(_keep, data, tuple(picked), file_id),
    )
    kept = session.recall(KEPT)
    if kept is not None and kept[0] == file_id:
        _draw_kept(kept[1])


def _read(file_id: str, data: bytes) -> Sequence[Trajectory]:
    """The attempts; a file is read once. Raises BundleError."""
    seen = session.recall(SEEN)
    if seen is None or seen[0] != file_id:
        seen = file_id, published.read(data)
        session.put(SEEN, seen)
    found: Sequence[Trajectory] = seen[1]
    return found


def _chosen(found: Sequence[Trajectory]) -> list[int]:
    """The attempts of the outcome and the trial that the person looks for."""
    trials = sorted({one.trial for one in found})
    outcomes = list(dict.fromkeys(one.outcome for one in found))
    with st.container(horizontal=True, key="published-filters"):
        trial = st.selectbox("Trial", [0, *trials] if trials != [0] else [0], format_func=lambda one: one or "all")
        outcome = st.selectbox("Outcome", ["all", *filter(None, outcomes)])
    return [
        place
        for place, one in enumerate(found)
        if trial in (0, one.trial) and outcome in ("all", one.outcome) and one.steps
    ]


def _title(one: Trajectory) -> str:
    facts = [f"trial {one.trial}" if one.trial else "", one.outcome, f"{len(one.steps)} steps"]
    return f"{short(one.question)} · {', '.join(filter(None, facts))}"


def _keep(data: bytes, picked: tuple[int, ...], file_id: str) -> None:
    session.put(KEPT, (file_id, published.keep(session.engine().store, data, picked).ids))


def _draw_kept(ids: Sequence[str]) -> None:
    """The runs that there are now."""
    st.success(frame.plain(f"{count(len(ids), 'run')} can be replayed, under Runs too."))
    if st.button("Watch the first", key="watch-published"):
        session.put(session.CARRYING, None)
        session.open_run(ids[0], 1.0)
        st.switch_page("pages/bench.py", query_params={session.RUN: ids[0]})
