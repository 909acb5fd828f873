"""Files as rows: JSONL, JSON, CSV and Parquet, each row with the line that it begins on; bad rows are named."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, NoReturn

from workbench.errors import InvalidRequest
from workbench.experiments.reading import Problem, Unit

MOST_BYTES = 256 * 2**20
MOST_ROWS = 200_000
MOST_COLUMNS = 200
LONGEST_CELL = 2**20
MOST_PARQUET_BYTES = 2**30  # decompressed
DEEPEST = 8  # levels of nesting in a Parquet file
SPLIT_IT = "Split it, or keep only the part that you need."

_DELIMITERS = ",;\t|"
_SPACE = re.compile(r"[ \t\r\n]*")


class Row(NamedTuple):
    """A row's values by column, the line that it begins on, and its number among all rows; both count from 1."""

    line: int
    number: int
    values: dict[str, Any]


@dataclass
class Rows:
    """The rows of a file that could be read, and why the others could not."""

    form: str
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unit: Unit = "line"

    def add(self, line: int, value: object) -> None:
        """Take a row, which has to be an object."""
        if isinstance(value, dict):
            self.rows.append(Row(line, len(self.rows) + len(self.problems) + 1, value))
        else:
            self.refuse(line, f"it is {_named(value)}, where an object such as {{...}} was expected")

    def refuse(self, line: int, message: str) -> None:
        """Keep a row out."""
        self.problems.append(Problem(line, message))


def from_bytes(name: str, data: bytes, known: Callable[[str], bool]) -> Rows:
    """The rows of a file. `known` says whether a column's name is one that means something.

    Raises InvalidRequest when it is too large or nothing that we can read.
    """
    data = _unpacked(name, data)
    if data.startswith(b"PAR1"):
        return _checked(name, _parquet(name, data))
    if data.startswith(b"PK\x03\x04"):
        raise InvalidRequest(f"{name} is a zip file or a spreadsheet.", "Save the table as CSV, or unpack the file.")
    return from_text(name, _decoded(name, data), known)


def from_text(name: str, text: str, known: Callable[[str], bool]) -> Rows:
    """The rows of a text: JSONL, a JSON list, or a table with a header. Raises InvalidRequest."""
    text = text.removeprefix("\ufeff")
    begin = text.lstrip()[:1]
    is_table = re.search(r"\.(csv|tsv)(\.gz)?$", name, re.IGNORECASE)
    if not begin:
        raise InvalidRequest(f"{name} is empty.", "Give one question a line, as JSONL or CSV.")
    if begin == "[" and not is_table:
        return _checked(name, _json_list(name, text))
    if begin == "{" and not is_table:
        return _checked(name, _json_lines(text, known))
    return _checked(name, _table(name, text, known))


def _checked(name: str, found: Rows) -> Rows:
    if len(found.rows) + len(found.problems) > MOST_ROWS:
        raise InvalidRequest(f"{name} has more than {MOST_ROWS:,} rows.", SPLIT_IT)
    return found


def _unpacked(name: str, data: bytes) -> bytes:
    """The bytes, decompressed where they are gzip, and never more than the limit."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidRequest(f"{name} is a damaged gzip file: {error}.", "Download it again.") from None
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"{name} is larger than {MOST_BYTES // 2**20} MB.", SPLIT_IT)
    return data


def _decoded(name: str, data: bytes) -> str:
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(
            f"{name} is not a text in UTF-8 (line {line}).", "Save it in UTF-8, or give a Parquet file."
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number that JSON has")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _reason(error: Exception) -> str:
    """Why a piece of JSON cannot be read."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON: {error.msg.lower()}, column {error.colno}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"it cannot be read: {str(error)[:100]}"


def _named(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
    return "a list"


def _json_lines(text: str, known: Callable[[str], bool]) -> Rows:
    """One object a line, or a single object over many lines."""
    found = Rows("JSONL")
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            found.add(line, _DECODER.decode(content.strip()))
        except (ValueError, RecursionError) as error:
            found.refuse(line, _reason(error))
    if found.rows and len(found.rows) + len(found.problems) > 1:
        return found
    try:
        whole = found.rows[0].values if found.rows else _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return found
    within = _wrapped(whole, known)
    if within is None:
        return found if found.rows else _as_items([whole])
    return _as_items(within)


def _wrapped(whole: dict[str, Any], known: Callable[[str], bool]) -> list[Any] | None:
    """The one list of objects in an object, where those say more than the object does."""
    lists = [value for value in whole.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) != 1:
        return None
    return lists[0] if sum(map(known, lists[0][0])) > sum(map(known, whole)) else None


def _as_items(values: Sequence[Any]) -> Rows:
    found = Rows("JSON", unit="item")
    for number, value in enumerate(values, start=1):
        found.add(number, value)
    return found


def _json_list(name: str, text: str) -> Rows:
    """A JSON list of objects, read one by one so that each has its line."""
    values, lines = [], []
    line, counted = 1, 0
    try:
        for position, value in _elements(text):
            line, counted = line + text.count("\n", counted, position), position
            values.append(value)
            lines.append(line)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else f"after line {line}"
        raise InvalidRequest(f"{name} cannot be read, {where}: {_reason(error)}.", "Correct it there.") from None
    own_lines = len(set(lines)) == len(lines)
    found = Rows("JSON", unit="line" if own_lines else "item")
    for number, value in enumerate(values):
        found.add(lines[number] if own_lines else number + 1, value)
    return found


def _elements(text: str) -> Iterator[tuple[int, Any]]:
    """The elements of a JSON list with the position that each begins on. Raises JSONDecodeError."""
    position = _after_space(text, text.index("[") + 1)
    more = text[position : position + 1] != "]"
    while more:
        value, end = _DECODER.raw_decode(text, position)
        yield position, value
        end = _after_space(text, end)
        more = text[end : end + 1] == ","
        if not more and text[end : end + 1] != "]":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, end)
        position = _after_space(text, end + 1) if more else end
    rest = _after_space(text, position + 1)
    if rest < len(text):
        raise json.JSONDecodeError("There is more after the end of the list", text, rest)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _table(name: str, text: str, known: Callable[[str], bool]) -> Rows:
    """A table with a header; a cell in quotation marks may go over many lines."""
    csv.field_size_limit(LONGEST_CELL)
    delimiter = _delimiter(text, known)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    found = Rows("TSV" if delimiter == "\t" else "CSV")
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return found
        except csv.Error as error:
            found.refuse(line, _quoting(error))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _header(name, cells)
        elif len(cells) == len(header):
            found.add(line, dict(zip(header, cells, strict=True)))
        else:
            marks = "put quotation marks around a text that contains the separator"
            found.refuse(line, f"it has {len(cells)} cells where the header has {len(header)}; {marks}")


def _delimiter(text: str, known: Callable[[str], bool]) -> str:
    """The separator that makes most sense of the header."""

    def sense(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter)
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            return (-1, 0)
        return sum(known(cell) for cell in cells), len(cells)

    return max(_DELIMITERS, key=sense)


def _header(name: str, cells: Sequence[str]) -> list[str]:
    names = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, start=1)]
    if twice := next((column for column in names if names.count(column) > 1), ""):
        raise InvalidRequest(f"{name} has two columns named {twice!r}.", "Give each column a name of its own.")
    return names


def _quoting(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quotation mark is opened and never closed, so that nothing after it could be read"
    if "field limit" in str(error):
        return f"a cell is longer than {LONGEST_CELL // 1024:,} KiB; look for a quotation mark that is not closed"
    return "something follows a closing quotation mark; write quotation marks inside a text twice"


def _parquet(name: str, data: bytes) -> Rows:
    """The rows of a Parquet file, decoded piece by piece."""
    import pyarrow as pa  # type: ignore[import-untyped]  # slow to import, and most files are texts
    from pyarrow import parquet

    found = Rows("Parquet", unit="row")
    try:
        with parquet.ParquetFile(io.BytesIO(data)) as file:
            _check_size(name, file)
            decoded = 0
            for batch in file.iter_batches(batch_size=500):
                decoded += batch.nbytes
                if decoded > MOST_PARQUET_BYTES or len(found.rows) > MOST_ROWS:
                    raise InvalidRequest(f"{name} is too large once it is decompressed.", SPLIT_IT)
                for values in batch.to_pylist():
                    found.add(len(found.rows) + 1, values)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InvalidRequest(f"{name} cannot be read as Parquet: {said}.", "Save it as JSONL instead.") from None
    return found


def _check_size(name: str, file: Any) -> None:
    """Refuse, before anything is decoded, what says of itself that it is too large."""
    metadata = file.metadata
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if metadata.num_rows > MOST_ROWS or size > MOST_PARQUET_BYTES:
        raise InvalidRequest(
            f"{name} has {metadata.num_rows:,} rows and {size // 2**20:,} MB; {MOST_ROWS:,} rows and"
            f" {MOST_PARQUET_BYTES // 2**20:,} MB can be read.",
            SPLIT_IT,
        )
    if metadata.num_columns > MOST_COLUMNS:
        raise InvalidRequest(f"{name} has {metadata.num_columns:,} columns; {MOST_COLUMNS} can be read.", SPLIT_IT)
    if any(_depth(field.type) > DEEPEST for field in file.schema_arrow):
        raise InvalidRequest(f"{name} has columns that are nested more than {DEEPEST} levels deep.", SPLIT_IT)


def _depth(kind: Any) -> int:
    """How deep an Arrow type is nested."""
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return 1 + max(map(_depth, inner), default=0)


def columns_of(rows: Sequence[Row], name: str) -> list[str]:
    """All columns in the order in which they first come up. Raises InvalidRequest when they are too many."""
    seen: dict[str, None] = {}
    for row in rows:
        seen.update(dict.fromkeys(row.values))
        if len(seen) > MOST_COLUMNS:
            first = ", ".join(islice(seen, 5))
            raise InvalidRequest(f"{name} has more than {MOST_COLUMNS} columns ({first}, ...).", SPLIT_IT)
    return list(seen)
