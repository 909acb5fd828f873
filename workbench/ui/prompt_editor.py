"""The editor of a prompt: a template and its worked examples as turns, kept as a draft until it is saved."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from agents import catalogue
from workbench import prompts
from workbench.errors import WorkbenchError
from workbench.prompts import Prompt
from workbench.request import Example, Turn
from workbench.store.prompts import PromptVersion
from workbench.ui import forms, frame, session

VIEW = "Edit"
ROLES = ("user", "assistant")
_AREA: dict[str, Any] = {"height": "content", "on_change": "ignore", "persist_state": "session"}


def prefix(version: PromptVersion) -> str:
    """What the keys of a version's draft begin with: each has its own, so that looking elsewhere loses nothing."""
    return f"prompt-{version.machine}-{version.role}-{version.number}"


def begin(
    version: PromptVersion, template: str | None = None, examples: Sequence[Example] | None = None, note: str = ""
) -> None:
    """Put a version into its draft, or other words, which a new version is to have."""
    key = prefix(version)
    session.put(f"{key}-template", (version.template if template is None else template).rstrip("\n"))
    session.put(f"{key}-note", note)
    session.put(f"{key}-examples", [])
    for example in version.examples if examples is None else examples:
        _put_example(key, example)
    session.put(session.PROMPT_PROBLEM, None)


def is_changed(version: PromptVersion) -> bool:
    """Whether the version's draft holds anything that it does not say itself."""
    key = prefix(version)
    if session.recall(f"{key}-examples") is None:
        return False
    written = str(session.recall(f"{key}-template") or ""), read_examples(key)
    return bool(session.recall(f"{key}-note")) or not version.says(*written)


def append(version: PromptVersion, example: Example, note: str) -> str:
    """One more example in the version's draft, which has begun; its name there. The note is for one without."""
    key = prefix(version)
    if not session.recall(f"{key}-note"):
        session.put(f"{key}-note", note)
    return _put_example(key, example)


def place_of(version: PromptVersion, example: str) -> int:
    """Which of the draft's examples has that name, counted from 1; 0 where it is none of them."""
    names = [name for name, _ in session.recall(f"{prefix(version)}-examples") or ()]
    return names.index(example) + 1 if example in names else 0


def take_out(version: PromptVersion, example: str, note: str) -> None:
    """Remove an example from the version's draft, and its note where that still is this one."""
    key = prefix(version)
    _remove(key, example)
    if session.recall(f"{key}-note") == note:
        session.put(f"{key}-note", "")


def draw(version: PromptVersion, taken: str = "") -> None:
    """The editor with its button; what is wrong is said at its field. The example that was `taken` stands open."""
    key, prompt = prefix(version), prompts.built_in(version.machine, version.role)
    if session.recall(f"{key}-examples") is None:
        begin(version)
    with st.container(key="prompt-template"):
        st.text_area("Template", key=f"{key}-template", help=_HELP, **_AREA)
        _say_problem("template")
        st.caption(_filled_with(prompt))
    if prompts.shows_examples(version.machine, version.role):
        _draw_examples(key, version.machine, taken)
    else:
        st.caption("The machine shows no worked examples to this role.")
    _draw_end(version, key)


_HELP = "What stands behind a $ is filled in by the machine. $$ is a dollar sign; braces mean nothing."


def _filled_with(prompt: Prompt) -> str:
    names = ", ".join(f"`${name}`" for name in prompt.variables)
    return f"The machine fills in {names}: each has to be there." if names else "The machine fills nothing in here."


def _draw_examples(key: str, machine: str, taken: str) -> None:
    """The worked examples, each behind a line; and a way to one more."""
    held = session.recall(f"{key}-examples")
    st.markdown("**Worked examples**")
    st.caption("Earlier turns that the model is shown before the question, as if it had answered so.")
    for number, (example, turns) in enumerate(held, 1):
        _draw_example(key, number, example, turns, machine, is_read=example == taken)
    _say_problem("examples")
    st.button("Add an example", key=f"{key}-more", on_click=_add_example, args=(key,))


_EMPTY = Example(turns=(Turn(role="user", content=""), Turn(role="assistant", content="")))


def _draw_example(key: str, number: int, example: str, turns: list[str], machine: str, is_read: bool) -> None:
    asked = " ".join(str(session.recall(f"{turns[0]}-content", "")).split()) if turns else ""
    first = asked if len(asked) <= 60 else f"{asked[:59].rstrip()}…"
    said = frame.plain(first) or "(empty)"
    with st.expander(f"Example {number}: {said}", key=f"{example}-fold", expanded=is_read or not asked):
        if _uses_tools(machine):
            st.pills(
                "Shown only where these tools may be used",
                session.tools(session.recall(f"{example}-needs") or ()),
                selection_mode="multi",
                key=f"{example}-needs",
                persist_state="session",
            )
        for place, turn in enumerate(turns, 1):
            _draw_turn(key, example, turn, place)
        with st.container(horizontal=True):
            st.button("Add a turn", key=f"{example}-more", on_click=_add_turn, args=(key, example))
            st.button(
                "Remove the example", key=f"{example}-out", type="tertiary", on_click=_remove, args=(key, example)
            )


def _draw_turn(key: str, example: str, turn: str, place: int) -> None:
    with st.container(key=f"{turn}-place", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.selectbox(
                f"Who speaks in turn {place}",
                ROLES,
                key=f"{turn}-role",
                label_visibility="collapsed",
                width=140,
                persist_state="session",
            )
            st.button(
                "Remove",
                key=f"{turn}-out",
                type="tertiary",
                help=f"Remove turn {place}",
                on_click=_remove_turn,
                args=(key, example, turn),
            )
        st.text_area(f"Turn {place}", key=f"{turn}-content", label_visibility="collapsed", **_AREA)


def _draw_end(version: PromptVersion, key: str) -> None:
    """Why it was changed, by whom, and the button."""
    session.remember(session.PROMPT_AUTHOR, prompts.author(session.engine().settings.home))
    with st.container(key="prompt-end", horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Note",
            key=f"{key}-note",
            placeholder="What is different, and why",
            max_chars=2_000,
            on_change="ignore",
            persist_state="session",
        )
        st.text_input(
            "Author", key=session.PROMPT_AUTHOR, max_chars=200, width=170, on_change="ignore", persist_state="session"
        )
    _say_problem("note")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Save as a new version",
            key="prompt-save",
            type="primary",
            shortcut="Ctrl+Enter",
            on_click=save,
            args=(version,),
        )
        st.button("Discard changes", key="prompt-discard", type="tertiary", on_click=discard, args=(version,))


def save(version: PromptVersion) -> None:
    """Keep the draft as a new version and show that one; what is wrong is said at its field, and nothing is lost."""
    key, engine = prefix(version), session.engine()
    session.put(session.PROMPT_PROBLEM, None)
    field = "template"
    try:
        prompt = prompts.built_in(version.machine, version.role)
        words = Prompt(template=str(session.recall(f"{key}-template") or ""), variables=prompt.variables)
        prompts.check(words, "", prompt.template)
        field = "examples"
        examples = read_examples(key)
        prompts.check(words.model_copy(update={"examples": examples}))
        field = "note"
        author = str(session.recall(session.PROMPT_AUTHOR) or "")
        note = str(session.recall(f"{key}-note") or "")
        saved = engine.prompts.save(version.machine, version.role, words.template, examples, note, author)
        discard(version)
        session.open_prompt(version.machine, version.role, saved.number)
        session.put(session.PROMPT_SAID, _said(saved))
        prompts.remember_author(engine.settings.home, author.strip())
    except WorkbenchError as error:
        session.put(session.PROMPT_PROBLEM, (field, session.Problem(error.message, error.hint)))


def discard(version: PromptVersion) -> None:
    """Give the draft up, and with it what it took from a run."""
    begin(version)


def _said(saved: PromptVersion) -> str:
    if saved.repeated:
        return f"Nothing was saved: {saved.title} says exactly this."
    return f"Saved as version {saved.number}. Runs use it when it is chosen, or once it is the default."


def read_examples(key: str) -> tuple[Example, ...]:
    """The draft's worked examples."""
    return tuple(
        Example(
            needs=tuple(session.recall(f"{example}-needs") or ()),
            turns=tuple(
                Turn(role=session.recall(f"{turn}-role"), content=str(session.recall(f"{turn}-content") or ""))
                for turn in turns
            ),
        )
        for example, turns in session.recall(f"{key}-examples") or ()
    )


def _put_example(key: str, example: Example) -> str:
    """Add an example to the draft; its name. Keys are numbered on and on, so that none is ever another's."""
    name = _new(f"{key}-example")
    session.put(f"{name}-needs", list(example.needs))
    turns = [_put_turn(key, turn) for turn in example.turns]
    session.put(f"{key}-examples", [*session.recall(f"{key}-examples"), (name, turns)])
    return name


def _put_turn(key: str, turn: Turn) -> str:
    name = _new(f"{key}-turn")
    session.put(f"{name}-role", turn.role)
    session.put(f"{name}-content", turn.content)
    return name


def _add_example(key: str) -> None:
    _put_example(key, _EMPTY)


def _add_turn(key: str, example: str) -> None:
    held = session.recall(f"{key}-examples")
    turns = next(turns for name, turns in held if name == example)
    last = session.recall(f"{turns[-1]}-role") if turns else "assistant"
    turn = _put_turn(key, Turn(role="user" if last == "assistant" else "assistant", content=""))
    session.put(f"{key}-examples", [(name, [*turns, turn] if name == example else turns) for name, turns in held])


def _remove(key: str, example: str) -> None:
    session.put(f"{key}-examples", [one for one in session.recall(f"{key}-examples") if one[0] != example])


def _remove_turn(key: str, example: str, turn: str) -> None:
    held = session.recall(f"{key}-examples")
    session.put(
        f"{key}-examples",
        [(name, [one for one in turns if one != turn] if name == example else turns) for name, turns in held],
    )


def _new(stem: str) -> str:
    number = int(session.recall(session.PROMPT_PARTS, 0))
    session.put(session.PROMPT_PARTS, number + 1)
    return f"{stem}-{number}"


def _uses_tools(machine: str) -> bool:
    return forms.has_tools(catalogue.load(machine).options)


def _say_problem(field: str) -> None:
    where, problem = session.recall(session.PROMPT_PROBLEM) or ("", None)
    if problem is not None and where == field:
        st.error(frame.sentences(problem.message, problem.hint))
