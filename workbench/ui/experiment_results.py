"""An experiment's results on the page: score and cost, what can be told apart, equal budgets, and the flip ledger."""

from collections.abc import Sequence

import streamlit as st

from workbench.experiments.flips import Ledger
from workbench.experiments.lanes import LaneResult, role
from workbench.experiments.pairwise import PairResult
from workbench.experiments.report import SURE, calibrated
from workbench.experiments.results import Results
from workbench.experiments.words import Scale, count, feedback, probability
from workbench.ui import charts
from workbench.ui.markdown import escape
from workbench.ui.metrics import NOTHING

QUIET = {"displayModeBar": False, "responsive": True}
SAID = {"better": "told apart", "not enough": "not enough items", "no difference": "no difference"}


def draw(found: Results) -> None:
    """Everything but the items one by one."""
    for note in found.notes:
        st.html(f'<p class="wb-note">{escape(note)}</p>')
    draw_lanes(found)
    draw_pairs(found)
    draw_budgets(found)
    draw_ledgers(found)
    draw_calibrations(found)


def draw_lanes(found: Results) -> None:
    """Score against cost, then each lane's numbers."""
    st.subheader("Score and cost", anchor="score-and-cost")
    if any(lane.score is not None for lane in found.lanes):
        st.plotly_chart(charts.score_against_cost(found, theme()), key="score-cost", theme=None, config=QUIET)
    further = "Tokens per further point" if found.graded else "Tokens per further right answer"
    heads = ("Lane", "Score (95%)", "Items", "Errors", "Tokens each", "Seconds each", "Calls", further)
    rows = [_lane(place, lane, found.scale) for place, lane in enumerate(found.lanes)]
    st.html(table_html("Lanes", heads, rows))


def draw_pairs(found: Results) -> None:
    """What can be said of every two lanes, in sentences; their numbers on demand."""
    if not found.pairs:
        return
    st.subheader("Which lane is better?", anchor="pairs")
    st.html(f'<ul class="wb-verdicts">{"".join(map(_verdict, found.pairs))}</ul>')
    tested = [pair for pair in found.pairs if pair.effect is not None]
    if tested:
        heads = (
            "Pair",
            "Items",
            "Better : worse",
            "Difference (95%)",
            "p",
            "p, Holm",
            "Items for 80% power (and corrected)",
            "Test",
        )
        with st.expander("The numbers behind this", key="pair-numbers"):
            st.html(table_html("Pairs", heads, [_pair(pair, found.graded) for pair in tested]))


def draw_budgets(found: Results) -> None:
    """What a vote reaches with the tokens that other lanes spent."""
    if found.budgets:
        st.subheader("With the same tokens", anchor="budgets")
        told = ((escape(one.sentence), _fed(found.lanes[one.other].sources)) for one in found.budgets)
        lines = (f'<li>{sentence} <span class="wb-label">{fed}</span></li>' for sentence, fed in told)
        st.html(f'<ul class="wb-verdicts">{"".join(lines)}</ul>')


def draw_ledgers(found: Results) -> None:
    """Of each lane that revises: what its rounds made right and what they made wrong."""
    if not found.ledgers:
        return
    st.subheader("Does the second thought help?", anchor="second-thought")
    for number, ledger in enumerate(found.ledgers):
        with st.container(key=f"ledger-{number}"):
            _draw_ledger(ledger, number)


def _draw_ledger(ledger: Ledger, number: int) -> None:
    label = f"{_fed((ledger.feedback,))} · {count(ledger.runs, 'run')} of {count(ledger.items, 'item')}"
    st.html(
        f'<h4 class="wb-ledger">{escape(ledger.name)} <span class="wb-label">{label}</span></h4>'
        f"<p>{escape(ledger.verdict)}</p><p>{escape(ledger.advice)}</p>"
    )
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(charts.flips_per_round(ledger, theme()), key=f"flips-{number}", theme=None, config=QUIET)
    right.plotly_chart(charts.score_at_round(ledger, theme()), key=f"rounds-{number}", theme=None, config=QUIET)
    scale, (better, worse) = Scale(ledger.graded, ledger.items), ledger.words
    heads = ("Round", better, worse, "Stayed", "Over before", "Score if stopped here (95%)", "Tokens", "Best in")
    rows = [
        (
            f"{step.number}",
            *(f"{value:,}" for value in (step.gained, step.lost, step.stayed, step.ended)),
            _whole(scale.scored(step.score, step.low, step.high)),
            f"{step.tokens:,.0f}",
            f"{step.best:.0%} of resamples",
        )
        for step in ledger.rounds
    ]
    st.html(table_html(f"Rounds of {escape(ledger.name)}", heads, rows))


def draw_calibrations(found: Results) -> None:
    """Of each lane that tells a confidence: whether it is right as often as it is sure."""
    if not found.calibrations:
        return
    st.subheader(SURE, anchor="calibration")
    st.html(f'<ul class="wb-verdicts">{"".join(f"<li>{escape(one.verdict)}</li>" for one in found.calibrations)}</ul>')
    with st.grid(2, min_column_width=320, gap="medium"):
        for one in found.calibrations:
            figure = charts.reliability(one, found.lanes[one.lane].label, theme())
            st.plotly_chart(figure, key=f"reliability-{one.lane}", theme=None, config=QUIET)
    heads = ("Lane", "Its confidence", "Answers", "Mean", "Right", "Calibration error (95%)", "By chance", "Brier")
    rows = [
        (
            f'{lane_html(one.lane, one.name)}<br><span class="wb-label">{_fed(found.lanes[one.lane].sources)}</span>',
            f'<span class="wb-words">{escape(one.what)}</span>',
            *map(_whole, calibrated(one)),
        )
        for one in found.calibrations
    ]
    st.html(table_html("Calibration", heads, rows))


def table_html(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself; each row begins with its name. Cells are HTML, heads are text."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    lines = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{value}</td>" for value in values)}</tr>'
        for name, *values in rows
    )
    return (
        f'<div class="wb-scroll" role="region" aria-label="{title}" tabindex="0"><table class="wb-figures">'
        f"<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def lane_html(place: int, name: str) -> str:
    """A lane's name with its mark in its colour."""
    return f'<span class="wb-lane-mark" data-role="{role(place)}" aria-hidden="true"></span>{escape(name)}'


def theme() -> charts.Theme:
    """The person's own."""
    return "dark" if st.context.theme.type == "dark" else "light"


def _lane(place: int, lane: LaneResult, scale: Scale) -> tuple[str, ...]:
    about = [lane.machine, lane.model, feedback(lane.sources)]
    about += [f"{name} {value}" for name, value in (*lane.options.items(), *lane.prompts.items())]
    setup = escape(" · ".join(filter(None, about)))
    judging = f"<br>scoring: {lane.judging_tokens:,} in all" if lane.judging_calls else ""
    return (
        f'{lane_html(place, lane.name)}<br><span class="wb-label">{setup}</span>',
        _whole(lane.scored(scale)) if lane.score is not None else NOTHING,
        f"{lane.n:,}",
        f'<b class="wb-failed">{escape(lane.failed)}</b>' if lane.errors else "0",
        (f"{lane.tokens_each:,.0f}" if lane.answers else NOTHING) + judging,
        f"{lane.seconds_each:,.1f}" if lane.answers else NOTHING,
        f"{lane.calls:,}",
        _extra(lane),
    )


def _extra(lane: LaneResult) -> str:
    extra = lane.tokens_per_extra
    if extra.tokens is None:
        return f'<span class="wb-words">{escape(extra.words)}</span>'
    span = f"{extra.low:,.0f} or more" if extra.high is None else f"{extra.low:,.0f} to {extra.high:,.0f}"
    return f"{extra.tokens:,.0f} ({span})"


def _verdict(pair: PairResult) -> str:
    mark = SAID.get(pair.said, "")
    shown = f'<span class="wb-label">{escape(mark)}</span> ' if mark else ""
    return f'<li data-said="{escape(pair.said)}">{shown}{escape(pair.verdict)}</li>'


def _pair(pair: PairResult, graded: bool) -> tuple[str, ...]:
    scale = Scale(graded, pair.n)
    p, holm = (probability(value if value is not None else 1).removeprefix("p ") for value in (pair.p, pair.p_holm))
    return (
        f"{escape(pair.a)} against {escape(pair.b)}",
        f"{pair.n:,}",
        f"{pair.wins:,} : {pair.losses:,}",
        f"{scale.gain(pair.effect or 0)} ({scale.span(pair.low or 0, pair.high or 0)})",
        escape(p.removeprefix("= ")),
        escape(holm.removeprefix("= ")),
        " · ".join(NOTHING if number is None else f"{number:,}" for number in (pair.needed, pair.needed_corrected)),
        f'<span class="wb-words">{escape(pair.method)}</span>',
    )


def _whole(text: str) -> str:
    """A text that stays in one line."""
    return f'<span class="wb-whole">{escape(text)}</span>'


def _fed(sources: tuple[str, ...]) -> str:
    return escape(feedback(sources))
