"""Commands on probes: what a model really does, measured, and what was found so far."""

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from agents import catalogue
from workbench import suited
from workbench.cli.asking import interruptible, open_engine
from workbench.cli.output import FAILED, INTERRUPTED, local, table
from workbench.cli.stores import open_database
from workbench.probe import abilities, words
from workbench.probe.report import SHORTEST, Report
from workbench.settings import Settings
from workbench.store.probes import ProbeStore
from workbench.terminal import Progress as Line
from workbench.terminal import harmless

if TYPE_CHECKING:
    from workbench.probe.runner import Prober

LOOK_SECONDS = 0.2
STOP_SECONDS = 20.0  # that a stopped call may take to end
EPILOGUE = "Exit codes: 0 measured, 2 usage, 3 the backend failed, 130 interrupted: what was measured is kept."


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models probe` and `models probes`."""
    probe = commands.add_parser("probe", help="measure what a model really does", epilog=EPILOGUE)
    probe.add_argument("model", nargs="?", default="", help="the backend's default model otherwise")
    probe.add_argument("--backend", default="", help="embedded, ollama, openai or a named server (the default one)")
    probe.add_argument("--depth", default="quick", choices=("quick", "full"), help="full takes several times as long")
    probe.add_argument(
        "--context", type=_window, metavar="TOKENS", help=f"the context window to ask for, {SHORTEST} or more"
    )
    probe.add_argument("--json", action="store_true", help="the whole report with every answer, as JSON")
    probe.set_defaults(do=probe_model)
    probes = commands.add_parser("probes", help="what was measured of all models, the newest first")
    probes.add_argument("--json", action="store_true", help="one report a line")
    probes.set_defaults(do=list_probes)


def _window(text: str) -> int:
    tokens = int(text)
    if tokens < SHORTEST:
        raise argparse.ArgumentTypeError(f"must be {SHORTEST} or more: shorter texts are not tried")
    return tokens


def probe_model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Probe a model, and say what was found."""
    from workbench.probe.runner import Prober

    with open_engine(settings) as engine:
        prober = Prober(engine)
        backend = arguments.backend or settings.backend
        prober.start(backend, arguments.model, arguments.depth, arguments.context)
        with interruptible():
            try:
                _follow(prober)
            except KeyboardInterrupt:
                prober.stop()
                _wait(prober)
        last = prober.last()
        assert last is not None
        _print(last.report, arguments.json)
        return {"done": 0, "stopped": INTERRUPTED}.get(last.report.status, FAILED)


def _follow(prober: "Prober") -> None:
    """How far it is, on standard error."""
    line = Line(sys.stderr)
    while (now := prober.running()) is not None:
        clock = f"{now.seconds:.0f} of about {now.expected:.0f} s"
        line.show(
            now.asks, f"{now.report.model}: {now.asks} ({clock})" if now.asks else f"{now.report.model} ({clock})"
        )
        time.sleep(LOOK_SECONDS)
    line.clear()


def _wait(prober: "Prober") -> None:
    end = time.monotonic() + STOP_SECONDS
    while prober.running() is not None and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print(report.model_dump_json())
        return
    print(harmless(f"{report.model} ({report.backend}), {report.depth} probe, {report.status}: {report.seconds:.0f} s"))
    for result in report.results:
        print(harmless(f"  {words.ABOUT[result.check]}: {words.said(result)}"))
    if report.error is not None:
        print(harmless(f"  {report.error.message} {report.error.hint}".rstrip()))
    for sentence in consequences(report):
        print(harmless(f"  So: {sentence}"))


def consequences(report: Report) -> list[str]:
    """What the machines choose by default because of it, each reason once."""
    known = abilities.of(report)
    machines = [catalogue.load(name) for name in catalogue.MACHINES]
    return list(dict.fromkeys(one.because for machine in machines for one in suited.defaults(machine, known)))


def list_probes(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per probe; as JSON the whole reports."""
    with open_database(settings) as database:
        found = ProbeStore(database).all()
    if arguments.json:
        for report in found:
            print(json.dumps(report.model_dump(mode="json")))
        return 0
    table(
        ["WHEN", "MODEL", "BACKEND", "PROBE", "TOOLS", "FITS", "CONTEXT", "READS", "WRITES"],
        [_row(one) for one in found],
    )
    if not found:
        print("No model was probed yet: `python -m workbench models probe MODEL`.", file=sys.stderr)
    return 0


def _row(report: Report) -> list[str]:
    """What a line has room for; a dash is what was not measured."""
    tools, schema = report.finding("tools"), report.finding("schema")
    context, speed = report.finding("context"), report.finding("speed")
    return [
        local(report.created_at),
        report.model,
        report.backend,
        f"{report.depth}, {words.state(report)}",
        tools.usual if tools else words.UNKNOWN,
        f"{schema.held.right}/{schema.held.of}" if schema and schema.held else words.UNKNOWN,
        f"{context.holds:,}" if context else words.UNKNOWN,
        f"{speed.prefill:,.0f}/s" if speed and speed.prefill else words.UNKNOWN,
        f"{speed.decode:,.0f}/s" if speed and speed.decode else words.UNKNOWN,
    ]
