"""What is redrawn when: the screen that follows a run, and the pace of a replay."""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tests.runs import run, step, verdict
from workbench.events import AnyEvent, Delta, RunFinished
from workbench.settings import Settings
from workbench.ui import live


class Place:
    """A placeholder that counts what is written into it."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.inside: list[Place] = []

    def html(self, body: str) -> None:
        self.written.append(body)

    def markdown(self, body: str, unsafe_allow_html: bool) -> None:
        self.written.append(body)

    def empty(self) -> "Place":
        self.inside.append(Place())
        return self.inside[-1]

    container = segmented_control = lambda self, *args, **kwargs: self.empty()

    def expander(self, label: str, **kwargs: Any) -> "Place":
        self.written.append(label)
        return self

    open = False


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A session's state without a session."""
    held: dict[str, Any] = {}
    monkeypatch.setattr("workbench.ui.session.st.session_state", held)
    return held


@pytest.fixture
def screen(state: dict[str, Any]) -> live.Screen:
    return live.Screen("run", live.Places(*cast(Any, [Place() for _ in range(5)])))


def card_places(screen: live.Screen) -> list[Place]:
    return [place.inside[0] for place in cast(Any, screen.places.cards).inside]


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
    assert "<ins>Another</ins> draft" in cast(Any, screen.places.cards).inside[2].inside[0].written[0]


def test_at_the_end_a_failed_card_leaves_the_sentence_to_it(settings: Settings, screen: live.Screen):
    events = run(settings, "reflection", ["The only draft."])[0]
    screen.follow(one_by_one(events, 1.2 * live.CARD_SECONDS))
    *before, last = card_places(screen)[1].written
    assert any("The script has ended" in html for html in before)
    assert "Failed here." in last and "The script has ended" not in last


def test_the_places_of_an_older_and_longer_run_are_emptied(
    settings: Settings, screen: live.Screen, state: dict[str, Any]
):
    state["cards"] = 9
    screen.follow([essay(settings)])
    assert len(card_places(screen)) == 9
    assert state["cards"] == 4


def test_what_was_sent_is_offered_once_a_call_has_ended(settings: Settings, screen: live.Screen):
    screen.follow(one_by_one(essay(settings)))
    sent = [place.inside[1].written for place in cast(Any, screen.places.cards).inside]
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


def test_a_log_without_an_end_gets_one_that_says_so(settings: Settings):
    events = essay(settings)

    class Store:
        def events(self, run_id: str) -> list[AnyEvent]:
            return events[:-3]

    class Row:
        id = "run"

    (batch,) = live.ended(cast(Any, Store()), cast(Any, Row()))
    assert isinstance(batch[-1], RunFinished) and batch[-1].error
    assert batch[-1].error.code == "interrupted" and "Resume goes on" in batch[-1].error.hint


def test_a_run_in_progress_is_as_old_as_the_clock_says(settings: Settings, screen: live.Screen):
    follow: Callable[..., None] = screen.follow
    follow([essay(settings)[:5]])
    assert live.wall_clock(screen.view) >= screen.view.last_at
    assert live.log_clock(screen.view) == screen.view.last_at
