"""The data sets that a person keeps: their items in the database, found by name or digest."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import count

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, insert, select, update

from workbench.errors import InvalidRequest, StoreError
from workbench.experiments.model import Item
from workbench.experiments.reading import Reading, canonical
from workbench.experiments.shipped import NAMES
from workbench.store.database import Database
from workbench.store.tables import dataset_items, datasets, experiments

LONGEST_NAME = 200
SHORTEST_PREFIX = 6
AT_ONCE = 1_000  # items in one statement


@dataclass(frozen=True)
class DatasetRow:
    """A kept data set as the list shows it: how many items it has, where it came from, when it was kept (ISO 8601)."""

    digest: str
    name: str
    source: str
    items: int
    created_at: str


_SHOWN = [datasets.c[field.name] for field in fields(DatasetRow)]


class DatasetStore:
    """The kept data sets in the database of the runs. Each is kept once, whatever it was read from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, reading: Reading) -> str:
        """Keep a data set and return its digest. One that is kept already stays as it is, its name too.

        A name that another set has gets a number. Raises StoreError.
        """
        values = {"digest": reading.digest, "source": _printable(reading.source), "items": len(reading.items)}
        with self._database.write() as connection:
            if _at(connection, reading.digest):
                return reading.digest
            name = _free(connection, _printable(reading.name))
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            connection.execute(insert(datasets).values(**values, name=name, created_at=now))
            for start in range(0, len(reading.items), AT_ONCE):
                numbered = enumerate(reading.items[start : start + AT_ONCE], start=start)
                connection.execute(
                    insert(dataset_items),
                    [
                        {"digest": reading.digest, "number": number, "payload": canonical(item)}
                        for number, item in numbered
                    ],
                )
        return reading.digest

    def list(self) -> list[DatasetRow]:
        """All kept sets, the newest first."""
        with self._database.read() as connection:
            newest = (datasets.c.created_at.desc(), datasets.c.digest)
            return [_row(row) for row in connection.execute(select(*_SHOWN).order_by(*newest))]

    def find(self, ref: str) -> DatasetRow | None:
        """The set of this name, or whose digest begins so; None when there is none.

        Raises InvalidRequest when several digests begin so.
        """
        with self._database.read() as connection:
            return _found(connection, ref)

    def get(self, ref: str) -> DatasetRow:
        """As `find`, but raises InvalidRequest, which lists what there is, when there is none."""
        if row := self.find(ref):
            return row
        kept = ", ".join(row.name for row in self.list()[:20])
        hint = f"These are kept: {kept}." if kept else "None is kept yet."
        raise InvalidRequest(f"No data set {ref!r} is kept.", hint)

    def items(self, digest: str, limit: int | None = None, offset: int = 0) -> tuple[Item, ...]:
        """A set's items in their order, from `offset` and at most `limit` of them. Raises StoreError."""
        wanted = select(dataset_items.c.number, dataset_items.c.payload).where(
            dataset_items.c.digest == digest, dataset_items.c.number >= offset
        )
        if limit is not None:
            wanted = wanted.where(dataset_items.c.number < offset + limit)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(dataset_items.c.number)).all()
        return tuple(_item(digest, row.number, row.payload) for row in rows)

    def rename(self, ref: str, name: str) -> DatasetRow:
        """Give a set another name and return it. Raises InvalidRequest when the name is taken or none."""
        wanted = " ".join(name.split())
        if not wanted or len(wanted) > LONGEST_NAME or not wanted.isprintable():
            raise InvalidRequest(f"A data set needs a name of 1 to {LONGEST_NAME} printable characters.")
        row = self.get(ref)
        with self._database.write() as connection:
            if wanted != row.name and (wanted in NAMES or _named(connection, wanted)):
                raise InvalidRequest(f"Another data set is named {wanted!r}.", "Choose a name of its own.")
            connection.execute(update(datasets).where(datasets.c.digest == row.digest).values(name=wanted))
        return self.get(row.digest)

    def delete(self, ref: str) -> None:
        """Delete a set. Raises InvalidRequest while an experiment uses it."""
        row = self.get(ref)
        with self._database.write() as connection:
            users = select(experiments.c.name).where(experiments.c.dataset == row.digest).order_by(experiments.c.name)
            if names := connection.execute(users).scalars().all():
                named = ", ".join(names[:5])
                raise InvalidRequest(f"The data set {row.name} is used by: {named}.", "Delete those experiments first.")
            connection.execute(delete(dataset_items).where(dataset_items.c.digest == row.digest))
            connection.execute(delete(datasets).where(datasets.c.digest == row.digest))


def _found(connection: Connection, ref: str) -> DatasetRow | None:
    if row := _named(connection, ref):
        return row
    prefix = ref.lower()
    if len(prefix) < SHORTEST_PREFIX or set(prefix) - set("0123456789abcdef"):
        return None
    begins = select(*_SHOWN).where(datasets.c.digest.startswith(prefix)).limit(2)
    rows = connection.execute(begins).all()
    if len(rows) > 1:
        raise InvalidRequest(f"Several data sets have digests that begin with {ref}.", "Give more of the digest.")
    return _row(rows[0]) if rows else None


def _named(connection: Connection, name: str) -> DatasetRow | None:
    wanted = select(*_SHOWN).where(datasets.c.name == _storable(name)).order_by(datasets.c.created_at.desc()).limit(1)
    row = connection.execute(wanted).first()
    return _row(row) if row else None


def _at(connection: Connection, digest: str) -> bool:
    return connection.execute(select(datasets.c.digest).where(datasets.c.digest == digest)).first() is not None


def _free(connection: Connection, name: str) -> str:
    """The name, or the name with the first number that makes it one of its own."""
    if _named(connection, name) is None:
        return name
    numbered = (f"{name} {number}" for number in count(2))
    return next(wanted for wanted in numbered if _named(connection, wanted) is None)


def _printable(name: str) -> str:
    said = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    return said[: LONGEST_NAME - 10] or "data set"


def _storable(text: str) -> str:
    """The text without what no database takes as a parameter."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _row(row: Row[tuple[str, ...]]) -> DatasetRow:
    return DatasetRow(**row._mapping)


def _item(digest: str, number: int, payload: str) -> Item:
    try:
        return Item.model_validate_json(payload)
    except ValidationError as error:
        raise StoreError(
            f"Item {number} of the data set {digest[:12]} cannot be read: {error.errors()[0]['msg']}.",
            "Add the data set again from its file.",
        ) from None
