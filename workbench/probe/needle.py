"""Where a model's context really ends: two numbers in ever longer texts, one at the beginning, one in the middle."""

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.backends import prompt_size
from workbench.backends.base import AnswerPart, Message
from workbench.errors import ContextOverflow
from workbench.probe.asking import Asker
from workbench.probe.report import SHORTEST, Context, ContextEnd, Depth, Length

LONGEST: dict[Depth, int] = {"quick": 2_048, "full": 131_072}
SECONDS: dict[Depth, float] = {"quick": 60.0, "full": 900.0}  # that all lengths may take together
ROOM = 96  # tokens for the question, the answer and the template
LINE_TOKENS = 15.0  # of a line of the text, until a server has told how many it counts
TRIES = 2  # a model that misses a number once is asked again for another one
QUESTION_TOKENS = 60  # of the question, the numbers and the template around a text
CUT = 0.9  # a prompt of which less than this share was read was cut
PLACES = {"beginning": "red", "middle": "blue"}
QUESTIONS = len(PLACES)  # about one text, each of which sends it
WHERE = {"beginning": "at the beginning", "middle": "in the middle"}
_NOT_IN_NUMBERS = re.compile(r"(?<=\d)[,.' _\u00a0\u202f](?=\d{3}(?!\d))")  # between thousands
_THINGS = ("lamp", "clock", "chair", "window", "carpet", "shelf", "mirror", "door")
_COLOURS = ("green", "white", "brown", "yellow", "grey", "black")


@dataclass
class Search:
    """What was learned so far: what a line costs in tokens (None: not measured yet), and where the window ended."""

    asker: Asker
    began: float
    line_tokens: float | None = None
    ended_at: int | None = None

    def time_for(self, tokens: int) -> bool:
        """Whether a text of this length can be read in the time that is left."""
        speed = self.asker.speed.prefill if self.asker.speed else None
        needs = tokens / speed if speed else 0.0
        return time.monotonic() - self.began + needs <= SECONDS[self.asker.depth]

    def lines_for(self, tokens: int) -> int:
        """So many lines make a prompt a little shorter than this."""
        return max(round((tokens - ROOM) / (self.line_tokens or LINE_TOKENS)), len(PLACES) + 1)


async def check(asker: Asker) -> Context:
    """Longer texts as long as both numbers are found, up to the window and to what the time allows."""
    search, window = Search(asker, time.monotonic()), asker.context_window or asker.model.context_window
    found: list[Length] = []
    end = await _grow(search, window, found)
    if end in ("refused", "cut") and (last := _just_below(search, found)):
        await _grow_once(search, last, found)
    holds = max((one.read or one.tokens for one in found if one.beginning and one.middle), default=0)
    return Context(
        holds=holds, end=end, window=window, asked=asker.context_window, ended_at=search.ended_at, lengths=tuple(found)
    )


async def _grow(search: Search, window: int | None, found: list[Length]) -> ContextEnd:
    """Why no longer text was tried."""
    for tokens in lengths(window, search.asker.depth):
        if found and not search.time_for(tokens):  # the shortest is always tried
            return "not reached"
        if (end := await _grow_once(search, tokens, found)) is not None:
            return await _lost_or_cut(search, tokens, found) if end == "lost" else end
    return "window" if window and window - ROOM <= LONGEST[search.asker.depth] else "not reached"


async def _grow_once(search: Search, tokens: int, found: list[Length]) -> ContextEnd | None:
    """Look for both numbers in a text of this length: None when they are there, else how it ended."""
    for attempt in range(TRIES):
        try:
            length, least = await _look(search, tokens, attempt)
        except ContextOverflow as error:
            search.asker.conclude("The server refuses a prompt of this length.")
            search.ended_at = error.context_window or search.ended_at or tokens
            return "refused"
        if length.read is not None and length.read < CUT * least:
            found.append(length)
            search.asker.conclude(f"Only {length.read:,} of about {length.tokens:,} tokens were read: it was cut.")
            search.ended_at = length.read
            return "cut"
        if length.beginning and length.middle:
            break
    found.append(length)
    if length.beginning and length.middle:
        return None
    search.ended_at = length.read or length.tokens
    return "lost"


async def _lost_or_cut(search: Search, tokens: int, found: list[Length]) -> ContextEnd:
    """Why a number was not found: where of a longer text no more is read, the server has cut this one too."""
    read = found[-1].read
    if read is None or not search.time_for(2 * tokens):
        return "lost"
    try:
        longer, _ = await _look(search, 2 * tokens, TRIES)
    except ContextOverflow:
        search.asker.conclude("The server refuses a prompt of this length.")
        return "lost"
    if longer.read is None or longer.read > read / CUT:
        return "lost"
    search.asker.conclude(f"Of a text twice as long no more than {longer.read:,} tokens were read: it was cut.")
    search.ended_at = longer.read
    return "cut"


def lengths(window: int | None, depth: Depth) -> Iterator[int]:
    """512, 1,024, ... tokens, and the whole window at the end where it is within reach."""
    most = min(LONGEST[depth], window - ROOM if window else LONGEST[depth])
    length = SHORTEST
    while length < most:
        yield length
        length *= 2
    yield most


def _just_below(search: Search, found: list[Length]) -> int | None:
    """A last length, right below where the server's window turned out to end; None where all below it was seen."""
    passed = max((one.tokens for one in found if one.beginning and one.middle), default=0)
    last = (search.ended_at or 0) - ROOM
    return last if last > passed + ROOM and search.time_for(last) else None


async def _look(search: Search, tokens: int, attempt: int) -> tuple[Length, int]:
    """Ask for each number, and count how much of the prompt was read; it has so many tokens at least.

    The second question finds the text in the cache of a server that has one.
    """
    asker, draw = search.asker, random.Random(f"{tokens} {attempt}")
    codes, lines = {place: str(draw.randrange(1_000, 10_000)) for place in PLACES}, search.lines_for(tokens)
    text, began = haystack(lines, codes, draw), time.monotonic()
    seen, answers = dict[str, bool](), list[AnswerPart]()
    for place, colour in PLACES.items():
        question = f"{text}\n\nWhat is the number of the {colour} box? Answer with the number only."
        heard = await asker.ask(question, max_tokens=24)
        seen[place] = codes[place] in _NOT_IN_NUMBERS.sub("", heard.answer.text)
        answers.append(heard.answer)
        asker.conclude(f"It {'found' if seen[place] else 'did not find'} {codes[place]} {WHERE[place]}.")
    size, least = await _size(search, question, lines)
    read = _read(answers[0], least)
    if all(seen.values()):
        search.line_tokens = ((read or size) - QUESTION_TOKENS) / lines
    seconds = round(time.monotonic() - began, 3)
    found = Length(tokens=size, read=read, beginning=seen["beginning"], middle=seen["middle"], seconds=seconds)
    return found, least


def _read(answer: AnswerPart, least: int) -> int | None:
    """Tokens that were read of a prompt of so many at least; some servers count those from their cache apart."""
    if not answer.prompt_tokens:
        return None
    apart = answer.cached_tokens if answer.prompt_tokens < CUT * least else 0
    return answer.prompt_tokens + (apart or 0)


async def _size(search: Search, question: str, lines: int) -> tuple[int, int]:
    """Tokens of a prompt, and how many it has at least: the same where they can be counted."""
    messages = (Message(role="user", content=question),)
    if count := await search.asker.count(messages):
        return count, count
    if search.line_tokens:
        size = round(lines * search.line_tokens + QUESTION_TOKENS)
        return size, size
    least, likely = prompt_size.bounds(search.asker.request(messages))
    return likely, least


def haystack(lines: int, codes: dict[str, str], draw: random.Random) -> str:
    """Lines about a house; the number of the red box comes first, that of the blue one in the middle."""
    told = [f"The number of the {PLACES[place]} box is {codes[place]}." for place in ("beginning", "middle")]
    house = [
        f"Room {number}: the {draw.choice(_COLOURS)} {draw.choice(_THINGS)} stands beside the"
        f" {draw.choice(_COLOURS)} {draw.choice(_THINGS)}."
        for number in range(1, lines + 1)
    ]
    half = lines // 2
    return "\n".join(["Read this list.", told[0], *house[:half], told[1], *house[half:]])
