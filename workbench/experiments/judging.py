"""Asks a model of the engine's to judge: in the engine's slots, on its loop, and with its tokens counted apart."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import aclosing

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from agents.contract import Answer
from workbench import structured
from workbench.backends.base import AnswerPart, Backend, ChatRequest, ModelInfo
from workbench.backends.watch import watched
from workbench.bench import to_message
from workbench.engine import Engine
from workbench.errors import BackendError, InvalidRequest, StreamBroken
from workbench.events import Totals
from workbench.experiments.scorers.base import AskModel, Reply
from workbench.request import ModelSettings
from workbench.retry import wait_before_retry

# A judge does not need to vary: the same answer gets the same grade where the backend can.
SETTINGS = ModelSettings(temperature=0.0, seed=0, max_tokens=512, logprobs=False)


class Asking:
    """A model that is asked to judge. `spent` is what all that was asked has cost, failures included."""

    def __init__(self, engine: Engine, backend: str, model: str, settings: ModelSettings, session: str) -> None:
        self._engine, self._name, self._model = engine, backend, model
        self._settings, self._session = settings, session
        self._info: ModelInfo | None = None
        self.spent = Totals()

    async def __call__(self, messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Reply:
        """An instance of the schema, from any event loop; cancelled, the model stops. Raises AskModel's errors."""
        work = self._engine.on_loop_soon(self._reply(messages, schema))
        return await asyncio.wrap_future(work)

    async def _reply(self, messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Reply:
        backend = self._engine.backend(self._name)
        with self._engine.holding(backend):
            return await self._asked(backend, messages, schema)

    async def _asked(self, backend: Backend, messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Reply:
        self._info = self._info or await backend.model(self._model)
        costs: list[Totals] = []

        async def once(turns: Sequence[BaseMessage], tokens: int) -> Answer:
            return await self._persist(backend, self._request(turns, tokens, schema), costs)

        try:
            answer = await structured.ask(once, _no_remark, messages, schema, self._settings.max_tokens)
        finally:
            self.spent = added([self.spent, *costs])
        return Reply(parsed=answer.parsed, totals=added(costs))

    def _request(self, messages: Sequence[BaseMessage], tokens: int, schema: type[BaseModel]) -> ChatRequest:
        settings = self._settings
        return ChatRequest(
            model=self._model,
            messages=tuple(to_message(message) for message in messages),
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=settings.seed,
            max_tokens=tokens,
            json_schema=schema.model_json_schema(),
            context_window=settings.context_window,
            think=settings.think,
            prompt_cache=settings.prompt_cache,
        )

    async def _persist(self, backend: Backend, request: ChatRequest, costs: list[Totals]) -> Answer:
        """One call, tried again where the failure passes by itself."""
        for attempt in itertools.count(1):
            try:
                part = await self._call(backend, request)
            except BackendError as error:
                wait = wait_before_retry(error, attempt)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                costs.append(_costs(part))
                return _answer(part)
        raise AssertionError("unreachable")

    async def _call(self, backend: Backend, request: ChatRequest) -> AnswerPart:
        """The last part of a streamed answer, in a slot of the backend's."""
        window = request.context_window or (self._info.context_window if self._info else None)
        count = await backend.count_tokens(request)
        async with (
            self._engine.slots(self._name).take(lambda place: None, self._session),
            aclosing(watched(backend.chat(request), request, count, window)) as stream,
        ):
            async for part in stream:
                if isinstance(part, AnswerPart):
                    return part
        raise StreamBroken("The judge's answer ended without its final part.", "Score it again.")


def ask_through(
    engine: Engine, backend: str, model: str, settings: ModelSettings = SETTINGS, session: str = "judge"
) -> AskModel:
    """A model of one of the engine's backends as a judge asks it; an empty name is the backend's default model.

    It waits for the backend's slots as runs do, as one `session` among theirs. Raises InvalidRequest.
    """
    name = model or engine.backend(backend).default_model
    if not name:
        raise InvalidRequest("No model is chosen as the judge.", f"Choose one of {backend}'s on the Models page.")
    return Asking(engine, backend, name, settings, session)


def added(costs: Sequence[Totals]) -> Totals:
    """Several costs together."""
    return sum(costs, Totals())


def _costs(part: AnswerPart) -> Totals:
    seconds = sum(filter(None, (part.load_seconds, part.prefill_seconds, part.decode_seconds)))
    return Totals(
        calls=1,
        prompt_tokens=part.prompt_tokens or 0,
        completion_tokens=part.completion_tokens or 0,
        cached_tokens=part.cached_tokens or 0,
        seconds=round(seconds, 4),
        load_seconds=part.load_seconds,
        prefill_seconds=part.prefill_seconds,
        decode_seconds=part.decode_seconds,
    )


def _answer(part: AnswerPart) -> Answer:
    return Answer(
        call_id="",
        text=part.text,
        thinking=part.thinking,
        finish_reason=part.finish_reason,
        prompt_tokens=part.prompt_tokens,
        completion_tokens=part.completion_tokens,
    )


def _no_remark(answer: Answer, wrong: str, attempt: int, told: str) -> None:
    """What was wrong is told to the judge alone."""
