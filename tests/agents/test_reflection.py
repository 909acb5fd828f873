"""Reflection: two views of one conversation, and its three ways to end."""

from tests.runs import run, verdict


def test_it_stops_when_the_critic_accepts(settings):
    _, view = run(
        settings, "reflection", ["Draft one.", verdict("revise", 5, "Too short."), "Draft two.", verdict("accept", 9)]
    )
    assert view.finished.answer == "Draft two."
    assert view.finished.feedback == "critic"
    assert [d.reason for d in view.decisions][-1] == "accept"
    assert [call.card.title for call in view.calls] == ["Draft 1", "Revise · 5/10", "Draft 2", "Accept · 9/10"]


def test_it_stops_on_the_last_round(settings):
    answers = ["One.", verdict("revise", 4, "More."), "Two.", verdict("revise", 5, "More still."), "Three."]
    _, view = run(settings, "reflection", answers, rounds=2)
    assert view.finished.answer == "Three."
    assert view.decisions[-1].reason == "round 2 was the last"


def test_it_stops_when_a_revision_changes_nothing(settings):
    _, view = run(settings, "reflection", ["Same text.", verdict("revise", 4, "More."), "Same  text."])
    assert view.status == "answered"
    assert view.decisions[-1].reason == "the revision changed nothing"


def test_each_sees_the_other_as_its_counterpart(settings):
    answers = ["One.", verdict("revise", 4, "More."), "Two.", verdict("accept", 9)]
    _, view = run(settings, "reflection", answers)
    generator, critic = view.calls[2].called.messages, view.calls[3].called.messages
    assert [m["role"] for m in generator] == ["system", "user", "assistant", "user"]
    assert [m["role"] for m in critic] == ["system", "user", "user", "assistant", "user"]
    assert generator[1] == critic[1]
    assert critic[2]["content"] == "One." and critic[4]["content"] == "Two."
    assert generator[3]["content"] == critic[3]["content"]
    assert "More." in generator[3]["content"]


def test_a_revision_carries_the_draft_before_it(settings):
    _, view = run(settings, "reflection", ["One.", verdict("revise", 4, "More."), "Two.", verdict("accept", 9)])
    assert "previous" not in view.calls[0].card.data
    assert view.calls[2].card.data["previous"] == "One."


def test_the_roles_are_prompts(settings):
    _, view = run(settings, "reflection", ["def f(): ...", verdict("accept", 9)], roles="code")
    assert "programmer" in view.calls[0].called.messages[0]["content"]
    assert "reviewer" in view.calls[1].called.messages[0]["content"]
