"""Where a run comes from: the place in another's log and checkpoints at which it leaves, and what it takes along."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, get_origin, get_type_hints

from langchain_core.messages import AnyMessage, BaseMessage, convert_to_messages, convert_to_openai_messages
from pydantic import ConfigDict, TypeAdapter, ValidationError

from agents.contract import Machine
from workbench.errors import InvalidRequest
from workbench.events import (
    AnyEvent,
    Card,
    Decision,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    Relation,
    Retried,
    RunStarted,
    Summarised,
    ToolAnswered,
    ToolCalled,
    Warned,
)
from workbench.request import RunRequest

# What is said when a run begins or goes on: a fork is told what holds for itself.
OF_THE_RUN = frozenset(
    {"logprobs_missing", "seed_not_promised", "prompts_changed", "model_changed", "fork_from_elsewhere"}
    | {"prompt_near_window", "context_filling"}
)


@dataclass(frozen=True)
class ForkPoint:
    """A place between two steps of a run, `at` in its log: the nodes `done` last and `due` next, and the state there.

    Step 0 is before the first. The state is plain JSON; messages are dicts in OpenAI's form.
    """

    at: int
    step: int
    done: tuple[str, ...]
    due: tuple[str, ...]
    state: dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Where a run comes from. A fork leaves `request` at `seq`, with its parent's events and checkpoint up to there.

    `edited` is what the person changed in the state, as plain JSON. With `from_elsewhere` the run repeats an imported
    fork from its start: the checkpoint at which that one left is not here.
    """

    run: str
    relation: Relation
    seq: int | None = None
    request: RunRequest | None = None
    inherited: Sequence[AnyEvent] = ()
    thread: str = ""
    checkpoint_id: str = ""
    edited: dict[str, Any] = field(default_factory=dict)
    from_elsewhere: bool = False


def last_step(events: Iterable[AnyEvent], at: int) -> list[NodeFinished]:
    """The nodes that ended together in the last step that was finished at `at`; empty before the first."""
    kept = [event for event in events if isinstance(event, NodeFinished) and event.checkpoint_id]
    before = [event for event in kept if event.seq <= at]
    return [event for event in kept if event.checkpoint_id == before[-1].checkpoint_id] if before else []


def inherited(events: Sequence[AnyEvent], at: int) -> list[AnyEvent]:
    """What a fork at `at` takes over from its parent's log: what led to the state there, each thing once.

    How it was streamed stays behind, and so do attempts that came to nothing and what was said to a waiting run.
    """
    before = [event for event in events if event.seq <= at]
    answered = {event.call_id for event in before if isinstance(event, ModelAnswered)}
    answered |= {event.tool_id for event in before if isinstance(event, ToolAnswered)}
    visited: set[tuple[str, int]] = set()
    taken: list[AnyEvent] = []
    for event in before:
        match event:
            case NodeStarted() if (event.node, event.step) not in visited:
                visited.add((event.node, event.step))
                taken.append(event.model_copy(update={"attempt": 1}))
            case ModelCalled() | ModelAnswered() | Retried() if event.call_id in answered:
                taken.append(event)
            case ToolCalled() | ToolAnswered() if event.tool_id in answered:
                taken.append(event)
            case Card() | Decision() | NodeFinished() | Summarised():
                taken.append(event)
            case Warned() if event.code not in OF_THE_RUN:
                taken.append(event)
    return taken


def steps_inherited(events: Iterable[AnyEvent]) -> int:
    """The supersteps that a run took over: they do not count against its limit."""
    most, steps = 0, 0
    for event in events:
        if isinstance(event, RunStarted):
            most = event.last_inherited
        elif isinstance(event, NodeFinished) and event.seq <= most:
            steps = max(steps, event.step)
    return steps


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A machine's state as JSON data."""
    return {name: _plain(value) for name, value in values.items()}


def read_state(machine: Machine, state: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of a machine's state, from JSON data. Raises InvalidRequest that names the key and what is wrong."""
    hints = get_type_hints(machine.build().state_schema, include_extras=True)
    kinds = {name: hint.__origin__ if get_origin(hint) is Annotated else hint for name, hint in hints.items()}
    read: dict[str, Any] = {}
    for name, value in state.items():
        if name not in kinds:
            known = ", ".join(kinds)
            raise InvalidRequest(f"The state of {machine.title} has no {name!r}.", f"It has: {known}.")
        try:
            read[name] = _messages(value) if kinds[name] == list[AnyMessage] else _checked(kinds[name], value)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise InvalidRequest(f"The state's {name} cannot be used: {_sentence(error)}") from None
    return read


def rebased(values: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What changes in a state whose run would have begun with `after` instead of `before`: other prompts, for example.

    A list that still begins as the run began gets the new beginning, or of one as long those items that are untouched;
    any other value is replaced where it is untouched.
    """
    changed: dict[str, Any] = {}
    for name, old in before.items():
        new, now = after.get(name), values.get(name)
        if name not in after or _plain(new) == _plain(old):
            continue
        if isinstance(old, list) and isinstance(now, list):
            changed[name] = _rebased_list(now, old, after[name])
        elif _plain(now) == _plain(old):
            changed[name] = new
    return {name: value for name, value in changed.items() if _plain(value) != _plain(values.get(name))}


def _rebased_list(now: list[Any], old: list[Any], new: list[Any]) -> list[Any]:
    begun, rest = now[: len(old)], now[len(old) :]
    if _plain(begun) == _plain(old):
        return [*new, *rest]
    if len(new) != len(old):
        return now
    kept = [
        theirs if _plain(item) == _plain(ours) else item for item, ours, theirs in zip(begun, old, new, strict=False)
    ]
    return [*kept, *rest]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseMessage):
        return convert_to_openai_messages(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _messages(value: Any) -> list[BaseMessage]:
    if not isinstance(value, list) or not all(isinstance(item, dict) and item.get("role") for item in value):
        raise ValueError("it is a list of messages, each with a role and its content.")
    try:
        return convert_to_messages(value)
    except KeyError as error:
        raise ValueError(f"a message lacks its {error.args[0]}.") from None


def _checked(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        return f"{place}: {problem['msg']}." if place else f"{problem['msg']}."
    return str(error).splitlines()[0]
