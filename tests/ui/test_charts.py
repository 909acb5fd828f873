"""An experiment's figures as data: what is drawn, in whose colour, and under what name."""

import json

import pytest

from tests.experiments.answered import cell, cells, items, plan
from workbench.experiments.model import Cell
from workbench.experiments.results import Results, results
from workbench.ui import charts


def experiment(*names: str, tokens: int = 500) -> Results:
    every: list[Cell] = cells(0, [1.0, 0.0] * 10)
    every += [cell(1, item, 1.0, rounds=(item % 2, 0, 1), feedback="gold", prompt_tokens=tokens) for item in range(20)]
    every += [cell(2, item, 1.0, samples="aab", prompt_tokens=2 * tokens) for item in range(20)]
    return results(plan(*(names or ("direct", "reflection", "vote"))), items(20), every, False)


def drawn(figure: charts.Figure) -> dict:
    """The figure as the browser gets it."""
    return json.loads(figure.to_json())


def test_score_stands_against_cost_with_its_interval():
    found = experiment()
    curve, direct, reflection, vote = drawn(charts.score_against_cost(found))["data"]
    lane = found.lanes[0]
    assert (direct["x"], direct["y"], direct["text"]) == ([100.0], [0.5], ["direct"])
    assert direct["error_y"]["array"] == [pytest.approx(lane.high - 0.5)]
    assert direct["error_y"]["arrayminus"] == [pytest.approx(0.5 - lane.low)]
    assert [reflection["text"], vote["text"]] == [["reflection"], ["vote"]]
    assert curve["x"] == [50, 100, 150] and len(curve["y"]) == 3


def test_every_legend_entry_names_the_feedback():
    found = experiment()
    figures = [
        charts.score_against_cost(found),
        charts.score_at_round(found.ledgers[0]),
        charts.flips_per_round(found.ledgers[0]),
    ]
    names = [trace["name"] for figure in figures for trace in drawn(figure)["data"]]
    assert names == [
        "vote · no feedback, fewer samples",
        "direct · no feedback",
        "reflection · gold feedback",
        "vote · no feedback",
        "reflection · gold feedback",
        "wrong → right · reflection · gold feedback",
        "right → wrong · reflection · gold feedback",
    ]


def test_flips_are_bars_up_and_down_with_their_numbers():
    better, worse = drawn(charts.flips_per_round(experiment().ledgers[0]))["data"]
    assert (better["x"], better["y"], better["text"]) == ([2, 3], [0, 20], ["", "20"])
    assert (worse["y"], worse["text"]) == ([-10, 0], ["10", ""])


def test_the_score_at_each_round_has_its_number_and_interval():
    (trace,) = drawn(charts.score_at_round(experiment().ledgers[0]))["data"]
    assert (trace["x"], trace["y"], trace["text"]) == ([1, 2, 3], [0.5, 0, 1], ["50%", "0%", "100%"])
    assert all(reach > 0 for reach in trace["error_y"]["array"][:2])


@pytest.mark.parametrize(("theme", "blue", "ink"), [("light", "#2f5d8c", "#1d1c1a"), ("dark", "#7fb2e5", "#eceae4")])
def test_a_lane_has_its_colour_in_either_theme(theme, blue, ink):
    figure = drawn(charts.score_against_cost(experiment(), theme))
    assert figure["data"][1]["marker"]["color"] == blue
    assert figure["layout"]["font"]["color"] == ink


def test_the_sixth_lane_has_the_first_one_s_colour_and_another_mark():
    every = [one for lane in range(6) for one in cells(lane, [1.0, 0.0])]
    found = results(plan(*"abcdef"), items(2), every, False)
    first, *_, sixth = drawn(charts.score_against_cost(found))["data"]
    assert first["marker"]["color"] == sixth["marker"]["color"]
    assert (first["marker"]["symbol"], sixth["marker"]["symbol"]) == ("circle", "square")


def test_costs_that_lie_far_apart_are_drawn_by_their_logarithm():
    near = drawn(charts.score_against_cost(experiment(tokens=100)))["layout"]["xaxis"]
    far = drawn(charts.score_against_cost(experiment(tokens=5_000)))["layout"]["xaxis"]
    assert (near["type"], far["type"]) == ("linear", "log")
    assert "10,000" in far["ticktext"]


def test_a_lane_s_name_is_text_and_no_markup():
    figure = charts.score_against_cost(experiment("<b>x</b>", "<a href='javascript:1'>y</a>", "z"))
    assert "<b>" not in figure.to_json() and "<a" not in figure.to_json()
    assert drawn(figure)["data"][1]["text"] == ["&lt;b&gt;x&lt;/b&gt;"]


def test_before_anything_is_finished_there_is_an_empty_figure():
    assert len(charts.score_against_cost(results(plan("a"), items(2), [], False)).data) == 0
