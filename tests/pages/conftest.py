"""The app as AppTest runs it, on the scripted backend, with an engine of its own for each test."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import yaml
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from tests.pages.driving import STEPS, open_app
from workbench.engine import Engine
from workbench.ui import session


@pytest.fixture(autouse=True)
def pages_in_their_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run app.py before the page, as a server does: AppTest forgets between runs that st.navigation was called."""
    begin = PagesManager.__init__

    def begin_with_navigation(self: PagesManager, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin_with_navigation)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Open the app: `app(answers, WORKBENCH_BACKEND="scripted")`; a second call reopens it on the same engine."""

    def open_(answers: list[Any] = STEPS, **env: str) -> AppTest:
        script = tmp_path / "script.yaml"
        script.write_text(yaml.safe_dump(answers))
        wanted = {"WORKBENCH_BACKEND": "scripted", "WORKBENCH_SCRIPT": str(script), "WORKBENCH_SCRIPT_SPEED": "1000"}
        for name, value in (wanted | env).items():
            monkeypatch.setenv(name, value)
        return open_app()

    st.cache_resource.clear()
    yield open_
    with suppress(Exception):  # a test may have seen to it that there is no engine
        session.engine().close()
    st.cache_resource.clear()


@pytest.fixture
def engine() -> Callable[[], Engine]:
    """The engine behind the opened app."""
    return session.engine
