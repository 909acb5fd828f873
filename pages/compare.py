"""One question through two to four lanes beside each other: one start, one stop, the answers, a vote."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from workbench.errors import InvalidRequest, RunNotFound, WorkbenchError
from workbench.events import AnyEvent, RunView, idle_seconds
from workbench.request import RunRequest
from workbench.store.comparisons import Comparison, Lane, new_id
from workbench.store.runs import RunRow
from workbench.ui import ballot, earlier, forms, frame, keys, lane_form, lanes, live, money, outcome, session, start
from workbench.ui.markdown import escape

QUEUEING = ("model_called", "queued", "model_answered", "call_failed", "resumed")  # what tells how long a run waited


@dataclass(frozen=True)
class Places:
    """The page's fixed places; one that is not written to is empty, or an older drawing would shine through."""

    button: DeltaGenerator
    problem: DeltaGenerator
    ways: DeltaGenerator
    form: DeltaGenerator
    live: DeltaGenerator
    end: DeltaGenerator


def page() -> None:
    """The whole page. Lanes in progress are followed at the very end, when all else stands."""
    keys.hand_on()
    st.title("Compare", anchor=False)
    comparison = opened()
    rows = rows_of(comparison) if comparison else []
    is_running = any(row is not None and row.status == "running" for row in rows)
    if comparison is not None and not comparison.hidden:
        adopt(comparison)
    places = lay_out()
    show_problem(places)
    if comparison is None:
        draw_start(places)
        draw_form(places)
        with places.live.container(key="lacking"):
            start.draw_lacking()
        with places.end.container(key="earlier"):
            earlier.draw()
    else:
        show(comparison, rows, places, is_running)


def opened() -> Comparison | None:
    """The comparison that the address or the session names; one that there is not is closed, with a word about it."""
    name = session.current_comparison()
    if name is None:
        return None
    try:
        return ballot.store().get(name)
    except InvalidRequest as error:
        session.close_comparison()
        session.put(session.PROBLEM, session.Problem(error.message, error.hint))
        return None


def rows_of(comparison: Comparison) -> list[RunRow | None]:
    """The lanes' runs; None for one that was deleted."""
    found: list[RunRow | None] = []
    for lane in comparison.lanes:
        try:
            found.append(session.engine().store.run(lane.run))
        except RunNotFound:
            found.append(None)
    return found


def adopt(comparison: Comparison) -> None:
    """Put an opened comparison's question and lanes into the form, once."""
    if session.recall(session.TAKEN) != comparison.id:
        session.put(session.TAKEN, comparison.id)
        lane_form.take(comparison)


def lay_out() -> Places:
    """Question and button, the form of the lanes, the lanes while they go on, then what they came to."""
    with st.container(key="ask", horizontal=True, vertical_alignment="center"):
        session.remember(session.LANE_QUESTION, session.recall(session.QUESTION) or "")
        st.text_area(
            "Question",
            key=session.LANE_QUESTION,
            height="content",
            placeholder="Ask all lanes the same",
            label_visibility="collapsed",
            on_change="ignore",
            persist_state="session",
        )
        button = st.empty()
    return Places(button, *(st.empty() for _ in range(5)))


def draw_form(places: Places) -> None:
    """The form of the lanes."""
    with places.form.container(key="lanes-form"):
        lane_form.draw()


def draw_ways_on(comparison: Comparison, places: Places, is_running: bool) -> None:
    """From a comparison to the form of its lanes, and to the next comparison."""
    phase = "running" if is_running else "ended"
    with places.ways.container(key=f"ways-{phase}", horizontal=True, gap="small"):
        if not is_running and not comparison.hidden:
            words = "Fold the lanes" if session.recall(session.EDITING) else "Change the lanes"
            args = (session.EDITING, not session.recall(session.EDITING))
            st.button(words, key="edit-lanes", on_click=session.put, args=args)
        st.button("New comparison", key=f"new-{phase}", type="tertiary", on_click=session.close_comparison)


def show_problem(places: Places) -> None:
    """Why the last click could not be done, under the question."""
    problem: session.Problem | None = session.recall(session.PROBLEM)
    if problem is not None:
        places.problem.error(frame.sentences(problem.message, problem.hint))


def show(comparison: Comparison, rows: Sequence[RunRow | None], places: Places, is_running: bool) -> None:
    """The lanes while they go on, then what they came to."""
    if is_running:
        draw_stop(comparison, places)
        draw_ways_on(comparison, places, is_running)
    feeds = [feed(row, len(rows)) for row in rows]
    follow_ = follow_hidden if comparison.hidden else follow
    views = follow_(comparison, feeds, places, is_running)
    places.live.empty()
    draw_start(places)
    draw_ways_on(comparison, places, is_running=False)
    if session.recall(session.EDITING) and not comparison.hidden:
        draw_form(places)
    with places.end.container(key="outcome"):
        draw_outcome(comparison, entrants(comparison, views))


def feed(row: RunRow | None, count: int) -> Iterator[list[AnyEvent]]:
    """A lane's log, as it grows if its run goes on; all lanes together wait no longer than one would."""
    engine = session.engine()
    if row is None:
        return iter([])
    if engine.is_live(row.id):
        return engine.follow(row.id, patience=lanes.PATIENCE / count)
    if row.status == "running":
        return live.stored(engine.store, row.id, live.NUMBER_SECONDS / count)
    return live.ended(engine.store, row)


def follow(
    comparison: Comparison, feeds: Sequence[Iterator[list[AnyEvent]]], places: Places, is_running: bool
) -> list[RunView]:
    """The lanes in their columns, followed to their ends."""
    if not is_running:
        return folded(feeds)
    screens = []
    with places.live.container(key="lanes"), st.grid(len(feeds), min_column_width=205, gap="small"):
        for letter, lane in zip(lane_form.LETTERS, comparison.lanes, strict=False):
            with st.container(key=f"lane-{letter.lower()}", gap="xsmall"):
                st.html(lanes.head_html(letter, lane.title, lane.model))
                own = lanes.Places(st.empty(), st.empty(), st.empty())
                screens.append(lanes.LaneScreen(letter, own, live.wall_clock))
    lanes.follow(screens, feeds)
    return [screen.view for screen in screens]


def follow_hidden(
    comparison: Comparison, feeds: Sequence[Iterator[list[AnyEvent]]], places: Places, is_running: bool
) -> list[RunView]:
    """The lanes of a blind comparison, followed to their ends: how many are done, nothing else."""
    return lanes.follow_hidden(feeds, places.live) if is_running else folded(feeds)


def folded(feeds: Sequence[Iterator[list[AnyEvent]]]) -> list[RunView]:
    """The lanes of a comparison that has ended, which is not drawn step by step."""
    return [RunView.of(event for batch in feed for event in batch) for feed in feeds]


def entrants(comparison: Comparison, views: Sequence[RunView]) -> list[outcome.Entrant]:
    """The lanes with what became of them."""
    store = session.engine().store
    asked = [store.events(lane.run, kinds=QUEUEING, prompts=False) for lane in comparison.lanes]
    return [
        outcome.Entrant(letter, lane, view, idle_seconds(events))
        for letter, lane, view, events in zip(lane_form.LETTERS, comparison.lanes, views, asked, strict=False)
    ]


def draw_outcome(comparison: Comparison, found: Sequence[outcome.Entrant]) -> None:
    """The answers, what they cost, how they differ, and the vote. A blind one that nobody can vote on is shown."""
    if comparison.hidden and sum(bool(one.answer) for one in found) < 2:
        comparison = ballot.store().unhide(comparison.id)
    if comparison.hidden:
        st.html(outcome.answers_html(found, hidden=True))
        ballot.draw(comparison, found)
        return
    against = draw_switch(found)
    if said := outcome.agreement(found):
        st.html(f'<p class="wb-agreement">{escape(said)}</p>')
    st.html(outcome.answers_html(found, against=against))
    draw_lanes_on(found)
    ballot.draw(comparison, found)
    at = money.prices()
    st.html(outcome.cost_html(found, [money.of(one.view, at) for one in found]))
    draw_pairs(found)


def draw_switch(found: Sequence[outcome.Entrant]) -> str:
    """The answers as they are, or as what they change in a chosen one's; that one's letter."""
    letters = [one.letter for one in found if one.answer]
    if len(letters) < 2:
        return ""
    words = {"": "clean", **{letter: f"changes against {letter}" for letter in letters}}
    if session.recall(session.AGAINST) not in words:
        session.put(session.AGAINST, "")
    chosen = st.segmented_control(
        "Answers",
        list(words),
        format_func=words.__getitem__,
        key=session.AGAINST,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return chosen or ""


def draw_lanes_on(found: Sequence[outcome.Entrant]) -> None:
    """Under each lane the way to its run, and to resume one that did not come to its end."""
    with st.container(key="lanes-on"), st.grid(len(found), min_column_width=205, gap="small"):
        for one in found:
            with st.container(key=f"lane-on-{one.letter.lower()}", horizontal=True, vertical_alignment="center"):
                if one.view.started is None:
                    continue
                st.page_link(
                    "pages/bench.py", label=f"{one.letter} on the bench", query_params={session.RUN: one.lane.run}
                )
                if one.view.status != "answered" and session.engine().can_resume(one.lane.run):
                    words = f"Resume {one.letter}"
                    st.button(words, key=f"resume-{one.letter.lower()}", on_click=resume, args=(one.lane.run,))


def draw_pairs(found: Sequence[outcome.Entrant]) -> None:
    """Any two lanes, step by step beside each other."""
    begun = [one for one in found if one.view.started is not None]
    with st.container(key="lane-pairs", horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<p class="wb-label">Step by step:</p>', width="content")
        for at, a in enumerate(begun):
            for b in begun[at + 1 :]:
                query = {session.SIDE_A: a.lane.run, session.SIDE_B: b.lane.run}
                st.page_link("pages/diff.py", label=f"{a.letter} beside {b.letter}", query_params=query)


def draw_start(places: Places) -> None:
    """Start, where Stop is while lanes go on."""
    places.button.button("Start", key="compare-start", type="primary", shortcut="Ctrl+Enter", on_click=begin)


def draw_stop(comparison: Comparison, places: Places) -> None:
    """One Stop for all lanes."""
    stopping = session.recall(session.STOPPING) == comparison.id
    places.button.button(
        "Stopping" if stopping else "Stop",
        key="stop-button-compare",
        type="primary",
        shortcut="Esc",
        disabled=stopping,
        on_click=stop,
        args=(comparison,),
    )


def begin() -> None:
    """Ask all lanes of the form; what is wrong is said at the question, and nothing is lost."""
    if any(session.engine().is_live(lane.run) for lane in _open_lanes()):
        return  # the shortcut, pressed once more
    with forms.explained():
        requests = lane_form.requests(session.recall(session.LANE_QUESTION) or "")
        blind = bool(session.recall(session.BLIND))
        if blind:
            secrets.SystemRandom().shuffle(requests)
        name = submit(requests, blind)
        session.open_comparison(name)
        session.put(session.TAKEN, None if blind else name)


def submit(requests: Sequence[RunRequest], blind: bool) -> str:
    """Start a run for each lane and keep the comparison; its id. If one cannot be started, none goes on."""
    engine, name, begun = session.engine(), new_id(), []
    try:
        for number, request in enumerate(requests):
            whose = f"{session.identity()}-{number}"  # the lanes take turns, however many calls one makes at once
            run_id = engine.submit(request, session=whose, belongs=f"comparison:{name}")
            begun.append(lane_form.as_lane(run_id, request))
        ballot.store().create(name, requests[0].question, begun, blind)
    except WorkbenchError:
        for lane in begun:
            engine.stop(lane.run)
        raise
    return name


def stop(comparison: Comparison) -> None:
    """Stop all lanes that go on; what they have written stays."""
    session.put(session.STOPPING, comparison.id)
    for lane in comparison.lanes:
        if session.engine().is_live(lane.run):
            session.attempt(session.engine().stop, lane.run)


def resume(run_id: str) -> None:
    """Go on with a lane that was cut off, stopped, or failed."""
    session.put(session.STOPPING, None)
    session.attempt(lambda: session.engine().resume(run_id, session=session.identity()))


def _open_lanes() -> Sequence[Lane]:
    name = session.recall(session.COMPARISON)
    try:
        return ballot.store().get(name).lanes if name else ()
    except InvalidRequest:
        return ()


frame.around(page)
