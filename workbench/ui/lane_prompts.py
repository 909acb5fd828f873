"""Which version of each prompt a lane has: chosen from the library, the default one where nothing is chosen."""

from collections.abc import Mapping

import streamlit as st

from agents.contract import Machine
from workbench.store.prompts import PromptVersion
from workbench.ui import session
from workbench.ui.fields import label

DEFAULT = -1  # whichever version is the default one when the lane starts


def draw(machine: Machine, prefix: str) -> None:
    """A choice for each role that has versions of its own; where none has, the way to write one."""
    library = session.engine().prompts.library(machine.name)
    own = {role: versions for role, versions in library.items() if len(versions) > 1}
    st.markdown("**Prompts**")
    if not own:
        st.caption("The built-in ones. Versions of your own are written under Prompts.")
    for role, versions in own.items():
        titles = {DEFAULT: _default_title(versions), **{one.number: one.title for one in versions}}
        key = _key(prefix, machine.name, role)
        if session.recall(key) not in titles:
            session.put(key, DEFAULT)
        st.selectbox(
            label(role).capitalize(), list(titles), format_func=titles.__getitem__, key=key, persist_state="session"
        )


def chosen(machine: Machine, prefix: str) -> dict[str, str]:
    """The roles whose version was chosen, with its number, as the library takes it."""
    held = {role: session.recall(_key(prefix, machine.name, role), DEFAULT) for role in _roles(machine)}
    return {role: str(number) for role, number in held.items() if number != DEFAULT}


def chips(machine: Machine, prefix: str) -> list[str]:
    """The versions that were chosen, as short words."""
    store = session.engine().prompts
    return [
        f"{label(role)}: {store.find(machine.name, role, ref).title}" for role, ref in chosen(machine, prefix).items()
    ]


def take(machine: Machine, digests: Mapping[str, str], prefix: str) -> None:
    """Choose the versions that a lane ran with; one that is the default, or that there is no more, is not a choice."""
    for role in _roles(machine):
        version = session.engine().prompts.by_digest(machine.name, role, digests.get(role, ""))
        number = DEFAULT if version is None or version.is_default else version.number
        session.put(_key(prefix, machine.name, role), number)


def choose(machine: Machine, refs: Mapping[str, str], prefix: str) -> None:
    """Choose versions by how a plan names them. Raises PromptError for one that there is not."""
    for role in _roles(machine):
        ref = refs.get(role)
        number = DEFAULT if ref is None else session.engine().prompts.find(machine.name, role, ref).number
        session.put(_key(prefix, machine.name, role), number)


def _roles(machine: Machine) -> list[str]:
    return list(session.engine().prompts.library(machine.name))


def _default_title(versions: list[PromptVersion]) -> str:
    return f"the default ({next(one.title for one in versions if one.is_default)})"


def _key(prefix: str, machine: str, role: str) -> str:
    return f"{prefix}-{machine}-{role}"
