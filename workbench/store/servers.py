"""The servers that a person has named."""

import json
from typing import Any

from sqlalchemy import Row, delete, insert, select

from workbench.backends.servers import Server
from workbench.store.database import Database
from workbench.store.tables import servers as table


class ServerStore:
    """The named servers, in the order of their names; safe for many threads and several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Server]:
        """Every server."""
        with self._database.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.id)).all()
        return [_server(row) for row in rows]

    def find(self, backend: str) -> Server | None:
        """The server that requests call so: kind@name."""
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == backend)).first()
        return _server(row) if row else None

    def keep(self, server: Server) -> None:
        """Keep a server, in place of one of the same id."""
        values = server.model_dump(exclude={"options"}) | {"id": server.id, "options": json.dumps(server.options)}
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.id == server.id))
            connection.execute(insert(table).values(**values))

    def remove(self, backend: str) -> None:
        """Forget a server."""
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.id == backend))


def _server(row: Row[Any]) -> Server:
    return Server.model_validate({**row._mapping, "options": json.loads(row.options)})
