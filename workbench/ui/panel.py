"""The bench's form: what is chosen as chips; behind them options, settings, limits, pauses, documents; its request."""

from collections.abc import Collection
from typing import Any

import streamlit as st

from agents import catalogue
from agents.contract import Machine
from workbench.errors import BackendUnreachable
from workbench.presets import Preset
from workbench.request import Limits, ModelSettings, RunRequest
from workbench.ui import documents, forms, prompt_choice, session, suiting
from workbench.ui.fields import label


def draw(machine: Machine) -> None:
    """The chips of what is chosen; behind them everything that can be chosen."""
    found = session.survey(session.backend())
    probe = suiting.settle(machine, session.option_prefix(machine.name), found.name, session.model(found))
    opened_by = st.expander(forms.chip_markdown(_chips(machine)), key="settings", type="compact")
    with opened_by, st.container(key="settings-panel"):
        st.markdown(f"**{machine.title}**")
        unset = dict.fromkeys(machine.options.model_fields, "none")
        forms.draw(machine.options, session.option_prefix(machine.name), unset)
        draw_pauses(machine, session.option_prefix(machine.name))
        st.markdown("**Model settings**")
        draw_settings(machine, session.SETTINGS)
        st.markdown("**Limits of the run**")
        draw_limits(session.LIMITS)
        prompt_choice.draw_choices(machine)
        if forms.has_tools(machine.options):
            documents.draw()
            st.caption("Tools of MCP servers are added under Models, Tools.")
    suiting.draw(machine, session.option_prefix(machine.name), found, probe)
    prompt_choice.draw(machine)


def draw_settings(machine: Machine, prefix: str, without: Collection[str] = ()) -> None:
    """The model's settings, each saying what it is while it is empty."""
    empty = {"temperature": f"{machine.temperature:g}, the machine's own", "seed": "drawn anew for each run"}
    empty["constrain"] = "yes, unless a probe says otherwise"
    forms.draw(ModelSettings, prefix, empty, without)


def draw_limits(prefix: str) -> None:
    """Where the run ends."""
    forms.draw(Limits, prefix, dict.fromkeys(Limits.model_fields, "no limit"))


def draw_pauses(machine: Machine, prefix: str) -> None:
    """Where the run waits for the person: before which nodes, before which of the chosen tools."""
    with st.container(key=f"{prefix}-pauses", horizontal=True, gap="medium"):
        _pills("Pause before", machine.asking, session.field_key(prefix, session.PAUSES), PAUSE_HELP)
        if tools := _chosen_tools(machine, prefix):
            _pills("Ask before these tools", tools, session.field_key(prefix, session.APPROVALS), APPROVAL_HELP)


PAUSE_HELP = "The run waits there until you approve, edit, answer yourself or reject. Waiting costs nothing."
APPROVAL_HELP = "The run waits before each call of them."


def pauses(machine: Machine, prefix: str) -> dict[str, list[str]]:
    """The chosen pauses as fields of a request, in the machine's own order."""
    before = session.recall(session.field_key(prefix, session.PAUSES)) or []
    tools = session.recall(session.field_key(prefix, session.APPROVALS)) or []
    return {
        "pause_before": [node for node in machine.asking if node in before],
        "approve_tools": [tool for tool in _chosen_tools(machine, prefix) if tool in tools],
    }


def take(request: RunRequest) -> None:
    """Put a run's machine, question and options into the form; its drawn seed is not made a choice."""
    machine = catalogue.load(request.machine)
    session.put(session.MACHINE, machine.name)
    session.put(session.QUESTION, request.question)
    prefix = session.option_prefix(machine.name)
    fill(machine, request, prefix)
    suiting.own(machine, prefix, request.backend, request.model)
    prompt_choice.take(request)
    forms.fill(Limits, session.LIMITS, request.limits.model_dump())


def fill(machine: Machine, request: RunRequest | Preset, prefix: str) -> None:
    """Put a request's options and pauses into a form."""
    forms.fill(machine.options, prefix, request.options)
    session.put(session.field_key(prefix, session.PAUSES), list(request.pause_before))
    session.put(session.field_key(prefix, session.APPROVALS), list(request.approve_tools))


def limits() -> Limits:
    """The limits that the form holds. Raises pydantic.ValidationError."""
    return Limits.model_validate(forms.read(Limits, session.LIMITS))


def request(question: str | None = None) -> RunRequest:
    """What the form asks for, or another question asked so.

    Raises pydantic.ValidationError, PromptError, and BackendUnreachable when there is no model.
    """
    machine = catalogue.load(session.recall(session.MACHINE, catalogue.FIRST_CHOICE))
    prefix = session.option_prefix(machine.name)
    return RunRequest.model_validate(
        {
            "machine": machine.name,
            "question": question if question is not None else session.recall(session.QUESTION) or "",
            **usable(session.backend()),
            "options": suiting.chosen(machine, prefix),
            "settings": forms.read(ModelSettings, session.SETTINGS),
            "limits": limits(),
            **pauses(machine, prefix),
            **prompt_choice.fields(machine.name),
        }
    )


def usable(backend: str, model: str = "") -> dict[str, str]:
    """Backend and model as fields of a request. Raises BackendUnreachable when there is no model."""
    found = session.survey(backend)
    model = model or session.model(found)
    if not found.status.ready and not model:
        raise BackendUnreachable(found.status.detail, found.status.hint)
    return {"backend": found.name, "model": model}


def _chips(machine: Machine) -> list[str]:
    prefix = session.option_prefix(machine.name)
    chosen = pauses(machine, prefix)
    return [
        *forms.chips(forms.read(machine.options, prefix)),
        *forms.setting_chips(forms.read(ModelSettings, session.SETTINGS), machine.temperature),
        *forms.limit_chips(forms.read(Limits, session.LIMITS)),
        forms.listing("pause before", chosen["pause_before"]) or "pause before: none",
        *filter(None, [forms.listing("ask before", chosen["approve_tools"])]),
        *prompt_choice.chips(machine.name),
    ]


def _chosen_tools(machine: Machine, prefix: str) -> list[str]:
    return list(forms.read(machine.options, prefix)["tools"] or []) if forms.has_tools(machine.options) else []


def _pills(title: str, names: list[str], key: str, help_text: str) -> None:
    """A choice of several; what is not offered any more is chosen no longer."""
    kept: list[Any] = [name for name in session.recall(key) or [] if name in names]
    session.put(key, kept)
    st.pills(
        title,
        names,
        selection_mode="multi",
        format_func=label,
        key=key,
        help=help_text,
        wrap=True,
        persist_state="session",
    )
