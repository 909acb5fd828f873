"""The numbers in a text, read exactly: separators, fractions, percentages, powers of ten, number words.

What looks like a number and is none that can be compared (a date, a time, "1,5", 2x) is found too, without a value,
so that nothing else is mistaken for the answer in its place. "H2O", "GPT-4" and "10-letter" hold no number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

MOST_DIGITS = 400  # of a number that is read; a longer one is no answer to a question
LONGEST_ALONE = 500  # characters of a text that may be one number
FLOAT_DIGITS = 15  # so many digits with a point are a computer's rounding: 0.30000000000000004
FLOAT_ERROR = Fraction(1, 10**12)  # relative

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_VULGAR = {
    **{"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5"},
    **{"⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"},
}
_SIGNS = str.maketrans("−﹣－⁄∕＝≈≃≅％“”‘’", "---//====%\"\"''")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: number for number, word in enumerate(_SMALL)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
_TIMES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "k": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_COINED = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}  # after a currency: $5M

_UNIT_WORD = rf"(?:(?:{'|'.join(_TENS)})[-\s](?:{'|'.join(_SMALL[1:10])})|{'|'.join((*_SMALL, *_TENS))})\b"
_HUNDREDS = rf"(?:(?:{'|'.join(_SMALL[1:])})\s+hundred\b(?:\s+(?:and\s+)?{_UNIT_WORD})?|{_UNIT_WORD})"
_MINUS = r"\b(?:minus|negative)\s+"
_RUN = r"\.?\d(?:[\d.,_]*\d)?"
_TOKEN = re.compile(
    rf"""
    (?P<other> \d+(?::\d+)+ | \d{{1,3}}(?:[ ]\d{{3}})+(?!\d)
        | \d{{4}}-\d{{1,2}}-\d{{1,2}} | \d{{1,2}}[-/]\d{{1,2}}[-/]\d{{2,4}} )
    | (?P<sign> (?<![\w)\]}}%.])[-–+]\s?(?=[$€£¥₹])|(?<![\w)\]}}%.])[-–+](?=[\d.])
        | (?<=[=≈:])\s*[-–]\s+(?=[\d.]) | (?<=\bis)\s+[-–]\s+(?=[\d.]) | {_MINUS}(?=[$€£¥₹\d.]) )?
      (?P<currency> (?:\bUS)?[$€£¥₹]\s?-? )?
      (?: (?P<whole>\d+)\s+(?P<part>\d+)\s?/\s?(?P<of>\d+)
        | (?P<top>{_RUN})\s?/\s?(?P<bottom>-?{_RUN})
        | (?P<factor>{_RUN})\s?[×x*·]\s?10\s?(?:\^|\*\*)\s?[{{(]?(?P<ten>[-+]?\d+)[}})]?
        | (?P<base>{_RUN})\s?(?:\^|\*\*)\s?[{{(]?(?P<power>[-+]?\d+)(?![\d.]*\d)[}})]?
        | (?P<digits>{_RUN})(?:[eE](?P<exponent>[-+]?\d+)(?!\w))?
      )
    | (?P<minus> {_MINUS} )?
      (?P<word> \b{_HUNDREDS}(?:\s+(?:thousand|million|billion)\b(?:,?\s+(?:and\s+)?{_HUNDREDS})?)* )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GLUED = re.compile(r"[^\W\d]-?$|[.,^_]$|\d:$")  # what stands before "2" in H2O, GPT-4 and 1..2
_UNFINISHED_BEFORE = re.compile(
    r"(?:√|sqrt|log|ln|sin|cos|tan|exp)\s*[({]?\s*$|(?<!\w)[a-z](?:\s?[+*]\s?|/)$", re.IGNORECASE
)
_TIMES_AFTER = re.compile(r"\s?(dozen|hundred|thousand|million|billion|trillion)s?\b|(k)(?![^\W_])", re.IGNORECASE)
_COINED_AFTER = re.compile(r"(k|mn?|bn?)(?![^\W_])", re.IGNORECASE)
_PERCENT_AFTER = re.compile(r"\s?(?:%|per ?cent\b)", re.IGNORECASE)
_COMPOUND_AFTER = re.compile(r"-(?:[^\W\d_]{2,}|\w+-)")  # a 10-letter word
_UNFINISHED_AFTER = re.compile(
    r"(?![mgshlLJNWVKAC](?![^\W_]))[^\W\d_](?![^\W_])"  # 2x, 3n: a variable, where 5m and 2h are units
    r"|\s?(?:\\?sqrt|√|\\?pi\b|π|\^|\*\*|!(?=[\s\d]*[-+*/=]))"
    r"|(?:\s?[-+*^]\s?|\s?/(?![hdsm](?!\w)))(?![ai]\s+\w)[a-z](?![\w'])"  # 3+y, 3/x, where $12/h is a price
    r"|\s+and\s+(?:a|one)\s+(?:half|third|quarter)\b"
    r"|[-\s](?:hal(?:f|ves)|thirds?|quarters?|fourths?|fifths?|sixths?|eighths?|tenths?)\b",
    re.IGNORECASE,
)
_WORD_END = re.compile(r"[\w.]*\w|")
_PLAIN = re.compile(r"\d*\.?\d+")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d{1,3}(?:_\d{3})+(?:\.\d+)?")
_LATEX = (
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r" \1/\2"),
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf|boxed)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"</?[a-z]{1,8}>", re.IGNORECASE), ""),
    (re.compile(r"\\(?:times|cdot)(?![a-z])"), "×"),
    (re.compile(r"\\(?:left|right|,|;|!|quad|displaystyle)(?![a-z])|\\(?=[$%])|\\[()\[\]]"), ""),
    (re.compile(r"(?<=\d)(?:\{,\}|['’\u00a0\u2009\u202f])(?=\d{3}(?!\d))"), ","),
    (re.compile(r"(?<!\d)\*\*|\*\*(?!\d)|__|`|(?<=\d)\$(?!\d)"), ""),
)


@dataclass(frozen=True)
class Number:
    """A number at its place in a text. `value` is None for what cannot be compared with one."""

    start: int
    end: int
    value: Fraction | None
    text: str
    percent: bool = False

    @property
    def is_float(self) -> bool:
        """Whether it is written as computers write what they have rounded."""
        return "." in self.text and sum(map(str.isdigit, self.text)) >= FLOAT_DIGITS


def cleaned(text: str) -> str:
    """The text as `find` takes it: without LaTeX and Markdown, with signs, superscripts and ½ in plain characters."""
    text = re.sub(r"(?<=[\d)])([⁻⁰¹²³⁴-⁹]+)", lambda power: f"^{power[1].translate(_SUPERSCRIPTS)}", text)
    text = re.sub("|".join(_VULGAR), lambda part: f" {_VULGAR[part[0]]}", text).translate(_SIGNS)
    for pattern, instead in _LATEX:
        text = pattern.sub(instead, text)
    return text


def find(text: str) -> list[Number]:
    """Every number of a cleaned text, in order."""
    return list(_found(text))


def alone(text: str) -> Number | None:
    """The number that a whole text is, with at most a unit of two words after it: "42", "$1,200", "42 apples"."""
    if len(text) > LONGEST_ALONE:
        return None
    plain = cleaned(text).strip().rstrip(".").strip("()[]")
    found = find(plain)
    if len(found) != 1 or found[0].value is None or found[0].start:
        return None
    return found[0] if re.fullmatch(r"(?:\s?[^\W\d_°]+\.?|\s?°[CF]?|\s?[€£¥₹]){0,2}", plain[found[0].end :]) else None


def same(
    read: Number, wanted: Number, absolute: Fraction | int = 0, relative: Fraction | int = 0, percent: bool = True
) -> bool:
    """Whether two numbers are equal within the larger of two tolerances; `percent`: 50% is 50 as well as 0.5."""
    if read.value is None or wanted.value is None:
        return False
    if read.is_float or wanted.is_float:
        relative = max(relative, FLOAT_ERROR)
    near = max(absolute, relative * abs(wanted.value))
    return any(abs(left - right) <= near for left, right in _pairs(read, wanted, percent))


def _pairs(read: Number, wanted: Number, percent: bool) -> Iterator[tuple[Fraction, Fraction]]:
    assert read.value is not None and wanted.value is not None
    if read.percent == wanted.percent or percent:
        yield read.value, wanted.value
    if read.percent != wanted.percent and percent:
        yield (read.value / 100, wanted.value) if read.percent else (read.value, wanted.value / 100)


def _found(text: str) -> Iterator[Number]:
    at = 0
    while match := _TOKEN.search(text, at):
        at = match.end()
        start = match.start()
        if _GLUED.search(text[max(0, start - 2) : start]) and not match["word"]:
            at = _end_of_word(text, match)
            continue
        if _COMPOUND_AFTER.match(text, at) and not _UNFINISHED_AFTER.match(text, at):
            continue
        number = _number(text, match)
        at = number.end
        yield number


def _end_of_word(text: str, match: re.Match[str]) -> int:
    """Behind the word that the digits are a part of."""
    tail = _WORD_END.match(text, match.end())
    return tail.end() if tail and match["digits"] else match.end()


def _number(text: str, match: re.Match[str]) -> Number:
    """The number at a match, with what follows it: magnitude, percent sign."""
    value, end = _value(match), match.end()
    after = _COINED_AFTER.match(text, end) if match["currency"] else None
    times = _COINED if after else _TIMES
    after = after or _TIMES_AFTER.match(text, end)
    if after and value is not None:
        value, end = value * times[(after.group(1) or after.group(2)).lower()], after.end()
    percent = _PERCENT_AFTER.match(text, end)
    if percent:
        end = percent.end()
    if _UNFINISHED_AFTER.match(text, end) or _UNFINISHED_BEFORE.search(text[max(0, match.start() - 8) : match.start()]):
        value = None
    return Number(match.start(), end, value, text[match.start() : end].strip(), percent is not None)


def _value(match: re.Match[str]) -> Fraction | None:
    parts = match.groupdict()
    if parts["other"] or match.end() - match.start() > MOST_DIGITS:
        return None
    if parts["word"]:
        return _said(parts["word"], -1 if parts["minus"] else 1)
    size = _size(parts)
    minus = (parts["sign"] or "").strip().lower() in ("-", "–", "minus", "negative") or (
        parts["currency"] or ""
    ).endswith("-")
    return -size if minus and size is not None else size


def _said(words: str, sign: int) -> Fraction | None:
    """A number in words; None for "one thousand, two thousand"."""
    total, part, least = 0, 0, 10**12
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            part *= 100
        elif word in _TIMES:
            if _TIMES[word] >= least:
                return None
            total, part, least = total + part * _TIMES[word], 0, _TIMES[word]
        else:
            part += _WORDS.get(word, 0)
    return Fraction(sign * (total + part))


def _size(parts: dict[str, str | None]) -> Fraction | None:
    """The number without its sign."""
    if parts["whole"]:
        return _sum(_decimal(parts["whole"]), _ratio(_decimal(parts["part"]), _decimal(parts["of"])))
    if parts["top"]:
        return _ratio(_decimal(parts["top"]), _decimal(parts["bottom"]))
    if parts["factor"]:
        return _scaled(_decimal(parts["factor"]), parts["ten"])
    if parts["base"]:
        return _raised(_decimal(parts["base"]), parts["power"])
    return _scaled(_decimal(parts["digits"]), parts["exponent"])


def _decimal(run: str | None) -> Fraction | None:
    """A decimal, thousands separated by commas; None for "1,5" and "1.2.3", which may mean anything."""
    run = run or ""
    sign, digits = (-1, run[1:]) if run.startswith("-") else (1, run)
    if not _PLAIN.fullmatch(digits) and not _GROUPED.fullmatch(digits):
        return None
    return sign * Fraction(digits.replace(",", "").replace("_", ""))


def _sum(whole: Fraction | None, part: Fraction | None) -> Fraction | None:
    return whole + part if whole is not None and part is not None and part < 1 else None


def _ratio(top: Fraction | None, bottom: Fraction | None) -> Fraction | None:
    return top / bottom if top is not None and bottom else None


def _scaled(size: Fraction | None, exponent: str | None) -> Fraction | None:
    """The size times ten to the exponent."""
    ten = int(exponent or 0)
    return size * Fraction(10) ** ten if size is not None and abs(ten) <= MOST_DIGITS else None


def _raised(base: Fraction | None, exponent: str | None) -> Fraction | None:
    power = int(exponent or 0)
    is_small = base is not None and abs(power) * len(str(base)) <= MOST_DIGITS and (base or power > 0)
    return base**power if base is not None and is_small else None
