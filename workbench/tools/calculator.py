"""The calculator: exact arithmetic on one expression, written as people and small models write it."""

import asyncio
import re
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from workbench.settings import Settings
from workbench.tools import arithmetic, notation
from workbench.tools.base import Tool

MAX_SHOWN = 320  # digits of a whole number
MAX_DECIMALS = 30
MAX_RATIO = 40  # characters of a fraction
_COMPARISON = re.compile(r" (?:[<>]=?|[=!]=) ")


class Arguments(BaseModel):
    """What to compute."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    expression: str = Field(description="Such as (1.5 + 2) * 3")


class Calculator:
    """Numbers stay fractions as long as they can: 0.1 + 0.2 is 0.3."""

    name: ClassVar[str] = "calculator"
    description: ClassVar[str] = (
        "exact arithmetic on numbers and times: + - * / // % **, 15% of 80, 9.11 > 9.9, 17:10 - 14:35 in minutes, "
        "sqrt, round, min, max, sum, factorial, log, sin. Example: (1.5 + 2) * 3"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False

    async def run(self, arguments: BaseModel) -> str:
        """The value; `≈` stands before what is not exact. Raises ToolError."""
        assert isinstance(arguments, Arguments)
        return await asyncio.to_thread(calculate, arguments.expression)


def create(settings: Settings) -> Tool:
    """The calculator."""
    return Calculator()


def calculate(expression: str) -> str:
    """The value of an expression as text. Raises ToolError with what to write instead.

    Times of day count as minutes: 17:10 - 14:35 is 155 minutes. A comparison says what is true.
    """
    minutes = notation.in_minutes(expression)
    source = notation.read(expression if minutes is None else minutes)
    value = arithmetic.evaluate(source)
    if isinstance(value, bool):
        return _compared(value, source)
    return _shown(value) if minutes is None else f"{_shown(value)} minutes"


def _compared(value: bool, source: str) -> str:
    """The truth of a comparison; of two sides also which is larger, since small models misread a bare `false`."""
    sides = [arithmetic.evaluate(side) for side in _COMPARISON.split(source)] if "(" not in source else []
    if len(sides) != 2 or any(isinstance(side, bool) for side in sides):
        return _shown(value)
    left, right = sides
    order = "equal to" if left == right else "greater than" if left > right else "less than"
    return f"{_shown(value)}: {_shown(left)} is {order} {_shown(right)}"


def _shown(value: arithmetic.Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return _shown_whole(value)
        case Fraction():
            return _shown_fraction(value)
        case float():
            return f"≈ {_rounded(Decimal(value))}"


def _shown_whole(value: int) -> str:
    text = str(value)
    digits = len(text.lstrip("-"))
    return text if digits <= MAX_SHOWN else f"≈ {_rounded(Decimal(value))} ({digits} digits)"


def _shown_fraction(value: Fraction) -> str:
    """As a decimal where it ends, else as a ratio with its first digits."""
    decimals = _decimals(value.denominator)
    if decimals is not None and decimals <= MAX_DECIMALS:
        return _decimal_text(value, decimals)
    with localcontext() as context:
        context.prec = 20
        rounded = _rounded(Decimal(value.numerator) / Decimal(value.denominator))
    ratio = f"{value.numerator}/{value.denominator}"
    return f"{ratio} ≈ {rounded}" if len(ratio) <= MAX_RATIO else f"≈ {rounded}"


def _decimals(denominator: int) -> int | None:
    """How many decimals a fraction with this denominator has; None when they do not end."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives) if denominator == 1 else None


def _decimal_text(value: Fraction, decimals: int) -> str:
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def _rounded(value: Decimal) -> str:
    """Ten digits, and more where needed for four decimals; a float knows no more than fifteen."""
    digits = min(15, max(10, value.adjusted() + 5)) if value else 1
    text = f"{value:.{digits}g}"
    mantissa, mark, exponent = text.partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent
