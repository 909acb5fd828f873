"""Commands that let a run go: a new one, a fork, a follow-up, one that is run again, one that goes on."""

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from agents import catalogue
from workbench import differences
from workbench.cli import presets
from workbench.cli.flags import (
    changed_request,
    limit_flags,
    read_limits,
    read_reply,
    read_request,
    read_state,
    reply_flags,
    run_flags,
    standard_input,
    with_prompts,
)
from workbench.cli.output import EPILOGUE, EXIT_CODES, FAILED, INTERRUPTED, table
from workbench.compare import NEEDED, compare
from workbench.errors import InvalidRequest
from workbench.events import AnyEvent, NodeFinished, NodeStarted, RunFinished, RunView, to_json
from workbench.settings import Settings
from workbench.terminal import Transcript, harmless, how_to_go_on

if TYPE_CHECKING:
    from workbench.engine import Engine

JSON_HELP = "write the run's events, one a line"


def add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`run`."""
    run = commands.add_parser("run", help="ask a question", epilog=EPILOGUE)
    machines = ", ".join(catalogue.MACHINES)
    run.add_argument("machine", nargs="?", default="", help=f"one of: {machines}; with --preset it may be left out")
    run.add_argument("question", help="the question; - reads it from standard input")
    run.add_argument("--preset", default="", metavar="NAME", help="a saved preset; other flags override it")
    run_flags(run)
    run.add_argument("--json", action="store_true", help=JSON_HELP)
    run.set_defaults(do=run_machine)


def add_going_on(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`runs resume`, `runs steps`, `runs fork`, `runs again` and `runs continue`."""
    resume = commands.add_parser("resume", help="go on with a run, or reply to one that waits", epilog=EPILOGUE)
    reply_flags(resume)
    limit_flags(resume)
    resume.set_defaults(do=resume_run)
    steps = commands.add_parser("steps", help="where a run can be forked, and its state there")
    steps.add_argument("--at", type=int, metavar="SEQ", help="show the state there, as JSON")
    steps.set_defaults(do=list_steps)
    fork = commands.add_parser("fork", help="go on from a step of a run, in a new one", epilog=EPILOGUE)
    fork.add_argument(
        "--at", type=int, required=True, metavar="SEQ", help="where, as `runs steps` says; 0 is the start"
    )
    fork.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="change the state there")
    run_flags(fork)
    fork.set_defaults(do=fork_run)
    again = commands.add_parser("again", help="run a run's request again with its seed, and compare", epilog=EPILOGUE)
    again.set_defaults(do=run_again)
    follow = commands.add_parser("continue", help="ask a follow-up in the thread of a run", epilog=EPILOGUE)
    follow.set_defaults(do=follow_up)
    for command in (resume, steps, fork, again, follow):
        command.add_argument("id", help="the run's id, or its first 4 characters or more")
    follow.add_argument("question", help="the question; - reads it from standard input")
    run_flags(follow)
    for command in (resume, fork, again, follow):
        command.add_argument("--json", action="store_true", help=JSON_HELP)


def run_machine(arguments: argparse.Namespace, settings: Settings) -> int:
    """Start a run and follow it to its end."""
    if not arguments.machine and not arguments.preset:
        hint = "Write run MACHINE QUESTION, or run --preset NAME QUESTION."
        raise InvalidRequest("A machine and a question are required.", hint)
    request = None if arguments.preset else read_request(arguments, settings)
    with open_engine(settings) as engine:
        request = request or presets.request_of(arguments, engine.store.database)
        return _watch(engine, engine.submit(with_prompts(arguments, request, engine.prompts)), arguments.json)


def resume_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Go on with a run, or say to it what it waits for, and follow it to its end."""
    from workbench.job import last_request

    with open_engine(settings) as engine:
        run_id = engine.store.run(arguments.id).id
        events = engine.store.events(run_id)
        paused = RunView.of(events).paused
        reply = read_reply(arguments, paused)
        if paused is not None and reply is None:
            raise InvalidRequest("This run waits for you.", how_to_go_on(RunView.of(events)))
        engine.resume(run_id, read_limits(arguments, last_request(events).limits), reply)
        return _watch(engine, run_id, arguments.json, events[-1].seq if arguments.json else -1)


def list_steps(arguments: argparse.Namespace, settings: Settings) -> int:
    """A line per place at which the run can be forked; with --at its state there."""
    with open_engine(settings) as engine:
        run_id = engine.store.run(arguments.id).id
        if arguments.at is not None:
            point = engine.fork_point(run_id, arguments.at)
            print(json.dumps(point.state, indent=2))
            return 0
        places = fork_places(engine.store.events(run_id))
    rows = [
        [str(at), str(step), ", ".join(done) or "(start)", ", ".join(due) or "(end)"] for at, step, done, due in places
    ]
    table(["SEQ", "STEP", "AFTER", "NEXT"], rows)
    return 0


def fork_places(events: Sequence[AnyEvent]) -> list[tuple[int, int, list[str], list[str]]]:
    """Where a run can be forked: place in the log, step, the nodes that ended there and those that began next."""
    done: dict[int, list[str]] = {0: []}
    began: dict[int, list[str]] = {}
    at = {0: 0}
    for event in events:
        if isinstance(event, NodeStarted) and event.attempt == 1:
            began.setdefault(event.step, []).append(event.node)
        elif isinstance(event, NodeFinished) and event.checkpoint_id:
            done.setdefault(event.step, []).append(event.node)
            at[event.step] = event.seq
    return [(at[step], step, nodes, began.get(step + 1, [])) for step, nodes in done.items()]


def fork_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Fork a run and follow the fork to its end."""
    from workbench.job import last_request

    with open_engine(settings) as engine:
        run_id = engine.store.run(arguments.id).id
        request = changed_request(arguments, last_request(engine.store.events(run_id)))
        request = with_prompts(arguments, request, engine.prompts)
        child = engine.fork(run_id, arguments.at, request, read_state(arguments.set))
        return _watch(engine, child, arguments.json)


def run_again(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run a request again, follow it to its end, and say where the two differ."""
    with open_engine(settings) as engine:
        first = engine.store.run(arguments.id).id
        second = engine.reproduce(first)
        code = _watch(engine, second, arguments.json)
        if not arguments.json:
            comparison = compare(*(engine.store.events(run_id, kinds=NEEDED) for run_id in (first, second)))
            print("\n" + "\n".join(map(harmless, differences.lines(comparison))))
    return code


def follow_up(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask in the thread of a run and follow the new run to its end."""
    from workbench.job import last_request

    with open_engine(settings) as engine:
        run_id = engine.store.run(arguments.id).id
        question = standard_input() if arguments.question == "-" else arguments.question
        request = changed_request(arguments, last_request(engine.store.events(run_id)), question)
        request = with_prompts(arguments, request, engine.prompts)
        return _watch(engine, engine.follow_up(run_id, request), arguments.json)


@contextmanager
def open_engine(settings: Settings) -> Iterator["Engine"]:
    """An engine for as long as a command takes."""
    from workbench.engine import Engine  # LangGraph takes a second to import: only a run pays for it

    engine = Engine(settings)
    try:
        if engine.store.notice:
            print(engine.store.notice, file=sys.stderr)
        yield engine
    finally:
        engine.close()


def _watch(engine: "Engine", run_id: str, as_json: bool, after: int = -1) -> int:
    """Write the run as it goes. Ctrl+C or a SIGTERM cuts it off: what there is is kept, and it can go on later."""
    transcript = Transcript()
    with interruptible():
        try:
            _follow(engine.follow(run_id, after), transcript, as_json)
        except KeyboardInterrupt:
            engine.close()
            hint = f"To go on: python -m workbench runs resume {run_id}"
            transcript.progress.say(f"Interrupted. What there is is kept. {hint}")
            return INTERRUPTED
    status = transcript.view.status
    if not as_json and (ways := how_to_go_on(transcript.view)):
        transcript.progress.say(ways)
    return EXIT_CODES.get(status, FAILED)


def _follow(batches: Iterator[list[AnyEvent]], transcript: Transcript, as_json: bool) -> None:
    """Write the run's events, as text or as JSON."""
    for batch in batches:
        for event in batch:
            if as_json:
                print(to_json(event))
                transcript.view.apply(event)
                if isinstance(event, RunFinished) and event.error is not None:
                    transcript.progress.say(f"{event.error.message}\n{event.error.hint}".rstrip())
            else:
                transcript.take(event)
        sys.stdout.flush()


@contextmanager
def interruptible() -> Iterator[None]:
    """A SIGTERM is a Ctrl+C, also where a shell that put us into the background has switched that off."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
