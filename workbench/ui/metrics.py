"""The numbers beside the thinking: time, speed, tokens, cache, and the last prompt against the context window."""

from workbench import context
from workbench.cost import energy
from workbench.events import RunView, Totals
from workbench.ui.markdown import escape

NOTHING = "–"
WAITS = "stands still: it waits for you"


def metrics_html(view: RunView, now_elapsed: float | None = None, money: str = "") -> str:
    """The panel of numbers. `now_elapsed` is the run's age in seconds while it runs; else the log's last moment.

    `money` is what it has cost, in words.
    """
    totals = view.totals
    rows = (
        ("elapsed", clock(view.last_at if now_elapsed is None else now_elapsed), WAITS if view.paused else ""),
        ("first token", seconds(view.first_token_seconds), ""),
        ("speed", _speed(view.tokens_per_second), ""),
        ("tokens", *_tokens(totals)),
        ("calls", *_calls(totals)),
        ("from cache", _cache(view), ""),
        *_known(totals, money),
    )
    cells = "".join(_cell(label, value, note) for label, value, note in rows)
    return f'<dl class="wb-metrics">{cells}</dl>{context_html(view)}'


def context_html(view: RunView) -> str:
    """The last prompt against the context window, as a bar and in words; empty when unknown."""
    found = next((found for call in reversed(view.calls) if (found := context.of(call)) and found.window), None)
    if found is None:
        return ""
    words = f"{context.used(found)} in the last prompt"
    kind = " wb-near" if context.standing(found) else ""
    word = f" <b>{context.standing(found)}</b>" if kind else ""
    return f'<div class="wb-context{kind}">{bar(found.share or 0.0, words)}<span>{words}</span>{word}</div>'


def bar(share: float, label: str) -> str:
    """A bar that is `share` (0 to 1) full; `label` says it in words to those who do not see it."""
    percent = round(100 * min(max(share, 0.0), 1.0))
    return f'<span class="wb-bar" role="img" aria-label="{escape(label)}"><span style="width:{percent}%"></span></span>'


def clock(elapsed: float) -> str:
    """Seconds as 0:41, 12:05 or 1:02:03."""
    whole = max(int(elapsed), 0)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def seconds(value: float | None) -> str:
    """A duration as it is read: 27 ms, 0.38 s, 9.2 s, 1:41."""
    if value is None:
        return NOTHING
    if value >= 60:
        return clock(value)
    if value < 0.1:
        return f"{max(round(value * 1000), 1)} ms"
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


def spent(totals: Totals, money: str = "") -> str:
    """Where a run's time, energy and money went, in one line; empty where nobody told."""
    used = [] if totals.joules is None else [energy(totals.joules)]
    return " · ".join([*_work(totals), *used, *([money] if money else [])])


def _work(totals: Totals) -> list[str]:
    """The model's own seconds as far as they are known; no load where it was there already."""
    named = {"load": totals.load_seconds, "prefill": totals.prefill_seconds, "decode": totals.decode_seconds}
    return [f"{name} {seconds(value)}" for name, value in named.items() if value]


def _known(totals: Totals, money: str) -> list[tuple[str, str, str]]:
    """What not every backend tells."""
    work = sum(value or 0.0 for value in (totals.load_seconds, totals.prefill_seconds, totals.decode_seconds))
    amount, _, as_of = money.partition(", ")
    return [
        *([("model's time", seconds(work), ", ".join(_work(totals)))] if work else []),
        *([("energy", energy(totals.joules), "whole computer")] if totals.joules is not None else []),
        *([("money", amount, as_of)] if money else []),
    ]


def _speed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f} tok/s" if value >= 10 else f"{value:.1f} tok/s"


def _tokens(totals: Totals) -> tuple[str, str]:
    both = totals.prompt_tokens + totals.completion_tokens
    return (f"{both:,}", f"{totals.prompt_tokens:,} in, {totals.completion_tokens:,} out") if both else (NOTHING, "")


def _calls(totals: Totals) -> tuple[str, str]:
    return str(totals.calls), f"and {totals.tool_calls} to tools" if totals.tool_calls else ""


def _cache(view: RunView) -> str:
    """The share of prompt tokens that were not read again; unknown where no answer told."""
    told = [call.answer for call in view.paid_calls if call.answer and call.answer.cached_tokens is not None]
    read = sum(answer.prompt_tokens or 0 for answer in told)
    return f"{100 * sum(answer.cached_tokens or 0 for answer in told) / read:.0f}%" if read else NOTHING


def _cell(label: str, value: str, note: str) -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    return f"<div><dt>{label}</dt><dd>{escape(value)}{small}</dd></div>"
