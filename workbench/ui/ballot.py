"""The person's vote on a comparison, and how the lanes stand in all votes there were."""

from collections.abc import Sequence

import streamlit as st

from workbench.experiments.statistics import wilson
from workbench.store.comparisons import FEWEST_LANES, TIE, Comparison, ComparisonStore, Tally
from workbench.ui import session
from workbench.ui.markdown import escape
from workbench.ui.outcome import Entrant


def draw(comparison: Comparison, entrants: Sequence[Entrant]) -> None:
    """Which answer is best: a button each, a note, and what was chosen; then the standing."""
    answered = choices(comparison, entrants)
    with st.container(key="ballot"):
        st.html(f'<div class="wb-notice"><h3>Which answer is best?</h3>{said_html(comparison, entrants)}</div>')
        if answered or comparison.vote is not None:
            _draw_buttons(comparison, entrants, answered)
            _draw_note(comparison)
        if not comparison.hidden and (standings := standing_html(entrants)):
            st.html(standings)


def choices(comparison: Comparison, entrants: Sequence[Entrant]) -> list[int]:
    """The lanes that can be voted for: they have an answer, or had one at the vote; none where there are no two."""
    found = sorted({*comparison.answered, *(number for number, one in enumerate(entrants) if one.answer)})
    return found if len(found) >= FEWEST_LANES else []


def standing_html(entrants: Sequence[Entrant]) -> str:
    """Each two lanes in all votes on lanes that are set up like them; empty before the first vote."""
    names = {one.lane.key: "" for one in entrants}
    for key in names:
        alike = [one for one in entrants if one.lane.key == key]
        names[key] = f"{_listed([one.letter for one in alike])} ({alike[0].lane.title})"
    tallies = store().tallies(names)
    lines = [standing(names[a], names[b], tally) for (a, b), tally in tallies.items() if tally.decided or tally.ties]
    if not lines:
        return ""
    about = "All votes on lanes with the same machine, model, settings and prompts."
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="wb-standing"><p class="wb-label">{about}</p><ul>{items}</ul></div>'


def standing(a: str, b: str, tally: Tally) -> str:
    """`A against B: 7 of 9 votes (45% to 94%)`, ties apart, and whether that tells anything yet."""
    ties = f", {tally.ties} {'tie' if tally.ties == 1 else 'ties'}" if tally.ties else ""
    if not tally.decided:
        return f"{a} against {b}: no vote for either{ties}. Too early to tell."
    low, high = wilson(tally.wins, tally.decided)
    votes = "vote" if tally.decided == 1 else "votes"
    share = f"{a} against {b}: {tally.wins} of {tally.decided} {votes} ({low:.0%} to {high:.0%}){ties}."
    if low <= 0.5 <= high:
        return f"{share} Too early to tell."
    return f"{share} {a if low > 0.5 else b} is preferred."


def _listed(letters: Sequence[str]) -> str:
    *first, last = letters
    return f"{', '.join(first)} and {last}" if first else last


def store() -> ComparisonStore:
    """The comparisons beside the engine's runs."""
    return ComparisonStore(session.engine().store.database)


def vote(name: str, choice: int, answered: Sequence[int]) -> None:
    """Keep a vote with the note that stands there."""
    session.attempt(store().vote, name, choice, answered, session.recall(_note_key(name)) or "")


def annotate(name: str) -> None:
    """Keep the note that stands there."""
    session.attempt(store().annotate, name, session.recall(_note_key(name)) or "")


def said_html(comparison: Comparison, entrants: Sequence[Entrant]) -> str:
    """What was chosen, or what there is to choose; of lanes without an answer, why that is."""
    said = []
    if comparison.vote is not None:
        name = "" if comparison.vote == TIE else entrants[comparison.vote].letter
        said.append(f"You found {name} best." if name else "You found them equally good.")
    said += _lacking(comparison, entrants)
    if comparison.vote is None and not choices(comparison, entrants):
        said.append("There are no two answers to choose between.")
    return f'<p class="wb-hint">{escape(" ".join(said))}</p>' if said else ""


def _lacking(comparison: Comparison, entrants: Sequence[Entrant]) -> list[str]:
    """Which lanes came to no answer, whose run is gone, and which have come to one since the vote."""
    voted, at_vote = comparison.vote is not None, comparison.answered
    rest = [one for number, one in enumerate(entrants) if number not in at_vote and not one.answer]
    without = [one.letter for one in rest if one.view.started is not None]
    gone = [one.letter for one in rest if one.view.started is None]
    since = [one.letter for number, one in enumerate(entrants) if voted and number not in at_vote and one.answer]
    them, runs = "it" if len(without) == 1 else "them", "run of" if len(gone) == 1 else "runs of"
    have = "has" if len(gone) == 1 else "have"
    return [
        *([f"{_listed(without)} came to no answer, which is no vote against {them}."] if without else []),
        *([f"The {runs} {_listed(gone)} {have} been deleted."] if gone else []),
        *([f"{_listed(since)} had no answer yet when you voted: vote again to count it."] if since else []),
    ]


def _draw_buttons(comparison: Comparison, entrants: Sequence[Entrant], answered: list[int]) -> None:
    best = [(number, f"{entrants[number].letter} is best") for number in answered]
    with st.container(key="votes", horizontal=True, gap="small"):
        for number, words in [*best, (TIE, "Tie")] if best else []:
            st.button(
                words,
                key=f"vote-{'tie' if number == TIE else entrants[number].letter.lower()}",
                type="primary" if comparison.vote == number else "secondary",
                on_click=vote,
                args=(comparison.id, number, answered),
            )
        if comparison.vote is not None:
            _draw_way_back("Take the vote back", "withdraw", store().withdraw, comparison.id)
        elif comparison.hidden:
            _draw_way_back("Show the lanes without voting", "unhide", store().unhide, comparison.id)


def _draw_way_back(words: str, key: str, action: object, name: str) -> None:
    st.button(words, key=key, type="tertiary", on_click=session.attempt, args=(action, name))


def _draw_note(comparison: Comparison) -> None:
    session.remember(_note_key(comparison.id), comparison.note)
    st.text_input(
        "Why",
        key=_note_key(comparison.id),
        placeholder="Why, in a word (kept with the vote)",
        label_visibility="collapsed",
        on_change=annotate,
        args=(comparison.id,),
        persist_state="session",
    )


def _note_key(name: str) -> str:
    return f"{session.NOTE}-{name}"
