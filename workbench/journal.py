"""What a step that was cut off had already done, read from the log: going on repeats and pays for nothing twice."""

from collections.abc import Iterable, Mapping
from typing import Any

from workbench.events import (
    AnyEvent,
    Card,
    Decision,
    Event,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    Retried,
    ToolAnswered,
    ToolCalled,
    Warned,
)

Place = tuple[str, int]  # node and superstep


class Journal:
    """The calls, cards and decisions of the nodes that began and did not end. Each is given out once.

    A node that runs again is the same function of the same state: it asks the same things in the same order, so that
    whatever is on the log already is recognised by what was asked.
    """

    def __init__(self, events: Iterable[AnyEvent] = ()) -> None:
        """Read a run's log so far."""
        self.open: dict[Place, int] = {}  # what began and did not end -> how often it began
        self._said: list[Event] = []
        for event in events:
            self._take(event)

    def end(self, place: Place) -> None:
        """The node has ended: what it did will not be asked for again."""
        self.open.pop(place, None)
        if not self.open:
            self._said.clear()

    def answer(self, place: Place, messages: tuple[Mapping[str, Any], ...]) -> ModelAnswered | None:
        """The answer that the node got to these messages."""
        for call in self._of(ModelCalled, place):
            answer = self._answer_to(call.call_id)
            if answer is not None and call.messages == messages:
                self._forget(call, answer)
                return answer
        return None

    def observation(self, place: Place, name: str, arguments: Mapping[str, Any]) -> ToolAnswered | None:
        """What the tool said to these arguments."""
        for call in self._calls(place, name, arguments):
            for event in self._said:
                if isinstance(event, ToolAnswered) and event.tool_id == call.tool_id:
                    self._forget(call, event)
                    return event
        return None

    def has(self, kind: type[Event], fields: Mapping[str, Any]) -> bool:
        """Whether such a card, decision, retry or warning is on the log already."""
        for event in self._said:
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items()):
                self._forget(event)
                return True
        return False

    def _take(self, event: AnyEvent) -> None:
        match event:
            case NodeStarted():
                place = event.node, event.step
                self.open[place] = self.open.get(place, 0) + 1
            case NodeFinished():
                self.end((event.node, event.step))
            case ModelCalled() | ModelAnswered() | ToolCalled() | ToolAnswered() | Card() | Decision() | Retried():
                self._said.append(event)
            case Warned():
                self._said.append(event)

    def _of(self, kind: type[ModelCalled], place: Place) -> list[ModelCalled]:
        return [event for event in self._said if isinstance(event, kind) and (event.node, event.step) == place]

    def _calls(self, place: Place, name: str, arguments: Mapping[str, Any]) -> list[ToolCalled]:
        calls = [event for event in self._said if isinstance(event, ToolCalled)]
        return [
            call for call in calls if (call.node, call.step, call.name, call.arguments) == (*place, name, arguments)
        ]

    def _answer_to(self, call_id: str) -> ModelAnswered | None:
        return next((e for e in self._said if isinstance(e, ModelAnswered) and e.call_id == call_id), None)

    def _forget(self, *events: Event) -> None:
        self._said = [event for event in self._said if not any(event is known for known in events)]
