"""The database under the log: opens and migrates it, gives transactions, and maps its errors onto ours."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from workbench.errors import StoreError
from workbench.store import damage, failures
from workbench.store.failures import BUSY_SECONDS
from workbench.store.migrations import is_current, migrate


class Database:
    """One database, shared by all threads. `notice` tells what happened at its opening, if a person should know.

    SQLite is opened with a write-ahead log: pages read while the engine writes. Raises StoreError, StoreReadOnly
    and DiskFull, each with a sentence and the next action.
    """

    def __init__(self, url: str) -> None:
        self.notice = ""
        parsed = _parsed(url)
        self.file = _file(parsed)
        self._url = parsed.set(database=str(self.file)) if self.file else parsed
        self.name = str(self.file) if self.file else self._url.render_as_string(hide_password=True)
        self._lock = threading.Lock()
        self._engine = self._open()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with self._mapped(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, durable: bool = False) -> Iterator[Connection]:
        """A transaction, all or nothing; a `durable` one is on the disk at its end, even if the power fails then."""
        with self._mapped(), self._lock, self._engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            if self.file:  # SQLite takes this only outside a transaction
                _raw(connection).execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            with connection.begin():
                yield connection

    def integrity(self) -> str:
        """What is wrong with the database by its own check; empty when it is sound."""
        question = "PRAGMA integrity_check(3)" if self.file else "SELECT 'ok' FROM schema_steps WHERE number = 1"
        try:
            with self.read() as connection:
                found = [str(row[0]) for row in connection.exec_driver_sql(question)]
        except StoreError as error:
            return str(error)
        if found == ["ok"]:
            return ""
        if self.file:
            damage.suspect(self.file)
        return "; ".join(found)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _open(self) -> Engine:
        if self.file is None:
            return self._prepared()
        with _mapped_os(self.file.parent):
            self.file.parent.mkdir(parents=True, exist_ok=True)
        seen = damage.inode(self.file)
        try:
            return self._prepared()
        except StoreError as error:
            if not failures.is_damage(error.__cause__):
                raise
        self.notice = self._set_aside(seen)
        return self._prepared()

    def _prepared(self) -> Engine:
        """An engine on a sound database with the present schema."""
        try:
            engine = _engine(self._url)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"The driver for {self._url.drivername} is not installed ({error.name} is missing).",
                "Install it into the environment, for PostgreSQL: pip install 'psycopg[binary]'.",
            ) from None
        try:
            with self._mapped():
                if self.file:
                    _check(engine, self.file)
                with engine.connect() as connection:
                    current = is_current(connection)
                if not current:
                    with engine.connect() as plain, plain.execution_options(writes=True).begin():
                        migrate(plain, self._back_up)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _set_aside(self, seen: int | None) -> str:
        """Rename the damaged file and what belongs to it, unless another process has just done so."""
        assert self.file is not None
        with _mapped_os(self.file.parent):
            aside = damage.set_aside(self.file, seen)
        if aside is None:
            return ""
        return (
            f"The log of all runs, {self.file.name}, was damaged. It was set aside as {aside}, and a new one was begun:"
            " the runs in the old one are not listed any more."
        )

    def _back_up(self, version: int) -> None:
        """Copy a SQLite file before its schema changes; a database server has its own backups."""
        if self.file is None:
            return
        target = Path(f"{self.file}.backup-schema-{version}-{damage.now()}")
        source, copy = sqlite3.connect(self.file), sqlite3.connect(target)
        try:
            source.backup(copy)
        except sqlite3.Error:
            target.unlink(missing_ok=True)
            raise
        finally:
            source.close()
            copy.close()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
            cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(error, UnicodeDecodeError):
                cause = damage.corrupt(damage.UNREADABLE)
            if self.file and failures.is_damage(cause):
                damage.suspect(self.file)
            raise self._translated(cause) from cause

    def _translated(self, error: BaseException | None) -> StoreError:
        if isinstance(error, sqlite3.Error) and self.file:
            return failures.from_sqlite(error, self.file)
        return failures.from_server(error, self.name)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StoreError(
            "WORKBENCH_DATABASE_URL is not the address of a database that we know.",
            "It reads like sqlite:////folder/runs.db or postgresql+psycopg://user:password@host/name.",
        ) from None
    except ModuleNotFoundError as error:
        raise StoreError(f"The driver {error.name} is not installed.", f"pip install {error.name}") from None
    return parsed


def _file(url: URL) -> Path | None:
    """The file of a SQLite address; None for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise StoreError(
            "A log in memory would be lost with the program.",
            "Give WORKBENCH_DATABASE_URL a file: sqlite:////folder/runs.db.",
        )
    return Path(url.database).absolute()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, pool_size=8, max_overflow=24, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begin)
    return engine


def _connected(connection: sqlite3.Connection, _: object) -> None:
    """Transactions are ours to begin: Python's driver begins none before a SELECT or a CREATE TABLE."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA fullfsync=ON")  # macOS: its fsync leaves data in the disk's own cache


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _check(engine: Engine, file: Path) -> None:
    """Switch the write-ahead log on and look whether the file is sound. Raises sqlite3.DatabaseError."""
    with engine.connect() as connection:
        raw = _raw(connection)
        raw.execute("PRAGMA journal_mode=WAL")
        damage.check(raw, file)


@contextmanager
def _mapped_os(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise failures.from_os(error, folder) from error
