"""Whether the process behind a run lives."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from workbench.store import owner as module
from workbench.store.owner import SILENT, lives, owner


def test_this_process_lives() -> None:
    assert lives(owner(), touched=0.0)


def test_an_ended_process_does_not_live() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    name = owner(process.pid)
    assert lives(name, touched=time.time())
    process.communicate()
    assert not lives(name, touched=time.time())


def test_a_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    name = owner(process.pid)
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not lives(name, touched=time.time())
    process.wait()


def test_another_process_with_the_same_id_is_not_taken_for_the_owner() -> None:
    host, pid, _ = owner().split(":")
    assert not lives(f"{host}:{pid}:an-earlier-start", touched=time.time())
    assert not lives(f"{host}:not-a-number:1", touched=time.time())


def test_another_machine_is_believed_while_it_writes() -> None:
    assert lives("elsewhere:1:2", touched=time.time())
    assert not lives("elsewhere:1:2", touched=time.time() - SILENT - 1)


def test_without_proc_the_start_comes_from_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoProc(type(Path())):  # type: ignore[misc]
        def exists(self, **_: object) -> bool:
            return False

    def ps(command: list[str], **_: object) -> SimpleNamespace:
        assert command[:4] == ["ps", "-o", "lstart=", "-p"]
        return SimpleNamespace(stdout="Mon Nov 23 12:00:00 2026\n" if command[4] == "4242" else "")

    monkeypatch.setattr(module, "Path", NoProc)
    monkeypatch.setattr(module.subprocess, "run", ps)
    assert owner(4242).endswith(":4242:Mon-Nov-23-12:00:00-2026")
    assert lives(owner(4242), 0.0)
    assert not lives(owner(4243), 0.0)
