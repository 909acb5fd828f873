"""Numbered steps from an empty database to the present one: append a step, never change one that was released."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, select

from workbench.errors import StoreError
from workbench.store.tables import schema_steps

Step = Callable[[Connection], None]

LOCK = 0x5EC07D  # PostgreSQL's advisory lock: two processes that start together migrate one after the other


def runs_and_events(connection: Connection) -> None:
    """Step 1: the runs and their logs."""
    connection.exec_driver_sql(
        """CREATE TABLE runs (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            created_at VARCHAR(40) NOT NULL,
            status VARCHAR(16) NOT NULL,
            machine VARCHAR(64) NOT NULL,
            machine_title VARCHAR(200) NOT NULL,
            backend VARCHAR(64) NOT NULL,
            model TEXT NOT NULL,
            question TEXT NOT NULL,
            answer TEXT NOT NULL,
            searched TEXT NOT NULL,
            seconds FLOAT NOT NULL,
            calls INTEGER NOT NULL,
            tool_calls INTEGER NOT NULL,
            prompt_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL,
            cached_tokens INTEGER NOT NULL,
            error_code VARCHAR(64) NOT NULL,
            owner VARCHAR(300) NOT NULL,
            touched FLOAT NOT NULL
        )"""
    )
    connection.exec_driver_sql("CREATE INDEX runs_by_time ON runs (created_at, id)")
    connection.exec_driver_sql("CREATE INDEX runs_by_status ON runs (status)")
    connection.exec_driver_sql(
        """CREATE TABLE events (
            run_id VARCHAR(64) NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            kind VARCHAR(64) NOT NULL,
            at FLOAT NOT NULL,
            payload TEXT NOT NULL,
            PRIMARY KEY (run_id, seq)
        )"""
    )


def families(connection: Connection) -> None:
    """Step 2: which run a run comes from, and how; the runs of one status in the order of the list."""
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN parent VARCHAR(64) NOT NULL DEFAULT ''")
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN relation VARCHAR(16) NOT NULL DEFAULT ''")
    connection.exec_driver_sql("CREATE INDEX runs_by_parent ON runs (parent)")
    connection.exec_driver_sql("DROP INDEX runs_by_status")
    connection.exec_driver_sql("CREATE INDEX runs_by_status ON runs (status, created_at, id)")


def experiments(connection: Connection) -> None:
    """Step 3: what runs are made for: prompts' versions, data sets, experiments, comparisons."""
    for column in ("belongs VARCHAR(120)", "foreign_id VARCHAR(64)", "verdict VARCHAR(8)"):
        connection.exec_driver_sql(f"ALTER TABLE runs ADD COLUMN {column} NOT NULL DEFAULT ''")
    for statement in EXPERIMENTS.split(";"):
        connection.exec_driver_sql(statement)


EXPERIMENTS = """
CREATE INDEX runs_by_group ON runs (belongs, created_at, id);
CREATE TABLE prompts (
    machine VARCHAR(64) NOT NULL, role VARCHAR(64) NOT NULL, number INTEGER NOT NULL, digest VARCHAR(64) NOT NULL,
    template TEXT NOT NULL, examples TEXT NOT NULL, note TEXT NOT NULL, author VARCHAR(200) NOT NULL,
    name VARCHAR(200) NOT NULL, tags TEXT NOT NULL, is_default INTEGER NOT NULL, created_at VARCHAR(40) NOT NULL,
    PRIMARY KEY (machine, role, number));
CREATE INDEX prompts_by_digest ON prompts (digest);
CREATE TABLE datasets (
    digest VARCHAR(64) NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL, source TEXT NOT NULL, items INTEGER NOT NULL,
    created_at VARCHAR(40) NOT NULL);
CREATE INDEX datasets_by_name ON datasets (name);
CREATE TABLE dataset_items (
    digest VARCHAR(64) NOT NULL REFERENCES datasets (digest) ON DELETE CASCADE, number INTEGER NOT NULL,
    payload TEXT NOT NULL, PRIMARY KEY (digest, number));
CREATE TABLE experiments (
    id VARCHAR(64) NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL UNIQUE, created_at VARCHAR(40) NOT NULL,
    status VARCHAR(16) NOT NULL, reason TEXT NOT NULL, plan TEXT NOT NULL, lanes TEXT NOT NULL,
    dataset VARCHAR(64) NOT NULL, owner VARCHAR(300) NOT NULL, touched FLOAT NOT NULL);
CREATE TABLE cells (
    experiment VARCHAR(64) NOT NULL REFERENCES experiments (id) ON DELETE CASCADE, lane INTEGER NOT NULL,
    item INTEGER NOT NULL, seed INTEGER NOT NULL, key VARCHAR(64) NOT NULL, run_id VARCHAR(64) NOT NULL,
    status VARCHAR(16) NOT NULL, score FLOAT, answer TEXT NOT NULL, said TEXT NOT NULL,
    error_code VARCHAR(64) NOT NULL, error TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, calls INTEGER NOT NULL, seconds FLOAT NOT NULL,
    judging_tokens INTEGER NOT NULL, judging_calls INTEGER NOT NULL, confidence FLOAT,
    feedback VARCHAR(16) NOT NULL, rounds TEXT NOT NULL, samples TEXT NOT NULL,
    PRIMARY KEY (experiment, lane, item, seed));
CREATE INDEX cells_by_key ON cells (key, status);
CREATE INDEX cells_by_run ON cells (run_id);
CREATE TABLE answered (key VARCHAR(64) NOT NULL, run_id VARCHAR(64) NOT NULL, PRIMARY KEY (key, run_id));
CREATE TABLE comparisons (
    id VARCHAR(64) NOT NULL PRIMARY KEY, created_at VARCHAR(40) NOT NULL, question TEXT NOT NULL, lanes TEXT NOT NULL,
    vote INTEGER, note TEXT NOT NULL, voted_at VARCHAR(40) NOT NULL);
CREATE INDEX comparisons_by_time ON comparisons (created_at, id)
"""


def models(connection: Connection) -> None:
    """Step 4: what is known of models and servers, what they cost, and presets."""
    for column in ("load_seconds", "prefill_seconds", "decode_seconds", "joules"):
        connection.exec_driver_sql(f"ALTER TABLE runs ADD COLUMN {column} FLOAT")
    for statement in MODELS.split(";"):
        connection.exec_driver_sql(statement)


MODELS = """
CREATE TABLE servers (
    id VARCHAR(120) NOT NULL PRIMARY KEY, kind VARCHAR(32) NOT NULL, name VARCHAR(64) NOT NULL, address TEXT NOT NULL,
    model TEXT NOT NULL, key_from VARCHAR(120) NOT NULL, options TEXT NOT NULL, created_at VARCHAR(40) NOT NULL);
CREATE TABLE preferences (key VARCHAR(120) NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE presets (
    name VARCHAR(120) NOT NULL PRIMARY KEY, content TEXT NOT NULL, created_at VARCHAR(40) NOT NULL,
    used_at VARCHAR(40) NOT NULL);
CREATE TABLE probes (
    id VARCHAR(64) NOT NULL PRIMARY KEY, model_key VARCHAR(200) NOT NULL, backend VARCHAR(120) NOT NULL,
    model TEXT NOT NULL, created_at VARCHAR(40) NOT NULL, status VARCHAR(16) NOT NULL, report TEXT NOT NULL);
CREATE INDEX probes_by_model_key ON probes (model_key, created_at);
CREATE INDEX probes_by_backend ON probes (backend, created_at);
CREATE TABLE prices (
    backend VARCHAR(120) NOT NULL, model VARCHAR(300) NOT NULL, currency VARCHAR(8) NOT NULL, prompt FLOAT NOT NULL,
    cached FLOAT, completion FLOAT NOT NULL, updated_at VARCHAR(40) NOT NULL, PRIMARY KEY (backend, model));
CREATE TABLE schema_answers (
    run_id VARCHAR(64) NOT NULL REFERENCES runs (id) ON DELETE CASCADE, call_id VARCHAR(64) NOT NULL,
    seq INTEGER NOT NULL, backend VARCHAR(120) NOT NULL, model TEXT NOT NULL, machine VARCHAR(64) NOT NULL,
    role VARCHAR(64) NOT NULL, schema VARCHAR(120) NOT NULL, schema_digest VARCHAR(64) NOT NULL,
    constrained INTEGER NOT NULL, attempt INTEGER NOT NULL, valid INTEGER NOT NULL, given_up INTEGER NOT NULL,
    kind VARCHAR(16) NOT NULL, wrong TEXT NOT NULL, created_at VARCHAR(40) NOT NULL,
    PRIMARY KEY (run_id, call_id));
CREATE INDEX schema_answers_by_model ON schema_answers (backend, model, schema);
CREATE TABLE folds (
    run_id VARCHAR(64) NOT NULL REFERENCES runs (id) ON DELETE CASCADE, name VARCHAR(64) NOT NULL,
    seq INTEGER NOT NULL, PRIMARY KEY (run_id, name))
"""


def memories(connection: Connection) -> None:
    """Step 5: what runs remember across runs."""
    for statement in MEMORIES.split(";"):
        connection.exec_driver_sql(statement)


MEMORIES = """
CREATE TABLE memories (
    id VARCHAR(64) NOT NULL PRIMARY KEY, stream VARCHAR(120) NOT NULL, number INTEGER NOT NULL,
    kind VARCHAR(16) NOT NULL, text TEXT NOT NULL, digest VARCHAR(64) NOT NULL, importance FLOAT NOT NULL,
    sources TEXT NOT NULL, run_id VARCHAR(64) NOT NULL, origin VARCHAR(300) NOT NULL, stored_at FLOAT NOT NULL,
    retrieved_at FLOAT NOT NULL, model VARCHAR(300) NOT NULL, vector TEXT NOT NULL);
CREATE INDEX memories_by_stream ON memories (stream, stored_at, number);
CREATE UNIQUE INDEX memories_by_text ON memories (stream, digest)
"""

STEPS: tuple[Step, ...] = (runs_and_events, families, experiments, models, memories)


def version(connection: Connection) -> int:
    """The number of the last step that this database has; 0 when empty. Raises StoreError for another's tables."""
    found = inspect(connection)
    if found.has_table(schema_steps.name):
        return max(connection.scalars(select(schema_steps.c.number)), default=0)
    if found.has_table("runs") or found.has_table("events"):
        raise StoreError(
            "The database holds another program's tables named runs or events.",
            "Set WORKBENCH_DATABASE_URL to a database of its own.",
        )
    return 0


def is_current(connection: Connection) -> bool:
    """Whether nothing needs to be done: the usual case, in which no lock is taken."""
    return version(connection) == len(STEPS)


def migrate(connection: Connection, backup: Callable[[int], None]) -> None:
    """Apply what is missing, within the caller's transaction; `backup(version)` is called first when there is data.

    Raises StoreError when the database comes from a newer version of the program.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    before = version(connection)
    if before > len(STEPS):
        raise StoreError(
            f"The log was written by a newer version of Second Thought (schema {before}; this one knows {len(STEPS)}).",
            "Update Second Thought, or set WORKBENCH_HOME to another folder.",
        )
    if before == len(STEPS):
        return
    if before > 0 and connection.exec_driver_sql("SELECT 1 FROM runs LIMIT 1").first():
        backup(before)
    schema_steps.create(connection, checkfirst=True)
    for number, step in enumerate(STEPS[before:], start=before + 1):
        step(connection)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        connection.execute(schema_steps.insert().values(number=number, name=step.__name__, applied_at=now))
