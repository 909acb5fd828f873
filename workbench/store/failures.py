"""What a database's errors mean: they are mapped here, and only here, onto StoreError and its kin."""

import errno
import os
import sqlite3
from pathlib import Path

from workbench.errors import DiskFull, StoreError, StoreReadOnly

BUSY_SECONDS = 10
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that its file is damaged or no database."""
    return isinstance(error, sqlite3.Error) and _code(error) in DAMAGED


def from_server(error: BaseException | None, name: str) -> StoreError:
    """What a database server's error means, by its SQLSTATE where it has one."""
    state = str(getattr(error, "sqlstate", None) or "")
    if state.startswith("53"):
        return DiskFull(f"The database {name} has no room left.", "Free some space on its server.")
    if state == "25006":
        return StoreReadOnly(f"The database {name} does not accept writes.", "Ask its keeper for write access.")
    return StoreError(
        f"The database {name} cannot be used: {_first_line(error)}",
        "Check that it runs and that WORKBENCH_DATABASE_URL is right.",
    )


def from_os(error: OSError, folder: Path) -> StoreError:
    """What an error of the file system means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk with {folder} is full.")
    if error.errno in UNWRITABLE:
        return StoreReadOnly(f"The folder {folder} cannot be made or written.")
    return StoreError(f"The folder {folder} cannot be used: {error.strerror}.", "Set WORKBENCH_HOME to another one.")


def from_sqlite(error: sqlite3.Error, file: Path) -> StoreError:
    """What SQLite's result code means for this file."""
    code, folder = _code(error), file.parent
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"The disk with {folder} is full.")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _from_folder(error, file)
    if code in DAMAGED:
        return StoreError(
            f"The log {file} is damaged: {_first_line(error)}",
            "Start again: a damaged log is set aside, and a new one begun.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"Another program has held {file} for more than {BUSY_SECONDS} seconds.",
            "Close what else has it open, then try again.",
        )
    return StoreError(f"The log {file} cannot be used: {_first_line(error)}", "`python -m workbench doctor` says more.")


def _from_folder(error: sqlite3.Error, file: Path) -> StoreError:
    """SQLite says only that it could not open, read or write: the folder says why."""
    folder = file.parent
    if not folder.is_dir():
        return StoreError(f"The folder {folder} is gone.", "Put it back, or set WORKBENCH_HOME to another one.")
    if file.is_dir():
        return StoreError(f"{file} is a folder, not a database.", "Set WORKBENCH_DATABASE_URL to a file.")
    state = os.statvfs(folder)
    if state.f_flag & os.ST_RDONLY or not _writable(folder) or _code(error) == sqlite3.SQLITE_READONLY:
        return StoreReadOnly(f"The folder {folder} cannot be written.")
    if state.f_bavail == 0 or (state.f_files and state.f_favail == 0):
        return DiskFull(f"The disk with {folder} is full.")
    if file.exists() and not _writable(file):
        return StoreReadOnly(f"The file {file} cannot be written.", "Give it write permission.")
    return StoreError(f"The log {file} cannot be read or written: {_first_line(error)}", "Check the disk.")


def _writable(path: Path) -> bool:
    """Asked for the user in effect, as the system does when it opens a file."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 when the driver itself complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
