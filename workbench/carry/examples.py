"""A run's log as conversations in OpenAI's chat form: each call of the model, or the question and its final answer."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from workbench.backends import prompt_size
from workbench.backends.base import ChatRequest, Message, ToolSpec
from workbench.events import AnyEvent, CallView, RunStarted, RunView, ToolCall
from workbench.request import RunRequest
from workbench.store.runs import RunStore

ENDS = ("run_started", "run_finished", "resumed")
CALLS = ("model_called", "model_answered", "call_failed", "retried")
_MESSAGES, _TOOLS = TypeAdapter(tuple[Message, ...]), TypeAdapter(tuple[ToolSpec, ...])
Chat = list[dict[str, Any]]


@dataclass(frozen=True)
class Conversation:
    """What was asked, and what is to be learnt: the last message. `tools` are those that the model was offered."""

    messages: Chat
    answer: dict[str, Any]
    tools: tuple[dict[str, Any], ...] = ()

    @property
    def tokens(self) -> int:
        """About how long it is: no tokenizer is asked."""
        texts = [str(message.get("content") or "") for message in (*self.messages, self.answer)]
        texts += [
            json.dumps(message["tool_calls"]) for message in (*self.messages, self.answer) if "tool_calls" in message
        ]
        told = tuple(Message(role="user", content=text) for text in (*texts, *map(json.dumps, self.tools)))
        return prompt_size.bounds(ChatRequest(model="", messages=told))[1]


class Unfit(Exception):
    """Why something of a run is no example: the words that it is counted under."""


@dataclass(frozen=True)
class Trajectory:
    """A run that was read for training: what it was asked, by whom it was answered, and its fold."""

    run_id: str
    request: RunRequest
    model_digest: str
    view: RunView

    @property
    def asked(self) -> Chat:
        """The thread so far and the question."""
        earlier = [
            message
            for one in self.request.history
            for message in ({"role": "user", "content": one.question}, {"role": "assistant", "content": one.answer})
        ]
        return [*earlier, {"role": "user", "content": self.request.question}]

    @property
    def answer(self) -> dict[str, Any]:
        """The final answer as a message. Raises Unfit when there is none."""
        end = self.view.finished
        if end is None or not end.answer.strip() or end.status not in ("answered", "limit"):
            raise Unfit("runs without an answer")
        return {"role": "assistant", "content": end.answer}

    @property
    def final(self) -> Conversation:
        """The question and the final answer, whatever led there. Raises Unfit."""
        return Conversation(self.asked, self.answer)

    def calls(self) -> Iterator[Conversation | Unfit]:
        """Every call of the model as a conversation of its own; or why one is none."""
        for call in self.view.calls:
            try:
                yield _conversation(call)
            except Unfit as unfit:
                yield unfit


def read(store: RunStore, run_id: str, calls: bool = False) -> Trajectory:
    """A run for training, with its `calls` if they are wanted too. Raises Unfit when nothing of it is kept."""
    events: Sequence[AnyEvent] = store.events(run_id, kinds=(*ENDS, *(CALLS if calls else ())))
    if not events or not isinstance(events[0], RunStarted):
        raise Unfit("runs that have been deleted")
    try:
        request = RunRequest.model_validate(events[0].request)
    except ValidationError:
        raise Unfit("runs of another version that cannot be read") from None
    return Trajectory(run_id, request, events[0].model_digest, RunView.of(events))


def _conversation(call: CallView) -> Conversation:
    answered = call.answer
    if answered is None:
        raise Unfit("calls without an answer")
    if call.retried is not None:
        raise Unfit("calls whose answer was refused and asked for again")
    if answered.finish_reason not in ("stop", "tool_calls"):
        raise Unfit("calls whose answer was cut off")
    if not answered.text.strip() and not answered.tool_calls:
        raise Unfit("calls with an empty answer")
    try:
        sent = _MESSAGES.validate_python(call.called.messages)
        tools = _TOOLS.validate_python(call.called.parameters.get("tools") or ())
    except ValidationError:
        raise Unfit("calls whose messages cannot be read") from None
    if not sent:
        raise Unfit("calls whose messages were not kept")
    given = Message(role="assistant", content=answered.text, tool_calls=answered.tool_calls)
    return Conversation([_message(one) for one in sent], _message(given), tuple(map(_tool, tools)))


def _message(message: Message) -> dict[str, Any]:
    """A message in OpenAI's form: the arguments of a tool call are a text there."""
    data: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        data["tool_calls"] = [_call(call) for call in message.tool_calls]
        data["content"] = message.content or None
    if message.role == "tool":
        data["tool_call_id"] = message.tool_call_id
    return data


def _call(call: ToolCall) -> dict[str, Any]:
    made = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": call.id, "type": "function", "function": made}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"type": "function", "function": tool.model_dump(mode="json")}


def untrained(messages: Iterable[Mapping[str, Any]]) -> Chat:
    """The messages with those of the assistant marked as given: only the last answer is to be learnt."""
    return [{**one, "weight": 0} if one["role"] == "assistant" else dict(one) for one in messages]
