"""How a log is opened that another version of the program wrote."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect

from tests.store.samples import a_request, begin, whole_run
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
    indexes = {name: {i["name"]: i["column_names"] for i in found.get_indexes(name)} for name in made}
    engine.dispose()
    assert made == {t.name: {c.name: c.nullable for c in t.columns} for t in metadata.tables.values()}
    assert keys == {t.name: [c.name for c in t.primary_key.columns] for t in metadata.tables.values()}
    wanted = {t.name: {i.name: [c.name for c in i.columns] for i in t.indexes} for t in metadata.tables.values()}
    assert indexes == wanted


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
            (2, "families"),
            (3, "experiments"),
            (4, "models"),
            (5, "memories"),
            (6, "stars"),
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


STEP_1 = """
CREATE TABLE schema_steps (
    number INTEGER NOT NULL, name VARCHAR(100) NOT NULL, applied_at VARCHAR(40) NOT NULL, PRIMARY KEY (number));
INSERT INTO schema_steps VALUES (1, 'runs_and_events', '2026-11-23T09:00:00+00:00');
CREATE TABLE runs (
    id VARCHAR(64) NOT NULL PRIMARY KEY, created_at VARCHAR(40) NOT NULL, status VARCHAR(16) NOT NULL,
    machine VARCHAR(64) NOT NULL, machine_title VARCHAR(200) NOT NULL, backend VARCHAR(64) NOT NULL,
    model TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, searched TEXT NOT NULL, seconds FLOAT NOT NULL,
    calls INTEGER NOT NULL, tool_calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, error_code VARCHAR(64) NOT NULL,
    owner VARCHAR(300) NOT NULL, touched FLOAT NOT NULL);
CREATE INDEX runs_by_time ON runs (created_at, id);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE events (
    run_id VARCHAR(64) NOT NULL REFERENCES runs (id) ON DELETE CASCADE, seq INTEGER NOT NULL,
    kind VARCHAR(64) NOT NULL, at FLOAT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (run_id, seq));
INSERT INTO runs VALUES (
    'run-1', '2026-11-23T09:00:00.000+00:00', 'answered', 'stepwise', 'Stepwise', 'scripted', 'script', 'Why?', '42',
    'why?' || char(31) || '42', 1.5, 2, 1, 30, 12, 4, '', 'host:1:2', 1795424400.0);
INSERT INTO events VALUES ('run-1', 0, 'delta', 0.5,
    '{"run_id":"run-1","seq":0,"at":0.5,"kind":"delta","call_id":"c1","channel":"text","text":"word "}');
INSERT INTO events VALUES ('run-1', 1, 'resumed', 0.6,
    '{"run_id":"run-1","seq":1,"at":0.6,"kind":"resumed","node":"think","changed":{"step":"another"}}');
"""


def test_a_log_of_the_first_version_is_backed_up_and_its_runs_go_on(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "runs.db")
    old.execute("PRAGMA journal_mode=WAL")
    old.executescript(STEP_1)
    old.close()
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    (row,) = store.runs(search="WHY")
    assert (row.id, row.status, row.answer, row.calls, row.parent, row.relation) == (
        "run-1",
        "answered",
        "42",
        2,
        "",
        "",
    )
    assert [event.kind for event in store.events("run-1")] == ["delta", "resumed"]
    store.create("run-2", a_request(), "Stepwise", "2026-11-23T10:00:00.000+00:00", "run-1", "fork")
    assert [row.id for row in store.family("run-2")] == ["run-1", "run-2"]
    assert store.database.integrity() == ""
    store.close()
    (backup,) = backups(tmp_path)
    assert backup.name.startswith("runs.db.backup-schema-1-")
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT max(number) FROM schema_steps").fetchone() == (1,)
    assert copy.execute("SELECT count(*) FROM runs JOIN events ON run_id = id").fetchone() == (2,)
    copy.close()


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
    with pytest.raises(StoreError, match=r"newer version .* \(schema 6; this one knows 5\)") as caught:
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
