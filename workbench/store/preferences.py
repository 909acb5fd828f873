"""What a person has set once for all sessions: small values by key."""

import json
from typing import Any

from sqlalchemy import delete, insert, select

from workbench.store.database import Database
from workbench.store.tables import preferences as table


class Preferences:
    """Values that JSON can hold, by key; safe for many threads and several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str, default: Any = None) -> Any:
        """A key's value."""
        with self._database.read() as connection:
            found = connection.scalar(select(table.c.value).where(table.c.key == key))
        return default if found is None else json.loads(found)

    def put(self, key: str, value: Any) -> None:
        """Set a key's value."""
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.key == key))
            connection.execute(insert(table).values(key=key, value=json.dumps(value)))
