"""What runs remember, in named streams: kept across runs, read and edited by the person."""

import hashlib
import json
import time
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from workbench.errors import InvalidRequest
from workbench.store.database import Database
from workbench.store.tables import memories as table

Kind = Literal["observation", "reflection", "plan"]
KINDS: tuple[Kind, ...] = ("observation", "reflection", "plan")
LEAST, MOST = 1.0, 10.0  # how important a memory may be
LONGEST = 2_000  # characters of a memory
LONGEST_NAME = 64  # characters of a stream's name
SHORTEST_PREFIX = 4  # of an id
MOMENTS = ("stored_at", "retrieved_at")
AT_ONCE = 500  # ids in one statement


@dataclass(frozen=True)
class New:
    """A memory to be stored; `sources` are the ids of those that it was made from."""

    text: str
    importance: float
    kind: Kind = "observation"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A memory as it is kept. Moments are seconds since 1970; `retrieved_at` is when a run last had it in view.

    `run` is the run that stored it, empty for the person. `vector` was made by the embedding model `model`.
    """

    id: str
    stream: str
    kind: Kind
    text: str
    importance: float
    sources: tuple[str, ...]
    run: str
    stored_at: float
    retrieved_at: float
    model: str = ""
    vector: tuple[float, ...] = ()


class StreamRow(NamedTuple):
    """A stream: how many memories it has, how many of them are reflections, and when the last was stored."""

    name: str
    memories: int
    reflections: int
    stored_at: float


class MemoryStore:
    """The memories in the database of the runs; safe for many threads and several processes.

    `clock` gives the seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self.clock = clock

    def streams(self) -> list[StreamRow]:
        """Every stream that has a memory, by name."""
        reflections = func.count().filter(table.c.kind == "reflection")
        counted = select(table.c.stream, func.count(), reflections, func.max(table.c.stored_at)).group_by(
            table.c.stream
        )
        with self._database.read() as connection:
            rows = [StreamRow(*row) for row in connection.execute(counted)]
        return sorted(rows, key=lambda row: row.name.casefold())

    def of(self, stream: str, search: str = "") -> list[Kept]:
        """A stream's memories in the order in which they were stored; those whose text has all words of `search`."""
        ordered = select(table).where(table.c.stream == stream).order_by(table.c.stored_at, table.c.number)
        with self._database.read() as connection:
            found = [_read(row) for row in connection.execute(ordered)]
        words = search.casefold().split()
        return [one for one in found if all(word in one.text.casefold() for word in words)]

    def find(self, ref: str) -> Kept:
        """The memory of that id, or the only one whose id begins so. Raises InvalidRequest."""
        begins = table.c.id.startswith(ref, autoescape=True) if len(ref) >= SHORTEST_PREFIX else table.c.id == ref
        with self._database.read() as connection:
            rows = connection.execute(select(table).where(or_(table.c.id == ref, begins)).limit(2)).all()
        if len(rows) != 1:
            raise InvalidRequest(
                f"There is no memory {ref[:40]!r}." if not rows else f"Several memories begin with {ref[:40]!r}.",
                "`python -m workbench memories list STREAM` lists them with their ids.",
            )
        return _read(rows[0])

    def add(self, stream: str, new: Sequence[New], run: str = "", origin: str = "") -> list[Kept]:
        """Store memories and return them; what the stream has word for word already is not stored again.

        `origin` names the place in a run that stores them: the same place stores its first, second, ... only once.
        Raises InvalidRequest for a name, a text or an importance that cannot be.
        """
        stream, found = checked_name(stream), []
        made = [_checked(one) for one in new]
        with self._database.write() as connection:
            for number, one in enumerate(made):
                key = f"{origin}:{number}" if origin else ""
                kept = _known(connection, stream, _digest(one.text), key)
                found.append(kept or self._insert(connection, stream, one, run, key))
        return found

    def edit(self, id_: str, text: str, importance: float) -> Kept:
        """Give a memory another text or importance. Raises InvalidRequest."""
        before, new = self.find(id_), _checked(New(text, importance))
        values = {"text": new.text, "digest": _digest(new.text), "importance": new.importance}
        if new.text != before.text:
            values |= {"model": "", "vector": ""}
        with self._database.write() as connection:
            same = _known(connection, before.stream, _digest(new.text))
            if same is not None and same.id != before.id:
                raise InvalidRequest("The stream has this memory already.", "Delete one of the two.")
            connection.execute(update(table).where(table.c.id == before.id).values(values))
        return self.find(before.id)

    def remove(self, id_: str) -> None:
        """Forget a memory; what was made from it stays. Raises InvalidRequest when there is none."""
        found = self.find(id_)
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.id == found.id))

    def remove_stream(self, stream: str) -> int:
        """Forget all memories of a stream; return how many there were. Raises InvalidRequest when there is none."""
        with self._database.write() as connection:
            gone = connection.execute(delete(table).where(table.c.stream == stream)).rowcount
        if not gone:
            known = ", ".join(row.name for row in self.streams()) or "none yet"
            raise InvalidRequest(f"There is no stream named {stream[:80]!r}.", f"There are: {known}.")
        return gone

    def touch(self, ids: Collection[str], at: float) -> None:
        """These memories were in view at that moment."""
        with self._database.write() as connection:
            for some in _portions(sorted(ids)):
                later = (table.c.id.in_(some), table.c.retrieved_at < at)
                connection.execute(update(table).where(*later).values(retrieved_at=at))

    def embedded(self, model: str, vectors: Iterable[tuple[Kept, Sequence[float]]]) -> None:
        """Keep the vectors of memories that are still there and say the same, and the model that made them."""
        rows = [{"of": one.id, "said": one.text, "made": _packed(made)} for one, made in vectors]
        if not rows:
            return
        same = (table.c.id == bindparam("of"), table.c.text == bindparam("said"))
        change = update(table).where(*same).values(model=model, vector=bindparam("made"))
        with self._database.write() as connection:
            connection.execute(change, rows)

    def _insert(self, connection: Connection, stream: str, new: New, run: str, origin: str) -> Kept:
        now = self.clock()
        kept = Kept(uuid4().hex[:12], stream, new.kind, new.text, new.importance, new.sources, run, now, now)
        last = connection.scalar(select(func.max(table.c.number)).where(table.c.stream == stream)) or 0
        row = {"number": last + 1, "digest": _digest(new.text), "origin": origin, "vector": "", "run_id": run}
        row |= {name: getattr(kept, name) for name in _PLAIN} | {"sources": json.dumps(new.sources)}
        connection.execute(insert(table).values(row))
        return kept


def plain(one: Kept) -> dict[str, object]:
    """A memory as JSON data, with its moments in ISO 8601 and without its vector."""
    named = {name: getattr(one, name) for name in ("id", "stream", "kind", "text", "importance", "run")}
    return named | {"sources": list(one.sources)} | {name: iso(getattr(one, name)) for name in MOMENTS}


def iso(moment: float) -> str:
    """A moment in ISO 8601."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


_PLAIN = ("id", "stream", "kind", "text", "importance", "stored_at", "retrieved_at", "model")


def checked_name(stream: str) -> str:
    """A stream's name without stray spaces. Raises InvalidRequest."""
    name = " ".join(stream.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"A stream needs a name of 1 to {LONGEST_NAME} printable characters.", "Give it another name."
        )
    return name


def _checked(new: New) -> New:
    text = new.text.replace("\x00", "").strip()
    if not text or len(text) > LONGEST:
        raise InvalidRequest(f"A memory has 1 to {LONGEST:,} characters.", "Say it in a sentence or two.")
    if not LEAST <= new.importance <= MOST:
        raise InvalidRequest(f"A memory's importance is from {LEAST:g} to {MOST:g}.", "Choose one in between.")
    return New(text, float(new.importance), new.kind, new.sources)


def _known(connection: Connection, stream: str, digest: str, origin: str = "") -> Kept | None:
    """The stream's memory with that text, or from that place in a run."""
    same = or_(table.c.digest == digest, table.c.origin == origin) if origin else table.c.digest == digest
    row = connection.execute(select(table).where(table.c.stream == stream, same).limit(1)).first()
    return _read(row) if row else None


def _digest(text: str) -> str:
    """The same for texts that differ in spaces and capitals alone."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode(errors="replace")).hexdigest()


def _read(row: Row[tuple[object, ...]]) -> Kept:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Kept(**plain, sources=tuple(json.loads(row.sources)), run=row.run_id, vector=_unpacked(row.vector))


def _packed(vector: Sequence[float]) -> str:
    """Four bytes a number, as text."""
    return b64encode(array("f", vector).tobytes()).decode()


def _unpacked(text: str) -> tuple[float, ...]:
    return tuple(array("f", b64decode(text))) if text else ()


def _portions(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))
