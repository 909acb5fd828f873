"""What is redrawn when: the screen that follows a run, and the pace of a replay."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tests.runs import run, step, verdict
from tests.ui import samples
from workbench.events import AnyEvent, Delta, RunFinished, RunView
from workbench.settings import Settings
from workbench.ui import live
from workbench.ui.window import BLOCK, MOST


class Place:
    """A placeholder that counts what is written into it; one that was emptied has an empty place inside."""

    def __init__(self, key: str = "", is_slot: bool = False) -> None:
        self.key, self.is_slot = key, is_slot  # a slot holds one thing: the last that was put there
        self.written: list[str] = []
        self.inside: list[Place] = []

    def html(self, body: str) -> None:
        self.written.append(body)

    def markdown(self, body: str, unsafe_allow_html: bool) -> None:
        self.written.append(body)

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def empty(self) -> "Place":
        self.inside.append(Place(is_slot=True))
        return self.inside[-1]

    def container(self, key: str = "", **kwargs: Any) -> "Place":
        self.inside.append(Place(key))
        return self.inside[-1]

    def segmented_control(self, *args: Any, **kwargs: Any) -> None:
        self.empty()

    def button(self, label: str, on_click: Any, args: Any, **kwargs: Any) -> None:
        self.written.append(label)
        self.inside.append(Place())
        self.inside[-1].click = lambda: on_click(*args)

    click: Any = None

    def expander(self, label: str, **kwargs: Any) -> "Place":
        self.written.append(label)
        return self

    open = False


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A session's state without a session."""
    held: dict[str, Any] = {}
    monkeypatch.setattr("workbench.ui.session.st.session_state", held)
    monkeypatch.setattr("workbench.ui.scroll.keep_place", lambda number: None)
    return held


@pytest.fixture
def screen(state: dict[str, Any]) -> live.Screen:
    return live.Screen("run", live.Places(*cast(Any, [Place() for _ in range(6)])))


def entries(screen: live.Screen) -> dict[int, Place]:
    """The places of cards that are on the page, by number."""
    found: dict[int, Place] = {}
    waiting = [cast(Any, screen.places.cards)]
    while waiting:
        place = waiting.pop(0)
        waiting += place.inside[-1:] if place.is_slot else place.inside
        if place.key.startswith("entry-place-"):
            found[int(place.key.rpartition("-")[2])] = place
    return found


def card_places(screen: live.Screen) -> list[Place]:
    return [place.inside[0] for _, place in sorted(entries(screen).items())]


def drawn(screen: live.Screen) -> list[int]:
    """The numbers of the cards that are drawn."""
    return sorted(number for number, place in entries(screen).items() if place.inside[0].written)


def earlier(screen: live.Screen) -> Place | None:
    """The way to the cards that are not drawn."""
    place = cast(Any, screen.places.cards).inside[1]
    return place.inside[-1] if place.inside else None


def one_by_one(events: list[AnyEvent], seconds: float = 0) -> Iterator[list[AnyEvent]]:
    for event in events:
        yield [event]
        time.sleep(seconds)


def essay(settings: Settings) -> list[AnyEvent]:
    drafts = ["One draft of a text.", verdict("revise", 5, "short"), "Another draft.", verdict("accept", 9)]
    return run(settings, "reflection", drafts)[0]


def test_only_the_card_that_is_written_is_redrawn(settings: Settings, screen: live.Screen):
    events = run(settings, "stepwise", [step("a", "b"), step("c", "d"), step("e", "f", "final_answer"), "Done."])[0]
    screen.follow(one_by_one(events, live.CARD_SECONDS / 4))
    assert len(card_places(screen)) == 4
    # Begun, first words, ended, given its card, and once more to fold: no more, however long the others write.
    assert max(len(place.written) for place in card_places(screen)) <= 6


def test_the_tasks_are_drawn_anew_only_when_one_of_them_changes(settings: Settings, screen: live.Screen):
    answers = [
        '{"tasks": ["Name games."]}',
        "Egg hunt. " * 60,
        '{"reason": "So.", "objective_met": true, "tasks": []}',
        "Done.",
    ]
    screen.follow(one_by_one(run(settings, "task_queue", answers)[0], live.NUMBER_SECONDS / 40))
    boards = cast(Any, screen.places.tasks).written
    assert [board.count('class="wb-is-') for board in boards] == [1, 1, 1]
    assert [board.partition('class="wb-is-')[2].partition('"')[0] for board in boards] == ["todo", "doing", "done"]


def test_growing_text_is_redrawn_at_most_a_dozen_times_a_second(settings: Settings, screen: live.Screen):
    events = run(settings, "stepwise", [step("a", "b"), step("c", "d"), step("e", "f", "final_answer"), "Done."])[0]
    at = next(index for index, event in enumerate(events) if isinstance(event, Delta))
    delta = cast(Delta, events[at])
    screen.follow([events[: at + 1]])
    before = len(card_places(screen)[0].written)
    began = time.monotonic()
    words = [delta.model_copy(update={"seq": delta.seq + n, "text": "word "}) for n in range(1, 200)]
    screen.follow(one_by_one(cast(list[AnyEvent], words), 0.002))
    drawn = len(card_places(screen)[0].written) - before
    assert 2 <= drawn <= (time.monotonic() - began) / live.CARD_SECONDS + 3


def test_a_reattached_page_draws_each_card_once(settings: Settings, screen: live.Screen):
    screen.follow([essay(settings)])
    assert [len(place.written) for place in card_places(screen)] == [1, 1, 1, 1]
    assert "<ins>Another</ins> draft" in card_places(screen)[2].written[0]


def test_at_the_end_a_failed_card_leaves_the_sentence_to_it(settings: Settings, screen: live.Screen):
    events = run(settings, "reflection", ["The only draft."])[0]
    screen.follow(one_by_one(events, 1.2 * live.CARD_SECONDS))
    *before, last = card_places(screen)[1].written
    assert any("The script has ended" in html for html in before)
    assert "Failed here." in last and "The script has ended" not in last


def test_the_places_of_an_older_and_longer_run_are_emptied(
    settings: Settings, screen: live.Screen, state: dict[str, Any]
):
    state["cards"] = 25
    screen.follow([essay(settings)])
    assert len(card_places(screen)) == BLOCK and drawn(screen) == [0, 1, 2, 3]
    blocks = cast(Any, screen.places.cards).inside[2:]
    assert [bool(block.inside) for block in blocks] == [True, False, False]
    assert state["cards"] == 4


def test_what_was_sent_is_offered_once_a_call_has_ended(settings: Settings, screen: live.Screen):
    screen.follow(one_by_one(essay(settings)))
    sent = [place.inside[1].written for place in entries(screen).values()]
    assert sent == [["What was sent"]] * 4


def test_a_replay_keeps_the_pace_and_shortens_long_silences(settings: Settings):
    events = essay(settings)
    slow = [event.model_copy(update={"at": float(10 * event.seq)}) for event in events]
    began = time.monotonic()
    replay = live.Replay.begin("run", speed=2 * len(events) * live.LONGEST_GAP)
    played = [event for batch in replay.batches(slow) for event in batch]
    assert played == slow
    assert 0.3 <= time.monotonic() - began <= 5


def test_a_replay_goes_on_where_the_clock_says(settings: Settings):
    events = [event.model_copy(update={"at": float(event.seq)}) for event in essay(settings)]
    replay = live.Replay("run", speed=1.0, began=time.monotonic() - 5.5)
    assert [event.seq for event in next(replay.batches(events))] == [0, 1, 2, 3, 4, 5]


class Store:
    """A log as the store gives it, and what was read of it."""

    def __init__(self, log: list[AnyEvent], *statuses: str) -> None:
        self.log, self.statuses, self.read = log, list(statuses), 0

    def events(
        self, run_id: str, after: int = -1, before: int | None = None, kinds: Any = (), prompts: bool = True
    ) -> list[AnyEvent]:
        end = len(self.log) if before is None else before
        found = [event for event in self.log if after < event.seq < end and (not kinds or event.kind in kinds)]
        self.read += len(found)
        return found

    def run(self, run_id: str) -> Any:
        return Row(self.statuses.pop(0))

    def mark_interrupted(self) -> int:
        return 0


class Row:
    id, foreign_id = "run", ""

    def __init__(self, status: str) -> None:
        self.status = status


def ended(log: list[AnyEvent], status: str) -> list[AnyEvent]:
    (batch,) = live.ended(cast(Any, Store(log)), cast(Any, Row(status)))
    return batch


def test_a_log_without_an_end_gets_one_that_says_so(settings: Settings):
    last = ended(essay(settings)[:-3], "interrupted")[-1]
    assert isinstance(last, RunFinished) and last.error
    assert last.error.code == "interrupted" and "Resume goes on" in last.error.hint


@pytest.mark.parametrize("status", ["paused", "interrupted"])
def test_a_run_that_waits_for_the_person_is_not_over(status: str):
    log = samples.waiting_for_you().events
    assert ended(log, status)[-1] == log[-1]


def test_a_run_of_another_process_is_followed_until_it_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "NUMBER_SECONDS", 0.0)
    log = samples.waiting_for_you().events
    store = Store(log[:5], "running", "running", "paused")
    batches = []
    for batch in live.stored(cast(Any, store), "run"):
        batches.append(batch)
        store.log = log[: len(store.log) + 3]
    assert [event for batch in batches for event in batch] == log[:11]
    assert len(batches) == 3


LOGS = {"react": samples.react_log, "failed": samples.failed_log, "live": samples.reflection_live_log}


@pytest.mark.parametrize("make", LOGS.values(), ids=LOGS)
def test_what_is_left_out_of_a_settled_log_changes_nothing_that_is_seen(make: Callable[[], samples.Log]):
    log = make().events
    settled = live.settled(cast(Any, Store(log)), "run")
    seen, whole = RunView.of(settled), RunView.of(log)
    for index in range(len(whole.entries)):
        assert live.cards.entry_html(seen, index) == live.cards.entry_html(whole, index)
    assert live.metrics.metrics_html(seen) == live.metrics.metrics_html(whole)
    assert [event.seq for event in settled] == sorted({event.seq for event in settled})


def long_log(steps: int, pieces: int = 3) -> list[AnyEvent]:
    """So many steps, each written in pieces."""
    log = samples.Log("stepwise", samples.STEPWISE)
    for number in range(1, steps + 1):
        call = f"c{number}"
        log.node("think", number).call(call, "think", "thinker")
        for piece in range(pieces):
            log.write(call, f"Piece {piece} of step {number}. ")
        log.answer(call, f"Step {number}.").leave("think", number)
    return log.end("answered", answer="Done.").events


def test_the_pieces_of_answers_are_not_read_again_when_a_long_run_is_opened():
    store = Store(long_log(50, pieces=20))
    assert not any(event.kind == "delta" for event in live.settled(cast(Any, store), "run") if event.seq > 30)
    assert store.read < 50 * 4 + 30


def test_of_a_long_run_the_last_cards_are_drawn_and_the_rest_on_demand(screen: live.Screen):
    screen.follow([long_log(1000)])
    assert drawn(screen) == list(range(970, 1000))
    way = earlier(screen)
    assert way and "970 earlier steps are not drawn." in way.written[0]
    assert way.written[1:] == ["Show 30 earlier steps", "Show all 970"]
    assert screen.view.status == "answered" and len(screen.view.entries) == 1000


def test_a_run_that_is_not_much_longer_is_drawn_whole(screen: live.Screen):
    screen.follow([long_log(40)])
    assert drawn(screen) == list(range(40)) and earlier(screen) is None


@pytest.mark.parametrize(("button", "first"), [(0, 10), (1, 0)])
def test_earlier_cards_are_drawn_when_they_are_asked_for(state: dict[str, Any], button: int, first: int):
    opened = new_screen()
    opened.follow([long_log(75)])
    way = earlier(opened)
    assert drawn(opened)[0] == 40 and way
    way.inside[button].click()
    again = new_screen()
    again.follow([long_log(75)])
    assert drawn(again) == list(range(first, 75))


def test_what_was_asked_for_stays_while_the_run_grows(state: dict[str, Any]):
    log = long_log(200)
    first = new_screen()
    first.follow([log[:700]])
    way = earlier(first)
    assert way
    way.inside[1].click()
    grown = new_screen()
    grown.follow([log[:700], log[700:]])
    assert drawn(grown) == list(range(200))


def test_a_run_that_grows_while_it_is_watched_lets_go_of_its_oldest_cards(screen: live.Screen):
    screen.follow(one_by_one(long_log(150)))
    assert drawn(screen) == list(range(150 - MOST, 150))
    way = earlier(screen)
    assert way and f"{150 - MOST} earlier steps are not drawn." in way.written[0]


def test_a_page_drawn_again_shows_the_same_cards(state: dict[str, Any]):
    screens = [new_screen(), new_screen()]
    screens[0].follow([long_log(45)[:200], long_log(45)])
    screens[1].follow([long_log(45)])
    assert drawn(screens[0]) == drawn(screens[1]) == list(range(45))


def test_another_run_is_opened_at_its_own_end(state: dict[str, Any]):
    new_screen("one").follow([long_log(45)])
    other = new_screen("two")
    other.follow([long_log(60)])
    assert drawn(other)[0] == 30


def test_a_replay_of_a_long_run_begins_at_its_beginning(state: dict[str, Any]):
    new_screen().follow([long_log(100)])
    replayed = new_screen()
    replayed.follow([[], long_log(100)[:70]])
    assert drawn(replayed)[0] == 0


def new_screen(run_id: str = "run") -> live.Screen:
    return live.Screen(run_id, live.Places(*cast(Any, [Place() for _ in range(6)])))


def test_a_node_whose_card_is_not_drawn_leads_to_the_way_there(screen: live.Screen):
    log = (
        samples.Log("react", samples.REACT)
        .node("open", 1)
        .add(samples.Card, node="open", step=1, title="O", content="o")
    )
    for number in range(50):
        log.call(f"c{number}", "reason", "actor").answer(f"c{number}", "Thought.")
    screen.follow([log.events])
    svg = cast(Any, screen.places.diagram).written[-1]
    assert '<a href="#earlier" aria-label="open' in svg and '<a href="#entry-50" aria-label="reason' in svg


def test_the_thread_so_far_comes_before_the_first_card(screen: live.Screen):
    log = samples.Log("reflection", samples.REFLECTION, request={"history": samples.THREAD})
    screen.follow([log.events])
    (thread,) = cast(Any, screen.places.cards).inside[0].written
    assert "Who wrote The Little Prince?" in thread


def test_what_the_person_answered_was_sent_to_nobody(screen: live.Screen):
    screen.follow([samples.steered_log().events])
    by_person = [
        number for number, entry in enumerate(screen.view.entries)
        if isinstance(entry, live.CallView) and entry.called.by_person
    ]  # fmt: skip
    assert [entries(screen)[number].inside[1].written for number in by_person] == [[]]


def test_the_wait_before_the_next_attempt_is_counted_down_while_nothing_happens(
    screen: live.Screen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "NUMBER_SECONDS", 0.0)
    monkeypatch.setattr(live, "CARD_SECONDS", 0.0)
    age = 0.0

    def batches() -> Iterator[list[AnyEvent]]:
        nonlocal age
        for moment in (3.4, 5.2, 8.9, 9.1, 9.2, 9.3):
            age = moment
            yield samples.retry_log().events

    screen.clock = lambda view: age
    screen.follow(batches())
    (card,) = card_places(screen)
    told = [re.search("next try in . s|Tried again after 8.0 s", html) for html in card.written]
    assert [words and words[0] for words in told] == [
        "next try in 6 s", "next try in 4 s", "next try in 1 s", "Tried again after 8.0 s",
    ]  # fmt: skip


def test_a_run_that_waits_for_the_person_does_not_age(screen: live.Screen):
    screen.follow([samples.waiting_for_you().events])
    assert live.wall_clock(screen.view) == screen.view.last_at == 9.2


def test_a_run_in_progress_is_as_old_as_the_clock_says(settings: Settings, screen: live.Screen):
    follow: Callable[..., None] = screen.follow
    follow([essay(settings)[:5]])
    assert live.wall_clock(screen.view) >= screen.view.last_at
    assert live.log_clock(screen.view) == screen.view.last_at
