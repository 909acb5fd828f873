"""What is right and what is wrong: answers as small models write them, for every scorer that reads them."""

import time

import pytest

from workbench.errors import ScorerError
from workbench.experiments.model import Item
from workbench.experiments.scorers import registry

CITIES = ("London", "Paris", "New York", "York")
LATER = "Which of these dates is later: 13 June 2012 or 11 November 2012? Give it as YYYY-MM-DD."
WEEKDAY = "3 May 2021 was a Monday. Which day of the week was 5 May 2021?"
SECOND = "Which of these numbers is the second largest: 16.6, 16.2865, 16.2508, 16.2561?"
ABOVE = "How many of these numbers are larger than 4.5: 4.4, 4.75, 5.1?"
LARGER = "Which is larger, 9.9 or 9.11?"
SMALLER = "Which is smaller, 9.9 or 9.11?"


def item(answer: str, *aliases: str, question: str = "?", choices: tuple[str, ...] = ()) -> Item:
    return Item(id="1", question=question, answer=answer, aliases=aliases, choices=choices)


def cases(table):
    """One case per answer: (scorer, settings, item, answer)."""
    return [
        pytest.param(name, settings, wanted, answer, id=f"{name}-{wanted.answer}-{answer[:40]!r}")
        for name, settings, wanted, answers in table
        for answer in answers
    ]


RIGHT = [
    (
        "numeric",
        {},
        item("42"),
        [
            "42",
            "42.",
            "42.0",
            "**Answer:** 42.",
            "The answer is 42",
            "The answer is \\boxed{42}",
            "The final answer is: $\\boxed{42}$.",
            "#### 42",
            "42 apples",
            "The answer is 42, not 41.",
            "It is not 41 but 42.",
            "So he has 6 * 7 = 42 apples in 7 boxes.",
            "The total is 42 apples in 7 boxes.",
            "The answer is 40 + 2 = 42.",
            "The answer is forty-two.",
            "Therefore, **42** apples in 7 boxes.",
            "I think 41. Actually no, 42.",
            "42\n\nExplanation: 6 times 7 is 42.",
            "Answer: 41\n\nWait, that is wrong. Answer: 42",
            "1. Multiply 6 and 7.\n2. So 42 in total",
            "Step 1: add.\nStep 2: 42.",
            "```\n42\n```",
            "The answer is 42 (see step 3).",
            "x = 42",
            "４２",
        ],
    ),
    ("numeric", {}, item("-5"), ["-5", "−5", "Answer: –5", "The result is -5 degrees."]),
    ("numeric", {}, item("1250"), ["1,250", "$1,250.00", "1250 dollars", "\\$1{,}250", "1.25 × 10^3", "1.25e3"]),
    ("numeric", {}, item("0.5"), ["1/2", "½", "\\frac{1}{2}", ".5", "50%", "0.5000", "5 * 10^-1"]),
    ("numeric", {}, item("50%"), ["50%", "50", "50 percent", "0.5"]),
    ("numeric", {}, item("1.5"), ["1 1/2", "1½", "3/2"]),
    ("numeric", {}, item("1000"), ["10³", "10^3", "1 thousand", "1k"]),
    ("numeric", {}, item("3"), ["There are three r's in strawberry.", "The letter r appears 3 times (3, 8 and 9)."]),
    ("numeric", {}, item("0.3"), ["0.30000000000000004"]),
    ("numeric", {}, item("9.9", question=LARGER), ["9.9 is larger than 9.11.", "So 9.9 is larger.", "9.9 > 9.11"]),
    ("numeric", {}, item("9.9", question=LARGER), ["9.11 < 9.9", "9.11 is smaller than 9.9", "The larger one is 9.9."]),
    (
        "numeric",
        {},
        item("9.9", question=LARGER),
        [
            "9.9 is the larger number, because 9.11 comes after it.",
            "The number 9.9 is larger than the number 9.11.",
            "9.9 has a larger value than 9.11.",
            "9.9 is a larger number than 9.11.",
            "9.9 is larger because it has fewer digits than 9.11.",
            "9.9 is larger compared to 9.11.",
            "9.9 is larger than 9.11. When comparing the tenths, 9 is larger than 1.",
            "The larger number in the list is 9.9. The other is 9.11.",
            "The smaller number is 9.11 and larger is 9.9.",
            "9.11 is larger. Actually no, 9.9 is larger.",
            "Since 0.9 > 0.11, 9.9 is larger.",
            "Answer: 9.9, the larger number",
            "9.9 is the larger, then 9.11.",
        ],
    ),
    (
        "numeric",
        {},
        item("16.2865", question=SECOND),
        [
            "The second largest is 16.2865. The others are 16.6 and 16.2508.",
            "The largest is 16.6 and the second largest is 16.2865.",
            "16.6 > 16.2865 > 16.2561 > 16.2508, so the 2nd largest is 16.2865.",
        ],
    ),
    (
        "numeric",
        {},
        item("2", question=ABOVE),
        [
            "There are 2 numbers larger than 4.5: 4.75 and 5.1.",
            "2 of the numbers are larger than 4.5.",
            "Two numbers are greater than 4.5.",
        ],
    ),
    (
        "numeric",
        {},
        item("2"),
        [
            "It occurs 2 times: at positions 3 and 5.",
            "It occurs 2 times, in places 1 and 3.",
            "It occurs 2 times in the word, at positions 3 and 8.",
        ],
    ),
    ("numeric", {}, item("-5"), ["The answer is negative 5.", "minus five", "Answer: - 5", "x = - 5"]),
    ("numeric", {}, item("125"), ["one hundred twenty-five", "one hundred and twenty-five"]),
    ("numeric", {}, item("5"), ["10 minus 5 is 5", "=> 5", "<b>5</b>", "It is 5 - a nice number", "> 5"]),
    ("numeric", {}, item("60"), ["5 dozen", "60 km/h", "$60/h"]),
    ("numeric", {}, item("5", question="How many dozens?"), ["5 dozen eggs"]),
    (
        "exact",
        {},
        item("2012-11-11", "11 November 2012", question=LATER),
        [
            "The date is 2012-11-11.",
            "The correct date is 2012-11-11.",
            "The later date is 2012-11-11.",
            "**2012-11-11** is the later date.",
            "11 November 2012 is later, so the date is 2012-11-11.",
            "The later date is 11 November 2012.",
        ],
    ),
    ("exact", {}, item("Wednesday", question=WEEKDAY), ["5 May 2021 was a Wednesday.", "May 5 falls on a Wednesday."]),
    ("exact", {}, item("17", question="How many days after 3 May 2021 is 20 May 2021?"), ["17 days", "17"]),
    ("exact", {}, item("Paris"), ["The capital of France is Paris."]),
    ("numeric", {}, item("9.11", question=SMALLER), ["9.9 is larger than 9.11", "9.11 is smaller"]),
    ("numeric", {"absolute": 0.01}, item("3.14159"), ["3.14", "3.15"]),
    ("numeric", {"relative": 0.1}, item("200"), ["180", "220"]),
    ("numeric", {}, item("7", "8"), ["8"]),
    (
        "exact",
        {},
        item("Paris"),
        [
            "Paris",
            "paris.",
            "**Paris**",
            "Answer: Paris",
            "The answer is Paris.",
            "It is Paris.",
            "It's Paris!",
            '"Paris"',
        ],
    ),
    ("exact", {}, item("Paris"), ["\\boxed{Paris}", "Let me think. France is in Europe.\n\nAnswer: Paris"]),
    ("exact", {}, item("the Beatles"), ["Beatles", "The Beatles"]),
    ("exact", {}, item("C#"), ["C#", "Answer: C#"]),
    ("exact", {}, item("1,200"), ["1200", "1,200", "1200.0"]),
    ("exact", {}, item("Tuesday"), ["It will be a Tuesday.", "Answer: **Tuesday**"]),
    ("exact", {}, item("ﬁne café"), ["Fine cafe\u0301"]),
    ("exact", {}, item("New York City", "NYC"), ["NYC", "new york city"]),
    (
        "exact",
        {},
        item("B", choices=CITIES),
        ["B", "(B)", "B.", "b", "**B**", "B. Paris", "(B) Paris", "Option B", "B: Paris", "Paris", "\\boxed{B}"],
    ),
    (
        "exact",
        {},
        item("Paris", choices=CITIES),
        ["B", "The answer is (B) Paris because it is.", "The correct answer is B) Paris", "It's Paris, not London."],
    ),
    ("exact", {}, item("York", choices=CITIES), ["D", "York"]),
    (
        "contains",
        {},
        item("Paris"),
        ["I think it is Paris, of course.", "Not London but Paris.", "It isn't Rome. Paris!"],
    ),
    ("contains", {}, item("Paris"), ["Is it Paris? Yes.", "Options: London, Paris. I choose Paris."]),
    ("contains", {}, item("42"), ["It is 42.", "(42)", "$42", "42%"]),
    ("contains", {"whole_words": False}, item("art"), ["start"]),
    ("contains", {"where": "everywhere"}, item("Paris"), ["Paris, I thought.\nAnswer: London"]),
    ("regex", {"pattern": r"\bParis\b"}, item("Paris"), ["It is Paris."]),
    ("regex", {"pattern": r"= (\d+)"}, item("42"), ["6 * 6 = 36, 6 * 7 = 42"]),
    ("regex", {"pattern": r"= (\d+)", "last": False}, item("36"), ["6 * 6 = 36, 6 * 7 = 42"]),
    ("regex", {"pattern": "yes|no", "whole": True, "ignore_case": True}, item("yes"), [" Yes\n"]),
]

WRONG = [
    (
        "numeric",
        {},
        item("42"),
        [
            "",
            "I do not know.",
            "The answer is not 42",
            "The answer is 42 or 43.",
            "The answer is between 42 and 50.",
            "Answer: 42-50",
            "42 and 43",
            "The answer is 42 * 2",
            "420",
            "4.2",
            "-42",
            "42 million",
            "42k",
            "H42",
            "GPT-42",
            "a 42-letter word",
            "42x",
            "42:30",
            "42 hours and 30 minutes",
            "42 1/2",
            "Example 42: nothing.",
            "Answer: 41. I first thought of 42.",
            "forty-three",
        ],
    ),
    ("numeric", {}, item("9.11", question=LARGER), ["9.9 is larger than 9.11", "9.11 is smaller.", "9.11 < 9.9"]),
    ("numeric", {}, item("9.9", question=LARGER), ["9.9 is smaller than 9.11", "9.9 and 9.11 are equal", "9.11"]),
    (
        "numeric",
        {},
        item("9.9", question=LARGER),
        [
            "9.11 is the larger number, because 9.9 comes after it.",
            "The number 9.11 is larger than the number 9.9.",
            "9.11 has a larger value than 9.9.",
            "9.11 is a larger number than 9.9.",
            "9.11 is larger because it has more digits than 9.9.",
            "9.11 is larger compared to 9.9.",
            "9.11 is greater than or equal to 9.9.",
            "9.11 comes after 9.9.",
            "9.11 is larger, and 9.9",
            "The larger number in the list is 9.11. The other is 9.9.",
            "9.9 is not larger than 9.11",
            "**9.9** is not larger than 9.11",
            "Answer: 9.9 is a smaller number than 9.11",
            "The larger number is not 9.9.",
            "One might think 9.9 is larger, but 9.11 is.",
            "It is wrong that 9.9 is larger.",
            "Neither 9.11 nor 9.9 is larger.",
        ],
    ),
    (
        "numeric",
        {},
        item("16.2865", question=SECOND),
        ["The largest is 16.2865.", "16.2865 is larger than 16.6.", "16.6 is the second largest, before 16.2865."],
    ),
    (
        "numeric",
        {},
        item("5"),
        [
            "Answer: minus 5",
            "negative 5",
            "The answer is - 5",
            "half of 5",
            "The square root of 5",
            "5 squared",
            "5 dozen",
            "at least 5",
            "Answer: more than 5",
            "less than 5",
            "100 minus 5",
        ],
    ),
    ("numeric", {}, item("10"), ["x > 10", "< 10", "under 10", "Answer: 10 ± 2", "Answer: 10 (or 11)", "x \\geq 10"]),
    (
        "numeric",
        {},
        item("3"),
        [
            "Answer: – 3",
            "x = - 3",
            "\\boxed{3+y}",
            "\\boxed{y+3}",
            "\\boxed{\\frac{3}{x}}",
            "unknown (see 3)",
            "1. First\n2. Second\n3. Third",
            "It appears 2 times. 1. s t r 2. r 3. ",
        ],
    ),
    ("numeric", {}, item("25"), ["one hundred twenty-five"]),
    ("numeric", {}, item("3000"), ["one thousand, two thousand"]),
    (
        "exact",
        {},
        item("2012-11-11", question=LATER),
        [
            "The earlier date is 2012-11-11.",
            "2012-11-11 is the earlier date.",
            "13 June 2012 is later than 2012-11-11.",
            "2012-11-11 comes before 13 June 2012.",
            "The date is not 2012-11-11.",
            "The wrong date is 2012-11-11.",
            "The later date is 13 June 2012, while the other is 2012-11-11.",
            "The later date is 2012-06-13 or 2012-11-11.",
        ],
    ),
    (
        "exact",
        {},
        item("Wednesday", question=WEEKDAY),
        [
            "5 May 2021 was not a Wednesday.",
            "5 May is a Wednesday or a Thursday.",
            "The day after Wednesday is Thursday.",
        ],
    ),
    ("exact", {}, item("17", question="How many days are left?"), ["17 weeks"]),
    ("exact", {}, item("Paris"), ["The capital of France is not Paris.", "The wrong city is Paris."]),
    (
        "exact",
        {},
        item("Paris", choices=CITIES),
        [
            "It is B... no wait, A",
            "Paris would be a common mistake",
            "Answer: B\nA\nC",
            "Is it Paris?",
            "B: Paris. A: London",
        ],
    ),
    (
        "contains",
        {},
        item("Paris"),
        ["Paris? No, London.", "I first thought of Paris. But it is London.", "Paris would be a mistake"],
    ),
    ("contains", {}, item("5"), ["Options: 5, 6, 7. I choose 6."]),
    ("numeric", {}, item("103"), ["10³"]),
    ("numeric", {}, item("5.5"), ["1½", "1 1/2"]),
    ("numeric", {}, item("15"), ["1,5", "1.5"]),
    ("numeric", {}, item("12345678901234567890"), ["12345678901234567891"]),
    ("numeric", {}, item("2024"), ["2024-05-06"]),
    ("numeric", {}, item("2"), ["√2", "2π", "2/3", "two and a half", "2^10"]),
    ("numeric", {"percent": False}, item("50"), ["50%"]),
    ("numeric", {"absolute": 0.01}, item("3.14159"), ["3.2"]),
    (
        "exact",
        {},
        item("Paris"),
        ["", "London", "It is not Paris.", "The answer is not Paris", "Paris or London", "Parisian"],
    ),
    ("exact", {}, item("C#"), ["C", "C++"]),
    ("exact", {}, item("-5"), ["5"]),
    ("exact", {}, item("42"), ["420", "4.2", "-42", "42%", "42 or 43"]),
    ("exact", {}, item("103"), ["10³"]),
    ("exact", {"case": False}, item("Paris"), ["paris"]),
    ("exact", {"articles": False}, item("The Hague"), ["Hague"]),
    ("exact", {"punctuation": False}, item("Paris"), ["(Paris)"]),
    ("exact", {"numbers": False}, item("1,200"), ["1200.0"]),
    (
        "exact",
        {},
        item("B", choices=CITIES),
        ["", "A", "(A)", "A. Paris", "B. London", "A or B", "(A) or (B)", "Both A and B", "Not B", "It is not Paris."],
    ),
    ("exact", {}, item("B", choices=CITIES), ["Paris or London", "E", "I do not know.", "C", "New York"]),
    ("exact", {}, item("York", choices=CITIES), ["New York"]),
    (
        "contains",
        {},
        item("Paris"),
        [
            "The answer is not Paris",
            "It isn't Paris.",
            "Paris is wrong.",
            "London rather than Paris",
            "neither London nor Paris",
            "Comparisons",
            "I first thought of Paris.\nAnswer: London",
        ],
    ),
    ("contains", {}, item("42"), ["420", "4.42", "42.5", "1,042", "42,000", "-42", "It can't be 42", "42:30"]),
    ("contains", {"ignore_case": False}, item("Paris"), ["paris"]),
    ("regex", {"pattern": r"\bParis\b"}, item("Paris"), ["Parisian"]),
    ("regex", {"pattern": r"= (\d+)"}, item("42"), ["6 * 7 = 41", "42"]),
    ("regex", {"pattern": "yes", "whole": True}, item("yes"), ["yes, or no"]),
]


@pytest.mark.parametrize(("name", "settings", "wanted", "answer"), cases(RIGHT))
async def test_a_right_answer_is_right_however_it_is_written(name, settings, wanted, answer):
    score = await registry.create(name, settings).score(wanted, answer)
    assert score.value == 1, score.said


@pytest.mark.parametrize(("name", "settings", "wanted", "answer"), cases(WRONG))
async def test_a_wrong_answer_is_wrong_though_it_looks_right(name, settings, wanted, answer):
    score = await registry.create(name, settings).score(wanted, answer)
    assert score.value == 0, score.said


@pytest.mark.parametrize(
    ("name", "answer", "said", "read"),
    [
        ("numeric", "Answer: 42", "read 42, wanted 41", "42"),
        ("numeric", "no idea", "read nothing, wanted 41", ""),
        ("numeric", "It is 41.", "read 41", "41"),
        ("exact", "Answer: forty", "read forty, wanted 41", "forty"),
        ("contains", "It is not 41.", "takes it back: wanted 41", ""),
        ("contains", "It is 40.", "does not say it: wanted 41", ""),
    ],
)
async def test_a_score_says_what_was_read_and_what_was_wanted(name, answer, said, read):
    score = await registry.create(name).score(item("41"), answer)
    assert (score.said, score.read) == (said, read)


async def test_a_choice_is_told_by_its_letter_and_its_words():
    score = await registry.create("exact").score(item("B", choices=CITIES), "The answer is C.")
    assert score.said == "read C. New York, wanted B"


@pytest.mark.parametrize(
    ("name", "wanted", "answer", "value"),
    [
        ("rouge_l", item("the cat sat on the mat"), "the cat lay on the mat", 10 / 12),
        ("rouge_l", item("police killed the gunman"), "the gunman killed police", 2 / 4),  # Lin 2004, section 3
        ("rouge_l", item("police killed the gunman"), "police kill the gunman", 3 / 4),
        ("rouge_l", item("a b", "c d"), "c d", 1.0),
        ("rouge_l", item("東京は日本の首都"), "東京は首都", 10 / 13),
        ("rouge_l", item("Größe"), "größe!", 1.0),
        ("rouge_l", item("a b"), "", 0.0),
        ("token_f1", item("the Eiffel Tower"), "Answer: Eiffel Tower in Paris", 2 * 2 / (4 + 2)),
        ("token_f1", item("red red blue"), "Answer: red", 2 * 1 / (1 + 3)),
        ("token_f1", item("blue red"), "Answer: red, blue!", 1.0),
        ("token_f1", item("-5"), "Answer: 5", 0.0),
        ("token_f1", item("yes"), "Answer: yes", 1.0),
        ("token_f1", item("no"), "Answer: no chance of that", 0.0),
        ("token_f1", item("Paris"), "Answer: London", 0.0),
    ],
)
async def test_the_overlap_of_words_is_what_the_papers_define(name, wanted, answer, value):
    assert (await registry.create(name).score(wanted, answer)).value == pytest.approx(value)


async def test_rouge_l_can_compare_words_without_their_endings():
    pair = item("the dogs are running"), "the dog are runs"
    assert (await registry.create("rouge_l").score(*pair)).value == pytest.approx(2 / 4)
    assert (await registry.create("rouge_l", {"stem": True}).score(*pair)).value == pytest.approx(1.0)


@pytest.mark.parametrize("pattern", [r"^(a|aa|aaa)+$", r"^(a|aa|aaa)+(b)$"])
async def test_a_catastrophic_pattern_ends_at_its_timeout_as_an_error(pattern):
    scorer = registry.create("regex", {"pattern": pattern, "timeout": 0.1})
    began = time.monotonic()
    with pytest.raises(ScorerError, match=r"longer than 0\.1 seconds") as refused:
        await scorer.score(item("b"), "a" * 80 + "c")
    assert refused.value.hint
    assert time.monotonic() - began < 5


HOSTILE = [
    "1 ",
    "not 42 ",
    "9.9 > ",
    "$",
    "(A) or ",
    "\\frac{",
    "½",
    "def f(n):\n    return 1\n",
    "```\n",
    "Answer: ",
    "((1))",
]


@pytest.mark.parametrize("unit", HOSTILE)
async def test_a_long_and_odd_answer_is_scored_soon(unit):
    text = unit * (30_000 // len(unit))
    tested = Item(id="1", question=LARGER, answer="42", tests="assert f(1) == 2", entry_point="f")
    await registry.create("rouge_l").score(tested, "42")  # its library is loaded once
    began = time.monotonic()
    for name in ("exact", "numeric", "contains", "token_f1", "rouge_l", "unit_tests"):
        await registry.create(name).score(tested, text)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("A child meets somebody who asks as no one else does.", False),
        ("It is the rose, the only one that he has tamed.", False),
        ("One.", True),
        ("The number of times is one.", True),
        ("Answer: one", True),
    ],
)
async def test_one_is_a_number_only_where_it_counts(answer: str, right: bool) -> None:
    score = await registry.create("numeric").score(Item(id="1", question="How many l?", answer="1"), answer)
    assert bool(score.value) is right, score.said
