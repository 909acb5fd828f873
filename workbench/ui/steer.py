"""The form of a run that waits for the person: what is about to happen; approve, edit, answer in its place, reject."""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

import streamlit as st

from workbench.events import Paused
from workbench.request import Reply
from workbench.steering import CHOSEN
from workbench.ui import forms, frame, panel, schema_form, session
from workbench.ui.fields import label
from workbench.ui.markdown import escape

Verb = Literal["approve", "edit", "answer", "reject"]
CHOICES: dict[Verb, str] = {"approve": "As it is", "edit": "Edit", "answer": "Answer in its place", "reject": "Reject"}
BUTTONS: dict[Verb, str] = {
    "approve": "Approve",
    "edit": "Send as edited",
    "answer": "Use my answer",
    "reject": "Reject",
}


@st.fragment
def draw(run_id: str, paused: Paused) -> None:
    """The form. A click on the primary button, or Ctrl+Enter, sends what stands there and the run goes on."""
    with st.container(key="pause-form"):
        st.html(_head(paused))
        _draw_problem()
        verb = _choose(run_id, paused)
        _BODIES[verb](paused, _prefix(run_id, paused))
        if _draw_buttons(run_id, paused, verb):
            st.rerun()


def reply(run_id: str, paused: Paused, verb: Verb) -> None:
    """Tell the run what the form says. A mistake is said in the form, which keeps what was written."""
    with forms.explained():
        said = read(paused, verb, _prefix(run_id, paused))
        session.engine().resume(run_id, panel.limits(), said, session=session.identity())
        session.open_run(run_id)


def read(paused: Paused, verb: Verb, prefix: str) -> Reply:
    """What the form holds. Raises pydantic.ValidationError, and InvalidRequest for JSON that is none."""
    held = session.recall(f"{prefix}-{verb}", "")
    match verb:
        case "edit" if paused.tool:
            return Reply(verb=verb, arguments=schema_form.read(_arguments(paused, prefix)), to=paused.seq)
        case "edit" if not held.strip():
            return Reply(verb=verb, to=paused.seq)
        case "answer" if paused.answer_schema:
            given = schema_form.read(_answers(paused, prefix))
            return Reply(verb=verb, text=json.dumps(given, ensure_ascii=False) if given else "", to=paused.seq)
        case "approve":
            return Reply(verb=verb, to=paused.seq)
    return Reply(verb=verb, text=held, to=paused.seq)


def _head(paused: Paused) -> str:
    what = (
        f"The tool {paused.tool} is about to be called"
        if paused.tool
        else f"The {label(paused.role)} is about to be asked"
    )
    why = "" if paused.reason == CHOSEN else f'<p class="wb-hint">{escape(paused.reason)}</p>'
    return f'<div class="wb-notice"><span class="wb-role">Waiting for you</span><h3>{escape(what)}</h3>{why}</div>'


def _draw_buttons(run_id: str, paused: Paused, verb: Verb) -> bool:
    """What sends the form, and the way to something else; the run goes on waiting then. Whether one was pressed."""
    shortcut = None if session.recall(session.FORK) else "Ctrl+Enter"
    with st.container(horizontal=True, vertical_alignment="center"):
        sent = st.button(
            BUTTONS[verb],
            key="pause-reply",
            type="primary",
            shortcut=shortcut,
            on_click=reply,
            args=(run_id, paused, verb),
        )
        left = st.button("New question", key="pause-leave", type="tertiary", on_click=session.begin_anew)
    return sent or left


def _draw_problem() -> None:
    problem: session.Problem | None = session.recall(session.PROBLEM)
    if problem is not None:
        st.error(frame.sentences(problem.message, problem.hint))


def _choose(run_id: str, paused: Paused) -> Verb:
    key = f"{_prefix(run_id, paused)}-verb"
    session.remember(key, "answer" if paused.draft else "approve")
    st.segmented_control(
        "What to do",
        get_args(Verb),
        format_func=CHOICES.__getitem__,
        required=True,
        key=key,
        label_visibility="collapsed",
        on_change=session.put,
        args=(session.PROBLEM, None),
        persist_state="session",
    )
    chosen: Verb = session.recall(key)
    return chosen


def _draw_approve(paused: Paused, prefix: str) -> None:
    """The card above shows what is approved."""


def _draw_edit(paused: Paused, prefix: str) -> None:
    if paused.tool:
        schema_form.draw(_arguments(paused, prefix))
    else:
        _text("The last message, as the model will see it", f"{prefix}-edit", _content(paused.messages[-1]))


def _draw_answer(paused: Paused, prefix: str) -> None:
    if paused.answer_schema:
        schema_form.draw(_answers(paused, prefix))
    else:
        whose = "What came of it, as the model is told" if paused.tool else "Your answer, in the model's place"
        _text(whose, f"{prefix}-answer", paused.draft)


def _draw_reject(paused: Paused, prefix: str) -> None:
    told = "It is not called; the model is told why" if paused.tool else "The model is asked with this word added"
    _text(told, f"{prefix}-reject", "", "A word on what is wrong with it")


def _content(message: Mapping[str, Any]) -> str:
    return str(message.get("content") or "")


def _text(title: str, key: str, first: str, placeholder: str = "") -> None:
    session.remember(key, first)
    st.text_area(title, key=key, height="content", placeholder=placeholder, on_change="ignore", persist_state="session")


def _arguments(paused: Paused, prefix: str) -> list[schema_form.Property]:
    return schema_form.of_values(paused.arguments, f"{prefix}-argument")


def _answers(paused: Paused, prefix: str) -> list[schema_form.Property]:
    return schema_form.of_schema(paused.answer_schema or {}, paused.draft, f"{prefix}-property")


def _prefix(run_id: str, paused: Paused) -> str:
    """Each pause has keys of its own: what was written for one is not offered for the next."""
    return f"pause-{run_id}-{paused.seq}"


_BODIES = {"approve": _draw_approve, "edit": _draw_edit, "answer": _draw_answer, "reject": _draw_reject}
