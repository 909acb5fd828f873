"""The wording that a run used: each role's version, its text, and what that changes in the built-in one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from pydantic import ValidationError
from streamlit.delta_generator import DeltaGenerator

from workbench import prompts
from workbench.errors import PromptError
from workbench.events import RunStarted
from workbench.prompts import Prompt
from workbench.request import Example, RunRequest
from workbench.store.prompts import BUILT_IN, PromptVersion
from workbench.ui import frame, session
from workbench.ui.diff import diff_html
from workbench.ui.fields import label
from workbench.ui.markdown import escape, plain

EDITED = "edited for this run"


@dataclass(frozen=True)
class Used:
    """A role's prompt as a run used it. `number` is its version here, None for words that are in no version.

    `prompt` is None where the log does not have the words: the built-in ones of another version of the app.
    """

    role: str
    title: str
    digest: str
    number: int | None = None
    prompt: Prompt | None = None
    built_in: Prompt | None = None


def draw(place: DeltaGenerator, started: RunStarted) -> None:
    """A quiet line that opens: which version each role had."""
    found = used(started)
    if not found:
        return
    own = [one for one in found if one.title != BUILT_IN]
    words = ", ".join(f"{label(one.role)} {one.title}" for one in own) or BUILT_IN
    with place.expander(f"Prompts of this run: {frame.plain(words)}", type="compact", key="prompts-used"):
        st.html("".join(map(used_html, found)))
        machine, first = str(started.request.get("machine", "")), (own or found)[0]
        if machine in prompts.machines() and first.built_in is not None:
            query = {session.OF_PROMPTS: machine, session.OF_ROLE: first.role}
            if first.number is not None:
                query[session.OF_VERSION] = str(first.number)
            st.page_link("pages/prompts.py", label="Open them under Prompts", query_params=query)


def used(started: RunStarted) -> list[Used]:
    """What the run used, role by role, as its log says."""
    try:
        request = RunRequest.model_validate(started.request)
    except ValidationError:
        return []
    try:
        library = session.engine().prompts.library(request.machine)
    except PromptError:  # a machine that this version of the app does not have
        library = {}
    roles = dict.fromkeys((*started.prompts, *request.prompts, *request.examples))
    return [_of_role(role, started, request, library) for role in roles]


def _of_role(role: str, started: RunStarted, request: RunRequest, library: Mapping[str, list[PromptVersion]]) -> Used:
    versions, digest = library.get(role, []), started.prompts.get(role, "")
    own = prompts.built_in(request.machine, role) if versions else None
    named = role in request.prompts or role in request.examples
    template = request.prompts.get(role, own.template if own else "")
    examples = request.examples.get(role, own.examples if own else ())
    found = next((one for one in versions if one.digest == digest or (named and one.says(template, examples))), None)
    if found is not None:
        prompt = Prompt(template=found.template, examples=found.examples)
        return Used(role, found.title, found.digest, found.number, prompt, own)
    if named:
        return Used(role, EDITED, digest, None, Prompt(template=template, examples=examples), own)
    return Used(role, f"{BUILT_IN} of Second Thought {started.version}", digest, None, None, own)


def used_html(one: Used) -> str:
    """A role's version, and behind it the text: what it changes in the built-in one, or as it is."""
    summary = f'{escape(label(one.role))} <b>{escape(one.title)}</b> <span class="wb-label">{escape(one.digest)}</span>'
    if one.prompt is None:
        text = '<p class="wb-hint">The log has its hash. Its words are in what was sent, at each step.</p>'
    elif one.built_in is None or one.title == BUILT_IN:
        text = plain(text_of(one.prompt.template, one.prompt.examples))
    else:
        text = changes_html(one.built_in, one.prompt)
    return f'<details class="wb-wording"><summary>{summary}</summary>{text}</details>'


def changes_html(before: Any, after: Any) -> str:
    """What one prompt changes in another, in words; both have a template and examples."""
    old, new = (text_of(one.template, one.examples) for one in (before, after))
    return diff_html(old, new)


def text_of(template: str, examples: tuple[Example, ...]) -> str:
    """A prompt as one text: the template, then its worked examples turn by turn."""
    parts = [template.rstrip("\n")]
    for number, example in enumerate(examples, 1):
        needs = f", if it may use {', '.join(example.needs)}" if example.needs else ""
        turns = "\n\n".join(f"{turn.role}: {turn.content}" for turn in example.turns)
        parts.append(f"Example {number}{needs}\n\n{turns}")
    return "\n\n".join(parts)
