"""The lanes of an experiment's form: each with a name, a machine, and behind its chips all that can be chosen."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Optional

import streamlit as st
from pydantic import BaseModel, Field, create_model

from agents import catalogue
from workbench.errors import InvalidRequest
from workbench.experiments.plan import MOST_LANES, Lane, Plan
from workbench.request import Limits, ModelSettings
from workbench.ui import forms, lane_form, lane_prompts, session

LANES = session.field_key(session.EXPERIMENT_FORM, "lanes")
FIRST = 1_000  # the numbers of these lanes, apart from those of a comparison
FIRST_MACHINES = ("direct", "cot", "reflection")
AS_ALL = "as all lanes"


@cache
def own(model: type[BaseModel]) -> type[BaseModel]:
    """The model with every field optional: what is empty is as it is for all lanes."""
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        kind: Any = Optional[info.annotation]  # noqa: UP045 - an annotation is no type that | could join
        bounded = Annotated[(kind, *info.metadata)] if info.metadata else kind
        fields[name] = (bounded, Field(None, description=info.description))
    return create_model(f"Own{model.__name__}", **fields)


def lanes() -> list[int]:
    """The lanes by their own numbers, in the order in which they stand."""
    if not session.recall(LANES):
        begin()
    return list(session.recall(LANES))


def begin() -> None:
    """The lanes of a first experiment, everything else as it is by default."""
    take(Plan.model_validate({"name": "-", "dataset": "-", "scorer": "exact", "lanes": FIRST_LANES}))


FIRST_LANES = [{"name": machine, "machine": machine} for machine in FIRST_MACHINES]


def names() -> list[str]:
    """The lanes' names."""
    return [(session.recall(_name(lane)) or "").strip() for lane in lanes()]


def draw(settings: Mapping[str, Any]) -> None:
    """The lanes below each other; `settings` are the model's, as they are for all lanes."""
    shown = lanes()
    for place, lane in enumerate(shown):
        with st.container(key=f"experiment-lane-{place}", border=True, gap="small"):
            _draw_lane(lane, place, len(shown), settings)
    if len(shown) < MOST_LANES:
        st.button("Add a lane", key="add-experiment-lane", on_click=_duplicate, args=(shown[-1],))


def chosen() -> list[dict[str, Any]]:
    """The lanes as a plan has them: what is left to its default is left out."""
    return [_chosen(lane) for lane in lanes()]


def take(wanted: Plan) -> None:
    """Put a plan's lanes into the form. Raises InvalidRequest, PromptError for what there is not."""
    numbers = [FIRST + number for number in range(len(wanted.lanes))]
    _check(wanted.lanes)
    for lane, one in zip(numbers, wanted.lanes, strict=True):
        _take(lane, one, wanted)
    session.put(LANES, numbers)


def _check(wanted: Sequence[Lane]) -> None:
    """Raise InvalidRequest, PromptError before anything is put into the form."""
    for lane in wanted:
        if lane.machine not in catalogue.MACHINES:
            known = ", ".join(catalogue.MACHINES)
            raise InvalidRequest(f"Lane {lane.name}: there is no machine {lane.machine!r}.", f"There are: {known}.")
        if lane.backend and lane.backend not in session.engine().backends():
            raise InvalidRequest(f"Lane {lane.name}: there is no backend {lane.backend!r}.")
        for what, model in ((lane.settings, ModelSettings), (lane.limits, Limits)):
            if unknown := set(what) - set(model.model_fields):
                raise InvalidRequest(f"Lane {lane.name}: there is no setting {min(unknown)!r}.")
        for role, ref in lane.prompts.items():
            session.engine().prompts.find(lane.machine, role, ref)


def _take(lane: int, one: Lane, wanted: Plan) -> None:
    machine = catalogue.load(one.machine)
    session.put(_name(lane), one.name)
    session.put(lane_form.key_of(lane, "machine"), machine.name)
    forms.fill(machine.options, lane_form.option_prefix(lane, machine), machine.options().model_dump() | one.options)
    forms.fill(own(ModelSettings), _settings(lane), one.settings)
    forms.fill(own(Limits), _limits(lane), one.limits)
    lane_prompts.choose(machine, one.prompts, lane_form.key_of(lane, "prompt"))
    backend, model = one.backend or wanted.backend, one.model or wanted.model
    usual = not (one.backend or one.model) or (backend, model) == (wanted.backend, wanted.model)
    backend = backend or session.backend()
    session.put(lane_form.key_of(lane, "backend"), "" if usual else backend)
    if not usual and model:
        session.put(lane_form.model_key(lane, backend), model)


def _draw_lane(lane: int, place: int, count: int, settings: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            f"Machine of lane {place + 1}",
            catalogue.MACHINES,
            format_func=lambda name: catalogue.load(name).title,
            key=lane_form.key_of(lane, "machine"),
            width=230,
            persist_state="session",
            on_change=_rename,
            args=(lane,),
        )
        st.text_input(f"Name of lane {place + 1}", key=_name(lane), max_chars=80, width=230, persist_state="session")
        st.button("Duplicate", key=f"duplicate-{lane}", type="tertiary", on_click=_duplicate, args=(lane,))
        st.button("Remove", key=f"remove-{lane}", type="tertiary", disabled=count == 1, on_click=_remove, args=(lane,))
    machine = lane_form.machine_of(lane)
    whole = {**settings, **_given(own(ModelSettings), _settings(lane)), "seed": None}
    words = [*lane_form.chips(lane, whole), *forms.limit_chips(_given(own(Limits), _limits(lane)))]
    with st.expander(forms.chip_markdown(filter(None, words)), key=f"lane-settings-{lane}", type="compact"):
        st.caption(f"{machine.summary} [{machine.source}]({machine.source_url})")
        lane_form.draw_model(lane)
        forms.draw(machine.options, lane_form.option_prefix(lane, machine))
        forms.draw(own(ModelSettings), _settings(lane), dict.fromkeys(ModelSettings.model_fields, AS_ALL), ("seed",))
        forms.draw(own(Limits), _limits(lane), dict.fromkeys(Limits.model_fields, AS_ALL))
        lane_prompts.draw(machine, lane_form.key_of(lane, "prompt"))


def _chosen(lane: int) -> dict[str, Any]:
    machine = lane_form.machine_of(lane)
    options = forms.read(machine.options, lane_form.option_prefix(lane, machine))
    usual = machine.options().model_dump(mode="json")
    parts = {
        "options": {name: value for name, value in options.items() if value is not None and value != usual[name]},
        "settings": _given(own(ModelSettings), _settings(lane)),
        "limits": _given(own(Limits), _limits(lane)),
        "backend": session.recall(lane_form.key_of(lane, "backend")) or "",
        "model": lane_form.own_model(lane),
        "prompts": lane_prompts.chosen(machine, lane_form.key_of(lane, "prompt")),
    }
    given = {name: value for name, value in parts.items() if value}
    return {"name": (session.recall(_name(lane)) or "").strip(), "machine": machine.name, **given}


def _given(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    return {name: value for name, value in forms.read(model, prefix).items() if value is not None and name != "seed"}


def _name(lane: int) -> str:
    return lane_form.key_of(lane, "name")


def _settings(lane: int) -> str:
    return lane_form.key_of(lane, "setting")


def _limits(lane: int) -> str:
    return lane_form.key_of(lane, "limits")


def _rename(lane: int) -> None:
    """A lane that is named after a machine is named after its new one."""
    named = str(session.recall(_name(lane)) or "")
    if not named or named.rpartition("-")[0] in catalogue.MACHINES or named in catalogue.MACHINES:
        session.put(_name(lane), _free(str(session.recall(lane_form.key_of(lane, "machine"))), without=lane))


def _free(word: str, without: int | None = None) -> str:
    """The word, or with a number after it, as no other lane is named."""
    taken = {session.recall(_name(one)) for one in lanes() if one != without}
    return next(name for n in range(1, MOST_LANES + 3) if (name := word if n == 1 else f"{word}-{n}") not in taken)


def _duplicate(lane: int) -> None:
    """One more lane like this one, beside it, under a name of its own."""
    shown = lanes()
    new = max(shown) + 1
    session.copy(lane_form.key_of(lane, ""), lane_form.key_of(new, ""))
    shown.insert(shown.index(lane) + 1, new)
    session.put(_name(new), _free(str(session.recall(_name(lane)) or "lane")))
    session.put(LANES, shown)


def _remove(lane: int) -> None:
    session.put(LANES, [one for one in lanes() if one != lane])
