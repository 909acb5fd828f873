"""The rewards of a machine that tries the whole task several times, as a small curve, and the return."""

from collections.abc import Sequence

from workbench.events import FEEDBACK, Reward
from workbench.ui.markdown import escape

MOST_LABELS = 6  # points that have their value beside them
SAYS = {"gold": "the known answer or tests", "tool": "a tool", "critic": "a critic", "self": "the model itself"}
COLOUR = {"gold": "wb-tool", "tool": "wb-tool", "critic": "wb-critic", "self": "wb-thinking"}
RETURN = "The return is the sum of all rewards, none discounted (γ = 1)."


def rewards_html(rewards: Sequence[Reward]) -> str:
    """The curve of the rewards over the trials, who gave them, and the return; empty before the first."""
    if not rewards:
        return ""
    total = f'<small title="{RETURN}">return {sum(one.value for one in rewards):.3g}</small>'
    told = "; ".join(f"trial {one.trial + 1}: {one.value:.2g}" for one in rewards)
    places = [(_across(number, len(rewards)), one) for number, one in enumerate(rewards)]
    points = "".join(_point(left, one, len(rewards) <= MOST_LABELS) for left, one in places)
    numbers = "".join(f'<span style="left:{left:.1f}%">{one.trial + 1}</span>' for left, one in places)
    return (
        f'<section class="wb-rewards" aria-label="Rewards"><h4>reward of each trial {total}</h4>'
        f'<div class="wb-curve" role="img" aria-label="{told}">{_line(places)}{points}</div>'
        f'<div class="wb-trials" aria-hidden="true">{numbers}</div><p>{escape(_sources(rewards))}</p></section>'
    )


def _line(places: Sequence[tuple[float, Reward]]) -> str:
    """The curve: a strip two pixels high along the points, cut out of the whole, since pages take no drawings here."""
    corners = [(f"{left:.1f}%", f"{100 * (1 - one.value):.1f}%") for left, one in places]
    upper = [f"{left} calc({top} - 1px)" for left, top in corners]
    lower = [f"{left} calc({top} + 1px)" for left, top in reversed(corners)]
    return f'<i style="clip-path:polygon({", ".join(upper + lower)})"></i>'


def _point(left: float, one: Reward, labelled: bool) -> str:
    said = f"Trial {one.trial + 1}: reward {one.value:.2g}, judged by {SAYS.get(one.feedback, 'nobody')}"
    value = f"<b>{one.value:.2g}</b>" if labelled else ""
    place = f"left:{left:.1f}%;bottom:{100 * one.value:.1f}%"
    return f'<span class="{COLOUR.get(one.feedback, "wb-none")}" style="{place}" title="{said}">{value}</span>'


def _sources(rewards: Sequence[Reward]) -> str:
    """Who gave the rewards: "judged by a critic", or of each source in which trials."""
    found = {name: [one.trial + 1 for one in rewards if one.feedback == name] for name in FEEDBACK}
    given = {name: trials for name, trials in found.items() if trials}
    if len(given) == 1:
        return f"judged by {SAYS[next(iter(given))]}"
    return "; ".join(f"trial {', '.join(map(str, trials))}: {SAYS[name]}" for name, trials in given.items())


def _across(number: int, count: int) -> float:
    """Where a trial stands from left to right, in percent; a single one in the middle."""
    return 50.0 if count == 1 else 4 + number * 92 / (count - 1)
