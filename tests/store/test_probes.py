"""Probes in the store: newest first, nothing overwritten, found by model and by digest."""

from workbench.probe.rates import rate
from workbench.probe.report import Context, Finding, Report, Result, Schema, Speed, Streams, Tools
from workbench.store.probes import ProbeStore, newest
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


def findings(number: int, *found: Finding, key: str = "sha256:a", backend: str = "ollama", model: str = "m") -> Report:
    results = tuple(Result(check=one.kind, status="measured", finding=one) for one in found)
    return probe(number, key, backend).model_copy(update={"model": model, "results": results})


ENDS = Context(holds=2_882, end="cut", window=32_768, ended_at=3_000)
LOOKED = Context(holds=2_048, end="not reached", window=32_768)


def known_end(window: int | None, *reports: Report) -> Context:
    known = newest(list(reports), window)
    assert known is not None
    context: Context = known.finding("context")
    return context


def test_a_quick_probe_leaves_the_end_that_a_full_one_has_found() -> None:
    assert known_end(None, findings(2, LOOKED), findings(1, ENDS)) == ENDS
    farther = Context(holds=8_000, end="not reached", window=32_768)
    assert known_end(None, findings(2, farther), findings(1, ENDS)) == farther
    assert known_end(None, findings(2, LOOKED), findings(1, farther)) == farther
    nearer = Context(holds=900, end="refused", window=32_768, ended_at=1_000)
    assert known_end(None, findings(2, nearer), findings(1, ENDS)) == nearer


def test_the_end_of_another_window_is_not_taken_for_the_one_that_a_run_asks_for() -> None:
    small = Context(holds=900, end="window", window=1_024, asked=1_024)
    reports = (findings(2, small), findings(1, ENDS))
    assert (known_end(None, *reports), known_end(1_024, *reports)) == (ENDS, small)
    assert (known_end(None, *reversed(reports)), known_end(1_024, *reversed(reports))) == (ENDS, small)


def test_more_tasks_of_a_schema_tell_more_unless_the_server_has_changed() -> None:
    full, quick = (Schema(held=rate(20, 20), told=rate(told, told)) for told in (20, 8))
    known = newest([findings(2, quick), findings(1, full)])
    assert known is not None and known.finding("schema") == full
    refused = Schema(told=rate(8, 8), refused=True)
    known = newest([findings(2, refused), findings(1, full)])
    assert known is not None and known.finding("schema") == refused


TOOLS = Tools(native=rate(6, 6), wrong=0, text=0, none=0)
SPEED = Speed(prefill=20.0, decode=2.0, told=True, cold=None, warm=1.0)


def test_a_probe_of_the_same_digest_is_used_under_another_name_and_says_which_it_was(store: RunStore) -> None:
    probes = ProbeStore(store.database)
    probes.keep(findings(1, TOOLS, SPEED, ENDS))
    assert probes.known("ollama", "copy") is None
    probes.saw("ollama", {"copy": "sha256:a"})
    known = probes.known("ollama", "copy")
    assert known == findings(1, TOOLS, SPEED, ENDS)
    probes.keep(findings(2, LOOKED, key="sha256:old", model="copy"))
    assert probes.known("ollama", "copy") == known
    own = findings(3, LOOKED, model="copy")
    probes.keep(own)
    assert probes.known("ollama", "copy") == own


def test_of_another_server_of_its_kind_only_what_the_model_itself_can_is_taken(store: RunStore) -> None:
    probes = ProbeStore(store.database)
    probes.keep(findings(1, TOOLS, SPEED, ENDS))
    probes.saw("ollama@lab", {"m": "sha256:a"})
    probes.saw("embedded", {"m": "sha256:a"})
    known = probes.known("ollama@lab", "m")
    assert known is not None and known.backend == "ollama"
    assert [result.check for result in known.results] == ["tools"]
    assert probes.known("embedded", "m") is None
