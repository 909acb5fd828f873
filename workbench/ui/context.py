"""The context window as it is drawn: a bar on each call, a summary with what it stands for, growth over the run."""

from workbench import context
from workbench.context import Size
from workbench.events import CallView, RunView, Summarised
from workbench.ui.fields import message_html
from workbench.ui.markdown import escape, render
from workbench.ui.metrics import bar

LATEST = 40  # calls of which the small chart has a bar
HOW = {
    "measured": "measured by the backend",
    "counted": "counted by the model's own tokenizer",
    "estimated": "estimated from the text: the backend has no tokenizer to ask",
}


def call_html(call: CallView) -> str:
    """A call's prompt against the window: a bar, the numbers, a word when it is getting full. Empty when unknown."""
    found = context.of(call)
    if found is None or found.share is None:
        return ""
    word = context.standing(found)
    told = f' <b class="wb-filling">{word}</b>' if word else ""
    kind = " wb-near" if word else ""
    words = f"prompt {context.used(found)}"
    return (
        f'<div class="wb-size{kind}" title="{escape(_how(found))}">{bar(found.share, words)}'
        f"<span>{words}</span>{told}</div>"
    )


def summary_html(made: Summarised) -> str:
    """What a summary says, what it did to the prompt, and behind that the turns that it stands for."""
    number = len(made.left_out)
    turns = "1 earlier turn" if number == 1 else f"{number} earlier turns"
    kept = "".join(message_html(message) for message in made.left_out)
    return (
        f'{render(made.text)}<div class="wb-note">From here on this is sent in place of {turns}: the next prompt has'
        f" {made.tokens_after:,} tokens instead of {made.tokens_before:,}.</div>"
        f'<details class="wb-quiet"><summary>What was left out</summary>'
        f'<div class="wb-note">The originals stay in what was sent before, and in the state of every step.</div>{kept}'
        "</details>"
    )


def growth_html(view: RunView) -> str:
    """The prompts of the run as a small chart against the window, and in words when it will be full."""
    sizes = [(call, found) for call in view.calls if (found := context.of(call)) and found.share is not None][-LATEST:]
    soonest = context.forecast(view)
    words = f"<p>{context.told(soonest)}</p>" if soonest else ""
    if len(sizes) < 2:
        return words
    roles = {node.name: node.role for node in view.started.graph.nodes} if view.started else {}
    columns = "".join(_column(call, found, roles) for call, found in sizes)
    label = f"The prompts of the last {len(sizes)} calls; the dashed line is the window"
    return f'<div class="wb-growth" role="img" aria-label="{label}" title="{label}">{columns}</div>{words}'


def _column(call: CallView, found: Size, roles: dict[str, str]) -> str:
    percent = max(2, round(100 * min(found.share or 0.0, 1.0)))
    colour = f"wb-{roles.get(call.called.node, 'none')}"
    said = escape(f"{call.called.role}: {context.used(found)}")
    return f'<span class="{colour}" style="height:{percent}%" title="{said}"></span>'


def _how(found: Size) -> str:
    share = f"{found.share:.0%} of the context window, " if found.share is not None else ""
    return share + HOW[found.source]
