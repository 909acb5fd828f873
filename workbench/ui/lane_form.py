"""The form of a comparison: two to four lanes beside each other, each folded to chips, and what they share."""

import random
from collections.abc import Mapping
from typing import Any

import streamlit as st

from agents import catalogue
from agents.contract import Machine
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.job import roles_of
from workbench.request import ModelSettings, RunRequest
from workbench.store.comparisons import FEWEST_LANES, MOST_LANES, Comparison, Lane
from workbench.ui import forms, frame, lane_prompts, panel, session, suiting

LETTERS = "ABCD"
FIRST_MACHINES = ("direct", "reflection")  # one call against one that thinks twice
AS_IN_THE_SIDEBAR = ""


def lanes() -> list[int]:
    """The lanes of the form by their own numbers, in the order in which they stand."""
    if not session.recall(session.LANES):
        session.put(session.LANES, list(range(len(FIRST_MACHINES))))
        for lane, machine in enumerate(FIRST_MACHINES):
            session.remember(key_of(lane, "machine"), machine)
    return list(session.recall(session.LANES))


def draw() -> None:
    """The lanes beside each other, then what they share."""
    shown = lanes()
    with st.container(key="lane-forms"), st.grid(len(shown), min_column_width=205, gap="small"):
        for place, lane in enumerate(shown):
            with st.container(key=f"lane-form-{LETTERS[place].lower()}", gap="xsmall"):
                _draw_lane(lane, LETTERS[place], len(shown))
    _draw_shared(len(shown))


def add() -> None:
    """One more lane, like the last one."""
    duplicate(lanes()[-1])


def duplicate(lane: int) -> None:
    """One more lane, like this one, beside it."""
    shown = lanes()
    new = max(shown) + 1
    session.copy(key_of(lane, ""), key_of(new, ""))
    shown.insert(shown.index(lane) + 1, new)
    session.put(session.LANES, shown)


def remove(lane: int) -> None:
    """Leave a lane out."""
    session.put(session.LANES, [one for one in lanes() if one != lane])


def take(comparison: Comparison) -> None:
    """Put the question and the lanes of a comparison into the form; a drawn seed is not made a choice."""
    session.put(session.LANE_QUESTION, comparison.question)
    session.put(session.LANES, list(range(len(comparison.lanes))))
    session.put(session.BLIND, comparison.blind)
    for number, lane in enumerate(comparison.lanes):
        if lane.asked["machine"] in catalogue.MACHINES:
            _take_lane(number, lane)


def requests(question: str) -> list[RunRequest]:
    """What each lane asks for, with its defaults filled in.

    Raises pydantic.ValidationError, and InvalidRequest that names the lane which cannot be asked so.
    """
    shared: dict[str, Any] = {}
    if session.recall(session.SAME_SEED, True):
        chosen = session.recall(session.LANE_SEED)
        shared["seed"] = random.randrange(2**31) if chosen is None else chosen
    asked = []
    for letter, lane in zip(LETTERS, lanes(), strict=False):
        try:
            asked.append(_request(lane, question, shared))
        except WorkbenchError as error:
            raise InvalidRequest(f"Lane {letter}: {error.message}", error.hint) from error
    return asked


def as_lane(run_id: str, request: RunRequest) -> Lane:
    """The lane of a run that was asked for so. Raises PromptError."""
    digests = {role: prompt.digest for role, prompt in roles_of(request).items()}
    return Lane.of(run_id, catalogue.load(request.machine).title, request, digests)


def chips(lane: int, settings: Mapping[str, Any]) -> list[str]:
    """What is chosen for a lane besides its machine; `settings` are those of the model."""
    machine = machine_of(lane)
    options = forms.read(machine.options, option_prefix(lane, machine))
    words = [*forms.chips(options), *forms.setting_chips(settings, machine.temperature)]
    own = session.recall(key_of(lane, "backend"))
    return [
        *([frame.title(own)] if own else []),
        _model(lane),
        *words,
        *lane_prompts.chips(machine, key_of(lane, "prompt")),
    ]


def _draw_lane(lane: int, letter: str, count: int) -> None:
    """A lane's letter and machine; behind its chips everything else."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<span class="wb-letter" aria-hidden="true">{letter}</span>', width="content")
        st.selectbox(
            f"Machine of lane {letter}",
            catalogue.MACHINES,
            format_func=lambda name: catalogue.load(name).title,
            key=key_of(lane, "machine"),
            label_visibility="collapsed",
            persist_state="session",
        )
    machine = machine_of(lane)
    suiting.settle(machine, option_prefix(lane, machine), _backend(lane), _model(lane), key_of(lane, "setting"))
    words = forms.chip_markdown(filter(None, chips(lane, _settings(lane))))
    with st.expander(words, key=f"lane-settings-{lane}", type="compact"):
        st.caption(f"{machine.summary} [{machine.source}]({machine.source_url})")
        draw_model(lane)
        forms.draw(machine.options, option_prefix(lane, machine))
        same_seed = session.recall(session.SAME_SEED, True)
        panel.draw_settings(machine, key_of(lane, "setting"), without=("seed",) if same_seed else ())
        lane_prompts.draw(machine, key_of(lane, "prompt"))
        _draw_number(lane, letter, count)


def _draw_number(lane: int, letter: str, count: int) -> None:
    """One lane more or less."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Duplicate",
            key=f"duplicate-{lane}",
            help=f"One more lane like {letter}",
            disabled=count >= MOST_LANES,
            on_click=duplicate,
            args=(lane,),
        )
        st.button(
            "Remove",
            key=f"remove-{lane}",
            help=f"Leave lane {letter} out",
            disabled=count <= FEWEST_LANES,
            on_click=remove,
            args=(lane,),
        )


def _settings(lane: int) -> dict[str, Any]:
    """The lane's model settings; a seed that all share is not one of them."""
    settings = forms.read(ModelSettings, key_of(lane, "setting"))
    if session.recall(session.SAME_SEED, True):
        settings.pop("seed")
    return settings


def draw_model(lane: int) -> None:
    """The lane's own backend and model, or those of the sidebar."""
    session.remember(key_of(lane, "backend"), AS_IN_THE_SIDEBAR)
    chosen = st.selectbox(
        "Backend",
        (AS_IN_THE_SIDEBAR, *session.engine().backends()),
        format_func=lambda name: frame.title(name) if name else "As in the sidebar",
        key=key_of(lane, "backend"),
        persist_state="session",
    )
    if chosen:
        found = session.survey(chosen)
        frame.model_select(found, model_key(lane, chosen))
        st.html(frame.status_html(found, session.recall(model_key(lane, chosen)) or ""))


def _draw_shared(count: int) -> None:
    """What holds for all lanes, and one lane more."""
    session.remember(session.SAME_SEED, True)
    with st.container(key="lanes-shared", horizontal=True, vertical_alignment="center", gap="medium"):
        if count < MOST_LANES:
            st.button("Add a lane", key="add-lane", on_click=add)
        st.toggle("Same seed for all", key=session.SAME_SEED, persist_state="session")
        if session.recall(session.SAME_SEED):
            st.number_input(
                "Seed",
                0,
                2**31 - 1,
                value=None,
                step=1,
                key=session.LANE_SEED,
                placeholder="drawn anew each time",
                label_visibility="collapsed",
                width=250,
                persist_state="session",
            )
        st.toggle("Hide the lanes until I have voted", key=session.BLIND, help=BLIND_HELP, persist_state="session")


BLIND_HELP = (
    "The answers are shown in a drawn order, without machine, model, steps or cost, once all of them are there."
)


def _take_lane(number: int, lane: Lane) -> None:
    machine = catalogue.load(lane.asked["machine"])
    settings: dict[str, Any] = {**lane.asked["settings"], "seed": None}
    if settings["temperature"] == machine.temperature:
        settings["temperature"] = None
    session.put(key_of(number, "machine"), machine.name)
    forms.fill(machine.options, option_prefix(number, machine), lane.asked["options"])
    forms.fill(ModelSettings, key_of(number, "setting"), settings)
    lane_prompts.take(machine, lane.prompts, key_of(number, "prompt"))
    backend, model = lane.asked["backend"], lane.asked["model"]
    usual = backend == session.backend() and model == session.model(session.survey(backend))
    session.put(
        key_of(number, "backend"), AS_IN_THE_SIDEBAR if usual or backend not in session.engine().backends() else backend
    )
    session.put(model_key(number, backend), model)
    suiting.own(machine, option_prefix(number, machine), backend, model, key_of(number, "setting"))


def _request(lane: int, question: str, shared: dict[str, Any]) -> RunRequest:
    machine, backend = machine_of(lane), session.recall(key_of(lane, "backend")) or session.backend()
    templates, examples = session.engine().prompts.resolve(
        machine.name, lane_prompts.chosen(machine, key_of(lane, "prompt"))
    )
    request = RunRequest.model_validate(
        {
            "machine": machine.name,
            "question": question,
            **panel.usable(backend, own_model(lane)),
            "options": suiting.chosen(machine, option_prefix(lane, machine)),
            "settings": forms.read(ModelSettings, key_of(lane, "setting")) | shared,
            "prompts": templates,
            "examples": examples,
        }
    )
    return session.engine().resolved(request)


def machine_of(lane: int) -> Machine:
    """The lane's machine."""
    return catalogue.load(session.recall(key_of(lane, "machine")) or FIRST_MACHINES[0])


def own_model(lane: int) -> str:
    """The model that was chosen for this lane alone; empty where it is the sidebar's."""
    backend = session.recall(key_of(lane, "backend"))
    return str(session.recall(model_key(lane, backend)) or "") if backend else ""


def _model(lane: int) -> str:
    return own_model(lane) or session.model(session.survey(_backend(lane)))


def _backend(lane: int) -> str:
    return str(session.recall(key_of(lane, "backend")) or session.backend())


def key_of(lane: int, name: str) -> str:
    """The key of a lane's widget."""
    return f"lane-{lane}-{name}"


def option_prefix(lane: int, machine: Machine) -> str:
    """What the keys of the lane's options begin with."""
    return key_of(lane, f"option-{machine.name}")


def model_key(lane: int, backend: str) -> str:
    """The key of the model that is chosen for the lane on a backend."""
    return key_of(lane, f"model-{backend}")
