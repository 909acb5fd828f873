"""A plan as cells: each lane's request with nothing left open, each cell's key, and the order in which they are run."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from agents import catalogue
from workbench.backends.base import ModelInfo
from workbench.engine import Engine
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.experiments.model import Cell, Item
from workbench.experiments.plan import Lane, Plan
from workbench.experiments.scorers.unit_tests import whole_tests
from workbench.job import read_options, roles_of
from workbench.request import ModelSettings, RunRequest

BLOCK = 10  # items
UNSCORED: dict[str, Any] = {"score": None, "said": "", "rounds": (), "samples": ()}
UNSCORED |= {"judging_tokens": 0, "judging_calls": 0}
PLACEHOLDER = "?"  # the question while a lane has none

Fields = TypeVar("Fields", bound=BaseModel)


@dataclass(frozen=True)
class LaneBase:
    """What a lane's cells share: the whole request, but for question and seed, and what else decides their answers.

    `roles` is a hash of the machine's prompts as they are used, the built-in ones too; `model_digest` the model's, or
    where its server is when that tells no digest.
    """

    request: dict[str, Any]
    roles: str
    model_digest: str

    @property
    def backend(self) -> str:
        """Where its model is."""
        return str(self.request["backend"])

    def again(self, engine: Engine) -> "LaneBase":
        """What it would be now: the model behind its name or a built-in prompt may have changed.

        Raises InvalidRequest, BackendError.
        """
        request = RunRequest.model_validate(self.request)
        digest = identity(engine.on_loop(engine.backend(request.backend).model(request.model)))
        return LaneBase(self.request, _roles(request), self.model_digest if self.is_model(digest) else digest)

    def is_model(self, digest: str) -> bool:
        """Whether a digest may be its model's: one that is unknown on either side is no other."""
        return not digest or not self.model_digest or digest == self.model_digest

    def of_item(self, item: Item) -> dict[str, Any]:
        """The options that an item decides: what a machine is to be told of it. Raises InvalidRequest that names it."""
        machine, options = catalogue.load(self.request["machine"]), self.request["options"]
        own = read_options(machine, options).of_item(right_answers(item), whole_tests(item))
        try:
            lacking = read_options(machine, {**options, **own}).lacks
        except InvalidRequest as error:
            raise InvalidRequest(f"Item {item.id}: {error.message}", error.hint) from None
        if lacking:
            told = f"Item {item.id} has not what {machine.title} is to be told of it. {lacking}"
            raise InvalidRequest(told, "Or leave the item out.")
        return dict(own)

    def asking(self, question: str, seed: int, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The request of one cell, as plain values; `own` are its item's options."""
        settings = self.request["settings"] | {"seed": seed}
        return self.request | {
            "question": question,
            "settings": settings,
            "options": {**self.request["options"], **(own or {})},
        }

    def key(self, question: str, seed: int, own: Mapping[str, Any] | None = None) -> str:
        """SHA-256 over all that decides the answer, as canonical JSON."""
        asked = {name: value for name, value in self.asking(question, seed, own).items() if name != "suited"}
        asked["settings"] = {name: value for name, value in asked["settings"].items() if name != "alternatives"}
        return _hash({"request": asked, "roles": self.roles, "model_digest": self.model_digest})


class Earlier:
    """The cells that an experiment had before its plan changed: what the same request came to is kept."""

    def __init__(self, cells: Sequence[Cell], items: Sequence[Item], same_scorer: bool, by_person: bool) -> None:
        self.cells: dict[str, list[Cell]] = {}
        for cell in cells:
            self.cells.setdefault(cell.key, []).append(cell)
        self._items, self._same_scorer, self._by_person = items, same_scorer, by_person

    def kept(self, cell: Cell, item: Item) -> Cell:
        """The cell with the answer to its request, and its score where it would be scored alike."""
        known = self.cells.get(cell.key)
        if known is None:
            return cell
        alike = next((one for one in known if self._is_scored_alike(one, item)), None)
        place: dict[str, Any] = {"lane": cell.lane, "item": cell.item, "seed": cell.seed}
        if alike is not None:
            return alike.model_copy(update=place)
        unscored = UNSCORED if known[0].status == "done" else {}
        return known[0].model_copy(update=place | unscored)

    def missing_from(self, cells: Iterable[Cell]) -> int:
        """How many of them have no place among other cells."""
        there = {cell.key for cell in cells}
        return sum(len(known) for key, known in self.cells.items() if key not in there)

    def _is_scored_alike(self, cell: Cell, item: Item) -> bool:
        same_item = cell.item < len(self._items) and self._items[cell.item] == item
        return self._same_scorer and (self._by_person or same_item)


@dataclass
class Work:
    """A run to be done, and the cells that it answers: those with the same key, in all lanes; `ran` once it did run."""

    run_id: str
    cells: list[Cell]
    ran: bool = False

    @property
    def key(self) -> str:
        """The key that its cells share."""
        return self.cells[0].key


def base_of(engine: Engine, plan: Plan, lane: Lane, base: Path | None = None) -> LaneBase:
    """A lane with every default filled in, and its prompts' versions as words. Asks the backend for the model.

    `file:` prompts are seen from `base`. Raises InvalidRequest that names the lane, BackendError.
    """
    try:
        request = engine.resolved(_request(engine, plan, lane, base))
        roles = _roles(request)
    except InvalidRequest as error:
        raise InvalidRequest(f"Lane {lane.name}: {error.message}", error.hint) from None
    model = engine.on_loop(engine.backend(request.backend).model(request.model))
    return LaneBase(request.model_dump(mode="json"), roles, identity(model))


def identity(model: ModelInfo) -> str:
    """What tells a model from another one of its name: its digest, else where it is served."""
    return model.digest or model.place


def _roles(request: RunRequest) -> str:
    """A hash of the prompts that a request runs with. Raises PromptError."""
    roles = roles_of(request)
    return _hash(
        {role: prompt.model_dump(mode="json", include={"template", "examples"}) for role, prompt in roles.items()}
    )


def _request(engine: Engine, plan: Plan, lane: Lane, base: Path | None) -> RunRequest:
    prompts, examples = engine.prompts.resolve(lane.machine, lane.prompts, base)
    settings = _merged(plan.settings, lane.settings, "settings")
    return RunRequest(
        machine=lane.machine,
        question=PLACEHOLDER,
        backend=lane.backend or plan.backend or engine.settings.backend,
        model=lane.model or plan.model,
        options=lane.options,
        settings=settings.model_copy(update={"seed": plan.seeds[0]}),
        limits=_merged(plan.limits, lane.limits, "limits"),
        prompts=prompts,
        examples=examples,
    )


def _merged(values: Fields, other: Mapping[str, Any], what: str) -> Fields:
    """The values with some fields replaced. Raises InvalidRequest that names the field."""
    try:
        return type(values).model_validate({**values.model_dump(), **other})
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join([what, *map(str, problem["loc"])])
        known = ", ".join(type(values).model_fields)
        raise InvalidRequest(f"{place}: {problem['msg']}.", f"The fields of {what} are: {known}.") from None


def explicit(plan: Plan, bases: Sequence[LaneBase]) -> Plan:
    """The plan with each lane's backend and model named."""
    named = [(base.backend, str(base.request["model"])) for base in bases]
    lanes = tuple(
        lane.model_copy(update={"backend": backend, "model": model})
        for lane, (backend, model) in zip(plan.lanes, named, strict=True)
    )
    return plan.model_copy(update={"lanes": lanes})


def cells_of(plan: Plan, bases: Sequence[LaneBase], items: Sequence[Item]) -> list[Cell]:
    """Every cell of a plan, waiting. Those with the same key share a run, whose id is chosen here.

    The id is chosen before anything runs, so that whoever goes on after a crash finds what had begun. Raises
    InvalidRequest for a question or a seed that cannot be asked, and for an item without what a lane is to be told of.
    """
    runs: dict[str, str] = {}
    found = []
    for seed in plan.seeds:
        _merged(ModelSettings(), {"seed": seed}, "seeds")
    for number, item in enumerate(items):
        _check_question(item)
        for lane, (base, described) in enumerate(zip(bases, plan.lanes, strict=True)):
            feedback, own = catalogue.load(described.machine).feedback, base.of_item(item)
            for seed in plan.seeds:
                key = base.key(item.asked.strip(), seed, own)
                run_id = runs.setdefault(key, new_run_id())
                found.append(Cell(lane=lane, item=number, seed=seed, key=key, run_id=run_id, feedback=feedback))
    return found


def right_answers(item: Item) -> tuple[str, ...]:
    """The item's answer and its aliases, and with choices their letters and texts.

    An answer that a choice has as its text is that text, though it be another choice's letter.
    """
    told = [text for text in (item.answer, *item.aliases) if text.strip()]
    letters, right = {text for text in told if text not in item.choices}, list(told)
    for number, choice in enumerate(item.choices):
        letter = chr(ord("A") + number)
        if letter in letters or choice in told:
            right += [letter, choice, f"{letter}. {choice}"]
    return tuple(dict.fromkeys(right))


def _check_question(item: Item) -> None:
    try:
        RunRequest(machine="", question=item.asked, backend="", model="")
    except ValidationError as error:
        raise InvalidRequest(f"Item {item.id}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def new_run_id() -> str:
    """A run's id."""
    return uuid4().hex[:12]


def in_order(cells: Iterable[Cell], bases: Sequence[LaneBase]) -> dict[str, list[Work]]:
    """The work of each backend, in the order in which it is done.

    Ten items at a time, and in these one lane after the other: a backend's prompt cache finds the lane's system prompt
    again at nine of ten cells, and yet every lane has results early and they grow alike. The seeds of an item follow
    each other, since they share the whole prompt.
    """
    found: dict[str, dict[str, Work]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.item // BLOCK, cell.lane, cell.item, cell.seed)):
        works = found.setdefault(bases[cell.lane].backend, {})
        works.setdefault(cell.key, Work(cell.run_id, [])).cells.append(cell)
    return {backend: list(works.values()) for backend, works in found.items()}


def describe(error: WorkbenchError) -> str:
    """An error in a line: what was wrong, and what to do."""
    return f"{error.message} {error.hint}".strip()


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
