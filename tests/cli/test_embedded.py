"""The embedded engine's sizes and files in the terminal."""

import re
from pathlib import Path

import pytest

from tests.backends.test_memory import named, write_model
from tests.cli.typing import Terminal
from workbench.backends import memory
from workbench.settings import SMALL_MODEL, load

KEYS = {"general.architecture": named("llama")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of this test's own."""
    monkeypatch.setenv("WORKBENCH_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_sizes_are_set_for_all_sessions_and_given_back(terminal: Terminal):
    assert re.search(r"context +8,192  from the environment", terminal("models", "embedded")[1])
    code, out, err = terminal("models", "embedded", "--context", "4096", "--slots", "3")
    assert code == 0 and re.search(r"context +4,096  set here\nslots +3  set here\nthreads +0  from", out)
    assert "no run" in err or "none is in progress" in err
    assert "4,096  set here" in terminal("models", "embedded", "--threads", "2")[1]
    assert terminal("models", "embedded", "--slots", "99")[0] == 2
    assert "set here" not in terminal("models", "embedded", "--reset")[1]


def test_a_models_memory_is_told_with_the_sizes_that_are_set(
    terminal: Terminal, small_model: Path, monkeypatch: pytest.MonkeyPatch
):
    terminal("models", "embedded", "--context", "4096")
    code, out, _ = terminal("models", "memory", SMALL_MODEL)
    assert code == 0 and f"{SMALL_MODEL}, 2 x 4,096 tokens" in out
    assert re.search(rf"in all +{memory.size(memory.needed(small_model, 4096, 2))}", out)
    monkeypatch.setattr(memory, "available", lambda: 300_000_000)
    code, out, _ = terminal("models", "memory", SMALL_MODEL, "--context", "32768")
    assert code == 3 and "32,768" in out and "It does not fit." in out
    code, out, _ = terminal("models", "memory", SMALL_MODEL, "--context", "1000000", "--slots", "16")
    assert f"{SMALL_MODEL}, 16 x 32,768 tokens" in out
    assert "trained for 32,768: it gets no more of the 1,000,000" in out
    assert re.search(rf"in all +{memory.size(memory.needed(small_model, 32_768, 16))}", out)


def test_the_home_of_nobody_is_told_in_a_sentence(terminal: Terminal, folder: Path):
    for command in (("add",), ("verify",), ("memory",)):
        code, out, err = terminal("models", *command, "~nosuchuser/x.gguf")
        assert code == 3 and out == "" and "~nosuchuser is nobody's home folder here" in err


def test_a_file_is_taken_in_verified_and_removed(terminal: Terminal, folder: Path, tmp_path: Path):
    mine = write_model(tmp_path / "mine.gguf", KEYS)
    assert terminal("models", "add", str(mine)) == (0, "mine\n", "")
    code, out, err = terminal("models", "verify", "mine")
    assert code == 0 and re.fullmatch(r"[0-9a-f]{64}\n", out) and "It is whole." in err
    code, out, err = terminal("models", "remove", "mine")
    assert (code, out) == (2, "") and "--yes" in err and "nothing fetches it again" in err
    assert terminal("models", "remove", "mine", "--yes")[0] == 0
    assert list(folder.iterdir()) == [] and mine.is_file()
    assert load().models_path == folder
    write_model(folder / "cut.gguf", KEYS, missing=90)
    code, out, err = terminal("models", "verify", "cut")
    assert code == 3 and "corrupted or incomplete" in err
