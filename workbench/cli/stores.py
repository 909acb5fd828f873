"""The data that a command works on without an engine: opened, what a person should know of it said, closed again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.settings import Settings
from workbench.store.database import Database
from workbench.store.runs import RunStore


@contextmanager
def open_runs(settings: Settings) -> Iterator[RunStore]:
    """The runs; those whose process is gone are marked as interrupted. Raises StoreError."""
    store = RunStore(settings.store_url)
    try:
        _say(store.notice)
        store.mark_interrupted()
        yield store
    finally:
        store.close()


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database for other stores than that of the runs. Raises StoreError."""
    database = Database(settings.store_url)
    try:
        _say(database.notice)
        yield database
    finally:
        database.close()


def _say(notice: str) -> None:
    if notice:
        print(notice, file=sys.stderr)
