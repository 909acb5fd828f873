"""The prompt library: each role's versions, an editor, word diffs, and the way to try one on the bench."""

import streamlit as st

from agents import catalogue
from workbench import prompts
from workbench.errors import PromptError
from workbench.store.prompts import PromptVersion
from workbench.ui import frame, prompt_carry, prompt_versions, session
from workbench.ui.fields import label
from workbench.ui.markdown import escape

LONGEST_NUMBER = 9  # digits that a version's number may have in an address


def page() -> None:
    """Machine and role, the role's versions, and the one that is open."""
    st.title("Prompts", anchor=False)
    frame.show_problem()
    machine, role = chosen()
    choose(machine)
    library = session.engine().prompts.library(machine)
    versions = library[role]
    opened = open_version(versions)
    left, right = st.columns((270, 692), gap="medium")
    with left:
        draw_role(machine, role, library)
        prompt_versions.draw_list(versions, opened)
    with right, st.container(key="prompt-opened"):
        prompt_versions.draw(versions, opened)
    prompt_carry.draw(opened)


def chosen() -> tuple[str, str]:
    """The machine and role that the address names; without one those of the session, or of the bench."""
    if session.OF_PROMPTS in st.query_params:
        named = [st.query_params.get(key) for key in (session.OF_PROMPTS, session.OF_ROLE, session.OF_VERSION)]
    else:
        named = [session.recall(key) for key in (session.PROMPT_MACHINE, session.PROMPT_ROLE, session.PROMPT_VERSION)]
    machine, role, version = named
    machine = machine or session.recall(session.MACHINE) or catalogue.FIRST_CHOICE
    if machine not in catalogue.MACHINES:
        frame.show(PromptError(f"There is no machine named {machine!r}.", "Choose one of these."))
        machine = catalogue.FIRST_CHOICE
    roles = list(prompts.load(machine).roles)
    if role not in roles:
        if role:
            frame.show(PromptError(f"This machine has no role {role!r}.", "This is its first one."))
        role, version = roles[0], None
    session.open_prompt(machine, role, number_of(version))
    return machine, role


def number_of(version: str | int | None) -> int | None:
    """The version's number; None, with a word about it, for a text that is none."""
    if version is None or isinstance(version, int):
        return version
    if version.isdecimal() and len(version) <= LONGEST_NUMBER:
        return int(version)
    said = version if len(version) <= LONGEST_NUMBER else f"{version[:LONGEST_NUMBER]}…"
    frame.show(PromptError(f"There is no version {said} of this role.", "This is the default one."))
    return None


def choose(machine: str) -> None:
    """The gallery of machines."""
    titles = {name: catalogue.load(name).title for name in catalogue.MACHINES}
    st.pills(
        "Machine",
        catalogue.MACHINES,
        format_func=titles.__getitem__,
        required=True,
        key=session.PROMPT_MACHINE,
        on_change=turn_to_machine,
        label_visibility="collapsed",
    )


def turn_to_machine() -> None:
    """Another machine: its first role."""
    machine = session.recall(session.PROMPT_MACHINE)
    session.open_prompt(machine, next(iter(prompts.load(machine).roles)))


def draw_role(machine: str, role: str, library: dict[str, list[PromptVersion]]) -> None:
    """The machine's roles with what each is for."""
    counts = {name: len(versions) - 1 for name, versions in library.items()}
    words = {name: label(name).capitalize() + (f" · {count} own" if count else "") for name, count in counts.items()}
    st.selectbox("Role", list(words), format_func=words.__getitem__, key=session.PROMPT_ROLE, on_change=turn_to_role)
    st.html(f'<p class="wb-hint">{escape(prompts.built_in(machine, role).note)}</p>')


def turn_to_role() -> None:
    """Another role: its default version."""
    session.open_prompt(session.recall(session.PROMPT_MACHINE), session.recall(session.PROMPT_ROLE))


def open_version(versions: list[PromptVersion]) -> PromptVersion:
    """The version that the address names, else the default one."""
    default = next(one for one in versions if one.is_default)
    number = session.recall(session.PROMPT_VERSION)
    if number is None:
        return default
    found = next((one for one in versions if one.number == number), None)
    if found is None:
        frame.show(PromptError(f"There is no version {number} of this role.", "This is the default one."))
    return found or default


frame.around(page)
