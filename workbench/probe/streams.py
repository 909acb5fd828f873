"""Whether an answer comes while it is written, or all at once when it is done."""

from workbench.probe.asking import Asker
from workbench.probe.report import Streams

QUESTION = "Count from 1 to 40, separated by spaces. Write the numbers only."
SPREAD = 0.15  # of the whole time that the pieces' arrival must take: those of a text that is kept back come together


async def check(asker: Asker) -> Streams:
    """More than one piece, and apart in time."""
    heard = await asker.ask(QUESTION, max_tokens=120)
    parts, seconds = len(heard.arrivals), heard.evidence.seconds
    spread = heard.arrivals[-1] - heard.arrivals[0] if parts > 1 else 0.0
    streams = parts > 1 and spread >= SPREAD * seconds
    asker.conclude(f"{parts} pieces over {spread:.2f} of {seconds:.2f} s: {'streams' if streams else 'sent at once'}.")
    return Streams(streams=streams, parts=parts, spread=round(spread, 4), seconds=seconds)
