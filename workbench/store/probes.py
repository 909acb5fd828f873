"""What was measured of models by probing them, newest first; nothing is overwritten by a later probe."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select

from workbench.backends.servers import kind_of
from workbench.probe.report import VERSION, Context, Finding, Report, Result, Schema
from workbench.store.database import Database
from workbench.store.tables import probes as table

OF_A_SERVER = ("speed", "context")  # checks that tell of a server and its settings as much as of its model
LATEST = 8  # probes of a model that are looked through for what is known of it


class ProbeStore:
    """The probes; safe for many threads and several processes. Those of a newer version's form are left out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[tuple[str, str], str] = {}

    def saw(self, backend: str, keys: Mapping[str, str]) -> None:
        """Learn the keys of models that a backend has now, by name: a probe of the same model elsewhere holds too."""
        self._seen |= {(backend, model): key for model, key in keys.items()}

    def keep(self, report: Report) -> None:
        """Keep a probe as far as it has come, in place of what was kept of it before."""
        values = report.model_dump(include={"id", "model_key", "backend", "model", "created_at", "status"})
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.id == report.id))
            connection.execute(insert(table).values(**values, report=report.model_dump_json()))

    def all(self) -> list[Report]:
        """Every probe."""
        return self._find()

    def get(self, probe: str) -> Report | None:
        """The probe of this id."""
        return next(iter(self._find(table.c.id == probe)), None)

    def of_key(self, model_key: str) -> list[Report]:
        """Every probe of the model with this key, wherever it was served."""
        return self._find(table.c.model_key == model_key)

    def of_model(self, backend: str, model: str) -> list[Report]:
        """Every probe of what a backend calls so, also when it was another version of it."""
        return self._find(table.c.backend == backend, table.c.model == model)

    def known(self, backend: str, model: str, window: int | None = None) -> Report | None:
        """What is known of the version that was probed last: of each check its newest finding.

        So a quick probe does not make a longer one's findings unknown. `window` is the context window that a run asks
        for. Where this version was not probed under this name, one of the same key under another name or server of the
        same kind is used: it keeps its own name. None when nothing was found yet.
        """
        own = newest(self._find(table.c.backend == backend, table.c.model == model, most=LATEST), window)
        key = self._seen.get((backend, model), "")
        if not key or (own is not None and own.model_key == key):
            return own
        return self._elsewhere(backend, key, window) or own

    def _elsewhere(self, backend: str, key: str, window: int | None) -> Report | None:
        """What is known of a model by other names: of another server neither its speed nor its settings hold here."""
        same = [one for one in self._find(table.c.model_key == key) if kind_of(one.backend) == kind_of(backend)]
        here = [one for one in same if one.backend == backend]
        if here and (found := newest(here, window)):
            return found
        found = newest(same, window)
        results = [result for result in found.results if result.check not in OF_A_SERVER] if found else []
        return found.model_copy(update={"results": tuple(results)}) if found else None

    def remove(self, probe: str) -> None:
        """Forget a probe."""
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.id == probe))

    def _find(self, *conditions: ColumnElement[bool], most: int | None = None) -> list[Report]:
        order = (table.c.created_at.desc(), table.c.id)
        wanted = select(table.c.report).where(*conditions).order_by(*order).limit(most)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        return [report for row in rows if (report := _report(row)) is not None]


def newest(reports: list[Report], window: int | None = None) -> Report | None:
    """Probes of one model, the newest first, as one: of the last version each check's newest finding.

    One that another probe has looked further into stays. Of where the context ends, what was found with this window
    asked for (None: the backend's own) comes first.
    """
    measured = [report for report in reports if any(result.finding is not None for result in report.results)]
    if not measured:
        return None
    last = measured[0]
    found = {result.check: result for result in last.results}
    for report in measured[1:]:
        if (report.model_key, report.set) != (last.model_key, last.set):
            continue
        for result in report.results:
            if result.finding is not None and _is_better(result.finding, found.get(result.check), window):
                found[result.check] = result
    return last.model_copy(update={"results": tuple(found.values())})


def _is_better(older: Finding, kept: Result | None, window: int | None) -> bool:
    """Whether an older finding tells more than the one that is kept so far."""
    newer = kept.finding if kept else None
    if isinstance(older, Context) and isinstance(newer, Context):
        if older.asked != newer.asked:
            return older.asked == window
        return (
            newer.end == "not reached"
            and (older.end != "not reached" or older.holds > newer.holds)
            and (newer.holds <= max(older.holds, older.ended_at or 0))
        )
    if isinstance(older, Schema) and isinstance(newer, Schema):
        return older.refused == newer.refused and _asked(older) > _asked(newer)
    return newer is None


def _asked(schema: Schema) -> tuple[int, int]:
    """How many tasks it was held to, and how many the prompt told."""
    return schema.held.of if schema.held else 0, schema.told.of if schema.told else 0


def _report(row: Row[Any]) -> Report | None:
    data = json.loads(row.report)
    return Report.model_validate(data) if data["version"] <= VERSION else None
