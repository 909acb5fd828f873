"""Where a run waits for the person before a model is asked or a tool called, and what becomes of what they say."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from agents.contract import Observation
from workbench.events import AnyEvent, NodeFinished, Paused, Resumed

CHOSEN = "You chose to be asked before this step."
NEEDS_APPROVAL = "This tool needs your approval."
CUT_OFF = (
    "This tool was called before the run was cut off, and it is not known whether that had its effect."
    " Approve to call it again, or say what came of it."
)


class PauseRequested(Exception):
    """The run can only go on when the person has said something; `fields` are those of the Paused event."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields.get("reason", ""))
        self.fields = fields


def reasons_to_ask(chosen: bool, needs_approval: bool, cut_off: int) -> list[str]:
    """Why the person is asked before a tool is called, once for each."""
    first = [CHOSEN] if chosen else [NEEDS_APPROVAL] if needs_approval else []
    return first + [CUT_OFF] * cut_off


def steered(messages: Sequence[BaseMessage], reply: Resumed) -> list[BaseMessage]:
    """The messages as the person wants them sent: with another last one, or with their word added."""
    match reply.verb:
        case "edit" if reply.text:
            return [*messages[:-1], messages[-1].model_copy(update={"content": reply.text})]
        case "reject":
            return [*messages, HumanMessage(reply.text)]
    return list(messages)


def observed(reply: Resumed) -> Observation:
    """What the machine is told when the person took the tool's place, or did not let it be called."""
    if reply.verb == "reject":
        return Observation(text=f"The user did not allow this call: {reply.text}", error=True)
    return Observation(text=reply.text)


def remark(arguments: Mapping[str, Any]) -> str:
    """What is put before the observation of a call that the person changed: else its result would surprise a model."""
    return f"(The user changed the arguments to {json.dumps(arguments, ensure_ascii=False)}.)\n"


def last_edit(events: Iterable[AnyEvent]) -> tuple[str, str] | None:
    """The text of the last message and what the person made of it, as long as the node that it is for has not ended."""
    paused: Paused | None = None
    edit: tuple[str, str] | None = None
    for event in events:
        match event:
            case Paused():
                paused = event
            case Resumed(verb="edit") if paused is not None and paused.messages and event.text:
                edit = str(paused.messages[-1]["content"]), event.text
            case NodeFinished():
                edit = None
    return edit


def edited(values: Mapping[str, Any], edit: tuple[str, str]) -> dict[str, Any]:
    """What changes in a machine's state when a text in it is edited.

    The text is found as the whole of a channel, or as the last message of that content; where a node made it up for
    one call it is nowhere, and nothing changes.
    """
    before, after = edit
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value == before:
            found[name] = after
        elif isinstance(value, list):
            places = [i for i, item in enumerate(value) if isinstance(item, BaseMessage) and item.content == before]
            if places:
                message = value[places[-1]].model_copy(update={"content": after})
                found[name] = [*value[: places[-1]], message, *value[places[-1] + 1 :]]
    return found
