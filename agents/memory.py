"""What a machine that grows does when its conversation fills the window: earlier turns give way to a summary."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import Field
from typing_extensions import TypedDict

from agents.contract import Bench, Room

Summarise = Annotated[
    Literal["never", "when_needed"],
    Field(description="When the context window is full, a summary by the model is sent in place of earlier turns."),
]
View = Callable[[list[AnyMessage]], list[AnyMessage]]

State = TypeVar("State", bound="Memory")
Result = TypeVar("Result")

FEWEST, MOST = 48, 400  # tokens of a summary; between them a fifth of what a prompt may have
LENGTHS = (None, 2_000, 800, 300)  # characters of a turn that the summariser is shown, as many as fit


class Memory(TypedDict, total=False):
    """The part of a state that remembers: `summary` is sent in place of the first `summarised` turns, which stay."""

    summary: str
    summarised: int


async def recalled(
    bench: Bench, state: State, head: int, view: View = list, **asking: Any
) -> tuple[list[AnyMessage], State]:
    """What to send of a state's `messages`, and what changes in the state by that.

    The first `head` messages always stay. `view` makes the messages of a call out of the conversation; `asking` is what
    `Bench.ask` gets besides: `schema`, `tools`.
    """
    messages, unchanged = cast(dict[str, list[AnyMessage]], state)["messages"], cast(State, {})
    if bench.options.summarise == "never":
        return view(messages), unchanged
    talk = _Talk(bench, messages, max(1, head), view, asking)
    known = cast(Memory, state)
    memory: Memory = {"summary": known.get("summary", ""), "summarised": known.get("summarised", 0)}
    sent = talk.sent(memory)
    room = await bench.room(sent, **asking)
    shorter = None if room is None or room.fits else await talk.shorten(memory, room)
    return (talk.sent(shorter), cast(State, shorter)) if shorter else (sent, unchanged)


async def remembering(
    bench: Bench,
    state: State,
    head: int,
    ask: Callable[[list[AnyMessage]], Awaitable[Result]],
    view: View = list,
    **asking: Any,
) -> tuple[Result, State]:
    """What `ask` returns for a state's conversation, and what changes in the state's memory; see `recalled`.

    Where nobody knew how small the window is, a prompt that does not fit tells it: then it is shortened after all.
    """
    sent, memory = await recalled(bench, state, head, view, **asking)
    if bench.options.summarise == "never":
        return await ask(sent), memory
    found = await bench.unless_too_long(ask(sent))
    if found is not None:
        return found, memory
    sent, shorter = await recalled(bench, cast(State, {**state, **memory}), head, view, **asking)
    return await ask(sent), shorter or memory


class _Talk:
    """A conversation, and how it is sent."""

    def __init__(self, bench: Bench, messages: list[AnyMessage], head: int, view: View, asking: dict[str, Any]) -> None:
        self._bench, self._messages, self._head, self._view, self._asking = bench, messages, head, view, asking

    def sent(self, memory: Memory) -> list[AnyMessage]:
        """The call's messages. The summary ends the head's last one: who speaks after whom stays as it is."""
        if not memory["summary"]:
            return self._view(self._messages)
        *told, last = self._messages[: self._head]
        note = self._bench.prompt("recalled", summary=memory["summary"])
        last = last.model_copy(update={"content": f"{last.text}\n\n{note}"})
        return self._view([*told, last, *self._messages[self._head + memory["summarised"] :]])

    async def shorten(self, memory: Memory, room: Room) -> Memory | None:
        """The memory with more turns in its summary, so that a prompt has room; None if that cannot be."""
        limit = min(max(room.most // 5, FEWEST), MOST)
        first = self._head + memory["summarised"]
        cut = await self._cut(first, limit, room.most)
        if cut is None:
            return None
        asked = await self._asked(memory["summary"], self._messages[first:cut], limit)
        if asked is None:
            return None
        summary = await self._bench.summarise(
            asked,
            left_out=self._messages[first:cut],
            before=room.size,
            shortened=lambda text: self.sent({"summary": text, "summarised": cut - self._head}),
            max_tokens=limit,
            **self._asking,
        )
        return {"summary": summary, "summarised": cut - self._head} if summary else None

    async def _cut(self, first: int, limit: int, most: int) -> int | None:
        """Where the turns begin that stay: as many as leave half of the room free, at least the model's last one.

        A turn of the model begins what stays, so that no tool's answer lacks its call.
        """
        cut, size = None, most
        for number in range(first + 1, len(self._messages)):
            if isinstance(self._messages[number], AIMessage):
                kept = [*self._messages[: self._head], *self._messages[number:]]
                room = await self._bench.room(self._view(kept), **self._asking)
                cut, size = number, (room.size if room else 0) + limit
                if size <= most // 2:
                    break
        return cut if size <= most else None

    async def _asked(self, summary: str, turns: Sequence[AnyMessage], limit: int) -> str | None:
        """What the summariser is told, each turn as long as there is room for; None where there is none."""
        for longest in LENGTHS:
            lines = [f"(A summary of what came before.) {summary}"] if summary else []
            lines += dict.fromkeys(_line(turn, longest) for turn in turns)  # small models repeat themselves
            asked = self._bench.prompt("summariser", turns="\n\n".join(lines), words=limit // 2)
            room = await self._bench.room([HumanMessage(asked)], max_tokens=limit)
            if room is not None and room.fits:
                return asked
        return None


def _line(turn: AnyMessage, longest: int | None) -> str:
    """A turn as the summariser reads it."""
    who = "Assistant" if isinstance(turn, AIMessage) else "Tool" if isinstance(turn, ToolMessage) else "User"
    calls = turn.tool_calls if isinstance(turn, AIMessage) else []
    made = [f"calls {call['name']} with {call['args']}" for call in calls]
    text = "\n".join([_readable(str(turn.text)), *made]).strip()
    short = text if longest is None or len(text) <= longest else f"{text[:longest]} […]"
    return f"{who}: {short}"


def _readable(text: str) -> str:
    """A turn that is a JSON object as lines: models that are shown JSON answer in JSON."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if not isinstance(data, dict):
        return text
    return "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in data.items())
