"""The records of a bundle's members, and what a person is told of a bundle before it is taken in."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.experiments.plan import Plan
from workbench.prompts import Prompt
from workbench.request import Example, RunRequest
from workbench.store.runs import Verdict

MOST_RUNS = 20_000
MOST_CELLS, MOST_ITEMS = 200_000, 100_000
RUN_ID = "^[A-Za-z0-9_.-]{1,64}$"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunRecord(_Frozen):
    """A run as the bundle lists it; its log is what counts. `version` is that of the program which ran it."""

    id: str = Field(pattern=RUN_ID)
    request: dict[str, Any]
    model_digest: str = ""
    version: str = ""
    verdict: Verdict = ""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """What is kept of a RunRecord until the run's log is read: of its request a digest, all of it is in the log."""

    id: str
    asked: bytes
    model_digest: str
    version: str
    verdict: Verdict


class PromptRecord(_Frozen):
    """The text behind the digest of a prompt that a run of the bundle used."""

    digest: str
    machine: str
    role: str
    template: str
    variables: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def prompt(self) -> Prompt:
        """The prompt as the library knows it."""
        return Prompt(template=self.template, variables=self.variables, examples=self.examples)


class LaneRecord(_Frozen):
    """What a lane's cells share: the request without its question, and what else decides their answers."""

    model_config = ConfigDict(frozen=True, extra="allow")

    request: RunRequest


class ExperimentRecord(_Frozen):
    """An experiment: its plan, its lanes with every default filled in, and the digest of its data set."""

    name: str
    created_at: str
    plan: Plan
    lanes: tuple[LaneRecord, ...]
    dataset: str
    dataset_name: str = ""


@dataclass(frozen=True)
class RunSummary:
    """A run of a bundle as it is shown before it is taken in; `status` is the one that it will have."""

    id: str
    created_at: str
    status: str
    machine: str
    backend: str
    model: str
    model_digest: str
    question: str
    answer: str
    events: int
    verdict: str = ""


@dataclass(frozen=True)
class Contents:
    """What a bundle holds. `notes` are sentences that a person should read before they take it in.

    `present` are its runs that are here already: id there -> id here. `experiment` is the name of the experiment, empty
    for runs, and `experiment_here` the name that it has here, if it is here already: then its runs do not count.
    """

    kind: Literal["run", "experiment"]
    program: str
    created_at: str
    libraries: dict[str, str]
    digest: str
    runs: tuple[RunSummary, ...]
    notes: tuple[str, ...] = ()
    present: dict[str, str] = field(default_factory=dict)
    experiment: str = ""
    experiment_here: str = ""
    items: int = 0
    cells: int = 0

    @property
    def is_here(self) -> bool:
        """Whether there is nothing left to import: its experiment is here, or all of its runs are."""
        return bool(self.experiment_here) if self.kind == "experiment" else len(self.present) == len(self.runs)


@dataclass(frozen=True)
class Imported:
    """What became of an import: the runs' ids here, in the bundle's order; `already` when all was here before."""

    run_ids: tuple[str, ...]
    already: bool
    contents: Contents


def newer(version: str, than: str) -> bool:
    """Whether one version of the program is newer than another."""
    one, other = ([int(part) for part in re.findall(r"\d+", text)[:3]] for text in (version[:40], than))
    return one > other
