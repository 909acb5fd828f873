"""The bench: choose a machine, ask, and watch it think."""

from dataclasses import dataclass
from itertools import islice

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from agents import catalogue
from agents.contract import Machine
from workbench.errors import RunNotFound
from workbench.events import Graph, RunStarted, RunView
from workbench.job import ASKED, last_request
from workbench.recorder import graph_of
from workbench.store.runs import RunRow
from workbench.ui import (
    diagram,
    ending,
    family,
    forking,
    forms,
    frame,
    keys,
    live,
    metrics,
    panel,
    presets,
    prompt_record,
    scroll,
    session,
    start,
    steer,
    ways_out,
)


@dataclass(frozen=True)
class Places:
    """The page's fixed places besides the run's own."""

    button: DeltaGenerator
    wording: DeltaGenerator
    fork: DeltaGenerator
    problem: DeltaGenerator
    start: DeltaGenerator
    end: DeltaGenerator
    relatives: DeltaGenerator
    run: live.Places


def page() -> None:
    """The whole page. A run in progress is followed at the very end, when all else stands."""
    keys.hand_on()
    row = opened()
    if row is not None:
        adopt(row)
    machine = choose_machine()
    places = lay_out(machine)
    show_problem(places, row)
    if row is None:
        show_start(machine, places)
    else:
        show_run(row, places)


def opened() -> RunRow | None:
    """The run that the address or the session names; one that there is not is closed, with a word about it."""
    run_id = session.current_run()
    if run_id is None:
        return None
    try:
        return session.engine().store.run(run_id)
    except RunNotFound as error:
        session.close_run()
        session.put(session.PROBLEM, session.Problem(error.message, "Ask a question, or open a run under Runs."))
        return None


def adopt(row: RunRow) -> None:
    """Put an opened run's machine, question and options into the form, once."""
    if session.recall(session.ADOPTED) == row.id or row.machine not in catalogue.MACHINES:
        return
    session.put(session.ADOPTED, row.id)
    session.put(session.MACHINE, row.machine)
    session.put(session.QUESTION, row.question)
    events = session.engine().store.events(row.id, kinds=ASKED)
    if events and isinstance(events[0], RunStarted):
        panel.take(last_request(events))


def choose_machine() -> Machine:
    """The gallery; another machine clears the bench for it."""
    session.remember(session.MACHINE, catalogue.FIRST_CHOICE)
    titles = {name: catalogue.load(name).title for name in catalogue.MACHINES}
    name = st.pills(
        "Machine",
        catalogue.MACHINES,
        format_func=titles.__getitem__,
        required=True,
        key=session.MACHINE,
        on_change=session.close_run,
        label_visibility="collapsed",
        persist_state="session",
    )
    machine = catalogue.load(name or catalogue.FIRST_CHOICE)
    st.caption(f"{machine.summary} [{machine.source}]({machine.source_url})")
    return machine


def lay_out(machine: Machine) -> Places:
    """Question, buttons, settings, then the map and the numbers beside the cards."""
    with st.container(key="ask", horizontal=True, vertical_alignment="center"):
        st.text_area(
            "Question",
            key=session.QUESTION,
            height="content",
            placeholder="Ask something that is worth a second thought",
            label_visibility="collapsed",
            on_change="ignore",
            persist_state="session",
        )
        fork, button = st.empty(), st.empty()
    problem = st.empty()
    panel.draw(machine)
    presets.draw()
    wording = st.empty()
    left, right = st.columns((270, 692), gap="medium")
    with left, st.container(key="instruments"):
        map_place = st.container(key="map").empty()
        numbers = st.container(key="numbers").empty()
        relatives = st.empty()
    with right:
        begin, switch, board = st.empty(), st.empty(), st.empty()
        steps, end = st.container(key="steps"), st.empty()
    run = live.Places(map_place, numbers, st.sidebar.empty(), switch, board, steps)
    return Places(button, wording, fork, problem, begin, end, relatives, run)


def show_problem(places: Places, row: RunRow | None) -> None:
    """Why the last request could not be run, under the question; unless a form that is open says it itself."""
    problem: session.Problem | None = session.recall(session.PROBLEM)
    said_elsewhere = row is not None and (row.status == "paused" or forking.is_open(row.id))
    if problem is not None and not said_elsewhere:
        places.problem.error(frame.sentences(problem.message, problem.hint))


def show_start(machine: Machine, places: Places) -> None:
    """The bench before a run: the machine's map, the instruments at rest, what to do next."""
    draw_run(places)
    places.run.diagram.markdown(diagram.graph_svg(graph(machine.name)), unsafe_allow_html=True)
    places.run.numbers.html(metrics.metrics_html(RunView()))
    with places.start.container(key="start"):
        start.draw(machine)


def show_run(row: RunRow, places: Places) -> None:
    """The opened run as far as it has come and while it goes on; then its end, or what it waits for."""
    scroll.follow_end(replay_of(row.id) is not None or row.status == "running")
    if wanted := session.entry_to_show(row.id):
        scroll.go_to(*wanted)
    family.draw(places.relatives, row.id, "before")
    known = draw_wording(row, places)
    view = follow(row, places)
    if not known and view.started is not None:
        prompt_record.draw(places.wording, view.started)
    if view.paused is not None:
        draw_steering(row.id, places, "waiting")
        with places.end.container(key="pause-place"):
            steer.draw(row.id, view.paused)
    elif view.finished:
        places.fork.empty()
        draw_run(places)
        with places.end.container():
            ending.draw(view, row.id)
    if row.status == "running" and view.status != "running":
        family.draw(places.relatives, row.id, "after")
    if forking.is_open(row.id):
        forking.draw()


def follow(row: RunRow, places: Places) -> RunView:
    """Replay the run, follow it to its end, or draw it at once; what there is of it."""
    engine, replay = session.engine(), replay_of(row.id)
    screen = live.Screen(row.id, places.run)
    if replay is not None:
        places.button.button("End replay", key="end-replay", shortcut="Esc", on_click=session.end_replay)
        screen.follow(replay.batches(live.with_end(row, engine.store.events(row.id))))
        session.end_replay()
    elif engine.is_live(row.id):
        draw_steering(row.id, places, "running")
        screen.clock, screen.aid = live.wall_clock, ways_out.aid
        resting = forking.is_open(row.id)
        screen.follow(islice(engine.follow(row.id, patience=live.PATIENCE), 1 if resting else None))
    elif row.status == "running":
        screen.clock = live.wall_clock
        screen.follow(live.stored(engine.store, row.id))
    else:
        screen.follow(live.ended(engine.store, row))
    return screen.view


def draw_wording(row: RunRow, places: Places) -> bool:
    """The prompts that the run uses; False where its log does not say yet."""
    begun = session.engine().store.events(row.id, kinds=("run_started",))
    if not begun or not isinstance(begun[0], RunStarted):
        return False
    prompt_record.draw(places.wording, begun[0])
    return True


def draw_run(places: Places) -> None:
    """Run, where Stop is while it runs; an open dialog has the keys for itself."""
    shortcut = None if session.recall(session.FORK) else "Ctrl+Enter"
    places.button.button("Run", key="run-button", type="primary", shortcut=shortcut, on_click=ask)


def draw_steering(run_id: str, places: Places, phase: str) -> None:
    """Stop, where Run was, and the way to a fork beside it. A run of the page may draw them in two phases."""
    stopping = session.recall(session.STOPPING) == run_id
    places.button.button(
        "Stopping" if stopping else "Stop",
        key=f"stop-button-{phase}",
        type="primary",
        shortcut=None if session.recall(session.FORK) else "Esc",
        disabled=stopping,
        on_click=stop,
        args=(run_id,),
    )
    with places.fork:
        forking.button(run_id, key=f"fork-{phase}")


def ask() -> None:
    """Run what the form holds; what is wrong with it is said at the question, and nothing is lost."""
    if session.engine().is_live(session.recall(session.RUN) or ""):
        return  # the shortcut, pressed once more
    with forms.explained():
        run_id = session.engine().submit(panel.request(), session=session.identity())
        session.open_run(run_id)
        session.put(session.ADOPTED, run_id)
        presets.used()


def stop(run_id: str) -> None:
    """Stop the run; what it has written stays."""
    session.put(session.STOPPING, run_id)
    session.attempt(session.engine().stop, run_id)


def replay_of(run_id: str) -> live.Replay | None:
    """The replay of this run, while it lasts."""
    replay: live.Replay | None = session.recall(session.REPLAY)
    return replay if replay and replay.run_id == run_id else None


@st.cache_resource(show_spinner=False)
def graph(name: str) -> Graph:
    """A machine's map; drawing it anew costs a compilation."""
    return graph_of(catalogue.load(name))


frame.around(page)
