"""Experiments that are over: plans, items and cells in a line each."""

from collections.abc import Sequence
from typing import Any

from workbench.experiments.model import Cell, Item, Round, Sample
from workbench.experiments.plan import Lane, Plan
from workbench.experiments.results import Results, results

Scores = Sequence[float | None]  # None is an error


def plan(*names: str, seeds: int = 1, scorer: str = "exact", limit: int | None = None) -> Plan:
    """A plan with a lane for each name, which is its machine's as well."""
    lanes = tuple(Lane(name=name, machine=name) for name in names)
    return Plan.model_validate(
        {
            "name": "Trial",
            "dataset": "sums",
            "scorer": scorer,
            "model": "m",
            "seeds": seeds,
            "lanes": lanes,
            "limit": limit,
        }
    )


def items(n: int) -> list[Item]:
    """So many questions."""
    return [Item(id=f"i{number}", question=f"What is {number} + 1?", answer=str(number + 1)) for number in range(n)]


def cells(lane: int, scores: Scores, seed: int = 0, **values: Any) -> list[Cell]:
    """A lane's cells, one for each score."""
    return [cell(lane, item, score, seed=seed, **values) for item, score in enumerate(scores)]


def cell(lane: int, item: int, score: float | None, **values: Any) -> Cell:
    """One cell; `rounds` as scores become rounds of 100 tokens each, `samples` as letters, of which a is right."""
    ended = {"status": "done"} if score is not None else {"status": "error", "error_code": "timeout", "error": "Late."}
    rounds = tuple(Round(score=one, tokens=100 * (k + 1)) for k, one in enumerate(values.pop("rounds", ())))
    drawn = values.pop("samples", "")
    samples = tuple(Sample(answer=letter, score=float(letter == "a"), tokens=50) for letter in drawn)
    spent = {"prompt_tokens": 60, "completion_tokens": 40, "calls": 1, "seconds": 2.0, "run_id": f"run-{lane}-{item}"}
    known = ended | spent | {"rounds": rounds, "samples": samples, "answer": "42"} | values
    return Cell(lane=lane, item=item, score=score, **{"seed": 0} | known)


def shares(*counts: tuple[int, Sequence[float]]) -> list[list[float]]:
    """So many items with these scores, one list for each lane: (8, [1, 0]) is 8 items that the first lane has right."""
    rows = [list(scores) for count, scores in counts for _ in range(count)]
    return [list(column) for column in zip(*rows, strict=True)]


def compared(*lanes: Scores, graded: bool = False, names: Sequence[str] = (), **values: Any) -> Results:
    """The results of lanes named a, b, c, ... with these scores."""
    named = names or [chr(ord("a") + lane) for lane in range(len(lanes))]
    every = [one for lane, scores in enumerate(lanes) for one in cells(lane, scores, **values)]
    return results(plan(*named), items(len(lanes[0])), every, graded)
