"""An example from a good run: taken on the bench with a click, edited in the editor, saved with a new version."""

from dataclasses import dataclass, replace

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
    """What a run offers, an example for each role that was asked and is shown examples, and which one is in a draft.

    `version` is whose draft that is, `example` its name there.
    """

    run_id: str
    request: RunRequest
    offered: dict[str, Example]
    version: PromptVersion | None = None
    example: str = ""

    @property
    def note(self) -> str:
        """What a new version with the example is noted as."""
        return f"With an example from run {self.run_id}"


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
        if _is_open(run_id):
            return True
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


def _is_open(run_id: str) -> bool:
    """Whether the run's example is in a draft already, which is opened then."""
    taken: Taken | None = session.recall(session.PROMPT_TAKEN)
    if taken is None or taken.run_id != run_id or taken.version is None:
        return False
    held = taken.version
    if not prompt_editor.place_of(held, taken.example):
        return False
    session.open_prompt(held.machine, held.role, held.number)
    session.put(session.PROMPT_VIEW, prompt_editor.VIEW)
    return True


def _open(role: str) -> None:
    """The example as one more of the role's: in the draft that is being written, else over the run's own words."""
    taken: Taken = session.recall(session.PROMPT_TAKEN)
    machine = taken.request.machine
    versions = session.engine().prompts.versions(machine, role)
    template = taken.request.prompts.get(role, versions[-1].template)
    shown = taken.request.examples.get(role, versions[-1].examples)
    used = next((one for one in versions if one.says(template, shown)), versions[-1])
    if not prompt_editor.is_changed(used):
        prompt_editor.begin(used, template, shown)
    name = prompt_editor.append(used, taken.offered[role], taken.note)
    session.put(session.PROMPT_TAKEN, replace(taken, version=used, example=name))
    session.open_prompt(machine, role, used.number)
    session.put(session.PROMPT_VIEW, prompt_editor.VIEW)


def example_in(opened: PromptVersion) -> str:
    """The name of the example that was taken, where it is in this version's draft; empty otherwise."""
    taken: Taken | None = session.recall(session.PROMPT_TAKEN)
    return taken.example if taken is not None and prompt_editor.place_of(opened, taken.example) else ""


def draw(opened: PromptVersion) -> None:
    """What to do with an example that was taken, and for which other roles the run has one."""
    taken: Taken | None = session.recall(session.PROMPT_TAKEN)
    if taken is None or not example_in(opened):
        return
    with st.container(key="prompt-taken", horizontal=True, vertical_alignment="center"):
        frame.notice(
            f"Example {prompt_editor.place_of(opened, taken.example)} is from run {taken.run_id}",
            "Read it, shorten it, and save it as a new version. Nothing is kept before that.",
        )
        for role in taken.offered:
            if role != opened.role:
                words = f"Take it for the {label(role)} instead"
                st.button(words, key=f"prompt-take-{role}", on_click=_open_instead, args=(role,))
        st.button("Do not use it", key="prompt-untake", type="tertiary", on_click=_untake)


def _untake() -> None:
    """Remove the example, and nothing else, from the draft that it was put into."""
    taken: Taken | None = session.recall(session.PROMPT_TAKEN)
    if taken is not None and taken.version is not None:
        prompt_editor.take_out(taken.version, taken.example, taken.note)
        session.put(session.PROMPT_TAKEN, replace(taken, version=None, example=""))


def _open_instead(role: str) -> None:
    _untake()
    _open(role)
