"""LangGraph's checkpoints, in a SQLite file beside the log: they serve resuming alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from workbench.errors import StoreError
from workbench.store.failures import from_os, from_sqlite


def path_in(home: Path) -> Path:
    """Where the checkpoints are."""
    return home / "checkpoints.db"


async def open_saver(home: Path) -> AsyncSqliteSaver:
    """LangGraph's saver on the file; its connection is the caller's to close. Raises StoreError."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        saver = AsyncSqliteSaver(await aiosqlite.connect(path_in(home)))
        await saver.setup()
        return saver
    except OSError as error:
        raise from_os(error, home) from None
    except sqlite3.Error as error:
        raise from_sqlite(error, path_in(home)) from None


def failure(error: Exception, home: Path) -> StoreError | None:
    """What an error of the checkpoints' database means; None for any other error."""
    return from_sqlite(error, path_in(home)) if isinstance(error, sqlite3.Error) else None


def forget(home: Path, run_id: str) -> None:
    """Delete a run's checkpoints, if there are any. Raises StoreError."""
    path = path_in(home)
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=5, check_same_thread=False)) as connection:
            SqliteSaver(connection).delete_thread(run_id)
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from None
