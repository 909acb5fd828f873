"""Direct: one call, and what it says is the answer."""

from tests.runs import run


def test_one_call_whose_text_is_the_answer(settings):
    _, view = run(settings, "direct", ["  It is **4**.\n"])
    assert view.status == "answered" and view.totals.calls == 1
    assert view.finished.answer == "It is **4**."
    assert view.finished.feedback == "none"
    assert view.calls[0].card.content == "  It is **4**.\n"


def test_it_neither_asks_for_thought_nor_forbids_it_unless_it_is_to_be_brief(settings):
    sent = [run(settings, "direct", ["4"], brief=brief)[1].calls[0].called.messages for brief in (False, True)]
    assert [message["role"] for message in sent[0]] == ["system", "user"]
    assert "step" not in sent[0][0]["content"] and "working" not in sent[0][0]["content"]
    assert "no working" in sent[1][0]["content"]
