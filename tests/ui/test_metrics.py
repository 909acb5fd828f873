import pytest

from tests.ui import samples
from tests.ui.test_markdown import Tags
from workbench.events import RunView
from workbench.ui.metrics import bar, clock, context_html, metrics_html, seconds, spent


def shown(html: str) -> dict[str, str]:
    """The panel as label -> what is under it."""
    cells = html.split("<dt>")[1:]
    pairs = (cell.split("</dt>") for cell in cells)
    return {label: Tags(value.split("</div>")[0].replace("<small>", " | ")).text for label, value in pairs}


def test_the_panel_of_a_live_run():
    assert shown(metrics_html(samples.reflection_live(), 41.9)) == {
        "elapsed": "0:41",
        "first token": "0.38 s",
        "speed": "28 tok/s",
        "tokens": "2,372 | 1,620 in, 752 out",
        "calls": "4",
        "from cache": "83%",
        "model's time": "26.4 s | decode 26.4 s",
    }


def test_nothing_is_claimed_before_it_is_measured():
    panel = shown(metrics_html(RunView(), None))
    assert panel == {
        "elapsed": "0:00", "first token": "–", "speed": "–", "tokens": "–", "calls": "0", "from cache": "–",
    }  # fmt: skip


def test_tool_calls_are_counted_beside_the_model_s():
    assert shown(metrics_html(samples.react_live()))["calls"] == "3 | and 2 to tools"


def test_what_a_fork_took_over_and_what_the_person_answered_costs_nothing():
    assert shown(metrics_html(samples.forked().view())) == {
        "elapsed": "0:00", "first token": "–", "speed": "–", "tokens": "–", "calls": "0", "from cache": "–",
    }  # fmt: skip
    forked = samples.forked().call("c3", "generate", "generator").at(0.4).write("c3", "x")
    forked.at(9).answer("c3", "x", prompt_tokens=100, completion_tokens=88, cached_tokens=50)
    assert shown(metrics_html(forked.view())) == {
        "elapsed": "0:09", "first token": "0.40 s", "speed": "10 tok/s", "tokens": "188 | 100 in, 88 out",
        "calls": "1", "from cache": "50%", "model's time": "8.8 s | decode 8.8 s",
    }  # fmt: skip
    assert shown(metrics_html(samples.steered()))["calls"] == "3 | and 1 to tools"


def test_load_prefill_decode_energy_and_money_are_shown_where_they_are_known():
    log = samples.Log("reflection", samples.REFLECTION).node("generate", 1).call("c1", "generate", "generator")
    view = log.answer("c1", "text", load_seconds=0.84, prefill_seconds=2.1, decode_seconds=9.06, joules=412.4).view()
    panel = shown(metrics_html(view, money="USD 0.012, at the prices of 2026-11-20"))
    assert panel["model's time"] == "12.0 s | load 0.84 s, prefill 2.1 s, decode 9.1 s"
    assert panel["energy"] == "412 J | whole computer"
    assert panel["money"] == "USD 0.012 | at the prices of 2026-11-20"
    line = "load 0.84 s · prefill 2.1 s · decode 9.1 s · 412 J · USD 0.012, at the prices of 2026-11-20"
    assert spent(view.totals, "USD 0.012, at the prices of 2026-11-20") == line
    assert spent(RunView().totals) == ""


def test_a_run_that_waits_for_the_person_says_that_its_time_stands_still():
    assert shown(metrics_html(samples.paused_model()))["elapsed"] == "0:09 | stands still: it waits for you"
    assert shown(metrics_html(samples.steered()))["elapsed"] == "0:41"


def test_the_cache_share_is_unknown_where_no_answer_tells():
    log = samples.Log("reflection", samples.REFLECTION).node("generate", 1).call("c1", "generate", "generator")
    view = log.answer("c1", "text", cached_tokens=None).view()
    assert shown(metrics_html(view))["from cache"] == "–"


def test_the_context_says_how_much_of_the_window_the_last_prompt_took():
    html = context_html(samples.reflection_live())
    assert Tags(html).text == "2,540 of 8,192 tokens in the last prompt"
    assert "width:31%" in html
    assert html in metrics_html(samples.reflection_live())
    assert context_html(RunView()) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0:00"), (41.9, "0:41"), (725, "12:05"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_the_clock(value: float, words: str):
    assert clock(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (0.0, "1 ms"), (0.027, "27 ms"), (0.38, "0.38 s"), (9.24, "9.2 s"), (101, "1:41")],
)
def test_durations(value: float | None, words: str):
    assert seconds(value) == words


@pytest.mark.parametrize(("share", "width"), [(-1, 0), (0.5, 50), (7, 100)])
def test_a_bar_never_leaves_its_frame_and_says_what_it_shows(share: float, width: int):
    html = bar(share, 'a "label"')
    assert f"width:{width}%" in html and 'aria-label="a &quot;label&quot;"' in html
