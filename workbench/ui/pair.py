"""Two runs side by side: their requests, what they cost, and their steps in two columns with what differs marked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

from workbench.compare import Comparison, Difference, Row, Side, Step
from workbench.differences import (
    PARTS,
    brief,
    counted,
    excerpts,
    first_index,
    in_line,
    label,
    sentence,
    text_of,
    texts_of,
)
from workbench.events import CallView, ToolView
from workbench.ui import cards, fields
from workbench.ui.diff import changes
from workbench.ui.fields import label as words
from workbench.ui.markdown import escape, plain, reading_text
from workbench.ui.metrics import NOTHING, seconds

NAMES = ("A", "B")
FOLD_BEYOND = 500  # characters of a marked text that are left unfolded
IN_THE_HEAD = frozenset({"role", "tool", "title", "waits_for"})
PROSE = frozenset({"content", "text", "answer"})
BARE = PROSE | {"result", "message"}  # shown without a label: the card is about them
NAMED_INSIDE = frozenset({"data", "parsed", "arguments"})  # fields, each with its name
BEHIND = {"messages": "What was sent, message {}", "parameters": "How it was asked", "thinking": "Thinking"}
MARKED_FROM = 0.2  # the share of a long text that must be the same for marks to tell anything


def request_html(comparison: Comparison) -> str:
    """The parts of the requests that differ, in a table; a sentence when none does."""
    if not comparison.request:
        return '<p class="wb-hint">The requests are the same.</p>'
    rows = []
    for change in comparison.request:
        left, right = marked(in_line(change.a), in_line(change.b))
        rows.append((escape(label(change.name)), left or NOTHING, right or NOTHING))
    return table_html("What was asked", ("", *NAMES), rows)


def totals_html(comparison: Comparison) -> str:
    """What the runs cost, and how many times as much the second one did."""
    a, b = comparison.a.view.totals, comparison.b.view.totals
    rows = [
        ("model calls", a.calls, b.calls),
        ("tool calls", a.tool_calls, b.tool_calls),
        ("tokens read", a.prompt_tokens, b.prompt_tokens),
        ("of them from cache", a.cached_tokens, b.cached_tokens),
        ("tokens written", a.completion_tokens, b.completion_tokens),
    ]
    shown = [(name, f"{left:,}", f"{right:,}", ratio(left, right)) for name, left, right in rows if left or right]
    shown.append(("time", seconds(a.seconds), seconds(b.seconds), ratio(a.seconds, b.seconds)))
    return table_html("What it cost", ("", *NAMES, "B to A"), shown)


def ratio(a: float, b: float) -> str:
    """How many times as much `b` is."""
    return f"{b / a:.2f}×" if a and b else NOTHING


def rows_html(comparison: Comparison, begin: int, end: int) -> str:
    """The rows from `begin` up to `end`; those that are the same are folded to a line."""
    rows = comparison.rows[begin:end]
    shown = _apart(comparison, rows) if comparison.machines_differ else _together(comparison, rows, begin)
    heads = "".join(f"<span>{_column(name, side)}</span>" for name, side in zip(NAMES, _sides(comparison), strict=True))
    return f'<div class="wb-sides"><div class="wb-pair wb-heads" aria-hidden="true">{heads}</div>{shown}</div>'


def alike_label(count: int, inherited: str = "") -> str:
    """`3 steps the same`, and who inherited them."""
    heirs = {"": "", "a": ": A inherited them", "b": ": B inherited them", "ab": ": both inherited them"}
    who = heirs[inherited].replace("them", "it") if count == 1 else heirs[inherited]
    return f"{counted(count, 'step')} the same{who}"


@lru_cache(maxsize=512)
def marked(a: str, b: str) -> tuple[str, str]:
    """Both texts as HTML; what only one of them has is marked in it, unless that is nearly all of a long text."""
    pieces = changes(a, b) if a and b else []
    kept = sum(len(text) for kind, text in pieces if kind == "same")
    if not pieces or (kept < MARKED_FROM * min(len(a), len(b)) and len(a + b) > FOLD_BEYOND):
        return escape(a), escape(b)
    left = (escape(text) if kind == "same" else _mark(text, "a") for kind, text in pieces if kind != "added")
    right = (escape(text) if kind == "same" else _mark(text, "b") for kind, text in pieces if kind != "struck")
    return "".join(left), "".join(right)


def _mark(text: str, side: str) -> str:
    return f'<mark class="wb-in-{side}">{escape(text)}</mark>' if text.strip() else escape(text)


def table_html(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Runs in columns under their `heads`, whose first is empty; each row begins with its name. HTML in, HTML out."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    lines = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{value}</td>" for value in values)}</tr>'
        for name, *values in rows
    )
    head = f"<caption>{title}</caption><thead><tr>{top}</tr></thead>"
    return f'<table class="wb-beside">{head}<tbody>{lines}</tbody></table>'


def _sides(comparison: Comparison) -> tuple[Side, Side]:
    return comparison.a, comparison.b


def _column(name: str, side: Side) -> str:
    """What stands above a column."""
    if side.started is None:
        return f"<b>{name}</b>"
    facts = f"{side.started.machine_title} · {side.started.request.get('model', '')} · {side.view.status}"
    return f"<b>{name}</b> {escape(facts)}"


def _together(comparison: Comparison, rows: Sequence[Row], begin: int) -> str:
    """Rows beside each other; `begin` is the first one's index."""
    groups = groupby(enumerate(rows, begin), key=lambda item: (item[1].standing == "same", item[1].inherited))
    return "".join(
        _alike(comparison, [row for _, row in group], inherited)
        if same
        else "".join(_row(comparison, row, index == comparison.first) for index, row in group)
        for (same, inherited), group in groups
    )


def _apart(comparison: Comparison, rows: Sequence[Row]) -> str:
    """Two runs whose steps do not correspond: each in its own column, their ends beside each other."""
    alone = [row for row in rows if row.a is None or row.b is None]
    lanes = (
        "".join(_card(side, row, name, fold=True) for row in alone if (row.a, row.b)[place])
        for place, (name, side) in enumerate(zip(NAMES, _sides(comparison), strict=True))
    )
    both = "".join(_row(comparison, row, False) for row in rows if row.a and row.b)
    return (f"<section>{_lanes(*lanes)}</section>" if alone else "") + both


def _alike(comparison: Comparison, rows: list[Row], inherited: str) -> str:
    """Rows that are the same, behind one line."""
    pairs = "".join(_pair(comparison, row, fold=True) for row in rows)
    return f'<details class="wb-alike"><summary>{alike_label(len(rows), inherited)}</summary>{pairs}</details>'


def _row(comparison: Comparison, row: Row, is_first: bool) -> str:
    """A row that differs, under a line that says in what; the first one is marked."""
    if is_first:
        said = f'<p><b class="wb-first-flag">First difference</b> {escape(sentence(row))}</p>'
        pair = _pair(comparison, row)
        return f'<section class="wb-first" id="first-difference" tabindex="-1">{said}{pair}</section>'
    return f'<section><p class="wb-label">{escape(brief(row))}</p>{_pair(comparison, row, fold=True)}</section>'


def _pair(comparison: Comparison, row: Row, fold: bool = False) -> str:
    return _lanes(*(_card(side, row, name, fold) for name, side in zip(NAMES, _sides(comparison), strict=True)))


def _lanes(a: str, b: str) -> str:
    """What stands in the columns of A and B; each says whose it is where they are under each other."""
    lanes = "".join(
        f'<div class="wb-lane" data-side="{name}" role="group" aria-label="{name}">{html}</div>'
        for name, html in zip(NAMES, (a, b), strict=True)
    )
    return f'<div class="wb-pair">{lanes}</div>'


def _card(side: Side, row: Row, name: str, fold: bool) -> str:
    """One side of a row."""
    step = row.a if name == "A" else row.b
    if step is None:
        return f'<p class="wb-missing">Not in {name}.</p>'
    if step.entry is not None and (row.standing != "different" or not step.is_answered):
        html = cards.entry_html(side.view, step.entry, fold=fold, show="clean")
        return html.replace(f'id="entry-{step.entry}"', f'id="{name.lower()}-{step.seq}"', 1) + _decisions(row, step)
    body = "".join(_parts(row, name, fold)) if row.standing == "different" else _whole(step)
    return f'<article class="wb-card {_colour(side, step)}">{_head(side, step)}{body}</article>'


def _decisions(row: Row, step: Step) -> str:
    """Where the router went, under a card that is not told part by part."""
    decided = step.parts.get("decision")
    return f'<p class="wb-label wb-decided">→ {escape(text_of(decided.value))}</p>' if decided else ""


def _whole(step: Step) -> str:
    """A step of which no card can be drawn: what it holds."""
    told = [(name, part) for name, part in step.parts.items() if name not in IN_THE_HEAD]
    return "".join(_labelled(name, plain(text_of(part.value))) for name, part in told)


def _colour(side: Side, step: Step) -> str:
    if step.kind == "tool":
        return "wb-tool"
    roles = {node.name: node.role for node in side.started.graph.nodes} if side.started else {}
    return f"wb-{roles.get(step.node, 'none')}" if step.kind in ("call", "card", "visit") else "wb-none"


def _head(side: Side, step: Step) -> str:
    """Role, title, and in small what it took."""
    title = str(step.parts["title"].value) if "title" in step.parts else ""
    shown = {
        "call": (step.name, title or step.node),
        "tool": ("tool", ""),
        "card": (step.node, title),
        "visit": ("step", step.node),
        "pause": ("paused", f"before {step.node}"),
        "resume": ("resumed", ""),
        "warning": ("warning", step.name),
        "end": ("end", text_of(step.parts["status"].value) if "status" in step.parts else ""),
    }
    role, said = shown[step.kind]
    named = step.name if step.kind == "tool" else said if title else words(said).capitalize() if said else ""
    return (
        f'<header><span class="wb-role">{escape(words(role))}</span><h3>{escape(named)}</h3>'
        f'<span class="wb-meta">{_cost(side, step)}</span></header>'
    )


def _cost(side: Side, step: Step) -> str:
    """Seconds and tokens of a call, seconds of a tool."""
    entry = side.view.entries[step.entry] if step.entry is not None else None
    if isinstance(entry, ToolView) and entry.answered is not None:
        return seconds(entry.answered.seconds)
    if not isinstance(entry, CallView) or entry.ended_at is None:
        return ""
    took = [seconds(entry.ended_at - entry.called.at)]
    if entry.answer is not None and entry.answer.completion_tokens is not None:
        took.append(f"{entry.answer.completion_tokens:,} tok")
    return " · ".join(took)


def _parts(row: Row, name: str, fold: bool) -> Iterator[str]:
    """What differs, marked, on one side; before it what does not, where that is what the step is about."""
    step = row.a if name == "A" else row.b
    assert step is not None
    shown = [_news(difference, row) for difference in row.differences if difference.part not in _said_elsewhere(row)]
    if not any(difference.part in BARE for difference in shown):
        yield _unchanged(step)
    if not fold and shown and shown[0].part in BEHIND:
        yield _parting(shown.pop(0), NAMES.index(name))
    for difference in sorted(shown, key=lambda one: (one.part in BEHIND, one.part not in BARE)):
        yield _part(difference, NAMES.index(name), fold)


def _said_elsewhere(row: Row) -> frozenset[str]:
    """What need not be shown: the head says it, or the card says the answer again."""
    parts = {difference.part for difference in row.differences}
    if parts & {"content", "data"}:
        return IN_THE_HEAD | {"text", "parsed"}
    if "parsed" in parts or ("text" in parts and "title" in parts):
        return IN_THE_HEAD | {"text"}
    return IN_THE_HEAD


def _news(difference: Difference, row: Row) -> Difference:
    """Of a card's details what its text does not say: the lists are the text in another form."""
    if difference.part != "data" or not any(one.part == "content" for one in row.differences):
        return difference
    a, b = ({k: v for k, v in (side or {}).items() if not isinstance(v, list)} for side in (difference.a, difference.b))
    return replace(difference, a=a, b=b)


def _unchanged(step: Step) -> str:
    """The text that both have."""
    name = next((name for name in ("content", "text", "result", "message", "answer") if name in step.parts), None)
    text = text_of(step.parts[name].value) if name else ""
    text = reading_text(text) if name in PROSE and "```" not in text else text
    return _folded(plain(text), text) if len(text) > fields.FOLD_BEYOND else plain(text) if text else ""


def _part(difference: Difference, side: int, fold: bool) -> str:
    """One difference on one side."""
    texts = _readable(difference)
    html = f'<div class="wb-plain">{marked(*texts)[side] or NOTHING}</div>'
    if difference.part == "decision":
        return f'<p class="wb-label wb-decided">→ {marked(*texts)[side] or NOTHING}</p>'
    if difference.part in BEHIND:
        return f'<details class="wb-quiet"><summary>{_behind(difference)}</summary>{html}</details>'
    if fold and len(texts[side]) > FOLD_BEYOND:
        html = _folded(html, excerpts(difference)[side])
    return html if difference.part in BARE else _labelled(difference.part, html)


def _parting(difference: Difference, side: int) -> str:
    """Of a long text that comes first of all differences, the place where the two part."""
    html = marked(*excerpts(difference))[side] or NOTHING
    named = f'<span class="wb-label">{_behind(difference)}</span>'
    return f'<div class="wb-field">{named}<div class="wb-plain">{html}</div></div>'


def _behind(difference: Difference) -> str:
    """What a long text is called."""
    return BEHIND[difference.part].format(first_index(difference.a or (), difference.b or ()) + 1)


def _readable(difference: Difference) -> tuple[str, str]:
    """Both sides as they are read: of fields those that differ, prose without its Markdown, code as it is."""
    a, b = difference.a, difference.b
    if isinstance(a, dict) and isinstance(b, dict):
        names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
        kept = [{name: side[name] for name in names if name in side} for side in (a, b)]
        return text_of(kept[0]), text_of(kept[1])
    texts = texts_of(difference)
    if difference.part in PROSE and not any("```" in text for text in texts):
        return reading_text(texts[0]), reading_text(texts[1])
    return texts


def _labelled(part: str, html: str) -> str:
    named = "" if part in NAMED_INSIDE else f'<span class="wb-label">{PARTS[part][1]}</span>'
    return f'<div class="wb-field">{named}{html}</div>'


def _folded(html: str, preview: str) -> str:
    """Two lines of a text, the rest behind them."""
    summary = f'<span class="wb-preview">{escape(preview[: fields.PREVIEW])}</span><span class="wb-more"></span>'
    return f'<details class="wb-fold"><summary>{summary}</summary>{html}</details>'
