"""How people and small models write arithmetic (`15% of 1,200 × 2`), read into Python's notation for `ast`."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from workbench.errors import ToolError

MAX_LENGTH = 1_000
CONSTANTS = ("pi", "e", "tau")
FUNCTIONS = (
    *("sqrt", "abs", "round", "floor", "ceil", "trunc", "int", "min", "max", "sum", "mean", "pow", "exp", "log", "ln"),
    *("log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "radians", "degrees"),
    *("gcd", "lcm", "factorial", "comb", "perm"),
)

_SIGNS = {
    **dict.fromkeys("×✕✖∙⋅·", "*"),
    **dict.fromkeys("÷⁄∕", "/"),
    **dict.fromkeys("−–—", "-"),
    **{"^": "**", "²": "**2", "³": "**3", "π": " pi ", "≤": "<=", "≥": ">=", "≠": "!="},
    **dict.fromkeys("$€£¥", " "),
}
_SPOKEN = {"average": "mean", "avg": "mean"}
_SPOKEN_MARKS = {"mod": "%", "percent": "%", "of": "of", "plus": "+", "minus": "-", "times": "*"}
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>(?:math\.)?[A-Za-z][A-Za-z0-9]*)"
    r"|(?P<mark>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],!])"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?")
_BASE = re.compile(r"\b0[xXbBoO][0-9a-fA-F]+\b")
_TIMES = re.compile(r"(?<=[\d)])\s*[xX]\s*(?=[\d(.])")
_ROOT = re.compile(r"√\s*(\d+(?:\.\d+)?)")


class Token(NamedTuple):
    """A piece of an expression: number, name or mark."""

    kind: str
    text: str


_CLOCK = re.compile(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])")


def in_minutes(text: str) -> str | None:
    """The expression with its times of day, such as 14:35, as minutes since midnight; None when it has none."""
    minutes, found = _CLOCK.subn(lambda time: str(int(time[1]) * 60 + int(time[2])), text)
    return minutes if found else None


def read(text: str) -> str:
    """The expression in Python's notation, its tokens one space apart. Raises ToolError with what to write instead."""
    tokens = list(_tokens(_plain(text)))
    if not tokens:
        raise ToolError("The expression is empty. Write one such as (3 + 4) * 2.")
    _check_neighbours(tokens)
    return " ".join(_rewritten(tokens))


def _plain(text: str) -> str:
    """The text without quotes, a closing `= ?` and typographic signs."""
    if len(text) > MAX_LENGTH:
        raise ToolError(f"The expression is longer than {MAX_LENGTH} characters. Compute it in parts.")
    text = text.strip().strip("`\"'").strip()
    if found := _BASE.search(text):
        raise ToolError(f"{found.group()} is not understood. Write numbers in base ten.")
    text = re.sub(r"\s*=\s*\??\s*$", "", text)
    text = _ROOT.sub(r"sqrt(\1)", text).replace("√", "sqrt")
    return _TIMES.sub(" * ", "".join(_SIGNS.get(char, char) for char in text))


def _tokens(text: str) -> Iterator[Token]:
    """The tokens. A comma separates arguments inside a call or a list; elsewhere it may only separate thousands."""
    place, previous, brackets = 0, "", list[str]()
    while place < len(text):
        separates = bool(brackets) and brackets[-1] != "("
        grouped = None if separates else _THOUSANDS.match(text, place)
        found = grouped or _TOKEN.match(text, place)
        if found is None:
            raise _unreadable(text, place)
        place = found.end()
        kind = "number" if grouped else str(found.lastgroup)
        if kind == "space":
            continue
        token = _token(kind, found.group())
        if token.text == "," and not separates:
            raise ToolError("A comma stands outside a function. Write decimals with a point (1.5) and 1,234 as 1234.")
        _follow_brackets(brackets, token.text, previous)
        previous = token.text
        yield token


def _token(kind: str, text: str) -> Token:
    if kind == "number":
        return Token(kind, text.replace(",", "").replace("_", ""))
    if kind == "mark":
        return Token(kind, text)
    name = text.lower().removeprefix("math.")
    if name in _SPOKEN_MARKS:
        return Token("mark", _SPOKEN_MARKS[name])
    name = _SPOKEN.get(name, name)
    if name not in FUNCTIONS and name not in CONSTANTS:
        raise ToolError(
            f"The calculator does not know {text!r}. Put numbers in place of names; it takes + - * / // % **, < > ==, "
            "pi, e, sqrt, abs, round, floor, ceil, min, max, sum, mean, log, exp, sin, cos, tan, gcd, lcm, factorial, "
            "comb."
        )
    return Token("name", name)


def _follow_brackets(brackets: list[str], text: str, previous: str) -> None:
    """Keep the open brackets: `(` for grouping, `f(` for a call, `[` for a list."""
    if text == "(":
        brackets.append("f(" if previous in FUNCTIONS else "(")
    elif text == "[":
        brackets.append("[")
    elif text in (")", "]") and (not brackets or (brackets.pop() == "[") != (text == "]")):
        raise ToolError(f"A closing {text} has no opening one. Count the brackets.")


def _unreadable(text: str, place: int) -> ToolError:
    char = text[place]
    if char == "=":
        return ToolError(
            "There are no variables and no equations here. To compare, write ==; else leave out = and what follows."
        )
    if char == "°":
        return ToolError("Angles are in radians. Write sin(radians(30)) for 30 degrees.")
    if char in ";:{}":
        return ToolError(f"{char!r} is not arithmetic. Send one expression; for programs use the python tool.")
    return ToolError(f"The character {char!r} is not understood. Write only numbers, operators and functions.")


def _check_neighbours(tokens: list[Token]) -> None:
    """Refuse `2(3)`, `2 pi` and `3 4`: what stands side by side without an operator is not guessed."""
    for left, right in pairwise(tokens):
        ends = left.kind == "number" or left.text in (")", "]", "!") or left.text in CONSTANTS
        if not ends:
            continue
        if left.kind == right.kind == "number":
            raise ToolError(
                f"Between {left.text} and {right.text} an operator is missing. Send one expression at a time."
            )
        if right.kind != "mark" or right.text in ("(", "["):
            raise ToolError(f"Between {left.text} and {right.text} write the multiplication sign: 2 * (3 + 4), 2 * pi.")


def _rewritten(tokens: list[Token]) -> list[str]:
    """The tokens with percentages and factorials in Python's notation."""
    out: list[str] = []
    for place, (kind, text) in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else Token("end", "")
        if text == "%" and not _is_remainder(after):
            _write_percentage(out, after)
        elif text == "!":
            _write_factorial(out, after)
        elif text == "of":
            out.append("*")
        else:
            out.append(_without_zeros(text) if kind == "number" else text)
    return out


def _is_remainder(after: Token) -> bool:
    if after.text in ("+", "-"):
        raise ToolError("Is that % a percentage or a remainder? Write 15/100 for 15%, or 17 % (-5) for a remainder.")
    return after.kind in ("number", "name") or after.text in ("(", "[")


def _write_percentage(out: list[str], after: Token) -> None:
    """Turn the operand that was just written into hundredths."""
    start = _operand_start(out, "%")
    is_added = start > 1 and out[start - 1] in ("+", "-") and _ends_operand(out[start - 2])
    from_one = out[start - 2 : start - 1] == ["1"] and out[start - 3 : start - 2] in ([], ["("])
    if is_added and not from_one and after.text not in ("of", "*", "/", "//"):
        raise ToolError("Say what the percentage is of. Write 80 + 15% of 80, or 80 * 1.15.")
    out[start:] = ["(", *out[start:], "/", "100", ")"]


def _write_factorial(out: list[str], after: Token) -> None:
    if after.text == "!":
        raise ToolError("Two ! stand side by side. Write factorial(5) for 5!.")
    start = _operand_start(out, "!")
    out[start:] = ["factorial", "(", *out[start:], ")"]


def _operand_start(out: list[str], sign: str) -> int:
    """Where the operand begins that ends what is written so far: a number, a constant, a bracket with its name."""
    if not out or not _ends_operand(out[-1]):
        raise ToolError(f"Before {sign} stands no number. Write for example 15% of 80, or 5!.")
    if out[-1] != ")":
        return len(out) - 1
    depth, place = 0, len(out)
    while place:
        place -= 1
        depth += (out[place] == ")") - (out[place] == "(")
        if depth == 0:
            break
    return place - 1 if place and out[place - 1] in FUNCTIONS else place


def _ends_operand(text: str) -> bool:
    return text == ")" or text in CONSTANTS or text[0].isdigit() or text[0] == "."


def _without_zeros(number: str) -> str:
    """`007` as Python takes it."""
    whole = number.lstrip("0")
    return whole if whole[:1].isdigit() else f"0{whole}" if whole else "0"
