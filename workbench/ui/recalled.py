"""The memories that came to mind, each with its recency, importance and relevance as bars, and what they come to."""

from collections.abc import Mapping
from typing import Any

from workbench.ui.markdown import escape
from workbench.ui.metrics import bar

FIGURES = ("recency", "importance", "relevance")
MOST = 1e9  # what no figure exceeds; one of an imported log may be too large to be drawn


def recalled_html(found: Any) -> str:
    """A row for each memory of a card's `recalled`; empty for what is no such list."""
    if not isinstance(found, list) or not found or not all(map(_is_recalled, found)):
        return ""
    return f'<ol class="wb-recalled">{"".join(map(_row, found))}</ol>'


def _row(one: Mapping[str, Any]) -> str:
    figures = "".join(_figure(name, float(one[name])) for name in FIGURES)
    kind = str(one["memory"].get("kind", ""))
    flag = f' <span class="wb-flag">{escape(kind)}</span>' if kind in ("reflection", "plan") else ""
    total = f'<b title="the sum, as it is weighted">{float(one["total"]):.2f}</b>'
    return f"<li><p>{escape(one['memory']['text'])}{flag}</p><div>{figures}{total}</div></li>"


def _figure(name: str, share: float) -> str:
    return f"<span>{name} {share:.2f}</span>{bar(share, f'{name} {share:.2f} of 1')}"


def _is_recalled(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("memory"), dict):
        return False
    numbers = all(_is_figure(one.get(name)) for name in (*FIGURES, "total"))
    return numbers and isinstance(one["memory"].get("text"), str)


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and -MOST <= value <= MOST
