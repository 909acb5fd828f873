import math
import re
from typing import Any

import pytest

from tests.ui import samples
from tests.ui.test_markdown import Tags
from workbench.events import ModelAnswered, TokenLogprob
from workbench.ui.cards import entry_html
from workbench.ui.probabilities import MOST_DRAWN, fraction, heat_html, phrases_html

RAW = '{"answer": "A café\\nin 東京 🦊"}'
TOKENS = [
    ('{"', 0.99),
    ("answer", 0.97),
    ('": "', 0.99),
    ("A", 0.6),
    (" café", 0.15),
    ("\\n", 0.8),
    ("in", 0.9),
    (" 東", 0.4),
    ("京", 0.95),
    (" 🦊", 0.45),
    ('"}', 0.99),
]


def token(text: str, p: float, *others: tuple[str, float]) -> TokenLogprob:
    return TokenLogprob(text, math.log(p), tuple((name, math.log(q)) for name, q in others))


def answer(text: str = RAW, tokens: Any = None) -> ModelAnswered:
    found = tuple(token(*one) for one in TOKENS) if tokens is None else tuple(tokens)
    return ModelAnswered(run_id="r", seq=1, at=1.0, call_id="c1", text=text, tokens=found)


def heat(made: ModelAnswered) -> str:
    return heat_html(made.tokens, made.text)


def read(html: str) -> str:
    """What stands in the heat map, without what it says of it."""
    found = re.search(r'<div class="wb-heat">(.*?)</div>', html, re.DOTALL)
    assert found
    return Tags(found[1]).text


def test_the_tokens_give_the_raw_text_letter_by_letter():
    assert read(heat(answer())) == RAW
    assert "joined they are not quite" not in heat(answer())


def test_a_token_is_marked_by_its_probability_and_says_what_else_there_might_have_been():
    drawn = heat(answer(" dog", [token(" dog", 0.62, (" dog", 0.62), (" cat", 0.21), ("\n", 0.004))]))
    assert 'class="wb-q2" tabindex="-1" title="p .62 · “ cat” .21, (line break) &lt;.01"> dog</i>' in drawn
    marks = [heat(answer("x", [token("x", p)])).split(" tabindex")[0][-14:] for p in (0.95, 0.8, 0.6, 0.3, 0.1)]
    assert [mark[-6:-1] if "wb-q" in mark else "" for mark in marks] == ["", "wb-q1", "wb-q2", "wb-q3", "wb-q4"]


def test_the_keyboard_stops_at_the_unsure_tokens_alone():
    drawn = heat(answer())
    assert drawn.count('tabindex="0"') == 3 and drawn.count('tabindex="-1"') == len(TOKENS) - 3


def test_bytes_of_a_character_are_no_broken_text():
    drawn = heat(answer("🦊", [token("🦊", 0.5, ("\ufffd", 0.3), ("", 0.1))]))
    assert "(part of a character) .30, (the end) .10" in drawn and "\ufffd" not in drawn


def test_hostile_tokens_are_escaped_in_text_and_in_what_they_say():
    evil = '"><img src=x onerror=alert(1)>'
    drawn = heat(answer(evil, [token(evil, 0.3, ("'" + evil, 0.2))])) + phrases_html([token(evil, 0.3)])
    assert "<img" not in drawn and '"><' not in drawn.replace('"><i', "").replace('"></i', "").replace('"><p', "")


def test_tokens_that_are_not_the_text_are_shown_as_they_came_and_it_is_said():
    drawn = heat(answer("42", [token("thinking", 0.9), token("42", 0.9)]))
    assert read(drawn) == "thinking42" and "joined they are not quite its text" in drawn


def test_a_thousand_tokens_stay_light_and_endless_ones_are_cut():
    many = [token(f" word{n}", 0.3, (" otherword", 0.2), (" third", 0.1), (" fourth", 0.05)) for n in range(1_000)]
    assert len(heat(answer("", many))) < 160_000
    assert "96 more tokens are not drawn." in heat(answer("", [token("a", 0.9)] * (MOST_DRAWN + 96)))


def test_unsure_phrases_are_listed_the_weakest_first_with_what_else_there_might_have_been():
    tokens = [token(" a", 0.9), token(" blue", 0.3, (" red", 0.5)), token(" whale", 0.4), token(".", 0.9)]
    tokens += [token(" It", 0.9), token(" sang", 0.1)]
    assert Tags(phrases_html(tokens)).text == "least sure ofsang .10blue whale. .35“ blue” · “ red” .50"
    assert "no phrase below .5" in phrases_html([token("sure", 0.9)])


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1.00"), (0.999, ">.99"), (0.87, ".87"), (0.001, "<.01"), (0.0, ".00")]
)
def test_a_probability_reads_in_two_digits(value: float, shown: str):
    assert fraction(value) == shown


def log(tokens: Any, **fields: Any) -> samples.Log:
    made = samples.Log("reflection", samples.REFLECTION).node("generate", 1).call("c1", "generate", "generator")
    return made.answer("c1", "A blue whale", tokens=tokens, **fields)


def test_a_card_has_its_perplexity_and_phrases_behind_the_mean_and_a_heat_map_on_demand():
    view = log((token("A", 0.9), token(" blue", 0.2), token(" whale", 0.9)), perplexity=1.839).view()
    plain, heat = entry_html(view, 0), entry_html(view, 0, show="probabilities")
    assert "perplexity</abbr> 1.84" in plain and "<code>blue</code> .20" in plain and "wb-heat" not in plain
    assert read(heat) == "A blue whale"


def test_a_card_without_tokens_is_drawn_as_ever_and_lists_the_tokens_that_an_older_log_kept():
    view = log(()).view()
    assert entry_html(view, 0, show="probabilities") == entry_html(view, 0, show="clean")
    assert "<code> companion</code>" in entry_html(view, 0)
