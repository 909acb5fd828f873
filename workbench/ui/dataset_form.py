"""The choice of a data set, and the form that adds one: what was found is shown before it is kept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.errors import InvalidRequest, WorkbenchError
from workbench.experiments import datasets
from workbench.experiments.dataset_columns import FIELDS, NoQuestion, shortened
from workbench.experiments.model import Item
from workbench.experiments.reading import Reading
from workbench.store.datasets import LONGEST_NAME, DatasetStore
from workbench.ui import frame, session
from workbench.ui.markdown import escape

UPLOAD, PATH, PASTE = "Upload", "Path", "Paste"
BY_NAME, NONE = "by its name", "none"
ENDINGS = ["jsonl", "ndjson", "json", "csv", "tsv", "txt", "parquet", "gz"]
LARGEST_MB = 200
FIRST_ITEMS = 5
FIRST_PROBLEMS = 200
PREVIEW = 300  # characters of a text
DIGEST = 16  # characters of a digest that are shown
PATH_HELP = "On the machine that Second Thought runs on."
PASTE_HELP = "One JSON object a line, a JSON list, or a table with a header, with commas, semicolons or tabs."


def draw(key: str) -> str | None:
    """Choose among the shipped and the kept sets, or add one; the chosen set's name, as `datasets.load` takes it.

    `key` begins the keys of all its widgets.
    """
    chosen = _choose(key)
    with st.expander("Add a data set", key=session.field_key(key, "add")):
        _draw_adding(key)
    return chosen


def store() -> DatasetStore:
    """The kept data sets."""
    return DatasetStore(session.engine().store.database)


def _choose(key: str) -> str | None:
    names = {shipped.name: f"{shipped.title} ({shipped.name})" for shipped in datasets.SHIPPED}
    for row in store().list():
        names.setdefault(row.name, f"{row.name} · {row.items:,} {_items(row.items)}")
    widget = session.field_key(key, "choice")
    if session.recall(widget) not in names:
        session.put(widget, next(iter(names)))
    chosen: str | None = st.selectbox(
        "Data set", list(names), format_func=names.__getitem__, key=widget, persist_state="session"
    )
    if chosen and (shipped := datasets.shipped_set(chosen)):
        st.caption(frame.plain(f"{shipped.summary} Fits the scorer {shipped.scorer}."))
    return chosen


def _items(count: int) -> str:
    return "item" if count == 1 else "items"


def _draw_adding(key: str) -> None:
    """Where it comes from, what was found there, and the button that keeps it."""
    _say(key)
    ways = (UPLOAD, PATH, PASTE)
    way = st.segmented_control("From", ways, default=UPLOAD, required=True, key=session.field_key(key, "way"))
    source = _source(key, way or UPLOAD)
    if source is None:
        return
    columns_at = st.container()
    found = _read(key, source)
    if isinstance(found, NoQuestion):
        frame.show(found)
        with columns_at:
            _draw_columns(key, found.columns)
    elif isinstance(found, WorkbenchError):
        frame.show(found)
    else:
        _draw_found(key, found)


def _say(key: str) -> None:
    """What came of the last click, once."""
    said, refused = (session.field_key(key, name) for name in ("said", "refused"))
    if session.recall(said):
        st.success(frame.plain(session.recall(said)))
    if session.recall(refused):
        frame.show(session.recall(refused))
    session.put(said, "")
    session.put(refused, None)


def _source(key: str, way: str) -> tuple[Any, ...] | None:
    """What is to be read, so that it is read once only: its kind, what tells it from others, its name, its content."""
    number = session.recall(session.field_key(key, "number"), 0)
    widget = session.field_key(key, f"{way.lower()}-{number}")
    if way == UPLOAD:
        file = st.file_uploader("JSONL, JSON, CSV or Parquet", ENDINGS, key=widget, max_upload_size=LARGEST_MB)
        return (way, file.file_id, file.name, file) if file is not None else None
    if way == PATH:
        path = st.text_input("Path of the file", key=widget, help=PATH_HELP).strip()
        return (way, (path, _changed(path)), path, None) if path else None
    text = st.text_area("Rows", key=widget, height=160, help=PASTE_HELP)
    return (way, text, "", None) if text.strip() else None


def _changed(path: str) -> float:
    """When a file was last written to; 0 where that cannot be told."""
    try:
        return Path(path).expanduser().stat().st_mtime
    except (OSError, ValueError, RuntimeError):
        return 0.0


def _read(key: str, source: tuple[Any, ...]) -> Reading | WorkbenchError:
    """What was found in a source; read anew only when the source or the choice of columns has changed."""
    way, mark, name, file = source
    columns = _chosen_columns(key)
    kept = session.recall(session.field_key(key, "found"))
    if kept is not None and kept[0] == (way, mark, columns):
        found: Reading | WorkbenchError = kept[1]
        return found
    with st.spinner("Reading"):
        found = _attempt(way, mark, name, file, columns)
    session.put(session.field_key(key, "found"), ((way, mark, columns), found))
    return found


def _attempt(way: str, mark: Any, name: str, file: Any, columns: dict[str, str]) -> Reading | WorkbenchError:
    try:
        if way == UPLOAD:
            return datasets.read_bytes(name, file.getvalue(), columns)
        if way == PATH:
            return datasets.read_file(Path(name).expanduser(), columns)
        return datasets.read_text(mark, columns)
    except WorkbenchError as error:
        return error
    except RuntimeError:  # a home folder that there is not
        return InvalidRequest(f"{name} is no file.", "Give its whole path.")


def _column_key(key: str, field: str) -> str:
    return session.field_key(key, f"column-{field}-{session.recall(session.field_key(key, 'number'), 0)}")


def _chosen_columns(key: str) -> dict[str, str]:
    """The columns that a person chose for fields; empty for a field that is to have none."""
    chosen = {field: session.recall(_column_key(key, field)) for field in FIELDS}
    return {
        field: "" if column == NONE else column for field, column in chosen.items() if column not in (None, BY_NAME)
    }


def _draw_columns(key: str, columns: Sequence[str]) -> None:
    """A choice of column for each field of an item."""
    with st.container(horizontal=True, key=session.field_key(key, "columns")):
        for field in FIELDS:
            choices = [BY_NAME, NONE, *(column for column in columns if column not in (BY_NAME, NONE))]
            widget = _column_key(key, field)
            if session.recall(widget) not in choices:
                session.put(widget, BY_NAME)
            st.selectbox(field.replace("_", " ").capitalize(), choices, key=widget, width=150)


def _draw_found(key: str, reading: Reading) -> None:
    """The schema, the first items, the rows that are left out, and the button."""
    count = len(reading.items)
    facts = f"{reading.form} · {count:,} {_items(count)} · SHA-256 {reading.digest[:DIGEST]}"
    st.html(f'<p><b>{escape(reading.name)}</b> <span class="wb-label">{escape(facts)}</span></p>')
    columns = [(column.name, column.kind, column.taken_as or "left out", column.example) for column in reading.columns]
    titles = ("Column", "Kind", "Taken as", "Example")
    st.dataframe([dict(zip(titles, row, strict=True)) for row in columns], hide_index=True)
    with st.expander("Take other columns", key=session.field_key(key, "other-columns")):
        _draw_columns(key, [column.name for column in reading.columns])
    st.caption(f"The first {min(FIRST_ITEMS, count)}")
    st.dataframe([_shown(item) for item in reading.items[:FIRST_ITEMS]], hide_index=True)
    _draw_problems(reading)
    naming = session.field_key(key, f"name-{reading.digest[:DIGEST]}")
    st.text_input("Name", reading.name, key=naming, max_chars=LONGEST_NAME)
    keeping = session.field_key(key, "keep")
    st.button("Keep this data set", type="primary", key=keeping, on_click=_keep, args=(key, reading, naming))


def _shown(item: Item) -> dict[str, str]:
    """An item's filled fields, cut short."""
    values = item.model_dump()
    texts = {name: value if isinstance(value, str) else " | ".join(value) for name, value in values.items() if value}
    return {name: shortened(text, PREVIEW) for name, text in texts.items()}


def _draw_problems(reading: Reading) -> None:
    """Which rows are left out, and why."""
    problems = reading.problems
    if not problems:
        return
    said = "1 row is left out" if len(problems) == 1 else f"{len(problems):,} rows are left out"
    st.warning(f"{said}. The others can be kept.")
    unit = reading.unit.capitalize()
    rows = [{unit: problem.line, "Why": problem.message} for problem in problems[:FIRST_PROBLEMS]]
    st.dataframe(rows, hide_index=True, column_config={unit: st.column_config.NumberColumn(width="small")})
    if len(problems) > FIRST_PROBLEMS:
        st.caption(f"The first {FIRST_PROBLEMS} of {len(problems):,}")


def _keep(key: str, reading: Reading, naming: str) -> None:
    """Keep what was found, choose it, and empty the form."""
    kept = store()
    name = (session.recall(naming) or "").strip() or reading.name
    try:
        known = kept.find(reading.digest)
        row = known or kept.get(kept.add(replace(reading, name=name)))
    except WorkbenchError as error:
        session.put(session.field_key(key, "refused"), error)
        return
    said = f"These items are kept already, as {row.name}." if known else f"{row.name} is kept, and chosen."
    session.put(session.field_key(key, "said"), said)
    session.put(session.field_key(key, "choice"), row.name)
    session.put(session.field_key(key, "number"), session.recall(session.field_key(key, "number"), 0) + 1)
