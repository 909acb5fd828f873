"""The browser tests run in a real browser or say what is missing; they are never skipped in silence."""

import sys
from pathlib import Path

import pytest

from scripts import find_browser as finder


@pytest.fixture
def no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no browser can be found; the folder is its PATH."""
    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.setattr(finder, "PLACES", ())
    return tmp_path


def program(path: Path, exit_code: int = 0) -> Path:
    path.write_text(f"#!{sys.executable}\nraise SystemExit({exit_code})\n")
    path.chmod(0o755)
    return path


def test_a_browser_on_the_path_is_found(no_browser: Path) -> None:
    chromium = program(no_browser / "chromium")
    assert finder.find_browser() == chromium


def test_a_browser_that_does_not_run_is_passed_over(no_browser: Path) -> None:
    program(no_browser / "chromium", exit_code=127)
    chrome = program(no_browser / "google-chrome")
    assert finder.find_browser() == chrome


def test_a_wrong_chrome_path_is_named(no_browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROME_PATH", "/nowhere/chrome")
    with pytest.raises(finder.NoBrowser, match="CHROME_PATH is /nowhere/chrome"):
        finder.find_browser()


def test_a_missing_browser_is_installed(no_browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installer = f"import os; os.symlink({str(program(no_browser / 'there'))!r}, {str(no_browser / 'chromium')!r})"
    monkeypatch.setattr(finder, "_installers", lambda: [[sys.executable, "-c", installer]])
    assert finder.install_browser() == no_browser / "chromium"


def test_without_any_browser_the_command_fails_with_what_to_do(
    no_browser: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finder, "_installers", lambda: [[sys.executable, "-c", "raise SystemExit(1)"]])
    assert finder.main() == 1
    assert "Install one, or set CHROME_PATH" in capsys.readouterr().err


def test_a_driver_that_does_not_run_is_a_sentence_with_its_cause(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finder, "_driver_fault", lambda: "node: libatomic.so.1: cannot open shared object file")
    monkeypatch.setattr(finder, "_may_apt", lambda: False)
    assert finder.main() == 1
    said = capsys.readouterr().err
    assert "libatomic.so.1: cannot open" in said and "apt install libatomic1" in said
