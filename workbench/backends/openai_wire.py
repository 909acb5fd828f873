"""The OpenAI chat protocol as llama.cpp's server speaks it: requests out, the event stream in."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from workbench.backends.base import (
    AnswerPart,
    ChatRequest,
    FinishReason,
    Message,
    ReadingPart,
    TextPart,
    TokenLogprob,
    ToolSpec,
)
from workbench.errors import BackendError, ContextOverflow, RequestRefused, ServerFault, StreamBroken
from workbench.events import ToolCall

# Near-greedy small models fall into loops; at higher temperatures chance leads out of them, and a penalty only harms.
REPEAT_PENALTY = 1.1
REPEAT_PENALTY_BELOW = 0.3

_FINISH: dict[str, FinishReason] = {"length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter"}


def body(request: ChatRequest) -> dict[str, Any]:
    """The JSON of a streaming /v1/chat/completions request."""
    wire: dict[str, Any] = prompt_body(request) | {
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # without it the server does not notice during prefill that we hung up
        "cache_prompt": request.prompt_cache,
    }
    given = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop) or None,
    }
    wire |= {name: value for name, value in given.items() if value is not None}
    if request.temperature is not None and request.temperature < REPEAT_PENALTY_BELOW:
        wire["repeat_penalty"] = REPEAT_PENALTY
    if request.enforced_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.enforced_schema}
        wire["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.top_logprobs:
        wire |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return wire


def prompt_body(request: ChatRequest) -> dict[str, Any]:
    """What the prompt is made of: messages, tools and the template's switches."""
    wire: dict[str, Any] = {"messages": [_message(message) for message in request.messages]}
    if request.tools:
        wire["tools"] = [_tool(tool) for tool in request.tools]
    if request.think is not None:
        wire["chat_template_kwargs"] = {"enable_thinking": request.think}
    return wire


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    if message.name:
        wire["name"] = message.name
    return wire


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


async def objects(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of an event stream. Raises what an error object says, StreamBroken when [DONE] never comes."""
    async for line in lines:
        if line == "data: [DONE]":
            return
        if not line.startswith(("data: ", "error: ")):
            continue  # blank lines and the server's keep-alive comments
        try:
            found = json.loads(line.partition(": ")[2])
        except (ValueError, RecursionError):
            raise StreamBroken("The engine sent something that is not JSON.", "Run it again.") from None
        if not isinstance(found, dict):
            raise StreamBroken("The engine sent something that is no object of its protocol.", "Run it again.")
        if line.startswith("error: ") or "error" in found:
            raise error_of(500, found)
        yield found
    raise StreamBroken("The engine's answer stopped before its end.", "Run it again.")


def error_of(status: int, found: Any) -> BackendError:
    """The error of our tree for an error object of the server, or for a bare HTTP status."""
    error = found.get("error", found) if isinstance(found, dict) else {}
    error = error if isinstance(error, dict) else {"message": str(error)}
    message = str(error.get("message") or f"HTTP {status}").rstrip(".")
    if error.get("type") == "exceed_context_size_error":
        return overflow(int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", 0)))
    code = error.get("code", status)
    if (code if isinstance(code, int) else status) < 500:
        return RequestRefused(f"The engine refused the request: {message}.", "Change the request or the model.")
    return ServerFault(f"The engine failed: {message}.", "Run it again.")


def overflow(prompt_tokens: int, window: int) -> ContextOverflow:
    """The error for a prompt that is too long, with both numbers."""
    return ContextOverflow(
        f"The prompt has {prompt_tokens:,} tokens, and the context window holds {window:,}.",
        prompt_tokens=prompt_tokens,
        context_window=window,
    )


@dataclass
class Collector:
    """Turns the stream's objects into parts, and at the end into the whole answer."""

    began: float = field(default_factory=time.monotonic)
    text: str = ""
    thinking: str = ""
    finish: str | None = None
    first_token: float | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    logprobs: list[TokenLogprob] | None = None
    calls: dict[int, dict[str, str]] = field(default_factory=dict)

    def take(self, found: dict[str, Any]) -> Iterator[TextPart | ReadingPart]:
        """The parts that one object of the stream holds."""
        self.usage = found.get("usage") or self.usage
        self.timings = found.get("timings") or self.timings
        if progress := found.get("prompt_progress"):
            yield ReadingPart(read=progress["processed"], cached=progress["cache"], total=progress["total"])
        for choice in found.get("choices", ()):
            self.finish = choice.get("finish_reason") or self.finish
            self._note_logprobs(choice.get("logprobs"))
            for part in self._delta(choice.get("delta") or {}):
                self.first_token = self.first_token or time.monotonic() - self.began
                yield part

    def _delta(self, delta: dict[str, Any]) -> Iterator[TextPart]:
        if thinking := delta.get("reasoning_content"):
            self.thinking += thinking
            yield TextPart(text=thinking, channel="thinking")
        if text := delta.get("content"):
            self.text += text
            yield TextPart(text=text)
        for call in delta.get("tool_calls") or ():
            if text := self._note_call(call):
                yield TextPart(text=text, channel="tool")

    def _note_call(self, call: dict[str, Any]) -> str:
        """Join a piece of a tool call to what we have of it; the text that it adds."""
        known = self.calls.setdefault(call.get("index", len(self.calls)), {"id": "", "name": "", "arguments": ""})
        function = call.get("function") or {}
        known["id"] = call.get("id") or known["id"]
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        known["name"] += name
        known["arguments"] += arguments
        return (f"{name} " if name else "") + arguments

    def _note_logprobs(self, found: dict[str, Any] | None) -> None:
        for token in (found or {}).get("content") or ():
            top = tuple((other["token"], other["logprob"]) for other in token.get("top_logprobs") or ())
            self.logprobs = self.logprobs or []
            self.logprobs.append(TokenLogprob(token=token["token"], logprob=token["logprob"], top=top))

    def answer(self, load_seconds: float) -> AnswerPart:
        """The whole answer. Raises StreamBroken when the stream ended without saying why."""
        if self.finish is None or not self.usage:
            raise StreamBroken("The engine's answer stopped before its final object.", "Run it again.")
        calls, unreadable = self._tool_calls()
        return AnswerPart(
            text=self.text + unreadable,
            thinking=self.thinking,
            tool_calls=calls,
            finish_reason=_FINISH.get(self.finish, "stop"),
            prompt_tokens=self.usage.get("prompt_tokens"),
            completion_tokens=self.usage.get("completion_tokens"),
            cached_tokens=self.timings.get("cache_n"),
            load_seconds=load_seconds,
            prefill_seconds=_seconds(self.timings.get("prompt_ms")),
            decode_seconds=_seconds(self.timings.get("predicted_ms")),
            first_token_seconds=self.first_token,
            logprobs=None if self.logprobs is None else tuple(self.logprobs),
        )

    def _tool_calls(self) -> tuple[tuple[ToolCall, ...], str]:
        """The calls whose arguments are a JSON object, and the rest as the text that the model wrote."""
        calls, unreadable = [], ""
        for index, call in sorted(self.calls.items()):
            try:
                arguments = json.loads(call["arguments"] or "{}")
            except ValueError:
                arguments = None
            if isinstance(arguments, dict):
                calls.append(ToolCall(id=call["id"] or f"call_{index}", name=call["name"], arguments=arguments))
            else:
                unreadable += f"{call['name']} {call['arguments']}"
        return tuple(calls), unreadable


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
