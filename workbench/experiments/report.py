"""An experiment to take away: one HTML file that needs nothing else, and a CSV of every answer."""

import base64
import csv as csv_format
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from workbench.experiments.budget import Budget
from workbench.experiments.calibration import Calibration, vote_share
from workbench.experiments.drawing import flips_per_round, reliability, safe, score_against_cost, score_at_round
from workbench.experiments.flips import Ledger, flips
from workbench.experiments.lanes import LaneResult, role
from workbench.experiments.model import Cell
from workbench.experiments.outcomes import FILTERS, Filter, Outcome, Row
from workbench.experiments.pairwise import PairResult
from workbench.experiments.results import Results
from workbench.experiments.words import MINUS, Scale, count, feedback, probability

CSS = Path(__file__).with_name("report.css")
LONGEST = 400  # characters of a text that a model or a data set wrote; the CSV has all of it
NONE = "–"

FILTER_NAMES: dict[Filter, str] = {
    "all": "All items",
    "disagree": "Lanes disagree",
    "flips": "Flips",
    "errors": "Errors",
    "low confidence": "Low confidence",
}
METHODS = (
    "The item is the unit: with several seeds its score is the mean over them. Intervals are for 95%.",
    "Right or wrong, one seed: Wilson's interval for a score; McNemar's exact test for two lanes on the same items,"
    " Newcombe's square-and-add interval (1998, method 10) for their difference.",
    "Graded scores or several seeds: items are drawn again with replacement (bias-corrected and accelerated"
    " bootstrap); a test flips the signs of the paired differences.",
    "The p values of all pairs are corrected together by Holm's method. The number of items that would be needed is"
    " for 80% power at p < 0.05 divided by the number of tests, if the difference is as seen (Connor 1987 with a"
    " continuity correction); a difference seen is itself uncertain, and so is that number.",
    "Errors are no wrong answers: what ended in one is left out, and two lanes are compared on the items that both"
    " finished. At worst is the score if errors counted as wrong.",
    "A round's tokens are those up to its end; a run that is over keeps its last answer. A vote over fewer samples is"
    " the average over all choices of so many, or the first so many where the machine stops by itself.",
    "Calibration: ten bins of equal width, a bin's share with Wilson's interval over its runs; the expected calibration"
    " error (Guo et al. 2017) with percentiles over resampled items. By chance is its mean where each answer is right"
    " exactly as often as it is sure. The confidence of a lane that votes is the share of the votes for its answer, of"
    " every other the mean token probability of its answer: the two are different things and are not compared.",
    "Scoring by a model costs tokens too: they stand apart from the lane's own.",
)


def html(found: Results, made: str = "") -> str:
    """The report as one HTML file: no script, nothing fetched, every text of a model or data set escaped.

    `made` says when, in words of the caller.
    """
    css = CSS.read_text(encoding="utf-8") + _filter_css()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = [
        _head(found, made),
        _lanes(found),
        _pairs(found),
        _budgets(found),
        _ledgers(found),
        _calibrations(found),
        _methods(),
        _rows(found),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{safe(found.name)}</title><style>{css}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _head(found: Results, made: str) -> str:
    facts = [
        f"Data set {found.dataset}",
        count(found.items, "item"),
        f"scored by {found.scorer}",
        count(len(found.seeds), "seed"),
        *([made] if made else []),
    ]
    notes = "".join(f'<p class="note">{safe(note)}</p>' for note in found.notes)
    return f'<h1>{safe(found.name)}</h1><p class="facts">{safe(" · ".join(facts))}</p>{notes}'


def _table(titles: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _number(text: str) -> str:
    return f'<td class="number">{safe(text)}</td>'


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{safe(caption)}</figcaption></figure>" if svg else ""


# Lanes


def _lanes(found: Results) -> str:
    further = "Tokens per further point" if found.graded else "Tokens per further right answer"
    each = ("Tokens per answer (read + written, in all)", "Seconds per answer", "Calls in all")
    judged = any(lane.judging_calls for lane in found.lanes)
    scoring = ("Scoring in all, tokens (calls)",) if judged else ()
    titles = ("Lane", "Score", "Items", "Errors", *each, *scoring, further)
    caption = "Lines are 95% intervals." + (
        " Dashed: what the vote reaches with fewer samples." if found.curves else ""
    )
    rows = (_lane(place, lane, found.scale, judged) for place, lane in enumerate(found.lanes))
    return f"<h2>Score and cost</h2>{_figure(score_against_cost(found), caption)}{_table(titles, rows)}"


def _lane(place: int, lane: LaneResult, scale: Scale, judged: bool) -> str:
    setup = [lane.machine, lane.model, feedback(lane.sources)]
    setup += [f"{name} {value}" for name, value in (*lane.options.items(), *lane.prompts.items())]
    name = _title(place, lane.name, " · ".join(filter(None, setup)))
    score = lane.scored(scale) or NONE
    tokens = f"{lane.tokens_each:,.0f} ({lane.prompt_tokens:,} + {lane.completion_tokens:,})"
    cells = [score, f"{lane.n:,}", lane.failed, tokens, f"{lane.seconds_each:,.1f}", f"{lane.calls:,}"]
    cells += [f"{lane.judging_tokens:,} ({lane.judging_calls:,})"] if judged else []
    return f"<tr>{name}{''.join(map(_number, cells))}{_extra(lane)}</tr>"


def _extra(lane: LaneResult) -> str:
    extra = lane.tokens_per_extra
    if extra.tokens is None:
        return f"<td>{safe(extra.words)}</td>"
    span = f"{extra.low:,.0f} or more" if extra.high is None else f"{extra.low:,.0f} to {extra.high:,.0f}"
    return _number(f"{extra.tokens:,.0f} ({span})")


# Pairs


def _pairs(found: Results) -> str:
    if not found.pairs:
        return ""
    said = "".join(
        f'<li class="{"refused" if pair.refused else pair.said.replace(" ", "-")}">{safe(pair.verdict)}</li>'
        for pair in found.pairs
    )
    power = "Items for 80% power (at p < 0.05; corrected)"
    titles = ("Pair", "Items", "Better : worse", "Difference", "Odds", "p", "p after Holm", power)
    rows = [_pair(pair, found.graded) for pair in found.pairs if pair.effect is not None]
    table = _table(titles, rows) if rows else ""
    return f"<h2>Which lane is better?</h2><ul>{said}</ul>{table}"


def _pair(pair: PairResult, graded: bool) -> str:
    scale = Scale(graded, pair.n).fine(pair.effect or 0)
    odds = NONE
    if pair.odds:
        odds = "∞" if pair.odds.ratio is None else f"{pair.odds.ratio:.2g}"
    cells = [
        f"{pair.n:,}",
        f"{pair.wins:,} : {pair.losses:,}",
        f"{scale.gain(pair.effect or 0)} ({scale.span(pair.low or 0, pair.high or 0)})",
        odds,
        *(probability(p or 0).removeprefix("p ").removeprefix("= ") for p in (pair.p, pair.p_holm)),
        "; ".join(NONE if number is None else f"{number:,}" for number in (pair.needed, pair.needed_corrected)),
    ]
    return f"<tr><td>{safe(pair.a)} against {safe(pair.b)}</td>{''.join(map(_number, cells))}</tr>"


# Equal budget, flips


def _budgets(found: Results) -> str:
    if not found.budgets:
        return ""

    def line(budget: Budget) -> str:
        label = feedback(found.lanes[budget.other].sources)
        return f'<li>{safe(budget.sentence)} <span class="label">{safe(label)}</span></li>'

    return f"<h2>With the same tokens</h2><ul>{''.join(map(line, found.budgets))}</ul>"


def _ledgers(found: Results) -> str:
    return "<h2>Does the second thought help?</h2>" + "".join(map(_ledger, found.ledgers)) if found.ledgers else ""


def _ledger(ledger: Ledger) -> str:
    scale = Scale(ledger.graded, ledger.items)
    better, worse = ledger.words
    titles = ("Round", better, worse, "stayed", "over before", "Score if stopped here", "Tokens", "Best in")
    rows = (
        f"<tr><td>{step.number}</td>"
        + "".join(
            _number(text)
            for text in (
                *(f"{number:,}" for number in (step.gained, step.lost, step.stayed, step.ended)),
                scale.scored(step.score, step.low, step.high),
                f"{step.tokens:,.0f}",
                f"{step.best:.0%}",
            )
        )
        + "</tr>"
        for step in ledger.rounds
    )
    label = feedback((ledger.feedback,))
    figures = _figure(flips_per_round(ledger), f"Runs that flipped in each round · {label}")
    figures += _figure(score_at_round(ledger), f"Score if stopped after round k, 95% intervals · {label}")
    return (
        f'<h3>{safe(ledger.name)} <span class="label">{label} · {count(ledger.runs, "run")} of'
        f" {count(ledger.items, 'item')}</span></h3><p>{safe(ledger.verdict)}</p><p>{safe(ledger.advice)}</p>"
        f'<div class="side">{figures}</div>{_table(titles, rows)}'
    )


# Calibration


def _calibrations(found: Results) -> str:
    if not found.calibrations:
        return ""
    titles = ("Lane", "Its confidence", "Answers", "Mean", "Right", "Calibration error (95%)", "By chance", "Brier")
    rows = (f"<tr>{_named(one, found)}{''.join(map(_number, calibrated(one)))}</tr>" for one in found.calibrations)
    said = "".join(f"<li>{safe(one.verdict)}</li>" for one in found.calibrations)
    figures = "".join(
        _figure(reliability(one), f"{one.name} · {one.what} · {feedback(found.lanes[one.lane].sources)}")
        for one in found.calibrations
    )
    return f'<h2>{SURE}</h2><ul>{said}</ul><div class="side">{figures}</div>{_table(titles, rows)}'


SURE = "Is it right as often as it is sure?"


def calibrated(one: Calibration) -> tuple[str, ...]:
    """A lane's calibration as the cells of a table, after its name and its kind."""
    error = f"{one.ece:.3f} ({one.low:.3f} to {one.high:.3f})"
    return (
        f"{one.n:,}",
        f"{one.confidence:.2f}",
        f"{one.share:.0%}",
        error,
        f"{one.by_chance:.3f}",
        f"{one.brier:.3f}",
    )


def _named(one: Calibration, found: Results) -> str:
    return f"{_title(one.lane, one.name, feedback(found.lanes[one.lane].sources))}<td>{safe(one.what)}</td>"


def _methods() -> str:
    return f"<h2>How it was counted</h2><ul>{''.join(f'<li>{safe(method)}</li>' for method in METHODS)}</ul>"


# Items


def _rows(found: Results) -> str:
    kept = {wanted: {row.number for row in found.filtered(wanted)} for wanted in FILTERS}
    choices = "".join(_radio(wanted) for wanted in FILTERS)
    choices += "".join(
        f'<label class="choice" for="{_slug(wanted)}">{FILTER_NAMES[wanted]} {len(kept[wanted]):,}</label>'
        for wanted in FILTERS
    )
    titles = "".join(_title(place, lane.name, feedback(lane.sources)) for place, lane in enumerate(found.lanes))
    body = "".join(
        f'<tr class="{" ".join(_slug(name) for name in FILTERS if row.number in kept[name])}">{_row(row, found)}</tr>'
        for row in found.rows
    )
    table = f"<table><thead><tr><th>Item</th>{titles}</tr></thead><tbody>{body}</tbody></table>"
    return f'<h2>Item by item</h2>{choices}<div class="items scroll">{table}</div>'


def _radio(wanted: Filter) -> str:
    checked = " checked" if wanted == "all" else ""
    return f'<input class="filters" type="radio" name="filter" id="{_slug(wanted)}"{checked}>'


def _title(place: int, name: str, label: str) -> str:
    return f'<th class="lane {role(place)}">{safe(name)}<br><span class="label">{safe(label)}</span></th>'


def _slug(wanted: Filter) -> str:
    return f"show-{wanted.replace(' ', '-')}"


def _filter_css() -> str:
    """Filters without a script: a checked choice hides the rows that are not its own."""
    shown = "".join(
        f"#{_slug(wanted)}:checked ~ .items tbody tr:not(.{_slug(wanted)}) {{ display: none; }}\n"
        f'#{_slug(wanted)}:checked ~ [for="{_slug(wanted)}"] {{ border-color: var(--ink); font-weight: 600; }}\n'
        f'#{_slug(wanted)}:focus-visible ~ [for="{_slug(wanted)}"] {{ outline: 2px solid var(--generator); }}\n'
        for wanted in FILTERS
    )
    return shown


def _row(row: Row, found: Results) -> str:
    gold = f'<br><span class="label">right: {_said(row.item.answer)}</span>' if row.item.answer else ""
    item = f'<td><span class="label">{safe(row.item.id)}</span><br>{_said(row.item.question)}{gold}</td>'
    return item + "".join(f"<td>{_outcome(outcome, found)}</td>" for outcome in row.outcomes)


def _outcome(outcome: Outcome, found: Results) -> str:
    if not outcome.cells:
        return NONE
    score = found.scale.score(outcome.score) if outcome.score is not None else NONE
    sure = f" · p̄ {outcome.confidence:.2f}" if outcome.confidence is not None else ""
    flips = f" · +{outcome.gained} {MINUS}{outcome.lost} flips" if outcome.gained or outcome.lost else ""
    errors = "".join(
        f'<br><span class="failed">{safe(cell.error_code)}: {_said(cell.error)}</span>' for cell in outcome.errors
    )
    run = f'<br><span class="run">{safe(outcome.run_id)}</span>' if outcome.run_id else ""
    return f'<span class="label">{score}{sure}{flips}</span><br>{_said(outcome.answer)}{errors}{run}'


def _said(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return f'<span class="said">{safe(shown)}</span>'


# CSV

COLUMNS = (
    *("item", "id", "question", "right_answer", "lane", "machine", "model", "feedback", "seed", "status", "score"),
    *("answer", "said", "error_code", "error", "prompt_tokens", "completion_tokens", "calls", "seconds", "confidence"),
    *("judging_tokens", "judging_calls", "rounds", "samples", "gained", "lost", "run_id", "vote_share"),
)
FORMULA = "=+-@\t\r\n＝＋－＠"  # what a spreadsheet takes for the beginning of a formula, wide forms too


def csv(found: Results) -> str:
    """Every cell as a row, by item, lane and seed; texts are quoted, and none can become a spreadsheet's formula.

    The numbers that we wrote stay numbers; `rounds` are the scores of the rounds and `samples` their number.
    """
    text = io.StringIO(newline="")
    writer = csv_format.writer(text, quoting=csv_format.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in found.rows:
        for lane, outcome in zip(found.lanes, row.outcomes, strict=True):
            for cell in outcome.cells:
                values = [row.number, row.item.id, row.item.question, row.item.answer, *_of_cell(lane, cell, found)]
                writer.writerow([neutral(value) if isinstance(value, str) else value for value in values])
    return text.getvalue()


def _of_cell(lane: LaneResult, cell: Cell, found: Results) -> list[Any]:
    gained, lost = flips(cell, found.graded)
    rounds = " ".join(f"{step.score:g}" for step in cell.rounds)
    return [
        *(lane.name, lane.machine, lane.model, cell.feedback, cell.seed, cell.status, cell.score),
        *(cell.answer, cell.said, cell.error_code, cell.error, cell.prompt_tokens, cell.completion_tokens, cell.calls),
        *(cell.seconds, cell.confidence, cell.judging_tokens, cell.judging_calls, rounds),
        *(len(cell.samples), gained, lost, cell.run_id, vote_share(cell)),
    ]


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula, without NUL and halves of surrogate pairs."""
    text = text.replace("\x00", "\ufffd")
    text = text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return f"'{text}" if text.startswith(tuple(FORMULA)) else text
