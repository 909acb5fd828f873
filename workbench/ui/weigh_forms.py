"""The forms of the Confidence page, each with an example that can be asked at once, and what they ask."""

from collections.abc import Callable

import streamlit as st

from workbench.errors import InvalidRequest
from workbench.ui import session
from workbench.weighing import Scale, Use, Weighing, classified, one, read_labels, read_texts, scored
from workbench.weighing import begin as begin_weighing

TEXTS = "I could watch this film every week.\nThe room was dirty and nobody answered the bell."
LABELS = "positive, negative, neutral"
PASSAGE = "Marie Curie was born in Warsaw in 1867. She won the Nobel Prize in Physics in 1903 and in Chemistry in 1911."
QUESTION = "When did she win the prize in Chemistry?"
BEGUN = "The first thing that I would pack for the Moon is"
PROMPTS = ("What is the capital of France?", "Tell me something about bread.")
ANSWER = "The capital of France is Paris."


def _area(words: str, key: str, example: str) -> None:
    session.remember(key, example)
    st.text_area(words, key=key, height="content", persist_state="session")


def draw_classify() -> None:
    """Texts and labels."""
    _area("Texts, one a line", session.WEIGH_TEXTS, TEXTS)
    session.remember(session.WEIGH_LABELS, LABELS)
    st.text_input("Labels, with commas between them", key=session.WEIGH_LABELS, persist_state="session")


def draw_enough() -> None:
    """A passage and a question."""
    _area("Passage", session.WEIGH_PASSAGE, PASSAGE)
    session.remember(session.WEIGH_QUESTION, QUESTION)
    st.text_input("Question", key=session.WEIGH_QUESTION, persist_state="session")


def draw_complete() -> None:
    """The beginning of a text."""
    _area("A text that has begun", session.WEIGH_BEGUN, BEGUN)


def draw_compare() -> None:
    """Two prompts, perhaps another model for the second, and the answer that they share."""
    left, right = st.columns(2)
    with left:
        _area("Prompt A", session.WEIGH_PROMPTS[0], PROMPTS[0])
    with right:
        _area("Prompt B", session.WEIGH_PROMPTS[1], PROMPTS[1])
        found = session.survey(session.backend())
        names = [info.name for info in found.models if info.installed and not info.wrong]
        if session.recall(session.WEIGH_MODEL) not in names:
            session.put(session.WEIGH_MODEL, None)
        st.selectbox(
            "Model of B",
            names,
            index=None,
            key=session.WEIGH_MODEL,
            placeholder="the same as A",
            persist_state="session",
        )
    _area("The answer", session.WEIGH_ANSWER, ANSWER)


FORMS: dict[Use, Callable[[], None]] = {
    "classify": draw_classify,
    "enough": draw_enough,
    "complete": draw_complete,
    "compare": draw_compare,
}


def begin(use: Use) -> Weighing:
    """Ask the chosen model what a form holds. Raises InvalidRequest."""
    scale = _scale()
    match use:
        case "classify":
            texts, labels = read_texts(_of(session.WEIGH_TEXTS)), read_labels(_of(session.WEIGH_LABELS))
            return begin_weighing(session.engine(), use, len(texts), classified(scale, texts, labels))
        case "enough":
            passage, asked = _needed(session.WEIGH_PASSAGE, "passage"), _needed(session.WEIGH_QUESTION, "question")
            return begin_weighing(session.engine(), use, 1, one(scale.enough(passage, asked)))
        case "complete":
            begun, path = session.recall(session.PATH)
            whole = begun + "".join(text for text, _ in path)
            return begin_weighing(session.engine(), use, 1, one(scale.next_tokens(whole)))
        case "compare":
            answer = _needed(session.WEIGH_ANSWER, "answer")
            prompts = [_needed(key, "prompt") for key in session.WEIGH_PROMPTS]
            other = _scale(session.recall(session.WEIGH_MODEL) or "")
            sides = list(zip((scale, other), prompts, strict=True))
            return begin_weighing(session.engine(), use, len(sides), scored(sides, answer))


def _scale(model: str = "") -> Scale:
    """The model that is chosen in the sidebar, or another one of its backend."""
    found = session.survey(session.backend())
    return Scale(session.engine(), found.name, model or session.model(found))


def _of(key: str) -> str:
    return str(session.recall(key) or "")


def _needed(key: str, what: str) -> str:
    """What a field holds. Raises InvalidRequest where it is empty."""
    text = _of(key).strip()
    if not text:
        raise InvalidRequest(f"There is no {what}.", "Write one, then ask.")
    return text
