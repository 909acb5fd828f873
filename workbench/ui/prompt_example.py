"""An example from a good run: taken on the bench with a click, edited in the editor, saved with a new version."""

from dataclasses import dataclass

import streamlit as st

from workbench import examples, prompts
from workbench.errors import InvalidRequest
from workbench.job import first_request
from workbench.request import Example, RunRequest
from workbench.store.prompts import PromptVersion
from workbench.ui import frame, prompt_editor, session
from workbench.ui.fields import label

HELP = "Show this question and its answer to the model in later runs: read and edit it first, on the Prompts page."


@dataclass(frozen=True)
class Taken:
    """What a run offers: an example for each role that was asked and is shown examples."""

    run_id: str
    request: RunRequest
    offered: dict[str, Example]


def button(run_id: str, machine: str) -> None:
    """The click, where the machine shows examples to any of its roles."""
    if machine not in prompts.machines():
        return
    if not any(prompts.shows_examples(machine, role) for role in prompts.load(machine).roles):
        return
    if st.button("Use as an example", key="use-example", help=HELP):
        if _take(run_id):
            st.switch_page("pages/prompts.py")
        st.rerun()


def _take(run_id: str) -> bool:
    """Put the run's example into a draft; False, with a word why, where it has none."""
    with session.explained():
        events = session.engine().store.events(run_id)
        found = examples.from_run(events)
        if not found:
            raise InvalidRequest(
                "This run holds no example.", "No role that is shown examples was asked in it, in words alone."
            )
        session.put(session.PROMPT_TAKEN, Taken(run_id, first_request(events), found))
        _open(next(iter(found)))
        return True
    return False


def _open(role: str) -> None:
    """The example as one more of the role's, over the words that the run used."""
    taken: Taken = session.recall(session.PROMPT_TAKEN)
    machine = taken.request.machine
    versions = session.engine().prompts.versions(machine, role)
    template = taken.request.prompts.get(role, versions[-1].template)
    shown = taken.request.examples.get(role, versions[-1].examples)
    used = next((one for one in versions if one.says(template, shown)), versions[-1])
    note = f"With an example from run {taken.run_id}"
    prompt_editor.begin(used, template, [*shown, taken.offered[role]], note)
    session.open_prompt(machine, role, used.number)
    session.put(session.PROMPT_VIEW, prompt_editor.VIEW)


def draw(opened: PromptVersion) -> None:
    """What to do with an example that was taken, and for which other roles the run has one."""
    taken: Taken | None = session.recall(session.PROMPT_TAKEN)
    if taken is None or (opened.machine, opened.role) not in ((taken.request.machine, role) for role in taken.offered):
        return
    with st.container(key="prompt-taken", horizontal=True, vertical_alignment="center"):
        frame.notice(
            f"The last example is from run {taken.run_id}",
            "Read it, shorten it, and save it as a new version. Nothing is kept before that.",
        )
        for role in taken.offered:
            if role != opened.role:
                words = f"Take it for the {label(role)} instead"
                st.button(words, key=f"prompt-take-{role}", on_click=_open_instead, args=(opened, role))
        st.button("Do not use it", key="prompt-untake", type="tertiary", on_click=prompt_editor.discard, args=(opened,))


def _open_instead(opened: PromptVersion, role: str) -> None:
    prompt_editor.begin(opened)
    _open(role)
