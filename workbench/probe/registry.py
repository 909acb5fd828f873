"""The checks of a probe, in the order in which they are made: what is measured first, later ones may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from workbench.probe import logprobs, needle, schema, seeds, speed, streams, thinks, tools
from workbench.probe.asking import Asker
from workbench.probe.report import Depth, Finding

PREFILL, DECODE = 95.0, 34.0  # tokens per second of a small model on two cores: where nothing is measured yet


@dataclass(frozen=True)
class Check:
    """A check: its name in reports, what it asks in words, and roughly the tokens that it reads and writes."""

    name: str
    asks: str
    run: Callable[[Asker], Awaitable[Finding]]
    reads: dict[Depth, int]
    writes: dict[Depth, int]


def _of(quick: int, full: int = 0) -> dict[Depth, int]:
    return {"quick": quick, "full": full or quick}


CHECKS: tuple[Check, ...] = (
    Check("speed", "How fast does it read and write?", speed.check, _of(1_500, 3_000), _of(384, 640)),
    Check("streams", "Does it stream?", streams.check, _of(40), _of(100)),
    Check("thinks", "Does it think?", thinks.check, _of(90), _of(60)),
    Check("logprobs", "Does it give token probabilities?", logprobs.check, _of(40), _of(16)),
    Check("seed", "Does it keep a seed?", seeds.check, _of(160), _of(130)),
    Check("tools", "How does it call tools?", tools.check, _of(1_500), _of(240)),
    Check("schema", "Does it keep to a schema?", schema.check, _of(4_000, 7_000), _of(1_200, 1_800)),
    Check("context", "Where does its context end?", needle.check, _of(0), _of(60, 100)),
)


def seconds(depth: Depth, window: int | None, prefill: float | None = None, decode: float | None = None) -> float:
    """About how long a probe takes, at these speeds; at those of a small model on two cores where they are unknown."""
    reading, writing = prefill or PREFILL, decode or DECODE
    asked = sum(check.reads[depth] / reading + check.writes[depth] / writing for check in CHECKS)
    return asked + _of_context(depth, window, reading)


def _of_context(depth: Depth, window: int | None, reading: float) -> float:
    """The texts in which the needles lie are read once each, up to what the time for them allows."""
    total = 0.0
    for tokens in needle.lengths(window, depth):
        if total + tokens / reading > needle.SECONDS[depth]:
            break
        total += tokens / reading
    return total
