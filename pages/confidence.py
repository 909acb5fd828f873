"""Confidence: what the chosen model's own probabilities say of labels, of a passage, of what comes next, of a text."""

import time
from collections.abc import Callable

import streamlit as st

from workbench.backends.base import Scores
from workbench.ui import frame, metrics, session, weigh_forms, weighed
from workbench.ui.markdown import escape
from workbench.weighing import CAN_SCORE, CANNOT_SCORE, Candidates, Use, Weighing

LOOK_SECONDS = 0.15
USES: dict[str, Use] = {"Classify": "classify", "Enough": "enough", "Complete": "complete", "Compare": "compare"}
FIRST = next(iter(USES))
ABOUT: dict[Use, str] = {
    "classify": "Which label fits a text, and how probable each is: by the first token of the model's answer.",
    "enough": "Whether a passage holds what a question asks for, and how sure the model is of that.",
    "complete": "What may come next, token by token. A click takes one and goes on.",
    "compare": "How well the model expects the same answer after two prompts, or two models after one.",
}
KEPT = 20  # weighings that a session keeps


def page() -> None:
    """The form of the chosen use, what is under way, and what was found. What goes on is followed at the very end."""
    st.title("Confidence", anchor=False)
    chosen = st.segmented_control(
        "Use",
        USES,
        default=FIRST,
        required=True,
        key=session.WEIGH_USE,
        label_visibility="collapsed",
        bind="query-params",
    )
    use = USES[chosen or FIRST]
    st.caption(ABOUT[use])
    now: Weighing | None = session.recall(session.WEIGHING)
    draw_notice(use)
    with st.container(key="weigh-form"):
        weigh_forms.FORMS[use]()
        draw_button(use, now)
    problem: session.Problem | None = session.recall(session.PROBLEM)
    if problem is not None:
        st.error(frame.sentences(problem.message, problem.hint))
    place = st.empty()
    if use == "complete":
        draw_path(now)
    draw_found(use)
    if now is not None:
        follow(now, place.html)


def draw_notice(use: Use) -> None:
    """Why the chosen model cannot be asked this, before it is asked."""
    found = session.survey(session.backend())
    chosen = next((info for info in found.models if info.name == session.model(found)), None)
    if not found.status.ready:
        return
    if chosen is not None and "logprobs" not in chosen.capabilities:
        why = chosen.why_no_logprobs or f"{chosen.name} gives no probabilities."
        st.warning(frame.sentences(why, "Choose another model: those of the embedded engine give them."))
    elif use == "compare" and not isinstance(session.engine().backend(found.name), Scores):
        st.warning(frame.sentences(CANNOT_SCORE.format(backend=found.title), CAN_SCORE))


def draw_button(use: Use, now: Weighing | None) -> None:
    """Ask, or Stop while something is asked."""
    if now is not None and now.running:
        st.button("Stop", key="weigh-stop", type="primary", shortcut="Esc", on_click=now.stop)
    else:
        words = "Candidates" if use == "complete" else "Ask"
        st.button(words, key="weigh-ask", type="primary", shortcut="Ctrl+Enter", on_click=ask, args=(use,))


def ask(use: Use) -> None:
    """Ask what the form holds; what is wrong with it is said under it, and nothing is lost."""
    now: Weighing | None = session.recall(session.WEIGHING)
    if now is not None and now.running:
        return  # the shortcut, pressed once more
    with session.explained():
        if use == "complete":
            session.put(session.PATH, (session.recall(session.WEIGH_BEGUN, "").rstrip(), ()))
        session.put(session.WEIGHING, weigh_forms.begin(use))


def follow(now: Weighing, show: Callable[[str], object]) -> None:
    """Show how far it is until its end; then keep what was found, and draw the page with it."""
    while now.running:
        of = f"{len(now.results)} of {now.total}, " if now.total > 1 else ""
        show(f'<p class="wb-wait">Asking, {of}{metrics.clock(time.monotonic() - now.began)}.</p>')
        time.sleep(LOOK_SECONDS)
    kept: list[Weighing] = session.recall(session.WEIGHED) or []
    session.put(session.WEIGHED, [now, *kept][:KEPT])
    session.put(session.WEIGHING, None)
    st.rerun()


def draw_found(use: Use) -> None:
    """What was found, the latest first; with what went wrong, or that it was stopped."""
    for weighing in session.recall(session.WEIGHED) or []:
        if weighing.use != use:
            continue
        for place in range(len(weighing.results)):
            if shown := weighed.result_html(weighing, place):
                st.html(shown)
        draw_end(weighing)


def draw_end(weighing: Weighing) -> None:
    """How it ended, unless all is there."""
    if weighing.error is not None:
        st.error(frame.sentences(weighing.error.message, weighing.error.hint))
    elif weighing.stopped:
        count = f"{len(weighing.results)} of {weighing.total}"
        st.html(f'<p class="wb-note">Stopped: {escape(count)} found.</p>')


def draw_path(now: Weighing | None) -> None:
    """The sentence as far as it has come, what may come next, and the way back."""
    begun, path = session.recall(session.PATH) or ("", ())
    last = next((one for one in session.recall(session.WEIGHED) or [] if one.use == "complete"), None)
    if not begun and not path and last is None:
        return
    st.html(weighed.path_html(begun, path))
    whole = begun + "".join(text for text, _ in path)
    found = last.results[0] if last is not None and last.results else None
    if now is not None or not isinstance(found, Candidates) or found.begun != whole:
        return
    if found.asked:
        st.caption("Asked in a chat to go on: this backend cannot begin the model's answer for it.")
    with st.container(key="candidates", horizontal=True, gap="small"):
        for number, (text, logprob) in enumerate(found.tops):
            words, can_go_on = weighed.candidate(text, logprob)
            st.button(
                frame.plain(words),
                key=f"take-{number}",
                disabled=not can_go_on,
                on_click=go_on,
                args=((begun, (*path, (text, logprob))),),
            )
    if path:
        st.button(
            "Take the last one back", key="take-back", type="tertiary", on_click=go_on, args=((begun, path[:-1]),)
        )


def go_on(path: tuple[str, tuple[tuple[str, float], ...]]) -> None:
    """Ask what comes after this path."""
    with session.explained():
        session.put(session.PATH, path)
        session.put(session.WEIGHING, weigh_forms.begin("complete"))


frame.around(page)
