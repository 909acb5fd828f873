"""What a comparison came to: the answers beside each other, what differs in their words, what each of them cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents import answers
from workbench.cost import energy
from workbench.events import CallView, RunView
from workbench.store.comparisons import Lane
from workbench.ui import cards, lanes, metrics, pair
from workbench.ui.diff import changes
from workbench.ui.markdown import escape, reading_text, render
from workbench.ui.metrics import NOTHING

SHORT_ANSWER = 20  # words that an answer proper may have to be held against another one
SHORT_TEXT = 40  # words of a text that is an answer proper though it does not say so
IN_COMMON = 0.15  # the share of the longer text that must be the same for marks to tell anything
GONE = "This run has been deleted. A vote that was cast still counts."


@dataclass(frozen=True)
class Entrant:
    """A lane with what became of its run; `waited` are the seconds in which it only waited for a slot."""

    letter: str
    lane: Lane
    view: RunView
    waited: float = 0.0

    @property
    def answer(self) -> str:
        """Its answer; empty where it has none that could be voted for."""
        end = self.view.finished
        return end.answer if end is not None and end.status in ("answered", "limit") else ""


def answers_html(entrants: Sequence[Entrant], hidden: bool = False, against: str = "") -> str:
    """The lanes beside each other, each with its steps and its answer.

    With `against`, a lane's letter, the other answers are shown as what they change in that lane's. What is `hidden` is
    not in the HTML.
    """
    base = next((entrant for entrant in entrants if entrant.letter == against and entrant.answer), None)
    columns = "".join(_hidden_html(entrant) if hidden else _column_html(entrant, base) for entrant in entrants)
    return f'<div class="wb-entrants">{columns}</div>'


def cost_html(entrants: Sequence[Entrant], paid: Sequence[str] = ()) -> str:
    """What each lane cost, how sure it was and who checked it, as a table with the lanes in columns.

    `paid` are the lanes' costs in money, in words; empty where there is no price.
    """
    heads = ("", *(f'<span class="wb-letter" data-lane="{_mark(one)}">{one.letter}</span>' for one in entrants))
    rows = [(name, *(tell(one) for one in entrants)) for name, tell in COSTS]
    rows += [("money", *(escape(words) or NOTHING for words in paid))] if any(paid) else []
    told = [row for row in rows if row[0] not in OFTEN_NOTHING or set(row[1:]) - {NOTHING, "0"}]
    return pair.table_html("What it cost", heads, told)


def agreement(entrants: Sequence[Entrant]) -> str:
    """Whether the lanes come to the same answer, in a sentence; empty where their answers are texts, not results."""
    texts = {one.letter: one.answer for one in entrants if one.answer}
    announced = any(answers.marked(text) for text in texts.values())
    if len(texts) < 2 or not (announced or all(len(text.split()) <= SHORT_TEXT for text in texts.values())):
        return ""
    found = {letter: answers.extract(text) for letter, text in texts.items()}
    short = {letter: text for letter, text in found.items() if _is_short(text)}
    groups: dict[str, list[str]] = {}
    for letter, text in short.items():
        groups.setdefault(answers.normalise(text), []).append(letter)
    said = [_says(letters, short[letters[0]]) for letters in sorted(groups.values(), key=len, reverse=True)]
    said += [f"{letter} says nothing that can be read as one." for letter in found if letter not in short]
    verdict = "All come to the same answer." if len(groups) == 1 and len(short) == len(texts) else ""
    return " ".join(filter(None, [verdict or ("The answers differ." if len(groups) > 1 else ""), *said]))


def _says(letters: Sequence[str], text: str) -> str:
    *first, last = letters
    return f"{', '.join(first)} and {last} say: {text}." if first else f"{last} says: {text}."


def _is_short(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text.split()) <= SHORT_ANSWER


def _hidden_html(entrant: Entrant) -> str:
    """The answer alone; of a lane without one not even why, since that would tell which it is."""
    said = render(entrant.answer) if entrant.answer else f'<p class="wb-hint">{NO_ANSWER}</p>'
    head = f'<header class="wb-lane-head"><span class="wb-letter">{entrant.letter}</span><h3>Answer</h3></header>'
    return (
        f'<article class="wb-entrant" data-lane="none" aria-label="Lane {entrant.letter}">{head}<div></div>'
        f'<section class="wb-answer">{said}</section></article>'
    )


NO_ANSWER = "This lane came to no answer. Why is shown once you have voted among the others."


def _column_html(entrant: Entrant, base: Entrant | None) -> str:
    head = lanes.head_html(entrant.letter, entrant.lane.title, entrant.lane.model)
    said = _answer_html(entrant, base) or _unfinished_html(entrant)
    return (
        f'<article class="wb-entrant" data-lane="{_mark(entrant)}" aria-label="Lane {entrant.letter}">{head}'
        f"{_steps_html(entrant)}{said}</article>"
    )


def _steps_html(entrant: Entrant) -> str:
    count = len(entrant.view.entries)
    if not count:
        return "<div></div>"
    lines = lanes.past_html(entrant.view, most=None)
    return (
        f'<details class="wb-quiet"><summary>{count:,} {"step" if count == 1 else "steps"}</summary>{lines}</details>'
    )


def _answer_html(entrant: Entrant, base: Entrant | None) -> str:
    """The answer with its cost; against another one what it changes in it, if there is anything in common."""
    is_other = base is not None and base is not entrant and entrant.answer
    instead = _changes_html(entrant, base) if base is not None and is_other else ""
    return lanes.own_id(cards.answer_html(entrant.view, instead), "answer", entrant.letter)


def _changes_html(entrant: Entrant, base: Entrant) -> str:
    if entrant.answer.strip() == base.answer.strip():
        return f'<p class="wb-note">Word for word the same as {base.letter}.</p>{render(entrant.answer)}'
    if _in_common(base.answer, entrant.answer) < IN_COMMON:
        return f'<p class="wb-note">Little in common with {base.letter}: shown as it is.</p>{render(entrant.answer)}'
    return cards.revision_html(base.answer, entrant.answer)


def _unfinished_html(entrant: Entrant) -> str:
    """A lane whose run is gone, or waits for the person."""
    if entrant.view.paused is not None:
        return (
            '<section class="wb-answer wb-waits"><h3>Waits for you</h3><p>Open it on the bench to reply.</p></section>'
        )
    return f'<section class="wb-answer"><p class="wb-hint">{GONE}</p></section>'


@lru_cache(maxsize=64)
def _in_common(a: str, b: str) -> float:
    """The share of the longer text that both have, as they are read."""
    one, other = (reading_text(text) for text in (a, b))
    kept = sum(len(text) for kind, text in changes(one, other) if kind == "same")
    return kept / max(len(one), len(other), 1)


def _mark(entrant: Entrant) -> str:
    return entrant.letter.lower()


def _confidence(entrant: Entrant) -> str:
    """The mean token probability of the call that wrote the answer, else of those that came to it."""
    call = cards.answer_call(entrant.view)
    calls = [call] if call else [one for one in entrant.view.calls if _comes_to(one, entrant.answer)]
    sure = [value for one in calls if (value := cards.confidence(one)) is not None]
    return f"{sum(sure) / len(sure):.2f}" if sure else NOTHING


def _comes_to(call: CallView, answer: str) -> bool:
    said = answers.extract(call.text) if call.answer is not None and answer else ""
    return bool(said) and answers.normalise(said) == answers.normalise(answer)


def _known(value: float | None) -> str:
    return metrics.seconds(value) if value else NOTHING


def _feedback(entrant: Entrant) -> str:
    end = entrant.view.finished
    return NOTHING if end is None or end.status != "answered" else escape(end.feedback)


COSTS: tuple[tuple[str, Callable[[Entrant], str]], ...] = (
    ("tokens read", lambda one: f"{one.view.totals.prompt_tokens:,}"),
    ("of them from cache", lambda one: f"{one.view.totals.cached_tokens:,}"),
    ("tokens written", lambda one: f"{one.view.totals.completion_tokens:,}"),
    ("model calls", lambda one: f"{one.view.totals.calls:,}"),
    ("tool calls", lambda one: f"{one.view.totals.tool_calls:,}"),
    ("time", lambda one: metrics.seconds(one.view.totals.seconds)),
    ("loading", lambda one: _known(one.view.totals.load_seconds)),
    ("prefill", lambda one: _known(one.view.totals.prefill_seconds)),
    ("decode", lambda one: _known(one.view.totals.decode_seconds)),
    ("energy", lambda one: NOTHING if one.view.totals.joules is None else energy(one.view.totals.joules)),
    ("of it waiting for a slot", lambda one: metrics.seconds(one.waited) if one.waited >= 0.05 else NOTHING),
    ("confidence", _confidence),
    ("feedback", _feedback),
)
OFTEN_NOTHING = frozenset({"of them from cache", "tool calls", "of it waiting for a slot"})
OFTEN_NOTHING |= {"loading", "prefill", "decode", "energy"}
