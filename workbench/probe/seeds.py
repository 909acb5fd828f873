"""Whether the same seed gives the same text again, where another seed gives another text."""

from workbench.probe.asking import Asker
from workbench.probe.report import Seed

QUESTION = "Write one sentence about the sea, as a poet would."
TEMPERATURE = 0.8
TIMES = 3
OTHERS = (8, 9)


async def check(asker: Asker) -> Seed:
    """Three times one seed, then others: if these give the same text too, nothing is told by it."""
    first, *again = [await _text(asker, 7) for _ in range(TIMES)]
    others = []
    for seed in OTHERS:
        others.append(await _text(asker, seed))
        if others[-1] != first:
            break
    same = 1 + sum(text == first for text in again)
    if same < TIMES:
        asker.conclude(f"Seed 7 gave the same text {same} of {TIMES} times.")
        return Seed(keeps=False, same=same, of=TIMES)
    differs = any(text != first for text in others)
    asker.conclude("Another seed gives another text." if differs else "Every seed gives the same text.")
    return Seed(keeps=True if differs else None, same=same, of=TIMES)


async def _text(asker: Asker, seed: int) -> str:
    heard = await asker.ask(QUESTION, temperature=TEMPERATURE, seed=seed, max_tokens=48, prompt_cache=False)
    asker.conclude(f"The text of seed {seed}.")
    return heard.answer.thinking + heard.answer.text
