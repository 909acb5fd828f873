"""The documents of the bench's form: by which model they are compared by meaning, or why by none; having them read."""

import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.pages.driving import html

App = Callable[..., AppTest]


def with_a_document(app: App, **variables: str):
    at = app(**variables)
    at.button_group(key="machine").set_value("react").run()
    at.file_uploader(key="upload-0").set_value(("notes.txt", b"Refunds take 14 days.", "text/plain")).run()
    return at


def test_it_says_which_model_compares_them_and_has_them_read(app: App):
    at = with_a_document(app)
    assert "Found by their words, and by meaning with hashed-words." in html(at)
    assert "0 of 1 passages are read for it." in html(at)
    at.button(key="read-documents").click().run()
    deadline = time.monotonic() + 10
    while "are read" in html(at) and time.monotonic() < deadline:
        at.run()
    assert "passages are read" not in html(at) and not [one for one in at.button if one.key == "read-documents"]
    assert not at.exception


def test_where_nothing_compares_them_it_says_why(app: App):
    at = with_a_document(app, WORKBENCH_BACKEND="ollama", OLLAMA_HOST="http://127.0.0.1:9")
    assert "Found by their words alone. Ollama does not answer at http://127.0.0.1:9. Start it with ollama" in html(at)
    assert not at.exception
