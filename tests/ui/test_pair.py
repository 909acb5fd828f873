"""Two runs side by side as HTML: what is folded, what is marked, and that nothing in a run breaks out."""

import re
from typing import Any

from tests.logs import Log, three_steps
from workbench.compare import Comparison, compare
from workbench.ui import pair

EVIL = '<script>alert("x")</script>'
PROSE = "The fox asks for time, the one thing that no screen ever gives back to a child. " * 8


def beside(a: Log, b: Log) -> Comparison:
    return compare(a.events, b.events)


def drawn(a: Log, b: Log) -> str:
    comparison = beside(a, b)
    return pair.rows_html(comparison, 0, len(comparison.rows))


def lanes(html: str) -> list[str]:
    """What stands in each column, row by row."""
    return html.split('<div class="wb-lane" ')[1:]


def call(text: str, **more: Any) -> Log:
    return Log().begin("think").ask("think", **more).answer(text)


def test_steps_that_are_the_same_are_folded_to_one_line():
    html = drawn(three_steps(), three_steps())
    assert "4 steps the same" in html and html.count("<details class=") == html.count('wb-alike"') == 1
    assert "First difference" not in html and "<mark" not in html


def test_the_first_difference_is_marked_once_and_says_what_it_is():
    html = drawn(three_steps(), three_steps(second="Two and three."))
    assert html.count('id="first-difference"') == html.count(">First difference<") == 1
    assert html.index("1 step the same") < html.index("first-difference")
    assert "The answers of think, step 2, differ: Two and two and Two and three." in html


def test_words_that_only_one_run_has_are_marked_in_its_own_column():
    html = drawn(call("It is two and two."), call("It is two and three."))
    a, b = lanes(html)
    assert '<mark class="wb-in-a">two</mark>' in a and "wb-in-b" not in a
    assert '<mark class="wb-in-b">three</mark>' in b and "wb-in-a" not in b


def test_texts_that_share_next_to_nothing_are_not_marked_through_and_through():
    other = " ".join(f"{number} apples" for number in range(120))
    assert "<mark" not in "".join(pair.marked(PROSE, other))
    assert "<mark" in "".join(pair.marked(PROSE, PROSE.replace("fox", "wolf")))


def test_marks_lose_and_add_nothing():
    for a, b in [("a b c", "a x c"), ("", "new"), ("old", ""), ("same", "same"), (EVIL, "a"), ("a  b", "a b")]:
        left, right = (re.sub(r"</?mark[^>]*>", "", html) for html in pair.marked(a, b))
        assert (left, right) == (pair.escape(a), pair.escape(b))


def test_a_step_that_only_one_run_has_leaves_its_place_empty():
    html = drawn(three_steps(), three_steps().use("clock", "Noon."))
    assert "Not in A." in html and "Not in B." not in html
    assert "only in B: a call of the tool clock in act, step 4" in html or "Only B has" in html


def test_what_is_long_is_folded_but_not_in_the_first_difference():
    a = Log().visit("think", PROSE).visit("judge", PROSE)
    b = Log().visit("think", PROSE + "No.").visit("judge", PROSE + "No.")
    first, second = drawn(a, b).split("judge, step 2")
    assert "wb-fold" not in first and second.count("wb-fold") == 2


def test_an_unchanged_answer_to_another_prompt_is_shown_with_the_place_where_the_prompts_part():
    html = drawn(call("Fine.", sent="Look up."), call("Fine.", sent="Look down."))
    assert html.count("Fine.") == 2
    assert "What was sent, message 2" in html
    assert '<mark class="wb-in-a">up</mark>' in html and '<mark class="wb-in-b">down</mark>' in html


def test_of_fields_only_those_that_differ_are_shown():
    a = call("x").card("Revise", "Longer.", score=5, verdict="revise", issues=["short"])
    b = call("y").card("Accept", "Good.", score=9, verdict="revise", issues=["none"])
    html = drawn(a, b)
    assert "score: " in html and "verdict" not in html and "issues" not in html


def test_decisions_are_where_the_arrow_is():
    a, b = (call("Hm.").decide("think", edge, "enough") for edge in ("judge", "__end__"))
    html = drawn(a, b)
    assert "→ " in html and "__end__" not in html


def test_a_call_without_an_answer_is_drawn_as_it_stands():
    html = drawn(call("Two."), Log().begin("think").ask("think").fail())
    assert "It failed." in lanes(html)[1]


def test_every_kind_of_step_can_be_drawn_on_either_side():
    a = Log().begin("gate").decide("gate", "think").end("gate").begin("think").wait("think", "edit", "Other.")
    a.warn("seed_not_promised").begin("think", 2, 2).ask("think").fail().retry("Again.").ask("think").answer("Two.")
    a.use("clock", "Noon.", zone="UTC").finish("42")
    b = Log().begin("gate").decide("gate", "judge").end("gate").begin("think").wait("think", "reject", "No.")
    b.warn("seed_not_promised", "Otherwise.").begin("think", 2, 2).ask("think", "Other.").answer("Three.")
    b.use("clock", "Night.", zone="CET").finish("43", "limit", reason="3 steps were taken.")
    for left, right in ((a, b), (b, a), (a, Log()), (Log(), b)):
        html = drawn(left, right)
        assert all(words in html for words in ("gate", "seed_not_promised", "clock"))


def test_what_a_fork_inherited_is_folded_by_itself():
    parent = Log().visit("think", "Look.").visit("judge", "Good.")
    fork = Log("bbbb2222", parent_run="aaaa1111", parent_seq=5, relation="fork", inherited=5)
    fork.events += [event.model_copy(update={"run_id": "bbbb2222"}) for event in parent.events[1:6]]
    fork.step = 1
    assert "1 step the same: B inherited it<" in drawn(parent, fork.visit("judge", "Bad."))
    assert pair.alike_label(3, "ab") == "3 steps the same: both inherited them"


def test_runs_of_different_machines_stand_in_a_column_each():
    other = Log(request={"machine": "reflection"}, machine_title="Reflection").visit("draft", "A text.").finish("43")
    html = drawn(three_steps(), other)
    assert "Not in" not in html and "First difference" not in html
    columns = lanes(html)
    assert len(columns) == 4  # the steps, then the ends
    assert columns[0].count("<article") == 3 and columns[1].count("<article") == 1


def test_nothing_that_a_model_or_a_person_wrote_breaks_out():
    a = call(EVIL, sent=EVIL).card(EVIL, EVIL, x=EVIL).use(EVIL, EVIL, code=EVIL).warn(EVIL, EVIL).finish(EVIL)
    b = call("x").card("y", "z", x=f"{EVIL} 2").use("clock", EVIL + "2", code="2").finish(EVIL + "2")
    for left, right in ((a, b), (b, a)):
        comparison = beside(left, right)
        html = pair.rows_html(comparison, 0, 99) + pair.request_html(comparison) + pair.totals_html(comparison)
        assert "<script" not in html


def test_no_two_elements_have_the_same_id():
    a, b = three_steps(), three_steps().use("clock", "Noon.")
    ids = re.findall(r' id="([^"]+)"', drawn(a, b))
    assert ids and len(ids) == len(set(ids))


def test_requests_that_differ_are_a_short_table():
    a = three_steps(request={"options": {"tools": ["clock", "python"]}})
    b = three_steps(request={"options": {"tools": ["clock"]}, "settings": {"seed": 7}})
    html = pair.request_html(beside(a, b))
    assert html.count('<th scope="row">') == 2
    assert '<th scope="row">tools</th>' in html and "clock" in html and "python" in html
    assert f"<td>{pair.NOTHING}</td><td>7</td>" in html
    assert "The requests are the same." in pair.request_html(beside(a, a))


def test_costs_stand_beside_each_other_with_their_ratio():
    a, b = three_steps(pace=1.0), three_steps(pace=2.0)
    html = pair.totals_html(beside(a, b))
    assert "<td>10</td><td>10</td><td>1.00×</td>" in html
    assert "2.00×" in html and "tool calls" not in html
    assert pair.ratio(0, 5) == pair.NOTHING
