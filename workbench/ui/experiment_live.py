"""An experiment while it runs: how far each lane is, read from the tables, whoever runs it."""

import time
from collections.abc import Iterator

from streamlit.delta_generator import DeltaGenerator

from workbench.experiments.lanes import role
from workbench.experiments.progress import LaneProgress, Progress
from workbench.experiments.scorers import registry as scorers
from workbench.experiments.words import Scale, count, duration
from workbench.store.experiments import BUSY, ExperimentRow
from workbench.ui import experiments, metrics
from workbench.ui.markdown import escape
from workbench.ui.metrics import NOTHING

LOOK_SECONDS = 0.5


def follow(place: DeltaGenerator, row: ExperimentRow) -> None:
    """Show how far it is until it is not running any more; what has not changed is not sent again."""
    last = html(row)
    for far in looks(row):
        if (shown := progress_html(far, _scale(row))) != last:
            place.html(shown)
            last = shown


def looks(row: ExperimentRow) -> Iterator[Progress]:
    """How far it is, again and again, until it does not run any more."""
    while (far := experiments.sweeps().progress(row.id)).status in BUSY:
        yield far
        time.sleep(LOOK_SECONDS)


def html(row: ExperimentRow) -> str:
    """How far it is now."""
    return progress_html(experiments.sweeps().progress(row.id), _scale(row))


def progress_html(far: Progress, scale: Scale) -> str:
    """Its cells in numbers; and while there is something left, a bar for each lane with its score so far."""
    facts = [
        f"{far.done:,} of {count(far.cells, 'cell')} done",
        f"{far.running:,} running" if far.running else "",
        f"{far.waiting:,} waiting" if far.waiting else "",
        f"about {duration(far.seconds_left)} left" if far.seconds_left and far.status == "running" else "",
        f"{far.tokens:,} tokens",
    ]
    failed = f' · <b class="wb-failed">{far.errors:,} failed</b>' if far.errors else ""
    line = " · ".join(escape(fact) for fact in facts if fact)
    state = f'<b class="wb-state wb-{far.status}">{far.status}</b>'
    lanes = "" if far.done == far.cells else "".join(_lane(place, lane, scale) for place, lane in enumerate(far.lanes))
    return f'<div class="wb-progress"><p class="wb-mono">{state} · {line}{failed}</p>{lanes}</div>'


def _lane(place: int, lane: LaneProgress, scale: Scale) -> str:
    total = lane.done + lane.running + lane.waiting + lane.errors
    done = (lane.done + lane.errors) / total if total else 0.0
    score = NOTHING if lane.score is None else scale.score(lane.score)
    running = f" · {lane.running:,} running" if lane.running else ""
    failed = f' · <b class="wb-failed">{lane.errors:,} failed</b>' if lane.errors else ""
    said = f"{lane.done + lane.errors:,} of {total:,}"
    return (
        f'<div class="wb-progress-lane"><span class="wb-lane-mark" data-role="{role(place)}" aria-hidden="true"></span>'
        f"<span>{escape(lane.name)}</span>{metrics.bar(done, said)}"
        f'<span class="wb-mono">{said} · {score} so far{running}{failed}</span></div>'
    )


def _scale(row: ExperimentRow) -> Scale:
    items = row.cells // max(len(row.plan.lanes) * len(row.plan.seeds), 1)
    return Scale(scorers.kind(row.plan.scorer.name).graded, items)
