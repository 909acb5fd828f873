"""A probe's claims, each with what was asked and answered, and what follows from them for the machines."""

import json

from agents import catalogue
from agents.contract import Suited
from workbench import suited
from workbench.probe import abilities, words
from workbench.probe.report import Evidence, Report, Result
from workbench.ui.markdown import escape
from workbench.ui.metrics import seconds

SHORT = 300  # characters of a question that is not folded
LONGEST = 4_000  # characters of an answer that are shown
SETTINGS = {
    "json_schema": "held to the schema {}",
    "tools": "tools {}",
    "think": "asked to think",
    "seed": "seed {}",
    "temperature": "temperature {}",
    "top_logprobs": "probabilities asked for",
}


def html(report: Report) -> str:
    """Every claim, to be opened; then the consequences; then where and when it was measured."""
    claims = "".join(_claim(result) for result in report.results)
    return f'<div class="wb-claims">{claims}{_consequences(report)}{_origin(report)}</div>'


def _claim(result: Result) -> str:
    state = "" if result.finding is not None else ' class="wb-unmeasured"'
    title = f"<b>{words.ABOUT.get(result.check, result.check)}</b> {escape(words.said(result))}"
    asked = "".join(_evidence(evidence) for evidence in result.evidence)
    count = f"{len(result.evidence)} answer{'s' if len(result.evidence) != 1 else ''}, {seconds(result.seconds)}"
    return (
        f'<details class="wb-claim"><summary{state}>{title} <span class="wb-mono">{count}</span></summary>'
        f"<ol>{asked}</ol></details>"
    )


def _evidence(said: Evidence) -> str:
    settings = [text.format(_shown(said.wanted[name])) for name, text in SETTINGS.items() if name in said.wanted]
    facts = [
        *settings,
        f"{said.prompt_tokens:,} tokens read" if said.prompt_tokens else "",
        f"{said.completion_tokens:,} written" if said.completion_tokens else "",
        f"{said.cached_tokens:,} from cache" if said.cached_tokens else "",
        f"first word {seconds(said.first_token_seconds)}" if said.first_token_seconds is not None else "",
        seconds(said.seconds),
        "" if said.finish_reason in ("", "stop") else f"ended by {said.finish_reason.replace('_', ' ')}",
    ]
    line = " · ".join(fact for fact in facts if fact)
    return (
        f'<li><p class="wb-says">{escape(said.says or "No conclusion was drawn from this one.")}</p>'
        f'{_question(said.asked)}{_answer(said)}<p class="wb-mono">{escape(line)}</p></li>'
    )


def _question(asked: str) -> str:
    """What was asked; a long text is folded."""
    if len(asked) <= SHORT:
        return f'<p class="wb-label">Asked</p><pre>{escape(asked)}</pre>'
    title = f"Asked, {len(asked):,} characters"
    return f'<details><summary class="wb-label">{title}</summary><pre>{escape(asked)}</pre></details>'


def _answer(said: Evidence) -> str:
    if said.error is not None:
        return f'<p class="wb-failed">{escape(said.error.message)}</p>'
    calls = "\n".join(f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}" for call in said.tool_calls)
    parts = (("Thought", said.thinking), ("Answered", said.answer), ("Called", calls))
    shown = "".join(f'<p class="wb-label">{name}</p><pre>{_cut(text)}</pre>' for name, text in parts if text.strip())
    return shown or '<p class="wb-label">Answered nothing</p>'


def _cut(text: str) -> str:
    more = len(text) - LONGEST
    return escape(text) if more <= 0 else f"{escape(text[:LONGEST])}\n… {more:,} more characters"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _consequences(report: Report) -> str:
    """What the machines choose by default, each with its reason and the machines that it is one for."""
    known = abilities.of(report)
    found: dict[str, list[str]] = {}
    for name in catalogue.MACHINES:
        machine = catalogue.load(name)
        for one in suited.defaults(machine, known):
            reason = f"{escape(one.because)} <code>{escape(_option(one))}</code>"
            found.setdefault(reason, []).append(machine.title)
    lines = "".join(f"<li>{text} {_for(titles)}</li>" for text, titles in found.items())
    none = "<li>The usual settings of all machines suit this model, as far as it was measured.</li>"
    return f'<p class="wb-label">What follows for the machines</p><ul>{lines or none}</ul>'


def _for(titles: list[str]) -> str:
    """The machines that a reason holds for, where the reason does not name its only one."""
    return f"({escape(', '.join(titles))})" if len(titles) > 1 else ""


def _option(one: Suited) -> str:
    """An option as a chip says it: dialect json, no constrain."""
    name = one.option.removeprefix("settings.").replace("_", " ")
    return f"no {name}" if one.value is False else f"{name} {one.value}"


def _origin(report: Report) -> str:
    window = f"window of {report.context_window:,} asked for" if report.context_window else "the backend's own window"
    facts = (
        report.engine,
        f"{report.depth} set {report.set}",
        window,
        f"{report.cpus} processors, {report.machine}",
        seconds(report.seconds),
        report.digest[:19],
    )
    return f'<p class="wb-mono">{escape(" · ".join(fact for fact in facts if fact))}</p>'
