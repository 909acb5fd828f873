"""The bench: choose a machine, ask, and watch it think."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from agents import catalogue
from agents.contract import Machine
from workbench.engine import last_request
from workbench.errors import RunNotFound
from workbench.events import Graph, RunStarted, RunView
from workbench.recorder import graph_of
from workbench.request import Limits, ModelSettings
from workbench.store.runs import RunRow
from workbench.ui import cards, diagram, documents, export, forms, frame, live, metrics, scroll, session, start


@dataclass(frozen=True)
class Places:
    """The page's fixed places besides the run's own."""

    button: DeltaGenerator
    problem: DeltaGenerator
    start: DeltaGenerator
    answer: DeltaGenerator
    run: live.Places


def page() -> None:
    """The whole page. A run in progress is followed at the very end, when all else stands."""
    row = opened()
    if row is not None:
        adopt(row)
    machine = choose_machine()
    places = lay_out(machine)
    show_problem(places)
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
    """Put an opened run's machine, question and options into the form, once; its drawn seed is not made a choice."""
    if session.recall(session.ADOPTED) == row.id:
        return
    session.put(session.ADOPTED, row.id)
    if row.machine not in catalogue.MACHINES:
        return
    session.put(session.MACHINE, row.machine)
    session.put(session.QUESTION, row.question)
    events = session.engine().store.events(row.id)
    if events and isinstance(events[0], RunStarted):
        request, machine = last_request(events), catalogue.load(row.machine)
        session.put(session.QUESTION, request.question)
        forms.fill(machine.options, session.option_prefix(machine.name), request.options)
        forms.fill(Limits, session.LIMITS, request.limits.model_dump())


def choose_machine() -> Machine:
    """The gallery; another machine clears the bench for it."""
    session.remember(session.MACHINE, catalogue.MACHINES[0])
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
    machine = catalogue.load(name or catalogue.MACHINES[0])
    st.caption(f"{machine.summary} [{machine.source}]({machine.source_url})")
    return machine


def lay_out(machine: Machine) -> Places:
    """Question, button, settings, then the map and the numbers beside the cards."""
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
        button = st.empty()
    problem = st.empty()
    draw_settings(machine)
    left, right = st.columns((270, 692), gap="medium")
    with left, st.container(key="instruments"):
        map_place = st.container(key="map").empty()
        numbers = st.container(key="numbers").empty()
    with right:
        begin, switch, steps, answer = st.empty(), st.empty(), st.container(key="steps"), st.empty()
    context = st.sidebar.empty()
    return Places(button, problem, begin, answer, live.Places(map_place, numbers, context, switch, steps))


def draw_settings(machine: Machine) -> None:
    """The chips of what is chosen; behind them the machine's options, the model's settings, the documents."""
    options, settings = chosen_options(machine), forms.read(ModelSettings, session.SETTINGS)
    limits = forms.read(Limits, session.LIMITS)
    words = [*forms.chips(options), *forms.setting_chips(settings, machine.temperature), *forms.limit_chips(limits)]
    opened_by = st.expander(forms.chip_markdown(words), key="settings", type="compact")
    with opened_by, st.container(key="settings-panel"):
        st.markdown(f"**{machine.title}**")
        forms.draw(machine.options, session.option_prefix(machine.name))
        st.markdown("**Model settings**")
        empty = {"temperature": f"{machine.temperature:g}, the machine's own", "seed": "drawn anew for each run"}
        forms.draw(ModelSettings, session.SETTINGS, empty)
        st.markdown("**Limits of the run**")
        forms.draw(Limits, session.LIMITS, dict.fromkeys(Limits.model_fields, "no limit"))
        if "tools" in machine.options.model_fields:
            documents.draw()


def show_problem(places: Places) -> None:
    """Why the last request could not be run, under the question that stays as it was."""
    problem: session.Problem | None = session.recall(session.PROBLEM)
    if problem is not None:
        places.problem.error(frame.sentences(problem.message, problem.hint))


def show_start(machine: Machine, places: Places) -> None:
    """The bench before a run: the machine's map, the instruments at rest, what to do next."""
    places.button.button("Run", key="run-button", type="primary", shortcut="Ctrl+Enter", on_click=ask)
    places.run.diagram.markdown(diagram.graph_svg(graph(machine.name)), unsafe_allow_html=True)
    places.run.numbers.html(metrics.metrics_html(RunView()))
    with places.start.container(key="start"):
        start.draw(machine)


def show_run(row: RunRow, places: Places) -> None:
    """The opened run: replayed, followed or drawn at once; at its end the answer, and Run in Stop's place."""
    engine, replay = session.engine(), replay_of(row.id)
    scroll.follow_end(replay is not None or row.status == "running")
    screen = live.Screen(row.id, places.run)
    if replay is not None:
        places.button.button("End replay", key="end-replay", shortcut="Esc", on_click=session.end_replay)
        screen.follow(replay.batches(engine.store.events(row.id)))
        session.end_replay()
    elif engine.is_live(row.id):
        draw_stop(row.id, places)
        screen.clock = live.wall_clock
        screen.follow(live.until_kept(engine, row.id))
    elif row.status == "running":
        screen.clock = live.wall_clock
        screen.follow(live.stored(engine.store, row.id))
    else:
        screen.follow(live.ended(engine.store, row))
    places.button.button("Run", key="run-button", type="primary", shortcut="Ctrl+Enter", on_click=ask)
    show_answer(screen.view, row.id, places)


def draw_stop(run_id: str, places: Places) -> None:
    """Stop, where Run was."""
    stopping = session.recall(session.STOPPING) == run_id
    places.button.button(
        "Stopping" if stopping else "Stop",
        key="stop-button",
        type="primary",
        shortcut="Esc",
        disabled=stopping,
        on_click=stop,
        args=(run_id,),
    )


def show_answer(view: RunView, run_id: str, places: Places) -> None:
    """The end, set apart, and what can be taken away from it."""
    with places.answer.container(key="answer-place"):
        st.html(cards.answer_html(view))
        with st.container(horizontal=True, key="take-away"):
            if view.started and view.status != "answered" and session.engine().can_resume(run_id):
                st.button("Resume", key="resume", type="primary", on_click=resume, args=(run_id,))
            if view.finished and view.finished.answer:
                export.copy_button(view.finished.answer, key=f"copy-{run_id}")
            st.download_button(
                "Markdown",
                data=lambda: export.markdown(view),
                file_name=export.file_name(view, "md"),
                mime="text/markdown",
                on_click="ignore",
            )
            st.download_button(
                "Log (JSONL)",
                data=lambda: export.jsonl(session.engine().store.events(run_id)),
                file_name=export.file_name(view, "jsonl"),
                mime="application/jsonl",
                on_click="ignore",
            )
            st.button("New question", key="new-question", type="tertiary", on_click=session.begin_anew)


def ask() -> None:
    """Run what the form holds; what is wrong with it is said at the question, and nothing is lost."""
    if session.engine().is_live(session.recall(session.RUN) or ""):
        return  # the shortcut, pressed once more
    machine = catalogue.load(session.recall(session.MACHINE, catalogue.MACHINES[0]))
    settings, limits = forms.read(ModelSettings, session.SETTINGS), forms.read(Limits, session.LIMITS)
    with forms.explained():
        run_id = session.engine().submit(session.request(machine.name, chosen_options(machine), settings, limits))
        session.open_run(run_id)
        session.put(session.ADOPTED, run_id)


def resume(run_id: str) -> None:
    """Go on from the last finished step, within the limits that the form holds now."""
    with forms.explained():
        session.engine().resume(run_id, Limits.model_validate(forms.read(Limits, session.LIMITS)))
        session.open_run(run_id)
        session.put(session.STOPPING, None)


def stop(run_id: str) -> None:
    """Stop the run; what it has written stays."""
    session.put(session.STOPPING, run_id)
    session.engine().stop(run_id)


def chosen_options(machine: Machine) -> dict[str, object]:
    """What the form holds for the machine's options."""
    return forms.read(machine.options, session.option_prefix(machine.name))


def replay_of(run_id: str) -> live.Replay | None:
    """The replay of this run, while it lasts."""
    replay: live.Replay | None = session.recall(session.REPLAY)
    return replay if replay and replay.run_id == run_id else None


@st.cache_resource(show_spinner=False)
def graph(name: str) -> Graph:
    """A machine's map; drawing it anew costs a compilation."""
    return graph_of(catalogue.load(name))


page()
