"""`models answers`, `models cost` and `models prices` in the terminal."""

import json
from pathlib import Path

import pytest

from tests.cli.typing import Script, Terminal

ANSWERS: list[object] = [
    {"object": {"title": "Look", "content": "The question is short.", "next_action": "continue"}},
    {"text": "Sure! Two and two."},
    {"object": {"title": "Count", "content": "Two and two.", "next_action": "continue"}},
    {"object": {"title": "Check", "content": "It holds.", "next_action": "final_answer"}},
    {"text": "It is **four**."},
]


@pytest.fixture
def asked(terminal: Terminal, script: Script) -> None:
    """A run of which one of the structured answers had to be mended."""
    script(ANSWERS)
    assert terminal("run", "stepwise", "What is 2 + 2?")[0] == 0


@pytest.mark.usefixtures("asked")
def test_how_often_answers_fit_is_told_with_what_was_wrong(terminal: Terminal):
    code, out, err = terminal("models", "answers", "--failures", "5")
    assert (code, err) == (0, "")
    early, late = (line for line in out.splitlines() if line.startswith("demo"))
    assert "EarlyStep" in early and "1 = 50% (9 to 91)" in early and "1 no json" in early
    assert "Step" in late and "1 = 100% (21 to 100)" in late
    assert "No JSON: demo" in out and "then:  mended" in out and "| Sure! Two and two." in out
    assert "told:  Your answer was not valid: Invalid JSON" in out
    assert "No answer" in terminal("models", "answers", "--machine", "react")[2]
    assert "No answer" in terminal("models", "answers", "--since", "2999-01-01")[2]


@pytest.mark.usefixtures("asked")
def test_the_same_is_there_as_json(terminal: Terminal):
    rate, _, failure = map(json.loads, terminal("models", "answers", "--failures", "9", "--json")[1].splitlines())
    assert (rate["record"], rate["asked"], rate["first"], rate["mended"]) == ("rate", 2, 1, 1)
    assert (failure["record"], failure["kind"], failure["story"]["then"]) == ("failure", "prose", "mended")


def test_a_number_of_failures_below_none_is_refused(terminal: Terminal):
    code, _, err = terminal("models", "answers", "--failures", "-3")
    assert code == 2 and "-3 is no number from 0 on" in err


def test_a_date_that_is_none_is_refused(terminal: Terminal):
    code, _, err = terminal("models", "answers", "--since", "yesterday")
    assert code == 2 and "'yesterday' is no date" in err and "2026-11-23" in err


@pytest.mark.usefixtures("asked")
def test_what_runs_cost_is_summed_up_and_paid_at_the_prices_of_now(terminal: Terminal):
    code, out, err = terminal("models", "cost")
    assert code == 0 and "USD" not in out and "Energy: " in err
    cents = ("--currency", "usd", "--prompt", "1000", "--completion", "2000")
    assert terminal("models", "prices", "set", "scripted", "de*", *cents) == (0, "", "")
    out, err = terminal("models", "cost")[1:]
    row = next(line for line in out.splitlines() if line.startswith("stepwise"))
    assert "demo (scripted)" in row and "USD " in row and "at the prices of 20" in err
    (said,) = map(json.loads, terminal("models", "cost", "--by", "machine", "--json")[1].splitlines())
    assert (said["machine"], said["runs"], said["calls"], said["unpriced"]) == ("stepwise", 1, 5, 0)
    paid = (said["prompt_tokens"] * 1000 + said["completion_tokens"] * 2000) / 1e6
    assert said["money"][0]["amount"] == pytest.approx(paid) and paid > 0
    assert "No run" in terminal("models", "cost", "--since", "2999-01-01")[2]


def test_prices_go_into_a_file_and_come_back(terminal: Terminal, tmp_path: Path):
    file = tmp_path / "prices.csv"
    terminal("models", "prices", "set", "openai@lab", "m", "--currency", "EUR", "--prompt", "1", "--completion", "2.5")
    assert terminal("models", "prices", "export", "-o", str(file))[0] == 0
    assert file.read_text() == "backend,model,currency,prompt,cached,completion\nopenai@lab,m,EUR,1.0,,2.5\n"
    assert terminal("models", "prices", "remove", "openai@lab", "m")[0] == 0
    assert "No prices are set" in terminal("models", "prices", "list")[2]
    assert "1 price was set" in terminal("models", "prices", "import", str(file))[2]
    listed = terminal("models", "prices", "list")[1]
    assert "openai@lab" in listed and "as prompt" in listed
    assert json.loads(terminal("models", "prices", "list", "--json")[1])["completion"] == 2.5
    assert terminal("models", "prices", "export")[1] == file.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "opnai", "m", "--currency", "USD", "--prompt", "1", "--completion", "1"), "no backend named 'opnai'"),
        (("set", "openai", "m", "--currency", "?", "--prompt", "1", "--completion", "1"), "The currency"),
        (("set", "openai", "m", "--currency", "USD", "--prompt", "-1", "--completion", "1"), "The price of a million"),
        (("remove", "openai", "m"), "m of openai has no price"),
        (("import", "nowhere.csv"), "nowhere.csv cannot be read"),
    ],
)
def test_what_is_no_price_is_refused_with_a_reason(terminal: Terminal, words: tuple[str, ...], said: str):
    code, out, err = terminal("models", "prices", *words)
    assert (code, out) == (2, "") and said in err
