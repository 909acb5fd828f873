"""The reliability diagram as the page draws it, and what the terminal says of the same numbers."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.experiments.answered import cell, items, plan
from workbench.cli import experiment
from workbench.experiments.results import Results, results
from workbench.ui import charts


@pytest.fixture
def found() -> Results:
    every = [cell(0, item, float(item % 2), confidence=0.95 if item else 0.3) for item in range(5)]
    return results(plan("cot"), items(5), every, False)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_bin_is_a_mark_with_its_count_its_interval_and_what_it_is_on_hover(found: Results, theme: Any):
    (one,) = found.calibrations
    straight, marks = charts.reliability(one, "cot · no feedback", theme).data
    assert (tuple(straight.x), tuple(straight.y)) == ((0, 1), (0, 1))
    assert tuple(marks.text) == ("1", "4") and tuple(marks.y) == (0.0, 0.5)
    assert marks.y[1] + marks.error_y.array[1] == pytest.approx(one.bins[1].share_high)
    assert marks.name == "cot · no feedback"
    assert "2 of 4 right (15% to 85%)" in marks.customdata[1]


def test_the_terminal_says_it_in_a_line_and_a_sentence(found: Results, capsys: pytest.CaptureFixture[str]):
    row: Any = SimpleNamespace(name="Trial", status="finished", reason="")
    experiment._print_results(experiment._Opened(row, found))
    out = capsys.readouterr().out
    (one,) = found.calibrations
    assert "CALIBRATION ERROR (95%)" in out and f"{one.ece:.3f} (" in out
    assert "mean token probability of the answer" in out and one.verdict in out
