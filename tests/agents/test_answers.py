"""The answer proper in what small models write, and what counts as the same answer."""

import time

import pytest

from agents.answers import concluded, extract, marked, normalise

CODE = "```python\ndef double(n):\n    return 2 * n\n```"
POEM = "Roses are red,\nviolets are blue,\nsugar is sweet"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("40 + 2 = 42.\nAnswer: 42", "42"),
        ("So 40 + 2 = 42. Answer: 42", "42"),
        ("**Answer:** 42", "42"),
        ("**Answer: 42**", "42"),
        ("**Final Answer**: `42`", "42"),
        ("### Answer:\n42", "42"),
        ("Answer:\n35", "35"),
        ("**Final Answer:**\n\nThe larger number is 9.9", "9.9"),
        ("The answer is:\n\n**$18**", "$18"),
        ("Answer: 42. Because 40 and 2 are 42.", "42"),
        ("Answer: Yes, because it has no divisor.", "Yes"),
        ("answer: **yes**, because", "yes"),
        ("Answer (in dollars): 12", "12"),
        ("Answer: 7\n\nQuestion: And 4 + 4?\nAnswer: 8", "7"),
        ("Answer: 3\nNo, I counted wrongly.\nAnswer: 4", "4"),
        ("The answer is 42.", "42"),
        ("So the answer is (B).", "(B)"),
        ("Thus, **the answer is 18**.", "18"),
        ("The answer to the question is Paris.", "Paris"),
        ("The final answer is: $\\boxed{42}$. I hope it is correct.", "42"),
        ("#### 42", "42"),
        ("It is 40 + 2.\n#### 1,200", "1,200"),
        ("#### Step 4: Check\n\nAll is well.\n\nTherefore, the ball costs $0.05.", "$0.05"),
        ("\\[\n\\boxed{42}\n\\]", "42"),
        ("Final Answer: $\\boxed{\\frac{3}{4}}$.", "3/4"),
        ("The answer is \\(\\boxed{\\text{Paris}}\\).", "Paris"),
        ("Answer: $x = \\boxed{3}$ and $y = \\boxed{4}$", "x = 3 and y = 4"),
        ("Answer: \\$18", "$18"),
        ("Answer: 'abc'", "abc"),
        ("Answer: \"to be\"", "to be"),
        ("Answer: A dog's tail", "A dog's tail"),
        ("Answer: J. R. R. Tolkien. He wrote it.", "J. R. R. Tolkien. He wrote it"),
        ("Answer: 2024-01-05", "2024-01-05"),
        ("Answer: 10:30 AM", "10:30 AM"),
    ],
)  # fmt: skip
def test_what_the_text_calls_its_answer(written: str, found: str):
    assert extract(written) == found


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Answer: The ball costs 5 cents.", "5 cents"),
        ("Answer: 2 * 60 + 35 = 155 minutes", "155 minutes"),
        ("Answer: x = 5", "5"),
        ("Answer: They cost 55.08.", "55.08"),
        ("Answer: There are 3 r's in 'strawberry'.", "3"),
        ("So the total cost of 48 pens with a 15% discount is $55.08.", "$55.08"),
        ("\\[ \\text{Total} = 18 \\times 2 = 36 \\]", "36"),
        ("The larger of 9.11 and 9.9 is 9.9.", "9.9"),
        ("It happened in 1969.", "1969"),
        ("The day of the week is Friday.", "Friday"),
        ("So, the capital of Australia is **Canberra**.", "Canberra"),
        ("Therefore, Janet makes **$18** every day at the market.", "$18"),
    ],
)
def test_a_sentence_that_comes_to_a_number_or_a_name_is_that(written: str, found: str):
    assert extract(written) == found


@pytest.mark.parametrize(
    "written",
    [
        "Answer: x = 3 and y = 5",
        "Answer: x = 3 or x = -3",
        "Answer: 9.9 is larger than 9.11",
        "Answer: Lincoln was president in 1861 and died in 1865",
        "Answer: Anna is the second tallest",
        "Answer: 60 miles per hour",
        "Answer: between 3 and 5",
    ],
)
def test_a_sentence_that_says_more_stays_whole(written: str):
    assert extract(written) == written.removeprefix("Answer: ")


def test_a_text_keeps_its_own_marks():
    text = "Call `double(n)` with **n** in [1, 2] and it gives back twice the number, as the second of the tests shows."
    assert extract(f"Answer: {text}") == text
    assert extract(f"**Answer: {text}**") == text


def test_below_a_lone_answer_stands_all_of_it():
    assert extract(f"A short one.\nAnswer:\n{POEM}\n\nand so are *you*.") == f"{POEM}\n\nand so are *you*."
    assert extract("**Answer:**\n\n* `red`\n* blue") == "* `red`\n* blue"
    assert extract("Answer:\n\n5 cents\n\nExplanation: The bat costs more.") == "5 cents"


@pytest.mark.parametrize(
    "written",
    [
        f"It is doubled.\nAnswer:\n{CODE}",
        f"Here it is:\n{CODE}",
        f"{CODE}\nThis function takes a number and gives it back twice.",
        f"{CODE}\nAnswer: The function `double` takes a number n and returns twice that number.",
        CODE,
    ],
)
def test_a_program_is_the_answer_with_its_fence(written: str):
    assert extract(written) == CODE


def test_what_a_program_prints_is_not_the_answer():
    assert extract("```python\nprint('Answer:', 4)\n```\nIt prints 12 in the end.\nThe answer is 12.") == "12"
    assert extract("```\nAnswer: 42\n```") == "42"
    assert extract(f"{CODE}\nFor 21 it gives 42.\nAnswer: 42") == "42"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("42", "42"),
        ("First this.\nThen that.\nIt makes 8 apples.", "8 apples"),
        ("The sum is 8.\n\nLet me know if you have any further questions!", "8"),
        ("I think it is 7.\nAnswer: ", "7"),
        (POEM, POEM),
        (
            "Dear Ann,\nI cannot come.\nBest regards,\n[Your Name]",
            "Dear Ann,\nI cannot come.\nBest regards,\n[Your Name]",
        ),
        ("- red\n- green\n- blue", "- red\n- green\n- blue"),
        ("The answer is correct.", "The answer is correct"),
        ("Answer: <answer>", ""),
        ("", ""),
        ("  \n", ""),
    ],
)
def test_where_nothing_says_what_the_answer_is(written: str, found: str):
    assert extract(written) == found
    assert marked(written) == ""


def test_a_text_that_was_cut_has_an_answer_only_where_it_says_so():
    assert concluded("First, 3 + 4 = 7.", "stop") == "7"
    assert concluded("First, 3 + 4 = 7.", "length") == ""
    assert concluded("Answer: 7\nExplanation: Fir", "length") == "7"
    assert concluded("It is 7. It is 7.", "loop") == ""


@pytest.mark.parametrize(
    "alike",
    [
        ("1,200", "1200", "$1,200.00", "1{,}200", "1\u202f200", "1200.", "US$1,200", "1200 dollars", "\\$1200"),
        ("0.50", ".5", "0.5", "1/2", "\\frac{1}{2}", "2/4", "$0.50$", "½"),
        ("12", "$12.00", "12.0", "twelve", "Twelve.", "**12**", "$\\boxed{12}$", "€12", "12 USD", "+12"),
        ("(B)", "B", "b.", "B)", "[B]", "Option B", "**(B)**"),
        ("the Eiffel Tower", "Eiffel Tower.", "  eiffel   TOWER ", "The “Eiffel Tower”"),
        ("50%", "50 %", "50 percent"),
        ("-3", "\u22123", "-3.0"),
        ("12 apples", "12.00 Apples."),
        ("1/3", "2/6"),
        ("yes", "Yes.", "**YES**", "'yes'"),
    ],
)
def test_answers_that_mean_the_same_have_one_form(alike: tuple[str, ...]):
    assert {normalise(text) for text in alike} == {normalise(alike[0])}


def test_answers_that_mean_something_else_keep_their_own():
    different = [
        "5 cents", "5", "5%", "5 km", "50", "0.05", "a", "vitamin a", "grade a", "9.11", "9.9", "3:00 pm", "2024-01-05",
        "1/0", "x = 5", "a b c", "b c", "1½", "11/2", "no", "$5 to $10", "3.1.0", "5x", "",
    ]  # fmt: skip
    assert len({normalise(text) for text in different}) == len(different)


def test_its_own_form_is_its_normal_form():
    for text in ("1,200.50", "(B)", "The Eiffel Tower.", "2/6", "12.00 apples", "İstanbul"):
        assert normalise(normalise(text)) == normalise(text)


def test_a_number_of_any_length_keeps_all_its_digits():
    assert normalise("123456789012345678901234567890.50") == "123456789012345678901234567890.5"
    assert normalise("9" * 5_000) == "9" * 5_000


REPEATED = (
    "Answer: ", "Answer:\n", "The answer is is is ", "\\boxed{", "```\n", "(", "1,", "**", "- ", "= 5 ", "so the is A",
    "$", " ",
)  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_what_a_model_repeats_without_end_is_read_in_no_time(piece: str):
    text, began = piece * (60_000 // len(piece)), time.monotonic()
    extract(text)
    normalise(text)
    assert time.monotonic() - began < 2
