"""Which of ReAct and CoT-SC goes on, and why: the two ways out of ReAct's paper (2210.03629, section 3.3)."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Literal

from agents import votes
from agents.react_dialects import FINISH
from agents.sampling import majority_sureness
from agents.sureness import percent

Way = Literal["reason", "sample", "__end__"]


def quorum(options: Any) -> int:
    """The votes that a leader must have: the threshold's share of all samples."""
    share: float = options.threshold * options.samples
    return ceil(round(share, 9))


def wanted(options: Any, state: Mapping[str, Any]) -> int:
    """How many more samples are needed at least to know who leads and, before ReAct, whether enough of them agree.

    After ReAct the leader is the answer however few agree, so that only who leads matters.
    """
    ballots = [votes.ballot(answer) for answer in state["answers"]]
    left: int = max(options.samples - len(ballots), 0)
    if not options.adaptive:
        return left
    has_acted = bool(state["steps"])
    return votes.fewest_to_end(ballots, left) if has_acted else votes.fewest_to_settle(ballots, left, quorum(options))


def doubt_of_react(options: Any, state: Mapping[str, Any]) -> str:
    """Why ReAct does not have the answer; empty where it has."""
    if state["action"]["name"] != FINISH:
        return f"no answer, {options.max_steps} steps were all"
    return "" if str(state["action"]["input"]).strip() else "no answer, ReAct finished without one"


def doubt_of_vote(options: Any, state: Mapping[str, Any]) -> str:
    """Why the vote's leader is not the answer; empty where it is."""
    _, most, _, _ = votes.tally(state["answers"])
    sure = majority_sureness({"answers": state["answers"], "sure": state["sure"]})
    if most < quorum(options):
        return f"{most} of {options.samples} agree, {quorum(options)} have to"
    if options.confident is not None and sure is not None and sure < options.confident:
        return f"{percent(sure)} sure, those that agree; {percent(options.confident)} is enough"
    return ""


def turn(options: Any, state: Mapping[str, Any]) -> tuple[Way, str]:
    """Which way to go on, and why: each begins once, and the second has the last word.

    A vote that was given up for ReAct goes on where ReAct has nothing, until it is known who leads.
    """
    has_acted, has_voted, react_first = bool(state["steps"]), bool(state["answers"]), options.first == "react"
    if not has_acted and not has_voted:
        return ("reason", "ReAct first") if react_first else ("sample", "vote first")
    leader, most, _, _ = votes.tally(state["answers"])
    doubt = doubt_of_react(options, state) if has_acted else ""
    if has_acted and has_voted:
        if doubt and wanted(options, state):
            return "sample", f"{doubt}: the vote goes on"
        return "__end__", _last_word(doubt, leader, react_first)
    if has_acted:
        return ("sample", doubt) if doubt else ("__end__", "ReAct finished")
    doubt = doubt_of_vote(options, state)
    return ("reason", doubt) if doubt else ("__end__", f"{most} of {options.samples} agree, {quorum(options)} have to")


def _last_word(doubt: str, leader: str, react_first: bool) -> str:
    """What decides once both have had their turn."""
    if react_first:
        return "the vote decides" if leader else "no answer, nor any in a sample"
    if not doubt:
        return "ReAct decides"
    return f"{doubt}: {'what leads the vote stays' if leader else 'nor had the vote'}"
