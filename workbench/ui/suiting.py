"""What suits the chosen model by its probe: put into the form where nobody chose, and said near it."""

from typing import Any

import streamlit as st
from pydantic import ValidationError

from agents.contract import Machine
from workbench import suited
from workbench.probe.report import Report
from workbench.probe.runner import key_of
from workbench.request import ModelSettings, RunRequest, SuitedDefault
from workbench.ui import forms, session
from workbench.ui.markdown import escape

PLACEHOLDER = "?"  # the question while only the options matter


def known(backend: str, model: str) -> Report | None:
    """What probes have found of a model."""
    return session.engine().probes.known(backend, model)


def is_older(report: Report, found: session.Survey) -> bool:
    """Whether the probe was of another version than the one that its backend has now."""
    info = next((info for info in found.models if info.name == report.model), None)
    return info is not None and key_of(info) != report.model_key


def settle(machine: Machine, prefix: str, backend: str, model: str) -> None:
    """Before a form is drawn: options that the person has not touched get what suits the model."""
    before: dict[str, Any] = session.recall(_marker(prefix), {})
    wanted = _wanted(machine, prefix, before, known(backend, model))
    for name in {*before, *wanted}:
        key = session.field_key(prefix, name)
        usual = machine.options.model_fields[name].default
        if session.recall(key, usual) == before.get(name, usual):
            session.put(key, wanted.get(name, usual))
    session.put(_marker(prefix), wanted)


def own(machine: Machine, prefix: str, backend: str, model: str) -> None:
    """What a form was just filled with is the person's choice, but for what would suit anyway."""
    session.put(_marker(prefix), _of_options(machine, {}, known(backend, model)))


def chosen(machine: Machine, prefix: str) -> dict[str, Any]:
    """The form's options without those that only follow from the probe: these the engine fills in, and says so."""
    follows: dict[str, Any] = session.recall(_marker(prefix), {})
    values = forms.read(machine.options, prefix)
    return {name: value for name, value in values.items() if name not in follows or follows[name] != value}


def draw(machine: Machine, prefix: str) -> None:
    """In a line: what follows from the probe for this machine, or that there is none; nothing for a script."""
    found = session.survey(session.backend())
    model = session.model(found)
    if found.name == "scripted" or not model:
        return
    probe = known(found.name, model)
    with st.container(key="suited", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<p class="wb-suited">{escape(_line(machine, prefix, probe, found))}</p>')
        label = "Probe it" if probe is None else "What the probe found"
        st.page_link("pages/models.py", label=label, query_params={session.MODELS_VIEW: "Probe"}, width="content")


def _line(machine: Machine, prefix: str, probe: Report | None, found: session.Survey) -> str:
    if probe is None:
        return "Not probed yet: the usual settings are used."
    because = [one.because for one in _suited(machine, chosen(machine, prefix), probe)]
    older = "The probe was of an older version of this model." if is_older(probe, found) else ""
    return " ".join(filter(None, [*(because or ["The usual settings suit this model."]), older]))


def _marker(prefix: str) -> str:
    """Where is kept what was put into a form last."""
    return session.field_key(prefix, session.SUITED)


def _wanted(machine: Machine, prefix: str, before: dict[str, Any], probe: Report | None) -> dict[str, Any]:
    """What suits beside what the person has chosen: values that are neither the usual ones nor put there by us."""
    fields, values = machine.options.model_fields, forms.read(machine.options, prefix)
    suits = _of_options(machine, {}, probe)
    theirs = {
        name: value
        for name, value in values.items()
        if value not in (before.get(name, fields[name].default), suits.get(name, fields[name].default))
    }
    return _of_options(machine, theirs, probe)


def _of_options(machine: Machine, options: dict[str, Any], probe: Report | None) -> dict[str, Any]:
    """The machine's options that suit, beside those that are chosen; the model's settings are not among them."""
    found = _suited(machine, options, probe)
    return {one.name: one.value for one in found if one.name in machine.options.model_fields}


def _suited(machine: Machine, options: dict[str, Any], probe: Report | None) -> list[SuitedDefault]:
    """What the engine would fill in beside these options; of no use where they contradict each other."""
    settings = forms.read(ModelSettings, session.SETTINGS)
    try:
        request = RunRequest.model_validate(
            {
                "machine": machine.name,
                "question": PLACEHOLDER,
                "backend": "",
                "model": "",
                "options": options,
                "settings": settings,
            }
        )
    except ValidationError:
        return []
    return list(suited.filled(machine, request, probe).suited)
