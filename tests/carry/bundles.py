"""Bundles for tests: made by hand, sound or not, whatever the exporter would never write."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.carry import archive
from workbench.events import AnyEvent, RunStarted, to_dict

Lines = Mapping[str, Iterable[Any]]


def records_of(*logs: Iterable[AnyEvent]) -> dict[str, list[Any]]:
    """The members of a bundle with these logs, as JSON data."""
    events = [to_dict(event) for log in logs for event in log]
    starts = [event for log in logs for event in log if isinstance(event, RunStarted)]
    runs = [{"id": start.run_id, "request": start.request} for start in starts]
    return {archive.RUNS: runs, archive.EVENTS: events, archive.PROMPTS: []}


def bundle(members: Lines, kind: str = "run", program: str = "0.1.0") -> io.BytesIO:
    """A bundle with these members, its checksums right; a line that is a text is written as it is."""
    target = io.BytesIO()
    writer = archive.Writer(target)
    for name, records in members.items():
        writer.lines(name, (one if isinstance(one, str) else json.dumps(one) for one in records))
    writer.close(kind, program, "2026-11-23T12:00:00+00:00", {"python": "3.11"})
    return target


def repacked(source: io.BytesIO, change: Mapping[str, bytes], **settings: Any) -> io.BytesIO:
    """The bundle with the bytes of some members replaced, added at their end when they are new."""
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **settings) as new:
        kept = {entry.filename: old.read(entry) for entry in old.infolist()}
        for name, data in (kept | dict(change)).items():
            new.writestr(name, data)
    return target


def manifest_of(source: io.BytesIO) -> dict[str, Any]:
    """What the bundle says of itself."""
    with zipfile.ZipFile(source) as opened:
        return json.loads(opened.read(archive.MANIFEST))
