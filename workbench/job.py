"""A run to be done: what is asked for, read from requests and logs, and what its log says when it begins or goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from agents.contract import Machine, Options
from workbench import __version__, prompts
from workbench.backends.base import ModelInfo
from workbench.errors import InvalidRequest
from workbench.events import AnyEvent, Paused, Resumed, RunStarted, RunView, Warned
from workbench.fork import Origin
from workbench.log import RunLog
from workbench.recorder import graph_of
from workbench.request import MAX_HISTORY, Exchange, Limits, Reply, RunRequest

ASKED = ("run_started", "resumed")  # the kinds of events that say what a run is asked for


@dataclass(frozen=True)
class Job:
    """A run to be done: its log, and what its Resumed event says if it goes on (None: it begins).

    `origin` is where a run that begins comes from, `session` who waits for it. `model` is what the backend says of the
    model, where it has been asked just now.
    """

    log: RunLog
    machine: Machine
    options: Options
    request: RunRequest
    resumed: dict[str, Any] | None = None
    origin: Origin | None = None
    session: str = ""
    model: ModelInfo | None = None


def read_options(machine: Machine, values: dict[str, Any]) -> Options:
    """The machine's options from plain values. Raises InvalidRequest that names the option and what it may be."""
    try:
        return machine.options.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        if not problem["loc"]:
            said = problem["msg"].removeprefix("Value error, ").rstrip(".")
            raise InvalidRequest(f"The options of {machine.title} contradict each other: {said}.") from None
        name = str(problem["loc"][0])
        known = ", ".join(machine.options.model_fields)
        if problem["type"] == "extra_forbidden":
            raise InvalidRequest(f"{machine.title} has no option {name!r}.", f"It has: {known}.") from None
        raise InvalidRequest(f"The option {name} of {machine.title} cannot be used: {problem['msg']}.") from None


def begins_anew(job: Job) -> bool:
    """Whether the run has no step behind it: neither of its own nor of another run."""
    return job.resumed is None and not (job.origin and job.origin.checkpoint_id)


def begun(events: Sequence[AnyEvent]) -> RunStarted:
    """How the run began. Raises InvalidRequest for an empty log."""
    for event in events:
        if isinstance(event, RunStarted):
            return event
    raise InvalidRequest("Nothing of this run was kept.", "Ask its question again.")


def first_request(events: Sequence[AnyEvent]) -> RunRequest:
    """What the run was asked for when it began. Raises InvalidRequest for an empty log."""
    return RunRequest.model_validate(begun(events).request)


def last_request(events: Sequence[AnyEvent]) -> RunRequest:
    """What the run was asked for, with the limits as they were last set. Raises InvalidRequest for an empty log."""
    request = first_request(events)
    for event in events:
        if isinstance(event, Resumed) and event.limits:
            request = request.model_copy(update={"limits": Limits.model_validate(event.limits)})
    return request


def thread(events: Sequence[AnyEvent]) -> tuple[Exchange, ...]:
    """The exchanges up to and with this run's, oldest first. Raises InvalidRequest when it has no answer."""
    request, end = first_request(events), RunView.of(events).finished
    if end is None or not end.answer or end.status not in ("answered", "limit"):
        raise InvalidRequest("This run has no answer to go on from.", "Resume it, or ask in a new run.")
    return (*request.history, Exchange(question=request.question, answer=end.answer, run=end.run_id))[-MAX_HISTORY:]


def heard(paused: Paused | None, reply: Reply | None) -> dict[str, Any]:
    """What the Resumed event says of a reply. Raises InvalidRequest when it is no reply to what was asked."""
    if reply is None:
        return {}
    if paused is None:
        raise InvalidRequest("This run does not wait for you.", "Resume it without a reply.")
    if reply.to not in (None, paused.seq):
        raise InvalidRequest("This run waits for something else by now.", "Look at it again.")
    if reply.verb == "edit" and (reply.arguments is None if paused.tool else not reply.text.strip()):
        what = "the tool's arguments" if paused.tool else "the last message"
        raise InvalidRequest(f"Here {what} can be edited.", "Give that, or approve it as it is.")
    return {"node": paused.node, **reply.model_dump(exclude={"to"})}


def roles_of(request: RunRequest) -> dict[str, prompts.Prompt]:
    """The prompts that a request runs with. Raises PromptError."""
    return prompts.replaced(prompts.load(request.machine).roles, request.prompts, request.examples)


def say_started(job: Job, model: ModelInfo, digests: Mapping[str, str]) -> None:
    """The whole request, and all that would be needed to run it again. `digests` are those of the roles' prompts."""
    origin = job.origin or Origin("", "")
    job.log.emit(
        RunStarted,
        request=job.request.model_dump(mode="json"),
        machine_title=job.machine.title,
        graph=graph_of(job.machine),
        created_at=now(),
        model_digest=model.digest,
        context_window=job.request.settings.context_window or model.context_window,
        prompts=digests,
        version=__version__,
        parent_run=origin.run or None,
        parent_seq=origin.seq,
        relation=origin.relation,
        inherited=len(origin.inherited),
        edited=origin.edited,
    )
    job.log.inherit(origin.inherited)
    if job.request.settings.logprobs and model.why_no_logprobs:
        say(job.log, "logprobs_missing", f"Confidence is not shown: {model.why_no_logprobs}")
    if origin.from_elsewhere:
        _say_from_elsewhere(job.log)
    if origin.relation == "reproduce" and (doubt := doubt_of(job.request, model)):
        say(job.log, "seed_not_promised", doubt)


def _say_from_elsewhere(log: RunLog) -> None:
    """The run repeats an imported fork, and cannot leave its parent where that one did."""
    cause = "The run that this one repeats is a fork that was imported, and the state that it left stayed elsewhere."
    say(log, "fork_from_elsewhere", f"{cause} This one begins at the start; nothing in its state was edited.")


def doubt_of(request: RunRequest, model: ModelInfo) -> str:
    """Why the same request may give other tokens; empty where it gives the same."""
    if "seed" not in model.capabilities:
        return "This backend knows no seed: a difference may be chance."
    return "" if "exact" in model.capabilities and not request.settings.prompt_cache else model.why_not_the_same


def say_resumed(job: Job, model: ModelInfo, digests: Mapping[str, str]) -> None:
    """The run goes on; what is not as it was when it began is said."""
    job.log.emit(Resumed, resumed_at=now(), **(job.resumed or {}))
    started = begun(job.log.events)
    told = {event.code for event in job.log.events if isinstance(event, Warned)}
    # A role that this run did not know when it began is not one of its words.
    other = any(digests.get(role) != digest for role, digest in started.prompts.items())
    if other and "prompts_changed" not in told:
        say(job.log, "prompts_changed", "The prompts have changed since this run began.")
    changed = started.model_digest and model.digest and started.model_digest != model.digest
    if changed and "model_changed" not in told:
        say(job.log, "model_changed", "The model behind this name has changed since this run began.")


def say(log: RunLog, code: str, message: str) -> None:
    """Tell the person something about the run."""
    log.emit(Warned, code=code, message=message)


def now() -> str:
    """This moment in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
