"""What a person is told when the log cannot be kept, and that nothing is lost then."""

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.store.samples import begin, delta, whole_run
from workbench.errors import DiskFull, StoreError, StoreReadOnly
from workbench.store import damage, failures
from workbench.store.runs import RunStore

HALF = 80 * 4096  # behind the pages that hold the tables themselves


def address(folder: Path) -> str:
    return f"sqlite:///{folder / 'runs.db'}"


def sentence(error: StoreError) -> str:
    return f"{error} {error.hint}"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 2 MiB; making one takes a system administrator."""
    folder = tmp_path / "disk"
    folder.mkdir()
    asked = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if asked.returncode != 0:
        pytest.skip("a small disk cannot be mounted here; the page limit test covers the same path")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(store: RunStore, run_id: str) -> int:
    """Append until the disk is full; how many events were accepted."""
    seq = 0
    with pytest.raises(DiskFull) as caught:
        while seq < 5_000:
            store.append([delta(run_id, seq, "x" * 5_000), delta(run_id, seq + 1)])
            seq += 2
    assert "full" in str(caught.value)
    assert "Free some space" in caught.value.hint
    return seq


def test_a_full_disk_is_named_and_what_was_written_stays(small_disk: Path) -> None:
    store = RunStore(address(small_disk))
    begin(store, "run-1")
    written = fill(store, "run-1")
    assert written > 100
    assert [e.seq for e in store.events("run-1")] == list(range(written))
    store.close()


def test_writing_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)
    store = RunStore(address(small_disk))
    begin(store, "run-1")
    written = fill(store, "run-1")
    ballast.unlink()
    store.append([delta("run-1", written)])
    assert len(store.events("run-1")) == written + 1
    store.close()


def test_a_log_is_not_begun_on_a_full_disk(small_disk: Path) -> None:
    with pytest.raises(OSError), (small_disk / "ballast").open("wb") as ballast:
        while True:
            ballast.write(b"x" * 4096)
            ballast.flush()
    with pytest.raises(DiskFull, match=r"The disk with .* is full\."):
        RunStore(address(small_disk))


def test_a_database_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    store = RunStore(address(tmp_path))
    begin(store, "run-1")
    event.listen(store.database._engine, "checkout", lambda raw, *_: raw.execute("PRAGMA max_page_count=60"))
    written = fill(store, "run-1")
    assert [e.seq for e in store.events("run-1")] == list(range(written))
    store.close()


@contextmanager
def without_permission(folder: Path) -> Iterator[None]:
    """Nobody may write to the folder; root, whom permissions do not bind, acts as another user meanwhile."""
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_without_permission_is_named(open_folder: Path) -> None:
    with without_permission(open_folder), pytest.raises(StoreReadOnly, match=str(open_folder)) as caught:
        RunStore(address(open_folder))
    assert "WORKBENCH_HOME" in caught.value.hint


def test_a_folder_that_may_not_be_made_is_named(open_folder: Path) -> None:
    with without_permission(open_folder), pytest.raises(StoreReadOnly, match="home cannot be made"):
        RunStore(address(open_folder / "home"))


def test_an_old_log_in_a_folder_without_permission_is_kept(open_folder: Path) -> None:
    store = RunStore(address(open_folder))
    begin(store, "run-1")
    store.close()
    with without_permission(open_folder), pytest.raises(StoreReadOnly):
        RunStore(address(open_folder))
    store = RunStore(address(open_folder))
    assert (store.notice, store.run("run-1").id) == ("", "run-1")
    store.close()


def test_a_disk_that_becomes_read_only_is_named(small_disk: Path) -> None:
    store = RunStore(address(small_disk))
    begin(store, "run-1")
    store.append(whole_run("run-1"))
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        RunStore(address(small_disk))
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    store = RunStore(address(small_disk))
    assert len(store.events("run-1")) == 5
    store.close()


def test_a_database_opened_for_reading_only_says_so(tmp_path: Path) -> None:
    store = RunStore(address(tmp_path))
    begin(store, "run-1")
    event.listen(store.database._engine, "checkout", lambda raw, *_: raw.execute("PRAGMA query_only=ON"))
    with pytest.raises(StoreReadOnly):
        store.append([delta("run-1", 0)])
    store.close()


@pytest.mark.parametrize("content", [b"This is no database. " * 400, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_file_that_is_no_database_is_set_aside_and_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "runs.db").write_bytes(content)
    store = RunStore(address(tmp_path))
    (aside,) = [path for path in tmp_path.glob("runs.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))]
    assert aside.read_bytes() == content
    assert "damaged" in store.notice
    assert aside.name in store.notice
    begin(store, "run-1")
    store.close()
    assert RunStore(address(tmp_path)).notice == ""


def test_a_log_damaged_in_its_middle_is_set_aside(tmp_path: Path) -> None:
    store = RunStore(address(tmp_path))
    begin(store, "run-1")
    store.append([delta("run-1", seq, "x" * 500) for seq in range(500)])
    store.close()
    content = bytearray((tmp_path / "runs.db").read_bytes())
    content[8192:40960] = b"\xab" * (40960 - 8192)
    (tmp_path / "runs.db").write_bytes(content)
    store = RunStore(address(tmp_path))
    assert "set aside" in store.notice
    assert store.count() == 0
    store.close()
    assert len(list(tmp_path.glob("runs.db.corrupt-*"))) == 1


def test_damage_met_while_reading_is_told_in_a_sentence(tmp_path: Path) -> None:
    store = RunStore(address(tmp_path))
    begin(store, "run-1")
    store.append([delta("run-1", seq, "x" * 10_000) for seq in range(500)])
    store.close()
    store = RunStore(address(tmp_path))
    with (tmp_path / "runs.db").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xab" * 5_000_000)
    with pytest.raises(StoreError, match="is damaged") as caught:
        store.events("run-1")
    assert "Start again" in caught.value.hint
    assert store.database.integrity() != ""
    store.close()


def big_log(folder: Path) -> bytearray:
    """A sound log of half a megabyte that is closed."""
    store = RunStore(address(folder))
    begin(store, "run-1")
    store.append([delta("run-1", seq, "x" * 500) for seq in range(800)])
    store.close()
    return bytearray((folder / "runs.db").read_bytes())


def asides(folder: Path) -> list[Path]:
    return [path for path in folder.glob("runs.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))]


@pytest.mark.parametrize("wrong", ["header", "truncated", "cut to a stub", "page", "schema"])
def test_a_damaged_log_is_set_aside_and_a_person_is_told_where(tmp_path: Path, wrong: str) -> None:
    content = big_log(tmp_path)
    match wrong:
        case "header":
            content[:100] = b"\x5a" * 100
        case "truncated":
            content = content[: len(content) // 2]
        case "cut to a stub":
            content = content[:60]
        case "schema":
            content = content.replace(b"CREATE TABLE runs", b"CREATE \xff\xfe\x92LE runs")
        case "page":
            content[16384:20480] = b"\xab" * 4096
    (tmp_path / "runs.db").write_bytes(content)
    store = RunStore(address(tmp_path))
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == content
    assert "was damaged" in store.notice and str(aside) in store.notice
    assert (store.count(), store.database.integrity()) == (0, "")
    store.close()
    assert RunStore(address(tmp_path)).notice == ""


def test_the_write_ahead_log_of_a_damaged_log_goes_with_it(tmp_path: Path) -> None:
    big_log(tmp_path)
    store = RunStore(address(tmp_path))
    store.append([delta("run-1", 800, "only in the write-ahead log")])
    wal = (tmp_path / "runs.db-wal").read_bytes()
    with (tmp_path / "runs.db").open("r+b") as file:
        file.write(b"\x5a" * 100)
    other = RunStore(address(tmp_path))
    (aside,) = asides(tmp_path)
    assert Path(f"{aside}-wal").read_bytes() == wal
    assert other.count() == 0
    other.close()
    store.database._engine.dispose()


def test_damage_met_in_a_large_log_has_it_set_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = big_log(tmp_path)
    content[HALF:] = b"\xab" * len(content[HALF:])
    (tmp_path / "runs.db").write_bytes(content)
    monkeypatch.setattr(damage, "CHECKED_BYTES", 0)
    store = RunStore(address(tmp_path))
    assert (store.notice, store.count()) == ("", 1)
    with pytest.raises(StoreError, match="is damaged") as caught:
        store.events("run-1")
    assert "Start again: a damaged log is set aside" in caught.value.hint
    store.close()
    store = RunStore(address(tmp_path))
    assert "was damaged" in store.notice
    store.close()
    assert (RunStore(address(tmp_path)).notice, len(asides(tmp_path))) == ("", 1)


def test_a_suspect_log_that_proves_sound_is_kept(tmp_path: Path) -> None:
    big_log(tmp_path)
    damage.suspect(tmp_path / "runs.db")
    store = RunStore(address(tmp_path))
    assert (store.notice, len(store.events("run-1"))) == ("", 800)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["runs.db"]


def test_two_starts_set_a_damaged_log_aside_only_once(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(b"This is no database. " * 400)
    seen = damage.inode(tmp_path / "runs.db")
    store = RunStore(address(tmp_path))
    begin(store, "run-1")
    assert damage.set_aside(tmp_path / "runs.db", seen) is None
    assert store.count() == 1
    store.close()


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    (tmp_path / "runs.db").touch()
    store = RunStore(address(tmp_path))
    assert (store.notice, store.count(), store.database.integrity()) == ("", 0, "")
    store.close()


def test_a_log_that_another_program_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(address(tmp_path))
    begin(store, "run-1")
    event.listen(store.database._engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout=50"))
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="Another program"):
        store.append([delta("run-1", 0)])
    assert store.count() == 1
    other.execute("ROLLBACK")
    other.close()
    store.append([delta("run-1", 0)])
    store.close()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        RunStore(address(tmp_path / "file"))
    assert "file" in sentence(caught.value)
    (tmp_path / "runs.db").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        RunStore(address(tmp_path))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "oracle9://x", "http://localhost/x", "sqlite://", "sqlite:///:memory:", "mysql+none://x/y"]
)
def test_an_address_that_cannot_be_used_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        RunStore(url)
    assert "sqlite:////" in caught.value.hint


def test_a_missing_driver_says_what_to_install() -> None:
    with pytest.raises(StoreError, match="driver") as caught:
        RunStore("mysql+mysqldb://user:secret@localhost/runs")
    assert "pip install" in caught.value.hint
    assert "secret" not in sentence(caught.value)


class ServerError(Exception):
    """What PostgreSQL's driver raises, as far as we read it."""

    def __init__(self, sqlstate: str | None, text: str = "the server's own words\nand more") -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(("state", "kind"), [("53100", DiskFull), ("25006", StoreReadOnly), (None, StoreError)])
def test_a_servers_errors_are_told_in_sentences(state: str | None, kind: type[StoreError]) -> None:
    error = failures.from_server(ServerError(state), "postgresql://user:***@host/runs")
    assert type(error) is kind
    assert "postgresql://user:***@host/runs" in str(error)
    assert "and more" not in str(error)
    assert error.hint
