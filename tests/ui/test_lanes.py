"""Several runs beside each other: nobody starves, only what changed is drawn, and no more often than it should."""

import time
from collections.abc import Iterator
from typing import Any, cast

from tests.logs import Log
from workbench.events import AnyEvent, Delta, Queued, RunView
from workbench.ui import lanes
from workbench.ui.lanes import LaneScreen, Places, follow, merged, now_html, past_html, progress_html


class Place:
    """A placeholder that keeps what is written into it."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def html(self, body: str) -> None:
        self.written.append(body)

    def empty(self) -> None:
        self.written.append("")


def screen(letter: str = "A") -> LaneScreen:
    return LaneScreen(letter, cast(Places, Places(*(cast(Any, Place()) for _ in range(3)))))


def written(place: object) -> list[str]:
    return cast(Place, place).written


def batches(log: Log) -> Iterator[list[AnyEvent]]:
    """A log event by event."""
    yield from ([event] for event in log.events)


def test_every_log_has_its_turn_however_much_another_writes():
    def busy() -> Iterator[list[AnyEvent]]:
        for _ in range(1000):
            yield []

    quiet = batches(Log().finish())
    order = [number for number, _ in merged([busy(), quiet])]
    assert order[:4] == [0, 1, 0, 1]
    assert order.count(0) == 1000 and order.count(1) == 2


def test_a_lane_shows_what_it_does_now_and_what_was_before_as_lines():
    log = Log().visit("think", "Look at the sea.").begin("think").ask("think")
    log.add(Delta, call_id=log._last(), channel="text", text="And then")
    view = RunView.of(log.events)
    past, now = past_html(view, 3.0), now_html(view, "B", 3.0)
    assert past.count("<li") == 1 and "Look at the sea." not in past
    assert "And then" in now and "wb-caret" in now and 'id="entry-1-b"' in now


def test_of_many_steps_the_latest_are_shown_and_the_rest_is_counted():
    log = Log()
    for number in range(30):
        log.visit("think", f"Step {number}.")
    log.begin("think").ask("think")
    past = past_html(RunView.of(log.events), 9.0)
    assert past.count("<li") == lanes.LINES + 1
    assert "22 earlier steps" in past
    assert past_html(RunView.of(log.finish().events), most=None).count("<li") == 31


def test_the_end_is_the_answer_and_its_id_is_the_lanes_own():
    view = RunView.of(Log().visit("think", "42").finish("It is **42**.").events)
    assert 'id="answer-c"' in now_html(view, "C", 1.0) and "<strong>42</strong>" in now_html(view, "C", 1.0)


def test_a_wait_for_a_slot_tells_the_place():
    log = Log().begin("think").ask("think")
    log.add(Queued, call_id=log._last(), position=2)
    assert "place 2" in now_html(RunView.of(log.events), "A", 1.0)


def test_what_has_not_changed_is_not_drawn_again():
    one = screen()
    one.take(Log().visit("think", "Look.").events)
    one.draw()
    before = [list(written(place)) for place in (one.places.numbers, one.places.past, one.places.now)]
    one.draw()
    assert [written(place) for place in (one.places.numbers, one.places.past, one.places.now)] == before


def test_a_new_step_is_drawn_at_once_and_growing_text_is_not():
    one, log = screen(), Log().begin("think").ask("think")
    one.take(log.events)
    assert one.is_urgent
    log.add(Delta, call_id=log._last(), channel="text", text="First")
    one.take(log.events)
    assert one.is_urgent  # it writes: that is another stage
    one.draw()
    log.add(Delta, call_id=log._last(), channel="text", text=" word")
    one.take(log.events)
    assert not one.is_urgent and one.wants(time.monotonic())


def test_all_lanes_together_are_drawn_about_ten_times_a_second_and_in_turn():
    def typing(log: Log) -> Iterator[list[AnyEvent]]:
        log.begin("think").ask("think")
        yield log.events
        for _ in range(60):
            time.sleep(0.005)
            log.add(Delta, call_id=log._last(), channel="text", text="word ")
            yield log.events[-1:]

    screens = [screen("A"), screen("B")]
    began = time.monotonic()
    follow(screens, [typing(Log("aaaa1111")), typing(Log("bbbb2222"))])
    seconds = time.monotonic() - began
    drawn = [len(written(one.places.now)) for one in screens]
    at_once = 2 * 2 + 2  # each lane's begin and first word, and the end
    assert sum(drawn) <= at_once + seconds / lanes.REDRAW_SECONDS + 1
    assert abs(drawn[0] - drawn[1]) <= 2
    assert all("word " * 59 in written(one.places.now)[-1] for one in screens)


def test_progress_of_hidden_lanes_tells_how_many_are_done_and_nothing_else():
    done, going = Log().visit("think", "Secret.").finish("Secret."), Log().begin("think").ask("think")
    going.events[0] = going.events[0].model_copy(update={"created_at": "2026-11-23T12:00:00+00:00"})
    shown = progress_html([RunView.of(done.events), RunView.of(going.events)])
    assert "1 of 2 lanes is done" in shown
    assert not [word for word in ("Secret", "Stepwise", "demo", "think") if word in shown.replace("thinking", "")]
