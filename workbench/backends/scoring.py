"""The probabilities of a given text, token by token, and of what may come after it, from llama.cpp's own server.

The server has no request for them. Each token of the text is forced in turn, by a bias that no other overcomes, and the
probability that the server tells is the model's own, from before any bias, grammar or temperature.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from workbench.backends.base import TokenLogprob
from workbench.errors import ServerFault

Post = Callable[[str, dict[str, Any]], Awaitable[Any]]
FORCED = 1e4  # a bias in logits; those of a model stay below a hundred
ANY = "a"  # a token of its own in every vocabulary


async def score(post: Post, prompt: dict[str, Any], answer: str, alternatives: int) -> tuple[TokenLogprob, ...]:
    """The tokens of `answer` as what comes after the prompt (messages and tools of a chat).

    They are those that the model's tokenizer cuts it into. A character that takes several has the probability of the
    last, as it has in an answer that the model writes. Raises what `post` raises, ServerFault.
    """
    read = await _prompt(post, prompt)
    found = []
    for group in characters(await _pieces(post, answer)):
        ids = [piece["id"] for piece in group]
        text = b"".join(map(_bytes, group)).decode("utf-8", "replace")
        told = await _forced(post, [*read, *ids[:-1]], ids[-1], alternatives)
        found.append(_logprob(told).model_copy(update={"token": text}))
        read += ids
    return tuple(found)


async def next_tokens(post: Post, prompt: dict[str, Any], begun: str, count: int) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens after an answer that has `begun` so, with their natural-log probabilities.

    Raises what `post` raises, ServerFault.
    """
    read = await _prompt(post, prompt) + [piece["id"] for piece in await _pieces(post, begun)]
    any_token = (await _pieces(post, ANY))[0]["id"]  # what is drawn does not matter; of half a character none is told
    return _logprob(await _forced(post, read, any_token, count)).top


async def _prompt(post: Post, prompt: dict[str, Any]) -> list[int]:
    filled = (await post("/apply-template", prompt))["prompt"]
    wanted = {"content": filled, "add_special": True, "parse_special": True}
    return list((await post("/tokenize", wanted))["tokens"])


async def _pieces(post: Post, text: str) -> list[dict[str, Any]]:
    wanted = {"content": text, "add_special": False, "parse_special": False, "with_pieces": True}
    return list((await post("/tokenize", wanted))["tokens"]) if text else []


def characters(pieces: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The tokens in groups that are whole characters: a rare one takes several tokens, each some of its bytes."""
    group: list[dict[str, Any]] = []
    for piece in pieces:
        group.append(piece)
        try:
            b"".join(map(_bytes, group)).decode()
        except UnicodeDecodeError:
            continue
        yield group
        group = []
    if group:
        yield group


def _bytes(piece: dict[str, Any]) -> bytes:
    """A token's bytes: the server tells them as a list where they are no text."""
    found = piece["piece"]
    return found.encode() if isinstance(found, str) else bytes(found)


async def _forced(post: Post, read: list[int], token: int, alternatives: int) -> dict[str, Any]:
    """What the server tells of this token when it comes next."""
    wanted = {"prompt": read, "n_predict": 1, "n_probs": max(alternatives, 1), "logit_bias": [[token, FORCED]]}
    answer = await post("/completion", wanted | {"temperature": 0, "cache_prompt": True})
    told = answer.get("completion_probabilities")
    if not told or told[-1]["id"] != token:
        raise ServerFault("The server does not tell the probabilities of a given text.", "Use a newer llama.cpp.")
    return dict(told[-1])


def _logprob(told: dict[str, Any]) -> TokenLogprob:
    top = tuple((other["token"], other["logprob"]) for other in told["top_logprobs"])
    return TokenLogprob(token=told["token"], logprob=told["logprob"], top=top)
