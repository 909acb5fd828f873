"""Programs that try to get out of the sandbox, or to use more than their share: none does, and each ends by itself."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from workbench.tools import sandbox
from workbench.tools.sandbox import Limits, Outcome, Sandbox

PROGRAMS = Path(__file__).parent / "escapes"
BOMB = Limits(seconds=0.3, memory=32 * 2**20, printed=8 * 2**10)
TIME = "it ran longer than"


def programs(*files: str) -> list[Any]:
    found = [one for file in files for one in yaml.safe_load((PROGRAMS / f"{file}.yaml").read_text(encoding="utf-8"))]
    return [pytest.param(one, id=one["name"]) for one in found]


ESCAPES, BOMBS = programs("files", "world"), programs("bombs")
GET_OUT = [one.values[0] for one in ESCAPES if one.values[0].get("out")]
IN_PYTHON = """
import json, os, sys, tempfile

said = []
for code in json.load(sys.stdin):
    with tempfile.TemporaryFile("w+") as out:
        if os.fork() == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            exec(code, {"__name__": "__main__"})
            sys.exit()
        os.wait()
        out.seek(0)
        said.append(out.read())
print(json.dumps(said))
"""


@dataclass
class World:
    """What a program is after; each secret is a word that it cannot know."""

    folder: Path
    listener: socket.socket
    words: dict[str, str]

    @classmethod
    def made(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> "World":
        folder.mkdir()
        words = {name: f"{name}-{secrets.token_hex(8)}" for name in ("file", "variable", "module", "neighbour")}
        (folder / "secret.txt").write_text(words["file"])
        (folder / "planted.py").write_text(f"WORD = {words['module']!r}\n")
        (folder / words["neighbour"]).touch()
        monkeypatch.setenv("CANARY", os.environ.get("CANARY") or words["variable"])
        words["variable"] = os.environ["CANARY"]
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        return cls(folder, listener, words)

    def program(self, code: str) -> str:
        port = self.listener.getsockname()[1]
        at = {"secret": self.folder / "secret.txt", "target": self.folder / "target", "folder": self.folder}
        return code.format(port=port, **at)

    def taken(self, said: str) -> list[str]:
        """What a program that said this got hold of, or left behind."""
        found = [name for name, word in self.words.items() if word in said]
        found += ["the secret's existence"] if "found the secret" in said else []
        there = {"secret.txt", "planted.py", self.words["neighbour"]}
        left = {file.name for file in self.folder.iterdir()} - {"__pycache__"}
        found += [f"changed: {name}" for name in left ^ there]
        found += ["the secret's text"] if (self.folder / "secret.txt").read_text() != self.words["file"] else []
        return found + (["the network"] if self._was_reached() else [])

    def _was_reached(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World.made(tmp_path / "world", monkeypatch)
    yield made
    made.listener.close()


def everything(outcome: Outcome) -> str:
    return "\n".join([outcome.printed, str(outcome.value), outcome.failure, *map(repr, outcome.frames)])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Watched(Sandbox):
    """A sandbox that remembers its worker."""

    worker = 0

    def _begin(self, worker: int | None) -> None:
        self.worker = worker or self.worker
        super()._begin(worker)


def test_the_corpus_is_large_and_no_program_is_there_twice():
    codes = [one.values[0]["code"] for one in (*ESCAPES, *BOMBS)]
    assert len(ESCAPES) >= 100
    assert len(BOMBS) >= 40
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("program", ESCAPES)
def test_no_program_gets_out(program, world):
    box = Watched(world.program(program["code"]), Limits(seconds=0.5))
    outcome = box.run()
    assert world.taken(everything(outcome)) == []
    assert "root:" not in everything(outcome)
    assert not is_alive(box.worker)


@pytest.mark.skipif(sys.platform != "linux", reason="the programs are written for Linux")
def test_in_python_itself_these_programs_get_out(tmp_path, monkeypatch):
    """Else it would be no wonder that they do not get out of the sandbox."""
    worlds = [World.made(tmp_path / str(number), monkeypatch) for number, _ in enumerate(GET_OUT)]
    codes = [world.program(one["code"]) for world, one in zip(worlds, GET_OUT, strict=True)]
    command = [sys.executable, "-c", IN_PYTHON]
    done = subprocess.run(command, input=json.dumps(codes), capture_output=True, text=True, timeout=60)
    said = json.loads(done.stdout)
    stayed = [one["name"] for world, one, text in zip(worlds, GET_OUT, said, strict=True) if not world.taken(text)]
    for world in worlds:
        world.listener.close()
    assert len(GET_OUT) > 80
    assert stayed == []


@pytest.mark.parametrize("program", BOMBS)
def test_a_bomb_ends_at_its_limit(program):
    limits = BOMB if program["ends"] == TIME else replace(BOMB, seconds=20)
    box, began = Watched(program["code"], limits), time.perf_counter()
    outcome = box.run()
    assert program["ends"].lower() in outcome.failure.lower()
    assert time.perf_counter() - began < 10
    assert len(everything(outcome)) < 100_000
    assert not is_alive(box.worker)


async def test_bombs_beside_it_harm_no_program():
    bombs = [one.values[0]["code"] for one in BOMBS if one.values[0]["ends"] != TIME][:12]
    sums = [f"print('program', {n}, sum(range(1000)))" for n in range(12)]
    both = [code for pair in zip(bombs, sums, strict=True) for code in pair]
    ends = await asyncio.gather(*(sandbox.run(code, replace(BOMB, seconds=20)) for code in both))
    assert all(end.failure for end in ends[::2])
    assert [end.printed for end in ends[1::2]] == [f"program {n} 499500\n" for n in range(12)]
    assert not any(end.failure for end in ends[1::2])


async def running(boxes: list[Watched]) -> list["asyncio.Task[Outcome]"]:
    """Each in a thread of its own, once its worker is there."""
    tasks = [asyncio.create_task(asyncio.to_thread(box.run)) for box in boxes]
    async with asyncio.timeout(20):
        while not all(box.worker for box in boxes):
            await asyncio.sleep(0.01)
    return tasks


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT])
async def test_a_process_that_dies_takes_no_other_along(how):
    code = "total = 0\nfor n in range(3_000_000):\n    total += n\nprint(total)"
    boxes = [Watched(code, Limits(seconds=20)) for _ in range(4)]
    tasks = await running(boxes)
    for box in boxes[:2]:
        os.kill(box.worker, how)
    ends = await asyncio.gather(*tasks)
    assert {end.failure for end in ends[:2]} == {"The sandbox's process died while it ran this program"}
    assert [(end.printed, end.failure) for end in ends[2:]] == [("4499998500000\n", "")] * 2
    assert (await sandbox.run("print('next')", BOMB)).printed == "next\n"


async def test_a_process_that_answers_no_more_is_ended():
    box = Watched("while True:\n    pass", BOMB)
    (task,) = await running([box])
    os.kill(box.worker, signal.SIGSTOP)
    began = time.perf_counter()
    assert (await task).failure == "TimeoutError: it ran longer than 0.3 seconds"
    assert time.perf_counter() - began < 6
    assert not is_alive(box.worker)
