"""The documents that a person adds, cut into passages and found by their words (SQLite FTS5) and their meaning."""

import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workbench.errors import InvalidRequest, StoreError
from workbench.store import failures, passage_vectors
from workbench.store.passage_vectors import Near, Vector, fused

MAX_BYTES = 20 * 2**20
MAX_NAME = 200
PASSAGE = 800  # characters
OVERLAP = 100
MAX_WORDS = 32  # of a query

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, characters INTEGER NOT NULL, chunks INTEGER NOT NULL,
    added_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents (id), line INTEGER NOT NULL,
    text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS passages_of_document ON passages (document);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    body, name, tokenize = 'porter unicode61 remove_diacritics 2');
"""
_FOUND = """
SELECT rowid, -bm25(words, 1.0, 0.5) FROM words
WHERE words MATCH ? ORDER BY bm25(words, 1.0, 0.5), rowid LIMIT ?
"""
_PASSAGE = """
SELECT documents.name, passages.line, passages.text
FROM passages JOIN documents ON documents.id = passages.document WHERE passages.id = ?
"""
_LOOKED_AT = 50  # of each way of finding, before their orders are fused
# Chinese, Japanese and Korean put no spaces between words: each of their characters counts as a word.
_UNSPACED = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af])")
_SENTENCE_END = re.compile(r"[.!?…]['\")\]]*\s+|[。！？]\s*")
_SPACE = re.compile(r"\s+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a about all an and any are as at be been but by can did do does for from had has have how i if in into is it"
        " its me my no not of on or our please say says should so tell than that the their them then there these they"
        " this to was we were what when where which who whom whose why will with would you your",
    )
)


@dataclass(frozen=True)
class Document:
    """A document that was added; `added_at` is ISO 8601 in UTC."""

    name: str
    characters: int
    chunks: int
    added_at: str


@dataclass(frozen=True)
class Passage:
    """A piece of a document with the line that it begins on, from 1; a larger score fits the query better.

    Scores are those of one search: by words alone they are BM25's, by meaning too those of the fused order.
    """

    source: str
    line: int
    text: str
    score: float


class Documents:
    """A library in one file. Each call has a connection of its own, so any thread may call; it may take a while."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, text: str | bytes) -> int:
        """Add a document, in place of one of the same name; the number of its passages.

        Raises InvalidRequest for what is no text, StoreError when it cannot be kept.
        """
        name, content = _checked_name(name), _decoded(name, text)
        pieces = list(split(content))
        if not pieces:
            raise InvalidRequest(f"{name} has no text in it.", "Choose another file.")
        added_at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            _forget(db, name)
            insert = "INSERT INTO documents (name, characters, chunks, added_at) VALUES (?, ?, ?, ?)"
            document = db.execute(insert, (name, len(content), len(pieces), added_at)).lastrowid
            _insert_passages(db, document or 0, name, pieces)
        return len(pieces)

    def remove(self, name: str) -> bool:
        """Remove a document; whether there was one. Raises StoreError."""
        if not self._path.exists():
            return False
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            return _forget(db, name)

    def list(self) -> list[Document]:
        """All documents by name. Raises StoreError."""
        if not self._path.exists():
            return []
        with self._connected() as db:
            rows = db.execute("SELECT name, characters, chunks, added_at FROM documents ORDER BY name COLLATE NOCASE")
            return [Document(*row) for row in rows]

    def search(self, query: str, limit: int = 4, near: Near | None = None) -> Sequence[Passage]:
        """The passages that fit a query best, best first. Any text is a query. Raises StoreError.

        With `near`, the query's vector, those that mean something close to it are found too: the two orders are fused
        by their reciprocal ranks (Cormack, Clarke and Buettcher 2009).
        """
        expression = _match_expression(query)
        if not (expression or near) or not self._path.exists():
            return []
        with self._connected() as db:
            db.execute("BEGIN")  # one view of the whole: a passage that is found is there when it is read
            most = _LOOKED_AT if near else limit
            found = db.execute(_FOUND, (expression, most)).fetchall() if expression else []
            if near:
                alike = passage_vectors.closest(db, near, _LOOKED_AT)
                found = fused([[number for number, _ in found], alike])[:limit]
            rows = [(db.execute(_PASSAGE, (number,)).fetchone(), score) for number, score in found]
            return [Passage(source, line, text, score) for (source, line, text), score in rows]

    def without_vectors(self, model: str, limit: int) -> Sequence[tuple[int, str]]:
        """Passages (number, text) that have no vector of this model yet, at most so many. Raises StoreError."""
        if not self._path.exists():
            return []
        with self._connected() as db:
            return passage_vectors.missing(db, model, limit)

    def keep_vectors(self, model: str, vectors: Sequence[tuple[int, str, Sequence[Vector]]]) -> None:
        """Keep the vectors of passages (number, text, one for each piece) that are still there. Raises StoreError."""
        with self._connected() as db:
            passage_vectors.keep(db, model, vectors)

    def read_by(self, model: str) -> tuple[int, int]:
        """Of how many passages there are vectors of this model, and how many passages there are. Raises StoreError."""
        if not self._path.exists():
            return 0, 0
        with self._connected() as db:
            return passage_vectors.counted(db, model)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection and a transaction; SQLite's and the file system's errors become ours."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=failures.BUSY_SECONDS)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA + passage_vectors.SCHEMA)
                with db:
                    yield db
        except sqlite3.Error as error:
            raise self._failure(error) from error
        except OSError as error:
            raise failures.from_os(error, self._path.parent) from error

    def _failure(self, error: sqlite3.Error) -> StoreError:
        if failures.is_damage(error):
            return StoreError(
                f"The file of your documents, {self._path}, is damaged.", "Delete it and add the documents again."
            )
        return failures.from_sqlite(error, self._path)


def split(text: str) -> Iterator[tuple[int, str]]:
    """Passages of about 800 characters with the line that each begins on, cut between paragraphs or sentences."""
    start, line, counted = 0, 1, 0
    while start < len(text):
        end = _end(text, start)
        piece = text[start:end]
        begin = start + len(piece) - len(piece.lstrip())
        line, counted = line + text.count("\n", counted, begin), begin
        if piece.strip():
            yield line, piece.strip()
        if end >= len(text):
            return
        start = _next_start(text, begin, end)


def _end(text: str, start: int) -> int:
    """Where a passage ends: after the last paragraph, sentence, line or word of its second half, in this order."""
    furthest = start + PASSAGE
    if furthest >= len(text):
        return len(text)
    half = start + PASSAGE // 2
    if (found := text.rfind("\n\n", half, furthest)) >= 0:
        return found + 2
    sentences = [match.end() for match in _SENTENCE_END.finditer(text, half, furthest)]
    if sentences:
        return sentences[-1]
    for border in ("\n", " "):
        if (found := text.rfind(border, half, furthest)) >= 0:
            return found + 1
    return furthest


def _next_start(text: str, begin: int, end: int) -> int:
    """Where the next passage begins: at a sentence or a word among the last characters of this one, but further on."""
    earliest = min(max(end - OVERLAP, begin + 1), end)
    for border in (_SENTENCE_END, _SPACE):
        found = next((match.end() for match in border.finditer(text, earliest, end) if match.end() < end), None)
        if found is not None:
            return found
    return earliest


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidRequest(
            f"A document needs a name of 1 to {MAX_NAME} printable characters.", "Rename the file and add it again."
        )
    return name


def _decoded(name: str, text: str | bytes) -> str:
    """The text of a file. Raises InvalidRequest for binary files and what is too large."""
    if isinstance(text, str):
        text = text.encode(errors="replace")
    if len(text) > MAX_BYTES:
        raise InvalidRequest(
            f"{name} is larger than {MAX_BYTES // 2**20} MB.", "Split it, or add only the part that you need."
        )
    if text.startswith(b"%PDF"):
        raise InvalidRequest(f"{name} is a PDF, which cannot be read here.", "Convert it to text and add that.")
    is_utf16 = text.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        content = text.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        content = "\x00"
    if "\x00" in content:
        raise InvalidRequest(f"{name} is not a text file in UTF-8.", "Save it as plain text in UTF-8 and add it again.")
    return content.replace("\r\n", "\n").replace("\r", "\n")


def _forget(db: sqlite3.Connection, name: str) -> bool:
    row = db.execute("SELECT id FROM documents WHERE name = ?", (name,)).fetchone()
    if row is None:
        return False
    db.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM passages WHERE document = ?)", row)
    db.execute("DELETE FROM passages WHERE document = ?", row)
    db.execute("DELETE FROM documents WHERE id = ?", row)
    return True


def _insert_passages(db: sqlite3.Connection, document: int, name: str, pieces: Sequence[tuple[int, str]]) -> None:
    first: int = db.execute("SELECT coalesce(max(id), 0) + 1 FROM passages").fetchone()[0]
    numbered = list(enumerate(pieces, start=first))
    db.executemany(
        "INSERT INTO passages (id, document, line, text) VALUES (?, ?, ?, ?)",
        [(number, document, line, text) for number, (line, text) in numbered],
    )
    db.executemany(
        "INSERT INTO words (rowid, body, name) VALUES (?, ?, ?)",
        [(number, _spaced(text), _spaced(name)) for number, (_, text) in numbered],
    )


def _spaced(text: str) -> str:
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFC", text))


def _match_expression(query: str) -> str:
    """The query for FTS5: its words, each quoted, any of them; common English words only when there are no others."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", query).lower())
    telling = [word for word in words if word not in _COMMON] or words
    return " OR ".join(f'"{_spaced(word)}"' for word in list(dict.fromkeys(telling))[:MAX_WORDS])
