"""How often each model's answers fit their schemas, and what was wrong with those that did not."""

from datetime import UTC, date, datetime, time

import streamlit as st

from agents import catalogue
from workbench.errors import RunNotFound
from workbench.events import CallView, RunView
from workbench.experiments.statistics import wilson
from workbench.schema_answers import KINDS, Rate, SchemaAnswer, Story, place
from workbench.store.schema_answers import AT_ONCE, Chosen, SchemaAnswers
from workbench.ui import frame, live, session
from workbench.ui.experiment_results import table_html
from workbench.ui.markdown import escape
from workbench.ui.metrics import NOTHING
from workbench.ui.moments import when

PER_PAGE = 10
SHOWN = 3_000  # characters of an answer on each side of what is wrong
HERE = "⟨here⟩"  # stands where a text ends too early
WORST = 3  # kinds that the table names
HEADS = (
    "Model",
    "Schema",
    "Asked",
    "Valid at once (95%)",
    "After a retry",
    "Given up",
    "Valid in the end (95%)",
    "Wrong",
)
ABOUT = (
    "Over all runs on the log, a fork's inherited steps and your own answers aside. A question is asked up to four"
    " times; the intervals are Wilson's, and take each question as one draw."
)


def draw() -> None:
    """The whole view."""
    found = SchemaAnswers(session.engine().store.database)
    with frame.guarded():
        catch_up(found)
        if not found.values("model"):
            frame.notice(
                "No structured answers yet",
                "Some machines ask for JSON that fits a schema. How often a model gets it right is counted here.",
                "Run stepwise, reflection or react on the bench.",
            )
            return
        chosen = filters(found)
        draw_rates(found.rates(chosen))
        draw_failures(found, chosen)


def catch_up(found: SchemaAnswers) -> None:
    """Read the logs that have grown; the first time, of many runs, with a line that says how far it is."""
    line = st.empty()
    for done, total in found.catch_up():
        if total > AT_ONCE:
            line.progress(done / total, f"Reading the logs: {done:,} of {total:,} runs.")
    line.empty()
    if found.unreadable:
        names = ", ".join(sorted(found.unreadable)[:3])
        count = len(found.unreadable)
        logs = "The log of 1 run" if count == 1 else f"The logs of {count:,} runs"
        st.warning(frame.sentences(f"{logs} cannot be read ({names}).", "`python -m workbench doctor` checks them."))


def filters(found: SchemaAnswers) -> Chosen:
    """Which answers are looked at."""
    with st.container(key="answer-filters", horizontal=True, vertical_alignment="bottom"):
        backend = _select(found, "backend", "Any backend")
        model = _select(found, "model", "Any model")
        machine = _select(found, "machine", "Any machine")
        schema = _select(found, "schema", "Any schema")
        since = st.date_input("Since", value=None, key=session.field_key(session.ANSWERS, "since"), width=150)
    return Chosen(backend, model, machine, schema, since=moment(since if isinstance(since, date) else None))


def moment(day: date | None) -> str:
    """The beginning of a day on this machine's clock, as the log has moments; empty for none."""
    return "" if day is None else datetime.combine(day, time()).astimezone().astimezone(UTC).isoformat()


def _select(found: SchemaAnswers, column: str, anything: str) -> str:
    key, names = session.field_key(session.ANSWERS, column), ["", *found.values(column)]
    if session.recall(key) not in names:
        session.put(key, "")
    words = {"backend": frame.title, "machine": _title_of}.get(column, str)
    return (
        st.selectbox(
            column.capitalize(),
            names,
            format_func=lambda name: words(name) if name else anything,
            key=key,
            width=190,
            on_change=session.put,
            args=(session.ANSWERS_PAGE, 1),
        )
        or ""
    )


def _title_of(machine: str) -> str:
    return catalogue.load(machine).title if machine in catalogue.MACHINES else machine


def draw_rates(rates: list[Rate]) -> None:
    """Each model with each schema."""
    if not rates:
        frame.notice("Nothing found", "No answer fits these filters.", "Clear a filter.")
        return
    st.html(table_html("Structured answers", HEADS, [_cells(rate) for rate in rates]))
    st.caption(ABOUT)


def _cells(rate: Rate) -> tuple[str, ...]:
    told = "" if rate.constrained else '<br><span class="wb-label">told in the prompt</span>'
    label = f'<br><span class="wb-label">{escape(frame.title(rate.backend))}</span>'
    counts = list(rate.kinds.items())
    worst = [f"{KINDS[kind].title.lower()} {number:,}" for kind, number in counts[:WORST]]
    if more := sum(number for _, number in counts[WORST:]):
        worst.append(f"other {more:,}")
    return (
        escape(rate.model) + label,
        escape(rate.schema) + told,
        f"{rate.asked:,}",
        share_html(rate.first, rate.asked),
        f"{rate.mended:,}",
        f'<b class="wb-failed">{rate.given_up:,}</b>' if rate.given_up else "0",
        share_html(rate.first + rate.mended, rate.ended),
        f'<span class="wb-words">{escape("; ".join(worst)) or NOTHING}</span>',
    )


def share_html(part: int, whole: int) -> str:
    """A share with its interval in one line: 85% (79 to 90)."""
    if not whole:
        return NOTHING
    low, high = wilson(part, whole)
    return f'<span class="wb-whole">{part / whole:.0%} ({100 * low:.0f} to {100 * high:.0f})</span>'


def draw_failures(found: SchemaAnswers, chosen: Chosen) -> None:
    """The answers that were not valid, newest first, a page at a time."""
    count = found.count_failures(chosen)
    if not count:
        return
    st.subheader("What was not valid", anchor="failures")
    pages = -(-count // PER_PAGE)
    number = min(int(session.recall(session.ANSWERS_PAGE, 1)), pages)
    st.html(f'<p class="wb-label">{count:,} {"answer" if count == 1 else "answers"}, newest first</p>')
    for row in found.failures(chosen, PER_PAGE, (number - 1) * PER_PAGE):
        _draw_failure(found, row)
    if pages > 1:
        st.pagination(pages, key=session.ANSWERS_PAGE)


def _draw_failure(found: SchemaAnswers, row: SchemaAnswer) -> None:
    with st.container(key=f"failure-{row.run_id}-{row.call_id}", gap="small"):
        story = found.story(session.engine().store, row)
        st.html(failure_html(row, story))
        if st.button("Open the run here", key=f"open-at-{row.run_id}-{row.call_id}", type="tertiary"):
            show(row)


def show(row: SchemaAnswer) -> None:
    """Go to the bench with the run, at the call."""
    try:
        view = RunView.of(live.settled(session.engine().store, row.run_id))
    except RunNotFound:
        view = RunView()
    entries = view.entries
    index = (n for n, one in enumerate(entries) if isinstance(one, CallView) and one.called.call_id == row.call_id)
    session.open_at(row.run_id, next(index, 0))
    st.switch_page("pages/bench.py", query_params={session.RUN: row.run_id})


def failure_html(row: SchemaAnswer, story: Story | None) -> str:
    """One failure: what was wrong, the raw text with the place marked, what the model was told, what it did then."""
    kind = KINDS[row.kind]
    facts = [row.model, _title_of(row.machine), row.role, f"attempt {row.attempt}", when(row.created_at)]
    facts += [] if row.constrained else ["told in the prompt"]
    head = (
        f'<header><span class="wb-role">{escape(kind.title)}</span><h3>{escape(row.schema)}</h3>'
        f'<span class="wb-meta">{" · ".join(map(escape, facts))}</span></header>'
    )
    parts = [f'<p class="wb-why"><b>Wrong:</b> {escape(row.wrong)}</p>']
    if story is None:
        parts.append('<p class="wb-hint">The run\'s log does not have this answer any more.</p>')
    else:
        parts += [raw_html(story.text, row.wrong), _then_html(story)]
    parts.append(f'<p class="wb-hint">{escape(kind.hint)}</p>')
    return f'<article class="wb-card wb-none wb-failure">{head}{"".join(parts)}</article>'


def raw_html(text: str, wrong: str) -> str:
    """What the model wrote, as it is, with the place of the error marked where it can be found."""
    if not text:
        return '<p class="wb-hint">It wrote nothing.</p>'
    found = place(text, wrong)
    start, end = found or (0, 0)
    first, last = max(start - SHOWN, 0), min(max(end, start) + SHOWN, len(text))
    here = escape(text[start:end] if text[start:end].strip() else HERE + text[start:end])
    mark = f'<mark class="wb-here">{here}</mark>' if found else ""
    return (
        f'<pre class="wb-raw" tabindex="0">{_left_out(first)}{escape(text[first:start])}{mark}'
        f"{escape(text[end:last])}{_left_out(len(text) - last)}</pre>"
    )


def _left_out(count: int) -> str:
    return f'<span class="wb-label">… {count:,} characters …</span>' if count else ""


def _then_html(story: Story) -> str:
    words = {
        "mended": "Mended: its next answer was valid.",
        "not mended": f"Its next answer was not valid either: {story.next_wrong}",
        "given up": "Given up: the run ended here.",
        "stopped": "The run ended before it was asked again.",
    }
    told = f'<p class="wb-told"><b>Told:</b> {escape(story.told)}</p>' if story.told else ""
    then = f"<p><b>Then:</b> {escape(words[story.then])}</p>"
    if story.next_text:
        raw = raw_html(story.next_text, story.next_wrong)
        then += f'<details class="wb-quiet"><summary>What it wrote then</summary>{raw}</details>'
    return told + then
