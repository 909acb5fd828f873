"""A terminal to type in, a script that answers, and the log that both write."""

from pathlib import Path

import mcp.client.stdio  # noqa: F401  it takes the standard error of its import, and a typed command's is no file
import pytest
import yaml

from tests.cli.typing import Script, Terminal
from workbench import cli
from workbench.settings import load
from workbench.store.runs import RunStore


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Let the scripted backend, and no other, answer with these."""

    def write(answers: list[object], speed: float = 10_000) -> None:
        path = tmp_path / "script.yaml"
        path.write_text(yaml.safe_dump(answers, sort_keys=False))
        monkeypatch.setenv("WORKBENCH_BACKEND", "scripted")
        monkeypatch.setenv("WORKBENCH_SCRIPT", str(path))
        monkeypatch.setenv("WORKBENCH_SCRIPT_SPEED", str(speed))

    return write


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Type a command line: exit code, standard output, standard error."""

    def type_(*arguments: str) -> tuple[int, str, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as leave:
            code = int(str(leave.code))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return type_


@pytest.fixture
def store() -> RunStore:
    """The log of this test's home."""
    return RunStore(load().store_url)
