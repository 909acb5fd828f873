"""The versions of a role's prompt: their list, one of them with what can be done with it, and two as a word diff."""

from collections.abc import Sequence

import streamlit as st

from workbench import moments
from workbench.errors import WorkbenchError
from workbench.store.prompts import PromptVersion
from workbench.ui import frame, prompt_choice, prompt_editor, prompt_example, prompt_record, session
from workbench.ui.fields import label
from workbench.ui.markdown import escape

VIEWS = (prompt_editor.VIEW, "Changes")


def draw_list(versions: Sequence[PromptVersion], opened: PromptVersion) -> None:
    """Every version, newest first; a click opens one."""
    with st.container(key="prompt-versions", gap=None):
        for one in versions:
            mark = "current" if one.number == opened.number else str(one.number)
            with st.container(key=f"prompt-row-{mark}", gap=None):
                st.button(
                    frame.plain(_capital(one.title)),
                    key=f"prompt-open-{one.number}",
                    type="tertiary",
                    on_click=session.open_prompt,
                    args=(one.machine, one.role, one.number),
                )
                st.html(row_html(one))


def row_html(version: PromptVersion) -> str:
    """What is to be known of a version in small: whether it is the default, why it is, whose, since when, its hash."""
    flag = '<span class="wb-flag">default</span> ' if version.is_default else ""
    tags = "".join(f'<span class="wb-flag">{escape(tag)}</span> ' for tag in version.tags)
    note = escape(version.note) if version.number else ""  # what the built-in one is for stands above the list
    facts = [version.author, moment(version.created_at), version.digest]
    line = " · ".join(escape(fact) for fact in facts if fact)
    return f'<div class="wb-version"><p>{flag}{tags}{note}</p><p class="wb-label">{line}</p></div>'


def moment(created_at: str) -> str:
    """A moment on this machine's clock; empty for none."""
    return moments.local(created_at)


def draw(versions: Sequence[PromptVersion], opened: PromptVersion) -> None:
    """The opened version: its name, what can be done with it, its words."""
    st.subheader(f"{label(opened.role).capitalize()}, {frame.plain(opened.title)}", anchor=False)
    _draw_actions(opened)
    _say()
    prompt_example.draw(opened)
    session.remember(session.PROMPT_VIEW, VIEWS[0])
    st.segmented_control(
        "What to see",
        VIEWS,
        key=session.PROMPT_VIEW,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    if session.recall(session.PROMPT_VIEW) == VIEWS[0]:
        prompt_editor.draw(opened, taken=prompt_example.example_in(opened))
    else:
        _draw_changes(versions, opened)


def _draw_actions(opened: PromptVersion) -> None:
    """Try it, make it the default or go back, name it."""
    with st.container(key="prompt-actions", horizontal=True, vertical_alignment="center"):
        if st.button(
            "Try on the bench", key="prompt-try", help="The next run there uses it", on_click=_try, args=(opened,)
        ):
            st.switch_page("pages/bench.py")
        if not opened.is_default:
            st.button(
                "Go back to the built-in" if not opened.number else "Make it the default",
                key="prompt-default",
                help="For new runs. Runs that there are keep their words.",
                on_click=_make_default,
                args=(opened,),
            )
        if opened.number:
            with st.popover("Name and tags", key="prompt-naming"):
                _draw_naming(opened)
        if opened.is_default:
            st.html('<p class="wb-hint">The default: runs use it unless another is chosen.</p>', width="content")


def _say() -> None:
    """What the last click did, once."""
    said = session.recall(session.PROMPT_SAID)
    if said:
        session.put(session.PROMPT_SAID, None)
        st.html(f'<p class="wb-hint wb-said" role="status">{escape(said)}</p>')


def _try(opened: PromptVersion) -> None:
    """Choose the version for the next run, on a bench that is clear for it."""
    session.close_run()
    session.put(session.MACHINE, opened.machine)
    prompt_choice.choose(opened)


def _make_default(opened: PromptVersion) -> None:
    with session.explained():
        session.engine().prompts.make_default(opened.machine, opened.role, opened.number)
        prompt_choice.clear(opened.machine, opened.role)
        session.put(session.PROMPT_SAID, f"New runs use {opened.title} now.")


def _draw_naming(opened: PromptVersion) -> None:
    key = f"{prompt_editor.prefix(opened)}-naming"
    with st.form(key, border=False):
        st.text_input("Name", value=opened.name, max_chars=200, key=f"{key}-name")
        st.text_input("Tags, with commas between them", value=", ".join(opened.tags), key=f"{key}-tags")
        where, problem = session.recall(session.PROMPT_PROBLEM) or ("", None)
        if problem is not None and where == "naming":
            st.error(frame.sentences(problem.message, problem.hint))
        st.form_submit_button("Keep", on_click=_keep_naming, args=(opened, key))


def _keep_naming(opened: PromptVersion, key: str) -> None:
    """Keep name and tags; what is wrong is said in the form."""
    session.put(session.PROMPT_PROBLEM, None)
    store, place = session.engine().prompts, (opened.machine, opened.role, opened.number)
    try:
        store.rename(*place, str(session.recall(f"{key}-name") or ""))
        store.tag(*place, str(session.recall(f"{key}-tags") or "").split(","))
    except WorkbenchError as error:
        session.put(session.PROMPT_PROBLEM, ("naming", session.Problem(error.message, error.hint)))


def _draw_changes(versions: Sequence[PromptVersion], opened: PromptVersion) -> None:
    """Any two versions as one text: what was struck, what was added."""
    if len(versions) == 1:
        st.caption("There is only the built-in version yet. Edit it and save: then this shows what you changed.")
        return
    titles = {one.number: one.title for one in versions}
    by_number = {one.number: one for one in versions}
    older = next((one.number for one in versions if one.number < opened.number), versions[0].number)
    key = f"{prompt_editor.prefix(opened)}-against"
    with st.container(key="prompt-against", horizontal=True):
        sides = []
        for name, first in (("From", older if opened.number else 0), ("To", opened.number or versions[0].number)):
            session.remember(f"{key}-{name}", first)
            sides.append(
                st.selectbox(
                    name, list(titles), format_func=titles.__getitem__, key=f"{key}-{name}", persist_state="session"
                )
            )
    before, after = (by_number[number] for number in sides)
    same = before.says(after.template, after.examples)
    words = "They say the same." if same else f"From {before.title} to {after.title}: struck words, added words."
    changes = prompt_record.changes_html(before, after)
    st.html(f'<p class="wb-hint">{escape(words)}</p><div class="wb-prompt">{changes}</div>')


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
