"""What a step that was cut off had already done, read from the log: going on repeats and pays for nothing twice."""

from collections.abc import Iterable, Mapping, Sequence
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
    Paused,
    Resumed,
    Retried,
    Summarised,
    ToolAnswered,
    ToolCalled,
    Warned,
)

Place = tuple[str, int]  # node and superstep


class Journal:
    """The calls, cards, decisions and the person's replies of the nodes that began and did not end.

    Each is given out once.

    A node that runs again is the same function of the same state: it asks the same things, so that whatever is on the
    log already is recognised by what was asked. Calls that ask the same at once are told apart by their seeds.
    """

    def __init__(self, events: Iterable[AnyEvent] = ()) -> None:
        """Read a run's log so far."""
        self.open: dict[Place, int] = {}  # what began and did not end -> how often it began
        self._calls: dict[str, ModelCalled] = {}
        self._answers: list[tuple[ModelCalled, ModelAnswered]] = []
        self._tools: dict[str, ToolCalled] = {}
        self._observations: list[tuple[ToolCalled, ToolAnswered]] = []
        self._said: list[Event] = []
        self._paused: Paused | None = None
        self._replies: dict[Place, list[tuple[Paused, Resumed]]] = {}
        for event in events:
            self._take(event)

    def end(self, place: Place) -> None:
        """The node has ended: what it did will not be asked for again."""
        self.open.pop(place, None)
        self._replies.pop(place, None)
        if not self.open:
            self._answers.clear()
            self._observations.clear()
            self._said.clear()

    def answer(
        self, place: Place, messages: tuple[Mapping[str, Any], ...], seed: int | None = None
    ) -> ModelAnswered | None:
        """The answer that the node got to these messages with that seed (None: with no seed, or from the person)."""
        for number, (call, answer) in enumerate(self._answers):
            same = call.messages == messages and call.parameters.get("seed") == seed
            if (call.node, call.step) == place and same:
                del self._answers[number]
                return answer
        return None

    def observation(self, place: Place, name: str, arguments: Mapping[str, Any]) -> ToolAnswered | None:
        """What the tool said to these arguments."""
        for number, (call, observed) in enumerate(self._observations):
            if (call.node, call.step) == place and (call.name, call.arguments) == (name, arguments):
                del self._observations[number]
                return observed
        return None

    def knows(self, place: Place, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether it is on the log what the tool said to these arguments."""
        calls = (call for call, _ in self._observations)
        return any((call.node, call.step, call.name, call.arguments) == (*place, name, arguments) for call in calls)

    def reply(self, place: Place, asked: str, about: Sequence[Any] | Mapping[str, Any]) -> Resumed | None:
        """What the person said when the node was to ask a role or a tool `about` these messages or arguments.

        Messages are known again by their number: the last one may have been edited meanwhile.
        """
        for number, (paused, reply) in enumerate(replies := self._replies.get(place, [])):
            is_it = paused.arguments == about if paused.tool else len(paused.messages) == len(about)
            if asked == (paused.tool or paused.role) and is_it:
                del replies[number]
                return reply
        return None

    def cut_off(self, place: Place, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether the node began this very call of the tool and its end is not on the log. Told once for each."""
        for key, call in self._tools.items():
            if (call.node, call.step, call.name, call.arguments) == (*place, name, arguments):
                del self._tools[key]
                return True
        return False

    def has(self, kind: type[Event], fields: Mapping[str, Any]) -> bool:
        """Whether such a card, decision, retry, summary or warning is on the log already."""
        for number, event in enumerate(self._said):
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items()):
                del self._said[number]
                return True
        return False

    def card(self, place: Place, name: str, told: Mapping[str, Any]) -> Card | None:
        """The card of that place that has data under that `name`, and besides what is `told`. Given out once."""
        for number, event in enumerate(self._said):
            if not isinstance(event, Card) or (event.node, event.step) != place or name not in event.data:
                continue
            if all(event.data.get(key) == value for key, value in told.items()):
                del self._said[number]
                return event
        return None

    def _take(self, event: AnyEvent) -> None:
        match event:
            case NodeStarted():
                place = event.node, event.step
                self.open[place] = self.open.get(place, 0) + 1
            case NodeFinished():
                self.end((event.node, event.step))
            case ModelCalled():
                self._calls[event.call_id] = event
            case ModelAnswered():
                self._answers.append((self._calls[event.call_id], event))
            case ToolCalled():
                self._tools[event.tool_id] = event
            case ToolAnswered():
                self._observations.append((self._tools.pop(event.tool_id), event))
            case Paused() | Resumed():
                self._hear(event)
            case Card() | Decision() | Retried() | Summarised() | Warned():
                self._said.append(event)

    def _hear(self, event: Paused | Resumed) -> None:
        """What the person says belongs to the node that waited for it."""
        if isinstance(event, Resumed) and event.verb and self._paused is not None:
            self._replies.setdefault((self._paused.node, self._paused.step), []).append((self._paused, event))
        self._paused = event if isinstance(event, Paused) else None
