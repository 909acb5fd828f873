"""A run that waits for the person: what it is about to do, and what the person said to that."""

import json
from typing import Any

from workbench.events import NoteView, Paused, Resumed, RunView
from workbench.ui.diff import diff_html
from workbench.ui.fields import fields_html, folded, label, message_html
from workbench.ui.markdown import escape, plain

SAID = {"approve": "Approved", "edit": "Edited", "answer": "Answered in its place", "reject": "Rejected"}
SHORT = 80  # characters of a word to the model that the card's title has room for


def paused_title(paused: Paused) -> str:
    """Where it waits."""
    return f"Before {label(paused.tool or paused.node)}"


def paused_html(paused: Paused, waits: bool) -> str:
    """Why it waits, and what the model is about to see or the tool to get; behind a line once it waits no more."""
    subject = _call(paused) if paused.tool else _prompt(paused)
    if subject and not waits:
        subject = f'<details class="wb-quiet"><summary>What was about to happen</summary>{subject}</details>'
    return f"<p>{escape(paused.reason)}</p>{_draft(paused)}{subject}"


def said_title(resumed: Resumed) -> str:
    """What the person said, in a word; a short word to the model with it."""
    title = SAID.get(resumed.verb, "From the last finished step")
    return f"{title}: {resumed.text}" if _is_short(resumed) else title


def said_html(resumed: Resumed, paused: Paused | None) -> str:
    """What the person changed, word by word against what was about to happen; an answer is the next card itself."""
    changed = {name: value for name, value in resumed.limits.items() if value is not None}
    limits = fields_html({"limits": changed}) if changed else ""
    match resumed.verb:
        case "edit":
            return _edited(resumed, paused) + limits
        case "reject" if not _is_short(resumed):
            return plain(resumed.text) + limits
        case "":
            return limits or "<p>What was finished was not done again.</p>"
    return limits


def pause_before(view: RunView, index: int) -> Paused | None:
    """What the person replied to with the entry at `index`."""
    notes = (entry.event for entry in reversed(view.entries[:index]) if isinstance(entry, NoteView))
    return next((event for event in notes if isinstance(event, Paused)), None)


def content(paused: Paused) -> str:
    """The last message that the model is about to see."""
    return str(paused.messages[-1].get("content") or "") if paused.messages else ""


def as_json(value: Any) -> str:
    """A value as JSON to read."""
    return json.dumps(value, ensure_ascii=False)


def _is_short(resumed: Resumed) -> bool:
    return resumed.verb == "reject" and len(resumed.text) <= SHORT and "\n" not in resumed.text


def _draft(paused: Paused) -> str:
    """The person's own answer that could not be taken."""
    if not paused.draft:
        return ""
    return f'<div class="wb-observed"><span class="wb-label">your answer</span>{plain(paused.draft)}</div>'


def _call(paused: Paused) -> str:
    given = fields_html(paused.arguments) or '<div class="wb-note">No arguments.</div>'
    name = f'<b class="wb-mono">{escape(paused.tool)}</b>'
    return f'<div class="wb-field"><span class="wb-label">about to call</span> {name}</div>{given}'


def _prompt(paused: Paused) -> str:
    """The last message in the open, the ones before it behind a line."""
    if not paused.messages:
        return ""
    *before, last = paused.messages
    words = "1 message before it" if len(before) == 1 else f"{len(before)} messages before it"
    rest = f'<details class="wb-quiet"><summary>{words}</summary>{"".join(map(message_html, before))}</details>'
    asked = f'<div class="wb-field"><span class="wb-label">about to ask</span> {escape(label(paused.role))}</div>'
    return f"{asked}{folded(message_html(last))}{rest if before else ''}"


def _edited(resumed: Resumed, paused: Paused | None) -> str:
    if resumed.arguments is None:
        return folded(diff_html(content(paused) if paused else "", resumed.text))
    before, after = paused.arguments if paused else {}, resumed.arguments
    return "".join(_argument(name, before.get(name), after.get(name)) for name in before | after)


def _argument(name: str, before: Any, after: Any) -> str:
    """One argument, with what changed in it."""
    if before == after:
        return fields_html({name: after})
    old, new = _text(before), _text(after)
    changed = diff_html(old, new)
    shown = f'<div class="wb-code">{changed}</div>' if "\n" in old + new else changed
    return f'<div class="wb-field"><span class="wb-label">{escape(label(name))}</span> {shown}</div>'


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else as_json(value)
