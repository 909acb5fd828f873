"""Training data out of judged runs: examples for supervised fine-tuning, and pairs of a better and a worse answer."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.carry.examples import Conversation, Trajectory, Unfit, read, untrained
from workbench.carry.licences import Licence, licence
from workbench.store.experiments import ExperimentStore
from workbench.store.judged import Judgement, Source, judgements
from workbench.store.runs import RunStore

Form = Literal["openai", "trl"]
Extent = Literal["final", "whole"]
MOST_PER_QUESTION = 1_000
BY_WEIGHT: tuple[Source, ...] = ("verdict", "vote", "score")  # what a person said goes before what was computed


class Selection(BaseModel):
    """Which runs become training data.

    `experiment` is a name or an id: then only its runs count, whoever judged them; empty for all. A run is accepted
    with a score of at least `min_score`, with the person's verdict good, or when it won a comparison; what was called
    bad never is. In a pair the better score is higher by at least `margin`. What was `imported` was judged by others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[Source, ...] = ("verdict", "score", "vote")
    experiment: str = ""
    imported: bool = Field(False, description="Take imported runs and experiments too: others judged them.")
    min_score: float = Field(1.0, ge=0, le=1, description="Score from which an answer of an experiment is accepted.")
    margin: float = Field(0.5, ge=0, le=1, description="How much better the better answer's score must be.")
    max_tokens: int | None = Field(None, ge=1, description="About how many tokens an example may have.")
    per_question: int = Field(4, ge=1, le=MOST_PER_QUESTION, description="Pairs of one question.")


@dataclass
class Data:
    """Training data: JSON lines, and what they are made of.

    `left_out` says of what was not taken why, and how much; `models` counts the runs by backend, model and digest.
    `elsewhere` are the judged runs that were imported, whether they are in it or not.
    """

    lines: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    runs: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The file."""
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def imported(self) -> int:
        """How many of its runs were imported."""
        return len(self.runs & self.elsewhere)

    def licences(self, said: Callable[[str, str], str] = lambda backend, model: "") -> list[tuple[str, Licence]]:
        """Each model with what is known of its licence; `said` gives the text that a backend itself has of it.

        Files of the same name with different licences are told apart by their digests.
        """
        known: dict[tuple[str, str], dict[Licence, str]] = {}
        for backend, model, digest in sorted(self.models):
            found = licence(backend, model, digest, said(backend, model))
            known.setdefault((backend, model), {}).setdefault(found, digest)
        return [
            (f"{model} ({backend})" if len(licences) == 1 else f"{model} ({backend}, {_shortened(digest)})", one)
            for (backend, model), licences in known.items()
            for one, digest in licences.items()
        ]

    def add(self, data: dict[str, Any], *sources: Trajectory, same: str) -> None:
        """Take an example in, unless it is there already; `same` says what it would be then."""
        line = json.dumps(data, ensure_ascii=False)
        if line in self._seen:
            self.left_out[same] += 1
            return
        self._seen.add(line)
        self.lines.append(line)
        for one in sources:
            if one.run_id not in self.runs:
                self.models[one.request.backend, one.request.model, one.model_digest] += 1
            self.runs.add(one.run_id)


def supervised(
    store: RunStore, selection: Selection | None = None, form: Form = "openai", extent: Extent = "final"
) -> Data:
    """The accepted runs as examples: the question with its final answer, or (`whole`) every call of the model.

    In OpenAI's form earlier turns of the assistant have the weight 0: only the last message is learnt. TRL's form is
    its conversational prompt and completion. Raises InvalidRequest for an experiment that there is not.
    """
    selection, data = selection or Selection(), Data()
    for run_id in _accepted(store, selection, data):
        try:
            run = read(store, run_id, calls=extent == "whole")
            found: Iterable[Conversation | Unfit] = [run.final] if extent == "final" else run.calls()
        except Unfit as unfit:
            data.left_out[str(unfit)] += 1
            continue
        for one in found:
            if isinstance(one, Unfit):
                data.left_out[str(one)] += 1
            elif _too_long(selection, one):
                data.left_out["examples that are too long"] += 1
            else:
                data.add(_example(one, form), run, same="examples that are there already")
    return data


def preference(store: RunStore, selection: Selection | None = None, form: Form = "openai") -> Data:
    """Pairs of a better and a worse final answer to exactly the same question in the same thread.

    Both were judged by the same measure: the person's verdicts, the scores of one experiment, one comparison's vote.
    No pair says the reverse of another: of two that do, the first counts, verdicts before votes before scores. OpenAI's
    form is that of its preference fine-tuning, TRL's has prompt, chosen and rejected. Raises InvalidRequest for an
    experiment that there is not.
    """
    selection, data, order = selection or Selection(), Data(), _Order(store)
    for answers in _questions(store, selection, data):
        pairs, taken = _pairs(answers), 0
        for better, worse in pairs:
            if why := order.refuses(better, worse, selection.margin) or _unfit(better, worse, selection, taken):
                data.left_out[why] += 1
                continue
            before = len(data.lines)
            data.add(_pair(better, worse, form), better.run, worse.run, same="pairs that are there already")
            taken += len(data.lines) - before
        if not pairs:
            data.left_out["questions without a better and a worse answer"] += 1
    return data


@dataclass(frozen=True)
class _Answer:
    """A judged run's final answer."""

    run: Trajectory
    said: dict[str, Any]
    value: float


class _Order:
    """Which answer is better than which, as far as it has been said: a pair may not contradict it."""

    def __init__(self, store: RunStore) -> None:
        self._bad = _bad(store)
        self._said: set[tuple[str, str, str]] = set()

    def refuses(self, better: _Answer, worse: _Answer, margin: float) -> str:
        """Why not to take a pair, in the words that it is counted under; empty, and it is remembered, when to."""
        if better.value - worse.value < margin:
            return f"pairs whose scores differ by less than {margin:g}"
        if better.run.run_id in self._bad:
            return "pairs whose better answer was called bad"
        asked, *said = json.dumps(better.run.asked), *(one.said["content"].strip() for one in (better, worse))
        if (asked, said[1], said[0]) in self._said and said[0] != said[1]:
            return "pairs whose reverse was judged already"
        self._said.add((asked, said[0], said[1]))
        return ""


def _bad(store: RunStore) -> set[str]:
    return {one.run_id for one in judgements(store.database, "verdict") if one.value == 0}


def _accepted(store: RunStore, selection: Selection, data: Data) -> list[str]:
    """The ids of the accepted runs, each once, the person's verdicts first; the others are counted by why not."""
    bad = _bad(store)
    accepted: dict[str, None] = {}
    refused: dict[str, str] = {}
    for one in _judged(store, selection, data):
        least = selection.min_score if one.source == "score" else 1.0
        if one.run_id in bad:
            refused[one.run_id] = "runs that were called bad"
        elif one.value >= least:
            accepted[one.run_id] = None
        else:
            lost = one.source == "vote"
            refused[one.run_id] = "runs that lost a vote" if lost else f"runs with a score below {least:g}"
    data.left_out.update(why for run_id, why in refused.items() if run_id not in accepted)
    return list(accepted)


def _judged(store: RunStore, selection: Selection, data: Data) -> list[Judgement]:
    """The judgements that count, the weightiest source first; runs that only others judged are counted as left out."""
    named = ExperimentStore(store.database).get(selection.experiment).id if selection.experiment else ""
    sources = [source for source in BY_WEIGHT if source in selection.sources]
    found = [one for source in sources for one in judgements(store.database, source, named)]
    kept = [one for one in found if selection.imported or not one.imported]
    data.elsewhere = {one.run_id for one in found if one.imported}
    if left := data.elsewhere - {one.run_id for one in kept}:
        data.left_out["runs that were imported"] = len(left)
    return kept


def _questions(store: RunStore, selection: Selection, data: Data) -> list[list[_Answer]]:
    """The answers to each question that were judged by the same measure, in the order of their judgements."""
    found: dict[tuple[str, ...], list[_Answer]] = {}
    for one in dict.fromkeys(_judged(store, selection, data)):
        try:
            run = read(store, one.run_id)
            answer = _Answer(run, run.answer, one.value)
        except Unfit as unfit:
            data.left_out[str(unfit)] += 1
            continue
        found.setdefault((one.source, one.group, json.dumps(run.asked)), []).append(answer)
    return list(found.values())


def _pairs(answers: list[_Answer]) -> list[tuple[_Answer, _Answer]]:
    """Better and worse, those that are furthest apart first."""
    found = [(better, worse) for better, worse in product(answers, answers) if better.value > worse.value]
    return sorted(found, key=lambda pair: pair[1].value - pair[0].value)


def _unfit(better: _Answer, worse: _Answer, selection: Selection, taken: int) -> str:
    """Why a pair is left out, in the words that it is counted under; empty when it is taken."""
    if better.run.view.status != "answered":
        return "pairs whose better answer was cut off by a limit"
    if better.said["content"].strip() == worse.said["content"].strip():
        return "pairs whose answers are the same"
    if any(_too_long(selection, Conversation(one.run.asked, one.said)) for one in (better, worse)):
        return "pairs that are too long"
    return f"pairs beyond {selection.per_question} of one question" if taken == selection.per_question else ""


def _shortened(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12] or "no digest"


def _too_long(selection: Selection, one: Conversation) -> bool:
    return selection.max_tokens is not None and one.tokens > selection.max_tokens


def _example(one: Conversation, form: Form) -> dict[str, Any]:
    data: dict[str, Any]
    if form == "trl":
        data = {"prompt": one.messages, "completion": [one.answer]}
    else:
        data = {"messages": [*untrained(one.messages), one.answer]}
    return data | ({"tools": list(one.tools)} if one.tools else {})


def _pair(better: _Answer, worse: _Answer, form: Form) -> dict[str, Any]:
    asked = better.run.asked
    if form == "trl":
        return {"prompt": asked, "chosen": [better.said], "rejected": [worse.said]}
    return {"input": {"messages": asked}, "preferred_output": [better.said], "non_preferred_output": [worse.said]}
