"""What runs cost in seconds, energy and money: prices that a person has set, and sums over runs."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

MILLION = 1_000_000
DEAREST = 1e9  # per million tokens: what is beyond is a slip
By = Literal["machine", "model", "day", "machine and model"]


class Price(BaseModel):
    """What a backend asks for a million tokens of a model, whose name may end in `*`: all that begin so.

    `cached` is for prompt tokens that the endpoint had kept; None: as the others. `updated_at` is when it was set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    backend: str = Field(min_length=1, max_length=120)
    model: str = Field(min_length=1, max_length=300)
    currency: str = Field(pattern=r"^[A-Z]{3,8}$")
    prompt: float = Field(ge=0, le=DEAREST)
    completion: float = Field(ge=0, le=DEAREST)
    cached: float | None = Field(None, ge=0, le=DEAREST)
    updated_at: str = ""

    @field_validator("currency", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("model")
    @classmethod
    def _one_star(cls, name: str) -> str:
        if "*" in name[:-1]:
            raise ValueError("a * can stand at the end alone")
        return name

    def holds_for(self, backend: str, model: str) -> bool:
        """Whether it is the price of this model there."""
        if backend != self.backend:
            return False
        return model.startswith(self.model[:-1]) if self.model.endswith("*") else model == self.model


class Tokens(Protocol):
    """What is paid for: totals of a run, a run's row."""

    @property
    def calls(self) -> int:
        """How often a model was asked."""

    @property
    def prompt_tokens(self) -> int:
        """What it read, cached tokens included."""

    @property
    def completion_tokens(self) -> int:
        """What it wrote."""

    @property
    def cached_tokens(self) -> int:
        """What of the prompts it had kept."""


@dataclass(frozen=True)
class Money:
    """An amount, and the day on which the latest of its prices was set."""

    currency: str
    amount: float
    as_of: str

    def __str__(self) -> str:
        return f"{self.currency} {_digits(self.amount)}"


def _digits(amount: float) -> str:
    """Two decimals, or as many as show two digits of a small amount."""
    if amount == 0 or amount >= 1:
        return f"{amount:,.2f}"
    return f"{amount:.{1 - math.floor(math.log10(amount))}f}" if amount < 0.1 else f"{amount:.2f}"


class PriceList:
    """The prices that hold now. A model's own comes before those that end in `*`, of which the longest does."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self.prices = sorted(prices, key=lambda price: (price.model.endswith("*"), -len(price.model)))

    def of(self, backend: str, model: str) -> Price | None:
        """The price of a model; None where the person has set none."""
        return next((price for price in self.prices if price.holds_for(backend, model)), None)

    def money(self, tokens: Tokens, backend: str, model: str) -> Money | None:
        """What these tokens cost; None without a price, and where calls were made and no tokens told."""
        price = self.of(backend, model)
        if price is None or (tokens.calls and not tokens.prompt_tokens + tokens.completion_tokens):
            return None
        kept = min(tokens.cached_tokens, tokens.prompt_tokens)
        amount = (tokens.prompt_tokens - kept) * price.prompt + tokens.completion_tokens * price.completion
        amount += kept * (price.prompt if price.cached is None else price.cached)
        return Money(price.currency, amount / MILLION, price.updated_at[:10])


def in_all(amounts: Iterable[Money | None]) -> tuple[Money, ...]:
    """The sums, one of each currency: these are never added together."""
    found: dict[str, Money] = {}
    for one in amounts:
        if one is not None:
            so_far = found.get(one.currency, Money(one.currency, 0.0, ""))
            found[one.currency] = Money(one.currency, so_far.amount + one.amount, max(so_far.as_of, one.as_of))
    return tuple(found[currency] for currency in sorted(found))


def worded(amounts: Sequence[Money]) -> str:
    """The sums in words: USD 0.0123 and EUR 2.00, at the prices of 2026-11-20; empty for none."""
    if not amounts:
        return ""
    as_of = max(one.as_of for one in amounts)
    return " and ".join(map(str, amounts)) + (f", at the prices of {as_of}" if as_of else "")


@dataclass(frozen=True)
class RunCost:
    """What one run cost; None where nobody told."""

    created_at: str
    machine: str
    backend: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    seconds: float
    load_seconds: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    joules: float | None = None


@dataclass(frozen=True)
class Sum:
    """A sum over the runs that told, `known` of them, and what the middle one of these had."""

    total: float | None
    each: float | None
    known: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Sum":
        """The sum of what is known; None where nothing is."""
        known = [value for value in values if value is not None]
        return cls(sum(known), median(known), len(known)) if known else cls(None, None, 0)


@dataclass(frozen=True)
class Spent:
    """What several runs cost together. `unpriced` of them have no price."""

    machine: str
    backend: str
    model: str
    day: str
    runs: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    seconds: float
    load: Sum
    prefill: Sum
    decode: Sum
    joules: Sum
    money: tuple[Money, ...]
    unpriced: int


Key = tuple[str, str, str, str]  # machine, backend, model, day
_KEYS: dict[By, Callable[[RunCost], Key]] = {
    "machine": lambda run: (run.machine, "", "", ""),
    "model": lambda run: ("", run.backend, run.model, ""),
    "day": lambda run: ("", "", "", day(run.created_at)),
    "machine and model": lambda run: (run.machine, run.backend, run.model, ""),
}


def spent(runs: Iterable[RunCost], prices: PriceList, by: By = "machine and model") -> list[Spent]:
    """What the runs cost, summed up by this; the most seconds of work first, days in their order."""
    groups: dict[Key, list[RunCost]] = {}
    for run in runs:
        groups.setdefault(_KEYS[by](run), []).append(run)
    found = [_spent(key, group, prices) for key, group in groups.items()]
    return sorted(found, key=lambda one: (one.day, -one.seconds, one.machine, one.model))


def together(runs: Sequence[RunCost], prices: PriceList) -> Spent:
    """What the runs cost together, whatever they are."""
    return _spent(("", "", "", ""), runs, prices)


def _spent(key: Key, runs: Sequence[RunCost], prices: PriceList) -> Spent:
    paid = [prices.money(run, run.backend, run.model) for run in runs]
    return Spent(
        *key,
        runs=len(runs),
        calls=sum(run.calls for run in runs),
        prompt_tokens=sum(run.prompt_tokens for run in runs),
        completion_tokens=sum(run.completion_tokens for run in runs),
        cached_tokens=sum(run.cached_tokens for run in runs),
        seconds=sum(run.seconds for run in runs),
        load=Sum.of(run.load_seconds for run in runs),
        prefill=Sum.of(run.prefill_seconds for run in runs),
        decode=Sum.of(run.decode_seconds for run in runs),
        joules=Sum.of(run.joules for run in runs),
        money=in_all(paid),
        unpriced=sum(one is None for one in paid),
    )


def day(moment: str) -> str:
    """The day of a moment (ISO 8601) on this machine's clock; as it is written where no clock can show it."""
    try:
        return datetime.fromisoformat(moment).astimezone().date().isoformat()
    except (ValueError, OverflowError, OSError):
        return moment[:10]


def energy(joules: float) -> str:
    """Joules as a person reads them: 41 J, 3.2 kJ, 0.12 kWh."""
    if joules >= 360_000:
        return f"{joules / 3_600_000:,.2f} kWh"
    return f"{joules / 1000:,.1f} kJ" if joules >= 1000 else f"{joules:,.0f} J" if joules >= 10 else f"{joules:.1f} J"
