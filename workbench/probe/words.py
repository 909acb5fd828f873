"""Findings in words: a sentence for each claim, a word or two for a table."""

from agents.contract import Rate
from workbench.probe.report import (
    Context,
    Finding,
    Logprobs,
    Report,
    Result,
    Schema,
    Seed,
    Speed,
    Streams,
    Thinks,
    Tools,
)

UNKNOWN = "–"
ABOUT = {
    "speed": "Speed",
    "streams": "Streams",
    "thinks": "Thinks",
    "logprobs": "Token probabilities",
    "seed": "Seed",
    "tools": "Tool calls",
    "schema": "Schemas",
    "context": "Context",
}
ENDS = {
    "window": "That is its whole window.",
    "refused": "A longer prompt is refused.",
    "cut": "A longer prompt is cut silently: its beginning is not read.",
    "lost": "In a longer prompt it did not find what stood there, though it was read.",
    "not reached": "Longer ones were not tried: what lies beyond is not known.",
}


def state(report: Report, running: str = "") -> str:
    """How far a probe came; `running` is the one that goes on in this process: no other is known to go on."""
    return "not finished" if report.status == "running" and report.id != running else report.status


def said(result: Result) -> str:
    """What became of a check, in a sentence or two."""
    if result.finding is not None:
        return claim(result.finding)
    if result.status == "stopped":
        return "Stopped before it was measured."
    return f"Not measured, the backend failed: {result.error.message if result.error else 'it did not say why.'}"


def claim(finding: Finding) -> str:
    """A finding in a sentence or two."""
    match finding:
        case Streams():
            return _streams(finding)
        case Schema():
            return _schema(finding)
        case Tools():
            return _tools(finding)
        case Thinks():
            return _thinks(finding)
        case Logprobs():
            return _logprobs(finding)
        case Seed():
            return _seed(finding)
        case Context():
            return _context(finding)
        case Speed():
            return _speed(finding)


def share(rate: Rate | None) -> str:
    """A rate with its interval: 18 of 20 (70 to 97%)."""
    if rate is None:
        return UNKNOWN
    return f"{rate.right} of {rate.of} ({100 * rate.low:.0f} to {100 * rate.high:.0f}%)"


def seconds(value: float | None) -> str:
    """A time to the first word: 0.24 s; unknown where there is none."""
    return UNKNOWN if value is None else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _streams(found: Streams) -> str:
    if found.streams:
        return f"It streams: an answer came in {found.parts} pieces over {seconds(found.spread)}."
    return f"It does not stream: the whole answer came at once after {found.seconds:.1f} s."


def _schema(found: Schema) -> str:
    held = f"Held to a schema, {share(found.held)} answers fit at once and {share(found.held_retried)} after retries."
    if found.turned_down:
        held += f" The server refused {found.turned_down} of them, which do not count as fitting."
    if found.refused:
        held = "The server refuses to hold its answers to a schema."
    if found.told is None:
        return held
    told = (
        f"Told it by the prompt alone, {share(found.told)} fit at once and {share(found.told_retried)} after retries."
    )
    return f"{held} {told}"


def _tools(found: Tools) -> str:
    if found.refused:
        return "It does not call tools: the server refuses to offer it any."
    counts = (
        (found.native.right, "called the right tool by itself"),
        (found.wrong, "called one wrongly"),
        (found.text, "wrote the call as text"),
        (found.none, "called none"),
    )
    told = ", ".join(f"{number} times it {words}" for number, words in counts if number)
    return f"Of {found.native.of} questions that need a tool: {told}."


def _thinks(found: Thinks) -> str:
    where = {"channel": "in a channel of its own", "tags": "between tags in its text"}.get(found.how)
    if where is None:
        return "It does not think before it answers" + (": the server refuses to let it." if found.refused else ".")
    return f"It thinks {where}" + ("." if found.unasked else ", when it is asked to.")


def _logprobs(found: Logprobs) -> str:
    if not found.given:
        return "It gives no token probabilities" + (": the server refuses to." if found.refused else ".")
    return "It gives token probabilities." if found.sane else f"Its token probabilities cannot be right. {found.wrong}"


def _seed(found: Seed) -> str:
    if found.keeps is None:
        return "Nothing can be said: every seed gave the same text."
    if found.keeps:
        return f"It keeps a seed: the same text {found.same} of {found.of} times, another one with another seed."
    return f"It does not keep a seed: the same text only {found.same} of {found.of} times."


def _context(found: Context) -> str:
    if not found.holds:
        shortest = found.lengths[0].tokens if found.lengths else 0
        if found.end == "lost":
            return f"Already in {shortest:,} tokens it did not find what stood at the beginning and in the middle."
        return f"No length was passed. {ENDS[found.end]}"
    return f"It finds what stands in a prompt of {found.holds:,} tokens. {ENDS[found.end]}"


def _speed(found: Speed) -> str:
    rates = [
        f"reads {found.prefill:,.0f}" if found.prefill else "",
        f"writes {found.decode:,.0f}" if found.decode else "",
    ]
    by = "by its own figures" if found.told else "by the stream's clock"
    told = f"It {' and '.join(filter(None, rates))} tokens a second, {by}." if any(rates) else "Its speed is not known."
    cold = f"{seconds(found.cold)} cold" if found.cold is not None else f"not measured cold ({found.why_not_cold})"
    busy = "" if found.alone else " Other runs were going on meanwhile: it is faster alone."
    return f"{told} First word after {seconds(found.warm)} warm, {cold}.{busy}"
