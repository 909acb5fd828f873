"""Versions as a file: taken away as YAML, brought in from one."""

import streamlit as st

from workbench.errors import PromptError, WorkbenchError
from workbench.store.prompts import Imported, PromptVersion
from workbench.ui import frame, session
from workbench.ui.fields import label

LARGEST_MB = 8
SCOPES = ("this version", "this role", "this machine", "all machines")
_SCOPE, _PASTED, _UPLOADED = (f"{session.PROMPT_FILE}-{name}" for name in ("scope", "pasted", "uploaded"))


def draw(opened: PromptVersion) -> None:
    """The export and the import, behind a line."""
    with st.expander("Export and import", key="prompt-carry"):
        left, right = st.columns(2, gap="medium")
        with left:
            _draw_export(opened)
        with right:
            _draw_import()


def _draw_export(opened: PromptVersion) -> None:
    st.markdown("**Export**")
    session.remember(_SCOPE, SCOPES[0])
    scope = st.selectbox("What", SCOPES, key=_SCOPE, persist_state="session")
    single = scope == SCOPES[0]
    try:
        text = _text(opened, scope)
    except PromptError as error:
        st.caption(frame.sentences(error.message, error.hint))
        return
    st.download_button(
        "Download as YAML",
        data=text,
        file_name=f"prompts-{opened.machine}-{opened.role}-{opened.number}.yaml" if single else "prompts.yaml",
        mime="application/yaml",
        on_click="ignore",
        key="prompt-export",
    )


def _text(opened: PromptVersion, scope: str) -> str:
    """The file."""
    store = session.engine().prompts
    if scope == SCOPES[0]:
        return store.export(opened.machine, opened.role, [opened.number])
    machine = opened.machine if scope in SCOPES[:3] else None
    return store.export(machine, opened.role if scope == SCOPES[1] else None)


def _draw_import() -> None:
    """A file or a text; what is new is added, nothing is replaced."""
    st.markdown("**Import**")
    uploader = f"{_UPLOADED}-{session.recall(session.PROMPT_UPLOADS, 0)}"
    st.file_uploader(
        "A YAML file that was exported",
        type=["yaml", "yml"],
        key=uploader,
        max_upload_size=LARGEST_MB,
    )
    st.text_area(
        "Or its text",
        key=_PASTED,
        height="content",
        on_change="ignore",
        placeholder="Paste it here",
    )
    where, problem = session.recall(session.PROMPT_PROBLEM) or ("", None)
    if problem is not None and where == "file":
        st.error(frame.sentences(problem.message, problem.hint))
    st.button("Import", key="prompt-import", on_click=_import, args=(uploader,))


def _import(uploader: str) -> None:
    """Add what is new in the file or the pasted text, and show it; what is wrong is said at the field."""
    session.put(session.PROMPT_PROBLEM, None)
    try:
        file = session.recall(uploader)
        done = session.engine().prompts.load(_read(file.getvalue() if file is not None else None))
    except WorkbenchError as error:
        session.put(session.PROMPT_PROBLEM, ("file", session.Problem(error.message, error.hint)))
        return
    session.put(_PASTED, "")
    session.put(session.PROMPT_UPLOADS, session.recall(session.PROMPT_UPLOADS, 0) + 1)  # a new key empties it
    session.put(session.PROMPT_SAID, said(done))
    first = (*done.added, *done.known)[0]
    session.open_prompt(first.machine, first.role, first.number)


def _read(data: bytes | None) -> str:
    if data is None:
        text = str(session.recall(_PASTED) or "")
        if not text.strip():
            raise PromptError("There is nothing to import.", "Choose a file, or paste its text.")
        return text
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise PromptError("The file is not UTF-8 text.", "Choose the YAML file that was exported.") from None


def said(done: Imported) -> str:
    """What an import brought."""
    added = ", ".join(f"{label(one.role)} {one.title}" for one in done.added)
    known = f"{len(done.known)} there already" if done.known else ""
    parts = [f"Added: {added}" if added else "Nothing was new", known]
    return "; ".join(filter(None, parts)) + ". Defaults stay as they are."
