"""The scorers that there are, each imported on first use, and which one suits a data set."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from workbench.errors import InvalidRequest
from workbench.experiments.model import Item
from workbench.experiments.scorers.base import AskModel, Scorer, ScorerSettings
from workbench.experiments.scorers.numbers import alone

SCORERS: tuple[str, ...] = (
    "exact",
    "numeric",
    "contains",
    "regex",
    "rouge_l",
    "token_f1",
    "unit_tests",
    "judge",
    "person",
)
MOST = 0.9  # of a set's items that must have what a scorer reads for it to be the fitting one
SHORT = 6  # words that an answer may have to be compared whole


def kind(name: str) -> type[Scorer]:
    """The scorer's class: `workbench.experiments.scorers.<name>` has it as KIND. Raises InvalidRequest."""
    if name not in SCORERS:
        raise InvalidRequest(f"There is no scorer named {name!r}.", f"Choose one of: {', '.join(SCORERS)}.")
    found: type[Scorer] = import_module(f"workbench.experiments.scorers.{name}").KIND
    return found


def read_settings(name: str, settings: Mapping[str, Any]) -> ScorerSettings:
    """The scorer's settings, checked. Raises InvalidRequest that names scorer, setting and what is allowed."""
    model = kind(name).settings
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        problem = error.errors()[0]
    field = str(problem["loc"][0]) if problem["loc"] else "its settings"
    allowed = ", ".join(model.model_fields) or "none"
    if problem["type"] == "extra_forbidden":
        raise InvalidRequest(f"The scorer {name} has no setting {field!r}.", f"Its settings are: {allowed}.")
    said = problem["msg"].removeprefix("Value error, ").rstrip(".")
    what = model.model_fields[field].description if field in model.model_fields else ""
    raise InvalidRequest(f"The scorer {name}, {field}: {said[:1].lower()}{said[1:]}.", what or f"Correct {field}.")


def create(name: str, settings: Mapping[str, Any] | None = None, judge: AskModel | None = None) -> Scorer:
    """The scorer of that name; `judge` asks the model of one that needs a model. Raises InvalidRequest."""
    chosen = read_settings(name, settings or {})
    found = kind(name)
    if found.costs and judge is None:
        raise InvalidRequest(f"The scorer {name} needs a model to ask.", "Choose the judge's model.")
    return found(chosen, judge)


def check(scorer: Scorer, items: Iterable[Item]) -> str:
    """What items lack for this scorer, in a sentence: "12 of 50 items have no tests."; empty when all have it."""
    found = [scorer.lacks(item) for item in items]
    counted = Counter(filter(None, found))
    return "; ".join(f"{count} of {_items(len(found), count)} {lack}" for lack, count in counted.most_common()) + (
        "." if counted else ""
    )


def fitting(items: Sequence[Item]) -> str:
    """The scorer that suits a set: by its tests, its numbers, its choices, or the length of its answers."""
    answered = [item for item in items if item.answer.strip()]
    if _most(items, [bool(item.tests) for item in items]):
        return "unit_tests"
    if not answered:
        return "person"
    if _most(answered, [bool(item.choices) for item in answered]):
        return "exact"
    if _most(answered, [alone(item.answer) is not None for item in answered]):
        return "numeric"
    return "exact" if _most(answered, [len(item.answer.split()) <= SHORT for item in answered]) else "rouge_l"


def _most(items: Sequence[Item], have: Sequence[bool]) -> bool:
    return bool(items) and sum(have) >= MOST * len(items)


def _items(total: int, count: int) -> str:
    noun = "item" if total == 1 else "items"
    return f"{total} {noun} {'has' if count == 1 else 'have'}"
