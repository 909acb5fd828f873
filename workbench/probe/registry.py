"""The checks of a probe, in the order in which they are made: what is measured first, later ones may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from workbench.probe import logprobs, needle, schema, seeds, speed, streams, thinks, tools
from workbench.probe.asking import Asker
from workbench.probe.report import Depth, Finding

PREFILL, DECODE = 95.0, 34.0  # tokens per second of a small model on two cores: where nothing is measured yet


@dataclass(frozen=True)
class Check:
    """A check: its name in reports, what it asks in words, and roughly the tokens that it reads and writes.

    `thinking` is how many answers a model that thinks unasked has room to think in.
    """

    name: str
    asks: str
    run: Callable[[Asker], Awaitable[Finding]]
    reads: dict[Depth, int]
    writes: dict[Depth, int]
    thinking: dict[Depth, int]


def _of(quick: int, full: int = 0) -> dict[Depth, int]:
    return {"quick": quick, "full": full or quick}


CHECKS: tuple[Check, ...] = (
    Check("speed", "How fast does it read and write?", speed.check, _of(1_500, 3_000), _of(384, 640), _of(0)),
    Check("streams", "Does it stream?", streams.check, _of(40), _of(100), _of(0)),
    Check("thinks", "Does it think?", thinks.check, _of(90), _of(60), _of(0)),
    Check("logprobs", "Does it give token probabilities?", logprobs.check, _of(40), _of(16), _of(1)),
    Check("seed", "Does it keep a seed?", seeds.check, _of(160), _of(130), _of(4)),
    Check("tools", "How does it call tools?", tools.check, _of(1_500), _of(240), _of(6)),
    Check("schema", "Does it keep to a schema?", schema.check, _of(4_000, 7_000), _of(1_200, 1_800), _of(28, 40)),
    Check("context", "Where does its context end?", needle.check, _of(0), _of(60, 100), _of(6, 12)),
)


def seconds(
    depth: Depth, window: int | None, prefill: float | None = None, decode: float | None = None, thinking: int = 0
) -> float:
    """About how long a probe takes, at these speeds; at those of a small model on two cores where they are unknown.

    `thinking` is the tokens that it thinks before an answer, unasked.
    """
    reading, writing = prefill or PREFILL, decode or DECODE
    read, written = _asked(depth, thinking)
    return read / reading + written / writing + sum(_of_context(depth, window, reading)) / reading


def tokens(depth: Depth, window: int | None, prefill: float | None = None, thinking: int = 0) -> tuple[int, int]:
    """At most about so many tokens are sent, and written. A server of unknown speed may have time for every length."""
    read, written = _asked(depth, thinking)
    texts = _of_context(depth, window, prefill) if prefill else list(needle.lengths(window, depth))
    return read + needle.QUESTIONS * sum(texts), written


def _asked(depth: Depth, thinking: int) -> tuple[int, int]:
    """What all checks read and write, but for the texts in which the needles lie."""
    read = sum(check.reads[depth] for check in CHECKS)
    return read, sum(check.writes[depth] + check.thinking[depth] * thinking for check in CHECKS)


def _of_context(depth: Depth, window: int | None, reading: float) -> list[int]:
    """The texts in which the needles lie, up to what the time for them allows; a cache has each read once."""
    texts: list[int] = []
    for length in needle.lengths(window, depth):
        if (sum(texts) + length) / reading > needle.SECONDS[depth]:
            break
        texts.append(length)
    return texts
