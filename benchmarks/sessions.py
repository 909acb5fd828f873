"""Twenty people at once on one app: is anything lost or mixed, how late is it on their pages, what does idling cost?

What is measured. One app process plays scripted answers at 40 words a second to twenty sessions, all started at the
same moment, on however many cores there are. Two of them are pages of a real Chromium; the others speak Streamlit's
own protocol over its websocket (`tests.visitor`), since twenty Chromium tabs on two cores would measure Chromium. Those
who ask and the two real pages run on the same cores as the app, so that they count against it.

Lag. A word is due when the event that holds it is put on the run's log (the run's start by the wall clock, plus the
event's time), and there when the page has it: for a real page when its DOM has the word, for the others when the
message that draws it has been read from the websocket. Every event with text counts, and the run's end. A log event
joins the words of up to 50 ms; that is not part of the lag.

Lost and mixed. Every word names its session, its answer and its place. A run is lost when it did not end as answered,
when its log or its page lacks one of its words, or an event never came to its page; mixed when a word of another
session was on its page at any moment, or is on its log.

Memory. The app is started anew on the same data folder and twenty sessions open an ended run each, so that what is
loaded once is loaded. Then a hundred more sessions do, and all stay connected. What the process's resident set has
grown by, divided by a hundred, is what an idle run costs, with Streamlit's own session for it.
"""

import argparse
import asyncio
import os
import re
import shutil
import statistics
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.page import chromium
from benchmarks.report import table, title
from tests.app_server import AppServer
from tests.browser import driving
from tests.visitor import Visitor
from workbench.events import AnyEvent, Delta, ModelAnswered, RunFinished, RunStarted
from workbench.store.runs import RunStore

SESSIONS = 20
PAGES = 2  # of a real browser
SPEED = 40  # words a second
SHORT, LONG = 150, 300  # words of an answer
IDLE = 100
LAG_SECONDS, IDLE_BYTES = 0.5, 1_000_000
PATIENCE_MS = 120_000
END = (99, 0)  # the place of the run's end, behind that of every word
WORD = re.compile(r"s(\d\d)c(\d)w(\d{4})")

# When each newer word came into a card, and the sessions whose words were in any. Older cards have been looked at.
WATCH = """() => {
  window.__seen = []; window.__sessions = new Set();
  const look = () => {
    const now = Date.now() / 1000;
    for (const card of [...document.querySelectorAll("article.wb-card")].slice(-2)) {
      for (const [, who, call, word] of card.textContent.matchAll(/s(\\d\\d)c(\\d)w(\\d{4})/g)) {
        window.__sessions.add(+who);
        const last = window.__seen.at(-1);
        const newer = !last || +call > last[1] || (+call === last[1] && +word > last[2]);
        if (newer) window.__seen.push([now, +call, +word]);
      }
    }
    if (document.querySelector("#answer") && window.__seen.at(-1)?.[1] !== 99) window.__seen.push([now, 99, 0]);
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


@dataclass
class Seat:
    """One of the sessions: what it saw, and when each newest word was first there."""

    number: int
    run_id: str = ""
    page: str = ""
    seen: list[tuple[float, tuple[int, int]]] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    real: bool = False

    @property
    def machine(self) -> str:
        """The title of the machine that it asks."""
        return ("Stepwise", "Reflection")[self.number % 2]

    @property
    def question(self) -> str:
        """Its question; a script sees by the marks in it which answers are not for this session."""
        others = (mark(other, call) for other in range(SESSIONS) if other != self.number for call in range(4))
        return "What is measured here? " + " ".join(others)

    def look(self, at: float, text: str) -> None:
        """Take in a text that has just been drawn."""
        found = [(int(who), (int(call), int(word))) for who, call, word in WORD.findall(text)]
        self.sessions |= {who for who, _ in found}
        newest = END if 'id="answer"' in text else max((place for _, place in found), default=None)
        if newest and (not self.seen or newest > self.seen[-1][1]):
            self.seen.append((at, newest))


@dataclass
class Outcome:
    """What became of one session's run."""

    seat: Seat
    lags: list[float]
    lost: list[str]
    mixed: list[str]


def mark(session: int, call: int) -> str:
    """The first word of an answer: the script does not give an answer whose mark stands in the conversation."""
    return f"m{session:02}{call}"


def words(session: int, call: int) -> str:
    """The text of an answer: its mark, then words that each name session, answer and place."""
    count = LONG if (call == 3 if session % 2 == 0 else call in (0, 2)) else SHORT
    return " ".join([mark(session, call), *(f"s{session:02}c{call}w{n:04}" for n in range(count))])


def script() -> str:
    """The answers of all sessions: three steps and an answer, or two drafts with a verdict on each."""
    stepwise, reflection = range(0, SESSIONS, 2), range(1, SESSIONS, 2)

    def step(session: int, call: int) -> dict[str, Any]:
        following = "final_answer" if call == 2 else "continue"
        return {"title": "A step", "content": words(session, call), "next_action": following}

    def verdict(session: int, call: int) -> dict[str, Any]:
        return {"issues": [words(session, call)], "score": 5 + call, "verdict": "accept" if call == 3 else "revise"}

    def answers(sessions: range, calls: Sequence[int], write: Any = None) -> list[dict[str, Any]]:
        return [
            {"mark": mark(s, c)} | ({"object": write(s, c)} if write else {"text": words(s, c)})
            for s in sessions
            for c in calls
        ]

    conversations = [
        {"name": "critic", "when": {"properties": "verdict"}, "answers": answers(reflection, (1, 3), verdict)},
        {"name": "thinker", "when": {"properties": "next_action"}, "answers": answers(stepwise, (0, 1, 2), step)},
        {"name": "writer", "when": {"system": "writing assistant"}, "answers": answers(reflection, (0, 2))},
        {"name": "answerer", "answers": answers(stepwise, (3,))},
    ]
    return yaml.safe_dump({"conversations": conversations})


@contextmanager
def app(home: Path) -> Iterator[AppServer]:
    """The app on a data folder, playing our script."""
    path = home / "script.yaml"
    path.write_text(script())
    ours = {"HOME": home, "BACKEND": "scripted", "SCRIPT": path, "SCRIPT_SPEED": SPEED, "DATABASE_URL": ""}
    with AppServer(home, os.environ | {f"WORKBENCH_{name}": str(value) for name, value in ours.items()}) as server:
        yield server


class RealPages:
    """Pages of a real browser, in a thread of their own: Playwright's plain interface wants one."""

    def __init__(self, server: AppServer, seats: Sequence[Seat]) -> None:
        self._server, self._seats = server, seats
        self.ready, self.go = threading.Event(), threading.Event()

    def visit(self) -> None:
        """Open the pages, wait for the word, ask, and keep what each saw until its answer stood."""
        try:
            with chromium() as browser:
                pages = [self._open(browser, seat) for seat in self._seats]
                self.ready.set()
                self.go.wait()
                for page, seat in zip(pages, self._seats, strict=True):
                    driving.ask(page, seat.question)
                for page, seat in zip(pages, self._seats, strict=True):
                    self._keep(page, seat)
        finally:
            self.ready.set()

    def _open(self, browser: Any, seat: Seat) -> Any:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(self._server.url)
        driving.choose(page, seat.machine)
        page.evaluate(WATCH)
        return page

    def _keep(self, page: Any, seat: Seat) -> None:
        driving.wait_for_answer(page)
        seat.run_id, seat.real = driving.run_id(page), True
        seat.page = page.evaluate("document.querySelector('[data-testid=stMain]').textContent")
        seat.seen = [(at, (call, word)) for at, call, word in page.evaluate("window.__seen")]
        seat.sessions = set(page.evaluate("[...window.__sessions]"))


async def visit_all(server: AppServer, seats: Sequence[Seat]) -> None:
    """All sessions open the bench; when the last has, all ask at once and stay until their answers stand."""
    pages = RealPages(server, seats[:PAGES])
    browsing = asyncio.create_task(asyncio.to_thread(pages.visit))
    try:
        async with AsyncExitStack() as stack:
            visitors = [await stack.enter_async_context(Visitor(server.port, seat.look)) for seat in seats[PAGES:]]
            for visitor in visitors:
                await visitor.open()
            await asyncio.to_thread(pages.ready.wait)
            pages.go.set()
            asking = zip(visitors, seats[PAGES:], strict=True)
            await asyncio.gather(*(ask(visitor, seat) for visitor, seat in asking))
    finally:
        pages.go.set()
        await browsing


async def ask(visitor: Visitor, seat: Seat) -> None:
    """One session's run from Run to its answer."""
    await visitor.ask(seat.machine, seat.question)
    await visitor.until_idle()
    seat.run_id, seat.page = visitor.run_id, visitor.text()


def examine(seat: Seat, events: Sequence[AnyEvent]) -> Outcome:
    """Compare what a session saw with its run's log, and the log with the script."""
    lags, missed = lags_of(seat, events)
    lost = [f"{missed} events never came to the page"] if missed else []
    if not (events and isinstance(events[-1], RunFinished) and events[-1].status == "answered"):
        lost.append("it did not end as answered")
    own = {call: words(seat.number, call) for call in range(4)}
    logged = "\n".join(event.text for event in events if isinstance(event, ModelAnswered))
    streamed = "".join(event.text for event in events if isinstance(event, Delta))
    for place, text in {"its log": logged, "its log's stream": streamed, "its page": seat.page}.items():
        lost += [f"{place} lacks words of answer {call}" for call in own if not holds(text, own[call])]
    strangers = seat.sessions | {int(who) for who, _, _ in WORD.findall(logged + seat.page)}
    mixed = [f"words of session {who}" for who in sorted(strangers - {seat.number})]
    return Outcome(seat, lags, lost, mixed)


def holds(text: str, answer: str) -> bool:
    """Whether every word of an answer is in a text."""
    return set(WORD.findall(answer)) <= set(WORD.findall(text))


def lags_of(seat: Seat, events: Sequence[AnyEvent]) -> tuple[list[float], int]:
    """Seconds from each event that brought a word, and from the end, to the page; how many never came there."""
    started = events[0]
    assert isinstance(started, RunStarted)
    began = datetime.fromisoformat(started.created_at).timestamp() - started.at
    places = [place for _, place in seat.seen]
    lags, missed = [], 0
    for event in events:
        due = brought_by(event)
        index = bisect_left(places, due) if due else -1
        if index == len(places):
            missed += 1
        elif due:
            lags.append(seat.seen[index][0] - began - event.at)
    return lags, missed


def brought_by(event: AnyEvent) -> tuple[int, int] | None:
    """The place of the last word that an event brings to the page, or of the run's end; None when it brings neither."""
    if isinstance(event, RunFinished):
        return END
    found = WORD.findall(event.text) if isinstance(event, Delta) else []
    return max(((int(call), int(word)) for _, call, word in found), default=None)


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    """What a process has used of the processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def idle_bytes(server: AppServer, run_ids: Sequence[str]) -> float:
    """What the process grows by for each further session that has an ended run open and does nothing."""

    async def open_more(stack: AsyncExitStack, count: int) -> int:
        for number in range(count):
            visitor = await stack.enter_async_context(Visitor(server.port))
            await visitor.open(f"run={run_ids[number % len(run_ids)]}")
        await asyncio.sleep(2)
        return resident(server.process.pid)

    async with AsyncExitStack() as stack:
        before = await open_more(stack, SESSIONS)
        return (await open_more(stack, IDLE) - before) / IDLE


@dataclass
class Measured:
    """Everything that came out."""

    outcomes: list[Outcome]
    runs: int
    idle: float
    busy: float  # of one processor

    def lags(self, real: bool) -> list[float]:
        """Of the pages of the real browser, or of the others."""
        return [lag for outcome in self.outcomes if outcome.seat.real == real for lag in outcome.lags]

    @property
    def wrong(self) -> list[str]:
        """A line for whatever was lost or mixed."""
        return [
            f"session {outcome.seat.number}, run {outcome.seat.run_id or 'unknown'}: {trouble}"
            for outcome in self.outcomes
            for trouble in outcome.lost + outcome.mixed
        ] + ([] if self.runs == SESSIONS else [f"{self.runs} runs are on the log, not {SESSIONS}"])


def examine_all() -> Measured:
    """Everything, on a data folder of its own."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-sessions-"))
    seats = [Seat(number) for number in range(SESSIONS)]
    try:
        with app(home) as server:
            used, began = processor_seconds(server.process.pid), time.monotonic()
            asyncio.run(visit_all(server, seats))
            busy = (processor_seconds(server.process.pid) - used) / (time.monotonic() - began)
        store = RunStore(f"sqlite:///{home / 'runs.db'}")
        try:
            runs = store.count()
            outcomes = [examine(seat, store.events(seat.run_id)) for seat in seats]
        finally:
            store.close()
        with app(home) as server:
            idle = asyncio.run(idle_bytes(server, [seat.run_id for seat in seats]))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Measured(outcomes, runs, idle, busy)


def lag_row(what: str, lags: Sequence[float]) -> list[str]:
    """A line of the table."""
    cuts = statistics.quantiles(lags, n=100)
    shown = f"{cuts[94] * 1e3:.0f} ms (median {cuts[49] * 1e3:.0f}, most {max(lags) * 1e3:.0f}; {len(lags):,} events)"
    return [what, shown, f"under {LAG_SECONDS * 1e3:.0f} ms", passed(cuts[94] < LAG_SECONDS)]


def passed(held: bool) -> str:
    """The table's last word on a bound."""
    return "yes" if held else "NO"


def measure() -> tuple[str, list[str]]:
    """The report as Markdown, and a line for whatever was lost or mixed."""
    load = os.getloadavg()[0]
    found = examine_all()
    lost, mixed = (sum(bool(getattr(outcome, kind)) for outcome in found.outcomes) for kind in ("lost", "mixed"))
    rows = [
        ["runs lost", f"{lost} of {SESSIONS}", "0", passed(not lost and found.runs == SESSIONS)],
        ["runs mixed", f"{mixed} of {SESSIONS}", "0", passed(not mixed)],
        lag_row(f"p95 lag from event to page, {SESSIONS - PAGES} protocol clients", found.lags(real=False)),
        lag_row(f"p95 lag from event to page, {PAGES} pages of Chromium", found.lags(real=True)),
        ["memory per idle run", f"{found.idle / 1e6:.2f} MB", "under 1 MB", passed(found.idle < IDLE_BYTES)],
    ]
    note = (
        f"{SESSIONS} sessions at {SPEED} words a second each, half of them stepwise, half reflection, asked at the same"
        f" moment; the app used {found.busy:.0%} of one processor. Memory: {IDLE} connected sessions more, each with an"
        f" ended run open. Processes that wanted the processor when it began: {load:.1f}."
    )
    head = ["what", "measured", "wanted", "held"]
    return f"{title('Many at once', 'scripted answers')}\n{table(head, rows)}\n\n{note}\n", found.wrong


def main(arguments: list[str] | None = None) -> int:
    """The command: `python -m benchmarks.sessions`; exit code 1 when a run was lost or mixed."""
    argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__).parse_args(arguments)
    report, wrong = measure()
    print(report)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
