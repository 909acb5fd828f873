"""Damaged SQLite files: how they are found, and how they are set aside under another name, never overwritten."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

CHECKED_BYTES = 32 * 1024 * 1024  # a larger file is read through at its opening only when it is suspect
SUFFIXES = ("-shm", "-wal", "")  # the file itself last: nobody may begin a new one beside the old one's write-ahead log
UNREADABLE = "its schema is no text"  # SQLite quotes it in its message, which Python then cannot decode


def check(connection: sqlite3.Connection, file: Path) -> None:
    """Look whether the file is sound. Raises sqlite3.DatabaseError."""
    suspected = _mark(file).exists()
    question = "SELECT 'ok' FROM (SELECT count(*) FROM sqlite_master)"
    if suspected or file.stat().st_size <= CHECKED_BYTES:
        question = "PRAGMA quick_check(1)"
    try:
        found = connection.execute(question).fetchone()[0]
    except UnicodeDecodeError:
        raise corrupt(UNREADABLE) from None
    if found != "ok":
        raise corrupt(found)
    if suspected:
        _clear(file)


def corrupt(found: str) -> sqlite3.DatabaseError:
    """SQLite's own error for a damaged file."""
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def suspect(file: Path) -> None:
    """Damage was met in use: have the file read through at its next opening, however large it is."""
    with suppress(OSError):
        _mark(file).touch()


def inode(file: Path) -> int | None:
    """Which file has that name now; None when none has."""
    try:
        return file.stat().st_ino
    except OSError:
        return None


def set_aside(file: Path, seen: int | None) -> Path | None:
    """Rename the damaged file with what belongs to it; its new name, or None when another process has just done so.

    `seen` is its inode when the damage was found. Raises OSError.
    """
    with _alone(file.parent):
        if inode(file) != seen:
            return None
        aside = Path(f"{file}.corrupt-{now()}")
        for suffix in SUFFIXES:
            with suppress(FileNotFoundError):
                os.rename(f"{file}{suffix}", f"{aside}{suffix}")
        _clear(file)
        return aside


def now() -> str:
    """The time as a part of a file's name."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _mark(file: Path) -> Path:
    return Path(f"{file}.suspect")


def _clear(file: Path) -> None:
    with suppress(OSError):
        _mark(file).unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: a second one must not set aside what the first has just begun anew."""
    if sys.platform == "win32":  # there a file that another process has open cannot be renamed
        yield
        return
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
        os.fsync(opened)
    finally:
        os.close(opened)
