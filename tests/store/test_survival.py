"""What a kill at any moment leaves behind, and what several processes do to one log."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.store.samples import begin, finished, started
from workbench.events import NodeFinished
from workbench.settings import CHECKOUT
from workbench.store.runs import RunStore

KILLS = 20

WRITES = """
import sys
from tests.store.samples import begin, delta, node_finished, started
from workbench.store.runs import RunStore
store, run_id = RunStore(sys.argv[1]), sys.argv[2]
begin(store, run_id)
seq = 0
while True:
    batch = [delta(run_id, seq + n, "word " * 200) for n in range(seq % 5)]
    seq += len(batch)
    store.append([*batch, node_finished(run_id, seq)])
    print(seq, flush=True)  # the step's end is on the disk: from here on it may not be lost
    seq += 1
    store.append([delta(run_id, seq)])
    seq += 1
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_after(process: subprocess.Popen[str], seconds: float) -> int:
    """Let a process write its first step, kill it a moment later; the last step that it reported as kept."""
    assert process.stdout is not None and process.stderr is not None
    first = process.stdout.readline()
    assert first, process.stderr.read()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    whole = [line for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
    return int(whole[-1])


def test_a_kill_at_any_moment_loses_no_step_that_was_kept_and_damages_nothing(tmp_path: Path) -> None:
    url, chance = f"sqlite:///{tmp_path / 'runs.db'}", random.Random(29)
    moments = {f"run-{number:02}": chance.random() / 4 for number in range(KILLS)}
    with ThreadPoolExecutor(4) as pool:
        lasts = pool.map(lambda run: killed_after(python(WRITES, url, run), moments[run]), moments)
        kept = dict(zip(moments, lasts, strict=True))
    store = RunStore(url)
    assert (store.notice, store.database.integrity()) == ("", "")
    assert store.mark_interrupted() == KILLS
    for run_id, last in kept.items():
        events = store.events(run_id)
        assert [event.seq for event in events] == list(range(len(events)))
        assert isinstance(events[last], NodeFinished)
        assert (store.run(run_id).status, store.run(run_id).seconds) == ("interrupted", events[-1].at)
    store.claim("run-00")
    store.close()
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


CLAIMS = """
import sys, time
from workbench.errors import InvalidRequest
from workbench.store.runs import RunStore
store = RunStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(10):
    try:
        store.claim(f"run-{n}")
        print(n, flush=True)
    except InvalidRequest as error:
        assert "running already" in str(error), error
sys.stdin.readline()
"""


def test_of_several_processes_that_take_a_run_at_once_exactly_one_succeeds(url: str) -> None:
    store = RunStore(url)
    for number in range(10):
        begin(store, f"run-{number}")
        store.append([started(f"run-{number}"), finished(f"run-{number}", 1, ("stopped", "failed")[number % 2], "")])
    command = [sys.executable, "-c", CLAIMS, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, cwd=CHECKOUT, text=True, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    deadline = time.monotonic() + 60
    while store.count(status="running") < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)  # time for a second taker to go wrong; all live until they are told to end
    outputs = [process.communicate("end\n", timeout=60) for process in processes]
    assert [(process.returncode, complaint) for process, (_, complaint) in zip(processes, outputs, strict=True)] == [
        (0, "")
    ] * 3
    assert Counter(int(line) for out, _ in outputs for line in out.split()) == dict.fromkeys(range(10), 1)
    store.close()


BOTH = """
import sys
from tests.store.samples import answered, begin, called, delta, finished, node_finished, started
from workbench.store.runs import RunStore
store, name = RunStore(sys.argv[1]), sys.argv[2]
for run in range(3):
    run_id = f"{name}-{run}"
    begin(store, run_id)
    store.append([started(run_id)])
    for n in range(1, 121, 3):
        store.append([called(run_id, n), delta(run_id, n + 1)])
        store.append([answered(run_id, n + 2)] if n % 2 else [node_finished(run_id, n + 2)])
print("written", flush=True)
sys.stdin.readline()
"""


def test_two_processes_on_one_log_lose_nothing_and_double_nothing(url: str) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [
        subprocess.Popen([sys.executable, "-c", BOTH, url, name], cwd=CHECKOUT, text=True, **pipes)
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout.readline() == "written\n", process.stderr.read()
    store = RunStore(url)
    assert store.mark_interrupted() == 0
    for name in ("one", "two"):
        for run in range(3):
            assert [event.seq for event in store.events(f"{name}-{run}")] == list(range(121))
            row = store.run(f"{name}-{run}")
            assert (row.status, row.calls, row.prompt_tokens) == ("running", 40, 200)
    for process in processes:
        assert process.communicate("end\n", timeout=60) == ("", "")
    assert store.mark_interrupted() == store.count() == 6
    assert store.database.integrity() == ""
    store.close()
