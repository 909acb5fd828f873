"""The Bench that a machine's nodes get: asks models, calls tools, fills prompts, and puts it all on the run's log."""

import asyncio
import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.config import get_config
from pydantic import BaseModel, ValidationError

from agents.contract import Answer, Bench, Call, Observation, Options
from workbench import structured
from workbench.backends.base import AnswerPart, Backend, ChatRequest, LoadingPart, Message, ReadingPart, TextPart
from workbench.errors import BackendError, InvalidRequest, PromptError, StreamBroken, ToolError, WorkbenchError
from workbench.events import (
    CallFailed,
    Card,
    Decision,
    ErrorInfo,
    Loading,
    LowToken,
    ModelAnswered,
    ModelCalled,
    Queued,
    Reading,
    Retried,
    ToolAnswered,
    ToolCall,
    ToolCalled,
    Totals,
    Warned,
)
from workbench.log import RunLog
from workbench.prompts import Prompt
from workbench.request import RunRequest
from workbench.retry import wait_before_retry
from workbench.slots import Slots
from workbench.tools import registry
from workbench.tools.base import Tool

LOWEST = 5  # least sure tokens kept per answer
LOGPROBS = 1
LARGEST_EXPONENT = 700.0  # some servers send -9999 for a token; exp would overflow


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
        context_window: int | None,
        logprobs: bool,
    ) -> None:
        self._options = options
        self.totals = Totals()
        self._request, self._settings = request, request.settings
        self._backend, self._slots, self._log = backend, slots, log
        self._prompts, self._tools = prompts, tools
        self._context_window = context_window
        self._logprobs = LOGPROBS if logprobs and request.settings.logprobs else 0
        self._ids = itertools.count(1)

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
    ) -> Answer:
        """Stream a model's answer and return it; see `agents.contract.Bench.ask`."""
        limit = max_tokens or self._settings.max_tokens
        specs = tuple(registry.spec(self._tools[name]) for name in tools)
        json_schema = schema.model_json_schema() if schema else None

        async def once(turns: Sequence[BaseMessage], tokens: int) -> Answer:
            request = ChatRequest(
                model=self._request.model,
                messages=tuple(to_message(turn) for turn in turns),
                temperature=self._settings.temperature,
                top_p=self._settings.top_p,
                seed=self._settings.seed,
                max_tokens=tokens,
                stop=tuple(stop),
                json_schema=json_schema,
                tools=specs,
                top_logprobs=self._logprobs,
                context_window=self._settings.context_window,
                think=self._settings.think,
            )
            return await self._persist(role, request)

        if schema is None:
            return await once(messages, limit)
        return await structured.ask(once, self._say_retry, messages, schema, limit)

    async def call(self, tool: str, arguments: dict[str, Any] | str) -> Observation:
        """Run a tool; see `agents.contract.Bench.call`."""
        node, step = _where()
        shown = {"input": arguments} if isinstance(arguments, str) else arguments
        if isinstance(arguments, str) and tool in self._tools:
            shown = registry.arguments_from_text(self._tools[tool], arguments)
        tool_id = f"t{next(self._ids)}"
        self._log.emit(ToolCalled, tool_id=tool_id, node=node, step=step, name=tool, arguments=shown)
        self.totals = self.totals.model_copy(update={"tool_calls": self.totals.tool_calls + 1})
        began = time.perf_counter()
        observation = await self._observe(tool, shown)
        seconds = round(time.perf_counter() - began, 4)
        self._log.emit(ToolAnswered, tool_id=tool_id, result=observation.text, error=observation.error, seconds=seconds)
        return observation

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
        self._log.emit(
            Card, node=node, step=step, title=title, content=content, call_id=call_id, data=data, confidence=confidence
        )

    def decide(self, edge: str, reason: str) -> None:
        """Say why a router goes to `edge`."""
        self._log.emit(Decision, node=_where()[0], edge=edge, reason=reason)

    def warn(self, code: str, message: str, hint: str = "") -> None:
        """Tell the person something."""
        self._log.emit(Warned, code=code, message=message, hint=hint)

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

    async def _persist(self, role: str, request: ChatRequest) -> Answer:
        """One call, tried again where the failure passes by itself."""
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

    async def _call_once(self, call_id: str, role: str, request: ChatRequest) -> Answer:
        node, step = _where()
        estimate = await self._backend.count_tokens(request)
        self._log.emit(
            ModelCalled,
            call_id=call_id,
            node=node,
            step=step,
            role=role,
            messages=tuple(message.model_dump(exclude_defaults=True) for message in request.messages),
            parameters=request.model_dump(mode="json", exclude={"messages"}, exclude_defaults=True),
            prompt_estimate=estimate,
            context_window=request.context_window or self._context_window,
        )
        self.totals = self.totals.model_copy(update={"calls": self.totals.calls + 1})
        try:
            async with self._slots.take(lambda place: self._say_place(call_id, place)):
                part = await self._stream(call_id, request)
        except WorkbenchError as error:
            self._log.emit(CallFailed, call_id=call_id, error=error_info(error))
            raise
        return self._take_answer(call_id, part, request.json_schema is not None)

    def _say_place(self, call_id: str, place: int) -> None:
        self._log.emit(Queued, call_id=call_id, position=place)

    async def _stream(self, call_id: str, request: ChatRequest) -> AnswerPart:
        """Put the parts on the log as they come; return the last."""
        stream = self._backend.chat(request)
        try:
            async for part in stream:
                match part:
                    case TextPart():
                        self._log.delta(call_id, part.channel, part.text)
                    case ReadingPart():
                        self._log.emit(Reading, call_id=call_id, read=part.read, cached=part.cached, total=part.total)
                    case LoadingPart():
                        self._log.emit(Loading, call_id=call_id, stage=part.stage, done=part.done, total=part.total)
                    case AnswerPart():
                        return part
        finally:
            await stream.aclose()  # type: ignore[attr-defined]
        raise StreamBroken("The answer ended without its final part.", "Run it again.")

    def _take_answer(self, call_id: str, part: AnswerPart, structured_call: bool) -> Answer:
        mean, lowest = sureness(part)
        parsed = _parsed(part.text) if structured_call else None
        self._log.emit(
            ModelAnswered,
            call_id=call_id,
            parsed=parsed,
            mean_logprob=mean,
            perplexity=math.exp(min(-mean, LARGEST_EXPONENT)) if mean is not None else None,
            lowest_tokens=lowest,
            **part.model_dump(exclude={"logprobs"}),
        )
        self.totals = self.totals.model_copy(
            update={
                "prompt_tokens": self.totals.prompt_tokens + (part.prompt_tokens or 0),
                "completion_tokens": self.totals.completion_tokens + (part.completion_tokens or 0),
                "cached_tokens": self.totals.cached_tokens + (part.cached_tokens or 0),
            }
        )
        return Answer(
            call_id=call_id,
            text=part.text,
            thinking=part.thinking,
            tool_calls=[Call(**call.model_dump()) for call in part.tool_calls],
            finish_reason=part.finish_reason,
            prompt_tokens=part.prompt_tokens,
            completion_tokens=part.completion_tokens,
            confidence=math.exp(mean) if mean is not None else None,
        )

    def _say_retry(self, answer: Answer, wrong: str, attempt: int, told: str) -> None:
        error = ErrorInfo(code="structured_output_invalid", message=wrong)
        self._log.emit(Retried, call_id=answer.call_id, error=error, attempt=attempt, told=told)


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


def _parsed(text: str) -> dict[str, Any] | None:
    """The JSON object in an answer, for the log; None when it is none (the machine's schema judges it elsewhere)."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _where() -> tuple[str, int]:
    """The node and superstep that the code runs in."""
    metadata = get_config()["metadata"]
    return str(metadata["langgraph_node"]), int(metadata["langgraph_step"])
