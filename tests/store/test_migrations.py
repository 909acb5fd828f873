"""How a log is opened that another version of the program wrote."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect

from tests.store.samples import begin, whole_run
from workbench.errors import StoreError
from workbench.store import migrations
from workbench.store.database import Database
from workbench.store.runs import RunStore
from workbench.store.tables import metadata


def test_the_steps_make_the_tables_that_the_code_expects(url: str) -> None:
    RunStore(url).close()
    engine = create_engine(url)
    found = inspect(engine)
    made = {name: {c["name"]: c["nullable"] for c in found.get_columns(name)} for name in found.get_table_names()}
    keys = {name: found.get_pk_constraint(name)["constrained_columns"] for name in made}
    indexes = {name: {i["name"] for i in found.get_indexes(name)} for name in made}
    engine.dispose()
    assert made == {t.name: {c.name: c.nullable for c in t.columns} for t in metadata.tables.values()}
    assert keys == {t.name: [c.name for c in t.primary_key.columns] for t in metadata.tables.values()}
    assert indexes == {t.name: {i.name for i in t.indexes} for t in metadata.tables.values()}


def add_a_step(monkeypatch: pytest.MonkeyPatch, *steps: migrations.Step) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, *steps))


def stars(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN stars INTEGER NOT NULL DEFAULT 0")


def breaks(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN half INTEGER")
    connection.exec_driver_sql("ALTER TABLE nothing ADD COLUMN half INTEGER")


def filled(url: str) -> None:
    store = RunStore(url)
    begin(store, "run-1")
    store.append(whole_run("run-1"))
    store.close()


def backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs.db.backup-*"))


def test_an_older_log_is_backed_up_and_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    filled(url)
    add_a_step(monkeypatch, stars)
    store = RunStore(url)
    assert len(store.events("run-1")) == 5
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT stars FROM runs").scalar() == 0
        assert connection.exec_driver_sql("SELECT number, name FROM schema_steps ORDER BY number").all() == [
            (1, "runs_and_events"),
            (2, "stars"),
        ]
    store.close()
    (backup,) = backups(tmp_path)
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT count(*) FROM events").fetchone() == (5,)
    assert "stars" not in str(copy.execute("SELECT sql FROM sqlite_master").fetchall())
    copy.close()


def test_a_log_that_is_up_to_date_is_not_backed_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    filled(url)
    RunStore(url).close()
    assert backups(tmp_path) == []


def test_an_older_log_without_runs_needs_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    RunStore(url).close()
    add_a_step(monkeypatch, stars)
    RunStore(url).close()
    assert backups(tmp_path) == []


def test_a_step_that_breaks_leaves_the_log_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(url)
    with monkeypatch.context() as patch:
        add_a_step(patch, stars, breaks)
        with pytest.raises(StoreError):
            RunStore(url)
    store = RunStore(url)
    assert len(store.events("run-1")) == 5
    with store.database.read() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("runs")}
    assert not names & {"stars", "half"}
    store.close()


def test_a_newer_log_is_refused_and_left_untouched(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        add_a_step(patch, stars)
        filled(url)
    with pytest.raises(StoreError, match=r"newer version .* \(schema 2; this one knows 1\)") as caught:
        RunStore(url)
    assert "Update" in caught.value.hint
    add_a_step(monkeypatch, stars)
    store = RunStore(url)
    assert len(store.events("run-1")) == 5
    store.close()


def test_another_programs_database_is_refused_and_left_untouched(url: str) -> None:
    engine = create_engine(url if not url.startswith("sqlite") else _made(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (mile INTEGER)")
    with pytest.raises(StoreError, match="another program"):
        Database(url)
    assert inspect(engine).get_table_names() == ["runs"]
    engine.dispose()


def _made(url: str) -> str:
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
    return url
