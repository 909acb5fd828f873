"""Validation by confidence: every edge of the graph, and what is on the cards."""

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from agents.validate import Options
from tests.runs import at_rest, request, run, scripted_engine
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import CallView, NoteView, ToolView, Warned
from workbench.request import Reply
from workbench.store.documents import Documents

FIRST = "Ada Lovelace was born in London in 1816."
RIGHT = "Ada Lovelace was born in London in 1815."
END = {"text": "END", "logprobs": [-0.01]}


def sentence(text: str, **low: float) -> dict[str, Any]:
    """A sentence whose words are sure but for these, by a piece of the word."""
    words = text.split()
    odds = [next((low[piece] for piece in low if piece in word), 0.95) for word in words]
    return {"text": text, "logprobs": [math.log(one) for one in odds]}


def unsure(text: str, piece: str, probability: float = 0.3) -> dict[str, Any]:
    return sentence(text, **{piece: probability})


def concepts(*names: str) -> str:
    return json.dumps({"concepts": names})


def check(question: str = "When was Ada Lovelace born?", article: str = "Ada Lovelace") -> str:
    return json.dumps({"question": question, "article": article})


def ruling(verdict: str) -> str:
    return json.dumps({"reason": "So it says.", "verdict": verdict})


def validate(settings, *answers: Any, **options: Any):
    return run(settings, "validate", answers, **options)[1]


def reasons(view) -> list[str]:
    """The edges that were taken, and why."""
    return [f"{one.edge}: {one.reason}" for one in view.decisions]


def roles(view) -> list[str]:
    return [call.called.role for call in view.calls]


def cards(view) -> list:
    return [entry.card for entry in view.entries if isinstance(entry, CallView) and entry.card]


def test_a_sentence_without_concepts_is_passed(settings):
    view = validate(settings, sentence("I hope this helps."), concepts(), END)
    assert view.status == "answered" and view.finished.answer == "I hope this helps."
    assert reasons(view) == ["find: sentence 1", "write: no concepts", "__end__: done"]
    assert view.finished.feedback == "none"


def test_a_sentence_of_which_the_model_was_sure_is_not_looked_up(settings):
    view = validate(settings, sentence(FIRST, London=0.72), concepts("London", "1816", "Ada Lovelace"), END)
    assert view.finished.answer == FIRST and roles(view) == ["writer", "finder", "writer"]
    assert "write: all 3 sure, the least 72%" in reasons(view)
    assert cards(view)[1].title == "Concepts: 3, doubtful: 0"
    assert cards(view)[1].content == "- Ada Lovelace: 95%\n- London: 72%\n- 1816: 95%"


def test_what_was_doubted_and_is_supported_stays(settings):
    view = validate(settings, unsure(FIRST, "1816"), concepts("1816"), check(), "In 1816.", ruling("supported"), END)
    assert view.finished.answer == FIRST
    assert reasons(view)[1:5] == [
        "question: 1 of 1 unsure, with less than 50%",
        "judge: evidence found: 1816",
        "settle: supported: 1816",
        "write: supported: 1816",
    ]
    assert cards(view)[1].content == "- **1816: 30%, to be checked**"
    assert [one.title for one in cards(view)[2:5]] == [
        "Doubtful: 1816",
        "What the model says by itself",
        "Supported: 1816",
    ]


def test_what_is_contradicted_is_repaired_before_the_text_goes_on(settings):
    """The next sentence is written after the repaired one."""
    view = validate(
        settings, unsure(FIRST, "1816"), concepts("1816"), check(), "In 1815.", ruling("contradicted"), RIGHT, END
    )
    assert view.finished.answer == RIGHT and "write: repaired: 1816" in reasons(view)
    sent = [message["content"] for message in view.calls[-1].called.messages]
    assert RIGHT in sent and FIRST not in sent
    card = cards(view)[5]
    assert (card.title, card.content, card.data["previous"]) == ("Repaired: 1816", RIGHT, FIRST)


def test_when_nothing_is_found_the_sentence_stays(settings):
    view = validate(settings, unsure(FIRST, "1816"), concepts("1816"), check(), "I do not know.", END)
    assert view.finished.answer == FIRST and "judge" not in roles(view)
    assert "write: nothing found: 1816 stays" in reasons(view)


def test_each_doubt_is_checked_in_turn(settings):
    written = sentence(FIRST, **{"1816": 0.3, "London": 0.4})
    named = concepts("1816", "London")
    answers = [written, named, check(), "I do not know.", check(), "In London.", ruling("unclear"), END]
    view = validate(settings, *answers)
    assert reasons(view)[1:7] == [
        "question: 2 of 2 unsure, with less than 50%",
        "settle: nothing found: London stays",
        "question: nothing found: London stays",
        "judge: evidence found: 1816",
        "settle: unclear: 1816",
        "write: unclear: 1816",
    ]


def test_a_doubt_that_a_repair_has_removed_is_not_checked(settings):
    written = sentence(FIRST, **{"1816": 0.3, "London": 0.4})
    gone = "Ada Lovelace was born in Kent."
    view = validate(
        settings, written, concepts("1816", "London"), check(), "In Kent.", ruling("contradicted"), gone, END
    )
    assert view.finished.answer == gone and roles(view).count("questioner") == 1


def test_a_contradiction_without_a_repair_is_told_as_that(settings):
    view = validate(
        settings, unsure(FIRST, "1816"), concepts("1816"), check(), "In 1815.", ruling("contradicted"), FIRST, END
    )
    assert view.finished.answer == FIRST
    assert "write: not repaired: 1816" in reasons(view)


def test_a_sentence_that_was_cut_is_no_sentence(settings):
    """What stands is the answer so far, and the limit says what to do."""
    cut = {**sentence("She wrote notes and then"), "finish_reason": "length"}
    view = validate(settings, sentence(RIGHT), concepts(), cut)
    assert view.status == "limit" and view.finished.answer == RIGHT
    assert "Sentence 2 was cut" in view.finished.reason and "ask for short ones" in view.finished.reason
    assert reasons(view)[-1] == "__end__: the sentence was cut" and cards(view)[-1].title == "Sentence 2 was cut"


def test_what_was_cut_is_no_repair(settings):
    cut = {"text": "Ada Lovelace was born in", "finish_reason": "length"}
    view = validate(
        settings, unsure(FIRST, "1816"), concepts("1816"), check(), "In 1815.", ruling("contradicted"), cut, END
    )
    assert view.finished.answer == FIRST
    assert "write: not repaired, it was cut: 1816" in reasons(view)


def test_the_limit_of_sentences_ends_the_text(settings):
    view = validate(settings, sentence(FIRST), concepts("London"), sentences=1)
    assert view.status == "answered" and view.finished.answer == FIRST
    assert reasons(view)[-1] == "__end__: sure, 95%; that was the last sentence"


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        (("I do not know.",), "__end__: nothing found: 1816 stays; that was the last sentence"),
        (("In 1815.", ruling("contradicted"), RIGHT), "__end__: repaired: 1816; that was the last sentence"),
    ],
)
def test_the_last_sentence_is_checked_as_the_others(settings, answers, last):
    view = validate(settings, unsure(FIRST, "1816"), concepts("1816"), check(), *answers, sentences=1)
    assert view.status == "answered" and reasons(view)[-1] == last


def test_sentences_are_joined_and_one_that_comes_again_ends_the_text(settings):
    second = "She wrote notes on an engine."
    view = validate(settings, sentence(RIGHT), concepts(), sentence(second), concepts(), sentence(RIGHT))
    assert view.finished.answer == f"{RIGHT} {second}" and reasons(view)[-1] == "__end__: it repeats itself"


def test_of_what_is_written_at_once_only_the_first_sentence_counts(settings):
    text = f"Sentence 1: {FIRST} She died in 1852."
    view = validate(
        settings, sentence(text, **{"1816": 0.2, "1852": 0.1}), concepts("1816", "1852"), sentences=1, threshold=0.1
    )
    assert view.finished.answer == FIRST
    assert cards(view)[1].content == "- 1816: 20%\n\nNot in the sentence, so left out: 1852."


def test_a_model_that_writes_nothing_is_a_limit(settings):
    view = validate(settings, END)
    assert view.status == "limit" and view.finished.reason == "The model wrote no sentence."


def test_without_probabilities_it_ends_and_says_what_to_do(settings):
    """Nothing is checked, nothing more is asked, and nothing is claimed."""
    view = validate(settings, FIRST)
    assert view.status == "limit" and view.finished.answer == "" and view.totals.calls == 1
    assert view.finished.reason.startswith("The backend gives no token probabilities")
    assert reasons(view) == ["__end__: no token probabilities"]
    (told,) = [e.event for e in view.entries if isinstance(e, NoteView) and isinstance(e.event, Warned)]
    assert told.code == "confidence_unknown" and "Choose a backend that gives them" in told.hint


def test_a_sentence_that_the_person_writes_is_not_held_against_the_backend(settings):
    engine = Engine(settings, {"scripted": ScriptedBackend([concepts("1815")])})
    try:
        asked = request("validate", sentences=1).model_copy(update={"pause_before": ("write",)})
        run_id = engine.submit(asked)
        at_rest(engine, run_id)
        engine.resume(run_id, reply=Reply(verb="answer", text=RIGHT))
        view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert view.status == "answered" and view.finished.answer == RIGHT
    assert "none of its concepts could be measured" in reasons(view)[-1]


def test_the_documents_are_searched_for_the_question_and_feedback_is_the_tools(settings):
    Documents(settings.home / "documents.db").add("ada.txt", "Ada Lovelace, born in 1815, wrote notes.")
    answers = [unsure(FIRST, "1816"), concepts("1816"), check(), ruling("contradicted"), RIGHT, END]
    view = validate(settings, *answers, evidence="search")
    assert view.finished.answer == RIGHT and view.finished.feedback == "tool"
    (tool,) = [entry for entry in view.entries if isinstance(entry, ToolView)]
    assert tool.called.arguments == {"query": "When was Ada Lovelace born?"}
    assert "born in 1815" in view.calls[3].called.messages[-1]["content"]
    assert cards(view)[3].data["feedback"] == "tool"


def test_without_documents_nothing_is_found_and_nothing_is_repaired(settings):
    view = validate(settings, unsure(FIRST, "1816"), concepts("1816"), check(), END, evidence="search")
    assert view.finished.answer == FIRST
    assert "write: nothing found: 1816 stays" in reasons(view)


def test_the_encyclopedia_is_asked_for_the_article(settings):
    """It cannot be reached here: that is nothing found, and no failure."""
    near = settings.model_copy(update={"mediawiki": "http://127.0.0.1:9/api.php"})
    view = validate(near, unsure(FIRST, "1816"), concepts("1816"), check(), END, evidence="wikipedia")
    (tool,) = [entry for entry in view.entries if isinstance(entry, ToolView)]
    assert tool.called.arguments == {"article": "Ada Lovelace"} and tool.answered.error
    assert view.status == "answered" and "write: nothing found: 1816 stays" in reasons(view)


def test_asking_the_model_itself_is_feedback_of_its_own_and_does_not_show_it_the_sentence(settings):
    view = validate(
        settings, unsure(FIRST, "1816"), concepts("1816"), check(), "In 1815.", ruling("contradicted"), RIGHT, END
    )
    assert view.finished.feedback == "self"
    assert "1816" not in str(view.calls[3].called.messages)


def test_the_threshold_and_the_pooling_decide_what_is_doubted(settings):
    text = "She met King William IV of Great Britain."
    written = sentence(text, Great=0.4)
    named = concepts("Great Britain")
    assert "sure, 40%" in reasons(validate(settings, written, named, sentences=1, threshold=0.39))[-1]
    assert "sure, 67.5%" in reasons(validate(settings, written, named, sentences=1, pooled="mean"))[-1]
    with scripted_engine(settings, [written, named]) as engine:
        view = at_rest(engine, engine.submit(request("validate", sentences=1, threshold=0.41)))
    assert reasons(view)[-1] == "question: 1 of 1 unsure, with less than 41%"


def test_a_run_that_is_cut_off_while_it_looks_up_goes_on_with_the_same_doubt(settings):
    script = [unsure(FIRST, "1816"), concepts("1816"), check(), {"text": "In 1815.", "delay": 9}]
    engine = Engine(settings, {"scripted": ScriptedBackend(script)})
    run_id = engine.submit(request("validate", sentences=1))
    for batch in engine.follow(run_id):
        if any(event.kind == "node_started" and event.node == "look_up" for event in batch):
            break
    engine.close()
    engine = Engine(settings, {"scripted": ScriptedBackend(["In 1815.", ruling("contradicted"), RIGHT])})
    try:
        engine.resume(run_id)
        view = at_rest(engine, run_id)
    finally:
        engine.close()
    assert view.finished.answer == RIGHT
    assert [call.called.role for call in view.calls if call.answer] == [
        *("writer", "finder", "questioner", "knower", "judge", "mender")
    ]


def test_the_options_are_bounded():
    assert Options().pooled == "min" and Options().evidence == "self"
    for wrong in ({"sentences": 0}, {"threshold": 0.0}, {"threshold": 1.0}, {"pooled": "max"}, {"evidence": "web"}):
        with pytest.raises(ValidationError):
            Options(**wrong)
