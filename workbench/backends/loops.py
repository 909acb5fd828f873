"""Finds out while a text arrives that it goes round in circles: the same words again and again up to its end."""

from dataclasses import dataclass

TIMES = 6  # so often in a row a unit is repeated at least; a song repeats its refrain three or four times
FILLED = 1_500  # characters that the repetitions of words fill at least
FILLED_WORDLESS = 4_000  # the same for zeros, dashes, pixels: tables and lists of them are asked for
LONGEST = 1_000  # characters of the longest unit that is looked for
WINDOW = 8_000  # characters at the end that are looked at; repetitions of what was asked for must fill them all
EVERY = 256  # characters between two looks
_WORDS = 3  # different letters that make a unit one of words
_QUOTED = 12  # characters of a unit that, found in the question, show that it was asked for
_EDGES = " \t\n.,;:!?\"'`*-_#()[]{}0123456789"


@dataclass(frozen=True)
class Loop:
    """A unit, how often it stands at the end of the text, and where in the text its first repetition begins."""

    unit: str
    times: int
    start: int

    @property
    def kept(self) -> int:
        """How many characters of the text are worth keeping: up to the end of the unit's first occurrence."""
        return self.start + len(self.unit)


class LoopFinder:
    """Watches one text. Only exact repetition counts: rows of a table and numbered lines differ, a loop does not."""

    def __init__(self, asked: str) -> None:
        """`asked` is what the person said: what is repeated on request is no loop so soon."""
        self._asked = asked.lower()
        self._tail = ""
        self._length = 0
        self._unseen = 0

    def take(self, piece: str) -> Loop | None:
        """The loop that the text has fallen into with this piece; None as long as there is none."""
        self._tail = (self._tail + piece)[-WINDOW:]
        self._length += len(piece)
        self._unseen += len(piece)
        if self._unseen < EVERY:
            return None
        self._unseen = 0
        return self._find()

    def _find(self) -> Loop | None:
        end = self._tail[-32:]
        if self._tail.rfind(end, max(0, len(self._tail) - LONGEST - len(end)), len(self._tail) - 1) < 0:
            return None  # nearly every look at a text without a loop ends here
        periods = _periods(self._tail)
        for filled in range(len(self._tail), FILLED - 1, -1):
            size = periods[filled - 1]
            if size <= min(LONGEST, filled // TIMES):
                begin = len(self._tail) - filled
                loop = Loop(self._tail[begin : begin + size], filled // size, self._length - filled)
                return loop if filled >= self._patience(loop.unit) else None
        return None

    def _patience(self, unit: str) -> int:
        """How many characters repetitions of this unit must fill to be taken for a loop."""
        if len({letter for letter in unit.lower() if letter.isalpha()}) < _WORDS:
            return FILLED_WORDLESS
        turned = ((unit[at:] + unit[:at]).strip(_EDGES).lower() for at in range(len(unit)))
        return WINDOW if any(len(words) >= _QUOTED and words in self._asked for words in turned) else FILLED


def _periods(text: str) -> list[int]:
    """For 1, 2, 3, ... characters at the end of the text the smallest period that they have.

    It is the length less the prefix function (Knuth, Morris and Pratt 1977) of the text read backwards.
    """
    backwards = text[::-1]
    border = [0] * len(backwards)
    size = 0
    for at in range(1, len(backwards)):
        while size and backwards[at] != backwards[size]:
            size = border[size - 1]
        size += backwards[at] == backwards[size]
        border[at] = size
    return [at + 1 - size for at, size in enumerate(border)]
