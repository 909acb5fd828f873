"""Records the gallery: real runs on the embedded model, one that goes right and one that goes wrong per machine.

Which runs are kept is decided by a rule, not by hand: the sets that come with the program are asked item by item, and
the first run with the right answer and the most telling one with a wrong answer are taken. Telling is, in this order: a
right answer that was given up for a wrong one, a wrong answer after several steps, any wrong answer.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path

import yaml

from agents import catalogue
from workbench import gallery
from workbench.carry import leaving
from workbench.engine import Engine
from workbench.events import RunView
from workbench.experiments import datasets
from workbench.experiments.model import Item
from workbench.experiments.scorers import registry as scorers
from workbench.request import Limits, ModelSettings, RunRequest
from workbench.settings import Settings, load

SETS = ("arithmetic", "letters", "dates", "decimals")
MOST = Limits(steps=40, tokens=6_000)  # of a recorded run; no seconds, which depend on the machine


@dataclass(frozen=True)
class Tried:
    """A run that could be kept."""

    run_id: str
    item: Item
    view: RunView
    right: bool
    telling: int


def main() -> int:
    """Record what is asked for, and write it down in recordings.yaml."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("machines", nargs="*", help="only these (default: all)")
    parser.add_argument("--tries", type=int, default=24, help="items that are asked at most per machine")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    settings = load()
    with tempfile.TemporaryDirectory() as folder:
        own = settings.model_copy(
            update={"home": Path(folder), "models_folder": settings.models_path, "backend": "embedded"}
        )
        engine = Engine(own)
        try:
            for machine in arguments.machines or catalogue.MACHINES:
                record(engine, own, machine, arguments.tries, arguments.seed)
        finally:
            engine.close()
    return 0


def record(engine: Engine, settings: Settings, machine: str, tries: int, seed: int) -> None:
    """A machine's two recordings."""
    right: Tried | None = None
    wrong: Tried | None = None
    for item, scorer in list(items())[:tries]:
        tried = run(engine, settings, machine, item, scorer, seed)
        print(f"{machine}: {item.id}: {'right' if tried.right else f'wrong ({tried.telling})'}", flush=True)
        if tried.right:
            right = right or tried
        elif tried.telling and (wrong is None or tried.telling > wrong.telling):
            wrong = tried
        if right and wrong and (wrong.telling >= 2 or len(wrong.view.calls) == 1):
            break
    for outcome, tried in (("right", right), ("wrong", wrong)):
        if tried is None:
            print(f"{machine}: no run that goes {outcome} in {tries} tries", flush=True)
        else:
            write(engine, settings, machine, outcome, tried)


def items() -> Iterator[tuple[Item, str]]:
    """The items of the sets in turn, each with its set's scorer."""
    sets = [[(item, shipped_scorer(name)) for item in datasets.load(name, None).items] for name in SETS]
    return (pair for pair in chain.from_iterable(zip_longest(*sets)) if pair is not None)


def shipped_scorer(name: str) -> str:
    """The scorer that a set comes with."""
    return next(one.scorer for one in datasets.SHIPPED if one.name == name)


def run(engine: Engine, settings: Settings, machine: str, item: Item, scorer: str, seed: int) -> Tried:
    """Ask one item, and see how it goes."""
    request = RunRequest(
        machine=machine,
        question=item.asked,
        backend="embedded",
        model=settings.embedded_model,
        settings=ModelSettings(seed=seed),
        limits=MOST,
    )
    run_id = engine.submit(request)
    view = RunView.of(event for batch in engine.follow(run_id) for event in batch)
    judge = scorers.create(scorer)

    def is_right(answer: str) -> bool:
        return bool(answer.strip()) and asyncio.run(judge.score(item, answer)).value == 1

    ending = view.finished
    right = ending is not None and ending.status == "answered" and is_right(ending.answer)
    flipped = any(is_right(candidate.content) for candidate in view.candidates)
    answered = ending is not None and ending.status == "answered"
    telling = 0 if not answered else 3 if flipped else 2 if len(view.calls) > 1 else 1
    return Tried(run_id, item, view, right, 0 if right else telling)


def write(engine: Engine, settings: Settings, machine: str, outcome: str, tried: Tried) -> None:
    """Put a run into the gallery; what was said of an older recording of the same answer stays."""
    before = yaml.safe_load(gallery.INDEX.read_text(encoding="utf-8")) if gallery.INDEX.exists() else []
    entry = {
        "machine": machine,
        "outcome": outcome,
        "question": tried.item.asked,
        "gold": tried.item.answer,
        "answer": tried.view.finished.answer if tried.view.finished else "",
        "model": settings.embedded_model,
        "recorded": datetime.now(UTC).date().isoformat(),
    }
    same = [old for old in before if (old["machine"], old["outcome"]) == (machine, outcome)]
    entry["why"] = next((old["why"] for old in same if old["answer"] == entry["answer"]), "")
    rest = [old for old in before if (old["machine"], old["outcome"]) != (machine, outcome)]
    order = {name: number for number, name in enumerate(catalogue.MACHINES)}
    whole = sorted([*rest, entry], key=lambda one: (order[one["machine"]], one["outcome"]))
    gallery.INDEX.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")
    gallery.Recording.model_validate(entry).file.write_bytes(leaving.export_run(engine.store, tried.run_id))


if __name__ == "__main__":
    raise SystemExit(main())
