"""How fast a model reads and writes, and how long its first word takes: cold, and warm."""

from collections.abc import Sequence
from statistics import median
from typing import Protocol, runtime_checkable
from uuid import uuid4

from workbench.errors import WorkbenchError
from workbench.probe.asking import Asker, Heard
from workbench.probe.report import Depth, Speed

TIMES: dict[Depth, int] = {"quick": 1, "full": 3}
NOT_UNLOADED = "This backend has no way to unload a model."
BUSY = "Other runs were going on: the model was not unloaded under them."
_TEXT = " ".join(
    f"On day {number} the ship sailed {7 * number} miles, and the crew mended {number + 2} sails."
    for number in range(1, 25)
)
_QUESTION = "Count from 1 to 60 in digits, separated by spaces, and write nothing else."
TOKENS = 128


@runtime_checkable
class Unloads(Protocol):
    """A backend that can let a model go from memory."""

    async def unload(self, name: str) -> None:
        """Have it loaded no more."""


async def check(asker: Asker) -> Speed:
    """Cold, then the same prompt again, then others: a cache that knows a prompt would make its reading too fast."""
    alone, why_not_cold = not asker.is_busy(), await _unloaded(asker)
    prompt = _prompt()
    first = await _timed(asker, prompt, "Not cold" if why_not_cold else "Cold, loaded for this")
    again = await _timed(asker, prompt, "Warm, the same prompt again")
    fresh = [await _timed(asker, _prompt(), "Another prompt") for _ in range(TIMES[asker.depth])]
    told = all(heard.answer.prefill_seconds is not None for heard in fresh)
    speed = Speed(
        prefill=_middle([_prefill(heard, told) for heard in fresh]),
        decode=_middle([_decode(heard, told) for heard in (again, *fresh)]),
        told=told,
        cold=None if why_not_cold else first.evidence.first_token_seconds,
        warm=again.evidence.first_token_seconds,
        load=None if why_not_cold else first.answer.load_seconds,
        why_not_cold=why_not_cold,
        alone=alone and not asker.is_busy(),
    )
    asker.speed = speed
    return speed


async def _timed(asker: Asker, prompt: str, what: str) -> Heard:
    heard = await asker.ask(prompt, max_tokens=TOKENS)
    first = heard.evidence.first_token_seconds
    asker.conclude(f"{what}: first word after {first:.2f} s." if first is not None else f"{what}: no word came.")
    return heard


async def _unloaded(asker: Asker) -> str:
    """Empty once the model is unloaded; else why it is not."""
    if not isinstance(asker.backend, Unloads):
        return NOT_UNLOADED
    if asker.is_busy():
        return BUSY
    try:
        await asker.backend.unload(asker.model.name)
    except WorkbenchError as error:
        return error.message
    return ""


def _prompt() -> str:
    """A text that no cache knows, since it begins like no other."""
    return f"Log {uuid4().hex[:8]}. {_TEXT}\n\n{_QUESTION}"


def _prefill(heard: Heard, told: bool) -> float | None:
    """Tokens per second of reading, without those from the cache: by the backend's clock, or up to the first word."""
    answer = heard.answer
    seconds = answer.prefill_seconds if told else heard.evidence.first_token_seconds
    tokens = (answer.prompt_tokens or 0) - (answer.cached_tokens or 0)
    return tokens / seconds if seconds and tokens > 0 else None


def _decode(heard: Heard, told: bool) -> float | None:
    """Tokens per second of writing, by the backend's clock or from the first piece to the last."""
    tokens = heard.answer.completion_tokens or 0
    if told and heard.answer.decode_seconds:
        return tokens / heard.answer.decode_seconds
    spread = heard.arrivals[-1] - heard.arrivals[0] if len(heard.arrivals) > 1 else 0.0
    return (tokens - 1) / spread if spread and tokens > 1 else None


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 2) if known else None
