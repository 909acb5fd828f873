"""Presets on the bench: the chosen one, saved, changed, shared as a link; and the last form, restored at the start."""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import ValidationError

from agents import catalogue
from workbench import presets
from workbench.errors import PromptError, WorkbenchError
from workbench.presets import Preset, Reading
from workbench.request import Limits, ModelSettings
from workbench.store.presets import PresetStore
from workbench.ui import forms, frame, panel, prompt_choice, session, suiting

OURS = (session.RUN, session.PRESET)  # parts of the bench's address that are no part of a link


def store() -> PresetStore:
    """The saved presets."""
    return PresetStore(session.engine().store.database)


def begin(on_bench: bool) -> None:
    """Once in a browser session, before anything is drawn: what the address asks for, else what was used last."""
    if session.recall(session.PRESET_BEGUN):
        return
    session.put(session.PRESET_BEGUN, True)
    query = st.query_params
    with session.explained():
        if on_bench and session.RUN in query:
            return
        if on_bench and "machine" in query:
            parts = {name: query.get_all(name) for name in query if name not in OURS}
            take(presets.from_query(parts), "The link", from_link=True)
        elif on_bench and session.PRESET in query:
            choose(str(query[session.PRESET]))
        elif session.engine().settings.restore == "on":
            restore()


def restore() -> None:
    """The form that was used last; nothing before the first one."""
    last = store().last()
    if last is None:
        return
    try:
        take(presets.read(last.content), "The last form")
    except WorkbenchError as error:
        session.put(session.PRESET_TOLD, [f"{error.message} {error.hint}"])
    session.put(session.PRESET, last.preset or None)


def choose(name: str) -> None:
    """Fill the form with a saved preset. Raises InvalidRequest."""
    found = store().find(name)
    take(presets.read(found.content), f"The preset {found.name}")
    session.put(session.PRESET, found.name)
    store().used(found.name, found.content)


def take(reading: Reading, source: str, from_link: bool = False) -> None:
    """Put a preset into the form; what there is not here gets its default, and is told."""
    preset, told = reading
    told = list(told)
    machine = catalogue.load(preset.machine)
    session.put(session.MACHINE, machine.name)
    _take_backend(preset, told, from_link)
    prefix = session.option_prefix(machine.name)
    panel.fill(machine, preset, prefix)
    forms.fill(ModelSettings, session.SETTINGS, preset.settings.model_dump())
    forms.fill(Limits, session.LIMITS, preset.limits.model_dump())
    found = session.survey(session.backend())
    suiting.own(machine, prefix, found.name, session.model(found))  # also a choice that equals the usual value stays
    _take_prompts(preset, told)
    session.put(session.PRESET, None)
    session.put(session.PRESET_TOLD, [f"{source} says what is not here.", *told] if told else None)


def _take_backend(preset: Preset, told: list[str], from_link: bool) -> None:
    """Choose the backend and its model, as far as they are here."""
    if not preset.backend:
        return
    if preset.backend not in session.engine().backends():
        told.append(f"There is no backend named {preset.backend[:80]!r}: {frame.title(session.backend())} is taken.")
        return
    session.put(session.BACKEND, preset.backend)
    if not preset.model:
        return
    found = session.survey(preset.backend)
    names = [info.name for info in found.models if info.installed or not info.wrong]
    # Only what a backend lists may come from a stranger; a server that cannot be asked now is asked by the run.
    is_unknown = not names and found.name != "embedded"
    if preset.model in names or is_unknown or (not from_link and _is_there(preset.backend, preset.model)):
        session.put(session.model_key(preset.backend), preset.model)
        return
    session.put(session.model_key(preset.backend), found.default_model or None)
    taken = session.model(found)
    instead = f": {taken} is taken" if taken else ""
    told.append(f"{frame.title(preset.backend)} has no model {preset.model[:80]!r}{instead}.")


def _is_there(backend: str, model: str) -> bool:
    try:
        session.engine().on_loop(session.engine().backend(backend).model(model), session.SURVEY_SECONDS)
    except (WorkbenchError, TimeoutError):
        return False
    return True


def _take_prompts(preset: Preset, told: list[str]) -> None:
    """Choose the versions of the prompts that are in the library."""
    for role in list(prompt_choice.chosen(preset.machine)):
        prompt_choice.clear(preset.machine, role)
    for role, digest in preset.prompts.items():
        try:
            version = session.engine().prompts.by_digest(preset.machine, role, digest)
        except PromptError as error:
            told.append(error.message)
            continue
        if version is None:
            told.append(f"The wording {digest[:12]} of {role} is not in the library: the default one is taken.")
        else:
            prompt_choice.choose(version)


def current() -> Preset | None:
    """What the form holds; None while a field of it cannot be used, which is said when it is run."""
    machine = catalogue.load(session.recall(session.MACHINE, catalogue.FIRST_CHOICE))
    prefix = session.option_prefix(machine.name)
    found = session.survey(session.backend())
    try:
        return Preset(
            machine=machine.name,
            backend=found.name,
            model=session.model(found),
            options=machine.options.model_validate(forms.read(machine.options, prefix)).model_dump(mode="json"),
            settings=ModelSettings.model_validate(forms.read(ModelSettings, session.SETTINGS)),
            limits=panel.limits(),
            prompts=_digests(machine.name),
            **{name: tuple(chosen) for name, chosen in panel.pauses(machine, prefix).items()},
        )
    except (ValidationError, PromptError):
        return None


def _digests(machine: str) -> dict[str, str]:
    library = session.engine().prompts
    chosen = prompt_choice.chosen(machine)
    return {role: library.find(machine, role, str(number)).digest for role, number in chosen.items()}


def used() -> None:
    """Remember the form that was just run: the next session begins with it."""
    form = current()
    if form is not None:
        store().used(session.recall(session.PRESET) or "", form.model_dump(mode="json"))


def draw() -> None:
    """The chosen preset's name and whether the form still is that; behind it what can be done with presets."""
    _tidy_address()
    saved = {one.name: one.content for one in store().all()}
    chosen = session.recall(session.PRESET)
    if chosen not in saved:
        session.put(session.PRESET, chosen := None)
    form = current()
    is_changed = chosen is not None and not _is(form, saved[chosen])
    words = f"Preset: {frame.plain(chosen)}" if chosen else "Presets"
    with st.container(key="presets", horizontal=True, vertical_alignment="center"):
        with st.popover(f"{words} (changed)" if is_changed else words, type="tertiary", key="presets-popover"):
            _draw_choice(list(saved), chosen, is_changed)
            _draw_keeping(chosen)
            _draw_link(form)
        if is_changed:
            st.button("Update it", key="preset-update", type="tertiary", on_click=_update, args=(chosen,))
            st.button("Back to it", key="preset-again", type="tertiary", on_click=_choose, args=(chosen,))
    _draw_told()


def _tidy_address() -> None:
    """A link's parts leave the address once a run is there; the chosen preset's name stays in it."""
    if session.recall(session.RUN) and "machine" in st.query_params:
        kept = {name: st.query_params[name] for name in OURS if name in st.query_params}
        st.query_params.from_dict(kept)
    if name := session.recall(session.PRESET):
        st.query_params[session.PRESET] = name
    else:
        st.query_params.pop(session.PRESET, None)


def _is(form: Preset | None, content: Mapping[str, Any]) -> bool:
    """Whether the form says just what was kept; the seed that a run drew is none."""
    try:
        return form is not None and form == presets.read(content).preset
    except WorkbenchError:
        return False


def _draw_choice(names: list[str], chosen: str | None, is_changed: bool) -> None:
    if not names:
        st.html('<p class="wb-hint">Save machine, model, options and limits under a name, to have them again.</p>')
        return
    st.html('<p class="wb-label">Saved presets</p>')
    for name in names:
        label = f"**{frame.plain(name)}**" if name == chosen else frame.plain(name)
        is_so = name == chosen and not is_changed
        st.button(label, key=f"preset-choose-{name}", width="stretch", disabled=is_so, on_click=_choose, args=(name,))


def _draw_keeping(chosen: str | None) -> None:
    """A name, and what can be done with it."""
    st.text_input("Name", key=session.PRESET_NAME, max_chars=presets.LONGEST_NAME, placeholder="A name for this form")
    with st.container(horizontal=True):
        st.button("Save as new", key="preset-save", type="primary", on_click=_save)
        if chosen:
            st.button("Rename", key="preset-rename", on_click=_rename, args=(chosen,))
            if session.recall(session.PRESET_DELETING) == chosen:
                st.button("Really delete", key="preset-delete-yes", on_click=_delete, args=(chosen,))
            else:
                asked = (session.PRESET_DELETING, chosen)
                st.button("Delete", key="preset-delete", on_click=session.put, args=asked)


def _draw_link(form: Preset | None) -> None:
    if form is None:
        st.html('<p class="wb-hint">A field of the form cannot be used: no link can be made of it.</p>')
        return
    st.html('<p class="wb-label">Link to this form, which works without your data; the question is not in it</p>')
    st.code(f"{_address()}/?{presets.to_query(form)}", language=None, wrap_lines=True)


def _address() -> str:
    """Where this app is, as the browser sees it."""
    scheme, _, rest = str(st.context.url or "").partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}" if rest else ""


def _draw_told() -> None:
    """What could not be had of the last preset, until it is read."""
    told: list[str] | None = session.recall(session.PRESET_TOLD)
    if told:
        with st.container(key="preset-told", horizontal=True, vertical_alignment="center"):
            st.warning("  \n".join(map(frame.plain, told)))
            st.button("Dismiss", key="preset-told-dismiss", on_click=session.put, args=(session.PRESET_TOLD, None))


def _choose(name: str) -> None:
    session.attempt(choose, name)


def _save() -> None:
    with forms.explained():
        name, form = presets.check_name(session.recall(session.PRESET_NAME) or ""), _form()
        store().save(name, form)
        _is_now(name, form)


def _update(name: str) -> None:
    with forms.explained():
        form = _form()
        store().update(name, form)
        _is_now(name, form)


def _is_now(name: str, form: dict[str, Any]) -> None:
    store().used(name, form)
    session.put(session.PRESET, name)
    session.put(session.PRESET_NAME, "")


def _rename(name: str) -> None:
    with session.explained():
        other = presets.check_name(session.recall(session.PRESET_NAME) or "")
        store().rename(name, other)
        _is_now(other, store().find(other).content)


def _delete(name: str) -> None:
    with session.explained():
        store().remove(name)
    session.put(session.PRESET, None)
    session.put(session.PRESET_DELETING, None)


def _form() -> dict[str, Any]:
    """The form as it is kept. Raises what is wrong with it."""
    form = current()
    if form is None:
        panel.request("?")  # which says what is wrong
    assert form is not None
    return form.model_dump(mode="json")
