"""Which versions of its prompts the next run on the bench uses: chosen, shown as chips, cleared."""

from typing import Any

import streamlit as st

from agents.contract import Machine
from workbench.errors import PromptError
from workbench.request import RunRequest
from workbench.store.prompts import PromptVersion
from workbench.ui import frame, session
from workbench.ui.fields import label

BACK = "Back to the default wording"


def chosen(machine: str) -> dict[str, int]:
    """The number of the version chosen for each role; roles that are not named have their default."""
    kept: dict[str, int] = session.recall(_key(machine), {})
    return kept


def choose(version: PromptVersion) -> None:
    """Use this version for its role; the default one needs no choice."""
    kept = {role: number for role, number in chosen(version.machine).items() if role != version.role}
    session.put(_key(version.machine), kept if version.is_default else kept | {version.role: version.number})


def clear(machine: str, role: str) -> None:
    """Let a role have its default version again."""
    session.put(_key(machine), {name: number for name, number in chosen(machine).items() if name != role})


def take(request: RunRequest) -> None:
    """Choose what a run used, as far as it is in the library and not the default by now."""
    used: dict[str, int] = {}
    for role, versions in session.engine().prompts.library(request.machine).items():
        built_in = versions[-1]
        template = request.prompts.get(role, built_in.template)
        examples = request.examples.get(role, built_in.examples)
        found = next((one for one in versions if one.says(template, examples)), None)
        if found is not None and not found.is_default:
            used[role] = found.number
    session.put(_key(request.machine), used)


def fields(machine: str) -> dict[str, Any]:
    """The chosen versions as fields of a request. Raises PromptError."""
    refs = {role: str(number) for role, number in chosen(machine).items()}
    templates, examples = session.engine().prompts.resolve(machine, refs)
    return {"prompts": templates, "examples": examples}


def chips(machine: str) -> list[str]:
    """Words for each role whose default is a version of the person's own, and is not replaced."""
    defaults = session.engine().prompts.defaults(machine)
    return [f"{label(role)}: {one.title}" for role, one in defaults.items() if role not in chosen(machine)]


def title(machine: str, role: str, number: int) -> str:
    """What a version is called, be it there or not."""
    try:
        return session.engine().prompts.find(machine, role, str(number)).title
    except PromptError:
        return f"version {number}, which is not there"


def draw(machine: Machine) -> None:
    """The chosen versions, each with a click that lets it go."""
    if not chosen(machine.name):
        return
    with st.container(key="wording", horizontal=True, vertical_alignment="center"):
        st.html('<p class="wb-hint">Wording of the next run</p>', width="content")
        for role, number in chosen(machine.name).items():
            st.button(
                f"{frame.plain(label(role))}: {frame.plain(title(machine.name, role, number))} ×",
                key=f"unword-{role}",
                help=BACK,
                on_click=clear,
                args=(machine.name, role),
            )


def draw_choices(machine: Machine) -> None:
    """A choice for each role that has versions of one's own, and the way to the page where they are written."""
    st.markdown("**Prompts**")
    library = session.engine().prompts.library(machine.name)
    own = {role: versions for role, versions in library.items() if len(versions) > 1}
    if own:
        with st.grid(3, min_column_width=210, gap=("small", "medium")):
            for role, versions in own.items():
                _draw_choice(machine.name, role, versions)
    st.page_link(
        "pages/prompts.py",
        label="Write versions of your own" if not own else "See and write versions",
        query_params={session.OF_PROMPTS: machine.name},
    )


def _draw_choice(machine: str, role: str, versions: list[PromptVersion]) -> None:
    titles = {one.number: f"{one.title} (default)" if one.is_default else one.title for one in versions}
    default = next(one.number for one in versions if one.is_default)
    key = f"{_key(machine)}-{role}"
    session.put(key, chosen(machine).get(role, default))
    if session.recall(key) not in titles:
        titles[session.recall(key)] = title(machine, role, session.recall(key))
    st.selectbox(
        label(role).capitalize(),
        list(titles),
        format_func=titles.__getitem__,
        key=key,
        on_change=_chose,
        args=(machine, role),
    )


def _chose(machine: str, role: str) -> None:
    with session.explained():
        choose(session.engine().prompts.find(machine, role, str(session.recall(f"{_key(machine)}-{role}"))))


def _key(machine: str) -> str:
    return f"{session.WORDING}-{machine}"
