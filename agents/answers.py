"""The answer proper in what a model wrote, and one form for all answers that mean the same."""

import re
import unicodedata
from fractions import Fraction

NUMBER = r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
QUANTITY = rf"-?(?:US)?[$€£¥]?\s?{NUMBER}(?:\s?[%€£¥°])?"
FEW = 6  # words; more than that is a description
SHORT = 20  # words that a line may have to be taken for the answer though nothing says that it is
LONGEST_BOX = 400  # characters within which a \boxed{...} must close
LONGEST_NUMBER = 60  # characters of what is read as a number

LABEL = re.compile(r"^.*\banswer\b(?:\s*\([^)]*\))?[\s*_]*[:：][\s*_]*(.*)$", re.IGNORECASE)
PHRASE = re.compile(
    r"\banswer(?:\s+to\s+\w+(?:\s+\w+)?)?[\s*_]*(?:\b(?:is|would be|must be|equals)\b|=)[\s*_:：]*"
    r"(?!\s*(?:correct|incorrect|right|wrong|not|given|found|as follows|based|obtained|determined|calculated)\b)"
    r"(\S.*)$",
    re.IGNORECASE,
)
HASHES = re.compile(r"^\s*####\s*([^\s#].*)$")
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
BLANK = re.compile(r"[<\[{(]+[^<>\[\]{}()]*[>\]})]+")  # "<your answer>", copied from the instructions
ANOTHER = re.compile(r"^[\s*_#>]*(?:new |next )?(?:question|q)\s*\d*\s*[:：]", re.IGNORECASE)
ASIDE = re.compile(r"^[\s*_#>-]*(?:explanation|reason|reasoning|justification|notes?|steps)[\s*_]*[:：]", re.IGNORECASE)
POLITE = re.compile(
    r"\b(?:let me know|hope (?:this|that|it)|feel free|(?:more|other|further) questions)\b", re.IGNORECASE
)
FENCE = re.compile(r"^\s*(?:```|~~~)\s*([\w+#.-]*)")
DEFINES = re.compile(r"^\s*(?:async\s+)?(?:def|class|function|fn|func)\b", re.MULTILINE)
PROSE = frozenset({"", "text", "plaintext", "txt", "markdown", "md", "latex", "math"})
SENTENCE_END = re.compile(r"(?<![A-Z])[.!?]\s+(?=[A-Z*])")
DECIDED = re.compile(rf"(?!1\.)((?:yes|no|true|false|{QUANTITY}))(?<!\.)[.,!]\s+[^\W\d]", re.IGNORECASE)
DIGITS = re.compile(r"[0-9](?:[0-9,.]*[0-9])?")
UNITS = r"(?:\s+[^\W\d_]+){0,2}"
ENDS_IN = re.compile(
    r"\b(?:was|were|be|has|have|had|takes?|makes?|gets?|in|about|approximately|exactly|only|total of|with)"
    rf"\s+({QUANTITY}{UNITS})$",
    re.IGNORECASE,
)
COMES_TO = re.compile(
    rf"(?:\b(?:is|are|costs?|equals?|gives?)\s+(?:about |approximately |exactly |only )?|[=≈]\s*)({QUANTITY})",
    re.IGNORECASE,
)
IS_NAMED = re.compile(
    r"^(?i:(?!.*\b(?:not|never|wrong|incorrect|false|other|except)\b)"
    r"(?:(?:so|thus|then|therefore|hence),? )?(?:the|it|this|that)\b).*\b(?:is|was|are|were)"
    r" ((?:[^\W\d_a-z][\w-]* ?){1,4})$"
)
THERE_ARE = re.compile(rf"\bthere (?:are|is|were|was)\s+(?:only |exactly )?({QUANTITY})\s+\S", re.IGNORECASE)

DROPPED = re.compile(r"\\(?:left|right|displaystyle|,|;|!|quad)(?![a-z])|[`*]+", re.IGNORECASE)
MATH = re.compile(r"(?<!\\)\$([^$\n]*[^$\s\\-])\$(?![0-9])")
WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|operatorname|boxed|fbox)\s*\{([^{}]*)\}")
FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
GROUPED = re.compile(r"(?<=[0-9])(?:\{,\}|[\u00a0\u2009\u202f'_])(?=[0-9]{3})")
VULGAR = re.compile(r"([¼-¾⅐-⅞])")  # 1½ is not 11/2
ARTICLE = re.compile(r"\b(?:a|an|the)\s+(?=\w\w)")
CURRENCY = re.compile(r"^([-+]?)\s*(?:us)?[$€£¥]\s*|\s*(?:[$€£¥]|\b(?:us )?dollars?|\beuros?|\busd|\beur)$")
CHOICE = re.compile(r"^(?:(?:option|choice|answer)\s+)?[(\[]?([a-z])[)\]]?[.:]?$")
LEADING = re.compile(rf"^({NUMBER})(?:\s+(?=[^\W\d_])|$)")
TOLD = "zero one two three four five six seven eight nine ten eleven twelve"
WORDS = {word: str(number) for number, word in enumerate(TOLD.split())}


def extract(text: str) -> str:
    """The answer proper: what the last "Answer: ...", "The answer is ...", \\boxed{...} or "#### ..." says.

    Without one it is a block of code that is most of the text or defines something, what is bold in the last line, the
    last line if it is short, else the whole text. Empty where there is nothing.
    """
    return marked(text) or _unmarked(text.strip())


def marked(text: str) -> str:
    """What the text itself says is the answer; empty where it says so of nothing.

    Where that is only a description of the program that stands before it, it is the program.
    """
    said = _said(text)
    code = _program(text) if len(said.split()) > FEW and "```" not in said else ""
    return code or said


def _said(text: str) -> str:
    """What the last line that announces an answer says."""
    lines = _own_lines(text.strip().splitlines())
    code = _in_code(lines)
    for number in range(len(lines) - 1, -1, -1):
        if not code[number] and (found := _marked_at(lines, number)):
            return found
    return ""


def concluded(text: str, finish_reason: str) -> str:
    """The answer that a model's reasoning comes to; a text that was cut has one only where it says so itself."""
    return extract(text) if finish_reason == "stop" else marked(text)


def normalise(text: str) -> str:
    """One form for answers that mean the same, to compare and to count them; it is not for reading.

    Case, spaces, articles, outer marks and punctuation do not count, nor how a number is written ("1,200", "$12.00",
    "0.50", "1/2", "twelve") or a choice ("(B)", "B."). Units stay: five cents are not five dollars.
    """
    plain = unicodedata.normalize("NFKC", VULGAR.sub(r" \1", GROUPED.sub("", text))).casefold()
    plain = plain.translate(str.maketrans("−–—‘’⁄", "---''/", '"“”'))
    plain = _bare(_unwrapped(plain))
    if choice := CHOICE.match(plain):
        return choice.group(1)
    plain = _bare(ARTICLE.sub("", re.sub(r"\s*(?:\bpercent\b|%)", "%", plain)))
    amount = CURRENCY.sub(r"\1", plain).strip()
    if number := _number(WORDS.get(amount, amount)):
        return number
    if leading := LEADING.match(plain):
        return f"{_number(leading.group(1)) or leading.group(1)} {plain[leading.end() :]}".strip()
    return plain


def _own_lines(lines: list[str]) -> list[str]:
    """The lines up to a further question that the model asks itself once it has answered."""
    answered = False
    for number, line in enumerate(lines):
        if answered and ANOTHER.match(line):
            return lines[:number]
        answered = answered or bool(LABEL.match(line))
    return lines


def _in_code(lines: list[str]) -> list[bool]:
    """For each line whether it is program code, in which "Answer:" is only printed."""
    inside, inner = "", []
    for line in lines:
        fence = FENCE.match(line)
        if fence:
            inside = "" if inside else "prose" if fence.group(1).lower() in PROSE else "code"
        inner.append(inside == "code" and not fence)
    return inner


def _marked_at(lines: list[str], number: int) -> str:
    """The answer that one line announces; empty where it announces none."""
    line, rest = lines[number], lines[number + 1 :]
    if label := LABEL.match(line):
        said = _without_reasons(label.group(1))
        return "" if BLANK.fullmatch(_bare(said)) else _proper(said) or _below(rest)
    if phrase := PHRASE.search(line):
        return _proper(_without_reasons(SENTENCE_END.split(phrase.group(1), maxsplit=1)[0]))
    if hashes := HASHES.match(line):
        said = _bare(hashes.group(1))
        return _proper(said) if _is_quantity(said) or not any(map(str.strip, rest)) else ""
    return _boxed("\n".join(lines[number:]), len(line)) if BOX.search(line) else ""


def _without_reasons(text: str) -> str:
    """ "Yes. The number is prime." is a yes, "42, because ..." is 42."""
    decided = DECIDED.match(_unwrapped(text).strip())
    return decided.group(1) if decided else text


def _below(lines: list[str]) -> str:
    """What stands under a lone "Answer:": one block of code, one value, or all up to the reasons for it."""
    ends = [number for number, line in enumerate(lines) if ASIDE.match(line)]
    block = "\n".join(lines[: ends[0]] if ends else lines).strip()
    if FENCE.match(block):
        return _fenced(block)
    first = block.partition("\n\n")[0]
    return _proper(first if _is_quantity(_bare(first)) else block)


def _boxed(text: str, width: int) -> str:
    """The content of the box that begins in the first `width` characters; the whole line where several begin there."""
    begun = list(BOX.finditer(text[:width]))
    if len(begun) > 1:
        return _proper(text[:width])
    depth, start = 1, begun[0].end()
    for at in range(start, min(len(text), start + LONGEST_BOX)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return _proper(text[start:at])
    return ""


def _unmarked(text: str) -> str:
    """The answer where nothing says what it is."""
    code = max(_blocks(text), key=len, default="")
    if 2 * len(code) >= len(text) > 0:
        return _fenced(code)
    if DEFINES.search(code := _program(text)):
        return code
    lines = [line for line in text.splitlines() if re.search(r"\w", line) and not _says_nothing(line)]
    last = lines[-1] if lines else ""
    bold = re.findall(r"\*\*([^*\n]+)\*\*", last)
    if len(bold) == 1 and not bold[0].rstrip().endswith(":") and not last.rstrip().endswith(":"):
        return _proper(bold[0])
    is_last_word = len(lines) > 0 and len(last.split()) <= SHORT and not FENCE.match(last)
    if is_last_word and (len(lines) == 1 or _ends(last)):
        return _proper(last)
    return "\n".join(lines).strip() if any(map(LABEL.match, text.splitlines())) else text


def _blocks(text: str) -> list[str]:
    """The fenced blocks of a text, each with its fence."""
    return re.findall(r"^[ \t]*```.*?^[ \t]*```", text, re.MULTILINE | re.DOTALL)


def _program(text: str) -> str:
    """The longest block of more than one line that is said to be in a programming language; empty without one."""
    named = [block for block in _blocks(text) if (mark := FENCE.match(block)) and mark.group(1).lower() not in PROSE]
    return max((block for block in map(_fenced, named) if "\n" in block), key=len, default="")


def _says_nothing(line: str) -> bool:
    """Whether a line is a courtesy, or announces an answer that does not come."""
    return bool(POLITE.search(line) or LABEL.match(line))


def _ends(line: str) -> bool:
    """Whether a line concludes: a sentence or a value, not an item of a list or a verse."""
    return bool(re.search(r"(?:[.!?)}$*]|\\\]|[0-9%])\s*$", line)) and not re.match(r"\s*(?:[-*+]|\d+[.)])\s", line)


def _fenced(block: str) -> str:
    """A block of code with its fence; the content of one that holds a single line."""
    inner = block.strip().splitlines()[1:]
    end = next((number for number, line in enumerate(inner) if FENCE.match(line)), len(inner))
    inner = inner[:end]
    return "\n".join(block.strip().splitlines()[: end + 2]) if len(inner) > 1 else "".join(inner).strip()


def _proper(text: str) -> str:
    """The answer without marks; of a sentence that comes to one number or to a name, only that; a text as it is."""
    plain = _bare(_unwrapped(text))
    if "\n" in plain or len(plain.split()) > SHORT:
        return text.strip().removesuffix("**").rstrip() if text.count("**") % 2 else text.strip()
    comes_to = list(COMES_TO.finditer(plain))
    if comes_to and re.fullmatch(UNITS, plain[comes_to[-1].end() :]):
        between = plain[comes_to[0].end() : comes_to[-1].start()]
        if len(comes_to) == 1 or not re.search(r"(?<!\\)\b[^\W\d_]{2,}|[,;]", between):
            return plain[comes_to[-1].start(1) :].strip()
    one = len(DIGITS.findall(plain)) == 1 and (ENDS_IN.search(plain) or THERE_ARE.search(plain))
    found = one or IS_NAMED.search(plain)
    return found.group(1).strip() if found else plain


def _unwrapped(text: str) -> str:
    """The text without LaTeX and Markdown around its words."""
    plain = MATH.sub(r"\1", text).replace("\\$", "$").replace("\\%", "%").replace("{,}", ",")
    plain = re.sub(r"\\[()\[\]]", " ", plain)
    for _ in range(3):
        plain = WRAPPED.sub(r"\1", FRACTION.sub(r"\1/\2", plain))
    return DROPPED.sub("", plain)


def _bare(text: str) -> str:
    """The text without spaces, quotes, emphasis and final punctuation around it."""
    plain = re.sub(r"[ \t]+", " ", text).strip()
    while True:
        shorter = plain.strip().strip('*_`"“”').rstrip(".,;:!").strip()
        if len(shorter) > 1 and shorter[0] == shorter[-1] == "'":
            shorter = shorter[1:-1]
        if shorter == plain:
            return plain
        plain = shorter


def _is_quantity(text: str) -> bool:
    return re.fullmatch(QUANTITY, text) is not None


def _number(text: str) -> str:
    """A number, or a fraction of two, in its shortest form; empty for anything else."""
    parts = re.split(r" ?/ ?", text)  # 3 4 is not 34
    if len(text) > LONGEST_NUMBER or len(parts) > 2 or not all(re.fullmatch(NUMBER, part) for part in parts):
        return ""
    values = [Fraction(part.replace(",", "").rstrip(".")) for part in parts]
    if len(values) == 2 and not values[1]:
        return ""
    value = values[0] / values[1] if len(values) == 2 else values[0]
    return _decimal(value)


def _decimal(value: Fraction) -> str:
    """The value as a decimal where it ends, else as a reduced fraction."""
    places, rest = 0, value.denominator
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = f"{abs(value.numerator) * 10**places // value.denominator:0{places + 1}d}"
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + (f"{whole}.{decimals}" if places else whole)
