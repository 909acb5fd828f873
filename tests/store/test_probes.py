"""Probes in the store: newest first, nothing overwritten, found by model and by digest."""

from workbench.probe.report import Report, Result, Streams
from workbench.store.probes import ProbeStore
from workbench.store.runs import RunStore


def probe(number: int, key: str = "sha256:a", backend: str = "ollama", streams: bool | None = True) -> Report:
    finding = None if streams is None else Streams(streams=streams, parts=2, spread=1.0, seconds=2.0)
    status = "measured" if finding else "failed"
    return Report(
        id=f"p{number}",
        program="1.0",
        depth="quick",
        backend=backend,
        model="m",
        model_key=key,
        created_at=f"2026-11-0{number}T10:00:00.000+00:00",
        status="done",
        results=(Result(check="streams", status=status, finding=finding),),
    )


def test_probes_come_newest_first_and_are_found_by_name_and_by_digest(store: RunStore) -> None:
    probes = ProbeStore(store.database)
    for report in (probe(1), probe(3, backend="ollama@lab"), probe(2, key="sha256:b")):
        probes.keep(report)
    assert [report.id for report in probes.all()] == ["p3", "p2", "p1"]
    assert [report.id for report in probes.of_key("sha256:a")] == ["p3", "p1"]
    assert [report.id for report in probes.of_model("ollama", "m")] == ["p2", "p1"]
    assert probes.get("p1") == probe(1) and probes.get("p9") is None


def test_a_probe_that_goes_on_is_kept_in_its_own_place(store: RunStore) -> None:
    probes = ProbeStore(store.database)
    probes.keep(probe(1, streams=None))
    probes.keep(probe(1))
    assert probes.all() == [probe(1)]
    probes.remove("p1")
    assert probes.all() == []


def test_what_is_known_is_the_newest_finding_of_the_newest_version(store: RunStore) -> None:
    probes = ProbeStore(store.database)
    assert probes.known("ollama", "m") is None
    probes.keep(probe(1, streams=True))
    probes.keep(probe(2, streams=False))
    probes.keep(probe(3, streams=None))
    known = probes.known("ollama", "m")
    assert known is not None and known.id == "p2" and known.finding("streams").streams is False
    probes.keep(probe(4, key="sha256:b", streams=True))
    known = probes.known("ollama", "m")
    assert known is not None and known.model_key == "sha256:b"


def test_a_probe_in_the_form_of_a_newer_program_is_left_out(store: RunStore) -> None:
    probes = ProbeStore(store.database)
    probes.keep(probe(1).model_copy(update={"version": 99}))
    assert probes.all() == []
