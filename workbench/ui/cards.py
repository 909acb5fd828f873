"""The steps of a run as cards: what a model wrote, what a tool said, what the person should know, and the answer."""

import json
import math
from typing import Any, Literal

from workbench.events import (
    CallView,
    Card,
    Entry,
    ErrorInfo,
    ModelAnswered,
    NoteView,
    Paused,
    Resumed,
    RunFinished,
    RunView,
    ToolView,
    Warned,
    entry_node,
)
from workbench.retry import attempts
from workbench.ui import context, origins, pauses, probabilities
from workbench.ui.diff import diff_html
from workbench.ui.fields import code_html, fields_html, folded, is_score, label, message_html, partial, score_html
from workbench.ui.markdown import escape, plain, reading_text, render, with_caret
from workbench.ui.metrics import bar, clock, seconds
from workbench.ui.recalled import recalled_html

Show = Literal["clean", "changes", "probabilities"]

LIVE_WORDS = {
    "queued": "queued",
    "loading": "loading…",
    "reading": "reading…",
    "waiting": "waiting…",
    "writing": "writing…",
}
FEEDBACK = {
    "gold": "checked against the known answer",
    "tool": "checked by a tool",
    "critic": "judged by a critic",
    "self": "judged by the model itself",
    "none": "checked by nobody",
}
BY_PERSON = "by you"
COUNTED: tuple[str, ...] = (
    "candidate",
    "round",
    "sample",
    "sampled",
    "scores",
    "vote",
    "votes",
)  # for statistics, see Bench.card
COUNTED += ("feedback", "trial", "reward", "plan", "queue")
COUNTED += ("recalled", "recalled_at", "recalled_for", "remembered", "noted")  # of memories
CUT = {
    "length": "Cut at the token limit. Raise it under Model settings.",
    "content_filter": "Cut by the backend's content filter.",
}


def entry_html(
    view: RunView, index: int, *, fold: bool = False, show: Show = "changes", now: float | None = None
) -> str:
    """One card for `view.entries[index]`, with the id `entry-{index}`.

    `fold` shows two lines of a long finished card; `show` chooses between a revision's text, what it changed, and the
    probabilities of what the model wrote, word for word;
    `now` is the run's age in seconds while it runs, for what counts time without telling.
    """
    entry = view.entries[index]
    age = view.last_at if now is None else now
    head = head_html(view, index, age)
    match entry:
        case CallView():
            body = _call_body(view, index, entry, fold, show, age)
        case ToolView():
            body = _tool_body(entry)
        case NoteView():
            body = _note_body(view, index, entry, fold, show)
    live, inherited = is_live(view, entry) or next_try(view, index, age) is not None, view.is_inherited(entry)
    marks = [*(["wb-live"] if live else []), *(["wb-inherited"] if inherited else [])]
    classes = " ".join(["wb-card", _colour(view, entry), *marks])
    busy = ' aria-busy="true"' if live else ""
    line = origins.fork_line(view, index) if inherited else ""
    return f'<article class="{classes}" id="entry-{index}" tabindex="-1"{busy}>{head}{body}{line}</article>'


def head_html(view: RunView, index: int, now: float | None = None) -> str:
    """The head of a card alone: role, title, and in small what the step took or what it is doing."""
    match entry := view.entries[index]:
        case CallView():
            return _call_head(view, index, entry, view.last_at if now is None else now)
        case ToolView():
            return _tool_head(view, entry)
        case NoteView():
            return _note_head(view, index, entry)


def counts_seconds(view: RunView, index: int, now: float) -> bool:
    """Whether the card changes while nothing is said: it counts the seconds of a wait."""
    entry = view.entries[index]
    if not isinstance(entry, CallView) or view.status != "running":
        return False
    loads = entry.state == "loading" and entry.loading is not None and entry.loading.stage == "load"
    return loads or next_try(view, index, now) is not None


def next_try(view: RunView, index: int, now: float) -> float | None:
    """Seconds until a failed call is made once more; None when nobody waits for that."""
    call = view.entries[index]
    if not isinstance(call, CallView) or call.retried is None or view.status != "running" or view.is_inherited(call):
        return None
    left = call.retried.at + call.retried.waited - now
    return left if left > 0 and not _went_on(view, index, call) else None


def sent_html(call: CallView) -> str:
    """Exactly what was sent: the parameters, then every message, role by role."""
    parameters = "".join(
        f"<div><dt>{escape(label(key))}</dt><dd>{_parameter(value)}</dd></div>"
        for key, value in call.called.parameters.items()
    )
    messages = "".join(message_html(message) for message in call.called.messages)
    return f'<div class="wb-sent"><dl class="wb-parameters">{parameters}</dl>{messages}</div>'


def answer_html(view: RunView, instead: str = "") -> str:
    """The run's end, set apart: the answer or what came instead, its confidence, cost and feedback. Empty before it.

    `instead` is HTML to be shown in the answer's place.
    """
    end = view.finished
    if end is None:
        return ""
    titles = {"answered": "Answer", "limit": "Limit reached", "stopped": "Stopped", "failed": "Failed"}
    head = f'<header><h3>{titles[end.status]}</h3><span class="wb-meta">{_sureness(view)}</span></header>'
    foot = f'<footer class="wb-meta">{" · ".join(_costs(end))}</footer>'
    body = instead or _ending(end)
    return f'<section class="wb-answer wb-{end.status}" id="answer" tabindex="-1">{head}{body}{foot}</section>'


def confidence(call: CallView) -> float | None:
    """The mean probability of the call's tokens, from 0 to 1; None where the backend does not tell."""
    return call.confidence


def _colour(view: RunView, entry: Entry) -> str:
    """The class that gives the entry its role's colour."""
    if isinstance(entry, ToolView):
        return "wb-tool"
    if isinstance(entry, NoteView) and not isinstance(entry.event, Card):
        return "wb-waiting" if is_live(view, entry) else "wb-none"
    node = entry_node(entry)
    roles = {n.name: n.role for n in view.started.graph.nodes} if view.started else {}
    return f"wb-{roles.get(node or '', 'none')}"


def is_live(view: RunView, entry: Entry) -> bool:
    """Whether a step goes on, or waits for the person."""
    if view.finished is not None:
        return False
    match entry:
        case CallView():
            return entry.answer is None and entry.error is None
        case ToolView():
            return entry.answered is None
        case NoteView(event=event):
            return event is view.paused


def _went_on(view: RunView, index: int, call: CallView) -> bool:
    """Whether the same was asked again after the call at `index`, or the whole run went on another time."""
    return any(
        isinstance(entry.event, Resumed)
        if isinstance(entry, NoteView)
        else isinstance(entry, CallView) and _place_of(entry) == _place_of(call)
        for entry in view.entries[index + 1 :]
    )


def _place_of(call: CallView) -> tuple[str, int, str]:
    return call.called.node, call.called.step, call.called.role


def _flags(view: RunView, entry: Entry, *words: str) -> str:
    """What is to be known of a step at once: whose it was, and what became of it."""
    taken = f"inherited from {origins.parent(view.started)}" if view.started and view.is_inherited(entry) else ""
    return "".join(f'<span class="wb-flag">{escape(word)}</span>' for word in (*words, taken) if word)


def _head(role: str, title: str, meta: str, flagged: str = "") -> str:
    return (
        f'<header><span class="wb-role">{escape(label(role))}</span><h3>{escape(title)}</h3>{flagged}'
        f'<span class="wb-meta">{meta}</span></header>'
    )


def _call_head(view: RunView, index: int, call: CallView, now: float) -> str:
    live = LIVE_WORDS.get(call.state)
    if call.state == "loading" and call.loading and call.loading.stage == "fetch":
        live = "fetching…"
    left = next_try(view, index, now)
    if left is not None:
        live = f"next try in {math.ceil(left)} s"
    flags = _flags(view, call, "retried" if call.retried and left is None else "")
    return _head(call.called.role, _title(call) or _place(view, index, call), live or _measured(view, call), flags)


def _title(call: CallView) -> str:
    """The machine's title for the step, or the model's own as far as it has come."""
    if call.card is not None:
        return call.card.title
    if call.summarised is not None:
        number = len(call.summarised.left_out)
        return f"Summary of {number} earlier turn{'s' if number != 1 else ''}"
    data = _structure(call)
    return str(data.get("title") or "") if data else ""


def _place(view: RunView, index: int, call: CallView) -> str:
    """What a step is called until it has a title: its node, and which time it is."""
    node = call.called.node
    visits = sum(isinstance(e, CallView) and e.called.node == node and not e.retried for e in view.entries[:index])
    return label(node).capitalize() + (f", round {visits + 1}" if visits else "")


def _measured(view: RunView, call: CallView) -> str:
    """`9.2 s · 301 tok · p̄ .87`, as far as it is known; what was taken over came all at once."""
    if call.called.by_person:
        return BY_PERSON
    timed = call.ended_at is not None and not view.is_inherited(call)
    parts = [seconds((call.ended_at or 0.0) - call.called.at)] if timed else []
    if call.answer is not None and call.answer.completion_tokens is not None:
        parts.append(f"{call.answer.completion_tokens:,} tok")
    sure = confidence(call)
    if sure is not None:
        parts.append(_probability(call, sure))
    return " · ".join(parts)


def _probability(call: CallView, sure: float) -> str:
    """The mean probability; behind it, the tokens that the model was least sure of."""
    shown = f'<abbr title="mean token probability">p̄</abbr> {_fraction(sure)}'
    behind = _perplexity(call.answer) + _least_sure(call.answer) if call.answer else ""
    if not behind:
        return shown
    return f'<details class="wb-sure"><summary>{shown}</summary><div>{behind}</div></details>'


def _perplexity(answer: ModelAnswered) -> str:
    value = answer.perplexity
    if value is None or not math.isfinite(value):
        return ""
    return f'<p><abbr title="exp(-mean log-probability): 1 is certain">perplexity</abbr> {value:,.2f}</p>'


def _least_sure(answer: ModelAnswered) -> str:
    """The phrases that the model was least sure of; in a log that keeps no tokens, the single ones that it has."""
    if answer.tokens:
        return probabilities.phrases_html(answer.tokens)
    rows = "".join(
        f"<li><code>{escape(token.token)}</code> {_fraction(math.exp(token.logprob))}</li>"
        for token in answer.lowest_tokens
    )
    return f"least sure of<ul>{rows}</ul>" if rows else ""


def _fraction(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _structure(call: CallView) -> dict[str, Any] | None:
    """The fields of a schema-constrained answer, as far as they have arrived; None for other answers."""
    if "json_schema" not in call.called.parameters:
        return None
    if call.answer is not None and call.answer.parsed is not None:
        return call.answer.parsed
    return partial(call.text)


def _call_body(view: RunView, index: int, call: CallView, fold: bool, show: Show, now: float) -> str:
    parts = [_thinking(call), _waiting(call, now)]
    if show == "probabilities" and call.answer is not None and call.answer.tokens:
        heat = probabilities.heat_html(call.answer.tokens, call.answer.text)
        parts.append(folded(heat) if fold else heat)
    elif call.retried is not None:
        parts += [_retry(view, call, next_try(view, index, now)), _raw(call)]
    elif call.card is not None:
        parts.append(_card_body(call.card, fold, show))
    elif call.summarised is not None:
        parts.append(context.summary_html(call.summarised))
    else:
        parts.append(_written(call, fold))
    parts += [_tool_calls(call), _cut(call), _failure(view, call), context.call_html(call)]
    return "".join(parts)


def _waiting(call: CallView, now: float) -> str:
    """What happens before the first token."""
    match call.state:
        case "queued":
            ahead = call.queued - 1
            words = f"{ahead} before it" if ahead else "next"
            return _wait(f"Waiting for a free slot: place {call.queued}, {words}.")
        case "loading" if call.loading and call.loading.stage == "fetch":
            return _fetching(call.loading.done, call.loading.total)
        case "loading":
            return _wait(f"Loading the model, {clock(max(now - call.called.at, 0))}.")
        case "reading" if call.reading:
            read, total, cached = call.reading.read, call.reading.total, call.reading.cached
            share = f", {100 * cached / total:.0f}% from cache" if total and cached else ""
            return _wait(f"{read:,} of {total:,} tokens{share}", read / max(total, 1))
        case "waiting":
            return _wait("Waiting for the first token.")
    return ""


def _fetching(done: int, total: int) -> str:
    size = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
    return _wait(f"Fetching the model: {size}, {100 * done / max(total, 1):.0f}%", done / max(total, 1))


def _wait(words: str, share: float | None = None) -> str:
    meter = "" if share is None else bar(share, words)
    return f'<div class="wb-wait">{meter}<span>{words}</span></div>'


def _thinking(call: CallView) -> str:
    """The model's own thinking, apart from its answer: open while it grows, folded when done."""
    if not call.thinking:
        return ""
    growing = call.state == "writing" and not call.text
    text = plain(call.thinking)
    if growing:
        return f'<div class="wb-thought"><span class="wb-label">thinking</span>{with_caret(text)}</div>'
    words = len(call.thinking.split())
    return f'<details class="wb-thought"><summary>Thinking, {words:,} words</summary>{text}</details>'


def _written(call: CallView, fold: bool) -> str:
    """What the model has written so far, or wrote without the machine making a card of it."""
    if not call.text and not call.tool_text:
        return ""
    data = _structure(call)
    if data is not None:
        written = fields_html(data, skip=("title",))
    elif "json_schema" in call.called.parameters and not call.answer:
        written = plain(call.text)
    else:
        written = render(call.text) if call.text else ""
    if call.tool_text and call.answer is None:
        written += code_html(call.tool_text)
    if call.state == "writing":
        return with_caret(written)
    return folded(written) if fold else written


def _card_body(card: Card, fold: bool, show: Show) -> str:
    """The machine's own card: the score and what is wrong first, then the text, then what else it knows."""
    data = dict(card.data)
    previous, score, issues = data.pop("previous", None), data.pop("score", None), data.get("issues")
    parts, text = [], card.content
    if is_score("score", score):
        listed = [str(issue) for issue in data.pop("issues")] if isinstance(issues, list) else None
        parts.append(score_html(float(score or 0), listed, card.title))
        text = "" if listed is not None and _says_only(text, listed) else text
    if recalled := recalled_html(data.get("recalled")):
        parts, text = [*parts, recalled], ""
    if str(data.get("verdict", "")).casefold() in card.title.casefold():
        data.pop("verdict", None)
    written = revision_html(str(previous), text) if show == "changes" and previous else render(text) if text else ""
    return "".join([*parts, folded(written) if fold else written, fields_html(data, skip=COUNTED)])


def _says_only(text: str, issues: list[str]) -> bool:
    """Whether a text is nothing but the list of the issues (or of their absence), which are shown already."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not issues:
        return len(lines) <= 1 and text.lstrip().startswith("- (")
    return [line.lstrip("-*• ") for line in lines] == [" ".join(issue.split()) for issue in issues]


def revision_html(before: str, after: str) -> str:
    """What a revision changed, in words as they are read; code is compared as it is written."""
    if "```" in before + after:
        return f'<div class="wb-code">{diff_html(before, after)}</div>'
    return diff_html(reading_text(before), reading_text(after))


def _retry(view: RunView, call: CallView, left: float | None) -> str:
    """Why the call did not count, and what happens next or happened; `left` seconds before it is made once more."""
    retried = call.retried
    if retried is None:
        return ""
    most = attempts(retried.error.code)
    number = f"attempt {retried.attempt} of {most}" if most else ""
    reason = escape(retried.error.message)
    if left is not None:
        words = f"{number.capitalize() or 'Tried again'} in {math.ceil(left)} s"
        return f'{_wait(words, 1 - left / retried.waited)}<div class="wb-retry">{reason}</div>'
    if view.finished is not None and view.finished.at < retried.at + retried.waited:
        return f'<div class="wb-retry">Stopped before {number or "it was tried again"}. {reason}</div>'
    waited = f" after {seconds(retried.waited)}" if retried.waited else ""
    told = (
        f'<div class="wb-field"><span class="wb-label">told</span> {escape(retried.told)}</div>' if retried.told else ""
    )
    return f'<div class="wb-retry">Tried again{waited}{f", {number}" if number else ""}: {reason}{told}</div>'


def _raw(call: CallView) -> str:
    """What had been written, exactly."""
    if not call.text:
        return ""
    return f'<details class="wb-quiet"><summary>The answer as it came</summary>{code_html(call.text)}</details>'


def _tool_calls(call: CallView) -> str:
    calls = call.answer.tool_calls if call.answer else ()
    return "".join(
        f'<div class="wb-field"><span class="wb-label">calls</span> <b class="wb-mono">{escape(c.name)}</b>'
        f'<div class="wb-nested">{fields_html(c.arguments)}</div></div>'
        for c in calls
    )


def _cut(call: CallView) -> str:
    words = CUT.get(call.answer.finish_reason) if call.answer and not call.retried else None
    return f'<div class="wb-note">{words}</div>' if words else ""


def _failure(view: RunView, call: CallView) -> str:
    """Why the call ended without an answer; only that it did when the run's end, which failed of it, says why."""
    if call.error is None or call.retried is not None:
        return ""
    if call.error.code == "stopped":
        return f'<div class="wb-note">{escape(call.error.message)}</div>'
    if view.finished is not None and view.finished.error == call.error:
        return '<div class="wb-error"><p><b>Failed here.</b></p></div>'
    return _error(call.error)


def _error(error: ErrorInfo) -> str:
    hint = f"<p>{escape(error.hint)}</p>" if error.hint else ""
    return f'<div class="wb-error"><p><b>{escape(error.message)}</b></p>{hint}</div>'


def _tool_head(view: RunView, tool: ToolView) -> str:
    if tool.called.by_person:
        meta = BY_PERSON
    elif tool.answered is not None:
        meta = seconds(tool.answered.seconds)
    else:
        meta = "stopped" if tool.interrupted else "running…"
    flags = _flags(view, tool, "error" if tool.answered and tool.answered.error else "")
    return _head("tool", tool.called.name, meta, flags)


def _tool_body(tool: ToolView) -> str:
    given = fields_html(tool.called.arguments)
    if tool.answered is None:
        return given + ('<div class="wb-note">Stopped before it answered.</div>' if tool.interrupted else "")
    kind = "wb-observed wb-error" if tool.answered.error else "wb-observed"
    said = plain(tool.answered.result) if tool.answered.result.strip() else '<div class="wb-note">No output.</div>'
    return f'{given}<div class="{kind}"><span class="wb-label">observation</span>{said}</div>'


def _note_head(view: RunView, index: int, note: NoteView) -> str:
    match note.event:
        case Card(title=title, node=node):
            role = _colour(view, note).removeprefix("wb-")
            return _head(node if role == "none" else role, title, "", _flags(view, note))
        case Warned(code=code):
            return _head("warning", label(code).capitalize(), "", _flags(view, note))
        case Paused():
            return _head("paused", pauses.paused_title(note.event), "waiting for you" if is_live(view, note) else "")
        case Resumed():
            return _head("you" if note.event.verb else "resumed", pauses.said_title(note.event), "")


def _note_body(view: RunView, index: int, note: NoteView, fold: bool, show: Show) -> str:
    match note.event:
        case Card():
            return _card_body(note.event, fold, show)
        case Warned(message=message, hint=hint):
            return f"<p>{escape(message)} {escape(hint)}</p>"
        case Paused():
            return pauses.paused_html(note.event, waits=is_live(view, note))
        case Resumed():
            return pauses.said_html(note.event, pauses.pause_before(view, index))


def _parameter(value: Any) -> str:
    if isinstance(value, dict | list):
        return f'<details class="wb-quiet"><summary>show</summary>{code_html(json.dumps(value, indent=2))}</details>'
    return escape(value)


def _ending(end: RunFinished) -> str:
    """What the run came to, and what can be done next."""
    answer = render(end.answer) if end.answer else ""
    reason = f"<p>{escape(end.reason)}</p>" if end.reason else ""
    match end.status:
        case "answered":
            return answer
        case "failed":
            return (_error(end.error) if end.error else reason) + _kept(answer)
        case "limit":
            return (
                reason + _kept(answer) + _next("Raise the limit in the machine's options, or ask a smaller question.")
            )
        case "stopped":
            return reason + _kept(answer) + _next("What had finished is kept: resume it, or ask again.")


def _kept(answer: str) -> str:
    return f'<span class="wb-label">as far as it came</span>{answer}' if answer else ""


def _next(words: str) -> str:
    return f'<p class="wb-note">{words}</p>'


def answer_call(view: RunView) -> CallView | None:
    """The call behind the answer, if its confidence is known."""
    call = view.answer_call
    return call if call and confidence(call) is not None else None


def _sureness(view: RunView) -> str:
    """The probability of the answer."""
    call = answer_call(view)
    sure = confidence(call) if call else None
    return _probability(call, sure) if call and sure is not None else ""


def _costs(end: RunFinished) -> list[str]:
    totals = end.totals
    tokens = totals.prompt_tokens + totals.completion_tokens
    calls = f"{totals.calls} call" + ("s" if totals.calls != 1 else "")
    feedback = [f"feedback: {FEEDBACK[end.feedback]}"] if end.status == "answered" else []
    return [seconds(totals.seconds), f"{tokens:,} tokens", calls, *feedback]
