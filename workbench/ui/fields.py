"""Structured data, whole or still arriving, as something to read: any schema, without knowing it."""

import html
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic_core import from_json

from workbench import latex
from workbench.ui.markdown import escape, plain, render
from workbench.ui.metrics import bar

PROSE = frozenset({"answer", "content", "critique", "draft", "feedback", "reasoning", "summary", "text", "thought"})
INLINE_ISSUES = 220  # characters; more is a list
FOLD_BEYOND = 220  # characters of a text that are left unfolded
PREVIEW = 600  # characters that two lines can hold on the widest screen


def partial(text: str) -> dict[str, Any] | None:
    """The JSON object in a text that may still be growing; None while there is none."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        value = from_json(latex.kept(text[start:]), allow_partial="trailing-strings")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def fields_html(data: Mapping[str, Any], skip: Collection[str] = ()) -> str:
    """The fields in their own order: prose as paragraphs, lists as lists, a score with a bar, the rest labelled."""
    shown = [(key, value) for key, value in data.items() if key not in skip and not _empty(value)]
    return "".join(_field(key, value) for key, value in shown)


def score_html(score: float, issues: list[str] | None = None, said: str = "") -> str:
    """A score of 10 as a bar with what is wrong beside it; `said` is what the card's title says already.

    `issues` is None where nobody was asked for them, empty where none were found.
    """
    number = f"{score:g}/10"
    words = "" if number in said else f'<b class="wb-mono">{number}</b> '
    joined = " · ".join(issues or [])
    inline = len(joined) <= INLINE_ISSUES
    beside = '<span class="wb-address">no issues named</span>' if issues == [] else escape(joined) if inline else ""
    below = "" if inline else _list(issues or [])
    return f'<div class="wb-score">{bar(score / 10, f"score {number}")} {words}{beside}</div>{below}'


def code_html(text: str) -> str:
    """Text as a block of code."""
    return f"<pre><code>{escape(text.strip(chr(10)))}</code></pre>"


def message_html(message: Mapping[str, Any]) -> str:
    """One message of a prompt: who speaks, and the text exactly, with what else it carries."""
    rest = {key: value for key, value in message.items() if key not in ("role", "content") and value}
    role = escape(message.get("role", ""))
    return (
        f'<section class="wb-message"><span class="wb-role">{role}</span>{fields_html(rest)}'
        f"{plain(str(message.get('content') or ''))}</section>"
    )


def folded(text: str) -> str:
    """Two lines of a long piece of HTML, the rest behind them."""
    words = html.unescape(re.sub(r"<del>.*?</del>|<[^>]+>", " ", text, flags=re.DOTALL)).split()
    said = " ".join(words)
    if len(said) <= FOLD_BEYOND:
        return text
    summary = f'<span class="wb-preview">{escape(said[:PREVIEW])}</span><span class="wb-more"></span>'
    return f'<details class="wb-fold"><summary>{summary}</summary>{text}</details>'


def is_score(key: str, value: object) -> bool:
    """Whether a field is a score from 0 to 10."""
    return key == "score" and isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10


def _field(key: str, value: Any) -> str:
    if is_score(key, value):
        return score_html(value)
    if key in PROSE and isinstance(value, str):
        return render(value)
    return f'<div class="wb-field"><span class="wb-label">{escape(label(key))}</span> {_value(key, value)}</div>'


def label(key: str) -> str:
    """A field's name in words."""
    return key.replace("_", " ").strip() or "field"


def _value(key: str, value: Any) -> str:
    match value:
        case dict():
            return f'<div class="wb-nested">{fields_html(value)}</div>'
        case list():
            return _list(value)
        case str() if "\n" in value or key == "code":
            return code_html(value)
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f'<span class="wb-mono">{escape(json.dumps(value))}</span>'
    return f'<span class="wb-value">{escape(value)}</span>'


def _list(items: list[Any]) -> str:
    return f"<ul>{''.join(f'<li>{_item(item)}</li>' for item in items)}</ul>"


def _item(item: Any) -> str:
    return fields_html(item) if isinstance(item, dict) else _list(item) if isinstance(item, list) else escape(item)


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}
