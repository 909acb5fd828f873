"""Recorded real runs, two for each machine, one that goes right and one that goes wrong: replayed with no model."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from workbench.carry import arriving
from workbench.store.runs import RunStore

FOLDER = Path(__file__).parent
INDEX = FOLDER / "recordings.yaml"


class Recording(BaseModel):
    """A recorded run: what was asked, what the right answer is, what came out, and what to see in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    outcome: Literal["right", "wrong"]
    question: str
    gold: str
    answer: str
    model: str
    recorded: str
    why: str = ""

    @property
    def file(self) -> Path:
        """The run as a bundle."""
        return FOLDER / f"{self.machine}-{self.outcome}.zip"


@cache
def recordings() -> tuple[Recording, ...]:
    """All of them, in the order of the machines."""
    return tuple(Recording.model_validate(entry) for entry in yaml.safe_load(INDEX.read_text(encoding="utf-8")))


def of(machine: str) -> tuple[Recording, ...]:
    """A machine's recordings."""
    return tuple(one for one in recordings() if one.machine == machine)


def keep(store: RunStore, recording: Recording) -> str:
    """The recording as a run of this store, taken in when it is not there yet; its id. Raises StoreError."""
    with recording.file.open("rb") as file:
        (run_id,) = arriving.import_bundle(store, file).run_ids
    return run_id
