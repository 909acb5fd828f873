"""What an experiment is: a data set, a scorer, lanes and seeds, as a YAML file says it."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workbench.errors import InvalidRequest
from workbench.request import Limits, ModelSettings

MOST_LANES = 12
MOST_SEEDS = 100


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScorerChoice(_Strict):
    """A scorer and its settings."""

    name: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Lane(_Strict):
    """One way to answer: a machine with its options, on a model, with versions of its prompts.

    Empty model and backend are the plan's. `prompts` maps a role to a version: its number, its name, `built-in`, or
    `file:PATH`. `settings` and `limits` replace single fields of the plan's.
    """

    name: str = Field(min_length=1, max_length=80)
    machine: str
    options: dict[str, Any] = Field(default_factory=dict)
    model: str = ""
    backend: str = ""
    prompts: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Any] = Field(default_factory=dict)

    @field_validator("prompts", mode="before")
    @classmethod
    def _numbers_too(cls, value: Any) -> Any:
        return {role: str(ref) for role, ref in value.items()} if isinstance(value, dict) else value


class PlanSettings(ModelSettings):
    """How the models of an experiment are asked: its runs are many, and keep no alternatives unless told to."""

    alternatives: int = Field(0, ge=0, le=10, description="Likely others kept beside each token; 0 keeps none.")


class Plan(_Strict):
    """A whole experiment. `dataset` is a path, a shipped set's name, or a kept set's name or digest.

    `parallel` are the cells of one backend that run at once, where that is not to be what the backend can take. With
    `reuse` a cell that another experiment has answered already takes its run over.
    """

    name: str = Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f/\\]+$")
    dataset: str = Field(min_length=1)
    limit: int | None = Field(None, ge=1, description="The first so many items.")
    scorer: ScorerChoice
    backend: str = ""
    model: str = ""
    seeds: tuple[int, ...] = Field((0,), min_length=1, max_length=MOST_SEEDS)
    lanes: tuple[Lane, ...] = Field(min_length=1, max_length=MOST_LANES)
    settings: PlanSettings = PlanSettings()
    limits: Limits = Limits()
    parallel: int | None = Field(None, ge=1, le=256, description="Cells of one backend that run at once.")
    reuse: bool = Field(True, description="Take over what another experiment has answered already.")

    @field_validator("scorer", mode="before")
    @classmethod
    def _a_name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("seeds", mode="before")
    @classmethod
    def _so_many(cls, value: Any) -> Any:
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_SEEDS
        return tuple(range(value)) if is_count else value

    @model_validator(mode="after")
    def _each_once(self) -> "Plan":
        names = [lane.name for lane in self.lanes]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two lanes are named {twice!r}; give each a name of its own")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is given twice")
        return self


def parse(text: str, where: str) -> Plan:
    """The plan in a YAML text. Raises InvalidRequest that names `where` and the field."""
    try:
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidRequest(f"{where} is not YAML: {' '.join(str(error).split())}", "Correct it.") from None
    if not isinstance(data, dict):
        raise InvalidRequest(f"{where} is no experiment.", "It needs: name, dataset, scorer, lanes.")
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the experiment"
        raise InvalidRequest(f"{where}, {place}: {problem['msg'].removeprefix('Value error, ')}.") from None


def to_yaml(plan: Plan) -> str:
    """The plan as a YAML text that `parse` reads as the same plan; what is left to its default is left out."""
    data = plan.model_dump(mode="json", exclude_defaults=True)
    if not data["scorer"].get("settings"):
        data["scorer"] = data["scorer"]["name"]
    if plan.seeds == tuple(range(len(plan.seeds))) and len(plan.seeds) > 1:
        data["seeds"] = len(plan.seeds)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def read(path: Path) -> Plan:
    """The plan in a file. Raises InvalidRequest."""
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}.", "Give a UTF-8 text file.") from None
