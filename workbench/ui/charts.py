"""An experiment's figures for the page: score against cost, flips per round, the score at each round."""

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from math import log10
from typing import Any, Literal

import plotly.graph_objects as go  # type: ignore[import-untyped]

from workbench.experiments.budget import Curve
from workbench.experiments.calibration import Bin, Calibration
from workbench.experiments.drawing import COST, CostAxis, cost_axis
from workbench.experiments.flips import Ledger
from workbench.experiments.lanes import ROLES, LaneResult, role
from workbench.experiments.results import Results
from workbench.experiments.words import Scale, feedback
from workbench.ui.style import CSS

Theme = Literal["light", "dark"]
Figure = Any  # plotly has no types

MARKS = ("circle", "square", "diamond")  # a colour comes again with the next mark
_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


@lru_cache
def palette(theme: Theme) -> dict[str, str]:
    """The stylesheet's colours by their names, for one theme; `none` is the role without a colour of its own."""
    pairs = re.findall(r"--wb-([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS.read_text(encoding="utf-8"))
    found = {name: dark if theme == "dark" else light for name, light, dark in pairs}
    return found | {"none": found["muted"]}


def score_against_cost(found: Results, theme: Theme = "light") -> Figure:
    """Each lane's score with its 95% interval over the tokens of an answer; dashed, the vote over fewer samples."""
    figure, colours = go.Figure(), palette(theme)
    axis = cost_axis(found)
    if axis is None:
        return figure
    for curve in found.curves:
        figure.add_trace(_curve(curve, found.lanes[curve.lane].label, found.scale, colours))
    for place, lane in enumerate(found.lanes):
        if lane.score is not None:
            side = "left" if axis.share(lane.tokens_each) > 0.6 else "right"
            figure.add_trace(_lane(place, lane, found.scale, colours, side))
    _dress(figure, colours, COST, found.scale)
    figure.update_xaxes(_cost_ticks(axis))
    return figure


def _cost_ticks(axis: CostAxis) -> dict[str, Any]:
    ends = [log10(axis.low), log10(axis.high)] if axis.is_log else [axis.low, axis.high]
    named = {"tickmode": "array", "tickvals": axis.ticks, "ticktext": [f"{tick:,.0f}" for tick in axis.ticks]}
    return {"type": "log" if axis.is_log else "linear", "range": ends, **named}


def _lane(place: int, lane: LaneResult, scale: Scale, colours: dict[str, str], side: str) -> Any:
    assert lane.score is not None and lane.low is not None and lane.high is not None
    colour = colours[role(place)]
    said = (
        f"{scale.scored(lane.score, lane.low, lane.high)}<br>{lane.tokens_each:,.0f} tokens, {lane.seconds_each:,.1f} s"
    )
    return go.Scatter(
        x=[max(lane.tokens_each, 1)],
        y=[lane.score],
        error_y=_reach([lane.score], [lane.low], [lane.high], colour),
        mode="markers+text",
        marker={"color": colour, "size": 11, "symbol": MARKS[place // len(ROLES) % len(MARKS)]},
        text=[shown(lane.name)],
        textposition=f"top {side}",
        textfont={"color": colour},
        name=shown(lane.label),
        hovertemplate=f"{shown(lane.label)}<br>{said}<extra></extra>",
        cliponaxis=False,
    )


def _curve(curve: Curve, label: str, scale: Scale, colours: dict[str, str]) -> Any:
    said = [f"{point.k} samples: {scale.scored(point.score, point.low, point.high)}" for point in curve.points]
    return go.Scatter(
        x=[max(point.tokens, 1) for point in curve.points],
        y=[point.score for point in curve.points],
        mode="lines+markers",
        line={"color": colours[role(curve.lane)], "dash": "dot", "width": 1},
        marker={"size": 4},
        name=shown(f"{label}, fewer samples"),
        customdata=said,
        hovertemplate=f"{shown(label)}<br>%{{customdata}}<br>%{{x:,.0f}} tokens<extra></extra>",
    )


def score_at_round(ledger: Ledger, theme: Theme = "light") -> Figure:
    """The score with its 95% interval if the runs had been stopped after each round."""
    colours, scale, steps = palette(theme), Scale(ledger.graded, ledger.items), ledger.rounds
    colour = colours[role(ledger.lane)]
    scores = [step.score for step in steps]
    figure = go.Figure(
        go.Scatter(
            x=[step.number for step in steps],
            y=scores,
            error_y=_reach(scores, [step.low for step in steps], [step.high for step in steps], colour),
            mode="lines+markers+text",
            line={"color": colour, "dash": "dot", "width": 1},
            marker={"color": colour, "size": 9},
            text=[scale.score(score) for score in scores],
            textposition="top right",
            name=_named(ledger),
            customdata=[f"{step.tokens:,.0f} tokens, best in {step.best:.0%} of resamples" for step in steps],
            hovertemplate="round %{x}: %{text}<br>%{customdata}<extra></extra>",
            showlegend=True,
            cliponaxis=False,
        )
    )
    _dress(figure, colours, "stopped after round", scale)
    figure.update_xaxes(dtick=1, range=[0.5, len(steps) + 0.5])
    return figure


def reliability(one: Calibration, label: str, theme: Theme = "light") -> Figure:
    """Of a lane with this label how often answers were right over how sure they were, in bins with their counts."""
    colours, scale, bins = palette(theme), Scale(False, one.n), one.bins
    colour, shares = colours[role(one.lane)], [part.share for part in bins]
    straight = {"color": colours["muted"], "dash": "dot", "width": 1}
    figure = go.Figure(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=straight, name="as sure as right", hoverinfo="skip")
    )
    figure.add_trace(
        go.Scatter(
            x=[part.confidence for part in bins],
            y=shares,
            error_y=_reach(shares, [part.share_low for part in bins], [part.share_high for part in bins], colour),
            mode="markers+text",
            marker={"color": colour, "size": 9},
            text=[f"{part.n:,}" for part in bins],
            textposition=["top left" if part.confidence > 0.9 else "top right" for part in bins],
            textfont={"color": colours["muted"]},
            name=shown(label),
            customdata=[_bin_said(part) for part in bins],
            hovertemplate="%{customdata}<extra></extra>",
            cliponaxis=False,
        )
    )
    _dress(figure, colours, one.what, scale)
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".1f", dtick=0.2)
    return figure


def _bin_said(part: Bin) -> str:
    right = f"{part.right:,} of {part.n:,} right ({part.share_low:.0%} to {part.share_high:.0%})"
    return f"sure from {part.low:.1f} to {part.high:.1f}, {part.confidence:.2f} on average<br>{right}"


def flips_per_round(ledger: Ledger, theme: Theme = "light") -> Figure:
    """Bars of each round: up the runs that became right, down those that became wrong."""
    colours, steps = palette(theme), ledger.rounds[1:]
    figure = go.Figure()
    for words, counts, sign, colour in (
        (ledger.words[0], [step.gained for step in steps], 1, colours["tool"]),
        (ledger.words[1], [step.lost for step in steps], -1, colours["critic"]),
    ):
        figure.add_trace(
            go.Bar(
                x=[step.number for step in steps],
                y=[sign * count for count in counts],
                text=[f"{count:,}" if count else "" for count in counts],
                textposition="outside",
                marker={"color": colour},
                name=f"{words} · {_named(ledger)}",
                hovertemplate=f"round %{{x}}: %{{text}} {words}<extra></extra>",
                cliponaxis=False,
            )
        )
    _dress(figure, colours, "round", None)
    most = max([1, *(max(step.gained, step.lost) for step in steps)])
    figure.update_layout(barmode="relative", bargap=0.5)
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(
        range=[-1.2 * most, 1.2 * most], showticklabels=False, zeroline=True, zerolinecolor=colours["line"]
    )
    return figure


def where_seconds_go(rows: Sequence[tuple[str, float, float, float]], theme: Theme = "light") -> Figure:
    """Lying bars of each row's name with its seconds of loading, prefill and decode; the first row on top."""
    colours, figure = palette(theme), go.Figure()
    for place, (words, role_of) in enumerate((("load", "none"), ("prefill", "thinking"), ("decode", "generator")), 1):
        figure.add_trace(
            go.Bar(
                y=[shown(row[0]) for row in rows],
                x=[row[place] for row in rows],
                orientation="h",
                name=words,
                marker={"color": colours[role_of], "pattern": {"shape": "/" if words == "load" else ""}},
                hovertemplate=f"%{{y}}<br>{words}: %{{x:,.1f}} s<extra></extra>",
            )
        )
    _dress(figure, colours, "seconds of the model's work", None)
    figure.update_layout(barmode="stack", bargap=0.35, height=110 + 34 * len(rows), legend={"traceorder": "normal"})
    figure.update_xaxes(showgrid=True, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, tickfont={"color": colours["ink"]})
    return figure


def shown(text: str) -> str:
    """A person's or a model's text as plotly shows it: exactly, and never as its markup."""
    return html.escape(text)


def _named(ledger: Ledger) -> str:
    return shown(f"{ledger.name} · {feedback((ledger.feedback,))}")


def _reach(scores: Sequence[float], lows: Sequence[float], highs: Sequence[float], colour: str) -> dict[str, Any]:
    up = [high - score for score, high in zip(scores, highs, strict=True)]
    down = [score - low for score, low in zip(scores, lows, strict=True)]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": 1.5}


def _dress(figure: Figure, colours: dict[str, str], title: str, scale: Scale | None) -> None:
    """The instrument's look: hairlines on the page's own ground, the legend above. `scale` is that of the scores."""
    line = {"gridcolor": colours["line"], "linecolor": colours["line"], "zerolinecolor": colours["line"]}
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _SANS, "size": 13, "color": colours["ink"]},
        hoverlabel={"bgcolor": colours["surface"], "font": {"color": colours["ink"]}, "bordercolor": colours["line"]},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "font": {"color": colours["ink"]}},
        margin={"l": 56, "r": 24, "t": 24, "b": 52},
        height=380,
        dragmode=False,
    )
    figure.update_xaxes(title={"text": title, "font": {"size": 13, "color": colours["muted"]}}, showgrid=False, **line)
    figure.update_yaxes(showgrid=scale is not None, tickfont={"color": colours["muted"]}, **line)
    if scale is not None:
        figure.update_yaxes(range=[0, 1.02], tickformat=".1f" if scale.graded else ".0%", dtick=0.2)
