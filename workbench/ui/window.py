"""Where a run's cards stand, and which: of a long run the latest, and earlier ones as soon as they are asked for."""

from dataclasses import dataclass

from streamlit.delta_generator import DeltaGenerator

from workbench.ui import scroll, session

BLOCK = 10  # cards that come and go together
LONGEST = 40  # cards of a run that is drawn whole when it is opened
LATEST = 30  # so many, rounded up to a block, are drawn of a longer one, and so many more each time they are asked for
MOST = 60  # a run that grows while it is watched lets go of its oldest cards beyond so many


@dataclass
class Window:
    """The cards of a run from `first` on. What a person has asked for is not let go; the session remembers it."""

    run_id: str
    first: int = 0
    asked: bool = False
    _opened: bool = False
    _drawn: int = 0

    def settle(self, count: int) -> range:
        """Look at a run of `count` cards now. The cards that were shown and are not any more."""
        before, opened = self.first, self._opened
        if not opened:
            self._opened = True
            self._open(count)
        elif not self.asked and count - self.first > MOST:
            self.first = -(-(count - MOST) // BLOCK) * BLOCK
        if not opened or self.first != before:
            session.put(session.WINDOW, (self.run_id, self.first, self.asked))
        return range(before, self.first if opened else 0)

    def draw(self, place: DeltaGenerator) -> None:
        """How many cards are left out, and the way to them; nothing when there are none."""
        if not self.first:
            return
        row = place.container(key=f"earlier-{self._drawn}", horizontal=True, vertical_alignment="center", gap="small")
        steps = "1 earlier step is" if self.first == 1 else f"{self.first:,} earlier steps are"
        row.html(f'<p class="wb-earlier" id="earlier" tabindex="-1">{steps} not drawn.</p>')
        some = min(LATEST, self.first)
        self._button(row, "some", f"Show {some} earlier steps", self.first - some)
        if some < self.first:
            self._button(row, "all", f"Show all {self.first:,}", 0)
        with row:
            scroll.keep_place(self._drawn)
        self._drawn += 1

    def _open(self, count: int) -> None:
        run_id, first, asked = session.recall(session.WINDOW) or ("", 0, False)
        if run_id == self.run_id and first < max(count, 1) and (asked or count - first <= MOST):
            self.first, self.asked = first, asked
        elif count > LONGEST:
            self.first = (count - LATEST) // BLOCK * BLOCK

    def _button(self, row: DeltaGenerator, name: str, words: str, first: int) -> None:
        row.button(
            words,
            key=f"earlier-{name}-{self._drawn}",
            type="tertiary",
            on_click=session.put,
            args=(session.WINDOW, (self.run_id, first, True)),
        )


@dataclass
class Slot:
    """The place of one card: the card itself, and under it what was sent; `stamp` is the stage that was drawn."""

    card: DeltaGenerator
    sent: DeltaGenerator
    stamp: object = None
    has_sent: bool = False


class CardPlaces:
    """The places of a run's cards, block by block, from the first that is shown."""

    def __init__(self, place: DeltaGenerator, window: Window) -> None:
        """The thread so far and the way to the earlier cards come first."""
        self.thread, self._earlier = place.empty(), place.empty()
        self.count = 0
        self._place, self._window = place, window
        self._blocks: dict[int, DeltaGenerator] = {}
        self._cleared: list[DeltaGenerator] = []
        self._block = place
        self._slots: dict[int, Slot] = {}

    @property
    def height(self) -> int:
        """How many cards' places stand below each other, whether there are cards in them or not."""
        return max(len(self._blocks) - 1, 0) * BLOCK + (self.count - 1) % BLOCK + 1 if self._blocks else 0

    def settle(self, count: int) -> None:
        """Look at a run of `count` cards now: what it has grown beyond is let go."""
        before, left = self._window.first, self._window.settle(count)
        for index in left:
            self._slots.pop(index, None)
            if index % BLOCK == 0 and index // BLOCK in self._blocks:
                self._blocks[index // BLOCK].empty()
        if self._window.first != before:
            self._window.draw(self._earlier)

    def get(self, index: int) -> Slot | None:
        """The place of a card; None when it is not shown."""
        self._reserve(index + 1)
        return self._slots.get(index)

    def clear(self, height: int) -> None:
        """Clear what an older drawing of this height left below the present one."""
        while 0 < self.height < height and self.count % BLOCK:
            self._reserve(self.count + 1)
        while (len(self._blocks) + len(self._cleared)) * BLOCK < height:
            self._cleared.append(self._place.empty())

    def _reserve(self, count: int) -> None:
        self.count = max(self.count, min(count, self._window.first))
        while self.count < count:
            if self.count // BLOCK not in self._blocks:
                self._open_block(self.count // BLOCK)
            slot = self._block.container(key=f"entry-place-{self.count}", gap=None)
            self._slots[self.count] = Slot(slot.empty(), slot.empty())
            self.count += 1

    def _open_block(self, number: int) -> None:
        self._blocks[number] = self._cleared.pop(0) if self._cleared else self._place.empty()
        self._block = self._blocks[number].container(key=f"block-{number}")
