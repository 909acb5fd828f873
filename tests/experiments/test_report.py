"""The report as a person opens it: one file that fetches nothing, runs nothing, and a CSV that is only data."""

import base64
import csv
import hashlib
import io
import re
from html.parser import HTMLParser

from tests.experiments.answered import cell, cells, items, plan
from workbench.experiments import report
from workbench.experiments.model import Cell
from workbench.experiments.results import Results, results
from workbench.ui.style import CSS

HOSTILE = "<img src=x onerror=alert(1)>\"'&</style><script>alert(2)</script>\u202e\x07"


def experiment(text: str = "42", seeds: int = 1) -> Results:
    """Four lanes: one without feedback, one that revises, one that votes, one with errors; `text` is everywhere."""
    every: list[Cell] = []
    for seed in range(seeds):
        every += cells(0, [1.0, 0.0] * 10, seed=seed, answer=text, said=text, confidence=0.8)
        every += [
            cell(1, item, 1.0, seed=seed, rounds=(0, item % 3 > 0, 1), feedback="critic", prompt_tokens=500)
            for item in range(20)
        ]
        every += [cell(2, item, 1.0, seed=seed, samples="aab", prompt_tokens=900) for item in range(20)]
        every += cells(3, [None] * 5 + [1.0] * 15, seed=seed, error=text)
    asked = [one.model_copy(update={"question": f"{text} {one.question}"}) for one in items(20)]
    return results(
        plan(text.replace("/", "").replace("\x07", "")[:80], "reflection", "vote", "late", seeds=seeds),
        asked,
        every,
        False,
    )


class Seen(HTMLParser):
    """The tags, attributes and words of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words += data


def test_nothing_that_a_model_or_a_data_set_wrote_becomes_markup():
    seen = Seen(report.html(experiment(HOSTILE)))
    assert not {"script", "img", "iframe", "object", "link"} & set(seen.tags)
    assert seen.tags.count("style") == 1
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert "<img src=x onerror=alert(1)>\"'&</style><script>alert(2)</script>" in seen.words
    assert "\x07" not in seen.words


def test_the_policy_lets_nothing_in_but_the_report_s_own_style():
    page = report.html(experiment())
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert "http" not in page.replace("http-equiv", "")


def test_everything_is_said_in_words_and_numbers():
    found = experiment()
    words = Seen(report.html(found, "23 November 2026")).words
    assert "Data set sums · 20 items · scored by exact · 1 seed · 23 November 2026" in words
    for sentence in (
        *found.notes,
        *(pair.verdict for pair in found.pairs),
        *(budget.sentence for budget in found.budgets),
        found.ledgers[0].verdict,
        found.ledgers[0].advice,
    ):
        assert sentence in words
    assert "100% (84 to 100)" in words  # the lane that revises
    assert "540 (10,000 + 800)" in words
    assert "100% (80 to 100), at worst 75%" in words and "5: 5 timeout" in words  # the lane with errors
    assert "run-1-7" in words


def test_the_feedback_stands_on_every_figure_and_table():
    page = report.html(experiment())
    figures = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    assert len(figures) == 5
    assert all("critic feedback" in figure for figure in figures[:3])
    assert all("no feedback" in figures[number] for number in (0, 3, 4))  # and the calibration of the other lanes
    tables = [table for table in re.findall(r"<h[23]>.*?</table>", page, re.DOTALL) if "reflection" in table]
    assert sum("critic feedback" in table for table in tables) >= 3


def test_the_items_are_filtered_without_a_script():
    page = report.html(experiment())
    labels = dict(re.findall(r'<label class="choice" for="show-([a-z-]+)">[^<]*?([\d,]+)</label>', page))
    assert labels == {"all": "20", "disagree": "10", "flips": "20", "errors": "5", "low-confidence": "0"}
    assert len(re.findall(r'<tr class="[^"]*show-errors', page)) == 5
    assert "#show-errors:checked ~ .items tbody tr:not(.show-errors) { display: none; }" in page


def test_a_long_answer_is_cut_in_the_report_and_whole_in_the_csv():
    found = experiment("word " * 300)
    assert "word " * 300 not in report.html(found)
    assert "word " * 300 in report.csv(found)


def test_what_scoring_has_cost_is_told_where_a_model_scored():
    assert "Scoring in all" not in report.html(experiment())
    found = results(plan("a"), items(9), cells(0, [1.0] * 9, judging_tokens=400, judging_calls=2), True)
    words = Seen(report.html(found)).words
    assert "Scoring in all, tokens (calls)" in words and "3,600 (18)" in words
    assert read(found)[0]["judging_tokens"] == "400"


def test_an_experiment_without_a_cell_has_a_report():
    found = results(plan("a", "b"), items(3), [], False)
    words = Seen(report.html(found)).words
    assert "No item was finished by both a and b." in words
    assert len(list(csv.reader(io.StringIO(report.csv(found))))) == 1


def test_the_report_has_the_stylesheet_s_colours():
    def pairs(text: str, prefix: str) -> dict[str, tuple[str, str]]:
        found = re.findall(rf"--{prefix}([a-z-]+): light-dark\((#\w{{6}}), (#\w{{6}})\)", text)
        return {name: (light, dark) for name, light, dark in found}

    ours, theirs = pairs(report.CSS.read_text(), ""), pairs(CSS.read_text(), "wb-")
    assert len(ours) >= 10
    assert ours == {name: theirs[name] for name in ours}


# CSV


def read(found: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report.csv(found), newline="")))


def test_the_csv_has_a_row_for_each_item_lane_and_seed():
    rows = read(experiment(seeds=2))
    assert len(rows) == 20 * 4 * 2
    assert [row["lane"] for row in rows[:4]] == ["42", "42", "reflection", "reflection"]
    assert rows[2]["rounds"] == "0 0 1" and rows[2]["gained"] == "1"
    assert rows[6]["status"] == "error" and rows[6]["score"] == ""


def test_no_text_can_become_a_formula():
    texts = ["=1+1", "+1", "-5", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", '=HYPERLINK("x")']
    asked = [one.model_copy(update={"question": text}) for one, text in zip(items(8), texts, strict=True)]
    every = [cell(0, item, 1.0, answer=text) for item, text in enumerate(texts)]
    rows = read(results(plan("a"), asked, every, False))
    assert [row["answer"] for row in rows] == [f"'{text}" for text in texts]
    assert [row["question"] for row in rows] == [f"'{text}" for text in texts]


def test_a_formula_cannot_hide_behind_another_separator():
    assert '"x;=1+1"' in report.csv(experiment("x;=1+1"))


def test_our_own_numbers_stay_numbers():
    line = report.csv(experiment()).splitlines()[1]
    assert line.startswith('0,"i0","42 What is 0 + 1?","1","42"') and ",60,40,1,2.0,0.8," in line


def test_a_text_with_line_ends_and_quotes_comes_back_as_it_was():
    text = 'a "quoted"\nsecond, line'
    assert read(experiment(text))[0]["said"] == text


def test_what_no_file_can_hold_is_replaced():
    assert report.neutral("a\x00b") == "a\ufffdb"
    assert report.neutral("\ud800x").encode()
