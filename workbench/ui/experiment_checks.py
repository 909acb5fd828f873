"""What can be wrong with the fields of an experiment's form, each said in a sentence at its field."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from workbench.errors import InvalidRequest, ScorerError
from workbench.experiments.model import Item
from workbench.experiments.plan import MOST_SEEDS
from workbench.experiments.scorers import registry as scorers
from workbench.experiments.scorers.base import Reply
from workbench.ui import experiments

LARGEST_SEED = 2**31 - 1
_LIST = re.compile(r"\[?\s*(\d+(?:\s*,\s*\d+)*)\s*,?\s*\]?")


def name(text: str) -> str:
    """What is wrong with an experiment's name; empty when nothing is."""
    if not text:
        return "Give it a name."
    if "/" in text or "\\" in text or not text.isprintable():
        return "A name has no slashes and no control characters."
    row = experiments.sweeps().store.find(text)
    if row is not None and row.name == text and row.is_live:
        return "The experiment of this name is running. Stop it first, or choose another name."
    return ""


def read_seeds(text: str) -> int | tuple[int, ...]:
    """The seeds as a plan has them. Raises InvalidRequest."""
    if problem := seeds(text):
        raise InvalidRequest(f"Seeds: {problem}")
    return int(text) if text.isdecimal() else _listed(text)


def seeds(text: str) -> str:
    """What is wrong with the seeds; empty when nothing is."""
    if text.isdecimal():
        return "" if 1 <= int(text) <= MOST_SEEDS else f"From 1 to {MOST_SEEDS}; or a list: [3, 7, 11]."
    found = _listed(text)
    if not found:
        return "Write how many, or a list: [3, 7, 11]."
    if len(set(found)) < len(found):
        return "A seed is given twice."
    if len(found) > MOST_SEEDS or max(found) > LARGEST_SEED:
        return f"At most {MOST_SEEDS} seeds, each at most {LARGEST_SEED:,}."
    return ""


def seeds_text(found: Sequence[int]) -> str:
    """Seeds as the form has them."""
    return str(len(found)) if list(found) == list(range(len(found))) else str(list(found))


def scorer(chosen: str, settings: Mapping[str, Any], items: Sequence[Item]) -> str:
    """Why a scorer cannot score these items with these settings; empty when it can."""
    try:
        made = scorers.create(chosen, settings, _nobody)
    except (InvalidRequest, ScorerError) as error:
        return f"{error.message} {error.hint}".strip()
    lack = scorers.check(made, items)
    return f"{lack} Choose another scorer." if lack else ""


def lanes(names: Sequence[str]) -> str:
    """What is wrong with the lanes' names; empty when nothing is."""
    if not all(names):
        return "Give every lane a name."
    twice = [text for text, times in Counter(names).items() if times > 1]
    return f"Two lanes are named {twice[0]}. Give each a name of its own." if twice else ""


def _listed(text: str) -> tuple[int, ...]:
    match = _LIST.fullmatch(text)
    return tuple(int(number) for number in match[1].split(",")) if match else ()


async def _nobody(messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Reply:
    """In a model's place: nothing is asked here."""
    raise NotImplementedError
