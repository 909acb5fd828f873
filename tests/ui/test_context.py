"""The context window on a card and in the panel: in numbers, in words, never in colour alone."""

from typing import Any

from tests.ui import samples
from tests.ui.test_cards import one, text
from tests.ui.test_markdown import Tags
from workbench.events import RunView, Summarised
from workbench.ui.cards import entry_html
from workbench.ui.context import call_html, growth_html

LEFT_OUT = ({"role": "assistant", "content": "Draft <one>"}, {"role": "user", "content": "Too short."})


def log() -> samples.Log:
    return samples.Log("reflection", samples.REFLECTION).node("generate", 1)


def bar(**sizes: Any) -> str:
    view = log().call("c", "generate", "generator", **sizes).view()
    return call_html(view.calls[0])


def growing(*sizes: int) -> RunView:
    made = log()
    for step, tokens in enumerate(sizes, 1):
        made.call(f"c{step}", "generate", "generator", step=step).answer(f"c{step}", "x", prompt_tokens=tokens)
    return made.view()


def test_a_call_that_runs_shows_its_prompt_against_the_window():
    html = bar(prompt_estimate=2_048)
    assert Tags(html).text == "prompt 2,048 of 8,192 tokens" and "width:25%" in html
    assert "25% of the window, counted" in html.replace("context window", "window")
    assert html in one(log().call("c", "generate", "generator", prompt_estimate=2_048))


def test_an_ended_call_shows_what_was_measured():
    view = log().call("c", "generate", "generator").answer("c", "x", prompt_tokens=540).view()
    assert Tags(call_html(view.calls[0])).text == "prompt 540 of 8,192 tokens"


def test_an_estimate_says_so():
    html = bar(prompt_estimate=2_048, prompt_counted=False)
    assert Tags(html).text == "prompt about 2,048 of 8,192 tokens" and "estimated from the text" in html


def test_a_window_that_fills_is_said_in_a_word():
    assert Tags(bar(prompt_estimate=6_500)).text == "prompt 6,500 of 8,192 tokens filling up"
    assert Tags(bar(prompt_estimate=8_000)).text == "prompt 8,000 of 8,192 tokens nearly full"


def test_nothing_is_drawn_of_what_is_not_known():
    assert bar(prompt_estimate=None) == bar(context_window=None) == ""


def test_the_panel_says_how_the_prompts_grow_and_when_the_window_is_full():
    html = growth_html(growing(1_500, 1_910, 2_320))
    assert "+410 a step, full in about 13 steps" in Tags(html).text  # an answer of 301 tokens has to fit as well
    assert html.count("<span") == 3 and "height:28%" in html
    assert 'class="wb-generator"' in html and "generator: 1,910 of 8,192 tokens" in html


def test_a_run_that_does_not_grow_has_a_chart_and_no_forecast():
    html = growth_html(growing(1_500, 1_500))
    assert html.count("<span") == 2 and "a step" not in html
    assert growth_html(growing(1_500)) == growth_html(RunView()) == ""


def test_a_summary_is_a_card_with_what_it_stands_for_behind_it():
    made = log().call("c", "generate", "summariser").answer("c", "Longer is better.")
    made.add(
        Summarised, node="generate", step=1, call_id="c", text="Longer is better.", left_out=LEFT_OUT,
        tokens_before=2_310, tokens_after=940,
    )  # fmt: skip
    html = entry_html(made.view(), 0)
    words = text(html)
    assert "summariser Summary of 2 earlier turns" in words and "Longer is better." in words
    assert "in place of 2 earlier turns: the next prompt has 940 tokens instead of 2,310." in words
    assert "<summary>What was left out</summary>" in html and "Draft &lt;one&gt;" in html and "Too short." in html
