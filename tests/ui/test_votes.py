"""The histogram of the votes."""

from tests.ui.test_markdown import Tags
from workbench.ui.votes import votes_html


def rows(html: str) -> list[str]:
    return [" ".join(Tags(row.partition(">")[2]).text.split()) for row in html.split("<li")[1:]]


def test_the_leader_is_first_and_marked_in_a_word():
    html = votes_html({"$18": 4, "20": 1})
    assert rows(html) == ["$18leads4", "201"]
    assert html.count("wb-leads") == 1
    assert "width:100%" in html and "width:25%" in html
    assert 'aria-label="4 votes"' in html and 'aria-label="1 vote"' in html
    assert "5 samples" in html


def test_where_nobody_votes_there_is_no_histogram():
    assert votes_html({}) == ""


def test_samples_without_an_answer_are_told_apart_and_never_lead():
    html = votes_html({"": 3})
    assert "no answer" in html and "wb-leads" not in html
    assert rows(votes_html({"4": 1, "": 3}))[-1].startswith("no answer")


def test_many_answers_and_long_ones_stay_a_small_picture():
    html = votes_html({f"{n} " + "long text\n" * 500: 1 for n in range(30)})
    assert html.count("<li") == 7
    assert rows(html)[-1].startswith("24 more answers")
    assert len(html) < 5_000


def test_what_a_model_wrote_stays_text():
    html = votes_html({'<img src=x onerror="alert(1)">': 1})
    assert "<img" not in html
