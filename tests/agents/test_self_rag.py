"""Self-RAG: it looks up what it needs, answers from each passage, grades the answers and names its source."""

import json
import math

import pytest
from pydantic import ValidationError

from agents.self_rag import Options
from tests.runs import finish, request, scripted_engine
from workbench.backends.scripted import ScriptedAnswer, ScriptedBackend
from workbench.engine import Engine
from workbench.events import NoteView, ToolView
from workbench.store.documents import Documents

QUESTION = "How long may a guest stay?"
HOUSE = "Guests may stay for 12 nights."
PRICES = "Guests pay 84 euros for one of the nights."


def need(retrieve="yes", query="guests nights"):
    return json.dumps({"reason": "It is a rule.", "retrieve": retrieve, "query": query})


def grades(relevance="relevant", support="fully supported", usefulness=5):
    return json.dumps({"evidence": "Words.", "relevance": relevance, "support": support, "usefulness": usefulness})


def useful(usefulness=1):
    return json.dumps({"evidence": "A guess.", "usefulness": usefulness})


class Reader:
    """A model that grades by what the passage is, and answers each prompt with the same words in whatever order."""

    def __init__(self, **said):
        """`said` of the need, and of the answers from the house, from the prices and from no passage at all."""
        usual = {"need": need(), "house": grades(), "prices": grades("irrelevant", "no support", 1), "own": useful()}
        self._said = usual | said

    def __call__(self, asked):
        """The answer to a request."""
        names, last = (asked.json_schema or {}).get("properties", {}), asked.messages[-1].content
        found = next(((name, text) for name, text in (("house", HOUSE), ("prices", PRICES)) if text in last), None)
        if names:
            return ScriptedAnswer(text=self._said["need" if "retrieve" in names else found[0] if found else "own"])
        return ScriptedAnswer(text=f"It says: {found[1]}" if found else "A week, I think.")


def play(settings, model, documents=True, **options):
    """A run over two documents, each with one passage."""
    if documents:
        library = Documents(settings.home / "documents.db")
        library.add("house.txt", HOUSE)
        library.add("prices.txt", PRICES)
    engine = Engine(settings, {"scripted": ScriptedBackend(model)})
    try:
        return finish(engine, engine.submit(request("self_rag", QUESTION, **options)))[1]
    finally:
        engine.close()


def edges(view):
    return [(decision.edge, decision.reason) for decision in view.decisions]


def cards(view):
    return [entry.event if isinstance(entry, NoteView) else entry.card for entry in view.entries if not _is_tool(entry)]


def _is_tool(entry):
    return isinstance(entry, ToolView)


def test_it_answers_from_each_passage_grades_each_and_gives_the_best_with_its_source(settings):
    view = play(settings, Reader())
    assert view.status == "answered" and view.finished.answer == f"It says: {HOUSE} [house.txt:1]"
    assert edges(view) == [
        ("retrieve", "look up 'guests nights'"),
        ("answer", "2 passages"),
        ("__end__", "house.txt:1 has the highest score, 2.50"),
    ]
    titles = [card.title for card in cards(view)]
    assert titles[0] == "Retrieve: yes" and titles[-1] == "Chosen: house.txt:1"
    assert set(titles[1:4]) == {"From house.txt:1", "From prices.txt:1", "Without a passage"}
    assert set(titles[4:7]) == {
        "house.txt:1: relevant · fully supported · usefulness 5",
        "prices.txt:1: irrelevant · no support · usefulness 1",
        "the answer without a passage: usefulness 1",
    }
    assert "**house.txt:1** 2.50 = probability 0.00 + relevance 1.00 + support 1.00" in cards(view)[-1].content


def test_what_a_card_shows_of_a_passage(settings):
    shown = {card.title: card for card in cards(play(settings, Reader()))}
    assert shown["From house.txt:1"].data["passage"] == HOUSE
    grade = shown["house.txt:1: relevant · fully supported · usefulness 5"]
    assert grade.content == "Words." and grade.data["feedback"] == "self" and grade.data["total"] == 2.5
    assert grade.data["graded"] == f"It says: {HOUSE}"


def test_the_call_behind_the_answer_is_the_one_that_read_its_passage(settings):
    view = play(settings, Reader())
    assert view.answer_call is not None and HOUSE in view.answer_call.called.messages[-1]["content"]


def test_each_answer_sees_its_own_passage_alone(settings):
    view = play(settings, Reader())
    asked = [call.called.messages[-1]["content"] for call in view.calls if call.called.role == "reader"]
    assert [(HOUSE in text, PRICES in text) for text in asked] in (
        [(True, False), (False, True), (False, False)],
        [(False, True), (True, False), (False, False)],
    )
    assert all(QUESTION in text for text in asked)


def test_it_answers_by_itself_where_it_needs_nothing(settings):
    view = play(settings, Reader(need=need("no", "")))
    assert view.finished.answer == "A week, I think." and view.totals.tool_calls == 0
    assert edges(view) == [("recall", "no retrieval needed")]
    assert view.finished.feedback == "none"


def test_with_retrieval_always_on_it_looks_up_whatever_the_model_says_and_nothing_else_competes(settings):
    view = play(settings, Reader(need=need("no", "")), retrieval="always")
    tools = [entry for entry in view.entries if isinstance(entry, ToolView)]
    assert [tool.called.arguments for tool in tools] == [{"query": QUESTION}]
    assert edges(view)[0] == ("retrieve", f"always on: look up {QUESTION!r}")
    assert view.finished.answer.endswith("[house.txt:1]")
    assert "Without a passage" not in [card.title for card in cards(view)]


def test_without_documents_it_says_so_and_answers_without(settings):
    view = play(settings, Reader(), documents=False)
    assert view.status == "answered"
    assert edges(view) == [("retrieve", "look up 'guests nights'"), ("recall", "There are no documents to search")]
    assert view.finished.answer == "A week, I think. [no source: There are no documents to search]"


def test_where_nothing_is_found_it_says_so_and_answers_without(settings):
    view = play(settings, Reader(need=need(query="zebra")))
    assert edges(view)[-1] == ("recall", "nothing found for 'zebra'")
    assert view.finished.answer == "A week, I think. [no source: nothing found for 'zebra']"
    assert view.finished.feedback == "none", "nothing was graded"


def test_where_all_passages_are_irrelevant_the_answer_without_them_stands(settings):
    wrong = grades("irrelevant", "fully supported", 5)
    view = play(settings, Reader(house=wrong, prices=wrong))
    assert edges(view)[-1] == ("__end__", "all 2 passages are irrelevant")
    assert view.finished.answer == "A week, I think. [no source: all 2 passages are irrelevant]"
    assert cards(view)[-1].title == "Chosen: the answer without a passage"


def test_where_all_are_irrelevant_and_nothing_competes_it_answers_without_them(settings):
    wrong = grades("irrelevant", "no support", 1)
    view = play(settings, Reader(house=wrong, prices=wrong), retrieval="always")
    assert edges(view)[-1] == ("recall", "all 2 passages are irrelevant")
    assert view.finished.answer == "A week, I think. [no source: all 2 passages are irrelevant]"
    assert [card.title for card in cards(view)][-2:] == ["None of them", "From the model itself"]


def test_an_answer_without_a_passage_can_win_by_its_score(settings):
    doubtful = grades("relevant", "partially supported", 1)
    view = play(settings, Reader(house=doubtful, prices=doubtful, own=useful(5)), relevance=0.0)
    assert edges(view)[-1] == ("__end__", "the answer without a passage has the highest score, 0.50")
    assert view.finished.answer.startswith("A week, I think. [no source: the answer without a passage has")


def test_a_passage_that_does_not_support_its_answer_is_not_cited_as_its_source(settings):
    silent = grades("relevant", "no support", 5)
    view = play(settings, Reader(house=silent, prices=silent))
    assert view.finished.answer == "A week, I think. [no source: none of the 2 passages supports its answer]"
    view = play(settings, Reader(house=silent), retrieval="always")
    assert view.finished.answer == f"It says: {HOUSE} [not supported by house.txt:1]"


def test_it_reads_no_more_passages_than_it_may(settings):
    view = play(settings, Reader(), passages=1)
    assert edges(view)[1] == ("answer", "1 passage")
    assert [call.called.role for call in view.calls].count("reader") == 2


@pytest.mark.parametrize("parallel", [1, 3])
def test_it_asks_no_more_at_once_than_it_may(settings, parallel):
    most = 0

    class Watched(ScriptedBackend):
        async def chat(self, asked):
            nonlocal most
            async for part in super().chat(asked):
                most = max(most, self.streaming)
                yield part

    Documents(settings.home / "documents.db").add("house.txt", HOUSE)
    Documents(settings.home / "documents.db").add("prices.txt", PRICES)
    engine = Engine(settings, {"scripted": Watched(Reader(), speed=400)})
    try:
        _, view = finish(engine, engine.submit(request("self_rag", QUESTION, parallel=parallel)))
    finally:
        engine.close()
    assert view.status == "answered" and most == parallel


class Encyclopedia:
    """Stands in for the wikipedia tool."""

    def __init__(self, said):
        self._said, self.asked = said, []

    async def run(self, arguments):
        """What it says of an article."""
        self.asked.append(arguments.article)
        return self._said[arguments.article]


def look_up(settings, monkeypatch, said):
    from workbench.tools.wikipedia import Wikipedia

    book = Encyclopedia(said)
    monkeypatch.setattr(Wikipedia, "run", lambda _, arguments: book.run(arguments))
    model = Reader(need=need(query="Guest house"), own=useful())
    view = play(settings, model, documents=False, source="wikipedia", retrieval="always")
    return view, book.asked


def test_an_article_of_the_encyclopedia_is_a_passage_with_its_title_as_the_source(settings, monkeypatch):
    view, asked = look_up(settings, monkeypatch, {"Guest house": f"Guest house: {HOUSE}"})
    assert asked == ["Guest house"] and view.finished.answer == f"It says: {HOUSE} [Guest house]"


def test_where_there_is_no_such_article_it_opens_those_that_are_like_it(settings, monkeypatch):
    said = {
        "Guest house": "There is no article 'Guest house'. Similar: Inn; Hotel prices.",
        "Inn": f"Inn: {HOUSE}",
        "Hotel prices": f"Hotel prices: {PRICES}",
    }
    view, asked = look_up(settings, monkeypatch, said)
    assert asked == ["Guest house", "Inn", "Hotel prices"] and view.finished.answer == f"It says: {HOUSE} [Inn]"


def test_grades_that_a_model_cannot_give_fail_the_run_and_nothing_is_chosen(settings):
    view = play(settings, Reader(house="good", prices="good"))
    assert view.status == "failed" and view.finished.answer == ""


def test_a_run_that_is_stopped_while_it_reads_asks_nobody_twice(settings):
    Documents(settings.home / "documents.db").add("house.txt", HOUSE)
    slow = [need(), "From the house.", {"text": "By heart.", "delay": 9}]
    with scripted_engine(settings, slow) as engine:
        run_id = engine.submit(request("self_rag", QUESTION, parallel=1))
        answered = 0
        for batch in engine.follow(run_id):
            answered += sum(event.kind == "model_answered" for event in batch)
            if answered == 2:
                break
        engine.stop(run_id)
        assert finish(engine, run_id)[1].status == "stopped"
    with scripted_engine(settings, ["By heart.", grades(), useful()]) as engine:
        engine.resume(run_id)
        _, view = finish(engine, run_id)
    assert view.status == "answered" and view.finished.answer == "From the house. [house.txt:1]"
    assert view.totals.tool_calls == 1 and len([call for call in view.calls if call.answer]) == 5


class Telling(ScriptedBackend):
    """A script whose tokens have probabilities."""

    async def model(self, name):
        return (await super().model(name)).model_copy(update={"capabilities": frozenset({"schema", "logprobs"})})


def test_the_mean_probability_of_an_answers_tokens_counts(settings):
    Documents(settings.home / "documents.db").add("house.txt", HOUSE)
    sure = ScriptedAnswer(text="12 nights.", logprobs=(math.log(0.9), math.log(0.9)))
    engine = Engine(settings, {"scripted": Telling([need(), sure, grades()])})
    try:
        _, view = finish(engine, engine.submit(request("self_rag", QUESTION, retrieval="always")))
    finally:
        engine.close()
    assert edges(view)[-1][1] == "house.txt:1 has the highest score, 3.40"


def test_the_options_are_bounded():
    assert (Options().source, Options().retrieval, Options().passages, Options().parallel) == (
        *("documents", "when_needed", 3, 4),
    )
    assert (Options().relevance, Options().support, Options().usefulness) == (1.0, 1.0, 0.5)
    assert Options().tools == ("search",) and Options(source="wikipedia").tools == ("wikipedia",)
    for wrong in ({"source": "web"}, {"passages": 0}, {"passages": 9}, {"support": 2.1}, {"usefulness": -1}):
        with pytest.raises(ValidationError):
            Options(**wrong)
