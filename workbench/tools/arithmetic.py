"""Exact, bounded arithmetic: a syntax tree becomes a number, and nothing but the nodes named here is run."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from workbench.errors import ToolError

MAX_DIGITS = 2_000  # of a number
MAX_BITS = MAX_DIGITS / math.log10(2)
MAX_DEPTH = 60  # of brackets and operators
MAX_PLACES = 50  # to round to
MAX_MODULAR = 700  # digits of an exponent and a modulus: a whole expression of such powers takes less than a second

Number = int | Fraction | float
Value = Number | bool


def evaluate(source: str) -> Value:
    """The value of an expression in Python's notation: exact as int or Fraction, else float. Raises ToolError."""
    try:
        tree = ast.parse(source, mode="eval")
        return _Evaluation(source).value(tree.body, 0)
    except SyntaxError:
        raise ToolError(
            f"This is not a complete expression: {source[:80]}. Check operators and brackets: (3 + 4) * 2."
        ) from None
    except (RecursionError, MemoryError):
        raise _too_deep() from None
    except ZeroDivisionError:
        raise ToolError("This divides by zero, which has no value. Check the divisor.") from None
    except OverflowError:
        raise _too_large() from None


class _Evaluation:
    """One evaluation; the source is kept to read literals exactly, as `ast` has made floats of them."""

    def __init__(self, source: str) -> None:
        self._source = source

    def value(self, node: ast.expr, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise _too_deep()
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name():
                return _constant(node.id)
            case ast.UnaryOp(op=op) if type(op) in _UNARY:
                return _tidy(_UNARY[type(op)](self._number(node.operand, depth)))
            case ast.BinOp():
                return self._chain(node, depth)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(name, node, depth)
        raise ToolError("This is not arithmetic. Write numbers, operators and functions only.")

    def _chain(self, node: ast.expr, depth: int) -> Number:
        """A sum or product from left to right, without recursion: 300 terms are long, not deep."""
        steps: list[ast.BinOp] = []
        while isinstance(node, ast.BinOp):
            steps.append(node)
            node = node.left
        value = self._number(node, depth)
        for step in reversed(steps):
            if type(step.op) not in _BINARY:
                raise ToolError("This operator is not arithmetic. Write + - * / // % or **.")
            value = _tidy(_BINARY[type(step.op)](value, self._number(step.right, depth)))
        return value

    def _number(self, node: ast.expr, depth: int) -> Number:
        value = self.value(node, depth + 1)
        if isinstance(value, bool):
            raise ToolError("A comparison is true or false, not a number. Compute the two sides, then compare them.")
        return value

    def _literal(self, node: ast.Constant) -> Number:
        text = self._source[node.col_offset : node.end_col_offset]
        exponent = text.lower().partition("e")[2]
        if exponent and abs(int(exponent)) > MAX_DIGITS:
            raise _too_large()
        return _tidy(Fraction(text))

    def _comparison(self, node: ast.Compare, depth: int) -> bool:
        sides = [self._number(side, depth) for side in (node.left, *node.comparators)]
        return all(_COMPARE[type(op)](left, right) for op, left, right in zip(node.ops, sides, sides[1:], strict=False))

    def _call(self, name: str, node: ast.Call, depth: int) -> Number:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ToolError(f"{name} is a number, not a function. Write {name} * (...).")
        arguments = self._arguments(node.args, depth)
        if not function.least <= len(arguments) <= function.most:
            raise ToolError(
                f"{name} takes {function.expected()}, not {len(arguments)}. Write large numbers without commas."
            )
        return _tidy(function.apply(*arguments))

    def _arguments(self, nodes: list[ast.expr], depth: int) -> list[Number]:
        """The arguments; a list as the only one counts as its elements."""
        if len(nodes) == 1 and isinstance(nodes[0], ast.List | ast.Tuple):
            nodes = nodes[0].elts
        return [self._number(node, depth) for node in nodes]


class _Function(NamedTuple):
    apply: Callable[..., Any]
    least: int
    most: int

    def expected(self) -> str:
        if self.least == self.most:
            return f"{self.least} argument{'s' if self.least > 1 else ''}"
        return f"{self.least} or {'more' if self.most > self.least + 1 else self.most} arguments"


def _too_large(instead: str = "Use smaller numbers, or logarithms: log10(x).") -> ToolError:
    return ToolError(f"The result has more than {MAX_DIGITS:,} digits. {instead}")


def _too_deep() -> ToolError:
    return ToolError(f"The expression is nested more than {MAX_DEPTH} deep. Compute it in parts.")


def _tidy(value: Any) -> Number:
    """A whole fraction as an int; whatever is too large or no real number refused."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _too_large()
        return value
    exact = Fraction(value)
    if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > MAX_BITS + 1:
        raise _too_large()
    return int(exact) if exact.denominator == 1 else exact


def _constant(name: str) -> float:
    constants = {"pi": math.pi, "e": math.e, "tau": math.tau}
    if name not in constants:
        raise ToolError(f"{name} is a function. Write its argument in brackets: {name}(...).")
    return constants[name]


def _whole(value: Number, name: str) -> int:
    if not isinstance(value, int):
        raise ToolError(f"{name} takes whole numbers only.")
    return value


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        return float(left) / float(right)
    return Fraction(left) / Fraction(right)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(exponent, int) and not isinstance(base, float):
        fraction = Fraction(base)
        largest = max(abs(fraction.numerator), fraction.denominator)
        if abs(exponent) * math.log2(largest or 1) > MAX_BITS:
            raise _too_large("Use smaller numbers; for the remainder of a power write pow(7, 83, 1000).")
        return fraction**exponent
    if exponent == Fraction(1, 2):
        return _sqrt(base)
    if base < 0 and exponent != int(exponent):
        raise ToolError("A negative number has no real power with a broken exponent. Check the sign.")
    power = float(base) ** float(exponent)
    return float(power)


def _pow(base: Number, exponent: Number, modulus: Number | None = None) -> Number:
    """A power, or with a modulus its remainder; a negative exponent counts from the base's modular inverse."""
    if modulus is None:
        return _power(base, exponent)
    whole, times, divisor = (_whole(value, "pow with a modulus") for value in (base, exponent, modulus))
    if max(abs(times), abs(divisor)) >= 10**MAX_MODULAR:
        raise ToolError(f"pow with a modulus takes numbers of at most {MAX_MODULAR:,} digits. Use smaller ones.")
    if divisor < 1:
        raise ToolError("The modulus, the last number of pow, must be 1 or more. Check its sign.")
    if times < 0 and math.gcd(whole, divisor) != 1:
        raise ToolError(
            "A negative exponent needs a base without a common factor with the modulus. Check them: pow(3, -1, 7)."
        )
    return pow(whole, times, divisor)


def _sqrt(value: Number) -> Number:
    if value < 0:
        raise ToolError("A negative number has no real square root. Check the sign.")
    if isinstance(value, float):
        return math.sqrt(value)
    fraction = Fraction(value)
    root = Fraction(math.isqrt(fraction.numerator), math.isqrt(fraction.denominator))
    return root if root * root == fraction else math.sqrt(fraction)


def _logarithm(value: Number, base: Number = math.e) -> Number:
    """Exact where the answer is whole, as in log(1000, 10)."""
    if value <= 0 or base <= 0 or base == 1:
        raise ToolError("A logarithm needs a positive number (and a positive base that is not 1).")
    if value == 1:
        return 0
    found = _natural(value) / _natural(base)
    nearest = round(found)
    if not isinstance(value, float) and not isinstance(base, float) and Fraction(base) ** nearest == value:
        return nearest
    return found


def _natural(value: Number) -> float:
    if isinstance(value, Fraction):
        return math.log(value.numerator) - math.log(value.denominator)
    return math.log(value)


def _factorial(value: Number) -> int:
    number = _whole(value, "factorial")
    if number < 0:
        raise ToolError("factorial takes numbers from 0 up.")
    if math.lgamma(number + 1) > MAX_BITS * math.log(2):
        raise _too_large()
    return math.factorial(number)


def _choose(name: str, count: Callable[[int, int], int]) -> Callable[[Number, Number], int]:
    """`comb` or `perm`, refused where the result would be too large; lgamma measures it beforehand."""

    def bounded(total: Number, taken: Number) -> int:
        n, k = _whole(total, name), _whole(taken, name)
        if n < 0 or k < 0:
            raise ToolError(f"{name} takes numbers from 0 up.")
        few = min(k, n - k) if name == "comb" else k
        if few > MAX_BITS or (few > 0 and _log_falling(n, few, name) > MAX_BITS * math.log(2)):
            raise _too_large()
        return count(n, k)

    return bounded


def _log_falling(n: int, k: int, name: str) -> float:
    """The natural logarithm of comb(n, k) or perm(n, k) for k up to n, rounded up a little."""
    if k > n:
        return 0.0
    size = math.lgamma(n + 1) - math.lgamma(n - k + 1) if n < 10**12 else k * math.log(n)
    return size - math.lgamma(k + 1) if name == "comb" else size


def _several(name: str, apply: Callable[..., int]) -> Callable[..., int]:
    return lambda *values: apply(*(_whole(value, name) for value in values))


def _round(value: Number, places: Number = 0) -> Number:
    """Half away from zero, as taught in schools; Python's own rounds half to even."""
    digits = _whole(places, "round")
    if abs(digits) > MAX_PLACES:
        raise ToolError(f"round takes at most {MAX_PLACES} places.")
    scaled = _exactly(value) * Fraction(10) ** digits
    nearest = math.floor(abs(scaled) + Fraction(1, 2))
    return Fraction(nearest if scaled >= 0 else -nearest) / Fraction(10) ** digits


def _exactly(value: Number) -> Fraction:
    """A float as the decimal that is shown of it, so that round(1.005 * pi / pi, 2) is what it looks like."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def _angle(apply: Callable[[float], float]) -> Callable[[Number], float]:
    """A trigonometric function whose rounding error near 0 is not shown: sin(pi) is 0."""
    return lambda value: round(apply(float(value)), 15)


def _tangent(value: Number) -> float:
    if abs(math.cos(float(value))) < 1e-15:
        raise ToolError("The tangent has no value there.")
    return round(math.tan(float(value)), 12)


def _inverse(name: str, apply: Callable[[float], float]) -> Callable[[Number], float]:
    def bounded(value: Number) -> float:
        if not -1 <= value <= 1:
            raise ToolError(f"{name} takes numbers from -1 to 1.")
        return apply(float(value))

    return bounded


def _same(left: Number, right: Number) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(float(left), float(right), rel_tol=1e-12, abs_tol=1e-15)
    return left == right


_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Eq: _same,
    ast.NotEq: lambda left, right: not _same(left, right),
    ast.Lt: lambda left, right: left < right and not _same(left, right),
    ast.LtE: lambda left, right: left <= right or _same(left, right),
    ast.Gt: lambda left, right: left > right and not _same(left, right),
    ast.GtE: lambda left, right: left >= right or _same(left, right),
}
_ANY = 1_000
_FUNCTIONS: Mapping[str, _Function] = {
    "sqrt": _Function(_sqrt, 1, 1),
    "abs": _Function(abs, 1, 1),
    "round": _Function(_round, 1, 2),
    "floor": _Function(math.floor, 1, 1),
    "ceil": _Function(math.ceil, 1, 1),
    "trunc": _Function(math.trunc, 1, 1),
    "int": _Function(math.trunc, 1, 1),
    "min": _Function(lambda *values: min(values), 1, _ANY),
    "max": _Function(lambda *values: max(values), 1, _ANY),
    "sum": _Function(lambda *values: sum(values), 1, _ANY),
    "mean": _Function(lambda *values: _divide(sum(values), len(values)), 1, _ANY),
    "pow": _Function(_pow, 2, 3),
    "exp": _Function(lambda value: 1 if value == 0 else math.exp(value), 1, 1),
    "log": _Function(_logarithm, 1, 2),
    "ln": _Function(_logarithm, 1, 1),
    "log2": _Function(lambda value: _logarithm(value, 2), 1, 1),
    "log10": _Function(lambda value: _logarithm(value, 10), 1, 1),
    "sin": _Function(_angle(math.sin), 1, 1),
    "cos": _Function(_angle(math.cos), 1, 1),
    "tan": _Function(_tangent, 1, 1),
    "asin": _Function(_inverse("asin", math.asin), 1, 1),
    "acos": _Function(_inverse("acos", math.acos), 1, 1),
    "atan": _Function(lambda value: math.atan(value), 1, 1),
    "radians": _Function(lambda value: math.radians(value), 1, 1),
    "degrees": _Function(lambda value: math.degrees(value), 1, 1),
    "gcd": _Function(_several("gcd", math.gcd), 1, _ANY),
    "lcm": _Function(_several("lcm", math.lcm), 1, _ANY),
    "factorial": _Function(_factorial, 1, 1),
    "comb": _Function(_choose("comb", math.comb), 2, 2),
    "perm": _Function(_choose("perm", math.perm), 2, 2),
}
