"""The prices that a person has set."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from workbench.cost import Price
from workbench.store.database import Database
from workbench.store.runs import plain
from workbench.store.tables import prices as table


class PriceStore:
    """The prices by backend and model; safe for many threads and several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Price]:
        """Every price, in the order of backends and models."""
        with self._database.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.backend, table.c.model)).all()
        return [Price.model_validate(dict(row._mapping)) for row in rows]

    def keep(self, prices: Iterable[Price]) -> None:
        """Keep prices, in place of those of the same backends and models: they hold from now on."""
        with self._database.write() as connection:
            for price in prices:
                _put(connection, price)

    def replace(self, prices: Iterable[Price]) -> None:
        """Have exactly these prices; one that is as it was keeps its date."""
        before = {(one.backend, one.model): one for one in self.all()}
        with self._database.write() as connection:
            connection.execute(delete(table))
            for price in prices:
                old = before.get((price.backend, price.model))
                is_old = old is not None and old == price.model_copy(update={"updated_at": old.updated_at})
                _put(connection, price, old.updated_at if old and is_old else "")

    def remove(self, backend: str, model: str) -> bool:
        """Forget a price; whether there was one."""
        chosen = (table.c.backend == plain(backend), table.c.model == plain(model))
        with self._database.write() as connection:
            return connection.execute(delete(table).where(*chosen)).rowcount > 0


def _put(connection: Connection, price: Price, updated_at: str = "") -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    values = price.model_dump() | {"updated_at": updated_at or now}
    values |= {"backend": plain(price.backend), "model": plain(price.model)}
    connection.execute(delete(table).where(table.c.backend == values["backend"], table.c.model == values["model"]))
    connection.execute(insert(table).values(**values))
