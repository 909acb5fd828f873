"""The documents that the search tool reads: add text files, see what there is, remove them."""

from typing import Any

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.store.documents import Documents
from workbench.ui import frame, meaning, session
from workbench.ui.markdown import escape

LARGEST_MB = 20


def draw() -> None:
    """The list of documents with a button that removes each, and the place to add more."""
    st.markdown("**Documents to search**")
    for document in library().list():
        with st.container(key=f"document-{document.name}", horizontal=True, vertical_alignment="center"):
            passages = "1 passage" if document.chunks == 1 else f"{document.chunks:,} passages"
            facts = f"{document.characters:,} characters · {passages}"
            st.html(f'<p>{escape(document.name)} <span class="wb-label">{facts}</span></p>')
            st.button(
                "Remove",
                key=f"remove-{document.name}",
                on_click=session.attempt,
                args=(library().remove, document.name),
            )
    meaning.draw(library())
    # A new key after each upload empties the uploader: the list above says what was added.
    number = session.recall(session.UPLOADS, 0)
    added = st.file_uploader(
        "Add text files",
        type=["txt", "md"],
        accept_multiple_files=True,
        key=f"upload-{number}",
        max_upload_size=LARGEST_MB,
        help="The search tool finds passages in them and names the file and the line.",
    )
    if added:
        add(added)


def add(files: list[Any]) -> None:
    """Take files into the library; those that cannot be read say why and the others stay."""
    problems = []
    for file in files:
        try:
            library().add(file.name, file.getvalue())
        except WorkbenchError as error:
            problems.append(frame.sentences(error.message, error.hint))
    if problems:
        st.error("  \n".join(problems))
        return
    session.put(session.UPLOADS, session.recall(session.UPLOADS, 0) + 1)
    st.rerun()


def library() -> Documents:
    """The person's documents, as the search tool finds them."""
    return Documents(session.engine().settings.home / "documents.db")
