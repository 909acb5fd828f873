"""Writes the data sets that come with the program: seeded, with exact answers, the same bytes every time."""

import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from scripts.set_programs import PROGRAMS
from workbench.experiments.shipped import SHIPPED

PER_LEVEL = {"easy": 15, "medium": 20, "hard": 15}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
MONTHS += ("November", "December")


@dataclass(frozen=True)
class Asked:
    """A question with its exact answer, and other ways to write the answer."""

    question: str
    answer: str
    aliases: tuple[str, ...] = field(default=())


Maker = Callable[[random.Random], Asked]

# --- letters ---


def _words(*lines: str) -> list[str]:
    return " ".join(lines).split()


SHORT_WORDS = _words(
    "apple banana butter cheese coffee dinner eleven freeze giggle hammer issue jelly kettle ladder",
    "mirror needle office paper puppet queue rabbit silver tunnel upper valley window yellow zipper",
    "balloon cabbage",
)
LONG_WORDS = _words(
    "strawberry mississippi accommodation bookkeeper committee successful possession parallel millennium",
    "embarrassment assassination constitution dispossessed hippopotamus institutional kindergarten",
    "lightheartedness nevertheless occurrence refrigerator responsibility rhododendron statistician",
    "subcommittee transcendental unintentionally uninteresting whatsoever characteristically",
    "indistinguishable",
)
SENTENCES = (
    "The little yellow kettle whistled while nobody was listening.",
    "Several silver sailboats slipped silently past the sleeping seals.",
    "Every evening the old engineer repaired seven broken bicycles.",
    "A tall waiter carried twelve plates of hot potatoes to the terrace.",
    "My brother borrowed a purple umbrella from our neighbour.",
    "Many small animals gather near the warm stones after rain.",
    "The committee agreed to meet again in the middle of November.",
    "Please put the pepper on the upper shelf of the kitchen cupboard.",
    "Nine hungry lions rested in the shade of a single thorn tree.",
    "Cold coffee, hot cocoa and fresh bread were all that we could afford.",
)


def letter_in_word(words: list[str], least: int) -> Maker:
    """How often a letter occurs in a word, where it occurs at least so often."""

    def make(rng: random.Random) -> Asked:
        word = rng.choice(words)
        letter = rng.choice([sign for sign in sorted(set(word)) if word.count(sign) >= least] or sorted(set(word)))
        question = f'How many times does the letter "{letter}" occur in the word "{word}"?'
        return Asked(f"{question} The answer is a number.", str(word.count(letter)))

    return make


def letter_among_letters(rng: random.Random) -> Asked:
    """How often a letter occurs in a word that is spelled out, so that a model sees each letter."""
    word = rng.choice(SHORT_WORDS)
    letter = rng.choice(sorted(set(word)))
    question = f'The letters of a word are: {" ".join(word)}. How many of them are "{letter}"?'
    return Asked(f"{question} The answer is a number.", str(word.count(letter)))


def letters_in_word(rng: random.Random) -> Asked:
    """How long a short word is."""
    word = rng.choice(SHORT_WORDS)
    return Asked(f'How many letters are there in the word "{word}"? The answer is a number.', str(len(word)))


def letter_in_sentence(rng: random.Random) -> Asked:
    """How often a letter occurs in a sentence, in either case."""
    sentence = rng.choice(SENTENCES)
    letter = rng.choice([sign for sign in "aeilnoprst" if sentence.lower().count(sign) >= 3])
    question = f'How many times does the letter "{letter}" occur in this sentence, in either case? "{sentence}"'
    return Asked(f"{question} The answer is a number.", str(sentence.lower().count(letter)))


def vowels_in_word(rng: random.Random) -> Asked:
    """How many vowels a long word has."""
    word = rng.choice(LONG_WORDS)
    question = f'How many vowels (a, e, i, o, u) are there in the word "{word}", counting each time that one occurs?'
    return Asked(f"{question} The answer is a number.", str(sum(sign in "aeiou" for sign in word)))


LETTERS = {
    "easy": (letters_in_word, letter_among_letters, letters_in_word),
    "medium": (letter_in_word(SHORT_WORDS, 2), letter_among_letters, letter_in_word(LONG_WORDS, 3)),
    "hard": (letter_in_word(LONG_WORDS, 2), vowels_in_word, letter_in_sentence),
}

# --- decimals ---


def a_decimal(rng: random.Random, whole: int, places: int) -> Decimal:
    """A number with this whole part and so many places, the last of which is no zero."""
    digits = "".join(str(rng.randint(0, 9)) for _ in range(places - 1)) + str(rng.randint(1, 9))
    return Decimal(f"{whole}.{digits}")


def neighbours(rng: random.Random, many: int, most_places: int) -> list[Decimal]:
    """Different numbers with the same whole part that begin alike but are not equally long."""
    whole, first = rng.randint(0, 60), rng.randint(0, 9)
    found: list[Decimal] = []
    while len(found) < many:
        places = rng.randint(1, most_places)
        number = a_decimal(rng, whole, places)
        if rng.random() < 0.5:
            number = Decimal(f"{whole}.{first}{str(number).split('.')[1]}")
        if number not in found:
            found.append(number)
    return found


def which(question: str, numbers: list[Decimal], answer: Decimal, negative: bool = False) -> Asked:
    """A question about numbers, which are listed in their order; all negative if wanted."""
    sign = "-" if negative else ""
    said = [f"{sign}{number}" for number in numbers]
    listed = " or ".join(said) if len(said) == 2 else ", ".join(said)
    return Asked(f"{question}: {listed}? The answer is that number.", f"{sign}{answer}")


def two_alike(rng: random.Random) -> Asked:
    """Two numbers of which the longer one may be the smaller."""
    numbers = neighbours(rng, 2, 3)
    larger = rng.random() < 0.5
    return which(f"Which number is {'larger' if larger else 'smaller'}", numbers, (max if larger else min)(numbers))


def largest_of(many: int) -> Maker:
    """The largest or smallest of several."""

    def make(rng: random.Random) -> Asked:
        numbers = neighbours(rng, many, 3)
        largest = rng.random() < 0.5
        word, answer = ("largest", max(numbers)) if largest else ("smallest", min(numbers))
        return which(f"Which of these numbers is the {word}", numbers, answer)

    return make


def second_of_four(rng: random.Random) -> Asked:
    """The second largest of four."""
    numbers = neighbours(rng, 4, 3)
    return which("Which of these numbers is the second largest", numbers, sorted(numbers)[-2])


def negatives(rng: random.Random) -> Asked:
    """The larger of negative numbers."""
    numbers = neighbours(rng, rng.choice((2, 3)), 3)
    return which("Which of these numbers is the largest", numbers, min(numbers), negative=True)


def how_many_larger(rng: random.Random) -> Asked:
    """How many of five are larger than another."""
    limit, *numbers = neighbours(rng, 6, 3)
    question = f"How many of these numbers are larger than {limit}: {', '.join(map(str, numbers))}?"
    return Asked(f"{question} The answer is a count.", str(sum(number > limit for number in numbers)))


def median(rng: random.Random) -> Asked:
    """The middle one of five."""
    numbers = neighbours(rng, 5, 3)
    return which("Which of these numbers is in the middle when they are sorted", numbers, sorted(numbers)[2])


DECIMALS = {
    "easy": (two_alike, largest_of(3)),
    "medium": (largest_of(5), negatives, second_of_four),
    "hard": (second_of_four, how_many_larger, median),
}

# --- arithmetic ---

NAMES = ("Ada", "Ben", "Clara", "Dario", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kemi", "Lena")
THINGS = ("apples", "stamps", "marbles", "postcards", "shells", "pencils", "buttons", "coins")


def shopping(rng: random.Random) -> Asked:
    """Two steps: two prices."""
    name, a, b = rng.choice(NAMES), rng.randint(2, 9), rng.randint(2, 9)
    pen, book = rng.randint(2, 6), rng.randint(7, 19)
    question = (
        f"{name} buys {a} pens at {pen} dollars each and {b} books at {book} dollars each. What is that in dollars?"
    )
    return Asked(question, str(a * pen + b * book))


def sharing(rng: random.Random) -> Asked:
    """Two steps: give away, then share."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    each, friends, given = rng.randint(4, 15), rng.randint(3, 8), rng.randint(5, 40)
    total = each * friends + given
    question = (
        f"{name} has {total} {thing}, keeps {given} of them and shares the rest equally among {friends} friends."
        f" How many {thing} does each friend get?"
    )
    return Asked(question, str(each))


def change_back(rng: random.Random) -> Asked:
    """Two steps: what is left of a note."""
    name, many, price = rng.choice(NAMES), rng.randint(3, 12), rng.randint(3, 8)
    return Asked(
        f"{name} pays for {many} tickets at {price} dollars each with a 100 dollar note. How many dollars come back?",
        str(100 - many * price),
    )


def savings(rng: random.Random) -> Asked:
    """Three steps: weeks of saving for two things."""
    name, weekly, weeks, spent = rng.choice(NAMES), rng.randint(11, 29), rng.randint(5, 14), rng.randint(13, 49)
    extra = rng.randint(15, 60)
    question = (
        f"{name} saves {weekly} dollars a week for {weeks} weeks, spends {spent} dollars on a present, and then gets"
        f" {extra} dollars from an aunt, half of which goes to a sister. How many dollars does {name} have now?"
    )
    return Asked(question, str(weekly * weeks - spent + extra // 2)) if extra % 2 == 0 else savings(rng)


def bakery(rng: random.Random) -> Asked:
    """Four steps: trays, some burnt, packed in boxes, sold."""
    trays, each, burnt = rng.randint(5, 12), rng.randint(12, 24), rng.randint(3, 19)
    size, price = rng.choice((4, 6, 8)), rng.randint(3, 9)
    boxes = (trays * each - burnt) // size
    question = (
        f"A bakery bakes {trays} trays of {each} rolls. {burnt} rolls are burnt and thrown away. The others are packed"
        f" in boxes of {size}, and only full boxes are sold, at {price} dollars each. How many dollars does it take in"
        " when all full boxes are sold?"
    )
    return Asked(question, str(boxes * price))


def collectors(rng: random.Random) -> Asked:
    """Three steps: a comparison between three people."""
    a, b, c = rng.sample(NAMES, 3)
    thing, start, more, times = rng.choice(THINGS), rng.randint(12, 45), rng.randint(7, 25), rng.randint(2, 4)
    question = (
        f"{a} has {start} {thing}. {b} has {more} more than {a}. {c} has {times} times as many as {b}."
        f" How many {thing} do the three have together?"
    )
    return Asked(question, str(start + (start + more) + times * (start + more)))


def train_day(rng: random.Random) -> Asked:
    """Four steps: people who get on and off."""
    start, off1, on1 = rng.randint(90, 180), rng.randint(15, 60), rng.randint(10, 70)
    left = start - off1 + on1
    if left % 2:
        return train_day(rng)
    on2 = rng.randint(11, 44)
    question = (
        f"A train leaves with {start} people. At the first stop {off1} get off and {on1} get on. At the second stop"
        f" half of those on the train get off and {on2} get on. How many people are on the train then?"
    )
    return Asked(question, str(left // 2 + on2))


def garden(rng: random.Random) -> Asked:
    """Five steps: area, path, seed by weight, price, discount."""
    width, length, path = rng.randint(8, 18), rng.randint(19, 35), rng.randint(1, 2)
    inner = (width - 2 * path) * (length - 2 * path)
    price, off = rng.randint(2, 6), rng.randint(5, 40)
    question = (
        f"A garden is {width} metres wide and {length} metres long. Along all four of its edges, inside it, runs a path"
        f" that is {path} metre{'s' if path > 1 else ''} wide; the rest is lawn. Turf costs {price} dollars a square"
        f" metre, and the shop takes {off} dollars off the bill. How many dollars does the turf for the lawn cost?"
    )
    return Asked(question, str(inner * price - off))


def wages(rng: random.Random) -> Asked:
    """Five steps: hours, overtime, a deduction, several weeks."""
    name, rate, hours, weeks = rng.choice(NAMES), 2 * rng.randint(6, 14), rng.randint(41, 52), rng.randint(3, 6)
    fee = rng.randint(20, 60)
    week = 40 * rate + (hours - 40) * rate * 3 // 2
    question = (
        f"{name} earns {rate} dollars an hour for the first 40 hours of a week and one and a half times as much for"
        f" every further hour. {name} works {hours} hours in each of {weeks} weeks and pays {fee} dollars for travel in"
        f" every week but the first. How many dollars are left after the {weeks} weeks?"
    )
    return Asked(question, str(week * weeks - fee * (weeks - 1)))


def warehouse(rng: random.Random) -> Asked:
    """Six steps: stock over some days."""
    start, came, sold = rng.randint(200, 500), rng.randint(40, 90), rng.randint(60, 130)
    days, share = rng.randint(4, 8), rng.choice((3, 4, 5))
    crates = rng.randint(2, 6)
    left = start + days * (came - sold) + crates * 24
    if left < 50 or left % share:
        return warehouse(rng)
    question = (
        f"A warehouse holds {start} lamps. On each of {days} days {came} lamps arrive and {sold} are sold. Then"
        f" {crates} crates of two dozen lamps each arrive, and one in {share} of all lamps that are there turns out to"
        " be broken and is sent back. How many lamps are left?"
    )
    return Asked(question, str(left - left // share))


ARITHMETIC = {
    "easy": (shopping, sharing, change_back),
    "medium": (savings, bakery, collectors, train_day),
    "hard": (garden, wages, warehouse),
}

# --- dates ---


def a_date(rng: random.Random) -> date:
    """A day in or near our time."""
    return date(rng.randint(1996, 2031), 1, 1) + timedelta(rng.randint(0, 364))


def in_words(day: date) -> str:
    """A date as English writes it."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def as_date(question: str, day: date) -> Asked:
    """A question whose answer is a date."""
    american = f"{MONTHS[day.month - 1]} {day.day}, {day.year}"
    return Asked(f"{question} Give the answer in the form YYYY-MM-DD.", day.isoformat(), (in_words(day), american))


def weekday_later(least: int, most: int) -> Maker:
    """The weekday so many days after a weekday."""

    def make(rng: random.Random) -> Asked:
        now, days = rng.randrange(7), rng.randint(least, most)
        when = f"{days} days from now" if days > 1 else "tomorrow"
        question = f"Today is {WEEKDAYS[now]}. Which day of the week is it {when}?"
        return Asked(f"{question} The answer is a weekday.", WEEKDAYS[(now + days) % 7])

    return make


def days_between(least: int, most: int) -> Maker:
    """The days from one date to a later one."""

    def make(rng: random.Random) -> Asked:
        first = a_date(rng)
        last = first + timedelta(rng.randint(least, most))
        if least < 25 and first.month != last.month:
            return make(rng)
        question = (
            f"How many days after {in_words(first)} is {in_words(last)}? The day after a date is 1 day after it."
            " The answer is a number."
        )
        return Asked(question, str((last - first).days))

    return make


def within_month(rng: random.Random) -> Asked:
    """The date a few days later in the same month."""
    first, days = a_date(rng), rng.randint(1, 6)
    last = first + timedelta(days)
    if first.month != last.month:
        return within_month(rng)
    return as_date(f"Which date is {days} {'day' if days == 1 else 'days'} after {in_words(first)}?", last)


def earliest_of(many: int) -> Maker:
    """Which of some dates in neighbouring years is the earliest, or the latest."""

    def make(rng: random.Random) -> Asked:
        year = rng.randint(1998, 2030)
        days = [a_date(rng).replace(year=year + rng.randint(0, many - 2), day=rng.randint(1, 28)) for _ in range(many)]
        earliest = rng.random() < 0.5
        listed = " or ".join(map(in_words, days)) if many == 2 else ", ".join(map(in_words, days))
        word = ("earlier" if many == 2 else "earliest") if earliest else ("later" if many == 2 else "latest")
        return as_date(f"Which of these dates is {word}: {listed}?", (min if earliest else max)(days))

    return make


def days_later(least: int, most: int) -> Maker:
    """The date so many days after, or before, a date."""

    def make(rng: random.Random) -> Asked:
        first, days = a_date(rng), rng.randint(least, most)
        later = rng.random() < 0.6
        last = first + timedelta(days if later else -days)
        return as_date(f"Which date is {days} days {'after' if later else 'before'} {in_words(first)}?", last)

    return make


def months_later(rng: random.Random) -> Asked:
    """The same day of the month, some months later."""
    first, months = a_date(rng), rng.randint(5, 30)
    if first.day > 28:
        return months_later(rng)
    total = first.month - 1 + months
    last = first.replace(year=first.year + total // 12, month=total % 12 + 1)
    return as_date(f"Which date is exactly {months} months after {in_words(first)}?", last)


def month_end(rng: random.Random) -> Asked:
    """How many days are left in a month, that of a leap year's February among them."""
    day = a_date(rng)
    if rng.random() < 0.4:
        day = day.replace(month=2, day=min(day.day, 28))
    end = (day.replace(day=1) + timedelta(32)).replace(day=1) - timedelta(1)
    question = f"How many days of the month are left after {in_words(day)}?"
    return Asked(f"{question} That day itself does not count. The answer is a number.", str((end - day).days))


def weekday_of(rng: random.Random) -> Asked:
    """The weekday of a date, given that of another."""
    first = a_date(rng)
    last = first + timedelta(rng.randint(20, 200))
    question = f"{in_words(first)} was a {WEEKDAYS[first.weekday()]}. Which day of the week was {in_words(last)}?"
    return Asked(f"{question} The answer is a weekday.", WEEKDAYS[last.weekday()])


DATES = {
    "easy": (weekday_later(1, 4), within_month, earliest_of(2)),
    "medium": (weekday_later(7, 16), days_between(3, 24), earliest_of(4), within_month),
    "hard": (days_later(13, 60), months_later, month_end, days_between(30, 90), weekday_of),
}

# --- programs ---


def programs() -> Iterator[dict[str, Any]]:
    """The programs, each with assertions whose expected values its reference solution has worked out."""
    for program in PROGRAMS:
        space: dict[str, Any] = {}
        exec(program.reference, space)
        calls = [f"{program.name}({call})" for call in program.calls]
        results = [eval(call, space) for call in calls]
        question = (
            f"Write a Python function {program.head} that {program.asks}. For example, {calls[0]} is {results[0]!r}."
            " Write plain functions without classes, generators or imports. Answer with the program in one code block."
        )
        yield {
            "question": question,
            "tests": "\n".join(f"assert {call} == {result!r}" for call, result in zip(calls, results, strict=True)),
            "entry_point": program.name,
            "tags": [program.level],
        }


def questions(name: str, levels: dict[str, tuple[Maker, ...]]) -> Iterator[dict[str, Any]]:
    """Fifty different questions; within a level the kinds take turns."""
    rng = random.Random(f"second thought: {name}")
    seen: set[str] = set()
    for level, makers in levels.items():
        enough = len(seen) + PER_LEVEL[level]
        while len(seen) < enough:
            asked = makers[(enough - len(seen)) % len(makers)](rng)
            if asked.question in seen:
                continue
            seen.add(asked.question)
            aliases = {"aliases": asked.aliases} if asked.aliases else {}
            yield {"question": asked.question, "answer": asked.answer, **aliases, "tags": [level]}


MAKERS: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "letters": lambda: questions("letters", LETTERS),
    "decimals": lambda: questions("decimals", DECIMALS),
    "arithmetic": lambda: questions("arithmetic", ARITHMETIC),
    "dates": lambda: questions("dates", DATES),
    "programs": programs,
}


def made(name: str) -> bytes:
    """A set's file. Its levels are dealt out evenly: the first ten items are as hard as the next ten."""
    rows = list(MAKERS[name]())
    random.Random(f"order: {name}").shuffle(rows)
    dealt = []
    for level, count in PER_LEVEL.items():
        of_level = [row for row in rows if row["tags"] == [level]]
        dealt += [((place + 0.5) / count, row) for place, row in enumerate(of_level)]
    dealt.sort(key=lambda pair: pair[0])
    numbered = [{"id": f"{name}-{number:02d}", **row} for number, (_, row) in enumerate(dealt, start=1)]
    return "".join(json.dumps(row) + "\n" for row in numbered).encode()


def main() -> int:
    """Write all sets."""
    for shipped in SHIPPED:
        shipped.file.parent.mkdir(exist_ok=True)
        shipped.file.write_bytes(made(shipped.name))
        print(shipped.file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
