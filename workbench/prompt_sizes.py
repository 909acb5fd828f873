"""How many tokens a prompt has, and how many may be: counted where there is a tokenizer, else learnt from the run."""

import asyncio

from workbench.backends import prompt_size
from workbench.backends.base import Backend, ChatRequest, Message
from workbench.errors import ContextOverflow
from workbench.events import ModelAnswered, ModelCalled, RunView

MOST_OFF = 2.0  # so many times its guess a prompt may really have


class Sizes:
    """The prompts of one run against the context window. Lives on the engine's loop."""

    def __init__(self, backend: Backend, wanted: int | None, known: int | None, before: RunView) -> None:
        """`wanted` is the window that the run asks for, `known` the model's; `before` is the run so far."""
        self._backend, self._wanted, self._known = backend, wanted, known
        self._counting = asyncio.Lock()
        self._counted: tuple[ChatRequest | None, int | None] = None, None
        self._real: int | None = None
        self._off: list[tuple[int, float]] = []  # superstep -> how many times its guess the prompt had
        self._fitted = 0  # tokens of the longest call that went well, prompt and answer
        self._end: int | None = None  # where a prompt did not fit
        self.lessons = 0  # how often a prompt that did not fit told something new
        for call in before.calls:
            if call.answer is not None:
                self._fitted = max(self._fitted, _length(call.answer))
            if before.is_inherited(call):
                continue
            if call.answer is not None:
                self.learn(call.called, call.answer)
            elif call.error is not None and call.error.code == ContextOverflow.code:
                self.overflowed(call.called, call.too_small)

    @property
    def window(self) -> int | None:
        """The window that calls have: the one that is wanted, else that of the last call, else the model's.

        It holds no more than what a prompt has shown that did not fit.
        """
        said = self._wanted or self._real or self._known
        return min(said, self._end) if said and self._end else said or self._end

    async def count(self, request: ChatRequest) -> int | None:
        """The prompt's tokens, counted once for calls that ask the same: they begin in the order of their asking."""
        prompt = request.model_copy(update={"seed": None, "max_tokens": None, "stop": ()})
        async with self._counting:
            if self._counted[0] != prompt or self._counted[1] is None:
                self._counted = prompt, await self._backend.count_tokens(request)
            return self._counted[1]

    async def likely(self, request: ChatRequest, step: int) -> int:
        """The prompt's tokens: counted, else guessed as prompts before `step` were."""
        count = await self.count(request)
        return self.guess(request, step) if count is None else count

    def guess(self, request: ChatRequest, step: int) -> int:
        """About how many tokens the prompt has. A step that is done again guesses the same again."""
        off = [factor for before, factor in self._off if before < step]
        return round(prompt_size.bounds(request)[1] * (off[-1] if off else 1.0))

    def learn(self, called: ModelCalled, answer: ModelAnswered) -> None:
        """What an answer tells of the window and of how far off guesses are; some servers tell too few tokens."""
        self._real = answer.context_window or self._real
        self._fitted = max(self._fitted, _length(answer))
        if not called.prompt_counted and called.prompt_estimate is not None and answer.prompt_tokens:
            self._off.append((called.step, _off(called, answer.prompt_tokens)))

    def overflowed(self, called: ModelCalled, window: int | None) -> None:
        """What a prompt that did not fit tells: the window, else that it holds no more than what did fit.

        A prompt that was guessed to fit has more tokens than its guess, also when the same step makes it again.
        """
        end = window or self._fitted
        if not end:
            return
        if self.window is None or end < self.window:
            self._end, self.lessons = end, self.lessons + 1
        if not called.prompt_counted and (called.prompt_estimate or 0) < end:
            self._off.append((called.step - 1, _off(called, end)))
            self.lessons += 1


def _off(called: ModelCalled, tokens: int) -> float:
    """How many times its guess a prompt had that has so many tokens."""
    sent = tuple(Message.model_validate(message) for message in called.messages)
    guessed = prompt_size.bounds(ChatRequest.model_validate({**called.parameters, "messages": sent}))[1]
    return min(max(tokens / guessed, 1.0), MOST_OFF)


def _length(answer: ModelAnswered) -> int:
    return (answer.prompt_tokens or 0) + (answer.completion_tokens or 0)
