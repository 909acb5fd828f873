"""Whether a model thinks before it answers: in a channel of its own, or between tags in its text."""

from workbench.backends import thinking
from workbench.errors import RequestRefused
from workbench.probe.asking import THINKING_TOKENS, Asker, Heard
from workbench.probe.report import How, Thinks

QUESTION = "How many days are there in three weeks? Answer with the number."
TOKENS = 200  # enough to see that it thinks


async def check(asker: Asker) -> Thinks:
    """As it answers unasked; where it does not think then, once more when it is asked to."""
    heard = await asker.ask(QUESTION, max_tokens=TOKENS)
    how = _how(asker, heard)
    if how != "none":
        asker.thinks_unasked, asker.thinking_tokens = True, _tokens(heard)
        return Thinks(how=how, unasked=True, tokens=asker.thinking_tokens)
    try:
        heard = await asker.ask(QUESTION, max_tokens=TOKENS, think=True)
    except RequestRefused:
        asker.conclude("The server refuses to let it think.")
        return Thinks(how="none", refused=True)
    return Thinks(how=_how(asker, heard))


def _tokens(heard: Heard) -> int:
    """What its thinking costs, roughly: one that did not come to its end here may take all the room that it gets."""
    written = heard.answer.completion_tokens or 0
    return THINKING_TOKENS if heard.answer.finish_reason == "length" or written >= TOKENS else written


def _how(asker: Asker, heard: Heard) -> How:
    if heard.answer.thinking.strip():
        asker.conclude("It thought in a channel of its own.")
        return "channel"
    if thinking.split(heard.answer.text)[0]:
        asker.conclude("It thought between tags in its text.")
        return "tags"
    asker.conclude("It answered without thinking.")
    return "none"
