"""How the memories that came to mind are drawn."""

import pytest

from workbench.ui.recalled import recalled_html

FOUND = {
    "memory": {"text": "Ada <b>moves</b>.", "kind": "reflection"},
    "recency": 0.0,
    "importance": 1.0,
    "relevance": 0.5,
    "total": 1.5,
}


def test_each_memory_has_its_three_figures_as_words_and_bars_and_their_sum():
    shown = recalled_html([FOUND])
    for words in ("recency 0.00", "importance 1.00", "relevance 0.50", "width:0%", "width:100%", "width:50%", ">1.50<"):
        assert words in shown
    assert "Ada &lt;b&gt;moves" in shown and '<span class="wb-flag">reflection</span>' in shown
    assert 'aria-label="relevance 0.50 of 1"' in shown


@pytest.mark.parametrize(
    "other",
    [None, [], "x", [1], [{"memory": "x"}], [FOUND | {"total": "1"}], [FOUND | {"memory": {"text": 3}}]]
    + [[FOUND | {"recency": value}] for value in (10**400, float("nan"), float("inf"), -(10**400))],
)
def test_what_another_machine_calls_so_is_left_to_the_card(other):
    assert recalled_html(other) == ""
