"""Prices as a person keeps them, and what the runs' rows say of their cost."""

import pytest
from sqlalchemy import Table

from tests.store.samples import answered, begin, called, finished, started
from workbench.cost import Price
from workbench.events import ModelAnswered, Totals
from workbench.store.costs import lane_costs, run_costs, used_backends
from workbench.store.prices import PriceStore
from workbench.store.runs import RunStore
from workbench.store.tables import cells, experiments


def price(model: str = "gpt-x", **more: float | str) -> Price:
    return Price.model_validate(
        {"backend": "openai", "model": model, "currency": "USD", "prompt": 1, "completion": 2} | more
    )


@pytest.fixture
def prices(store: RunStore) -> PriceStore:
    return PriceStore(store.database)


def test_a_price_is_kept_replaced_and_forgotten(prices: PriceStore):
    prices.keep([price(), price("b*", cached=0.5)])
    prices.keep([price(prompt=3)])
    assert [(one.model, one.prompt, one.cached) for one in prices.all()] == [("b*", 1, 0.5), ("gpt-x", 3, None)]
    assert all(one.updated_at for one in prices.all())
    assert prices.remove("openai", "gpt-x") and not prices.remove("openai", "gpt-x")
    assert [one.model for one in prices.all()] == ["b*"]


def test_what_changed_in_the_table_is_kept_and_what_did_not_keeps_its_date(prices: PriceStore):
    prices.keep([price("a"), price("b"), price("c")])
    with prices._database.write() as connection:
        connection.exec_driver_sql("UPDATE prices SET updated_at = '2026-01-01T00:00:00+00:00'")
    prices.change(prices.all(), [price("a"), price("b", prompt=9)])
    dates = {one.model: one.updated_at[:10] for one in prices.all()}
    assert dates.keys() == {"a", "b"} and dates["a"] == "2026-01-01" != dates["b"]


def test_a_price_that_was_set_elsewhere_meanwhile_stays(prices: PriceStore):
    prices.keep([price("a"), price("gone")])
    seen = prices.all()
    prices.keep([price("b"), price("a", prompt=7)])
    prices.change(seen, [price("a"), price("new")])
    assert [(one.model, one.prompt) for one in prices.all()] == [("a", 7), ("b", 1), ("new", 1)]


def timed(run_id: str, seq: int, **told: float) -> ModelAnswered:
    return answered(run_id, seq).model_copy(update=told)


def test_a_runs_row_grows_by_what_backends_told(store: RunStore):
    begin(store, "r1")
    store.append([started("r1"), called("r1", 1), timed("r1", 2, load_seconds=1.5, decode_seconds=4.0)])
    store.append([called("r1", 3), timed("r1", 4, decode_seconds=2.0, joules=30.0)])
    row = store.run("r1")
    assert (row.load_seconds, row.prefill_seconds, row.decode_seconds, row.joules) == (1.5, None, 6.0, 30.0)
    (cost,) = run_costs(store.database)
    assert (cost.machine, cost.load_seconds, cost.decode_seconds, cost.joules) == ("stepwise", 1.5, 6.0, 30.0)


def test_the_end_of_a_run_has_the_last_word_on_its_cost(store: RunStore):
    begin(store, "r1")
    store.append([started("r1"), called("r1", 1), timed("r1", 2, decode_seconds=4.0)])
    end = finished("r1", 3).model_copy(update={"totals": Totals(calls=1, decode_seconds=4.5, joules=9.0)})
    store.append([end])
    row = store.run("r1")
    assert (row.decode_seconds, row.joules, row.prefill_seconds) == (4.5, 9.0, None)


def test_a_run_of_which_nobody_told_anything_is_unknown_and_not_free(store: RunStore):
    begin(store, "r1")
    store.append([started("r1"), called("r1", 1), answered("r1", 2)])
    (cost,) = run_costs(store.database)
    assert (cost.load_seconds, cost.prefill_seconds, cost.decode_seconds, cost.joules) == (None,) * 4


def test_runs_are_chosen_by_time_and_backend_and_those_that_called_nobody_are_left_out(store: RunStore):
    begin(store, "early", at="2026-11-20T12:00:00.000+00:00")
    begin(store, "later", at="2026-11-23T12:00:00.000+00:00")
    begin(store, "silent")
    for run_id in ("early", "later"):
        store.append([started(run_id), called(run_id, 1), answered(run_id, 2)])
    assert [one.created_at[:10] for one in run_costs(store.database)] == ["2026-11-20", "2026-11-23"]
    assert len(run_costs(store.database, since="2026-11-21")) == 1
    assert run_costs(store.database, backend="ollama") == []
    assert used_backends(store.database) == ["scripted"]


def test_an_experiments_runs_are_told_apart_by_their_lanes(store: RunStore):
    def row(table: Table, **values: object) -> dict[str, object]:
        """A whole row: what is not given is empty."""
        needed = [column for column in table.c if not column.nullable]
        return {column.name: column.type.python_type() for column in needed} | values

    for run_id in ("r1", "r2", "other"):
        begin(store, run_id)
        store.append([started(run_id), called(run_id, 1), timed(run_id, 2, decode_seconds=4.0)])
    with store.database.write() as connection:
        connection.execute(experiments.insert().values(row(experiments, id="e1", name="one")))
        for lane, run_id in enumerate(("r1", "r2", "deleted")):
            connection.execute(cells.insert().values(row(cells, experiment="e1", lane=lane, run_id=run_id)))
    found = lane_costs(store.database, "e1")
    assert {lane: [one.decode_seconds for one in runs] for lane, runs in found.items()} == {0: [4.0], 1: [4.0]}
