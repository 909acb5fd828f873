"""What was measured of models by probing them, newest first; nothing is overwritten by a later probe."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select

from workbench.probe.report import VERSION, Report
from workbench.store.database import Database
from workbench.store.tables import probes as table

LATEST = 8  # probes of a model that are looked through for what is known of it


class ProbeStore:
    """The probes; safe for many threads and several processes. Those of a newer version's form are left out."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def known(self, backend: str, model: str) -> Report | None:
        """What is known of the version that was probed last: of each check its newest finding.

        So a quick probe does not make a longer one's findings unknown. None when nothing was found yet.
        """
        return newest(self._find(table.c.backend == backend, table.c.model == model, most=LATEST))

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


def newest(reports: list[Report]) -> Report | None:
    """Probes of one name, the newest first, as one: of the last version each check's newest finding."""
    measured = [report for report in reports if any(result.finding is not None for result in report.results)]
    if not measured:
        return None
    last = measured[0]
    found = {result.check: result for result in last.results}
    for report in measured[1:]:
        if (report.model_key, report.set) != (last.model_key, last.set):
            continue
        for result in report.results:
            if result.finding is not None and (result.check not in found or found[result.check].finding is None):
                found[result.check] = result
    return last.model_copy(update={"results": tuple(found.values())})


def _report(row: Row[Any]) -> Report | None:
    data = json.loads(row.report)
    return Report.model_validate(data) if data["version"] <= VERSION else None
