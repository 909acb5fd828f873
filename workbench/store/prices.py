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

    def change(self, seen: Iterable[Price], wanted: Iterable[Price]) -> None:
        """Do what makes the prices that were `seen` the `wanted` ones; others, and one that is as it was, stay."""
        before, after = ({(one.backend, one.model): one for one in prices} for prices in (seen, wanted))
        with self._database.write() as connection:
            for backend, model in before.keys() - after.keys():
                _remove(connection, backend, model)
            for key, price in after.items():
                old = before.get(key)
                if old is None or old != price.model_copy(update={"updated_at": old.updated_at}):
                    _put(connection, price)

    def remove(self, backend: str, model: str) -> bool:
        """Forget a price; whether there was one."""
        with self._database.write() as connection:
            return _remove(connection, backend, model)


def _remove(connection: Connection, backend: str, model: str) -> bool:
    chosen = (table.c.backend == plain(backend), table.c.model == plain(model))
    return connection.execute(delete(table).where(*chosen)).rowcount > 0


def _put(connection: Connection, price: Price) -> None:
    values = price.model_dump() | {"updated_at": datetime.now(UTC).isoformat(timespec="seconds")}
    values |= {"backend": plain(price.backend), "model": plain(price.model)}
    _remove(connection, price.backend, price.model)
    connection.execute(insert(table).values(**values))
