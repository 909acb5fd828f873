"""Flags that say what a run is to be, and what to reply to one that waits."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from agents import catalogue
from workbench.backends import registry
from workbench.errors import InvalidRequest
from workbench.events import Paused
from workbench.request import Limits, ModelSettings, Reply, RunRequest
from workbench.settings import Settings
from workbench.store.prompts import FILE, PromptStore

NUMBERS = ("seed", "temperature", "top_p", "max_tokens", "context_window")


def run_flags(run: argparse.ArgumentParser) -> None:
    """What may be chosen for a run besides its machine and question."""
    run.add_argument("--backend", help=f"one of: {', '.join(registry.BACKENDS)}; or a named server: ollama@lab")
    run.add_argument("--model", default="", help="a model of the backend; its default otherwise")
    run.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the machine")
    run.add_argument("--seed", type=int)
    run.add_argument("--temperature", type=float)
    run.add_argument("--top-p", type=float)
    run.add_argument("--max-tokens", type=int, help="tokens that one answer may have")
    run.add_argument("--context-window", type=int, help="tokens of prompt and answer together")
    run.add_argument(
        "--prompt-cache",
        action=argparse.BooleanOptionalAction,
        help=ModelSettings.model_fields["prompt_cache"].description,
    )
    run.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="ROLE=VERSION",
        help="a role's prompt: a version's number, name, tag, its hash's beginning, built-in or default; or a file",
    )
    run.add_argument("--pause-before", action="append", metavar="NODE", help="wait for you before this node")
    run.add_argument("--approve-tool", action="append", metavar="TOOL", help="wait for you before this tool is called")
    limit_flags(run)


def limit_flags(command: argparse.ArgumentParser) -> None:
    """Where the run ends as `limit`."""
    for name, field in Limits.model_fields.items():
        kind = float if name == "seconds" else int
        command.add_argument(f"--limit-{name.replace('_', '-')}", type=kind, metavar="N", help=field.description)


def reply_flags(command: argparse.ArgumentParser) -> None:
    """What may be said to a run that waits."""
    ways = command.add_mutually_exclusive_group()
    ways.add_argument("--approve", action="store_true", help="let it do what it waits for")
    ways.add_argument("--edit", metavar="TEXT", help="the last message's new text, or the tool's new arguments as JSON")
    ways.add_argument("--answer", metavar="TEXT", help="answer in the model's or the tool's place; - reads it")
    ways.add_argument("--reject", metavar="WORD", help="do not let it, with a word to the model")


def read_reply(arguments: argparse.Namespace, paused: Paused | None) -> Reply | None:
    """What the command line says to a run that waits; None when it says nothing. Raises InvalidRequest."""
    given = {"approve": arguments.approve or None} | {
        verb: getattr(arguments, verb) for verb in ("edit", "answer", "reject")
    }
    verb, text = next(((verb, text) for verb, text in given.items() if text is not None), ("", ""))
    if not verb:
        return None
    said: dict[str, Any] = {"text": standard_input() if text == "-" else text} if text is not True else {}
    if paused is not None:
        said["to"] = paused.seq
    if verb == "edit" and paused is not None and paused.tool:
        said = {"arguments": read_json("--edit", said["text"]), "to": paused.seq}
    try:
        return Reply.model_validate({"verb": verb, **said})
    except ValidationError as error:
        raise invalid(error) from None


def read_limits(arguments: argparse.Namespace, base: Limits) -> Limits:
    """The limits with what the command line says in their place. Raises InvalidRequest."""
    given = {name: getattr(arguments, f"limit_{name}") for name in Limits.model_fields}
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return Limits.model_validate(base.model_dump() | chosen)
    except ValidationError as error:
        raise wrong_flag(error, "limit-") from None


def wrong_flag(error: ValidationError, prefix: str = "") -> InvalidRequest:
    """What is wrong with a flag's value, in a sentence."""
    problem = error.errors()[0]
    flag = str(problem["loc"][-1]).replace("_", "-")
    return InvalidRequest(f"--{prefix}{flag} cannot be {problem['input']}: {problem['msg']}.")


def invalid(error: ValidationError) -> InvalidRequest:
    """What is wrong, in a sentence: a request's own, or one that names the flag."""
    problem = error.errors()[0]
    return InvalidRequest(str(problem["ctx"]["error"])) if problem["type"] == "value_error" else wrong_flag(error)


def read_request(arguments: argparse.Namespace, settings: Settings) -> RunRequest:
    """What the command line asks for. Raises InvalidRequest."""
    asked: dict[str, Any] = {
        "machine": arguments.machine,
        "question": standard_input() if arguments.question == "-" else arguments.question,
        "backend": arguments.backend or settings.backend,
        "model": arguments.model,
        "limits": read_limits(arguments, Limits()),
    }
    return _validated({**asked, **_changes(arguments, arguments.machine, {})})


def changed_request(arguments: argparse.Namespace, request: RunRequest, question: str | None = None) -> RunRequest:
    """A run's request with what the command line says in its place. Raises InvalidRequest."""
    asked = {name: getattr(request, name) for name in RunRequest.model_fields}
    asked["question"] = request.question if question is None else question
    asked["limits"] = read_limits(arguments, request.limits)
    if arguments.backend:
        asked |= {"backend": arguments.backend, "model": ""}
    if arguments.model:
        asked["model"] = arguments.model
    return _validated({**asked, **_changes(arguments, request.machine, request.model_dump())})


def _changes(arguments: argparse.Namespace, machine: str, base: dict[str, Any]) -> dict[str, Any]:
    """The parts of a request that are made of several flags, over what they were before."""
    wanted = {name: getattr(arguments, name) for name in (*NUMBERS, "prompt_cache")}
    settings = {name: value for name, value in wanted.items() if value is not None}
    changes: dict[str, Any] = {
        "options": base.get("options", {}) | read_options(machine, arguments.option),
        "settings": base.get("settings", {}) | settings,
    }
    if arguments.pause_before is not None:
        changes["pause_before"] = tuple(arguments.pause_before)
    if arguments.approve_tool is not None:
        changes["approve_tools"] = tuple(arguments.approve_tool)
    return changes


def _validated(asked: dict[str, Any]) -> RunRequest:
    try:
        return RunRequest.model_validate(asked)
    except ValidationError as error:
        raise invalid(error) from None


def with_prompts(arguments: argparse.Namespace, request: RunRequest, library: PromptStore) -> RunRequest:
    """The request with the versions and files that the command line names for some roles. Raises InvalidRequest."""
    form = ("names no version", "--prompt role=version or --prompt role=file")
    pairs = (_pair(text, f"The prompt {text!r} {form[0]}.", form[1]) for text in arguments.prompt)
    refs = {role: _prompt_ref(ref) for role, ref in pairs}
    if not refs:
        return request
    words, examples = library.named(request.machine, refs)
    update = {"prompts": {**request.prompts, **words}, "examples": {**request.examples, **examples}}
    return request.model_copy(update=update)


def _prompt_ref(ref: str) -> str:
    """What the library takes: a path is written as one; a file that is there comes before a version of its name."""
    path = os.path.expanduser(ref)
    is_file = os.path.exists(path) and not os.path.isdir(path)  # a pipe is one too
    return f"{FILE}{ref}" if not ref.startswith(FILE) and (is_file or os.sep in ref) else ref


def read_options(machine: str, pairs: Sequence[str]) -> dict[str, Any]:
    """The machine's options from KEY=VALUE pairs, each value read as YAML. Raises InvalidRequest."""
    known = catalogue.load(machine).options.model_fields if machine in catalogue.MACHINES else {}
    options: dict[str, Any] = {}
    for pair in pairs:
        name, text = _pair(pair, f"The option {pair!r} has no value.", "--option name=value")
        options[name] = _value(text, known[name].annotation if name in known else None)
    return options


def read_state(pairs: Sequence[str]) -> dict[str, Any]:
    """The changes of a machine's state from KEY=JSON pairs. Raises InvalidRequest."""
    state: dict[str, Any] = {}
    for pair in pairs:
        name, text = _pair(pair, f"The change {pair!r} has no value.", "--set key=JSON")
        state[name] = read_json(f"--set {name}", text)
    return state


def _pair(pair: str, lacking: str, form: str) -> tuple[str, str]:
    """Both sides of NAME=TEXT. Raises InvalidRequest that says what is `lacking` and in which form to write it."""
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise InvalidRequest(lacking, f"Write it as {form}.")
    return name, text


def read_json(flag: str, text: str) -> Any:
    """A flag's JSON. Raises InvalidRequest."""
    try:
        return json.loads(text)
    except ValueError as error:
        hint = "Put texts into double quotes, and the whole into single ones."
        raise InvalidRequest(f"{flag} is not JSON: {error}.", hint) from None


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


def standard_input() -> str:
    """All of standard input. Raises InvalidRequest."""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise InvalidRequest("What is on standard input is not UTF-8 text.", "Convert it, then try again.") from None
