"""What runs cost: the price that holds for a model, amounts that are never mixed, sums over runs."""

from dataclasses import replace

import pytest

from workbench import price_list
from workbench.cost import Money, Price, PriceList, RunCost, energy, in_all, spent, worded
from workbench.errors import InvalidRequest
from workbench.events import Totals

SET = "2026-11-20T09:00:00+00:00"
RUN = RunCost("2026-11-23T12:00:00.000+00:00", "stepwise", "openai", "gpt-x", 2, 1_000, 500, 400, 9.0)


def price(model: str = "gpt-x", backend: str = "openai", currency: str = "USD", **more: float) -> Price:
    amounts = {"prompt": 2.0, "completion": 8.0} | more
    return Price(backend=backend, model=model, currency=currency, updated_at=SET, **amounts)


def test_tokens_are_paid_at_their_price_and_cached_ones_at_theirs():
    totals = Totals(calls=1, prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=400_000)
    assert PriceList([price()]).money(totals, "openai", "gpt-x") == Money("USD", 6.0, "2026-11-20")
    assert PriceList([price(cached=0.5)]).money(totals, "openai", "gpt-x") == Money("USD", 5.4, "2026-11-20")


def test_without_a_price_there_is_no_money_rather_than_none_to_pay():
    prices = PriceList([price()])
    assert prices.money(RUN, "embedded", "gpt-x") is None
    assert prices.money(RUN, "openai@lab", "gpt-x") is None
    assert prices.money(RUN, "openai", "gpt-x-mini") is None


def test_tokens_that_nobody_told_are_not_free():
    assert PriceList([price()]).money(Totals(calls=3), "openai", "gpt-x") is None
    assert PriceList([price()]).money(Totals(), "openai", "gpt-x") == Money("USD", 0.0, "2026-11-20")


def test_the_models_own_price_comes_before_that_of_its_kind():
    prices = PriceList([price("*", prompt=1), price("gpt-*", prompt=2), price("gpt-x*", prompt=3), price(prompt=4)])
    names = ("gpt-x", "gpt-x-mini", "gpt-4", "o9")
    assert [found.prompt for name in names if (found := prices.of("openai", name))] == [4, 3, 2, 1]


def test_currencies_are_never_added_together():
    sums = in_all(
        [Money("USD", 1.5, "2026-11-01"), None, Money("EUR", 2.0, "2026-11-20"), Money("USD", 0.25, "2026-10-01")]
    )
    assert sums == (Money("EUR", 2.0, "2026-11-20"), Money("USD", 1.75, "2026-11-01"))
    assert worded(sums) == "EUR 2.00 and USD 1.75, at the prices of 2026-11-20"
    assert worded(()) == ""


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "0.00"), (12.345, "12.35"), (1234.5, "1,234.50"), (0.5, "0.50"), (0.0123, "0.012"), (0.00000789, "0.0000079")],
)
def test_small_amounts_keep_two_digits(amount: float, words: str):
    assert str(Money("USD", amount, "")) == f"USD {words}"


@pytest.mark.parametrize(
    ("joules", "words"), [(0.4, "0.4 J"), (412.4, "412 J"), (3_210, "3.2 kJ"), (7.2e6, "2.00 kWh")]
)
def test_energy_is_read_in_its_unit(joules: float, words: str):
    assert energy(joules) == words


def test_runs_are_summed_up_by_machine_and_model_with_the_middle_run():
    runs = [
        replace(RUN, prefill_seconds=1.0, decode_seconds=4.0, joules=10.0),
        replace(RUN, prefill_seconds=3.0, decode_seconds=6.0),
        replace(RUN, prefill_seconds=8.0, decode_seconds=5.0, load_seconds=2.5),
        replace(RUN, machine="direct", seconds=1.0),
    ]
    one, other = spent(runs, PriceList([price()]))
    assert (one.machine, one.backend, one.model, one.runs) == ("stepwise", "openai", "gpt-x", 3)
    assert (one.prefill.total, one.prefill.each) == (12.0, 3.0)
    assert (one.decode.total, one.decode.each, one.decode.known) == (15.0, 5.0, 3)
    assert (one.load.total, one.load.known, one.joules.total, one.joules.known) == (2.5, 1, 10.0, 1)
    assert one.prompt_tokens == 3_000 and [str(amount) for amount in one.money] == ["USD 0.018"]
    assert (other.machine, other.load.total, other.load.known) == ("direct", None, 0)


def test_runs_are_summed_up_by_model_and_by_day_too():
    runs = [RUN, replace(RUN, machine="direct"), replace(RUN, backend="ollama", created_at="2026-11-20T12:00:00+00:00")]
    prices = PriceList([price()])
    by_model = {(one.backend, one.model): (one.runs, one.unpriced) for one in spent(runs, prices, "model")}
    assert by_model == {("openai", "gpt-x"): (2, 0), ("ollama", "gpt-x"): (1, 1)}
    assert [(one.day, one.runs) for one in spent(runs, prices, "day")] == [("2026-11-20", 1), ("2026-11-23", 2)]
    assert [(one.machine, one.runs) for one in spent(runs, prices, "machine")] == [("stepwise", 2), ("direct", 1)]


def test_prices_survive_the_way_through_a_file():
    prices = [price("gpt-*", cached=0.25), price('a "b", c', "openai@lab", "EUR")]
    again = price_list.from_csv(price_list.to_csv(prices))
    assert again == [one.model_copy(update={"updated_at": ""}) for one in prices]
    assert price_list.from_csv("\ufeffcurrency,model,backend,completion,prompt\nusd, m ,openai,1,2\n,,,,\n") == [
        Price(backend="openai", model="m", currency="USD", prompt=2, completion=1)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backend,model\nopenai,m\n", "does not name the columns completion, currency, prompt"),
        ("backend,model,currency,prompt,completion\nopenai,m,USD,cheap,1\n", "Line 2: the price of a million prompt"),
        ("backend,model,currency,prompt,completion\nopenai,m,USD,1,1\nopenai,,USD,1,1\n", "Line 3: the model"),
        ("backend,model,currency,prompt,completion\nopenai,m,dollars!,1,1\n", "Line 2: the currency"),
        ("backend,model,currency,prompt,completion\nopenai,m,USD,-1,1\n", "Line 2: the price of a million prompt"),
        ("backend,model,currency,prompt,completion\nopenai,m,USD,nan,1\n", "Line 2: the price of a million prompt"),
        ("backend,model,currency,prompt,completion\nopenai,a*b,USD,1,1\n", "a * can stand at the end alone"),
        ("backend,model,currency,prompt,completion\n" + 2 * "openai,m,USD,1,1\n", "m of openai has two prices"),
        ("backend;model;currency;prompt;completion\nopenai;m;USD;0,15;1\n", "are apart by semicolons"),
        ("", "does not name the columns"),
    ],
)
def test_a_file_that_holds_no_prices_says_what_and_where(text: str, said: str):
    with pytest.raises(InvalidRequest) as caught:
        price_list.from_csv(text)
    assert said in caught.value.message and caught.value.hint
