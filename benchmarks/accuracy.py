"""The machines on the default model over twenty questions, beside a bare call on the same model."""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agents import catalogue
from benchmarks.report import table, title
from workbench import settings as settings_module
from workbench.backends.base import AnswerPart, ChatRequest, Message
from workbench.engine import Engine
from workbench.events import RunView, ToolView, to_json
from workbench.request import ModelSettings, RunRequest
from workbench.store.documents import Documents

FOLDER = Path(__file__).parent
SEED = 11
SYSTEM = "You are a helpful assistant."


@dataclass
class Row:
    """One question's outcome in one lane. `right` is None where there is no exact answer."""

    question: dict[str, Any]
    status: str
    answer: str
    right: bool | None
    seconds: float
    tokens: int
    calls: int = 1
    structured: int = 0
    invalid: int = 0
    gave_up: int = 0
    tools: list[str] = field(default_factory=list)


def questions(only: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The question file; `only` keeps those with these ids."""
    rows: list[dict[str, Any]] = yaml.safe_load((FOLDER / "questions.yaml").read_text())
    chosen = set(only)
    return [row for row in rows if not chosen or row["id"] in chosen]


def is_right(answer: str, row: dict[str, Any]) -> bool | None:
    """Whether the final answer gives the exact one; None where the question has none.

    A `pattern` decides where the answer is one of the question's own numbers. Else the expected number must be the
    first or the last of those that the question does not hold, and an expected word must be there as a word.
    """
    if "answer" not in row:
        return None
    if "pattern" in row:
        return bool(re.search(row["pattern"], answer, re.IGNORECASE | re.DOTALL))
    expected = str(row["answer"])
    if not re.fullmatch(r"[\d.]+", expected):
        return bool(re.search(rf"(?<!\w){re.escape(expected)}(?!\w)", answer, re.IGNORECASE))
    new = [number for number in numbers(answer) if number not in numbers(row["question"])]
    return bool(new) and float(expected) in (new[0], new[-1])


def numbers(text: str) -> list[float]:
    """The numbers in a text, without thousands separators."""
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text))]


def ask_machine(engine: Engine, machine: str, row: dict[str, Any], keep: Path | None) -> Row:
    """One run of a machine."""
    request = RunRequest(
        machine=machine,
        question=row["question"],
        backend="embedded",
        model="",
        settings=ModelSettings(seed=SEED),
        options={"roles": "code"} if machine == "reflection" and row["kind"] == "code" else {},
    )
    run_id = engine.submit(request)
    events = [event for batch in engine.follow(run_id) for event in batch]
    if keep:
        (keep / f"{machine}-{row['id']}.jsonl").write_text("\n".join(map(to_json, events)))
    view = RunView.of(events)
    assert view.finished is not None
    structured = [call for call in view.calls if "json_schema" in call.called.parameters]
    invalid = [call for call in structured if call.retried is not None]
    gave_up = view.finished.error is not None and view.finished.error.code == "structured_output_invalid"
    return Row(
        question=row,
        status=view.status,
        answer=view.finished.answer,
        right=is_right(view.finished.answer, row),
        seconds=view.totals.seconds,
        tokens=view.totals.completion_tokens,
        calls=view.totals.calls,
        structured=len(structured) - len(invalid),
        invalid=len(invalid),
        gave_up=int(gave_up),
        tools=[e.called.name for e in view.entries if isinstance(e, ToolView) and e.answered and not e.answered.error],
    )


def ask_bare(engine: Engine, row: dict[str, Any]) -> Row:
    """One bare call: the question alone; a question about a document gets the whole document in its prompt."""
    text = row["question"]
    if "document" in row:
        text = f"{(FOLDER / 'documents' / row['document']).read_text()}\n\n{text}"
    backend = engine.backend("embedded")
    request = ChatRequest(
        model=backend.default_model,
        messages=(Message(role="system", content=SYSTEM), Message(role="user", content=text)),
        temperature=0.2,
        seed=SEED,
        max_tokens=1024,
    )

    async def whole() -> AnswerPart:
        parts = [part async for part in backend.chat(request)]
        assert isinstance(parts[-1], AnswerPart)
        return parts[-1]

    began = time.perf_counter()
    answer = engine.on_loop(whole())
    seconds = time.perf_counter() - began
    right = is_right(answer.text, row)
    return Row(row, "answered", answer.text, right, seconds, answer.completion_tokens or 0)


def summary(lane: str, rows: list[Row]) -> list[str]:
    """A lane's line of the table."""
    exact = [row for row in rows if row.right is not None]
    valid, calls = sum(r.structured for r in rows), sum(r.structured + r.gave_up for r in rows)
    needed = [row for row in rows if "tool" in row.question] if lane == "react" else []
    used = sum(row.question["tool"] in row.tools for row in needed)
    return [
        lane,
        f"{sum(bool(row.right) for row in exact)}/{len(exact)}",
        f"{sum(row.status == 'answered' for row in rows)}/{len(rows)}",
        str(sum(row.status == "limit" for row in rows)),
        str(sum(row.status == "failed" for row in rows)),
        f"{valid}/{calls}" if calls else "-",
        str(sum(row.invalid for row in rows)),
        f"{used}/{len(needed)}" if needed else "-",
        f"{sum(row.calls for row in rows) / len(rows):.1f}",
        f"{sum(row.tokens for row in rows) / len(rows):.0f}",
        f"{sum(row.seconds for row in rows) / len(rows):.1f}",
    ]


HEAD = [
    "lane", "exact", "answered", "limit", "failed", "valid JSON", "retries", "tool used", "calls", "tokens", "seconds",
]  # fmt: skip


def measure(lanes: list[str], only: list[str], keep: Path | None) -> str:
    """Run every lane over the questions; the report as Markdown."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-bench-"))
    base = settings_module.load()
    engine = Engine(base.model_copy(update={"home": home, "models_folder": base.models_path, "database_url": ""}))
    model = engine.backend("embedded").default_model
    try:
        for file in (FOLDER / "documents").iterdir():
            Documents(home / "documents.db").add(file.name, file.read_bytes())
        lines = [summary(lane, list(_lane(engine, lane, questions(only), keep))) for lane in lanes]
    finally:
        engine.close()
        shutil.rmtree(home, ignore_errors=True)
    note = (
        f"{len(questions(only))} questions (benchmarks/questions.yaml), seed {SEED}; calls, written tokens and seconds"
        " are means per question; valid JSON counts schema-constrained answers after retries."
    )
    return f"{title('Machines and a bare call', model)}\n{table(HEAD, lines)}\n\n{note}\n"


def _lane(engine: Engine, lane: str, rows: list[dict[str, Any]], keep: Path | None) -> Iterable[Row]:
    for row in rows:
        if lane == "bare" and "answer" not in row:
            continue
        outcome = ask_bare(engine, row) if lane == "bare" else ask_machine(engine, lane, row, keep)
        mark = {True: "right", False: "WRONG", None: "-"}[outcome.right]
        last = json.dumps(outcome.answer[-70:], ensure_ascii=False)
        print(f"{lane:10} {row['id']:11} {outcome.status:9} {mark:6} {outcome.seconds:6.1f} s {last}", file=sys.stderr)
        yield outcome


def main(arguments: list[str] | None = None) -> str:
    """The command: `python -m benchmarks.accuracy [--lane L ...] [--only ID ...] [--keep FOLDER]`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--lane", action="append", choices=["bare", *catalogue.MACHINES])
    parser.add_argument("--only", action="append", default=[], help="the id of a question")
    parser.add_argument("--keep", type=Path, help="a folder for the runs' logs")
    chosen = parser.parse_args(arguments)
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    return measure(chosen.lane or ["bare", *catalogue.MACHINES], chosen.only, chosen.keep)


if __name__ == "__main__":
    print(main())
