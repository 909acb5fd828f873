"""The models that were probed beside each other: one row each, one column for each ability."""

from typing import Any

import streamlit as st

from workbench.probe.report import Context, Logprobs, Report, Schema, Seed, Speed, Streams, Thinks, Tools
from workbench.ui import frame
from workbench.ui.moments import when

LEGEND = (
    "Fits: share of answers that fit a schema at once, held to it by the server, or only told it by the prompt. Tools:"
    " how it calls one most often. Context: the longest prompt in which it found what stood there; longer ones were"
    " refused, cut silently, lost something, or were not tried. Reads and writes in tokens a second. First word in"
    " seconds, after loading and with its prompt in the cache. An empty cell was not measured."
)
NUMBERS: dict[str, tuple[str, str]] = {
    "Fits, held": ("percent", "Answers that fit a schema at once when the server is held to it."),
    "Fits, told": ("percent", "Answers that fit a schema at once when only the prompt tells it."),
    "Context": ("localized", "Tokens of the longest prompt in which it found what stood there."),
    "Reads": ("%.0f", "Tokens a second of the prompt."),
    "Writes": ("%.1f", "Tokens a second of the answer."),
    "First word, cold": ("%.1f s", "With the model loaded for it."),
    "First word, warm": ("%.2f s", "With its prompt in the cache."),
}
TOOLS = {"native": "by itself", "text": "as text", "none": "none"}
THINKS = {"channel": "yes", "tags": "in tags", "none": "no"}
ENDS = {"window": "whole window", "refused": "refused", "cut": "cut", "lost": "lost", "not reached": "not tried"}
KEEPS = {True: "yes", False: "no", None: "unclear"}


def draw(known: list[Report], older: set[str]) -> None:
    """The table; `older` are the ids of probes of an older version of their model. A click on a title sorts it."""
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(format=form, help=words) for name, (form, words) in NUMBERS.items()
    }
    columns["Model"] = st.column_config.TextColumn(pinned=True)
    st.dataframe([row(report, report.id in older) for report in known], hide_index=True, column_config=columns)
    st.caption(LEGEND)


def row(report: Report, is_older: bool = False) -> dict[str, Any]:
    """A model's abilities in a word or a number each; None is what was not measured."""
    schema: Schema | None = report.finding("schema")
    speed: Speed | None = report.finding("speed")
    context: Context | None = report.finding("context")
    held, told = (schema.held, schema.told) if schema else (None, None)
    return {
        "Model": report.model,
        "Backend": frame.title(report.backend),
        "Probed": when(report.created_at) + (", an older version" if is_older else ""),
        "Streams": _streams(report.finding("streams")),
        "Fits, held": held.share if held else None,
        "Fits, told": told.share if told else None,
        "Tools": _tools(report.finding("tools")),
        "Thinks": _thinks(report.finding("thinks")),
        "Probabilities": _logprobs(report.finding("logprobs")),
        "Seed": _seed(report.finding("seed")),
        "Context": context.holds if context else None,
        "Longer ones": ENDS[context.end] if context else None,
        "Reads": speed.prefill if speed else None,
        "Writes": speed.decode if speed else None,
        "First word, cold": speed.cold if speed else None,
        "First word, warm": speed.warm if speed else None,
    }


def _streams(found: Streams | None) -> str | None:
    return None if found is None else "yes" if found.streams else "no"


def _tools(found: Tools | None) -> str | None:
    if found is None:
        return None
    right = f" {found.native.right}/{found.native.of}" if found.usual == "native" else ""
    return "refused" if found.refused else TOOLS[found.usual] + right


def _thinks(found: Thinks | None) -> str | None:
    return THINKS[found.how] if found else None


def _logprobs(found: Logprobs | None) -> str | None:
    return None if found is None else "no" if not found.given else "yes" if found.sane else "wrong"


def _seed(found: Seed | None) -> str | None:
    return KEEPS[found.keeps] if found else None
