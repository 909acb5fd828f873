"""Any table as a data set: which column is what, and how a row becomes an item."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from workbench.errors import InvalidRequest
from workbench.experiments.dataset_rows import Row
from workbench.experiments.reading import Column


def _split(*lines: str) -> tuple[str, ...]:
    return tuple(" ".join(lines).split())


# What a column may be named, best first; case, spaces and signs do not count.
NAMES: dict[str, tuple[str, ...]] = {
    "question": _split("question prompt problem query instruction task input goal ctx q text"),
    "answer": _split(
        "answer answers target targets label gold goldanswer expected expectedanswer expectedoutput groundtruth",
        "correctanswer correct answerkey finalanswer reference ideal output response completion solution a",
    ),
    "aliases": _split("aliases answeraliases alternatives acceptableanswers otheranswers"),
    "choices": _split("choices options answerchoices candidates endings"),
    "tests": _split("tests test testlist testcases unittests asserts"),
    "entry_point": _split("entrypoint functionname"),
    "context": _split("context contexts passage passages background document paragraph article story input"),
    "tags": _split("tags tag category categories subject topic difficulty level type"),
    "id": _split("id uid qid questionid taskid key number index idx"),
}
FIELDS = tuple(NAMES)
MOST_CHOICES = 26
EXAMPLE = 80  # characters of a value that are shown

_KNOWN = frozenset(name for names in NAMES.values() for name in names)
_LETTERED = re.compile(r"\(?([A-Za-z])[).:]?")


class Unfit(Exception):
    """Why a row is no item, as the end of a sentence that begins with its line."""


class NoQuestion(InvalidRequest):
    """A table none of whose columns is the question; `columns` are those that it has."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Keep the columns, among which a person may choose."""
        there = ", ".join(shortened(str(column), 40) for column in columns[:20])
        super().__init__(
            f"No column is named as a question is. There are: {there}.",
            "Say which column is the question, or name it so in the file.",
        )
        self.columns = tuple(columns)


def plain_name(name: str) -> str:
    """A column's name without case, spaces and signs."""
    return re.sub(r"[\W_]+", "", str(name)).lower()


def is_known(name: str) -> bool:
    """Whether a column's name says what it is."""
    return plain_name(name) in _KNOWN


@dataclass(frozen=True)
class Table:
    """A table's columns by the field of an item that they become, and whether answers are numbers of choices from 0."""

    form: str
    fields: Mapping[str, tuple[str, ...]]
    indexed: bool = False

    def taken_as(self, column: str) -> str:
        """What a column becomes; empty when it is left out."""
        field = next((field for field, columns in self.fields.items() if column in columns), "")
        return f"{field} (the number of a choice, from 0)" if field == "answer" and self.indexed else field

    def draft(self, row: Row) -> dict[str, Any]:
        """A row as the fields of an item. Raises Unfit."""
        values = {field: row.values.get(columns[0]) for field, columns in self.fields.items()}
        choices, labels = _choices(values.get("choices"))
        answer, aliases = self._answer(values.get("answer"), choices, labels)
        aliases += tuple(alias for alias in _texts(values.get("aliases"), "its aliases") if alias not in aliases)
        tags = [tag for column in self.fields.get("tags", ()) for tag in _tags(row.values.get(column))]
        return {
            "id": text_of(values.get("id"), "its id") or str(row.number),
            "question": text_of(values.get("question"), "its question"),
            "answer": answer,
            "aliases": tuple(alias for alias in aliases if alias != answer),
            "choices": choices,
            "tests": "\n".join(_lines(values.get("tests"))),
            "entry_point": text_of(values.get("entry_point"), "its entry point"),
            "context": passages(values.get("context")),
            "tags": tuple(dict.fromkeys(tags)),
        }

    def _answer(self, value: Any, choices: Sequence[str], labels: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        answers = _answers(value)
        if not choices or not answers:
            return (answers[0] if answers else ""), tuple(answers[1:])
        place = _place(answers[0], choices, labels, self.indexed)
        if place is None:
            raise Unfit(f"its answer, {shortened(answers[0], 40)}, is none of its {len(choices)} choices")
        return chr(ord("A") + place), (choices[place], *answers[1:])


def table(form: str, names: Sequence[str], rows: Sequence[Row], chosen: Mapping[str, str]) -> Table:
    """What the columns of a table are: as chosen (field: column), else by their names. Raises InvalidRequest."""
    fields = _matched(names, chosen)
    if "question" not in fields:
        raise NoQuestion(names)
    return Table(form, fields, _is_indexed(fields, rows))


def _matched(names: Sequence[str], chosen: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if unknown := sorted(set(chosen) - set(FIELDS)):
        raise InvalidRequest(f"There is no field {unknown[0]!r}.", f"A column can be: {', '.join(FIELDS)}.")
    if missing := sorted(set(filter(None, chosen.values())) - set(names)):
        raise InvalidRequest(f"There is no column {missing[0]!r}.", f"There are: {', '.join(names)}.")
    fields: dict[str, tuple[str, ...]] = {field: (column,) for field, column in chosen.items() if column}
    left = [name for name in names if name not in chosen.values()]
    for field, wanted in NAMES.items():
        if field in chosen:
            continue
        found = sorted((wanted.index(plain_name(name)), name) for name in left if plain_name(name) in wanted)
        if found:
            fields[field] = tuple(name for _, name in found) if field == "tags" else (found[0][1],)
            left = [name for name in left if name not in fields[field]]
    return fields


def _is_indexed(fields: Mapping[str, Sequence[str]], rows: Sequence[Row]) -> bool:
    """Whether all answers are numbers of their choices counted from 0, and not all are their texts."""
    if not {"choices", "answer"} <= set(fields):
        return False
    are_texts = True
    for row in rows:
        try:
            choices, labels = _choices(row.values.get(fields["choices"][0]))
            answers = _answers(row.values.get(fields["answer"][0]))
        except Unfit:
            continue
        if not choices or not answers:
            continue
        if not answers[0].isdecimal() or int(answers[0]) >= len(choices) or answers[0] in labels:
            return False
        are_texts = are_texts and answers[0] in choices
    return not are_texts


def _place(answer: str, choices: Sequence[str], labels: Sequence[str], indexed: bool) -> int | None:
    """Which choice an answer means: by its label, letter, number or text."""
    if indexed:
        return int(answer)
    if answer in labels:
        return labels.index(answer)
    if answer in choices and len(answer) != 1:
        return choices.index(answer)
    lettered = _LETTERED.fullmatch(answer)
    place = ord(lettered[1].upper()) - ord("A") if lettered else len(choices)
    if place < len(choices):
        return place
    return choices.index(answer) if answer in choices else None


def text_of(value: Any, what: str) -> str:
    """A text, number, date or nothing as text. Raises Unfit, which names `what` it is, for anything else."""
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case float() if math.isnan(value):
            return ""
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() else repr(value)
        case date() | time():
            return value.isoformat()
    raise Unfit(f"{what} is not a text but of the kind {kind_of(value)}")


def _answers(value: Any) -> list[str]:
    """All answers that count as right, the first one first."""
    match value:
        case bool():
            return ["true", "yes"] if value else ["false", "no"]
        case {"text": list(texts)} | list(texts):
            return list(dict.fromkeys(filter(None, (text_of(text, "an answer") for text in texts))))
    answer = text_of(value, "its answer")
    return [answer] if answer else []


def _choices(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The choices' texts and, where they have them, their labels."""
    labels: tuple[str, ...] = ()
    match value:
        case {"text": list(texts), "label": list(marks)} if len(texts) == len(marks):
            labels, value = tuple(text_of(mark, "the label of a choice") for mark in marks), texts
        case dict():
            labels, value = tuple(map(str, value)), list(value.values())
    choices = _texts(value, "a choice")
    if len(choices) == 1:
        raise Unfit("it has one choice only; write them as a list, or with | between them")
    if len(choices) > MOST_CHOICES:
        raise Unfit(f"it has {len(choices)} choices; {MOST_CHOICES} have letters")
    return choices, labels if len(labels) == len(choices) else ()


def _texts(value: Any, what: str) -> tuple[str, ...]:
    """A list of texts; in a cell as JSON, or with | or line ends between them."""
    if isinstance(value, str):
        value = _listed(value) or re.split(r"\n" if "\n" in value.strip() else r"\|", value)
    if not isinstance(value, list):
        value = [value]
    return tuple(filter(None, (text_of(text, what) for text in value)))


def _listed(text: str) -> list[Any] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and not _listed(value):
        value = re.split(r"[,;|]", value)
    return _texts(value, "a tag")


def _lines(value: Any) -> list[str]:
    """A program as one text or as a list of lines, its indents kept."""
    parts = value if isinstance(value, list) else [value]
    return [part.strip("\n") if isinstance(part, str) else text_of(part, "its tests") for part in parts]


def passages(value: Any) -> str:
    """A context as one text: a text, a list of texts, or titles with their sentences (HotpotQA)."""
    match value:
        case {"title": list(titles), "sentences": list(sentences)} if len(titles) == len(sentences):
            value = [list(pair) for pair in zip(titles, sentences, strict=True)]
    if not isinstance(value, list):
        return text_of(value, "its context")
    return "\n\n".join(filter(None, map(_passage, value)))


def _passage(value: Any) -> str:
    match value:
        case [str(title), [*sentences]] | {"title": str(title), "sentences": [*sentences]}:
            said = "".join(sentence if isinstance(sentence, str) else "" for sentence in sentences)
            return f"{title.strip()}: {said.strip()}"
    return text_of(value, "a passage of its context")


def described(names: Sequence[str], rows: Sequence[Row], taken: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns as a person is shown them."""
    kinds: dict[str, dict[str, None]] = {name: {} for name in names}
    examples: dict[str, Any] = {}
    for row in rows:
        for name, value in row.values.items():
            if value is not None and value != "":
                kinds[name][kind_of(value)] = None
                examples.setdefault(name, value)
    return tuple(
        Column(name, " or ".join(kinds[name]) or "empty", _example(examples.get(name)), taken.get(name, ""))
        for name in names
    )


def kind_of(value: Any) -> str:
    """A value's kind in a word."""
    match value:
        case str():
            return "text"
        case bool():
            return "true or false"
        case int() | float() | Decimal():
            return "number"
        case list():
            return "list"
        case dict():
            return "object"
        case date() | time():
            return "date"
        case bytes():
            return "bytes"
    return type(value).__name__


def _example(value: Any) -> str:
    if value is None:
        return ""
    return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def shortened(text: str, room: int = EXAMPLE) -> str:
    """A text on one line of so many characters."""
    said = " ".join(text[: room * 4].split())
    return said if len(said) <= room else said[: room - 1] + "…"
