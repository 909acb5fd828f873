"""Many people at once: runs never mix, nothing of them is lost, and who asks much does not keep the others waiting."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest

from benchmarks.sessions import Seat, ask, examine, holds, script, words
from tests.app_server import AppServer
from tests.runs import finish, request
from tests.visitor import Visitor
from workbench.backends.base import ChatRequest, Part
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.engine import Engine
from workbench.events import Delta, Queued
from workbench.settings import Settings
from workbench.store.runs import RunStore

TABS = 4
WORDS = 60


@pytest.fixture(scope="module")
def app(app_server: Callable[..., AppServer], tmp_path_factory: pytest.TempPathFactory) -> AppServer:
    """The app on a script with an answer of its own for each session."""
    path = tmp_path_factory.mktemp("script") / "script.yaml"
    path.write_text(script())
    return app_server(WORKBENCH_BACKEND="scripted", WORKBENCH_SCRIPT=str(path), WORKBENCH_SCRIPT_SPEED="800")


async def test_people_who_ask_at_once_see_their_own_run_whole_and_nobody_elses(app: AppServer) -> None:
    """Four tabs, stepwise and reflection; every word ever drawn in a tab is its own."""
    seats = [Seat(number) for number in range(TABS)]
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Visitor(app.port, seat.look)) for seat in seats]
        await asyncio.gather(*(visitor.open() for visitor in visitors))
        await asyncio.gather(*(ask(visitor, seat) for visitor, seat in zip(visitors, seats, strict=True)))
    store = RunStore(f"sqlite:///{app.home / 'runs.db'}")
    try:
        outcomes = [examine(seat, store.events(seat.run_id)) for seat in seats]
        missing = examine(Seat(0, page=words(0, 0)), store.events(seats[0].run_id))
        swapped = examine(seats[1], store.events(seats[2].run_id))
    finally:
        store.close()
    assert len({seat.run_id for seat in seats}) == TABS
    assert [(outcome.lost, outcome.mixed) for outcome in outcomes] == [([], [])] * TABS
    assert all(len(outcome.lags) > 20 for outcome in outcomes)
    assert missing.lost and swapped.mixed == ["words of session 2"], "the comparison itself sees what is wrong"


async def test_a_tab_that_opens_anothers_run_sees_that_run(app: AppServer) -> None:
    """An address can be shared: one asks, the other follows the same run from the middle on."""
    seat, guest = Seat(0), Seat(0)
    async with Visitor(app.port, seat.look) as asker, Visitor(app.port, guest.look) as follower:
        await asker.open()
        await asker.ask(seat.machine, seat.question)
        await asker.until(lambda: bool(seat.seen))
        await follower.open(asker.query)
        await asker.until_idle()
        assert 'id="answer"' in follower.text() and guest.sessions == {0}
        assert all(holds(follower.text(), words(0, call)) for call in range(4))


def own_words(chat: ChatRequest) -> ScriptedAnswer:
    """Words that name the question they answer."""
    question = next(message.content for message in chat.messages if message.role == "user")
    name = question.removeprefix("Question ")
    if chat.json_schema:
        return ScriptedAnswer(object={"issues": [], "score": 9, "verdict": "accept"})
    return ScriptedAnswer(text=" ".join(f"{name}-{number}" for number in range(WORDS)))


def test_runs_that_are_started_from_many_threads_keep_to_themselves(settings: Settings) -> None:
    """Forty runs of twenty sessions on one engine: each log holds its own words in order, on disk as in memory."""
    names = [f"s{session:02}r{number}" for session in range(20) for number in range(2)]
    engine = Engine(settings, {"scripted": ScriptedBackend(own_words, speed=400, slots=8)})

    def run(name: str) -> tuple[str, str, str]:
        run_id = engine.submit(request("reflection", f"Question {name}"), session=name[:3])
        events, view = finish(engine, run_id)
        assert {event.run_id for event in events} == {run_id} and engine.store.events(run_id) == events
        streamed = "".join(e.text for e in events if isinstance(e, Delta) and e.call_id == view.calls[0].called.call_id)
        assert view.finished is not None
        return name, streamed, view.finished.answer

    try:
        with ThreadPoolExecutor(len(names)) as pool:
            found = list(pool.map(run, names))
    finally:
        engine.close()
    for name, streamed, answer in found:
        assert streamed == answer == " ".join(f"{name}-{number}" for number in range(WORDS))


class Gate(ScriptedBackend):
    """A backend with one slot that answers when it is let, and knows whom it served."""

    def __init__(self) -> None:
        super().__init__(own_words, slots=1)
        self.open = threading.Event()
        self.served: list[str] = []

    async def chat(self, request: ChatRequest) -> AsyncIterator[Part]:
        """Note whose call it is, then wait at the gate."""
        question = next(message.content for message in request.messages if message.role == "user")
        self.served.append(question)
        await asyncio.to_thread(self.open.wait)
        async for part in super().chat(request):
            yield part


def test_who_asks_one_thing_waits_for_one_call_of_who_asked_ten(settings: Settings) -> None:
    """Ten runs of one session wait for the only slot when another session asks: it is next but one, and is told so."""
    gate = Gate()
    engine = Engine(settings, {"scripted": gate})
    try:
        greedy = [engine.submit(request("reflection", f"Question a{number}"), session="a") for number in range(10)]
        wait_until(lambda: sum(is_waiting(engine, run_id) for run_id in greedy) == 9)
        modest = engine.submit(request("reflection", "Question b"), session="b")
        wait_until(lambda: is_waiting(engine, modest))
        gate.open.set()
        events, view = finish(engine, modest)
        for run_id in greedy:
            assert finish(engine, run_id)[1].status == "answered"
    finally:
        engine.close()
    assert gate.served.index("Question b") <= 2, gate.served
    places = [event.position for event in events if isinstance(event, Queued)]
    assert view.status == "answered" and max(places) <= 2, "nor does its second call wait for more than one of theirs"


def is_waiting(engine: Engine, run_id: str) -> bool:
    """Whether a run's first call stands in the queue."""
    return any(isinstance(event, Queued) for event in next(engine.follow(run_id, patience=0)))


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
