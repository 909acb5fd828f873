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
    Column("belongs", String(120), nullable=False, server_default=""),  # experiment:ID, comparison:ID, import:DIGEST
    Column("foreign_id", String(64), nullable=False, server_default=""),  # an imported run's id where it was made
    Column("verdict", String(8), nullable=False, server_default=""),  # the person's own: good, bad
    Column("load_seconds", Float),  # NULL where no backend told
    Column("prefill_seconds", Float),
    Column("decode_seconds", Float),
    Column("joules", Float),  # NULL where the system does not report it
    Index("runs_by_time", "created_at", "id"),
    Index("runs_by_status", "status", "created_at", "id"),
    Index("runs_by_parent", "parent"),
    Index("runs_by_group", "belongs", "created_at", "id"),
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

prompts = Table(
    "prompts",
    metadata,
    Column("machine", String(64), primary_key=True),
    Column("role", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 1, 2, ... of this role
    Column("digest", String(64), nullable=False),
    Column("template", Text, nullable=False),
    Column("examples", Text, nullable=False),  # JSON
    Column("note", Text, nullable=False),
    Column("author", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("tags", Text, nullable=False),  # JSON
    Column("is_default", Integer, nullable=False),
    Column("created_at", String(40), nullable=False),
    Index("prompts_by_digest", "digest"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 over the items
    Column("name", String(200), nullable=False),
    Column("source", Text, nullable=False),  # where it came from: a file's name, a shipped set, pasted
    Column("items", Integer, nullable=False),
    Column("created_at", String(40), nullable=False),
    Index("datasets_by_name", "name"),
)

dataset_items = Table(
    "dataset_items",
    metadata,
    Column("digest", String(64), ForeignKey("datasets.digest", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 0, 1, ...
    Column("payload", Text, nullable=False),  # JSON
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_at", String(40), nullable=False),
    Column("status", String(16), nullable=False),  # waiting, running, stopping, stopped, done
    Column("reason", Text, nullable=False),  # why it stopped by itself
    Column("plan", Text, nullable=False),  # JSON, with every default filled in
    Column("lanes", Text, nullable=False),  # JSON: of each lane the request that its cells share, whole
    Column("dataset", String(64), nullable=False),
    Column("owner", String(300), nullable=False),
    Column("touched", Float, nullable=False),
)

cells = Table(
    "cells",
    metadata,
    Column("experiment", String(64), ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("seed", Integer, primary_key=True, autoincrement=False),
    Column("key", String(64), nullable=False),  # hash of all that decides the answer: the request, the model's digest
    Column("run_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # waiting, running, done, error
    Column("score", Float),  # 0 to 1; NULL while there is none
    Column("answer", Text, nullable=False),
    Column("said", Text, nullable=False),  # the scorer's reason
    Column("error_code", String(64), nullable=False),
    Column("error", Text, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("judging_tokens", Integer, nullable=False),  # of the scorer's model, apart from the run's own
    Column("judging_calls", Integer, nullable=False),
    Column("confidence", Float),  # mean token probability of the answer's call
    Column("feedback", String(16), nullable=False),
    Column("rounds", Text, nullable=False),  # JSON: of each round its answer's score and tokens so far
    Column("samples", Text, nullable=False),  # JSON: of each drawn answer its text, score and tokens
    Index("cells_by_key", "key", "status"),
    Index("cells_by_run", "run_id"),
)

answered = Table(
    "answered",
    metadata,
    Column("key", String(64), primary_key=True),  # of a cell
    Column("run_id", String(64), primary_key=True),
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", String(40), nullable=False),
    Column("question", Text, nullable=False),
    Column("lanes", Text, nullable=False),  # JSON: what each lane is, and its run
    Column("vote", Integer),  # the lane that won; -1 a tie; NULL no vote yet
    Column("note", Text, nullable=False),
    Column("voted_at", String(40), nullable=False),
    Index("comparisons_by_time", "created_at", "id"),
)

servers = Table(
    "servers",
    metadata,
    Column("id", String(120), primary_key=True),  # kind@name, as requests call it: ollama@lab
    Column("kind", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("address", Text, nullable=False),  # without user or password
    Column("model", Text, nullable=False),  # its default model
    Column("key_from", String(120), nullable=False),  # where its key is, never the key: "", env:VARIABLE, keyring
    Column("options", Text, nullable=False),  # JSON
    Column("created_at", String(40), nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)

presets = Table(
    "presets",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("content", Text, nullable=False),  # JSON
    Column("created_at", String(40), nullable=False),
    Column("used_at", String(40), nullable=False),
)

probes = Table(
    "probes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model_key", String(200), nullable=False),  # the model's digest; where there is none its place and name
    Column("backend", String(120), nullable=False),
    Column("model", Text, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("status", String(16), nullable=False),  # running, done, stopped, failed
    Column("report", Text, nullable=False),  # JSON
    Index("probes_by_model_key", "model_key", "created_at"),
    Index("probes_by_backend", "backend", "created_at"),
)

prices = Table(
    "prices",
    metadata,
    Column("backend", String(120), primary_key=True),
    Column("model", String(300), primary_key=True),
    Column("currency", String(8), nullable=False),
    Column("prompt", Float, nullable=False),  # per million tokens
    Column("cached", Float),  # NULL: as the prompt
    Column("completion", Float, nullable=False),
    Column("updated_at", String(40), nullable=False),
)

schema_answers = Table(
    "schema_answers",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("call_id", String(64), primary_key=True),
    Column("seq", Integer, nullable=False),  # of the event that ended the call
    Column("backend", String(120), nullable=False),
    Column("model", Text, nullable=False),
    Column("machine", String(64), nullable=False),
    Column("role", String(64), nullable=False),
    Column("schema", String(120), nullable=False),  # its title
    Column("schema_digest", String(64), nullable=False),
    Column("constrained", Integer, nullable=False),  # 0: the model was only told of the schema
    Column("attempt", Integer, nullable=False),  # 1, 2, ... of the same question
    Column("valid", Integer, nullable=False),
    Column("given_up", Integer, nullable=False),  # 1: it was not valid, and the model was not asked again
    Column("kind", String(16), nullable=False),  # what is wrong with it
    Column("wrong", Text, nullable=False),
    Column("created_at", String(40), nullable=False),
    Index("schema_answers_by_model", "backend", "model", "schema"),
)

memories = Table(
    "memories",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("stream", String(120), nullable=False),
    Column("number", Integer, nullable=False),  # 1, 2, ... in the stream
    Column("kind", String(16), nullable=False),  # observation, reflection, plan
    Column("text", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # of the text: a stream has none twice
    Column("importance", Float, nullable=False),  # 1 to 10
    Column("sources", Text, nullable=False),  # JSON: ids of the memories that it was made from, perhaps deleted
    Column("run_id", String(64), nullable=False),  # the run that stored it, perhaps deleted; empty: the person
    Column("origin", String(300), nullable=False),  # run, node, step and number of what stored it
    Column("stored_at", Float, nullable=False),  # Unix time
    Column("retrieved_at", Float, nullable=False),
    Column("model", String(300), nullable=False),  # the embedding model that made the vector
    Column("vector", Text, nullable=False),  # base64 of 32-bit floats
    Index("memories_by_stream", "stream", "stored_at", "number"),
    Index("memories_by_text", "stream", "digest", unique=True),
)

folds = Table(  # which derived rows of a run are up to date
    "folds",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("seq", Integer, nullable=False),  # of the last event that was read
)
