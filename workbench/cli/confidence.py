"""Commands on a model's own probabilities: of labels, of a passage that is enough, of what comes next, of a text."""

import argparse
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.cli.asking import interruptible, open_engine
from workbench.cli.flags import standard_input
from workbench.cli.output import FAILED, INTERRUPTED, USAGE, table
from workbench.confidence import bits_per_character, perplexity, probability
from workbench.errors import InvalidRequest
from workbench.settings import Settings
from workbench.terminal import harmless

if TYPE_CHECKING:
    from workbench.weighing import Result, Scale

LOOK_SECONDS = 0.05
EPILOGUE = "Exit codes: 0 told, 2 usage, 3 the backend failed, 130 interrupted: what was found by then is printed."


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`confidence classify`, `enough`, `complete` and `compare`."""
    classify = commands.add_parser("classify", help="a probability for each label of a text", epilog=EPILOGUE)
    classify.add_argument("text", help="the text; - reads texts from standard input, one a line")
    classify.add_argument("--label", action="append", default=[], required=True, help="one of the labels; repeat it")
    classify.set_defaults(ask=_classify)
    enough = commands.add_parser("enough", help="whether a passage is enough for a question", epilog=EPILOGUE)
    enough.add_argument("passage", help="the passage; - reads it from standard input")
    enough.add_argument("question")
    enough.set_defaults(ask=_enough)
    complete = commands.add_parser("complete", help="the likeliest next tokens of a text", epilog=EPILOGUE)
    complete.add_argument("begun", help="the text that has begun")
    complete.set_defaults(ask=_complete)
    compare = commands.add_parser("compare", help="the perplexity of an answer after prompts", epilog=EPILOGUE)
    compare.add_argument("answer", help="the answer; - reads it from standard input")
    compare.add_argument("--prompt", action="append", default=[], required=True, help="a prompt; repeat it")
    compare.add_argument("--with-model", action="append", default=[], metavar="MODEL", help="another model; repeat it")
    compare.set_defaults(ask=_compare)
    for command in (classify, enough, complete, compare):
        command.add_argument("--backend", default="", help="the default one otherwise")
        command.add_argument("--model", default="", help="the backend's default model otherwise")
        command.add_argument("--json", action="store_true", help="one result a line, as JSON")
        command.set_defaults(do=ask)


def ask(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask, print what was found, and say what went wrong."""
    from workbench.weighing import Scale, begin

    with open_engine(settings) as engine:
        backend = arguments.backend or settings.backend
        asking: AsyncGenerator[Result, None] = arguments.ask(
            arguments, lambda model: Scale(engine, backend, model or arguments.model)
        )
        weighing = begin(engine, "classify", 1, asking)
        with interruptible():
            try:
                while weighing.running:
                    time.sleep(LOOK_SECONDS)
            except KeyboardInterrupt:
                weighing.stop()
        _print(weighing.results, arguments.json)
        if weighing.stopped:
            return INTERRUPTED
        if weighing.future is not None:
            weighing.future.result()
    if weighing.error is not None:
        say = harmless(f"{weighing.error.message}\n{weighing.error.hint}".rstrip())
        print(say, file=sys.stderr)
        return USAGE if weighing.error.code == InvalidRequest.code else FAILED
    return 0


Scales = Callable[[str], "Scale"]


def _classify(arguments: argparse.Namespace, scale: Scales) -> "AsyncGenerator[Result, None]":
    from workbench.weighing import classified, read_labels, read_texts

    text = standard_input() if arguments.text == "-" else " ".join(arguments.text.split())
    return classified(scale(""), read_texts(text), read_labels("\n".join(["", *arguments.label, ""])))


def _enough(arguments: argparse.Namespace, scale: Scales) -> "AsyncGenerator[Result, None]":
    from workbench.weighing import one

    passage = standard_input() if arguments.passage == "-" else arguments.passage
    return one(scale("").enough(passage, arguments.question))


def _complete(arguments: argparse.Namespace, scale: Scales) -> "AsyncGenerator[Result, None]":
    from workbench.weighing import one

    return one(scale("").next_tokens(arguments.begun.rstrip()))


def _compare(arguments: argparse.Namespace, scale: Scales) -> "AsyncGenerator[Result, None]":
    from workbench.weighing import scored

    answer = standard_input() if arguments.answer == "-" else arguments.answer
    models = ["", *arguments.with_model]
    return scored([(scale(model), prompt) for model in models for prompt in arguments.prompt], answer)


def _print(results: "list[Result]", as_json: bool) -> None:
    if as_json:
        for result in results:
            print(json.dumps(asdict(result)))
        return
    from workbench.weighing import Scored

    scored = [result for result in results if isinstance(result, Scored)]
    for result in results:
        if not isinstance(result, Scored):
            _print_one(result)
    rows = [
        [_number(perplexity(one.tokens)), _number(bits_per_character(one.tokens)), one.model, one.prompt]
        for one in scored
    ]
    table(["PERPLEXITY", "BITS/CHAR", "MODEL", "PROMPT"], rows)


def _print_one(result: Any) -> None:
    """The probabilities of one result, the likeliest first; what lies outside of what was offered is told."""
    from workbench.weighing import Candidates

    if isinstance(result, Candidates):
        rows = [[f"{probability(value):.3f}", repr(text) if text else "(the end)"] for text, value in result.tops]
        table(["P", "NEXT"], rows)
        return
    rows = [[f"{share.probability:.3f}", share.name] for share in result.found.shares]
    print(harmless(" ".join((getattr(result, "text", "") or result.question).split())))
    rows.append([f"{result.found.outside:.3f}", "(something else, before the others were scaled to 1)"])
    table(["P", "ANSWER"], rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
