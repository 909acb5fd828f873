"""Import: a bundle is read and checked whole, then entered at once; nothing in it is run, and no id of it is ours."""

import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Literal, cast, get_args
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from agents import catalogue
from agents.contract import Role
from workbench import __version__
from workbench.carry import archive, leaving
from workbench.carry.arriving_experiment import read_experiment
from workbench.carry.records import (
    MOST_RUNS,
    Contents,
    Imported,
    ListedRun,
    PromptRecord,
    RunRecord,
    RunSummary,
    newer,
)
from workbench.errors import BundleError
from workbench.events import (
    AnyEvent,
    CallFailed,
    Card,
    Loading,
    ModelAnswered,
    ModelCalled,
    Resumed,
    RunStarted,
    ToolAnswered,
    ToolCalled,
    Unknown,
    from_dict,
)
from workbench.prompts import Prompt
from workbench.request import Limits, RunRequest
from workbench.store import experiments, foreign, foreign_experiment
from workbench.store.foreign import LARGEST, Arrival
from workbench.store.foreign_experiment import ExperimentArrival
from workbench.store.runs import RunStore

BELONGS = "import:"
ELSEWHERE = "@import"  # marks the id of a run that is not here, so that it is not taken for one of ours
LONGEST_RUN = 1e8  # seconds
LONGEST_SHOWN = 1_000  # characters of a question and an answer before they are taken in
LARGEST_DOWNLOAD = 2**53 - 1  # bytes
COUNTED = ("round", "sample", "trial")  # in a card's data; and its votes
MOST_NODES, MOST_EDGES = 200, 1_000
MOST_LOGPROB = 0.01  # of what is certain 0, up to rounding
MOST_TOKENS = 200_000  # of one answer
MOST_ALTERNATIVES = 20  # of one token; no server tells more
MOST_TOKEN = 10_000  # characters of one token
MAY_BE_INFINITE = {"mean_logprob", "perplexity"}  # a token may have the probability 0
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass
class Shipment:
    """A bundle that was read to its end and found sound."""

    manifest: archive.Manifest
    arrivals: list[Arrival]
    summaries: list[RunSummary]
    unknown: dict[str, int] = field(default_factory=dict)  # kinds of events that this version does not know
    experiment: ExperimentArrival | None = None

    @property
    def belongs(self) -> str:
        """What its runs belong to once they are here: their experiment, or the import."""
        digest = self.manifest.digest
        return experiments.belongs(digest[:12]) if self.manifest.kind == "experiment" else f"{BELONGS}{digest[:16]}"

    def contents(self, store: RunStore | None) -> Contents:
        """What a person is told of it, and what of it is in the store."""
        known = foreign.known(store.database, self.belongs) if store else {}
        arrived = self.experiment
        return Contents(
            kind=cast(Literal["run", "experiment"], self.manifest.kind),
            program=self.manifest.program,
            created_at=self.manifest.created_at,
            libraries=self.manifest.libraries,
            digest=self.manifest.digest,
            runs=tuple(self.summaries),
            notes=tuple(self._notes()),
            present={run.id: known[run.id] for run in self.summaries if run.id in known},
            experiment=arrived.plan.name if arrived else "",
            experiment_here=foreign_experiment.known(store.database, arrived.id) if store and arrived else "",
            items=len(arrived.items) if arrived else 0,
            cells=len(arrived.cells) if arrived else 0,
        )

    def _notes(self) -> Iterator[str]:
        if newer(self.manifest.program, __version__):
            yield (
                f"It was made by Second Thought {self.manifest.program[:40]}; this is {__version__}."
                " What this version does not know is kept and not shown."
            )
        for kind, count in sorted(self.unknown.items()):
            yield f"{count:,} events of the kind {kind} are not known here: they are kept and not shown."
        for machine in sorted({run.machine for run in self.summaries} - set(catalogue.MACHINES)):
            yield f"There is no machine {machine[:64]!r} here: its runs can be replayed, but not run again."
        if cut := sum(run.status == "interrupted" for run in self.summaries):
            yield f"{cut:,} of its runs had not ended when they were exported: they count as interrupted here."


def inspect(file: IO[bytes], store: RunStore | None = None) -> Contents:
    """What a bundle holds, after all of it has been checked; nothing is kept. Raises BundleError."""
    return _read(file, store).contents(store)


def import_bundle(store: RunStore, file: IO[bytes]) -> Imported:
    """Take a bundle in, all of it or nothing.

    Of one that was taken in before those runs are entered that have been deleted since; an experiment that is here
    still is left as it is. Raises BundleError, StoreError.
    """
    shipment = _read(file, store)
    taken = foreign.take_in(store.database, shipment.belongs, shipment.arrivals, shipment.experiment)
    contents = shipment.contents(store)
    return Imported(tuple(contents.present.values()), not taken, contents)


def _read(file: IO[bytes], store: RunStore | None) -> Shipment:
    with archive.reading(file) as bundle:
        records = _records(bundle)
        texts = _texts(bundle)
        shipment = Shipment(bundle.manifest, [], [])
        here = foreign.known(store.database, shipment.belongs) if store else {}
        ids = {record.id: here.get(record.id) or uuid4().hex[:12] for record in records}
        logs, size = _logs(bundle), 0
        for record in records:
            log = _Log(record, ids, texts, shipment.unknown)
            for event in next(logs, ()):
                log.take(event)
            shipment.summaries.append(log.end())
            shipment.arrivals.append(log.arrival)
            size += log.arrival.log.size  # with the prompts that it is given
            if size > archive.MOST_BYTES:
                raise BundleError("The logs in the bundle become too large here.", "Export less at once.")
        if next(logs, None) is not None:
            raise BundleError("There are events in the bundle of a run that it does not list.")
        if bundle.manifest.kind == "experiment":
            shipment.experiment = read_experiment(bundle, ids)
        return shipment


def _records(bundle: archive.Reader) -> list[ListedRun]:
    records: list[ListedRun] = []
    for data in bundle.lines(archive.RUNS):
        records.append(_listed(data, len(records) + 1))
        if len(records) > MOST_RUNS:
            raise BundleError(f"It has more than {MOST_RUNS:,} runs.", "Export less at once.")
    alone = bundle.manifest.kind == "run"
    if (alone and not records) or len({record.id for record in records}) < len(records):
        raise BundleError("The bundle lists no run, or one of them twice.")
    return records


def _listed(data: Any, number: int) -> ListedRun:
    try:
        record = RunRecord.model_validate(data)
    except ValidationError as error:
        raise archive.explain(error, f"Run {number}") from None
    _request(record.request, record.id, record.version)
    digest, version = record.model_digest[:64], record.version[:40]
    return ListedRun(record.id, _digest(record.request), digest, version, record.verdict)


def _request(data: dict[str, Any], run_id: str, version: str) -> RunRequest:
    try:
        return RunRequest.model_validate(data)
    except ValidationError as error:
        raise archive.unreadable(error, run_id, version) from None


def _digest(request: dict[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()


class _Texts:
    """The prompts by their digests, packed small: few of them are other ones than ours."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def keep(self, prompt: Prompt) -> None:
        self._packed[prompt.digest] = zlib.compress(prompt.model_dump_json().encode(), 1)

    def __contains__(self, digest: str) -> bool:
        return digest in self._packed

    def __getitem__(self, digest: str) -> Prompt:
        return Prompt.model_validate_json(zlib.decompress(self._packed[digest]))


def _texts(bundle: archive.Reader) -> _Texts:
    """The prompts by their digests, which are computed anew."""
    texts = _Texts()
    for data in bundle.lines(archive.PROMPTS):
        try:
            record = PromptRecord.model_validate(data)
        except ValidationError as error:
            raise archive.explain(error, "A prompt") from None
        if record.prompt.digest != record.digest:
            raise BundleError(f"The prompt of {record.role[:64]} in the bundle is not the one that its digest names.")
        texts.keep(record.prompt)
    return texts


def _logs(bundle: archive.Reader) -> Iterator[Iterable[AnyEvent]]:
    """Each run's events, as the bundle has them one after the other; a log begins with number 0."""
    events = map(_event, bundle.lines(archive.EVENTS))
    held: list[AnyEvent] = []

    def one() -> Iterator[AnyEvent]:
        yield held.pop()
        for event in events:
            if event.seq == 0:
                held.append(event)
                return
            yield event

    held.extend(event for event in [next(events, None)] if event is not None)
    while held:
        yield one()


def _event(data: Any) -> AnyEvent:
    """An event, or one of a kind that is not known here, kept as it is. Raises BundleError."""
    try:
        event = from_dict(data)
    except ValidationError as error:
        raise archive.explain(error, "An event") from None
    if not _KIND.fullmatch(event.kind):
        raise BundleError("An event in the bundle has a kind that is no name.")
    return event


def _numbers(data: BaseModel) -> Iterator[tuple[str, int | float]]:
    """The numbers of an event or of a part of one, by their names."""
    for name, value in vars(data).items():
        if isinstance(value, int | float):
            yield name, value
        elif isinstance(value, BaseModel):
            yield from _numbers(value)
        elif isinstance(value, tuple):
            yield from (found for one in value if isinstance(one, BaseModel) for found in _numbers(one))


def _counts(data: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The whole numbers in a card's data that are counted with."""
    votes = data.get("votes")
    counted = [("votes", value) for value in votes.values()] if isinstance(votes, dict) else []
    counted += [(name, data.get(name)) for name in COUNTED]
    yield from ((name, value) for name, value in counted if isinstance(value, int))


def _is_number(value: int | float, name: str, largest: int) -> bool:
    """Whether it can be stored, added up and shown."""
    if isinstance(value, int):
        return 0 <= value <= largest
    return math.isfinite(value) or name in MAY_BE_INFINITE


class _Log:
    """A run's log while it is checked, event by event, and given its new ids."""

    def __init__(self, record: ListedRun, ids: Mapping[str, str], texts: _Texts, unknown: dict[str, int]) -> None:
        self.arrival = Arrival(ids[record.id], record.id, record.verdict)
        self._record, self._ids, self._texts, self._unknown = record, ids, texts, unknown
        self._count, self._at = 0, 0.0
        self._inherited = 0
        self._open: set[str] = set()

    def take(self, event: AnyEvent) -> None:
        """The next event. Raises BundleError when it cannot be the next one of this log."""
        if event.run_id != self._record.id:
            raise self._wrong("holds an event of another run, or the bundle's logs are in another order")
        if event.seq != self._count:
            raise self._wrong(f"goes from event {self._count - 1} to {event.seq}")
        if (event.seq == 0) != isinstance(event, RunStarted):
            raise self._wrong("does not begin with its beginning, and with it alone")
        if not self._at <= event.at <= LONGEST_RUN:  # false for what is no number, too
            raise self._wrong(f"has a wrong time at event {event.seq}")
        self._check_numbers(event)
        self._check_meaning(event)
        self._count, self._at = self._count + 1, event.at
        self.arrival.take(self._renamed(event))

    def end(self) -> RunSummary:
        """The run as it is shown before it is taken in. Raises BundleError for a log that is empty or cut."""
        if self._count == 0:
            raise self._wrong("is empty")
        if self._inherited >= self._count:
            raise self._wrong("is shorter than what it inherits")
        row = self.arrival.settled("")
        self.arrival.pack()
        shown = ("created_at", "status", "machine", "backend", "model", "question", "answer", "verdict")
        names = {name: row[name][:LONGEST_SHOWN] for name in shown}
        return RunSummary(id=self._record.id, model_digest=self._record.model_digest, events=self._count, **names)

    def _wrong(self, what: str) -> BundleError:
        return BundleError(f"The log of run {self._record.id} in the bundle {what}.")

    def _check_numbers(self, event: AnyEvent) -> None:
        """What is no number, or a count beyond all measure, would break whatever adds or shows it."""
        largest = LARGEST_DOWNLOAD if isinstance(event, Loading) else LARGEST
        counted = _counts(event.data) if isinstance(event, Card) else ()
        for name, value in (*_numbers(event), *counted):
            if not _is_number(value, name, largest):
                raise self._wrong(f"has no number as {name} of event {event.seq}")
        if isinstance(event, ModelAnswered):
            self._check_tokens(event)

    def _check_tokens(self, event: ModelAnswered) -> None:
        """Probabilities are none above 1; more tokens, or longer ones, than an answer can have would fill the page."""
        logs = [event.mean_logprob or 0.0, *(token.logprob for token in event.lowest_tokens)]
        logs += [value for token in event.tokens for value in (token.logprob, *(other for _, other in token.top))]
        if not all(value <= MOST_LOGPROB for value in logs):
            raise self._wrong(f"has a probability above 1 at event {event.seq}")
        texts = [text for token in event.tokens for text in (token.text, *(other for other, _ in token.top))]
        if len(event.tokens) > MOST_TOKENS or any(len(token.top) > MOST_ALTERNATIVES for token in event.tokens):
            raise self._wrong(f"has more tokens at event {event.seq} than an answer can have")
        if any(len(text) > MOST_TOKEN for text in texts):
            raise self._wrong(f"has a token at event {event.seq} that is longer than any")

    def _check_meaning(self, event: AnyEvent) -> None:
        """Whatever is answered was asked before, and is answered once; what is read again when it goes on can be."""
        match event:
            case ModelCalled(call_id=name) | ToolCalled(tool_id=name):
                self._open.add(name)
            case ModelAnswered(call_id=name) | CallFailed(call_id=name) | ToolAnswered(tool_id=name):
                if name not in self._open:
                    raise self._wrong(f"answers at event {event.seq} what was not asked")
                self._open.discard(name)
            case Resumed():
                self._check_limits(event)
            case Unknown(kind=kind):
                self._unknown[kind] = self._unknown.get(kind, 0) + 1

    def _check_limits(self, event: Resumed) -> None:
        try:
            Limits.model_validate(event.limits)
        except ValidationError as error:
            raise archive.explain(error, f"Event {event.seq} of run {self._record.id}") from None

    def _renamed(self, event: AnyEvent) -> AnyEvent:
        """The event under the run's new id; at the beginning with the new ids of its relatives too."""
        update: dict[str, Any] = {"run_id": self.arrival.id}
        if isinstance(event, Unknown):
            update["payload"] = event.payload | update
        elif isinstance(event, Resumed) and event.resumed_at:
            update["resumed_at"] = self._moment(event.resumed_at)
        elif isinstance(event, RunStarted):
            self._check_beginning(event)
            update |= {
                "request": self._request(event),
                "parent_run": self._relative(event.parent_run) if event.parent_run else None,
                "created_at": self._moment(event.created_at),
            }
        return event.model_copy(update=update)

    def _check_beginning(self, event: RunStarted) -> None:
        self._inherited = event.inherited
        if _digest(event.request) != self._record.asked:
            raise self._wrong("was asked for something else than the bundle's list says")
        if any(node.role not in get_args(Role) for node in event.graph.nodes):
            raise self._wrong("gives a node a role that there is not")
        if len(event.graph.nodes) > MOST_NODES or len(event.graph.edges) > MOST_EDGES:
            raise self._wrong("has a state machine that is too large to be drawn")
        if event.parent_run and event.parent_run != self._record.id:
            self.arrival.parent = self._ids.get(event.parent_run, "")

    def _request(self, event: RunStarted) -> dict[str, Any]:
        """The request with the ids of its thread's runs, and with the prompts that it ran with where ours are others.

        Run again here it is filled from the same templates.
        """
        request = _request(event.request, self._record.id, self._record.version)
        history = tuple(one.model_copy(update={"run": self._ids.get(one.run, "")}) for one in request.history)
        here = leaving.roles(event)
        theirs = {
            role: self._texts[digest]
            for role, digest in event.prompts.items()
            if digest in self._texts and role in here and here[role].digest != digest
        }
        prompts = request.prompts | {role: prompt.template for role, prompt in theirs.items()}
        examples = request.examples | {role: prompt.examples for role, prompt in theirs.items()}
        changed = request.model_copy(update={"history": history, "prompts": prompts, "examples": examples})
        return changed.model_dump(mode="json")

    def _relative(self, run_id: str) -> str:
        return self._ids.get(run_id, f"{run_id[:48]}{ELSEWHERE}")

    def _moment(self, text: str) -> str:
        return archive.moment(text, f"Run {self._record.id}")
