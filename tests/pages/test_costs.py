"""The view of costs as a person meets it, without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import ask, html
from workbench.cost import Price
from workbench.engine import Engine
from workbench.store.prices import PriceStore
from workbench.ui import costs, session

App = Callable[..., AppTest]
EngineOf = Callable[[], Engine]


def view(at: AppTest) -> AppTest:
    at.switch_page("pages/models.py").run()
    return at.segmented_control(key="view").set_value("Cost").run()


def demo(amount: float = 1_000, **more: object) -> Price:
    amounts = {"currency": "USD", "prompt": amount, "completion": amount}
    return Price.model_validate({"backend": "scripted", "model": "*"} | amounts | more)


def test_before_any_run_there_is_nothing_to_count_but_prices_can_be_set(app: App):
    at = view(app())
    assert "Nothing to count yet" in html(at) and at.button(key="save-prices").disabled
    assert "Energy: " in html(at) and not at.exception


def test_runs_are_summed_up_with_money_only_where_there_is_a_price(app: App, engine: EngineOf):
    at = view(ask(app(), "What is 2 + 2?"))
    assert "Stepwise" in html(at) and "USD" not in html(at)
    PriceStore(engine().store.database).keep([demo()])
    at = at.run()
    (run,) = engine().store.runs()
    paid = (run.prompt_tokens + run.completion_tokens) / 1_000
    assert f"USD {paid:.2f}" in html(at) or f"USD {paid:.2g}" in html(at)
    assert "Money at the prices of 20" in at.caption[0].value
    at = at.segmented_control(key="costs-by").set_value("day").run()
    assert run.created_at[:4] in html(at) and not at.exception


def test_the_bench_shows_what_a_run_cost(app: App, engine: EngineOf):
    at = app()
    PriceStore(engine().store.database).keep([demo()])
    at = ask(at, "What is 2 + 2?")
    assert "<dt>money</dt>" in html(at) and html(at).count("at the prices of") == 2
    assert not at.exception


def test_edited_prices_are_kept_and_what_is_wrong_with_them_is_said(
    app: App, engine: EngineOf, monkeypatch: pytest.MonkeyPatch
):
    app()
    said: dict[str, object] = {}
    monkeypatch.setattr(session, "put", said.__setitem__)
    good = {"backend": "openai", "model": "m", "currency": "eur", "prompt": 1.0, "cached": None, "completion": 2.0}
    costs.save([good], [])
    assert said[session.PROBLEM] is None and said[session.PRICES_SAVED] == 1
    (kept,) = PriceStore(engine().store.database).all()
    assert (kept.currency, kept.cached, kept.completion) == ("EUR", None, 2.0)
    for rows, words in (
        ([good, good], "two prices"),
        ([good | {"prompt": None}], "Row 1: the price of a million prompt"),
    ):
        costs.save(rows, [kept])
        problem = said[session.PROBLEM]
        assert isinstance(problem, session.Problem) and words in problem.message
    assert [one.currency for one in PriceStore(engine().store.database).all()] == ["EUR"]


def test_saving_prices_leaves_those_that_another_tab_set_meanwhile(app: App, engine: EngineOf):
    at = app()
    prices = PriceStore(engine().store.database)
    prices.keep([demo(model="a")])
    drawn = prices.all()
    rows = costs.rows_of(costs.table_of(drawn))
    prices.keep([demo(model="b")])
    costs.save([rows[0] | {"prompt": 5.0}], drawn)
    assert [(one.model, one.prompt) for one in prices.all()] == [("a", 5.0), ("b", 1000.0)]
    assert not at.exception


def test_the_table_of_prices_gives_back_what_it_was_made_of():
    table = costs.table_of([demo(cached=0.5), demo(model="m")])
    assert costs.rows_of(table) == [
        {"backend": "scripted", "model": "*", "currency": "USD", "prompt": 1000.0, "cached": 0.5, "completion": 1000.0},
        {
            "backend": "scripted",
            "model": "m",
            "currency": "USD",
            "prompt": 1000.0,
            "cached": None,
            "completion": 1000.0,
        },
    ]
    assert costs.rows_of(costs.table_of([])) == []
