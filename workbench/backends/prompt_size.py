"""How long a prompt is against the window: refused or warned about before the call, and checked again after it."""

import json
import re

from workbench.backends.base import AnswerPart, ChatRequest, NoticePart
from workbench.errors import ContextOverflow

NEAR = 0.9  # share of the window from which the person is warned
_TEMPLATE = 4  # tokens around each message
_LONG_RUN = re.compile(r"(.)\1{7,}", re.DOTALL)
_WORD = re.compile(r"\S+")
_FOREIGN = re.compile(r"[\u0080-\u2e7f]")
_WIDE = re.compile(r"[\u2e80-\U0010ffff]")
TOLERANCE = 0.5  # of a likely size: a prompt that was read to less than this share was cut
_SMALL = 1_000  # tokens up to which a guess is too coarse to judge by


def bounds(request: ChatRequest) -> tuple[int, int]:
    """Tokens of the prompt without its tokenizer: so many at least, and so many more or less.

    Common tokenizers never join two words in one token. About 4 characters of English or code are one, 3 of
    other alphabets, 1.5 of Chinese and its like; runs of one character come first: they have tokens of their own.
    """
    texts = [message.content for message in request.messages] + [
        json.dumps(tool.model_dump(), ensure_ascii=False) for tool in request.tools
    ]
    least = likely = 0
    for text in (_LONG_RUN.sub(lambda run: run[1] * 8, text) for text in texts):
        foreign, wide = len(_FOREIGN.findall(text)), len(_WIDE.findall(text))
        least += sum(max(1, len(word) // 16) for word in _WORD.findall(text)) + wide // 8
        likely += round((len(text) - foreign - wide) / 4 + foreign / 3 + wide / 1.5) + _TEMPLATE
    return least, max(least, likely)


def check(request: ChatRequest, count: int | None, window: int | None) -> NoticePart | None:
    """What the person should know before the call; `count` is the exact number of tokens where there is one.

    Raises ContextOverflow when the prompt is surely too long: by its count, or by the least that it can have.
    """
    if not window:
        return None
    least, likely = bounds(request) if count is None else (count, count)
    if least >= window:
        word = "at least " if count is None else ""
        raise ContextOverflow(
            f"The prompt has {word}{least:,} tokens, and the context window holds {window:,}.",
            prompt_tokens=least,
            context_window=window,
        )
    if likely < NEAR * window:
        return None
    size = f"about {likely:,}" if count is None else f"{likely:,}"
    left = f"{window - likely:,} are left for the answer" if likely < window else "it may be too long"
    return NoticePart(
        code="prompt_near_window",
        message=f"The prompt has {size} tokens, and the context window holds {window:,}: {left}.",
        hint=ContextOverflow.default_hint,
    )


def check_read(request: ChatRequest, count: int | None, answer: AnswerPart) -> NoticePart | None:
    """What the person should know when the backend read less of the prompt than there was: it cut it silently."""
    read, window = answer.prompt_tokens, answer.context_window or request.context_window
    if not read:
        return None  # not told; some proxies say 0
    least, likely = bounds(request) if count is None else (count, count)
    seen = read + (answer.cached_tokens or 0)  # some servers count the cached part apart
    guessed = count is None and likely > _SMALL and seen < TOLERANCE * likely
    if not guessed and seen >= NEAR * least and not (window and read >= window):
        return None
    whole = f"about {likely:,}" if likely > read else "more than that"
    return NoticePart(
        code="prompt_truncated",
        message=f"Only {read:,} tokens of the prompt were read, and it has {whole}: the backend cut it,"
        " and this answer was given without the rest.",
        hint=ContextOverflow.default_hint,
    )
