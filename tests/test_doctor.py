"""The doctor: what is well, what is not, and what to do."""

import asyncio
import io
from collections import namedtuple
from pathlib import Path

import pytest

from tests.store.samples import begin
from workbench import cli, doctor
from workbench.backends import fetch, registry
from workbench.doctor import Finding
from workbench.settings import DEFAULT_MODEL, Settings
from workbench.store.runs import RunStore


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.fixture
def offline(settings: Settings) -> Settings:
    """The scripted backend by default; nothing listens where the others are looked for."""
    return settings.model_copy(update={"ollama_host": "http://127.0.0.1:9"})


def test_a_machine_that_is_ready_is_told_so(offline: Settings) -> None:
    findings = doctor.examine(offline)
    out = io.StringIO()
    assert doctor.report(findings, out) == 0
    found = by_name(findings)
    assert found["Python"].state == found["Packages"].state == found["Data folder"].state == "ok"
    assert found["Database"].detail.endswith("runs.db, 0 runs")
    assert found["Backend scripted (default)"].state == "ok"
    assert found["Backend ollama"].state == "note"
    assert "http://127.0.0.1:9" in found["Backend ollama"].detail
    assert "ollama serve" in out.getvalue()
    assert out.getvalue().endswith("Everything that a run needs is there.\n")
    assert "\x1b" not in out.getvalue()


def test_a_default_backend_that_cannot_be_used_ends_with_code_1(offline: Settings) -> None:
    out = io.StringIO()
    assert doctor.report(doctor.examine(offline.model_copy(update={"backend": "ollama"})), out) == 1
    assert "NO  Backend ollama (default)" in out.getvalue()
    assert out.getvalue().endswith("Mend this before you start a run: Backend ollama (default).\n")


def test_the_columns_are_aligned_and_hints_stand_below() -> None:
    out = io.StringIO()
    doctor.report([Finding("A", "ok", "fine", "unused"), Finding("Longer", "bad", "broken", "Mend it.")], out)
    assert out.getvalue().splitlines()[:3] == ["ok  A       fine", "NO  Longer  broken", "            Mend it."]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("pydantic", "no-such-package"))
    finding = doctor.packages()
    assert (finding.state, finding.detail) == ("bad", "missing: no-such-package")
    assert "make setup" in finding.hint


def test_a_backend_whose_package_is_missing_says_so(offline: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module", name="its_sdk")

    monkeypatch.setattr(registry, "import_module", missing)
    found = by_name(doctor.examine(offline))
    assert found["Backend scripted (default)"].state == "bad"
    assert "the package its_sdk is missing" in found["Backend ollama"].detail
    assert "make setup" in found["Backend ollama"].hint


def test_a_backend_that_never_answers_is_not_waited_for(offline: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(self: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(doctor, "STATUS_SECONDS", 0.05)
    monkeypatch.setattr("workbench.backends.scripted.ScriptedBackend.status", forever)
    assert "did not answer" in by_name(doctor.examine(offline))["Backend scripted (default)"].detail


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    assert doctor.python().state == "bad"


def test_a_data_folder_that_cannot_be_written_is_named(offline: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    broken = offline.model_copy(update={"home": tmp_path / "file"})
    found = by_name(doctor.examine(broken))
    assert found["Data folder"].state == found["Database"].state == "bad"
    assert "WORKBENCH_HOME" in found["Data folder"].hint
    assert doctor.report(list(found.values()), io.StringIO()) == 1


def test_little_room_is_told(offline: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10, 9, 5_000_000))
    finding = doctor.data_folder(offline)
    assert (finding.state, "0.0 GB free" in finding.detail) == ("note", True)


def test_a_damaged_log_that_was_set_aside_is_told(offline: Settings) -> None:
    offline.home.mkdir(exist_ok=True)
    (offline.home / "runs.db").write_bytes(b"no database " * 1000)
    finding = doctor.database(offline)
    assert (finding.state, "set aside" in finding.hint) == ("note", True)


def test_damage_deep_inside_the_log_is_found(offline: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.store.damage.CHECKED_BYTES", 0)
    store = RunStore(offline.store_url)
    for number in range(300):
        begin(store, f"run-{number}", "x" * 500)
    store.close()
    path = offline.home / "runs.db"
    content = bytearray(path.read_bytes())
    content[-40_000:] = b"\xab" * 40_000
    path.write_bytes(content)
    finding = doctor.database(offline)
    assert finding.state == "bad"
    assert "damaged" in finding.detail or "malformed" in finding.detail


def test_a_missing_model_says_how_to_fetch_it(offline: Settings, tmp_path: Path) -> None:
    finding = doctor.model(offline.model_copy(update={"models_folder": tmp_path / "none"}))
    assert finding.state == "note"
    assert f"models fetch {DEFAULT_MODEL}" in finding.hint


@pytest.mark.parametrize(("backend", "state"), [("embedded", "bad"), ("scripted", "note")])
def test_a_model_with_other_bytes_is_named(offline: Settings, tmp_path: Path, backend: str, state: str) -> None:
    pinned = fetch.pinned(DEFAULT_MODEL)
    assert pinned is not None
    (tmp_path / pinned.file).write_bytes(b"GGUF but not this one")
    finding = doctor.model(offline.model_copy(update={"models_folder": tmp_path, "backend": backend}))
    assert (finding.state, "SHA-256" in finding.detail) == (state, True)


def test_a_persons_own_model_is_looked_for_by_path_and_name(offline: Settings, tmp_path: Path) -> None:
    own = tmp_path / "mine.gguf"
    own.write_bytes(b"GGUF")
    for wanted in (str(own), "mine"):
        settings = offline.model_copy(update={"embedded_model": wanted, "models_folder": tmp_path})
        assert doctor.model(settings).state == "ok"
    gone = offline.model_copy(update={"embedded_model": str(tmp_path / "gone.gguf")})
    assert (doctor.model(gone).state, "GGUF" in doctor.model(gone).hint) == ("note", True)
    nobody = offline.model_copy(update={"embedded_model": "~nosuchuser/x.gguf", "models_folder": tmp_path})
    assert "~nosuchuser/x.gguf is not there" in doctor.model(nobody).detail


def test_no_browser_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> None:
        raise doctor.webbrowser.Error("none")

    monkeypatch.setattr(doctor.webbrowser, "get", nothing)
    assert doctor.browser().state == "note"


def test_a_script_that_cannot_be_read_is_reported_not_raised(offline: Settings, tmp_path: Path) -> None:
    broken = offline.model_copy(update={"script": tmp_path / "none.yaml"})
    finding = by_name(doctor.examine(broken))["Backend scripted (default)"]
    assert (finding.state, "none.yaml" in finding.detail) == ("bad", True)


def test_the_terminal_ends_with_the_doctors_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_BACKEND", "scripted")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    assert cli.main(["doctor"]) == 0
    monkeypatch.setenv("WORKBENCH_BACKEND", "ollama")
    assert cli.main(["doctor"]) == 1
    assert "Mend this" in capsys.readouterr().out
