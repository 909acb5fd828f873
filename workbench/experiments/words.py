"""Numbers of an experiment as words: the same on the page, in the report and in the terminal."""

from dataclasses import dataclass, replace

MANY = 200  # items from which a score has one digit more
FINEST = 4  # digits more
MINUS = "\N{MINUS SIGN}"
FEEDBACK = {
    "gold": "gold feedback",
    "tool": "tool feedback",
    "critic": "critic feedback",
    "self": "self feedback",
    "none": "no feedback",
}


@dataclass(frozen=True)
class Scale:
    """How scores are written: shares of right answers in percent, graded ones from 0 to 1; more items, more digits."""

    graded: bool
    items: int
    more: int = 0

    def fine(self, difference: float) -> "Scale":
        """The scale with as many more digits as a difference needs so that it is not rounded to nothing."""
        for more in range(FINEST):
            scale = replace(self, more=more)
            if scale.number(difference).strip("0."):
                return scale
        return self

    def number(self, value: float) -> str:
        """A score without its unit: 62, or 0.62."""
        digits = (2 if self.graded else 0) + (self.items >= MANY) + self.more
        return signed(value if self.graded else 100 * value, digits)

    def score(self, value: float) -> str:
        """A score: 62%, or 0.62."""
        return self.number(value) + ("" if self.graded else "%")

    def span(self, low: float, high: float) -> str:
        """An interval without its unit: 52 to 71."""
        return f"{self.number(low)} to {self.number(high)}"

    def scored(self, value: float, low: float, high: float) -> str:
        """A score with its interval: 62% (52 to 71)."""
        return f"{self.score(value)} ({self.span(low, high)})"

    def gain(self, value: float) -> str:
        """A difference of scores: +6 points, or +0.06."""
        number = self.number(value)
        plus = "" if number.startswith(MINUS) or not number.strip("0.") else "+"
        unit = "" if self.graded else " point" if number.lstrip(MINUS) == "1" else " points"
        return f"{plus}{number}{unit}"


def signed(value: float, digits: int) -> str:
    """A number with a real minus sign, and none before 0."""
    text = f"{abs(value):.{digits}f}"
    return MINUS + text if value < 0 and text.strip("0.") else text


def probability(p: float) -> str:
    """A p value: p = 0.03, p < 0.001."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {min(p, 1):.2f}"


def duration(seconds: float) -> str:
    """A time as a person says it: 45 s, 12 min, 2.5 h."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3_600:.1f} h"


def count(n: int, one: str, many: str = "") -> str:
    """So many of something: 1 item, 2,500 items."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def feedback(sources: tuple[str, ...]) -> str:
    """Who told a machine how good its answers were: critic feedback; gold and self feedback, mixed."""
    if len(sources) > 1:
        return f"{' and '.join(sources)} feedback, mixed"
    return FEEDBACK[sources[0]] if sources else FEEDBACK["none"]


def fed(first: tuple[str, ...], second: tuple[str, ...]) -> str:
    """Two lanes' feedback within a sentence: with tool feedback against none; both with critic feedback."""
    if first == second:
        return f"both with {listed(list(first))} feedback" if first else ""
    one = f"with {listed(list(first))} feedback" if first else "without feedback"
    return f"{one} against {f'{listed(list(second))} feedback' if second else 'none'}"


def listed(names: list[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
