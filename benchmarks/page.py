"""What the page costs, in a real browser: the first token's way to the screen, and processor time per token."""

import os
import statistics
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.report import table, title
from scripts.find_browser import NOTHING, find_browser
from tests.app_server import AppServer
from workbench.events import AnyEvent, ModelAnswered, ModelCalled, RunStarted, RunView
from workbench.store.runs import RunStore

STEPS = 25
WORDS = 300
SPEED = 100  # words a second
RUNS = 5
AVERAGED = 3  # steps at each end
MARK = "firstword"

WATCH = """mark => {
  window.__seen = null;
  new MutationObserver(() => {
    if (window.__seen === null && document.body.innerText.includes(mark)) window.__seen = Date.now() / 1000;
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


@contextmanager
def app(script: list[Any], speed: int) -> Any:
    """The app on the scripted backend, with a script of its own."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-bench-"))
    path = home / "script.yaml"
    path.write_text(yaml.safe_dump(script))
    env = os.environ | {
        "WORKBENCH_HOME": str(home),
        "WORKBENCH_BACKEND": "scripted",
        "WORKBENCH_SCRIPT": str(path),
        "WORKBENCH_SCRIPT_SPEED": str(speed),
    }
    with AppServer(home, env) as server:
        yield server


@contextmanager
def chromium() -> Any:
    """A real browser."""
    program = find_browser()
    if program is None:
        raise SystemExit(NOTHING)
    flags = ["--disable-background-networking", "--disable-gpu", "--no-first-run"]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


def ask(page: Page, server: AppServer, machine: str) -> None:
    """Open the bench and start a run of a machine."""
    page.goto(server.url)
    page.get_by_role("button", name=machine, exact=True).or_(page.get_by_role("radio", name=machine)).first.click()
    page.get_by_role("textbox", name="Question").fill("What is measured here?")
    page.get_by_role("button", name="Run").click()


def log_of(server: AppServer) -> list[AnyEvent]:
    """The newest run's log, once it has ended."""
    store = RunStore(f"sqlite:///{server.home / 'runs.db'}")
    try:
        while store.runs(limit=1)[0].status == "running":
            time.sleep(0.2)
        return store.events(store.runs(limit=1)[0].id)
    finally:
        store.close()


def first_tokens(browser: Browser) -> list[float]:
    """Seconds from the first token's arrival from the backend to its text in the page, for several runs."""
    delays = []
    for _ in range(RUNS):
        script = [{"text": f"{MARK} " + "word " * 20, "delay": 1.0}]
        with app(script, speed=10) as server:
            page = browser.new_page()
            page.goto(server.url)
            page.evaluate(WATCH, MARK)
            page.get_by_role("radio", name="Reflection").or_(
                page.get_by_role("button", name="Reflection")
            ).first.click()
            page.get_by_role("textbox", name="Question").fill("What is measured here?")
            page.get_by_role("button", name="Run").click()
            page.wait_for_function("window.__seen !== null", timeout=30_000)
            seen = page.evaluate("window.__seen")
            page.close()
            events = log_of(server)
        started = events[0]
        assert isinstance(started, RunStarted)
        first = next(event for event in events if event.kind == "delta")
        delays.append(seen - datetime.fromisoformat(started.created_at).timestamp() - (first.at - started.at))
    return delays


class Meter:
    """A process's processor seconds, sampled ten times a second against the wall clock."""

    def __init__(self, pid: int) -> None:
        self._pid, self._done = pid, Event()
        self.samples: list[tuple[float, float]] = []
        self._thread = Thread(target=self._sample)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> float:
        """Processor seconds between two wall-clock times, interpolated."""
        return self._at(end) - self._at(begin)

    def _sample(self) -> None:
        while not self._done.wait(0.1):
            fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
            self.samples.append((time.time(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")))

    def _at(self, when: float) -> float:
        for (t0, c0), (t1, c1) in zip(self.samples, self.samples[1:], strict=False):
            if t0 <= when <= t1:
                return c0 + (c1 - c0) * (when - t0) / (t1 - t0)
        return self.samples[-1][1]


def page_costs(browser: Browser) -> list[float]:
    """Server processor seconds per 1,000 tokens, step by step of one long stepwise run with a page open."""
    words = [f"word{n}" for n in range(WORDS)]
    step = {"object": {"title": "A step", "content": " ".join(words), "next_action": "continue"}}
    with app([step] * STEPS + ["done"], SPEED) as server, Meter(server.process.pid) as meter:
        page = browser.new_page()
        ask(page, server, "Stepwise")
        page.get_by_text("Final answer").first.wait_for(timeout=300_000)
        time.sleep(0.5)
        events = log_of(server)
        page.close()
    started = events[0]
    assert isinstance(started, RunStarted) and RunView.of(events).status == "answered"
    began = datetime.fromisoformat(started.created_at).timestamp() - started.at
    calls = {event.call_id: event.at for event in events if isinstance(event, ModelCalled)}
    answers = [event for event in events if isinstance(event, ModelAnswered)][:STEPS]
    return [
        meter.between(began + calls[answer.call_id], began + answer.at) / (answer.completion_tokens or 1) * 1000
        for answer in answers
    ]


def measure() -> str:
    """Both, as a Markdown table."""
    with chromium() as browser:
        delays = first_tokens(browser)
        costs = page_costs(browser)
    early, late = statistics.mean(costs[:AVERAGED]), statistics.mean(costs[-AVERAGED:])
    spread = f"median of {RUNS}, {min(delays) * 1e3:.0f} to {max(delays) * 1e3:.0f} ms"
    ends = f"{early:.2f} s at steps 1 to {AVERAGED}, {late:.2f} s at {STEPS - AVERAGED + 1} to {STEPS}"
    ratio = f"{late / early:.2f} ({ends})"
    rows = [
        [
            "first token on the page after the backend's",
            f"{statistics.median(delays) * 1e3:.0f} ms ({spread})",
            "at most 200 ms",
        ],
        ["server processor time per 1,000 tokens, last steps over first", ratio, "at most 1.3"],
    ]
    note = f"Stepwise, {STEPS} steps of {WORDS} words at {SPEED} words a second, one page open."
    return f"{title('What the page costs', 'demo script')}\n{table(['what', 'measured', 'wanted'], rows)}\n\n{note}\n"


if __name__ == "__main__":
    print(measure())
