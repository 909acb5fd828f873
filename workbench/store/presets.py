"""The presets that were saved by name, and what was used last."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from workbench.errors import InvalidRequest
from workbench.store.database import Database
from workbench.store.preferences import Preferences
from workbench.store.tables import presets as table

LAST = "last-form"  # the preference that holds what was used last
Content = dict[str, Any]


class SavedPreset(NamedTuple):
    """A preset as it is kept: its form as plain data, and two moments (ISO 8601)."""

    name: str
    content: Content
    created_at: str
    used_at: str


class LastForm(NamedTuple):
    """What was used last: a preset's name, if one was chosen, and the form as plain data."""

    preset: str
    content: Content


class PresetStore:
    """The presets by name, however it is capitalised; safe for many threads and several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._preferences = Preferences(database)

    def all(self) -> list[SavedPreset]:
        """Every preset, in the order of their names."""
        with self._database.read() as connection:
            rows = connection.execute(select(table)).all()
        found = [SavedPreset(row.name, json.loads(row.content), row.created_at, row.used_at) for row in rows]
        return sorted(found, key=lambda one: one.name.casefold())

    def find(self, name: str) -> SavedPreset:
        """The preset of that name. Raises InvalidRequest that lists what there is."""
        presets = self.all()
        for one in presets:
            if one.name.casefold() == name.strip().casefold():
                return one
        known = ", ".join(one.name for one in presets) or "none yet"
        raise InvalidRequest(f"There is no preset named {name[:80]!r}.", f"There are: {known}.")

    def save(self, name: str, content: Content) -> None:
        """Keep a new preset. Raises InvalidRequest when the name is taken."""
        if any(one.name.casefold() == name.casefold() for one in self.all()):
            raise _taken(name)
        values = {"name": name, "content": json.dumps(content), "created_at": _now(), "used_at": _now()}
        try:
            with self._database.write() as connection:
                connection.execute(insert(table).values(**values))
        except IntegrityError:
            raise _taken(name) from None

    def update(self, name: str, content: Content) -> None:
        """Give a preset another content. Raises InvalidRequest when there is none."""
        found = self.find(name)
        with self._database.write() as connection:
            changed = update(table).where(table.c.name == found.name)
            connection.execute(changed.values(content=json.dumps(content), used_at=_now()))

    def rename(self, name: str, other: str) -> None:
        """Give a preset another name. Raises InvalidRequest when there is none, or when the name is taken."""
        found = self.find(name)
        if any(one.name.casefold() == other.casefold() and one.name != found.name for one in self.all()):
            raise _taken(other)
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.name == found.name).values(name=other))

    def remove(self, name: str) -> None:
        """Forget a preset. Raises InvalidRequest when there is none."""
        found = self.find(name)
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.name == found.name))

    def last(self) -> LastForm | None:
        """What was used last; None before anything was. A preset that was changed since is as it is now."""
        kept = self._preferences.get(LAST)
        if not isinstance(kept, dict):
            return None
        named = next((one for one in self.all() if one.name == kept.get("preset")), None)
        if named is not None:
            return LastForm(named.name, named.content)
        return LastForm("", kept["content"]) if isinstance(kept.get("content"), dict) else None

    def used(self, name: str, content: Content) -> None:
        """Remember what is used: a preset's name, empty for none, and the form itself."""
        self._preferences.put(LAST, {"preset": name, "content": content})
        if name:
            with self._database.write() as connection:
                connection.execute(update(table).where(table.c.name == name).values(used_at=_now()))


def _taken(name: str) -> InvalidRequest:
    return InvalidRequest(f"There is a preset named {name!r} already.", "Choose another name, or update that one.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
