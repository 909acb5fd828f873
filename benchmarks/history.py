"""`python -m benchmarks.history`: a large history and a long run in a real browser: how fast they open and grow."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.page import Meter, chromium
from benchmarks.report import table, title
from tests.app_server import AppServer
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import AnyEvent, Delta, Event, ModelAnswered, NodeStarted, RunFinished, RunStarted, Totals
from workbench.request import Limits, RunRequest
from workbench.settings import Settings
from workbench.store.runs import RunStore

RUNS = 10_000
STEPS = 1_000
ROUND = 50  # steps of the real run that the long one is made of
WORDS = 80  # of a step
DELTAS = 40  # events in which they arrive: a local model at 20 tokens/s
PACE = 20  # events a second
WATCHED, FAST = 300, 60  # steps of a run that is watched while it grows, and its events a second
SPEED = 4  # times that pace
EARLY, LATE = (20, 60), (255, 295)  # the steps that are compared
PASSES = 5
BOUND = 1.0  # seconds
PER_PAGE = 20  # rows of the list
SETTLE_MS = 1_000  # between two passes: whatever the last one left to do is done
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
QUESTION = "How many boxes are full after {} weeks, if a farm's 14 hens lay 5 eggs each per week and 6 fit into a box?"


def real_run(home: Path) -> list[AnyEvent]:
    """A stepwise run through the engine: its steps are what the long run consists of."""
    words = " ".join(f"word{number * 7919 % 997}" for number in range(WORDS))
    step = {"object": {"title": "One more step", "content": words, "next_action": "continue"}}
    engine = Engine(Settings(home=home, backend="scripted"), {"scripted": ScriptedBackend([step] * ROUND + [words])})
    options = {"min_steps": 1, "max_steps": ROUND}
    request = RunRequest(
        machine="stepwise", question=QUESTION.format("many"), backend="scripted", model="demo", options=options
    )
    try:
        return [event for batch in engine.follow(engine.submit(request)) for event in batch]
    finally:
        engine.close()


def long_run(run_id: str, events: Sequence[AnyEvent], steps: int, pace: float) -> list[AnyEvent]:
    """The real run's steps laid end to end until there are enough, each answer in as many pieces as a model writes."""
    started, *body = events
    finished = body.pop()
    real = [list(step) for _, step in groupby(body, key=_counter())]
    wanted = [real[number % ROUND] for number in range(steps - 1)] + [real[-1]]
    pieces = (piece for number, step in enumerate(wanted, 1) for piece in _step(step, number))
    whole = [started, *pieces, finished]
    return [event.model_copy(update={"run_id": run_id, "seq": n, "at": n / pace}) for n, event in enumerate(whole)]


def _counter() -> Callable[[AnyEvent], int]:
    """Numbers the steps: each begins with its node."""
    number = 0

    def of(event: AnyEvent) -> int:
        nonlocal number
        number += isinstance(event, NodeStarted)
        return number

    return of


def _step(events: Sequence[AnyEvent], number: int) -> Iterator[Event]:
    """One step under its own number, its answer cut into pieces."""
    for event in events:
        changes = {"step": number, "call_id": f"c{number}"}
        known = {name: value for name, value in changes.items() if name in type(event).model_fields}
        if isinstance(event, ModelAnswered):
            yield from _pieces(event.text, f"c{number}")
        if not isinstance(event, Delta):
            yield event.model_copy(update=known)


def _pieces(text: str, call_id: str) -> Iterator[Delta]:
    size = -(-len(text) // DELTAS)
    for at in range(0, len(text), size):
        yield Delta(run_id="", seq=0, at=0, call_id=call_id, channel="text", text=text[at : at + size])


def fill(store: RunStore, sample: Sequence[AnyEvent]) -> None:
    """Ten thousand ended runs, one to be watched, and the newest of a thousand steps."""
    started = sample[0]
    assert isinstance(started, RunStarted)
    for first in range(0, RUNS, 1_000):
        store.append([event for number in range(first, first + 1_000) for event in _short_run(store, started, number)])
    for run_id, steps, pace, day in (("watched", WATCHED, FAST, 400), ("longest", STEPS, PACE, 401)):
        _enter(store, run_id, started, SINCE + timedelta(days=day), QUESTION.format(f"{steps:,}"))
        events = long_run(run_id, sample, steps, pace)
        for first in range(0, len(events), 10_000):
            store.append(events[first : first + 10_000])


def _short_run(store: RunStore, started: RunStarted, number: int) -> list[AnyEvent]:
    run_id, moment = f"run{number:09}", SINCE + timedelta(minutes=30 * number)
    _enter(store, run_id, started, moment, QUESTION.format(number))
    status = ("answered", "answered", "stopped", "limit", "failed")[number % 5]
    totals = Totals(calls=3, prompt_tokens=900, completion_tokens=300, seconds=12.5)
    answer = f"{number * 70} eggs are {number * 70 // 6} full boxes."
    end = RunFinished(run_id=run_id, seq=1, at=12.5, status=status, answer=answer, totals=totals)
    return [started.model_copy(update={"run_id": run_id, "created_at": moment.isoformat()}), end]


def _enter(store: RunStore, run_id: str, started: RunStarted, moment: datetime, question: str) -> None:
    asked = {key: started.request[key] for key in ("machine", "backend", "model", "options")}
    request = RunRequest(question=question, limits=Limits(steps=2_000), **asked)
    store.create(run_id, request, started.machine_title, moment.isoformat())


# Notes when what is waited for is in the page; Playwright's own looks are up to 0.2 s late.
WATCH = """([rows, card]) => {
  window.__seen = {};
  const note = (what, there) => { if (there) window.__seen[what] ??= Date.now() / 1000; };
  new MutationObserver(() => {
    note("list", document.querySelectorAll(".wb-run").length === rows);
    note("run", document.querySelector("#answer") && document.querySelector(card));
  }).observe(document, {subtree: true, childList: true});
}"""


def passes(context: BrowserContext, url: str) -> dict[str, list[float]]:
    """Seconds for each way of opening, pass by pass; the very first is the app's own first page."""
    context.add_init_script(f"({WATCH})([{PER_PAGE}, '#entry-{STEPS - 1}'])")
    page = context.new_page()
    found = {"the app's first page (the list)": [timed(page, "list", lambda: page.goto(f"{url}/runs"))]}
    for _ in range(PASSES):
        for name, what, action in (
            ("the list of 10,000 runs, by its address", "list", lambda: page.goto(f"{url}/runs")),
            ("a run of 1,000 steps, from the list", "run", lambda: page.locator(".st-key-open-longest button").click()),
            ("a run of 1,000 steps, by its address", "run", lambda: page.goto(f"{url}/?run=longest")),
        ):
            found.setdefault(name, []).append(timed(page, what, action))
    page.close()
    return found


def timed(page: Page, what: str, action: Callable[[], object]) -> float:
    """Seconds from an action until what it opens is in the page."""
    page.wait_for_timeout(SETTLE_MS)
    page.evaluate("window.__seen = {}")
    began = time.time()
    action()
    page.wait_for_function(f"window.__seen.{what}", timeout=120_000)
    return float(page.evaluate(f"window.__seen.{what}")) - began


def growth(page: Page, server: AppServer) -> tuple[float, float]:
    """Server processor seconds a step, early and late, while a run of 300 steps is written before a watcher's eyes."""
    page.goto(f"{server.url}/runs")
    page.locator(".st-key-row-watched").get_by_role("button", name="Replay").click()
    with Meter(server.process.pid) as meter:
        page.get_by_text(f"Replay {SPEED}×").click()
        seen = {step: _seen(page, step) for step in (*EARLY, *LATE)}
        time.sleep(0.3)
    early, late = (meter.between(seen[first], seen[last]) / (last - first) for first, last in (EARLY, LATE))
    return early, late


def _seen(page: Page, step: int) -> float:
    """When the step's card was there."""
    page.wait_for_selector(f"#entry-{step - 1}", state="attached", timeout=180_000)
    return time.time()


def measure() -> str:
    """Each way of opening, then the growth, as a Markdown table."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-bench-"))
    sample = real_run(Path(tempfile.mkdtemp(prefix="second-thought-bench-")))
    store = RunStore(Settings(home=home).store_url)
    fill(store, sample)
    store.close()
    env = os.environ | {"WORKBENCH_HOME": str(home), "WORKBENCH_BACKEND": "scripted"}
    with chromium() as browser, AppServer(home, env) as server:
        found = passes(_context(browser), server.url)
        early, late = growth(_context(browser).new_page(), server)
    rows = [[name, _spread(times), f"at most {BOUND:.0f} s" if len(times) > 1 else ""] for name, times in found.items()]
    ratio = f"{late / early:.2f} ({early * 1e3:.0f} ms at steps {EARLY}, {late * 1e3:.0f} ms at {LATE})"
    rows.append(["server processor time a step of a run that grows, late over early", ratio, "at most 1.3"])
    note = f"Median of {PASSES}, until what was asked for is in the page; {DELTAS} pieces of text a step."
    return f"{title('A large history', 'demo script')}\n{table(['what', 'measured', 'wanted'], rows)}\n\n{note}\n"


def _context(browser: Browser) -> Any:
    return browser.new_context(viewport={"width": 1280, "height": 900})


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f} s"
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f} s)"


if __name__ == "__main__":
    print(measure())
