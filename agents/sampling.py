"""Several samples of one prompt: drawn at once, each with how sure the model was of it, and counted."""

from typing import Any

from langchain_core.messages import AnyMessage
from typing_extensions import TypedDict

from agents import votes
from agents.answers import concluded
from agents.contract import Bench, together
from agents.sureness import percent, warn_if_unknown


class Samples(TypedDict, total=False):
    """What each sample came to ("" for nothing), and its mean token probability (None: unknown)."""

    answers: list[str]
    sure: list[float | None]


async def drawn(bench: Bench, known: Samples, messages: list[AnyMessage], size: int) -> Samples:
    """So many more samples, after those that there are."""
    first = len(known["answers"])
    new = await together([draw(bench, messages, number) for number in range(first, first + size)])
    answers, sure = [one for one, _ in new], [probability for _, probability in new]
    return {"answers": [*known["answers"], *answers], "sure": [*sure_of(known), *sure]}


def sure_of(known: Samples) -> list[float | None]:
    """How sure each sample was; runs from before this was kept do not know."""
    return known.get("sure") or [None] * len(known["answers"])


async def draw(bench: Bench, messages: list[AnyMessage], number: int) -> tuple[str, float | None]:
    """One sample: the answer read out of it, and its mean token probability.

    Where the machine goes by probabilities and there are none, the first sample says so.
    """
    said = await bench.ask("sampler", messages, sample=number)
    found = concluded(said.text, said.finish_reason)
    title = f"Sample {number + 1}: {votes.short(found)}"
    bench.card(title, said.text, answer=said, sample=number, candidate=found, vote=votes.ballot(found))
    if bench.options.confident is not None and number == 0:
        warn_if_unknown(bench, said)
    return found, said.confidence


def counted(bench: Bench, answers: list[str]) -> str:
    """The leader of the vote ("" for none); the count is on a card."""
    leader, most, counts, told = votes.tally(answers)
    figures = {"share": round(most / len(answers), 3), "posterior": round(votes.posterior(counts), 3)}
    shown: dict[str, Any] = {"candidate": leader, "votes": counts, "sampled": len(answers), **figures}
    bench.card(f"Vote: {votes.short(leader)}", told, **shown)
    return leader


def is_confident(known: Samples, enough: float | None) -> bool:
    """Whether the only sample so far came to an answer and is sure enough (None: no sample alone is)."""
    if enough is None or len(known["answers"]) != 1 or not known["answers"][0]:
        return False
    return (sure_of(known)[0] or 0.0) >= enough


def how_confident(known: Samples, enough: float) -> str:
    """How sure the first sample is, held against what is enough."""
    sure = sure_of(known)[0]
    if not known["answers"][0]:
        return "no answer in the first"
    if sure is None:
        return "how sure it is, nothing tells"
    return f"{percent(sure)} sure, " + ("which is enough" if sure >= enough else f"less than {percent(enough)}")


def majority_sureness(known: Samples) -> float | None:
    """The mean token probability of the samples that vote for the leader; None where it is unknown."""
    ballots = [votes.ballot(answer) for answer in known["answers"]]
    leader = next(iter(votes.count(ballots)), None)
    odds = [p for ballot, p in zip(ballots, sure_of(known), strict=True) if ballot == leader and p is not None]
    return sum(odds) / len(odds) if odds else None
