"""The fork dialog: from which step, with what in the state, and what else is to be different."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from agents import catalogue
from agents.contract import Machine
from workbench import prompts
from workbench.errors import WorkbenchError
from workbench.events import AnyEvent, Card, NodeFinished, ToolCalled
from workbench.fork import ForkPoint
from workbench.job import last_request
from workbench.request import Limits, ModelSettings, RunRequest
from workbench.ui import forms, frame, panel, schema_form, session
from workbench.ui.fields import label

ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class Place:
    """A finished step of the run, `at` in its log, as a person knows it; number 0 is the beginning."""

    at: int
    number: int
    title: str


@dataclass(frozen=True)
class Opened:
    """The dialog as it was opened: on which run, how that was asked for, and where it can be left."""

    run_id: str
    request: RunRequest
    places: tuple[Place, ...]


def button(run_id: str, key: str) -> None:
    """Opens the dialog."""
    st.button("Fork", key=key, help=HELP, on_click=open_, args=(run_id,))


HELP = "A new run from any finished step of this one, with something changed. What is before the step costs nothing."


def is_open(run_id: str) -> bool:
    """Whether the dialog stands open on this run. The page behind it then has to rest, or the dialog cannot redraw."""
    opened: Opened | None = session.recall(session.FORK)
    return opened is not None and opened.run_id == run_id


def open_(run_id: str) -> None:
    """Open the dialog, filled with what the run was asked for."""
    with forms.explained():
        engine = session.engine()
        events = engine.store.events(run_id)
        request = last_request(events)
        found = places(events)
        if len(found) > 1 and not engine.fork_point(run_id, found[-1].at).due:
            found = found[:-1]  # nothing comes after it that could come otherwise
        session.put(session.FORK, Opened(run_id, request, tuple(found)))
        session.put(session.FORK_OPENINGS, session.recall(session.FORK_OPENINGS, 0) + 1)
        _fill(request, found[-1].at)


def close() -> None:
    """Dismissed: the page goes on."""
    session.put(session.FORK, None)
    session.put(session.PROBLEM, None)


def draw() -> None:
    """The dialog itself; called in every run of the page while it is open."""
    _dialog(session.recall(session.FORK))


def places(events: Iterable[AnyEvent]) -> list[Place]:
    """The beginning, then each finished step with the titles of its cards, or its nodes and tools where it has none."""
    titles: dict[int, list[str]] = {}
    nodes: dict[int, list[str]] = {}
    ends: dict[int, int] = {}
    for event in events:
        match event:
            case Card():
                titles.setdefault(event.step, []).append(event.title)
            case ToolCalled():
                nodes.setdefault(event.step, []).append(event.name)
            case NodeFinished() if event.checkpoint_id:
                ends[event.step] = event.seq
                nodes.setdefault(event.step, []).append(label(event.node))
    named = [Place(at, step, ", ".join(dict.fromkeys(titles.get(step) or nodes[step]))) for step, at in ends.items()]
    return [Place(0, 0, "From the beginning"), *named]


def start() -> None:
    """Start the fork and put it on the bench. A mistake is said in the dialog, which stays as it is."""
    opened: Opened = session.recall(session.FORK)
    at = session.recall(session.FORK_AT)
    with forms.explained():
        request = _request(opened)
        point = session.engine().fork_point(opened.run_id, at)
        changed = changed_state(point, _state_prefix(opened.run_id, point))
        run_id = session.engine().fork(opened.run_id, at, request, changed, session=session.identity())
        session.open_run(run_id)
        panel.take(request)
        session.put(session.ADOPTED, run_id)


@st.dialog("Fork this run", width="medium", on_dismiss=close)
def _dialog(opened: Opened) -> None:
    machine, at = catalogue.load(opened.request.machine), _choose_place(opened)
    try:
        point = session.engine().fork_point(opened.run_id, at)
    except WorkbenchError as error:
        st.error(frame.sentences(error.message, error.hint))
        return
    _say_place(point)
    state, model, options, words = st.tabs(["State", "Model", "Options", "Prompts"])
    with state:
        _draw_state(point, _state_prefix(opened.run_id, point))
    with model:
        _draw_model(machine)
    with options:
        forms.draw(machine.options, session.FORK_FORM)
        panel.draw_pauses(machine, session.FORK_FORM)
        st.markdown("**Limits of the run**")
        panel.draw_limits(f"{session.FORK_FORM}-limit")
    with words:
        _draw_prompts(machine)
    _draw_start()


def _draw_start() -> None:
    """What is wrong, and the button, always in view at the dialog's foot."""
    with st.container(key="fork-end"):
        problem: session.Problem | None = session.recall(session.PROBLEM)
        if problem is not None:
            st.error(frame.sentences(problem.message, problem.hint))
        pressed = st.button("Start the fork", key="fork-start", type="primary", shortcut="Ctrl+Enter", on_click=start)
    if pressed and session.recall(session.FORK) is None:
        st.rerun()


def _choose_place(opened: Opened) -> int:
    named = {place.at: f"{place.number} · {place.title}" if place.number else place.title for place in opened.places}
    chosen: int = st.selectbox("After which step", list(named), format_func=named.__getitem__, key=session.FORK_AT)
    return chosen


def _say_place(point: ForkPoint) -> None:
    due = ", ".join(map(label, point.due)) or "nothing: the run ends there"
    kept = "What came before is taken over and costs nothing. " if point.step else ""
    st.caption(f"{kept}Next comes {due}.")


def _draw_state(point: ForkPoint, prefix: str) -> None:
    """Every key of the state there: messages one by one, texts as texts, the rest as JSON."""
    if not point.state:
        st.caption("The state is empty there.")
    for name, value in point.state.items():
        key, title = f"{prefix}-{name}", label(name).capitalize()
        if is_messages(value):
            st.markdown(f"**{title}**")
            for number, message in enumerate(value):
                _draw_message(f"{key}-{number}", number, message)
        else:
            said = isinstance(value, str)
            session.remember(key, value if said else _json(value))
            st.text_area(title if said else f"{title} (as JSON)", key=key, **_AREA)


def _draw_message(key: str, number: int, message: dict[str, Any]) -> None:
    for part, first in (("role", message["role"]), ("content", _content(message)), ("out", False)):
        session.remember(f"{key}-{part}", first)
    with st.container(key=f"message-{key}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            roles = list(dict.fromkeys([*ROLES, message["role"]]))
            st.selectbox(
                f"Role of message {number + 1}",
                roles,
                key=f"{key}-role",
                label_visibility="collapsed",
                width=140,
                persist_state="page",
            )
            out = st.checkbox("Leave it out", key=f"{key}-out", persist_state="page")
        st.text_area(f"Message {number + 1}", key=f"{key}-content", label_visibility="collapsed", disabled=out, **_AREA)


_AREA: dict[str, Any] = {"height": "content", "on_change": "ignore", "persist_state": "page"}


def changed_state(point: ForkPoint, prefix: str) -> dict[str, Any]:
    """The keys whose values the dialog changed. Raises InvalidRequest for JSON that is none."""
    changed: dict[str, Any] = {}
    for name, value in point.state.items():
        key = f"{prefix}-{name}"
        now = _read_messages(key, value) if is_messages(value) else _read_value(key, name, value)
        if now != value:
            changed[name] = now
    return changed


def is_messages(value: object) -> bool:
    """Whether a value of the state is a conversation."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)


def _read_messages(key: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        if session.recall(f"{key}-{number}-out"):
            continue
        role = session.recall(f"{key}-{number}-role", message["role"])
        content = session.recall(f"{key}-{number}-content", _content(message))
        unchanged = content == _content(message)
        kept.append({**message, "role": role} if unchanged else {**message, "role": role, "content": content})
    return kept


def _read_value(key: str, name: str, value: Any) -> Any:
    held = session.recall(key)
    if held is None or isinstance(value, str):
        return value if held is None else held
    return schema_form.parsed(held, label(name).capitalize())


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "" if content is None else _json(content)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) else None)


def _draw_model(machine: Machine) -> None:
    """Backend and model, and how the model is asked."""
    with st.container(horizontal=True):
        st.selectbox(
            "Backend",
            frame.backends(session.recall(session.FORK_BACKEND) or ""),
            format_func=frame.title,
            key=session.FORK_BACKEND,
            width=220,
        )
        found = session.survey(session.recall(session.FORK_BACKEND))
        frame.model_select(found, _model_key(found.name))
    st.html(frame.status_html(found, session.recall(_model_key(found.name)) or ""))
    panel.draw_settings(machine, f"{session.FORK_FORM}-setting")


def _draw_prompts(machine: Machine) -> None:
    """A template for each role; the built-in one stands there at first."""
    for role, prompt in prompts.load(machine.name).roles.items():
        names = ", ".join(f"${name}" for name in prompt.variables)
        st.text_area(
            label(role).capitalize(),
            key=_prompt_key(role),
            help=" ".join(filter(None, [prompt.note, f"It is filled with {names}." if names else ""])) or None,
            **_AREA,
        )


def _fill(request: RunRequest, at: int) -> None:
    machine = catalogue.load(request.machine)
    session.put(session.FORK_AT, at)
    session.put(session.FORK_BACKEND, request.backend)
    session.put(_model_key(request.backend), request.model)
    panel.fill(machine, request, session.FORK_FORM)
    forms.fill(ModelSettings, f"{session.FORK_FORM}-setting", request.settings.model_dump())
    forms.fill(Limits, f"{session.FORK_FORM}-limit", request.limits.model_dump())
    for role, prompt in prompts.load(machine.name).roles.items():
        session.put(_prompt_key(role), request.prompts.get(role, prompt.template).rstrip("\n"))


def _request(opened: Opened) -> RunRequest:
    """The run's request as the dialog changed it. Raises pydantic.ValidationError, BackendUnreachable."""
    machine, backend = catalogue.load(opened.request.machine), session.recall(session.FORK_BACKEND)
    return RunRequest.model_validate(
        {
            **opened.request.model_dump(),
            **panel.usable(backend, session.recall(_model_key(backend)) or ""),
            **panel.pauses(machine, session.FORK_FORM),
            "options": forms.read(machine.options, session.FORK_FORM),
            "settings": forms.read(ModelSettings, f"{session.FORK_FORM}-setting"),
            "limits": forms.read(Limits, f"{session.FORK_FORM}-limit"),
            "prompts": _changed_prompts(machine),
        }
    )


def _changed_prompts(machine: Machine) -> dict[str, str]:
    built_in = prompts.load(machine.name).roles
    held = {role: session.recall(_prompt_key(role), prompt.template) for role, prompt in built_in.items()}
    return {role: text for role, text in held.items() if text.rstrip() != built_in[role].template.rstrip()}


def _state_prefix(run_id: str, point: ForkPoint) -> str:
    """Each opening has keys of its own: what was given up in one dialog is not in the next."""
    return f"fork-state-{session.recall(session.FORK_OPENINGS, 0)}-{run_id}-{point.at}"


def _prompt_key(role: str) -> str:
    return f"fork-prompt-{role}"


def _model_key(backend: str) -> str:
    return f"fork-model-{backend}"
