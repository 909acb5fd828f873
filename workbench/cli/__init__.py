"""The same engine in a terminal: `python -m workbench ...`."""

import argparse
import os
import sys
from collections.abc import Sequence

from workbench import __version__
from workbench.cli import (
    asking,
    carry,
    confidence,
    cost,
    datasets,
    embedded,
    experiment,
    memories,
    models,
    ollama,
    presets,
    probe,
    prompts,
    runs,
    servers,
    structured,
    tools,
)
from workbench.cli.output import EPILOGUE, FAILED, INTERRUPTED, PIPE_CLOSED, USAGE
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.settings import load
from workbench.terminal import harmless


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
    asking.add_run(commands)
    of_runs = commands.add_parser("runs", help="list, show, compare, fork, resume, export and delete runs")
    over_runs = of_runs.add_subparsers(required=True, metavar="COMMAND")
    runs.add(over_runs)
    asking.add_going_on(over_runs)
    carry.add_bundle(over_runs)
    carry.add(commands)
    of_models = commands.add_parser("models", help="list and fetch models")
    over_models = of_models.add_subparsers(required=True, metavar="COMMAND")
    models.add(over_models)
    servers.add(over_models)
    embedded.add(over_models)
    ollama.add(over_models)
    structured.add(over_models)
    cost.add(over_models)
    probe.add(over_models)
    of_experiments = commands.add_parser("experiment", help="run an experiment, show, compare and export its results")
    over_experiments = of_experiments.add_subparsers(required=True, metavar="COMMAND")
    experiment.add(over_experiments)
    carry.add_experiment_bundle(over_experiments)
    of_sets = commands.add_parser("datasets", help="list, show, check and keep data sets for experiments")
    datasets.add(of_sets.add_subparsers(required=True, metavar="COMMAND"))
    of_confidence = commands.add_parser("confidence", help="ask a model for the probabilities of its own tokens")
    confidence.add(of_confidence.add_subparsers(required=True, metavar="COMMAND"))
    _add_kept(commands)
    machines = commands.add_parser("machines", help="list the machines and their options")
    machines.set_defaults(do=models.list_machines)
    check = commands.add_parser("doctor", help="check what a run needs")
    check.set_defaults(do=models.examine)
    return top


def _add_kept(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """What a person keeps between runs, and the tools that runs have."""
    of_prompts = commands.add_parser("prompts", help="list, show, save, name, export and import versions of prompts")
    prompts.add(of_prompts.add_subparsers(required=True, metavar="COMMAND"))
    of_presets = commands.add_parser("presets", help="list, show, save and delete presets, and make links to them")
    presets.add(of_presets.add_subparsers(required=True, metavar="COMMAND"))
    of_tools = commands.add_parser("tools", help="list the tools, and add those of MCP servers")
    tools.add(of_tools.add_subparsers(required=True, metavar="COMMAND"))
    of_memories = commands.add_parser("memories", help="list, add, edit and delete what the memory stream remembers")
    memories.add(of_memories.add_subparsers(required=True, metavar="COMMAND"))
