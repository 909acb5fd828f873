"""Several runs beside each other while they go on: each lane shows its present step, what was before it as lines."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from streamlit.delta_generator import DeltaGenerator

from workbench.events import AnyEvent, RunView
from workbench.ui import cards, live, metrics
from workbench.ui.markdown import escape

REDRAW_SECONDS = 0.1  # between two drawings of growing text, whichever lane's it is
NUMBER_SECONDS = 0.5
PATIENCE = 0.08  # that all lanes together are waited for
LINES = 8  # finished steps that a lane in progress shows

Batch = list[AnyEvent]


def merged(feeds: Sequence[Iterator[Batch]]) -> Iterator[tuple[int, Batch]]:
    """Batches of several logs in turn, each with the number of its log, until all have ended.

    Every log is looked at once in each round, so that none waits for another that writes more.
    """
    going = dict(enumerate(feeds))
    while going:
        for number, feed in list(going.items()):
            batch = next(feed, None)
            if batch is None:
                del going[number]
            else:
                yield number, batch


@dataclass(frozen=True)
class Places:
    """Where a lane stands on the page: its numbers, its finished steps, and what it does now or came to."""

    numbers: DeltaGenerator
    past: DeltaGenerator
    now: DeltaGenerator


@dataclass
class LaneScreen:
    """One lane on the page: the fold of its run, and what was drawn of it."""

    letter: str
    places: Places
    clock: live.Clock = live.log_clock
    view: RunView = field(default_factory=RunView)
    drawn_at: float = 0.0
    is_urgent: bool = False
    _is_behind: bool = False
    _stamps: dict[int, object] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)

    def take(self, batch: Iterable[AnyEvent]) -> None:
        """Take events in. Where something begins or ends, the lane is to be drawn at once."""
        status = self.view.status
        for event in batch:
            self.view.apply(event)
        changed = self.view.take_changes()
        for index in changed:
            stamp = live.stamp(self.view.entries[index])
            self.is_urgent |= index not in self._stamps or stamp != self._stamps[index]
            self._stamps[index] = stamp
        self.is_urgent |= status != self.view.status
        self._is_behind |= bool(changed)

    def wants(self, now: float) -> bool:
        """Whether it is worth drawing: its text has grown, or its clock has gone on."""
        return self._is_behind or (self.view.status == "running" and now - self.drawn_at >= NUMBER_SECONDS)

    def draw(self) -> None:
        """Draw what is not on the page yet."""
        age = self.clock(self.view)
        self._put("numbers", self.places.numbers, numbers_html(self.view, age))
        self._put("past", self.places.past, past_html(self.view, age))
        self._put("now", self.places.now, now_html(self.view, self.letter, age))
        self.is_urgent = self._is_behind = False
        self.drawn_at = time.monotonic()

    def _put(self, name: str, place: DeltaGenerator, html: str) -> None:
        if html and html != self._shown.get(name):
            self._shown[name] = html
            place.html(html)
        elif not html and self._shown.pop(name, ""):
            place.empty()


def follow(screens: Sequence[LaneScreen], feeds: Sequence[Iterator[Batch]]) -> None:
    """Follow all lanes to their ends: growing text ten times a second in turn, what begins or ends at once."""
    drawn_at = 0.0
    for number, batch in merged(feeds):
        screens[number].take(batch)
        now = time.monotonic()
        waiting = [screen for screen in screens if screen.wants(now)]
        if screens[number].is_urgent:
            screens[number].draw()
        elif waiting and now - drawn_at >= REDRAW_SECONDS:
            min(waiting, key=lambda screen: screen.drawn_at).draw()
            drawn_at = now
    for screen in screens:
        screen.draw()


def follow_hidden(feeds: Sequence[Iterator[Batch]], place: DeltaGenerator) -> list[RunView]:
    """Follow all lanes to their ends and show no more than how many there are done."""
    views, shown = [RunView() for _ in feeds], ""
    for number, batch in merged(feeds):
        for event in batch:
            views[number].apply(event)
        if (html := progress_html(views)) != shown:
            place.html(html)
            shown = html
    return views


def numbers_html(view: RunView, age: float) -> str:
    """Age, tokens, speed in one line."""
    totals, speed = view.totals, view.tokens_per_second
    tokens = totals.prompt_tokens + totals.completion_tokens
    facts = [metrics.clock(age), f"{tokens:,} tok" if tokens else "", f"{speed:,.0f} tok/s" if speed else ""]
    return f'<p class="wb-label wb-lane-numbers">{" · ".join(filter(None, facts))}</p>'


def past_html(view: RunView, age: float | None = None, most: int | None = LINES) -> str:
    """The steps before the present one as a line each, the latest `most` of them; of an ended run all its steps."""
    current = _current(view)
    indexes = [index for index in range(len(view.entries)) if index != current]
    shown = indexes if most is None else indexes[-most:]
    left_out = len(indexes) - len(shown)
    before = (
        f'<li class="wb-label">{left_out:,} earlier {"step" if left_out == 1 else "steps"}</li>' if left_out else ""
    )
    lines = "".join(f'<li class="wb-step">{cards.head_html(view, index, age)}</li>' for index in shown)
    return f'<ol class="wb-steps">{before}{lines}</ol>' if lines else ""


def now_html(view: RunView, letter: str, age: float) -> str:
    """The step that goes on, with its text; at the end what the lane came to."""
    if view.finished is not None:
        return own_id(f'<div class="wb-now">{cards.answer_html(view)}</div>', "answer", letter)
    current = _current(view)
    if current is None:
        return '<div class="wb-now"><p class="wb-hint">Beginning.</p></div>'
    card = cards.entry_html(view, current, show="clean", now=age)
    return own_id(f'<div class="wb-now wb-growing">{card}</div>', f"entry-{current}", letter)


def head_html(letter: str, title: str, model: str) -> str:
    """Whose lane it is: letter, machine, model."""
    small = f'<span class="wb-label">{escape(model)}</span>' if model else ""
    return (
        f'<header class="wb-lane-head"><span class="wb-letter">{letter}</span><h3>{escape(title)}</h3>{small}</header>'
    )


def progress_html(views: Sequence[RunView]) -> str:
    """How many lanes are done, and for how long they have gone on: nothing that tells them apart."""
    done = sum(view.finished is not None for view in views)
    age = metrics.clock(max((live.wall_clock(view) for view in views), default=0.0))
    said = f"{done} of {len(views)} lanes {'is' if done == 1 else 'are'} done"
    return (
        f'<div class="wb-notice wb-veiled"><h3>{said} <span class="wb-label">{age}</span></h3>'
        "<p>Which lane is which stays hidden until you have voted. The answers come once all are there.</p></div>"
    )


def _current(view: RunView) -> int | None:
    """The entry that is shown with its text: of those in progress the latest, else the last one; none at the end."""
    if view.finished is not None or not view.entries:
        return None
    going = [index for index, entry in enumerate(view.entries) if cards.is_live(view, entry)]
    return going[-1] if going else len(view.entries) - 1


def own_id(html: str, name: str, letter: str) -> str:
    """The lanes stand on one page: what has an id in each gets the lane's own."""
    return html.replace(f'id="{name}"', f'id="{name}-{letter.lower()}"', 1)
