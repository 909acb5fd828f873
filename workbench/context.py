"""How full the context window is: each prompt's size, how it grows from call to call, and when it will not fit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import floor
from statistics import median
from typing import Literal, NamedTuple

from workbench.events import CallView, ModelAnswered, ModelCalled, RunView

SUMMARISER = "summariser"  # its prompts are no part of what grows
NEAR, FULL = 0.75, 0.9  # shares of the window from which a prompt is called large, and nearly all of it
LATEST = 12  # calls from which growth is read
DROP = 0.8  # a prompt that is shorter than so much of the one before begins a new series
SOON = 3  # calls before the end at which the person is warned
SHARE_OF_AN_ANSWER = 4  # an answer needs no more than this part of the window, however much it may have
LEAST = 1.0  # tokens a call; below that a prompt does not grow


class Size(NamedTuple):
    """A prompt's tokens and how they are known: measured by the backend, counted by a tokenizer, else estimated."""

    tokens: int
    window: int | None
    source: Literal["measured", "counted", "estimated"]

    @property
    def share(self) -> float | None:
        """Of the window, from 0; None where that is unknown."""
        return self.tokens / self.window if self.window else None


def size(called: ModelCalled, answer: ModelAnswered | None = None) -> Size | None:
    """How long the prompt of a call is; None where nobody knows, and where the person answered."""
    if called.by_person:
        return None
    window = (answer.context_window if answer else None) or called.context_window
    if answer is not None and answer.prompt_tokens:
        return Size(answer.prompt_tokens, window, "measured")
    if called.prompt_estimate is None:
        return None
    return Size(called.prompt_estimate, window, "counted" if called.prompt_counted else "estimated")


def of(call: CallView) -> Size | None:
    """How long the prompt of a call is; None where nobody knows."""
    return size(call.called, call.answer)


@dataclass(frozen=True)
class Forecast:
    """How the prompts of a role grow: tokens of its `last` one, `growth` per call, what an answer of it took at most.

    `limit` is the most that its answer may have, `calls` how often it was asked so far.
    """

    role: str
    last: int
    growth: float
    window: int
    answer: int
    limit: int
    calls: int

    @property
    def overflow_in(self) -> int:
        """How many more calls fit, prompt and answer; 0 when the next one does not."""
        return max(0, floor((self.window - self.answer - self.last) / self.growth))

    @property
    def next_needs(self) -> int:
        """Tokens that the next call needs if its answer takes all that it may."""
        return round(self.last + self.growth) + self.limit


@dataclass
class _Series:
    """The prompts of a role since it last became shorter."""

    sizes: list[int] = field(default_factory=list)
    steps: set[int] = field(default_factory=set)
    answer: int = 0
    limit: int = 0


class Growth:
    """Takes calls in as they come and tells how their prompts grow, role by role."""

    def __init__(self, calls: Iterable[CallView] = ()) -> None:
        """Begin with the calls so far."""
        self._series: dict[tuple[str, str], _Series] = {}
        self._window: int | None = None
        for call in calls:
            self.take(call.called, call.answer)
            if call.summarised is not None:
                self.shorten()

    def take(self, called: ModelCalled, answer: ModelAnswered | None = None) -> None:
        """One more call. Of several in a step the first counts: others repeat it, with what was wrong."""
        found = size(called, answer)
        if found is None or called.role == SUMMARISER:
            return
        series = self._series.setdefault((called.node, called.role), _Series())
        if called.step in series.steps:
            return
        if series.sizes and found.tokens < DROP * series.sizes[-1]:
            series.sizes.clear()
        series.steps.add(called.step)
        series.sizes.append(found.tokens)
        self._window = found.window
        wanted = called.parameters.get("max_tokens")
        half = (found.window or 0) // 2
        series.limit = min(wanted, half) if isinstance(wanted, int) else half
        series.answer = max(series.answer, (answer.completion_tokens or 0) if answer else 0)

    def shorten(self) -> None:
        """Earlier turns were left out: what comes is another series."""
        for series in self._series.values():
            series.sizes.clear()

    def forecast(self) -> Forecast | None:
        """Of the roles that grow the one whose prompts will not fit first; None when none grows in a known window."""
        if self._window is None:
            return None
        roles = ((role, series) for (_, role), series in self._series.items())
        found = [one for role, series in roles if (one := _forecast(role, series, self._window))]
        return min(found, key=lambda one: (one.overflow_in, one.window - one.last), default=None)


def forecast(view: RunView) -> Forecast | None:
    """How the run's prompts grow, and when they will not fit; None when they do not grow or the window is unknown."""
    return Growth(view.calls).forecast()


def slope(sizes: Sequence[int]) -> float:
    """Tokens per call: the median of the slopes between all pairs (Theil and Sen), which one odd prompt cannot move."""
    pairs = combinations(enumerate(sizes), 2)
    return float(median((later - earlier) / (j - i) for (i, earlier), (j, later) in pairs))


def _forecast(role: str, series: _Series, window: int) -> Forecast | None:
    latest = series.sizes[-LATEST:]
    if len(latest) < 2 or (growth := slope(latest)) < LEAST:
        return None
    return Forecast(role, latest[-1], growth, window, series.answer, series.limit, len(series.steps))


def told(one: Forecast) -> str:
    """A forecast in words: `+410 a step, full in about 14 steps`."""
    left = one.overflow_in
    when = "too full for the next step" if not left else f"full in about {left:,} step{'s' if left != 1 else ''}"
    return f"+{one.growth:,.0f} a step, {when}"


def used(found: Size) -> str:
    """A size in words: `2,310 of 8,192 tokens`; what is only estimated says so."""
    about = "about " if found.source == "estimated" else ""
    return f"{about}{found.tokens:,} of {found.window:,} tokens" if found.window else f"{about}{found.tokens:,} tokens"


def standing(found: Size) -> str:
    """In a word how full the window is; empty as long as there is room."""
    share = found.share or 0.0
    if share >= 1:
        return "does not fit"
    return "nearly full" if share >= FULL else "filling up" if share >= NEAR else ""


def is_soon(one: Forecast | None, most: int | None) -> bool:
    """Whether the window will be full within a few calls, and before the role has been asked as often as it may be."""
    if one is None or one.overflow_in > SOON:
        return False
    return most is None or most - one.calls > one.overflow_in


WAYS_OUT = "Raise the context window, let earlier turns be summarised, or stop."
NO_SUMMARIES = "Summaries made no room here: raise the context window, or stop."


def warning(one: Forecast) -> str:
    """That the window will soon be full, in a sentence."""
    grows = f"The prompt grows by about {one.growth:,.0f} tokens a step"
    if not one.overflow_in:
        return f"{grows}: the next one will not fit the context window of {one.window:,}."
    steps = f"{one.overflow_in} more step{'s' if one.overflow_in != 1 else ''}"
    return f"{grows}: in about {steps} the context window of {one.window:,} is full."
