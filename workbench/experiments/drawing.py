"""The figures of a report as SVG: no script, the colours by class, every number as text as well."""

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10

from workbench.experiments.calibration import Calibration
from workbench.experiments.flips import Ledger
from workbench.experiments.lanes import LaneResult, role
from workbench.experiments.results import Results
from workbench.experiments.words import Scale, feedback

WIDTH, HEIGHT = 640.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 20.0, 16.0, 44.0
WIDE = 10  # beyond this ratio of the dearest lane to the cheapest, costs are drawn by their logarithm
LINE = 15.0  # between two names
_CONTROLS = {code: "\ufffd" for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160))}

COST = "tokens of an answer, prompt and completion"

Place = Callable[[float], float]


def safe(text: object) -> str:
    """Any value as text that is safe inside HTML, SVG and their attributes."""
    plain = str(text).translate(_CONTROLS)
    return html.escape(
        plain if plain.isascii() else plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def score_against_cost(found: Results) -> str:
    """Each lane's score with its interval over the tokens of an answer, and what fewer samples would have scored."""
    axis = cost_axis(found)
    if axis is None:
        return ""

    def across(tokens: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * axis.share(tokens)

    drawn = [(place, lane) for place, lane in enumerate(found.lanes) if lane.score is not None]
    parts = [_frame(found.scale, across, axis.ticks, COST)]
    for curve in found.curves:
        way = " ".join(f"{across(point.tokens):.1f},{_up(point.score):.1f}" for point in curve.points)
        parts.append(f'<polyline class="{role(curve.lane)} way" points="{way}"/>')
    parts += [_lane_mark(place, lane, across) for place, lane in drawn]
    names = [(across(lane.tokens_each), _up(lane.score or 0), lane.label, role(place)) for place, lane in drawn]
    return _svg("Score against cost", HEIGHT, [*parts, *_names(names)])


@dataclass(frozen=True)
class CostAxis:
    """From `low` to `high` tokens, by their logarithm where lanes cost very differently, with round ticks."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[float, ...]

    def share(self, tokens: float) -> float:
        """Where a cost lies: 0 at the low end, 1 at the high one."""
        if self.is_log:
            return log10(max(tokens, 1) / self.low) / log10(self.high / self.low)
        return (tokens - self.low) / (self.high - self.low)


def cost_axis(found: Results) -> CostAxis | None:
    """The axis on which all lanes and votes have their place; None while nothing is finished."""
    costs = [max(lane.tokens_each, 1) for lane in found.lanes if lane.score is not None]
    costs += [max(point.tokens, 1) for curve in found.curves for point in curve.points]
    if not costs:
        return None
    least, most = min(costs), max(costs)
    if most <= WIDE * least:
        step, high = _step(most), most * 1.1
        return CostAxis(0, high, False, tuple(step * k for k in range(int(high / step) + 1)))
    low, high = least * 0.8, most * 1.4
    ticks = [step * 10.0**power for power in range(floor(log10(low)), floor(log10(high)) + 1) for step in (1, 2, 5)]
    return CostAxis(low, high, True, tuple(tick for tick in ticks if low <= tick <= high))


def _step(most: float) -> float:
    """A round number of which about five make the most."""
    power = 10.0 ** floor(log10(max(most, 1) / 5))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= most / 5)


def _up(score: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - score)


def _frame(scale: Scale, across: Place, ticks: Iterable[float], title: str) -> str:
    parts = []
    for score in (0, 0.2, 0.4, 0.6, 0.8, 1):
        y = _up(score)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        named = f"{score:.1f}" if scale.graded else f"{score:.0%}"
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{named}</text>')
    for tick in ticks:
        x, y = across(tick), HEIGHT - BOTTOM + 16
        parts.append(f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{tick:,.0f}</text>')
    parts.append(
        f'<text class="tick" x="{(WIDTH + LEFT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{title}</text>'
    )
    return "".join(parts)


def _lane_mark(place: int, lane: LaneResult, across: Place) -> str:
    assert lane.score is not None and lane.low is not None and lane.high is not None
    return _mark(role(place), across(lane.tokens_each), lane.score, lane.low, lane.high)


def _mark(colour: str, x: float, score: float, low: float, high: float) -> str:
    """A point with its interval."""
    bottom, top = _up(low), _up(high)
    ends = "".join(f"M{x - 4:.1f} {y:.1f}h8" for y in (bottom, top))
    line = f'<path class="reach" d="M{x:.1f} {bottom:.1f}V{top:.1f}{ends}"/>'
    return f'<g class="{colour}">{line}<circle class="mark" cx="{x:.1f}" cy="{_up(score):.1f}" r="5"/></g>'


def _names(names: Sequence[tuple[float, float, str, str]]) -> list[str]:
    """Each name beside its point, moved down where it would lie on another."""
    parts, taken = [], -LINE
    for x, y, name, colour in sorted(names, key=lambda entry: entry[1]):
        taken = max(y - 6, taken + LINE)
        side, shift = ("start", 9) if x < WIDTH * 0.6 else ("end", -9)
        where = f'x="{x + shift:.1f}" y="{taken:.1f}" text-anchor="{side}"'
        parts.append(f'<text class="{colour} named" {where}>{safe(name)}</text>')
    return parts


def score_at_round(ledger: Ledger) -> str:
    """The score with its interval if the runs had been stopped at each round."""
    scale, count = Scale(ledger.graded, ledger.items), len(ledger.rounds)
    across: Place = lambda number: LEFT + (WIDTH - LEFT - RIGHT) * (number - 0.5) / count  # noqa: E731
    parts = [_frame(scale, across, range(1, count + 1), "stopped after round")]
    way = " ".join(f"{across(step.number):.1f},{_up(step.score):.1f}" for step in ledger.rounds)
    parts.append(f'<polyline class="{role(ledger.lane)} way" points="{way}"/>')
    for step in ledger.rounds:
        x = across(step.number)
        parts.append(_mark(role(ledger.lane), x, step.score, step.low, step.high))
        parts.append(f'<text x="{x + 9:.1f}" y="{_up(step.score) - 6:.1f}">{scale.score(step.score)}</text>')
    return _svg(f"{ledger.name}, {feedback((ledger.feedback,))}: score if stopped at round k", HEIGHT, parts)


def reliability(one: Calibration) -> str:
    """How often answers were right over how sure they were, in bins with their counts; dashed, as sure as right."""
    across: Place = lambda sure: LEFT + (WIDTH - LEFT - RIGHT) * sure  # noqa: E731
    parts = [_frame(Scale(False, one.n), across, (), f"{one.what}, 0 to 1")]
    parts += [
        f'<text class="tick" x="{across(k / 5):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{k / 5:.1f}</text>'
        for k in range(6)
    ]
    ends = f'x1="{across(0)}" y1="{_up(0)}" x2="{across(1)}" y2="{_up(1)}"'
    parts.append(f'<line class="axis" stroke-dasharray="3 4" {ends}/>')
    for part in one.bins:
        x = across(part.confidence)
        parts.append(_mark(role(one.lane), x, part.share, part.share_low, part.share_high))
        side, shift = ("end", -9) if part.confidence > 0.9 else ("start", 9)
        where = f'x="{x + shift:.1f}" y="{_up(part.share) - 6:.1f}" text-anchor="{side}"'
        parts.append(f"<text {where}>{part.n:,}</text>")
    return _svg(f"{one.name}: right answers over {one.what}", HEIGHT, parts)


def flips_per_round(ledger: Ledger) -> str:
    """Bars of each round: up for what became right, down for what became wrong."""
    steps = ledger.rounds[1:]
    most = max([1, *(max(step.gained, step.lost) for step in steps)])
    middle, unit = HEIGHT / 2, (HEIGHT / 2 - 44) / most
    better, worse = ledger.words
    parts = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle}" y2="{middle}"/>',
        f'<text class="tool named" x="{LEFT}" y="14">{better}</text>',
        f'<text class="critic named" x="{LEFT}" y="{HEIGHT - 6}">{worse}</text>',
    ]
    for place, step in enumerate(steps):
        x = LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / len(steps)
        up, down = unit * step.gained, unit * step.lost
        parts += [
            f'<rect class="tool mark" x="{x - 18:.1f}" width="36" y="{middle - up:.1f}" height="{up:.1f}"/>',
            f'<rect class="critic mark" x="{x - 18:.1f}" width="36" y="{middle:.1f}" height="{down:.1f}"/>',
            f'<text x="{x:.1f}" y="{middle - up - 5:.1f}" text-anchor="middle">{step.gained:,}</text>',
            f'<text x="{x:.1f}" y="{middle + down + 15:.1f}" text-anchor="middle">{step.lost:,}</text>',
            f'<text class="tick" x="{x + 24:.1f}" y="{middle - 5:.1f}">round {step.number}</text>',
        ]
    return _svg(f"{ledger.name}, {feedback((ledger.feedback,))}: flips per round", HEIGHT, parts)


def _svg(title: str, height: float, parts: Iterable[str]) -> str:
    size = f'viewBox="0 0 {WIDTH:.0f} {height:.0f}"'
    return f'<svg {size} role="img" aria-label="{safe(title)}"><title>{safe(title)}</title>{"".join(parts)}</svg>'
