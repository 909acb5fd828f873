"""Readers of published data sets in the form in which their authors publish them, recognised by their fields."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.experiments.dataset_columns import Unfit, passages, shortened, text_of
from workbench.experiments.dataset_rows import Row

FEVER_LABELS = ("SUPPORTS", "REFUTES", "NOT ENOUGH INFO")
LOOKED_AT = 50  # rows, of which more than half must fit

_FINAL = re.compile(r"####\s*(.+?)\s*$")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_ESCAPE = re.compile(r"\\[ -~]")  # hidden from the parser, which warns of those that it does not know
_COMPLETE = (
    "Complete this Python function. Answer with the whole program in one code block: the imports, any helper that is"
    " given, and the function itself."
)
_IS_IT_TRUE = (
    "Does what is written in Wikipedia support this claim, does it refute the claim, or is there not enough"
    " information to tell?"
)


@dataclass(frozen=True)
class Published:
    """A published form: the fields that every row has, what they become, and how a row becomes an item's fields."""

    form: str
    needs: frozenset[str]
    taken: Mapping[str, str]
    convert: Callable[[Mapping[str, Any], str], dict[str, Any]]
    looks: Callable[[Mapping[str, Any]], bool] = field(default=lambda values: True)

    def taken_as(self, column: str) -> str:
        """What a column becomes; empty when it is left out."""
        return self.taken.get(column, "")

    def draft(self, row: Row) -> dict[str, Any]:
        """A row as the fields of an item. Raises Unfit."""
        if missing := sorted(self.needs - set(row.values)):
            raise Unfit(f"it has no {missing[0]}, which {self.form} has")
        return self.convert(row.values, str(row.number))

    def fits(self, rows: Sequence[Row]) -> bool:
        """Whether most of the first rows have this form."""
        first = rows[:LOOKED_AT]
        fitting = sum(self.needs <= set(row.values) and self.looks(row.values) for row in first)
        return fitting * 2 > len(first)


def recognised(rows: Sequence[Row]) -> Published | None:
    """The published form that the rows have; None when it is none of those that we know."""
    return next((form for form in PUBLISHED if form.fits(rows)), None)


def _gsm8k(values: Mapping[str, Any], number: str) -> dict[str, Any]:
    """Grade-school word problems (Cobbe et al. 2021): the answer is what follows #### after the worked solution."""
    answer = text_of(values["answer"], "its answer")
    final = _FINAL.search(answer)
    if final is None:
        raise Unfit("its answer does not end in #### and a number")
    result = final[1].replace(",", "").removeprefix("$").rstrip(".")
    if not _NUMBER.fullmatch(result):
        raise Unfit(f"what follows #### in its answer is no number: {shortened(result, 40)}")
    return {"id": number, "question": text_of(values["question"], "its question"), "answer": result}


def _humaneval(values: Mapping[str, Any], number: str) -> dict[str, Any]:
    """Functions to complete (Chen et al. 2021): `test` defines check(candidate), which is called at the end."""
    prompt, test = _code(values["prompt"], "prompt"), _code(values["test"], "test")
    solution, entry = _code(values["canonical_solution"], "solution"), text_of(values["entry_point"], "its entry point")
    if not prompt:
        raise Unfit("it has no prompt")
    if not test or not entry:
        raise Unfit("it has no test or no entry point")
    program = f"{prompt}{solution}"
    tests = [*_around(program, entry), test.strip("\n"), f"check({entry})"]
    return {
        "id": text_of(values["task_id"], "its task_id") or number,
        "question": f"{_COMPLETE}\n\n```python\n{prompt.strip(chr(10))}\n```",
        "answer": program.strip("\n") if solution else "",
        "tests": "\n\n".join(tests),
        "entry_point": entry,
    }


def _code(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Unfit(f"its {what} is not text")
    return value.replace("\r\n", "\n")


def _around(program: str, entry: str) -> list[str]:
    """The imports and helpers that a prompt gives besides the function: its tests may use them too."""
    try:
        tree = ast.parse(_ESCAPE.sub("__", program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    others = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    kept = [node for node in others if not (isinstance(node, ast.FunctionDef) and node.name == entry)]
    return [ast.get_source_segment(program, node) or "" for node in kept]


def _hotpotqa(values: Mapping[str, Any], number: str) -> dict[str, Any]:
    """Questions over several Wikipedia passages (Yang et al. 2018): the passages become the context."""
    tags = [text_of(values.get(name), f"its {name}") for name in ("type", "level")]
    return {
        "id": text_of(values.get("_id", values.get("id")), "its id") or number,
        "question": text_of(values["question"], "its question"),
        "answer": text_of(values.get("answer"), "its answer"),
        "context": passages(values["context"]),
        "tags": tuple(filter(None, tags)),
    }


def _has_passages(values: Mapping[str, Any]) -> bool:
    match values["context"]:
        case [[str(), list()], *_] | [{"title": str(), "sentences": list()}, *_] | {"title": list()}:
            return "supporting_facts" in values or "_id" in values
    return False


def _fever(values: Mapping[str, Any], number: str) -> dict[str, Any]:
    """Claims to verify (Thorne et al. 2018): the label is one of three choices; the blind test set has none."""
    label = text_of(values.get("label"), "its label")
    if label and label not in FEVER_LABELS:
        raise Unfit(f"its label is {shortened(label, 40)}, which is none of {', '.join(FEVER_LABELS)}")
    claim = text_of(values["claim"], "its claim")
    return {
        "id": text_of(values.get("id"), "its id") or number,
        "question": f"{_IS_IT_TRUE}\n\nClaim: {claim}" if claim else "",
        "answer": chr(ord("A") + FEVER_LABELS.index(label)) if label else "",
        "aliases": (label,) if label else (),
        "choices": FEVER_LABELS,
    }


PUBLISHED: tuple[Published, ...] = (
    Published(
        "GSM8K",
        frozenset({"question", "answer"}),
        {"question": "question", "answer": "answer (the number after ####)"},
        _gsm8k,
        lambda values: isinstance(values["answer"], str) and "####" in values["answer"],
    ),
    Published(
        "HumanEval",
        frozenset({"task_id", "prompt", "entry_point", "canonical_solution", "test"}),
        {
            "task_id": "id",
            "prompt": "question (complete this function)",
            "canonical_solution": "answer (with the prompt)",
            "test": "tests (with a call of check)",
            "entry_point": "entry_point",
        },
        _humaneval,
    ),
    Published(
        "HotpotQA",
        frozenset({"question", "context"}),
        {
            **{"_id": "id", "id": "id", "question": "question", "answer": "answer", "type": "tags", "level": "tags"},
            "context": "context (passages joined)",
        },
        _hotpotqa,
        _has_passages,
    ),
    Published(
        "FEVER",
        frozenset({"id", "claim"}),
        {"id": "id", "claim": "question (is this claim supported?)", "label": "answer (one of three choices)"},
        _fever,
        lambda values: "question" not in values,
    ),
)
