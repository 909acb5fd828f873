"""The Bench that a machine's nodes get: asks models, calls tools, fills prompts, and puts it all on the run's log."""

import asyncio
import itertools
import json
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.config import get_config
from pydantic import BaseModel, ValidationError

from agents.contract import (
    Answer,
    Bench,
    Call,
    Choose,
    Memory,
    Observation,
    Options,
    Result,
    Retrieved,
    Room,
    Token,
)
from workbench import context, latex, structured
from workbench.backends import base as backends
from workbench.backends.base import (
    AnswerPart,
    Backend,
    ChatRequest,
    LoadingPart,
    Message,
    ModelInfo,
    NoticePart,
    ReadingPart,
    TextPart,
    ToolSpec,
)
from workbench.backends.watch import watched
from workbench.embedder import Embedder
from workbench.energy import NOTHING, Meter
from workbench.errors import (
    BackendError,
    ContentRefused,
    ContextOverflow,
    EmptyAnswer,
    InvalidRequest,
    PromptError,
    ReplyTooLong,
    StreamBroken,
    ToolError,
    WorkbenchError,
)
from workbench.events import (
    CallFailed,
    CallView,
    Card,
    Decision,
    ErrorInfo,
    Event,
    Loading,
    LowToken,
    ModelAnswered,
    ModelCalled,
    NoteView,
    Queued,
    Reading,
    Retried,
    RunView,
    Summarised,
    TokenLogprob,
    ToolAnswered,
    ToolCall,
    ToolCalled,
    ToolView,
    Warned,
    all_told,
)
from workbench.history import with_history
from workbench.journal import Journal
from workbench.log import RunLog
from workbench.prompt_sizes import Sizes
from workbench.prompts import Prompt
from workbench.remembered import Shared, Stream
from workbench.request import RunRequest
from workbench.retry import wait_before_retry
from workbench.slots import Slots
from workbench.steering import PauseRequested, Steering, remark, steered
from workbench.tools import registry
from workbench.tools.base import Tool

LOWEST = 5  # least sure tokens kept per answer
SEEDS = 2**31  # backends take a seed of 31 bits
MOST_SUMMARIES_FAILED = 2  # one after another; then no more are paid for
WITHOUT_SUMMARY = "The run goes on without it. Raise the context window if it comes to its end."
NO_MORE_SUMMARIES = "The run goes on without, and tries no more. Raise the context window if it comes to its end."
SUMMARY_FAILED = "summary_failed"
WINDOW_SMALLER = "The prompt did not fit, though nothing had said so: earlier turns are summed up, and it goes again."
NO_SUMMARY = (EmptyAnswer, ContentRefused, ReplyTooLong, ContextOverflow)  # the run goes on without one
APART = 397 * 2_520 + 1  # between the seeds of two samples; a script that goes by seeds still gives one after another
LOGPROB_DIGITS = 4
LARGEST_EXPONENT = 700.0  # some servers send -9999 for a token; exp would overflow


class LimitReached(Exception):
    """The run may go no further; the text says why. No error: what it has so far is kept."""


class RunBench(Bench):
    """One run's Bench. Lives on the engine's loop."""

    def __init__(
        self,
        request: RunRequest,
        options: Options,
        backend: Backend,
        slots: Slots,
        log: RunLog,
        prompts: Mapping[str, Prompt],
        tools: Mapping[str, Tool],
        model: ModelInfo,
        journal: Journal,
        session: str = "",
        energy: Meter = NOTHING,
        memories: Shared | None = None,
    ) -> None:
        self._options = options
        before = RunView.of(log.events)
        self.totals = before.totals
        self._journal = journal
        self._request, self._settings = request, request.settings
        self._backend, self._slots, self._log = backend, slots, log
        self._prompts, self._tools = prompts, tools
        self._sizes = Sizes(backend, request.settings.context_window, model.context_window, before)
        self._growth = context.Growth(before.calls)
        self._summaries_failed = _summaries_failed(before)
        self._can_be_silent = "thinking" in model.capabilities
        self._thinks = any(call.answer.thinking for call in before.calls if call.answer is not None)
        self._joules = [call.answer.joules for call in before.paid_calls if call.answer is not None]
        wanted = request.settings.logprobs and "logprobs" in model.capabilities
        self._logprobs = max(1, request.settings.alternatives) if wanted else 0
        self._session, self._energy = session, energy
        self._steering = Steering(request, tools, journal)
        self._embedder = Embedder(backend, self._notice)
        registry.lend(tools.values(), self._embedder)
        self._remembered = Stream(log, journal, self._embedder.model, self.embed, self.card, memories)
        self._ids = itertools.count(1 + _last_id(before))
        self._promised = 0  # tokens that calls under way may write
        self._returned = asyncio.Event()
        self._in_flight, self._quiet = 0, asyncio.Event()
        self._quiet.set()

    @property
    def options(self) -> Any:
        """The machine's own Options."""
        return self._options

    async def ask(
        self,
        role: str,
        messages: Sequence[BaseMessage],
        *,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
        stop: Sequence[str] = (),
        max_tokens: int | None = None,
        sample: int = 0,
    ) -> Answer:
        """Stream a model's answer and return it; see `agents.contract.Bench.ask`."""
        limit = max_tokens or self._settings.max_tokens
        specs = tuple(registry.spec(self._tools[name]) for name in tools)
        json_schema = schema.model_json_schema() if schema else None
        async with self._letting_calls_end():
            messages, given = self._steered(role, messages, schema, json_schema)
        if given is not None:
            return given

        async def once(turns: Sequence[BaseMessage], tokens: int) -> Answer:
            @cache
            def version(left_out: int) -> ChatRequest:
                told = with_history(turns, self._request.history[left_out:])
                return self._chat_request(told, tokens, tuple(stop), json_schema, specs, self._seed(sample))

            return await self._persist(role, version, len(self._request.history))

        if schema is None:
            return await once(messages, limit)
        return await structured.ask(once, self._say_retry, messages, schema, limit)

    async def room(
        self,
        messages: Sequence[BaseMessage],
        *,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
        max_tokens: int | None = None,
    ) -> Room | None:
        """How long a prompt is and may be; see `agents.contract.Bench.room`."""
        window = self._sizes.window
        if window is None:
            return None
        limit = max_tokens or self._settings.max_tokens
        specs = tuple(registry.spec(self._tools[name]) for name in tools)
        json_schema = schema.model_json_schema() if schema else None
        request = self._chat_request(messages, limit, (), json_schema, specs, None)
        size = await self._sizes.likely(request, _where()[1])
        return Room(size, window - min(limit, window // context.SHARE_OF_AN_ANSWER))

    async def summarise(
        self,
        asked: str,
        *,
        left_out: Sequence[BaseMessage],
        before: int,
        shortened: Callable[[str], Sequence[BaseMessage]],
        max_tokens: int,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
    ) -> str:
        """A model's summary of earlier turns; see `agents.contract.Bench.summarise`."""
        if self._summaries_failed >= MOST_SUMMARIES_FAILED:
            return ""
        answer = await self._ask_for_summary(asked, max_tokens)
        if answer is None:
            return ""
        text, (node, step) = _whole_lines(answer), _where()
        room = await self.room(shortened(text), schema=schema, tools=tools)
        if room is None or room.size >= before:
            sizes = f": {room.size:,} tokens instead of {before:,}" if room else ""
            self._say_no_summary(f"The summary makes the prompt no shorter{sizes}.")
            return ""
        said = {"text": text, "tokens_before": before, "tokens_after": room.size}
        kept = wire(to_message(message) for message in left_out)
        self._say(Summarised, node=node, step=step, call_id=answer.call_id, left_out=kept, **said)
        self._growth.shorten()
        self._summaries_failed = 0
        return text

    async def _ask_for_summary(self, asked: str, max_tokens: int) -> Answer | None:
        """The summariser's answer; None, and the person is told, when it gave none that can be used."""
        messages: Sequence[BaseMessage] = [HumanMessage(asked)]
        async with self._letting_calls_end():
            messages, given = self._steered(context.SUMMARISER, messages, None, None)
        if given is not None:
            return given
        request = await self._summary_request(messages, max_tokens)
        try:
            answer = await self._persist(context.SUMMARISER, lambda _: request, 0)
        except NO_SUMMARY as error:
            self._thinks = self._thinks or isinstance(error, EmptyAnswer)  # the next one has room for it
            self._say_no_summary(f"Earlier turns could not be summed up: {error.message}")
            return None
        if answer.finish_reason != "loop":
            return answer
        self._say_no_summary("The summary went round in circles.")
        return None

    async def _summary_request(self, messages: Sequence[BaseMessage], max_tokens: int) -> ChatRequest:
        """The call that asks for a summary, without thinking where that can be had, else with room for it."""
        request = self._chat_request(messages, max_tokens, (), None, (), self._seed(0))
        if self._can_be_silent:
            request = request.model_copy(update={"think": False})
        window = self._sizes.window
        if not self._thinks or window is None:
            return request
        size = await self._sizes.likely(request, _where()[1])
        most = max(max_tokens, min(window - size, self._settings.max_tokens))
        return request.model_copy(update={"max_tokens": most})

    def _say_no_summary(self, why: str) -> None:
        """Say it, unless the step was cut off after it had been said; failures one after another are counted."""
        if self._journal.has(Warned, {"code": SUMMARY_FAILED, "message": why}):
            return
        self._summaries_failed += 1
        is_last = self._summaries_failed >= MOST_SUMMARIES_FAILED
        hint = NO_MORE_SUMMARIES if is_last else WITHOUT_SUMMARY
        self._log.emit(Warned, code=SUMMARY_FAILED, message=why, hint=hint)
        self._say_filling()

    async def unless_too_long(self, asking: Awaitable[Result]) -> Result | None:
        """What asking a model returns; see `agents.contract.Bench.unless_too_long`."""
        known = self._sizes.lessons
        try:
            return await asking
        except ContextOverflow:
            if self._sizes.lessons == known:
                raise
            self.warn("window_smaller", WINDOW_SMALLER, "Set the context window under Model settings.")
            return None

    async def call(self, tool: str, arguments: dict[str, Any] | str) -> Observation:
        """Run a tool; see `agents.contract.Bench.call`."""
        shown = {"input": arguments} if isinstance(arguments, str) else arguments
        if isinstance(arguments, str) and tool in self._tools:
            shown = registry.arguments_from_text(self._tools[tool], arguments)
        async with self._letting_calls_end():
            wanted, given = self._steering.before_tool(_where(), tool, shown)
        if known := self._journal.observation(_where(), tool, wanted):
            seen = Observation(text=known.result, error=known.error)
        else:
            seen = await self._call_tool(tool, wanted, given)
        return seen if wanted == shown else seen.model_copy(update={"text": remark(wanted) + seen.text})

    async def embed(self, texts: Sequence[str]) -> list[list[float]] | None:
        """A vector for each text; see `agents.contract.Bench.embed`."""
        with self._under_way():
            return await self._embedder.embed(texts)

    async def memories(self) -> list[Memory]:
        """The run's stream; see `agents.contract.Bench.memories`."""
        return await self._remembered.memories(_where())

    async def remember(self, title: str, memories: Sequence[Memory], *, answer: Answer | None = None) -> list[Memory]:
        """Store memories; see `agents.contract.Bench.remember`."""
        return await self._remembered.remember(_where(), title, memories, answer)

    async def recall(self, title: str, about: str, choose: Choose) -> list[Retrieved]:
        """What is chosen of the memories; see `agents.contract.Bench.recall`."""
        return await self._remembered.recall(_where(), title, about, choose)

    def prompt(self, role: str, **variables: object) -> str:
        """The run's own version of a role's prompt, filled. Raises PromptError."""
        return self._prompt(role).fill(variables)

    def examples(self, role: str, having: Sequence[str] = ()) -> list[AnyMessage]:
        """A role's worked examples as earlier turns."""
        shown = [example for example in self._prompt(role).examples if set(example.needs) <= set(having)]
        return [
            HumanMessage(turn.content) if turn.role == "user" else AIMessage(turn.content)
            for example in shown
            for turn in example.turns
        ]

    def describe_tools(self, names: Sequence[str]) -> str:
        """The tools as text for a prompt."""
        return registry.describe([self._tools[name] for name in names])

    def card(self, title: str, content: str, *, answer: Answer | None = None, **data: Any) -> None:
        """Put a step card on the log."""
        node, step = _where()
        call_id, confidence = (answer.call_id, answer.confidence) if answer else (None, None)
        self._say(
            Card, node=node, step=step, title=title, content=content, call_id=call_id, data=data, confidence=confidence
        )

    def decide(self, edge: str, reason: str) -> None:
        """Say why a router goes to `edge`."""
        self._say(Decision, node=_where()[0], edge=edge, reason=reason)

    def warn(self, code: str, message: str, hint: str = "") -> None:
        """Tell the person something."""
        self._say(Warned, code=code, message=message, hint=hint)

    def _say(self, kind: type[Event], **fields: Any) -> None:
        """Put it on the log, unless the step was cut off after it had said so."""
        if not self._journal.has(kind, fields):
            self._log.emit(kind, **fields)

    def _chat_request(
        self,
        messages: Sequence[BaseMessage],
        max_tokens: int,
        stop: tuple[str, ...],
        json_schema: dict[str, Any] | None,
        tools: tuple[ToolSpec, ...],
        seed: int | None,
    ) -> ChatRequest:
        constrained = self._settings.constrain is not False
        if json_schema is not None and not constrained:
            messages = structured.told(messages, json_schema)
        return ChatRequest(
            model=self._request.model,
            messages=tuple(to_message(message) for message in messages),
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
            seed=seed,
            max_tokens=max_tokens,
            stop=stop,
            json_schema=json_schema,
            tools=tools,
            top_logprobs=self._logprobs,
            context_window=self._settings.context_window,
            think=self._settings.think,
            prompt_cache=self._settings.prompt_cache,
            constrained=constrained or json_schema is None,
        )

    def _seed(self, sample: int) -> int | None:
        """The seed of one of several calls that ask the same; those of neighbouring seeds do not overlap."""
        return None if self._settings.seed is None else (self._settings.seed + sample * APART) % SEEDS

    def _steered(
        self,
        role: str,
        messages: Sequence[BaseMessage],
        schema: type[BaseModel] | None,
        json_schema: dict[str, Any] | None,
    ) -> tuple[Sequence[BaseMessage], Answer | None]:
        """What the person makes of a call that waits for them: other messages, or an answer of their own."""
        if not self._steering.is_chosen(_where()):
            return messages, None

        def read(text: str) -> tuple[BaseModel | None, str]:
            return structured.read(Answer(call_id="", text=text), schema) if schema else (None, "")

        sent = wire(to_message(message) for message in messages)
        reply = self._steering.before_call(_where(), role, sent, json_schema, lambda text: read(text)[1])
        if reply.verb != "answer":
            return steered(messages, reply), None
        given = self._given(role, sent, reply.text, schema is not None)
        return messages, given.model_copy(update={"parsed": read(reply.text)[0]})

    def _given(self, role: str, sent: tuple[dict[str, Any], ...], text: str, structured_call: bool) -> Answer:
        """The person's answer, on the log as if a model had given it."""
        answered = self._journal.answer(_where(), sent)
        if answered is None:
            (node, step), call_id = _where(), f"c{next(self._ids)}"
            place = {"call_id": call_id, "node": node, "step": step, "role": role}
            self._log.emit(ModelCalled, messages=sent, parameters={}, by_person=True, **place)
            parsed = _parsed(text) if structured_call else None
            answered = self._log.emit(ModelAnswered, call_id=call_id, text=text, parsed=parsed)
        return to_answer(answered).model_copy(update={"by_person": True})

    async def _call_tool(self, tool: str, arguments: dict[str, Any], given: Observation | None) -> Observation:
        """Call the tool, or take what the person has `given` in its place, and put it on the log."""
        if given is None:
            self._check_tool_calls()
            self.totals = self.totals.model_copy(update={"tool_calls": self.totals.tool_calls + 1})
        (node, step), tool_id, began = _where(), f"t{next(self._ids)}", time.perf_counter()
        place = {"tool_id": tool_id, "node": node, "step": step, "name": tool}
        self._log.emit(ToolCalled, arguments=arguments, by_person=given is not None, **place)
        has_effects = tool in self._tools and self._tools[tool].side_effects
        if has_effects:
            self._log.save()  # what it does cannot be undone: that it was called is on the disk first
        with self._under_way():
            seen = given or await self._observe(tool, arguments)
        seconds = round(time.perf_counter() - began, 4)
        self._log.emit(ToolAnswered, tool_id=tool_id, result=seen.text, error=seen.error, seconds=seconds)
        if has_effects:
            self._log.save()
        return seen

    def _prompt(self, role: str) -> Prompt:
        if role not in self._prompts:
            raise PromptError(f"There is no prompt for the role {role}.")
        return self._prompts[role]

    async def _observe(self, name: str, arguments: dict[str, Any]) -> Observation:
        """A tool's result or the sentence that says what was wrong with the call."""
        tool = self._tools.get(name)
        if tool is None:
            offered = ", ".join(self._tools) or "none"
            return Observation(text=f"There is no tool named {name!r}. The tools are: {offered}.", error=True)
        try:
            return Observation(text=await tool.run(tool.arguments.model_validate(arguments)))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
            return Observation(text=f"Wrong arguments for {name}: {wrong}.", error=True)
        except ToolError as error:
            return Observation(text=str(error), error=True)

    async def _persist(self, role: str, version: Callable[[int], ChatRequest], most: int) -> Answer:
        """One call, tried again where the failure passes by itself; one that was answered before is not made again.

        `version` makes the request without so many of the thread's oldest exchanges, at `most` all that it has.
        """
        for left_out in range(most + 1):
            request = version(left_out)
            if known := self._journal.answer(_where(), as_sent(request), request.seed):
                return to_answer(known)
        request = await self._fitting(version, most)
        for attempt in itertools.count(1):
            call_id = f"c{next(self._ids)}"
            try:
                return await self._call_once(call_id, role, request)
            except BackendError as error:
                wait = wait_before_retry(error, attempt)
                if wait is None:
                    raise
                self._log.emit(
                    Retried, call_id=call_id, error=error_info(error), attempt=attempt + 1, waited=round(wait, 2)
                )
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def _fitting(self, version: Callable[[int], ChatRequest], most: int) -> ChatRequest:
        """The request with as much of the thread as leaves room for the answer; without any, it is sent as it is."""
        for left_out in range(most):
            request = version(left_out)
            if await self._has_room(request):
                break
        else:
            left_out, request = most, version(most)
        if left_out:
            self._say_left_out(left_out)
        return request

    async def _has_room(self, request: ChatRequest) -> bool:
        window = self._sizes.window
        if window is None:
            return True
        size = await self._sizes.likely(request, _where()[1])
        return size + min(request.max_tokens or window, window // 2) <= window

    def _say_left_out(self, exchanges: int) -> None:
        message = f"{exchanges} of {len(self._request.history)} earlier exchanges do not fit: the oldest are left out."
        hint = "Raise the context window, or begin a new thread with what matters."
        self._notice(NoticePart(code="history_left_out", message=message, hint=hint))

    async def _call_once(self, call_id: str, role: str, request: ChatRequest) -> Answer:
        async with self._allowance(request.max_tokens) as tokens:
            return await self._call_within(call_id, role, request.model_copy(update={"max_tokens": tokens}))

    async def _call_within(self, call_id: str, role: str, request: ChatRequest) -> Answer:
        node, step = _where()
        count = await self._sizes.count(request)
        called = self._log.emit(
            ModelCalled,
            call_id=call_id,
            node=node,
            step=step,
            role=role,
            messages=as_sent(request),
            parameters=request.model_dump(mode="json", exclude={"messages"}, exclude_defaults=True),
            prompt_estimate=self._sizes.guess(request, step) if count is None else count,
            prompt_counted=count is not None,
            context_window=self._sizes.window,
        )
        self.totals = self.totals.model_copy(update={"calls": self.totals.calls + 1})
        try:
            with self._under_way():
                async with self._slots.take(lambda place: self._say_place(call_id, place), self._session):
                    with self._energy.measured() as used:
                        part = await self._stream(call_id, request, count)
        except WorkbenchError as error:
            window = (error.context_window or None) if isinstance(error, ContextOverflow) else None
            self._log.emit(CallFailed, call_id=call_id, error=error_info(error), context_window=window)
            if isinstance(error, ContextOverflow):
                self._sizes.overflowed(called, window)
            raise
        return self._take_answer(called, part, used.joules, request.json_schema is not None)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """In here something is paid for that a pause of another call must not cut off."""
        self._in_flight += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._quiet.set()

    @asynccontextmanager
    async def _letting_calls_end(self) -> AsyncIterator[None]:
        """A pause ends the run's task: what is under way beside it comes to its end and onto the log first."""
        try:
            yield
        except PauseRequested:
            await self._quiet.wait()
            raise

    def _say_place(self, call_id: str, place: int) -> None:
        self._log.emit(Queued, call_id=call_id, position=place)

    async def _stream(self, call_id: str, request: ChatRequest, count: int | None) -> AnswerPart:
        """Put the parts on the log as they come; return the last. The prompt has `count` tokens (None: unknown)."""
        stream = watched(self._backend.chat(request), request, count, self._sizes.window)
        try:
            async for part in stream:
                match part:
                    case TextPart():
                        self._log.delta(call_id, part.channel, part.text)
                    case ReadingPart():
                        self._log.emit(Reading, call_id=call_id, read=part.read, cached=part.cached, total=part.total)
                    case LoadingPart():
                        self._log.emit(Loading, call_id=call_id, stage=part.stage, done=part.done, total=part.total)
                    case NoticePart():
                        self._notice(part)
                    case AnswerPart():
                        return part
        finally:
            await stream.aclose()
        raise StreamBroken("The answer ended without its final part.", "Run it again.")

    def _notice(self, part: NoticePart) -> None:
        """Tell the person what the backend wants to be known; of most things once in a run is enough."""
        told = (event.code for event in self._log.events if isinstance(event, Warned))
        if not (part.once and part.code in told):
            self._log.emit(Warned, code=part.code, message=part.message, hint=part.hint)

    def _take_answer(
        self, called: ModelCalled, part: AnswerPart, joules: float | None, structured_call: bool
    ) -> Answer:
        mean, lowest = sureness(part)
        parsed = _parsed(part.text) if structured_call else None
        answered = self._log.emit(
            ModelAnswered,
            call_id=called.call_id,
            parsed=parsed,
            joules=joules,
            mean_logprob=mean,
            perplexity=math.exp(min(-mean, LARGEST_EXPONENT)) if mean is not None else None,
            lowest_tokens=lowest,
            tokens=kept_tokens(part.logprobs or (), self._settings.alternatives),
            **part.model_dump(exclude={"logprobs"}),
        )
        self._joules.append(joules)
        self._thinks = self._thinks or bool(part.thinking)
        self.totals = (self.totals + answered.cost).model_copy(update={"joules": all_told(self._joules)})
        self._sizes.learn(called, answered)
        self._growth.take(called, answered)
        self._say_filling()
        return to_answer(answered)

    def _say_filling(self) -> None:
        """Say once that the context window will soon be full, where nothing makes room in it."""
        soon, is_on = self._growth.forecast(), getattr(self._options, "summarise", "") == "when_needed"
        if soon is None or (is_on and self._summaries_failed < MOST_SUMMARIES_FAILED):
            return
        if context.is_soon(soon, self._options.visits):
            hint = context.NO_SUMMARIES if is_on else context.WAYS_OUT
            self._notice(NoticePart(code="context_filling", message=context.warning(soon), hint=hint))

    def _check_tool_calls(self) -> None:
        """Raise LimitReached when no tool may be called any more; the model may still answer without one."""
        most = self._request.limits.tool_calls
        if most is not None and self.totals.tool_calls >= most:
            raise LimitReached(f"{self.totals.tool_calls} tools were called, the most allowed.")

    @asynccontextmanager
    async def _allowance(self, wanted: int | None) -> AsyncIterator[int | None]:
        """So many tokens may the answer have at most. Raises LimitReached when none are left.

        What calls beside it may still write is not given out twice: where too little is left, it waits for their ends.
        """
        most = self._request.limits.tokens
        if most is None:
            yield wanted
            return
        while self._promised and self._unpromised(most) < (wanted or most):
            self._returned.clear()
            await self._returned.wait()
        if (left := self._unpromised(most)) <= 0:
            raise LimitReached(f"{self.totals.completion_tokens} tokens were written; the limit is {most}.")
        allowed = min(left, wanted or left)
        self._promised += allowed
        try:
            yield allowed
        finally:
            self._promised -= allowed
            self._returned.set()

    def _unpromised(self, most: int) -> int:
        """Tokens of the limit that are neither written nor promised to a call."""
        return most - self.totals.completion_tokens - self._promised

    def _say_retry(self, answer: Answer, wrong: str, attempt: int, told: str) -> None:
        error = ErrorInfo(code="structured_output_invalid", message=wrong)
        self._say(Retried, call_id=answer.call_id, error=error, attempt=attempt, told=told)


def as_sent(request: ChatRequest) -> tuple[dict[str, Any], ...]:
    """A request's messages as the log keeps them."""
    return wire(request.messages)


def wire(messages: Iterable[Message]) -> tuple[dict[str, Any], ...]:
    """Messages as the log keeps them."""
    return tuple(message.model_dump(exclude_defaults=True) for message in messages)


def to_answer(answered: ModelAnswered) -> Answer:
    """The answer as a node gets it, from what the log says of it."""
    mean = answered.mean_logprob
    return Answer(
        call_id=answered.call_id,
        text=answered.text,
        thinking=answered.thinking,
        tool_calls=[Call(**call.model_dump()) for call in answered.tool_calls],
        finish_reason=answered.finish_reason,
        prompt_tokens=answered.prompt_tokens,
        completion_tokens=answered.completion_tokens,
        confidence=math.exp(mean) if mean is not None else None,
        tokens=tuple(Token(*token) for token in answered.tokens),
    )


def error_info(error: WorkbenchError) -> ErrorInfo:
    """The error as the log keeps it."""
    return ErrorInfo(code=error.code, message=error.message, hint=error.hint)


def sureness(part: AnswerPart) -> tuple[float | None, tuple[LowToken, ...]]:
    """Mean natural-log probability of the answer's tokens and the least sure ones; None when there are none."""
    if not part.logprobs:
        return None, ()
    tokens = part.logprobs
    mean = sum(token.logprob for token in tokens) / len(tokens)
    order = sorted(range(len(tokens)), key=lambda i: tokens[i].logprob)[:LOWEST]
    return mean, tuple(LowToken(token=tokens[i].token, logprob=tokens[i].logprob, position=i) for i in order)


def kept_tokens(tokens: Iterable[backends.TokenLogprob], alternatives: int) -> tuple[TokenLogprob, ...]:
    """An answer's tokens as the log keeps them, with so many alternatives each."""
    return tuple(
        TokenLogprob(
            one.token,
            round(one.logprob, LOGPROB_DIGITS),
            tuple((text, round(logprob, LOGPROB_DIGITS)) for text, logprob in one.top[:alternatives]),
        )
        for one in tokens
    )


def to_message(message: BaseMessage) -> Message:
    """A LangChain message as the backends take it."""
    content = message.content if isinstance(message.content, str) else str(message.text)
    match message:
        case SystemMessage():
            return Message(role="system", content=content)
        case HumanMessage():
            return Message(role="user", content=content)
        case AIMessage():
            calls = tuple(ToolCall(id=c["id"] or "", name=c["name"], arguments=c["args"]) for c in message.tool_calls)
            return Message(role="assistant", content=content, tool_calls=calls)
        case ToolMessage():
            return Message(role="tool", content=content, tool_call_id=message.tool_call_id, name=message.name or "")
    raise InvalidRequest(f"A {type(message).__name__} cannot be sent to a model.")


def _whole_lines(answer: Answer) -> str:
    """The answer's text; of one that was cut at its limit what comes before the line or sentence that is not whole."""
    text = answer.text.strip()
    if answer.finish_reason != "length":
        return text
    whole = re.match(r".*(?:\n|[.!?](?=\s))", text, re.DOTALL)
    return whole.group().strip() if whole and whole.group().strip() else text


def _summaries_failed(before: RunView) -> int:
    """How many summaries failed in this run since the last that was made."""
    failed = 0
    for entry in before.entries:
        if isinstance(entry, CallView) and entry.summarised is not None:
            failed = 0
        elif isinstance(entry, NoteView) and isinstance(entry.event, Warned) and not before.is_inherited(entry):
            failed += entry.event.code == SUMMARY_FAILED
    return failed


def _parsed(text: str) -> dict[str, Any] | None:
    """The JSON object in an answer, for the log; None when it is none (the machine's schema judges it elsewhere)."""
    try:
        value = json.loads(latex.kept(text))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _last_id(before: RunView) -> int:
    """The highest number of a call so far; those of calls that a fork did not take over are missing in between."""
    ids = [entry.called.call_id for entry in before.entries if isinstance(entry, CallView)]
    ids += [entry.called.tool_id for entry in before.entries if isinstance(entry, ToolView)]
    return max((int(name[1:]) for name in ids if name[1:].isdecimal()), default=0)


def _where() -> tuple[str, int]:
    """The node and superstep that the code runs in."""
    metadata = get_config()["metadata"]
    return str(metadata["langgraph_node"]), int(metadata["langgraph_step"])
