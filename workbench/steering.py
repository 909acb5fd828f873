"""Where a run waits for the person before a model is asked or a tool called, and what becomes of what they say."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from agents.contract import Observation
from workbench.events import AnyEvent, Paused, Resumed
from workbench.journal import Journal, Place
from workbench.request import RunRequest
from workbench.tools.base import Tool

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


class Steering:
    """Asks the person where a run is to wait for them, and gives what they said, which the journal has."""

    def __init__(self, request: RunRequest, tools: Mapping[str, Tool], journal: Journal) -> None:
        self._nodes, self._approve = request.pause_before, request.approve_tools
        self._tools, self._journal = tools, journal

    def is_chosen(self, place: Place) -> bool:
        """Whether the person wants to be asked before this node."""
        return place[0] in self._nodes

    def before_call(
        self,
        place: Place,
        role: str,
        messages: tuple[dict[str, Any], ...],
        schema: dict[str, Any] | None,
        wrong_with: Callable[[str], str],
    ) -> Resumed:
        """What the person says to a model call of a node that they have chosen.

        `wrong_with` says why a text cannot be the call's answer. Raises PauseRequested until they have said something
        that can be used.
        """
        node, step = place
        reason, draft = CHOSEN, ""
        while reply := self._journal.reply(place, role, messages):
            wrong = wrong_with(reply.text) if reply.verb == "answer" else ""
            if not wrong:
                return reply
            reason, draft = f"Your answer does not fit: {wrong}.", reply.text
        raise PauseRequested(
            node=node, step=step, reason=reason, role=role, messages=messages, answer_schema=schema, draft=draft
        )

    def before_tool(
        self, place: Place, name: str, arguments: dict[str, Any]
    ) -> tuple[dict[str, Any], Observation | None]:
        """The arguments as the person wants them, and what they gave in the tool's place, if they did.

        Raises PauseRequested until they have said what is to be done.
        """
        tool, given = self._tools.get(name), None
        if self.is_chosen(place) or name in self._approve:
            arguments, given = self._ask(place, name, arguments, CHOSEN)
        elif tool is not None and tool.needs_approval:
            arguments, given = self._ask(place, name, arguments, NEEDS_APPROVAL)
        while (
            given is None
            and tool is not None
            and tool.side_effects
            and not self._journal.knows(place, name, arguments)
            and self._journal.cut_off(place, name, arguments)
        ):
            arguments, given = self._ask(place, name, arguments, CUT_OFF)
        return arguments, given

    def _ask(
        self, place: Place, name: str, arguments: dict[str, Any], reason: str
    ) -> tuple[dict[str, Any], Observation | None]:
        reply = self._journal.reply(place, name, arguments)
        if reply is None:
            raise PauseRequested(node=place[0], step=place[1], reason=reason, tool=name, arguments=arguments)
        if reply.verb == "edit" and reply.arguments is not None:
            return reply.arguments, None
        return arguments, observed(reply)


def steered(messages: Sequence[BaseMessage], reply: Resumed) -> list[BaseMessage]:
    """The messages as the person wants them sent: with another last one, or with their word added."""
    match reply.verb:
        case "edit" if reply.text:
            return [*messages[:-1], messages[-1].model_copy(update={"content": reply.text})]
        case "reject":
            return [*messages, HumanMessage(reply.text)]
    return list(messages)


def observed(reply: Resumed) -> Observation | None:
    """What the machine is told when the person took the tool's place or did not let it be called; None otherwise."""
    match reply:
        case Resumed(verb="reject"):
            return Observation(text=f"The user did not allow this call: {reply.text}", error=True)
        case Resumed(verb="answer"):
            return Observation(text=reply.text)
    return None


def remark(arguments: Mapping[str, Any]) -> str:
    """What is put before the observation of a call that the person changed: else its result would surprise a model."""
    return f"(The user changed the arguments to {json.dumps(arguments, ensure_ascii=False)}.)\n"


def last_edit(events: Iterable[AnyEvent]) -> tuple[str, str] | None:
    """The text of the last message and what the person made of it, if that is how the run goes on now."""
    paused: Paused | None = None
    edit: tuple[str, str] | None = None
    for event in events:
        match event:
            case Paused():
                paused = event
            case Resumed():
                is_edit = event.verb == "edit" and bool(event.text) and paused is not None and bool(paused.messages)
                edit = (str(paused.messages[-1].get("content", "")), event.text) if is_edit and paused else None
                paused = None
    return edit


def edited(values: Mapping[str, Any], edit: tuple[str, str]) -> dict[str, Any]:
    """What changes in a machine's state when a text in it is edited.

    The text is found as the whole of a channel, or as the last message of that content; where a node made it up for
    one call it is nowhere, and nothing changes.
    """
    before, after = edit
    found: dict[str, Any] = {}
    if not before.strip():
        return found  # an empty text is in many places
    for name, value in values.items():
        if value == before:
            found[name] = after
        elif isinstance(value, list):
            places = [i for i, item in enumerate(value) if isinstance(item, BaseMessage) and item.content == before]
            if places:
                message = value[places[-1]].model_copy(update={"content": after})
                found[name] = [*value[: places[-1]], message, *value[places[-1] + 1 :]]
    return found
