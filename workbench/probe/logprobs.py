"""Whether log-probabilities are given, and whether they can be: none above 0, one for each token."""

from math import isfinite

from workbench.backends.base import AnswerPart
from workbench.errors import RequestRefused
from workbench.probe.asking import Asker
from workbench.probe.report import Logprobs

QUESTION = "Name the four seasons of the year, separated by commas."
ROUNDING = 1e-4  # above 0 that is no more than arithmetic
ENDS = 2  # tokens at the end of an answer that are counted and have no text, or the other way round


async def check(asker: Asker) -> Logprobs:
    """They are asked for whatever the backend says of the model."""
    try:
        heard = await asker.ask(QUESTION, max_tokens=64, top_logprobs=1)
    except RequestRefused:
        asker.conclude("The server refuses to give log-probabilities.")
        return Logprobs(given=False, refused=True)
    if not heard.answer.logprobs:
        asker.conclude("No log-probabilities came.")
        return Logprobs(given=False)
    wrong = _wrong(heard.answer)
    count = len(heard.answer.logprobs)
    asker.conclude(
        wrong or f"{count} log-probabilities for {heard.answer.completion_tokens or count} tokens, all sane."
    )
    return Logprobs(given=True, sane=not wrong, wrong=wrong)


def _wrong(answer: AnswerPart) -> str:
    """What is wrong with them in a sentence; empty when they are sane."""
    found, tokens = answer.logprobs or (), answer.completion_tokens
    if any(not isfinite(token.logprob) or token.logprob > ROUNDING for token in found):
        return "Some are above 0 or no number, which no logarithm of a probability is."
    if len(found) > 1 and len({token.logprob for token in found}) == 1:
        return "All of them are the same number, which no model's are."
    if tokens and not answer.thinking and abs(len(found) - tokens) > ENDS:
        return f"{len(found)} came for {tokens} tokens."
    return ""
