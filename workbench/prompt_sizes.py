"""How many tokens a prompt has, and how many may be: counted where there is a tokenizer, else learnt from the run."""

import asyncio

from workbench.backends import prompt_size
from workbench.backends.base import Backend, ChatRequest, Message
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
        for call in before.calls:
            if call.answer is not None and not before.is_inherited(call):
                self.learn(call.called, call.answer)

    @property
    def window(self) -> int | None:
        """The window that calls have: the one that is wanted, else that of the last call, else the model's."""
        return self._wanted or self._real or self._known

    async def count(self, request: ChatRequest) -> int | None:
        """The prompt's tokens, counted once for calls that ask the same: they begin in the order of their asking."""
        prompt = request.model_copy(update={"seed": None, "max_tokens": None})
        async with self._counting:
            if self._counted[0] != prompt or self._counted[1] is None:
                self._counted = prompt, await self._backend.count_tokens(request)
            return self._counted[1]

    async def likely(self, request: ChatRequest, step: int) -> tuple[int, bool]:
        """The prompt's tokens, and whether they were counted; else they are guessed as prompts before `step` were."""
        count = await self.count(request)
        return (self.guess(request, step), False) if count is None else (count, True)

    def guess(self, request: ChatRequest, step: int) -> int:
        """About how many tokens the prompt has. A step that is done again guesses the same again."""
        off = [factor for before, factor in self._off if before < step]
        return round(prompt_size.bounds(request)[1] * (off[-1] if off else 1.0))

    def learn(self, called: ModelCalled, answer: ModelAnswered) -> None:
        """What an answer tells of the window and of how far off guesses are; some servers tell too few tokens."""
        self._real = answer.context_window or self._real
        if called.prompt_counted or called.prompt_estimate is None or not answer.prompt_tokens:
            return
        sent = tuple(Message.model_validate(message) for message in called.messages)
        guessed = prompt_size.bounds(ChatRequest.model_validate({**called.parameters, "messages": sent}))[1]
        self._off.append((called.step, min(max(answer.prompt_tokens / guessed, 1.0), MOST_OFF)))
