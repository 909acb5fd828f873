"""Two stores, here and elsewhere, and a run that was really made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import finish, request, scripted_engine, step, verdict
from workbench.settings import Settings
from workbench.store.runs import RunStore

STEPS = [step("Look", "Short."), step("Count", "2 and 2."), step("Check", "So.", "final_answer"), "It is **four**."]
DRAFTS = ["A draft.", verdict("revise", 5, "short"), "A better draft.", verdict("accept", 9)]


@pytest.fixture
def here(settings: Settings) -> Iterator[RunStore]:
    """A store with one answered run of the stepwise machine."""
    with scripted_engine(settings, STEPS) as engine:
        _, view = finish(engine, engine.submit(request("stepwise")))
    assert view.finished and view.status == "answered", view.finished
    store = RunStore(settings.store_url)
    yield store
    store.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[RunStore]:
    """Another machine's empty store."""
    store = RunStore(f"sqlite:///{tmp_path / 'there' / 'runs.db'}")
    yield store
    store.close()
