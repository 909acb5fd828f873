"""The tables as they are now; `migrations` is what makes them."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

schema_steps = Table(
    "schema_steps",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(100), nullable=False),
    Column("applied_at", String(40), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", String(40), nullable=False),
    Column("status", String(16), nullable=False),
    Column("machine", String(64), nullable=False),
    Column("machine_title", String(200), nullable=False),
    Column("backend", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("searched", Text, nullable=False),  # question and answer, case-folded: no database folds Unicode alike
    Column("seconds", Float, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("tool_calls", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("error_code", String(64), nullable=False),
    Column("owner", String(300), nullable=False),  # host:pid:start of the process that runs it
    Column("touched", Float, nullable=False),  # Unix time of the last write
    Column("parent", String(64), nullable=False, server_default=""),  # the run that it comes from, perhaps deleted
    Column("relation", String(16), nullable=False, server_default=""),  # fork, continue or reproduce
    Index("runs_by_time", "created_at", "id"),
    Index("runs_by_status", "status", "created_at", "id"),
    Index("runs_by_parent", "parent"),
)

events = Table(
    "events",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("payload", Text, nullable=False),  # the event as `events.to_json` writes it
)
