"""The same engine in a terminal: `python -m workbench ...`."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, get_origin

import yaml
from pydantic import ValidationError

from agents import catalogue
from agents.contract import Machine
from workbench import __version__, doctor
from workbench.backends import fetch, registry
from workbench.backends.base import Backend, BackendStatus, ModelInfo
from workbench.errors import InvalidRequest, StoreError, WorkbenchError
from workbench.events import AnyEvent, RunFinished, to_json
from workbench.request import Limits, RunRequest
from workbench.settings import Settings, load
from workbench.store import checkpoints
from workbench.store.runs import STATUSES, RunRow, RunStore
from workbench.terminal import Progress, Transcript, harmless, say_problems

if TYPE_CHECKING:
    from workbench.engine import Engine

ANSWERED, USAGE, FAILED, UNFINISHED = 0, 2, 3, 4
INTERRUPTED, PIPE_CLOSED = 128 + signal.SIGINT, 128 + 13
EXIT_CODES = {"answered": ANSWERED, "failed": FAILED, "limit": UNFINISHED, "stopped": UNFINISHED}
EPILOGUE = "Exit codes: 0 answered, 2 usage, 3 the backend or the log failed, 4 a limit was reached or it was stopped."
NARROWEST = 80


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line asks; return the exit code. Expected errors end in a sentence, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        arguments = parser().parse_args(argv)
        code: int = arguments.do(arguments, load())
        sys.stdout.flush()
        return code
    except WorkbenchError as error:
        print(harmless(f"{error.message}\n{error.hint}".rstrip()), file=sys.stderr)
        return USAGE if isinstance(error, InvalidRequest) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone: Python's own flush at the end must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m workbench", description="Watch language models think.", epilog=EPILOGUE
    )
    top.add_argument("--version", action="version", version=f"Second Thought {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _run_parser(commands.add_parser("run", help="ask a question", epilog=EPILOGUE))
    _runs_parsers(commands.add_parser("runs", help="list, show, export and delete runs"))
    _models_parsers(commands.add_parser("models", help="list and fetch models"))
    machines = commands.add_parser("machines", help="list the machines and their options")
    machines.set_defaults(do=list_machines)
    check = commands.add_parser("doctor", help="check what a run needs")
    check.set_defaults(do=examine)
    return top


def _run_parser(run: argparse.ArgumentParser) -> None:
    run.add_argument("machine", help="one of: " + ", ".join(catalogue.MACHINES))
    run.add_argument("question", help="the question; - reads it from standard input")
    run.add_argument("--backend", help="one of: " + ", ".join(registry.BACKENDS))
    run.add_argument("--model", default="", help="a model of the backend; its default otherwise")
    run.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the machine")
    run.add_argument("--seed", type=int)
    run.add_argument("--temperature", type=float)
    run.add_argument("--top-p", type=float)
    run.add_argument("--max-tokens", type=int, help="tokens that one answer may have")
    run.add_argument("--context-window", type=int, help="tokens of prompt and answer together")
    _limit_flags(run)
    run.add_argument("--json", action="store_true", help="write the run's events, one a line")
    run.set_defaults(do=run_machine)


def _limit_flags(command: argparse.ArgumentParser) -> None:
    """Where the run ends as `limit`."""
    for name, field in Limits.model_fields.items():
        kind = float if name == "seconds" else int
        command.add_argument(f"--limit-{name.replace('_', '-')}", type=kind, metavar="N", help=field.description)


def read_limits(arguments: argparse.Namespace, base: Limits) -> Limits:
    """The limits with what the command line says in their place. Raises InvalidRequest."""
    given = {name: getattr(arguments, f"limit_{name}") for name in Limits.model_fields}
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return Limits.model_validate(base.model_dump() | chosen)
    except ValidationError as error:
        raise _wrong_flag(error, "limit-") from None


def _wrong_flag(error: ValidationError, prefix: str = "") -> InvalidRequest:
    """What is wrong with a flag's value, in a sentence."""
    problem = error.errors()[0]
    flag = str(problem["loc"][-1]).replace("_", "-")
    return InvalidRequest(f"--{prefix}{flag} cannot be {problem['input']}: {problem['msg']}.")


def _runs_parsers(runs: argparse.ArgumentParser) -> None:
    commands = runs.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the newest first")
    listing.add_argument("--search", default="", help="words in question or answer")
    listing.add_argument("--status", default="", choices=STATUSES)
    listing.add_argument("--machine", default="")
    listing.add_argument("--limit", type=_positive, default=50)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_runs)
    show = commands.add_parser("show", help="a run's text")
    show.set_defaults(do=show_run)
    export = commands.add_parser("export", help="a run's events, one JSON object a line")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
    export.set_defaults(do=export_run)
    resume = commands.add_parser("resume", help="go on with a run from its last finished step", epilog=EPILOGUE)
    _limit_flags(resume)
    resume.add_argument("--json", action="store_true", help="write the events from here on, one a line")
    resume.set_defaults(do=resume_run)
    delete = commands.add_parser("delete", help="delete a run for good")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.set_defaults(do=delete_run)
    for command in (show, export, resume, delete):
        command.add_argument("id", help="the run's id, or its first 4 characters or more")


def _models_parsers(models: argparse.ArgumentParser) -> None:
    commands = models.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the backends and their models")
    listing.add_argument("--backend", default="", choices=registry.BACKENDS)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_models)
    fetch = commands.add_parser("fetch", help="download a model for the embedded engine")
    fetch.add_argument("name", nargs="?", default="", help="the default model otherwise")
    fetch.set_defaults(do=fetch_model)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


# --- run ---


def run_machine(arguments: argparse.Namespace, settings: Settings) -> int:
    """Start a run and follow it to its end."""
    request = read_request(arguments, settings)
    with _engine(settings) as engine:
        return _watch(engine, engine.submit(request), arguments.json)


def resume_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Go on with a run and follow it to its end."""
    from workbench.engine import last_request

    with _engine(settings) as engine:
        run_id = engine.store.run(arguments.id).id
        events = engine.store.events(run_id)
        engine.resume(run_id, read_limits(arguments, last_request(events).limits))
        return _watch(engine, run_id, arguments.json, events[-1].seq if arguments.json else -1)


@contextmanager
def _engine(settings: Settings) -> Iterator["Engine"]:
    from workbench.engine import Engine  # LangGraph takes a second to import: only a run pays for it

    engine = Engine(settings)
    try:
        if engine.store.notice:
            print(engine.store.notice, file=sys.stderr)
        yield engine
    finally:
        engine.close()


def _watch(engine: "Engine", run_id: str, as_json: bool, after: int = -1) -> int:
    with _stoppable(lambda: engine.stop(run_id)):
        return _follow(engine.follow(run_id, after), as_json=as_json)


def read_request(arguments: argparse.Namespace, settings: Settings) -> RunRequest:
    """What the command line asks for. Raises InvalidRequest."""
    wanted = {
        name: getattr(arguments, name) for name in ("seed", "temperature", "top_p", "max_tokens", "context_window")
    }
    try:
        return RunRequest.model_validate(
            {
                "machine": arguments.machine,
                "question": _stdin() if arguments.question == "-" else arguments.question,
                "backend": arguments.backend or settings.backend,
                "model": arguments.model,
                "options": read_options(arguments.machine, arguments.option),
                "settings": {name: value for name, value in wanted.items() if value is not None},
                "limits": read_limits(arguments, Limits()),
            }
        )
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "value_error":
            raise InvalidRequest(str(problem["ctx"]["error"])) from None
        raise _wrong_flag(error) from None


def read_options(machine: str, pairs: Sequence[str]) -> dict[str, Any]:
    """The machine's options from KEY=VALUE pairs, each value read as YAML. Raises InvalidRequest."""
    known = catalogue.load(machine).options.model_fields if machine in catalogue.MACHINES else {}
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"The option {pair!r} has no value.", "Write it as --option name=value.")
        options[name] = _value(text, known[name].annotation if name in known else None)
    return options


def _value(text: str, kind: Any) -> Any:
    """A text as the option's kind wants it: a text stays as typed, a list may be written with commas alone."""
    if kind is str:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InvalidRequest(f"The value {text!r} cannot be read.", "Put texts with brackets into quotes.") from None
    if isinstance(value, str) and get_origin(kind) in (list, tuple):
        return [item.strip() for item in value.split(",")]
    return value if isinstance(value, str | int | float | list | None) else text


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise InvalidRequest(
            "The question on standard input is not UTF-8 text.", "Convert it, then try again."
        ) from None


def _follow(batches: Iterator[list[AnyEvent]], as_json: bool) -> int:
    """Write the run as it goes; the exit code says how it ended."""
    transcript, code = Transcript(), FAILED
    for batch in batches:
        for event in batch:
            if as_json:
                print(to_json(event))
            else:
                transcript.take(event)
            if isinstance(event, RunFinished):
                code = EXIT_CODES[event.status]
                if as_json and event.error is not None:
                    transcript.progress.say(f"{event.error.message}\n{event.error.hint}".rstrip())
        sys.stdout.flush()
    return code


@contextmanager
def _stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl+C, or a SIGTERM, stops the run and lets it end cleanly; the second leaves at once."""
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        os.write(2, b"\nStopping. Ctrl+C again leaves at once.\n")
        stop()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


# --- runs ---


@contextmanager
def _store(settings: Settings) -> Iterator[RunStore]:
    store = RunStore(settings.store_url)
    try:
        if store.notice:
            print(store.notice, file=sys.stderr)
        store.mark_interrupted()
        yield store
    finally:
        store.close()


def list_runs(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per run."""
    chosen = {"search": arguments.search, "status": arguments.status, "machine": arguments.machine}
    with _store(settings) as store:
        rows, total = store.runs(**chosen, limit=arguments.limit), store.count(**chosen)
    if arguments.json:
        for row in rows:
            print(json.dumps(asdict(row)))
        return 0
    _table(["ID", "STARTED", "STATUS", "MACHINE", "MODEL", "SECONDS", "QUESTION"], [_cells(row) for row in rows])
    if not rows:
        print("No runs." if not any(chosen.values()) else "No run fits.", file=sys.stderr)
    elif total > len(rows):
        print(f"{len(rows)} of {total} runs; --limit shows more.", file=sys.stderr)
    return 0


def _cells(row: RunRow) -> list[str]:
    model = row.model if len(row.model) <= 24 else row.model[:23] + "…"
    return [row.id, _local(row.created_at), row.status, row.machine, model, f"{row.seconds:.1f}", row.question]


def _local(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment


def _table(titles: list[str], rows: list[list[str]]) -> None:
    """Aligned columns; the last takes what is left of the terminal's width."""
    if not rows:
        return
    lines = [[" ".join(harmless(cell).split()) for cell in row] for row in (titles, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles) - 1)]
    room = max(shutil.get_terminal_size((120, 24)).columns, NARROWEST) - sum(widths) - 2 * len(widths)
    for line in lines:
        last = line[-1] if len(line[-1]) <= room else line[-1][: room - 1] + "…"
        print("  ".join([f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)] + [last]).rstrip())


def show_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """A run's text, as it was seen live."""
    with _store(settings) as store:
        row = store.run(arguments.id)
        events = store.events(row.id)
    print(harmless(f"{row.machine_title} · {row.backend} · {row.model} · {_local(row.created_at)} · {row.status}"))
    print(harmless(row.question))
    with open(os.devnull, "w") as nowhere:
        transcript = Transcript(err=nowhere)
        for event in events:
            transcript.take(event)
    ending = transcript.view.finished
    if ending is not None and ending.error is not None:
        print(harmless(f"\n{ending.error.message}\n{ending.error.hint}".rstrip()))
    if row.status == "interrupted":
        print(f"\nThe program ended before this run did. To go on: python -m workbench runs resume {row.id}")
    return 0


def export_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """A run's events as JSON lines, to standard output or a file."""
    with _store(settings) as store:
        row = store.run(arguments.id)
        lines = [to_json(event) + "\n" for event in store.events(row.id)]
    if arguments.output is None:
        sys.stdout.writelines(lines)
        return 0
    try:
        arguments.output.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{arguments.output} cannot be written: {error.strerror}.", "Choose another file.") from None
    print(f"{len(lines)} events of run {row.id} are in {arguments.output}.", file=sys.stderr)
    return 0


def delete_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete a run after asking."""
    with _store(settings) as store:
        row = store.run(arguments.id)
        if not arguments.yes and not _agreed(row):
            print("Nothing was deleted.", file=sys.stderr)
            return 0
        store.delete(row.id)
        checkpoints.forget(settings.home, row.id)
    print(f"Run {row.id} was deleted.", file=sys.stderr)
    return 0


def _agreed(row: RunRow) -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("A run is deleted for good.", "Add --yes to say that you mean it.")
    question = " ".join(harmless(row.question).split())
    print(f"Delete the run {row.id} ({question[:60]}) for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


# --- models, machines, doctor ---


def list_models(arguments: argparse.Namespace, settings: Settings) -> int:
    """Each backend, whether it can be used, and its models."""
    names = [arguments.backend] if arguments.backend else list(registry.BACKENDS)
    found = asyncio.run(_ask_all(names, settings))
    for name, (status, models) in zip(names, found, strict=True):
        if arguments.json:
            line = {"backend": name, **status.model_dump(), "models": [_plain(model) for model in models]}
            print(json.dumps(line))
        else:
            _print_backend(name, status, models)
    return FAILED if arguments.backend and not found[0][0].ready else 0


async def _ask_all(names: list[str], settings: Settings) -> list[tuple[BackendStatus, list[ModelInfo]]]:
    backends = [doctor.made(name, settings) for name in names]  # importing takes its time: before any clock runs
    return await asyncio.gather(*map(_ask, backends))


async def _ask(backend: Backend | BackendStatus) -> tuple[BackendStatus, list[ModelInfo]]:
    """A backend's state and models; one that is not ready is not asked for models."""
    if isinstance(backend, BackendStatus):
        return backend, []
    try:
        status = await backend.status()
        return status, await backend.models() if status.ready else []
    except WorkbenchError as error:
        return BackendStatus(ready=False, detail=error.message, hint=error.hint), []
    finally:
        await backend.close()


def _plain(model: ModelInfo) -> dict[str, Any]:
    return {**model.model_dump(mode="json"), "capabilities": sorted(model.capabilities)}


def _print_backend(name: str, status: BackendStatus, models: list[ModelInfo]) -> None:
    print(harmless(f"{name}: {status.detail}"))
    if status.hint and not status.ready:
        print(harmless(f"  {status.hint}"))
    rows = [
        [
            f"  {model.name}",
            f"{model.size / 1e9:.1f} GB" if model.size else "",
            f"{model.context_window:,} tokens" if model.context_window else "",
            "" if model.installed else "not fetched",
            ", ".join(sorted(model.capabilities)),
        ]
        for model in models
    ]
    width = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for row in rows:
        print(harmless("  ".join([*(f"{row[i]:<{width[i]}}" for i in range(4)), row[4]]).rstrip()))


def fetch_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Download a model; its path on standard output, how far it is on standard error."""
    line = Progress(sys.stderr)
    told: set[str] = set()

    def show(state: fetch.Progress) -> None:
        say_problems(state, line, told)
        if state.state == "checking":
            line.show("checking", f"Checking the SHA-256 of {state.name}.")
        elif state.state in ("waiting", "fetching"):
            line.show(f"{state.source}{10 * state.done // state.total}", _how_far(state))

    path = fetch.ensure(arguments.name or settings.embedded_model, settings, show)
    line.clear()
    print(path)
    return 0


def _how_far(state: fetch.Progress) -> str:
    source = f" from {state.source}, {state.speed / 1e6:.1f} MB/s" if state.source else ""
    return f"{state.name}: {state.done / state.total:.0%} of {state.total / 1e6:,.0f} MB{source}"


def list_machines(_arguments: argparse.Namespace, _settings: Settings) -> int:
    """Each machine with its options."""
    for number, name in enumerate(catalogue.MACHINES):
        print(("\n" if number else "") + _described(catalogue.load(name)))
    return 0


def _described(machine: Machine) -> str:
    properties = machine.options.model_json_schema().get("properties", {})
    lines = [f"{machine.name}: {machine.title}. {machine.summary} ({machine.source})"]
    for name, schema in properties.items():
        lines.append(f"  {name}={json.dumps(schema.get('default'))}  {_allowed(schema)}".rstrip())
        lines.append(f"      {schema.get('description', '')}")
    return "\n".join(lines)


def _allowed(schema: dict[str, Any]) -> str:
    """What an option may be."""
    schema = {**schema, **schema.get("items", {})}
    if "enum" in schema:
        return ("any of " if "items" in schema else "") + "|".join(map(str, schema["enum"]))
    if "minimum" in schema or "maximum" in schema:
        return f"{schema.get('minimum', '')} to {schema.get('maximum', '')}"
    return str(schema.get("type", ""))


def examine(_arguments: argparse.Namespace, settings: Settings) -> int:
    """Check everything that a run needs; 0 when the default backend can be used."""
    return doctor.report(doctor.examine(settings), sys.stdout)
