"""Majority votes over samples: what an answer votes for, who leads, and when no further sample could change that."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import comb
from typing import NamedTuple

from agents.answers import NUMBER, normalise

UNIT = re.compile(rf"({NUMBER})(?:\s?[%°]| [^\W\d_]+(?: [^\W\d_]+)?)")
# What changes a number, so that it is no mere unit.
SCALE = re.compile(
    r"\b(?:cents?|pence|hundred|thousand|million|billion|trillion|dozen|half|quarters?|thirds?|am|pm|bc|ad|bce|ce|k|m"
    r"|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*)\b"
)
SHORT = 48  # characters of an answer in a title
NAMED = 3  # answers behind the leader that are told of by name
CHOICE = re.compile(r"\(?([a-z])[).:]\s")


class Tally(NamedTuple):
    """A count: the leader by name ("" for none) with its votes, all votes by ballot, and the count in a sentence."""

    leader: str
    most: int
    votes: dict[str, int]
    told: str


def ballot(answer: str) -> str:
    """What an answer votes for: its normal form, a number without its unit, of "(B) Paris" the letter.

    "12", "12 apples" and "12%" vote for the same, since they answer the same question; "5 cents" is not "5".
    """
    plain = normalise(answer)
    if choice := CHOICE.match(answer.strip().casefold()):
        return choice.group(1)
    if (unit := UNIT.fullmatch(plain)) and not SCALE.search(plain):
        return unit.group(1)
    return plain


def count(ballots: Sequence[str]) -> dict[str, int]:
    """The votes by ballot: the most first, of two with as many the one that was seen first; empty ones are none."""
    return dict(Counter(ballot for ballot in ballots if ballot).most_common())


def is_decided(ballots: Sequence[str], left: int) -> bool:
    """Whether the leader stays the leader whatever `left` further samples say; of a tie, who was seen first wins."""
    votes = count(ballots)
    if not votes or left <= 0:
        return left <= 0
    leader, most = next(iter(votes.items()))
    seen_before = set(ballots[: ballots.index(leader)])
    needed = {rival: most if rival in seen_before else most + 1 for rival in votes if rival != leader}
    return left <= most and all(votes[rival] + left < votes_to_win for rival, votes_to_win in needed.items())


def posterior(votes: Mapping[str, int]) -> float:
    """The probability that the leader has more than half of what it shares with the runner-up (2305.11860).

    With v1 and v2 votes that share is Beta(v1 + 1, v2 + 1): for whole numbers a sum of binomial coefficients.
    """
    first, second = (*votes.values(), 0, 0)[:2]
    tosses = first + second + 1
    return float(sum(comb(tosses, heads) for heads in range(first + 1)) / 2**tosses)


def fewest_to_end(ballots: Sequence[str], left: int, confidence: float | None = None) -> int:
    """The least number of further samples after which the vote could end: with all of them for the leader.

    So many can be asked at once with none of them in vain. 0 where the vote ends now, by `is_decided` or since the
    `posterior` has reached the confidence (None: that does not matter).
    """
    leader = next(iter(count(ballots)), "whatever comes first")
    for more in range(left):
        then = [*ballots, *[leader] * more]
        sure = confidence is not None and any(then) and posterior(count(then)) >= confidence
        if sure or is_decided(then, left - more):
            return more
    return left


def fewest_to_settle(ballots: Sequence[str], left: int, quorum: int) -> int:
    """As `fewest_to_end`, where the leader must have `quorum` votes as well: it ends, too, when none can have them."""
    most = max(count(ballots).values(), default=0)
    to_lose = most + left - quorum + 1  # with all of them for something new
    to_win = max(fewest_to_end(ballots, left), quorum - most)
    return max(min(to_win, to_lose), 0)


def names(answers: Sequence[str]) -> dict[str, str]:
    """For each ballot the answer that is shown for it: the first that voted so."""
    found: dict[str, str] = {}
    for answer in answers:
        found.setdefault(ballot(answer), answer)
    return found


def short(answer: str) -> str:
    """An answer in one short line; "no answer" for none."""
    flat = " ".join(answer.split()) or "no answer"
    return flat if len(flat) <= SHORT else flat[: SHORT - 1].rstrip() + "…"


def told(counted: Sequence[tuple[str, int]], sampled: int, voters: str = "samples") -> str:
    """The vote in a sentence: "4 of 5 samples say 18, 1 says 20."."""
    if not counted:
        return f"None of {sampled} {voters} came to an answer."
    (leader, most), *others = counted
    parts = [f"{most} of {sampled} {voters} say{'s' if most == 1 else ''} {short(leader)}"]
    parts += [f"{number} say{'s' if number == 1 else ''} {short(name)}" for name, number in others[:NAMED]]
    rest = sum(number for _, number in others[NAMED:])
    return ", ".join([*parts, *([f"{rest} say something else"] if rest else [])]) + "."


def tally(answers: Sequence[str], voters: str = "samples") -> Tally:
    """The count of what these answers vote for."""
    counted, known = count([ballot(answer) for answer in answers]), names(answers)
    named = [(known[vote], number) for vote, number in counted.items()]
    leader, most = named[0] if named else ("", 0)
    return Tally(leader, most, counted, told(named, len(answers), voters))
