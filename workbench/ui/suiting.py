"""What suits the chosen model by its probe: put into the form where nobody chose, and said near it."""

from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st
from pydantic import ValidationError

from agents.contract import Machine
from workbench import suited
from workbench.probe.report import Report, key_of
from workbench.request import ModelSettings, RunRequest, SuitedDefault
from workbench.ui import forms, session
from workbench.ui.markdown import escape

PLACEHOLDER = "?"  # the question while only the options matter


@dataclass(frozen=True)
class Settled:
    """How a form's options were left: those that follow from the probe, all values, and those the person has changed.

    `suits` is what would suit had the person changed nothing.
    """

    follows: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    theirs: frozenset[str] = frozenset()
    suits: dict[str, Any] = field(default_factory=dict)


def known(backend: str, model: str, settings: str = session.SETTINGS) -> Report | None:
    """What probes have found of a model, with the context window that the form's model settings ask for."""
    window = forms.read(ModelSettings, settings)["context_window"]
    return session.engine().probes.known(backend, model, window)


def is_older(report: Report, found: session.Survey) -> bool:
    """Whether the probe was of another version than the one that its backend has now."""
    info = next((info for info in found.models if info.name == report.model), None)
    return info is not None and key_of(info) != report.model_key


def settle(machine: Machine, prefix: str, backend: str, model: str, settings: str = session.SETTINGS) -> Report | None:
    """Before a form is drawn: options that the person has not touched get what suits the model by its probe, returned.

    `settings` is where the form's model settings are kept: a window that is asked for counts too.
    """
    state, values, probe = _state(prefix), forms.read(machine.options, prefix), known(backend, model, settings)
    theirs = _theirs(machine, state, values)
    chosen_ = {name: value for name, value in values.items() if name in theirs}
    follows = _of_options(machine, chosen_, probe, settings)
    for name in {*state.follows, *follows} - theirs:
        usual = machine.options.model_fields[name].default
        session.put(session.field_key(prefix, name), follows.get(name, usual))
    suits = _of_options(machine, {}, probe, settings) if chosen_ else follows
    _leave(machine, prefix, Settled(follows, {}, frozenset(theirs), suits))
    return probe


def own(machine: Machine, prefix: str, backend: str, model: str, settings: str = session.SETTINGS) -> None:
    """What a form was just filled with is the person's choice, but for what would suit anyway."""
    values, fields = forms.read(machine.options, prefix), machine.options.model_fields
    suits = _of_options(machine, {}, known(backend, model, settings), settings)
    theirs = {name for name, value in values.items() if value != suits.get(name, fields[name].default)}
    follows = {name: value for name, value in suits.items() if name not in theirs}
    _leave(machine, prefix, Settled(follows, {}, frozenset(theirs), suits))


def chosen(machine: Machine, prefix: str) -> dict[str, Any]:
    """The form's options without those that only follow from the probe: these the engine fills in, and says so."""
    follows = _state(prefix).follows
    values = forms.read(machine.options, prefix)
    return {name: value for name, value in values.items() if name not in follows or follows[name] != value}


def draw(machine: Machine, prefix: str, found: session.Survey, probe: Report | None) -> None:
    """In a line: what follows from the probe for this machine, or that there is none; nothing for a script."""
    if found.name == "scripted" or not session.model(found):
        return
    with st.container(key="suited", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<p class="wb-suited">{escape(_line(machine, prefix, probe, found))}</p>')
        label = "Probe it" if probe is None else "What the probe found"
        st.page_link("pages/models.py", label=label, query_params={session.MODELS_VIEW: "Probe"}, width="content")


def _line(machine: Machine, prefix: str, probe: Report | None, found: session.Survey) -> str:
    if probe is None:
        return "Not probed yet: the usual settings are used."
    because = [one.because for one in _suited(machine, chosen(machine, prefix), probe)]
    origin = "The probe was of an older version of this model." if is_older(probe, found) else ""
    if (probe.backend, probe.model) != (found.name, session.model(found)):
        origin = f"The probe was of {probe.model} on {probe.backend}, the same model."
    return " ".join(filter(None, [*(because or ["The usual settings suit this model."]), origin]))


def _state(prefix: str) -> Settled:
    """How a form was left; nothing is known of one that is new."""
    state: Settled = session.recall(session.field_key(prefix, session.SUITED), Settled())
    return state


def _leave(machine: Machine, prefix: str, state: Settled) -> None:
    """Keep how the form is left now."""
    seen = forms.read(machine.options, prefix)
    session.put(session.field_key(prefix, session.SUITED), replace(state, seen=seen))


def _theirs(machine: Machine, state: Settled, values: dict[str, Any]) -> set[str]:
    """The options that the person has changed, but for those that were changed back to what suits the model."""
    theirs, fields = set(state.theirs), machine.options.model_fields
    for name, value in values.items():
        if value == state.seen.get(name, fields[name].default):
            continue
        if name in state.suits and value == state.suits[name]:
            theirs.discard(name)
        else:
            theirs.add(name)
    return theirs


def _of_options(
    machine: Machine, options: dict[str, Any], probe: Report | None, settings: str = session.SETTINGS
) -> dict[str, Any]:
    """The machine's options that suit, beside those that are chosen; the model's settings are not among them."""
    found = _suited(machine, options, probe, settings)
    return {one.name: one.value for one in found if one.name in machine.options.model_fields}


def _suited(
    machine: Machine, options: dict[str, Any], probe: Report | None, settings: str = session.SETTINGS
) -> list[SuitedDefault]:
    """What the engine would fill in beside these options; of no use where they contradict each other."""
    request = {"machine": machine.name, "question": PLACEHOLDER, "backend": "", "model": "", "options": options}
    try:
        asked = RunRequest.model_validate(request | {"settings": forms.read(ModelSettings, settings)})
    except ValidationError:
        return []
    return list(suited.filled(machine, asked, probe).suited)
