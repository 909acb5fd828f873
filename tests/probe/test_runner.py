"""A probe as a person meets it: begun, followed, stopped, kept, and not ended by one check that fails."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.ollama_server import OllamaServer
from workbench.backends.base import ModelInfo
from workbench.backends.ollama import OllamaBackend
from workbench.engine import Engine
from workbench.errors import InvalidRequest, ModelMissing
from workbench.probe.registry import CHECKS, seconds
from workbench.probe.report import Report
from workbench.probe.runner import Prober, expected_seconds, expected_tokens
from workbench.settings import Settings

MODEL = "model:latest"
NAMES = [check.name for check in CHECKS]


@pytest.fixture
def prober(settings: Settings, ollama: OllamaServer) -> Iterator[Prober]:
    engine = Engine(settings, {"ollama": OllamaBackend(ollama.url)})
    yield Prober(engine)
    engine.close()


def wait(until: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def probed(prober: Prober, model: str = MODEL) -> Report:
    prober.start("ollama", model)
    wait(lambda: prober.running() is None)
    last = prober.last()
    assert last is not None
    return last.report


def test_a_whole_probe_is_kept_with_its_evidence_under_the_models_digest(prober: Prober, ollama: OllamaServer) -> None:
    behaviour = ollama.add(MODEL)
    report = probed(prober)
    assert [(result.check, result.status) for result in report.results] == [(name, "measured") for name in NAMES]
    assert (report.status, report.model_key) == ("done", behaviour.digest(MODEL))
    assert "0.40.2" in report.engine and report.cpus and report.machine and report.program
    assert all(evidence.says for result in report.results for evidence in result.evidence)
    assert prober.store.get(report.id) == report


def test_a_check_that_the_server_fails_does_not_end_the_others_and_claims_nothing(
    prober: Prober, ollama: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.probe.asking.wait_before_retry", lambda error, attempt: None)
    ollama.add(MODEL, faults="umbrella")
    report = probed(prober)
    tools = report.result("tools")
    assert tools is not None and tools.status == "failed" and tools.finding is None
    assert tools.error and "Ollama failed" in tools.error.message
    assert tools.evidence[-1].error == tools.error
    assert report.status == "done" and [result.status for result in report.results].count("measured") == len(NAMES) - 1


def test_a_server_that_goes_away_ends_the_probe_as_failed(prober: Prober, ollama: OllamaServer, monkeypatch) -> None:
    monkeypatch.setattr("workbench.probe.asking.wait_before_retry", lambda error, attempt: None)
    ollama.add(MODEL)
    model = prober.engine.on_loop(prober.engine.backend("ollama").model(MODEL))
    monkeypatch.setattr(prober, "_model", lambda backend, name: model)
    del ollama.models[MODEL]
    report = probed(prober)
    assert report.status == "failed" and len(report.results) == 1
    assert report.results[0].error and report.results[0].error.code == "model_missing"


def test_a_probe_that_is_stopped_keeps_what_it_has_measured(prober: Prober, ollama: OllamaServer) -> None:
    ollama.add(MODEL, writes=300)
    prober.start("ollama", MODEL)
    wait(lambda: (now := prober.running()) is not None and now.number == 2 and bool(now.question))
    now = prober.running()
    assert now is not None and now.asks == "Does it stream?" and now.question.startswith("Count from 1")
    prober.stop()
    wait(lambda: prober.running() is None)
    last = prober.last()
    assert last is not None and last.report.status == "stopped"
    assert [result.status for result in last.report.results] == ["measured", "stopped"]
    assert prober.store.get(last.report.id) == last.report


def test_a_second_probe_waits_for_the_first(prober: Prober, ollama: OllamaServer) -> None:
    ollama.add(MODEL, writes=300)
    prober.start("ollama", MODEL)
    with pytest.raises(InvalidRequest, match="is being probed"):
        prober.start("ollama", MODEL)
    prober.stop()
    wait(lambda: prober.running() is None)


def test_a_model_that_is_not_there_is_said_before_anything_begins(prober: Prober) -> None:
    with pytest.raises(ModelMissing):
        prober.start("ollama", "nothing")
    assert prober.store.all() == [] and prober.running() is None


def test_an_engine_that_closes_leaves_the_probe_stopped(settings: Settings, ollama: OllamaServer) -> None:
    ollama.add(MODEL, writes=100)
    engine = Engine(settings, {"ollama": OllamaBackend(ollama.url)})
    prober = Prober(engine)
    probe = prober.start("ollama", MODEL)
    wait(lambda: (now := prober.running()) is not None and bool(now.question))
    engine.close()
    again = Engine(settings)
    kept = again.probes.get(probe)
    assert kept is not None and kept.status == "stopped"
    again.close()


def test_how_long_it_takes_is_said_by_the_speed_that_was_measured(prober: Prober, ollama: OllamaServer) -> None:
    ollama.add(MODEL)
    prober.start("ollama", MODEL)
    first = prober.last()
    wait(lambda: prober.running() is None)
    prober.start("ollama", MODEL)
    second = prober.last()
    prober.stop()
    wait(lambda: prober.running() is None)
    assert first is not None and second is not None
    assert first.expected > 100 > 20 > second.expected


def test_a_quick_probe_keeps_what_an_earlier_one_knows_until_the_model_changes(
    prober: Prober, ollama: OllamaServer
) -> None:
    behaviour = ollama.add(MODEL)
    whole = probed(prober)
    behaviour.writes = 100
    prober.start("ollama", MODEL)
    wait(lambda: (now := prober.running()) is not None and now.number == 2)
    prober.stop()
    wait(lambda: prober.running() is None)
    known = prober.store.known("ollama", MODEL)
    assert known is not None and known.finding("tools") == whole.finding("tools")
    assert known.finding("speed").decode < whole.finding("speed").decode
    behaviour.version, behaviour.writes = 2, 4_000
    assert prober.store.known("ollama", MODEL) == known
    newer = probed(prober)
    assert newer.model_key != whole.model_key
    assert next(report.model_key for report in prober.store.of_model("ollama", MODEL)) == newer.model_key
    assert len(prober.store.all()) == 3


def test_of_two_probes_that_begin_at_one_moment_one_is_made_and_the_other_refused(
    settings: Settings, ollama: OllamaServer
) -> None:
    class Slow(OllamaBackend):
        async def model(self, name: str) -> ModelInfo:
            await asyncio.sleep(0.2)
            return await super().model(name)

    names = ("a:latest", "b:latest")
    behaviours = {name: ollama.add(name) for name in names}
    engine = Engine(settings, {"ollama": Slow(ollama.url)})
    prober = Prober(engine)

    def begin(name: str) -> str:
        try:
            return prober.start("ollama", name)
        except InvalidRequest as error:
            return error.message

    with ThreadPoolExecutor() as pool:
        said = list(pool.map(begin, names))
    wait(lambda: prober.running() is None)
    [kept] = prober.store.all()
    assert kept.status == "done" and kept.model_key == behaviours[kept.model].digest(kept.model)
    assert sorted(said) == sorted([kept.id, f"{kept.model} is being probed."])
    engine.close()


def test_half_of_a_character_in_an_answer_does_not_end_the_probe(prober: Prober, ollama: OllamaServer) -> None:
    ollama.add(MODEL, says="The sea \ud83d is grey.")
    report = probed(prober)
    assert (report.status, len(report.results)) == ("done", len(NAMES))
    seed = report.result("seed")
    assert seed is not None and seed.evidence[0].answer == "The sea ? is grey."
    assert prober.store.get(report.id) == report


def test_thinking_counts_in_how_long_a_probe_takes_and_what_it_writes() -> None:
    plain, thinking = seconds("quick", 2_048, 1_000, 100), seconds("quick", 2_048, 1_000, 100, 400)
    assert thinking - plain == pytest.approx(45 * 400 / 100)


def test_a_model_that_thinks_unasked_is_expected_to_take_longer_at_once_and_next_time(
    prober: Prober, ollama: OllamaServer
) -> None:
    ollama.add(MODEL, thinking="unasked")
    report = probed(prober)
    last, thinks = prober.last(), report.finding("thinks")
    speed = report.finding("speed")
    assert last is not None and thinks.tokens > 5
    whole = seconds("quick", 32_768, speed.prefill, speed.decode, thinks.tokens)
    assert last.expected == pytest.approx(whole) == expected_seconds("quick", 32_768, report)
    assert whole > seconds("quick", 32_768, speed.prefill, speed.decode)


def test_what_a_full_probe_of_a_long_window_sends_is_known_before(prober: Prober) -> None:
    read, written = expected_tokens("full", 131_072, None)
    assert 500_000 < read < 560_000 and written < 10_000
    assert expected_tokens("quick", 131_072, None)[0] < 30_000
