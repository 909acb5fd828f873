"""A comparison in words: sentences for the page, lines and JSON for the terminal."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.compare import Comparison, Difference, Row, Side, Step

COMPARED = "Compared were the requests, what was sent and answered, tools, cards, decisions, warnings and the end"
BRIEF = 48  # characters of a value that a sentence can hold
FEW_WORDS = 3
BEFORE, AFTER = 60, 240  # characters of an excerpt on both sides of where two texts part
LONG_QUESTION = 70
_WORD_OF_ONE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD = re.compile(rf"{_WORD_OF_ONE.pattern}|\w+(?:['’-]\w+)*")

# A part of a step: what one side alone may have, and what differs.
PARTS: dict[str, tuple[str, str]] = {
    "role": ("a role", "roles"),
    "messages": ("a prompt", "prompts"),
    "parameters": ("parameters", "parameters"),
    "by_person": ("the person in the model's or the tool's place", "authors"),
    "thinking": ("thinking", "thoughts"),
    "text": ("an answer", "answers"),
    "parsed": ("fields", "fields"),
    "tool_calls": ("tool calls", "tool calls"),
    "finish_reason": ("an answer that did not end by itself", "ends of the answers"),
    "error": ("an error", "errors"),
    "retried": ("another attempt", "reasons to try again"),
    "tool": ("a tool", "tools"),
    "arguments": ("arguments", "arguments"),
    "result": ("a result", "results"),
    "failed": ("a tool's error", "errors"),
    "title": ("a title", "titles"),
    "content": ("a card's text", "cards"),
    "data": ("more on the card", "details of the cards"),
    "left_out": ("a summary of earlier turns", "summarised turns"),
    "decision": ("a decision", "decisions"),
    "waits_for": ("something to wait for", "reasons to wait"),
    "reason": ("a reason", "reasons"),
    "draft": ("a draft", "drafts"),
    "verb": ("a reply", "replies"),
    "limits": ("other limits", "limits"),
    "message": ("a message", "messages"),
    "hint": ("a hint", "hints"),
    "status": ("an outcome", "outcomes"),
    "answer": ("a final answer", "final answers"),
}
OF_THE_REQUEST = {  # what its parts are called before a name of their own
    "options": "",
    "settings": "",
    "limits": "limit of",
    "prompts": "prompt of",
    "edited": "state's",
    "model_digest": "model's digest",
}
SAYING_THE_ANSWER = frozenset({"parsed", "title", "content", "data"})  # again, in the machine's form
SINGLE = {
    "call": "a model call",
    "card": "a card",
    "visit": "a visit",
    "pause": "a pause",
    "resume": "a new start after a break",
    "end": "an end",
}


def place(step: Step) -> str:
    """Where in a run a step is: `think, step 2`, `calculator in act, step 3`, `the end`."""
    if step.kind == "end":
        return "the end"
    if step.kind == "warning":
        return f"the warning {step.name}"
    where = f"{step.node}, step {step.number}" if step.number else step.node or "the run"
    return f"{step.name} in {where}" if step.kind == "tool" else where


def headline(comparison: Comparison) -> str:
    """The comparison in a sentence: the first difference, or that there is none."""
    left, right = comparison.a.started, comparison.b.started
    if left is None or right is None:
        return "Of one of the runs nothing was kept, so there is nothing to lay beside the other."
    if comparison.machines_differ:
        titles = f"{left.machine_title} and {right.machine_title}"
        return f"The machines differ, {titles}: their steps do not correspond, so each run is shown on its own."
    if comparison.first is not None:
        return sentence(comparison.rows[comparison.first])
    if comparison.request:
        return f"The requests differ, and yet every step is the same, all {comparison.same:,}."
    return "No difference."


def compared(comparison: Comparison) -> str:
    """What was compared, and what was not."""
    steps = counted(len(comparison.rows), "step")
    return f"{COMPARED}, in {steps}. Times, token counts and probabilities were not."


def same_count(comparison: Comparison) -> str:
    """How many steps are the same, in a sentence."""
    verb = "is" if comparison.same == 1 else "are"
    return f"{comparison.same:,} of {counted(len(comparison.rows), 'step')} {verb} the same."


def kinship(comparison: Comparison) -> str:
    """How the two runs are related; empty when they are not."""
    for one, name, other, parent in (
        (comparison.b.started, "B", comparison.a.started, "A"),
        (comparison.a.started, "A", comparison.b.started, "B"),
    ):
        if one is None or other is None or one.parent_run != other.run_id:
            continue
        match one.relation:
            case "fork":
                taken = sum(name.lower() in row.inherited for row in comparison.rows)
                return f"{name} is a fork of {parent}; it inherited {counted(taken, 'step')}."
            case "reproduce":
                return f"{name} is {parent} run again."
            case "continue":
                return f"{name} asks on after {parent}'s answer."
    a, b = comparison.a.started, comparison.b.started
    return "A and B come from the same run." if a and b and a.parent_run and a.parent_run == b.parent_run else ""


def sentence(row: Row) -> str:
    """What is different in a row, at its first difference."""
    step = row.step
    if row.standing == "same":
        return f"{_upper(place(step))}: the same."
    if row.a is None or row.b is None:
        return f"Only {'B' if row.a is None else 'A'} has {_alone(step)}."
    difference = row.differences[0]
    single, plural = PARTS[difference.part]
    of_what = "" if step.kind == "end" else f" {'after' if difference.part == 'decision' else 'of'} {place(step)}"
    if difference.a is None or difference.b is None:
        return f"Only {'B' if difference.a is None else 'A'} has {single}{of_what and f': {place(step)}'}."
    return f"The {plural}{of_what}{',' * (',' in of_what)} differ{_where(row, difference)}."


def brief(row: Row) -> str:
    """A row in a line: where it is and what differs."""
    if row.a is None or row.b is None:
        return f"only in {'B' if row.a is None else 'A'}: {_alone(row.step)}"
    parts = [difference.part for difference in row.differences]
    said_twice = SAYING_THE_ANSWER if "text" in parts else ()
    names = dict.fromkeys(PARTS[part][1] for part in parts if part not in said_twice)
    return f"{place(row.step)}: {', '.join(names) or 'the same'}"


def excerpts(difference: Difference) -> tuple[str, str]:
    """Both texts of a difference, a little before and a little after the place where they part."""
    texts = texts_of(difference)
    at = _parting(*texts)
    return _excerpt(texts[0], at), _excerpt(texts[1], at)


def texts_of(difference: Difference) -> tuple[str, str]:
    """Both values of a difference as texts; of messages, the first one that differs."""
    if difference.part == "messages":
        index = first_index(difference.a or (), difference.b or ())
        return _message(difference.a or (), index), _message(difference.b or (), index)
    return text_of(difference.a), text_of(difference.b)


def text_of(value: Any) -> str:
    """A value as a person reads it: a text as it is, fields line by line."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case {"edge": edge, "reason": reason, **rest} if not rest:
            return f"{_name(edge)} ({reason})" if reason else _name(edge)
        case dict():
            return "\n".join(f"{name.replace('_', ' ')}: {_inline(item)}" for name, item in value.items())
        case list() | tuple():
            return "\n".join(_inline(item) for item in value)
    return json.dumps(value)


def in_line(value: Any) -> str:
    """A value in one line."""
    return ("; " if isinstance(value, dict) else ", ").join(text_of(value).splitlines())


def first_index(a: Sequence[Any], b: Sequence[Any]) -> int:
    """The first place in which two sequences differ."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def word_number(a: str, b: str) -> int:
    """The number, from 1, of the first word in which two texts differ."""
    at = _parting(a, b)
    return len(_WORD.findall(a[:at])) + 1


def counted(number: int, noun: str) -> str:
    """`1 step`, `3 steps`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def label(name: str) -> str:
    """A part of the request as it is called: `options.max_steps` is max steps."""
    head, _, rest = name.partition(".")
    words = f"{OF_THE_REQUEST.get(head, head.replace('_', ' '))} {rest.replace('_', ' ')}"
    return words.strip()


def lines(comparison: Comparison) -> Iterator[str]:
    """The comparison as text for a terminal."""
    yield from (_headed(name, side) for name, side in (("A", comparison.a), ("B", comparison.b)))
    if related := kinship(comparison):
        yield related
    yield from (_upper(brief(row)) for row in comparison.rows if row.is_remark and row.standing != "same")
    yield ""
    if comparison.is_same:
        yield f"No difference. {compared(comparison)}"
        return
    yield from _request_lines(comparison)
    if comparison.first is None:
        yield headline(comparison)
        return
    yield same_count(comparison)
    if comparison.machines_differ:
        yield headline(comparison)
        yield from _both_sides(comparison.rows[-1])
        return
    row = comparison.rows[comparison.first]
    yield f"First difference ({_events(row)}): {headline(comparison)}"
    yield from _both_sides(row)
    rest = [one for one in comparison.rows if one.standing != "same" and not one.is_remark and one is not row]
    if rest:
        yield "Then:"
        yield from (f"  {brief(row)}" for row in rest)


def records(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The comparison as JSON objects: a summary, then every row."""
    yield {
        "same": comparison.is_same,
        "headline": headline(comparison),
        "a": _run_id(comparison.a),
        "b": _run_id(comparison.b),
        "kinship": kinship(comparison),
        "request": [{"name": change.name, "a": change.a, "b": change.b} for change in comparison.request],
        "steps": len(comparison.rows),
        "steps_same": comparison.same,
        "first": comparison.first,
        "totals": {name: side.view.totals.model_dump() for name, side in (("a", comparison.a), ("b", comparison.b))},
    }
    yield from (_record(index, row) for index, row in enumerate(comparison.rows))


def _record(index: int, row: Row) -> dict[str, Any]:
    step, (a_seq, b_seq) = row.step, row.seqs
    return {
        "row": index,
        "standing": row.standing,
        "kind": step.kind,
        "node": step.node,
        "step": step.number,
        "name": step.name,
        "a_seq": a_seq,
        "b_seq": b_seq,
        "inherited": row.inherited,
        "differences": [_plain(difference) for difference in row.differences],
    }


def _plain(difference: Difference) -> dict[str, Any]:
    """A difference as JSON data; of the messages the first one that differs: each call repeats those before it."""
    a, b, which = difference.a, difference.b, {}
    if difference.part == "messages":
        index = first_index(a or (), b or ())
        a, b = (sent[index] if sent and index < len(sent) else None for sent in (a, b))
        which = {"message": index + 1}
    return {"part": difference.part, **which, "a": a, "b": b, "a_seq": difference.a_seq, "b_seq": difference.b_seq}


def _run_id(side: Side) -> str:
    return side.started.run_id if side.started else ""


def _headed(name: str, side: Side) -> str:
    if side.started is None:
        return f"{name}  (nothing was kept)"
    request, status = side.started.request, side.view.status
    question = _short(" ".join(str(request["question"]).split()), LONG_QUESTION)
    facts = [side.started.run_id, side.started.machine_title, request["backend"], request["model"], status, question]
    return f"{name}  " + " · ".join(str(fact) for fact in facts)


def _request_lines(comparison: Comparison) -> Iterator[str]:
    if not comparison.request:
        yield "The requests are the same."
        return
    yield "The requests differ:"
    names = [label(change.name) for change in comparison.request]
    width = max(map(len, names))
    for name, change in zip(names, comparison.request, strict=True):
        left, right = (_short(in_line(value) or "none", BRIEF) for value in (change.a, change.b))
        yield f"  {name:<{width}}  A: {left}  B: {right}"


def _events(row: Row) -> str:
    told = [f"event {seq} of {name}" for name, seq in zip("AB", row.seqs, strict=True) if seq is not None]
    return ", ".join(told)


def _both_sides(row: Row) -> Iterator[str]:
    if not row.differences:
        return
    for name, text in zip("AB", excerpts(_shown(row)), strict=True):
        yield f"  {name}: {' '.join(text.split()) or '(none)'}"


def _shown(row: Row) -> Difference:
    """The difference to show of a row: of a structured answer its fields, which read better than its JSON."""
    first = row.differences[0]
    fields = next((one for one in row.differences if one.part == "parsed"), None)
    return fields if fields is not None and first.part == "text" and fields.a and fields.b else first


def _alone(step: Step) -> str:
    if step.kind == "tool":
        return f"a call of the tool {place(step)}"
    if step.kind == "warning":
        message = step.parts.get("message")
        return f"{place(step)}" + (f" ({message.value})" if message else "")
    if step.kind == "end":
        return SINGLE["end"]
    single = "the person's reply" if step.kind == "resume" and "verb" in step.parts else SINGLE[step.kind]
    return f"{single}: {place(step)}"


def _where(row: Row, difference: Difference) -> str:
    """From where on, or in what, two values differ."""
    shown = _shown(row)
    a, b = shown.a, shown.b
    if shown.part == "parsed":
        name = next(name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name))
        return f" in {name.replace('_', ' ')}{_from_word(a.get(name), b.get(name))}"
    match difference.part:
        case "messages":
            return _where_messages(a, b)
        case "parameters" | "data" | "arguments" | "limits" if isinstance(a, Mapping) and isinstance(b, Mapping):
            names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
            return f" in {', '.join(name.replace('_', ' ') for name in names)}"
        case "decision":
            edges = [" and ".join(_name(taken["edge"]) for taken in value) for value in (a, b)]
            return f": {edges[0]} and {edges[1]}" if edges[0] != edges[1] else " in their reasons"
        case "error":
            name = "message" if a["code"] == b["code"] else "code"
            return _from_word(a[name], b[name])
    return _from_word(a, b)


def _where_messages(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> str:
    index = first_index(a, b)
    if index >= min(len(a), len(b)):
        return f": {'A' if len(a) > len(b) else 'B'} sent {counted(abs(len(a) - len(b)), 'message')} more"
    role, texts = a[index].get("role", ""), [str(turn.get("content", "")) for turn in (a[index], b[index])]
    return f" in message {index + 1} ({role}){_from_word(*texts)}"


def _from_word(a: Any, b: Any) -> str:
    """` from word 14 on`; short values are named."""
    left, right = text_of(a), text_of(b)
    if left == right:
        return ""
    if max(len(_WORD.findall(text)) for text in (left, right)) <= FEW_WORDS and len(left + right) <= BRIEF:
        return f": {left.rstrip('.') or 'none'} and {right.rstrip('.') or 'none'}"
    return f" from word {word_number(left, right):,} on"


def _parting(a: str, b: str) -> int:
    """The index at which two texts part, moved back to the beginning of a word that they share in part."""
    at = first_index(a, b)
    while at and _in_word(a[at - 1]) and (_in_word(a[at : at + 1]) or _in_word(b[at : at + 1])):
        at -= 1
    return at


def _in_word(char: str) -> bool:
    """Whether a word may go on on both sides of the character: not where every character is a word."""
    return char.isalnum() and not _WORD_OF_ONE.match(char)


def _excerpt(text: str, at: int) -> str:
    begin = max(at - BEFORE, 0)
    cut = text[begin : at + AFTER]
    return f"{'…' if begin else ''}{cut}{'…' if at + AFTER < len(text) else ''}"


def _message(messages: Sequence[Mapping[str, Any]], index: int) -> str:
    if index >= len(messages):
        return ""
    message = messages[index]
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    return "\n".join(filter(None, [str(message.get("content", "")), text_of(rest)]))


def _name(edge: str) -> str:
    """Where an edge leads; `__end__` is the end."""
    return edge.strip("_")


def _inline(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"edge", "reason"}:
        return text_of(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
