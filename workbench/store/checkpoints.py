"""LangGraph's checkpoints, in a SQLite file beside the log: they serve resuming and forking alone."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, copy_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from workbench.errors import StoreError
from workbench.store import damage
from workbench.store.failures import BUSY_SECONDS, from_os, from_sqlite, is_damage

Result = TypeVar("Result")


class OrderedSaver(AsyncSqliteSaver):
    """LangGraph's saver, which calls `before(thread_id)` first: what a checkpoint holds must be on the log already.

    Whatever `before` raises ends the write. `notice` tells what happened at the opening, if a person should know. A
    write that has begun ends even when its task is cancelled: a transaction left open would lock other processes out.
    """

    def __init__(self, connection: aiosqlite.Connection, notice: str = "") -> None:
        super().__init__(connection)
        self.before: Callable[[str], None] = lambda thread_id: None
        self.notice = notice

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint."""
        self.before(str(config["configurable"]["thread_id"]))
        return await _to_its_end(self._whole(super().aput(config, checkpoint, metadata, new_versions)))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a node wrote before the others of its step have ended."""
        self.before(str(config["configurable"]["thread_id"]))
        await _to_its_end(self._whole(super().aput_writes(config, writes, task_id, task_path)))

    async def _whole(self, write: Coroutine[Any, Any, Result]) -> Result:
        """All of a write or nothing: the driver leaves a failed one's transaction open."""
        try:
            return await write
        except sqlite3.Error:
            async with self.lock:
                await self.conn.rollback()
            raise


def path_in(home: Path) -> Path:
    """Where the checkpoints are."""
    return home / "checkpoints.db"


async def open_saver(home: Path) -> OrderedSaver:
    """Open the file, or set a damaged one aside first. The connection is the caller's to close. Raises StoreError."""
    path = path_in(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        notice = await asyncio.to_thread(_made_sound, path)
        connection = await aiosqlite.connect(path, timeout=BUSY_SECONDS)
    except OSError as error:
        raise from_os(error, home) from None
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from None
    try:
        saver = OrderedSaver(connection, notice)
        await saver.setup()
        for pragma in ("synchronous=FULL", "fullfsync=ON"):  # each checkpoint is on the disk, even if the power fails
            await connection.execute(f"PRAGMA {pragma}")
        return saver
    except BaseException as error:
        await connection.close()
        raise failure(error, home) or error from None


async def copy(
    saver: AsyncSqliteSaver, from_thread: str, checkpoint_id: str, to_thread: str, values: Mapping[str, Any]
) -> None:
    """Copy one checkpoint to a thread, with `values` in place of its channels' values; the same nodes are due next.

    Its history and its unfinished step's writes stay behind. On its own thread the copy becomes the newest. Raises
    StoreError when there is no such checkpoint.
    """
    place = {"thread_id": from_thread, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}
    found = await saver.aget_tuple({"configurable": place})
    if found is None:
        raise StoreError(
            f"The state of run {from_thread} at this step is not kept any more.",
            "Choose another step, or run it again.",
        )
    checkpoint, target = copy_checkpoint(found.checkpoint), {"thread_id": to_thread, "checkpoint_ns": ""}
    if to_thread == from_thread:
        checkpoint["id"] = str(uuid6())
        target["checkpoint_id"] = checkpoint_id
    checkpoint["channel_values"].update(values)
    versions = checkpoint["channel_versions"]
    newest = max(versions.values(), default=saver.get_next_version(None, None))
    for channel in values:  # LangGraph drops a value without a version at its next checkpoint
        versions.setdefault(channel, newest)
    metadata: CheckpointMetadata = {**found.metadata, "source": "fork"}
    await saver.aput({"configurable": target}, checkpoint, metadata, versions)


def failure(error: BaseException, home: Path) -> StoreError | None:
    """What an error of the checkpoints' database means; None for any other error."""
    if not isinstance(error, sqlite3.Error):
        return None
    if is_damage(error):
        damage.suspect(path_in(home))
    return from_sqlite(error, path_in(home))


def forget(home: Path, *run_ids: str) -> None:
    """Delete the checkpoints of runs, if there are any. Raises StoreError."""
    path = path_in(home)
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)) as connection:
            SqliteSaver(connection).setup()
            for table in ("checkpoints", "writes"):
                connection.executemany(f"DELETE FROM {table} WHERE thread_id = ?", [(run_id,) for run_id in run_ids])
            connection.commit()
    except sqlite3.Error as error:
        raise failure(error, home) or error from None


def _made_sound(path: Path) -> str:
    """Set a damaged file aside; what a person should know of it."""
    seen = damage.inode(path)
    if seen is None:
        return ""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            damage.check(connection, path)
        return ""
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    aside = damage.set_aside(path, seen)
    if aside is None:
        return ""
    return (
        f"The checkpoints, {path.name}, were damaged. They were set aside as {aside}, and new ones were begun: the logs"
        " of earlier runs are kept, but those runs cannot be resumed or forked."
    )


async def _to_its_end(write: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
